/* SPDX-License-Identifier: Apache-2.0
 *
 * Restores over the network. They need a target that is named, and write into no directory but
 * those below restore_roots. A restore is planned before it is accepted, by the command itself with
 * --dry-run, so that what cannot be is told at once and not by a job that fails: the plan also says
 * where everything would go, tablespaces too.
 */
#include <string.h>

#include "base/error.h"
#include "base/process.h"
#include "config/values.h"
#include "service/rest.h"
#include "service/roots.h"

#define PLAN_SECONDS 60
#define PLAN_LIMIT   (4 * 1024 * 1024)

/* --- the target ------------------------------------------------------------------------------- */

static gboolean check_target(const json_t *body, GError **error)
{
    static const char *const names[] = {"target_directory", "to_database", "to_source"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (json_get_string(body, names[i], "")[0] != '\0')
            return TRUE;
    }
    error_set(error, ERROR_USAGE, "where to shall it be restored?");
    error_add_hint(error, "name target_directory, to_database or to_source");
    return FALSE;
}

/* Paths that the request names. The same is true of the whole plan later; this much is told without
 * planning. */
static gboolean check_paths(char **roots, const json_t *body, GError **error)
{
    static const char *const names[] = {"target_directory", "wal_directory"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *path = json_get_string(body, names[i], NULL);

        if (path != NULL && !roots_check((const char *const *)roots, path, error))
            return FALSE;
    }
    if (!json_get_bool(body, "force", FALSE))
        return TRUE;
    error_set(error, ERROR_REFUSED,
              "force is not for requests over the network: what the WAL makes "
              "then may lie anywhere");
    return FALSE;
}

/* Every place that the plan would write to. Tables and databases out of a physical backup are recovered
 * in a scratch place of the program's own first, which is removed again. */
static gboolean check_places(const Config *config, char **roots, const json_t *body,
                             const json_t *summary, GError **error)
{
    g_autofree char *scratch = operation_make_scratch(config);
    const gboolean named = json_object_get(body, "target_directory") != NULL;
    const char *const own[] = {named ? NULL : scratch, NULL};
    const json_t *places = json_object_get(summary, "places");
    const json_t *place;
    size_t index;

    json_array_foreach(places, index, place)
    {
        if (!roots_check(own, json_string_value(place), NULL) &&
            !roots_check((const char *const *)roots, json_string_value(place), error))
            return FALSE;
    }
    return TRUE;
}

/* --- the plan --------------------------------------------------------------------------------- */

/* The error that the command told on standard error, as ours. */
static void take_problem(const char *output, GError **error)
{
    g_auto(GStrv) lines = g_strsplit(output, "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++) {
        g_autoptr(json_t) line = json_loads(lines[i], 0, NULL);
        const json_t *body = json_object_get(line, "error");
        const char *code = json_get_string(body, "code", "");
        const char *hint = json_get_string(body, "hint", NULL);

        for (guint j = 0; json_is_object(body) && j < ERROR_LAST; j++) {
            if (strcmp(error_info((ErrorCode)j)->name, code) != 0)
                continue;
            error_set(error, (ErrorCode)j, "%s", json_get_string(body, "message", ""));
            if (hint != NULL)
                error_add_hint(error, "%s", hint);
            return;
        }
    }
    error_set(error, ERROR_SUBPROCESS, "the restore could not be planned");
}

static gboolean on_timeout(gpointer cancellable)
{
    g_cancellable_cancel(cancellable);
    return G_SOURCE_REMOVE;
}

static gboolean read_plan(Process *process, GString *output, GCancellable *cancellable,
                          GError **error)
{
    char buffer[8192];
    gsize length;

    do {
        if (!process_read(process, buffer, sizeof(buffer), &length, cancellable, error))
            return FALSE;
        g_string_append_len(output, buffer, (gssize)length);
        if (output->len > PLAN_LIMIT) {
            error_set(error, ERROR_LIMIT, "the plan is larger than %d bytes", PLAN_LIMIT);
            return FALSE;
        }
    } while (length > 0);
    return process_wait(process, cancellable, error);
}

