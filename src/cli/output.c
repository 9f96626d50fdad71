/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines, documents, warnings and errors. Tables stand in table.c, the progress bar in bar.c.
 */
#include "cli/output.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "cli/output-private.h"

#define DEFAULT_COLUMNS 80

Output *output_new_streams(OutputOptions options, FILE *out, FILE *errors, guint columns)
{
    Output *output = g_new0(Output, 1);

    output->options = options;
    output->out = out;
    output->errors = errors;
    output->columns = columns;
    g_mutex_init(&output->mutex);
    return output;
}

static guint terminal_columns(int fd)
{
    struct winsize size;

    if (!isatty(fd))
        return 0;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return DEFAULT_COLUMNS;
}

Output *output_new(OutputOptions options)
{
    return output_new_streams(options, stdout, stderr, terminal_columns(STDERR_FILENO));
}

void output_free(Output *output)
{
    if (output == NULL)
        return;
    g_mutex_clear(&output->mutex);
    g_free(output);
}

gboolean output_is_json(const Output *output)
{
    return output->options.json;
}

gboolean output_is_quiet(const Output *output)
{
    return output->options.quiet;
}

gboolean output_is_verbose(const Output *output)
{
    return output->options.verbose;
}

/* Characters that change what a terminal shows: controls (C0, DEL, C1) and those that turn the
 * direction of writing. */
static gboolean is_harmful(gunichar character)
{
    return g_unichar_iscntrl(character) || (character >= 0x202a && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
}

char *output_escape(const char *text)
{
    GString *escaped = g_string_new(NULL);

    while (*text != '\0') {
        gunichar character = g_utf8_get_char_validated(text, -1);
        gboolean valid = character != (gunichar)-1 && character != (gunichar)-2;
        gsize length = valid ? (gsize)(g_utf8_next_char(text) - text) : 1;

        if (valid && !is_harmful(character)) {
            g_string_append_len(escaped, text, (gssize)length);
        } else {
            for (gsize i = 0; i < length; i++)
                g_string_append_printf(escaped, "\\x%02X", (guchar)text[i]);
        }
        text += length;
    }
    return g_string_free(escaped, FALSE);
}

/* Text that may have several lines (the last words of pg_dump): each escaped, those after the first
 * indented. */
static char *escape_lines(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    GString *escaped = g_string_new(NULL);

    for (guint i = 0; lines[i] != NULL; i++) {
        g_autofree char *line = output_escape(lines[i]);

        if (i > 0 && line[0] == '\0')
            continue;
        g_string_append_printf(escaped, "%s%s", i > 0 ? "\n  " : "", line);
    }
    return g_string_free(escaped, FALSE);
}

void output_line(Output *output, const char *format, ...)
{
    g_autofree char *text = NULL;
    g_autofree char *escaped = NULL;
    va_list args;

    if (output->options.json || output->options.quiet)
        return;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    escaped = output_escape(text);
    g_mutex_lock(&output->mutex);
    output_clear_bar(output);
    fprintf(output->out, "%s\n", escaped);
    g_mutex_unlock(&output->mutex);
}

void output_json(Output *output, json_t *json)
{
    g_autoptr(json_t) taken = json;
    g_autofree char *text = NULL;

    if (!output->options.json)
        return;
    text = json_write(taken, TRUE);
    g_mutex_lock(&output->mutex);
    fputs(text, output->out);
    g_mutex_unlock(&output->mutex);
}

/* A line of data for a terminal. */
static char *escape_data(const char *bytes, gsize length)
{
    gboolean ends = length > 0 && bytes[length - 1] == '\n';
    GString *escaped = g_string_new(NULL);

    length -= ends;
    for (gsize at = 0; at < length;) {
        gsize run = strnlen(bytes + at, length - at);
        g_autofree char *text = g_strndup(bytes + at, run);
        g_autofree char *piece = output_escape(text);

        g_string_append(escaped, piece);
        at += run;
        for (; at < length && bytes[at] == '\0'; at++)
            g_string_append(escaped, "\\x00");
    }
    if (ends)
        g_string_append_c(escaped, '\n');
    return g_string_free(escaped, FALSE);
}

void output_bytes(Output *output, const char *bytes, gsize length)
{
    g_autofree char *escaped = NULL;

    if (isatty(fileno(output->out))) {
        escaped = escape_data(bytes, length);
        bytes = escaped;
        length = strlen(escaped);
    }
    g_mutex_lock(&output->mutex);
    fwrite(bytes, 1, length, output->out);
    g_mutex_unlock(&output->mutex);
}

void output_json_line(Output *output, json_t *json)
{
    g_autoptr(json_t) taken = json;
    g_autofree char *text = json_write(taken, FALSE);

    fputs(text, output->errors);
}

/* One line on standard error, and one for its hint where there is one. */
static void print_notice(Output *output, const char *prefix, const char *text, const char *hint)
{
    g_autofree char *escaped = escape_lines(text);

    output_clear_bar(output);
    fprintf(output->errors, "%s: %s\n", prefix, escaped);
    if (hint != NULL) {
        g_autofree char *escaped_hint = escape_lines(hint);

        fprintf(output->errors, "hint: %s\n", escaped_hint);
    }
}

static void notice(Output *output, const char *kind, const char *message)
{
    /* A GError is what knows how text and hint are kept in one string. */
    g_autoptr(GError) carrier = g_error_new_literal(ERROR_DOMAIN, ERROR_INTERNAL, message);
    g_autofree char *text = error_text(carrier);

    g_mutex_lock(&output->mutex);
    if (output->options.json) {
        json_t *json = json_object();

        json_object_set_new(json, kind, json_text(text));
        if (error_hint(carrier) != NULL)
            json_object_set_new(json, "hint", json_text(error_hint(carrier)));
        output_json_line(output, json);
    } else {
        print_notice(output, kind, text, error_hint(carrier));
    }
    g_mutex_unlock(&output->mutex);
}

void output_warning(Output *output, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    notice(output, "warning", text);
}

void output_log(LogLevel level, const char *text, const LogField *fields, gpointer data)
{
    static const char *const kinds[] = {"error", "warning", "info", "debug"};

    notice(data, kinds[MIN((guint)level, G_N_ELEMENTS(kinds) - 1)], text);
}

void output_error(Output *output, const GError *problem)
{
    g_autofree char *text = error_text(problem);
    const char *hint = error_hint(problem);

    g_mutex_lock(&output->mutex);
    if (output->options.json) {
        json_t *body = json_object();
        json_t *json = json_object();

        json_object_set_new(body, "code", json_text(error_info_of(problem)->name));
        json_object_set_new(body, "message", json_text(text));
        json_object_set_new(body, "hint", json_text(hint));
        json_object_set_new(json, "error", body);
        output_json_line(output, json);
    } else {
        print_notice(output, "holdfast", text, hint);
    }
    g_mutex_unlock(&output->mutex);
}

gboolean output_finish(Output *output, GError **error)
{
    gboolean failed;

    errno = 0;
    failed = fflush(output->out) != 0 || ferror(output->out) != 0;
    if (!failed || errno == EPIPE)
        return TRUE;
    error_set_errno(error, errno != 0 ? errno : EIO, "cannot write to standard output");
    return FALSE;
}
