/* SPDX-License-Identifier: Apache-2.0
 *
 * What is printed: nothing that a name contains plays tricks on a terminal, JSON stays JSON, a bar
 * comes only on terminals.
 */
#include "cli/output.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/time.h"

/* An output onto memory. */
typedef struct {
    Output *output;
    FILE *out, *errors;
    char *out_text, *errors_text;
    size_t out_size, errors_size;
} Capture;

static void capture_begin(Capture *capture, OutputOptions options, guint columns)
{
    memset(capture, 0, sizeof(*capture));
    capture->out = open_memstream(&capture->out_text, &capture->out_size);
    capture->errors = open_memstream(&capture->errors_text, &capture->errors_size);
    g_assert_nonnull(capture->out);
    g_assert_nonnull(capture->errors);
    capture->output = output_new_streams(options, capture->out, capture->errors, columns);
}

static void capture_flush(Capture *capture)
{
    fflush(capture->out);
    fflush(capture->errors);
}

static void capture_end(Capture *capture)
{
    output_free(capture->output);
    fclose(capture->out);
    fclose(capture->errors);
    free(capture->out_text);
    free(capture->errors_text);
}

static void test_escape(void)
{
    static const char *const cases[][2] = {
        {"plain", "plain"},
        {"größe 大", "größe 大"},
        {"a\nb\t\033[2J\177", "a\\x0Ab\\x09\\x1B[2J\\x7F"},
        {"\xff\xc3", "\\xFF\\xC3"},
        {"\xc2\x9b", "\\xC2\\x9B"},
        {"\xe2\x80\xae", "\\xE2\\x80\\xAE"},
        {"", ""},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *escaped = output_escape(cases[i][0]);

        g_assert_cmpstr(escaped, ==, cases[i][1]);
    }
}

static void test_table(void)
{
    static const char *const headings[] = {"NAME", "ROWS", NULL};
    g_autoptr(OutputTable) table = output_table_new(headings, "lr");
    Capture capture;

    output_table_add(table, g_strsplit("大|1", "|", -1));
    output_table_add(table, g_strsplit("a\nlonger|1,234,567", "|", -1));
    capture_begin(&capture, (OutputOptions){0}, 0);
    output_table_print(capture.output, table);
    capture_flush(&capture);
    g_assert_cmpstr(capture.out_text, ==,
                    "NAME              ROWS\n"
                    "大                   1\n"
                    "a\\x0Alonger  1,234,567\n");
    capture_end(&capture);
}

static void test_json(void)
{
    Capture capture;
    g_autoptr(GError) error = NULL;

    capture_begin(&capture, (OutputOptions){.json = TRUE}, 80);
    output_line(capture.output, "for people");
    output_json(capture.output, json_pack("{s:i}", "a", 1));
    output_warning(capture.output, "careful %d", 1);
    error_set(&error, ERROR_NOT_FOUND, "no \"x\"");
    error_add_hint(&error, "look");
    output_error(capture.output, error);
    capture_flush(&capture);
    g_assert_cmpstr(capture.out_text, ==, "{\n  \"a\": 1\n}\n");
    g_assert_cmpstr(capture.errors_text, ==,
                    "{\"warning\":\"careful 1\"}\n"
                    "{\"error\":{\"code\":\"not-found\",\"message\":\"no \\\"x\\\"\",\"hint\":"
                    "\"look\"}}\n");
    capture_end(&capture);
}

static void test_people(void)
{
    Capture capture;
    g_autoptr(GError) error = NULL;

    capture_begin(&capture, (OutputOptions){0}, 0);
    output_line(capture.output, "a %s", "b\nc");
    output_json(capture.output, json_object());
    output_warning(capture.output, "w\nhint: h");
    error_set(&error, ERROR_SUBPROCESS, "pg_dump failed:\nline one\n\nline\033two\n");
    output_error(capture.output, error);
    capture_flush(&capture);
    g_assert_cmpstr(capture.out_text, ==, "a b\\x0Ac\n");
    g_assert_cmpstr(capture.errors_text, ==,
                    "warning: w\nhint: h\n"
                    "holdfast: pg_dump failed:\n  line one\n  line\\x1Btwo\n");
    capture_end(&capture);
    capture_begin(&capture, (OutputOptions){.quiet = TRUE}, 80);
    output_line(capture.output, "a");
    capture_flush(&capture);
    g_assert_cmpuint(capture.out_size, ==, 0);
    capture_end(&capture);
}

