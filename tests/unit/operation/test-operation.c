/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations, with an engine that keeps no database: what they promise whatever the engine
 * does.
 */
#include "base/error.h"
#include "base/log.h"
#include "engine/engine.h"
#include "operation/backup.h"
#include "operation/cleanup.h"
#include "operation/delete.h"
#include "operation/drill.h"
#include "operation/pin.h"
#include "operation/restore.h"
#include "operation/verify.h"
#include "repo/lease.h"
#include "repo/record.h"
#include "scratch.h"

/* --- An engine that does as it is told -------------------------------------------------------- */

static struct {
    gboolean backup_fails, plan_has_problem, restore_differs;
    GCancellable *cancel_in_backup;
    guint backups, restores;
    const char *target;
    double tolerance;
} fake;

static gboolean fake_backup(const EngineBackup *request, GError **error)
{
    fake.backups++;
    if (!backup_writer_put(request->writer, "data/a", request->compression, "rows", 4, error))
        return FALSE;
    if (fake.cancel_in_backup != NULL)
        g_cancellable_cancel(fake.cancel_in_backup);
    if (fake.backup_fails) {
        error_set(error, ERROR_VANISHED, "database x went away");
        return FALSE;
    }
    manifest_set_counts(request->manifest, 1, 4);
    return TRUE;
}

static gboolean fake_check_object(const EngineProof *proof, const char *path, gboolean *ret_looked,
                                  GCancellable *cancellable, GError **error)
{
    return TRUE;
}

static EnginePlan *fake_plan(const EngineRestore *request, GError **error)
{
    EnginePlan *plan = g_new0(EnginePlan, 1);

    engine_plan_init(plan);
    engine_plan_step(plan, "restore %s", "x");
    engine_plan_warn(plan, "careful");
    fake.target = request->target->name;
    fake.tolerance = request->tolerance;
    if (fake.plan_has_problem) {
        GError *problem = NULL;

        error_set(&problem, ERROR_EXISTS, "database x exists");
        error_add_hint(&problem, "use --replace");
        engine_plan_problem(plan, problem);
    }
    return plan;
}

static gboolean fake_restore(EnginePlan *plan, EngineResult *ret_result, GError **error)
{
    fake.restores++;
    ret_result->summary = json_pack("{s:i}", "rows", 4);
    if (!fake.restore_differs)
        return TRUE;
    error_set(error, ERROR_COUNT_MISMATCH, "table a has 3 rows instead of 4");
    return FALSE;
}

static void fake_plan_free(EnginePlan *plan)
{
    engine_plan_clear(plan);
    g_free(plan);
}

static const Engine fake_engine = {.name = "postgresql",
                                   .backup = fake_backup,
                                   .check_object = fake_check_object,
                                   .plan = fake_plan,
                                   .restore = fake_restore,
                                   .plan_free = fake_plan_free};

/* --- A place to work in ----------------------------------------------------------------------- */

typedef struct {
    char *directory;
    OperationContext *context;
    guint logged;
} Fixture;

static void count_log(LogLevel level, const char *text, const LogField *fields, gpointer data)
{
    Fixture *fixture = data;

    fixture->logged++;
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    memset(&fake, 0, sizeof(fake));
    fixture->directory = g_dir_make_tmp("holdfast-operation-XXXXXX", NULL);
    fixture->context = scratch_open(fixture->directory, "",
                                    "[source market]\nengine = postgresql\nmethod = logical\n"
                                    "tolerance = 5%\ndatabases = a,b\n"
                                    "[source copy]\nengine = postgresql\n");
    log_set_writer(count_log, fixture);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    log_set_writer(NULL, NULL);
    scratch_close(fixture->context, fixture->directory);
    g_free(fixture->directory);
}

static gboolean make_backup(Fixture *fixture, const char *const *databases,
                            GCancellable *cancellable, Manifest **ret_manifest, GError **error)
{
    const BackupRequest request = {.engine = "postgresql",
                                   .source = "market",
                                   .type = BACKUP_FULL,
                                   .databases = databases};

    g_autoptr(Lease) hold = NULL;

    return operation_backup(fixture->context, &request, NULL, cancellable, ret_manifest, &hold,
                            error);
}

