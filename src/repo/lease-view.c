/* SPDX-License-Identifier: Apache-2.0
 *
 * Leases as others see them: which there are, and which of them live.
 */
#include "repo/lease.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/time.h"
#include "repo/document.h"
#include "repo/lease-identity.h"

#define PREFIX     "leases/"
#define SIZE_LIMIT (4 * 1024 * 1024)
#define LIST_TRIES 20

/* --- This machine ----------------------------------------------------------------------------- */

static char *read_word(const char *path)
{
    char *text = NULL;
    gsize length;

    /* Containers may lack the file; then nothing is concluded from it. */
    if (!file_read(path, 4096, &text, &length, NULL))
        return g_strdup("");
    return g_strstrip(text);
}

static LeaseIdentity *read_identity(void)
{
    LeaseIdentity *identity = g_new0(LeaseIdentity, 1);

    identity->host = g_strdup(g_get_host_name());
    identity->machine_id = read_word("/etc/machine-id");
    identity->boot_id = read_word("/proc/sys/kernel/random/boot_id");
    return identity;
}

const LeaseIdentity *lease_identity(void)
{
    static gsize identity;

    if (g_once_init_enter(&identity))
        g_once_init_leave(&identity, (gsize)read_identity());
    return (const LeaseIdentity *)identity;
}

/* --- One lease -------------------------------------------------------------------------------- */

/* What the names and dates of a lease's objects tell. */
typedef struct {
    char *id;
    char *newest;    /* name */
    guint64 number;  /* of the newest */
    gint64 modified; /* of the newest */
} Found;

static void found_free(gpointer data)
{
    Found *found = data;

    g_free(found->id);
    g_free(found->newest);
    g_free(found);
}

void lease_view_free(LeaseView *view)
{
    if (view == NULL)
        return;
    g_free(view->id);
    g_free(view->operation);
    g_free(view->source);
    g_free(view->type);
    g_free(view->exclusive);
    g_free(view->backup);
    g_strfreev(view->uses);
    g_strfreev(view->deletes);
    g_free(view->host);
    g_free(view);
}

static void view_free(gpointer data)
{
    lease_view_free(data);
}

static gboolean known_equal(const char *a, const char *b)
{
    return a != NULL && a[0] != '\0' && strcmp(a, b) == 0;
}

/* Whether the holder is known to be gone, by what this machine can see. A run file that is missing
 * proves nothing (another mount namespace), nor does one that holds another lease's id. Machine ids
 * are copied with disk images: only together with the host's name does one say "this machine". */
static gboolean holder_is_dead(const json_t *document, const char *id)
{
    const LeaseIdentity *self = lease_identity();
    const char *boot = json_get_string(document, "boot_id", NULL);
    const char *path = json_get_string(document, "run_file", NULL);
    g_autofree char *content = NULL;
    RunFileState state;

    if (boot == NULL || boot[0] == '\0' || self->boot_id[0] == '\0')
        return FALSE;
    if (strcmp(boot, self->boot_id) != 0)
        return known_equal(json_get_string(document, "machine_id", NULL), self->machine_id) &&
               known_equal(json_get_string(document, "host", NULL), self->host);
    if (path == NULL || !g_path_is_absolute(path) ||
        !run_file_inspect(path, &state, &content, NULL))
        return FALSE;
    return state == RUN_FILE_DEAD && content != NULL && strcmp(g_strstrip(content), id) == 0;
}

static char **copy_ids(const json_t *document, const char *key)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    json_t *ids = json_object_get(document, key), *id;
    size_t index;

    json_array_foreach(ids, index, id)
    {
        if (json_is_string(id))
            g_strv_builder_add(builder, json_string_value(id));
    }
    return g_strv_builder_end(builder);
}

static gboolean has_expired(const Found *found, gint64 now)
{
    return now - found->modified >= LEASE_EXPIRY;
}

/* Lives until it expires, and protects everything, since nobody knows what it protects. */
static LeaseView *view_unreadable(const Found *found, gint64 now)
{
    LeaseView *view = g_new0(LeaseView, 1);

    view->id = g_strdup(found->id);
    view->operation = g_strdup("operation that cannot be read");
    view->host = g_strdup("unknown");
    view->uses = g_new0(char *, 1);
    view->deletes = g_new0(char *, 1);
    view->live = !has_expired(found, now);
    return view;
}

static gboolean text_or_null(const json_t *document, const char *key, char **ret_text)
{
    const json_t *value = json_object_get(document, key);

    if (value != NULL && !json_is_null(value) && !json_is_string(value))
        return FALSE;
    *ret_text = g_strdup(json_string_value(value));
    return TRUE;
}

