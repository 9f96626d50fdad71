/* SPDX-License-Identifier: Apache-2.0
 *
 * The verify operation: every object is read once by a worker and hashed, then the engine looks
 * inside.
 */
#include "operation/verify-private.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "base/time.h"
#include "base/workers.h"
#include "codec/hash.h"
#include "operation/clear.h"
#include "operation/job.h"
#include "repo/backup-id.h"
#include "repo/deletion.h"

#define SHARED_PREFIX "../../"
#define SAMPLE_SCALE  1000000

struct VerifySeen {
    GMutex mutex;
    GHashTable *objects; /* char *: path in SHA256SUMS -> Whole */
};

/* What was read. */
typedef struct {
    guint8 digest[SHA256_SIZE];
    guint64 bytes;
    gboolean inside; /* an engine has looked into it */
} Whole;

VerifySeen *verify_seen_new(void)
{
    VerifySeen *seen = g_new0(VerifySeen, 1);

    g_mutex_init(&seen->mutex);
    seen->objects = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return seen;
}

void verify_seen_free(VerifySeen *seen)
{
    if (seen == NULL)
        return;
    g_hash_table_unref(seen->objects);
    g_mutex_clear(&seen->mutex);
    g_free(seen);
}

/* What the workers share. */
typedef struct {
    OperationContext *context;
    const VerifyRequest *request;
    Backup *backup;
    Checksums *base;      /* of the base: what it lists was not written by this backup; or NULL */
    guint64 seed;         /* of the sample */
    const Engine *engine; /* NULL: only objects */
    VerifyReport *report;
    EngineProof proof;
    GMutex mutex; /* over the report */
} Check;

/* --- what the engine tells -------------------------------------------------------------------- */

/* WAL was archived by the server, packs and slices of the base by earlier backups. */
static gboolean was_written(const Check *check, const char *path)
{
    return !g_str_has_prefix(path, SHARED_PREFIX "wal/") &&
           (check->base == NULL || !g_str_has_prefix(path, SHARED_PREFIX) ||
            checksums_find(check->base, path) == NULL);
}

/* The same objects throughout one run, others in the next. What a backup cannot be read without is
 * always among them. */
static gboolean is_chosen(const char *path, gpointer data)
{
    const Check *check = data;
    double sample = check->request->sample;

    if (check->request->written && !was_written(check, path))
        return FALSE;
    if (sample >= 1 || !(g_str_has_prefix(path, SHARED_PREFIX) || g_str_has_prefix(path, "data/")))
        return TRUE;
    return (double)(xxh3_buffer(path, strlen(path), check->seed).low % SAMPLE_SCALE) <
           sample * SAMPLE_SCALE;
}

/* The object is named where the problem is told: its name is not said again. Takes text. */
static char *leave_out_name(const Check *check, const char *path, char *text)
{
    g_autofree char *prefix =
        g_strdup_printf("backup %s is damaged: %s ", check->report->backup, path);
    char *rest;

    if (!g_str_has_prefix(text, prefix))
        return text;
    rest = g_strconcat("it ", text + strlen(prefix), NULL);
    g_free(text);
    return rest;
}

static void note_damage(const char *path, const GError *problem, gpointer data)
{
    Check *check = data;
    char *text = leave_out_name(check, path, error_text(problem));
    char *recorded = leave_out_name(check, path, clear_text(check->context->repository, problem));

    g_mutex_lock(&check->mutex);
    verify_report_damage(check->report, path, text, recorded);
    g_mutex_unlock(&check->mutex);
}

static void note_count(const char *what, guint64 number, gpointer data)
{
    Check *check = data;
    json_t *counts = check->report->counts;

    g_mutex_lock(&check->mutex);
    json_object_set_new(counts, what,
                        json_integer((json_int_t)(json_get_uint(counts, what, 0) + number)));
    g_mutex_unlock(&check->mutex);
}

static void note_warning(const char *text, gpointer data)
{
    Check *check = data;

    g_mutex_lock(&check->mutex);
    g_ptr_array_add(check->report->warnings, g_strdup(text));
    g_mutex_unlock(&check->mutex);
}

