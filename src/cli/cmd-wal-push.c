/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast wal push: PostgreSQL's archive_command.
 */
#include "base/error.h"
#include "base/log.h"
#include "cli/commands.h"
#include "postgres/wal-push.h"

static struct {
    char *source;
} options;

static gboolean run_push(CommandRun *run, GError **error)
{
    g_autoptr(Config) config = command_config(run, error);
    g_autoptr(GError) problem = NULL;
    g_autofree char *name = g_path_get_basename(run->arguments[0]);
    WalPushRequest request = {.config = config,
                              .source = options.source,
                              .path = run->arguments[0],
                              .name = name,
                              .cancellable = run->cancellable};
    WalPushResult result;

    if (config == NULL)
        return FALSE;
    request.repository = operation_open_archive(config, &problem);
    if (!wal_push(&request, g_steal_pointer(&problem), &result, error)) {
        repository_unref(request.repository);
        return FALSE;
    }
    repository_unref(request.repository);
    log_write(LOG_INFO, "%s: %s", name, wal_push_result_text(result));
    return TRUE;
}

const Command command_wal_push = {
    .words = "wal push",
    .arguments = "PATH",
    .minimum = 1,
    .maximum = 1,
    .summary = "archive a WAL file: for archive_command",
    .description = "Archives one file of pg_wal. Exit status 0 means that the repository holds it "
                   "durably; the "
                   "same content again is fine, other content under a name that is taken is "
                   "refused. The status is "
                   "never above 125, so that PostgreSQL tries again. With `archive_async = on` in "
                   "the source's "
                   "section one call archives everything that is ready.",
    .example = "archive_command = 'holdfast wal push %p'",
    .options = (const GOptionEntry[]){{"source", 0, 0, G_OPTION_ARG_FILENAME, &options.source,
                                       "whose WAL it is", "NAME"},
                                      {NULL}},
    .run = run_push,
};
