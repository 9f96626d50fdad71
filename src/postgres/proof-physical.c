/* SPDX-License-Identifier: Apache-2.0
 *
 * A physical backup as a whole: its index against its packs, its extents against their hashes, its
 * pages against their checksums, its WAL from start to stop.
 */
#include "postgres/proof.h"

#include <string.h>

#include "base/error.h"
#include "base/workers.h"
#include "postgres/file-list.h"
#include "postgres/page.h"
#include "postgres/physical.h"
#include "postgres/wal-archive.h"

#define QUEUE_LIMIT   256
#define NAMES_SHOWN   3
#define PAGES_SHOWN   10
#define SHARED_PREFIX "../../"

typedef struct {
    const EngineProof *proof;
    PgPhysical *physical;
    GPtrArray *paths;     /* char *: of each pack in SHA256SUMS */
    gboolean *chosen;     /* of each pack */
    GHashTable *failures; /* "path\nblock": corrupt at the backup already */
    gint odd_pages;       /* atomic: that carry a wrong checksum and were not known to */
    Workers *workers;
    char *index; /* path of the index, which damage of a file's entry belongs to */
} Proving;

static void proving_clear(Proving *proving)
{
    workers_free(proving->workers);
    pg_physical_free(proving->physical);
    g_clear_pointer(&proving->paths, g_ptr_array_unref);
    g_free(proving->chosen);
    g_clear_pointer(&proving->failures, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Proving, proving_clear)

/* Damage is a finding; other failures end the look. Takes the error. */
static gboolean settle(const Proving *proving, const char *path, GError *problem, GError **error)
{
    if (!engine_is_damage(problem)) {
        g_propagate_error(error, problem);
        return FALSE;
    }
    proving->proof->damage(path, problem, proving->proof->data);
    g_error_free(problem);
    return TRUE;
}

static void tell(const Proving *proving, const char *path, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void tell(const Proving *proving, const char *path, const char *format, ...)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    error_set(&problem, ERROR_DAMAGED, "%s", text);
    proving->proof->damage(path, problem, proving->proof->data);
}

/* --- packs ------------------------------------------------------------------------------------ */

/* Packs that the index needs and SHA256SUMS does not list, or that have another size. */
static gboolean check_pack(const Proving *proving, guint32 pack, GError **error)
{
    const EngineProof *proof = proving->proof;
    const char *path = proving->paths->pdata[pack];
    guint64 size = pool_reader_pack_size(proving->physical->reader, pack);
    g_autoptr(GError) problem = NULL;
    StoreInfo info;

    if (pool_reader_pack_alive(proving->physical->reader, pack) == 0)
        return TRUE;
    if (checksums_find(backup_checksums(proof->backup), path) == NULL) {
        tell(proving, path, "the index needs it, and SHA256SUMS does not list it");
        return TRUE;
    }
    if (!store_stat(repository_store(backup_repository(proof->backup)),
                    path + strlen(SHARED_PREFIX), &info, &problem)) {
        if (error_is(problem, ERROR_NOT_FOUND)) /* told already */
            return TRUE;
        return settle(proving, path, g_steal_pointer(&problem), error);
    }
    if (info.size != size)
        tell(proving, path, "it has %" G_GUINT64_FORMAT " bytes instead of %" G_GUINT64_FORMAT,
             info.size, size);
    return TRUE;
}

static gboolean check_packs(Proving *proving, GError **error)
{
    const PoolReader *reader = proving->physical->reader;
    guint32 count = pool_reader_pack_count(reader);

    proving->paths = g_ptr_array_new_with_free_func(g_free);
    proving->chosen = g_new0(gboolean, MAX(count, 1));
    for (guint32 i = 0; i < count; i++) {
        guint8 digest[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];
        char *path;

        pool_reader_pack_digest(reader, i, digest);
        sha256_to_hex(digest, hex);
        path = g_strdup_printf(SHARED_PREFIX "pool/%.2s/%s", hex, hex);
        g_ptr_array_add(proving->paths, path);
        proving->chosen[i] = proving->proof->chosen(path, proving->proof->data);
        if (!check_pack(proving, i, error))
            return FALSE;
    }
    return TRUE;
}

/* --- pages ------------------------------------------------------------------------------------ */

/* A page that was torn while it was copied has a position behind the start: the WAL of the backup
 * holds it whole. What the backup recorded as corrupt is no news. */
static void judge_page(Proving *proving, const PgFile *file, const guint8 *page, guint32 block)
{
    const EngineProof *proof = proving->proof;
    g_autofree char *key = g_strdup_printf("%s\n%" G_GUINT32_FORMAT, file->path, block);
    g_autofree char *text = NULL;

    if (g_hash_table_contains(proving->failures, key)) {
        proof->count("pages_corrupt_at_backup", 1, proof->data);
        return;
    }
    if (pg_page_lsn(page) >= proving->physical->start) {
        proof->count("pages_torn", 1, proof->data);
        return;
    }
    proof->count("pages_wrong", 1, proof->data);
    if (g_atomic_int_add(&proving->odd_pages, 1) >= PAGES_SHOWN)
        return;
    text = g_strdup_printf("%s: block %" G_GUINT32_FORMAT " carries a wrong checksum, though its "
                           "bytes are those that the server gave",
                           file->path, block);
    proof->warn(text, proof->data);
}

static void check_pages(Proving *proving, const PgFile *file, const PgRelationName *name,
                        const guint8 *bytes, gsize length, guint64 offset)
{
    const PgPhysical *physical = proving->physical;
    gsize size = physical->block_size, count = length / size;

    for (gsize i = 0; i < count; i++) {
        guint32 block = (guint32)(name->segment * (guint64)physical->relation_segment_blocks +
                                  offset / size + i);

        if (!pg_page_is_valid(bytes + i * size, size, block))
            judge_page(proving, file, bytes + i * size, block);
    }
    proving->proof->count("pages", count, proving->proof->data);
}

/* --- files ------------------------------------------------------------------------------------ */

typedef struct {
    guint64 offset;
    guint32 crc;
    gboolean whole; /* every extent so far was read */
    guint64 read;
} FileProof;

/* Reads one extent, if its pack is chosen. */
static gboolean prove_extent(Proving *proving, const PgFile *file, const PgRelationName *name,
                             const PoolExtent *extent, guint8 *buffer, FileProof *found,
                             GError **error)
{
    gsize length = (gsize)MIN(file->content.extent_size, file->content.size - found->offset);
    gboolean stored = extent->length > 0;
    GError *problem = NULL;

    if (stored && !proving->chosen[extent->pack]) {
        found->whole = FALSE;
    } else if (!pool_extent_read(proving->physical->reader, extent, buffer, length, &problem)) {
        found->whole = FALSE;
        g_prefix_error(&problem, "of %s: ", file->path);
        if (!settle(proving, proving->paths->pdata[extent->pack], problem, error))
            return FALSE;
    } else {
        found->read++;
        if (found->whole)
            found->crc = crc32c(found->crc, buffer, length);
        if (name != NULL)
            check_pages(proving, file, name, buffer, length, found->offset);
        progress_add(proving->proof->progress, length, 0);
    }
    found->offset += length;
    return TRUE;
}

static gboolean prove_bytes(Proving *proving, const PgFile *file, const GArray *extents,
                            GCancellable *cancellable, GError **error)
{
    g_autofree guint8 *buffer = g_malloc(MAX(file->content.extent_size, 1));
    FileProof found = {.whole = TRUE};
    PgRelationName name;
    gboolean pages = proving->physical->page_checksums && pg_file_is_relation(file->path, &name);

    for (guint i = 0; i < extents->len; i++) {
        if (!error_unless_cancelled(cancellable, error))
            return FALSE;
        if (!prove_extent(proving, file, pages ? &name : NULL,
                          &g_array_index(extents, PoolExtent, i), buffer, &found, error))
            return FALSE;
    }
    proving->proof->count("extents_read", found.read, proving->proof->data);
    if (found.whole && found.crc != file->crc32c)
        tell(proving, proving->index, "%s does not add up to the checksum that was recorded",
             file->path);
    else if (found.whole)
        proving->proof->count("files_read", 1, proving->proof->data);
    return TRUE;
}

/* The map of a large file is in a pack as well. */
static gboolean prove_file(gpointer task, gpointer data, GCancellable *cancellable, GError **error)
{
    PgFile *file = task;
    Proving *proving = data;
    const PoolFile *content = &file->content;
    guint64 wanted =
        content->size == 0 ? 0 : (content->size - 1) / MAX(content->extent_size, 1) + 1;
    g_autoptr(GArray) extents = NULL;
    GError *problem = NULL;

    if (pool_file_has_map(content) && !proving->chosen[content->map_pack])
        return TRUE;
    extents = pool_file_extents(proving->physical->reader, content, &problem);
    if (extents == NULL)
        return settle(proving,
                      pool_file_has_map(content) ? proving->paths->pdata[content->map_pack]
                                                 : proving->index,
                      problem, error);
    if (extents->len != wanted) {
        tell(proving, proving->index, "%s has other extents than its size asks for", file->path);
        return TRUE;
    }
    proving->proof->count("extents", extents->len, proving->proof->data);
    return proving->proof->level < PROOF_DEEP ||
           prove_bytes(proving, file, extents, cancellable, error);
}

static gboolean push_file(PgFile *file, gpointer data, GError **error)
{
    Proving *proving = data;

    if (file->kind != PG_FILE_REGULAR) {
        pg_file_free(file);
        return TRUE;
    }
    proving->proof->count("files", 1, proving->proof->data);
    /* After a failure the rest is only read on; the failure itself is reported by the wait. */
    (void)workers_push(proving->workers, file);
    return TRUE;
}

static void free_file(gpointer file)
{
    pg_file_free(file);
}

static gboolean prove_files(Proving *proving, GError **error)
{
    const EngineProof *proof = proving->proof;
    GError *problem = NULL;
    gboolean listed;

    proving->workers = workers_new(MAX(proof->jobs, 1), QUEUE_LIMIT, prove_file, proving, free_file,
                                   proof->cancellable);
    listed = pg_physical_read_files(proof->backup, proving->physical, push_file, proving, &problem);
    if (!workers_wait(proving->workers, error)) {
        g_clear_error(&problem);
        return FALSE;
    }
    return listed || settle(proving, proving->index, problem, error);
}

/* --- WAL -------------------------------------------------------------------------------------- */

/* Every segment from start to stop must be one of the objects: without one of them the backup does
 * not become consistent. A stop on a boundary means the segment before. */
static void check_wal(const Proving *proving)
{
    const PgPhysical *physical = proving->physical;
    Backup *backup = proving->proof->backup;
    const WalArchive archive = {.repository = backup_repository(backup),
                                .source = manifest_source(backup_manifest(backup)),
                                .system_identifier = physical->system_identifier,
                                .segment_size = physical->segment_size};
    guint64 last = (physical->stop - 1) / physical->segment_size;

    for (guint64 i = physical->start / physical->segment_size; i <= last; i++) {
        g_autofree char *segment =
            wal_segment_format(physical->timeline, i, physical->segment_size);
        g_autofree char *name = wal_archive_object_name(&archive, segment);
        g_autofree char *path = g_strconcat(SHARED_PREFIX, name, NULL);

        if (checksums_find(backup_checksums(backup), path) == NULL)
            tell(proving, path, "the backup needs it to be consistent, and does not list it");
        else
            proving->proof->count("wal_segments", 1, proving->proof->data);
    }
}

/* --- all of it -------------------------------------------------------------------------------- */

static void note_failures(Proving *proving)
{
    const GPtrArray *failures = proving->physical->failures;

    proving->failures = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < failures->len; i++) {
        const PgPageFailure *failure = failures->pdata[i];

        g_hash_table_add(proving->failures,
                         g_strdup_printf("%s\n%" G_GUINT32_FORMAT, failure->path, failure->block));
    }
}

