/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog: it shows what the repository has, whatever happened to the catalog itself.
 */
#include "catalog/catalog.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/time.h"
#include "repo/backup-id.h"
#include "repo/record.h"
#include "repo/writer.h"

typedef struct {
    char *directory;
    Store *store;
    Repository *repository;
    Catalog *catalog;
} Fixture;

static gint64 fake_now;

static gint64 fake_time(gpointer data)
{
    return fake_now;
}

static void ignore_log(LogLevel level, const char *text, const LogField *fields, gpointer data)
{
    guint *count = data;

    (*count)++;
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    fake_now = G_GINT64_CONSTANT(1800000000) * TIME_SECOND;
    time_set_source(fake_time, NULL);
    fixture->directory = g_dir_make_tmp("holdfast-catalog-XXXXXX", &error);
    fixture->store = store_new_memory();
    fixture->repository = repository_create(fixture->store, COMPRESS_DEFAULT, &error);
    g_assert_no_error(error);
    fixture->catalog = catalog_open(fixture->repository, fixture->directory, &error);
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
    time_set_source(NULL, NULL);
}

/* A committed backup of one object, an hour after the one before. Free the id with g_free(). */
static char *make_backup(Fixture *fixture, const char *source, gboolean partial)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Manifest) manifest = NULL;
    g_autoptr(Lease) lease = NULL;
    g_autoptr(BackupWriter) writer = NULL;
    g_autofree char *id = NULL;
    LeaseRequest request = {.operation = "backup", .runtime_directory = fixture->directory};

    fake_now += TIME_HOUR;
    request.backup = id = backup_id_make(fake_now, source, "full");
    lease = lease_acquire(fixture->repository, &request, &error);
    g_assert_no_error(error);
    writer = backup_writer_new(fixture->repository, lease, id, &error);
    g_assert_no_error(error);
    g_assert_true(backup_writer_put(writer, "data/x", COMPRESS_DEFAULT, "hello", 5, &error));
    manifest = manifest_new(id, source, "postgresql", BACKUP_FULL);
    manifest_set_method(manifest, "logical");
    manifest_set_partial(manifest, partial);
    manifest_set_times(manifest, fake_now, fake_now + TIME_MINUTE);
    manifest_set_counts(manifest, 2, 30);
    g_assert_true(backup_writer_commit(writer, manifest, &error));
    g_assert_no_error(error);
    return g_steal_pointer(&id);
}

static GPtrArray *ask(Fixture *fixture, const CatalogFilter *filter)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *backups = NULL;

    g_assert_true(catalog_refresh(fixture->catalog, &error));
    g_assert_true(catalog_backups(fixture->catalog, filter, &backups, &error));
    g_assert_no_error(error);
    return backups;
}

static void assert_count(Fixture *fixture, const CatalogFilter *filter, guint count)
{
    g_autoptr(GPtrArray) backups = ask(fixture, filter);

    g_assert_cmpuint(backups->len, ==, count);
}

static void file_record(Fixture *fixture, const char *kind, json_t *body)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) taken = body;

    fake_now += TIME_SECOND;
    g_assert_true(record_write(fixture->repository, kind, taken, NULL, &error));
    g_assert_no_error(error);
}

