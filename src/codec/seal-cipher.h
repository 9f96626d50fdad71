/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the seal share: OpenSSL's algorithms. Inside codec/ only.
 */
#ifndef HOLDFAST_CODEC_SEAL_CIPHER_H
#define HOLDFAST_CODEC_SEAL_CIPHER_H

#include <openssl/evp.h>

#include "codec/seal.h"

#define SEAL_NONCE_SIZE 12

/* AES-256-GCM, fetched once. */
const EVP_CIPHER *seal_algorithm(void);

/* These algorithms cannot fail but for missing memory or a crippled OpenSSL, and there is no going
 * on then. */
void seal_must(int result);

#endif
