/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast backup postgresql full and incremental.
 */
#include <string.h>

#include "base/error.h"
#include "cli/backup-command.h"
#include "cli/commands.h"
#include "cli/values.h"
#include "cli/words.h"

static BackupWords words;

static struct {
    char *method, *access;
    gboolean checksum, nice;
} options;

/* What fits one method only: of a request, or of the command line. */
typedef struct {
    const char *source, *method; /* NULL: the configuration's */
    gboolean databases, access, rate, nice;
} MethodOptions;

/* Only what goes through pg_dump can leave databases out. */
static gboolean check_physical(const MethodOptions *given, GError **error)
{
    if (!given->databases)
        return TRUE;
    error_set(error, ERROR_USAGE, "a physical backup holds the whole server, not single databases");
    error_add_hint(error, "use --method logical, or choose the databases at the restore");
    return FALSE;
}

/* What pg_dump reads, and how fast, is its own affair. */
static gboolean check_logical(const MethodOptions *given, GError **error)
{
    const char *option = given->access ? "access"
                         : given->rate ? "rate"
                         : given->nice ? "nice"
                                       : NULL;

    if (option == NULL)
        return TRUE;
    error_set(error, ERROR_USAGE, "--%s is for physical backups, and this is a logical one",
              option);
    error_add_hint(error, "leave it out, or use --method physical");
    return FALSE;
}

static gboolean check_method(const MethodOptions *given, const Config *config, GError **error)
{
    const ConfigSource *source =
        config_find_source(config, given->source, "postgresql", NULL, error);

    if (source == NULL)
        return FALSE;
    return strcmp(given->method != NULL ? given->method : source->method, "logical") == 0
               ? check_logical(given, error)
               : check_physical(given, error);
}

static gboolean check(const GOptionEntry *given, char **arguments, const Config *config,
                      GError **error)
{
    static const char *const methods[] = {"physical", "logical", NULL};
    static const char *const accesses[] = {"auto", "local", "stream", NULL};
    const MethodOptions method = {
        .source = values_text(given, "source"),
        .method = values_text(given, "method"),
        .databases = values_list(given, "databases") != NULL,
        .access = values_text(given, "access") != NULL,
        .rate = values_text(given, "rate") != NULL,
        .nice = values_switch(given, "nice"),
    };

    return words_check_choice("--method", method.method, methods, error) &&
           words_check_choice("--access", values_text(given, "access"), accesses, error) &&
           backup_command_check(given, error) &&
           (config == NULL || check_method(&method, config, error));
}

/* The same when the configuration has been read. */
static gboolean check_request(const Config *config, BackupRequest *request, GError **error)
{
    const MethodOptions method = {
        .source = request->source,
        .method = request->method,
        .databases = request->databases != NULL,
        .access = request->access != NULL,
        .rate = request->rate > 0,
        .nice = request->nice,
    };

    return check_method(&method, config, error);
}

static gboolean run_backup(CommandRun *run, BackupType type, GError **error)
{
    BackupRequest request = {.engine = "postgresql",
                             .type = type,
                             .method = options.method,
                             .access = options.access,
                             .checksum = options.checksum,
                             .nice = options.nice};

    return backup_command_run(run, &words, &request, check_request, error);
}

static gboolean run_full(CommandRun *run, GError **error)
{
    return run_backup(run, BACKUP_FULL, error);
}

static gboolean run_incremental(CommandRun *run, GError **error)
{
    return run_backup(run, BACKUP_INCREMENTAL, error);
}

/* What both commands take. */
#define COMMON_ENTRIES                                                                             \
    {"access",                                                                                     \
     0,                                                                                            \
     0,                                                                                            \
     G_OPTION_ARG_FILENAME,                                                                        \
     &options.access,                                                                              \
     "physical: local reads the files, stream takes them from the server, auto chooses",           \
     "HOW"},                                                                                       \
        {"nice", 0, 0, G_OPTION_ARG_NONE, &options.nice, "physical: give way to other processes",  \
         NULL},                                                                                    \
        BACKUP_ENTRIES(words, "physical: ")

static const GOptionEntry full_entries[] = {
    COMMON_ENTRIES,
    {"method", 0, 0, G_OPTION_ARG_FILENAME, &options.method,
     "physical: the files and the WAL; logical: through pg_dump", "METHOD"},
    {"databases", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words.databases,
     "logical: only these databases, a partial backup", "A,B"},
    {NULL},
};

static const GOptionEntry incremental_entries[] = {
    COMMON_ENTRIES,
    {"checksum", 0, 0, G_OPTION_ARG_NONE, &options.checksum,
     "read every file, whatever its size and times say", NULL},
    {NULL},
};

const Command command_backup_postgresql_full = {
    .words = "backup postgresql full",
    .arguments = "",
    .summary = "back up a PostgreSQL server",
    .description =
        "physical (the default): all files of the server, which goes on working, and the WAL that\n"
        "makes them whole; with the WAL archive any later moment can be recovered. logical: every\n"
        "database that allows connections, or those of the configuration, with roles and\n"
        "tablespaces, each from one snapshot, its rows counted. A backup that was interrupted "
        "does\n"
        "not exist.",
    .example = "holdfast backup postgresql full --source market",
    .options = full_entries,
    .check = check,
    .run = run_full,
};

const Command command_backup_postgresql_incremental = {
    .words = "backup postgresql incremental",
    .arguments = "",
    .summary = "back up what has changed since the newest backup of a PostgreSQL server",
    .description =
        "A physical backup that writes only what its base does not hold: files whose size and\n"
        "times did not change are not read, and of the others only changed parts are stored. It\n"
        "is restored like a full, and its base can be deleted. Where no backup can be the base, a\n"
        "full is made, and a warning says why.",
    .example = "holdfast backup postgresql incremental --source market",
    .options = incremental_entries,
    .check = check,
    .run = run_incremental,
};
