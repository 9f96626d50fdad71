/* SPDX-License-Identifier: Apache-2.0
 *
 * Objectives for programs.
 */
#include "operation/objectives.h"

#include "base/json.h"
#include "base/time.h"

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

json_t *objective_json(const Objective *objective)
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
