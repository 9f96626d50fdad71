/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing a backup.
 */
#include "repo/writer.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "repo/backup-id.h"
#include "repo/backup.h"
#include "repo/checksums.h"
#include "repo/document.h"
#include "repo/stored.h"
#include "repo/tombstone.h"
#include "repo/unfinished.h"

#define SHARED_PREFIX "../../"

struct BackupWriter {
    Repository *repository;
    Lease *lease; /* the caller's */
    char *id;
    GMutex mutex;          /* guards what follows */
    GHashTable *begun;     /* paths, so that no two threads write the same object */
    GPtrArray *objects;    /* ManifestObject, durable */
    GHashTable *externals; /* paths to External */
    GPtrArray *remains;    /* names that may be in the store, in the order of writing */
    GPtrArray *notes;      /* names that may be in the store */
    gboolean committed;    /* or beyond taking back */
    gboolean copy;         /* of a backup of another repository */
};

/* An object outside of the backup's folder. */
typedef struct {
    guint8 digest[SHA256_SIZE];
    guint64 size;
} External;

struct ObjectWriter {
    BackupWriter *writer;
    char *path;
    Compressor *compressor;
    Sha256 *hash; /* of the stored bytes */
    StoredWriter *target;
    guint64 size; /* known at the end */
    guint64 plain_size;
};

/* --- The backup ------------------------------------------------------------------------------- */

static char *object_name(const BackupWriter *writer, const char *path)
{
    return g_strdup_printf("backups/%s/%s", writer->id, path);
}

static void manifest_object_free(gpointer data)
{
    ManifestObject *object = data;

    g_free(object->path);
    g_free(object);
}

static BackupWriter *writer_make(Repository *repository, Lease *lease, const char *id)
{
    BackupWriter *writer = g_new0(BackupWriter, 1);

    writer->repository = repository_ref(repository);
    writer->lease = lease;
    writer->id = g_strdup(id);
    g_mutex_init(&writer->mutex);
    writer->begun = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    writer->objects = g_ptr_array_new_with_free_func(manifest_object_free);
    writer->externals = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    writer->remains = g_ptr_array_new_with_free_func(g_free);
    writer->notes = g_ptr_array_new_with_free_func(g_free);
    return writer;
}

static gboolean check_id(const char *id, GError **error)
{
    if (backup_id_valid(id))
        return TRUE;
    error_set(error, ERROR_INTERNAL, "\"%s\" is no id for a backup", id);
    return FALSE;
}

BackupWriter *backup_writer_new(Repository *repository, Lease *lease, const char *id,
                                GError **error)
{
    g_autofree char *prefix = g_strdup_printf("backups/%s/", id);
    g_autoptr(GPtrArray) parts = NULL;

    if (!check_id(id, error) || !lease_check(lease, error) ||
        !store_list_parts(repository_store(repository), prefix, &parts, error))
        return NULL;
    /* What is not written here must not be taken back here either. */
    if (parts->len != 0) {
        error_set(error, ERROR_EXISTS, "there is a backup %s already", id);
        return NULL;
    }
    return writer_make(repository, lease, id);
}

BackupWriter *backup_writer_new_copy(Repository *repository, Lease *lease, const char *id,
                                     GError **error)
{
    BackupWriter *writer;
    gboolean committed;

    if (!check_id(id, error) || !lease_check(lease, error) ||
        !backup_is_committed(repository, id, &committed, error))
        return NULL;
    if (committed) {
        error_set(error, ERROR_EXISTS, "there is a backup %s already", id);
        return NULL;
    }
    writer = writer_make(repository, lease, id);
    writer->copy = TRUE;
    return writer;
}

Repository *backup_writer_repository(const BackupWriter *writer)
{
    return writer->repository;
}

/* A name that the store may hold from now on, whatever it answers. */
static void remember(BackupWriter *writer, const char *path)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&writer->mutex);

    g_ptr_array_add(writer->remains, object_name(writer, path));
}

/* Takes back what was written, the last first: if SHA256SUMS may be there, it goes before anything
 * that it lists; where it cannot be taken away, nothing is, since a whole backup must not become
 * half a one. */
