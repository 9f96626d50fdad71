/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast check: one line a fact about configuration, repository and sources.
 */
#include <string.h>

#include "base/error.h"
#include "base/random.h"
#include "base/size.h"
#include "base/time.h"
#include "cli/commands.h"
#include "engine/engine.h"
#include "service/auth.h"
#include "service/service.h"

#define CLOCK_TOLERANCE TIME_MINUTE

typedef struct {
    Output *output;
    const char *source; /* the one that is looked at, or NULL */
    json_t *facts;
    gboolean failed, unreachable;
} Findings;

static const char *const state_names[] = {"ok", "warning", "failed", "unreachable"};

/* Lines for a configuration file stand as they are, so that they can be copied. */
static void print_hint(Output *output, const char *hint)
{
    g_auto(GStrv) lines = g_strsplit(hint != NULL ? hint : "", "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++) {
        if (i == 0)
            output_line(output, "%-11s  %-28s  hint: %s", "", "", lines[i]);
        else
            output_line(output, "%s", lines[i]);
    }
}

static void note(FactState state, const char *subject, const char *text, const char *hint,
                 gpointer data)
{
    Findings *findings = data;
    g_autofree char *label = findings->source != NULL
                                 ? g_strdup_printf("%s: %s", findings->source, subject)
                                 : g_strdup(subject);
    json_t *fact = json_object();

    json_object_set_new(fact, "source", json_text(findings->source));
    json_object_set_new(fact, "subject", json_text(subject));
    json_object_set_new(fact, "state", json_string(state_names[state]));
    json_object_set_new(fact, "text", json_text(text));
    json_object_set_new(fact, "hint", json_text(hint));
    json_array_append_new(findings->facts, fact);
    output_line(findings->output, "%-11s  %-28s  %s", state_names[state], label, text);
    print_hint(findings->output, hint);
    findings->failed = findings->failed || state == FACT_FAILED;
    findings->unreachable = findings->unreachable || state == FACT_UNREACHABLE;
}

static void note_error(Findings *findings, const char *subject, const GError *problem)
{
    g_autofree char *text = error_text(problem);

    note(error_is(problem, ERROR_UNREACHABLE) ? FACT_UNREACHABLE : FACT_FAILED, subject, text,
         error_hint(problem), findings);
}

/* --- Repository ------------------------------------------------------------------------------- */

/* Whether objects can be written is found out by writing one. */
static void check_writable(Findings *findings, Store *store)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *random = random_name(8);
    g_autofree char *name = g_strconcat("probe-", random, NULL);

    if (store_put(store, name, "probe\n", 6, &problem) && store_delete(store, name, &problem))
        note(FACT_OK, "repository writable", "an object was written and deleted", NULL, findings);
    else
        note_error(findings, "repository writable", problem);
}

static void check_clock(Findings *findings, Store *store)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = NULL;
    g_autofree char *amount = NULL;
    gint64 now, skew;

    if (!store_time(store, &now, &problem)) {
        note_error(findings, "repository clock", problem);
        return;
    }
    skew = ABS(now - time_now());
    amount = duration_format(skew);
    text = g_strdup_printf("differs from this host's by %s", amount);
    if (skew > CLOCK_TOLERANCE)
        note(FACT_WARNING, "repository clock", text, "set the clocks by NTP", findings);
    else
        note(FACT_OK, "repository clock", text, NULL, findings);
}

static void check_space(Findings *findings, Store *store, guint64 *ret_free)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *size = NULL;
    g_autofree char *text = NULL;

    if (!store_free_space(store, ret_free, &problem)) {
        note_error(findings, "repository space", problem);
        return;
    }
    size = size_format(*ret_free);
    text = *ret_free == G_MAXUINT64 ? g_strdup("no limit known") : g_strconcat(size, " free", NULL);
    note(FACT_OK, "repository space", text, NULL, findings);
}

static void check_key(Findings *findings, Repository *repository)
{
    g_autoptr(GError) problem = NULL;

    if (!repository_is_encrypted(repository))
        return;
    if (repository_unlock(repository, &problem))
        note(FACT_OK, "repository key", "opens it", NULL, findings);
    else
        note_error(findings, "repository key", problem);
}

/* The repository, or NULL where it cannot be opened. */
static Repository *check_repository(Findings *findings, const Config *config, guint64 *ret_free)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(Repository) repository = operation_open_repository(config, &problem);
    g_autoptr(GPtrArray) ids = NULL;
    g_autofree char *text = NULL;
    Store *store;

    if (repository == NULL || !backup_list(repository, &ids, &problem)) {
        note_error(findings, "repository", problem);
        return NULL;
    }
    store = repository_store(repository);
    text = g_strdup_printf("%s, %u %s", store_location(store), ids->len,
                           ids->len == 1 ? "backup" : "backups");
    note(FACT_OK, "repository", text, NULL, findings);
    check_key(findings, repository);
    check_writable(findings, store);
    check_space(findings, store, ret_free);
    check_clock(findings, store);
    return g_steal_pointer(&repository);
}