gboolean pg_physical_check_backup(const EngineProof *proof, GError **error)
{
    g_auto(Proving) proving = {.proof = proof};
    const char *index = backup_find_object(proof->backup, "details-files.jsonl");
    const char *head = backup_find_object(proof->backup, "details.json");
    GError *problem = NULL;

    proving.index = (char *)(index != NULL ? index : "details-files.jsonl");
    if (!pg_physical_read_head(proof->backup, &proving.physical, &problem))
        return settle(&proving, head != NULL ? head : "details.json", problem, error);
    note_failures(&proving);
    check_wal(&proving);
    if (!check_packs(&proving, error) || !prove_files(&proving, error))
        return FALSE;
    if (proof->level == PROOF_DEEP && !proving.physical->page_checksums)
        proof->warn("the server had no page checksums: pages were not checked", proof->data);
    return TRUE;
}

/* --- what belongs to what --------------------------------------------------------------------- */

typedef struct {
    GHashTable *objects;
    GPtrArray *paths; /* of packs */
    guint64 *files;   /* of each pack */
    GString **names;
} Owning;

static gboolean note_file(PgFile *file, gpointer data, GError **error)
{
    Owning *owning = data;
    const PoolFile *content = &file->content;
    const PoolExtent *extents = pool_file_inline(content);
    gboolean mapped = pool_file_has_map(content);
    guint count = mapped ? content->use_count : content->extent_count;
    guint32 before = G_MAXUINT32;

    for (guint i = 0; file->kind == PG_FILE_REGULAR && i < count; i++) {
        guint32 pack = mapped ? content->uses[i].pack : extents[i].pack;
        GString *names;

        if (pack == before || (!mapped && extents[i].length == 0) ||
            !g_hash_table_contains(owning->objects, owning->paths->pdata[pack]))
            continue;
        before = pack;
        if (owning->names[pack] == NULL)
            owning->names[pack] = g_string_new(NULL);
        names = owning->names[pack];
        if (owning->files[pack]++ < NAMES_SHOWN)
            g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", file->path);
    }
    pg_file_free(file);
    return TRUE;
}

