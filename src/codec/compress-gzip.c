/* SPDX-License-Identifier: Apache-2.0
 *
 * gzip (RFC 1952) through ISA-L. A stream may consist of several members, one after the other.
 */
#include "codec/driver.h"

#include <isa-l.h>

/* ISA-L counts in 32 bits. A buffer larger than this is compressed as several members. */
#define PIECE ((gsize)1 << 30)

/* Around a member: 10 bytes of header and 8 of trailer. Inside, what does not become smaller is
 * kept in stored blocks of up to 65535 bytes with 5 bytes before each. */
#define WRAPPER_SIZE 18
#define STORED_BLOCK 65535
#define STORED_HEAD  5

static const guint32 level_buffer_size[] = {
    ISAL_DEF_LVL0_DEFAULT,
    ISAL_DEF_LVL1_DEFAULT,
    ISAL_DEF_LVL2_DEFAULT,
    ISAL_DEF_LVL3_DEFAULT,
};

typedef struct {
    struct isal_zstream stream;
    guint8 *level_buffer; /* NULL at level 0 */
    guint8 out[CODEC_CHUNK];
} Encoder;

typedef struct {
    struct inflate_state state;
    gboolean in_member;  /* some of a member was read, not all */
    gboolean any_member; /* one at least was read whole */
    guint8 out[CODEC_CHUNK];
} Decoder;

static gpointer encoder_new(int level)
{
    Encoder *encoder = g_new(Encoder, 1);

    isal_deflate_init(&encoder->stream);
    encoder->level_buffer = g_malloc(level_buffer_size[level]);
    encoder->stream.level = (guint32)level;
    encoder->stream.level_buf = encoder->level_buffer;
    encoder->stream.level_buf_size = level_buffer_size[level];
    encoder->stream.gzip_flag = IGZIP_GZIP;
    return encoder;
}

static void encoder_free(gpointer state)
{
    Encoder *encoder = state;

    g_free(encoder->level_buffer);
    g_free(encoder);
}

/* Until the input is taken and, at the end, all of the stream is out. */
static gboolean encode(Encoder *encoder, const CodecOutput *output, GError **error)
{
    do {
        encoder->stream.next_out = encoder->out;
        encoder->stream.avail_out = sizeof encoder->out;
        if (isal_deflate(&encoder->stream) != COMP_OK) {
            codec_error_internal(error, &codec_gzip, "isa-l refuses its parameters");
            return FALSE;
        }
        if (!codec_emit(output, encoder->out, sizeof encoder->out - encoder->stream.avail_out,
                        error))
            return FALSE;
    } while (encoder->stream.avail_out == 0 || encoder->stream.avail_in > 0);
    return TRUE;
}

static gboolean encoder_write(gpointer state, const void *bytes, gsize length,
                              const CodecOutput *output, GError **error)
{
    Encoder *encoder = state;

    encoder->stream.next_in = (guint8 *)bytes; /* ISA-L reads only */
    while (length > 0) {
        gsize piece = MIN(length, PIECE);

        encoder->stream.avail_in = (guint32)piece;
        if (!encode(encoder, output, error))
            return FALSE;
        length -= piece;
    }
    return TRUE;
}

static gboolean encoder_finish(gpointer state, const CodecOutput *output, GError **error)
{
    Encoder *encoder = state;

    encoder->stream.end_of_stream = 1;
    encoder->stream.avail_in = 0;
    return encode(encoder, output, error);
}

static const char *inflate_reason(int result)
{
    switch (result) {
    case ISAL_INCORRECT_CHECKSUM:
        return "its checksum does not fit";
    case ISAL_INVALID_WRAPPER:
    case ISAL_UNSUPPORTED_METHOD:
        return "its header is not that of gzip";
    default:
        return "its blocks are not valid";
    }
}

/* Makes the state ready for the next member. ISA-L counts the bytes of a member, and checks the
 * count, in total_out. */
static void begin_member(struct inflate_state *state)
{
    isal_inflate_reset(state);
    state->crc_flag = ISAL_GZIP;
    state->total_out = 0;
}

static gpointer decoder_new(void)
{
    Decoder *decoder = g_new(Decoder, 1);

    isal_inflate_init(&decoder->state);
    decoder->state.avail_in = 0;
    decoder->in_member = FALSE;
    decoder->any_member = FALSE;
    begin_member(&decoder->state);
    return decoder;
}

static void decoder_free(gpointer state)
{
    g_free(state);
}

/* One step: at most a buffer full of output. */
static gboolean decode(Decoder *decoder, const CodecOutput *output, GError **error)
{
    int result;

    decoder->state.next_out = decoder->out;
    decoder->state.avail_out = sizeof decoder->out;
    result = isal_inflate(&decoder->state);
    if (result < 0 || result == ISAL_NEED_DICT) {
        codec_error_damaged(error, &codec_gzip, inflate_reason(result));
        return FALSE;
    }
    if (!codec_emit(output, decoder->out, sizeof decoder->out - decoder->state.avail_out, error))
        return FALSE;
    decoder->in_member = decoder->state.block_state != ISAL_BLOCK_FINISH;
    if (!decoder->in_member) {
        decoder->any_member = TRUE;
        begin_member(&decoder->state);
    }
    return TRUE;
}