static void remove_remains(BackupWriter *writer)
{
    Store *store = repository_store(writer->repository);

    for (guint i = writer->remains->len; i > 0; i--) {
        const char *name = writer->remains->pdata[i - 1];
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;

        if (store_delete(store, name, &error))
            continue;
        text = error_text(error);
        log_write(LOG_WARNING, "cannot remove %s of an unfinished backup: %s", name, text);
        if (g_str_has_suffix(name, "/" CHECKSUMS_NAME))
            return;
    }
}

void backup_writer_free(BackupWriter *writer)
{
    if (writer == NULL)
        return;
    if (!writer->committed && !writer->copy)
        remove_remains(writer);
    g_hash_table_unref(writer->begun);
    g_ptr_array_unref(writer->objects);
    g_hash_table_unref(writer->externals);
    g_ptr_array_unref(writer->remains);
    g_ptr_array_unref(writer->notes);
    g_mutex_clear(&writer->mutex);
    g_free(writer->id);
    repository_unref(writer->repository);
    g_free(writer);
}

/* --- Objects ---------------------------------------------------------------------------------- */

static gboolean claim_path(BackupWriter *writer, const char *path, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&writer->mutex);

    if (strcmp(path, MANIFEST_NAME) != 0 && strcmp(path, CHECKSUMS_NAME) != 0 &&
        g_hash_table_add(writer->begun, g_strdup(path)))
        return TRUE;
    error_set(error, ERROR_INTERNAL, "the backup has an object %s already", path);
    return FALSE;
}

/* The compressor's sink. */
static gboolean store_piece(const void *bytes, gsize length, gpointer data, GError **error)
{
    ObjectWriter *object = data;

    return stored_write(object->target, bytes, length, error);
}

ObjectWriter *backup_writer_begin(BackupWriter *writer, const char *path, CompressSpec spec,
                                  GError **error)
{
    const char *extension = codec_extension(spec.codec);
    g_autofree char *full =
        extension != NULL ? g_strdup_printf("%s.%s", path, extension) : g_strdup(path);
    g_autofree char *name = object_name(writer, full);
    g_autoptr(Sha256) hash = sha256_new();
    g_autoptr(StoredWriter) target = NULL;
    ObjectWriter *object;

    /* Readers tell the codec by the extension. */
    if (extension == NULL && codec_of_path(path, NULL) != CODEC_NONE) {
        error_set(error, ERROR_INTERNAL, "the plain object %s has the name of a compressed one",
                  path);
        return NULL;
    }
    if (!claim_path(writer, full, error))
        return NULL;
    target = stored_begin(writer->repository, SEAL_BACKUP, name, hash, error);
    if (target == NULL)
        return NULL;
    object = g_new0(ObjectWriter, 1);
    object->writer = writer;
    object->path = g_steal_pointer(&full);
    object->target = g_steal_pointer(&target);
    object->hash = g_steal_pointer(&hash);
    object->compressor = compressor_new(spec, store_piece, object);
    return object;
}

gboolean object_writer_write(ObjectWriter *object, const void *bytes, gsize length, GError **error)
{
    object->plain_size += length;
    return compressor_write(object->compressor, bytes, length, error);
}

/* The object is durable: from now on it is a part of the backup. */
static const ManifestObject *enter_object(ObjectWriter *object)
{
    BackupWriter *writer = object->writer;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&writer->mutex);
    ManifestObject *entry = g_new0(ManifestObject, 1);
    guint8 digest[SHA256_SIZE];

    entry->path = g_strdup(object->path);
    entry->size = object->size;
    entry->plain_size = object->plain_size;
    sha256_finish(object->hash, digest);
    sha256_to_hex(digest, entry->sha256);
    g_ptr_array_add(writer->objects, entry);
    return entry;
}

gboolean object_writer_commit(ObjectWriter *object, const ManifestObject **ret_object,
                              GError **error)
{
    const ManifestObject *entry;

    if (!compressor_finish(object->compressor, error) ||
        !stored_finish(object->target, &object->size, error))
        return FALSE;
    remember(object->writer, object->path);
    if (!stored_commit(object->target, error))
        return FALSE;
    entry = enter_object(object);
    if (ret_object != NULL)
        *ret_object = entry;
    return TRUE;
}