/* Runs the command with --dry-run; its JSON. Takes at most PLAN_SECONDS. */
static json_t *make_plan(const Config *config, char **command, GError **error)
{
    g_autofree char *program = process_own_command();
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GString) output = g_string_new(NULL);
    g_autoptr(GError) problem = NULL;
    g_autoptr(Process) process = NULL;
    g_auto(GStrv) argv = NULL;
    json_t *plan = NULL;
    g_autoptr(GSource) timer = g_timeout_source_new_seconds(PLAN_SECONDS);

    g_strv_builder_add(words, program);
    g_strv_builder_addv(words, (const char **)command);
    g_strv_builder_add_many(words, "--dry-run", "--json", "--config", config_path(config), NULL);
    argv = g_strv_builder_end(words);
    process = process_start(&(ProcessSpec){.argv = (const char *const *)argv,
                                           .flags = PROCESS_STDOUT_PIPE,
                                           .keep_fd = -1},
                            error);
    if (process == NULL)
        return NULL;
    g_source_set_callback(timer, on_timeout, g_object_ref(cancellable), g_object_unref);
    (void)g_source_attach(timer, NULL); /* in the service's own loop */
    if (read_plan(process, output, cancellable, &problem)) {
        plan = json_read_object(output->str, output->len, "the plan", error);
    } else if (g_cancellable_is_cancelled(cancellable)) {
        error_set(error, ERROR_TIMEOUT, "planning the restore took more than %d seconds",
                  PLAN_SECONDS);
    } else {
        g_autofree char *said = process_stderr(process);

        take_problem(said, error);
    }
    g_source_destroy(timer);
    return plan;
}

/* --- the request ------------------------------------------------------------------------------ */

static gboolean takes_backup(Api *api, const char *words)
{
    const GOptionEntry *entry = api_commands(api)->options(words);

    while (entry != NULL && entry->long_name != NULL && strcmp(entry->long_name, "backup-id") != 0)
        entry++;
    return entry != NULL && entry->long_name != NULL;
}

/* The plan's backup is the one that is restored, whatever comes in between. */
static void fix_backup(Api *api, const char *words, json_t *body, const json_t *plan)
{
    const char *id = json_get_string(json_object_get(plan, "summary"), "backup", NULL);

    if (id != NULL && takes_backup(api, words))
        json_object_set_new(body, "backup_id", json_text(id));
}

/* Whose backup is restored. Free with g_free(). */
static char *source_of(Api *api, const Config *config, const char *words, const json_t *body,
                       GError **error)
{
    const char *given = json_get_string(body, "backup_id", NULL);
    g_auto(GStrv) parts = g_strsplit(words, " ", -1);
    g_autoptr(OperationContext) context = NULL;
    g_autofree char *id = NULL;

    if (given == NULL) {
        const ConfigSource *source =
            rest_find_source(config, json_get_string(body, "source", NULL), parts[1], error);

        return source != NULL ? g_strdup(source->name) : NULL;
    }
    context = api_context(api, error);
    id = context != NULL ? operation_resolve_backup(context, given, error) : NULL;
    return id != NULL ? rest_backup_source(context, id, error) : NULL;
}

static gboolean check_request(Api *api, const Config *config, const Request *request, char **roots,
                              const char *words, GError **error)
{
    static const char *const known[] = {"wait", NULL};
    g_auto(GStrv) command = NULL;
    const char *source = json_get_string(request->body, "source", NULL);

    if (!request_check_query(request, known, error))
        return FALSE;
    command = rest_words(api, words, request->body, error);
    return command != NULL && check_target(request->body, error) &&
           check_paths(roots, request->body, error) &&
           (source == NULL || rest_find_source(config, source, NULL, error) != NULL);
}

gboolean rest_restore(Api *api, Request *request, Response *response, GError **error)
{
    const char *words = rest_route_words(request);
    g_autoptr(Config) config = api_config(api);
    const char *listed = config_get(config, "server", "restore_roots");
    g_auto(GStrv) roots = config_list_split(listed != NULL ? listed : "");
    g_autoptr(json_t) body = request->body != NULL ? json_copy(request->body) : json_object();
    g_autoptr(json_t) plan = NULL;
    g_autofree char *source = NULL;
    g_auto(GStrv) asked = NULL, command = NULL;
    JobRequest job = {.operation = words};

    if (!check_request(api, config, request, roots, words, error))
        return FALSE;
    asked = rest_words(api, words, body, error);
    plan = asked != NULL ? make_plan(config, asked, error) : NULL;
    if (plan == NULL || !check_places(config, roots, body, json_object_get(plan, "summary"), error))
        return FALSE;
    fix_backup(api, words, body, plan);
    source = source_of(api, config, words, body, error);
    command = source != NULL ? rest_words(api, words, body, error) : NULL;
    if (command == NULL)
        return FALSE;
    job.command = (const char *const *)command;
    job.source = source;
    return rest_submit(api, request, response, &job, error);
}