static void test_filters(Fixture *fixture, gconstpointer data)
{
    g_autofree char *first = make_backup(fixture, "market", FALSE);
    gint64 first_start = fake_now;
    g_autofree char *second = make_backup(fixture, "news", TRUE);
    g_autoptr(GPtrArray) all = ask(fixture, NULL);
    const CatalogBackup *backup;

    g_assert_cmpuint(all->len, ==, 2);
    backup = g_ptr_array_index(all, 0);
    g_assert_cmpstr(backup->id, ==, second);
    g_assert_true(backup->partial);
    backup = g_ptr_array_index(all, 1);
    g_assert_cmpstr(backup->id, ==, first);
    g_assert_cmpstr(backup->method, ==, "logical");
    g_assert_cmpint(backup->start, ==, first_start);
    g_assert_cmpint(backup->stop, ==, first_start + TIME_MINUTE);
    g_assert_cmpuint(backup->rows, ==, 30);
    g_assert_cmpuint(backup->plain_size, ==, 5);
    g_assert_false(backup->damaged);
    g_assert_cmpint(backup->verified, ==, 0);
    assert_count(fixture, &(CatalogFilter){.source = "market"}, 1);
    assert_count(fixture, &(CatalogFilter){.source = "weather"}, 0);
    assert_count(fixture, &(CatalogFilter){.engine = "tdengine"}, 0);
    assert_count(fixture, &(CatalogFilter){.type = "full"}, 2);
    assert_count(fixture, &(CatalogFilter){.since = first_start + 1}, 1);
    assert_count(fixture, &(CatalogFilter){.until = first_start}, 0);
    assert_count(fixture, &(CatalogFilter){.until = first_start + 1}, 1);
}

static void test_records(Fixture *fixture, gconstpointer data)
{
    g_autofree char *id = make_backup(fixture, "market", FALSE);
    g_autoptr(GPtrArray) backups = NULL;
    g_autoptr(GPtrArray) recoveries = NULL;
    g_autoptr(GError) error = NULL;
    const CatalogBackup *backup;

    file_record(fixture, "pin", json_pack("{s:s}", "backup", id));
    assert_count(fixture, &(CatalogFilter){.status = "pinned"}, 1);
    file_record(fixture, "unpin", json_pack("{s:s}", "backup", id));
    assert_count(fixture, &(CatalogFilter){.status = "pinned"}, 0);
    file_record(fixture, "verify",
                json_pack("{s:s, s:s, s:[s, s]}", "backup", id, "result", "damaged", "problems",
                          "data/x: gone", "data/y: gone"));
    backups = ask(fixture, &(CatalogFilter){.status = "damaged"});
    g_assert_cmpuint(backups->len, ==, 1);
    backup = g_ptr_array_index(backups, 0);
    g_assert_cmpstr(backup->problem, ==, "data/x: gone, and 1 more");
    g_assert_cmpint(backup->verified, ==, fake_now);
    /* The newest verify decides. */
    file_record(fixture, "verify",
                json_pack("{s:s, s:s, s:[]}", "backup", id, "result", "good", "problems"));
    assert_count(fixture, &(CatalogFilter){.status = "good"}, 1);
    assert_count(fixture, &(CatalogFilter){.status = "damaged"}, 0);
    file_record(fixture, "restore", json_pack("{s:s, s:s}", "backup", id, "result", "succeeded"));
    assert_count(fixture, NULL, 1);
    g_assert_true(catalog_recoveries(fixture->catalog, &recoveries, &error));
    g_assert_cmpuint(recoveries->len, ==, 1);
    g_assert_cmpstr(json_get_string(g_ptr_array_index(recoveries, 0), "result", ""), ==,
                    "succeeded");
}

static void file_good_verify(Fixture *fixture, const char *id, const char *level, double sample)
{
    file_record(fixture, "verify",
                json_pack("{s:s, s:s, s:s, s:f}", "backup", id, "result", "good", "level", level,
                          "sample", sample));
}

/* What verify has found in one backup is held against the others that need it, until they, or the one
 * that it was found in, have been looked at as closely. */
