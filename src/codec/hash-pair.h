/* SPDX-License-Identifier: Apache-2.0
 *
 * Two SHA-256 in step. The processor's instructions for SHA-256 (Intel's SHA extensions) wait for
 * their own results: one stream keeps half of the unit busy, and a second one comes nearly for
 * nothing. Whoever hashes much that is not one stream (verify: the objects of a repository) takes
 * two of them at a time.
 *
 * The one place where Holdfast has a hash of its own: OpenSSL has no interface for two streams, and
 * no packaged library takes them piece by piece. Where the instructions are missing it is OpenSSL's
 * SHA-256, one stream after the other.
 */
#ifndef HOLDFAST_CODEC_HASH_PAIR_H
#define HOLDFAST_CODEC_HASH_PAIR_H

#include "codec/hash.h"

#define SHA256_STREAMS 2

typedef struct Sha256Pair Sha256Pair;

Sha256Pair *sha256_pair_new(void);
/* OpenSSL's, whatever the processor can do: for tests and comparisons. */
Sha256Pair *sha256_pair_new_portable(void);

/* The next piece of each stream; a length of 0: nothing of that one (bytes may be NULL then). What
 * one piece has more than the other is hashed alone. */
void sha256_pair_update(Sha256Pair *pair, const void *const bytes[SHA256_STREAMS],
                        const gsize lengths[SHA256_STREAMS]);

/* Ends one of the streams, which begins anew then; the other goes on. */
void sha256_pair_finish(Sha256Pair *pair, guint stream, guint8 digest[SHA256_SIZE]);

void sha256_pair_free(Sha256Pair *pair);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sha256Pair, sha256_pair_free)

#endif
