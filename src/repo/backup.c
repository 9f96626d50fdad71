/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading committed backups.
 */
#include "repo/backup.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/suggest.h"
#include "codec/hash-pair.h"
#include "repo/backup-id.h"
#include "repo/stored.h"

#define SHARED_PREFIX "../../"
#define PAIR_PIECE    (512 * 1024) /* read at a time of each of two objects */

struct Backup {
    gatomicrefcount references;
    Repository *repository;
    char *id;
    Manifest *manifest;
    Checksums *checksums;
};

static char *name_in(const char *id, const char *path)
{
    return g_strdup_printf("backups/%s/%s", id, path);
}

/* --- The list --------------------------------------------------------------------------------- */

gboolean backup_is_committed(Repository *repository, const char *id, gboolean *ret_committed,
                             GError **error)
{
    g_autofree char *name = name_in(id, CHECKSUMS_NAME);
    g_autoptr(GError) local_error = NULL;
    StoreInfo info;
    gboolean committed = store_stat(repository_store(repository), name, &info, &local_error);

    if (!committed && !error_is(local_error, ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&local_error));
        return FALSE;
    }
    *ret_committed = committed;
    return TRUE;
}

gboolean backup_list(Repository *repository, GPtrArray **ret_ids, GError **error)
{
    Store *store = repository_store(repository);
    g_autoptr(GPtrArray) parts = NULL;
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);

    if (!store_list_parts(store, "backups/", &parts, error))
        return FALSE;
    for (guint i = 0; i < parts->len; i++) {
        const char *id = parts->pdata[i];
        gboolean committed;

        if (!backup_id_valid(id))
            continue;
        if (!backup_is_committed(repository, id, &committed, error))
            return FALSE;
        if (committed)
            g_ptr_array_add(ids, g_strdup(id));
    }
    *ret_ids = g_steal_pointer(&ids);
    return TRUE;
}

/* --- Opening ---------------------------------------------------------------------------------- */

static void set_not_found(const char *id, GPtrArray *ids, GError **error)
{
    const char *nearest;

    g_ptr_array_add(ids, NULL);
    nearest = suggest_nearest(id, (const char *const *)ids->pdata);
    error_set(error, ERROR_NOT_FOUND, "there is no backup %s", id);
    if (nearest != NULL)
        error_add_hint(error, "did you mean %s?", nearest);
    else
        error_add_hint(error, "see what is there with: holdfast list backups");
}

/* The id that `word` is, begins or ends. */
static char *resolve_id(Repository *repository, const char *word, GError **error)
{
    g_autoptr(GPtrArray) ids = NULL;
    const char *found = NULL;
    guint count = 0;

    if (!backup_list(repository, &ids, error))
        return NULL;
    for (guint i = 0; i < ids->len && word[0] != '\0'; i++) {
        const char *id = ids->pdata[i];

        if (!g_str_has_prefix(id, word) && !g_str_has_suffix(id, word))
            continue;
        found = id;
        count++;
    }
    if (count == 1)
        return g_strdup(found);
    if (count == 0) {
        set_not_found(word, ids, error);
        return NULL;
    }
    error_set(error, ERROR_NOT_FOUND, "%s fits %u backups, %s among them", word, count, found);
    error_add_hint(error, "give more of the id; see them with: holdfast list backups");
    return NULL;
}

static void set_damaged(GError **error, const char *id, const char *path, const char *problem)
{
    error_set(error, ERROR_DAMAGED, "backup %s is damaged: %s %s", id, path, problem);
}

/* Turns "not there" into damage: what a committed backup lists must be there. */
static void take_as_damage(GError **error, GError *source, const char *id, const char *path)
{
    if (error_is(source, ERROR_NOT_FOUND)) {
        set_damaged(error, id, path, "is missing");
        g_error_free(source);
        return;
    }
    g_propagate_error(error, source);
}

Checksums *backup_read_checksums(Repository *repository, const char *id, GError **error)
{
    g_autofree char *name = name_in(id, CHECKSUMS_NAME);
    g_autoptr(GBytes) bytes =
        store_get(repository_store(repository), name, CHECKSUMS_SIZE_LIMIT, error);
    const char *text;
    gsize length;

    if (bytes == NULL)
        return NULL;
    text = g_bytes_get_data(bytes, &length);
    return checksums_read(text != NULL ? text : "", length, name, error);
}