static void test_affected(Fixture *fixture, gconstpointer data)
{
    g_autofree char *found = make_backup(fixture, "market", FALSE);
    g_autofree char *other = make_backup(fixture, "market", FALSE);
    g_autofree char *whole = make_backup(fixture, "market", FALSE);
    g_autoptr(GPtrArray) damaged = NULL;
    g_autoptr(GPtrArray) after = NULL;
    g_autoptr(GError) error = NULL;
    const CatalogBackup *backup;
    g_autofree char *reason = NULL;

    file_record(fixture, "verify",
                json_pack("{s:s, s:s, s:s, s:[s], s:[s], s:[s]}", "backup", found, "result",
                          "damaged", "level", "structure", "problems", "../../pool/x: gone",
                          "affected", other, "unaffected", whole));
    assert_count(fixture, &(CatalogFilter){.status = "damaged"}, 2);
    damaged = ask(fixture, &(CatalogFilter){.id = other});
    backup = g_ptr_array_index(damaged, 0);
    reason = g_strdup_printf("it needs an object that verify found damaged in %s", found);
    g_assert_true(backup->damaged);
    g_assert_cmpstr(backup->problem, ==, reason);
    g_assert_cmpint(backup->verified, ==, 0);

    /* Not as closely; a sample. What it was found in may go: it is known still. */
    file_good_verify(fixture, other, "objects", 1);
    file_good_verify(fixture, other, "deep", 0.5);
    assert_count(fixture, &(CatalogFilter){.status = "damaged"}, 2);
    g_assert_true(backup_delete(fixture->repository, found, &error));
    assert_count(fixture, &(CatalogFilter){.status = "damaged"}, 1);
    file_good_verify(fixture, other, "structure", 1);
    assert_count(fixture, &(CatalogFilter){.status = "damaged"}, 0);

    /* What it was found in is whole again, and so is what it shares. */
    file_record(fixture, "verify",
                json_pack("{s:s, s:s, s:s, s:[s], s:[s]}", "backup", other, "result", "damaged",
                          "level", "objects", "problems", "../../pool/x: gone", "affected", whole));
    assert_count(fixture, &(CatalogFilter){.status = "damaged"}, 2);
    file_good_verify(fixture, other, "objects", 1);
    assert_count(fixture, &(CatalogFilter){.status = "damaged"}, 0);

    /* An archive belongs to no backup. */
    file_record(fixture, "verify",
                json_pack("{s:s, s:s, s:s, s:[s], s:[s]}", "archive", "wal/market", "result",
                          "damaged", "level", "objects", "problems", "wal/market/x: gone",
                          "affected", whole));
    after = ask(fixture, &(CatalogFilter){.status = "damaged"});
    g_assert_cmpuint(after->len, ==, 1);
    backup = g_ptr_array_index(after, 0);
    g_assert_cmpstr(backup->id, ==, whole);
    g_assert_cmpstr(backup->problem, ==,
                    "it needs an object that verify found damaged in wal/market");
}