static void note_table(json_t *finding, gpointer data)
{
    Check *check = data;

    g_mutex_lock(&check->mutex);
    json_array_append_new(check->report->tables, finding);
    g_mutex_unlock(&check->mutex);
}

/* --- objects ---------------------------------------------------------------------------------- */

/* There, and as long as the manifest says where it does. */
static gboolean look_for(const Check *check, const char *path, GError **error)
{
    guint64 size, expected;

    if (!backup_stat_object(check->backup, path, &size, &expected, error))
        return FALSE;
    if (size == expected)
        return TRUE;
    error_set(error, ERROR_DAMAGED,
              "it has %" G_GUINT64_FORMAT " bytes instead of %" G_GUINT64_FORMAT, size, expected);
    return FALSE;
}

/* Whether this very object was found whole with another backup of this run. */
static gboolean was_seen(Check *check, const char *path, guint64 *ret_bytes)
{
    VerifySeen *seen = check->request->seen;
    const ChecksumEntry *entry = checksums_find(backup_checksums(check->backup), path);
    const ManifestObject *object = manifest_find_object(backup_manifest(check->backup), path);
    const Whole *whole;
    gboolean same;

    if (seen == NULL || entry == NULL)
        return FALSE;
    g_mutex_lock(&seen->mutex);
    whole = g_hash_table_lookup(seen->objects, path);
    same = whole != NULL && memcmp(whole->digest, entry->digest, SHA256_SIZE) == 0 &&
           (object == NULL || object->size == whole->bytes) &&
           (whole->inside || check->engine == NULL);
    if (same)
        *ret_bytes = whole->bytes;
    g_mutex_unlock(&seen->mutex);
    return same;
}

static void remember(Check *check, const char *path, guint64 bytes)
{
    VerifySeen *seen = check->request->seen;
    const ChecksumEntry *entry = checksums_find(backup_checksums(check->backup), path);
    Whole *whole;

    if (seen == NULL || entry == NULL || !g_str_has_prefix(path, SHARED_PREFIX "pool/"))
        return;
    whole = g_new0(Whole, 1);
    memcpy(whole->digest, entry->digest, SHA256_SIZE);
    whole->bytes = bytes;
    whole->inside = check->engine != NULL;
    g_mutex_lock(&seen->mutex);
    g_hash_table_replace(seen->objects, g_strdup(path), whole);
    g_mutex_unlock(&seen->mutex);
}

/* What an object came to. Damage is a finding, not a failure: the others are looked at all the
 * same. Takes the problem over. */
