/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast backup postgresql full and incremental.
 */
#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "cli/backup-result.h"
#include "cli/commands.h"
#include "cli/words.h"
#include "operation/backup.h"

static struct {
    char *source;
    char *method;
    char **databases;
    int jobs;
    char *compression;
    char *access;
    char *rate;
    gboolean checksum;
    gboolean nice;
} options;

/* The word must be NULL or one of the two. */
static gboolean check_word(const char *option, const char *word, const char *const *known,
                           GError **error)
{
    g_autofree char *list = NULL;

    if (word == NULL || g_strv_contains(known, word))
        return TRUE;
    list = g_strjoinv(", ", (char **)known);
    error_set(error, ERROR_USAGE, "%s: \"%s\" is none of %s", option, word, list);
    return FALSE;
}

static gboolean check_options(guint64 *ret_rate, GError **error)
{
    static const char *const methods[] = {"physical", "logical", NULL};
    static const char *const accesses[] = {"auto", "local", "stream", NULL};

    *ret_rate = 0;
    if (!check_word("--method", options.method, methods, error) ||
        !check_word("--access", options.access, accesses, error) ||
        !words_check_jobs(options.jobs, error))
        return FALSE;
    if (options.rate == NULL)
        return TRUE;
    if (!size_parse(options.rate, ret_rate, error)) {
        g_prefix_error(error, "--rate: ");
        return FALSE;
    }
    return TRUE;
}

static gboolean run_backup(CommandRun *run, BackupType type, GError **error)
{
    g_autoptr(Progress) progress = progress_new(output_progress, run->output);
    g_autoptr(OperationContext) context = NULL;
    g_autoptr(Manifest) manifest = NULL;
    g_auto(GStrv) databases = NULL;
    BackupRequest request = {.engine = "postgresql", .type = type};

    if (!check_options(&request.rate, error) ||
        !words_split("--databases", options.databases, &databases, error))
        return FALSE;
    context = command_open(run, error);
    if (context == NULL)
        return FALSE;
    request.source = options.source;
    request.method = options.method;
    request.databases = (const char *const *)databases;
    request.compression = options.compression;
    request.jobs = (guint)options.jobs;
    request.access = options.access;
    request.checksum = options.checksum;
    request.nice = options.nice;
    if (!operation_backup(context, &request, progress, run->cancellable, &manifest, error))
        return FALSE;
    return backup_result_finish(run, context, manifest, error);
}

static gboolean run_full(CommandRun *run, GError **error)
{
    return run_backup(run, BACKUP_FULL, error);
}

static gboolean run_incremental(CommandRun *run, GError **error)
{
    return run_backup(run, BACKUP_INCREMENTAL, error);
}

static const GOptionEntry full_entries[] = {
    {"source", 0, 0, G_OPTION_ARG_FILENAME, &options.source,
     "what to back up; needed where several sources fit", "NAME"},
    {"access", 0, 0, G_OPTION_ARG_FILENAME, &options.access,
     "physical: local reads the files, stream takes them from the server, auto chooses", "HOW"},
    {"jobs", 0, 0, G_OPTION_ARG_INT, &options.jobs, "workers at the same time", "N"},
    {"rate", 0, 0, G_OPTION_ARG_FILENAME, &options.rate,
     "physical: read at most this much a second (200M)", "SIZE"},
    {"nice", 0, 0, G_OPTION_ARG_NONE, &options.nice, "physical: give way to other processes", NULL},
    {"compression", 0, 0, G_OPTION_ARG_FILENAME, &options.compression,
     "codec and level: zstd:3, gzip:1, lz4, none", "SPEC"},
    {"method", 0, 0, G_OPTION_ARG_FILENAME, &options.method,
     "physical: the files and the WAL; logical: through pg_dump", "METHOD"},
    {"databases", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.databases,
     "logical: only these databases, a partial backup", "A,B"},
    {NULL},
};

static const GOptionEntry incremental_entries[] = {
    {"source", 0, 0, G_OPTION_ARG_FILENAME, &options.source,
     "what to back up; needed where several sources fit", "NAME"},
    {"access", 0, 0, G_OPTION_ARG_FILENAME, &options.access,
     "physical: local reads the files, stream takes them from the server, auto chooses", "HOW"},
    {"jobs", 0, 0, G_OPTION_ARG_INT, &options.jobs, "workers at the same time", "N"},
    {"rate", 0, 0, G_OPTION_ARG_FILENAME, &options.rate,
     "physical: read at most this much a second (200M)", "SIZE"},
    {"nice", 0, 0, G_OPTION_ARG_NONE, &options.nice, "physical: give way to other processes", NULL},
    {"compression", 0, 0, G_OPTION_ARG_FILENAME, &options.compression,
     "codec and level: zstd:3, gzip:1, lz4, none", "SPEC"},
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
    .run = run_incremental,
};