void object_writer_free(ObjectWriter *object)
{
    if (object == NULL)
        return;
    compressor_free(object->compressor);
    stored_writer_free(object->target);
    sha256_free(object->hash);
    g_free(object->path);
    g_free(object);
}

gboolean backup_writer_put(BackupWriter *writer, const char *path, CompressSpec spec,
                           const void *bytes, gsize length, GError **error)
{
    g_autoptr(ObjectWriter) object = backup_writer_begin(writer, path, spec, error);

    return object != NULL && object_writer_write(object, bytes, length, error) &&
           object_writer_commit(object, NULL, error);
}

void backup_writer_adopt(BackupWriter *writer, const char *path, guint64 plain_size,
                         const guint8 digest[SHA256_SIZE], guint64 size)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&writer->mutex);
    ManifestObject *entry = g_new0(ManifestObject, 1);

    entry->path = g_strdup(path);
    entry->size = size;
    entry->plain_size = plain_size;
    sha256_to_hex(digest, entry->sha256);
    g_ptr_array_add(writer->objects, entry);
}

static gboolean is_external(const char *path)
{
    return g_str_has_prefix(path, SHARED_PREFIX "pool/") ||
           g_str_has_prefix(path, SHARED_PREFIX "wal/");
}

gboolean backup_writer_add_external(BackupWriter *writer, const char *path,
                                    const guint8 digest[SHA256_SIZE], guint64 size, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&writer->mutex);
    External *external;

    if (!is_external(path) || !store_name_valid(path + strlen(SHARED_PREFIX))) {
        error_set(error, ERROR_INTERNAL, "a backup cannot refer to %s", path);
        return FALSE;
    }
    external = g_hash_table_lookup(writer->externals, path);
    if (external != NULL) {
        if (external->size == size && memcmp(external->digest, digest, SHA256_SIZE) == 0)
            return TRUE;
        error_set(error, ERROR_INTERNAL, "the backup refers to two different objects %s", path);
        return FALSE;
    }
    external = g_new0(External, 1);
    external->size = size;
    memcpy(external->digest, digest, SHA256_SIZE);
    g_hash_table_insert(writer->externals, g_strdup(path), external);
    return TRUE;
}

/* --- Notes ------------------------------------------------------------------------------------ */

static char *take_note_name(BackupWriter *writer)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&writer->mutex);
    g_autofree char *path = g_strdup_printf(UNFINISHED_NOTES "%08u.json", writer->notes->len + 1);
    char *name = object_name(writer, path);

    g_ptr_array_add(writer->notes, g_strdup(name));
    return name;
}

/* A note may hold what is for the owner of the key only. */
static gboolean put_sealed(BackupWriter *writer, const char *name, const char *text, GError **error)
{
    g_autoptr(Sha256) hash = sha256_new();
    g_autoptr(StoredWriter) target =
        stored_begin(writer->repository, SEAL_BACKUP, name, hash, error);
    guint64 size;

    return target != NULL && stored_write(target, text, strlen(text), error) &&
           stored_finish(target, &size, error) && stored_commit(target, error);
}

gboolean backup_writer_note(BackupWriter *writer, json_t *fields, GError **error)
{
    g_autoptr(json_t) document = fields;
    g_autofree char *name = take_note_name(writer);
    g_autofree char *since = time_format(lease_since(writer->lease));
    g_autofree char *text = NULL;

    json_object_set_new(document, "format_version", json_integer(REPOSITORY_FORMAT_VERSION));
    json_object_set_new(document, "backup", json_text(writer->id));
    json_object_set_new(document, "source", json_text(lease_source(writer->lease)));
    json_object_set_new(document, "type", json_text(lease_type(writer->lease)));
    json_object_set_new(document, "since", json_text(since));
    text = json_write(document, FALSE);
    if (repository_is_encrypted(writer->repository))
        return put_sealed(writer, name, text, error);
    return document_put(repository_store(writer->repository), name, text, strlen(text), NULL,
                        error);
}