static gboolean end_object(Check *check, const BackupCheck *object, gboolean chosen,
                           GCancellable *cancellable, GError **error)
{
    g_autoptr(GError) problem = object->problem;
    gboolean good = problem == NULL, inside = FALSE;

    progress_add(check->request->progress, object->bytes, 0);
    if (good && chosen && check->engine != NULL)
        good = check->engine->check_object(&check->proof, object->path, &inside, cancellable,
                                           &problem);
    g_mutex_lock(&check->mutex);
    check->report->objects += chosen;
    check->report->present += !chosen;
    check->report->inside += good && inside;
    check->report->bytes += object->bytes;
    g_mutex_unlock(&check->mutex);
    if (good && chosen)
        remember(check, object->path, object->bytes);
    if (good)
        return TRUE;
    if (engine_is_damage(problem)) {
        note_damage(object->path, problem, check);
        return TRUE;
    }
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* A worker's task: two objects to be hashed in step, or one that only has to be there. */
typedef struct {
    const char *paths[2]; /* of SHA256SUMS; the second may be NULL */
    gboolean hashed;
} Task;

static gboolean check_task(gpointer data, gpointer shared, GCancellable *cancellable,
                           GError **error)
{
    const Task *task = data;
    Check *check = shared;
    BackupCheck objects[2] = {{.path = task->paths[0]}, {.path = task->paths[1]}};
    gboolean first, second;

    if (task->hashed)
        backup_check_pair(check->backup, objects, cancellable);
    else
        (void)look_for(check, objects[0].path, &objects[0].problem);
    first = end_object(check, &objects[0], task->hashed, cancellable, error);
    second = objects[1].path == NULL ||
             end_object(check, &objects[1], task->hashed, cancellable, first ? error : NULL);
    return first && second;
}

/* FALSE where the work has ended early. */
static gboolean push_task(Workers *workers, Task *task)
{
    gboolean going = task->paths[0] == NULL || workers_push(workers, g_memdup2(task, sizeof *task));

    *task = (Task){.hashed = task->hashed};
    return going;
}

/* Everything that SHA256SUMS lists: the commit says what the backup needs. */
static gboolean check_objects(Check *check, GError **error)
{
    const Checksums *checksums = backup_checksums(check->backup);
    g_autoptr(Workers) workers = workers_new(verify_jobs(check->request->jobs), 0, check_task,
                                             check, g_free, check->request->cancellable);
    Task pair = {.hashed = TRUE};
    gboolean going = TRUE;

    for (guint i = 0; going && i < checksums_count(checksums); i++) {
        const char *path = checksums_entry(checksums, i)->path;
        Task alone = {.paths = {path}};
        guint64 bytes;

        if (was_seen(check, path, &bytes)) {
            progress_add(check->request->progress, bytes, 0);
            note_count("read_before", 1, check);
        } else if (!is_chosen(path, check)) {
            going = push_task(workers, &alone);
        } else {
            pair.paths[pair.paths[0] != NULL] = path;
            going = pair.paths[1] == NULL || push_task(workers, &pair);
        }
    }
    if (going)
        (void)push_task(workers, &pair);
    return workers_wait(workers, error);
}

static gboolean check_inside(Check *check, GError **error)
{
    if (check->engine == NULL || check->engine->check_backup == NULL)
        return TRUE;
    progress_begin(check->request->progress,
                   check->report->level == PROOF_DEEP ? "decoding" : "checking the structure", 0,
                   0);
    return check->engine->check_backup(&check->proof, error);
}

/* --- the backup ------------------------------------------------------------------------------- */

Lease *operation_verify_hold(OperationContext *context, const char *id)
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

/* What cannot be looked into lowers the level that the report tells, or fails where that level was
 * asked for by name. */
static gboolean find_engine(Check *check, GError **error)
{
    const VerifyRequest *request = check->request;
    g_autoptr(GError) problem = NULL;

    check->report->level = PROOF_OBJECTS;
    if (request->level == PROOF_OBJECTS)
        return TRUE;
    if (!repository_has_key(check->context->repository)) {
        error_set(&problem, ERROR_CONFIG,
                  "the repository is encrypted and no key was named: "
                  "what is inside objects cannot be checked");
        error_add_hint(&problem, "name the key with --key, or verify with --objects");
    } else {
        check->engine = engine_find(manifest_engine(backup_manifest(check->backup)), &problem);
    }
    if (check->engine != NULL) {
        check->report->level = request->level;
    } else if (request->needed) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    } else {
        g_autofree char *text = error_text(problem);

        note_warning(text, check);
    }
    return TRUE;
}

static void find_base(Check *check)
{
    const char *base = manifest_base(backup_manifest(check->backup));

    if (check->request->written && base != NULL)
        check->base = backup_read_checksums(check->context->repository, base, NULL);
}

static void prepare(Check *check)
{
    const Manifest *manifest = backup_manifest(check->backup);
    VerifyReport *report = check->report;

    report->source = g_strdup(manifest_source(manifest));
    report->engine = g_strdup(manifest_engine(manifest));
    report->server_version = g_strdup(manifest_server_version(manifest));
    report->written = check->request->written;
    report->sample = check->request->sample;
    random_fill(&check->seed, sizeof check->seed);
    check->proof = (EngineProof){.backup = check->backup,
                                 .level = report->level,
                                 .jobs = verify_jobs(check->request->jobs),
                                 .chosen = is_chosen,
                                 .damage = note_damage,
                                 .count = note_count,
                                 .warn = note_warning,
                                 .table = note_table,
                                 .data = check,
                                 .progress = check->request->progress,
                                 .cancellable = check->request->cancellable};
    find_base(check);
}

