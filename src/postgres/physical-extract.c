/* SPDX-License-Identifier: Apache-2.0
 *
 * Databases and tables out of a physical backup: a private server recovers a scratch directory to
 * the target and is promoted; what was chosen goes from it into the running server by the way of a
 * logical backup and restore, so that names, dependencies, refusals and counts are the same in both
 * cases.
 */
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "postgres/logical.h"
#include "postgres/physical-plan.h"
#include "postgres/physical-tables.h"
#include "postgres/scratch-folder.h"
#include "postgres/scratch-server.h"
#include "repo/backup-id.h"

/* --- planning --------------------------------------------------------------------------------- */

static gboolean check_databases(const PgPhysicalPlan *plan, GError **error)
{
    const char *const *wanted = plan->request->databases;

    for (guint i = 0; wanted != NULL && wanted[i] != NULL; i++) {
        gboolean known = FALSE;

        for (guint k = 0; k < plan->physical->databases->len && !known; k++) {
            const char *tab = strchr(g_ptr_array_index(plan->physical->databases, k), '\t');

            known = tab != NULL && strcmp(tab + 1, wanted[i]) == 0;
        }
        if (!known) {
            error_set(error, ERROR_NOT_FOUND, "the backup has no database %s", wanted[i]);
            return FALSE;
        }
    }
    return TRUE;
}

/* Before anything is recovered. For a backup's own state its list decides; a later moment may have
 * tables that the list cannot have. */
static gboolean check_tables(PgPhysicalPlan *plan, GError **error)
{
    const EngineRestore *request = plan->request;
    g_autofree char *unknown = NULL;

    if (request->tables == NULL)
        return TRUE;
    if (!pg_physical_find_unknown(request->backup, request->tables, request->databases, &unknown,
                                  error))
        return FALSE;
    if (unknown == NULL)
        return TRUE;
    if (request->recovery->to == RECOVER_STATE) {
        error_set(error, ERROR_USAGE, "no table of the backup fits '%s'", unknown);
        error_add_hint(error, "holdfast show %s lists its tables", backup_id(request->backup));
        return FALSE;
    }
    engine_plan_warn(
        &plan->base,
        "no table of the backup's list fits '%s': unless it was made after the backup, "
        "nothing will be restored",
        unknown);
    return TRUE;
}

/* Nothing of the scratch place exists before the restore. */
gboolean pg_physical_plan_extract(PgPhysicalPlan *plan, GError **error)
{
    g_autofree char *folder = pg_scratch_folder_path(plan->request->scratch_directory);
    g_autofree char *directory = g_build_filename(folder, "data", NULL);

    plan->place = pg_place_new(directory);
    for (guint i = 0; i < plan->physical->tablespaces->len; i++) {
        const PgTablespace *space = g_ptr_array_index(plan->physical->tablespaces, i);
        PgPlacedTablespace *placed = g_new0(PgPlacedTablespace, 1);

        placed->oid = space->oid;
        placed->name = g_strdup(space->name);
        placed->old_location = g_strdup(space->location);
        if (space->location != NULL)
            placed->location =
                g_strdup_printf("%s/tablespaces/%" G_GUINT32_FORMAT, folder, space->oid);
        g_ptr_array_add(plan->place->tablespaces, placed);
    }
    return check_databases(plan, error) && check_tables(plan, error);
}

/* --- out of it -------------------------------------------------------------------------------- */

