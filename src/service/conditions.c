/* SPDX-License-Identifier: Apache-2.0
 *
 * Comparing a view with what was told.
 */
#include "service/conditions.h"

#include <string.h>

#include "base/size.h"
#include "base/time.h"

/* So much more than the warning asks for must be free before the warning is over: space that goes
 * up and down around the border is told once. */
#define SPACE_MARGIN 0.02

typedef struct {
    Catalog *catalog;
    const ServiceView *view;
    Events *events;
    Notifier *notifier;
} Judge;

/* Tells, then keeps what was told: rather twice than never. `value` NULL: nothing is to be kept. */
static gboolean keep(const Judge *judge, const char *key, const char *value,
                     const NotifyMessage *message, const char *type, json_t *event, GError **error)
{
    if (message != NULL)
        notify_tell(judge->notifier, message);
    events_add(judge->events, type, event, NULL);
    return catalog_setting_set(judge->catalog, key, value, error);
}

/* --- objectives ------------------------------------------------------------------------------- */

/* "rpo,rto", or NULL where none is missed. */
static char *missed_kinds(const Objective *objective)
{
    GString *kinds = g_string_new(NULL);

    for (ObjectiveKind kind = OBJECTIVE_RPO; kind <= OBJECTIVE_PROOF; kind++) {
        if (objective->states[kind] == OBJECTIVE_MISSED)
            g_string_append_printf(kinds, "%s%s", kinds->len > 0 ? "," : "",
                                   objective_kind_name(kind));
    }
    return g_string_free(kinds, kinds->len == 0);
}

/* Whether `now` has a kind that `before` has not. */
static gboolean has_more(const char *before, const char *now)
{
    g_auto(GStrv) old = g_strsplit(before != NULL ? before : "", ",", -1);
    g_auto(GStrv) new = g_strsplit(now != NULL ? now : "", ",", -1);

    for (guint i = 0; new[i] != NULL; i++) {
        if (!g_strv_contains((const char *const *)old, new[i]))
            return TRUE;
    }
    return FALSE;
}

static json_t *objective_event(const Judge *judge, const Objective *objective, const char *missed)
{
    json_t *event = json_object(), *kinds = json_array(), *reasons = json_array();
    g_auto(GStrv) names = g_strsplit(missed != NULL ? missed : "", ",", -1);

    json_object_set_new(event, "source", json_text(objective->source));
    json_object_set_new(event, "state", json_text(objective_state_name(objective->state)));
    for (guint i = 0; names[i] != NULL; i++)
        json_array_append_new(kinds, json_text(names[i]));
    json_object_set_new(event, "missed", kinds);
    /* What is kept in the clear must not name a table. */
    for (guint i = 0; i < objective->findings->len && !judge->view->encrypted; i++) {
        const ObjectiveFinding *finding = g_ptr_array_index(objective->findings, i);

        json_array_append_new(reasons, json_text(finding->reason));
    }
    json_object_set_new(event, "reasons", reasons);
    return event;
}

static char *duration_text(gint64 duration, const char *none)
{
    return duration >= 0 ? duration_format(duration) : g_strdup(none);
}

static char *objective_text(const Judge *judge, const Objective *objective)
{
    GString *text = g_string_new(NULL);
    g_autofree char *rpo = duration_format(objective->rpo);
    g_autofree char *rto = duration_format(objective->rto);
    g_autofree char *age = duration_text(objective->age, "everything");
    g_autofree char *expected = duration_text(objective->expected, "not known");

    g_string_append_printf(text,
                           "Loss (RPO): wanted %s at most, now %s.\n"
                           "Time of a recovery (RTO): wanted %s at most, expected %s.\n",
                           rpo, age, rto, expected);
    for (guint i = 0; i < objective->findings->len && !judge->view->encrypted; i++) {
        const ObjectiveFinding *finding = g_ptr_array_index(objective->findings, i);

        g_string_append_printf(text, "\n%s, %s: %s\n", objective_kind_name(finding->kind),
                               objective_state_name(finding->state), finding->reason);
        if (finding->command != NULL)
            g_string_append_printf(text, "  run: %s\n", finding->command);
    }
    return g_string_free(text, FALSE);
}

