/* SPDX-License-Identifier: Apache-2.0
 *
 * From argv to a command and from its result to an exit status: the same way for all commands.
 */
#include "cli/command.h"

#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/suggest.h"
#include "cli/help.h"
#include "cli/values.h"

/* --- Options that every command has ----------------------------------------------------------- */

typedef struct {
    OutputOptions output;
    gboolean help, version;
    char *config;
    char *repository;
    char *key;
} CommonOptions;

/* Room for the entries below and their end; filled in with pointers to where the values go. */
typedef struct {
    GOptionEntry entries[9];
} CommonEntries;

static void common_entries(CommonOptions *common, gboolean with_repository, CommonEntries *ret)
{
    const GOptionEntry all[] = {
        {"config", 0, 0, G_OPTION_ARG_FILENAME, &common->config, "configuration file to use",
         "FILE"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &common->output.json,
         "JSON on standard output, progress as JSON lines on standard error", NULL},
        {"quiet", 'q', 0, G_OPTION_ARG_NONE, &common->output.quiet,
         "print nothing but warnings and errors", NULL},
        {"verbose", 'v', 0, G_OPTION_ARG_NONE, &common->output.verbose, "say more", NULL},
        {"help", 'h', 0, G_OPTION_ARG_NONE, &common->help, "this help", NULL},
        {"version", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &common->version,
         "print the version", NULL},
        {"repository", 0, 0, G_OPTION_ARG_FILENAME, &common->repository,
         "repository to read; needs no configuration", "PATH"},
        {"key", 0, 0, G_OPTION_ARG_FILENAME, &common->key,
         "its key: passphrase-file=F, key-file=F or command=CMD", "FORM"},
    };
    guint count = G_N_ELEMENTS(all) - (with_repository ? 0 : 2);

    G_STATIC_ASSERT(G_N_ELEMENTS(all) < G_N_ELEMENTS(ret->entries));
    memset(ret, 0, sizeof(*ret));
    memcpy(ret->entries, all, count * sizeof(all[0]));
}

GOptionEntry *command_common_options(const Command *command)
{
    CommonOptions nowhere = {0};
    CommonEntries entries;

    common_entries(&nowhere, command->reads_only, &entries);
    for (GOptionEntry *at = entries.entries; at->long_name != NULL; at++)
        at->arg_data = NULL;
    return g_memdup2(entries.entries, sizeof(entries.entries));
}

static void common_clear(CommonOptions *common)
{
    g_free(common->config);
    g_free(common->repository);
    g_free(common->key);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CommonOptions, common_clear)

/* "did you mean --jobs?" behind GLib's "Unknown option --job". */
static void hint_option(const char *message, const GOptionEntry *own, const GOptionEntry *common,
                        GError **error)
{
    const GOptionEntry *const lists[] = {own, common};
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    g_autofree char *word = NULL;
    const char *dashes = strstr(message, "--");
    const char *nearest;

    if (dashes == NULL)
        return;
    for (guint i = 0; i < G_N_ELEMENTS(lists); i++) {
        for (const GOptionEntry *at = lists[i]; at != NULL && at->long_name != NULL; at++)
            g_ptr_array_add(names, (gpointer)at->long_name);
    }
    g_ptr_array_add(names, NULL);
    word = g_strndup(dashes + 2, strcspn(dashes + 2, "= "));
    nearest = suggest_nearest(word, (const char *const *)names->pdata);
    if (nearest != NULL)
        error_add_hint(error, "did you mean --%s?", nearest);
}

/* Parses options out of *words. With `leading` stops at the first word that is none. */
static gboolean parse_options(char ***words, const GOptionEntry *own, const GOptionEntry *common,
                              gboolean leading, GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = NULL;

    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_set_strict_posix(context, leading);
    g_option_context_add_main_entries(context, common, NULL);
    if (own != NULL)
        g_option_context_add_main_entries(context, own, NULL);
    if (g_option_context_parse_strv(context, words, &problem))
        return TRUE;
    text = g_strdup(problem->message);
    text[0] = g_ascii_tolower(text[0]);
    error_set(error, ERROR_USAGE, "%s", text);
    if (g_error_matches(problem, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION))
        hint_option(problem->message, own, common, error);
    return FALSE;
}

