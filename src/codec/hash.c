/* SPDX-License-Identifier: Apache-2.0
 *
 * Hashes. OpenSSL and ISA-L choose the processor's own instructions at run time.
 */
#include "codec/hash.h"

#include <isa-l.h>
#include <openssl/evp.h>
#include <string.h>

struct Sha256 {
    EVP_MD_CTX *context;
};

static GPrivate thread_hash = G_PRIVATE_INIT((GDestroyNotify)sha256_free);

/* SHA-256 itself cannot fail: only missing memory or a crippled OpenSSL can, and there is no going
 * on then. */
static void must(int result)
{
    if (result != 1)
        g_error("OpenSSL cannot compute SHA-256");
}

/* Asking the provider for the algorithm costs more than hashing a small buffer: it is done once. */
static const EVP_MD *sha256_algorithm(void)
{
    static gsize fetched;

    if (g_once_init_enter(&fetched)) {
        EVP_MD *algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);

        must(algorithm != NULL);
        g_once_init_leave(&fetched, (gsize)algorithm);
    }
    return (const EVP_MD *)fetched;
}

Sha256 *sha256_new(void)
{
    Sha256 *hash = g_new0(Sha256, 1);

    hash->context = EVP_MD_CTX_new();
    must(hash->context != NULL);
    must(EVP_DigestInit_ex2(hash->context, sha256_algorithm(), NULL));
    return hash;
}

void sha256_update(Sha256 *hash, const void *bytes, gsize length)
{
    must(EVP_DigestUpdate(hash->context, bytes, length));
}

void sha256_finish(Sha256 *hash, guint8 digest[SHA256_SIZE])
{
    must(EVP_DigestFinal_ex(hash->context, digest, NULL));
}

void sha256_reset(Sha256 *hash)
{
    /* No algorithm: the one that the context has is begun anew, without a new allocation. */
    must(EVP_DigestInit_ex2(hash->context, NULL, NULL));
}

void sha256_free(Sha256 *hash)
{
    if (hash == NULL)
        return;
    EVP_MD_CTX_free(hash->context);
    g_free(hash);
}

void sha256_buffer(const void *bytes, gsize length, guint8 digest[SHA256_SIZE])
{
    Sha256 *hash = g_private_get(&thread_hash);

    if (hash == NULL) {
        hash = sha256_new();
        g_private_set(&thread_hash, hash);
    } else {
        sha256_reset(hash);
    }
    sha256_update(hash, bytes, length);
    sha256_finish(hash, digest);
}

void sha256_to_hex(const guint8 digest[SHA256_SIZE], char hex[SHA256_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    for (guint i = 0; i < SHA256_SIZE; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[SHA256_HEX_SIZE - 1] = '\0';
}

gboolean sha256_from_hex(const char *hex, guint8 digest[SHA256_SIZE])
{
    guint8 read[SHA256_SIZE];

    for (guint i = 0; i < SHA256_SIZE; i++) {
        int high = g_ascii_xdigit_value(hex[2 * i]);
        int low = high >= 0 ? g_ascii_xdigit_value(hex[2 * i + 1]) : -1;

        if (low < 0)
            return FALSE;
        read[i] = (guint8)(high << 4 | low);
    }
    if (hex[SHA256_HEX_SIZE - 1] != '\0')
        return FALSE;
    memcpy(digest, read, SHA256_SIZE);
    return TRUE;
}

guint32 crc32c(guint32 crc, const void *bytes, gsize length)
{
    unsigned char *at = (unsigned char *)bytes; /* ISA-L reads only */

    /* ISA-L leaves the inversion before and after to its caller, and counts in int. */
    crc = ~crc;
    while (length > 0) {
        int piece = (int)MIN(length, (gsize)1 << 30);

        crc = crc32_iscsi(at, piece, crc);
        at += piece;
        length -= (gsize)piece;
    }
    return ~crc;
}
