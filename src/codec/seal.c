/* SPDX-License-Identifier: Apache-2.0
 *
 * The header and the segments of sealed objects.
 */
#include "codec/seal.h"

#include <openssl/rand.h>
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "codec/seal-cipher.h"

#define VERSION         1
#define SMALLEST        ((guint32)4 * 1024)
#define LARGEST         ((guint32)1024 * 1024)
#define SEGMENTS_AHEAD  4 /* sealed before they go to the sink */
#define HEADER_REPO     32
#define HEADER_OBJECT   48
#define HEADER_SALT     64
#define DERIVATION_NAME "holdfast sealed object 1"
#define DERIVED_OBJECT  "holdfast object of content 1"
#define DERIVED_SALT    "holdfast salt of content 1"

static const guint8 magic[SEAL_MAGIC_SIZE] = {'H', 'F', 'S', 'E', 'A', 'L', '\r', '\n'};

/* --- the header
 * ----------------------------------------------------------------------------------------------------
 *
 *    0  8  magic
 *    8  4  format version, little-endian as all numbers
 *   12  4  length of this header
 *   16  4  role
 *   20  4  generation of the data key
 *   24  4  plain bytes of a segment
 *   28  4  zero
 *   32 16  id of the repository
 *   48 16  id of the object
 *   64 32  salt
 */

static void put_u32(guint8 *out, guint32 value)
{
    value = GUINT32_TO_LE(value);
    memcpy(out, &value, sizeof value);
}

static guint32 get_u32(const guint8 *bytes)
{
    guint32 value;

    memcpy(&value, bytes, sizeof value);
    return GUINT32_FROM_LE(value);
}

/* A UUID's sixteen bytes in the order of its digits. */
static void read_uuid(const char *uuid, guint8 out[SEAL_ID_SIZE])
{
    guint count = 0;

    memset(out, 0, SEAL_ID_SIZE);
    for (; *uuid != '\0' && count < 2 * SEAL_ID_SIZE; uuid++) {
        int digit = g_ascii_xdigit_value(*uuid);

        if (digit < 0)
            continue;
        out[count / 2] = (guint8)(out[count / 2] << 4 | digit);
        count++;
    }
}

static void init_fixed(SealHeader *header, SealRole role, guint32 generation,
                       const char *repository)
{
    header->role = role;
    header->generation = generation;
    header->segment_size = SEAL_SEGMENT_SIZE;
    read_uuid(repository, header->repository);
}

void seal_header_init(SealHeader *header, SealRole role, guint32 generation, const char *repository)
{
    init_fixed(header, role, generation, repository);
    seal_must(RAND_bytes(header->object, SEAL_ID_SIZE));
    seal_must(RAND_bytes(header->salt, SEAL_SALT_SIZE));
}

/* 32 bytes that only the owner of the key can foretell. */
static void derive_part(const SealHeader *header, const guint8 key[SEAL_KEY_SIZE], const char *part,
                        const guint8 content[SEAL_CONTENT_SIZE], guint8 ret_part[SEAL_KEY_SIZE])
{
    g_autoptr(GByteArray) info = g_byte_array_new();
    guint8 role = (guint8)header->role;

    g_byte_array_append(info, (const guint8 *)part, (guint)strlen(part));
    g_byte_array_append(info, &role, 1);
    g_byte_array_append(info, header->repository, SEAL_ID_SIZE);
    g_byte_array_append(info, content, SEAL_CONTENT_SIZE);
    seal_derive(key, SEAL_KEY_SIZE, NULL, 0, info->data, info->len, ret_part);
}

void seal_header_derive(SealHeader *header, SealRole role, guint32 generation,
                        const char *repository, const guint8 key[SEAL_KEY_SIZE],
                        const guint8 content[SEAL_CONTENT_SIZE])
{
    guint8 part[SEAL_KEY_SIZE];

    init_fixed(header, role, generation, repository);
    derive_part(header, key, DERIVED_OBJECT, content, part);
    memcpy(header->object, part, SEAL_ID_SIZE);
    derive_part(header, key, DERIVED_SALT, content, part);
    memcpy(header->salt, part, SEAL_SALT_SIZE);
}

