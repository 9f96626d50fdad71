/* SPDX-License-Identifier: Apache-2.0
 *
 * Compression: there and back in every shape, other people's tools as judges, and damage that must
 * be noticed.
 */
#include "codec/compress.h"

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"

#include <string.h>

static const CompressSpec specs[] = {
    {CODEC_NONE, 0},
    {CODEC_ZSTD, -5},
    {CODEC_ZSTD, 1},
    {CODEC_ZSTD, 9},
    {CODEC_GZIP, 0},
    {CODEC_GZIP, 1},
    {CODEC_GZIP, 2},
    {CODEC_GZIP, 3},
    {CODEC_LZ4, 0},
    {CODEC_LZ4, 9},
    {CODEC_ZSTD, 1, COMPRESS_SMALL_RECORDS},
    {CODEC_ZSTD, 1, COMPRESS_PAGES},
};

typedef enum { BYTES_ZERO, BYTES_TEXT, BYTES_RANDOM, BYTES_WORST, BYTES_KINDS } BytesKind;

/* Bytes of a kind. The worst are random among the high values, for which a code made for text has
 * its longest words. */
static GByteArray *make_bytes(BytesKind kind, guint length)
{
    GByteArray *bytes = g_byte_array_new();

    g_byte_array_set_size(bytes, length);
    for (guint i = 0; i < length; i++) {
        switch (kind) {
        case BYTES_ZERO:
            bytes->data[i] = 0;
            break;
        case BYTES_TEXT:
            bytes->data[i] = (guint8) "the quick brown fox\n"[(i + i / 97) % 20];
            break;
        case BYTES_RANDOM:
            bytes->data[i] = (guint8)(g_test_rand_int() >> 8);
            break;
        default:
            bytes->data[i] = (guint8)(0x80 | (g_test_rand_int() >> 8));
        }
    }
    return bytes;
}

static gboolean collect(const void *bytes, gsize length, gpointer data, GError **error)
{
    g_assert_cmpuint(length, >, 0);
    g_byte_array_append(data, bytes, (guint)length);
    return TRUE;
}

/* Compresses in pieces of a size (0: all at once). */
static GByteArray *compress_stream(CompressSpec spec, const GByteArray *plain, guint piece)
{
    GByteArray *stored = g_byte_array_new();
    g_autoptr(Compressor) compressor = compressor_new(spec, collect, stored);
    g_autoptr(GError) error = NULL;

    for (guint at = 0; at < plain->len;) {
        guint length = piece == 0 ? plain->len : MIN(piece, plain->len - at);

        g_assert_true(compressor_write(compressor, plain->data + at, length, &error));
        at += length;
    }
    g_assert_true(compressor_finish(compressor, &error));
    g_assert_no_error(error);
    return stored;
}

/* Decompresses in pieces; NULL with an error where the stream is refused. */
static GByteArray *decompress_stream(Codec codec, const GByteArray *stored, guint piece,
                                     GError **error)
{
    g_autoptr(GByteArray) plain = g_byte_array_new();
    g_autoptr(Decompressor) decompressor = decompressor_new(codec, collect, plain);

    for (guint at = 0; at < stored->len;) {
        guint length = piece == 0 ? stored->len : MIN(piece, stored->len - at);

        if (!decompressor_write(decompressor, stored->data + at, length, error))
            return NULL;
        at += length;
    }
    if (!decompressor_finish(decompressor, error))
        return NULL;
    return g_steal_pointer(&plain);
}

static void assert_same(const GByteArray *left, const GByteArray *right)
{
    g_assert_cmpmem(left->data, left->len, right->data, right->len);
}

static void test_spec(void)
{
    static const struct {
        const char *text, *written;
    } cases[] = {
        {"zstd", "zstd:1"},   {"zstd:19", "zstd:19"}, {"zstd:-5", "zstd:-5"}, {"gzip", "gzip:1"},
        {"gzip:0", "gzip:0"}, {"lz4", "lz4:0"},       {"lz4:12", "lz4:12"},   {"none", "none"},
    };
    static const char *const refused[] = {
        "",        "zst",    "ZSTD",   "zstd:",  "zstd:20", "zstd:-6", "zstd:x",
        "zstd:1x", "gzip:4", "lz4:13", "lz4:-1", "none:0",  "none:",   "zstd:99999999999999999999",
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *written = NULL;
        CompressSpec spec;

        g_assert_true(compress_spec_parse(cases[i].text, &spec, &error));
        written = compress_spec_format(spec);
        g_assert_cmpstr(written, ==, cases[i].written);
    }
    for (guint i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;
        CompressSpec spec;

        if (compress_spec_parse(refused[i], &spec, &error))
            g_error("\"%s\" was read as a compression", refused[i]);
        g_assert_true(error_is(error, ERROR_CONFIG));
    }
    g_assert_cmpstr(codec_extension(CODEC_ZSTD), ==, "zst");
    g_assert_cmpstr(codec_extension(CODEC_GZIP), ==, "gz");
    g_assert_cmpstr(codec_extension(CODEC_LZ4), ==, "lz4");
    g_assert_null(codec_extension(CODEC_NONE));
}

