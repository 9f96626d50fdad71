/* SPDX-License-Identifier: Apache-2.0
 *
 * Help texts. GOptionContext's own would not name arguments and examples the way we want them.
 */
#include "cli/help.h"

#include <string.h>

/* Whether a command's words are the prefix or begin with it, word by word. */
static gboolean belongs(const Command *command, const char *prefix)
{
    gsize length = strlen(prefix);

    return length == 0 || (strncmp(command->words, prefix, length) == 0 &&
                           (command->words[length] == ' ' || command->words[length] == '\0'));
}

static char *usage_of(const Command *command)
{
    return g_strconcat(command->words, command->arguments[0] != '\0' ? " " : "", command->arguments,
                       NULL);
}

char *help_overview(const char *prefix)
{
    GString *text = g_string_new(NULL);
    int width = 0;

    if (prefix[0] == '\0')
        g_string_append(text, "Holdfast backs up and restores TDengine and PostgreSQL.\n\n"
                              "usage: holdfast COMMAND [OPTION…]\n\n");
    else
        g_string_append_printf(text, "usage: holdfast %s COMMAND [OPTION…]\n\n", prefix);
    for (guint i = 0; command_table[i] != NULL; i++) {
        g_autofree char *usage = usage_of(command_table[i]);

        if (belongs(command_table[i], prefix))
            width = MAX(width, (int)strlen(usage));
    }
    for (guint i = 0; command_table[i] != NULL; i++) {
        g_autofree char *usage = usage_of(command_table[i]);

        if (belongs(command_table[i], prefix))
            g_string_append_printf(text, "  %-*s  %s\n", width, usage, command_table[i]->summary);
    }
    g_string_append(text, "\nholdfast COMMAND --help says more about each, with an example.\n");
    if (prefix[0] == '\0')
        g_string_append(text, "Exit status: 0 done; 1 failed; 2 usage or configuration; 3 damage "
                              "found; 4 busy;\n5 a server or repository could not be reached; 6 "
                              "objective missed.\n");
    return g_string_free(text, FALSE);
}

/* "-v, --verbose", "    --config FILE" */
static char *option_label(const GOptionEntry *entry)
{
    GString *label = g_string_new(NULL);

    if (entry->short_name != '\0')
        g_string_append_printf(label, "-%c, --%s", entry->short_name, entry->long_name);
    else
        g_string_append_printf(label, "    --%s", entry->long_name);
    if (entry->arg_description != NULL)
        g_string_append_printf(label, " %s", entry->arg_description);
    return g_string_free(label, FALSE);
}

static void append_options(GString *text, const GOptionEntry *entries)
{
    for (; entries != NULL && entries->long_name != NULL; entries++) {
        g_autofree char *label = option_label(entries);

        if ((entries->flags & G_OPTION_FLAG_HIDDEN) == 0)
            g_string_append_printf(text, "  %-28s  %s\n", label, entries->description);
    }
}

char *help_command(const Command *command, const GOptionEntry *common)
{
    GString *text = g_string_new(NULL);
    g_autofree char *usage = usage_of(command);

    g_string_append_printf(text, "usage: holdfast %s [OPTION…]\n\n%s\n", usage, command->summary);
    if (command->description != NULL)
        g_string_append_printf(text, "\n%s\n", command->description);
    if (command->options != NULL) {
        g_string_append(text, "\noptions:\n");
        append_options(text, command->options);
    }
    g_string_append(text, "\ncommon options:\n");
    append_options(text, common);
    g_string_append_printf(text, "\nexample:\n  %s\n", command->example);
    return g_string_free(text, FALSE);
}
