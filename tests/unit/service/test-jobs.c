/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue: who waits, who is refused, what becomes of a runner that ends in every way. The
 * program is a shell script of the test.
 */
#include "service/jobs.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/time.h"
#include "service/runner.h"

typedef struct {
    char *directory;
    Store *store;
    Repository *repository;
    Config *config;
    Jobs *jobs;
    Catalog *catalog;
    char *told; /* states that the watcher saw, with blanks */
} Fixture;

static void ignore_log(LogLevel level, const char *text, const LogField *fields, gpointer data)
{
}

static void watch(const json_t *job, gpointer data)
{
    Fixture *fixture = data;
    char *told = g_strconcat(fixture->told, json_get_string(job, "state", "?"), " ", NULL);

    g_free(fixture->told);
    fixture->told = told;
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    log_set_writer(ignore_log, NULL);
    fixture->directory = g_dir_make_tmp("holdfast-jobs-XXXXXX", &error);
    fixture->store = store_new_memory();
    fixture->repository = repository_create(fixture->store, COMPRESS_DEFAULT, &error);
    text = g_strdup_printf("[general]\nstate_directory = %s\nruntime_directory = %s/run\n"
                           "[repository]\npath = /r\n[server]\nmax_jobs = 1\n",
                           fixture->directory, fixture->directory);
    fixture->config = config_parse(text, strlen(text), "x.conf", &error);
    g_assert_no_error(error);
    fixture->catalog = catalog_open(fixture->repository, fixture->directory, &error);
    fixture->jobs = jobs_open(fixture->config, fixture->repository, &error);
    g_assert_no_error(error);
    fixture->told = g_strdup("");
    jobs_watch(fixture->jobs, watch, fixture);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    jobs_free(fixture->jobs);
    catalog_free(fixture->catalog);
    config_free(fixture->config);
    repository_unref(fixture->repository);
    store_unref(fixture->store);
    g_assert_true(directory_remove(fixture->directory, &error));
    g_free(fixture->directory);
    g_free(fixture->told);
    log_set_writer(NULL, NULL);
}

static char *submit(Fixture *fixture, const char *source, GError **error)
{
    static const char *const command[] = {"backup", "postgresql", "full", NULL};
    const JobRequest request = {.command = command,
                                .operation = "backup postgresql full",
                                .source = source,
                                .origin = "test",
                                .attempts = 2};
    char *id = NULL;

    return jobs_submit(fixture->jobs, &request, &id, error) ? id : NULL;
}

static void assert_state(Fixture *fixture, const char *id, const char *state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CatalogJob) job = jobs_find(fixture->jobs, id, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(job->state, ==, state);
}

