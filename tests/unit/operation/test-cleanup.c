/* SPDX-License-Identifier: Apache-2.0
 *
 * The cleanup operation on a real repository, with an engine whose logs are only spoken of: what is
 * deleted, what forbids it, what is on record, and what an engine is told about logs.
 */
#include "base/error.h"
#include "base/time.h"
#include "engine/engine.h"
#include "operation/cleanup.h"
#include "repo/backup-id.h"
#include "repo/lease.h"
#include "repo/record.h"
#include "repo/writer.h"
#include "scratch.h"

/* --- An engine with logs ---------------------------------------------------------------------- */

static struct {
    gint64 reach;     /* where the logs behind every backup lead to; 0: to its own stop */
    gboolean unknown; /* nobody can tell */
    char *onward;     /* what the last trim of market was told; NULL: there was none */
    gint64 before;
    gboolean limited;
    guint removals;
} fake;

static gboolean fake_reach(const EngineReachRequest *request, EngineReach *ret_reach,
                           GError **error)
{
    EngineWindow *window = g_new0(EngineWindow, 1);

    if (fake.unknown) {
        g_free(window);
        error_set(error, ERROR_DAMAGED, "the last segment is damaged");
        return FALSE;
    }
    window->to = fake.reach;
    g_assert_true(backup_list(request->repository, &window->backups, error));
    ret_reach->windows = g_ptr_array_new_with_free_func((GDestroyNotify)engine_window_free);
    g_ptr_array_add(ret_reach->windows, window);
    return TRUE;
}

static gboolean fake_trim(const EngineTrim *request, EngineTrimResult *ret_result, GError **error)
{
    if (g_str_equal(request->source, "market")) {
        g_free(fake.onward);
        fake.onward = g_strjoinv(" ", (char **)request->onward);
        fake.before = request->before;
        fake.limited = request->limited;
    }
    fake.removals += !request->dry_run;
    ret_result->files = 1;
    ret_result->bytes = 10;
    ret_result->ranges = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(ret_result->ranges, g_strdup("all"));
    return TRUE;
}

static const Engine fake_engine = {.name = "postgresql", .reach = fake_reach, .trim = fake_trim};

/* --- A repository with a history -------------------------------------------------------------- */

typedef struct {
    char *directory;
    OperationContext *context;
    gint64 now;
} Fixture;

static gint64 fake_time(gpointer data)
{
    return ((Fixture *)data)->now;
}

static gint64 moment(const char *text)
{
    g_autoptr(GError) error = NULL;
    gint64 when;

    g_assert_true(time_parse(text, NULL, &when, &error));
    return when;
}

static void set_up(Fixture *fixture, gconstpointer retention)
{
    g_autofree char *sections = g_strconcat("[source market]\nengine = postgresql\n"
                                            "[source other]\nengine = postgresql\n"
                                            "[retention]\nkeep_days = 0\n",
                                            retention, NULL);

    memset(&fake, 0, sizeof(fake));
    fixture->directory = g_dir_make_tmp("holdfast-cleanup-XXXXXX", NULL);
    fixture->now = moment("2026-05-10T12:00");
    time_set_source(fake_time, fixture);
    fixture->context = scratch_open(fixture->directory, "time_zone = UTC\n", sections);
}

static void tear_down(Fixture *fixture, gconstpointer retention)
{
    time_set_source(NULL, NULL);
    scratch_close(fixture->context, fixture->directory);
    g_free(fixture->directory);
    g_free(fake.onward);
}

static Lease *take_lease(Fixture *fixture, const char *operation, const char *uses)
{
    const char *const list[] = {uses, NULL};
    const LeaseRequest request = {.operation = operation,
                                  .uses = list,
                                  .runtime_directory =
                                      config_runtime_directory(fixture->context->config)};
    g_autoptr(GError) error = NULL;
    Lease *lease = lease_acquire(fixture->context->repository, &request, &error);

    g_assert_no_error(error);
    return lease;
}

