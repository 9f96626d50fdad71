/* SPDX-License-Identifier: Apache-2.0
 *
 * Compression of whole pages by the codecs of the format.
 */
#ifndef HOLDFAST_PARQUET_PAGE_CODEC_H
#define HOLDFAST_PARQUET_PAGE_CODEC_H

#include <glib.h>

#include "parquet/metadata.h"

/* True for codecs that pages can be written with. */
gboolean page_codec_can_write(ParquetCodec codec);

/* The most bytes that compressing `length` bytes takes. */
gsize page_codec_bound(ParquetCodec codec, gint level, gsize length);

/* Compresses into `out`, which has page_codec_bound() bytes. `level` is that of zstd or gzip; the
 * others have none. */
gboolean page_codec_compress(ParquetCodec codec, gint level, const void *bytes, gsize length,
                             void *out, gsize *ret_length,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The plain bytes must be `out_length`, no more and no less: ERROR_DAMAGED else. ERROR_UNSUPPORTED
 * for LZO and what is no codec. */
gboolean page_codec_decompress(ParquetCodec codec, const void *bytes, gsize length, void *out,
                               gsize out_length, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
