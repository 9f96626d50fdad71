/* SPDX-License-Identifier: Apache-2.0
 *
 * What is due, and what of the missed is made up for.
 */
#include "service/schedule.h"

#include <string.h>

#include "base/cron.h"
#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "base/size.h"
#include "base/time.h"

/* When an entry that could not be handed over is tried again. */
#define FAILURE_WAIT TIME_MINUTE

typedef struct {
    ScheduleEntry entry; /* first, so that the two are one for the caller */
    Cron *cron;
    GTimeZone *zone;
    gint64 misfire_grace, jitter, time_limit, retry_after;
    guint attempts;
    gint64 last_due;
} Item;

struct Schedule {
    GPtrArray *items;
};

static void item_free(gpointer data)
{
    Item *item = data;

    g_free(item->entry.name);
    g_free(item->entry.source);
    g_strfreev(item->entry.command);
    g_free(item->entry.operation);
    g_free(item->entry.last_job);
    cron_free(item->cron);
    g_clear_pointer(&item->zone, g_time_zone_unref);
    g_free(item);
}

void schedule_free(Schedule *schedule)
{
    if (schedule == NULL)
        return;
    g_ptr_array_unref(schedule->items);
    g_free(schedule);
}

/* --- reading the configuration ---------------------------------------------------------------- */

/* The engine of a backup command, or NULL. */
static const char *engine_of(char **command)
{
    return strcmp(command[0], "backup") == 0 ? command[1] : NULL;
}

static gboolean names_source(char **command)
{
    for (guint i = 0; command[i] != NULL; i++) {
        if (strcmp(command[i], "--source") == 0 || g_str_has_prefix(command[i], "--source="))
            return TRUE;
    }
    return FALSE;
}

/* The words before the first option. Free with g_free(). */
static char *operation_of(char **command)
{
    GString *text = g_string_new(command[0]);

    for (guint i = 1; command[i] != NULL && command[i][0] != '-'; i++)
        g_string_append_printf(text, " %s", command[i]);
    return g_string_free(text, FALSE);
}

static char **with_source(char **command, const char *source)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();

    for (guint i = 0; command[i] != NULL; i++)
        g_ptr_array_add(words, g_strdup(command[i]));
    if (source != NULL) {
        if (engine_of(command) != NULL)
            g_ptr_array_add(words, g_strdup("--source"));
        g_ptr_array_add(words, g_strdup(source));
    }
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

static gint64 duration_of(const Config *config, const char *group, const char *key)
{
    gint64 duration;

    /* Checked when the configuration was loaded. */
    if (!duration_parse(config_get(config, group, key), &duration, NULL))
        g_return_val_if_reached(0);
    return duration;
}

static gboolean add_item(Schedule *schedule, const Config *config, const char *name, char **command,
                         const char *source, GError **error)
{
    g_autofree char *group = g_strconcat("schedule ", name, NULL);
    const char *zone = config_get(config, group, "time_zone");
    Item *item = g_new0(Item, 1);

    g_ptr_array_add(schedule->items, item);
    item->entry.name = g_strdup(name);
    item->entry.source = g_strdup(source);
    item->entry.command = with_source(command, source);
    item->entry.operation = operation_of(command);
    item->cron = cron_parse(config_get(config, group, "cron"), error);
    if (item->cron == NULL)
        return FALSE;
    item->zone = zone != NULL ? g_time_zone_new_identifier(zone) : NULL;
    if (item->zone == NULL)
        item->zone = g_time_zone_ref(config_time_zone(config));
    item->misfire_grace = duration_of(config, group, "misfire_grace");
    item->jitter = duration_of(config, group, "jitter");
    item->time_limit = duration_of(config, group, "time_limit");
    item->retry_after = duration_of(config, group, "retry_after");
    item->attempts = 1 + (guint)g_ascii_strtoull(config_get(config, group, "retries"), NULL, 10);
    return TRUE;
}

