/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking up values, and making places for them.
 */
#include "cli/values.h"

#include <string.h>

/* Whatever GLib's option parser may store. */
union OptionValue {
    char *text;
    char **list;
    int number;
    gint64 large;
};

static const GOptionEntry *find(const GOptionEntry *options, const char *name)
{
    for (; options != NULL && options->long_name != NULL; options++) {
        if (strcmp(options->long_name, name) == 0)
            return options;
    }
    return NULL;
}

static gboolean is_list(const GOptionEntry *entry)
{
    return entry->arg == G_OPTION_ARG_STRING_ARRAY || entry->arg == G_OPTION_ARG_FILENAME_ARRAY;
}

static gboolean is_text(const GOptionEntry *entry)
{
    return entry->arg == G_OPTION_ARG_STRING || entry->arg == G_OPTION_ARG_FILENAME;
}

const char *values_text(const GOptionEntry *options, const char *name)
{
    const GOptionEntry *entry = find(options, name);

    return entry != NULL ? *(char **)entry->arg_data : NULL;
}

char **values_list(const GOptionEntry *options, const char *name)
{
    const GOptionEntry *entry = find(options, name);

    return entry != NULL ? *(char ***)entry->arg_data : NULL;
}

gboolean values_switch(const GOptionEntry *options, const char *name)
{
    return values_number(options, name) != 0;
}

int values_number(const GOptionEntry *options, const char *name)
{
    const GOptionEntry *entry = find(options, name);

    return entry != NULL ? *(int *)entry->arg_data : 0;
}

void values_init(OptionValues *values, const GOptionEntry *options)
{
    guint count = 0;

    while (options != NULL && options[count].long_name != NULL)
        count++;
    values->entries = g_new0(GOptionEntry, count + 1);
    values->places = g_new0(union OptionValue, count + 1);
    for (guint i = 0; i < count; i++) {
        values->entries[i] = options[i];
        values->entries[i].arg_data = &values->places[i];
    }
}

void values_clear(OptionValues *values)
{
    for (guint i = 0; values->entries != NULL && values->entries[i].long_name != NULL; i++) {
        if (is_text(&values->entries[i]))
            g_free(values->places[i].text);
        else if (is_list(&values->entries[i]))
            g_strfreev(values->places[i].list);
    }
    g_free(values->entries);
    g_free(values->places);
}
