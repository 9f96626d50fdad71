/* SPDX-License-Identifier: Apache-2.0
 *
 * Recovery objectives, with an engine whose logs lead where the test wants: what is found, and that
 * nothing which was not looked at is ok.
 */
#include "operation/objectives.h"

#include "base/error.h"
#include "base/time.h"
#include "engine/engine.h"
#include "repo/backup-id.h"
#include "repo/lease.h"
#include "repo/record.h"
#include "repo/writer.h"
#include "scratch.h"

/* --- An engine with logs ---------------------------------------------------------------------- */

static struct {
    gint64 to; /* where the logs behind every backup lead to */
    gboolean fails, asked, complete;
    gboolean bare; /* no logs at all */
    gint64 moment;
    const char *doubt;
    guint64 replay_bytes;
} fake;

static gboolean fake_reach(const EngineReachRequest *request, EngineReach *ret_reach,
                           GError **error)
{
    EngineWindow *window;

    if (fake.fails) {
        error_set(error, ERROR_DAMAGED, "the last segment is damaged");
        return FALSE;
    }
    ret_reach->asked = fake.asked;
    ret_reach->complete = fake.complete;
    ret_reach->doubt = g_strdup(fake.doubt);
    ret_reach->replay_bytes = fake.replay_bytes;
    ret_reach->moment = fake.moment;
    if (fake.bare)
        return TRUE;
    window = g_new0(EngineWindow, 1);
    g_assert_true(backup_list(request->repository, &window->backups, error));
    window->to = fake.to;
    ret_reach->windows = g_ptr_array_new_with_free_func((GDestroyNotify)engine_window_free);
    g_ptr_array_add(ret_reach->windows, window);
    return TRUE;
}

static const Engine with_logs = {.name = "postgresql",
                                 .rto = 5 * TIME_MINUTE,
                                 .rpo = 5 * TIME_MINUTE,
                                 .reach = fake_reach};

/* --- A repository ----------------------------------------------------------------------------- */

typedef struct {
    char *directory;
    OperationContext *context;
    gint64 now;
    char *backup;
} Fixture;

static gint64 fake_time(gpointer data)
{
    return ((Fixture *)data)->now;
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    memset(&fake, 0, sizeof(fake));
    fixture->directory = g_dir_make_tmp("holdfast-objectives-XXXXXX", NULL);
    /* Records are dated by the store's clock. */
    fixture->now = time_now();
    time_set_source(fake_time, fixture);
    fixture->context = scratch_open(fixture->directory, "",
                                    "[source market]\nengine = postgresql\n"
                                    "[source ticks]\nengine = tdengine\n");
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    time_set_source(NULL, NULL);
    scratch_close(fixture->context, fixture->directory);
    g_free(fixture->directory);
    g_free(fixture->backup);
}

/* A full of 1000 bytes that ended so long ago. */
static void make_backup(Fixture *fixture, gint64 ago, gboolean partial)
{
    static const CompressSpec plain = {.codec = CODEC_NONE};
    g_autofree char *rows = g_strnfill(1000, 'x');
    gint64 when = fixture->now - ago;
    g_autoptr(GError) error = NULL;
    const LeaseRequest request = {.operation = "backup",
                                  .runtime_directory =
                                      config_runtime_directory(fixture->context->config)};
    g_autoptr(Lease) lease = lease_acquire(fixture->context->repository, &request, &error);
    g_autoptr(Manifest) manifest = NULL;
    g_autoptr(BackupWriter) writer = NULL;

    g_assert_no_error(error);
    g_free(fixture->backup);
    fixture->backup = backup_id_make(when, "market", "full");
    manifest = manifest_new(fixture->backup, "market", "postgresql", BACKUP_FULL);
    writer = backup_writer_new(fixture->context->repository, lease, fixture->backup, &error);
    g_assert_no_error(error);
    manifest_set_times(manifest, when, when);
    manifest_set_partial(manifest, partial);
    g_assert_true(backup_writer_put(writer, "data/a", plain, rows, 1000, &error));
    g_assert_true(backup_writer_commit(writer, manifest, &error));
    g_assert_no_error(error);
    g_assert_true(catalog_refresh(fixture->context->catalog, &error));
}