/* --- Finding the command ---------------------------------------------------------------------- */

/* The number of a command's words that stand at the beginning of `words`. */
static guint common_words(const Command *command, char **words, guint *ret_count)
{
    g_auto(GStrv) own = g_strsplit(command->words, " ", -1);
    guint same = 0;

    *ret_count = g_strv_length(own);
    while (own[same] != NULL && words[same] != NULL && strcmp(own[same], words[same]) == 0)
        same++;
    return same;
}

/* Commands whose first `depth` words are those given, and of them the words that could come
 * next. */
static void hint_command(char **words, guint depth, GError **error)
{
    g_autoptr(GPtrArray) next = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) known = g_string_new(NULL);
    const char *nearest;

    for (guint i = 0; command_table[i] != NULL; i++) {
        g_auto(GStrv) own = g_strsplit(command_table[i]->words, " ", -1);
        guint count;

        if (common_words(command_table[i], words, &count) == depth && count > depth &&
            !g_ptr_array_find_with_equal_func(next, own[depth], g_str_equal, NULL))
            g_ptr_array_add(next, g_strdup(own[depth]));
    }
    for (guint i = 0; i < depth; i++)
        g_string_append_printf(known, "%s ", words[i]);
    g_ptr_array_add(next, NULL);
    nearest = words[depth] != NULL ? suggest_nearest(words[depth], (const char *const *)next->pdata)
                                   : NULL;
    if (nearest != NULL) {
        error_add_hint(error, "did you mean holdfast %s%s?", known->str, nearest);
    } else if (depth > 0) {
        g_autofree char *all = g_strjoinv(", ", (char **)next->pdata);

        error_add_hint(error, "holdfast %sgoes on with: %s", known->str, all);
    } else {
        error_add_hint(error, "holdfast --help lists the commands");
    }
}

const Command *command_match(char **words, guint *ret_used, GError **error)
{
    g_autofree char *given = NULL;
    guint deepest = 0;

    for (guint i = 0; command_table[i] != NULL; i++) {
        guint count;
        guint same = common_words(command_table[i], words, &count);

        if (same == count) {
            *ret_used = count;
            return command_table[i];
        }
        deepest = MAX(deepest, same);
    }
    if (words[deepest] == NULL) {
        given = g_strjoinv(" ", words);
        error_set(error, ERROR_USAGE, "\"holdfast %s\" is not a whole command", given);
    } else {
        g_autoptr(GString) said = g_string_new(NULL);

        for (guint i = 0; i <= deepest; i++)
            g_string_append_printf(said, "%s%s", i > 0 ? " " : "", words[i]);
        error_set(error, ERROR_USAGE, "there is no command \"%s\"", said->str);
    }
    hint_command(words, deepest, error);
    return NULL;
}

/* --- Running it ------------------------------------------------------------------------------- */

/* Signals are taken by a thread of their own: whatever the command is waiting for, it only sees its
 * cancellable. */
typedef struct {
    GMainContext *context;
    gint done; /* atomic */
    GThread *thread;
    GCancellable *cancellable;
    int killed_status;
} SignalWatch;

static gboolean on_signal(gpointer data)
{
    const SignalWatch *watch = data;

    /* Who asks twice does not want to wait for a clean end. What is left over is swept later. */
    if (g_cancellable_is_cancelled(watch->cancellable))
        _exit(watch->killed_status);
    g_cancellable_cancel(watch->cancellable);
    return G_SOURCE_CONTINUE;
}

