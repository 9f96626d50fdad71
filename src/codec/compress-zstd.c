/* SPDX-License-Identifier: Apache-2.0
 *
 * zstd (RFC 8878). Streams carry a checksum of their content; whole buffers do not, since whoever
 * compresses those keeps a hash of them, and checking twice costs a tenth of the time of
 * decompressing.
 */
#include "base/error.h"
#include "codec/driver.h"

#include <zstd.h>
#include <zstd_errors.h>

/* 128 MiB: what a stream from outside may make us allocate. `zstd -d` has the same limit. */
#define WINDOW_LOG_MAX 27

static void free_compression(gpointer context)
{
    ZSTD_freeCCtx(context);
}

static void free_decompression(gpointer context)
{
    ZSTD_freeDCtx(context);
}

static GPrivate thread_compression = G_PRIVATE_INIT(free_compression);
static GPrivate thread_decompression = G_PRIVATE_INIT(free_decompression);

static ZSTD_CCtx *new_compression(void)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();

    if (context == NULL)
        g_error("no memory for a zstd context");
    return context;
}

static ZSTD_DCtx *new_decompression(void)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();

    if (context == NULL)
        g_error("no memory for a zstd context");
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    return context;
}

/* Not every failure of reading is damage: a window too large for us may be whole. */
static void set_read_error(GError **error, size_t result)
{
    switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_frameParameter_windowTooLarge:
    case ZSTD_error_memory_allocation:
        error_set(error, ERROR_LIMIT, "the zstd stream needs more than %u MiB of memory",
                  1U << (WINDOW_LOG_MAX - 20));
        break;
    case ZSTD_error_srcSize_wrong:
        codec_error_cut(error, &codec_zstd);
        break;
    default:
        codec_error_damaged(error, &codec_zstd, ZSTD_getErrorName(result));
    }
}

typedef struct {
    ZSTD_CCtx *context;
    guint8 out[CODEC_CHUNK];
} Encoder;

/* Level 1 is made for small inputs and small caches. A dump is long: a larger table and window make
 * it 9% smaller for 15% more time of this step, which level 2 or 3 do not reach (COPY text of
 * ticks, bars and quotes: 186 MB by level 1, 175 by 2, 172 by 3, 169 like this; level 3 takes 40%
 * more time). */
static void tune_for_streams(ZSTD_CCtx *context)
{
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 22);
    ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, 17);
    ZSTD_CCtx_setParameter(context, ZSTD_c_minMatch, 6);
}