static void test_gone_and_rebuilt(Fixture *fixture, gconstpointer data)
{
    g_autofree char *first = make_backup(fixture, "market", FALSE);
    g_autofree char *second = make_backup(fixture, "market", FALSE);
    g_autoptr(GError) error = NULL;
    guint64 count = 0;

    file_record(fixture, "pin", json_pack("{s:s}", "backup", second));
    assert_count(fixture, NULL, 2);
    g_assert_true(backup_delete(fixture->repository, first, &error));
    assert_count(fixture, NULL, 1);
    g_assert_true(catalog_rebuild(fixture->catalog, &count, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(count, ==, 1);
    assert_count(fixture, &(CatalogFilter){.status = "pinned"}, 1);
    /* Deleted altogether, it is made anew. */
    g_clear_pointer(&fixture->catalog, catalog_free);
    g_assert_true(directory_remove(fixture->directory, &error));
    fixture->catalog = catalog_open(fixture->repository, fixture->directory, &error);
    g_assert_no_error(error);
    assert_count(fixture, &(CatalogFilter){.status = "pinned"}, 1);
}

/* Deleted while it is open, as it may be: the next question makes it anew, and it can be written. */
static void test_deleted_while_open(Fixture *fixture, gconstpointer data)
{
    g_autofree char *id = make_backup(fixture, "market", FALSE);
    g_autoptr(GPtrArray) jobs = NULL;
    g_autoptr(GError) error = NULL;
    guint lines = 0;

    log_set_writer(ignore_log, &lines);
    assert_count(fixture, NULL, 1);
    g_assert_true(directory_remove(fixture->directory, &error));
    /* Not as long as there is no place for it. */
    g_assert_false(catalog_jobs(fixture->catalog, 10, &jobs, NULL));
    g_assert_cmpint(g_mkdir(fixture->directory, 0700), ==, 0);
    g_assert_true(catalog_jobs(fixture->catalog, 10, &jobs, &error));
    g_assert_cmpuint(jobs->len, ==, 0);
    g_assert_true(catalog_job_begin(fixture->catalog, "a", "backup", "market", "a.run", &error));
    assert_count(fixture, NULL, 1);
    g_assert_no_error(error);
    g_assert_cmpuint(lines, >=, 1);
    log_set_writer(NULL, NULL);
}

/* A manifest that cannot be read is shown as damaged, and hides nothing else. */
static void test_unreadable(Fixture *fixture, gconstpointer data)
{
    g_autofree char *good = make_backup(fixture, "market", FALSE);
    g_autofree char *bad = make_backup(fixture, "far-east", FALSE);
    g_autofree char *name = g_strdup_printf("backups/%s/manifest.json", bad);
    g_autoptr(GPtrArray) backups = NULL;
    g_autoptr(GError) error = NULL;
    const CatalogBackup *backup;

    g_assert_true(store_delete(fixture->store, name, &error));
    g_assert_true(store_put(fixture->store, name, "{}", 2, &error));
    backups = ask(fixture, NULL);
    g_assert_cmpuint(backups->len, ==, 2);
    backup = g_ptr_array_index(backups, 0);
    g_assert_cmpstr(backup->id, ==, bad);
    g_assert_true(backup->damaged);
    g_assert_nonnull(backup->problem);
    g_assert_cmpstr(backup->source, ==, "far-east");
    g_assert_cmpstr(backup->type, ==, "full");
    g_assert_null(backup->engine);
    assert_count(fixture, &(CatalogFilter){.status = "good"}, 1);
}

static void write_verify(Fixture *fixture, const char *backup, char **ret_id)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) body = json_pack("{s:s, s:s}", "backup", backup, "result", "good");

    g_assert_true(record_write(fixture->repository, "verify", body, ret_id, &error));
    g_assert_no_error(error);
}

static void put_again(Fixture *fixture, const char *id, const char *text)
{
    g_autofree char *name = g_strdup_printf("records/%s.json", id);
    g_autoptr(GError) error = NULL;

    g_assert_true(store_delete(fixture->store, name, &error));
    g_assert_true(store_put(fixture->store, name, text, strlen(text), &error));
}

static guint count_verifies(Fixture *fixture)
{
    g_autoptr(GPtrArray) records = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(catalog_refresh(fixture->catalog, &error));
    g_assert_true(catalog_records(fixture->catalog, "verify", &records, &error));
    g_assert_no_error(error);
    return records->len;
}

/* A record is read once, whatever becomes of it; one that could not be read is tried again when there
 * is a new one. */
static void test_records_once(Fixture *fixture, gconstpointer data)
{
    g_autofree char *first = NULL, *second = NULL, *third = NULL, *text = NULL;
    guint logged = 0;

    log_set_writer(ignore_log, &logged);
    write_verify(fixture, "b1", &first);
    g_assert_cmpuint(count_verifies(fixture), ==, 1);
    put_again(fixture, first, "torn");
    write_verify(fixture, "b2", &second);
    g_assert_cmpuint(count_verifies(fixture), ==, 2);
    g_assert_cmpuint(logged, ==, 0);
    write_verify(fixture, "b3", &third);
    put_again(fixture, third, "torn");
    g_assert_cmpuint(count_verifies(fixture), ==, 2);
    g_assert_cmpuint(count_verifies(fixture), ==, 2);
    g_assert_cmpuint(logged, ==, 1);
    text = g_strdup_printf("{\"format_version\": 1, \"id\": \"%s\", \"kind\": \"verify\", "
                           "\"time\": \"2026-11-22T02:00:00Z\"}",
                           third);
    put_again(fixture, third, text);
    g_clear_pointer(&first, g_free);
    write_verify(fixture, "b4", &first);
    g_assert_cmpuint(count_verifies(fixture), ==, 4);
    log_set_writer(NULL, NULL);
}

