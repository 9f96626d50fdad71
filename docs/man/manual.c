/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes a manual page, in scdoc's language, out of a page written by hand and the program's own
 * tables, so that no option, key or error is described twice. Run by the build; never installed.
 *
 *   manual FILE [WORD]    prints it; @VERSION@ becomes the version, @WORD@ the word, @SUMMARY@ what
 *                         the first of its commands does, and a line that begins with "@" and a name
 *                         of the table at the end what the program knows
 *
 * The completion for bash is made in the same way.
 */
#include "completion.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/command.h"
#include "config/keys.h"

/* --- Text ------------------------------------------------------------------------------------- */

/* Adds text in which nothing is markup. */
static void add_text(GString *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("\\*_#|-[].+<~`", *text) != NULL)
            g_string_append_c(out, '\\');
        g_string_append_c(out, *text);
    }
}

static void add_marked(GString *out, char mark, const char *text)
{
    g_string_append_c(out, mark);
    add_text(out, text);
    g_string_append_c(out, mark);
}

/* Lines of a literal block. Those that go on an example begin with two blanks in the table. */
static void add_literal(GString *out, char **lines, guint count)
{
    g_string_append(out, "```\n");
    for (guint i = 0; i < count; i++)
        g_string_append_printf(out, "%s\n",
                               g_str_has_prefix(lines[i], "  ") ? lines[i] + 2 : lines[i]);
    g_string_append(out, "```\n\n");
}

/* A description: paragraphs, in which lines that begin with two blanks are kept as they are. */
static void add_description(GString *out, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++) {
        guint kept = 0;

        while (lines[i + kept] != NULL && g_str_has_prefix(lines[i + kept], "  "))
            kept++;
        if (kept > 0) {
            g_string_append_c(out, '\n');
            add_literal(out, lines + i, kept);
            i += kept - 1;
            continue;
        }
        add_text(out, lines[i]);
        g_string_append_c(out, '\n');
    }
    g_string_append_c(out, '\n');
}

/* --- Commands --------------------------------------------------------------------------------- */

/* Whether it is the command or one of the group: "backup" is that of "backup postgresql full". */
static gboolean is_of(const Command *command, const char *group)
{
    gsize length = strlen(group);

    return strncmp(command->words, group, length) == 0 &&
           (command->words[length] == ' ' || command->words[length] == '\0');
}

static gboolean is_shown(const GOptionEntry *entry)
{
    return (entry->flags & G_OPTION_FLAG_HIDDEN) == 0;
}

static void add_options(GString *out, const GOptionEntry *entries)
{
    for (; entries != NULL && entries->long_name != NULL; entries++) {
        if (!is_shown(entries))
            continue;
        if (entries->short_name != '\0')
            g_string_append_printf(out, "*-%c*, ", entries->short_name);
        g_string_append(out, "*--");
        add_text(out, entries->long_name);
        g_string_append_c(out, '*');
        if (entries->arg_description != NULL) {
            g_string_append_c(out, ' ');
            add_marked(out, '_', entries->arg_description);
        }
        g_string_append(out, "\n\t");
        add_text(out, entries->description);
        g_string_append(out, "\n\n");
    }
}

static void add_usage(GString *out, const Command *command)
{
    g_autofree char *words = g_strconcat("holdfast ", command->words, NULL);

    add_marked(out, '*', words);
    if (command->arguments[0] != '\0') {
        g_string_append_c(out, ' ');
        add_marked(out, '_', command->arguments);
    }
}

/* @synopsis GROUP */
static void expand_synopsis(GString *out, const char *group)
{
    gboolean first = TRUE;

    for (guint i = 0; command_table[i] != NULL; i++) {
        if (!is_of(command_table[i], group))
            continue;
        if (!first)
            g_string_append(out, "++\n");
        first = FALSE;
        add_usage(out, command_table[i]);
        g_string_append(out, " \\[_OPTION_…\\]");
    }
    g_string_append_c(out, '\n');
}

/* A sentence of the summary: a capital in front, a full stop behind. */
static void add_summary(GString *out, const Command *command)
{
    g_autofree char *text = g_strdup(command->summary);

    text[0] = g_ascii_toupper(text[0]);
    add_text(out, text);
    g_string_append(out, ".\n\n");
}