static gpointer run_signals(gpointer data)
{
    SignalWatch *watch = data;

    /* Not a GMainLoop: a short command may be over before the thread gets to run it, and its quit
     * would be lost. */
    while (!g_atomic_int_get(&watch->done))
        (void)g_main_context_iteration(watch->context, TRUE);
    return NULL;
}

/* nohup's wish: go on when the terminal is gone. */
static gboolean is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static void watch_start(SignalWatch *watch, GCancellable *cancellable)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

    signal(SIGPIPE, SIG_IGN);
    watch->cancellable = cancellable;
    watch->context = g_main_context_new();
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++) {
        g_autoptr(GSource) source = NULL;

        if (signals[i] == SIGHUP && is_ignored(SIGHUP))
            continue;
        source = g_unix_signal_source_new(signals[i]);
        g_source_set_callback(source, on_signal, watch, NULL);
        g_source_attach(source, watch->context);
    }
    watch->thread = g_thread_new("signals", run_signals, watch);
}

static void watch_stop(SignalWatch *watch)
{
    g_atomic_int_set(&watch->done, TRUE);
    g_main_context_wakeup(watch->context);
    (void)g_thread_join(watch->thread);
    g_main_context_unref(watch->context);
}

static gboolean check_arguments(const Command *command, char **arguments, GError **error)
{
    guint count = g_strv_length(arguments);

    if (count > command->maximum) {
        error_set(error, ERROR_USAGE, "holdfast %s: \"%s\" is one argument too many",
                  command->words, arguments[command->maximum]);
    } else if (count < command->minimum) {
        error_set(error, ERROR_USAGE, "holdfast %s needs %s", command->words, command->arguments);
    } else {
        return TRUE;
    }
    error_add_hint(error, "holdfast %s --help", command->words);
    return FALSE;
}

/* These would have a job do nothing, or do it elsewhere, and succeed. */
static gboolean check_common(const CommonOptions *common, GError **error)
{
    if (!common->help && !common->version && common->config == NULL)
        return TRUE;
    error_set(error, ERROR_USAGE,
              "--help, --version and --config are not for the command of a job");
    return FALSE;
}

gboolean command_accepts(char **words, const Config *config, GError **error)
{
    g_auto(CommonOptions) common = {0};
    g_auto(OptionValues) values = {0};
    g_auto(GStrv) rest = NULL;
    CommonEntries entries;
    guint used;
    const Command *command = command_match(words, &used, error);

    if (command == NULL)
        return FALSE;
    rest = g_strdupv(words + used - 1);
    values_init(&values, command->options);
    common_entries(&common, command->reads_only, &entries);
    return parse_options(&rest, values.entries, entries.entries, FALSE, error) &&
           check_common(&common, error) && check_arguments(command, rest + 1, error) &&
           (command->check == NULL || command->check(values.entries, rest + 1, config, error));
}

static LogLevel wanted_level(OutputOptions options)
{
    if (options.verbose)
        return LOG_INFO;
    return options.quiet ? LOG_ERROR : LOG_WARNING;
}

static int status_of(const Command *command, const GError *error)
{
    return command != NULL && command->failure_status != 0 ? command->failure_status
                                                           : error_info_of(error)->exit_status;
}

/* Runs a command whose arguments have been checked; the exit status. */
static int run_command(const Command *command, const CommonOptions *common, char **arguments,
                       Output *output)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) error = NULL;
    SignalWatch watch = {.killed_status = MAX(command->failure_status, 1)};
    CommandRun run = {
        .output = output,
        .cancellable = cancellable,
        .config_path = common->config,
        .repository = common->repository,
        .key = common->key,
        .arguments = arguments,
        .argument_count = g_strv_length(arguments),
    };
    gboolean result;

    log_set_writer(output_log, output);
    log_set_level(wanted_level(common->output));
    if (!command->own_signals)
        watch_start(&watch, cancellable);
    result =
        (command->check == NULL || command->check(command->options, arguments, NULL, &error)) &&
        command->run(&run, &error) && output_finish(output, &error);
    if (!command->own_signals)
        watch_stop(&watch);
    log_set_writer(NULL, NULL);
    if (result)
        return run.exit_status;
    output_error(output, error);
    return status_of(command, error);
}

