/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealed objects: a header, then segments of AES-256-GCM, each followed by its tag. Every object
 * has a key of its own, derived by HKDF-SHA-256 from a data key, the whole header and the object's
 * name; the nonce is the number of the segment and whether it is the last. So a changed, cut,
 * reordered, moved or swapped object does not open, and a range is read without the rest. Layout,
 * reasons and test vectors: docs/formats.md, "Sealed objects".
 *
 * Threads: a SealCipher, SealWriter or SealReader is used by one thread at a time.
 */
#ifndef HOLDFAST_CODEC_SEAL_H
#define HOLDFAST_CODEC_SEAL_H

#include "codec/compress.h"

#define SEAL_KEY_SIZE     32
#define SEAL_ID_SIZE      16
#define SEAL_SALT_SIZE    32
#define SEAL_MAGIC_SIZE   8
#define SEAL_HEADER_SIZE  96
#define SEAL_TAG_SIZE     16
#define SEAL_CONTENT_SIZE 32                   /* digest of all plain bytes of an object */
#define SEAL_SEGMENT_SIZE ((guint32)64 * 1024) /* plain bytes of every segment but the last */

/* What an object is for: it opens only where that is expected. */
typedef enum {
    SEAL_BACKUP = 1, /* details and data of a backup */
    SEAL_POOL = 2,   /* packs and slices */
    SEAL_WAL = 3,    /* archived WAL */
    SEAL_RECORD = 4, /* what a record does not say in the clear */
} SealRole;

typedef struct {
    SealRole role;
    guint32 generation;   /* of the data key */
    guint32 segment_size; /* a power of two, 4 KiB to 1 MiB */
    guint8 repository[SEAL_ID_SIZE];
    guint8 object[SEAL_ID_SIZE]; /* random, or derived */
    guint8 salt[SEAL_SALT_SIZE]; /* the same */
} SealHeader;

/* A header for a new object of this repository (a UUID). */
void seal_header_init(SealHeader *header, SealRole role, guint32 generation,
                      const char *repository);
/* The same with an id and a salt that follow from the data key and from a digest of all plain bytes:
 * sealed twice, they are the same stored bytes. Two contents must never come with one digest. */
void seal_header_derive(SealHeader *header, SealRole role, guint32 generation,
                        const char *repository, const guint8 key[SEAL_KEY_SIZE],
                        const guint8 content[SEAL_CONTENT_SIZE]);
/* Whether bytes begin as a sealed object does. */
gboolean seal_has_magic(const guint8 *bytes, gsize length);

void seal_header_write(const SealHeader *header, guint8 out[SEAL_HEADER_SIZE]);
/* Trusts nothing. ERROR_DAMAGED, ERROR_NEWER_FORMAT. */
gboolean seal_header_read(const guint8 *bytes, gsize length, SealHeader *ret_header,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Bytes of a sealed object with so many plain bytes. */
guint64 seal_stored_size(guint64 plain_size);
/* And back. FALSE where no object is so long. */
gboolean seal_plain_size(guint64 stored_size, guint32 segment_size, guint64 *ret_size);

/* --- one object's key ------------------------------------------------------------------------- */

typedef struct SealCipher SealCipher;

/* `name` binds the object to its place; "" where the place is proven otherwise (the pool). */
SealCipher *seal_cipher_new(const SealHeader *header, const guint8 key[SEAL_KEY_SIZE],
                            const char *name);
void seal_cipher_free(SealCipher *cipher);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealCipher, seal_cipher_free)

guint32 seal_cipher_segment_size(const SealCipher *cipher);
/* Writes length + SEAL_TAG_SIZE bytes. Every (index, last) is sealed once in an object's life. */
void seal_cipher_seal(SealCipher *cipher, guint64 index, gboolean last, const void *plain,
                      gsize length, void *out);
/* Writes length - SEAL_TAG_SIZE bytes. ERROR_DAMAGED: nothing in `out` may be used then. */
gboolean seal_cipher_open(SealCipher *cipher, guint64 index, gboolean last, const void *stored,
                          gsize length, void *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What a reader expects of an object. */
typedef struct {
    SealRole role;
    const char *repository; /* a UUID */
    const char *name;
    /* The data key of a generation; NULL with an error where there is none. */
    const guint8 *(*find_key)(guint32 generation, gpointer data, GError **error);
    gpointer data;
} SealScope;

/* From an object's first bytes to its cipher. ERROR_DAMAGED for what is not sealed, or is an object
 * of another repository or role; ERROR_NEWER_FORMAT; what find_key() says. */
SealCipher *seal_scope_open(const SealScope *scope, const guint8 *bytes, gsize length,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- streams ---------------------------------------------------------------------------------- */

typedef struct SealWriter SealWriter;

SealWriter *seal_writer_new(const SealHeader *header, const guint8 key[SEAL_KEY_SIZE],
                            const char *name, CodecSink sink, gpointer data);
gboolean seal_writer_write(SealWriter *writer, const void *bytes, gsize length,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Writes the last segment. Once. */
gboolean seal_writer_finish(SealWriter *writer, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void seal_writer_free(SealWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealWriter, seal_writer_free)

typedef struct SealReader SealReader;

/* The sink sees only bytes that were proven. The scope, and what it points to, must outlive the
 * reader. */
SealReader *seal_reader_new(const SealScope *scope, CodecSink sink, gpointer data);
gboolean seal_reader_write(SealReader *reader, const void *bytes, gsize length,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* ERROR_DAMAGED where the object has not come to its end. */
gboolean seal_reader_finish(SealReader *reader, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void seal_reader_free(SealReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealReader, seal_reader_free)

/* --- keys for other uses ---------------------------------------------------------------------- */

/* HKDF-SHA-256 (RFC 5869): 32 bytes. */
void seal_derive(const void *secret, gsize secret_length, const void *salt, gsize salt_length,
                 const void *info, gsize info_length, guint8 ret_key[SEAL_KEY_SIZE]);

/* One key under another: AES-256-GCM with a random nonce, `about` is authenticated with it. */
#define SEAL_WRAPPED_SIZE (12 + SEAL_KEY_SIZE + SEAL_TAG_SIZE) /* nonce, key, tag */
void seal_wrap(const guint8 wrapping[SEAL_KEY_SIZE], const char *about,
               const guint8 key[SEAL_KEY_SIZE], guint8 ret_wrapped[SEAL_WRAPPED_SIZE]);
/* FALSE: another key, or other bytes. */
gboolean seal_unwrap(const guint8 wrapping[SEAL_KEY_SIZE], const char *about,
                     const guint8 wrapped[SEAL_WRAPPED_SIZE],
                     guint8 ret_key[SEAL_KEY_SIZE]) G_GNUC_WARN_UNUSED_RESULT;

/* scrypt (RFC 7914). ERROR_LIMIT where the parameters are beyond what we compute (1 GiB) or are
 * none. */
typedef struct {
    guint64 n;
    guint32 r, p;
} ScryptCost;
gboolean seal_scrypt(const void *passphrase, gsize length, const void *salt, gsize salt_length,
                     const ScryptCost *cost, guint8 ret_key[SEAL_KEY_SIZE],
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
