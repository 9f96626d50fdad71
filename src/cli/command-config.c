/* SPDX-License-Identifier: Apache-2.0
 *
 * What every command begins with: its configuration.
 */
#include "cli/command.h"

#include "base/log.h"

Config *command_config(CommandRun *run, GError **error)
{
    g_autoptr(Config) config = NULL;
    g_autofree char *fallback = NULL;
    LogLevel level;

    if (run->repository != NULL && run->config_path == NULL)
        return config_new_bare(run->repository);
    fallback = config_default_path();
    config = config_load(run->config_path != NULL ? run->config_path : fallback, error);
    if (config == NULL)
        return NULL;
    if (run->repository != NULL)
        config_use_repository(config, run->repository);
    if (!output_is_verbose(run->output) && !output_is_quiet(run->output)) {
        if (!log_level_parse(config_get(config, "general", "log_level"), &level, error))
            return NULL;
        log_set_level(level);
    }
    return g_steal_pointer(&config);
}