/* What stays of them in a backup is of no use and no harm. */
static void remove_notes(BackupWriter *writer)
{
    for (guint i = 0; i < writer->notes->len; i++) {
        g_autoptr(GError) error = NULL;

        if (!store_delete(repository_store(writer->repository), writer->notes->pdata[i], &error))
            log_write(LOG_INFO, "a note of the backup stays: %s", error->message);
    }
}

/* --- Commit ----------------------------------------------------------------------------------- */

static int compare_objects(gconstpointer a, gconstpointer b)
{
    const ManifestObject *const *left = a;
    const ManifestObject *const *right = b;

    return strcmp((*left)->path, (*right)->path);
}

static gboolean check_object(BackupWriter *writer, const char *name, guint64 size, GError **error)
{
    StoreInfo info;

    if (!store_stat(repository_store(writer->repository), name, &info, error)) {
        g_prefix_error(error, "the backup is not committed: ");
        return FALSE;
    }
    if (info.size == size)
        return TRUE;
    error_set(error, ERROR_DAMAGED,
              "the backup is not committed: %s has %" G_GUINT64_FORMAT
              " bytes, and %" G_GUINT64_FORMAT " were written",
              name, info.size, size);
    return FALSE;
}

static gboolean check_tombstone(BackupWriter *writer, const Tombstone *tombstone, GError **error)
{
    for (guint i = 0; i < tombstone->objects->len; i++) {
        const char *name = tombstone->objects->pdata[i];
        g_autofree char *path = g_strconcat(SHARED_PREFIX, name, NULL);

        if (!g_hash_table_contains(writer->externals, path))
            continue;
        error_set(error, ERROR_VANISHED,
                  "the backup is not committed: a cleanup is about to delete %s", name);
        error_add_hint(error, "a backup that it was based on was deleted meanwhile: run it again");
        return FALSE;
    }
    return TRUE;
}

/* What lies outside of the folder may be swept. The order matters (see pool/sweep.c): a tombstone
 * that is gone by the time of this look has done its work, and then its objects are missed
 * below. */
