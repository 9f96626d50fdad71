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

/* A message is one line whatever stands in it (an error's hint, a server's text): a line feed must
 * not be able to forge another message. */
static void write_standard_error(LogLevel level, const char *text)
{
    g_autofree char *when = time_format(time_now());
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autofree char *line = NULL;

    for (char *at = valid; *at != '\0'; at++) {
        if (g_ascii_iscntrl(*at))
            *at = ' ';
    }
    line = g_strdup_printf("%s %s: %s\n", when, level_names[level], valid);
    if (!file_write_all(STDERR_FILENO, line, strlen(line), "standard error", NULL))
        return; /* there is no place left to tell it */
}

void log_write(LogLevel level, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    if (level > log_level())
        return;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);

    g_mutex_lock(&writer_mutex);
    if (writer_func != NULL)
        writer_func(level, text, writer_data);
    else
        write_standard_error(level, text);
    g_mutex_unlock(&writer_mutex);
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
