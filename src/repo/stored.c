/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealing and opening between the store and what uses it.
 */
#include "repo/stored.h"

#include <string.h>

#include "base/error.h"

/* The name that an object is bound to. One of the pool is named by its bytes, and whoever refers to
 * it says so in a sealed place. */
static const char *bound_name(SealRole role, const char *name)
{
    return role == SEAL_POOL ? "" : name;
}

static const guint8 *find_key(guint32 generation, gpointer data, GError **error)
{
    return repository_data_key(data, generation, error);
}

/* FALSE with an error where the key cannot be reached. */
static gboolean make_scope(Repository *repository, SealRole role, const char *name,
                           SealScope *ret_scope, GError **error)
{
    /* So that a key that cannot be reached is no damage of the object. */
    if (repository_keyring(repository, error) == NULL)
        return FALSE;
    *ret_scope = (SealScope){.role = role,
                             .repository = repository_id(repository),
                             .name = bound_name(role, name),
                             .find_key = find_key,
                             .data = repository};
    return TRUE;
}

static gboolean name_damage(gboolean result, const char *name, GError *problem, GError **error)
{
    if (result)
        return TRUE;
    if (error_is(problem, ERROR_DAMAGED) || error_is(problem, ERROR_NEWER_FORMAT))
        g_prefix_error(&problem, "%s: ", name);
    g_propagate_error(error, problem);
    return FALSE;
}

/* --- writing ---------------------------------------------------------------------------------- */

struct StoredWriter {
    StoreWriter *target; /* NULL: the bytes are only hashed */
    Sha256 *hash;
    SealWriter *seal; /* NULL: not encrypted */
    guint64 size;
};

static gboolean put_stored(const void *bytes, gsize length, gpointer data, GError **error)
{
    StoredWriter *writer = data;

    if (writer->hash != NULL)
        sha256_update(writer->hash, bytes, length);
    writer->size += length;
    return writer->target == NULL || store_write(writer->target, bytes, length, error);
}

/* The header of a new object, and the data key that it is under. `content`: of what is to be
 * derived; else NULL. */
static const guint8 *make_header(Repository *repository, SealRole role, const guint8 *content,
                                 SealHeader *ret_header, GError **error)
{
    const Keyring *keyring = repository_keyring(repository, error);
    const guint8 *key;
    guint32 newest;

    if (keyring == NULL)
        return NULL;
    newest = keyring_newest(keyring);
    key = keyring_find(keyring, newest, error);
    if (key == NULL)
        return NULL;
    if (content != NULL)
        seal_header_derive(ret_header, role, newest, repository_id(repository), key, content);
    else
        seal_header_init(ret_header, role, newest, repository_id(repository));
    return key;
}

static SealWriter *begin_seal(Repository *repository, SealRole role, const char *name,
                              const guint8 *content, StoredWriter *writer, GError **error)
{
    SealHeader header;
    const guint8 *key = make_header(repository, role, content, &header, error);

    return key != NULL ? seal_writer_new(&header, key, bound_name(role, name), put_stored, writer)
                       : NULL;
}

StoredWriter *stored_begin(Repository *repository, SealRole role, const char *name, Sha256 *hash,
                           GError **error)
{
    g_autoptr(StoredWriter) writer = g_new0(StoredWriter, 1);
    Store *store = repository_store(repository);

    writer->hash = hash;
    if (repository_is_encrypted(repository)) {
        writer->seal = begin_seal(repository, role, name, NULL, writer, error);
        if (writer->seal == NULL)
            return NULL;
    }
    writer->target = g_str_has_suffix(name, "/") ? store_begin_below(store, name, error)
                                                 : store_begin(store, name, error);
    return writer->target != NULL ? g_steal_pointer(&writer) : NULL;
}

StoredWriter *stored_begin_derived(Repository *repository, const guint8 content[SEAL_CONTENT_SIZE],
                                   gboolean dry, Sha256 *hash, GError **error)
{
    g_autoptr(StoredWriter) writer = g_new0(StoredWriter, 1);

    writer->hash = hash;
    if (repository_is_encrypted(repository)) {
        writer->seal = begin_seal(repository, SEAL_POOL, "", content, writer, error);
        if (writer->seal == NULL)
            return NULL;
    }
    if (dry)
        return g_steal_pointer(&writer);
    writer->target = store_begin_below(repository_store(repository), "pool/", error);
    return writer->target != NULL ? g_steal_pointer(&writer) : NULL;
}

