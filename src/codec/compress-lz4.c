/* SPDX-License-Identifier: Apache-2.0
 *
 * lz4 in its frame format, with a checksum of the content in every frame.
 */
#include "codec/driver.h"

#include <lz4frame.h>

/* What one step of a stream takes in, so that its output has a bounded size. */
#define STEP CODEC_CHUNK

static void free_compression(gpointer context)
{
    LZ4F_freeCompressionContext(context);
}

static void free_decompression(gpointer context)
{
    LZ4F_freeDecompressionContext(context);
}

static GPrivate thread_compression = G_PRIVATE_INIT(free_compression);
static GPrivate thread_decompression = G_PRIVATE_INIT(free_decompression);

static LZ4F_cctx *new_compression(void)
{
    LZ4F_cctx *context = NULL;

    if (LZ4F_isError(LZ4F_createCompressionContext(&context, LZ4F_VERSION)))
        g_error("no memory for an lz4 context");
    return context;
}

static LZ4F_dctx *new_decompression(void)
{
    LZ4F_dctx *context = NULL;

    if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
        g_error("no memory for an lz4 context");
    return context;
}

static LZ4F_preferences_t preferences(int level)
{
    return (LZ4F_preferences_t){
        .frameInfo = {.blockSizeID = LZ4F_max256KB,
                      .contentChecksumFlag = LZ4F_contentChecksumEnabled},
        .compressionLevel = level,
    };
}

typedef struct {
    LZ4F_cctx *context;
    LZ4F_preferences_t preferences;
    gboolean begun;
    gsize out_size;
    guint8 *out;
} Encoder;

static gpointer encoder_new(int level)
{
    Encoder *encoder = g_new0(Encoder, 1);

    encoder->context = new_compression();
    encoder->preferences = preferences(level);
    encoder->out_size = MAX(LZ4F_compressBound(STEP, &encoder->preferences), LZ4F_HEADER_SIZE_MAX);
    encoder->out = g_malloc(encoder->out_size);
    return encoder;
}

static void encoder_free(gpointer state)
{
    Encoder *encoder = state;

    LZ4F_freeCompressionContext(encoder->context);
    g_free(encoder->out);
    g_free(encoder);
}

/* Hands on what a call of lz4 has produced, or its error. */
static gboolean emit_result(const Encoder *encoder, size_t result, const CodecOutput *output,
                            GError **error)
{
    if (LZ4F_isError(result)) {
        codec_error_internal(error, &codec_lz4, LZ4F_getErrorName(result));
        return FALSE;
    }
    return codec_emit(output, encoder->out, result, error);
}

static gboolean begin_frame(Encoder *encoder, const CodecOutput *output, GError **error)
{
    if (encoder->begun)
        return TRUE;
    encoder->begun = TRUE;
    return emit_result(encoder,
                       LZ4F_compressBegin(encoder->context, encoder->out, encoder->out_size,
                                          &encoder->preferences),
                       output, error);
}

static gboolean encoder_write(gpointer state, const void *bytes, gsize length,
                              const CodecOutput *output, GError **error)
{
    Encoder *encoder = state;
    const guint8 *at = bytes;

    if (!begin_frame(encoder, output, error))
        return FALSE;
    while (length > 0) {
        gsize piece = MIN(length, STEP);
        size_t result =
            LZ4F_compressUpdate(encoder->context, encoder->out, encoder->out_size, at, piece, NULL);

        if (!emit_result(encoder, result, output, error))
            return FALSE;
        at += piece;
        length -= piece;
    }
    return TRUE;
}

static gboolean encoder_finish(gpointer state, const CodecOutput *output, GError **error)
{
    Encoder *encoder = state;

    if (!begin_frame(encoder, output, error))
        return FALSE;
    return emit_result(encoder,
                       LZ4F_compressEnd(encoder->context, encoder->out, encoder->out_size, NULL),
                       output, error);
}

typedef struct {
    LZ4F_dctx *context;
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

    LZ4F_freeDecompressionContext(decoder->context);
    g_free(decoder);
}