static void tell_owners(Owning *owning)
{
    for (guint32 i = 0; i < owning->paths->len; i++) {
        if (owning->names[i] == NULL)
            continue;
        g_hash_table_insert(owning->objects, g_strdup(owning->paths->pdata[i]),
                            g_strdup_printf("%" G_GUINT64_FORMAT " files: %s%s", owning->files[i],
                                            owning->names[i]->str,
                                            owning->files[i] > NAMES_SHOWN ? ", …" : ""));
        g_string_free(owning->names[i], TRUE);
    }
}

gboolean pg_physical_owners(Backup *backup, GHashTable *objects, GError **error)
{
    g_autoptr(PgPhysical) physical = NULL;
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autofree guint64 *files = NULL;
    g_autofree GString **names = NULL;
    Owning owning = {.objects = objects, .paths = paths};
    gboolean read;
    guint32 count;

    if (!pg_physical_read_head(backup, &physical, error))
        return FALSE;
    count = pool_reader_pack_count(physical->reader);
    owning.files = files = g_new0(guint64, MAX(count, 1));
    owning.names = names = g_new0(GString *, MAX(count, 1));
    for (guint32 i = 0; i < count; i++) {
        guint8 digest[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];

        pool_reader_pack_digest(physical->reader, i, digest);
        sha256_to_hex(digest, hex);
        g_ptr_array_add(paths, g_strdup_printf(SHARED_PREFIX "pool/%.2s/%s", hex, hex));
    }
    read = pg_physical_read_files(backup, physical, note_file, &owning, error);
    tell_owners(&owning);
    return read;
}
