/* SPDX-License-Identifier: Apache-2.0
 *
 * The commented configuration file that `holdfast init` writes, from the table of keys.
 */
#include "config/config.h"

#include <string.h>

#include "config/keys.h"

/* Keys that the file sets; all others are shown as comments with their defaults. */
typedef struct {
    const char *section, *key, *value;
} Setting;

static const char *find_setting(const Setting *settings, const char *section, const char *key)
{
    for (; settings->section != NULL; settings++) {
        if (strcmp(settings->section, section) == 0 && strcmp(settings->key, key) == 0)
            return settings->value;
    }
    return NULL;
}

static void append_key(GString *text, const ConfigKey *row, const char *value)
{
    g_string_append_printf(text, "# %s", row->help);
    if (row->type == CONFIG_WORD)
        g_string_append_printf(text, " One of: %s.", row->words);
    if (row->engine != NULL)
        g_string_append_printf(text, " (%s)", row->engine);
    if (value != NULL)
        g_string_append_printf(text, "\n%s = %s\n", row->key, value);
    else
        g_string_append_printf(text, "\n#%s = %s\n", row->key,
                               row->fallback != NULL ? row->fallback : "");
}

/* A section that needs a name is there as an example: in force when a setting belongs to it, as a comment otherwise. */
static void append_section(GString *text, const ConfigSection *section, const Setting *settings)
{
    gboolean in_force = section->naming != CONFIG_NAME_REQUIRED;

    for (const Setting *at = settings; at->section != NULL; at++)
        in_force = in_force || strcmp(at->section, section->section) == 0;
    g_string_append_printf(text, "\n# %s\n%s[%s%s]\n", section->help, in_force ? "" : "#",
                           section->section,
                           section->naming == CONFIG_NAME_REQUIRED ? " main" : "");
    for (const ConfigKey *row = config_keys; row->section != NULL; row++) {
        if (strcmp(row->section, section->section) == 0)
            append_key(text, row, find_setting(settings, row->section, row->key));
    }
}

char *config_template(const char *repository_path, const char *compression)
{
    const Setting settings[] = {
        {"repository", "path", repository_path},
        {"repository", "compression", compression},
        {"source", "engine", "postgresql"},
        {"source", "conninfo", "host=/var/run/postgresql user=postgres dbname=postgres"},
        {"source", "method", "logical"},
        {NULL},
    };
    GString *text = g_string_new(
        "# The configuration of Holdfast. Lines that begin with # are comments; keys that are\n"
        "# commented out show their defaults. Lists are separated by commas. Sizes are written\n"
        "# 64M or 2G, durations 30s, 5m, 1h or 7d. Nobody but owner and group may read this file.\n"
        "# After a change: holdfast check\n");

    for (const ConfigSection *section = config_sections; section->section != NULL; section++)
        append_section(text, section, settings);
    return g_string_free(text, FALSE);
}
