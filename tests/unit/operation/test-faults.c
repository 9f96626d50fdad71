/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole operations over a store that fails at its Nth call, for every N: afterwards the repository
 * is the old one or the new one, and the exit status says which.
 */
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "engine/engine.h"
#include "operation/backup.h"
#include "operation/cleanup.h"
#include "operation/delete.h"
#include "operation/verify.h"

#define MOST_CALLS 1000

/* --- an engine whose backups have the objects of a small database ----------------------------- */

static gboolean fake_backup(const EngineBackup *request, GError **error)
{
    static const char *const stems[] = {"data/globals.sql", "data/1/schema.dump",
                                        "data/1/table-2.dump", "data/1/rest.dump", "details.json"};

    for (guint i = 0; i < G_N_ELEMENTS(stems); i++)
        if (!backup_writer_put(request->writer, stems[i], request->compression, stems[i],
                               strlen(stems[i]), error))
            return FALSE;
    manifest_set_counts(request->manifest, 1, 4);
    return TRUE;
}

static gboolean fake_check_object(const EngineProof *proof, const char *path, gboolean *ret_looked,
                                  GCancellable *cancellable, GError **error)
{
    return TRUE;
}

static const Engine fake_engine = {.name = "postgresql",
                                   .backup = fake_backup,
                                   .check_object = fake_check_object};

/* --- a repository with one good backup -------------------------------------------------------- */

/* Of run files; all runs share it. */
static char *directory;

typedef struct {
    Store *store; /* the failing one */
    OperationContext *context;
    char *old; /* the backup that is there */
} World;

static gboolean take_backup(World *world, GError **error)
{
    const BackupRequest request = {.engine = "postgresql", .type = BACKUP_FULL};
    g_autoptr(Manifest) manifest = NULL;
    g_autoptr(Lease) hold = NULL;

    return operation_backup(world->context, &request, NULL, NULL, &manifest, &hold, error);
}

static GPtrArray *list_backups(World *world)
{
    g_autoptr(GPtrArray) ids = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(backup_list(world->context->repository, &ids, &error));
    g_assert_no_error(error);
    return g_steal_pointer(&ids);
}

static void world_open(World *world)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GPtrArray) ids = NULL;

    text = g_strdup_printf("[general]\nstate_directory = %s/s\nruntime_directory = %s/run\n"
                           "[repository]\npath = %s/r\n[retention]\ngrace = 0s\n"
                           "[source market]\nengine = postgresql\nmethod = logical\n",
                           directory, directory, directory);
    world->store = store_new_fault(store_new_memory());
    world->context = g_new0(OperationContext, 1);
    world->context->config = config_parse(text, strlen(text), "test", &error);
    g_assert_no_error(error);
    world->context->repository = repository_create(world->store, COMPRESS_DEFAULT, &error);
    g_assert_no_error(error);
    world->context->catalog = catalog_open(world->context->repository, NULL, &error);
    g_assert_no_error(error);
    world->context->scratch_directory = g_strdup(g_get_tmp_dir());
    g_assert_true(take_backup(world, &error));
    ids = list_backups(world);
    g_assert_cmpuint(ids->len, ==, 1);
    world->old = g_strdup(g_ptr_array_index(ids, 0));
}

static void world_close(World *world)
{
    operation_context_free(world->context);
    store_unref(world->store);
    g_free(world->old);
}

