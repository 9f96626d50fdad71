/* SPDX-License-Identifier: Apache-2.0
 *
 * What every command begins with: its configuration.
 */
#include "cli/command.h"

#include "base/log.h"
#include "repo/key-form.h"

/* --key, with a path that holds wherever it is used. */
static gboolean use_key(Config *config, const char *text, GError **error)
{
    g_autoptr(KeyForm) form = key_form_parse(text, error);
    g_autofree char *absolute = NULL;

    if (form == NULL) {
        g_prefix_error(error, "--key: ");
        return FALSE;
    }
    absolute = key_form_format(form);
    config_use_key(config, absolute);
    return TRUE;
}

static Config *load(CommandRun *run, GError **error)
{
    g_autofree char *fallback = NULL;

    if (run->repository != NULL && run->config_path == NULL)
        return config_new_bare(run->repository);
    fallback = config_default_path();
    return config_load(run->config_path != NULL ? run->config_path : fallback, error);
}

Config *command_config(CommandRun *run, GError **error)
{
    g_autoptr(Config) config = load(run, error);
    LogLevel level;

    if (config == NULL || (run->key != NULL && !use_key(config, run->key, error)))
        return NULL;
    if (config_path(config) == NULL)
        return g_steal_pointer(&config);
    if (run->repository != NULL)
        config_use_repository(config, run->repository);
    if (!output_is_verbose(run->output) && !output_is_quiet(run->output)) {
        if (!log_level_parse(config_get(config, "general", "log_level"), &level, error))
            return NULL;
        log_set_level(level);
    }
    return g_steal_pointer(&config);
}
