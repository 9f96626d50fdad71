/* SPDX-License-Identifier: Apache-2.0
 *
 * Help texts. GOptionContext's own would not name arguments and examples the way we want them.
 */
#include "cli/help.h"

#include <string.h>

/* Columns of a line of prose. */
#define WIDTH 88

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

/* The options that are shown, under a heading; nothing where there are none. */
static void append_options(GString *text, const char *heading, const GOptionEntry *entries)
{
    for (; entries != NULL && entries->long_name != NULL; entries++) {
        g_autofree char *label = option_label(entries);

        if ((entries->flags & G_OPTION_FLAG_HIDDEN) != 0)
            continue;
        if (heading != NULL)
            g_string_append_printf(text, "\n%s:\n", heading);
        heading = NULL;
        g_string_append_printf(text, "  %-28s  %s\n", label, entries->description);
    }
}

/* A paragraph, broken where it is too long for a terminal. */
static void append_wrapped(GString *text, const char *line)
{
    while (strlen(line) > WIDTH) {
        const char *end = g_strrstr_len(line, WIDTH + 1, " ");

        if (end == NULL)
            break;
        g_string_append_len(text, line, end - line);
        g_string_append_c(text, '\n');
        line = end + 1;
    }
    g_string_append_printf(text, "%s\n", line);
}

/* Whether a line of a description stands for itself: one that is indented, or empty. */
static gboolean stands_alone(const char *line)
{
    return line[0] == ' ' || line[0] == '\0';
}

/* The other lines flow into each other. */
static void append_description(GString *text, const char *description)
{
    g_auto(GStrv) lines = g_strsplit(description, "\n", -1);
    g_autoptr(GString) paragraph = g_string_new(NULL);

    for (guint i = 0; lines[i] != NULL; i++) {
        if (paragraph->len > 0)
            g_string_append_c(paragraph, ' ');
        g_string_append(paragraph, lines[i]);
        if (!stands_alone(lines[i]) && lines[i + 1] != NULL && !stands_alone(lines[i + 1]))
            continue;
        append_wrapped(text, paragraph->str);
        g_string_truncate(paragraph, 0);
    }
}

char *help_command(const Command *command)
{
    GString *text = g_string_new(NULL);
    g_autofree char *usage = usage_of(command);
    g_autofree GOptionEntry *common = command_common_options(command);

    g_string_append_printf(text, "usage: holdfast %s [OPTION…]\n\n%s\n", usage, command->summary);
    if (command->description != NULL) {
        g_string_append_c(text, '\n');
        append_description(text, command->description);
    }
    append_options(text, "options", command->options);
    append_options(text, "common options", common);
    g_string_append_printf(text, "\nexample:\n  %s\n", command->example);
    return g_string_free(text, FALSE);
}