gboolean stored_write(StoredWriter *writer, const void *bytes, gsize length, GError **error)
{
    return writer->seal != NULL ? seal_writer_write(writer->seal, bytes, length, error)
                                : put_stored(bytes, length, writer, error);
}

gboolean stored_finish(StoredWriter *writer, guint64 *ret_stored_size, GError **error)
{
    if (writer->seal != NULL && !seal_writer_finish(writer->seal, error))
        return FALSE;
    *ret_stored_size = writer->size;
    return TRUE;
}

gboolean stored_commit(StoredWriter *writer, GError **error)
{
    return store_commit(writer->target, error);
}

gboolean stored_commit_as(StoredWriter *writer, const char *name, GError **error)
{
    return store_commit_as(writer->target, name, error);
}

void stored_writer_free(StoredWriter *writer)
{
    if (writer == NULL)
        return;
    seal_writer_free(writer->seal);
    store_writer_free(writer->target);
    g_free(writer);
}

/* --- reading a range -------------------------------------------------------------------------- */

/* What a thread keeps for its next read: most reads go on in the pack of the one before. */
typedef struct {
    SealCipher *cipher;
    char *name;       /* of the pool object that the cipher is for; NULL: none is kept */
    char *repository; /* its id */
    guint8 *stored;
    gsize capacity;
    guint8 segment[1024 * 1024]; /* of which the caller gets a part */
} Opener;

static void opener_forget(Opener *opener)
{
    g_clear_pointer(&opener->cipher, seal_cipher_free);
    g_clear_pointer(&opener->name, g_free);
    g_clear_pointer(&opener->repository, g_free);
}

static void opener_free(gpointer data)
{
    Opener *opener = data;

    opener_forget(opener);
    g_free(opener->stored);
    g_free(opener);
}

static GPrivate thread_opener = G_PRIVATE_INIT(opener_free);

/* The object's cipher, from its header. Only one of the pool is remembered: its name tells all of
 * its bytes, so that nothing else can be under it later. */
static gboolean find_cipher(Opener *opener, Repository *repository, SealRole role, const char *name,
                            GError **error)
{
    GError *problem = NULL;
    guint8 header[SEAL_HEADER_SIZE];
    SealScope scope;
    gsize length;

    if (role == SEAL_POOL && g_strcmp0(opener->name, name) == 0 &&
        g_strcmp0(opener->repository, repository_id(repository)) == 0)
        return TRUE;
    opener_forget(opener);
    if (!make_scope(repository, role, name, &scope, error) ||
        !store_read(repository_store(repository), name, 0, header, sizeof header, &length, error))
        return FALSE;
    opener->cipher = seal_scope_open(&scope, header, length, &problem);
    if (opener->cipher != NULL && role == SEAL_POOL) {
        opener->name = g_strdup(name);
        opener->repository = g_strdup(repository_id(repository));
    }
    return name_damage(opener->cipher != NULL, name, problem, error);
}

static Opener *get_opener(void)
{
    Opener *opener = g_private_get(&thread_opener);

    if (opener == NULL) {
        opener = g_new0(Opener, 1);
        g_private_set(&thread_opener, opener);
    }
    return opener;
}

gboolean stored_size(Repository *repository, SealRole role, const char *name, guint64 *ret_size,
                     GError **error)
{
    Opener *opener;
    StoreInfo info;

    if (!store_stat(repository_store(repository), name, &info, error))
        return FALSE;
    if (!repository_is_encrypted(repository)) {
        *ret_size = info.size;
        return TRUE;
    }
    opener = get_opener();
    if (!find_cipher(opener, repository, role, name, error))
        return FALSE;
    if (seal_plain_size(info.size, seal_cipher_segment_size(opener->cipher), ret_size))
        return TRUE;
    error_set(error, ERROR_DAMAGED, "%s: it is cut off", name);
    return FALSE;
}

/* A range of an object, segment by segment. */
typedef struct {
    Opener *opener;
    gsize size;    /* stored bytes of a whole segment */
    guint64 first; /* segment */
    gsize stored;  /* bytes in the opener's buffer, from the first segment on */
    guint64 offset;
    guint8 *out;
    gsize length;
} Range;

/* Fetches the range's segments and one byte more, which tells whether the last of them ends the
 * object. */
