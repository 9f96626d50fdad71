/* SPDX-License-Identifier: Apache-2.0
 *
 * Deriving and wrapping keys.
 */
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/error.h"
#include "codec/seal-cipher.h"

#define SCRYPT_MEMORY ((guint64)1 << 30)

void seal_must(int result)
{
    if (result != 1)
        g_error("OpenSSL cannot do AES-256-GCM or derive keys");
}

/* Fetched once: asking the providers costs more than sealing a small object. */
const EVP_CIPHER *seal_algorithm(void)
{
    static gsize fetched;

    if (g_once_init_enter(&fetched)) {
        EVP_CIPHER *algorithm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);

        seal_must(algorithm != NULL);
        g_once_init_leave(&fetched, (gsize)algorithm);
    }
    return (const EVP_CIPHER *)fetched;
}

static EVP_KDF *hkdf(void)
{
    static gsize fetched;

    if (g_once_init_enter(&fetched)) {
        EVP_KDF *algorithm = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);

        seal_must(algorithm != NULL);
        g_once_init_leave(&fetched, (gsize)algorithm);
    }
    return (EVP_KDF *)fetched;
}

void seal_derive(const void *secret, gsize secret_length, const void *salt, gsize salt_length,
                 const void *info, gsize info_length, guint8 ret_key[SEAL_KEY_SIZE])
{
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(hkdf());
    OSSL_PARAM salt_parameter =
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, salt_length);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, secret_length),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_length),
        /* OpenSSL refuses an empty salt; without one it takes what the RFC puts in its place. */
        salt_length > 0 ? salt_parameter : OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };

    seal_must(context != NULL);
    seal_must(EVP_KDF_derive(context, ret_key, SEAL_KEY_SIZE, parameters));
    EVP_KDF_CTX_free(context);
}

/* --- wrapping --------------------------------------------------------------------------------- */

void seal_wrap(const guint8 wrapping[SEAL_KEY_SIZE], const char *about,
               const guint8 key[SEAL_KEY_SIZE], guint8 ret_wrapped[SEAL_WRAPPED_SIZE])
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    guint8 *sealed = ret_wrapped + SEAL_NONCE_SIZE;
    int done;

    seal_must(context != NULL);
    seal_must(RAND_bytes(ret_wrapped, SEAL_NONCE_SIZE));
    seal_must(EVP_EncryptInit_ex2(context, seal_algorithm(), wrapping, ret_wrapped, NULL));
    seal_must(EVP_EncryptUpdate(context, NULL, &done, (const guint8 *)about, (int)strlen(about)));
    seal_must(EVP_EncryptUpdate(context, sealed, &done, key, SEAL_KEY_SIZE));
    seal_must(EVP_EncryptFinal_ex(context, sealed + SEAL_KEY_SIZE, &done));
    seal_must(
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_SIZE, sealed + SEAL_KEY_SIZE));
    EVP_CIPHER_CTX_free(context);
}

gboolean seal_unwrap(const guint8 wrapping[SEAL_KEY_SIZE], const char *about,
                     const guint8 wrapped[SEAL_WRAPPED_SIZE], guint8 ret_key[SEAL_KEY_SIZE])
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    const guint8 *sealed = wrapped + SEAL_NONCE_SIZE;
    guint8 key[SEAL_KEY_SIZE];
    int done;
    gboolean good;

    seal_must(context != NULL);
    seal_must(EVP_DecryptInit_ex2(context, seal_algorithm(), wrapping, wrapped, NULL));
    seal_must(EVP_DecryptUpdate(context, NULL, &done, (const guint8 *)about, (int)strlen(about)));
    seal_must(EVP_DecryptUpdate(context, key, &done, sealed, SEAL_KEY_SIZE));
    seal_must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_SIZE,
                                  (void *)(sealed + SEAL_KEY_SIZE)));
    good = EVP_DecryptFinal_ex(context, key + SEAL_KEY_SIZE, &done) == 1;
    EVP_CIPHER_CTX_free(context);
    if (good)
        memcpy(ret_key, key, SEAL_KEY_SIZE);
    OPENSSL_cleanse(key, sizeof key);
    return good;
}

gboolean seal_scrypt(const void *passphrase, gsize length, const void *salt, gsize salt_length,
                     const ScryptCost *cost, guint8 ret_key[SEAL_KEY_SIZE], GError **error)
{
    if (cost->n < 2 || (cost->n & (cost->n - 1)) != 0 || cost->r < 1 || cost->r > 64 ||
        cost->p < 1 || cost->p > 64 || cost->n > SCRYPT_MEMORY / 128 / cost->r) {
        error_set(error, ERROR_LIMIT,
                  "scrypt with n=%" G_GUINT64_FORMAT " r=%u p=%u is beyond "
                  "what this program computes",
                  cost->n, cost->r, cost->p);
        return FALSE;
    }
    if (EVP_PBE_scrypt(passphrase, length, salt, salt_length, cost->n, cost->r, cost->p,
                       SCRYPT_MEMORY + ((guint64)64 << 20), ret_key, SEAL_KEY_SIZE) == 1)
        return TRUE;
    error_set(error, ERROR_LIMIT, "not enough memory for scrypt");
    return FALSE;
}
