/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast serve: the service, and hidden in it the runner of one job.
 */
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "service/runner.h"
#include "service/service.h"
#include "service/systemd.h"

static struct {
    char *run_job;
} options;

/* The fields of requests are the options of the commands that they stand for. */
static const GOptionEntry *find_options(const char *words)
{
    for (guint i = 0; command_table[i] != NULL; i++) {
        if (strcmp(command_table[i]->words, words) == 0)
            return command_table[i]->options;
    }
    return NULL;
}

const ServiceCommands command_services = {find_options, command_accepts};

static gboolean run_serve(CommandRun *run, GError **error)
{
    Config *config = command_config(run, error);
    g_autoptr(SystemdJournal) journal = NULL;
    gboolean result;

    if (config == NULL)
        return FALSE;
    if (options.run_job != NULL) {
        g_autoptr(Config) own = config;

        return runner_run(own, options.run_job, error);
    }
    if (!output_is_verbose(run->output) && !output_is_quiet(run->output))
        log_set_level(service_log_level(config));
    if (systemd_has_journal())
        journal = systemd_journal_new(NULL);
    log_set_writer(journal != NULL ? systemd_log : NULL, journal);
    result = service_run(config, &command_services, error);
    log_set_writer(output_log, run->output);
    return result;
}

static const GOptionEntry entries[] = {
    {"run-job", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, &options.run_job,
     "run a waiting job; the service calls this", "ID"},
    {NULL},
};

const Command command_serve = {
    .words = "serve",
    .arguments = "",
    .summary = "run the service: the schedule and its jobs",
    .description =
        "Runs in the foreground, as systemd wants it, until SIGTERM or Ctrl-C; one for each\n"
        "catalog. Jobs are processes of their own: they go on when the service ends, and the next\n"
        "one finds them. SIGHUP reads the configuration again; one that cannot be used is told in\n"
        "the log, and the old one stays in force. Whoever a [notify NAME] section names is told "
        "of\n"
        "failures, missed objectives, overdue backups and a repository that is nearly full.",
    .example = "holdfast serve\n"
               "  systemctl enable --now holdfast",
    .options = entries,
    .own_signals = TRUE,
    .run = run_serve,
};
