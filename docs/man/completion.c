/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of holdfast.bash: for every command what words, options and kind of argument follow.
 */
#include "completion.h"

#include <string.h>

#include "cli/command.h"

/* What stands where a value or an argument is named so in the help. */
static const struct {
    const char *description, *kind;
} kinds[] = {
    {"FILE", "file"},     {"PATH", "file"},       {"DIR", "directory"},
    {"BACKUP", "backup"}, {"[SOURCE]", "source"}, {"SOURCE", "source"},
    {"JOB", "job"},       {"FORM", "form"},       {"BACKUP | --all", "backup"},
};

static const char *kind_of(const char *description)
{
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(kinds[i].description, description) == 0)
            return kinds[i].kind;
    }
    return "";
}

/* "--source=source --nice ": behind "=" stands what kind of value follows. */
static void add_options(GString *out, const GOptionEntry *entries)
{
    for (; entries != NULL && entries->long_name != NULL; entries++) {
        if ((entries->flags & G_OPTION_FLAG_HIDDEN) != 0)
            continue;
        g_string_append_printf(out, "--%s", entries->long_name);
        if (g_str_has_suffix(entries->long_name, "source"))
            g_string_append(out, "=source");
        else if (entries->arg_description != NULL)
            g_string_append_printf(out, "=%s", kind_of(entries->arg_description));
        g_string_append_c(out, ' ');
    }
}

/* One line of the case over the words so far: options, and the kind of its argument. */
static void add_command(GString *out, const Command *command)
{
    g_autofree GOptionEntry *common = command_common_options(command);

    g_string_append_printf(out, "        '%s')\n            options='", command->words);
    add_options(out, command->options);
    add_options(out, common);
    g_string_truncate(out, out->len - 1);
    g_string_append_printf(out, "'\n            argument='%s'\n            ;;\n",
                           kind_of(command->arguments));
}

/* Adds the next word of every command that begins with `prefix`, once each. */
static void add_next(GString *out, const char *prefix)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    gsize length = strlen(prefix);

    for (guint i = 0; command_table[i] != NULL; i++) {
        const char *words = command_table[i]->words;
        const char *rest = length > 0 ? words + length + 1 : words;
        char *word;

        if (length > 0 && (strncmp(words, prefix, length) != 0 || words[length] != ' '))
            continue;
        word = g_strndup(rest, strcspn(rest, " "));
        if (!g_hash_table_contains(seen, word))
            g_string_append_printf(out, "%s ", word);
        g_hash_table_add(seen, word);
    }
}

/* The lines of the groups: words that more words must follow. */
static void add_groups(GString *out)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; command_table[i] != NULL; i++) {
        const char *words = command_table[i]->words;

        for (const char *blank = strchr(words, ' '); blank != NULL;
             blank = strchr(blank + 1, ' ')) {
            char *group = g_strndup(words, (gsize)(blank - words));

            if (!g_hash_table_contains(seen, group)) {
                g_string_append_printf(out, "        '%s') next='", group);
                add_next(out, group);
                g_string_truncate(out, out->len - 1);
                g_string_append(out, "' ;;\n");
            }
            g_hash_table_add(seen, group);
        }
    }
}

void completion_expand(GString *out)
{
    g_string_append(out, "        '') next='");
    add_next(out, "");
    g_string_append(out, "help' ;;\n");
    add_groups(out);
    for (guint i = 0; command_table[i] != NULL; i++)
        add_command(out, command_table[i]);
}
