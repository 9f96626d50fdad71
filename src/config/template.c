/* SPDX-License-Identifier: Apache-2.0
 *
 * The commented configuration file that `holdfast init` writes, from the table of keys.
 */
#include "config/config.h"

#include <string.h>

#include "config/keys.h"

/* Values to show in the place of the default; those of sections that are no example are in
 * force. */
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

static void append_key(GString *text, const ConfigKey *row, const char *value, gboolean in_force)
{
    g_string_append_printf(text, "# %s", row->help);
    if (row->type == CONFIG_WORD)
        g_string_append_printf(text, " One of: %s.", row->words);
    if (row->engine != NULL)
        g_string_append_printf(text, " (%s)", row->engine);
    if (value == NULL)
        value = row->fallback != NULL ? row->fallback : "";
    g_string_append_printf(text, "\n%s%s = %s\n", in_force ? "" : "#", row->key, value);
}

/* A section that needs a name is an example, all of it a comment: nothing is backed up or told
 * before somebody means it. */
static void append_section(GString *text, const ConfigSection *section, const Setting *settings)
{
    gboolean example = section->naming == CONFIG_NAME_REQUIRED;

    g_string_append_printf(text, "\n# %s\n%s[%s%s]\n", section->help, example ? "#" : "",
                           section->section, example ? " main" : "");
    for (const ConfigKey *row = config_keys; row->section != NULL; row++) {
        const char *value = find_setting(settings, row->section, row->key);

        if (strcmp(row->section, section->section) == 0)
            append_key(text, row, value, value != NULL && !example);
    }
}

/* What runs by itself from the first day; without a source of its engine a schedule does nothing. */
static const char default_schedules[] = "\n"
                                        "[schedule tdengine-full]\n"
                                        "command = backup tdengine full\n"
                                        "cron = 0 2 * * *\n"
                                        "\n"
                                        "[schedule tdengine-incremental]\n"
                                        "command = backup tdengine incremental\n"
                                        "cron = 0 0-1,3-23 * * *\n"
                                        "\n"
                                        "[schedule postgresql-full]\n"
                                        "command = backup postgresql full\n"
                                        "cron = 0 3 * * *\n"
                                        "\n"
                                        "[schedule cleanup]\n"
                                        "command = cleanup\n"
                                        "cron = 0 4 * * *\n";

char *config_template(const char *repository_path, const char *compression, const char *key)
{
    const Setting settings[] = {
        {"repository", "path", repository_path},
        {"repository", "compression", compression},
        {"repository", "key", key},
        {"source", "engine", "postgresql"},
        {"source", "conninfo", "host=/var/run/postgresql user=postgres dbname=postgres"},
        {"source", "method", "physical"},
        {"schedule", "command", "backup postgresql full"},
        {"schedule", "cron", "0 3 * * *"},
        {"notify", "type", "command"},
        {NULL},
    };
    GString *text = g_string_new(
        "# The configuration of Holdfast. Lines that begin with # are comments; keys that are\n"
        "# commented out show their defaults, or an example. Lists are separated by commas. Sizes\n"
        "# are written 64M or 2G, durations 30s, 5m, 1h or 7d. Nobody but owner and group may\n"
        "# read this file. After a change: holdfast check\n");

    for (const ConfigSection *section = config_sections; section->section != NULL; section++) {
        append_section(text, section, settings);
        if (strcmp(section->section, "schedule") == 0)
            g_string_append(text, default_schedules);
    }
    return g_string_free(text, FALSE);
}

/* Whether a line begins the section, with whatever blanks. */
static gboolean begins_repository(const char *line)
{
    const char *at = line + strspn(line, " \t");

    if (*at++ != '[')
        return FALSE;
    at += strspn(at, " \t");
    if (!g_str_has_prefix(at, "repository"))
        return FALSE;
    at += strlen("repository");
    return at[strspn(at, " \t")] == ']';
}

char *config_insert_key(const char *text, const char *value)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    GString *result = g_string_new(NULL);
    gboolean done = FALSE;

    for (guint i = 0; lines[i] != NULL; i++) {
        g_string_append_printf(result, "%s%s", i > 0 ? "\n" : "", lines[i]);
        if (done || !begins_repository(lines[i]))
            continue;
        g_string_append_printf(result, "\nkey = %s", value);
        done = TRUE;
    }
    return g_string_free(result, FALSE);
}