static gboolean decoder_write(gpointer state, const void *bytes, gsize length,
                              const CodecOutput *output, GError **error)
{
    Decoder *decoder = state;
    const guint8 *at = bytes;
    size_t produced = 0;

    /* A full buffer may mean that there is more inside. */
    while (length > 0 || (produced == sizeof decoder->out && !decoder->at_end)) {
        size_t taken = length;
        size_t left;

        produced = sizeof decoder->out;
        left = LZ4F_decompress(decoder->context, decoder->out, &produced, at, &taken, NULL);
        if (LZ4F_isError(left)) {
            codec_error_damaged(error, &codec_lz4, LZ4F_getErrorName(left));
            return FALSE;
        }
        decoder->at_end = left == 0;
        at += taken;
        length -= taken;
        if (!codec_emit(output, decoder->out, produced, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean decoder_finish(gpointer state, GError **error)
{
    const Decoder *decoder = state;

    if (!decoder->at_end)
        codec_error_cut(error, &codec_lz4);
    return decoder->at_end;
}

/* Each piece is compressed at once: lz4 then keeps no input back, and no copy of it. */
static LZ4F_preferences_t buffer_preferences(int level, gsize length)
{
    LZ4F_preferences_t chosen = preferences(level);

    chosen.autoFlush = 1;
    chosen.frameInfo.contentSize = length;
    return chosen;
}

static gsize bound(int level, gsize length)
{
    LZ4F_preferences_t chosen = buffer_preferences(level, length);

    return LZ4F_HEADER_SIZE_MAX + LZ4F_compressBound(length, &chosen);
}

static gboolean compress_frame(LZ4F_cctx *context, const LZ4F_preferences_t *chosen,
                               const void *bytes, gsize length, guint8 *out, gsize out_size,
                               gsize *ret_length, GError **error)
{
    const LZ4F_compressOptions_t stable = {.stableSrc = 1};
    gsize done = 0;
    size_t result = LZ4F_compressBegin(context, out, out_size, chosen);

    if (!LZ4F_isError(result)) {
        done = result;
        result = LZ4F_compressUpdate(context, out + done, out_size - done, bytes, length, &stable);
    }
    if (!LZ4F_isError(result)) {
        done += result;
        result = LZ4F_compressEnd(context, out + done, out_size - done, &stable);
    }
    if (LZ4F_isError(result)) {
        codec_error_internal(error, &codec_lz4, LZ4F_getErrorName(result));
        return FALSE;
    }
    *ret_length = done + result;
    return TRUE;
}

static gboolean compress(CompressSpec spec, const void *bytes, gsize length, void *out,
                         gsize out_size, gsize *ret_length, GError **error)
{
    LZ4F_cctx *context = g_private_get(&thread_compression);
    LZ4F_preferences_t chosen = buffer_preferences(spec.level, length);

    /* lz4 wants room for the worst case before it begins. */
    if (out_size < bound(spec.level, length)) {
        codec_error_no_room(error, &codec_lz4);
        return FALSE;
    }
    if (context == NULL) {
        context = new_compression();
        g_private_set(&thread_compression, context);
    }
    return compress_frame(context, &chosen, bytes, length, out, out_size, ret_length, error);
}

static gboolean decompress_frames(LZ4F_dctx *context, const guint8 *bytes, gsize length,
                                  guint8 *out, gsize out_size, gsize *ret_length, GError **error)
{
    const LZ4F_decompressOptions_t stable = {.stableDst = 1};
    gsize read = 0, written = 0;
    size_t left;

    do {
        size_t taken = length - read;
        size_t produced = out_size - written;

        left = LZ4F_decompress(context, out + written, &produced, bytes + read, &taken, &stable);
        if (LZ4F_isError(left)) {
            codec_error_damaged(error, &codec_lz4, LZ4F_getErrorName(left));
            return FALSE;
        }
        read += taken;
        written += produced;
        if (left != 0 && taken == 0 && produced == 0) {
            if (read == length)
                codec_error_cut(error, &codec_lz4);
            else
                codec_error_damaged(error, &codec_lz4, "it holds more than was stored");
            return FALSE;
        }
    } while (read < length || left != 0);
    *ret_length = written;
    return TRUE;
}

static gboolean decompress(const void *bytes, gsize length, void *out, gsize out_size,
                           gsize *ret_length, GError **error)
{
    LZ4F_dctx *context = g_private_get(&thread_decompression);

    if (length == 0) {
        codec_error_cut(error, &codec_lz4);
        return FALSE;
    }
    if (context == NULL) {
        context = new_decompression();
        g_private_set(&thread_decompression, context);
    }
    if (decompress_frames(context, bytes, length, out, out_size, ret_length, error))
        return TRUE;
    /* It stopped inside a frame. lz4's own reset keeps how long that frame was to be. */
    g_private_replace(&thread_decompression, NULL);
    return FALSE;
}

const CodecDriver codec_lz4 = {
    .name = "lz4",
    .extension = "lz4",
    .has_level = TRUE,
    .level_min = 0,
    .level_max = 12,
    .level_default = 0,
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
