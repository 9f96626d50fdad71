/* SPDX-License-Identifier: Apache-2.0
 *
 * The places of physical backups in the WAL, and their order.
 */
#include "postgres/wal-position.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "postgres/wal-system.h"
#include "repo/backup.h"

gboolean wal_position_read(const Manifest *manifest, gboolean *ret_present,
                           WalPosition *ret_position, GError **error)
{
    g_autoptr(json_t) json = manifest_json(manifest);
    const char *start = json_get_string(json, "start_lsn", NULL);
    const char *stop = json_get_string(json, "stop_lsn", NULL);
    const char *identifier = json_get_string(json, "system_identifier", NULL);
    WalPosition position = {
        .timeline = (guint32)json_get_uint(json, "timeline", 0),
        .segment_size = (guint32)json_get_uint(json, "segment_size", 0),
    };

    if (g_strcmp0(manifest_method(manifest), "physical") != 0 || start == NULL) {
        *ret_present = FALSE;
        return TRUE;
    }
    if (stop == NULL || identifier == NULL || position.timeline == 0 ||
        !wal_segment_size_valid(position.segment_size) ||
        !wal_system_parse(identifier, &position.system_identifier) ||
        !pg_lsn_parse(start, &position.start, NULL) || !pg_lsn_parse(stop, &position.stop, NULL) ||
        position.stop < position.start) {
        error_set(error, ERROR_DAMAGED, "the manifest of %s has no usable place in the WAL",
                  manifest_id(manifest));
        return FALSE;
    }
    *ret_present = TRUE;
    *ret_position = position;
    return TRUE;
}

/* --- the order -------------------------------------------------------------------------------- */

static void backup_free(gpointer data)
{
    WalBackup *backup = data;

    g_free(backup->id);
    g_clear_error(&backup->problem);
    g_free(backup);
}

static int compare(guint64 left, guint64 right)
{
    return left < right ? -1 : left > right;
}

static int by_stop(gconstpointer a, gconstpointer b)
{
    const WalBackup *const *left = a, *const *right = b;

    if ((*left)->stop != (*right)->stop)
        return (*left)->stop < (*right)->stop ? -1 : 1;
    if ((*left)->position.stop != (*right)->position.stop)
        return compare((*left)->position.stop, (*right)->position.stop);
    return strcmp((*left)->id, (*right)->id);
}

/* Takes the problem. */
static WalBackup *unreadable(const char *id, GError *problem)
{
    WalBackup *backup = g_new0(WalBackup, 1);
    g_autofree char *stamp = g_strndup(id, strcspn(id, "-"));

    backup->id = g_strdup(id);
    backup->problem = problem;
    if (time_parse(stamp, NULL, &backup->start, NULL))
        backup->stop = backup->start;
    return backup;
}

static gboolean is_named_after(const char *id, const char *source)
{
    const char *name = id + strcspn(id, "-");
    gsize length = strlen(source);

    /* Behind the source stand the type, four letters, and four at random. */
    return *name == '-' && strncmp(name + 1, source, length) == 0 && name[length + 1] == '-' &&
           strlen(name + 1 + length) == strlen("-full-abcd");
}

/* NULL without an error: it is none of them. */
static WalBackup *look_at(Repository *repository, const char *id, const char *source,
                          GError **error)
{
    GError *problem = NULL;
    g_autoptr(Backup) backup = backup_open(repository, id, &problem);
    const Manifest *manifest = backup != NULL ? backup_manifest(backup) : NULL;
    WalBackup *result;
    WalPosition position;
    gboolean present = FALSE;

    if (manifest != NULL && strcmp(manifest_source(manifest), source) != 0)
        return NULL;
    if (manifest == NULL || !wal_position_read(manifest, &present, &position, &problem)) {
        if (error_is(problem, ERROR_UNREACHABLE))
            g_propagate_error(error, problem);
        else if (!error_is(problem, ERROR_NOT_FOUND) && is_named_after(id, source))
            return unreadable(id, problem);
        else
            g_error_free(problem);
        return NULL;
    }
    if (!present)
        return NULL;
    result = g_new0(WalBackup, 1);
    *result = (WalBackup){g_strdup(id), manifest_start(manifest),   manifest_stop(manifest),
                          position,     manifest_partial(manifest), NULL};
    return result;
}

gboolean wal_backups(Repository *repository, const char *source, GPtrArray **ret_backups,
                     GError **error)
{
    g_autoptr(GPtrArray) backups = g_ptr_array_new_with_free_func(backup_free);
    g_autoptr(GPtrArray) ids = NULL;

    if (!backup_list(repository, &ids, error))
        return FALSE;
    for (guint i = 0; i < ids->len; i++) {
        GError *problem = NULL;
        WalBackup *backup = look_at(repository, ids->pdata[i], source, &problem);

        if (problem != NULL) {
            g_propagate_error(error, problem);
            return FALSE;
        }
        if (backup != NULL)
            g_ptr_array_add(backups, backup);
    }
    g_ptr_array_sort(backups, by_stop);
    *ret_backups = g_steal_pointer(&backups);
    return TRUE;
}