void seal_header_write(const SealHeader *header, guint8 out[SEAL_HEADER_SIZE])
{
    memset(out, 0, SEAL_HEADER_SIZE);
    memcpy(out, magic, sizeof magic);
    put_u32(out + 8, VERSION);
    put_u32(out + 12, SEAL_HEADER_SIZE);
    put_u32(out + 16, header->role);
    put_u32(out + 20, header->generation);
    put_u32(out + 24, header->segment_size);
    memcpy(out + HEADER_REPO, header->repository, SEAL_ID_SIZE);
    memcpy(out + HEADER_OBJECT, header->object, SEAL_ID_SIZE);
    memcpy(out + HEADER_SALT, header->salt, SEAL_SALT_SIZE);
}

static gboolean segment_size_valid(guint32 size)
{
    return size >= SMALLEST && size <= LARGEST && (size & (size - 1)) == 0;
}

gboolean seal_has_magic(const guint8 *bytes, gsize length)
{
    return length >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

gboolean seal_header_read(const guint8 *bytes, gsize length, SealHeader *ret_header, GError **error)
{
    if (length < SEAL_HEADER_SIZE || !seal_has_magic(bytes, length)) {
        error_set(error, ERROR_DAMAGED, "it is no sealed object");
        return FALSE;
    }
    if (get_u32(bytes + 8) > VERSION) {
        error_set(error, ERROR_NEWER_FORMAT,
                  "it is sealed by format version %u, and this program knows up to %d",
                  get_u32(bytes + 8), VERSION);
        error_add_hint(error, "update holdfast to the version that wrote it, or a newer one");
        return FALSE;
    }
    if (get_u32(bytes + 8) != VERSION || get_u32(bytes + 12) != SEAL_HEADER_SIZE ||
        !segment_size_valid(get_u32(bytes + 24)) || get_u32(bytes + 28) != 0) {
        error_set(error, ERROR_DAMAGED, "the header of its seal is broken");
        return FALSE;
    }
    ret_header->role = get_u32(bytes + 16);
    ret_header->generation = get_u32(bytes + 20);
    ret_header->segment_size = get_u32(bytes + 24);
    memcpy(ret_header->repository, bytes + HEADER_REPO, SEAL_ID_SIZE);
    memcpy(ret_header->object, bytes + HEADER_OBJECT, SEAL_ID_SIZE);
    memcpy(ret_header->salt, bytes + HEADER_SALT, SEAL_SALT_SIZE);
    return TRUE;
}

guint64 seal_stored_size(guint64 plain_size)
{
    guint64 segments =
        MAX(plain_size / SEAL_SEGMENT_SIZE + (plain_size % SEAL_SEGMENT_SIZE != 0), 1);

    return SEAL_HEADER_SIZE + plain_size + segments * SEAL_TAG_SIZE;
}

gboolean seal_plain_size(guint64 stored_size, guint32 segment_size, guint64 *ret_size)
{
    guint64 whole = (guint64)segment_size + SEAL_TAG_SIZE;
    guint64 rest, segments;

    if (stored_size < SEAL_HEADER_SIZE + SEAL_TAG_SIZE)
        return FALSE;
    rest = stored_size - SEAL_HEADER_SIZE;
    segments = rest / whole + (rest % whole != 0);
    /* Only an empty object has an empty segment. */
    if (rest % whole > 0 &&
        (rest % whole < SEAL_TAG_SIZE || (rest % whole == SEAL_TAG_SIZE && segments > 1)))
        return FALSE;
    *ret_size = rest - segments * SEAL_TAG_SIZE;
    return TRUE;
}

/* --- segments --------------------------------------------------------------------------------- */

struct SealCipher {
    EVP_CIPHER_CTX *context;
    guint32 segment_size;
    gint direction; /* 1: set up to seal, 0: to open, -1: for neither yet */
    guint8 key[SEAL_KEY_SIZE];
};

SealCipher *seal_cipher_new(const SealHeader *header, const guint8 key[SEAL_KEY_SIZE],
                            const char *name)
{
    SealCipher *cipher = g_new0(SealCipher, 1);
    g_autoptr(GByteArray) info = g_byte_array_new();
    guint8 bytes[SEAL_HEADER_SIZE];

    /* The whole header goes into the key: whatever is changed in it, nothing opens. */
    seal_header_write(header, bytes);
    g_byte_array_append(info, (const guint8 *)DERIVATION_NAME, strlen(DERIVATION_NAME));
    g_byte_array_append(info, bytes, sizeof bytes);
    g_byte_array_append(info, (const guint8 *)name, (guint)strlen(name));
    seal_derive(key, SEAL_KEY_SIZE, header->salt, SEAL_SALT_SIZE, info->data, info->len,
                cipher->key);
    cipher->segment_size = header->segment_size;
    cipher->direction = -1;
    cipher->context = EVP_CIPHER_CTX_new();
    seal_must(cipher->context != NULL);
    return cipher;
}

void seal_cipher_free(SealCipher *cipher)
{
    if (cipher == NULL)
        return;
    EVP_CIPHER_CTX_free(cipher->context); /* clears what it holds */
    secret_clear(cipher->key, sizeof cipher->key);
    g_free(cipher);
}

guint32 seal_cipher_segment_size(const SealCipher *cipher)
{
    return cipher->segment_size;
}

/* The key schedule is made once, the nonce for each segment: its number, whether it is the last,
 * zeros. */
static void begin_segment(SealCipher *cipher, gboolean seal, guint64 index, gboolean last)
{
    guint8 nonce[SEAL_NONCE_SIZE] = {0};

    index = GUINT64_TO_LE(index);
    memcpy(nonce, &index, sizeof index);
    nonce[8] = last ? 1 : 0;
    if (cipher->direction != seal) {
        seal_must(
            EVP_CipherInit_ex2(cipher->context, seal_algorithm(), cipher->key, nonce, seal, NULL));
        cipher->direction = seal;
    } else {
        seal_must(EVP_CipherInit_ex2(cipher->context, NULL, NULL, nonce, seal, NULL));
    }
}

void seal_cipher_seal(SealCipher *cipher, guint64 index, gboolean last, const void *plain,
                      gsize length, void *out)
{
    guint8 *to = out;
    int done = 0;

    begin_segment(cipher, TRUE, index, last);
    if (length > 0)
        seal_must(EVP_EncryptUpdate(cipher->context, to, &done, plain, (int)length));
    seal_must(EVP_EncryptFinal_ex(cipher->context, to + length, &done));
    seal_must(
        EVP_CIPHER_CTX_ctrl(cipher->context, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_SIZE, to + length));
}

gboolean seal_cipher_open(SealCipher *cipher, guint64 index, gboolean last, const void *stored,
                          gsize length, void *out, GError **error)
{
    guint8 tag[SEAL_TAG_SIZE];
    guint8 rest[SEAL_TAG_SIZE];
    int done = 0;
    gsize plain = length - SEAL_TAG_SIZE;

    /* Only the last segment may be short, and only that of an empty object is empty: one way to
     * write each object. */
    if (length < SEAL_TAG_SIZE || plain > cipher->segment_size ||
        (!last && plain != cipher->segment_size) || (plain == 0 && index > 0)) {
        error_set(error, ERROR_DAMAGED, "it is cut off in segment %" G_GUINT64_FORMAT, index);
        return FALSE;
    }
    memcpy(tag, (const guint8 *)stored + plain, SEAL_TAG_SIZE);
    begin_segment(cipher, FALSE, index, last);
    if (plain > 0)
        seal_must(EVP_DecryptUpdate(cipher->context, out, &done, stored, (int)plain));
    seal_must(EVP_CIPHER_CTX_ctrl(cipher->context, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_SIZE, tag));
    if (EVP_DecryptFinal_ex(cipher->context, rest, &done) == 1)
        return TRUE;
    error_set(error, ERROR_DAMAGED,
              "segment %" G_GUINT64_FORMAT
              " does not open: it was changed, cut off, or is of another object",
              index);
    return FALSE;
}

SealCipher *seal_scope_open(const SealScope *scope, const guint8 *bytes, gsize length,
                            GError **error)
{
    guint8 repository[SEAL_ID_SIZE];
    const guint8 *key;
    SealHeader header;

    if (!seal_header_read(bytes, length, &header, error))
        return NULL;
    read_uuid(scope->repository, repository);
    if (memcmp(header.repository, repository, SEAL_ID_SIZE) != 0) {
        error_set(error, ERROR_DAMAGED, "it is sealed for another repository");
        return NULL;
    }
    if (header.role != scope->role) {
        error_set(error, ERROR_DAMAGED, "it is sealed for another use");
        return NULL;
    }
    key = scope->find_key(header.generation, scope->data, error);
    return key != NULL ? seal_cipher_new(&header, key, scope->name) : NULL;
}

/* --- writing ---------------------------------------------------------------------------------- */

struct SealWriter {
    SealCipher *cipher;
    CodecSink sink;
    gpointer data;
    guint64 index;
    guint8 *plain; /* a segment that is not full, or not known to be followed by another */
    gsize used;
    guint8 *sealed; /* what has not gone to the sink */
    gsize sealed_used, sealed_size;
};

SealWriter *seal_writer_new(const SealHeader *header, const guint8 key[SEAL_KEY_SIZE],
                            const char *name, CodecSink sink, gpointer data)
{
    SealWriter *writer = g_new0(SealWriter, 1);

    writer->cipher = seal_cipher_new(header, key, name);
    writer->sink = sink;
    writer->data = data;
    writer->plain = g_malloc(header->segment_size);
    writer->sealed_size =
        SEAL_HEADER_SIZE + SEGMENTS_AHEAD * ((gsize)header->segment_size + SEAL_TAG_SIZE);
    writer->sealed = g_malloc(writer->sealed_size);
    seal_header_write(header, writer->sealed);
    writer->sealed_used = SEAL_HEADER_SIZE;
    return writer;
}

static gboolean flush(SealWriter *writer, GError **error)
{
    gsize used = writer->sealed_used;

    writer->sealed_used = 0;
    return used == 0 || writer->sink(writer->sealed, used, writer->data, error);
}

static gboolean put_segment(SealWriter *writer, const guint8 *bytes, gsize length, gboolean last,
                            GError **error)
{
    if (writer->sealed_size - writer->sealed_used < length + SEAL_TAG_SIZE && !flush(writer, error))
        return FALSE;
    seal_cipher_seal(writer->cipher, writer->index++, last, bytes, length,
                     writer->sealed + writer->sealed_used);
    writer->sealed_used += length + SEAL_TAG_SIZE;
    return TRUE;
}

gboolean seal_writer_write(SealWriter *writer, const void *bytes, gsize length, GError **error)
{
    gsize size = writer->cipher->segment_size;
    const guint8 *at = bytes;

    while (length > 0) {
        gsize piece;

        /* What comes proves that the full one is not the last. */
        if (writer->used == size) {
            if (!put_segment(writer, writer->plain, size, FALSE, error))
                return FALSE;
            writer->used = 0;
        }
        if (writer->used == 0 && length > size) {
            if (!put_segment(writer, at, size, FALSE, error))
                return FALSE;
            at += size;
            length -= size;
            continue;
        }
        piece = MIN(length, size - writer->used);
        memcpy(writer->plain + writer->used, at, piece);
        writer->used += piece;
        at += piece;
        length -= piece;
    }
    return TRUE;
}

gboolean seal_writer_finish(SealWriter *writer, GError **error)
{
    return put_segment(writer, writer->plain, writer->used, TRUE, error) && flush(writer, error);
}

void seal_writer_free(SealWriter *writer)
{
    if (writer == NULL)
        return;
    seal_cipher_free(writer->cipher);
    g_free(writer->plain);
    g_free(writer->sealed);
    g_free(writer);
}

/* --- reading ---------------------------------------------------------------------------------- */

struct SealReader {
    SealScope scope;
    CodecSink sink;
    gpointer data;
    guint8 header[SEAL_HEADER_SIZE];
    gsize header_length;
    SealCipher *cipher; /* NULL: the header has not all come */
    guint64 index;
    guint8 *stored; /* a segment that is not whole, or not known to be followed by another */
    gsize used;
    guint8 *plain;
};

SealReader *seal_reader_new(const SealScope *scope, CodecSink sink, gpointer data)
{
    SealReader *reader = g_new0(SealReader, 1);

    reader->scope = *scope;
    reader->sink = sink;
    reader->data = data;
    return reader;
}

void seal_reader_free(SealReader *reader)
{
    if (reader == NULL)
        return;
    seal_cipher_free(reader->cipher);
    g_free(reader->stored);
    g_free(reader->plain);
    g_free(reader);
}

static gboolean take_header(SealReader *reader, const guint8 **bytes, gsize *length, GError **error)
{
    gsize piece = MIN(*length, SEAL_HEADER_SIZE - reader->header_length);

    memcpy(reader->header + reader->header_length, *bytes, piece);
    reader->header_length += piece;
    *bytes += piece;
    *length -= piece;
    if (reader->header_length < SEAL_HEADER_SIZE)
        return TRUE;
    reader->cipher = seal_scope_open(&reader->scope, reader->header, SEAL_HEADER_SIZE, error);
    if (reader->cipher == NULL)
        return FALSE;
    reader->stored = g_malloc((gsize)reader->cipher->segment_size + SEAL_TAG_SIZE);
    reader->plain = g_malloc(reader->cipher->segment_size);
    return TRUE;
}

static gboolean take_segment(SealReader *reader, const guint8 *stored, gsize length, gboolean last,
                             GError **error)
{
    if (!seal_cipher_open(reader->cipher, reader->index, last, stored, length, reader->plain,
                          error))
        return FALSE;
    reader->index++;
    return length == SEAL_TAG_SIZE ||
           reader->sink(reader->plain, length - SEAL_TAG_SIZE, reader->data, error);
}

gboolean seal_reader_write(SealReader *reader, const void *bytes, gsize length, GError **error)
{
    const guint8 *at = bytes;
    gsize size;

    if (reader->cipher == NULL && !take_header(reader, &at, &length, error))
        return FALSE;
    if (reader->cipher == NULL)
        return TRUE;
    size = (gsize)reader->cipher->segment_size + SEAL_TAG_SIZE;
    while (length > 0) {
        gsize piece;

        if (reader->used == size) {
            if (!take_segment(reader, reader->stored, size, FALSE, error))
                return FALSE;
            reader->used = 0;
        }
        if (reader->used == 0 && length > size) {
            if (!take_segment(reader, at, size, FALSE, error))
                return FALSE;
            at += size;
            length -= size;
            continue;
        }
        piece = MIN(length, size - reader->used);
        memcpy(reader->stored + reader->used, at, piece);
        reader->used += piece;
        at += piece;
        length -= piece;
    }
    return TRUE;
}

gboolean seal_reader_finish(SealReader *reader, GError **error)
{
    if (reader->cipher == NULL) {
        error_set(error, ERROR_DAMAGED, "it is cut off in the header of its seal");
        return FALSE;
    }
    return take_segment(reader, reader->stored, reader->used, TRUE, error);
}