static gboolean write_backup(const PgPhysicalPlan *plan, const PgScratch *scratch,
                             Repository *repository, Lease *lease, const char *id, GError **error)
{
    const EngineRestore *request = plan->request;
    ConfigSource source = *request->target;
    g_autoptr(BackupWriter) writer = backup_writer_new(repository, lease, id, error);
    g_autoptr(Manifest) manifest =
        manifest_new(id, plan->archive.source, "postgresql", BACKUP_FULL);
    gint64 start = time_now();
    EngineBackup work = {.source = &source,
                         .type = BACKUP_FULL,
                         .method = "logical",
                         .databases = request->databases,
                         .tables = request->tables,
                         .jobs = request->jobs,
                         .compression = repository_compression(repository),
                         .writer = writer,
                         .manifest = manifest,
                         .scratch_directory = request->scratch_directory,
                         .progress = request->progress,
                         .cancellable = request->cancellable};

    if (writer == NULL)
        return FALSE;
    source.conninfo = (char *)pg_scratch_conninfo(scratch);
    source.databases = NULL;
    manifest_set_method(manifest, "logical");
    if (!pg_logical_backup(&work, error))
        return FALSE;
    manifest_set_times(manifest, start, time_now());
    return backup_writer_commit(writer, manifest, error);
}

/* A backup of the private server, in a repository that goes with it. */
static Backup *dump_server(const PgPhysicalPlan *plan, const PgScratch *scratch, const char *folder,
                           GError **error)
{
    const CompressSpec fast = {CODEC_LZ4, 1};
    g_autofree char *path = g_build_filename(folder, "repository", NULL);
    g_autofree char *id = backup_id_make(time_now(), plan->archive.source, "full");
    const LeaseRequest wanted = {.operation = "backup", .backup = id, .runtime_directory = folder};
    g_autoptr(Repository) repository = NULL;
    g_autoptr(Lease) lease = NULL;
    Store *store;

    if (!directory_make(path, 0700, error))
        return NULL;
    store = store_open_posix(path, error);
    if (store == NULL)
        return NULL;
    repository = repository_create(store, fast, error);
    if (repository == NULL)
        return NULL;
    lease = lease_acquire(repository, &wanted, error);
    if (lease == NULL || !write_backup(plan, scratch, repository, lease, id, error))
        return NULL;
    return backup_open(repository, id, error);
}

/* --- into the server -------------------------------------------------------------------------- */

static void take_summary(EngineResult *result, EngineResult *inner)
{
    if (inner->summary != NULL)
        json_object_update(result->summary, inner->summary);
    for (guint i = 0; inner->warnings != NULL && i < inner->warnings->len; i++)
        g_ptr_array_add(result->warnings, g_strdup(g_ptr_array_index(inner->warnings, i)));
    engine_result_clear(inner);
}

static gboolean load(const PgPhysicalPlan *plan, Backup *backup, EngineResult *result,
                     GError **error)
{
    EngineRestore request = *plan->request;
    EngineResult inner = {0};
    EnginePlan *logical;
    gboolean done = FALSE;

    request.backup = backup;
    logical = pg_logical_plan(&request, error);
    if (logical == NULL)
        return FALSE;
    for (guint i = 0; i < logical->warnings->len; i++)
        g_ptr_array_add(result->warnings, g_strdup(g_ptr_array_index(logical->warnings, i)));
    if (logical->problems->len > 0) {
        error_set(error, (ErrorCode)logical->problem_code, "%s",
                  (const char *)g_ptr_array_index(logical->problems, 0));
    } else {
        done = pg_logical_restore(logical, &inner, error);
        take_summary(result, &inner);
    }
    pg_logical_plan_free(logical);
    return done;
}

gboolean pg_physical_extract(PgPhysicalPlan *plan, EngineResult *result, GError **error)
{
    g_auto(PgScratchFolder) folder = {0};
    g_autoptr(PgScratch) scratch = NULL;
    g_autoptr(Backup) backup = NULL;

    if (!pg_scratch_folder_make(plan->place, plan->request->scratch_directory, &folder, error) ||
        !pg_physical_restore_directory(plan, result, error) ||
        !pg_scratch_promote(plan, &scratch, error))
        return FALSE;
    backup = dump_server(plan, scratch, folder.folder, error);
    return backup != NULL && pg_scratch_stop(scratch, error) && load(plan, backup, result, error);
}