static Manifest *read_manifest(Repository *repository, const char *id, const Checksums *checksums,
                               GError **error)
{
    const ChecksumEntry *entry = checksums_find(checksums, MANIFEST_NAME);
    g_autofree char *name = name_in(id, MANIFEST_NAME);
    GError *local_error = NULL;
    g_autoptr(GBytes) bytes = NULL;
    guint8 digest[SHA256_SIZE];
    const char *text;
    gsize length;

    if (entry == NULL) {
        set_damaged(error, id, CHECKSUMS_NAME, "does not list the manifest");
        return NULL;
    }
    bytes = store_get(repository_store(repository), name, MANIFEST_SIZE_LIMIT, &local_error);
    if (bytes == NULL) {
        take_as_damage(error, local_error, id, MANIFEST_NAME);
        return NULL;
    }
    text = g_bytes_get_data(bytes, &length);
    sha256_buffer(text, length, digest);
    if (memcmp(digest, entry->digest, SHA256_SIZE) != 0) {
        set_damaged(error, id, MANIFEST_NAME, "has another checksum than was recorded");
        return NULL;
    }
    return manifest_read(text != NULL ? text : "", length, name, error);
}

/* The manifest must be of this backup, and what it lists must be listed by SHA256SUMS with the same
 * sums. */
static gboolean check_agreement(const char *id, const Manifest *manifest,
                                const Checksums *checksums, GError **error)
{
    if (strcmp(manifest_id(manifest), id) != 0) {
        set_damaged(error, id, MANIFEST_NAME, "is of another backup");
        return FALSE;
    }
    for (guint i = 0; i < manifest_object_count(manifest); i++) {
        const ManifestObject *object = manifest_object(manifest, i);
        const ChecksumEntry *entry = checksums_find(checksums, object->path);
        char hex[SHA256_HEX_SIZE];

        if (entry == NULL) {
            set_damaged(error, id, object->path, "is not listed in " CHECKSUMS_NAME);
            return FALSE;
        }
        sha256_to_hex(entry->digest, hex);
        if (strcmp(hex, object->sha256) != 0) {
            set_damaged(error, id, object->path, "has two different recorded checksums");
            return FALSE;
        }
    }
    return TRUE;
}

static Backup *open_exactly(Repository *repository, const char *id, GError **error)
{
    g_autoptr(Checksums) checksums = backup_read_checksums(repository, id, error);
    g_autoptr(Manifest) manifest = NULL;
    Backup *backup;

    if (checksums == NULL)
        return NULL;
    manifest = read_manifest(repository, id, checksums, error);
    if (manifest == NULL || !check_agreement(id, manifest, checksums, error))
        return NULL;
    backup = g_new0(Backup, 1);
    g_atomic_ref_count_init(&backup->references);
    backup->repository = repository_ref(repository);
    backup->id = g_strdup(id);
    backup->manifest = g_steal_pointer(&manifest);
    backup->checksums = g_steal_pointer(&checksums);
    return backup;
}

Backup *backup_open(Repository *repository, const char *id, GError **error)
{
    g_autoptr(GError) local_error = NULL;
    g_autofree char *found = NULL;
    Backup *backup;

    if (backup_id_valid(id)) {
        backup = open_exactly(repository, id, &local_error);
        if (backup != NULL)
            return backup;
        if (!error_is(local_error, ERROR_NOT_FOUND)) {
            g_propagate_error(error, g_steal_pointer(&local_error));
            return NULL;
        }
    }
    found = resolve_id(repository, id, error);
    return found != NULL ? open_exactly(repository, found, error) : NULL;
}

Backup *backup_ref(Backup *backup)
{
    g_atomic_ref_count_inc(&backup->references);
    return backup;
}

void backup_unref(Backup *backup)
{
    if (backup == NULL || !g_atomic_ref_count_dec(&backup->references))
        return;
    manifest_free(backup->manifest);
    checksums_free(backup->checksums);
    repository_unref(backup->repository);
    g_free(backup->id);
    g_free(backup);
}

const char *backup_id(const Backup *backup)
{
    return backup->id;
}

Repository *backup_repository(const Backup *backup)
{
    return backup->repository;
}

const Manifest *backup_manifest(const Backup *backup)
{
    return backup->manifest;
}

const Checksums *backup_checksums(const Backup *backup)
{
    return backup->checksums;
}

/* --- Objects ---------------------------------------------------------------------------------- */

/* What is on its way from the store to a sink. */
typedef struct {
    Backup *backup;
    const char *path;
    const ManifestObject
        *object; /* NULL for what the manifest does not list: shared objects and the manifest */
    Sha256 *hash;
    guint64 size;
    StoredReader *opener;       /* NULL: nothing is sealed */
    Decompressor *decompressor; /* behind it; NULL: the stored bytes are only hashed */
    guint64 plain_size;
    CodecSink sink;
    gpointer data;
    gboolean sink_failed;
} Reading;