/* Everything that is listed is whole. */
static void assert_all_good(World *world)
{
    g_autoptr(GPtrArray) ids = list_backups(world);

    for (guint i = 0; i < ids->len; i++) {
        g_autoptr(VerifyReport) report = NULL;
        g_autoptr(GError) error = NULL;

        g_assert_true(operation_verify(world->context,
                                       &(VerifyRequest){.backup_id = g_ptr_array_index(ids, i),
                                                        .level = PROOF_STRUCTURE,
                                                        .sample = 1,
                                                        .jobs = 1},
                                       &report, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(report->damage->len, ==, 0);
    }
}

/* --- the operations --------------------------------------------------------------------------- */

typedef struct {
    gboolean (*run)(World *world, GError **error);
    guint after; /* backups there are when it says that it has done its work */
} Operation;

static gboolean run_verify(World *world, GError **error)
{
    g_autoptr(VerifyReport) report = NULL;

    if (!operation_verify(world->context,
                          &(VerifyRequest){.backup_id = world->old,
                                           .level = PROOF_STRUCTURE,
                                           .sample = 1,
                                           .jobs = 1},
                          &report, error))
        return FALSE;
    /* A store that fails is no damage. */
    g_assert_cmpuint(report->damage->len, ==, 0);
    return TRUE;
}

static gboolean run_delete(World *world, GError **error)
{
    g_autofree char *id = NULL;

    return operation_delete(world->context, world->old, TRUE, &id, error);
}

static gboolean run_cleanup(World *world, GError **error)
{
    g_auto(CleanupResult) result = {0};
    const CleanupRequest request = {.yes = TRUE};

    return operation_cleanup(world->context, &request, NULL, NULL, NULL, &result, error);
}

static const Operation backup_operation = {take_backup, 2};
static const Operation verify_operation = {run_verify, 1};
static const Operation delete_operation = {run_delete, 0};
static const Operation cleanup_operation = {run_cleanup, 1};

/* FALSE: the operation came to its end before the Nth call. */
static gboolean fail_once(const Operation *operation, StoreFault fault, guint64 nth)
{
    World world = {0};
    g_autoptr(GPtrArray) ids = NULL;
    g_autoptr(GError) error = NULL;
    gboolean done, met;
    guint64 calls;

    world_open(&world);
    calls = store_fault_calls(world.store);
    store_fault_arm(world.store, fault, nth, ERROR_UNREACHABLE);
    done = operation->run(&world, &error);
    met = store_fault_calls(world.store) - calls >= nth;
    store_fault_arm(world.store, STORE_FAULT_NONE, 0, 0);

    ids = list_backups(&world);
    if (done) {
        g_assert_no_error(error);
        g_assert_cmpuint(ids->len, ==, operation->after);
    } else {
        g_assert_cmpint(error_info((ErrorCode)error->code)->exit_status, ==,
                        fault == STORE_FAULT_NO_SPACE ? 1 : 5);
        g_assert_cmpuint(ids->len, ==, 1);
        g_assert_cmpstr(g_ptr_array_index(ids, 0), ==, world.old);
    }
    assert_all_good(&world);
    world_close(&world);
    return met;
}

static void test_operation(gconstpointer data)
{
    static const StoreFault faults[] = {STORE_FAULT_ERROR, STORE_FAULT_NO_SPACE, STORE_FAULT_DONE,
                                        STORE_FAULT_SHORT};

    for (guint i = 0; i < G_N_ELEMENTS(faults); i++) {
        guint64 nth = 1;

        while (nth < MOST_CALLS && fail_once(data, faults[i], nth))
            nth++;
        g_assert_cmpuint(nth, >, 5);
        g_assert_cmpuint(nth, <, MOST_CALLS);
    }
}

/* What a failed operation could not tell is in the log, which nobody reads here. */
static void drop_log(LogLevel level, const char *text, const LogField *fields, gpointer data)
{
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    int status;

    g_test_init(&argc, &argv, NULL);
    engine_register(&fake_engine);
    log_set_writer(drop_log, NULL);
    directory = g_dir_make_tmp("holdfast-faults-XXXXXX", &error);
    g_assert_no_error(error);
    g_test_add_data_func("/faults/backup", &backup_operation, test_operation);
    g_test_add_data_func("/faults/verify", &verify_operation, test_operation);
    g_test_add_data_func("/faults/delete", &delete_operation, test_operation);
    g_test_add_data_func("/faults/cleanup", &cleanup_operation, test_operation);
    status = g_test_run();
    g_assert_true(directory_remove(directory, &error));
    g_free(directory);
    return status;
}
