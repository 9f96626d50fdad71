/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast wal receive: streams a server's WAL into the repository.
 */
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "postgres/wal-receive.h"

#define MEMORY_DIRECTORY "/dev/shm"

static struct {
    gboolean drop_slot;
} options;

static Repository *open_repository(gpointer data, GError **error)
{
    g_autoptr(Repository) repository = operation_open_repository(data, error);

    return repository != NULL && repository_unlock(repository, error) ? g_steal_pointer(&repository)
                                                                      : NULL;
}

/* Where the running segment is kept until it is whole. What will be sealed is kept in memory only,
 * where the system has a place for that. */
static char *make_scratch(const Config *config, GError **error)
{
    g_autofree char *scratch = NULL;

    if (config_get(config, "repository", "key") != NULL && access(MEMORY_DIRECTORY, W_OK) == 0)
        return g_strdup(MEMORY_DIRECTORY);
    scratch = g_build_filename(config_state_directory(config), "scratch", NULL);
    return directory_make(scratch, 0700, error) ? g_steal_pointer(&scratch) : NULL;
}

static gboolean run_receive(CommandRun *run, GError **error)
{
    g_autoptr(Config) config = command_config(run, error);
    g_autofree char *scratch = NULL, *slot = NULL;
    const ConfigSource *source;
    WalReceiveRequest request;

    if (config == NULL)
        return FALSE;
    source = config_find_source(config, run->arguments[0], "postgresql", "physical", error);
    if (source == NULL)
        return FALSE;
    slot = wal_receive_slot(source->name);
    if (options.drop_slot) {
        if (!wal_receive_drop_slot(source, error))
            return FALSE;
        output_line(run->output, "dropped the replication slot %s", slot);
        return TRUE;
    }
    scratch = make_scratch(config, error);
    if (scratch == NULL)
        return FALSE;
    output_line(run->output, "receiving WAL of %s through the replication slot %s", source->name,
                slot);
    request = (WalReceiveRequest){source, open_repository, config, scratch, run->cancellable};
    return wal_receive(&request, error);
}

const Command command_wal_receive = {
    .words = "wal receive",
    .arguments = "[SOURCE]",
    .maximum = 1,
    .summary = "stream WAL into the repository, until stopped",
    .description = "Streams through a physical replication slot, which is made when it is missing, "
                   "and confirms to "
                   "the server only what the repository holds durably; at most a second or two of "
                   "commits are lost "
                   "with the server. Follows new timelines, outlives restarts of server and "
                   "network, ends with "
                   "status 0 on SIGTERM. The slot keeps WAL on the server while nobody receives: "
                   "when you give "
                   "streaming up, drop it with --drop-slot.",
    .example = "holdfast wal receive market\n  holdfast wal receive market --drop-slot",
    .options = (const GOptionEntry[]){{"drop-slot", 0, 0, G_OPTION_ARG_NONE, &options.drop_slot,
                                       "drop the source's replication slot and end", NULL},
                                      {NULL}},
    .run = run_receive,
};
