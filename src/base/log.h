/* SPDX-License-Identifier: Apache-2.0
 *
 * The log: one line a message on standard error, "2026-11-22T02:00:00Z warning: text". Commands and
 * the service log; library code returns errors instead and logs only what is no error of its caller
 * (a skipped thing, a retry).
 */
#ifndef HOLDFAST_BASE_LOG_H
#define HOLDFAST_BASE_LOG_H

#include <glib.h>

typedef enum { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG } LogLevel;

/* What a message is about, for those who look for it: a name in lower case, and its value. A field
 * without a value is left out. */
typedef struct {
    const char *name; /* "job" */
    const char *value;
} LogField;

/* Fields of a message, as an argument: LOG_FIELDS({"job", id}, {"source", source}). */
#define LOG_FIELDS(...)                                                                            \
    (const LogField[])                                                                             \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            NULL, NULL                                                                             \
        }                                                                                          \
    }

/* `fields` ends with one that has no name; NULL: none. */
typedef void (*LogFunc)(LogLevel level, const char *text, const LogField *fields, gpointer data);

/* Messages above this level are dropped. The default is LOG_WARNING. */
void log_set_level(LogLevel level);
LogLevel log_level(void);

/* Replaces the writer; NULL puts standard error back. For the service (journal) and for tests. */
void log_set_writer(LogFunc func, gpointer data);

void log_write(LogLevel level, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The same with fields, which only writers that keep them apart (the journal) show. */
void log_write_fields(const LogField *fields, LogLevel level, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* The text as one line: valid UTF-8, a space for each control character, so that it cannot forge
 * another message whatever stands in it (an error's hint, a server's text). Free with g_free(). */
char *log_line(const char *text);

/* "error", "warning", "info", "debug"; ERROR_USAGE for another word. */
gboolean log_level_parse(const char *text, LogLevel *ret_level,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
