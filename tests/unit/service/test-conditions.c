/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told of a look: what begins and what ends, once, over restarts too.
 */
#include "service/conditions.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "service/metrics.h"

typedef struct {
    char *directory;
    Store *store;
    Repository *repository;
    Config *config;
    Catalog *catalog;
    Events *events;
    Notifier *notifier;
    EventReader *reader;
    ServiceView view;
    Objective *objective;
    ViewSchedule *schedule;
} Fixture;

static void ignore_log(LogLevel level, const char *text, const LogField *fields, gpointer data)
{
}

static void schedule_free_entry(gpointer data)
{
    ViewSchedule *entry = data;

    g_free(entry->schedule);
    g_free(entry->source);
    g_free(entry);
}

static void make_view(Fixture *fixture)
{
    ServiceView *view = &fixture->view;

    fixture->objective = g_new0(Objective, 1);
    fixture->objective->source = g_strdup("main");
    fixture->objective->engine = g_strdup("postgresql");
    fixture->objective->findings = g_ptr_array_new();
    fixture->objective->gaps = g_array_new(FALSE, FALSE, sizeof(ObjectiveGap));
    fixture->schedule = g_new0(ViewSchedule, 1);
    fixture->schedule->schedule = g_strdup("nightly");
    fixture->schedule->source = g_strdup("main");
    view->objectives = g_ptr_array_new_with_free_func((GDestroyNotify)objective_free);
    view->schedules = g_ptr_array_new_with_free_func(schedule_free_entry);
    view->backups = g_ptr_array_new();
    view->sources = g_ptr_array_new();
    view->jobs = g_ptr_array_new();
    view->physical = g_ptr_array_new();
    view->free = 50;
    view->total = 100;
    view->space_warning = 0.1;
    g_ptr_array_add(view->objectives, fixture->objective);
    g_ptr_array_add(view->schedules, fixture->schedule);
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    log_set_writer(ignore_log, NULL);
    fixture->directory = g_dir_make_tmp("holdfast-conditions-XXXXXX", &error);
    fixture->store = store_new_memory();
    fixture->repository = repository_create(fixture->store, COMPRESS_DEFAULT, &error);
    text = g_strdup_printf("[general]\nstate_directory = %s\n[repository]\npath = /r\n"
                           "[notify n]\ntype = command\ncommand = sh -c \"cat >> %s/told\"\n"
                           "on = objective-missed,objective-met,backup-overdue,repository-full\n",
                           fixture->directory, fixture->directory);
    fixture->config = config_parse(text, strlen(text), "x.conf", &error);
    g_assert_no_error(error);
    fixture->catalog = catalog_open(fixture->repository, fixture->directory, &error);
    fixture->events = events_open(fixture->repository, fixture->directory, &error);
    fixture->notifier = notify_open(fixture->config, fixture->repository, &error);
    g_assert_no_error(error);
    fixture->reader = event_reader_new(fixture->events, FALSE, 0);
    make_view(fixture);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    event_reader_free(fixture->reader);
    notify_free(fixture->notifier);
    events_free(fixture->events);
    catalog_free(fixture->catalog);
    config_free(fixture->config);
    repository_unref(fixture->repository);
    store_unref(fixture->store);
    g_ptr_array_unref(fixture->view.objectives);
    g_ptr_array_unref(fixture->view.schedules);
    g_ptr_array_unref(fixture->view.backups);
    g_ptr_array_unref(fixture->view.sources);
    g_ptr_array_unref(fixture->view.jobs);
    g_ptr_array_unref(fixture->view.physical);
    g_assert_true(directory_remove(fixture->directory, &error));
    g_free(fixture->directory);
    log_set_writer(NULL, NULL);
}

/* Judges, and gives the kinds of the messages that were sent then, with blanks. */
static char *judge(Fixture *fixture)
{
    g_autofree char *path = g_build_filename(fixture->directory, "told", NULL);
    g_autofree char *content = NULL;
    g_autoptr(GError) error = NULL;
    GString *kinds = g_string_new(NULL);
    g_auto(GStrv) messages = NULL;
    guint64 waiting = 1;

    g_assert_true(conditions_judge(fixture->catalog, &fixture->view, fixture->events,
                                   fixture->notifier, &error));
    /* A test that hangs is killed by its time limit. */
    while (waiting > 0) {
        g_autoptr(GArray) counts = notify_counts(fixture->notifier);

        waiting = g_array_index(counts, NotifyCount, 0).waiting;
        g_usleep(1000);
    }
    if (g_file_get_contents(path, &content, NULL, NULL))
        messages = g_strsplit(content, "\n", -1);
    for (guint i = 0; messages != NULL && messages[i] != NULL && messages[i][0] != '\0'; i++) {
        g_autoptr(json_t) json = json_loads(messages[i], 0, NULL);

        g_string_append_printf(kinds, "%s ", json_get_string(json, "event", "?"));
    }
    (void)g_remove(path);
    return g_string_free(kinds, FALSE);
}

