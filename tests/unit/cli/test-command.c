/* SPDX-License-Identifier: Apache-2.0
 *
 * The command table and how words are found in it.
 */
#include "cli/command.h"

#include <glib/gstdio.h>

#include <string.h>

#include "base/error.h"
#include "cli/help.h"
#include "cli/words.h"

static void assert_no_match(const char *line, const char *message, const char *hint)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    guint used;

    g_assert_null(command_match(words, &used, &error));
    g_assert_true(error_is(error, ERROR_USAGE));
    text = error_text(error);
    g_assert_cmpstr(text, ==, message);
    g_assert_cmpstr(error_hint(error), ==, hint);
}

static void test_match(void)
{
    g_auto(GStrv) words = g_strsplit("show X --json", " ", -1);
    g_autoptr(GError) error = NULL;
    guint used;

    for (guint i = 0; command_table[i] != NULL; i++) {
        g_auto(GStrv) own = g_strsplit(command_table[i]->words, " ", -1);

        g_assert_true(command_match(own, &used, &error) == command_table[i]);
        g_assert_cmpuint(used, ==, g_strv_length(own));
    }
    g_assert_cmpstr(command_match(words, &used, &error)->words, ==, "show");
    g_assert_cmpuint(used, ==, 1);
    assert_no_match("shwo", "there is no command \"shwo\"", "did you mean holdfast show?");
    assert_no_match("backup postgres full", "there is no command \"backup postgres\"",
                    "did you mean holdfast backup postgresql?");
    assert_no_match("backup postgresql", "\"holdfast backup postgresql\" is not a whole command",
                    "holdfast backup postgresql goes on with: full, incremental");
    assert_no_match("list zzzzzzz", "there is no command \"list zzzzzzz\"",
                    "holdfast list goes on with: backups, recoveries");
    assert_no_match("zzzzzzzzz", "there is no command \"zzzzzzzzz\"",
                    "holdfast --help lists the commands");
}

static gboolean has_option(const GOptionEntry *entries, const char *name)
{
    for (; entries != NULL && entries->long_name != NULL; entries++) {
        if (strcmp(entries->long_name, name) == 0)
            return TRUE;
    }
    return FALSE;
}

/* The help shows an example of the command, which has no option that the command does not have. */
static void check_example(const Command *command)
{
    g_autofree char *start = g_strconcat("holdfast ", command->words, NULL);
    g_autofree GOptionEntry *common = command_common_options(command);
    g_autofree char *help = help_command(command);
    g_auto(GStrv) lines = g_strsplit(command->example, "\n", -1);

    g_assert_nonnull(strstr(command->example, start));
    g_assert_nonnull(strstr(help, command->example));
    /* Those of other programs' lines are theirs. */
    for (guint i = 0; lines[i] != NULL; i++) {
        if (strstr(lines[i], "systemctl ") != NULL)
            continue;
        for (const char *at = strstr(lines[i], " --"); at != NULL; at = strstr(at + 3, " --")) {
            g_autofree char *name = g_strndup(at + 3, strcspn(at + 3, " ="));

            g_assert_true(has_option(command->options, name) || has_option(common, name));
        }
    }
}

/* Every command can be explained, and no option hides one that all commands have. */
static void test_table(void)
{
    static const char *const common[] = {"config", "json", "quiet", "verbose", "help", NULL};

    for (guint i = 0; command_table[i] != NULL; i++) {
        const Command *command = command_table[i];
        g_autofree char *help = help_command(command);

        g_assert_nonnull(command->run);
        g_assert_cmpuint(command->minimum, <=, command->maximum);
        g_assert_true(g_ascii_islower(command->summary[0]));
        g_assert_nonnull(strstr(help, command->summary));
        check_example(command);
        for (const GOptionEntry *entry = command->options;
             entry != NULL && entry->long_name != NULL; entry++) {
            g_assert_false(g_strv_contains(common, entry->long_name));
            g_assert_true(entry->arg != G_OPTION_ARG_STRING);
            /* A hidden one is a word between our own processes. */
            if ((entry->flags & G_OPTION_FLAG_HIDDEN) == 0)
                g_assert_nonnull(strstr(help, entry->long_name));
        }
    }
}

static void test_help(void)
{
    g_autofree char *all = help_overview("");
    g_autofree char *group = help_overview("backup");

    for (guint i = 0; command_table[i] != NULL; i++)
        g_assert_nonnull(strstr(all, command_table[i]->words));
    g_assert_nonnull(strstr(group, "backup postgresql full"));
    g_assert_null(strstr(group, "restore"));
}

/* Lines of a description flow into each other; one that is indented stands for itself. */
static void test_help_flows(void)
{
    const Command command = {.words = "try",
                             .arguments = "",
                             .summary = "try it",
                             .description = "One sentence that is\nbroken in the code.\n  a list\n"
                                            "  of two\nand the rest\n\nAnother paragraph.",
                             .example = "holdfast try"};
    g_autofree char *help = help_command(&command);

    g_assert_nonnull(strstr(help, "\nOne sentence that is broken in the code.\n  a list\n  of two\n"
                                  "and the rest\n\nAnother paragraph.\n"));
}

