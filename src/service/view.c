/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking the look.
 */
#include "service/view.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/size.h"
#include "base/time.h"

/* A backup that runs longer than this does not excuse that there is none. */
#define RUNNING_LIMIT TIME_DAY
#define JOB_LIMIT     1000

static void backup_free(gpointer data)
{
    ViewBackup *backup = data;

    g_free(backup->source);
    g_free(backup->engine);
    g_free(backup->type);
    g_free(backup);
}

static void source_free(gpointer data)
{
    ViewSource *source = data;

    g_free(source->source);
    g_free(source);
}

static void schedule_entry_free(gpointer data)
{
    ViewSchedule *entry = data;

    g_free(entry->schedule);
    g_free(entry->source);
    g_free(entry);
}

ServiceView *view_ref(ServiceView *view)
{
    g_atomic_int_inc(&view->references);
    return view;
}

void view_unref(ServiceView *view)
{
    if (view == NULL || !g_atomic_int_dec_and_test(&view->references))
        return;
    g_ptr_array_unref(view->objectives);
    g_ptr_array_unref(view->backups);
    g_ptr_array_unref(view->sources);
    g_ptr_array_unref(view->schedules);
    g_ptr_array_unref(view->jobs);
    g_ptr_array_unref(view->physical);
    g_free(view->problem);
    g_free(view);
}

static ServiceView *view_new(void)
{
    ServiceView *view = g_new0(ServiceView, 1);

    view->references = 1;
    view->when = time_now();
    view->objectives = g_ptr_array_new_with_free_func((GDestroyNotify)objective_free);
    view->backups = g_ptr_array_new_with_free_func(backup_free);
    view->sources = g_ptr_array_new_with_free_func(source_free);
    view->schedules = g_ptr_array_new_with_free_func(schedule_entry_free);
    view->jobs = g_ptr_array_new_with_free_func((GDestroyNotify)catalog_job_free);
    view->physical = g_ptr_array_new_with_free_func(g_free);
    return view;
}

gboolean view_space_is_short(const ServiceView *view)
{
    return view->total > 0 && (double)view->free < (double)view->total * view->space_warning;
}

/* --- backups ---------------------------------------------------------------------------------- */

static ViewSource *source_of(ServiceView *view, const char *name)
{
    ViewSource *source;

    for (guint i = 0; i < view->sources->len; i++) {
        source = g_ptr_array_index(view->sources, i);
        if (g_strcmp0(source->source, name) == 0)
            return source;
    }
    source = g_new0(ViewSource, 1);
    source->source = g_strdup(name);
    g_ptr_array_add(view->sources, source);
    return source;
}

static gboolean has_newer(const ServiceView *view, const CatalogBackup *backup)
{
    for (guint i = 0; i < view->backups->len; i++) {
        const ViewBackup *other = g_ptr_array_index(view->backups, i);

        if (g_strcmp0(other->source, backup->source) == 0 &&
            g_strcmp0(other->type, backup->type) == 0)
            return TRUE;
    }
    return FALSE;
}

static void add_newest(ServiceView *view, const CatalogBackup *backup)
{
    ViewBackup *newest = g_new0(ViewBackup, 1);

    newest->source = g_strdup(backup->source);
    newest->engine = g_strdup(backup->engine);
    newest->type = g_strdup(backup->type);
    newest->stop = backup->stop;
    newest->elapsed = MAX(backup->stop - backup->start, 0);
    newest->plain_size = backup->plain_size;
    newest->stored_size = backup->stored_size;
    newest->rows = backup->rows;
    newest->tables = backup->tables;
    g_ptr_array_add(view->backups, newest);
}

static gboolean look_at_backups(ServiceView *view, Catalog *catalog, GError **error)
{
    g_autoptr(GPtrArray) backups = NULL;

    if (!catalog_backups(catalog, NULL, &backups, error))
        return FALSE;
    for (guint i = 0; i < backups->len; i++) {
        const CatalogBackup *backup = g_ptr_array_index(backups, i);
        ViewSource *source = source_of(view, backup->source != NULL ? backup->source : "");

        source->good += !backup->damaged;
        source->damaged += backup->damaged;
        source->stored_size += backup->stored_size;
        /* Newest first. */
        if (!backup->damaged && !backup->partial && !has_newer(view, backup))
            add_newest(view, backup);
    }
    return TRUE;
}

/* --- schedules -------------------------------------------------------------------------------- */

/* The end of the newest backup that would do for the entry: a full for a full, any for an
 * incremental. */
static gint64 newest_for(const ServiceView *view, const char *operation, const char *source)
{
    gboolean full = g_str_has_suffix(operation, " full");
    gint64 newest = 0;

    for (guint i = 0; i < view->backups->len; i++) {
        const ViewBackup *backup = g_ptr_array_index(view->backups, i);

        if (g_strcmp0(backup->source, source) == 0 &&
            (!full || g_strcmp0(backup->type, "full") == 0))
            newest = MAX(newest, backup->stop);
    }
    return newest;
}