static char *catalog_file(Fixture *fixture)
{
    return g_strdup_printf("%s/catalog-%s.sqlite", fixture->directory,
                           repository_id(fixture->repository));
}

static void test_set_aside(Fixture *fixture, gconstpointer data)
{
    g_autofree char *id = make_backup(fixture, "market", FALSE);
    g_autofree char *path = catalog_file(fixture);
    g_autofree char *garbage = g_strnfill(8192, 'x');
    g_autoptr(GError) error = NULL;
    guint logged = 0;

    g_clear_pointer(&fixture->catalog, catalog_free);
    g_assert_true(g_file_set_contents(path, garbage, 8192, &error));
    log_set_writer(ignore_log, &logged);
    fixture->catalog = catalog_open(fixture->repository, fixture->directory, &error);
    log_set_writer(NULL, NULL);
    g_assert_no_error(error);
    g_assert_cmpuint(logged, ==, 1);
    assert_count(fixture, NULL, 1);
}

/* A newer version's catalog is not touched. */
static void test_newer(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = catalog_file(fixture);
    g_autofree char *bytes = NULL;
    g_autoptr(GError) error = NULL;
    gsize length;

    g_clear_pointer(&fixture->catalog, catalog_free);
    g_assert_true(g_file_get_contents(path, &bytes, &length, &error));
    bytes[63] =
        9; /* user_version: 4 bytes, most significant first, at offset 60 (SQLite's file format, 1.3) */
    g_assert_true(g_file_set_contents(path, bytes, (gssize)length, &error));
    fixture->catalog = catalog_open(fixture->repository, fixture->directory, &error);
    g_assert_null(fixture->catalog);
    g_assert_true(error_is(error, ERROR_NEWER_FORMAT));
}

static void test_jobs(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->directory, "a.run", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) jobs = NULL;
    RunFile *run = run_file_acquire(path, "a", &error);
    const CatalogJob *job;

    g_assert_true(catalog_job_begin(fixture->catalog, "a", "backup", "market", path, &error));
    g_assert_true(catalog_jobs(fixture->catalog, 10, &jobs, &error));
    job = g_ptr_array_index(jobs, 0);
    g_assert_cmpstr(job->state, ==, "running");
    g_assert_cmpint(job->ended, ==, 0);
    g_clear_pointer(&jobs, g_ptr_array_unref);
    /* Its process has died without a word. */
    run_file_release(run);
    g_assert_true(catalog_jobs(fixture->catalog, 10, &jobs, &error));
    job = g_ptr_array_index(jobs, 0);
    g_assert_cmpstr(job->state, ==, "lost");
    g_clear_pointer(&jobs, g_ptr_array_unref);
    g_assert_true(catalog_job_end(fixture->catalog, "a", "failed", NULL, "no space", &error));
    g_assert_true(catalog_jobs(fixture->catalog, 10, &jobs, &error));
    job = g_ptr_array_index(jobs, 0);
    g_assert_cmpstr(job->state, ==, "failed");
    g_assert_cmpstr(job->message, ==, "no space");
    g_assert_no_error(error);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/catalog/" name, Fixture, NULL, set_up, function, tear_down)
    ADD("filters", test_filters);
    ADD("records", test_records);
    ADD("affected", test_affected);
    ADD("gone-and-rebuilt", test_gone_and_rebuilt);
    ADD("deleted-while-open", test_deleted_while_open);
    ADD("unreadable", test_unreadable);
    ADD("records-once", test_records_once);
    ADD("set-aside", test_set_aside);
    ADD("newer", test_newer);
    ADD("jobs", test_jobs);
    return g_test_run();
}