static void test_streams(void)
{
    static const guint lengths[] = {0, 1, 1000, 131072, 700001};
    static const guint pieces[] = {0, 4099, 131072};

    for (guint s = 0; s < G_N_ELEMENTS(specs); s++) {
        for (guint l = 0; l < G_N_ELEMENTS(lengths); l++) {
            for (BytesKind kind = 0; kind < BYTES_KINDS; kind++) {
                g_autoptr(GByteArray) plain = make_bytes(kind, lengths[l]);
                guint piece = pieces[(s + l + kind) % G_N_ELEMENTS(pieces)];
                g_autoptr(GByteArray) stored = compress_stream(specs[s], plain, piece);
                g_autoptr(GError) error = NULL;

                for (guint p = 0; p < G_N_ELEMENTS(pieces); p++) {
                    g_autoptr(GByteArray) back =
                        decompress_stream(specs[s].codec, stored, pieces[p], &error);

                    g_assert_no_error(error);
                    assert_same(back, plain);
                }
            }
        }
    }
}

static void test_buffers(void)
{
    static const guint lengths[] = {0, 1, 8192, 65535, 65536, 131072, 1048576};

    for (guint s = 0; s < G_N_ELEMENTS(specs); s++) {
        for (guint l = 0; l < G_N_ELEMENTS(lengths); l++) {
            for (BytesKind kind = 0; kind < BYTES_KINDS; kind++) {
                g_autoptr(GByteArray) plain = make_bytes(kind, lengths[l]);
                gsize bound = compress_bound(specs[s], plain->len);
                g_autofree guint8 *stored = g_malloc(bound);
                g_autofree guint8 *back = g_malloc(plain->len + 1);
                g_autoptr(GError) error = NULL;
                gsize stored_length = 0, length = 0;

                g_assert_true(compress_buffer(specs[s], plain->data, plain->len, stored, bound,
                                              &stored_length, &error));
                g_assert_no_error(error);
                g_assert_cmpuint(stored_length, <=, bound);
                g_assert_true(decompress_buffer(specs[s].codec, stored, stored_length, back,
                                                plain->len, &length, &error));
                g_assert_no_error(error);
                g_assert_cmpmem(back, length, plain->data, plain->len);
                if (plain->len == 0)
                    continue;
                /* One byte too little room for what was stored. */
                g_assert_false(decompress_buffer(specs[s].codec, stored, stored_length, back,
                                                 plain->len - 1, &length, &error));
                g_assert_true(error_is(error, ERROR_DAMAGED));
            }
        }
    }
}

static void test_no_room(void)
{
    g_autoptr(GByteArray) plain = make_bytes(BYTES_RANDOM, 5000);
    guint8 out[100];
    gsize length = 4711;

    for (guint s = 0; s < G_N_ELEMENTS(specs); s++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(
            compress_buffer(specs[s], plain->data, plain->len, out, sizeof out, &length, &error));
        g_assert_true(error_is(error, ERROR_LIMIT));
        g_assert_cmpuint(length, ==, 4711);
    }
}

/* Streams and whole buffers are the same format, and members or frames may follow each other,
 * whatever the pieces are that they come in. */
static void test_concatenated(void)
{
    for (guint s = 1; s < G_N_ELEMENTS(specs); s++) {
        g_autoptr(GByteArray) first = make_bytes(BYTES_TEXT, 3000);
        g_autoptr(GByteArray) second = make_bytes(BYTES_RANDOM, 777);
        g_autoptr(GByteArray) nothing = g_byte_array_new();
        g_autoptr(GByteArray) stored = compress_stream(specs[s], first, 0);
        g_autoptr(GByteArray) more = compress_stream(specs[s], second, 0);
        g_autoptr(GByteArray) none = compress_stream(specs[s], nothing, 0);
        guint8 out[4000];
        g_autoptr(GError) error = NULL;
        gsize length = 0;

        g_byte_array_append(stored, none->data, none->len);
        g_byte_array_append(stored, more->data, more->len);
        g_byte_array_append(stored, none->data, none->len);
        g_byte_array_append(first, second->data, second->len);
        for (guint piece = 0; piece <= 40; piece++) {
            g_autoptr(GByteArray) back = decompress_stream(specs[s].codec, stored, piece, &error);

            g_assert_no_error(error);
            assert_same(back, first);
        }
        g_assert_true(decompress_buffer(specs[s].codec, stored->data, stored->len, out, sizeof out,
                                        &length, &error));
        g_assert_no_error(error);
        g_assert_cmpmem(out, length, first->data, first->len);
    }
}