static void assert_told(Fixture *fixture, const char *expected)
{
    g_autofree char *told = judge(fixture);

    g_assert_cmpstr(told, ==, expected);
}

static void test_objectives(Fixture *fixture, gconstpointer data)
{
    ObjectiveState *states = fixture->objective->states;

    assert_told(fixture, "");
    states[OBJECTIVE_RPO] = OBJECTIVE_AT_RISK;
    assert_told(fixture, "");
    states[OBJECTIVE_RPO] = OBJECTIVE_MISSED;
    assert_told(fixture, "objective-missed ");
    assert_told(fixture, "");
    /* One more is news, one less is not, as long as there are any. */
    states[OBJECTIVE_RTO] = OBJECTIVE_MISSED;
    assert_told(fixture, "objective-missed ");
    states[OBJECTIVE_RPO] = OBJECTIVE_OK;
    assert_told(fixture, "");
    states[OBJECTIVE_RTO] = OBJECTIVE_AT_RISK;
    assert_told(fixture, "objective-met ");
    assert_told(fixture, "");
}

static void test_overdue(Fixture *fixture, gconstpointer data)
{
    fixture->schedule->expected = TIME_DAY;
    assert_told(fixture, "");
    fixture->schedule->overdue = TRUE;
    assert_told(fixture, "backup-overdue ");
    fixture->schedule->expected = 2 * TIME_DAY;
    assert_told(fixture, "");
    fixture->schedule->overdue = FALSE;
    assert_told(fixture, "");
    fixture->schedule->overdue = TRUE;
    assert_told(fixture, "backup-overdue ");
}

static void test_space(Fixture *fixture, gconstpointer data)
{
    fixture->view.free = 10;
    assert_told(fixture, "");
    fixture->view.free = 9;
    assert_told(fixture, "repository-full ");
    /* Not over before there is some more. */
    fixture->view.free = 11;
    assert_told(fixture, "");
    fixture->view.free = 9;
    assert_told(fixture, "");
    fixture->view.free = 13;
    assert_told(fixture, "");
    fixture->view.free = 9;
    assert_told(fixture, "repository-full ");
}

/* What was told is kept; a look that saw nothing neither begins nor ends anything. */
static void test_kept(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    fixture->objective->states[OBJECTIVE_PROOF] = OBJECTIVE_MISSED;
    assert_told(fixture, "objective-missed ");
    catalog_free(fixture->catalog);
    fixture->catalog = catalog_open(fixture->repository, fixture->directory, &error);
    g_assert_no_error(error);
    assert_told(fixture, "");
    fixture->objective->states[OBJECTIVE_PROOF] = OBJECTIVE_OK;
    fixture->view.problem = (char *)"the repository is away";
    assert_told(fixture, "");
    fixture->view.problem = NULL;
    assert_told(fixture, "objective-met ");
}

/* Texts of an encrypted repository are not kept in the clear. */
static void test_encrypted(Fixture *fixture, gconstpointer data)
{
    char buffer[4096];
    gssize length;

    fixture->view.encrypted = TRUE;
    fixture->objective->states[OBJECTIVE_RPO] = OBJECTIVE_MISSED;
    assert_told(fixture, "objective-missed ");
    length = event_reader_read(fixture->reader, buffer, sizeof buffer);
    g_assert_cmpint(length, >, 0);
    g_assert_nonnull(g_strstr_len(buffer, length, "\"reasons\":[]"));
}

/* Names come from outside: one with quotes does not break the format. */
static void test_metrics(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GArray) notifies = notify_counts(fixture->notifier);
    const MetricsInput input = {.view = &fixture->view,
                                .notifies = notifies,
                                .now = 61 * TIME_SECOND};
    g_autofree char *text = NULL;

    g_free(fixture->objective->source);
    fixture->objective->source = g_strdup("a\"b\\c\nd");
    fixture->objective->age = 2 * TIME_SECOND;
    fixture->view.when = 60 * TIME_SECOND;
    text = metrics_render(&input);
    g_assert_nonnull(
        strstr(text, "\nholdfast_recoverable_age_seconds{source=\"a\\\"b\\\\c\\nd\"} 3\n"));
    g_assert_nonnull(strstr(text, "\nholdfast_repository_free_bytes 50\n"));
    g_assert_null(strstr(text, "\nholdfast_wal_lag_seconds{"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/conditions/objectives", Fixture, NULL, set_up, test_objectives, tear_down);
    g_test_add("/conditions/overdue", Fixture, NULL, set_up, test_overdue, tear_down);
    g_test_add("/conditions/space", Fixture, NULL, set_up, test_space, tear_down);
    g_test_add("/conditions/kept", Fixture, NULL, set_up, test_kept, tear_down);
    g_test_add("/conditions/encrypted", Fixture, NULL, set_up, test_encrypted, tear_down);
    g_test_add("/conditions/metrics", Fixture, NULL, set_up, test_metrics, tear_down);
    return g_test_run();
}