/* `command` may be NULL: none was found yet. */
static int fail_usage(Output *output, const Command *command, GError *problem)
{
    g_autoptr(GError) error = problem;

    output_error(output, error);
    return status_of(command, error);
}

/* "holdfast help WORDS" and "holdfast WORDS --help" where the words are a group or nothing. */
static int print_help(Output *output, char **words)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *prefix = g_strjoinv(" ", words);
    g_autofree char *text = NULL;
    const Command *command;
    guint used;

    command = command_match(words, &used, &error);
    if (command != NULL) {
        text = help_command(command);
    } else {
        gboolean group = words[0] == NULL;

        for (guint i = 0; command_table[i] != NULL && !group; i++) {
            guint count;

            group = common_words(command_table[i], words, &count) == g_strv_length(words);
        }
        if (!group)
            return fail_usage(output, NULL, g_steal_pointer(&error));
        text = help_overview(prefix);
    }
    fputs(text, stdout);
    return 0;
}

/* Everything behind the leading options. `words` is what is left of argv, without the program. */
static int dispatch(CommonOptions *common, char **words)
{
    g_autoptr(Output) output = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) rest = NULL;
    CommonEntries entries;
    const Command *command;
    guint used;

    command = command_match(words, &used, &error);
    if (command == NULL) {
        guint count = 0;

        /* Only now, since a whole command has a help of its own. */
        while (words[count] != NULL && words[count][0] != '-')
            count++;
        if (words[count] != NULL &&
            (strcmp(words[count], "--help") == 0 || strcmp(words[count], "-h") == 0)) {
            g_clear_pointer(&words[count], g_free);
            output = output_new(common->output);
            return print_help(output, words);
        }
        output = output_new(common->output);
        return fail_usage(output, NULL, g_steal_pointer(&error));
    }
    /* GOptionContext wants a program's name in front. */
    rest = g_strdupv(words + used - 1);
    common_entries(common, command->reads_only, &entries);
    if (!parse_options(&rest, command->options, entries.entries, FALSE, &error)) {
        output = output_new(common->output);
        return fail_usage(output, command, g_steal_pointer(&error));
    }
    output = output_new(common->output);
    if (common->help)
        return print_help(output, words);
    if (!check_arguments(command, rest + 1, &error))
        return fail_usage(output, command, g_steal_pointer(&error));
    return run_command(command, common, rest + 1, output);
}

int command_main(int argc, char **argv)
{
    g_auto(CommonOptions) common = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(Output) output = NULL;
    g_auto(GStrv) words = g_new0(char *, (gsize)argc + 1);
    CommonEntries entries;

    for (int i = 0; i < argc; i++)
        words[i] = g_strdup(argv[i]);
    common_entries(&common, FALSE, &entries);
    if (!parse_options(&words, NULL, entries.entries, TRUE, &error)) {
        output = output_new(common.output);
        return fail_usage(output, NULL, g_steal_pointer(&error));
    }
    if (common.version) {
        puts("holdfast " HOLDFAST_VERSION);
        return 0;
    }
    if (words[1] != NULL && !common.help && strcmp(words[1], "help") != 0)
        return dispatch(&common, words + 1);
    output = output_new(common.output);
    if (words[1] == NULL && !common.help) {
        error_set(&error, ERROR_USAGE, "no command was given");
        error_add_hint(&error, "holdfast --help lists the commands");
        return fail_usage(output, NULL, g_steal_pointer(&error));
    }
    return print_help(output, words + (words[1] != NULL && strcmp(words[1], "help") == 0 ? 2 : 1));
}
