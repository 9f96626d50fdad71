/* SPDX-License-Identifier: Apache-2.0
 *
 * Deleting a backup.
 */
#include "operation/delete.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "repo/deletion.h"
#include "repo/record.h"

static const CatalogBackup *find_backup(GPtrArray *backups, const char *id)
{
    for (guint i = 0; i < backups->len; i++) {
        const CatalogBackup *backup = g_ptr_array_index(backups, i);

        if (strcmp(backup->id, id) == 0)
            return backup;
    }
    return NULL;
}

/* Whether it is the newest good full of its source: what a restore would start from. `backups` are
 * sorted newest first. */
static gboolean is_newest_good_full(GPtrArray *backups, const CatalogBackup *wanted)
{
    for (guint i = 0; i < backups->len; i++) {
        const CatalogBackup *backup = g_ptr_array_index(backups, i);

        if (!backup->damaged && !backup->partial && g_strcmp0(backup->type, "full") == 0 &&
            g_strcmp0(backup->source, wanted->source) == 0)
            return backup == wanted;
    }
    return FALSE;
}

static void note_pin(const char *name, const GError *problem, gpointer data)
{
    GError **first = data;

    if (*first == NULL)
        *first = g_error_copy(problem);
}

/* One that cannot be read may be this backup's. */
static gboolean check_pins(Repository *repository, GError **error)
{
    g_autoptr(GError) first = NULL;

    if (!record_check(repository, "pin", note_pin, &first, error))
        return FALSE;
    if (first == NULL)
        return TRUE;
    error_set(error, ERROR_REFUSED,
              "a pin cannot be read, so that nobody knows whether the backup is pinned: %s",
              first->message);
    error_add_hint(error, "say --yes where it was not");
    return FALSE;
}

static gboolean check_rules(OperationContext *context, const char *id, gboolean yes,
                            char **ret_source, GError **error)
{
    g_autoptr(GPtrArray) backups = NULL;
    const CatalogBackup *backup;

    /* Pins of other hosts count as well: look now, not at what was known at the start. */
    if (!catalog_refresh(context->catalog, error) ||
        !catalog_backups(context->catalog, NULL, &backups, error))
        return FALSE;
    backup = find_backup(backups, id);
    if (backup == NULL) {
        error_set(error, ERROR_NOT_FOUND, "there is no backup \"%s\"", id);
        return FALSE;
    }
    if (backup->pinned) {
        error_set(error, ERROR_PINNED, "backup %s is pinned", id);
        error_add_hint(error, "give it back first: holdfast unpin %s", id);
        return FALSE;
    }
    if (!yes && is_newest_good_full(backups, backup)) {
        error_set(error, ERROR_REFUSED, "backup %s is the newest good full backup of source %s", id,
                  backup->source);
        error_add_hint(error, "make a newer one first, or say --yes");
        return FALSE;
    }
    if (!yes && !check_pins(context->repository, error))
        return FALSE;
    *ret_source = g_strdup(backup->source);
    return TRUE;
}

static gboolean check_leases(OperationContext *context, const char *id, GError **error)
{
    g_autoptr(GPtrArray) leases = NULL;

    if (!lease_list(context->repository, &leases, error))
        return FALSE;
    for (guint i = 0; i < leases->len; i++) {
        const LeaseView *lease = g_ptr_array_index(leases, i);

        if (!lease_view_protects(lease, id))
            continue;
        if (lease->readable)
            error_set(error, ERROR_BUSY, "backup %s is in use by a %s on %s", id, lease->operation,
                      lease->host);
        else
            error_set(error, ERROR_BUSY, "backup %s may be in use: the lease %s cannot be read", id,
                      lease->id);
        error_add_hint(error, lease->readable ? "try again when that is done"
                                              : "try again in ten minutes, when it has expired");
        return FALSE;
    }
    return TRUE;
}

static void file_record(OperationContext *context, const char *id, const char *source, gboolean yes)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(json_t) body = json_object();

    json_object_set_new(body, "backup", json_text(id));
    json_object_set_new(body, "source", json_text(source));
    json_object_set_new(body, "confirmed", json_boolean(yes));
    if (!record_write(context->repository, "delete", body, NULL, &problem) ||
        !catalog_refresh(context->catalog, &problem)) {
        g_autofree char *text = error_text(problem);

        log_write(LOG_WARNING, "the deletion of %s is not on record: %s", id, text);
    }
}

gboolean operation_delete(OperationContext *context, const char *backup_id, gboolean yes,
                          char **ret_id, GError **error)
{
    g_autofree char *id = operation_resolve_backup(context, backup_id, error);
    g_autofree char *source = NULL;
    const char *ids[2] = {NULL};
    g_autoptr(Lease) announced = NULL;

    if (id == NULL || !check_rules(context, id, yes, &source, error))
        return FALSE;
    ids[0] = id;
    announced =
        deletion_announce(context->repository, ids, config_runtime_directory(context->config));
    if (!check_leases(context, id, error) || !backup_delete(context->repository, id, error))
        return FALSE;
    file_record(context, id, source, yes);
    if (ret_id != NULL)
        *ret_id = g_steal_pointer(&id);
    return TRUE;
}
