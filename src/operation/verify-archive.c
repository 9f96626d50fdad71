/* SPDX-License-Identifier: Apache-2.0
 *
 * Verify of what lies beside the backups: every object of the WAL archives is hashed, deep is
 * decompressed as well, and what is missing is weighed.
 */
#include "operation/verify-private.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"

/* Names of WAL tell of no table: they may stand in a record as they are. */
static void take_findings(VerifyReport *report, EngineArchiveReport *found)
{
    report->objects = found->objects;
    report->inside = report->level > PROOF_OBJECTS ? found->objects : 0;
    report->bytes = found->bytes;
    for (guint i = 0; i < found->damage->len; i++) {
        const EngineDamage *one = found->damage->pdata[i];

        verify_report_damage(report, one->object, g_strdup(one->problem), g_strdup(one->problem));
    }
    for (guint i = 0; i < found->warnings->len; i++)
        g_ptr_array_add(report->warnings, g_strdup(found->warnings->pdata[i]));
}

static gboolean verify_archive(OperationContext *context, const Engine *engine, const char *name,
                               const VerifyFollow *follow, GCancellable *cancellable,
                               GError **error)
{
    g_autoptr(VerifyReport) report = verify_report_new(NULL);
    gint64 began = time_monotonic();
    EngineArchiveReport found;
    const EngineArchive request = {.repository = context->repository,
                                   .name = name,
                                   .level = follow->level,
                                   .jobs = verify_jobs(follow->jobs),
                                   .progress = follow->progress,
                                   .cancellable = cancellable};
    gboolean looked;

    report->level = follow->level;
    engine_archive_report_init(&found);
    looked = engine->check_archive(&request, &found, error);
    if (looked)
        take_findings(report, &found);
    engine_archive_report_clear(&found);
    if (!looked)
        return FALSE;
    report->archive = g_strdup_printf("wal/%s", name);
    report->source = g_strdup(name);
    report->engine = g_strdup(engine->name);
    report->elapsed = time_monotonic() - began;
    verify_report_finish(context, report, NULL);
    follow->func(report, follow->data);
    return TRUE;
}

gboolean operation_verify_archives(OperationContext *context, const VerifyFollow *follow,
                                   GCancellable *cancellable, GError **error)
{
    const Engine *engine;

    /* What no backup lists has no checksum in the clear. */
    if (!repository_has_key(context->repository) && follow->needed) {
        error_set(
            error, ERROR_CONFIG,
            "the repository is encrypted and no key was named: archived WAL cannot be checked");
        error_add_hint(error, "name the key with --key, or verify with --objects");
        return FALSE;
    }
    if (!repository_has_key(context->repository)) {
        log_write(LOG_WARNING, "the repository is encrypted and no key was named: archived WAL is "
                               "not checked, but for what backups list");
        return TRUE;
    }
    if (!repository_unlock(context->repository, error))
        return FALSE;
    for (guint i = 0; (engine = engine_at(i)) != NULL; i++) {
        g_autoptr(GPtrArray) names = NULL;

        if (engine->archives == NULL)
            continue;
        if (!engine->archives(context->repository, &names, error))
            return FALSE;
        for (guint j = 0; j < names->len; j++) {
            if (follow->source != NULL && strcmp(follow->source, names->pdata[j]) != 0)
                continue;
            if (!verify_archive(context, engine, names->pdata[j], follow, cancellable, error))
                return FALSE;
        }
    }
    return TRUE;
}
