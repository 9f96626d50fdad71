/* SPDX-License-Identifier: Apache-2.0
 *
 * The codecs behind one interface: a table of drivers, one file each, and the driver "none", which
 * is here.
 */
#include "codec/compress.h"

#include "base/error.h"
#include "codec/driver.h"

#include <string.h>

/* ---- none ---- */

static gpointer none_new(int level)
{
    return NULL;
}

static gboolean none_write(gpointer state, const void *bytes, gsize length,
                           const CodecOutput *output, GError **error)
{
    return codec_emit(output, bytes, length, error);
}

static gboolean none_encoder_finish(gpointer state, const CodecOutput *output, GError **error)
{
    return TRUE;
}

static gpointer none_decoder_new(void)
{
    return NULL;
}

static gboolean none_decoder_finish(gpointer state, GError **error)
{
    return TRUE;
}

static void none_free(gpointer state)
{
}

static gsize none_bound(int level, gsize length)
{
    return length;
}

static gboolean none_copy(const void *bytes, gsize length, void *out, gsize out_size,
                          gsize *ret_length, GError **error)
{
    if (length > out_size) {
        error_set(error, ERROR_DAMAGED, "the stored bytes are more than the plain ones were");
        return FALSE;
    }
    if (length > 0)
        memcpy(out, bytes, length);
    *ret_length = length;
    return TRUE;
}

static const CodecDriver codec_none;

static gboolean none_compress(CompressSpec spec, const void *bytes, gsize length, void *out,
                              gsize out_size, gsize *ret_length, GError **error)
{
    if (length > out_size) {
        codec_error_no_room(error, &codec_none);
        return FALSE;
    }
    return none_copy(bytes, length, out, out_size, ret_length, error);
}

static const CodecDriver codec_none = {
    .name = "none",
    .encoder_new = none_new,
    .encoder_write = none_write,
    .encoder_finish = none_encoder_finish,
    .encoder_free = none_free,
    .decoder_new = none_decoder_new,
    .decoder_write = none_write,
    .decoder_finish = none_decoder_finish,
    .decoder_free = none_free,
    .bound = none_bound,
    .compress = none_compress,
    .decompress = none_copy,
};

/* ---- the table ---- */

static const CodecDriver *const drivers[] = {
    [CODEC_NONE] = &codec_none,
    [CODEC_ZSTD] = &codec_zstd,
    [CODEC_GZIP] = &codec_gzip,
    [CODEC_LZ4] = &codec_lz4,
};

static const CodecDriver *driver_of(Codec codec)
{
    g_assert((guint)codec < G_N_ELEMENTS(drivers));
    return drivers[codec];
}

void codec_error_damaged(GError **error, const CodecDriver *driver, const char *reason)
{
    error_set(error, ERROR_DAMAGED, "damaged %s stream: %s", driver->name, reason);
}

void codec_error_cut(GError **error, const CodecDriver *driver)
{
    codec_error_damaged(error, driver, "it ends too early");
}

void codec_error_no_room(GError **error, const CodecDriver *driver)
{
    error_set(error, ERROR_LIMIT, "the %s stream is larger than the space for it", driver->name);
}

void codec_error_internal(GError **error, const CodecDriver *driver, const char *reason)
{
    error_set(error, ERROR_INTERNAL, "%s cannot compress: %s", driver->name, reason);
}

gboolean codec_emit(const CodecOutput *output, const void *bytes, gsize length, GError **error)
{
    return length == 0 || output->func(bytes, length, output->data, error);
}

/* ---- names ---- */

const char *codec_name(Codec codec)
{
    return driver_of(codec)->name;
}

const char *codec_extension(Codec codec)
{
    return driver_of(codec)->extension;
}

Codec codec_of_path(const char *path, char **ret_stem)
{
    const char *dot = strrchr(path, '.');
    Codec codec = CODEC_NONE;

    for (Codec known = CODEC_ZSTD; dot != NULL && known <= CODEC_LZ4; known++) {
        if (strcmp(dot + 1, codec_extension(known)) == 0)
            codec = known;
    }
    if (ret_stem != NULL)
        *ret_stem = codec != CODEC_NONE ? g_strndup(path, (gsize)(dot - path)) : g_strdup(path);
    return codec;
}

gboolean codec_parse(const char *name, Codec *ret_codec, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(drivers); i++) {
        if (strcmp(name, drivers[i]->name) == 0) {
            *ret_codec = (Codec)i;
            return TRUE;
        }
    }
    error_set(error, ERROR_CONFIG, "there is no codec \"%.64s\"", name);
    error_add_hint(error, "use zstd, gzip, lz4 or none");
    return FALSE;
}