/* Frames that hold no content stand before, between and after the others (RFC 8878, 3.1.2; lz4 has
 * the same ones). */
static void test_skippable(void)
{
    static const guint8 skippable[] = {0x53, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 'h', 'e', 'l', 'l', 'o'};
    static const Codec codecs[] = {CODEC_ZSTD, CODEC_LZ4};

    for (guint i = 0; i < G_N_ELEMENTS(codecs); i++) {
        g_autoptr(GByteArray) plain = make_bytes(BYTES_TEXT, 3000);
        g_autoptr(GByteArray) frame = compress_stream((CompressSpec){codecs[i], 1}, plain, 0);
        g_autoptr(GByteArray) stored = g_byte_array_new();
        g_autoptr(GByteArray) twice = g_byte_array_new();
        guint8 out[6000];
        g_autoptr(GError) error = NULL;
        gsize length = 0;

        g_byte_array_append(stored, skippable, sizeof skippable);
        g_byte_array_append(stored, frame->data, frame->len);
        g_byte_array_append(stored, skippable, sizeof skippable);
        g_byte_array_append(stored, frame->data, frame->len);
        g_byte_array_append(stored, skippable, sizeof skippable);
        g_byte_array_append(twice, plain->data, plain->len);
        g_byte_array_append(twice, plain->data, plain->len);
        for (guint piece = 0; piece < 20; piece++) {
            g_autoptr(GByteArray) back = decompress_stream(codecs[i], stored, piece, &error);

            g_assert_no_error(error);
            assert_same(back, twice);
        }
        g_assert_true(decompress_buffer(codecs[i], stored->data, stored->len, out, sizeof out,
                                        &length, &error));
        g_assert_cmpmem(out, length, twice->data, twice->len);
    }
}

/* Cut at every byte, and every byte changed: refused, or (where a byte says nothing about the
 * content) read rightly. */
static void test_damage(void)
{
    static const CompressSpec judged[] = {{CODEC_ZSTD, 1}, {CODEC_GZIP, 1}, {CODEC_LZ4, 0}};
    g_autoptr(GByteArray) plain = make_bytes(BYTES_TEXT, 600);
    guint8 out[600];

    for (guint s = 0; s < G_N_ELEMENTS(judged); s++) {
        g_autoptr(GByteArray) whole = compress_stream(judged[s], plain, 0);

        for (guint i = 0; i < whole->len; i++) {
            g_autoptr(GByteArray) cut = g_byte_array_new();
            g_autoptr(GError) error = NULL;
            g_autoptr(GByteArray) back = NULL;
            gsize length = 0;

            g_byte_array_append(cut, whole->data, i);
            g_assert_null(decompress_stream(judged[s].codec, cut, 0, &error));
            g_assert_true(error_is(error, ERROR_DAMAGED));
            g_clear_error(&error);
            g_assert_false(decompress_buffer(judged[s].codec, cut->data, cut->len, out, sizeof out,
                                             &length, &error));
            g_assert_true(error_is(error, ERROR_DAMAGED));
            g_clear_error(&error);

            g_byte_array_append(cut, whole->data + i, whole->len - i);
            cut->data[i] ^= 0x11;
            back = decompress_stream(judged[s].codec, cut, 0, &error);
            if (back != NULL)
                assert_same(back, plain);
            g_clear_error(&error);
            if (decompress_buffer(judged[s].codec, cut->data, cut->len, out, sizeof out, &length,
                                  &error))
                g_assert_cmpmem(out, length, plain->data, plain->len);
        }
    }
}

static void test_garbage(void)
{
    static const CompressSpec judged[] = {{CODEC_ZSTD, 1}, {CODEC_GZIP, 1}, {CODEC_LZ4, 0}};
    g_autoptr(GByteArray) plain = make_bytes(BYTES_TEXT, 600);

    for (guint s = 0; s < G_N_ELEMENTS(judged); s++) {
        g_autoptr(GByteArray) stored = compress_stream(judged[s], plain, 0);
        g_autoptr(GByteArray) back = NULL;
        g_autoptr(GError) error = NULL;
        guint8 out[700];
        gsize length = 0;

        g_byte_array_append(stored, (const guint8 *)"garbage behind it", 17);
        back = decompress_stream(judged[s].codec, stored, 0, &error);
        g_assert_null(back);
        g_assert_true(error_is(error, ERROR_DAMAGED));
        g_clear_error(&error);
        g_assert_false(decompress_buffer(judged[s].codec, stored->data, stored->len, out,
                                         sizeof out, &length, &error));
        g_assert_true(error_is(error, ERROR_DAMAGED));
    }
}

/* A frame that asks for a window of 256 MiB: magic, descriptor without content size, window, an
 * empty last block. */