static gboolean judge_objective(const Judge *judge, const Objective *objective, GError **error)
{
    g_autofree char *key = g_strconcat("told objective ", objective->source, NULL);
    g_autofree char *before = NULL;
    g_autofree char *missed = missed_kinds(objective);
    g_autofree char *text = NULL;
    g_autofree char *subject = NULL;
    g_autoptr(json_t) details = NULL;
    NotifyMessage message = {.source = objective->source};
    gboolean more;

    if (!catalog_setting_get(judge->catalog, key, &before, error))
        return FALSE;
    if (g_strcmp0(before, missed) == 0)
        return TRUE;
    more = has_more(before, missed);
    details = objective_event(judge, objective, missed);
    text = objective_text(judge, objective);
    subject = missed != NULL ? g_strdup_printf("recovery objective missed: %s", missed)
                             : g_strdup("recovery objectives are met again");
    message.kind = missed != NULL ? NOTIFY_OBJECTIVE_MISSED : NOTIFY_OBJECTIVE_MET;
    message.subject = subject;
    message.text = text;
    message.details = details;
    /* One of several that is met again is no message of its own. */
    return keep(judge, key, missed, missed == NULL || more ? &message : NULL, "objective",
                json_incref(details), error);
}

/* --- overdue backups -------------------------------------------------------------------------- */

static gboolean judge_schedule(const Judge *judge, const ViewSchedule *entry, GError **error)
{
    g_autofree char *key = g_strdup_printf("told overdue %s %s", entry->schedule, entry->source);
    g_autofree char *before = NULL;
    g_autofree char *expected = time_format(entry->expected);
    g_autofree char *newest = entry->newest != 0 ? time_format(entry->newest) : g_strdup("never");
    g_autofree char *text = NULL;
    g_autoptr(json_t) details = NULL;
    NotifyMessage message = {.kind = NOTIFY_BACKUP_OVERDUE,
                             .source = entry->source,
                             .subject = "a scheduled backup is overdue"};

    if (!catalog_setting_get(judge->catalog, key, &before, error))
        return FALSE;
    if ((before != NULL) == entry->overdue)
        return TRUE;
    details = json_pack("{s:s, s:s, s:s, s:b}", "schedule", entry->schedule, "source",
                        entry->source, "expected", expected, "overdue", entry->overdue);
    text = g_strdup_printf("The schedule %s wants a backup of %s since %s;\n"
                           "the newest good one ended: %s.\n\n"
                           "holdfast scheduler status and holdfast job list say more.\n",
                           entry->schedule, entry->source, expected, newest);
    message.text = text;
    message.details = details;
    return keep(judge, key, entry->overdue ? expected : NULL, entry->overdue ? &message : NULL,
                "overdue", json_incref(details), error);
}

/* --- space ------------------------------------------------------------------------------------ */

static gboolean judge_space(const Judge *judge, GError **error)
{
    const ServiceView *view = judge->view;
    g_autofree char *before = NULL;
    g_autofree char *free = size_format(view->free);
    g_autofree char *total = size_format(view->total);
    g_autofree char *text = NULL;
    g_autoptr(json_t) details = NULL;
    NotifyMessage message = {.kind = NOTIFY_REPOSITORY_FULL,
                             .subject = "the repository is nearly full"};
    gboolean is_short = view_space_is_short(view);

    if (!catalog_setting_get(judge->catalog, "told space", &before, error))
        return FALSE;
    if (before != NULL && !is_short)
        is_short =
            (double)view->free < (double)view->total * MIN(view->space_warning + SPACE_MARGIN, 1.0);
    if ((before != NULL) == is_short)
        return TRUE;
    details = json_pack("{s:I, s:I, s:b}", "free_bytes", (json_int_t)view->free, "total_bytes",
                        (json_int_t)view->total, "short", is_short);
    text = g_strdup_printf("%s of %s are free on the file system of the repository.\n\n"
                           "holdfast cleanup --dry-run says what retention would remove.\n",
                           free, total);
    message.text = text;
    message.details = details;
    return keep(judge, "told space", is_short ? "yes" : NULL, is_short ? &message : NULL, "space",
                json_incref(details), error);
}

gboolean conditions_judge(Catalog *catalog, const ServiceView *view, Events *events,
                          Notifier *notifier, GError **error)
{
    const Judge judge = {catalog, view, events, notifier};

    if (view->problem != NULL)
        return TRUE;
    for (guint i = 0; i < view->objectives->len; i++) {
        if (!judge_objective(&judge, g_ptr_array_index(view->objectives, i), error))
            return FALSE;
    }
    for (guint i = 0; i < view->schedules->len; i++) {
        if (!judge_schedule(&judge, g_ptr_array_index(view->schedules, i), error))
            return FALSE;
    }
    return view->total == 0 || judge_space(&judge, error);
}