static gboolean decoder_write(gpointer state, const void *bytes, gsize length,
                              const CodecOutput *output, GError **error)
{
    Decoder *decoder = state;

    decoder->state.next_in = (guint8 *)bytes; /* ISA-L reads only */
    while (length > 0) {
        gsize piece = MIN(length, PIECE);

        decoder->state.avail_in = (guint32)piece;
        length -= piece;
        do {
            if (!decode(decoder, output, error))
                return FALSE;
            /* A full buffer may mean that there is more inside. */
        } while (decoder->state.avail_in > 0 ||
                 (decoder->in_member && decoder->state.avail_out == 0));
    }
    return TRUE;
}

static gboolean decoder_finish(gpointer state, GError **error)
{
    const Decoder *decoder = state;

    if (decoder->any_member && !decoder->in_member)
        return TRUE;
    codec_error_cut(error, &codec_gzip);
    return FALSE;
}

static gsize bound(int level, gsize length)
{
    gsize members = length / PIECE + 1;
    gsize blocks = length / STORED_BLOCK + members;

    return length + members * WRAPPER_SIZE + blocks * STORED_HEAD;
}

typedef struct {
    struct isal_zstream stream;
    guint8 level_buffer[ISAL_DEF_LVL3_DEFAULT]; /* the largest */
} BufferEncoder;

static GPrivate thread_encoder = G_PRIVATE_INIT(g_free);
static GPrivate thread_decoder = G_PRIVATE_INIT(g_free);

static BufferEncoder *buffer_encoder(void)
{
    BufferEncoder *encoder = g_private_get(&thread_encoder);

    if (encoder == NULL) {
        encoder = g_new(BufferEncoder, 1);
        g_private_set(&thread_encoder, encoder);
    }
    return encoder;
}

static gboolean compress(CompressSpec spec, const void *bytes, gsize length, void *out,
                         gsize out_size, gsize *ret_length, GError **error)
{
    BufferEncoder *encoder = buffer_encoder();
    struct isal_zstream *stream = &encoder->stream;
    guint8 *from = (guint8 *)bytes; /* ISA-L reads only */
    guint8 *to = out;

    do {
        gsize piece = MIN(length, PIECE);
        /* With no more room than stored blocks need, ISA-L takes them where its codes would be
         * longer. */
        gsize room = MIN(out_size - (gsize)(to - (guint8 *)out), bound(spec.level, piece));

        isal_deflate_stateless_init(stream);
        stream->level = (guint32)spec.level;
        stream->level_buf = encoder->level_buffer;
        stream->level_buf_size = level_buffer_size[spec.level];
        stream->gzip_flag = IGZIP_GZIP;
        stream->end_of_stream = 1;
        stream->flush = NO_FLUSH;
        stream->next_in = from;
        stream->avail_in = (guint32)piece;
        stream->next_out = to;
        stream->avail_out = (guint32)room;
        if (isal_deflate_stateless(stream) != COMP_OK) {
            codec_error_no_room(error, &codec_gzip);
            return FALSE;
        }
        from += piece;
        length -= piece;
        to += room - stream->avail_out;
    } while (length > 0);
    *ret_length = (gsize)(to - (guint8 *)out);
    return TRUE;
}

static gboolean decompress(const void *bytes, gsize length, void *out, gsize out_size,
                           gsize *ret_length, GError **error)
{
    struct inflate_state *state = g_private_get(&thread_decoder);
    gsize read = 0, written = 0;

    if (state == NULL) {
        state = g_new(struct inflate_state, 1);
        g_private_set(&thread_decoder, state);
    }
    isal_inflate_init(state);
    do {
        guint32 in_size = (guint32)MIN(length - read, G_MAXUINT32);
        guint32 room = (guint32)MIN(out_size - written, G_MAXUINT32);
        int result;

        begin_member(state);
        state->next_in = (guint8 *)bytes + read; /* ISA-L reads only */
        state->avail_in = in_size;
        state->next_out = (guint8 *)out + written;
        state->avail_out = room;
        result = isal_inflate_stateless(state);
        if (result == ISAL_END_INPUT || (result == ISAL_DECOMP_OK && length == 0)) {
            codec_error_cut(error, &codec_gzip);
            return FALSE;
        }
        if (result == ISAL_OUT_OVERFLOW) {
            codec_error_damaged(error, &codec_gzip, "it holds more than was stored");
            return FALSE;
        }
        if (result != ISAL_DECOMP_OK) {
            codec_error_damaged(error, &codec_gzip, inflate_reason(result));
            return FALSE;
        }
        read += in_size - state->avail_in;
        written += room - state->avail_out;
    } while (read < length);
    *ret_length = written;
    return TRUE;
}

const CodecDriver codec_gzip = {
    .name = "gzip",
    .extension = "gz",
    .has_level = TRUE,
    .level_min = ISAL_DEF_MIN_LEVEL,
    .level_max = ISAL_DEF_MAX_LEVEL,
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
