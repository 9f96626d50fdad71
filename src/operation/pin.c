/* SPDX-License-Identifier: Apache-2.0
 *
 * Pinning a backup.
 */
#include "operation/pin.h"

#include <string.h>

#include "base/error.h"
#include "repo/record.h"

static gboolean is_pinned(OperationContext *context, const char *id, gboolean *ret_pinned,
                          GError **error)
{
    const CatalogFilter filter = {.status = "pinned"};
    g_autoptr(GPtrArray) backups = NULL;

    if (!catalog_refresh(context->catalog, error) ||
        !catalog_backups(context->catalog, &filter, &backups, error))
        return FALSE;
    *ret_pinned = FALSE;
    for (guint i = 0; i < backups->len && !*ret_pinned; i++) {
        const CatalogBackup *backup = g_ptr_array_index(backups, i);

        *ret_pinned = strcmp(backup->id, id) == 0;
    }
    return TRUE;
}

/* A cleanup that had looked at the pins before this one came may have taken the backup. */
static gboolean check_still_there(OperationContext *context, const char *id, GError **error)
{
    gboolean committed;

    if (!backup_is_committed(context->repository, id, &committed, error))
        return FALSE;
    if (committed)
        return TRUE;
    error_set(error, ERROR_NOT_FOUND, "backup %s was deleted before it could be pinned", id);
    return FALSE;
}

gboolean operation_pin(OperationContext *context, const char *backup_id, gboolean pin,
                       const char *note, char **ret_id, gboolean *ret_changed, GError **error)
{
    g_autofree char *id = operation_resolve_backup(context, backup_id, error);
    g_autoptr(json_t) body = json_object();
    gboolean pinned;

    if (id == NULL || !is_pinned(context, id, &pinned, error))
        return FALSE;
    if (pinned != pin) {
        json_object_set_new(body, "backup", json_text(id));
        json_object_set_new(body, "note", json_text(note));
        if (!record_write(context->repository, pin ? "pin" : "unpin", body, NULL, error) ||
            !catalog_refresh(context->catalog, error))
            return FALSE;
    }
    if (pin && !check_still_there(context, id, error))
        return FALSE;
    *ret_changed = pinned != pin;
    *ret_id = g_steal_pointer(&id);
    return TRUE;
}
