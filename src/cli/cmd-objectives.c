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
        "A drill that failed is a recovery that would fail; one that was stopped, or for which\n"
        "there was no room, says nothing of it.\n"
        "Exit status 6 when an objective is missed.",
    .example = "holdfast objectives --json",
    .options = (const GOptionEntry[]){{"source", 0, 0, G_OPTION_ARG_FILENAME, &options.source,
                                       "only this source", "NAME"},
                                      {NULL}},
    .run = run_objectives,
};