static gboolean check_externals(BackupWriter *writer, GError **error)
{
    g_autoptr(GPtrArray) tombstones = NULL;
    GHashTableIter iterator;
    gpointer path, external;

    if (g_hash_table_size(writer->externals) == 0)
        return TRUE;
    if (!tombstone_list(writer->repository, &tombstones, error))
        return FALSE;
    for (guint i = 0; i < tombstones->len; i++) {
        if (!check_tombstone(writer, tombstones->pdata[i], error))
            return FALSE;
    }
    g_hash_table_iter_init(&iterator, writer->externals);
    while (g_hash_table_iter_next(&iterator, &path, &external)) {
        if (!check_object(writer, (const char *)path + strlen(SHARED_PREFIX),
                          ((const External *)external)->size, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean check_objects(BackupWriter *writer, GError **error)
{
    for (guint i = 0; i < writer->objects->len; i++) {
        const ManifestObject *object = writer->objects->pdata[i];
        g_autofree char *name = object_name(writer, object->path);

        if (!check_object(writer, name, object->size, error))
            return FALSE;
    }
    return TRUE;
}

/* Enters the outside objects, and in the manifest the sum of those in the pool. */
static void add_externals(BackupWriter *writer, Manifest *manifest, Checksums *sums)
{
    ManifestPool pool = manifest_pool(manifest);
    GHashTableIter iterator;
    gpointer path, value;

    pool.objects = pool.bytes = 0;
    g_hash_table_iter_init(&iterator, writer->externals);
    while (g_hash_table_iter_next(&iterator, &path, &value)) {
        const External *external = value;

        checksums_add(sums, path, external->digest);
        if (!g_str_has_prefix(path, SHARED_PREFIX "pool/"))
            continue;
        pool.objects++;
        pool.bytes += external->size;
    }
    if (pool.objects > 0)
        manifest_set_pool(manifest, &pool);
}

static gboolean put_manifest(BackupWriter *writer, Manifest *manifest, Checksums *sums,
                             GError **error)
{
    g_autofree char *name = object_name(writer, MANIFEST_NAME);
    g_autofree char *text = NULL;
    guint8 digest[SHA256_SIZE];
    gsize length;

    /* A copy keeps where the backup was made; the manifest of one that was broken off goes. */
    if (writer->copy) {
        if (!store_delete(repository_store(writer->repository), name, error))
            return FALSE;
    } else {
        manifest_set_repository(manifest, repository_id(writer->repository));
    }
    text = manifest_write(manifest, &length);
    if (length > MANIFEST_SIZE_LIMIT) {
        error_set(error, ERROR_LIMIT, "the manifest of backup %s would be larger than %d bytes",
                  writer->id, MANIFEST_SIZE_LIMIT);
        return FALSE;
    }
    remember(writer, MANIFEST_NAME);
    if (!document_put(repository_store(writer->repository), name, text, length, NULL, error))
        return FALSE;
    sha256_buffer(text, length, digest);
    checksums_add(sums, MANIFEST_NAME, digest);
    return TRUE;
}

/* The commit itself. */
static gboolean put_checksums(BackupWriter *writer, Checksums *sums, GError **error)
{
    g_autofree char *name = object_name(writer, CHECKSUMS_NAME);
    g_autofree char *text = NULL;
    gboolean doubtful;
    gsize length;

    text = checksums_write(sums, &length);
    if (length > CHECKSUMS_SIZE_LIMIT || checksums_count(sums) > CHECKSUMS_COUNT_LIMIT) {
        error_set(error, ERROR_LIMIT, "backup %s would have too many objects", writer->id);
        return FALSE;
    }
    remember(writer, CHECKSUMS_NAME);
    writer->committed =
        document_put(repository_store(writer->repository), name, text, length, &doubtful, error);
    if (!writer->committed && doubtful) {
        g_prefix_error(error, "backup %s may or may not have been committed: ", writer->id);
        error_add_hint(error, "see what is there with: holdfast list backups");
    }
    return writer->committed;
}

/* After the commit: while the lease lived, no sweep could take away what was checked before it. A
 * process that was stopped in between for longer than the lease lives looks again, and takes the
 * commit back where something is gone: a sweep that did not see the commit has left its tombstone,
 * or deleted already. */
static gboolean confirm_commit(BackupWriter *writer, GError **error)
{
    g_autofree char *name = NULL;

    if (g_hash_table_size(writer->externals) == 0 || lease_check(writer->lease, NULL) ||
        check_externals(writer, error))
        return TRUE;
    name = object_name(writer, CHECKSUMS_NAME);
    if (store_delete(repository_store(writer->repository), name, NULL)) {
        writer->committed = FALSE;
        return FALSE;
    }
    g_prefix_error(error, "backup %s was committed and cannot be relied upon: ", writer->id);
    error_add_hint(error, "delete it with: holdfast delete %s", writer->id);
    return FALSE;
}

gboolean backup_writer_commit(BackupWriter *writer, Manifest *manifest, GError **error)
{
    g_autoptr(Checksums) sums = checksums_new();

    if (strcmp(manifest_id(manifest), writer->id) != 0) {
        error_set(error, ERROR_INTERNAL, "the manifest of backup %s calls itself %s", writer->id,
                  manifest_id(manifest));
        return FALSE;
    }
    if (!check_objects(writer, error) || !check_externals(writer, error))
        return FALSE;
    g_ptr_array_sort(writer->objects, compare_objects);
    for (guint i = 0; i < writer->objects->len; i++) {
        const ManifestObject *object = writer->objects->pdata[i];
        guint8 digest[SHA256_SIZE];

        manifest_add_object(manifest, object);
        if (!sha256_from_hex(object->sha256, digest)) {
            error_set(error, ERROR_INTERNAL, "%s has no checksum", object->path);
            return FALSE;
        }
        checksums_add(sums, object->path, digest);
    }
    add_externals(writer, manifest, sums);
    if (!put_manifest(writer, manifest, sums, error))
        return FALSE;
    remove_notes(writer);
    /* The lease is asked last: while it holds, no sweep takes away what was checked above. */
    return lease_check(writer->lease, error) && put_checksums(writer, sums, error) &&
           confirm_commit(writer, error);
}