static void reading_clear(Reading *reading)
{
    stored_reader_free(reading->opener);
    decompressor_free(reading->decompressor);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reading, reading_clear)

static gboolean pass_plain(const void *bytes, gsize length, gpointer data, GError **error)
{
    Reading *reading = data;

    reading->plain_size += length;
    if (reading->object != NULL && reading->plain_size > reading->object->plain_size) {
        set_damaged(error, reading->backup->id, reading->path, "holds more than was written");
        return FALSE;
    }
    if (reading->sink(bytes, length, reading->data, error))
        return TRUE;
    reading->sink_failed = TRUE;
    return FALSE;
}

static gboolean pass_stored(const void *bytes, gsize length, gpointer data, GError **error)
{
    Reading *reading = data;
    g_autoptr(GError) local_error = NULL;

    sha256_update(reading->hash, bytes, length);
    reading->size += length;
    if (reading->decompressor == NULL ||
        (reading->opener != NULL
             ? stored_reader_write(reading->opener, bytes, length, &local_error)
             : decompressor_write(reading->decompressor, bytes, length, &local_error)))
        return TRUE;
    if (!reading->sink_failed && error_is(local_error, ERROR_DAMAGED))
        g_prefix_error(&local_error, "%s of backup %s: ", reading->path, reading->backup->id);
    g_propagate_error(error, g_steal_pointer(&local_error));
    return FALSE;
}

/* What was sealed is open here. */
static gboolean pass_opened(const void *bytes, gsize length, gpointer data, GError **error)
{
    Reading *reading = data;

    return decompressor_write(reading->decompressor, bytes, length, error);
}

/* Everything but the manifest may be sealed. */
static gboolean begin_opening(Reading *reading, const char *name, GError **error)
{
    SealRole role = SEAL_BACKUP;

    reading->decompressor =
        decompressor_new(codec_of_path(reading->path, NULL), pass_plain, reading);
    if (strcmp(reading->path, MANIFEST_NAME) == 0)
        return TRUE;
    if (g_str_has_prefix(reading->path, SHARED_PREFIX))
        role = g_str_has_prefix(reading->path, SHARED_PREFIX "wal/") ? SEAL_WAL : SEAL_POOL;
    reading->opener =
        stored_reader_new(reading->backup->repository, role, name, pass_opened, reading, error);
    return reading->opener != NULL;
}

static gboolean check_size(const Backup *backup, const ManifestObject *object, guint64 size,
                           GError **error)
{
    if (size == object->size)
        return TRUE;
    error_set(error, ERROR_DAMAGED,
              "backup %s is damaged: %s has %" G_GUINT64_FORMAT " bytes, and %" G_GUINT64_FORMAT
              " were written",
              backup->id, object->path, size, object->size);
    return FALSE;
}

/* Holds what went by against what was recorded. */
static gboolean check_end(Reading *reading, const ChecksumEntry *entry,
                          const guint8 digest[SHA256_SIZE], GError **error)
{
    const char *id = reading->backup->id;
    const ManifestObject *object = reading->object;

    if (object != NULL && !check_size(reading->backup, object, reading->size, error))
        return FALSE;
    if (memcmp(digest, entry->digest, SHA256_SIZE) != 0) {
        set_damaged(error, id, reading->path, "has another checksum than was recorded");
        return FALSE;
    }
    if (reading->decompressor == NULL)
        return TRUE;
    if ((reading->opener != NULL && !stored_reader_finish(reading->opener, error)) ||
        !decompressor_finish(reading->decompressor, error)) {
        g_prefix_error(error, "%s of backup %s: ", reading->path, id);
        return FALSE;
    }
    if (object != NULL && reading->plain_size != object->plain_size) {
        set_damaged(error, id, reading->path, "holds less than was written");
        return FALSE;
    }
    return TRUE;
}

char *backup_object_name(const Backup *backup, const char *path)
{
    return g_str_has_prefix(path, SHARED_PREFIX) ? g_strdup(path + strlen(SHARED_PREFIX))
                                                 : name_in(backup->id, path);
}

/* Reads an object to its end and checks it. Without a sink its stored bytes are hashed and no
 * more. */
