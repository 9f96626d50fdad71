/* SPDX-License-Identifier: Apache-2.0
 *
 * The backup operation. The engine knows the database, repo/ knows how a backup becomes durable;
 * this brings them together in the right order.
 */
#include "operation/backup.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "engine/engine.h"
#include "operation/job.h"
#include "operation/verify.h"
#include "repo/backup-id.h"
#include "repo/deletion.h"
#include "repo/sweep.h"
#include "repo/unfinished.h"
#include "repo/writer.h"

/* Beyond this much difference between our clock and the store's, or backwards, times in the
 * manifest are doubtful. */
#define CLOCK_TOLERANCE TIME_MINUTE

/* A request with everything that it leaves open decided. */
typedef struct {
    const Engine *engine;
    const ConfigSource *source;
    const char *method;
    CompressSpec compression;
    guint jobs;
    const char *access;
    guint64 rate;
    gboolean partial;
    BackupType type;
    Backup *base;           /* of an incremental */
    Unfinished *unfinished; /* an interrupted run that is taken over, or NULL */
    char *no_base_reason;   /* why a full is made where an incremental was asked for, or NULL */
} Settled;

static void settled_clear(Settled *settled)
{
    g_clear_pointer(&settled->base, backup_unref);
    unfinished_free(settled->unfinished);
    g_free(settled->no_base_reason);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Settled, settled_clear)

static gboolean takes_all_times(const BackupRequest *request)
{
    return request->time_from == request->time_to ||
           (request->time_from == G_MININT64 && request->time_to == G_MAXINT64);
}

/* TRUE when the request chooses less than the source's configuration names. Without a list there,
 * any choice may be less. */
static gboolean is_partial(const BackupRequest *request, const ConfigSource *source)
{
    if (request->tables != NULL || !takes_all_times(request))
        return TRUE;
    if (request->databases == NULL)
        return FALSE;
    if (source->databases == NULL)
        return TRUE;
    for (guint i = 0; source->databases[i] != NULL; i++) {
        if (!g_strv_contains(request->databases, source->databases[i]))
            return TRUE;
    }
    return FALSE;
}

static gboolean settle(OperationContext *context, const BackupRequest *request, Settled *ret,
                       GError **error)
{
    const char *compression = request->compression;

    ret->source =
        config_find_source(context->config, request->source, request->engine, NULL, error);
    if (ret->source == NULL)
        return FALSE;
    ret->engine = engine_find(ret->source->engine, error);
    if (ret->engine == NULL)
        return FALSE;
    if (compression == NULL)
        compression = config_get(context->config, "repository", "compression");
    ret->compression = repository_compression(context->repository);
    if (compression != NULL && !compress_spec_parse(compression, &ret->compression, error))
        return FALSE;
    ret->method = request->method != NULL ? request->method : ret->source->method;
    ret->jobs = request->jobs > 0 ? request->jobs : ret->source->jobs;
    ret->access = request->access != NULL ? request->access : ret->source->access;
    ret->rate = request->rate > 0 ? request->rate : ret->source->rate;
    ret->partial = is_partial(request, ret->source);
    ret->type = request->type;
    return TRUE;
}

/* --- the base of an incremental --------------------------------------------------------------- */

/* Opens the newest backup that may be a base; *ret_base is NULL where there is none. One that
 * cannot be opened is passed over. */
static gboolean open_newest(OperationContext *context, const Settled *settled, Backup **ret_base,
                            GError **error)
{
    const CatalogFilter filter = {.source = settled->source->name, .status = "good"};
    g_autoptr(GPtrArray) backups = NULL;

    *ret_base = NULL;
    if (!catalog_refresh(context->catalog, error) ||
        !catalog_backups(context->catalog, &filter, &backups, error))
        return FALSE;
    for (guint i = 0; i < backups->len; i++) {
        const CatalogBackup *entry = g_ptr_array_index(backups, i);
        g_autoptr(GError) problem = NULL;

        if (entry->partial || g_strcmp0(entry->method, settled->method) != 0)
            continue;
        *ret_base = backup_open(context->repository, entry->id, &problem);
        if (*ret_base != NULL)
            return TRUE;
        log_write(LOG_WARNING, "backup %s cannot be a base: %s", entry->id, problem->message);
    }
    return TRUE;
}