static gboolean look(Check *check, GError **error)
{
    gboolean looked;

    if (!find_engine(check, error))
        return FALSE;
    prepare(check);
    progress_begin(check->request->progress, "verifying",
                   manifest_stored_size(backup_manifest(check->backup)), 0);
    looked = check_objects(check, error) && check_inside(check, error);
    progress_end(check->request->progress);
    return looked;
}

/* What is missing of a backup that was deleted meanwhile is no damage. */
static gboolean check_there(OperationContext *context, const char *id, GError **error)
{
    gboolean committed;

    if (!backup_is_committed(context->repository, id, &committed, error))
        return FALSE;
    if (committed)
        return TRUE;
    error_set(error, ERROR_VANISHED, "backup %s was deleted while it was verified", id);
    return FALSE;
}

/* Whether the manifest is what the commit says. */
static gboolean is_manifest_whole(Repository *repository, const char *id,
                                  const Checksums *checksums)
{
    g_autofree char *name = g_strdup_printf("backups/%s/" MANIFEST_NAME, id);
    g_autoptr(GBytes) bytes =
        store_get(repository_store(repository), name, MANIFEST_SIZE_LIMIT, NULL);
    const ChecksumEntry *entry = checksums_find(checksums, MANIFEST_NAME);
    guint8 digest[SHA256_SIZE];

    if (bytes == NULL || entry == NULL)
        return FALSE;
    sha256_buffer(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), digest);
    return memcmp(digest, entry->digest, SHA256_SIZE) == 0;
}

/* The commit or the manifest is damaged: that is the finding. Where the two do not agree on an
 * object, and the manifest is whole, it is the commit. */
static void tell_unreadable(Check *check, const char *id, const GError *problem)
{
    Repository *repository = check->context->repository;
    g_autoptr(Checksums) checksums = backup_read_checksums(repository, id, NULL);

    check->report->objects = 1;
    note_damage(checksums != NULL && !is_manifest_whole(repository, id, checksums) ? MANIFEST_NAME
                                                                                   : CHECKSUMS_NAME,
                problem, check);
}

static gboolean verify_backup(OperationContext *context, const VerifyRequest *request,
                              const char *id, VerifyReport **ret_report, GError **error)
{
    g_autoptr(Lease) lease = request->held ? NULL : operation_verify_hold(context, id);
    g_autoptr(GError) problem = NULL;
    g_autoptr(Backup) backup = backup_open(context->repository, id, &problem);
    g_autoptr(VerifyReport) report = verify_report_new(id);
    const char *const uses[] = {id, NULL};
    gint64 began = time_monotonic();
    Check check = {.context = context, .request = request, .backup = backup, .report = report};
    gboolean looked = TRUE;

    if (!deletion_wait(context->repository, uses, error))
        return FALSE;
    if (backup == NULL && !engine_is_damage(problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (backup == NULL && !check_there(context, id, error))
        return FALSE;
    g_mutex_init(&check.mutex);
    if (backup == NULL)
        tell_unreadable(&check, id, problem);
    else
        looked = look(&check, error);
    g_mutex_clear(&check.mutex);
    checksums_free(check.base);
    if (!looked || (report->damage->len > 0 && !check_there(context, id, error)))
        return FALSE;
    report->elapsed = time_monotonic() - began;
    verify_report_finish(context, report, backup);
    *ret_report = g_steal_pointer(&report);
    return TRUE;
}

gboolean operation_verify(OperationContext *context, const VerifyRequest *request,
                          VerifyReport **ret_report, GError **error)
{
    g_autofree char *id = operation_resolve_backup(context, request->backup_id, error);
    g_autofree char *job_id = NULL;
    g_autoptr(GError) problem = NULL;
    VerifyReport *report = NULL;
    gboolean done;
    Job *job;

    /* Objects are checked without a key; one that was named must be right. */
    if (id == NULL ||
        (repository_has_key(context->repository) && !repository_unlock(context->repository, error)))
        return FALSE;
    job_id = backup_id_make(time_now(), "verify", "full");
    job = job_begin(context, job_id, "verify", NULL);
    done = verify_backup(context, request, id, &report, &problem);
    job_end(job, problem, NULL);
    if (!done) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    *ret_report = report;
    return TRUE;
}
