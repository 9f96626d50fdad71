/* SPDX-License-Identifier: Apache-2.0
 *
 * A flush, its end, and the file sets then.
 */
#include "tdengine/file-evidence.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "tdengine/capture.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"
#include "tdengine/evidence.h"
#include "tdengine/file-sets.h"

/* Microseconds between two looks. */
#define POLL        20000
#define REPORT_POLL 100000

typedef struct {
    TdClient *client;
    const EngineBackup *request;
    const char *what; /* names the vgroup in errors */
    char *folder;     /* of the vnode */
} Look;

static gboolean pause_for(const EngineBackup *request, gint64 duration, GError **error)
{
    const gint64 until = g_get_monotonic_time() + duration;

    do {
        if (!error_unless_cancelled(request->cancellable, error))
            return FALSE;
        g_usleep(POLL);
    } while (g_get_monotonic_time() < until);
    return TRUE;
}

/* The versions that a server tells now are at least those of all that was written before the pause. */
static TdDatabase *look_again(TdClient *client, const EngineBackup *request, const char *name,
                              GError **error)
{
    const TdCapture capture = {.client = client,
                               .manifest = request->manifest,
                               .cancellable = request->cancellable};
    TdDatabase *database = NULL;

    return td_capture_database(&capture, name, &database, error) ? database : NULL;
}

static gboolean flush(TdClient *client, const EngineBackup *request, const char *name,
                      GError **error)
{
    g_autofree char *quoted = td_quote_name(name);
    g_autofree char *sql = g_strdup_printf("FLUSH DATABASE %s", quoted);

    return td_client_execute(client, sql, NULL, request->cancellable, error);
}

static gboolean read_vnode(const Look *look, TdVnode *ret_vnode, GError **error)
{
    g_autofree char *path = g_build_filename(look->folder, "vnode.json", NULL), *bytes = NULL;
    gsize length;

    return file_read(path, TD_VNODE_BYTES_MAX, &bytes, &length, error) &&
           td_vnode_parse(bytes, length, look->what, ret_vnode, error);
}

static gboolean is_same(const Look *look, const TdVnode *vnode, const TdDatabase *database,
                        gint64 id, GError **error)
{
    if (vnode->id != id || strcmp(vnode->database, database->name) != 0) {
        error_set(error, ERROR_FORMAT, "%s is that of another server", look->what);
        return FALSE;
    }
    /* A replica that was copied from another one need not have its versions beside its files. */
    if (vnode->replicas != 1) {
        error_set(error, ERROR_UNSUPPORTED, "%s has replicas", look->what);
        return FALSE;
    }
    return TRUE;
}

/* Waits until what was written up to `version` stands in files, and these in the list of file sets: the
 * server puts vnode.json in place first, and current.c.json becomes the list after it. */
static gboolean wait_for_commit(const Look *look, const TdDatabase *database,
                                const TdVgroup *vgroup, TdVnode *ret_vnode, GError **error)
{
    g_autofree char *pending = g_build_filename(look->folder, "tsdb", "current.c.json", NULL);
    const gint64 until = g_get_monotonic_time() + look->request->source->timeout;

    for (;;) {
        g_auto(TdVnode) vnode = {0};

        if (!read_vnode(look, &vnode, error) || !is_same(look, &vnode, database, vgroup->id, error))
            return FALSE;
        if (vnode.committed >= vgroup->applied && !g_file_test(pending, G_FILE_TEST_EXISTS)) {
            *ret_vnode =
                (TdVnode){.id = vnode.id, .committed = vnode.committed, .unit = vnode.unit};
            return TRUE;
        }
        if (g_get_monotonic_time() > until) {
            error_set(error, ERROR_TIMEOUT, "%s was not flushed in time", look->what);
            return FALSE;
        }
        if (!pause_for(look->request, POLL, error))
            return FALSE;
    }
}

static gboolean read_vgroup(TdClient *client, const EngineBackup *request,
                            const TdDatabase *database, TdVgroup *vgroup, gint64 since,
                            GArray *dirty, GError **error)
{
    g_autofree char *what = g_strdup_printf("the vnode %" G_GINT64_FORMAT, vgroup->id);
    g_autofree char *name = g_strdup_printf("vnode%" G_GINT64_FORMAT, vgroup->id);
    g_autofree char *folder =
        g_build_filename(request->source->data_directory, "vnode", name, NULL);
    g_autofree char *path = g_build_filename(folder, "tsdb", "current.json", NULL), *bytes = NULL;
    const Look look = {client, request, what, folder};
    TdVnode vnode;
    gsize length;

    if (!wait_for_commit(&look, database, vgroup, &vnode, error) ||
        !file_read(path, TD_CURRENT_BYTES_MAX, &bytes, &length, error) ||
        !td_file_sets_parse(bytes, length, what, vnode.unit, since, dirty, error))
        return FALSE;
    vgroup->applied = vnode.committed;
    return TRUE;
}