/* The backup that was named as the base. */
static gboolean open_since(OperationContext *context, const char *since, Settled *settled,
                           GError **error)
{
    g_autoptr(Backup) base = backup_open(context->repository, since, error);
    const Manifest *manifest;

    if (base == NULL)
        return FALSE;
    manifest = backup_manifest(base);
    if (strcmp(manifest_source(manifest), settled->source->name) != 0 ||
        strcmp(manifest_engine(manifest), settled->source->engine) != 0) {
        error_set(error, ERROR_REFUSED, "backup %s is of source %s, not of %s", backup_id(base),
                  manifest_source(manifest), settled->source->name);
        return FALSE;
    }
    if (manifest_partial(manifest)) {
        error_set(error, ERROR_REFUSED, "backup %s is a partial one and cannot be a base",
                  backup_id(base));
        return FALSE;
    }
    settled->base = g_steal_pointer(&base);
    return TRUE;
}

/* Decides what kind of backup it will be, before its id says so. */
static gboolean settle_base(OperationContext *context, const BackupRequest *request,
                            Settled *settled, GCancellable *cancellable, GError **error)
{
    g_autofree char *reason = NULL;

    if (settled->type != BACKUP_INCREMENTAL)
        return TRUE;
    if (settled->engine->base_fits == NULL || g_strcmp0(settled->method, "logical") == 0) {
        error_set(error, ERROR_UNSUPPORTED, "there are no incremental backups of %s%s",
                  settled->method != NULL ? "method " : settled->engine->name,
                  settled->method != NULL ? settled->method : "");
        error_add_hint(error, "make a full");
        return FALSE;
    }
    if (request->since != NULL ? !open_since(context, request->since, settled, error)
                               : !open_newest(context, settled, &settled->base, error))
        return FALSE;
    if (settled->base == NULL)
        reason = g_strdup("there is no good earlier backup");
    else if (!settled->engine->base_fits(settled->source, settled->base, &reason, cancellable,
                                         error))
        return FALSE;
    if (reason == NULL)
        return TRUE;
    settled->no_base_reason = settled->base == NULL
                                  ? g_strdup_printf("a full, since %s", reason)
                                  : g_strdup_printf("a full, since %s cannot be the base: %s",
                                                    backup_id(settled->base), reason);
    g_clear_pointer(&settled->base, backup_unref);
    settled->type = BACKUP_FULL;
    return TRUE;
}

/* The base was chosen before there was a lease that protects it: from here on there is one, if the
 * base still is. */
static gboolean hold_base(OperationContext *context, const Settled *settled, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(Backup) again = NULL;
    const char *uses[2] = {NULL};

    if (settled->base == NULL)
        return TRUE;
    uses[0] = backup_id(settled->base);
    if (deletion_wait(context->repository, uses, &problem))
        again = backup_open(context->repository, uses[0], &problem);
    if (again != NULL)
        return TRUE;
    error_set(error, ERROR_VANISHED, "the base %s went away: %s", backup_id(settled->base),
              problem->message);
    error_add_hint(error, "run the backup again");
    return FALSE;
}

/* --- the backup ------------------------------------------------------------------------------- */

/* Remains of interrupted runs go before new bytes come: a full disk often has them. */
static void sweep_first(OperationContext *context)
{
    g_autoptr(GError) problem = NULL;
    SweepResult result = {0};

    if (!sweep_remains(context->repository, operation_grace(context), FALSE, &result, &problem)) {
        g_autofree char *text = error_text(problem);

        log_write(LOG_WARNING, "remains of interrupted runs were not swept: %s", text);
    } else if (result.backups > 0 || result.objects > 0) {
        log_write(LOG_INFO,
                  "swept %" G_GUINT64_FORMAT " interrupted backups, %" G_GUINT64_FORMAT " objects",
                  result.backups, result.objects);
    }
}