static void put_record(Fixture *fixture, const char *kind, const char *result, double seconds)
{
    g_autoptr(json_t) body =
        json_pack("{s:s, s:s, s:s, s:i, s:s, s:f}", "backup", fixture->backup, "source", "market",
                  "engine", "postgresql", "bytes", 1000, "result", result, "seconds", seconds);
    g_autoptr(GError) error = NULL;

    g_assert_true(record_write(fixture->context->repository, kind, body, NULL, &error));
    g_assert_true(catalog_refresh(fixture->context->catalog, &error));
}

/* Of the source; to be freed. */
static Objective *look(Fixture *fixture, const char *source)
{
    g_autoptr(GPtrArray) objectives = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(operation_objectives(fixture->context, source, NULL, &objectives, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(objectives->len, ==, 1);
    return g_ptr_array_steal_index(objectives, 0);
}

static void assert_states(Fixture *fixture, ObjectiveState rpo, ObjectiveState rto,
                          ObjectiveState proof)
{
    Objective *objective = look(fixture, "market");

    g_assert_cmpint(objective->states[OBJECTIVE_RPO], ==, rpo);
    g_assert_cmpint(objective->states[OBJECTIVE_RTO], ==, rto);
    g_assert_cmpint(objective->states[OBJECTIVE_PROOF], ==, proof);
    g_assert_cmpint(objective->state, ==, MAX(MAX(rpo, rto), proof));
    for (guint i = 0; i < objective->findings->len; i++) {
        const ObjectiveFinding *finding = g_ptr_array_index(objective->findings, i);

        g_assert_nonnull(finding->reason);
        g_assert_nonnull(finding->command);
    }
    objective_free(objective);
}
#define STATES(rpo, rto, proof)                                                                    \
    assert_states(fixture, OBJECTIVE_##rpo, OBJECTIVE_##rto, OBJECTIVE_##proof)

/* --- Cases ------------------------------------------------------------------------------------ */

static void test_nothing(Fixture *fixture, gconstpointer data)
{
    STATES(MISSED, MISSED, MISSED);
    /* A partial backup is as good as none. */
    make_backup(fixture, TIME_MINUTE, TRUE);
    fake.to = fixture->now;
    STATES(MISSED, MISSED, MISSED);
}

static void test_loss(Fixture *fixture, gconstpointer data)
{
    make_backup(fixture, TIME_HOUR, FALSE);
    put_record(fixture, "verify", "good", 1);
    put_record(fixture, "drill", "succeeded", 1);
    fake.asked = TRUE;
    fake.doubt = "the server has WAL that is not archived yet";
    fake.to = fixture->now - 3 * TIME_MINUTE;
    STATES(OK, OK, OK);
    fake.to = fixture->now - 4 * TIME_MINUTE;
    STATES(AT_RISK, OK, OK);
    fake.to = fixture->now - 6 * TIME_MINUTE;
    STATES(MISSED, OK, OK);
    fake.complete = TRUE;
    fake.doubt = NULL;
    STATES(OK, OK, OK);
    fake.complete = fake.asked = FALSE;
    fake.doubt = "no route to host";
    fake.to = fixture->now;
    STATES(AT_RISK, OK, OK);
    fake.fails = TRUE;
    STATES(MISSED, OK, OK);
}

static void expect_newest(Fixture *fixture, gint64 newest, gint64 oldest, gboolean complete)
{
    Objective *objective = look(fixture, "market");

    g_assert_cmpint(objective->newest, ==, newest);
    g_assert_cmpint(objective->oldest, ==, oldest);
    g_assert_cmpint(objective->complete, ==, complete);
    g_assert_cmpint(objective->age, ==, fixture->now - newest);
    g_assert_cmpuint(objective->gaps->len, ==, 0);
    objective_free(objective);
}

/* Without logs: of the newest backup the engine knows the moment, of older ones it is the start. */
static void test_moment(Fixture *fixture, gconstpointer data)
{
    const gint64 hour = fixture->now - TIME_HOUR, minute = fixture->now - TIME_MINUTE;

    fake.bare = TRUE;
    make_backup(fixture, TIME_HOUR, FALSE);
    expect_newest(fixture, hour, hour, FALSE);
    fake.moment = hour - 2 * TIME_SECOND;
    expect_newest(fixture, fake.moment, fake.moment, FALSE);
    make_backup(fixture, TIME_MINUTE, FALSE);
    fake.moment = minute - 2 * TIME_SECOND;
    expect_newest(fixture, fake.moment, hour, FALSE);
    /* Nothing was written since: not the backup's moment counts, but that of the look. */
    fake.complete = fake.asked = TRUE;
    fake.moment = fixture->now - 2 * TIME_SECOND;
    expect_newest(fixture, fake.moment, hour, TRUE);
}

static void test_time(Fixture *fixture, gconstpointer data)
{
    Objective *objective;

    make_backup(fixture, TIME_MINUTE, FALSE);
    put_record(fixture, "verify", "good", 1);
    fake.asked = fake.complete = TRUE;
    fake.to = fixture->now;
    STATES(OK, AT_RISK, OK); /* never measured */
    put_record(fixture, "restore", "failed", 1);
    STATES(OK, AT_RISK, OK);
    put_record(fixture, "restore", "succeeded", 100);
    STATES(OK, OK, OK);
    fake.replay_bytes = 1500;
    STATES(OK, AT_RISK, OK); /* 250 of 300 seconds */
    fake.replay_bytes = 2500;
    STATES(OK, MISSED, OK);
    put_record(fixture, "drill", "succeeded", 50);
    STATES(OK, MISSED, OK); /* of two the slower one */
    put_record(fixture, "drill", "succeeded", 50);
    STATES(OK, OK, OK);
    objective = look(fixture, "market");
    g_assert_cmpstr(objective->measured_by, ==, "drill");
    g_assert_cmpint(objective->expected, ==, 175 * TIME_SECOND);
    objective_free(objective);
    put_record(fixture, "drill", "failed", 50);
    STATES(OK, MISSED, OK);
    put_record(fixture, "drill", "succeeded", 50);
    STATES(OK, OK, OK);
}

static void test_proof(Fixture *fixture, gconstpointer data)
{
    make_backup(fixture, TIME_MINUTE, FALSE);
    put_record(fixture, "drill", "succeeded", 1);
    fake.asked = fake.complete = TRUE;
    fake.to = fixture->now;
    STATES(OK, OK, AT_RISK);
    put_record(fixture, "verify", "good", 1);
    STATES(OK, OK, OK);
    put_record(fixture, "verify", "damaged", 1);
    STATES(MISSED, MISSED, MISSED);
}

static void put_archive_record(Fixture *fixture, const char *archive, const char *source,
                               const char *result)
{
    g_autoptr(json_t) body = json_pack("{s:s, s:s, s:s, s:[s]}", "archive", archive, "source",
                                       source, "result", result, "problems", "it is cut");
    g_autoptr(GError) error = NULL;

    /* Records of one second are in no order. */
    fixture->now += 2 * TIME_SECOND;
    g_assert_true(record_write(fixture->context->repository, "verify", body, NULL, &error));
    g_assert_true(catalog_refresh(fixture->context->catalog, &error));
}

/* What verify has found in the logs stands until it finds nothing; that of other sources is no
 * matter. */
static void test_damaged_logs(Fixture *fixture, gconstpointer data)
{
    make_backup(fixture, TIME_MINUTE, FALSE);
    put_record(fixture, "drill", "succeeded", 1);
    put_record(fixture, "verify", "good", 1);
    fake.asked = fake.complete = TRUE;
    fake.to = fixture->now;
    put_archive_record(fixture, "wal/other", "other", "damaged");
    STATES(OK, OK, OK);
    put_archive_record(fixture, "wal/market", "market", "damaged");
    STATES(OK, OK, AT_RISK);
    put_archive_record(fixture, "wal/market", "market", "good");
    STATES(OK, OK, OK);
}

/* An engine that nobody knows: nothing was looked at. */
static void test_unknown_engine(Fixture *fixture, gconstpointer data)
{
    Objective *objective = look(fixture, "ticks");

    g_assert_cmpint(objective->state, ==, OBJECTIVE_MISSED);
    g_assert_cmpuint(objective->findings->len, ==, 3);
    objective_free(objective);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    engine_register(&with_logs);
#define ADD(name, function)                                                                        \
    g_test_add("/objectives/" name, Fixture, NULL, set_up, function, tear_down)
    ADD("nothing", test_nothing);
    ADD("loss", test_loss);
    ADD("moment", test_moment);
    ADD("time", test_time);
    ADD("proof", test_proof);
    ADD("damaged-logs", test_damaged_logs);
    ADD("unknown-engine", test_unknown_engine);
    return g_test_run();
}
