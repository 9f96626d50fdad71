/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast wal get: PostgreSQL's restore_command. Its exit status decides whether a recovery goes
 * on, ends or is broken off, so 1 is kept for files that are proven not to be there.
 */
#include "base/error.h"
#include "base/log.h"
#include "cli/commands.h"
#include "postgres/wal-place.h"

#define STATUS_ABSENT 1
/* PostgreSQL breaks a recovery off for any status above 125. */
#define STATUS_FAILED 126

static struct {
    char *source;
    gboolean standby;
} options;

/* *ret_absent: it is proven that the file is not there. */
static gboolean get(CommandRun *run, gboolean *ret_absent, GError **error)
{
    g_autoptr(Config) config = command_config(run, error);
    g_autoptr(Repository) repository =
        config != NULL ? operation_open_archive(config, error) : NULL;
    g_autoptr(GError) problem = NULL;
    g_auto(WalPlace) place = {0};
    WalPlaceRequest request = {config, repository, options.source, run->arguments[1]};
    WalArchive archive;
    WalName name;

    if (repository == NULL)
        return FALSE;
    if (!wal_name_parse(run->arguments[0], &name)) {
        error_set(error, ERROR_USAGE, "\"%.80s\" is no name of a WAL file", run->arguments[0]);
        return FALSE;
    }
    if (!wal_place_for_get(&request, &place, error))
        return FALSE;
    archive = wal_place_archive(&place, repository);
    if (wal_archive_get(&archive, run->arguments[0], run->arguments[1], FALSE, &problem))
        return TRUE;
    *ret_absent = error_is(problem, ERROR_NOT_FOUND);
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

static gboolean is_outage(const GError *error)
{
    return error_is(error, ERROR_UNREACHABLE) || error_is(error, ERROR_IO) ||
           error_is(error, ERROR_TIMEOUT);
}

static gboolean run_get(CommandRun *run, GError **error)
{
    g_autoptr(GError) problem = NULL;
    gboolean absent = FALSE;

    if (get(run, &absent, &problem))
        return TRUE;
    if (absent)
        log_write(LOG_INFO, "%s", problem->message);
    else if (options.standby && is_outage(problem))
        output_error(run->output, problem);
    else {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    run->exit_status = STATUS_ABSENT;
    return TRUE;
}

const Command command_wal_get = {
    .words = "wal get",
    .arguments = "NAME PATH",
    .minimum = 2,
    .maximum = 2,
    .summary = "fetch a WAL file from the archive: for restore_command",
    .description = "Fetches an archived file to PATH. Exit status 0: it is there. 1: it is proven "
                   "that the archive "
                   "does not have it, so that PostgreSQL ends its recovery there. 126: anything "
                   "else (repository "
                   "out of reach, damage, a mistake in the command): PostgreSQL stops and can be "
                   "started again. With "
                   "--standby an outage is 1 as well, so that a standby goes on trying.",
    .example = "restore_command = 'holdfast wal get %f %p'",
    .options = (const GOptionEntry[]){{"source", 0, 0, G_OPTION_ARG_FILENAME, &options.source,
                                       "whose WAL it is", "NAME"},
                                      {"standby", 0, 0, G_OPTION_ARG_NONE, &options.standby,
                                       "for a standby: an outage is status 1", NULL},
                                      {NULL}},
    .reads_only = TRUE,
    .failure_status = STATUS_FAILED,
    .run = run_get,
};