static Manifest *need_backup(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    Manifest *manifest = NULL;

    g_assert_true(make_backup(fixture, NULL, NULL, &manifest, &error));
    g_assert_no_error(error);
    return manifest;
}

static guint count_backups(Fixture *fixture)
{
    g_autoptr(GPtrArray) ids = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(backup_list(fixture->context->repository, &ids, &error));
    return ids->len;
}

static void assert_job(Fixture *fixture, const char *operation, const char *state)
{
    g_autoptr(GPtrArray) jobs = NULL;
    g_autoptr(GError) error = NULL;
    const CatalogJob *job;

    g_assert_true(catalog_jobs(fixture->context->catalog, 1, &jobs, &error));
    g_assert_cmpuint(jobs->len, ==, 1);
    job = g_ptr_array_index(jobs, 0);
    g_assert_cmpstr(job->operation, ==, operation);
    g_assert_cmpstr(job->state, ==, state);
}

/* --- Backup ----------------------------------------------------------------------------------- */

static void test_backup(Fixture *fixture, gconstpointer data)
{
    static const char *const all[] = {"b", "a", NULL};
    static const char *const some[] = {"a", NULL};
    g_autoptr(Manifest) manifest = need_backup(fixture);
    g_autoptr(Manifest) whole = NULL;
    g_autoptr(Manifest) part = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_cmpstr(manifest_source(manifest), ==, "market");
    g_assert_cmpstr(manifest_method(manifest), ==, "logical");
    g_assert_cmpint(manifest_stop(manifest), >=, manifest_start(manifest));
    g_assert_false(manifest_partial(manifest));
    g_assert_cmpuint(manifest_warning_count(manifest), ==, 0);
    assert_job(fixture, "backup postgresql full", "succeeded");
    g_assert_true(make_backup(fixture, all, NULL, &whole, &error));
    g_assert_false(manifest_partial(whole));
    g_assert_true(make_backup(fixture, some, NULL, &part, &error));
    g_assert_true(manifest_partial(part));
    g_assert_cmpuint(count_backups(fixture), ==, 3);
    g_assert_cmpuint(fixture->logged, ==, 0);
}

static void test_backup_fails(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(Manifest) manifest = NULL;
    g_autoptr(GPtrArray) left = NULL;
    g_autoptr(GError) error = NULL;

    fake.backup_fails = TRUE;
    g_assert_false(make_backup(fixture, NULL, NULL, &manifest, &error));
    g_assert_true(error_is(error, ERROR_VANISHED));
    assert_job(fixture, "backup postgresql full", "failed");
    g_clear_error(&error);
    /* The engine did not notice the cancel: nothing is committed all the same. */
    fake.backup_fails = FALSE;
    fake.cancel_in_backup = cancellable;
    g_assert_false(make_backup(fixture, NULL, cancellable, &manifest, &error));
    g_assert_true(error_is(error, ERROR_CANCELLED));
    g_clear_error(&error);
    g_assert_null(manifest);
    g_assert_true(store_list_parts(repository_store(fixture->context->repository), "backups/",
                                   &left, &error));
    g_assert_cmpuint(left->len, ==, 0);
}

static void test_backup_busy(Fixture *fixture, gconstpointer data)
{
    const LeaseRequest request = {.operation = "backup",
                                  .exclusive = "backup/market/full",
                                  .runtime_directory =
                                      config_runtime_directory(fixture->context->config)};
    g_autoptr(GError) error = NULL;
    g_autoptr(Lease) lease = lease_acquire(fixture->context->repository, &request, &error);
    g_autoptr(Manifest) manifest = NULL;

    g_assert_no_error(error);
    g_assert_false(make_backup(fixture, NULL, NULL, &manifest, &error));
    g_assert_true(error_is(error, ERROR_BUSY));
    g_assert_cmpuint(fake.backups, ==, 0);
}

/* --- Verify ----------------------------------------------------------------------------------- */

