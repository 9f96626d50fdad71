/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the completion for bash that the command table knows.
 */
#ifndef HOLDFAST_MAN_COMPLETION_H
#define HOLDFAST_MAN_COMPLETION_H

#include <glib.h>

/* Adds the branches of a case over the command's words so far, in bash. They set `next` to the words
 * that may follow, `options` to the options, each with "=" and a kind where a value follows, and
 * `argument` to the kind of the argument: file, directory, source, backup, job, form, or nothing. */
void completion_expand(GString *out);

#endif
