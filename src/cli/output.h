/* SPDX-License-Identifier: Apache-2.0
 *
 * What commands print: tables or JSON on standard output, progress on standard error. Only cli/ and
 * service/ print. Text from outside (names of tables, messages of servers) is shown with control
 * characters escaped, so that no name can play tricks on a terminal.
 */
#ifndef HOLDFAST_CLI_OUTPUT_H
#define HOLDFAST_CLI_OUTPUT_H

#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"

typedef struct Output Output;

typedef struct {
    gboolean json, quiet, verbose;
} OutputOptions;

/* Standard output and standard error; a bar only where the latter is a terminal. */
Output *output_new(OutputOptions options);
/* The same onto other streams, which stay the caller's; a bar of `columns` columns, or none with 0.
 * For tests. */
Output *output_new_streams(OutputOptions options, FILE *out, FILE *errors, guint columns);
void output_free(Output *output);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Output, output_free)

gboolean output_is_json(const Output *output);
gboolean output_is_quiet(const Output *output);
gboolean output_is_verbose(const Output *output);

/* A line for people, escaped as a whole; nothing with --json or --quiet. */
void output_line(Output *output, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* A document for programs; nothing without --json. Takes the reference. */
void output_json(Output *output, json_t *json);

/* One line of data that a command has made itself, CSV or JSON, as it is; on a terminal its control
 * characters are shown escaped. With --quiet too: it is what was asked for. */
void output_bytes(Output *output, const char *bytes, gsize length);

/* A table for people: columns with headings, the widths follow the content, numbers (cells that
 * `right` names) flush right. `right` is a string of 'l' and 'r', one a column. Nothing with
 * --json. */
typedef struct OutputTable OutputTable;
OutputTable *output_table_new(const char *const *headings, const char *alignment);
/* Takes the cells (a NULL-terminated array of g_malloc'ed strings, one a column). */
void output_table_add(OutputTable *table, char **cells);
void output_table_print(Output *output, OutputTable *table);
void output_table_free(OutputTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OutputTable, output_table_free)

/* The watcher for progress_new(): a bar on a terminal, JSON lines on standard error with --json,
 * nothing otherwise. `data` is the Output. */
void output_progress(const ProgressView *view, gpointer data);

/* Text with control characters, DEL and invalid UTF-8 shown as \xNN. Free with g_free(). */
char *output_escape(const char *text);

/* A warning on standard error: "warning: text"; with --json a line {"warning": text}. A hint inside
 * the text (see base/error.h) gets a line of its own. */
void output_warning(Output *output, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* A failure on standard error: "holdfast: text" and "hint: text", or {"error": {"code", "message",
 * "hint"}}. */
void output_error(Output *output, const GError *problem);

/* A LogFunc, with the Output as data: what libraries log, in the same form as warnings. */
void output_log(LogLevel level, const char *text, const LogField *fields, gpointer data);

/* Flushes. FALSE when something that was printed did not get where it should: a full disk, but not
 * a reader that left. */
gboolean output_finish(Output *output, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