static gboolean read_database(TdClient *client, const EngineBackup *request, const TdDatabase *base,
                              const TdDatabase *now, GArray *dirty, GError **error)
{
    if (!flush(client, request, now->name, error))
        return FALSE;
    /* They have the same vgroups: the versions were compared. */
    for (guint i = 0; i < now->vgroups->len; i++)
        if (!read_vgroup(client, request, now, &g_array_index(now->vgroups, TdVgroup, i),
                         g_array_index(base->vgroups, TdVgroup, i).applied, dirty, error))
            return FALSE;
    return TRUE;
}

static const TdDatabase *find_database(const GPtrArray *databases, const char *name)
{
    for (guint i = 0; i < databases->len; i++)
        if (strcmp(((const TdDatabase *)g_ptr_array_index(databases, i))->name, name) == 0)
            return g_ptr_array_index(databases, i);
    return NULL;
}

static gboolean is_reported(const TdDatabase *committed, const TdDatabase *reported)
{
    if (committed->vgroups->len != reported->vgroups->len)
        return FALSE;
    for (guint i = 0; i < committed->vgroups->len; i++)
        if (g_array_index(reported->vgroups, TdVgroup, i).applied <
            g_array_index(committed->vgroups, TdVgroup, i).applied)
            return FALSE;
    return TRUE;
}

/* Files know a version before the server reports it. To the next increment it would seem that one that
 * was noted here and is not reported yet had gone back. */
static gboolean wait_for_reports(TdClient *client, const EngineBackup *request,
                                 const GPtrArray *now, GError **error)
{
    const gint64 until = g_get_monotonic_time() + request->source->timeout;

    for (guint i = 0; i < now->len;) {
        const TdDatabase *committed = g_ptr_array_index(now, i);
        TdDatabase *reported = look_again(client, request, committed->name, error);
        gboolean done;

        if (reported == NULL)
            return FALSE;
        done = is_reported(committed, reported);
        td_database_free(reported);
        if (done) {
            i++;
        } else if (g_get_monotonic_time() > until) {
            error_set(error, ERROR_TIMEOUT, "the server does not report what was flushed");
            return FALSE;
        } else if (!pause_for(request, REPORT_POLL, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

/* Whatever was written up to those versions was looked at; a flush, which moves a version too, is then
 * no write that the next increment would have to look for. */
static void move_positions(const GPtrArray *now, GPtrArray *looked)
{
    for (guint i = 0; i < looked->len; i++) {
        const TdDatabase *after = g_ptr_array_index(now, i);
        TdDatabase *before = g_ptr_array_index(looked, i);

        if (before->create_time != after->create_time)
            continue;
        for (guint j = 0; j < MIN(before->vgroups->len, after->vgroups->len); j++) {
            const TdVgroup *vgroup = &g_array_index(after->vgroups, TdVgroup, j);

            if (g_array_index(before->vgroups, TdVgroup, j).id == vgroup->id)
                g_array_index(before->vgroups, TdVgroup, j).applied = vgroup->applied;
        }
    }
}

static gboolean read_databases(TdClient *client, const EngineBackup *request, const GPtrArray *base,
                               GPtrArray *looked, GHashTable *dirty, GError **error)
{
    g_autoptr(GPtrArray) now = g_ptr_array_new_with_free_func((GDestroyNotify)td_database_free);
    const char *reason;

    if (!pause_for(request, TD_REPORT_DELAY, error))
        return FALSE;
    for (guint i = 0; i < looked->len; i++) {
        const char *name = ((const TdDatabase *)g_ptr_array_index(looked, i))->name;
        TdDatabase *database = look_again(client, request, name, error);

        if (database == NULL)
            return FALSE;
        g_ptr_array_add(now, database);
    }
    if (td_evidence_of_versions(base, now, &reason) == TD_VERSIONS_BROKEN) {
        error_set(error, ERROR_UNSUPPORTED, "%s", reason);
        return FALSE;
    }
    for (guint i = 0; i < now->len; i++) {
        const TdDatabase *database = g_ptr_array_index(now, i);
        const TdDatabase *before = find_database(base, database->name);
        GArray *places;

        if (before == NULL)
            continue;
        places = g_array_new(FALSE, FALSE, sizeof(TdPlace));
        g_hash_table_insert(dirty, g_strdup(database->name), places);
        if (!read_database(client, request, before, database, places, error))
            return FALSE;
    }
    if (!wait_for_reports(client, request, now, error))
        return FALSE;
    move_positions(now, looked);
    return TRUE;
}

gboolean td_file_evidence_read(TdClient *client, const EngineBackup *request, const GPtrArray *base,
                               GPtrArray *looked, GHashTable **ret_dirty, char **ret_reason,
                               GError **error)
{
    g_autoptr(GHashTable) dirty =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
    g_autoptr(GError) problem = NULL;

    *ret_dirty = NULL;
    *ret_reason = NULL;
    if (read_databases(client, request, base, looked, dirty, &problem)) {
        *ret_dirty = g_steal_pointer(&dirty);
        return TRUE;
    }
    if (error_is(problem, ERROR_CANCELLED) || error_is(problem, ERROR_UNREACHABLE) ||
        g_error_matches(problem, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    *ret_reason = g_strdup(problem->message);
    return TRUE;
}
