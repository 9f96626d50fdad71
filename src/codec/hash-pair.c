/* SPDX-License-Identifier: Apache-2.0
 *
 * Two SHA-256 in step (FIPS 180-4), with Intel's SHA extensions (Software Developer's Manual, volume
 * 2: SHA256RNDS2, SHA256MSG1, SHA256MSG2).
 */
#include "codec/hash-pair.h"

#include <string.h>

#define BLOCK       64
#define LENGTH_SIZE 8 /* of the number of bits at a message's end */

typedef struct {
    guint32 state[8];
    guint8 rest[BLOCK]; /* begun, not yet a block */
    gsize held;
    guint64 length;
} Stream;

struct Sha256Pair {
    Stream streams[SHA256_STREAMS];
    Sha256 *portable[SHA256_STREAMS]; /* instead of them; or NULL */
};

static const guint32 initial_state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static void stream_begin(Stream *stream)
{
    memcpy(stream->state, initial_state, sizeof initial_state);
    stream->held = 0;
    stream->length = 0;
}

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>

#define WITH_SHA        __attribute__((target("sha,sse4.1")))
#define ALWAYS_WITH_SHA WITH_SHA __attribute__((always_inline)) static inline

static const guint32 round_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* A stream in registers: the state in the order in which SHA256RNDS2 has it, and the last sixteen
 * words of the message. */
typedef struct {
    __m128i abef, cdgh;
    __m128i words[4];
} Lane;

static gboolean has_instructions(void)
{
    unsigned a, b, c, d;

    return __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
           (b & bit_SHA) != 0;
}

ALWAYS_WITH_SHA void lane_load(Lane *lane, const guint32 state[8])
{
    __m128i dcba = _mm_loadu_si128((const __m128i *)state);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)(state + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);

    lane->abef = _mm_alignr_epi8(cdab, efgh, 8);
    lane->cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
}

ALWAYS_WITH_SHA void lane_store(const Lane *lane, guint32 state[8])
{
    __m128i feba = _mm_shuffle_epi32(lane->abef, 0x1b), dchg = _mm_shuffle_epi32(lane->cdgh, 0xb1);

    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* Four words of the message: its own in the first sixteen rounds, made of earlier ones later. */
ALWAYS_WITH_SHA __m128i lane_words(Lane *lane, const guint8 *block, int quarter)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i *words = lane->words, made;

    if (quarter < 4) {
        made = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)block + quarter), big_endian);
    } else {
        __m128i last = words[(quarter + 3) % 4], before = words[(quarter + 2) % 4];

        made = _mm_sha256msg1_epu32(words[quarter % 4], words[(quarter + 1) % 4]);
        made = _mm_add_epi32(made, _mm_alignr_epi8(last, before, 4));
        made = _mm_sha256msg2_epu32(made, last);
    }
    words[quarter % 4] = made;
    return made;
}

/* Hashes a block of each lane. All loops are unrolled, or the lanes would not stay in registers. */
ALWAYS_WITH_SHA void lanes_block(Lane *lanes, const guint8 *const *blocks, int count)
{
    __m128i abef[SHA256_STREAMS], cdgh[SHA256_STREAMS];

    for (int i = 0; i < count; i++) {
        abef[i] = lanes[i].abef;
        cdgh[i] = lanes[i].cdgh;
    }
#pragma GCC unroll 16
    for (int quarter = 0; quarter < 16; quarter++) {
        __m128i constants = _mm_load_si128((const __m128i *)round_constants + quarter);

#pragma GCC unroll 2
        for (int i = 0; i < count; i++) {
            Lane *lane = &lanes[i];
            __m128i sum = _mm_add_epi32(lane_words(lane, blocks[i], quarter), constants);

            lane->cdgh = _mm_sha256rnds2_epu32(lane->cdgh, lane->abef, sum);
            lane->abef =
                _mm_sha256rnds2_epu32(lane->abef, lane->cdgh, _mm_shuffle_epi32(sum, 0x0e));
        }
    }
    for (int i = 0; i < count; i++) {
        lanes[i].abef = _mm_add_epi32(lanes[i].abef, abef[i]);
        lanes[i].cdgh = _mm_add_epi32(lanes[i].cdgh, cdgh[i]);
    }
}

WITH_SHA static void hash_one(Stream *stream, const guint8 *bytes, gsize blocks)
{
    Lane lane;

    lane_load(&lane, stream->state);
    for (; blocks > 0; blocks--, bytes += BLOCK)
        lanes_block(&lane, &bytes, 1);
    lane_store(&lane, stream->state);
}

WITH_SHA static void hash_two(Stream *streams, const guint8 *const bytes[SHA256_STREAMS],
                              gsize blocks)
{
    const guint8 *at[SHA256_STREAMS] = {bytes[0], bytes[1]};
    Lane lanes[SHA256_STREAMS];

    lane_load(&lanes[0], streams[0].state);
    lane_load(&lanes[1], streams[1].state);
    for (; blocks > 0; blocks--, at[0] += BLOCK, at[1] += BLOCK)
        lanes_block(lanes, at, SHA256_STREAMS);
    lane_store(&lanes[0], streams[0].state);
    lane_store(&lanes[1], streams[1].state);
}

