/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast objectives: what is wanted of each source beside what is true now.
 */
#include "operation/objectives.h"

#include "base/error.h"
#include "base/size.h"
#include "base/time.h"
#include "cli/commands.h"

static struct {
    char *source;
} options;

/* --- JSON ------------------------------------------------------------------------------------- */

static void set_time(json_t *object, const char *key, gint64 when)
{
    g_autofree char *text = when != 0 ? time_format(when) : NULL;

    json_object_set_new(object, key, json_text(text));
}

static void set_seconds(json_t *object, const char *key, gint64 duration)
{
    json_object_set_new(object, key,
                        duration >= 0 ? json_real((double)duration / (double)TIME_SECOND)
                                      : json_null());
}

static void set_state(json_t *object, ObjectiveState state)
{
    json_object_set_new(object, "state", json_string(objective_state_name(state)));
}

static json_t *rpo_json(const Objective *objective)
{
    json_t *object = json_object(), *gaps = json_array();

    set_state(object, objective->states[OBJECTIVE_RPO]);
    set_seconds(object, "wanted_seconds", objective->rpo);
    set_seconds(object, "age_seconds", objective->age);
    set_time(object, "newest", objective->newest);
    set_time(object, "oldest", objective->oldest);
    json_object_set_new(object, "complete", json_boolean(objective->complete));
    for (guint i = 0; i < objective->gaps->len; i++) {
        const ObjectiveGap *gap = &g_array_index(objective->gaps, ObjectiveGap, i);
        json_t *entry = json_object();

        set_time(entry, "from", gap->from);
        set_time(entry, "to", gap->to);
        json_array_append_new(gaps, entry);
    }
    json_object_set_new(object, "gaps", gaps);
    return object;
}

static json_t *rto_json(const Objective *objective)
{
    json_t *object = json_object();

    set_state(object, objective->states[OBJECTIVE_RTO]);
    set_seconds(object, "wanted_seconds", objective->rto);
    set_seconds(object, "expected_seconds", objective->expected);
    set_seconds(object, "measured_seconds", objective->measured);
    set_time(object, "measured", objective->measured_at);
    json_object_set_new(object, "measured_by", json_text(objective->measured_by));
    json_object_set_new(object, "restore_bytes",
                        json_integer((json_int_t)objective->restore_bytes));
    json_object_set_new(object, "replay_bytes", json_integer((json_int_t)objective->replay_bytes));
    return object;
}

static json_t *last_json(const Objective *objective)
{
    json_t *object = json_object();
    json_t *backup = json_object(), *verify = json_object(), *drill = json_object();

    json_object_set_new(backup, "id", json_text(objective->last_backup));
    set_time(backup, "time", objective->last_backup_at);
    json_object_set_new(verify, "backup", json_text(objective->last_verify));
    json_object_set_new(verify, "result", json_text(objective->verify_result));
    set_time(verify, "time", objective->last_verify_at);
    json_object_set_new(drill, "result", json_text(objective->drill_result));
    set_time(drill, "time", objective->last_drill_at);
    set_seconds(drill, "seconds", objective->drill_time);
    json_object_set_new(object, "backup", objective->last_backup != NULL ? backup : json_null());
    json_object_set_new(object, "verify", objective->last_verify != NULL ? verify : json_null());
    json_object_set_new(object, "drill", objective->drill_result != NULL ? drill : json_null());
    if (objective->last_backup == NULL)
        json_decref(backup);
    if (objective->last_verify == NULL)
        json_decref(verify);
    if (objective->drill_result == NULL)
        json_decref(drill);
    return object;
}

static json_t *objective_json(const Objective *objective)
{
    json_t *object = json_object(), *findings = json_array();

    json_object_set_new(object, "source", json_text(objective->source));
    json_object_set_new(object, "engine", json_text(objective->engine));
    set_state(object, objective->state);
    json_object_set_new(object, "rto", rto_json(objective));
    json_object_set_new(object, "rpo", rpo_json(objective));
    json_object_set_new(object, "last", last_json(objective));
    for (guint i = 0; i < objective->findings->len; i++) {
        const ObjectiveFinding *finding = g_ptr_array_index(objective->findings, i);
        json_t *entry = json_object();

        json_object_set_new(entry, "objective", json_string(objective_kind_name(finding->kind)));
        set_state(entry, finding->state);
        json_object_set_new(entry, "reason", json_text(finding->reason));
        json_object_set_new(entry, "command", json_text(finding->command));
        json_array_append_new(findings, entry);
    }
    json_object_set_new(object, "findings", findings);
    return object;
}

/* --- text ------------------------------------------------------------------------------------- */

static char *duration_or(gint64 duration, const char *nothing)
{
    return duration >= 0 ? duration_format(duration) : g_strdup(nothing);
}

