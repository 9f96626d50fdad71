/* SPDX-License-Identifier: Apache-2.0
 *
 * The schedule with a replaced clock: a year of clock changes in five zones, missed runs, pauses.
 */
#include "service/schedule.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"

#define START (G_GINT64_CONSTANT(1798761600) * TIME_SECOND) /* 2027-01-01T00:00:00Z */

typedef struct {
    char *directory;
    Store *store;
    Repository *repository;
    Catalog *catalog;
    guint calls, id;
    gboolean busy, broken;
    char *last; /* the last command */
} Fixture;

static void ignore_log(LogLevel level, const char *text, const LogField *fields, gpointer data)
{
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    log_set_writer(ignore_log, NULL);
    fixture->directory = g_dir_make_tmp("holdfast-schedule-XXXXXX", &error);
    fixture->store = store_new_memory();
    fixture->repository = repository_create(fixture->store, COMPRESS_DEFAULT, &error);
    fixture->catalog = catalog_open(fixture->repository, NULL, &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    catalog_free(fixture->catalog);
    repository_unref(fixture->repository);
    store_unref(fixture->store);
    g_assert_true(directory_remove(fixture->directory, &error));
    g_free(fixture->directory);
    g_free(fixture->last);
    log_set_writer(NULL, NULL);
}

static gboolean submit(const JobRequest *request, char **ret_id, gpointer data, GError **error)
{
    Fixture *fixture = data;

    fixture->calls++;
    if (fixture->busy || fixture->broken) {
        error_set(error, fixture->busy ? ERROR_BUSY : ERROR_CATALOG, "not now");
        return FALSE;
    }
    g_free(fixture->last);
    fixture->last = g_strjoinv(" ", (char **)request->command);
    *ret_id = g_strdup_printf("job-%u", ++fixture->id);
    return TRUE;
}

static Schedule *make(const char *text, GError **error)
{
    g_autofree char *whole = g_strconcat("[repository]\npath = /r\n", text, NULL);
    g_autoptr(Config) config = config_parse(whole, strlen(whole), "x", error);

    return config != NULL ? schedule_new(config, error) : NULL;
}

static Schedule *need(Fixture *fixture, const char *text, gint64 now)
{
    g_autoptr(GError) error = NULL;
    Schedule *schedule = make(text, &error);

    g_assert_no_error(error);
    g_assert_true(schedule_remember(schedule, fixture->catalog, now, &error));
    return schedule;
}

static guint run_at(Fixture *fixture, Schedule *schedule, gint64 now)
{
    return schedule_run(schedule, fixture->catalog, now, FALSE, submit, fixture);
}

/* --- a year ----------------------------------------------------------------------------------- */

static const struct {
    const char *zone;
    gboolean changes;
} zones[] = {
    {"Europe/Berlin", TRUE},     {"America/New_York", TRUE}, {"Australia/Lord_Howe", TRUE},
    {"Africa/Casablanca", TRUE}, {"Asia/Kolkata", FALSE},
};

/* Whatever the clocks do: a daily run comes once each local day, an hourly one never leaves out more
 * than the doubled hour. */
static void test_year(Fixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < G_N_ELEMENTS(zones); i++) {
        g_autofree char *text = g_strdup_printf(
            "[schedule z%u]\ncommand = cleanup\ncron = 30 2 * * *\ntime_zone = %s\n", i,
            zones[i].zone);
        g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(zones[i].zone);
        g_autoptr(Schedule) schedule = need(fixture, text, START);
        g_autoptr(GHashTable) days = g_hash_table_new(g_direct_hash, g_direct_equal);
        g_autoptr(GHashTable) offsets = g_hash_table_new(g_direct_hash, g_direct_equal);
        guint runs = 0;

        for (gint64 now = START; now < START + 365 * TIME_DAY; now = schedule_next(schedule)) {
            g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(now / TIME_SECOND);
            g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, zone);

            if (run_at(fixture, schedule, now) == 0)
                continue;
            runs++;
            g_assert_true(
                g_hash_table_add(days, GINT_TO_POINTER(g_date_time_get_day_of_year(local))));
            g_hash_table_add(offsets,
                             GINT_TO_POINTER((int)(g_date_time_get_utc_offset(local) / 60000000)));
        }
        g_assert_cmpuint(runs, >=, 364);
        g_assert_cmpuint(runs, <=, 366);
        g_assert_cmpuint(g_hash_table_size(offsets) > 1, ==, zones[i].changes);
    }
}

