/* SPDX-License-Identifier: Apache-2.0
 *
 * The verify operation: every object is read once by a worker and hashed, then the engine looks
 * inside.
 */
#include "operation/verify.h"

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "base/workers.h"
#include "engine/engine.h"
#include "operation/clear.h"
#include "operation/job.h"
#include "repo/backup-id.h"
#include "repo/lease.h"
#include "repo/record.h"

/* What the workers share. */
typedef struct {
    Backup *backup;
    const Engine *engine; /* NULL: only objects */
    VerifyReport *report;
    Progress *progress;
    GMutex mutex; /* over the report */
} Check;

static void damage_free(VerifyDamage *damage)
{
    g_free(damage->object);
    g_free(damage->problem);
    g_free(damage->recorded);
    g_free(damage);
}

void verify_report_free(VerifyReport *report)
{
    if (report == NULL)
        return;
    g_free(report->backup);
    g_free(report->archive);
    g_ptr_array_unref(report->damage);
    g_ptr_array_unref(report->warnings);
    g_free(report);
}

static VerifyReport *report_new(const char *id)
{
    VerifyReport *report = g_new0(VerifyReport, 1);

    report->backup = g_strdup(id);
    report->damage = g_ptr_array_new_with_free_func((GDestroyNotify)damage_free);
    report->warnings = g_ptr_array_new_with_free_func(g_free);
    return report;
}

static void add_damage(VerifyReport *report, const Repository *repository, const char *object,
                       const GError *problem)
{
    VerifyDamage *damage = g_new0(VerifyDamage, 1);

    damage->object = g_strdup(object);
    damage->problem = error_text(problem);
    damage->recorded = clear_text(repository, problem);
    g_ptr_array_add(report->damage, damage);
}

/* Failures that say something about the object rather than about our looking at it. A disk that
 * cannot read a sector back (io) has lost the object. */
static gboolean is_damage(const GError *problem)
{
    return error_is(problem, ERROR_DAMAGED) || error_is(problem, ERROR_FORMAT) ||
           error_is(problem, ERROR_NOT_FOUND) || error_is(problem, ERROR_IO);
}

/* One object. Damage is a finding, not a failure: the others are looked at all the same. */
static gboolean check_object(gpointer task, gpointer data, GCancellable *cancellable,
                             GError **error)
{
    const char *path = task;
    Check *check = data;
    g_autoptr(GError) problem = NULL;
    guint64 bytes = 0;
    gboolean good = backup_check_object(check->backup, path, &bytes, cancellable, &problem);

    progress_add(check->progress, bytes, 0);
    if (good && check->engine != NULL)
        good = check->engine->check_object(check->backup, path, cancellable, &problem);
    g_mutex_lock(&check->mutex);
    check->report->objects++;
    check->report->bytes += bytes;
    if (!good && is_damage(problem))
        add_damage(check->report, backup_repository(check->backup), path, problem);
    g_mutex_unlock(&check->mutex);
    if (good || is_damage(problem))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

static int compare_damage(gconstpointer a, gconstpointer b)
{
    const VerifyDamage *const *first = a;
    const VerifyDamage *const *second = b;

    return g_strcmp0((*first)->object, (*second)->object);
}

/* Everything that SHA256SUMS lists: the commit says what the backup needs. */
static gboolean check_objects(Check *check, guint jobs, GCancellable *cancellable, GError **error)
{
    const Checksums *checksums = backup_checksums(check->backup);
    g_autoptr(Workers) workers =
        workers_new(MAX(jobs, 1), 0, check_object, check, NULL, cancellable);

    for (guint i = 0; i < checksums_count(checksums); i++) {
        if (!workers_push(workers, checksums_entry(checksums, i)->path))
            break;
    }
    return workers_wait(workers, error);
}

static void file_record(OperationContext *context, const VerifyReport *report)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(json_t) body = json_object();
    json_t *problems = json_array();

    for (guint i = 0; i < report->damage->len; i++) {
        const VerifyDamage *damage = g_ptr_array_index(report->damage, i);
        g_autofree char *line = g_strdup_printf("%s: %s", damage->object, damage->recorded);

        json_array_append_new(problems, json_text(line));
    }
    if (report->backup != NULL)
        json_object_set_new(body, "backup", json_text(report->backup));
    else
        json_object_set_new(body, "archive", json_text(report->archive));
    json_object_set_new(body, "result", json_string(report->damage->len > 0 ? "damaged" : "good"));
    json_object_set_new(body, "level", json_string(report->structure ? "structure" : "objects"));
    json_object_set_new(body, "objects", json_integer((json_int_t)report->objects));
    json_object_set_new(body, "bytes", json_integer((json_int_t)report->bytes));
    json_object_set_new(body, "seconds", json_real((double)report->elapsed / (double)TIME_SECOND));
    json_object_set_new(body, "problems", problems);
    if (!record_write(context->repository, "verify", body, NULL, &problem) ||
        !catalog_refresh(context->catalog, &problem)) {
        g_autofree char *text = error_text(problem);

        log_write(LOG_WARNING, "the result of verify is not on record: %s", text);
    }
}

/* A backup whose commit or manifest is damaged: that is the finding. */
static VerifyReport *report_unreadable(const Repository *repository, const char *id,
                                       const GError *problem)
{
    VerifyReport *report = report_new(id);

    report->objects = 1;
    add_damage(report, repository, "manifest.json", problem);
    return report;
}