static char *time_or(gint64 when, GTimeZone *zone, const char *nothing)
{
    return when != 0 ? time_format_local(when, zone) : g_strdup(nothing);
}

static void print_last(Output *output, const Objective *objective, GTimeZone *zone)
{
    g_autofree char *backup = time_or(objective->last_backup_at, zone, "none");
    g_autofree char *verify = time_or(objective->last_verify_at, zone, "never");
    g_autofree char *drill = time_or(objective->last_drill_at, zone, "never");
    g_autofree char *took = duration_or(objective->drill_time, "");

    output_line(output, "  last good backup  %s%s%s", backup,
                objective->last_backup != NULL ? ", " : "",
                objective->last_backup != NULL ? objective->last_backup : "");
    output_line(output, "  last verify       %s%s%s", verify,
                objective->verify_result != NULL ? ", " : "",
                objective->verify_result != NULL ? objective->verify_result : "");
    output_line(output, "  last drill        %s%s%s%s%s", drill,
                objective->drill_result != NULL ? ", " : "",
                objective->drill_result != NULL ? objective->drill_result : "",
                objective->drill_result != NULL ? " in " : "", took);
}

static void print_objective(Output *output, const Objective *objective, GTimeZone *zone)
{
    g_autofree char *rpo = duration_format(objective->rpo);
    g_autofree char *rto = duration_format(objective->rto);
    g_autofree char *age = duration_or(objective->age, "nothing to recover");
    g_autofree char *expected = duration_or(objective->expected, "not known");
    g_autofree char *newest = time_or(objective->newest, zone, "none");
    g_autofree char *oldest = time_or(objective->oldest, zone, "none");
    g_autofree char *measured = duration_or(objective->measured, "never");

    output_line(output, "%s (%s): %s", objective->source, objective->engine,
                objective_state_name(objective->state));
    output_line(output, "  loss (RPO)        %-8s wanted %s, now %s",
                objective_state_name(objective->states[OBJECTIVE_RPO]), rpo, age);
    output_line(output, "  time (RTO)        %-8s wanted %s, expected %s (measured %s%s%s)",
                objective_state_name(objective->states[OBJECTIVE_RTO]), rto, expected, measured,
                objective->measured_by != NULL ? " by a " : "",
                objective->measured_by != NULL ? objective->measured_by : "");
    output_line(output, "  proof             %s",
                objective_state_name(objective->states[OBJECTIVE_PROOF]));
    output_line(output, "  recoverable       %s to %s, %u %s", oldest, newest, objective->gaps->len,
                objective->gaps->len == 1 ? "gap" : "gaps");
    print_last(output, objective, zone);
    for (guint i = 0; i < objective->findings->len; i++) {
        const ObjectiveFinding *finding = g_ptr_array_index(objective->findings, i);

        output_line(output, "  %s, %s: %s", objective_kind_name(finding->kind),
                    objective_state_name(finding->state), finding->reason);
        if (finding->command != NULL)
            output_line(output, "    run: %s", finding->command);
    }
}

/* --- the command ------------------------------------------------------------------------------ */

static gboolean run_objectives(CommandRun *run, GError **error)
{
    g_autoptr(OperationContext) context = command_open(run, error);
    g_autoptr(GPtrArray) objectives = NULL;
    g_autoptr(json_t) list = json_array();

    if (context == NULL ||
        !operation_objectives(context, options.source, run->cancellable, &objectives, error))
        return FALSE;
    for (guint i = 0; i < objectives->len; i++) {
        const Objective *objective = g_ptr_array_index(objectives, i);

        json_array_append_new(list, objective_json(objective));
        print_objective(run->output, objective, config_time_zone(context->config));
        if (objective->state == OBJECTIVE_MISSED)
            run->exit_status = error_info(ERROR_OBJECTIVE)->exit_status;
    }
    output_json(run->output, g_steal_pointer(&list));
    return TRUE;
}

const Command command_objectives = {
    .words = "objectives",
    .arguments = "",
    .summary = "compare what is wanted of recoveries with what is true now",
    .description =
        "Per source: the loss that is wanted (rpo) beside the age of the newest moment that can "
        "be\n"
        "recovered, the time that is wanted (rto) beside what the newest backup and the WAL "
        "behind\n"
        "it are expected to take at the rate of the last drills and restores, and when a\n"
        "backup, a verify and a drill last were. The server is asked whether it has anything that\n"
        "is not archived. What is not as wanted comes with the reason and a command.\n"
        "Exit status 6 when an objective is missed.",
    .example = "holdfast objectives --json",
    .options = (const GOptionEntry[]){{"source", 0, 0, G_OPTION_ARG_FILENAME, &options.source,
                                       "only this source", "NAME"},
                                      {NULL}},
    .run = run_objectives,
};
