/* SPDX-License-Identifier: Apache-2.0
 *
 * Cleanup over random histories in a store that fails: whatever call fails, what must remain is
 * there and whole, and the runs together delete exactly the rest.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "operation/cleanup.h"
#include "operation/retention.h"
#include "repo/backup-id.h"
#include "repo/lease.h"
#include "repo/writer.h"

#define HISTORY 120
#define RUNS    40

typedef struct {
    char *directory;
    Store *store; /* that fails on demand */
    OperationContext *context;
    GRand *rand;
    gint64 now;
    GHashTable *kept, *gone; /* ids */
} Fixture;

static gint64 fake_time(gpointer data)
{
    return ((Fixture *)data)->now;
}

static void ignore_log(LogLevel level, const char *text, const LogField *fields, gpointer data)
{
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    fixture->directory = g_dir_make_tmp("holdfast-faults-XXXXXX", &error);
    fixture->rand = g_rand_new_with_seed(GPOINTER_TO_UINT(data));
    fixture->now = time_now();
    time_set_source(fake_time, fixture);
    log_set_writer(ignore_log, NULL);
    fixture->store = store_new_fault(store_new_memory());
    fixture->context = g_new0(OperationContext, 1);
    fixture->context->repository = repository_create(fixture->store, COMPRESS_DEFAULT, &error);
    g_assert_no_error(error);
    fixture->context->catalog = catalog_open(fixture->context->repository, NULL, &error);
    g_assert_no_error(error);
    text = g_strdup_printf("[general]\nruntime_directory = %s/run\ntime_zone = Europe/Berlin\n"
                           "[repository]\npath = /none\n[source market]\nengine = postgresql\n"
                           "[retention]\nkeep_days = 5\nkeep_full = 2\nkeep_weekly = 4\n"
                           "keep_monthly = 6\ngrace = 0s\n",
                           fixture->directory);
    fixture->context->config = config_parse(text, strlen(text), "test", &error);
    g_assert_no_error(error);
    fixture->kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    fixture->gone = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    log_set_writer(NULL, NULL);
    time_set_source(NULL, NULL);
    g_hash_table_unref(fixture->kept);
    g_hash_table_unref(fixture->gone);
    operation_context_free(fixture->context);
    store_unref(fixture->store);
    g_rand_free(fixture->rand);
    g_assert_true(directory_remove(fixture->directory, NULL));
    g_free(fixture->directory);
}

/* Commits a backup of that hour and fills in what the rules will ask of it. */
static void make_backup(Fixture *fixture, Lease *lease, RetentionBackup *backup)
{
    static const CompressSpec plain = {.codec = CODEC_NONE};
    gint64 start = fixture->now - TIME_HOUR * g_rand_int_range(fixture->rand, 1, 24 * 200);
    BackupType type = g_rand_int_range(fixture->rand, 0, 3) == 0 ? BACKUP_FULL : BACKUP_INCREMENTAL;
    char *id = backup_id_make(start, "market", backup_type_name(type));
    g_autoptr(Manifest) manifest = manifest_new(id, "market", "postgresql", type);
    g_autoptr(GError) error = NULL;
    g_autoptr(BackupWriter) writer =
        backup_writer_new(fixture->context->repository, lease, id, &error);

    g_assert_no_error(error);
    manifest_set_times(manifest, start, start + TIME_MINUTE);
    manifest_set_partial(manifest, g_rand_int_range(fixture->rand, 0, 10) == 0);
    g_assert_true(backup_writer_put(writer, "data/a", plain, "rows", 4, &error));
    g_assert_true(backup_writer_commit(writer, manifest, &error));
    *backup = (RetentionBackup){.id = id,
                                .start = start,
                                .stop = start + TIME_MINUTE,
                                .reach = G_MAXINT64, /* no engine can tell */
                                .full = type == BACKUP_FULL,
                                .partial = manifest_partial(manifest),
                                .good = TRUE};
}

static void make_history(Fixture *fixture)
{
    const LeaseRequest request = {.operation = "backup",
                                  .runtime_directory =
                                      config_runtime_directory(fixture->context->config)};
    g_autoptr(GError) error = NULL;
    g_autoptr(Lease) lease = lease_acquire(fixture->context->repository, &request, &error);
    const RetentionRules rules = {.days = 5, .fulls = 2, .weekly = 4, .monthly = 6};
    RetentionBackup backups[HISTORY];
    g_autofree RetentionVerdict *verdicts = NULL;

    g_assert_no_error(error);
    for (guint i = 0; i < HISTORY; i++)
        make_backup(fixture, lease, &backups[i]);
    verdicts = retention_decide(backups, HISTORY, &rules, fixture->now,
                                config_time_zone(fixture->context->config));
    for (guint i = 0; i < HISTORY; i++)
        g_hash_table_add(verdicts[i].keep != 0 ? fixture->kept : fixture->gone,
                         (char *)backups[i].id);
}

/* All that must remain is there, and every object of it. */
static void check_kept(Fixture *fixture)
{
    GHashTableIter iterator;
    gpointer id;

    g_hash_table_iter_init(&iterator, fixture->kept);
    while (g_hash_table_iter_next(&iterator, &id, NULL)) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Backup) backup = backup_open(fixture->context->repository, id, &error);

        g_assert_no_error(error);
        g_assert_true(backup_check_object(backup, "data/a", NULL, NULL, &error));
    }
}

static guint count_gone_left(Fixture *fixture)
{
    GHashTableIter iterator;
    gpointer id;
    guint left = 0;

    g_hash_table_iter_init(&iterator, fixture->gone);
    while (g_hash_table_iter_next(&iterator, &id, NULL)) {
        gboolean committed;

        g_assert_true(backup_is_committed(fixture->context->repository, id, &committed, NULL));
        left += committed;
    }
    return left;
}

static gboolean clean(Fixture *fixture)
{
    const CleanupRequest request = {.yes = TRUE};
    g_auto(CleanupResult) result = {0};
    g_autoptr(GError) error = NULL;

    return operation_cleanup(fixture->context, &request, NULL, NULL, NULL, &result, &error);
}

static void test_faults(Fixture *fixture, gconstpointer data)
{
    static const StoreFault faults[] = {STORE_FAULT_ERROR, STORE_FAULT_DONE, STORE_FAULT_NO_SPACE};
    g_autoptr(GPtrArray) folders = NULL;
    guint failures = 0;

    make_history(fixture);
    g_assert_cmpuint(g_hash_table_size(fixture->gone), >, 10);
    for (guint i = 0; i < RUNS; i++) {
        StoreFault fault = faults[g_rand_int_range(fixture->rand, 0, G_N_ELEMENTS(faults))];
        guint64 nth = (guint64)g_rand_int_range(fixture->rand, 1, 1500);

        store_fault_arm(fixture->store, fault, nth, ERROR_IO);
        failures += !clean(fixture);
        store_fault_arm(fixture->store, STORE_FAULT_NONE, 0, 0);
        check_kept(fixture);
    }
    g_assert_cmpuint(failures, >, 0);
    g_assert_true(clean(fixture));
    check_kept(fixture);
    g_assert_cmpuint(count_gone_left(fixture), ==, 0);
    g_assert_true(store_list_parts(fixture->store, "backups/", &folders, NULL));
    g_assert_cmpuint(folders->len, ==, g_hash_table_size(fixture->kept));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint seed = 1; seed <= 4; seed++) {
        g_autofree char *path = g_strdup_printf("/cleanup-faults/%u", seed);

        g_test_add(path, Fixture, GUINT_TO_POINTER(seed), set_up, test_faults, tear_down);
    }
    return g_test_run();
}