static void test_words(void)
{
    char *values[] = {(char *)"a,b\\,c", (char *)"d\\\\", NULL};
    char *patterns[] = {(char *)"a.\\*,b\\,c.*", (char *)"\"We ird\".\"a,\"\"b\",d", NULL};
    char *bad[] = {(char *)"a,,b", NULL};
    g_auto(GStrv) words = NULL;
    g_auto(GStrv) kept = NULL;
    char **none = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(words_split("--x", values, &words, &error));
    g_assert_cmpuint(g_strv_length(words), ==, 3);
    g_assert_cmpstr(words[1], ==, "b,c");
    g_assert_cmpstr(words[2], ==, "d\\");
    g_assert_true(words_split_patterns("--x", patterns, &kept, &error));
    g_assert_cmpuint(g_strv_length(kept), ==, 4);
    g_assert_cmpstr(kept[0], ==, "a.\\*");
    g_assert_cmpstr(kept[1], ==, "b\\,c.*");
    g_assert_cmpstr(kept[2], ==, "\"We ird\".\"a,\"\"b\"");
    g_assert_cmpstr(kept[3], ==, "d");
    g_assert_true(words_split("--x", NULL, &none, &error));
    g_assert_null(none);
    g_assert_no_error(error);
    g_assert_false(words_split("--x", bad, &none, &error));
    g_assert_true(error_is(error, ERROR_USAGE));
}

/* Whether the line would be accepted with a source of each engine; *ret_text is why not. */
static gboolean accepts(const Config *config, const char *line, char **ret_text)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    g_autoptr(GError) error = NULL;

    if (command_accepts(words, config, &error)) {
        g_assert_no_error(error);
        return TRUE;
    }
    *ret_text = error_text(error);
    return FALSE;
}

/* Wrong values are found without running anything; right ones leave nothing behind. */
static void test_accepts(void)
{
    static const char text[] = "[general]\ntime_zone = UTC\n[source pg]\nengine = postgresql\n"
                               "[source td]\nengine = tdengine\n";
    static const struct {
        const char *line;
        const char *said; /* NULL: it is accepted */
    } cases[] = {
        {"backup postgresql full --source pg --rate 20M --compression zstd:3 --nice --jobs 2",
         NULL},
        {"backup postgresql full --rate=fast", "--rate"},
        {"backup postgresql full --jobs=many", "jobs"},
        {"backup postgresql full --jobs=129", "--jobs"},
        {"backup postgresql full --methd=logical", "--methd"},
        {"backup postgresql full --method=other", "--method"},
        {"backup postgresql full --databases=a", "whole server"},
        {"backup postgresql full --databases=a --method=logical", NULL},
        {"backup postgresql full pg", "one argument too many"},
        {"backup postgresql full --source nowhere", "nowhere"},
        {"backup postgresql incremental --compression=zip", "--compression"},
        {"backup tdengine incremental --mode=scan", NULL},
        {"backup tdengine incremental --mode=other", "--mode"},
        {"backup tdengine full --start 2026-01-01 --end 2026-01-02 --tables d.t*", NULL},
        {"backup tdengine full --start 2026-01-02 --end 2026-01-01", "--start must be before"},
        {"backup tdengine full --start noon", "--start"},
        {"backup tdengine full --tables a.b.c", "--tables"},
        {"cleanup --source pg,td", NULL},
        {"cleanup --source nowhere", "nowhere"},
        {"drill pg --target-time 2026-01-01", NULL},
        {"drill pg --target-time noon", "--target-time"},
        {"drill", "needs"},
        {"verify --all", NULL},
        {"backup postgresql full --help", "not for the command of a job"},
        {"cleanup --config /nowhere", "not for the command of a job"},
        {"drill nowhere", "nowhere"},
        {"verify", "which backup"},
        {"verify --all 2026", "not both"},
        {"verify 2026 --source pg", "goes with --all"},
        {"copy --all", "copied to"},
        {"copy --all --to /srv/second", NULL},
        {"copy 2026 --to /srv/second --source pg", "a backup alone"},
        {"make coffee", "no command"},
    };
    g_autofree char *directory = g_dir_make_tmp("hf-cli-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "holdfast.conf", NULL);
    g_autoptr(Config) config = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    config = config_load(path, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *why = NULL;

        if (accepts(config, cases[i].line, &why) != (cases[i].said == NULL) ||
            (why != NULL && strstr(why, cases[i].said) == NULL))
            g_error("%s: %s", cases[i].line, why);
    }
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_rmdir(directory), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/command/match", test_match);
    g_test_add_func("/cli/command/table", test_table);
    g_test_add_func("/cli/command/help", test_help);
    g_test_add_func("/cli/command/help/flows", test_help_flows);
    g_test_add_func("/cli/command/words", test_words);
    g_test_add_func("/cli/command/accepts", test_accepts);
    return g_test_run();
}