#else

static gboolean has_instructions(void)
{
    return FALSE;
}

static void hash_one(Stream *stream, const guint8 *bytes, gsize blocks)
{
    g_assert_not_reached();
}

static void hash_two(Stream *streams, const guint8 *const bytes[SHA256_STREAMS], gsize blocks)
{
    g_assert_not_reached();
}

#endif

/* --- streams of any length -------------------------------------------------------------------- */

/* Fills up a block that was begun. How many bytes that took. */
static gsize stream_fill(Stream *stream, const guint8 *bytes, gsize length)
{
    gsize taken = stream->held > 0 ? MIN(length, BLOCK - stream->held) : 0;

    if (taken == 0)
        return 0;
    memcpy(stream->rest + stream->held, bytes, taken);
    stream->held += taken;
    if (stream->held == BLOCK) {
        hash_one(stream, stream->rest, 1);
        stream->held = 0;
    }
    return taken;
}

/* Keeps what is no whole block; called with nothing held where anything is left. */
static void stream_keep(Stream *stream, const guint8 *bytes, gsize length)
{
    if (length == 0)
        return;
    memcpy(stream->rest, bytes, length);
    stream->held = length;
}

static void update(Sha256Pair *pair, const void *const bytes[SHA256_STREAMS],
                   const gsize lengths[SHA256_STREAMS])
{
    const guint8 *at[SHA256_STREAMS];
    gsize left[SHA256_STREAMS], common;

    for (guint i = 0; i < SHA256_STREAMS; i++) {
        gsize taken = stream_fill(&pair->streams[i], bytes[i], lengths[i]);

        pair->streams[i].length += lengths[i];
        left[i] = lengths[i] - taken;
        at[i] = left[i] > 0 ? (const guint8 *)bytes[i] + taken : NULL;
    }
    common = MIN(left[0], left[1]) / BLOCK;
    if (common > 0)
        hash_two(pair->streams, at, common);
    for (guint i = 0; i < SHA256_STREAMS; i++) {
        gsize alone = left[i] / BLOCK - common;

        if (left[i] == 0)
            continue;
        at[i] += common * BLOCK;
        if (alone > 0)
            hash_one(&pair->streams[i], at[i], alone);
        stream_keep(&pair->streams[i], at[i] + alone * BLOCK, left[i] % BLOCK);
    }
}

/* The padding: a bit, zeros, and the number of bits (FIPS 180-4, section 5.1.1). */
static void stream_end(Stream *stream, guint8 digest[SHA256_SIZE])
{
    guint8 padding[2 * BLOCK] = {0};
    guint64 bits = GUINT64_TO_BE(stream->length * 8);
    gsize blocks = stream->held + 1 + LENGTH_SIZE <= BLOCK ? 1 : 2;

    memcpy(padding, stream->rest, stream->held);
    padding[stream->held] = 0x80;
    memcpy(padding + blocks * BLOCK - LENGTH_SIZE, &bits, LENGTH_SIZE);
    hash_one(stream, padding, blocks);
    for (guint i = 0; i < G_N_ELEMENTS(stream->state); i++) {
        guint32 word = GUINT32_TO_BE(stream->state[i]);

        memcpy(digest + i * sizeof word, &word, sizeof word);
    }
}

/* --- the pair --------------------------------------------------------------------------------- */

static Sha256Pair *new_pair(gboolean own)
{
    Sha256Pair *pair = g_new0(Sha256Pair, 1);

    for (guint i = 0; i < SHA256_STREAMS; i++) {
        if (own)
            stream_begin(&pair->streams[i]);
        else
            pair->portable[i] = sha256_new();
    }
    return pair;
}

Sha256Pair *sha256_pair_new(void)
{
    return new_pair(has_instructions());
}

Sha256Pair *sha256_pair_new_portable(void)
{
    return new_pair(FALSE);
}

void sha256_pair_update(Sha256Pair *pair, const void *const bytes[SHA256_STREAMS],
                        const gsize lengths[SHA256_STREAMS])
{
    if (pair->portable[0] == NULL) {
        update(pair, bytes, lengths);
        return;
    }
    for (guint i = 0; i < SHA256_STREAMS; i++) {
        if (lengths[i] > 0)
            sha256_update(pair->portable[i], bytes[i], lengths[i]);
    }
}

void sha256_pair_finish(Sha256Pair *pair, guint stream, guint8 digest[SHA256_SIZE])
{
    if (pair->portable[stream] == NULL) {
        stream_end(&pair->streams[stream], digest);
        stream_begin(&pair->streams[stream]);
        return;
    }
    sha256_finish(pair->portable[stream], digest);
    sha256_reset(pair->portable[stream]);
}

void sha256_pair_free(Sha256Pair *pair)
{
    if (pair == NULL)
        return;
    for (guint i = 0; i < SHA256_STREAMS; i++)
        sha256_free(pair->portable[i]);
    g_free(pair);
}