/* A committed backup of the source that began then and took a minute; its id, to be freed. */
static char *make(Fixture *fixture, const char *source, const char *start, gboolean partial)
{
    static const CompressSpec plain = {.codec = CODEC_NONE};
    g_autoptr(Lease) lease = take_lease(fixture, "backup", NULL);
    gint64 when = moment(start);
    char *id = backup_id_make(when, source, "full");
    g_autoptr(Manifest) manifest = manifest_new(id, source, "postgresql", BACKUP_FULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(BackupWriter) writer =
        backup_writer_new(fixture->context->repository, lease, id, &error);

    g_assert_no_error(error);
    manifest_set_times(manifest, when, when + TIME_MINUTE);
    manifest_set_partial(manifest, partial);
    g_assert_true(backup_writer_put(writer, "data/a", plain, "rows", 4, &error));
    g_assert_true(backup_writer_commit(writer, manifest, &error));
    g_assert_no_error(error);
    return id;
}

static gboolean is_there(Fixture *fixture, const char *id)
{
    gboolean committed;

    g_assert_true(backup_is_committed(fixture->context->repository, id, &committed, NULL));
    return committed;
}

static gboolean run(Fixture *fixture, const CleanupRequest *request, CleanupResult *result,
                    GError **error)
{
    return operation_cleanup(fixture->context, request, NULL, NULL, NULL, result, error);
}

/* One that must do. */
static void clean(Fixture *fixture, const CleanupRequest *request, guint deletions)
{
    g_auto(CleanupResult) result = {0};
    g_autoptr(GError) error = NULL;

    g_assert_true(run(fixture, request, &result, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(result.deletions, ==, deletions);
    g_assert_cmpuint(result.deleted, ==, request->dry_run ? 0 : deletions);
}

static void refuse(Fixture *fixture, const CleanupRequest *request)
{
    g_auto(CleanupResult) result = {0};
    g_autoptr(GError) error = NULL;

    g_assert_false(run(fixture, request, &result, &error));
    g_assert_true(error_is(error, ERROR_REFUSED));
    g_assert_nonnull(error_hint(error));
    g_assert_cmpuint(result.deleted, ==, 0);
}

typedef struct {
    guint plans, ends, deletions;
    char *reason;
} Audit;

static gboolean look_at_record(const char *name, const char *kind, gint64 when, const json_t *body,
                               gpointer data, GError **error)
{
    Audit *audit = data;

    if (g_str_equal(kind, "delete")) {
        audit->deletions++;
        g_free(audit->reason);
        audit->reason = g_strdup(json_get_string(body, "reason", NULL));
        g_assert_nonnull(json_get_string(body, "cleanup", NULL));
    }
    if (g_str_equal(kind, "cleanup") && g_str_equal(json_get_string(body, "state", ""), "planned"))
        audit->plans++;
    if (g_str_equal(kind, "cleanup") && g_str_equal(json_get_string(body, "state", ""), "done"))
        audit->ends++;
    return TRUE;
}

/* --- Cases ------------------------------------------------------------------------------------ */

static const CleanupRequest plainly = {0};

static void test_deletes(Fixture *fixture, gconstpointer data)
{
    g_autofree char *first = make(fixture, "market", "2026-05-01T02:00", FALSE);
    g_autofree char *second = make(fixture, "market", "2026-05-02T02:00", FALSE);
    g_autofree char *third = make(fixture, "market", "2026-05-03T02:00", FALSE);
    g_autofree char *other = make(fixture, "other", "2026-05-01T02:00", FALSE);
    g_autofree char *foreign = make(fixture, "foreign", "2026-01-01T02:00", FALSE);
    const CleanupRequest dry = {.dry_run = TRUE};
    Audit audit = {0};
    g_autoptr(GError) error = NULL;

    clean(fixture, &dry, 1);
    g_assert_true(is_there(fixture, first));
    g_assert_cmpuint(fake.removals, ==, 0);
    clean(fixture, &plainly, 1);
    g_assert_false(is_there(fixture, first));
    g_assert_true(is_there(fixture, second) && is_there(fixture, third));
    g_assert_true(is_there(fixture, other) && is_there(fixture, foreign));
    g_assert_cmpuint(fake.removals, ==, 2); /* one a source */
    g_assert_true(record_each(fixture->context->repository, look_at_record, &audit, &error));
    g_assert_cmpuint(audit.plans, ==, 1);
    g_assert_cmpuint(audit.ends, ==, 1);
    g_assert_cmpuint(audit.deletions, ==, 1);
    g_assert_cmpstr(audit.reason, ==, "no rule keeps it");
    g_free(audit.reason);
    clean(fixture, &plainly, 0);
}

static void test_spared(Fixture *fixture, gconstpointer data)
{
    g_autofree char *pinned = make(fixture, "market", "2026-05-01T02:00", FALSE);
    g_autofree char *used = make(fixture, "market", "2026-05-02T02:00", FALSE);
    g_autofree char *restored = make(fixture, "market", "2026-05-03T02:00", FALSE);
    g_autofree char *goes = make(fixture, "market", "2026-05-03T05:00", FALSE);
    g_autofree char *fourth = make(fixture, "market", "2026-05-04T02:00", FALSE);
    g_autofree char *fifth = make(fixture, "market", "2026-05-05T02:00", FALSE);
    g_autofree char *partial = make(fixture, "market", "2026-05-06T02:00", TRUE);
    g_autoptr(json_t) pin = json_pack("{s:s}", "backup", pinned);
    g_autoptr(json_t) restore = json_pack("{s:s}", "backup", restored);
    g_autoptr(GError) error = NULL;
    Lease *lease = take_lease(fixture, "restore", used);
    gint64 store_now;

    g_assert_true(record_write(fixture->context->repository, "pin", pin, NULL, &error));
    g_assert_true(record_write(fixture->context->repository, "restore", restore, NULL, &error));
    clean(fixture, &plainly, 2);
    g_assert_false(is_there(fixture, goes) || is_there(fixture, partial));
    g_assert_true(is_there(fixture, pinned) && is_there(fixture, used));
    g_assert_true(is_there(fixture, restored));
    lease_release(lease);
    /* A day and more after the restore, which the store's clock has dated. */
    g_assert_true(store_time(repository_store(fixture->context->repository), &store_now, &error));
    fixture->now = MAX(fixture->now, store_now) + 2 * TIME_DAY;
    clean(fixture, &plainly, 2);
    g_assert_false(is_there(fixture, used) || is_there(fixture, restored));
    g_assert_true(is_there(fixture, pinned) && is_there(fixture, fourth) &&
                  is_there(fixture, fifth));
}

static void test_half(Fixture *fixture, gconstpointer data)
{
    const CleanupRequest yes = {.yes = TRUE}, dry = {.dry_run = TRUE};
    g_autoptr(GError) error = NULL;
    g_auto(CleanupResult) result = {0};

    for (guint i = 1; i <= 5; i++) {
        g_autofree char *start = g_strdup_printf("2026-05-0%uT02:00", i);

        g_free(make(fixture, "market", start, FALSE));
    }
    refuse(fixture, &plainly);
    g_assert_true(run(fixture, &dry, &result, &error));
    g_assert_cmpuint(result.notes->len, ==, 1);
    clean(fixture, &yes, 3);
}

/* Half is not more than half. */
static void test_exactly_half(Fixture *fixture, gconstpointer data)
{
    g_free(make(fixture, "market", "2026-05-01T02:00", FALSE));
    g_free(make(fixture, "market", "2026-05-02T02:00", FALSE));
    clean(fixture, &plainly, 1);
}

static void test_unreadable(Fixture *fixture, gconstpointer data)
{
    g_autofree char *first = make(fixture, "market", "2026-05-01T02:00", FALSE);
    g_autofree char *lost = make(fixture, "market", "2026-05-02T02:00", FALSE);
    g_autofree char *last = make(fixture, "market", "2026-05-03T02:00", FALSE);
    const char *const named[] = {lost, NULL};
    const CleanupRequest without = {.unreadable = named};
    g_autofree char *name = g_strdup_printf("backups/%s/manifest.json", lost);
    Store *store = repository_store(fixture->context->repository);
    g_autoptr(GError) error = NULL;

    /* The catalog has seen it whole: that must not count. */
    g_assert_true(catalog_refresh(fixture->context->catalog, &error));
    g_assert_true(store_delete(store, name, &error));
    refuse(fixture, &plainly);
    g_assert_true(is_there(fixture, first));
    clean(fixture, &without, 1);
    g_assert_false(is_there(fixture, first));
    g_assert_true(is_there(fixture, lost) && is_there(fixture, last));
    g_assert_null(fake.onward); /* nobody knows which logs it needs */
}

static void put_record(Fixture *fixture, const char *kind, const char *backup)
{
    g_autoptr(json_t) body = json_pack("{s:s}", "backup", backup);
    g_autoptr(GError) error = NULL;

    g_assert_true(record_write(fixture->context->repository, kind, body, NULL, &error));
}

/* A folder without its commit is one that a killed run left, until a record says that it was a
 * backup; unless it was deleted. */
static void test_lost_commit(Fixture *fixture, gconstpointer data)
{
    g_autofree char *first = make(fixture, "market", "2026-05-01T02:00", FALSE);
    g_autofree char *lost = make(fixture, "market", "2026-05-02T02:00", FALSE);
    g_autofree char *last = make(fixture, "market", "2026-05-03T02:00", FALSE);
    const char *const named[] = {lost, NULL};
    const CleanupRequest without = {.unreadable = named, .dry_run = TRUE}, dry = {.dry_run = TRUE};
    g_autofree char *name = g_strdup_printf("backups/%s/SHA256SUMS", lost);
    g_autoptr(GError) error = NULL;

    g_assert_true(store_delete(repository_store(fixture->context->repository), name, &error));
    clean(fixture, &dry, 0);
    put_record(fixture, "verify", first);
    clean(fixture, &dry, 0);
    put_record(fixture, "verify", lost);
    refuse(fixture, &plainly);
    clean(fixture, &without, 0);
    put_record(fixture, "delete", lost);
    clean(fixture, &dry, 0);
}

static void test_unreadable_pin(Fixture *fixture, gconstpointer data)
{
    static const char broken[] = "records/20260501T000000Z-pin-abcdef.json";
    static const char *const named[] = {"20260501T000000Z-pin-abcdef", NULL};
    const CleanupRequest without = {.unreadable = named};
    Store *store = repository_store(fixture->context->repository);
    g_autofree char *first = make(fixture, "market", "2026-05-01T02:00", FALSE);
    g_autofree char *second = make(fixture, "market", "2026-05-02T02:00", FALSE);
    g_autoptr(GError) error = NULL;

    g_assert_true(store_put(store, broken, "{", 1, &error));
    refuse(fixture, &plainly);
    g_assert_true(is_there(fixture, first));
    g_assert_true(cleanup_may_name(fixture->context->repository, named[0]));
    g_assert_false(cleanup_may_name(fixture->context->repository, "../repository"));
    clean(fixture, &without, 1);
    g_assert_true(is_there(fixture, second));
}

static void test_clock(Fixture *fixture, gconstpointer data)
{
    g_free(make(fixture, "market", "2026-05-01T02:00", FALSE));
    g_free(make(fixture, "market", "2026-05-02T02:00", FALSE));
    fixture->now = moment("2026-05-02T01:00");
    refuse(fixture, &plainly);
    fixture->now = moment("2026-05-02T02:01");
    clean(fixture, &plainly, 1);
}

static void test_sources(Fixture *fixture, gconstpointer data)
{
    static const char *const only[] = {"other", NULL};
    const CleanupRequest request = {.sources = only};
    g_autofree char *market = make(fixture, "market", "2026-05-01T02:00", FALSE);
    g_autofree char *other = make(fixture, "other", "2026-05-01T02:00", FALSE);

    g_free(make(fixture, "market", "2026-05-02T02:00", FALSE));
    g_free(make(fixture, "other", "2026-05-02T02:00", FALSE));
    clean(fixture, &request, 0); /* [retention other] keeps two */
    clean(fixture, &plainly, 1);
    g_assert_false(is_there(fixture, market));
    g_assert_true(is_there(fixture, other));
}

static void test_base_and_logs(Fixture *fixture, gconstpointer data)
{
    g_autofree char *first = make(fixture, "market", "2026-05-01T02:00", FALSE);
    g_autofree char *second = make(fixture, "market", "2026-05-02T02:00", FALSE);
    g_autofree char *third = make(fixture, "market", "2026-05-09T02:00", FALSE);
    g_autofree char *expected = g_strdup_printf("%s %s", second, third);
    static const char *const only[] = {"market", NULL};
    const CleanupRequest request = {.sources = only};
    gint64 store_now;

    fake.reach = fixture->now;
    g_assert_true(store_time(repository_store(fixture->context->repository), &store_now, NULL));
    clean(fixture, &request, 1);
    g_assert_false(is_there(fixture, first));
    g_assert_cmpstr(fake.onward, ==, expected);
    g_assert_false(fake.limited);
    g_assert_cmpint(fake.before, <=, store_now - TIME_DAY + TIME_MINUTE);
    g_assert_cmpint(fake.before, >=, store_now - TIME_DAY - TIME_MINUTE);
}

/* Where it is not known what logs lead to, backups that may be needed stay. */
static void test_unknown_reach(Fixture *fixture, gconstpointer data)
{
    g_auto(CleanupResult) result = {0};
    g_autoptr(GError) error = NULL;

    g_free(make(fixture, "market", "2026-05-01T02:00", FALSE));
    g_free(make(fixture, "market", "2026-05-09T02:00", FALSE));
    fake.unknown = TRUE;
    g_assert_true(run(fixture, &plainly, &result, &error));
    g_assert_cmpuint(result.deletions, ==, 0);
    g_assert_cmpuint(result.notes->len, ==, 1);
}

static void test_busy(Fixture *fixture, gconstpointer data)
{
    const LeaseRequest request = {.operation = "cleanup",
                                  .exclusive = "cleanup",
                                  .runtime_directory =
                                      config_runtime_directory(fixture->context->config)};
    g_autoptr(GError) error = NULL;
    g_autoptr(Lease) lease = lease_acquire(fixture->context->repository, &request, &error);
    g_auto(CleanupResult) result = {0};

    g_assert_no_error(error);
    g_assert_false(run(fixture, &plainly, &result, &error));
    g_assert_true(error_is(error, ERROR_BUSY));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    engine_register(&fake_engine);
#define ADD(name, function, retention)                                                             \
    g_test_add("/cleanup/" name, Fixture, retention, set_up, function, tear_down)
    ADD("deletes", test_deletes, "keep_full = 2\n");
    ADD("spared", test_spared, "keep_full = 2\n");
    ADD("half", test_half, "keep_full = 2\n");
    ADD("exactly-half", test_exactly_half, "keep_full = 1\n");
    ADD("unreadable", test_unreadable, "keep_full = 1\n");
    ADD("lost-commit", test_lost_commit, "keep_full = 2\n");
    ADD("unreadable-pin", test_unreadable_pin, "keep_full = 1\n");
    ADD("clock", test_clock, "keep_full = 1\n");
    ADD("sources", test_sources, "keep_full = 1\n[retention other]\nkeep_full = 2\n");
    ADD("base-and-logs", test_base_and_logs, "[retention market]\nkeep_days = 3\n");
    ADD("unknown-reach", test_unknown_reach, "[retention market]\nkeep_days = 3\n");
    ADD("busy", test_busy, "keep_full = 1\n");
    return g_test_run();
}
