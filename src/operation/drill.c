/* SPDX-License-Identifier: Apache-2.0
 *
 * The drill operation: chooses what is restored; the rest is a restore whose place is the engine's.
 */
#include "operation/drill.h"

#include <string.h>

#include "base/error.h"

/* The newest whole one that is not known to be damaged. */
static gboolean find_newest(OperationContext *context, const ConfigSource *source,
                            CatalogBackup **ret_backup, GPtrArray **ret_backups, GError **error)
{
    const CatalogFilter filter = {.source = source->name, .status = "good"};

    *ret_backup = NULL;
    if (!catalog_backups(context->catalog, &filter, ret_backups, error))
        return FALSE;
    for (guint i = 0; i < (*ret_backups)->len && *ret_backup == NULL; i++) {
        CatalogBackup *backup = g_ptr_array_index(*ret_backups, i);

        if (!backup->partial)
            *ret_backup = backup;
    }
    if (*ret_backup != NULL)
        return TRUE;
    error_set(error, ERROR_NOT_FOUND, "there is no good backup of source %s", source->name);
    error_add_hint(error, "holdfast backup %s full --source %s", source->engine, source->name);
    return FALSE;
}

/* What the drill is of, where that was left open: everything that a recovery could bring back. */
static gboolean settle(OperationContext *context, const DrillRequest *request,
                       const ConfigSource *source, RestoreRequest *work, char **ret_id,
                       GError **error)
{
    const Engine *engine = engine_find(source->engine, error);
    g_autoptr(GPtrArray) backups = NULL;
    CatalogBackup *newest;

    if (engine == NULL)
        return FALSE;
    if (engine->drill == NULL) {
        error_set(error, ERROR_UNSUPPORTED, "there are no drills of %s", source->engine);
        return FALSE;
    }
    if (request->recovery != NULL && engine->choose == NULL &&
        request->recovery->to != RECOVER_STATE) {
        error_set(error, ERROR_UNSUPPORTED, "there are no drills to a point in time of %s",
                  source->engine);
        error_add_hint(error, "name a backup with --backup-id");
        return FALSE;
    }
    if (request->recovery != NULL)
        work->recovery = *request->recovery;
    if (request->backup_id != NULL) {
        *ret_id = operation_resolve_backup(context, request->backup_id, error);
        return *ret_id != NULL;
    }
    if (request->recovery != NULL)
        return TRUE;
    if (!find_newest(context, source, &newest, &backups, error))
        return FALSE;
    if (engine->choose != NULL && g_strcmp0(newest->method, "physical") == 0)
        work->recovery.to = RECOVER_LATEST;
    *ret_id = g_strdup(newest->id);
    return TRUE;
}

/* A backup of another source would be measured for this one. */
static gboolean check_source(OperationContext *context, const ConfigSource *source, const char *id,
                             GError **error)
{
    g_autoptr(Backup) backup = id != NULL ? backup_open(context->repository, id, error) : NULL;

    if (id == NULL)
        return TRUE;
    if (backup == NULL)
        return FALSE;
    if (strcmp(manifest_source(backup_manifest(backup)), source->name) == 0)
        return TRUE;
    error_set(error, ERROR_USAGE, "backup %s is one of source %s", id,
              manifest_source(backup_manifest(backup)));
    return FALSE;
}

gboolean operation_drill(OperationContext *context, const DrillRequest *request, Progress *progress,
                         GCancellable *cancellable, RestoreReport *ret_report, GError **error)
{
    const ConfigSource *source =
        config_find_source(context->config, request->source, NULL, NULL, error);
    g_autofree char *id = NULL;
    RestoreRequest work = {.source = request->source,
                           .drill = TRUE,
                           .tolerance = -1,
                           .jobs = request->jobs,
                           .fill_until = G_MININT64,
                           .recovery = {.to = RECOVER_STATE}};

    memset(ret_report, 0, sizeof *ret_report);
    if (source == NULL || !settle(context, request, source, &work, &id, error) ||
        !check_source(context, source, id, error))
        return FALSE;
    /* As a restore to that moment does it. */
    work.fill = work.recovery.to == RECOVER_TIME;
    work.engine = source->engine;
    work.source = source->name;
    work.to_source = source->name;
    work.backup_id = id;
    return operation_restore(context, &work, progress, cancellable, ret_report, error);
}