static void add_command(GString *out, const Command *command, gboolean alone)
{
    gboolean any = FALSE;

    if (!alone) {
        /* Nothing is markup in a heading. */
        g_string_append_printf(out, "## holdfast %s%s%s\n\n", command->words,
                               command->arguments[0] != '\0' ? " " : "", command->arguments);
    }
    add_summary(out, command);
    if (command->description != NULL)
        add_description(out, command->description);
    for (const GOptionEntry *at = command->options; at != NULL && at->long_name != NULL; at++)
        any = any || is_shown(at);
    if (any && alone)
        g_string_append(out, "# OPTIONS\n\n");
    if (any)
        add_options(out, command->options);
}

/* @commands GROUP: description and options of each */
static void expand_commands(GString *out, const char *group)
{
    for (guint i = 0; command_table[i] != NULL; i++) {
        if (is_of(command_table[i], group))
            add_command(out, command_table[i], strcmp(command_table[i]->words, group) == 0);
    }
}

static const Command *reader_among(const char *group)
{
    const Command *found = NULL;

    for (guint i = 0; command_table[i] != NULL; i++) {
        if (is_of(command_table[i], group) && (found == NULL || command_table[i]->reads_only))
            found = command_table[i];
    }
    return found;
}

/* @common GROUP: the options that all have */
static void expand_common(GString *out, const char *group)
{
    g_autofree GOptionEntry *common = command_common_options(reader_among(group));

    add_options(out, common);
}

/* @examples GROUP */
static void expand_examples(GString *out, const char *group)
{
    g_autoptr(GString) all = g_string_new(NULL);
    g_auto(GStrv) lines = NULL;

    for (guint i = 0; command_table[i] != NULL; i++) {
        if (is_of(command_table[i], group))
            g_string_append_printf(all, "%s%s", all->len > 0 ? "\n" : "",
                                   command_table[i]->example);
    }
    lines = g_strsplit(all->str, "\n", -1);
    add_literal(out, lines, g_strv_length(lines));
}

/* @list: every command, and where more is said of it */
static void expand_list(GString *out, const char *unused)
{
    for (guint i = 0; command_table[i] != NULL; i++) {
        g_auto(GStrv) words = g_strsplit(command_table[i]->words, " ", 2);

        add_usage(out, command_table[i]);
        g_string_append(out, "\n\t");
        add_text(out, command_table[i]->summary);
        g_string_append_printf(out, "; see *holdfast-%s*(1)\n\n", words[0]);
    }
}

/* @errors: the error table */
static void expand_errors(GString *out, const char *unused)
{
    for (int code = 0; code < ERROR_LAST; code++) {
        const ErrorInfo *info = error_info((ErrorCode)code);

        add_marked(out, '*', info->name);
        g_string_append_printf(out, " (%d)\n\t", info->exit_status);
        add_text(out, info->summary);
        g_string_append(out, "\n\n");
    }
}

/* --- Configuration ---------------------------------------------------------------------------- */

static const char *kind_of(ConfigType type)
{
    static const char *const kinds[] = {
        [CONFIG_TEXT] = "text",
        [CONFIG_PATH] = "absolute path",
        [CONFIG_WORD] = "word",
        [CONFIG_NUMBER] = "number",
        [CONFIG_BOOLEAN] = "on or off",
        [CONFIG_SIZE] = "size: 64M, 2G",
        [CONFIG_DURATION] = "duration: 30s, 5m, 1h, 7d",
        [CONFIG_PERCENT] = "percentage: 5%",
        [CONFIG_LIST] = "list, with commas",
        [CONFIG_PATHS] = "list of absolute paths, with commas",
        [CONFIG_NAME] = "name of a source",
        [CONFIG_ZONE] = "time zone: Europe/Berlin",
        [CONFIG_CODEC] = "codec:level",
        [CONFIG_CRON] = "five fields of cron, or @daily and its like",
        [CONFIG_KEY] = "passphrase-file=F, key-file=F or command=CMD",
        [CONFIG_LISTEN] = "list of ADDRESS:PORT and unix:PATH",
        [CONFIG_COMMAND] = "command, without the word holdfast",
    };

    return kinds[type];
}

