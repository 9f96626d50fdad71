/* SPDX-License-Identifier: Apache-2.0
 *
 * Hashes: SHA-256 (OpenSSL; names and proves objects), XXH3-128 with a seed (finds changes, not
 * proof against malice) and CRC32C (Castagnoli, as PostgreSQL uses it; ISA-L).
 */
#ifndef HOLDFAST_CODEC_HASH_H
#define HOLDFAST_CODEC_HASH_H

#include <glib.h>

#define SHA256_SIZE     32
#define SHA256_HEX_SIZE 65 /* with the NUL */

typedef struct Sha256 Sha256;

Sha256 *sha256_new(void);
void sha256_update(Sha256 *hash, const void *bytes, gsize length);
/* Ends the hash; the object can only be freed or reset then. */
void sha256_finish(Sha256 *hash, guint8 digest[SHA256_SIZE]);
void sha256_reset(Sha256 *hash);
void sha256_free(Sha256 *hash);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sha256, sha256_free)

void sha256_buffer(const void *bytes, gsize length, guint8 digest[SHA256_SIZE]);

/* Lower-case hexadecimal. */
void sha256_to_hex(const guint8 digest[SHA256_SIZE], char hex[SHA256_HEX_SIZE]);
/* Exactly 64 hexadecimal digits, of either case; FALSE else. */
gboolean sha256_from_hex(const char *hex, guint8 digest[SHA256_SIZE]);

typedef struct {
    guint64 low, high;
} Hash128;

Hash128 xxh3_buffer(const void *bytes, gsize length, guint64 seed);

/* Starts with crc 0; the result of one call is the start of the next. */
guint32 crc32c(guint32 crc, const void *bytes, gsize length);

#endif