static gboolean read_through(Backup *backup, const char *path, CodecSink sink, gpointer data,
                             guint64 *ret_bytes, GCancellable *cancellable, GError **error)
{
    const ChecksumEntry *entry = checksums_find(backup->checksums, path);
    g_autofree char *name = NULL;
    g_autoptr(Sha256) hash = sha256_new();
    GError *local_error = NULL;
    guint8 digest[SHA256_SIZE];
    g_auto(Reading) reading = {
        .backup = backup, .path = path, .hash = hash, .sink = sink, .data = data};

    if (entry == NULL) {
        error_set(error, ERROR_NOT_FOUND, "backup %s has no object %s", backup->id, path);
        return FALSE;
    }
    name = backup_object_name(backup, path);
    reading.object = manifest_find_object(backup->manifest, path);
    if (sink != NULL && !begin_opening(&reading, name, error))
        return FALSE;
    if (!store_stream(repository_store(backup->repository), name, pass_stored, &reading,
                      cancellable, &local_error)) {
        if (reading.sink_failed)
            g_propagate_error(error, local_error);
        else
            take_as_damage(error, local_error, backup->id, path);
        return FALSE;
    }
    sha256_finish(hash, digest);
    if (!check_end(&reading, entry, digest, error))
        return FALSE;
    if (ret_bytes != NULL)
        *ret_bytes = reading.size;
    return TRUE;
}

gboolean backup_read_object(Backup *backup, const char *path, CodecSink sink, gpointer data,
                            GCancellable *cancellable, GError **error)
{
    return read_through(backup, path, sink, data, NULL, cancellable, error);
}

typedef struct {
    const char *path;
    gsize limit;
    GByteArray *bytes;
} Collector;

static gboolean collect(const void *bytes, gsize length, gpointer data, GError **error)
{
    Collector *collector = data;

    if (length > collector->limit - collector->bytes->len) {
        error_set(error, ERROR_LIMIT,
                  "%s holds more than the %" G_GSIZE_FORMAT " bytes that it may have",
                  collector->path, collector->limit);
        return FALSE;
    }
    g_byte_array_append(collector->bytes, bytes, (guint)length);
    return TRUE;
}

GBytes *backup_get_object(Backup *backup, const char *path, gsize limit, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    /* A GByteArray counts in guint. */
    Collector collector = {.path = path, .limit = MIN(limit, G_MAXUINT / 2), .bytes = bytes};

    if (!backup_read_object(backup, path, collect, &collector, NULL, error))
        return NULL;
    return g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
}

gboolean backup_check_object(Backup *backup, const char *path, guint64 *ret_bytes,
                             GCancellable *cancellable, GError **error)
{
    return read_through(backup, path, NULL, NULL, ret_bytes, cancellable, error);
}

/* One of two objects that are read in step. */
typedef struct {
    BackupCheck *check;
    Reading reading; /* of which nothing needs to be cleared: there is no sink */
    const ChecksumEntry *entry;
    char *name;
    guint8 *buffer;
    gsize got;
    gboolean open; /* there may be more */
} Half;

static void half_begin(Half *half, Backup *backup, BackupCheck *check)
{
    *half = (Half){.check = check, .reading = {.backup = backup, .path = check->path}};
    check->bytes = 0;
    check->problem = NULL;
    if (check->path == NULL)
        return;
    half->entry = checksums_find(backup->checksums, check->path);
    if (half->entry == NULL) {
        error_set(&check->problem, ERROR_NOT_FOUND, "backup %s has no object %s", backup->id,
                  check->path);
        return;
    }
    half->reading.object = manifest_find_object(backup->manifest, check->path);
    half->name = backup_object_name(backup, check->path);
    half->buffer = g_malloc(PAIR_PIECE);
    half->open = TRUE;
}

/* The next piece; at the end, and where it cannot be read, the half is closed. */
static void half_read(Half *half, GCancellable *cancellable)
{
    Backup *backup = half->reading.backup;
    GError *problem = NULL;

    half->got = 0;
    if (!half->open)
        return;
    if (g_cancellable_is_cancelled(cancellable))
        error_set(&problem, ERROR_CANCELLED, "reading %s was cancelled", half->name);
    else if (!store_read(repository_store(backup->repository), half->name, half->reading.size,
                         half->buffer, PAIR_PIECE, &half->got, &problem))
        half->got = 0;
    if (problem != NULL)
        take_as_damage(&half->check->problem, problem, backup->id, half->check->path);
    half->reading.size += half->got;
    half->check->bytes = half->reading.size;
    half->open = half->got == PAIR_PIECE;
}

static void half_end(Half *half, Sha256Pair *hashes, guint stream)
{
    guint8 digest[SHA256_SIZE];

    sha256_pair_finish(hashes, stream, digest);
    if (half->entry != NULL && half->check->problem == NULL)
        (void)check_end(&half->reading, half->entry, digest, &half->check->problem);
    g_free(half->name);
    g_free(half->buffer);
}

