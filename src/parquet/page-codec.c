/* SPDX-License-Identifier: Apache-2.0
 *
 * zstd and gzip come from codec/; snappy and raw LZ4 blocks are used by nothing else, and are
 * called here.
 */
#include "parquet/page-codec.h"

#ifdef HAVE_BROTLI
#include <brotli/decode.h>
#endif
#include <lz4.h>
#include <snappy-c.h>
#include <string.h>

#include "base/error.h"
#include "codec/compress.h"

static CompressSpec spec_of(ParquetCodec codec, gint level)
{
    return (CompressSpec){codec == PARQUET_CODEC_ZSTD ? CODEC_ZSTD : CODEC_GZIP, level};
}

gboolean page_codec_can_write(ParquetCodec codec)
{
    return codec == PARQUET_CODEC_NONE || codec == PARQUET_CODEC_ZSTD ||
           codec == PARQUET_CODEC_GZIP || codec == PARQUET_CODEC_SNAPPY ||
           codec == PARQUET_CODEC_LZ4_RAW;
}

gsize page_codec_bound(ParquetCodec codec, gint level, gsize length)
{
    switch (codec) {
    case PARQUET_CODEC_ZSTD:
    case PARQUET_CODEC_GZIP:
        return compress_bound(spec_of(codec, level), length);
    case PARQUET_CODEC_SNAPPY:
        return snappy_max_compressed_length(length);
    case PARQUET_CODEC_LZ4_RAW:
        return length <= LZ4_MAX_INPUT_SIZE ? (gsize)LZ4_compressBound((int)length) : length;
    default:
        return length;
    }
}

static gboolean fail_compress(ParquetCodec codec, GError **error)
{
    error_set(error, ERROR_INTERNAL, "%s cannot compress a page", parquet_codec_name(codec));
    return FALSE;
}

gboolean page_codec_compress(ParquetCodec codec, gint level, const void *bytes, gsize length,
                             void *out, gsize *ret_length, GError **error)
{
    gsize bound = page_codec_bound(codec, level, length);
    int size;

    switch (codec) {
    case PARQUET_CODEC_NONE:
        memcpy(out, bytes, length);
        *ret_length = length;
        return TRUE;
    case PARQUET_CODEC_ZSTD:
    case PARQUET_CODEC_GZIP:
        return compress_buffer(spec_of(codec, level), bytes, length, out, bound, ret_length, error);
    case PARQUET_CODEC_SNAPPY:
        if (snappy_compress(bytes, length, out, &bound) != SNAPPY_OK)
            return fail_compress(codec, error);
        *ret_length = bound;
        return TRUE;
    case PARQUET_CODEC_LZ4_RAW:
        size = length > LZ4_MAX_INPUT_SIZE
                   ? 0
                   : LZ4_compress_default(bytes, out, (int)length, (int)bound);
        if (size <= 0)
            return fail_compress(codec, error);
        *ret_length = (gsize)size;
        return TRUE;
    default:
        return fail_compress(codec, error);
    }
}

static gboolean fail_damaged(ParquetCodec codec, GError **error)
{
    error_set(error, ERROR_DAMAGED, "page is not what %s compressed", parquet_codec_name(codec));
    return FALSE;
}

static gboolean decompress_snappy(const void *bytes, gsize length, void *out, gsize out_length,
                                  GError **error)
{
    gsize plain;

    if (snappy_uncompressed_length(bytes, length, &plain) != SNAPPY_OK || plain != out_length ||
        snappy_uncompress(bytes, length, out, &plain) != SNAPPY_OK || plain != out_length)
        return fail_damaged(PARQUET_CODEC_SNAPPY, error);
    return TRUE;
}

static gboolean decompress_lz4(const guint8 *bytes, gsize length, guint8 *out, gsize out_length)
{
    return length <= G_MAXINT32 && out_length <= G_MAXINT32 &&
           LZ4_decompress_safe((const char *)bytes, (char *)out, (int)length, (int)out_length) ==
               (int)out_length;
}

static guint32 load_be32(const guint8 *bytes)
{
    guint32 value;

    memcpy(&value, bytes, 4);
    return GUINT32_FROM_BE(value);
}

/* The framing that Hadoop puts around LZ4 blocks: plain and stored length, big-endian, before
 * each. */
static gboolean decompress_hadoop(const guint8 *bytes, gsize length, guint8 *out, gsize out_length)
{
    while (length >= 8) {
        guint32 plain = load_be32(bytes), stored = load_be32(bytes + 4);

        if (stored > length - 8 || plain > out_length ||
            !decompress_lz4(bytes + 8, stored, out, plain))
            return FALSE;
        bytes += 8 + stored;
        length -= 8 + stored;
        out += plain;
        out_length -= plain;
    }
    return length == 0 && out_length == 0;
}

#ifdef HAVE_BROTLI
static gboolean decompress_brotli(const void *bytes, gsize length, void *out, gsize out_length,
                                  GError **error)
{
    gsize plain = out_length;

    if (BrotliDecoderDecompress(length, bytes, &plain, out) != BROTLI_DECODER_RESULT_SUCCESS ||
        plain != out_length)
        return fail_damaged(PARQUET_CODEC_BROTLI, error);
    return TRUE;
}
#endif

gboolean page_codec_decompress(ParquetCodec codec, const void *bytes, gsize length, void *out,
                               gsize out_length, GError **error)
{
    gsize plain = 0;

    switch (codec) {
    case PARQUET_CODEC_NONE:
        if (length != out_length)
            return fail_damaged(codec, error);
        memcpy(out, bytes, length);
        return TRUE;
    case PARQUET_CODEC_ZSTD:
    case PARQUET_CODEC_GZIP:
        if (!decompress_buffer(spec_of(codec, 0).codec, bytes, length, out, out_length, &plain,
                               error))
            return FALSE;
        return plain == out_length || fail_damaged(codec, error);
    case PARQUET_CODEC_SNAPPY:
        return decompress_snappy(bytes, length, out, out_length, error);
    case PARQUET_CODEC_LZ4_RAW:
        return decompress_lz4(bytes, length, out, out_length) || fail_damaged(codec, error);
    case PARQUET_CODEC_LZ4_OLD:
        /* Some writers put bare blocks under this number. */
        return decompress_hadoop(bytes, length, out, out_length) ||
               decompress_lz4(bytes, length, out, out_length) || fail_damaged(codec, error);
#ifdef HAVE_BROTLI
    case PARQUET_CODEC_BROTLI:
        return decompress_brotli(bytes, length, out, out_length, error);
#endif
    default:
        error_set(error, ERROR_UNSUPPORTED, "pages compressed with %s cannot be read",
                  parquet_codec_name(codec));
        return FALSE;
    }
}