static Lease *take_lease(OperationContext *context, const char *id)
{
    const char *const uses[] = {id, NULL};
    const LeaseRequest request = {.operation = "verify",
                                  .uses = uses,
                                  .runtime_directory = config_runtime_directory(context->config)};
    g_autoptr(GError) problem = NULL;
    Lease *lease = lease_acquire(context->repository, &request, &problem);

    if (lease == NULL) {
        g_autofree char *text = error_text(problem);

        log_write(LOG_WARNING, "verify goes on without a lease: %s", text);
    }
    return lease;
}

static const Engine *find_engine(const Backup *backup)
{
    g_autoptr(GError) problem = NULL;
    const Engine *engine = engine_find(manifest_engine(backup_manifest(backup)), &problem);

    if (!repository_has_key(backup_repository(backup))) {
        log_write(LOG_WARNING, "the repository is encrypted and no key was named: objects are "
                               "checked, not what is inside them");
        return NULL;
    }
    if (engine == NULL) {
        g_autofree char *text = error_text(problem);

        log_write(LOG_WARNING, "%s: its objects are checked, not what is inside them", text);
    }
    return engine;
}

static gboolean verify_backup(OperationContext *context, const char *id, guint jobs,
                              Progress *progress, GCancellable *cancellable,
                              VerifyReport **ret_report, GError **error)
{
    g_autoptr(Lease) lease = take_lease(context, id);
    g_autoptr(GError) problem = NULL;
    g_autoptr(Backup) backup = backup_open(context->repository, id, &problem);
    g_autoptr(VerifyReport) report = NULL;
    gint64 began = time_monotonic();
    gboolean looked;
    Check check = {.progress = progress};

    if (backup == NULL && !is_damage(problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (backup == NULL) {
        *ret_report = report_unreadable(context->repository, id, problem);
        return TRUE;
    }
    report = report_new(id);
    check.backup = backup;
    check.engine = find_engine(backup);
    check.report = report;
    g_mutex_init(&check.mutex);
    progress_begin(progress, "verifying", manifest_stored_size(backup_manifest(backup)), 0);
    looked = check_objects(&check, jobs, cancellable, error);
    progress_end(progress);
    g_mutex_clear(&check.mutex);
    if (!looked)
        return FALSE;
    g_ptr_array_sort(report->damage, compare_damage);
    report->structure = check.engine != NULL;
    report->elapsed = time_monotonic() - began;
    *ret_report = g_steal_pointer(&report);
    return TRUE;
}

gboolean operation_verify(OperationContext *context, const char *backup_id, guint jobs,
                          Progress *progress, GCancellable *cancellable, VerifyReport **ret_report,
                          GError **error)
{
    g_autofree char *id = operation_resolve_backup(context, backup_id, error);
    g_autofree char *job_id = NULL;
    g_autoptr(GError) problem = NULL;
    VerifyReport *report = NULL;
    Job *job;

    /* Objects are checked without a key; one that was named must be right. */
    if (id == NULL ||
        (repository_has_key(context->repository) && !repository_unlock(context->repository, error)))
        return FALSE;
    job_id = backup_id_make(time_now(), "verify", "full");
    job = job_begin(context, job_id, "verify", NULL);
    if (verify_backup(context, id, jobs, progress, cancellable, &report, &problem))
        file_record(context, report);
    job_end(job, problem, NULL);
    if (report == NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    *ret_report = report;
    return TRUE;
}

/* --- what lies beside the backups ------------------------------------------------------------- */

/* Names of WAL tell of no table: they may stand in a record as they are. */
static void take_findings(VerifyReport *report, EngineArchiveReport *found)
{
    report->objects = found->objects;
    report->bytes = found->bytes;
    for (guint i = 0; i < found->damage->len; i++) {
        const EngineDamage *one = found->damage->pdata[i];
        VerifyDamage *damage = g_new0(VerifyDamage, 1);

        damage->object = g_strdup(one->object);
        damage->problem = g_strdup(one->problem);
        damage->recorded = g_strdup(one->problem);
        g_ptr_array_add(report->damage, damage);
    }
    g_ptr_array_sort(report->damage, compare_damage);
    for (guint i = 0; i < found->warnings->len; i++)
        g_ptr_array_add(report->warnings, g_strdup(found->warnings->pdata[i]));
}

static gboolean verify_archive(OperationContext *context, const Engine *engine, const char *name,
                               const VerifyFollow *follow, GCancellable *cancellable,
                               GError **error)
{
    g_autoptr(VerifyReport) report = report_new(NULL);
    gint64 began = time_monotonic();
    EngineArchiveReport found;
    const EngineArchive request = {.repository = context->repository,
                                   .name = name,
                                   .jobs = follow->jobs,
                                   .progress = follow->progress,
                                   .cancellable = cancellable};
    gboolean looked;

    engine_archive_report_init(&found);
    looked = engine->check_archive(&request, &found, error);
    if (looked)
        take_findings(report, &found);
    engine_archive_report_clear(&found);
    if (!looked)
        return FALSE;
    report->archive = g_strdup_printf("wal/%s", name);
    report->structure = TRUE;
    report->elapsed = time_monotonic() - began;
    file_record(context, report);
    follow->func(report, follow->data);
    return TRUE;
}

gboolean operation_verify_archives(OperationContext *context, const VerifyFollow *follow,
                                   GCancellable *cancellable, GError **error)
{
    const Engine *engine;

    /* What no backup lists has no checksum in the clear. */
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
            if (!verify_archive(context, engine, names->pdata[j], follow, cancellable, error))
                return FALSE;
        }
    }
    return TRUE;
}