static void test_window(void)
{
    static const guint8 frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, (28 - 10) << 3, 0x01, 0x00, 0x00};
    g_autoptr(GByteArray) stored = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    g_byte_array_append(stored, frame, sizeof frame);
    g_assert_null(decompress_stream(CODEC_ZSTD, stored, 0, &error));
    g_assert_true(error_is(error, ERROR_LIMIT));
}

static gboolean refuse(const void *bytes, gsize length, gpointer data, GError **error)
{
    error_set(error, ERROR_NO_SPACE, "the sink is full");
    return FALSE;
}

/* The sink's own error comes through. */
static void test_sink(void)
{
    for (guint s = 0; s < G_N_ELEMENTS(specs); s++) {
        g_autoptr(GByteArray) plain = make_bytes(BYTES_RANDOM, 1000);
        g_autoptr(GByteArray) stored = compress_stream(specs[s], plain, 0);
        g_autoptr(Compressor) compressor = compressor_new(specs[s], refuse, NULL);
        g_autoptr(Decompressor) decompressor = decompressor_new(specs[s].codec, refuse, NULL);
        g_autoptr(GError) error = NULL;

        g_assert_false(compressor_write(compressor, plain->data, plain->len, &error) &&
                       compressor_finish(compressor, &error));
        g_assert_true(error_is(error, ERROR_NO_SPACE));
        g_clear_error(&error);
        g_assert_false(decompressor_write(decompressor, stored->data, stored->len, &error));
        g_assert_true(error_is(error, ERROR_NO_SPACE));
    }
}

/* What a codec's own tool makes of some bytes. */
static GByteArray *run_tool(const char *tool, const char *option, const GByteArray *input)
{
    FILE_AUTO_FD fd = -1;
    g_autofree char *script = NULL;
    g_autoptr(GError) error = NULL;
    char *output = NULL;
    gsize length = 0;

    g_assert_true(file_open_unnamed(g_get_tmp_dir(), &fd, &error));
    g_assert_true(file_write_all(fd, input->data, input->len, "input", &error));
    script = g_strdup_printf("%s %s </proc/self/fd/%d", tool, option, fd);
    {
        const char *const argv[] = {"sh", "-c", script, NULL};
        const ProcessSpec spec = {.argv = argv, .keep_fd = fd};

        g_assert_true(process_run(&spec, 1 << 20, &output, &length, NULL, &error));
    }
    g_assert_no_error(error);
    return g_byte_array_new_take((guint8 *)output, length);
}

/* The codec's own tool must read what we write, and we what it writes. */
static void judge(Codec codec, const char *tool)
{
    g_autofree char *path = g_find_program_in_path(tool);
    g_autoptr(GByteArray) plain = make_bytes(BYTES_TEXT, 300000);
    g_autoptr(GByteArray) theirs = NULL;
    g_autoptr(GByteArray) back = NULL;
    g_autoptr(GError) error = NULL;

    if (path == NULL) {
        g_test_skip(tool);
        return;
    }
    for (guint s = 0; s < G_N_ELEMENTS(specs); s++) {
        g_autoptr(GByteArray) stored = NULL;
        g_autoptr(GByteArray) read = NULL;

        if (specs[s].codec != codec)
            continue;
        stored = compress_stream(specs[s], plain, 0);
        read = run_tool(tool, "-dc", stored);
        assert_same(read, plain);
    }
    theirs = run_tool(tool, "-c", plain);
    back = decompress_stream(codec, theirs, 5000, &error);
    g_assert_no_error(error);
    assert_same(back, plain);
}

static void test_zstd_tool(void)
{
    judge(CODEC_ZSTD, "zstd");
}

static void test_gzip_tool(void)
{
    judge(CODEC_GZIP, "gzip");
}

static void test_lz4_tool(void)
{
    judge(CODEC_LZ4, "lz4");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/codec/compress/spec", test_spec);
    g_test_add_func("/codec/compress/streams", test_streams);
    g_test_add_func("/codec/compress/buffers", test_buffers);
    g_test_add_func("/codec/compress/no-room", test_no_room);
    g_test_add_func("/codec/compress/concatenated", test_concatenated);
    g_test_add_func("/codec/compress/skippable", test_skippable);
    g_test_add_func("/codec/compress/damage", test_damage);
    g_test_add_func("/codec/compress/garbage", test_garbage);
    g_test_add_func("/codec/compress/window", test_window);
    g_test_add_func("/codec/compress/sink", test_sink);
    g_test_add_func("/codec/compress/zstd-tool", test_zstd_tool);
    g_test_add_func("/codec/compress/gzip-tool", test_gzip_tool);
    g_test_add_func("/codec/compress/lz4-tool", test_lz4_tool);
    return g_test_run();
}
