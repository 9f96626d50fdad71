/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's certificate: read from files, checked, and replaced while connections go on.
 *
 * Threads: any. Every connection gets the certificate of the moment of its handshake.
 */
#ifndef HOLDFAST_SERVICE_TLS_H
#define HOLDFAST_SERVICE_TLS_H

#include <glib.h>
#include <gnutls/abstract.h>

typedef struct Tls Tls;

/* Certificate chain and key as PEM files. The key may not be readable by others. ERROR_CONFIG where
 * they do not belong together. */
Tls *tls_new(const char *certificate, const char *key, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Whether that could be done, without doing it. */
gboolean tls_check(const char *certificate, const char *key,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
void tls_free(Tls *tls);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tls, tls_free)

/* Reads the files (perhaps others) again. After a failure the old certificate stays. */
gboolean tls_reload(Tls *tls, const char *certificate, const char *key,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Hands out the certificate in force; a gnutls_certificate_retrieve_function2. GnuTLS tells such a
 * function nothing of the server, so that a process has only one Tls at a time. */
int tls_retrieve(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
                 const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                 gnutls_pcert_st **ret_chain, unsigned int *ret_length, gnutls_privkey_t *ret_key);

#endif
