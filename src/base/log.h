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

typedef void (*LogFunc)(LogLevel level, const char *text, gpointer data);

/* Messages above this level are dropped. The default is LOG_WARNING. */
void log_set_level(LogLevel level);
LogLevel log_level(void);

/* Replaces the writer; NULL puts standard error back. For the service (journal) and for tests. */
void log_set_writer(LogFunc func, gpointer data);

void log_write(LogLevel level, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* "error", "warning", "info", "debug"; ERROR_USAGE for another word. */
gboolean log_level_parse(const char *text, LogLevel *ret_level,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
