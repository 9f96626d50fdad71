/* SPDX-License-Identifier: Apache-2.0
 *
 * What the backup commands of all engines have in common.
 */
#ifndef HOLDFAST_CLI_BACKUP_COMMAND_H
#define HOLDFAST_CLI_BACKUP_COMMAND_H

#include "cli/command.h"
#include "operation/backup.h"

/* Options as they stand on the command line. */
typedef struct {
    char *source, *compression, *rate;
    char **databases, **tables;
    int jobs;
} BackupWords;

/* Entries for GLib's option parser that the commands of all engines have; `words` is a
 * BackupWords, `which` says which backups --rate is for. */
#define BACKUP_ENTRIES(words, which)                                                               \
    {"source",                                                                                     \
     0,                                                                                            \
     0,                                                                                            \
     G_OPTION_ARG_FILENAME,                                                                        \
     &(words).source,                                                                              \
     "what to back up; needed where several sources fit",                                          \
     "NAME"},                                                                                      \
        {"jobs", 0, 0, G_OPTION_ARG_INT, &(words).jobs, "workers at the same time", "N"},          \
        {"rate",                                                                                   \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_FILENAME,                                                                    \
         &(words).rate,                                                                            \
         which "read at most this much a second (200M)",                                           \
         "SIZE"},                                                                                  \
    {                                                                                              \
        "compression", 0, 0, G_OPTION_ARG_FILENAME, &(words).compression,                          \
            "codec and level: zstd:3, gzip:1, lz4, none", "SPEC"                                   \
    }

/* What needs the configuration: times in its zone. */
typedef gboolean (*BackupFill)(const Config *config, BackupRequest *request, GError **error);

/* Whether the values of the options above fit. */
gboolean backup_command_check(const GOptionEntry *options,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Takes the words into the request, fills it (may be NULL), makes the backup, verifies what it
 * wrote, as the source's `verify` says, and tells of both. Damage becomes the exit status; FALSE
 * also where verify could not look: the backup is there all the same. */
gboolean backup_command_run(CommandRun *run, const BackupWords *words, BackupRequest *request,
                            BackupFill fill, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