/* --- missed runs ------------------------------------------------------------------------------ */

#define HOURLY "[schedule a]\ncommand = cleanup\ncron = 0 * * * *\nmisfire_grace = 2h\n"

static void test_missed(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Schedule) first = need(fixture, HOURLY, START);
    g_autoptr(Schedule) second = NULL;
    g_autoptr(Schedule) third = NULL;

    g_assert_cmpint(schedule_next(first), ==, START + TIME_HOUR);
    g_assert_cmpuint(run_at(fixture, first, START + TIME_HOUR - 1), ==, 0);
    g_assert_cmpuint(run_at(fixture, first, START + TIME_HOUR), ==, 1);
    g_assert_cmpuint(run_at(fixture, first, START + TIME_HOUR), ==, 0);
    /* Down for ten hours and a half: one run for all of them. */
    second = need(fixture, HOURLY, START + 11 * TIME_HOUR + TIME_HOUR / 2);
    g_assert_cmpstr(schedule_entry(second, 0)->last_job, ==, "job-1");
    g_assert_cmpuint(run_at(fixture, second, START + 11 * TIME_HOUR + TIME_HOUR / 2), ==, 1);
    g_assert_cmpuint(run_at(fixture, second, START + 11 * TIME_HOUR + TIME_HOUR / 2), ==, 0);
    g_assert_cmpint(schedule_next(second), ==, START + 12 * TIME_HOUR);
    /* A clock that went back a day does not keep it from running. */
    third = need(fixture, HOURLY, START - TIME_DAY);
    g_assert_cmpint(schedule_next(third), ==, START - TIME_DAY + TIME_HOUR);
}

#define DAILY "[schedule d]\ncommand = cleanup\ncron = @daily\nmisfire_grace = 30m\n"

static void test_too_late(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Schedule) schedule = need(fixture, DAILY, START + 1);
    gint64 next = START + TIME_DAY;

    g_assert_cmpuint(run_at(fixture, schedule, next + TIME_HOUR), ==, 0);
    g_assert_cmpuint(fixture->calls, ==, 0);
    g_assert_cmpint(schedule_next(schedule), ==, next + TIME_DAY);
    g_assert_cmpuint(run_at(fixture, schedule, next + TIME_DAY + TIME_HOUR / 2), ==, 1);
}

static void test_busy(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Schedule) schedule = need(fixture, HOURLY, START);

    fixture->busy = TRUE;
    g_assert_cmpuint(run_at(fixture, schedule, START + TIME_HOUR), ==, 0);
    /* Left out, not put off. */
    g_assert_cmpint(schedule_next(schedule), ==, START + 2 * TIME_HOUR);
    fixture->busy = FALSE;
    fixture->broken = TRUE;
    g_assert_cmpuint(run_at(fixture, schedule, START + 2 * TIME_HOUR), ==, 0);
    fixture->broken = FALSE;
    g_assert_cmpint(schedule_next(schedule), ==, START + 2 * TIME_HOUR + TIME_MINUTE);
    g_assert_cmpuint(run_at(fixture, schedule, START + 2 * TIME_HOUR + TIME_MINUTE), ==, 1);
    g_assert_cmpint(schedule_next(schedule), ==, START + 3 * TIME_HOUR);
}

