/* SPDX-License-Identifier: Apache-2.0
 *
 * PostgreSQL's row in the table of engines: which method does what.
 */
#include "postgres/engine.h"

#include "base/error.h"
#include "base/time.h"
#include "postgres/base.h"
#include "postgres/check.h"
#include "postgres/drill.h"
#include "postgres/logical.h"
#include "postgres/physical-plan.h"
#include "postgres/proof.h"
#include "postgres/wal-reach.h"
#include "postgres/wal-trim.h"
#include "postgres/wal-verify.h"

static gboolean is_physical(const char *method)
{
    return g_strcmp0(method, "physical") == 0;
}

static gboolean backup(const EngineBackup *request, GError **error)
{
    return is_physical(request->method) ? pg_physical_backup(request, error)
                                        : pg_logical_backup(request, error);
}

static json_t *describe(Backup *backup_read, GError **error)
{
    return is_physical(manifest_method(backup_manifest(backup_read)))
               ? pg_physical_describe(backup_read, error)
               : pg_logical_describe(backup_read, error);
}

static EnginePlan *plan(const EngineRestore *request, GError **error)
{
    if (is_physical(manifest_method(backup_manifest(request->backup))))
        return pg_physical_plan(request, error);
    if (request->recovery->to != RECOVER_STATE || request->place->directory != NULL) {
        error_set(error, ERROR_USAGE,
                  "backup %s is a logical one: it has one moment only, and no data directory",
                  backup_id(request->backup));
        error_add_hint(error, "use `holdfast restore postgresql full` with --to-database");
        return NULL;
    }
    return pg_logical_plan(request, error);
}

static gboolean restore(EnginePlan *made, EngineResult *ret_result, GError **error)
{
    return is_physical(made->method) ? pg_physical_restore(made, ret_result, error)
                                     : pg_logical_restore(made, ret_result, error);
}

static void plan_free(EnginePlan *made)
{
    if (made != NULL && is_physical(made->method))
        pg_physical_plan_free(made);
    else
        pg_logical_plan_free(made);
}

static gboolean rename_pool(const char *stem, json_t *document, PoolNames *names, GError **error)
{
    return pool_names_put_packs(names, json_object_get(document, "packs"), error);
}

/* The index of files names packs by their place in the table of these details. */
static const char *const pool_documents[] = {"details.json", NULL};

const Engine postgres_engine = {
    .name = "postgresql",
    .rto = 5 * TIME_MINUTE,
    .rpo = 5 * TIME_MINUTE,
    .check = pg_check,
    .base_fits = pg_base_fits,
    .backup = backup,
    .check_object = pg_check_object,
    .check_backup = pg_check_backup,
    .owners = pg_owners,
    .pool_documents = pool_documents,
    .rename_pool = rename_pool,
    .describe = describe,
    .choose = pg_target_choose,
    .reach = pg_reach,
    .trim = pg_wal_trim,
    .plan = plan,
    .restore = restore,
    .plan_free = plan_free,
    .drill = pg_drill,
    .archives = pg_wal_archives,
    .check_archive = pg_wal_verify,
};
