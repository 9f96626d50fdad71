/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes what a request goes through before its job: "METHOD TARGET", lines of headers, an empty
 * line and a body are taken apart, routed, and the body's fields become a command's words, which are
 * checked as the command does it. Any bytes give a request or an error, and words that are options
 * of that command.
 */
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "service/fields.h"
#include "service/router.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const GOptionEntry entries[] = {
    {"source", 0, 0, G_OPTION_ARG_FILENAME, NULL, "", ""},
    {"jobs", 0, 0, G_OPTION_ARG_INT, NULL, "", ""},
    {"dry-run", 0, 0, G_OPTION_ARG_NONE, NULL, "", NULL},
    {"tables", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, NULL, "", ""},
    {"run-job", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, NULL, "", ""},
    {NULL},
};

/* A hidden option, or a word that is no option, must never come out. */
static void check_words(char **words)
{
    for (guint i = 0; words[i] != NULL; i++) {
        if (!g_str_has_prefix(words[i], "--source=") && !g_str_has_prefix(words[i], "--jobs=") &&
            !g_str_has_prefix(words[i], "--tables=") && strcmp(words[i], "--dry-run") != 0)
            g_error("\"%s\" came out of a body", words[i]);
    }
}

static const Config *sources(void)
{
    static const char text[] = "[general]\ntime_zone = Europe/Berlin\n[source pg]\nengine = "
                               "postgresql\nmethod = logical\n[source td]\nengine = tdengine\n";
    static Config *config;

    if (config == NULL)
        config = config_parse(text, sizeof(text) - 1, "fuzz", NULL);
    return config;
}

/* Whatever a body makes of a command: the command line understands it, and says yes or why not. */
static void check_values(const json_t *body)
{
    static const char *const commands[] = {"backup postgresql full", "backup tdengine full",
                                           "backup tdengine incremental", "cleanup"};

    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
        g_auto(GStrv) parts = g_strsplit(commands[i], " ", -1);
        g_auto(GStrv) words = NULL;
        g_autoptr(GError) error = NULL;

        g_strv_builder_addv(builder, (const char **)parts);
        if (!fields_to_words(command_services.options(commands[i]), body, builder, NULL))
            continue;
        words = g_strv_builder_end(builder);
        if (command_services.check(words, sources(), &error) != (error == NULL))
            g_error("accepted with a reason, or refused without one");
        if (error != NULL && g_str_has_prefix(error->message, "unknown option"))
            g_error("%s", error->message);
    }
}

static void take_body(Request *request, const char *body, gsize length)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) words = NULL;
    gint64 number;
    gboolean value;
    gboolean read = request_set_body(request, body, length, &error);

    if (read)
        check_values(request->body);
    if (!read || !fields_to_words(entries, request->body, builder, &error) ||
        !request_query_number(request, "limit", 1, 1000, 100, &number, &error) ||
        !request_query_boolean(request, "run", &value, &error)) {
        if (error == NULL)
            g_error("refused without a reason");
        return;
    }
    words = g_strv_builder_end(builder);
    check_words(words);
}

static void route(Request *request)
{
    g_autofree char *allowed = NULL;
    g_autoptr(GError) error = NULL;
    const Route *found = router_match(routes, request, &allowed, &error);

    if ((found == NULL) == (error == NULL))
        g_error("a route and an error, or neither");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(GStrv) parts = g_strsplit(text, "\n\n", 2);
    g_auto(GStrv) lines = g_strsplit(parts[0] != NULL ? parts[0] : "", "\n", 20);
    g_auto(GStrv) first = g_strsplit(lines[0] != NULL ? lines[0] : "", " ", 2);
    g_autoptr(GError) error = NULL;
    g_autoptr(Request) request = NULL;

    if (first[0] == NULL || first[1] == NULL)
        return 0;
    request = request_new(first[0], first[1], &error);
    if ((request == NULL) == (error == NULL))
        g_error("a request and an error, or neither");
    if (request == NULL)
        return 0;
    for (guint i = 1; lines[i] != NULL; i++) {
        char *colon = strchr(lines[i], ':');

        if (colon != NULL)
            *colon = '\0';
        request_set_header(request, lines[i], colon != NULL ? colon + 1 : "");
    }
    route(request);
    if (parts[1] != NULL)
        take_body(request, parts[1], strlen(parts[1]));
    return 0;
}
