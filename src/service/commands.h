/* SPDX-License-Identifier: Apache-2.0
 *
 * What the layer above knows of commands, and the service asks it.
 */
#ifndef HOLDFAST_SERVICE_COMMANDS_H
#define HOLDFAST_SERVICE_COMMANDS_H

#include "config/config.h"

typedef struct {
    /* The options of the command with these words, which are the fields of requests: a row without
     * a name where it has none, NULL where there is no such command. */
    const GOptionEntry *(*options)(const char *words);
    /* Whether the command line with these words (those behind "holdfast") could be run: there is
     * the command, and the values of its options fit. Threads: any. */
    gboolean (*check)(char **words, const Config *config, GError **error);
} ServiceCommands;

#endif
