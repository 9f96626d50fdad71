/* SPDX-License-Identifier: Apache-2.0
 *
 * The copy operation: every object is proven on its way, the commit comes when all have arrived.
 */
#include "operation/copy.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "base/workers.h"
#include "engine/engine.h"
#include "operation/copy-private.h"
#include "operation/job.h"
#include "pool/reseal.h"
#include "repo/backup-id.h"
#include "repo/backup.h"
#include "repo/deletion.h"
#include "repo/writer.h"

#define SHARED        "../../"
#define POOL          SHARED "pool/"
#define WAL           SHARED "wal/"
#define SYSTEM_LIMIT  65536
#define ALL_OF_POOL   1 /* microseconds since 1970: before anything was written */
#define SYSTEM_FOLDER 3 /* parts of wal/<source>/<system identifier> */

/* A backup on its way. */
typedef struct {
    Copying *copying;
    Backup *backup;
    CopyItem *item;
    CopyDetails details; /* where `anew` */
    gboolean anew;       /* pool objects get other names */
    BackupWriter *writer;
} BackupCopy;

const char *copy_state_name(CopyState state)
{
    static const char *const names[] = {"copied", "present", "damaged"};

    return names[state];
}

/* --- what is told ----------------------------------------------------------------------------- */

CopyItem *copy_item_new(const char *backup)
{
    CopyItem *item = g_new0(CopyItem, 1);

    item->backup = g_strdup(backup);
    item->damage = g_ptr_array_new_with_free_func(g_free);
    return item;
}

void copy_item_free(CopyItem *item)
{
    if (item == NULL)
        return;
    g_free(item->backup);
    g_free(item->archive);
    g_ptr_array_unref(item->damage);
    g_free(item);
}

void copy_item_add_damage(Copying *copying, CopyItem *item, const char *object,
                          const GError *problem)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&copying->mutex);
    g_autofree char *text = error_text(problem);

    g_ptr_array_add(item->damage, g_strdup_printf("%s: %s", object, text));
}

void copy_item_count(Copying *copying, CopyItem *item, const TransferResult *result)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&copying->mutex);

    progress_add(copying->progress, result->size, 0);
    if (result->present) {
        item->present++;
        return;
    }
    item->objects++;
    item->bytes += result->size;
}