/* What an interrupted run of this kind has left, before a sweep takes its folder. Its packs are safe
 * from the lease on, which goes back to its start. */
static gboolean find_unfinished(OperationContext *context, Settled *settled, GError **error)
{
    if (!unfinished_find(context->repository, settled->source->name,
                         backup_type_name(settled->type), &settled->unfinished, error))
        return FALSE;
    if (settled->unfinished != NULL)
        log_write(LOG_INFO, "going on from the interrupted backup %s", settled->unfinished->id);
    return TRUE;
}

static void warn_of_clock(OperationContext *context, Manifest *manifest, gint64 start, gint64 stop,
                          gint64 took)
{
    gint64 store_now;

    if (stop - start < took - CLOCK_TOLERANCE || stop - start > took + CLOCK_TOLERANCE)
        manifest_add_warning(manifest, "the clock of this host was changed during the backup; "
                                       "its times are doubtful");
    if (store_time(repository_store(context->repository), &store_now, NULL) &&
        ABS(store_now - time_now()) > CLOCK_TOLERANCE)
        manifest_add_warning(manifest, "the clocks of this host and of the repository differ by "
                                       "more than a minute");
}

/* Warnings that the past gives: a start before the newest backup's means a clock that went back. */
static void warn_of_order(OperationContext *context, Manifest *manifest, gint64 start)
{
    g_autoptr(GPtrArray) backups = NULL;
    const CatalogBackup *newest;

    if (!catalog_backups(context->catalog, NULL, &backups, NULL) || backups->len == 0)
        return;
    newest = g_ptr_array_index(backups, 0);
    if (newest->start > start + CLOCK_TOLERANCE)
        manifest_add_warning(manifest, "the clock is before the newest backup's start; the order "
                                       "of backups is doubtful");
}

/* Under the lease: lets the engine write, then commits. */
static gboolean write_backup(OperationContext *context, const BackupRequest *request,
                             const Settled *settled, Lease *lease, Manifest *manifest,
                             Progress *progress, GCancellable *cancellable, GError **error)
{
    g_autoptr(BackupWriter) writer = NULL;
    gint64 start = time_now();
    gint64 began = time_monotonic();
    gint64 stop;
    EngineBackup work = {
        .source = settled->source,
        .type = settled->type,
        .method = settled->method,
        .databases = request->databases,
        .tables = request->tables,
        .time_from = takes_all_times(request) ? G_MININT64 : request->time_from,
        .time_to = takes_all_times(request) ? G_MAXINT64 : request->time_to,
        .base = settled->base,
        .access = settled->access,
        .checksum = request->checksum,
        .mode = request->mode != NULL ? request->mode : settled->source->mode,
        .rate = settled->rate,
        .nice = request->nice,
        .jobs = settled->jobs,
        .compression = settled->compression,
        .unfinished = settled->unfinished,
        .manifest = manifest,
        .scratch_directory = operation_scratch_directory(context),
        .progress = progress,
        .cancellable = cancellable,
    };

    writer = backup_writer_new(context->repository, lease, manifest_id(manifest), error);
    if (writer == NULL)
        return FALSE;
    work.writer = writer;
    warn_of_order(context, manifest, start);
    if (!settled->engine->backup(&work, error))
        return FALSE;
    stop = time_now();
    warn_of_clock(context, manifest, start, stop, time_monotonic() - began);
    manifest_set_times(manifest, start, MAX(start, stop));
    if (!error_unless_cancelled(cancellable, error) || !lease_check(lease, error))
        return FALSE;
    return backup_writer_commit(writer, manifest, error);
}

