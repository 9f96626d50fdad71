/* SPDX-License-Identifier: Apache-2.0
 *
 * The command table: one row a command, one file a command. Parsing (GOptionContext), help, exit
 * statuses and signals are done once, in command.c; a command gets its arguments checked and
 * returns TRUE or an error.
 */
#ifndef HOLDFAST_CLI_COMMAND_H
#define HOLDFAST_CLI_COMMAND_H

#include "cli/output.h"
#include "operation/context.h"

#include <gio/gio.h>

/* What a command runs with. */
typedef struct {
    Output *output;
    GCancellable *cancellable; /* fires on SIGINT and SIGTERM */
    const char *config_path;   /* --config, or NULL */
    const char *repository;    /* --repository, or NULL */
    const char *key;           /* --key, or NULL */
    char **arguments;          /* what stands behind the command's words; NULL-terminated */
    guint argument_count;
    int exit_status; /* a command may set another status than 0 for success (damage found: 3) */
} CommandRun;

typedef struct {
    const char *words;       /* "backup postgresql full" */
    const char *arguments;   /* "BACKUP", "[SOURCE]", "" */
    guint minimum, maximum;  /* number of arguments */
    const char *summary;     /* one lowercase line */
    const char *description; /* a paragraph for --help, or NULL */
    const char *example;     /* at least one command line */
    /* Beside the common ones; NULL: none. Texts are taken as G_OPTION_ARG_FILENAME, that is, byte
     * by byte: names of tables must get through whatever the locale is. */
    const GOptionEntry *options;
    gboolean reads_only; /* takes --repository and --key: works without a configuration */
    /* The exit status of every failure, usage included, where another program reads it; 0: the
     * error table's. */
    int failure_status;
    /* Handles SIGINT, SIGTERM and SIGHUP itself; its cancellable never fires. */
    gboolean own_signals;
    /* Whether the values fit, as far as they and the configuration tell: what is asked where a
     * request or a schedule wants the command to be run, and before it is run here. There the
     * configuration is not read yet, config is NULL, and what depends on it is left to the run. The
     * values are read by cli/values.h; arguments end with NULL. NULL: they are checked when the command
     * runs. */
    gboolean (*check)(const GOptionEntry *options, char **arguments, const Config *config,
                      GError **error);
    gboolean (*run)(CommandRun *run, GError **error);
} Command;

/* All commands, in the order of the help; ends with NULL. In commands.c; the fast front of the
 * program has a shorter one. */
extern const Command *const command_table[];

/* The command whose words stand at the beginning of `words` (NULL-terminated); *ret_used is how
 * many of them. ERROR_USAGE with the nearest known command as hint. */
const Command *command_match(char **words, guint *ret_used,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether a command line could be run as a job: `words` are what stands behind "holdfast". Threads:
 * any. */
gboolean command_accepts(char **words, const Config *config,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The options that every command has, those of --repository and --key only where it takes them, for
 * texts: they point to nowhere. Ends with a row without a name; free with g_free(). */
GOptionEntry *command_common_options(const Command *command);

/* Finds and runs the command in argv; returns the process's exit status. Prints errors: "holdfast:
 * text", "hint: text", or with --json {"error": {"code", "message", "hint"}} on standard error. */
int command_main(int argc, char **argv);

/* Opens configuration (or the bare one for --repository), repository and catalog, as most commands
 * need. */
OperationContext *command_open(CommandRun *run, GError **error) G_GNUC_WARN_UNUSED_RESULT;
Config *command_config(CommandRun *run, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