/* --- Sources ---------------------------------------------------------------------------------- */

static gboolean check_source(Findings *findings, const EngineCheck *request, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const Engine *engine = engine_find(request->source->engine, &problem);

    findings->source = request->source->name;
    if (engine == NULL || !engine->check(request, note, findings, &problem)) {
        if (error_info_of(problem)->code == ERROR_CANCELLED) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        note_error(findings, "check", problem);
    }
    findings->source = NULL;
    return TRUE;
}

/* `request` is the same for all but its source; one that is set there is the only one. */
static gboolean check_sources(Findings *findings, const EngineCheck *request, GError **error)
{
    guint count = config_source_count(request->config);

    if (count == 0)
        note(FACT_WARNING, "sources", "none is configured",
             "describe your server in a [source NAME] section", findings);
    for (guint i = 0; i < count; i++) {
        EngineCheck one = *request;

        one.source = config_source(request->config, i);
        if ((request->source == NULL || request->source == one.source) &&
            !check_source(findings, &one, error))
            return FALSE;
    }
    return TRUE;
}

/* --- The service ------------------------------------------------------------------------------ */

/* What serve and a reload would say to its sections. */
static void check_service(Findings *findings, const Config *config)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(Auth) auth = auth_new(config_state_directory(config), &problem);
    g_autofree char *text = NULL;
    guint entries, notifies;

    if (auth == NULL || !service_check_config(config, &command_services, auth_has_tokens(auth),
                                              &entries, &problem)) {
        note_error(findings, "service", problem);
        return;
    }
    notifies = g_strv_length((char **)config_notifies(config));
    text = g_strdup_printf("%u %s in the schedule for these sources, %u [notify]", entries,
                           entries == 1 ? "entry" : "entries", notifies);
    note(FACT_OK, "service", text, NULL, findings);
}

/* A codec that is configured must be one that we have, before the first backup finds out. */
static gboolean check_compression(const Config *config, GError **error)
{
    const char *text = config_get(config, "repository", "compression");
    CompressSpec spec;

    if (text == NULL || compress_spec_parse(text, &spec, error))
        return TRUE;
    g_prefix_error(error, "%s: [repository] compression: ", config_path(config));
    return FALSE;
}

static struct {
    gboolean drop_topics;
} options;

static gboolean run_check(CommandRun *run, GError **error)
{
    g_autoptr(Config) config = command_config(run, error);
    Findings findings = {.output = run->output};
    EngineCheck request = {.config = config,
                           .repository_free = G_MAXUINT64,
                           .drop_topics = options.drop_topics,
                           .cancellable = run->cancellable};
    g_autoptr(Repository) repository = NULL;
    gboolean done;

    if (config == NULL || !operation_check_config(config, error) ||
        !check_compression(config, error))
        return FALSE;
    if (run->argument_count > 0) {
        request.source = config_find_source(config, run->arguments[0], NULL, NULL, error);
        request.named = TRUE;
        if (request.source == NULL)
            return FALSE;
    }
    findings.facts = json_array();
    note(FACT_OK, "configuration", config_path(config), NULL, &findings);
    repository = check_repository(&findings, config, &request.repository_free);
    request.repository = repository;
    check_service(&findings, config);
    done = check_sources(&findings, &request, error);
    output_json(run->output, findings.facts);
    if (findings.failed)
        run->exit_status = 1;
    if (findings.unreachable)
        run->exit_status = error_info(ERROR_UNREACHABLE)->exit_status;
    return done;
}

static const GOptionEntry entries[] = {
    {"drop-topics", 0, 0, G_OPTION_ARG_NONE, &options.drop_topics,
     "TDengine: drop the topics that Holdfast made", NULL},
    {NULL},
};

const Command command_check = {
    .words = "check",
    .arguments = "[SOURCE]",
    .maximum = 1,
    .summary = "look at configuration, repository and servers",
    .description =
        "Prints a line per fact: ok, warning, failed or unreachable, with a hint where something\n"
        "is to be done. The sections of the service are held to what it would say to them: its\n"
        "schedules and their commands, whom to tell, certificate and addresses. Exit status 0 "
        "when\n"
        "nothing failed, 1 when something did, 5 when a server or the repository could not be\n"
        "reached.",
    .example = "holdfast check market",
    .options = entries,
    .run = run_check,
};