static Manifest *begin_manifest(const Settled *settled, const char *id)
{
    Manifest *manifest =
        manifest_new(id, settled->source->name, settled->source->engine, settled->type);

    manifest_set_method(manifest, settled->method);
    manifest_set_partial(manifest, settled->partial);
    if (settled->base != NULL)
        manifest_set_base(manifest, backup_id(settled->base));
    if (settled->no_base_reason != NULL)
        manifest_add_warning(manifest, settled->no_base_reason);
    return manifest;
}

static json_t *job_result(const Manifest *manifest)
{
    return json_pack("{s:s, s:I, s:I}", "backup", manifest_id(manifest), "stored_size",
                     (json_int_t)manifest_stored_size(manifest), "rows",
                     (json_int_t)manifest_rows(manifest));
}

/* The job's operation, in the words of the command. Free with g_free(). */
static char *operation_words(const Settled *settled)
{
    return g_strdup_printf("backup %s %s", settled->source->engine,
                           backup_type_name(settled->type));
}

/* A failure before there is a backup to speak of: the list of jobs has it all the same. */
static void note_failure(OperationContext *context, const Settled *settled, const GError *problem)
{
    g_autofree char *id =
        backup_id_make(time_now(), settled->source->name, backup_type_name(settled->type));
    g_autofree char *words = operation_words(settled);

    job_end(job_begin(context, id, words, settled->source->name), problem, NULL);
}

static Lease *acquire_lease(OperationContext *context, const Settled *settled, const char *id,
                            GError **error)
{
    const char *type = backup_type_name(settled->type);
    g_autofree char *exclusive = g_strdup_printf("backup/%s/%s", settled->source->name, type);
    const char *uses[] = {settled->base != NULL ? backup_id(settled->base) : NULL, NULL};
    const LeaseRequest wanted = {
        .operation = "backup",
        .source = settled->source->name,
        .type = type,
        .exclusive = exclusive,
        .backup = id,
        .uses = uses,
        .since = settled->unfinished != NULL ? settled->unfinished->since : 0,
        .runtime_directory = config_runtime_directory(context->config),
    };

    return lease_acquire(context->repository, &wanted, error);
}

gboolean operation_backup(OperationContext *context, const BackupRequest *request,
                          Progress *progress, GCancellable *cancellable, Manifest **ret_manifest,
                          Lease **ret_hold, GError **error)
{
    g_auto(Settled) settled = {0};
    g_autoptr(Lease) lease = NULL;
    g_autoptr(Manifest) manifest = NULL;
    g_autoptr(GError) problem = NULL;
    g_autoptr(json_t) result = NULL;
    g_autofree char *id = NULL;
    g_autofree char *words = NULL;
    gboolean done;
    Job *job;

    /* A wrong key is known before anything is written. */
    if (!settle(context, request, &settled, error) ||
        !repository_unlock(context->repository, error))
        return FALSE;
    if (!settle_base(context, request, &settled, cancellable, &problem) ||
        !find_unfinished(context, &settled, &problem)) {
        note_failure(context, &settled, problem);
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    id = backup_id_make(time_now(), settled.source->name, backup_type_name(settled.type));
    lease = acquire_lease(context, &settled, id, error);
    if (lease == NULL)
        return FALSE;
    sweep_first(context);
    manifest = begin_manifest(&settled, id);
    words = operation_words(&settled);
    job = job_begin(context, id, words, settled.source->name);
    done =
        hold_base(context, &settled, &problem) &&
        write_backup(context, request, &settled, lease, manifest, progress, cancellable, &problem);
    progress_end(progress);
    result = done ? job_result(manifest) : NULL;
    job_end(job, problem, result);
    if (!done) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    /* The backup exists; a catalog that does not know it yet will at its next refresh. */
    if (!catalog_refresh(context->catalog, &problem))
        log_write(LOG_WARNING, "the backup is not in the catalog yet: %s", problem->message);
    /* Before the backup's own lease goes: a cleanup is quick. */
    *ret_hold = operation_verify_hold(context, id);
    *ret_manifest = g_steal_pointer(&manifest);
    return TRUE;
}