static gpointer encoder_new(int level)
{
    Encoder *encoder = g_new(Encoder, 1);

    encoder->context = new_compression();
    ZSTD_CCtx_setParameter(encoder->context, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setParameter(encoder->context, ZSTD_c_compressionLevel, level);
    if (level == 1)
        tune_for_streams(encoder->context);
    return encoder;
}

static void encoder_free(gpointer state)
{
    Encoder *encoder = state;

    ZSTD_freeCCtx(encoder->context);
    g_free(encoder);
}

/* Feeds the input in, and goes on until zstd has taken it all (ZSTD_e_continue) or given it all
 * (ZSTD_e_end). */
static gboolean encode(Encoder *encoder, ZSTD_inBuffer *input, ZSTD_EndDirective how,
                       const CodecOutput *output, GError **error)
{
    size_t left;

    do {
        ZSTD_outBuffer out = {encoder->out, sizeof encoder->out, 0};

        left = ZSTD_compressStream2(encoder->context, &out, input, how);
        if (ZSTD_isError(left)) {
            codec_error_internal(error, &codec_zstd, ZSTD_getErrorName(left));
            return FALSE;
        }
        if (!codec_emit(output, out.dst, out.pos, error))
            return FALSE;
    } while (how == ZSTD_e_end ? left != 0 : input->pos < input->size);
    return TRUE;
}

static gboolean encoder_write(gpointer state, const void *bytes, gsize length,
                              const CodecOutput *output, GError **error)
{
    ZSTD_inBuffer input = {bytes, length, 0};

    return encode(state, &input, ZSTD_e_continue, output, error);
}

static gboolean encoder_finish(gpointer state, const CodecOutput *output, GError **error)
{
    ZSTD_inBuffer input = {NULL, 0, 0};

    return encode(state, &input, ZSTD_e_end, output, error);
}

typedef struct {
    ZSTD_DCtx *context;
    gboolean at_end; /* the last byte was the last of a frame */
    guint8 out[CODEC_CHUNK];
} Decoder;

static gpointer decoder_new(void)
{
    Decoder *decoder = g_new(Decoder, 1);

    decoder->context = new_decompression();
    decoder->at_end = FALSE;
    return decoder;
}

static void decoder_free(gpointer state)
{
    Decoder *decoder = state;

    ZSTD_freeDCtx(decoder->context);
    g_free(decoder);
}

static gboolean decoder_write(gpointer state, const void *bytes, gsize length,
                              const CodecOutput *output, GError **error)
{
    Decoder *decoder = state;
    ZSTD_inBuffer input = {bytes, length, 0};
    gboolean full = FALSE;

    /* A full buffer may mean that there is more inside, except at the end of a frame: asking again
     * there would begin the next one. */
    while (input.pos < input.size || (full && !decoder->at_end)) {
        ZSTD_outBuffer out = {decoder->out, sizeof decoder->out, 0};
        size_t left = ZSTD_decompressStream(decoder->context, &out, &input);

        if (ZSTD_isError(left)) {
            set_read_error(error, left);
            return FALSE;
        }
        decoder->at_end = left == 0;
        full = out.pos == out.size;
        if (!codec_emit(output, out.dst, out.pos, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean decoder_finish(gpointer state, GError **error)
{
    const Decoder *decoder = state;

    if (!decoder->at_end)
        codec_error_cut(error, &codec_zstd);
    return decoder->at_end;
}

static gsize bound(int level, gsize length)
{
    return ZSTD_compressBound(length);
}

/* Level 1 has a table of 64 KiB and, for more than 256 KiB, looks for matches of 7 bytes. In extents of
 * tables and indexes matches of 6 bytes, found with a quarter of the table, take 6% less time and as
 * much room (with half of it 2% less room, and no less time). On WAL (of COPY, INSERT and index
 * builds) a table of 8 KiB, which stays in the first cache, takes 18% less time, and what it finds,
 * being near, takes 2% less room. */
static void tune_for_content(ZSTD_CCtx *context, CompressSpec spec)
{
    /* 0 is what the level says: the context may have served other content before. */
    int table = 0, match = 0;

    if (spec.level == 1 && spec.content == COMPRESS_PAGES) {
        table = 12;
        match = 6;
    } else if (spec.level == 1 && spec.content == COMPRESS_SMALL_RECORDS) {
        table = 11;
        match = 7;
    }
    ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, table);
    ZSTD_CCtx_setParameter(context, ZSTD_c_minMatch, match);
}

static gboolean compress(CompressSpec spec, const void *bytes, gsize length, void *out,
                         gsize out_size, gsize *ret_length, GError **error)
{
    ZSTD_CCtx *context = g_private_get(&thread_compression);
    size_t result;

    if (context == NULL) {
        context = new_compression();
        g_private_set(&thread_compression, context);
    }
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, spec.level);
    tune_for_content(context, spec);
    result = ZSTD_compress2(context, out, out_size, bytes, length);
    if (ZSTD_isError(result)) {
        if (ZSTD_getErrorCode(result) == ZSTD_error_dstSize_tooSmall)
            codec_error_no_room(error, &codec_zstd);
        else
            codec_error_internal(error, &codec_zstd, ZSTD_getErrorName(result));
        return FALSE;
    }
    *ret_length = result;
    return TRUE;
}

static gboolean decompress(const void *bytes, gsize length, void *out, gsize out_size,
                           gsize *ret_length, GError **error)
{
    ZSTD_DCtx *context = g_private_get(&thread_decompression);
    size_t result;

    if (length == 0) {
        codec_error_cut(error, &codec_zstd);
        return FALSE;
    }
    if (context == NULL) {
        context = new_decompression();
        g_private_set(&thread_decompression, context);
    }
    result = ZSTD_decompressDCtx(context, out, out_size, bytes, length);
    if (ZSTD_isError(result)) {
        set_read_error(error, result);
        return FALSE;
    }
    *ret_length = result;
    return TRUE;
}

gboolean compress_zstd_frame(const void *bytes, gsize length, gsize *ret_stored, guint64 *ret_plain)
{
    size_t stored = ZSTD_findFrameCompressedSize(bytes, length);
    unsigned long long plain = ZSTD_getFrameContentSize(bytes, length);

    if (ZSTD_isError(stored) || plain == ZSTD_CONTENTSIZE_UNKNOWN ||
        plain == ZSTD_CONTENTSIZE_ERROR)
        return FALSE;
    *ret_stored = stored;
    *ret_plain = plain;
    return TRUE;
}

const CodecDriver codec_zstd = {
    .name = "zstd",
    .extension = "zst",
    .has_level = TRUE,
    .level_min = -5,
    .level_max = 19,
    .level_default = 1,
    .encoder_new = encoder_new,
    .encoder_write = encoder_write,
    .encoder_finish = encoder_finish,
    .encoder_free = encoder_free,
    .decoder_new = decoder_new,
    .decoder_write = decoder_write,
    .decoder_finish = decoder_finish,
    .decoder_free = decoder_free,
    .bound = bound,
    .compress = compress,
    .decompress = decompress,
};