gboolean compress_spec_parse(const char *text, CompressSpec *ret_spec, GError **error)
{
    const char *colon = strchr(text, ':');
    g_autofree char *name = colon != NULL ? g_strndup(text, (gsize)(colon - text)) : g_strdup(text);
    const CodecDriver *driver;
    Codec codec = CODEC_NONE;
    gint64 level;

    if (!codec_parse(name, &codec, error))
        return FALSE;
    driver = driver_of(codec);
    level = driver->level_default;
    if (colon != NULL && !driver->has_level) {
        error_set(error, ERROR_CONFIG, "the codec %s has no levels", driver->name);
        return FALSE;
    }
    if (colon != NULL && !g_ascii_string_to_signed(colon + 1, 10, driver->level_min,
                                                   driver->level_max, &level, NULL)) {
        error_set(error, ERROR_CONFIG, "\"%.64s\" is no level of %s", colon + 1, driver->name);
        error_add_hint(error, "its levels are %d to %d", driver->level_min, driver->level_max);
        return FALSE;
    }
    *ret_spec = (CompressSpec){.codec = codec, .level = (int)level};
    return TRUE;
}

char *compress_spec_format(CompressSpec spec)
{
    const CodecDriver *driver = driver_of(spec.codec);

    if (!driver->has_level)
        return g_strdup(driver->name);
    return g_strdup_printf("%s:%d", driver->name, spec.level);
}

/* ---- streams ---- */

struct Compressor {
    const CodecDriver *driver;
    CodecOutput output;
    gpointer encoder;
};

struct Decompressor {
    const CodecDriver *driver;
    CodecOutput output;
    gpointer decoder;
};

/* A spec that did not come from compress_spec_parse() may name a level that the codec does not
 * have. */
static int level_of(CompressSpec spec)
{
    const CodecDriver *driver = driver_of(spec.codec);

    return CLAMP(spec.level, driver->level_min, driver->level_max);
}

Compressor *compressor_new(CompressSpec spec, CodecSink sink, gpointer data)
{
    Compressor *compressor = g_new0(Compressor, 1);

    compressor->driver = driver_of(spec.codec);
    compressor->output = (CodecOutput){.func = sink, .data = data};
    compressor->encoder = compressor->driver->encoder_new(level_of(spec));
    return compressor;
}

gboolean compressor_write(Compressor *compressor, const void *bytes, gsize length, GError **error)
{
    return compressor->driver->encoder_write(compressor->encoder, bytes, length,
                                             &compressor->output, error);
}

gboolean compressor_finish(Compressor *compressor, GError **error)
{
    return compressor->driver->encoder_finish(compressor->encoder, &compressor->output, error);
}

void compressor_free(Compressor *compressor)
{
    if (compressor == NULL)
        return;
    compressor->driver->encoder_free(compressor->encoder);
    g_free(compressor);
}

Decompressor *decompressor_new(Codec codec, CodecSink sink, gpointer data)
{
    Decompressor *decompressor = g_new0(Decompressor, 1);

    decompressor->driver = driver_of(codec);
    decompressor->output = (CodecOutput){.func = sink, .data = data};
    decompressor->decoder = decompressor->driver->decoder_new();
    return decompressor;
}

gboolean decompressor_write(Decompressor *decompressor, const void *bytes, gsize length,
                            GError **error)
{
    if (length == 0)
        return TRUE;
    return decompressor->driver->decoder_write(decompressor->decoder, bytes, length,
                                               &decompressor->output, error);
}

gboolean decompressor_finish(Decompressor *decompressor, GError **error)
{
    return decompressor->driver->decoder_finish(decompressor->decoder, error);
}

void decompressor_free(Decompressor *decompressor)
{
    if (decompressor == NULL)
        return;
    decompressor->driver->decoder_free(decompressor->decoder);
    g_free(decompressor);
}

/* ---- whole buffers ---- */

gsize compress_bound(CompressSpec spec, gsize length)
{
    return driver_of(spec.codec)->bound(level_of(spec), length);
}

gboolean compress_buffer(CompressSpec spec, const void *bytes, gsize length, void *out,
                         gsize out_size, gsize *ret_length, GError **error)
{
    spec.level = level_of(spec);
    return driver_of(spec.codec)->compress(spec, bytes, length, out, out_size, ret_length, error);
}

gboolean decompress_buffer(Codec codec, const void *bytes, gsize length, void *out, gsize out_size,
                           gsize *ret_length, GError **error)
{
    return driver_of(codec)->decompress(bytes, length, out, out_size, ret_length, error);
}
