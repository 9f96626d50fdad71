/* SPDX-License-Identifier: Apache-2.0
 *
 * XXH3-128. Apart from the other hashes because the small executable that archives WAL needs none
 * of it, and links the static libxxhash, which lacks the choice by processor.
 */
#include "codec/hash.h"

#include <xxhash.h>

/* The plain function has the vectors that the library was compiled for, SSE2; this puts in its place
 * the one that asks the processor. The result is the same. */
#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h>
#endif

Hash128 xxh3_buffer(const void *bytes, gsize length, guint64 seed)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(bytes, length, seed);

    return (Hash128){.low = hash.low64, .high = hash.high64};
}