static void test_queue(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *first = submit(fixture, "a", &error);
    g_autofree char *second = submit(fixture, "b", &error);
    g_autofree char *third = NULL;

    g_assert_no_error(error);
    g_assert_null(submit(fixture, "a", &error));
    g_assert_true(error_is(error, ERROR_BUSY));
    g_assert_nonnull(strstr(error->message, first));
    g_clear_error(&error);
    g_assert_true(jobs_cancel(fixture->jobs, first, &error));
    assert_state(fixture, first, "cancelled");
    g_assert_false(jobs_cancel(fixture->jobs, first, &error));
    g_assert_true(error_is(error, ERROR_REFUSED));
    g_clear_error(&error);
    third = submit(fixture, "a", &error);
    g_assert_no_error(error);
    assert_state(fixture, second, "queued");
    assert_state(fixture, third, "queued");
    g_assert_null(jobs_find(fixture->jobs, "nothing", &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
}

/* Ticks until the job has ended; a test that hangs is killed by its time limit. */
static void tick_until_final(Fixture *fixture, const char *id)
{
    for (;;) {
        g_autoptr(CatalogJob) job = NULL;

        jobs_tick(fixture->jobs, TRUE);
        job = jobs_find(fixture->jobs, id, NULL);
        if (jobs_state_is_final(job->state))
            return;
        g_usleep(2000);
    }
}

/* A runner that never comes so far as to enter anything. */
static void test_broken_runner(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *first = submit(fixture, "a", &error);
    g_autofree char *second = submit(fixture, "b", &error);
    g_autoptr(CatalogJob) job = NULL;

    jobs_set_program(fixture->jobs, "/bin/false");
    tick_until_final(fixture, first);
    job = jobs_find(fixture->jobs, first, &error);
    g_assert_cmpstr(job->state, ==, "failed");
    g_assert_nonnull(
        strstr(job->message, "its process ended with exit status 1: holdfast job log"));
    /* max_jobs is 1: the second waited. */
    tick_until_final(fixture, second);
    jobs_tick(fixture->jobs, TRUE);
    g_assert_nonnull(strstr(fixture->told, "queued "));
    g_assert_nonnull(strstr(fixture->told, "failed "));
}

/* A runner that cannot reach the repository (exit status 5) was an attempt; the last one ends the job. */
static void test_runner_without_repository(Fixture *fixture, gconstpointer data)
{
    g_autofree char *script = g_build_filename(fixture->directory, "five", NULL);
    const char *const words[] = {"drill", NULL};
    const JobRequest request = {.operation = "drill",
                                .command = words,
                                .origin = "test",
                                .attempts = 2,
                                .retry_after = TIME_SECOND / 10};
    g_autoptr(GError) error = NULL;
    g_autoptr(CatalogJob) job = NULL;
    g_autofree char *id = NULL;

    g_assert_true(g_file_set_contents(script, "#!/bin/sh\nexit 5\n", -1, NULL));
    g_assert_cmpint(g_chmod(script, 0700), ==, 0);
    jobs_set_program(fixture->jobs, script);
    g_assert_true(jobs_submit(fixture->jobs, &request, &id, &error));
    tick_until_final(fixture, id);
    job = jobs_find(fixture->jobs, id, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(job->state, ==, "failed");
    g_assert_cmpstr(job->code, ==, "unreachable");
    g_assert_nonnull(strstr(job->message, "exit status 5"));
    g_assert_cmpuint(job->attempt, ==, 1);
    /* A service that stops takes nothing that it would not start. */
    jobs_tick(fixture->jobs, FALSE);
    g_clear_pointer(&id, g_free);
    g_assert_false(jobs_submit(fixture->jobs, &request, &id, &error));
    g_assert_cmpint(error_info_of(error)->http_status, ==, 503);
}

static void test_missing_program(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *id = submit(fixture, NULL, &error);

    jobs_set_program(fixture->jobs, "/nonexistent");
    jobs_tick(fixture->jobs, FALSE);
    assert_state(fixture, id, "queued");
    jobs_tick(fixture->jobs, TRUE);
    assert_state(fixture, id, "failed");
}

/* Identity is the lock: held, the job runs whoever we are; let go, it is lost. */
static void test_found_and_lost(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *id = submit(fixture, "a", &error);
    g_autofree char *path = runner_run_file(fixture->config, id);
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *kept = NULL;
    g_autoptr(json_t) json = NULL;
    g_autoptr(CatalogJob) job = NULL;
    g_autoptr(RunFile) run = NULL;
    gboolean started;
    guint running;

    g_assert_true(directory_make(directory, 0700, &error));
    run = run_file_acquire(path, "{\"progress\": {\"phase\": \"dumping\"}}", &error);
    g_assert_true(catalog_job_start(fixture->catalog, id, path, &started, &error));
    g_assert_true(started);
    g_assert_true(catalog_job_start(fixture->catalog, id, path, &started, &error));
    g_assert_false(started);
    jobs_tick(fixture->jobs, TRUE);
    assert_state(fixture, id, "running");
    g_assert_true(jobs_count_running(fixture->jobs, &running, &error));
    g_assert_cmpuint(running, ==, 1);
    job = jobs_find(fixture->jobs, id, &error);
    json = jobs_describe(fixture->jobs, job);
    g_assert_cmpstr(json_get_string(json_object_get(json, "progress"), "phase", NULL), ==,
                    "dumping");
    g_assert_true(jobs_cancel(fixture->jobs, id, &error));
    kept = runner_cancel_file(fixture->config, id);
    g_assert_true(g_file_test(kept, G_FILE_TEST_EXISTS));
    g_clear_pointer(&run, run_file_release);
    jobs_tick(fixture->jobs, TRUE);
    catalog_job_free(job);
    job = jobs_wait(fixture->jobs, id, 0, &error);
    g_assert_cmpstr(job->state, ==, "lost");
    g_assert_cmpint(job->ended, !=, 0);
    g_assert_nonnull(job->message);
}

static void test_retry(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *id = submit(fixture, "a", &error);
    g_autofree char *path = runner_run_file(fixture->config, id);
    gboolean started;

    g_assert_true(catalog_job_start(fixture->catalog, id, path, &started, &error));
    g_assert_true(catalog_job_retry(fixture->catalog, id, time_now() + TIME_HOUR, &error));
    jobs_set_program(fixture->jobs, "/nonexistent");
    jobs_tick(fixture->jobs, TRUE);
    /* It is not due, and so was not started. */
    assert_state(fixture, id, "queued");
}

static void test_pages(Fixture *fixture, gconstpointer data)
{
    CatalogJobFilter filter = {.operation = "backup postgresql full"};
    g_autoptr(GError) error = NULL;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < 5; i++) {
        g_autofree char *source = g_strdup_printf("s%u", i);
        g_autofree char *id = submit(fixture, source, &error);

        g_assert_no_error(error);
    }
    for (;;) {
        g_autoptr(GPtrArray) page = NULL;
        char *last;

        g_assert_true(jobs_list(fixture->jobs, &filter, 2, &page, &error));
        if (page->len == 0)
            break;
        for (guint i = 0; i < page->len; i++) {
            last = g_strdup(((CatalogJob *)g_ptr_array_index(page, i))->id);
            filter.before = last;
            g_assert_true(g_hash_table_add(seen, last));
        }
    }
    g_assert_cmpuint(g_hash_table_size(seen), ==, 5);
}

#define ADD(name, func) g_test_add("/jobs/" name, Fixture, NULL, set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("queue", test_queue);
    ADD("broken-runner", test_broken_runner);
    ADD("runner-without-repository", test_runner_without_repository);
    ADD("missing-program", test_missing_program);
    ADD("found-and-lost", test_found_and_lost);
    ADD("retry", test_retry);
    ADD("pages", test_pages);
    return g_test_run();
}