static void test_verify(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Manifest) manifest = need_backup(fixture);
    g_autofree char *name = NULL;
    g_autoptr(VerifyReport) good = NULL;
    g_autoptr(VerifyReport) bad = NULL;
    g_autoptr(GPtrArray) backups = NULL;
    g_autoptr(GError) error = NULL;
    Store *store = repository_store(fixture->context->repository);
    const VerifyDamage *damage;

    g_assert_true(operation_verify(fixture->context,
                                   &(VerifyRequest){.backup_id = manifest_id(manifest),
                                                    .level = PROOF_STRUCTURE,
                                                    .sample = 1,
                                                    .jobs = 2},
                                   &good, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(good->damage->len, ==, 0);
    g_assert_cmpuint(good->objects, ==, 2); /* data/a and manifest.json */
    g_assert_cmpint(good->level, ==, PROOF_STRUCTURE);
    name = g_strdup_printf("backups/%s/data/a.zst", manifest_id(manifest));
    g_assert_true(store_delete(store, name, &error));
    g_assert_true(store_put(store, name, "other", 5, &error));
    g_assert_true(operation_verify(fixture->context,
                                   &(VerifyRequest){.backup_id = manifest_id(manifest),
                                                    .level = PROOF_STRUCTURE,
                                                    .sample = 1,
                                                    .jobs = 2},
                                   &bad, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(bad->damage->len, ==, 1);
    damage = g_ptr_array_index(bad->damage, 0);
    g_assert_cmpstr(damage->object, ==, "data/a.zst");
    g_assert_true(catalog_backups(fixture->context->catalog, &(CatalogFilter){.status = "damaged"},
                                  &backups, &error));
    g_assert_cmpuint(backups->len, ==, 1);
}

typedef struct {
    Fixture *fixture;
    const char *id;
    gboolean done;
} Removal;

/* Told when the objects are about to be read. */
static void remove_backup(const ProgressView *view, gpointer data)
{
    Removal *removal = data;

    if (!removal->done)
        g_assert_true(backup_delete(removal->fixture->context->repository, removal->id, NULL));
    removal->done = TRUE;
}

/* What is missing because somebody deleted the backup meanwhile is no damage. */
static void test_verify_gone(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Manifest) manifest = need_backup(fixture);
    Removal removal = {.fixture = fixture, .id = manifest_id(manifest)};
    g_autoptr(Progress) progress = progress_new(remove_backup, &removal);
    VerifyRequest request = {.backup_id = manifest_id(manifest),
                             .level = PROOF_OBJECTS,
                             .sample = 1,
                             .jobs = 1};
    g_autoptr(VerifyReport) report = NULL;
    g_autoptr(GPtrArray) records = NULL;
    g_autoptr(GError) error = NULL;

    request.progress = progress;
    g_assert_false(operation_verify(fixture->context, &request, &report, &error));
    g_assert_true(error_is(error, ERROR_VANISHED));
    g_assert_true(catalog_refresh(fixture->context->catalog, NULL));
    g_assert_true(catalog_records(fixture->context->catalog, "verify", &records, NULL));
    g_assert_cmpuint(records->len, ==, 0);
}

/* --- Delete ----------------------------------------------------------------------------------- */

static gboolean try_delete(Fixture *fixture, const Manifest *manifest, gboolean yes, int code)
{
    g_autoptr(GError) error = NULL;
    gboolean done = operation_delete(fixture->context, manifest_id(manifest), yes, NULL, &error);

    g_assert_true(done ? error == NULL : error_is(error, (ErrorCode)code));
    return done;
}

/* A backup is not deleted while the lease lives under which it was written, nor while it is held for
 * its first verify. */
static void assert_protected_by_its_own(Fixture *fixture, const Manifest *manifest)
{
    const LeaseRequest request = {.operation = "backup",
                                  .backup = manifest_id(manifest),
                                  .runtime_directory =
                                      config_runtime_directory(fixture->context->config)};
    g_autoptr(GError) error = NULL;
    Lease *lease = lease_acquire(fixture->context->repository, &request, &error);

    g_assert_no_error(error);
    g_assert_false(try_delete(fixture, manifest, TRUE, ERROR_BUSY));
    lease_release(lease);
    lease = operation_verify_hold(fixture->context, manifest_id(manifest));
    g_assert_nonnull(lease);
    g_assert_false(try_delete(fixture, manifest, TRUE, ERROR_BUSY));
    lease_release(lease);
}

static void test_delete(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Manifest) older = need_backup(fixture);
    g_autoptr(Manifest) newest = NULL;
    g_autoptr(json_t) pin = json_pack("{s:s}", "backup", manifest_id(older));
    g_autoptr(GError) error = NULL;
    const char *uses[] = {manifest_id(older), NULL};
    const LeaseRequest request = {.operation = "restore",
                                  .uses = uses,
                                  .runtime_directory =
                                      config_runtime_directory(fixture->context->config)};
    Lease *lease;

    g_usleep(2000); /* the newest is told by its start */
    newest = need_backup(fixture);
    g_assert_false(try_delete(fixture, newest, FALSE, ERROR_REFUSED));
    lease = lease_acquire(fixture->context->repository, &request, &error);
    g_assert_no_error(error);
    g_assert_false(try_delete(fixture, older, TRUE, ERROR_BUSY));
    lease_release(lease);
    assert_protected_by_its_own(fixture, older);
    g_assert_true(record_write(fixture->context->repository, "pin", pin, NULL, &error));
    g_assert_false(try_delete(fixture, older, TRUE, ERROR_PINNED));
    g_assert_true(record_write(fixture->context->repository, "unpin", pin, NULL, &error));
    g_assert_true(try_delete(fixture, older, FALSE, 0));
    g_assert_true(try_delete(fixture, newest, TRUE, 0));
    g_assert_false(try_delete(fixture, newest, TRUE, ERROR_NOT_FOUND));
    g_assert_cmpuint(count_backups(fixture), ==, 0);
}

/* --- Pin -------------------------------------------------------------------------------------- */

static void test_pin(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Manifest) manifest = need_backup(fixture);
    const char *id = manifest_id(manifest);
    static const struct {
        gboolean pin, changed;
    } steps[] = {{FALSE, FALSE}, {TRUE, TRUE}, {TRUE, FALSE}, {FALSE, TRUE}, {TRUE, TRUE}};
    g_autoptr(GError) error = NULL;
    g_autofree char *unused = NULL;
    gboolean changed;

    for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autofree char *pinned = NULL;

        g_assert_true(operation_pin(fixture->context, id + strlen(id) - 4, steps[i].pin, "why",
                                    &pinned, &changed, &error));
        g_assert_cmpstr(pinned, ==, id);
        g_assert_cmpint(changed, ==, steps[i].changed);
    }
    g_assert_false(try_delete(fixture, manifest, TRUE, ERROR_PINNED));
    g_assert_false(operation_pin(fixture->context, "20200101T000000Z-x-full-aaaa", TRUE, NULL,
                                 &unused, &changed, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
}

/* --- Restore ---------------------------------------------------------------------------------- */

static gboolean restore(Fixture *fixture, const RestoreRequest *request, RestoreReport *report,
                        GError **error)
{
    return operation_restore(fixture->context, request, NULL, NULL, report, error);
}

static const json_t *newest_recovery(Fixture *fixture, GPtrArray **records)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(catalog_recoveries(fixture->context->catalog, records, &error));
    g_assert_cmpuint((*records)->len, >, 0);
    return g_ptr_array_index(*records, 0);
}