static gboolean check_source(const Config *config, const char *name, char **command,
                             const char *source, GError **error)
{
    const char *engine = engine_of(command);

    if (engine == NULL && strcmp(command[0], "drill") != 0) {
        error_set(error, ERROR_CONFIG, "[schedule %s]: the command \"%s\" takes no source", name,
                  command[0]);
        error_add_hint(error, "remove the line \"source = %s\"", source);
        return FALSE;
    }
    if (names_source(command)) {
        error_set(error, ERROR_CONFIG, "[schedule %s] names a source twice", name);
        return FALSE;
    }
    if (config_find_source(config, source, engine, NULL, error) != NULL)
        return TRUE;
    g_prefix_error(error, "[schedule %s]: ", name);
    return FALSE;
}

/* One section: an entry, or one for each source. */
static gboolean add_section(Schedule *schedule, const Config *config, const char *name,
                            GError **error)
{
    g_autofree char *group = g_strconcat("schedule ", name, NULL);
    const char *source = config_get(config, group, "source");
    g_auto(GStrv) command = NULL;

    if (!g_shell_parse_argv(config_get(config, group, "command"), NULL, &command, NULL))
        g_return_val_if_reached(FALSE);
    if (source != NULL)
        return check_source(config, name, command, source, error) &&
               add_item(schedule, config, name, command, source, error);
    if (engine_of(command) == NULL || names_source(command))
        return add_item(schedule, config, name, command, NULL, error);
    for (guint i = 0; i < config_source_count(config); i++) {
        const ConfigSource *each = config_source(config, i);

        if (strcmp(each->engine, engine_of(command)) == 0 &&
            !add_item(schedule, config, name, command, each->name, error))
            return FALSE;
    }
    return TRUE;
}

Schedule *schedule_new(const Config *config, GError **error)
{
    g_autoptr(Schedule) schedule = g_new0(Schedule, 1);
    const char *const *names = config_schedules(config);

    schedule->items = g_ptr_array_new_with_free_func(item_free);
    for (guint i = 0; names[i] != NULL; i++) {
        if (!add_section(schedule, config, names[i], error))
            return NULL;
    }
    return g_steal_pointer(&schedule);
}

guint schedule_count(const Schedule *schedule)
{
    return schedule->items->len;
}

const ScheduleEntry *schedule_entry(const Schedule *schedule, guint index)
{
    return g_ptr_array_index(schedule->items, index);
}

/* --- what is due ------------------------------------------------------------------------------ */

static gint64 draw_jitter(gint64 limit)
{
    guint64 random;

    if (limit <= 0)
        return 0;
    random_fill(&random, sizeof(random));
    return (gint64)(random % (guint64)limit);
}

static void set_next(Item *item)
{
    item->entry.due = cron_next(item->cron, item->zone, item->last_due);
    item->entry.next =
        item->entry.due == G_MAXINT64 ? G_MAXINT64 : item->entry.due + draw_jitter(item->jitter);
}

gboolean schedule_remember(Schedule *schedule, Catalog *catalog, gint64 now, GError **error)
{
    for (guint i = 0; i < schedule->items->len; i++) {
        Item *item = g_ptr_array_index(schedule->items, i);
        g_auto(CatalogSchedule) known = {0};

        if (!catalog_schedule_get(catalog, item->entry.name, item->entry.source, &known, error))
            return FALSE;
        /* The first look is remembered as well: a service that is down at the first run makes up
         * for it. A clock that went back must not keep an entry from running. */
        item->last_due = known.last_due != 0 ? MIN(known.last_due, now) : now;
        if (known.last_due == 0 &&
            !catalog_schedule_set(catalog, item->entry.name, item->entry.source, now, NULL, error))
            return FALSE;
        g_free(item->entry.last_job);
        item->entry.last_job = g_steal_pointer(&known.last_job);
        set_next(item);
    }
    return TRUE;
}

gint64 schedule_next(const Schedule *schedule)
{
    gint64 next = G_MAXINT64;

    for (guint i = 0; i < schedule->items->len; i++)
        next = MIN(next, schedule_entry(schedule, i)->next);
    return next;
}

/* The newest moment that was due up to `now` and is not too old; 0: none. What jitter delays is not
 * late. */