static int compare_texts(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void copy_item_tell(const Copying *copying, CopyItem *item)
{
    g_ptr_array_sort(item->damage, compare_texts);
    if (item->damage->len > 0)
        item->state = COPY_DAMAGED;
    copying->request->func(item, copying->request->data);
}

gboolean copy_is_damage(gboolean of_source, const GError *problem)
{
    return of_source ? engine_is_damage(problem) : error_is(problem, ERROR_EXISTS);
}

/* --- objects ---------------------------------------------------------------------------------- */

gboolean copy_clear_object(Copying *copying, const char *name, GError **error)
{
    Store *target = repository_store(copying->request->target);
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) bytes = NULL;
    StoreInfo info;
    gsize length;
    const char *text;

    if (store_stat(target, name, &info, &problem))
        return TRUE;
    if (!error_is(problem, ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    bytes = store_get(repository_store(copying->context->repository), name, SYSTEM_LIMIT, error);
    if (bytes == NULL)
        return FALSE;
    text = g_bytes_get_data(bytes, &length);
    return document_put(target, name, text != NULL ? text : "", length, NULL, error);
}

static void describe_object(const BackupCopy *copy, const char *path, const char *name,
                            TransferRequest *request)
{
    request->source = copy->copying->context->repository;
    request->target = copy->copying->request->target;
    request->name = name;
    request->digest = checksums_find(backup_checksums(copy->backup), path)->digest;
    request->role = g_str_has_prefix(path, WAL) ? SEAL_WAL : SEAL_BACKUP;
    /* The folder is ours until the commit. */
    request->replace = request->role == SEAL_BACKUP;
}

/* The object is in the target: it becomes a part of the backup there. */
static gboolean enter(const BackupCopy *copy, const char *path, SealRole role,
                      const TransferResult *result, GError **error)
{
    const ManifestObject *object;

    if (role != SEAL_BACKUP)
        return backup_writer_add_external(copy->writer, path, result->digest, result->size, error);
    object = manifest_find_object(backup_manifest(copy->backup), path);
    if (object == NULL) {
        error_set(error, ERROR_DAMAGED, "the manifest of backup %s does not list %s",
                  backup_id(copy->backup), path);
        return FALSE;
    }
    backup_writer_adopt(copy->writer, path, object->plain_size, result->digest, result->size);
    return TRUE;
}

/* A finding on one object, or the failure of all. */
static gboolean judge(const BackupCopy *copy, const char *path, gboolean of_source, GError *problem,
                      GError **error)
{
    g_autoptr(GError) owned = problem;

    if (!copy_is_damage(of_source, problem)) {
        g_propagate_error(error, g_steal_pointer(&owned));
        return FALSE;
    }
    copy_item_add_damage(copy->copying, copy->item, path, problem);
    return TRUE;
}

static gboolean copy_stored(const BackupCopy *copy, const char *path, const char *name,
                            GCancellable *cancellable, GError **error)
{
    TransferRequest request = {0};
    GError *problem = NULL;
    TransferResult result;
    gboolean of_source;

    describe_object(copy, path, name, &request);
    if (!transfer_object(&request, cancellable, &result, &of_source, &problem))
        return judge(copy, path, of_source, problem, error);
    copy_item_count(copy->copying, copy->item, &result);
    return enter(copy, path, request.role, &result, error);
}

/* Into the target under the name that it has there. */
static gboolean bring_pool_object(const BackupCopy *copy, const char *name, const guint8 *digest,
                                  TransferResult *ret_result, GCancellable *cancellable,
                                  gboolean *ret_of_source, GError **error)
{
    const PoolReseal reseal = {.source = copy->copying->context->repository,
                               .target = copy->copying->request->target,
                               .name = name,
                               .digest = digest};
    const TransferRequest request = {.source = reseal.source,
                                     .target = reseal.target,
                                     .role = SEAL_POOL,
                                     .name = name,
                                     .digest = digest};
    PoolName found;

    if (!copy->anew)
        return transfer_object(&request, cancellable, ret_result, ret_of_source, error);
    if (!pool_reseal(&reseal, cancellable, &found, &ret_result->present, ret_of_source, error))
        return FALSE;
    memcpy(ret_result->digest, found.digest, SHA256_SIZE);
    ret_result->size = found.size;
    return TRUE;
}

/* One that came with an earlier backup of this run is not looked at again. */
static gboolean copy_pool_object(const BackupCopy *copy, const char *path, const char *name,
                                 GCancellable *cancellable, GError **error)
{
    const guint8 *digest = checksums_find(backup_checksums(copy->backup), path)->digest;
    PoolNames *arrived = copy->copying->arrived;
    TransferResult result = {.present = TRUE};
    g_autofree char *there = NULL;
    GError *problem = NULL;
    char hex[SHA256_HEX_SIZE];
    gboolean of_source;
    PoolName known;

    if (pool_names_find(arrived, digest, &known)) {
        memcpy(result.digest, known.digest, SHA256_SIZE);
        result.size = known.size;
    } else if (!bring_pool_object(copy, name, digest, &result, cancellable, &of_source, &problem)) {
        return judge(copy, path, of_source, problem, error);
    }
    copy_item_count(copy->copying, copy->item, &result);
    known.size = result.size;
    memcpy(known.digest, result.digest, SHA256_SIZE);
    pool_names_add(arrived, digest, &known);
    sha256_to_hex(result.digest, hex);
    there = g_strdup_printf(POOL "%.2s/%s", hex, hex);
    return enter(copy, there, SEAL_POOL, &result, error);
}

static gboolean copy_object(gpointer task, gpointer data, GCancellable *cancellable, GError **error)
{
    const BackupCopy *copy = data;
    const char *path = task;
    g_autofree char *name = backup_object_name(copy->backup, path);

    return g_str_has_prefix(path, POOL) ? copy_pool_object(copy, path, name, cancellable, error)
                                        : copy_stored(copy, path, name, cancellable, error);
}

/* The document is entered by being written. */
static gboolean copy_document(const BackupCopy *copy, const char *path, GError **error)
{
    TransferResult result = {0};
    GError *problem = NULL;
    gboolean of_source;

    if (!copy_details_put(&copy->details, path, copy->copying->cancellable, &result.size,
                          &of_source, &problem))
        return judge(copy, path, of_source, problem, error);
    copy_item_count(copy->copying, copy->item, &result);
    return TRUE;
}

/* --- a backup --------------------------------------------------------------------------------- */

static Lease *take_source_lease(const Copying *copying, const char *id)
{
    const char *const uses[] = {id, NULL};
    const LeaseRequest request = {.operation = "copy",
                                  .uses = uses,
                                  .runtime_directory =
                                      config_runtime_directory(copying->context->config)};
    g_autoptr(GError) problem = NULL;
    Lease *lease = lease_acquire(copying->context->repository, &request, &problem);

    if (lease == NULL) {
        g_autofree char *text = error_text(problem);

        log_write(LOG_WARNING, "copy goes on without a lease on what it reads: %s", text);
    }
    return lease;
}

/* What an interrupted copy left in the pool is used again, and no backup refers to it: while this
 * lease lives, nothing of the pool is swept. */
static Lease *take_target_lease(const Copying *copying, const Backup *backup, GError **error)
{
    g_autofree char *exclusive = g_strdup_printf("copy/%s", backup_id(backup));
    const LeaseRequest request = {.operation = "copy",
                                  .source = manifest_source(backup_manifest(backup)),
                                  .type = backup_type_name(manifest_type(backup_manifest(backup))),
                                  .exclusive = exclusive,
                                  .backup = backup_id(backup),
                                  .since = ALL_OF_POOL,
                                  .runtime_directory =
                                      config_runtime_directory(copying->context->config)};

    return lease_acquire(copying->request->target, &request, error);
}

/* The manifest without its objects, which the writer adds. */
static Manifest *bare_manifest(const Backup *backup, GError **error)
{
    g_autoptr(json_t) document = manifest_json(backup_manifest(backup));
    g_autoptr(json_t) bare = json_copy(document);
    g_autofree char *text = NULL;

    json_object_set_new(bare, "objects", json_array());
    text = json_write(bare, FALSE);
    return manifest_read(text, strlen(text), MANIFEST_NAME, error);
}

/* Says whose the WAL is, where the backup needs some. */
static gboolean copy_systems(const BackupCopy *copy, GError **error)
{
    const Checksums *checksums = backup_checksums(copy->backup);

    for (guint i = 0; i < checksums_count(checksums); i++) {
        const char *path = checksums_entry(checksums, i)->path;
        g_auto(GStrv) parts = NULL;
        g_autofree char *name = NULL;

        if (!g_str_has_prefix(path, WAL))
            continue;
        parts = g_strsplit(path + strlen(SHARED), "/", SYSTEM_FOLDER + 1);
        if (g_strv_length(parts) <= SYSTEM_FOLDER)
            continue;
        g_clear_pointer(&parts[SYSTEM_FOLDER], g_free);
        parts[SYSTEM_FOLDER] = g_strdup("system.json");
        name = g_strjoinv("/", parts);
        return copy_clear_object(copy->copying, name, error);
    }
    return TRUE;
}

static gboolean is_document(const BackupCopy *copy, const char *path)
{
    return copy->anew && copy_details_has(&copy->details, path);
}

/* First what is named, then what names it. */
static gboolean copy_objects(BackupCopy *copy, GError **error)
{
    const Copying *copying = copy->copying;
    const Checksums *checksums = backup_checksums(copy->backup);
    g_autoptr(Workers) workers = workers_new(MAX(copying->request->jobs, 1), 0, copy_object, copy,
                                             NULL, copying->cancellable);

    for (guint i = 0; i < checksums_count(checksums); i++) {
        char *path = checksums_entry(checksums, i)->path;

        if (strcmp(path, MANIFEST_NAME) != 0 && !is_document(copy, path) &&
            !workers_push(workers, path))
            break;
    }
    if (!workers_wait(workers, error))
        return FALSE;
    for (guint i = 0; i < checksums_count(checksums) && copy->item->damage->len == 0; i++) {
        const char *path = checksums_entry(checksums, i)->path;

        if (is_document(copy, path) && !copy_document(copy, path, error))
            return FALSE;
    }
    return TRUE;
}

/* Names in the pool are made of stored bytes, which are others where a repository is encrypted. */
static gboolean prepare_names(BackupCopy *copy, GError **error)
{
    const Checksums *checksums = backup_checksums(copy->backup);

    copy->anew = FALSE;
    if (!repository_is_encrypted(copy->copying->context->repository) &&
        !repository_is_encrypted(copy->copying->request->target))
        return TRUE;
    for (guint i = 0; i < checksums_count(checksums) && !copy->anew; i++)
        copy->anew = g_str_has_prefix(checksums_entry(checksums, i)->path, POOL);
    copy->details = (CopyDetails){.backup = copy->backup,
                                  .writer = copy->writer,
                                  .names = copy->copying->arrived};
    if (copy->anew)
        copy->details.engine = engine_find(manifest_engine(backup_manifest(copy->backup)), error);
    return !copy->anew || copy->details.engine != NULL;
}

/* A committed backup in the target: what it lists is there, and as long as it should be. It is not
 * read again, that is for verify. */
static gboolean look_at_copy(Copying *copying, const Backup *there, CopyItem *item, GError **error)
{
    const Checksums *checksums = backup_checksums(there);

    for (guint i = 0; i < checksums_count(checksums); i++) {
        const char *path = checksums_entry(checksums, i)->path;
        g_autoptr(GError) problem = NULL;
        guint64 size, expected;

        if (!backup_stat_object(there, path, &size, &expected, &problem)) {
            if (!error_is(problem, ERROR_NOT_FOUND)) {
                g_propagate_error(error, g_steal_pointer(&problem));
                return FALSE;
            }
            g_clear_error(&problem);
            error_set(&problem, ERROR_DAMAGED, "the copy has lost it");
        } else if (size != expected) {
            error_set(&problem, ERROR_DAMAGED,
                      "the copy has %" G_GUINT64_FORMAT
                      " bytes of it instead of %" G_GUINT64_FORMAT,
                      size, expected);
        }
        if (problem != NULL)
            copy_item_add_damage(copying, item, path, problem);
    }
    item->state = COPY_PRESENT;
    item->committed = TRUE;
    return TRUE;
}

/* A committed backup of that id in the target must be the same one; *ret_there: NULL where there is
 * none. */
static gboolean open_present(Copying *copying, const char *id, Backup **ret_there, GError **error)
{
    Repository *target = copying->request->target;
    g_autoptr(Backup) mine = NULL, there = NULL;
    gboolean present;

    *ret_there = NULL;
    if (!backup_is_committed(target, id, &present, error))
        return FALSE;
    if (!present)
        return TRUE;
    mine = backup_open(copying->context->repository, id, error);
    there = mine != NULL ? backup_open(target, id, error) : NULL;
    if (there == NULL)
        return FALSE;
    if (manifest_start(backup_manifest(mine)) == manifest_start(backup_manifest(there)) &&
        manifest_stop(backup_manifest(mine)) == manifest_stop(backup_manifest(there))) {
        *ret_there = g_steal_pointer(&there);
        return TRUE;
    }
    error_set(error, ERROR_EXISTS, "%s has another backup %s",
              store_location(repository_store(target)), id);
    return FALSE;
}

static gboolean copy_all_of(BackupCopy *copy, GError **error)
{
    g_autoptr(Lease) lease = take_target_lease(copy->copying, copy->backup, error);
    g_autoptr(BackupWriter) writer = NULL;
    g_autoptr(Manifest) manifest = NULL;
    g_autoptr(Backup) there = NULL;

    if (lease == NULL || !open_present(copy->copying, backup_id(copy->backup), &there, error))
        return FALSE;
    /* Another copy has brought it while we came for the lease. */
    if (there != NULL)
        return look_at_copy(copy->copying, there, copy->item, error);
    writer = backup_writer_new_copy(copy->copying->request->target, lease, backup_id(copy->backup),
                                    error);
    if (writer == NULL)
        return FALSE;
    copy->writer = writer;
    if (!prepare_names(copy, error))
        return FALSE;
    progress_begin(copy->copying->progress, "copying",
                   manifest_stored_size(backup_manifest(copy->backup)), 0);
    if (!copy_objects(copy, error))
        return FALSE;
    progress_end(copy->copying->progress);
    if (copy->item->damage->len > 0)
        return TRUE;
    manifest = bare_manifest(copy->backup, error);
    return manifest != NULL && copy_systems(copy, error) &&
           backup_writer_commit(writer, manifest, error);
}

/* Finds out what is to be done with it; *ret_backup stays NULL where nothing is. */
static gboolean open_backup(Copying *copying, const char *id, CopyItem *item, Backup **ret_backup,
                            GError **error)
{
    const char *const uses[] = {id, NULL};
    g_autoptr(Backup) there = NULL;

    if (!deletion_wait(copying->context->repository, uses, error) ||
        !open_present(copying, id, &there, error))
        return FALSE;
    if (there != NULL)
        return look_at_copy(copying, there, item, error);
    *ret_backup = backup_open(copying->context->repository, id, error);
    return *ret_backup != NULL;
}

static gboolean copy_backup(Copying *copying, const char *id, GError **error)
{
    g_autoptr(Lease) lease = take_source_lease(copying, id);
    g_autoptr(CopyItem) item = copy_item_new(id);
    g_autoptr(GError) problem = NULL;
    g_autoptr(Backup) backup = NULL;
    BackupCopy copy = {.copying = copying, .item = item};

    if (!open_backup(copying, id, item, &backup, &problem)) {
        if (!engine_is_damage(problem) && !error_is(problem, ERROR_EXISTS)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        copy_item_add_damage(copying, item, MANIFEST_NAME, problem);
    }
    copy.backup = backup;
    if (backup != NULL && !copy_all_of(&copy, error))
        return FALSE;
    copy_item_tell(copying, item);
    return TRUE;
}

/* --- all of them ------------------------------------------------------------------------------ */

/* The source that a backup's id names; a manifest need not be readable for that. */
static gboolean is_chosen(const Copying *copying, const char *id)
{
    const char *source = copying->request->source;
    g_autofree char *part = NULL;
    const char *from = strchr(id, '-');

    if (source == NULL || from == NULL)
        return TRUE;
    part = g_strdup_printf("-%s-", source);
    return g_str_has_prefix(from, part) &&
           (g_str_has_prefix(from + strlen(part), "full-") ||
            g_str_has_prefix(from + strlen(part), "incr-")) &&
           strchr(from + strlen(part) + strlen("full-"), '-') == NULL;
}

/* A name that nothing is of is a mistake in the name. */
static gboolean check_source(const Copying *copying, const GPtrArray *ids, GError **error)
{
    for (guint i = 0; i < ids->len; i++) {
        if (is_chosen(copying, ids->pdata[i]))
            return TRUE;
    }
    if (copying->request->source == NULL)
        return TRUE;
    error_set(error, ERROR_USAGE, "there is no backup of a source %s", copying->request->source);
    error_add_hint(error, "holdfast list backups shows what there is");
    return FALSE;
}

static gboolean copy_everything(Copying *copying, GError **error)
{
    g_autoptr(GPtrArray) ids = NULL;

    if (!backup_list(copying->context->repository, &ids, error) ||
        !check_source(copying, ids, error))
        return FALSE;
    for (guint i = 0; i < ids->len; i++) {
        const char *id = ids->pdata[i];
        g_autoptr(GError) problem = NULL;
        gboolean committed;

        if (!is_chosen(copying, id) || copy_backup(copying, id, &problem))
            continue;
        /* Deleted since the list was made. */
        if (!backup_is_committed(copying->context->repository, id, &committed, NULL) || committed) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        log_write(LOG_INFO, "backup %s was deleted meanwhile", id);
    }
    return copy_logs(copying, error);
}

static gboolean check_repositories(const Copying *copying, GError **error)
{
    Repository *source = copying->context->repository;
    Repository *target = copying->request->target;

    if (strcmp(repository_id(source), repository_id(target)) == 0) {
        error_set(error, ERROR_USAGE, "%s and %s are the same repository",
                  store_location(repository_store(source)),
                  store_location(repository_store(target)));
        error_add_hint(error, "make another one with: holdfast init");
        return FALSE;
    }
    return repository_unlock(source, error) && repository_unlock(target, error);
}

gboolean operation_copy(OperationContext *context, const CopyRequest *request, Progress *progress,
                        GCancellable *cancellable, GError **error)
{
    g_autoptr(PoolNames) arrived = pool_names_new();
    Copying copying = {.context = context,
                       .request = request,
                       .progress = progress,
                       .cancellable = cancellable,
                       .arrived = arrived};
    g_autofree char *id = NULL;
    g_autofree char *job_id = NULL;
    g_autoptr(GError) problem = NULL;
    gboolean done;
    Job *job;

    if (!check_repositories(&copying, error))
        return FALSE;
    if (request->backup_id != NULL) {
        id = operation_resolve_backup(context, request->backup_id, error);
        if (id == NULL)
            return FALSE;
    }
    job_id = backup_id_make(time_now(), "copy", "full");
    job = job_begin(context, job_id, "copy", request->source);
    g_mutex_init(&copying.mutex);
    done = id != NULL ? copy_backup(&copying, id, &problem) : copy_everything(&copying, &problem);
    g_mutex_clear(&copying.mutex);
    job_end(job, problem, NULL);
    if (!done)
        g_propagate_error(error, g_steal_pointer(&problem));
    return done;
}