/* NULL where the document is not what it should be. */
static LeaseView *view_document(const Found *found, const json_t *document, gint64 now)
{
    LeaseView *view = g_new0(LeaseView, 1);
    const char *started = json_get_string(document, "started", "");
    const char *since = json_get_string(document, "since", started);

    view->id = g_strdup(found->id);
    view->operation = g_strdup(json_get_string(document, "operation", ""));
    view->host = g_strdup(json_get_string(document, "host", ""));
    view->uses = copy_ids(document, "uses");
    view->deletes = copy_ids(document, "deletes");
    if (strcmp(json_get_string(document, "id", ""), found->id) != 0 ||
        !json_is_array(json_object_get(document, "uses")) ||
        !text_or_null(document, "source", &view->source) ||
        !text_or_null(document, "type", &view->type) ||
        !text_or_null(document, "exclusive", &view->exclusive) ||
        !text_or_null(document, "backup", &view->backup) ||
        !time_parse(started, NULL, &view->started, NULL) ||
        !time_parse(since, NULL, &view->since, NULL)) {
        lease_view_free(view);
        return NULL;
    }
    view->since = MIN(view->since, view->started);
    view->readable = TRUE;
    view->live = !has_expired(found, now) && !holder_is_dead(document, found->id);
    return view;
}

/* "leases/<id>.<number>"; anything else there is a lease of its own that cannot be read. */
static void parse_name(const char *name, char **ret_id, guint64 *ret_number)
{
    const char *base = name + strlen(PREFIX);
    const char *dot = strrchr(base, '.');

    *ret_number = 0;
    if (dot != NULL && dot != base &&
        g_ascii_string_to_unsigned(dot + 1, 10, 0, G_MAXUINT64, ret_number, NULL))
        *ret_id = g_strndup(base, (gsize)(dot - base));
    else
        *ret_id = g_strdup(base);
}

char *lease_id_of_name(const char *name)
{
    char *id;
    guint64 number;

    parse_name(name, &id, &number);
    return id;
}

/* --- All leases ------------------------------------------------------------------------------- */

static gboolean collect(const char *name, const StoreInfo *info, gpointer data, GError **error)
{
    GHashTable *all = data;
    g_autofree char *id = NULL;
    guint64 number;
    Found *found;

    parse_name(name, &id, &number);
    found = g_hash_table_lookup(all, id);
    if (found == NULL) {
        found = g_new0(Found, 1);
        found->id = g_steal_pointer(&id);
        g_hash_table_insert(all, found->id, found);
    } else if (number < found->number) {
        return TRUE;
    }
    g_free(found->newest);
    found->newest = g_strdup(name);
    found->number = number;
    found->modified = info->modified;
    return TRUE;
}

/* Adds the view of a lease; one that is gone since the listing is left out, and *vanished set. */
static gboolean add_view(Store *store, const Found *found, gint64 now, GPtrArray *views,
                         gboolean *vanished, GError **error)
{
    g_autoptr(GError) local_error = NULL;
    g_autoptr(json_t) document = document_get(store, found->newest, SIZE_LIMIT, &local_error);
    LeaseView *view = NULL;

    if (document == NULL) {
        if (error_is(local_error, ERROR_NOT_FOUND)) {
            *vanished = TRUE;
            return TRUE;
        }
        /* The store failed, not the lease: the question has no answer then. */
        if (!error_is(local_error, ERROR_FORMAT) && !error_is(local_error, ERROR_NEWER_FORMAT) &&
            !error_is(local_error, ERROR_LIMIT) && !error_is(local_error, ERROR_PERMISSION)) {
            g_propagate_error(error, g_steal_pointer(&local_error));
            return FALSE;
        }
    } else {
        view = view_document(found, document, now);
    }
    g_ptr_array_add(views, view != NULL ? view : view_unreadable(found, now));
    return TRUE;
}

gboolean lease_view_protects(const LeaseView *view, const char *backup)
{
    return view->live && (!view->readable || g_strcmp0(view->backup, backup) == 0 ||
                          g_strv_contains((const char *const *)view->uses, backup));
}

static int compare_views(gconstpointer a, gconstpointer b)
{
    const LeaseView *const *left = a;
    const LeaseView *const *right = b;

    return strcmp((*left)->id, (*right)->id);
}

static gboolean list_once(Repository *repository, GPtrArray **ret_views, gboolean *ret_vanished,
                          GError **error)
{
    Store *store = repository_store(repository);
    g_autoptr(GHashTable) all = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, found_free);
    g_autoptr(GPtrArray) views = g_ptr_array_new_with_free_func(view_free);
    GHashTableIter iterator;
    gpointer found;
    gint64 now;

    *ret_vanished = FALSE;
    if (!store_list(store, PREFIX, collect, all, error) || !store_time(store, &now, error))
        return FALSE;
    g_hash_table_iter_init(&iterator, all);
    while (g_hash_table_iter_next(&iterator, NULL, &found)) {
        if (!add_view(store, found, now, views, ret_vanished, error))
            return FALSE;
    }
    g_ptr_array_sort(views, compare_views);
    *ret_views = g_steal_pointer(&views);
    return TRUE;
}

/* Who gives a lease back may have taken another just before, as a backup does that is verified next:
 * a list that saw the old one go may be too old to have the new one. */
gboolean lease_list(Repository *repository, GPtrArray **ret_views, GError **error)
{
    for (guint i = 1;; i++) {
        g_autoptr(GPtrArray) views = NULL;
        gboolean vanished;

        if (!list_once(repository, &views, &vanished, error))
            return FALSE;
        if (vanished && i < LIST_TRIES)
            continue;
        *ret_views = g_steal_pointer(&views);
        return TRUE;
    }
}