static void add_key(GString *out, const ConfigKey *row)
{
    add_marked(out, '*', row->key);
    g_string_append(out, " (");
    add_text(out, kind_of(row->type));
    if (row->type == CONFIG_NUMBER)
        g_string_append_printf(out, " from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, row->minimum,
                               row->maximum);
    if (row->engine != NULL)
        g_string_append_printf(out, "; %s only", row->engine);
    g_string_append(out, ")\n\t");
    add_text(out, row->help);
    if (row->words != NULL) {
        g_string_append(out, row->type == CONFIG_LIST ? " Of: " : " One of: ");
        add_text(out, row->words);
        g_string_append_c(out, '.');
    }
    if (row->fallback != NULL && row->fallback[0] != '\0') {
        g_string_append(out, " Default: ");
        add_marked(out, '*', row->fallback);
    }
    g_string_append(out, "\n\n");
}

/* @completion: what bash may complete */
static void expand_completion(GString *out, const char *unused)
{
    completion_expand(out);
}

/* @keys: every section and key */
static void expand_keys(GString *out, const char *unused)
{
    for (const ConfigSection *section = config_sections; section->section != NULL; section++) {
        g_string_append_printf(out, "## [%s%s]\n\n", section->section,
                               section->naming == CONFIG_NAME_NONE       ? ""
                               : section->naming == CONFIG_NAME_OPTIONAL ? " [NAME]"
                                                                         : " NAME");
        add_text(out, section->help);
        g_string_append(out, "\n\n");
        for (const ConfigKey *row = config_keys; row->section != NULL; row++) {
            if (strcmp(row->section, section->section) == 0)
                add_key(out, row);
        }
    }
}

/* --- Pages ------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    gboolean wants_group;
    void (*expand)(GString *out, const char *group);
} expansions[] = {
    {"synopsis", TRUE, expand_synopsis}, {"commands", TRUE, expand_commands},
    {"common", TRUE, expand_common},     {"examples", TRUE, expand_examples},
    {"list", FALSE, expand_list},        {"errors", FALSE, expand_errors},
    {"keys", FALSE, expand_keys},        {"completion", FALSE, expand_completion},
};

static gboolean expand_line(GString *out, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line + 1, " ", 2);

    for (guint i = 0; words[0] != NULL && i < G_N_ELEMENTS(expansions); i++) {
        if (strcmp(words[0], expansions[i].name) != 0)
            continue;
        if (expansions[i].wants_group != (words[1] != NULL) ||
            (words[1] != NULL && reader_among(words[1]) == NULL))
            return FALSE;
        expansions[i].expand(out, words[1]);
        return TRUE;
    }
    return FALSE;
}

static gboolean fill_word(GString *page, const char *word)
{
    const Command *command = reader_among(word);

    if (command == NULL)
        return FALSE;
    g_string_replace(page, "@WORD@", word, 0);
    g_string_replace(page, "@SUMMARY@", command->summary, 0);
    return TRUE;
}

static int print_page(const char *path, const char *word)
{
    g_autoptr(GString) in = g_string_new(NULL);
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) lines = NULL;
    g_autofree char *page = NULL;

    if (!g_file_get_contents(path, &page, NULL, &error)) {
        fprintf(stderr, "manual: %s\n", error->message);
        return 1;
    }
    g_string_append(in, g_strchomp(page));
    if (word != NULL && !fill_word(in, word)) {
        fprintf(stderr, "manual: there is no command \"%s\"\n", word);
        return 1;
    }
    lines = g_strsplit(in->str, "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++) {
        if (lines[i][0] != '@') {
            g_string_append_printf(out, "%s\n", lines[i]);
        } else if (!expand_line(out, lines[i])) {
            fprintf(stderr, "manual: %s:%u: \"%s\" is unknown\n", path, i + 1, lines[i]);
            return 1;
        }
    }
    g_string_replace(out, "@VERSION@", HOLDFAST_VERSION, 0);
    /* One empty line between paragraphs is all that scdoc takes. */
    while (g_string_replace(out, "\n\n\n", "\n\n", 0) > 0)
        ;
    fputs(out->str, stdout);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 || argc == 3)
        return print_page(argv[1], argc == 3 ? argv[2] : NULL);
    fprintf(stderr, "usage: manual FILE [WORD]\n");
    return 2;
}
