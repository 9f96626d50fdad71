/* SPDX-License-Identifier: Apache-2.0
 *
 * PostgreSQL's row in the table of engines: which method does what.
 */
#include "postgres/engine.h"

#include "base/error.h"
#include "postgres/check.h"
#include "postgres/logical.h"

#include <string.h>

static gboolean need_logical(const char *method, GError **error)
{
    if (g_strcmp0(method, "logical") == 0)
        return TRUE;
    error_set(error, ERROR_UNSUPPORTED, "method %s is not there yet",
              method != NULL ? method : "physical");
    error_add_hint(error,
                   "use --method logical, or write `method = logical` into the source's section");
    return FALSE;
}

static gboolean backup(const EngineBackup *request, GError **error)
{
    return need_logical(request->method, error) && pg_logical_backup(request, error);
}

static gboolean check_object(Backup *backup_read, const char *path, GCancellable *cancellable,
                             GError **error)
{
    return pg_logical_check_object(backup_read, path, cancellable, error);
}

static json_t *describe(Backup *backup_read, GError **error)
{
    return pg_logical_describe(backup_read, error);
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
    .backup = backup,
    .check_object = check_object,
    .describe = describe,
    .plan = plan,
    .restore = pg_logical_restore,
    .plan_free = pg_logical_plan_free,
};
