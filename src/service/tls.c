/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates. One that was replaced is kept until the end, since a handshake may be using it, and
 * GnuTLS does not say when it is done.
 */
#include "service/tls.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"

#define PEM_LIMIT   (256 * 1024)
#define CHAIN_LIMIT 16

typedef struct {
    gnutls_pcert_st chain[CHAIN_LIMIT];
    unsigned int length;
    gnutls_privkey_t key;
    char *fingerprint; /* of the files' bytes */
} Credentials;

struct Tls {
    GPtrArray *all; /* Credentials; the last one is in force */
};

static GMutex mutex; /* guards all below, and what is in it */
static Tls *in_force;

static void credentials_free(gpointer data)
{
    Credentials *credentials = data;

    for (unsigned int i = 0; i < credentials->length; i++)
        gnutls_pcert_deinit(&credentials->chain[i]);
    if (credentials->key != NULL)
        gnutls_privkey_deinit(credentials->key);
    g_free(credentials->fingerprint);
    g_free(credentials);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Credentials, credentials_free)

static gboolean fail_tls(const char *path, int code, GError **error)
{
    error_set(error, ERROR_CONFIG, "%s cannot be used: %s", path, gnutls_strerror(code));
    return FALSE;
}

/* The key must be that of the chain's first certificate. */
static gboolean check_pair(const Credentials *credentials, const char *certificate, const char *key,
                           GError **error)
{
    guint8 ours[64], theirs[64];
    size_t ours_size = sizeof(ours), theirs_size = sizeof(theirs);
    gnutls_pubkey_t public = NULL;
    int code = gnutls_pubkey_init(&public);

    if (code == 0)
        code = gnutls_pubkey_import_privkey(public, credentials->key, 0, 0);
    if (code == 0)
        code = gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, ours, &ours_size);
    gnutls_pubkey_deinit(public);
    if (code == 0)
        code = gnutls_pubkey_get_key_id(credentials->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256,
                                        theirs, &theirs_size);
    if (code != 0)
        return fail_tls(key, code, error);
    if (ours_size == theirs_size && memcmp(ours, theirs, ours_size) == 0)
        return TRUE;
    error_set(error, ERROR_CONFIG, "%s is not the key of the certificate in %s", key, certificate);
    return FALSE;
}

static gboolean import(Credentials *credentials, const char *certificate,
                       const char *certificate_pem, gsize certificate_length, const char *key,
                       const char *key_pem, gsize key_length, GError **error)
{
    const gnutls_datum_t certificate_datum = {(unsigned char *)certificate_pem,
                                              (unsigned int)certificate_length};
    const gnutls_datum_t key_datum = {(unsigned char *)key_pem, (unsigned int)key_length};
    unsigned int count = CHAIN_LIMIT;
    int code = gnutls_pcert_list_import_x509_raw(credentials->chain, &count, &certificate_datum,
                                                 GNUTLS_X509_FMT_PEM, 0);

    if (code < 0)
        return fail_tls(certificate, code, error);
    credentials->length = count;
    code = gnutls_privkey_init(&credentials->key);
    if (code == 0)
        code = gnutls_privkey_import_x509_raw(credentials->key, &key_datum, GNUTLS_X509_FMT_PEM,
                                              NULL, 0);
    if (code < 0)
        return fail_tls(key, code, error);
    return check_pair(credentials, certificate, key, error);
}

static Credentials *read_credentials(const char *certificate, const char *key, GError **error)
{
    g_autoptr(Credentials) credentials = g_new0(Credentials, 1);
    g_autofree char *certificate_pem = NULL;
    g_autofree char *key_pem = NULL;
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    gsize certificate_length, key_length;
    gboolean result;

    if (!file_check_private(key, FALSE, error) ||
        !file_read(certificate, PEM_LIMIT, &certificate_pem, &certificate_length, error) ||
        !file_read(key, PEM_LIMIT, &key_pem, &key_length, error))
        return NULL;
    g_checksum_update(checksum, (const guchar *)certificate_pem, (gssize)certificate_length);
    g_checksum_update(checksum, (const guchar *)key_pem, (gssize)key_length);
    credentials->fingerprint = g_strdup(g_checksum_get_string(checksum));
    result = import(credentials, certificate, certificate_pem, certificate_length, key, key_pem,
                    key_length, error);
    explicit_bzero(key_pem, key_length);
    return result ? g_steal_pointer(&credentials) : NULL;
}

gboolean tls_check(const char *certificate, const char *key, GError **error)
{
    g_autoptr(Credentials) credentials = read_credentials(certificate, key, error);

    return credentials != NULL;
}

Tls *tls_new(const char *certificate, const char *key, GError **error)
{
    g_autoptr(Credentials) credentials = read_credentials(certificate, key, error);
    Tls *tls;

    if (credentials == NULL)
        return NULL;
    tls = g_new0(Tls, 1);
    tls->all = g_ptr_array_new_with_free_func(credentials_free);
    g_ptr_array_add(tls->all, g_steal_pointer(&credentials));
    g_mutex_lock(&mutex);
    in_force = tls;
    g_mutex_unlock(&mutex);
    return tls;
}

void tls_free(Tls *tls)
{
    if (tls == NULL)
        return;
    g_mutex_lock(&mutex);
    if (in_force == tls)
        in_force = NULL;
    g_mutex_unlock(&mutex);
    g_ptr_array_unref(tls->all);
    g_free(tls);
}

/* With the mutex held. */
static Credentials *newest(const Tls *tls)
{
    return g_ptr_array_index(tls->all, tls->all->len - 1);
}

gboolean tls_reload(Tls *tls, const char *certificate, const char *key, GError **error)
{
    g_autoptr(Credentials) credentials = read_credentials(certificate, key, error);

    if (credentials == NULL)
        return FALSE;
    g_mutex_lock(&mutex);
    if (strcmp(credentials->fingerprint, newest(tls)->fingerprint) != 0)
        g_ptr_array_add(tls->all, g_steal_pointer(&credentials));
    g_mutex_unlock(&mutex);
    return TRUE;
}

int tls_retrieve(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
                 const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                 gnutls_pcert_st **ret_chain, unsigned int *ret_length, gnutls_privkey_t *ret_key)
{
    Credentials *credentials;

    g_mutex_lock(&mutex);
    credentials = in_force != NULL ? newest(in_force) : NULL;
    if (credentials != NULL) {
        *ret_chain = credentials->chain;
        *ret_length = credentials->length;
        *ret_key = credentials->key;
    }
    g_mutex_unlock(&mutex);
    return credentials != NULL ? 0 : -1;
}
