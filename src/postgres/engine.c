/* SPDX-License-Identifier: Apache-2.0
 *
 * PostgreSQL's row in the table of engines: which method does what.
 */
#include "postgres/engine.h"

#include "base/error.h"
#include "postgres/base.h"
#include "postgres/check.h"
#include "postgres/logical.h"
#include "postgres/physical.h"

static gboolean is_physical(const char *method)
{
    return g_strcmp0(method, "physical") == 0;
}

static gboolean need_logical(const char *method, GError **error)
{
    if (!is_physical(method))
        return TRUE;
    error_set(error, ERROR_UNSUPPORTED, "physical backups cannot be restored yet");
    return FALSE;
}

static gboolean backup(const EngineBackup *request, GError **error)
{
    return is_physical(request->method) ? pg_physical_backup(request, error)
                                        : pg_logical_backup(request, error);
}

static gboolean check_object(Backup *backup_read, const char *path, GCancellable *cancellable,
                             GError **error)
{
    if (is_physical(manifest_method(backup_manifest(backup_read))))
        return TRUE;
    return pg_logical_check_object(backup_read, path, cancellable, error);
}

static json_t *describe(Backup *backup_read, GError **error)
{
    return is_physical(manifest_method(backup_manifest(backup_read)))
               ? pg_physical_describe(backup_read, error)
               : pg_logical_describe(backup_read, error);
}

static EnginePlan *plan(const EngineRestore *request, GError **error)
{
    if (!need_logical(manifest_method(backup_manifest(request->backup)), error))
        return NULL;
    return pg_logical_plan(request, error);
}

const Engine postgres_engine = {
    .name = "postgresql",
    .check = pg_check,
    .base_fits = pg_base_fits,
    .backup = backup,
    .check_object = check_object,
    .describe = describe,
    .plan = plan,
    .restore = pg_logical_restore,
    .plan_free = pg_logical_plan_free,
};
