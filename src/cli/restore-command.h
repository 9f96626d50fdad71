/* SPDX-License-Identifier: Apache-2.0
 *
 * What the restore commands of all engines have in common.
 */
#ifndef HOLDFAST_CLI_RESTORE_COMMAND_H
#define HOLDFAST_CLI_RESTORE_COMMAND_H

#include "cli/command.h"
#include "operation/restore.h"

/* What the commands of all engines take, as it stands on the command line. */
typedef struct {
    char *backup_id, *source, *to_database, *to_source, *tolerance;
    char **databases, **tables;
    int jobs;
    gboolean replace, globals, require_rows, dry_run;
} RestoreWords;

/* Their entries for GLib's option parser; `words` is a RestoreWords, `names` and `example` say how
 * tables are named. */
#define RESTORE_BACKUP_ENTRY(words)                                                                \
    {                                                                                              \
        "backup-id", 0, 0, G_OPTION_ARG_FILENAME, &(words).backup_id,                              \
            "the backup to restore: its id, or a beginning or end of it", "BACKUP"                 \
    }
#define RESTORE_SOURCE_ENTRY(words)                                                                \
    {                                                                                              \
        "source", 0, 0, G_OPTION_ARG_FILENAME, &(words).source, "whose backups", "NAME"            \
    }
#define RESTORE_GLOBALS_ENTRY(words, what)                                                         \
    {                                                                                              \
        "globals", 0, 0, G_OPTION_ARG_NONE, &(words).globals, what, NULL                           \
    }
#define RESTORE_ENTRIES(words, names, example)                                                     \
    {"databases",                                                                                  \
     0,                                                                                            \
     0,                                                                                            \
     G_OPTION_ARG_FILENAME_ARRAY,                                                                  \
     &(words).databases,                                                                           \
     "only these databases of the backup",                                                         \
     "A,B"},                                                                                       \
        {"to-database",                                                                            \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_FILENAME,                                                                    \
         &(words).to_database,                                                                     \
         "another name for the restored database; of several: A=X,B=Y",                            \
         "NAME"},                                                                                  \
        {"tables", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &(words).tables, "only these " names,        \
         example},                                                                                 \
        {"to-source",                                                                              \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_FILENAME,                                                                    \
         &(words).to_source,                                                                       \
         "another configured server to restore to",                                                \
         "NAME"},                                                                                  \
        {"replace",                                                                                \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_NONE,                                                                        \
         &(words).replace,                                                                         \
         "replace databases or chosen tables that exist",                                          \
         NULL},                                                                                    \
        {"require-rows",                                                                           \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_NONE,                                                                        \
         &(words).require_rows,                                                                    \
         "a restored table without rows is a failure",                                             \
         NULL},                                                                                    \
        {"tolerance",                                                                              \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_FILENAME,                                                                    \
         &(words).tolerance,                                                                       \
         "how far rows may differ from the backup: 5% (default: not at all)",                      \
         "PERCENT"},                                                                               \
        {"jobs", 0, 0, G_OPTION_ARG_INT, &(words).jobs, "workers at the same time", "N"},          \
    {                                                                                              \
        "dry-run", 'n', 0, G_OPTION_ARG_NONE, &(words).dry_run,                                    \
            "check everything that could fail, print the plan, change nothing", NULL               \
    }

/* What needs the configuration: times in its zone. */
typedef gboolean (*RestoreFill)(const Config *config, RestoreRequest *request, GError **error);

/* Takes the words into the request, fills it (may be NULL), restores, prints the plan or the
 * result. */
gboolean restore_command_run(CommandRun *run, const RestoreWords *words, RestoreRequest *request,
                             RestoreFill fill, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* ERROR_USAGE where no backup is named. */
gboolean restore_command_need_backup(const char *backup_id,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