static gint64 newest_due(const Item *item, gint64 now)
{
    gint64 from = MAX(item->last_due, now - item->misfire_grace - item->jitter - 1);
    gint64 newest = 0;

    for (gint64 due = cron_next(item->cron, item->zone, from); due <= now;
         due = cron_next(item->cron, item->zone, due))
        newest = due;
    return newest;
}

gint64 schedule_expected(const Schedule *schedule, guint index, gint64 now)
{
    static const gint64 spans[] = {2 * TIME_HOUR, 2 * TIME_DAY, 40 * TIME_DAY, 400 * TIME_DAY};
    const Item *item = g_ptr_array_index(schedule->items, index);
    gint64 until = now - item->misfire_grace - item->jitter;
    gint64 newest = 0;

    /* Expressions only lead forward. */
    for (guint i = 0; i < G_N_ELEMENTS(spans) && newest == 0; i++) {
        for (gint64 due = cron_next(item->cron, item->zone, until - spans[i]); due <= until;
             due = cron_next(item->cron, item->zone, due))
            newest = due;
    }
    return newest;
}

static gboolean hand_over(Item *item, ScheduleFunc func, gpointer data, char **ret_id,
                          GError **error)
{
    g_autofree char *origin = g_strconcat("schedule ", item->entry.name, NULL);
    const JobRequest request = {
        .command = (const char *const *)item->entry.command,
        .operation = item->entry.operation,
        .source = item->entry.source,
        .origin = origin,
        .attempts = item->attempts,
        .retry_after = item->retry_after,
        .time_limit = item->time_limit,
    };

    return func(&request, ret_id, data, error);
}

/* Runs one entry that is due. FALSE: to be tried again. */
static gboolean run_item(Item *item, Catalog *catalog, gint64 now, gboolean paused,
                         ScheduleFunc func, gpointer data, guint *handed_over)
{
    gint64 due = newest_due(item, now);
    g_autoptr(GError) problem = NULL;
    g_autofree char *id = NULL;
    const LogField *fields =
        LOG_FIELDS({"schedule", item->entry.name}, {"source", item->entry.source});

    if (due == 0) {
        log_write_fields(fields, LOG_WARNING,
                         "schedule %s: a run was missed, too long ago to make up for it",
                         item->entry.name);
    } else if (!paused && !hand_over(item, func, data, &id, &problem)) {
        g_autofree char *text = error_text(problem);

        log_write_fields(fields, LOG_WARNING, "schedule %s: %s", item->entry.name, text);
        if (!error_is(problem, ERROR_BUSY))
            return FALSE;
        g_clear_error(&problem);
    }
    *handed_over += id != NULL;
    item->last_due = due != 0 ? due : now;
    if (!catalog_schedule_set(catalog, item->entry.name, item->entry.source, item->last_due, id,
                              &problem))
        log_write(LOG_WARNING, "schedule %s is not noted: %s", item->entry.name, problem->message);
    if (id != NULL) {
        g_free(item->entry.last_job);
        item->entry.last_job = g_steal_pointer(&id);
    }
    return TRUE;
}

guint schedule_run(Schedule *schedule, Catalog *catalog, gint64 now, gboolean paused,
                   ScheduleFunc func, gpointer data)
{
    guint handed_over = 0;

    for (guint i = 0; i < schedule->items->len; i++) {
        Item *item = g_ptr_array_index(schedule->items, i);

        if (item->entry.next > now)
            continue;
        if (run_item(item, catalog, now, paused, func, data, &handed_over))
            set_next(item);
        else
            item->entry.next = now + FAILURE_WAIT;
    }
    return handed_over;
}

gboolean schedule_paused(Catalog *catalog, gboolean *ret_paused, GError **error)
{
    g_autofree char *value = NULL;

    if (!catalog_setting_get(catalog, "paused", &value, error))
        return FALSE;
    *ret_paused = value != NULL;
    return TRUE;
}

gboolean schedule_pause(Catalog *catalog, gboolean paused, GError **error)
{
    return catalog_setting_set(catalog, "paused", paused ? "yes" : NULL, error);
}