static gboolean fetch(Repository *repository, const char *name, Range *range, GError **error)
{
    Opener *opener = range->opener;
    gsize plain = range->size - SEAL_TAG_SIZE;
    guint64 last = (range->offset + MAX(range->length, 1) - 1) / plain;
    gsize wanted = (gsize)(last - range->first + 1) * range->size + 1;
    guint64 from = SEAL_HEADER_SIZE + range->first * range->size;

    if (opener->capacity < wanted) {
        g_free(opener->stored);
        opener->stored = g_malloc(wanted);
        opener->capacity = wanted;
    }
    return store_read(repository_store(repository), name, from, opener->stored, wanted,
                      &range->stored, error);
}

/* Opens the segment whose stored bytes begin at `at` and copies what is wanted of it. A segment
 * that is wanted whole is opened in place. */
static gboolean take_segment(Range *range, gsize at, gsize *ret_done, GError **error)
{
    Opener *opener = range->opener;
    gsize plain = range->size - SEAL_TAG_SIZE;
    guint64 index = range->first + at / range->size;
    gboolean last = range->stored - at <= range->size;
    gsize length = MIN(range->stored - at, range->size);
    guint64 begin = index * plain;
    gsize done = *ret_done;
    gboolean whole = begin == range->offset + done && range->length - done >= plain;
    guint8 *to = whole ? range->out + done : opener->segment;
    gsize skip, take;

    if (!seal_cipher_open(opener->cipher, index, last, opener->stored + at, length, to, error))
        return FALSE;
    length -= SEAL_TAG_SIZE;
    skip = (gsize)MIN(range->offset + done - begin, length);
    take = MIN(length - skip, range->length - done);
    if (!whole)
        memcpy(range->out + done, opener->segment + skip, take);
    *ret_done = done + take;
    return TRUE;
}

static gboolean open_range(Repository *repository, const char *name, Range *range,
                           gsize *ret_length, GError **error)
{
    GError *problem = NULL;
    gsize done = 0;
    gboolean good = TRUE;

    if (!fetch(repository, name, range, error))
        return FALSE;
    /* Nothing there: then the segment before must say that it is the last. */
    if (range->stored == 0 && range->first > 0) {
        range->first--;
        if (!fetch(repository, name, range, error))
            return FALSE;
    }
    /* The byte behind the last segment that was asked for is no segment. */
    for (gsize at = 0; good && (at == 0 || (at < range->stored && done < range->length));
         at += range->size)
        good = take_segment(range, at, &done, &problem);
    *ret_length = done;
    return name_damage(good, name, problem, error);
}

gboolean stored_read(Repository *repository, SealRole role, const char *name, guint64 offset,
                     void *buffer, gsize length, gsize *ret_length, GError **error)
{
    Opener *opener;
    Range range = {.offset = offset, .out = buffer, .length = length};

    if (!repository_is_encrypted(repository))
        return store_read(repository_store(repository), name, offset, buffer, length, ret_length,
                          error);
    opener = get_opener();
    if (!find_cipher(opener, repository, role, name, error))
        return FALSE;
    range.opener = opener;
    range.size = (gsize)seal_cipher_segment_size(opener->cipher) + SEAL_TAG_SIZE;
    range.first = offset / (range.size - SEAL_TAG_SIZE);
    return open_range(repository, name, &range, ret_length, error);
}

/* --- reading in pieces ------------------------------------------------------------------------ */

struct StoredReader {
    char *name;
    SealReader *seal; /* NULL: not encrypted */
    CodecSink sink;
    gpointer data;
    gboolean sink_failed;
};

static gboolean pass_plain(const void *bytes, gsize length, gpointer data, GError **error)
{
    StoredReader *reader = data;

    reader->sink_failed = !reader->sink(bytes, length, reader->data, error);
    return !reader->sink_failed;
}

StoredReader *stored_reader_new(Repository *repository, SealRole role, const char *name,
                                CodecSink sink, gpointer data, GError **error)
{
    g_autoptr(StoredReader) reader = g_new0(StoredReader, 1);
    SealScope scope;

    reader->name = g_strdup(name);
    reader->sink = sink;
    reader->data = data;
    if (repository_is_encrypted(repository)) {
        if (!make_scope(repository, role, reader->name, &scope, error))
            return NULL;
        reader->seal = seal_reader_new(&scope, pass_plain, reader);
    }
    return g_steal_pointer(&reader);
}

