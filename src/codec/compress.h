/* SPDX-License-Identifier: Apache-2.0
 *
 * Compression: zstd, gzip (RFC 1952, through ISA-L), lz4 (frame format) and none. Every stream that
 * is written here is read by the codec's own command line tool: zstd -d, gzip -d, lz4 -d. zstd
 * streams carry a checksum of their content.
 *
 * Threads: one Compressor or Decompressor is used by one thread at a time.
 */
#ifndef HOLDFAST_CODEC_COMPRESS_H
#define HOLDFAST_CODEC_COMPRESS_H

#include <glib.h>

typedef enum { CODEC_NONE, CODEC_ZSTD, CODEC_GZIP, CODEC_LZ4 } Codec;

/* What whole buffers hold; a codec that has no use for it passes it over, as streams do. */
typedef enum {
    COMPRESS_ANYTHING,
    COMPRESS_PAGES,         /* a database's pages: rows alike, of short columns */
    COMPRESS_SMALL_RECORDS, /* short records that repeat what stands close before them */
} CompressContent;

typedef struct {
    Codec codec;
    int level; /* zstd -5 to 19; gzip 0 to 3 (ISA-L's levels); lz4 0 to 12; none 0 */
    CompressContent content;
} CompressSpec;

#define COMPRESS_DEFAULT ((CompressSpec){CODEC_ZSTD, 1, COMPRESS_ANYTHING})

/* "zstd", "zstd:3", "gzip:1", "lz4", "none". Without a level the codec's default (zstd 1, gzip 1,
 * lz4 0). ERROR_CONFIG. */
gboolean compress_spec_parse(const char *text, CompressSpec *ret_spec,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "zstd:1"; "none" without a level. Free with g_free(). */
char *compress_spec_format(CompressSpec spec);

/* "zstd", "gzip", "lz4", "none". */
const char *codec_name(Codec codec);
gboolean codec_parse(const char *name, Codec *ret_codec, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "zst", "gz", "lz4"; NULL for none. */
const char *codec_extension(Codec codec);
/* By the extension of an object's path; *ret_stem (may be NULL) is the path without it. Free with
 * g_free(). */
Codec codec_of_path(const char *path, char **ret_stem);

/* Receives produced bytes; FALSE with an error stops the stream. The bytes are valid during the
 * call only. */
typedef gboolean (*CodecSink)(const void *bytes, gsize length, gpointer data, GError **error);

typedef struct Compressor Compressor;

Compressor *compressor_new(CompressSpec spec, CodecSink sink, gpointer data);
gboolean compressor_write(Compressor *compressor, const void *bytes, gsize length,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Ends the stream: what is still inside goes to the sink. Once. */
gboolean compressor_finish(Compressor *compressor, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void compressor_free(Compressor *compressor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Compressor, compressor_free)

typedef struct Decompressor Decompressor;

/* zstd windows above 128 MiB are refused (ERROR_LIMIT). */
Decompressor *decompressor_new(Codec codec, CodecSink sink, gpointer data);
/* ERROR_DAMAGED where the bytes are no such stream. Concatenated frames and zstd's skippable frames
 * are read through. */
gboolean decompressor_write(Decompressor *decompressor, const void *bytes, gsize length,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* ERROR_DAMAGED where the stream has not come to its end. */
gboolean decompressor_finish(Decompressor *decompressor, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void decompressor_free(Decompressor *decompressor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Decompressor, decompressor_free)

/* Whole buffers, for extents and pages, of which the caller keeps a hash: the frames carry no
 * checksum. Contexts are kept per thread, so that a call costs no set-up. */

/* The most bytes that compressing `length` bytes can take. */
gsize compress_bound(CompressSpec spec, gsize length);
/* With less room than compress_bound() this may fail with ERROR_LIMIT. */
gboolean compress_buffer(CompressSpec spec, const void *bytes, gsize length, void *out,
                         gsize out_size, gsize *ret_length,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The zstd frame that the bytes begin with, where all of it is there and it tells how much it holds;
 * FALSE else. For frames that are decompressed apart from each other. */
gboolean compress_zstd_frame(const void *bytes, gsize length, gsize *ret_stored,
                             guint64 *ret_plain);
/* The plain bytes must fit `out_size`: ERROR_DAMAGED else, or where the stream is broken. */
gboolean decompress_buffer(Codec codec, const void *bytes, gsize length, void *out, gsize out_size,
                           gsize *ret_length, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