static gboolean is_under_way(const GPtrArray *active, const char *source, gint64 now)
{
    for (guint i = 0; i < active->len; i++) {
        const CatalogJob *job = g_ptr_array_index(active, i);

        if (g_strcmp0(job->source, source) == 0 && g_str_has_prefix(job->operation, "backup ") &&
            strcmp(job->state, "lost") != 0 && now - MAX(job->started, job->queued) < RUNNING_LIMIT)
            return TRUE;
    }
    return FALSE;
}

/* When the entry was seen first: what was due before that is not missed. */
static gboolean first_seen(Catalog *catalog, const ScheduleEntry *entry, gint64 now,
                           gint64 *ret_when, GError **error)
{
    g_autofree char *key = g_strdup_printf("seen schedule %s %s", entry->name, entry->source);
    g_autofree char *value = NULL;
    g_autofree char *text = NULL;

    if (!catalog_setting_get(catalog, key, &value, error))
        return FALSE;
    *ret_when = value != NULL ? g_ascii_strtoll(value, NULL, 10) : now;
    if (value != NULL)
        return TRUE;
    text = g_strdup_printf("%" G_GINT64_FORMAT, now);
    return catalog_setting_set(catalog, key, text, error);
}

static gboolean look_at_entry(ServiceView *view, Catalog *catalog, const Schedule *schedule,
                              guint index, const GPtrArray *active, GError **error)
{
    const ScheduleEntry *entry = schedule_entry(schedule, index);
    ViewSchedule *seen;
    gint64 since;

    if (entry->source == NULL || !g_str_has_prefix(entry->operation, "backup "))
        return TRUE;
    if (!first_seen(catalog, entry, view->when, &since, error))
        return FALSE;
    seen = g_new0(ViewSchedule, 1);
    g_ptr_array_add(view->schedules, seen);
    seen->schedule = g_strdup(entry->name);
    seen->source = g_strdup(entry->source);
    seen->newest = newest_for(view, entry->operation, entry->source);
    seen->expected = schedule_expected(schedule, index, view->when);
    if (seen->expected <= since)
        seen->expected = 0;
    seen->overdue = seen->expected != 0 && seen->newest < seen->expected &&
                    !is_under_way(active, entry->source, view->when);
    return TRUE;
}

static gboolean look_at_schedules(ServiceView *view, OperationContext *context, GError **error)
{
    const CatalogJobFilter filter = {.state = "active"};
    g_autoptr(Schedule) schedule = schedule_new(context->config, error);
    g_autoptr(GPtrArray) active = NULL;

    if (schedule == NULL ||
        !catalog_jobs_filtered(context->catalog, &filter, JOB_LIMIT, &active, error))
        return FALSE;
    for (guint i = 0; i < schedule_count(schedule); i++) {
        if (!look_at_entry(view, context->catalog, schedule, i, active, error))
            return FALSE;
    }
    return TRUE;
}

/* --- all -------------------------------------------------------------------------------------- */

static gboolean look_at_objectives(ServiceView *view, OperationContext *context,
                                   GCancellable *cancellable, GError **error)
{
    GPtrArray *objectives;

    if (config_source_count(context->config) == 0)
        return TRUE;
    for (guint i = 0; i < config_source_count(context->config); i++) {
        const ConfigSource *source = config_source(context->config, i);

        if (strcmp(source->engine, "postgresql") == 0 && strcmp(source->method, "physical") == 0)
            g_ptr_array_add(view->physical, g_strdup(source->name));
    }
    if (!operation_objectives(context, NULL, cancellable, &objectives, error))
        return FALSE;
    g_ptr_array_unref(view->objectives);
    view->objectives = objectives;
    return TRUE;
}

static gboolean look_at_jobs(ServiceView *view, Catalog *catalog, GError **error)
{
    GPtrArray *jobs;

    if (!catalog_jobs_last(catalog, &jobs, error))
        return FALSE;
    g_ptr_array_unref(view->jobs);
    view->jobs = jobs;
    return TRUE;
}

static gboolean look_at_space(ServiceView *view, const Config *config, GError **error)
{
    /* Checked when the configuration was loaded. */
    if (!percent_parse(config_get(config, "repository", "space_warning"), &view->space_warning,
                       NULL))
        g_return_val_if_reached(FALSE);
    return file_space(config_repository_path(config), &view->free, &view->total, error);
}

ServiceView *view_take(OperationContext *context, GCancellable *cancellable)
{
    gint64 began = time_monotonic();
    g_autoptr(ServiceView) view = view_new();
    g_autoptr(GError) problem = NULL;

    view->encrypted = repository_is_encrypted(context->repository);
    if (!catalog_refresh(context->catalog, &problem) ||
        !look_at_backups(view, context->catalog, &problem) ||
        !look_at_schedules(view, context, &problem) ||
        !look_at_jobs(view, context->catalog, &problem) ||
        !look_at_space(view, context->config, &problem) ||
        !look_at_objectives(view, context, cancellable, &problem)) {
        gint64 when = view->when;

        /* Half a view would tell of things that are gone. */
        view_unref(g_steal_pointer(&view));
        view = view_new();
        view->when = when;
        view->problem = error_text(problem);
    }
    view->elapsed = time_monotonic() - began;
    return g_steal_pointer(&view);
}
