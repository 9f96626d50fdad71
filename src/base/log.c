/* SPDX-License-Identifier: Apache-2.0
 *
 * The log's writer: one write(2) a line, so that the lines of several processes on one standard
 * error stay whole.
 */
#include "base/log.h"

#include "base/error.h"
#include "base/file.h"
#include "base/time.h"

#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static gint current_level = LOG_WARNING;
static GMutex writer_mutex;
static LogFunc writer_func;
static gpointer writer_data;

void log_set_level(LogLevel level)
{
    g_atomic_int_set(&current_level, (gint)level);
}

LogLevel log_level(void)
{
    return (LogLevel)g_atomic_int_get(&current_level);
}

void log_set_writer(LogFunc func, gpointer data)
{
    g_mutex_lock(&writer_mutex);
    writer_func = func;
    writer_data = data;
    g_mutex_unlock(&writer_mutex);
}

char *log_line(const char *text)
{
    char *line = g_utf8_make_valid(text, -1);

    for (char *at = line; *at != '\0'; at++) {
        if (g_ascii_iscntrl(*at))
            *at = ' ';
    }
    return line;
}

static void write_standard_error(LogLevel level, const char *text)
{
    g_autofree char *when = time_format(time_now());
    g_autofree char *clean = log_line(text);
    g_autofree char *line = g_strdup_printf("%s %s: %s\n", when, level_names[level], clean);

    if (!file_write_all(STDERR_FILENO, line, strlen(line), "standard error", NULL))
        return; /* there is no place left to tell it */
}

static void write_message(const LogField *fields, LogLevel level, const char *format, va_list args)
{
    g_autofree char *text = NULL;

    if (level > log_level())
        return;
    text = g_strdup_vprintf(format, args);
    g_mutex_lock(&writer_mutex);
    if (writer_func != NULL)
        writer_func(level, text, fields, writer_data);
    else
        write_standard_error(level, text);
    g_mutex_unlock(&writer_mutex);
}

void log_write(LogLevel level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_message(NULL, level, format, args);
    va_end(args);
}

void log_write_fields(const LogField *fields, LogLevel level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_message(fields, level, format, args);
    va_end(args);
}

gboolean log_level_parse(const char *text, LogLevel *ret_level, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *ret_level = (LogLevel)i;
            return TRUE;
        }
    }
    error_set(error, ERROR_USAGE, "there is no log level \"%.64s\"", text);
    error_add_hint(error, "use error, warning, info or debug");
    return FALSE;
}