static void test_paused(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Schedule) schedule = need(fixture, HOURLY, START);
    g_autoptr(GError) error = NULL;
    gboolean paused;

    g_assert_true(schedule_paused(fixture->catalog, &paused, &error));
    g_assert_false(paused);
    g_assert_true(schedule_pause(fixture->catalog, TRUE, &error));
    g_assert_true(schedule_pause(fixture->catalog, TRUE, &error));
    g_assert_true(schedule_paused(fixture->catalog, &paused, &error));
    g_assert_true(paused);
    g_assert_cmpuint(schedule_run(schedule, fixture->catalog, START + TIME_HOUR, TRUE, submit,
                                  fixture),
                     ==, 0);
    g_assert_cmpuint(fixture->calls, ==, 0);
    g_assert_cmpuint(run_at(fixture, schedule, START + TIME_HOUR + 1), ==, 0);
    g_assert_true(schedule_pause(fixture->catalog, FALSE, &error));
    g_assert_true(schedule_paused(fixture->catalog, &paused, &error));
    g_assert_false(paused);
}

static void test_jitter(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Schedule) schedule = need(fixture,
                                        "[schedule j]\ncommand = cleanup\ncron = 0 * * * *\n"
                                        "misfire_grace = 0\njitter = 10m\n",
                                        START);

    for (guint i = 0; i < 100; i++) {
        const ScheduleEntry *entry = schedule_entry(schedule, 0);

        g_assert_cmpint(entry->next, >=, entry->due);
        g_assert_cmpint(entry->next, <, entry->due + 10 * TIME_MINUTE);
        /* What jitter delays is not too late. */
        g_assert_cmpuint(run_at(fixture, schedule, entry->next), ==, 1);
    }
}

/* --- the configuration ------------------------------------------------------------------------ */

#define SOURCES                                                                                    \
    "[source a]\nengine = postgresql\n[source b]\nengine = postgresql\n"                           \
    "[source t]\nengine = tdengine\n"

static void test_sources(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Schedule) schedule =
        need(fixture,
             SOURCES "[schedule p]\ncommand = backup postgresql full --jobs 3\n"
                     "cron = @hourly\n",
             START);

    g_assert_cmpuint(schedule_count(schedule), ==, 2);
    g_assert_cmpstr(schedule_entry(schedule, 0)->operation, ==, "backup postgresql full");
    g_assert_cmpstr(schedule_entry(schedule, 1)->source, ==, "b");
    g_assert_cmpuint(run_at(fixture, schedule, START + TIME_HOUR), ==, 2);
    g_assert_cmpstr(fixture->last, ==, "backup postgresql full --jobs 3 --source b");
}

static void assert_refused(const char *text, const char *message)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Schedule) schedule = make(text, &error);
    g_autofree char *got = NULL;

    g_assert_null(schedule);
    g_assert_nonnull(error);
    got = error_text(error);
    g_assert_cmpstr(got, ==, message);
}

static void test_refused(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Schedule) none = make("[schedule p]\ncommand = backup postgresql full\n"
                                    "cron = @hourly\n",
                                    &error);

    g_assert_no_error(error);
    g_assert_cmpuint(schedule_count(none), ==, 0);
    assert_refused(SOURCES "[schedule p]\ncommand = cleanup\nsource = a\ncron = @hourly\n",
                   "[schedule p]: the command \"cleanup\" takes no source");
    assert_refused(SOURCES "[schedule p]\ncommand = backup postgresql full\nsource = t\n"
                           "cron = @hourly\n",
                   "[schedule p]: source t is tdengine, not postgresql");
    assert_refused(SOURCES "[schedule p]\ncommand = backup postgresql full --source b\n"
                           "source = a\ncron = @hourly\n",
                   "[schedule p] names a source twice");
}

#define ADD(name, func) g_test_add("/schedule/" name, Fixture, NULL, set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("year", test_year);
    ADD("missed", test_missed);
    ADD("too-late", test_too_late);
    ADD("busy", test_busy);
    ADD("paused", test_paused);
    ADD("jitter", test_jitter);
    ADD("sources", test_sources);
    ADD("refused", test_refused);
    return g_test_run();
}
