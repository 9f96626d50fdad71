/* SPDX-License-Identifier: Apache-2.0
 *
 * What compress.c asks of a codec. Inside codec/ only.
 */
#ifndef HOLDFAST_CODEC_DRIVER_H
#define HOLDFAST_CODEC_DRIVER_H

#include "codec/compress.h"

/* The size of the buffers that streams produce into. */
#define CODEC_CHUNK ((gsize)128 << 10)

/* Where a stream's bytes go. */
typedef struct {
    CodecSink func;
    gpointer data;
} CodecOutput;

typedef struct {
    const char *name;
    const char *extension; /* NULL: none */
    gboolean has_level;
    int level_min, level_max, level_default;

    /* Streams. `encoder_new` gets a level within the limits. `decoder_finish` fails where the
     * stream has not ended. */
    gpointer (*encoder_new)(int level);
    gboolean (*encoder_write)(gpointer encoder, const void *bytes, gsize length,
                              const CodecOutput *output, GError **error);
    gboolean (*encoder_finish)(gpointer encoder, const CodecOutput *output, GError **error);
    void (*encoder_free)(gpointer encoder);

    gpointer (*decoder_new)(void);
    gboolean (*decoder_write)(gpointer decoder, const void *bytes, gsize length,
                              const CodecOutput *output, GError **error);
    gboolean (*decoder_finish)(gpointer decoder, GError **error);
    void (*decoder_free)(gpointer decoder);

    /* Whole buffers, with contexts of the calling thread. The level is within the limits. */
    gsize (*bound)(int level, gsize length);
    gboolean (*compress)(CompressSpec spec, const void *bytes, gsize length, void *out,
                         gsize out_size, gsize *ret_length, GError **error);
    gboolean (*decompress)(const void *bytes, gsize length, void *out, gsize out_size,
                           gsize *ret_length, GError **error);
} CodecDriver;

extern const CodecDriver codec_zstd;
extern const CodecDriver codec_gzip;
extern const CodecDriver codec_lz4;

/* The errors that all codecs share, so that they read alike. */
void codec_error_damaged(GError **error, const CodecDriver *driver, const char *reason);
void codec_error_cut(GError **error, const CodecDriver *driver);
void codec_error_no_room(GError **error, const CodecDriver *driver);
void codec_error_internal(GError **error, const CodecDriver *driver, const char *reason);

/* Hands bytes on; nothing for none. */
gboolean codec_emit(const CodecOutput *output, const void *bytes, gsize length,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