gboolean stored_reader_write(StoredReader *reader, const void *bytes, gsize length, GError **error)
{
    GError *problem = NULL;

    if (reader->seal == NULL)
        return reader->sink(bytes, length, reader->data, error);
    if (seal_reader_write(reader->seal, bytes, length, &problem))
        return TRUE;
    if (!reader->sink_failed)
        return name_damage(FALSE, reader->name, problem, error);
    g_propagate_error(error, problem);
    return FALSE;
}

gboolean stored_reader_finish(StoredReader *reader, GError **error)
{
    GError *problem = NULL;

    if (reader->seal == NULL || seal_reader_finish(reader->seal, &problem))
        return TRUE;
    if (!reader->sink_failed)
        return name_damage(FALSE, reader->name, problem, error);
    g_propagate_error(error, problem);
    return FALSE;
}

void stored_reader_free(StoredReader *reader)
{
    if (reader == NULL)
        return;
    seal_reader_free(reader->seal);
    g_free(reader->name);
    g_free(reader);
}

static gboolean pass_stored(const void *bytes, gsize length, gpointer data, GError **error)
{
    return stored_reader_write(data, bytes, length, error);
}

gboolean stored_stream(Repository *repository, SealRole role, const char *name, CodecSink sink,
                       gpointer data, GCancellable *cancellable, GError **error)
{
    g_autoptr(StoredReader) reader = stored_reader_new(repository, role, name, sink, data, error);

    return reader != NULL &&
           store_stream(repository_store(repository), name, pass_stored, reader, cancellable,
                        error) &&
           stored_reader_finish(reader, error);
}

/* --- within a document ------------------------------------------------------------------------ */

typedef struct {
    GByteArray *bytes;
    gsize limit;
} Text;

static gboolean append(const void *bytes, gsize length, gpointer data, GError **error)
{
    Text *text = data;

    if (text->bytes->len + length > text->limit) {
        error_set(error, ERROR_LIMIT,
                  "a sealed part of a document has more than %" G_GSIZE_FORMAT " bytes",
                  text->limit);
        return FALSE;
    }
    g_byte_array_append(text->bytes, bytes, (guint)length);
    return TRUE;
}

char *stored_seal_text(Repository *repository, SealRole role, const char *name, const void *bytes,
                       gsize length, GError **error)
{
    g_autoptr(GByteArray) packed = g_byte_array_new();
    g_autoptr(GByteArray) sealed = g_byte_array_new();
    Text inner = {packed, STORED_TEXT_LIMIT}, outer = {sealed, 2 * STORED_TEXT_LIMIT};
    g_autoptr(Compressor) compressor = compressor_new(COMPRESS_DEFAULT, append, &inner);
    g_autoptr(SealWriter) writer = NULL;
    SealHeader header;
    const guint8 *key = make_header(repository, role, NULL, &header, error);

    if (key == NULL || !compressor_write(compressor, bytes, length, error) ||
        !compressor_finish(compressor, error))
        return NULL;
    writer = seal_writer_new(&header, key, bound_name(role, name), append, &outer);
    if (!seal_writer_write(writer, packed->data, packed->len, error) ||
        !seal_writer_finish(writer, error))
        return NULL;
    return g_base64_encode(sealed->data, sealed->len);
}

static gboolean decompress(const void *bytes, gsize length, gpointer data, GError **error)
{
    return decompressor_write(data, bytes, length, error);
}

GBytes *stored_open_text(Repository *repository, SealRole role, const char *name, const char *text,
                         GError **error)
{
    g_autoptr(GByteArray) plain = g_byte_array_new();
    Text out = {plain, STORED_TEXT_LIMIT};
    g_autoptr(Decompressor) decompressor = decompressor_new(CODEC_ZSTD, append, &out);
    g_autoptr(StoredReader) reader = NULL;
    g_autofree guint8 *sealed = NULL;
    gsize length;

    reader = stored_reader_new(repository, role, name, decompress, decompressor, error);
    if (reader == NULL)
        return NULL;
    sealed = g_base64_decode(text, &length);
    if (!stored_reader_write(reader, sealed, length, error) ||
        !stored_reader_finish(reader, error) || !decompressor_finish(decompressor, error))
        return NULL;
    return g_byte_array_free_to_bytes(g_steal_pointer(&plain));
}
