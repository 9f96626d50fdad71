/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the output module share. Only they include this.
 */
#ifndef HOLDFAST_CLI_OUTPUT_PRIVATE_H
#define HOLDFAST_CLI_OUTPUT_PRIVATE_H

#include "cli/output.h"

struct Output {
    OutputOptions options;
    FILE *out, *errors;
    guint columns; /* of the terminal behind `errors`; 0: none, no bar */
    GMutex mutex;  /* progress comes from worker threads */
    gboolean bar;  /* an unfinished bar stands on the terminal's line */
};

/* Wipes an unfinished bar, so that a line can be printed. With the mutex held. */
void output_clear_bar(Output *output);

/* One line of JSON on standard error. Takes the reference. With the mutex held. */
void output_json_line(Output *output, json_t *json);

/* Columns that a text takes on a terminal. */
guint output_width(const char *text);

#endif