static const ProgressView view = {.phase = "dumping",
                                  .bytes_done = 512 * 1024,
                                  .bytes_total = 1024 * 1024,
                                  .rows_done = 1234,
                                  .rate = 1024 * 1024,
                                  .elapsed = TIME_SECOND,
                                  .left = TIME_SECOND};

static void test_bar(void)
{
    Capture capture;
    ProgressView last = view;

    capture_begin(&capture, (OutputOptions){0}, 120);
    output_progress(&view, capture.output);
    g_assert_cmpstr(capture.errors_text, ==,
                    "dumping  [============>           ]  50%  512.0 KiB  1,234 rows  1.0 MiB/s  "
                    "1.0 s left");
    last.final = TRUE;
    output_progress(&last, capture.output);
    g_assert_true(g_str_has_suffix(capture.errors_text,
                                   "\r\033[Kdumping  512.0 KiB  1,234 rows  1.0 MiB/s  1.0 s\n"));
    capture_end(&capture);
    /* A narrow terminal: nothing may wrap, or it could not be wiped. */
    capture_begin(&capture, (OutputOptions){0}, 20);
    output_progress(&view, capture.output);
    g_assert_cmpuint(capture.errors_size, ==, 19);
    capture_end(&capture);
    /* No terminal, or nobody who wants it: nothing at all. */
    capture_begin(&capture, (OutputOptions){0}, 0);
    output_progress(&view, capture.output);
    capture_flush(&capture);
    g_assert_cmpuint(capture.errors_size, ==, 0);
    capture_end(&capture);
    capture_begin(&capture, (OutputOptions){.json = TRUE, .quiet = TRUE}, 80);
    output_progress(&view, capture.output);
    capture_flush(&capture);
    g_assert_cmpuint(capture.errors_size, ==, 0);
    capture_end(&capture);
}

static void test_progress_json(void)
{
    Capture capture;
    g_autoptr(json_t) line = NULL;
    const json_t *body;

    capture_begin(&capture, (OutputOptions){.json = TRUE}, 80);
    output_progress(&view, capture.output);
    line = json_loads(capture.errors_text, 0, NULL);
    body = json_object_get(line, "progress");
    g_assert_cmpstr(json_get_string(body, "phase", NULL), ==, "dumping");
    g_assert_cmpuint(json_get_uint(body, "bytes_done", 0), ==, 512 * 1024);
    g_assert_cmpuint(json_get_uint(body, "rows_done", 0), ==, 1234);
    capture_end(&capture);
}

/* What was printed and got lost must not pass for success. */
static void test_finish(void)
{
    g_autoptr(GError) error = NULL;
    FILE *full = fopen("/dev/full", "w");
    Output *output;

    g_assert_nonnull(full);
    output = output_new_streams((OutputOptions){0}, full, stderr, 0);
    output_line(output, "lost");
    g_assert_false(output_finish(output, &error));
    g_assert_true(error_is(error, ERROR_NO_SPACE));
    output_free(output);
    fclose(full);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/output/escape", test_escape);
    g_test_add_func("/cli/output/table", test_table);
    g_test_add_func("/cli/output/json", test_json);
    g_test_add_func("/cli/output/people", test_people);
    g_test_add_func("/cli/output/bar", test_bar);
    g_test_add_func("/cli/output/progress-json", test_progress_json);
    g_test_add_func("/cli/output/finish", test_finish);
    return g_test_run();
}
