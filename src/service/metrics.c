/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing the metrics. One function a group; a metric's lines stand together, as the format wants.
 */
#include "service/metrics.h"

#include <stdarg.h>
#include <string.h>

#include "base/time.h"
#include "service/notify.h"

/* --- the format ------------------------------------------------------------------------------- */

static void begin(GString *text, const char *name, const char *type, const char *help)
{
    g_string_append_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void append_label(GString *text, const char *value)
{
    g_autofree char *valid = g_utf8_make_valid(value != NULL ? value : "", -1);

    for (const char *at = valid; *at != '\0'; at++) {
        if (*at == '\n')
            g_string_append(text, "\\n");
        else if (*at == '"' || *at == '\\')
            g_string_append_printf(text, "\\%c", *at);
        else
            g_string_append_c(text, *at);
    }
}

/* A line; names and values of labels follow, then NULL. */
static void sample(GString *text, const char *name, double value, ...) G_GNUC_NULL_TERMINATED;
static void sample(GString *text, const char *name, double value, ...)
{
    char number[G_ASCII_DTOSTR_BUF_SIZE];
    const char *label;
    gboolean any = FALSE;
    va_list labels;

    g_string_append(text, name);
    va_start(labels, value);
    while ((label = va_arg(labels, const char *)) != NULL) {
        g_string_append_printf(text, "%s%s=\"", any ? "," : "{", label);
        append_label(text, va_arg(labels, const char *));
        g_string_append_c(text, '"');
        any = TRUE;
    }
    va_end(labels);
    g_string_append_printf(text, "%s %s\n", any ? "}" : "",
                           g_ascii_formatd(number, sizeof number, "%.16g", value));
}

static double seconds(gint64 microseconds)
{
    return (double)microseconds / (double)TIME_SECOND;
}

/* --- the service ------------------------------------------------------------------------------ */

static void add_service(GString *text, const MetricsInput *input)
{
    const ServiceView *view = input->view;

    begin(text, "holdfast_build_info", "gauge", "Always 1; the label has the version.");
    sample(text, "holdfast_build_info", 1, "version", HOLDFAST_VERSION, NULL);
    begin(text, "holdfast_service_start_time_seconds", "gauge", "When the service began.");
    sample(text, "holdfast_service_start_time_seconds", seconds(input->started), NULL);
    begin(text, "holdfast_scheduler_paused", "gauge", "1 while the schedule is paused.");
    sample(text, "holdfast_scheduler_paused", input->paused, NULL);
    begin(text, "holdfast_event_streams", "gauge", "Readers of the stream of events.");
    sample(text, "holdfast_event_streams", input->streams, NULL);
    begin(text, "holdfast_look_success", "gauge",
          "Whether the last look at sources and repository saw them; 0 means that most of what "
          "follows is missing.");
    if (view != NULL)
        sample(text, "holdfast_look_success", view->problem == NULL, NULL);
    begin(text, "holdfast_look_time_seconds", "gauge", "When the last look was taken.");
    if (view != NULL)
        sample(text, "holdfast_look_time_seconds", seconds(view->when), NULL);
    begin(text, "holdfast_look_duration_seconds", "gauge", "How long the last look took.");
    if (view != NULL)
        sample(text, "holdfast_look_duration_seconds", seconds(view->elapsed), NULL);
}

static void add_notifies(GString *text, const GArray *counts)
{
    begin(text, "holdfast_notifications_total", "counter",
          "Messages since the service began: sent, or failed for good.");
    for (guint i = 0; i < counts->len; i++) {
        const NotifyCount *count = &g_array_index(counts, NotifyCount, i);

        sample(text, "holdfast_notifications_total", (double)count->sent, "name", count->name,
               "result", "sent", NULL);
        sample(text, "holdfast_notifications_total", (double)count->failed, "name", count->name,
               "result", "failed", NULL);
    }
    begin(text, "holdfast_notifications_waiting", "gauge", "Messages that are still on their way.");
    for (guint i = 0; i < counts->len; i++) {
        const NotifyCount *count = &g_array_index(counts, NotifyCount, i);

        sample(text, "holdfast_notifications_waiting", (double)count->waiting, "name", count->name,
               NULL);
    }
}

/* --- jobs ------------------------------------------------------------------------------------- */

static void add_job_counts(GString *text, const GArray *counts)
{
    static const char *const states[] = {"queued", "running",   "succeeded",
                                         "failed", "cancelled", "lost"};

    begin(text, "holdfast_jobs", "gauge", "Jobs that the catalog has, by state.");
    for (guint i = 0; counts != NULL && i < G_N_ELEMENTS(states); i++) {
        guint64 found = 0;

        for (guint j = 0; j < counts->len; j++) {
            const CatalogJobCount *count = &g_array_index(counts, CatalogJobCount, j);

            if (strcmp(count->state, states[i]) == 0)
                found = count->count;
        }
        sample(text, "holdfast_jobs", (double)found, "state", states[i], NULL);
    }
}

typedef double (*JobValue)(const CatalogJob *job);

static double job_success(const CatalogJob *job)
{
    return strcmp(job->state, "succeeded") == 0;
}

static double job_end(const CatalogJob *job)
{
    return seconds(job->ended);
}

static double job_duration(const CatalogJob *job)
{
    return job->started != 0 ? seconds(MAX(job->ended - job->started, 0)) : 0;
}

static void add_jobs(GString *text, const GPtrArray *jobs)
{
    static const struct {
        const char *name, *help;
        JobValue value;
    } rows[] = {
        {"holdfast_job_last_success", "Whether the last ended job of this kind succeeded.",
         job_success},
        {"holdfast_job_last_end_time_seconds", "When the last job of this kind ended.", job_end},
        {"holdfast_job_last_duration_seconds", "How long the last job of this kind ran.",
         job_duration},
    };

    for (guint row = 0; row < G_N_ELEMENTS(rows); row++) {
        begin(text, rows[row].name, "gauge", rows[row].help);
        for (guint i = 0; jobs != NULL && i < jobs->len; i++) {
            const CatalogJob *job = g_ptr_array_index(jobs, i);

            sample(text, rows[row].name, rows[row].value(job), "operation", job->operation,
                   "source", job->source, NULL);
        }
    }
}

/* --- backups ---------------------------------------------------------------------------------- */

typedef double (*BackupValue)(const ViewBackup *backup);

static double backup_stop(const ViewBackup *backup)
{
    return seconds(backup->stop);
}

static double backup_duration(const ViewBackup *backup)
{
    return seconds(backup->elapsed);
}

static double backup_size(const ViewBackup *backup)
{
    return (double)backup->plain_size;
}

static double backup_stored(const ViewBackup *backup)
{
    return (double)backup->stored_size;
}

static double backup_rows(const ViewBackup *backup)
{
    return (double)backup->rows;
}

static double backup_tables(const ViewBackup *backup)
{
    return (double)backup->tables;
}

static void add_backups(GString *text, const GPtrArray *backups)
{
    static const struct {
        const char *name, *help;
        BackupValue value;
    } rows[] = {
        {"holdfast_backup_last_success_time_seconds", "End of the newest good backup.",
         backup_stop},
        {"holdfast_backup_last_duration_seconds", "How long the newest good backup took.",
         backup_duration},
        {"holdfast_backup_last_size_bytes", "What the newest good backup holds, uncompressed.",
         backup_size},
        {"holdfast_backup_last_stored_bytes",
         "What the newest good backup takes in the repository, objects that it shares with others "
         "included.",
         backup_stored},
        {"holdfast_backup_last_rows", "Rows that the newest good backup counted.", backup_rows},
        {"holdfast_backup_last_tables", "Tables in the newest good backup.", backup_tables},
    };

    for (guint row = 0; row < G_N_ELEMENTS(rows); row++) {
        begin(text, rows[row].name, "gauge", rows[row].help);
        for (guint i = 0; backups != NULL && i < backups->len; i++) {
            const ViewBackup *backup = g_ptr_array_index(backups, i);

            sample(text, rows[row].name, rows[row].value(backup), "source", backup->source,
                   "engine", backup->engine, "type", backup->type, NULL);
        }
    }
}

static void add_sources(GString *text, const ServiceView *view)
{
    begin(text, "holdfast_backups", "gauge", "Backups in the repository.");
    for (guint i = 0; view != NULL && i < view->sources->len; i++) {
        const ViewSource *source = g_ptr_array_index(view->sources, i);

        sample(text, "holdfast_backups", (double)source->good, "source", source->source, "state",
               "good", NULL);
        sample(text, "holdfast_backups", (double)source->damaged, "source", source->source, "state",
               "damaged", NULL);
    }
    begin(text, "holdfast_backups_stored_bytes", "gauge",
          "What the backups of a source take in the repository; objects that several share count "
          "with each.");
    for (guint i = 0; view != NULL && i < view->sources->len; i++) {
        const ViewSource *source = g_ptr_array_index(view->sources, i);

        sample(text, "holdfast_backups_stored_bytes", (double)source->stored_size, "source",
               source->source, NULL);
    }
    begin(text, "holdfast_backup_overdue", "gauge", "Whether a scheduled backup is overdue.");
    for (guint i = 0; view != NULL && i < view->schedules->len; i++) {
        const ViewSchedule *entry = g_ptr_array_index(view->schedules, i);

        sample(text, "holdfast_backup_overdue", entry->overdue, "schedule", entry->schedule,
               "source", entry->source, NULL);
    }
}

static void add_space(GString *text, const ServiceView *view)
{
    gboolean known = view != NULL && view->total > 0;

    begin(text, "holdfast_repository_free_bytes", "gauge",
          "Free space of the repository's file system.");
    if (known)
        sample(text, "holdfast_repository_free_bytes", (double)view->free, NULL);
    begin(text, "holdfast_repository_total_bytes", "gauge",
          "Size of the repository's file system.");
    if (known)
        sample(text, "holdfast_repository_total_bytes", (double)view->total, NULL);
}

/* --- objectives ------------------------------------------------------------------------------- */

/* FALSE: the source has no such value. */
typedef gboolean (*ObjectiveValue)(const Objective *objective, const MetricsInput *input,
                                   double *ret_value);

static gboolean set_moment(gint64 moment, double *ret_value)
{
    *ret_value = seconds(moment);
    return moment != 0;
}

static gboolean set_duration(gint64 duration, double *ret_value)
{
    *ret_value = seconds(duration);
    return duration >= 0;
}

static gboolean newest(const Objective *objective, const MetricsInput *input, double *ret_value)
{
    return set_moment(objective->newest, ret_value);
}

static gboolean oldest(const Objective *objective, const MetricsInput *input, double *ret_value)
{
    return set_moment(objective->oldest, ret_value);
}

/* Grows with the time since the look. */
static gboolean age(const Objective *objective, const MetricsInput *input, double *ret_value)
{
    gint64 since = MAX(input->now - input->view->when, 0);

    return set_duration(objective->age < 0 ? -1 : objective->age + since, ret_value);
}

static gboolean gaps(const Objective *objective, const MetricsInput *input, double *ret_value)
{
    *ret_value = objective->gaps->len;
    return TRUE;
}

/* Whether the source archives WAL. */
static gboolean has_wal(const Objective *objective, const ServiceView *view)
{
    for (guint i = 0; i < view->physical->len; i++) {
        if (strcmp(g_ptr_array_index(view->physical, i), objective->source) == 0)
            return TRUE;
    }
    return FALSE;
}

static gboolean wal_lag(const Objective *objective, const MetricsInput *input, double *ret_value)
{
    return has_wal(objective, input->view) &&
           set_duration(objective->complete ? 0 : objective->age, ret_value);
}

static gboolean replay(const Objective *objective, const MetricsInput *input, double *ret_value)
{
    *ret_value = (double)objective->replay_bytes;
    return has_wal(objective, input->view);
}

static gboolean expected(const Objective *objective, const MetricsInput *input, double *ret_value)
{
    return set_duration(objective->expected, ret_value);
}

static gboolean verify_time(const Objective *objective, const MetricsInput *input,
                            double *ret_value)
{
    return set_moment(objective->last_verify_at, ret_value);
}

static gboolean verify_success(const Objective *objective, const MetricsInput *input,
                               double *ret_value)
{
    *ret_value = g_strcmp0(objective->verify_result, "good") == 0;
    return objective->verify_result != NULL;
}

static gboolean drill_time(const Objective *objective, const MetricsInput *input, double *ret_value)
{
    return set_moment(objective->last_drill_at, ret_value);
}

static gboolean drill_success(const Objective *objective, const MetricsInput *input,
                              double *ret_value)
{
    *ret_value = g_strcmp0(objective->drill_result, "succeeded") == 0;
    return objective->drill_result != NULL;
}

static gboolean drill_duration(const Objective *objective, const MetricsInput *input,
                               double *ret_value)
{
    return set_duration(objective->drill_time, ret_value);
}

static void add_objective_values(GString *text, const MetricsInput *input)
{
    static const struct {
        const char *name, *help;
        ObjectiveValue value;
    } rows[] = {
        {"holdfast_recoverable_newest_time_seconds", "The newest moment that can be recovered.",
         newest},
        {"holdfast_recoverable_oldest_time_seconds", "The oldest moment that can be recovered.",
         oldest},
        {"holdfast_recoverable_age_seconds", "Age of the newest moment that can be recovered.",
         age},
        {"holdfast_recoverable_gaps", "Spans of time inside in which nothing can be recovered.",
         gaps},
        {"holdfast_wal_lag_seconds",
         "How far the archived WAL is behind the server; 0: it has nothing that is not archived.",
         wal_lag},
        {"holdfast_wal_replay_bytes", "WAL that a recovery from the newest backup has to replay.",
         replay},
        {"holdfast_recovery_expected_seconds",
         "How long a recovery to the newest moment should "
         "take, by the last drills and restores.",
         expected},
        {"holdfast_verify_last_time_seconds", "When a backup of the source was verified last.",
         verify_time},
        {"holdfast_verify_last_success", "Whether the last verify found no damage.",
         verify_success},
        {"holdfast_drill_last_time_seconds", "When the last drill was.", drill_time},
        {"holdfast_drill_last_success", "Whether the last drill succeeded.", drill_success},
        {"holdfast_drill_last_duration_seconds", "How long the last drill's restore took.",
         drill_duration},
    };

    for (guint row = 0; row < G_N_ELEMENTS(rows); row++) {
        begin(text, rows[row].name, "gauge", rows[row].help);
        for (guint i = 0; input->view != NULL && i < input->view->objectives->len; i++) {
            const Objective *objective = g_ptr_array_index(input->view->objectives, i);
            double value;

            if (rows[row].value(objective, input, &value))
                sample(text, rows[row].name, value, "source", objective->source, NULL);
        }
    }
}

static void add_objectives(GString *text, const ServiceView *view)
{
    begin(text, "holdfast_objective_state", "gauge",
          "How an objective stands: 0 ok, 1 at risk, 2 missed.");
    for (guint i = 0; view != NULL && i < view->objectives->len; i++) {
        const Objective *objective = g_ptr_array_index(view->objectives, i);

        for (ObjectiveKind kind = OBJECTIVE_RPO; kind <= OBJECTIVE_PROOF; kind++)
            sample(text, "holdfast_objective_state", objective->states[kind], "source",
                   objective->source, "objective", objective_kind_name(kind), NULL);
    }
    begin(text, "holdfast_objective_wanted_seconds", "gauge", "What is wanted of an objective.");
    for (guint i = 0; view != NULL && i < view->objectives->len; i++) {
        const Objective *objective = g_ptr_array_index(view->objectives, i);

        sample(text, "holdfast_objective_wanted_seconds", seconds(objective->rpo), "source",
               objective->source, "objective", "rpo", NULL);
        sample(text, "holdfast_objective_wanted_seconds", seconds(objective->rto), "source",
               objective->source, "objective", "rto", NULL);
    }
}

char *metrics_render(const MetricsInput *input)
{
    GString *text = g_string_new(NULL);
    const ServiceView *view = input->view;

    add_service(text, input);
    add_notifies(text, input->notifies);
    add_job_counts(text, input->job_counts);
    add_jobs(text, view != NULL ? view->jobs : NULL);
    add_backups(text, view != NULL ? view->backups : NULL);
    add_sources(text, view);
    add_space(text, view);
    add_objective_values(text, input);
    add_objectives(text, view);
    return g_string_free(text, FALSE);
}
