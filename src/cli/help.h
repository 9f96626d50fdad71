/* SPDX-License-Identifier: Apache-2.0
 *
 * Help texts, made from the command table.
 */
#ifndef HOLDFAST_CLI_HELP_H
#define HOLDFAST_CLI_HELP_H

#include "cli/command.h"

/* All commands, or those that begin with `prefix` ("backup postgresql"). Free with g_free(). */
char *help_overview(const char *prefix);

/* One command: usage, description, its options and the common ones, example. Free with g_free(). */
char *help_command(const Command *command);

#endif