void backup_check_pair(Backup *backup, BackupCheck pair[2], GCancellable *cancellable)
{
    g_autoptr(Sha256Pair) hashes = sha256_pair_new();
    Half halves[2];

    for (guint i = 0; i < 2; i++)
        half_begin(&halves[i], backup, &pair[i]);
    while (halves[0].open || halves[1].open) {
        half_read(&halves[0], cancellable);
        half_read(&halves[1], cancellable);
        sha256_pair_update(hashes, (const void *[]){halves[0].buffer, halves[1].buffer},
                           (gsize[]){halves[0].got, halves[1].got});
    }
    for (guint i = 0; i < 2; i++)
        half_end(&halves[i], hashes, i);
}

gboolean backup_stat_object(const Backup *backup, const char *path, guint64 *ret_size,
                            guint64 *ret_expected, GError **error)
{
    const ManifestObject *object = manifest_find_object(backup->manifest, path);
    g_autofree char *name = backup_object_name(backup, path);
    StoreInfo info;

    if (!store_stat(repository_store(backup->repository), name, &info, error))
        return FALSE;
    *ret_size = info.size;
    *ret_expected = object != NULL ? object->size : info.size;
    return TRUE;
}

gboolean backup_check_presence(Backup *backup, const char *path, GError **error)
{
    const ManifestObject *object = manifest_find_object(backup->manifest, path);
    GError *local_error = NULL;
    guint64 size, expected;

    if (object == NULL) {
        error_set(error, ERROR_NOT_FOUND, "backup %s has no object %s", backup->id, path);
        return FALSE;
    }
    if (!backup_stat_object(backup, path, &size, &expected, &local_error)) {
        take_as_damage(error, local_error, backup->id, path);
        return FALSE;
    }
    return check_size(backup, object, size, error);
}

const char *backup_find_object(Backup *backup, const char *stem)
{
    for (Codec codec = CODEC_NONE; codec <= CODEC_LZ4; codec++) {
        const char *extension = codec_extension(codec);
        g_autofree char *path =
            extension != NULL ? g_strdup_printf("%s.%s", stem, extension) : g_strdup(stem);
        const ManifestObject *object = manifest_find_object(backup->manifest, path);

        if (object != NULL)
            return object->path;
    }
    return NULL;
}

/* --- Deleting --------------------------------------------------------------------------------- */

static gboolean collect_name(const char *name, const StoreInfo *info, gpointer data, GError **error)
{
    g_ptr_array_add(data, g_strdup(name));
    return TRUE;
}

static gboolean remove_folder(Store *store, const char *id, GError **error)
{
    g_autofree char *prefix = name_in(id, "");
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    if (!store_list(store, prefix, collect_name, names, error))
        return FALSE;
    for (guint i = 0; i < names->len; i++) {
        if (!store_delete(store, names->pdata[i], error))
            return FALSE;
    }
    return TRUE;
}

/* Takes the commit object away. When the store reports a failure, what it did is looked at before
 * that is believed. */
static gboolean remove_commit(Repository *repository, const char *id, GError **error)
{
    g_autofree char *name = name_in(id, CHECKSUMS_NAME);
    g_autoptr(GError) local_error = NULL;
    gboolean committed;

    if (store_delete(repository_store(repository), name, &local_error))
        return TRUE;
    if (backup_is_committed(repository, id, &committed, NULL) && !committed)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&local_error));
    return FALSE;
}

static gboolean remove_manifest(Store *store, const char *id, GError **error)
{
    g_autofree char *name = name_in(id, MANIFEST_NAME);

    return store_delete(store, name, error);
}

gboolean backup_delete(Repository *repository, const char *id, GError **error)
{
    Store *store = repository_store(repository);
    g_autoptr(GError) local_error = NULL;
    gboolean committed;

    if (!backup_id_valid(id)) {
        error_set(error, ERROR_NOT_FOUND, "there is no backup %s", id);
        return FALSE;
    }
    /* A folder without its commit object may be of a backup that is just being written. */
    if (!backup_is_committed(repository, id, &committed, error))
        return FALSE;
    if (!committed) {
        error_set(error, ERROR_NOT_FOUND, "there is no backup %s", id);
        return FALSE;
    }
    if (!remove_commit(repository, id, error))
        return FALSE;
    /* The backup is gone now, whatever becomes of the rest: that is for the sweep then. The manifest
     * first: one that is there without the commit tells of a backup that was damaged (repo/lost.h). */
    if (!remove_manifest(store, id, &local_error) || !remove_folder(store, id, &local_error)) {
        g_autofree char *text = error_text(local_error);

        log_write(LOG_WARNING, "backup %s is deleted, but something of it is left for cleanup: %s",
                  id, text);
    }
    return TRUE;
}