static void test_restore(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Manifest) manifest = need_backup(fixture);
    RestoreRequest request = {.engine = "postgresql",
                              .backup_id = manifest_id(manifest),
                              .tolerance = -1,
                              .dry_run = TRUE};
    RestoreReport report;
    g_autoptr(GPtrArray) records = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(restore(fixture, &request, &report, &error));
    g_assert_cmpuint(fake.restores, ==, 0);
    g_assert_cmpuint(report.steps->len, ==, 1);
    g_assert_cmpstr(fake.target, ==, "market");
    g_assert_cmpfloat_with_epsilon(fake.tolerance, 0.05, 1e-9);
    g_assert_cmpstr(json_get_string(newest_recovery(fixture, &records), "result", ""), ==,
                    "planned");
    restore_report_clear(&report);
    request.dry_run = FALSE;
    request.to_source = "copy";
    request.tolerance = 0;
    g_assert_true(restore(fixture, &request, &report, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(fake.restores, ==, 1);
    g_assert_cmpstr(fake.target, ==, "copy");
    g_assert_cmpuint(json_get_uint(report.summary, "rows", 0), ==, 4);
    g_assert_nonnull(report.record);
    restore_report_clear(&report);
    request.to_source = "nowhere";
    g_assert_false(restore(fixture, &request, &report, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    restore_report_clear(&report);
}

/* What goes wrong is on record as well, and the report is filled in. */
static void test_restore_fails(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Manifest) manifest = need_backup(fixture);
    const RestoreRequest request = {.engine = "postgresql", .backup_id = manifest_id(manifest)};
    RestoreReport report;
    g_autoptr(GPtrArray) records = NULL;
    g_autoptr(GError) error = NULL;

    fake.plan_has_problem = TRUE;
    g_assert_false(restore(fixture, &request, &report, &error));
    g_assert_true(error_is(error, ERROR_EXISTS));
    g_assert_cmpstr(error_hint(error), ==, "use --replace");
    g_assert_cmpuint(report.problems->len, ==, 1);
    g_assert_cmpuint(fake.restores, ==, 0);
    restore_report_clear(&report);
    g_clear_error(&error);
    fake.plan_has_problem = FALSE;
    fake.restore_differs = TRUE;
    g_assert_false(restore(fixture, &request, &report, &error));
    g_assert_true(error_is(error, ERROR_COUNT_MISMATCH));
    g_assert_cmpuint(json_get_uint(report.summary, "rows", 0), ==, 4);
    restore_report_clear(&report);
    g_assert_cmpstr(json_get_string(newest_recovery(fixture, &records), "result", ""), ==,
                    "failed");
    assert_job(fixture, "restore", "failed");
}

/* --- The rest --------------------------------------------------------------------------------- */

/* Members that an engine may leave out: the user is told of the engine, not of NULL. */
static void test_engine_without(Fixture *fixture, gconstpointer data)
{
    const BackupRequest increment = {.engine = "postgresql",
                                     .source = "market",
                                     .type = BACKUP_INCREMENTAL,
                                     .method = "physical"};
    const DrillRequest drill = {.source = "market"};
    g_autoptr(Manifest) manifest = NULL;
    g_autoptr(Lease) hold = NULL;
    RestoreReport report;
    g_autoptr(GError) error = NULL;

    g_assert_false(
        operation_backup(fixture->context, &increment, NULL, NULL, &manifest, &hold, &error));
    g_assert_true(error_is(error, ERROR_UNSUPPORTED));
    g_assert_nonnull(strstr(error->message, "incremental backups of method physical"));
    g_clear_error(&error);
    g_assert_false(operation_drill(fixture->context, &drill, NULL, NULL, &report, &error));
    g_assert_true(error_is(error, ERROR_UNSUPPORTED));
    g_assert_nonnull(strstr(error->message, "no drills of postgresql"));
    restore_report_clear(&report);
}

static void test_resolve(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Manifest) first = need_backup(fixture);
    g_autoptr(Manifest) second = need_backup(fixture);
    const char *id = manifest_id(first);
    g_autofree char *by_end = operation_resolve_backup(fixture->context, id + strlen(id) - 4, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpstr(by_end, ==, id);
    g_assert_null(operation_resolve_backup(fixture->context, "20", &error));
    g_assert_true(error_is(error, ERROR_USAGE));
    g_clear_error(&error);
    g_assert_null(operation_resolve_backup(fixture->context, "", &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
}

static void test_config(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text =
        g_strdup_printf("[repository]\npath = %s/r\nkey = key-file=/k\n", fixture->directory);
    const char *texts[] = {"[general]\n", text};
    g_autoptr(GError) error = NULL;

    /* No path; and a key that promises more than the repository holds. */
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(Config) config = config_parse(texts[i], strlen(texts[i]), "test", &error);

        g_assert_no_error(error);
        g_assert_null(operation_open_repository(config, &error));
        g_assert_true(error_is(error, ERROR_CONFIG));
        g_clear_error(&error);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    engine_register(&fake_engine);
#define ADD(name, function)                                                                        \
    g_test_add("/operation/" name, Fixture, NULL, set_up, function, tear_down)
    ADD("backup", test_backup);
    ADD("backup-fails", test_backup_fails);
    ADD("backup-busy", test_backup_busy);
    ADD("verify", test_verify);
    ADD("verify-gone", test_verify_gone);
    ADD("delete", test_delete);
    ADD("pin", test_pin);
    ADD("restore", test_restore);
    ADD("restore-fails", test_restore_fails);
    ADD("engine-without", test_engine_without);
    ADD("resolve", test_resolve);
    ADD("config", test_config);
    return g_test_run();
}
