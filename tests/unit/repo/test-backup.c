/* SPDX-License-Identifier: Apache-2.0
 *
 * A backup written, committed, read and deleted; damaged in every way; and with every call to the
 * store failing once.
 */
#include "../stores.h"

#include "base/error.h"
#include "base/log.h"
#include "repo/backup.h"
#include "repo/lease.h"
#include "repo/writer.h"

#define ID    "20261122T020000Z-market-full-k3f9"
#define OTHER "20261123T020000Z-market-full-abcd"

static const CompressSpec zstd = {CODEC_ZSTD, 1};
static const CompressSpec gzip = {CODEC_GZIP, 1};
static const CompressSpec plain = {CODEC_NONE, 0};

static Lease *take_lease(Repository *repository, const StoreFixture *fixture, const char *id,
                         GError **error)
{
    g_autofree char *directory = fixture_path(fixture, "run");
    LeaseRequest request = {.operation = "backup",
                            .source = "market",
                            .type = "full",
                            .exclusive = "backup/market/full",
                            .backup = id,
                            .runtime_directory = directory};

    return lease_acquire(repository, &request, error);
}

static char *long_text(void)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < 2000; i++)
        g_string_append_printf(text, "row %u of the table\n", i * 7919);
    return g_string_free(text, FALSE);
}

static gboolean fill(BackupWriter *writer, GError **error)
{
    g_autoptr(ObjectWriter) object = backup_writer_begin(writer, "data/trades.dump", zstd, error);
    g_autofree char *text = long_text();
    gsize half = strlen(text) / 2;

    if (object == NULL || !object_writer_write(object, text, half, error) ||
        !object_writer_write(object, text + half, strlen(text) - half, error) ||
        !object_writer_commit(object, NULL, error))
        return FALSE;
    return backup_writer_put(writer, "data/globals.sql", plain, "create role a;\n", 15, error) &&
           backup_writer_put(writer, "data/empty", gzip, "", 0, error) &&
           backup_writer_put(writer, "details.json", gzip, "{}\n", 3, error);
}

static Manifest *make_manifest(const char *id)
{
    Manifest *manifest = manifest_new(id, "market", "postgresql", BACKUP_FULL);

    manifest_set_method(manifest, "logical");
    manifest_set_times(manifest, 1000000, 2000000);
    return manifest;
}

/* The whole way of a backup, as an operation goes it. */
static gboolean write_backup(Repository *repository, const StoreFixture *fixture, const char *id,
                             GError **error)
{
    g_autoptr(Lease) lease = take_lease(repository, fixture, id, error);
    g_autoptr(BackupWriter) writer = NULL;
    g_autoptr(Manifest) manifest = make_manifest(id);

    if (lease == NULL)
        return FALSE;
    writer = backup_writer_new(repository, lease, id, error);
    return writer != NULL && fill(writer, error) && backup_writer_commit(writer, manifest, error);
}

static Repository *make_repository(Store *store)
{
    g_autoptr(GError) error = NULL;
    Repository *repository = repository_create(store, zstd, &error);

    g_assert_no_error(error);
    return repository;
}

static void assert_whole(Backup *backup)
{
    const Checksums *sums = backup_checksums(backup);
    g_autofree char *text = long_text();
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = NULL;

    g_assert_cmpuint(checksums_count(sums), ==, 5);
    for (guint i = 0; i < checksums_count(sums); i++) {
        g_assert_true(
            backup_check_object(backup, checksums_entry(sums, i)->path, NULL, NULL, &error));
        g_assert_no_error(error);
    }
    bytes = backup_get_object(backup, "data/trades.dump.zst", 1000000, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), text, strlen(text));
}

static void test_round_trip(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autoptr(Backup) backup = NULL;
    g_autoptr(GPtrArray) ids = NULL;
    g_autoptr(GBytes) globals = NULL;
    g_autoptr(GBytes) empty = NULL;
    g_autofree char *names = NULL;
    const ManifestObject *object;
    guint64 read = 0;

    g_assert_true(write_backup(repository, fixture, ID, &error));
    g_assert_no_error(error);
    names = list_names(fixture->store, "");
    g_assert_cmpstr(names, ==,
                    "backups/" ID "/SHA256SUMS backups/" ID "/data/empty.gz backups/" ID
                    "/data/globals.sql backups/" ID "/data/trades.dump.zst backups/" ID
                    "/details.json.gz backups/" ID "/manifest.json repository.json");
    g_assert_true(backup_list(repository, &ids, &error));
    g_assert_cmpuint(ids->len, ==, 1);
    g_assert_cmpstr(ids->pdata[0], ==, ID);
    backup = backup_open(repository, ID, &error);
    g_assert_no_error(error);
    assert_whole(backup);
    g_assert_cmpstr(manifest_repository(backup_manifest(backup)), ==, repository_id(repository));
    g_assert_cmpstr(backup_find_object(backup, "details.json"), ==, "details.json.gz");
    g_assert_cmpstr(backup_find_object(backup, "data/globals.sql"), ==, "data/globals.sql");
    g_assert_null(backup_find_object(backup, "data/nothing"));
    globals = backup_get_object(backup, "data/globals.sql", 15, &error);
    g_assert_cmpmem(g_bytes_get_data(globals, NULL), g_bytes_get_size(globals), "create role a;\n",
                    15);
    g_assert_null(backup_get_object(backup, "data/globals.sql", 14, &error));
    g_assert_true(error_is(error, ERROR_LIMIT));
    g_clear_error(&error);
    empty = backup_get_object(backup, "data/empty.gz", 15, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(g_bytes_get_size(empty), ==, 0);
    object = manifest_find_object(backup_manifest(backup), "data/trades.dump.zst");
    g_assert_cmpuint(object->plain_size, >, object->size);
    g_assert_true(backup_check_object(backup, object->path, &read, NULL, &error));
    g_assert_cmpuint(read, ==, object->size);
    g_assert_true(backup_check_presence(backup, object->path, &error));
    g_assert_false(backup_check_object(backup, "data/nothing", NULL, NULL, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    g_clear_error(&error);
    g_assert_false(backup_check_presence(backup, "data/nothing", &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    g_clear_error(&error);

    g_assert_true(store_delete(fixture->store, "backups/" ID "/data/trades.dump.zst", &error));
    g_assert_false(backup_check_presence(backup, "data/trades.dump.zst", &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
    g_clear_error(&error);
    g_assert_true(
        store_put(fixture->store, "backups/" ID "/data/trades.dump.zst", "cut", 3, &error));
    g_assert_false(backup_check_presence(backup, "data/trades.dump.zst", &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
}

static void test_ids(StoreFixture *fixture, gconstpointer data)
{
    static const char *const good[] = {ID, "20261122", "k3f9", "-k3f9", "20261122T020000Z-market"};
    static const char *const bad[] = {"", "2026", "20261122T020000Z-market-full-k3f8", "/", ".."};
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) ids = NULL;

    g_assert_null(backup_open(repository, ID, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    g_clear_error(&error);
    g_assert_true(write_backup(repository, fixture, OTHER, &error));
    g_assert_true(write_backup(repository, fixture, ID, &error));
    /* Neither of these is a committed backup. */
    put_text(fixture->store, "backups/20261124T020000Z-market-full-zzzz/data/x", "x");
    put_text(fixture->store, "backups/strange/SHA256SUMS", "# end 0 objects\n");
    g_assert_true(backup_list(repository, &ids, &error));
    g_assert_cmpuint(ids->len, ==, 2);
    g_assert_cmpstr(ids->pdata[1], ==, OTHER);
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(Backup) backup = backup_open(repository, good[i], &error);

        g_assert_no_error(error);
        g_assert_cmpstr(backup_id(backup), ==, ID);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_null(backup_open(repository, bad[i], &error));
        g_assert_true(error_is(error, ERROR_NOT_FOUND));
        g_assert_nonnull(error_hint(error));
        g_clear_error(&error);
    }
    g_assert_null(backup_open(repository, "20261122T020000Z-market-full-k3f8", &error));
    g_assert_nonnull(strstr(error_hint(error), ID));
}

static void test_writer_rules(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autoptr(Lease) lease = take_lease(repository, fixture, ID, &error);
    g_autoptr(BackupWriter) writer = backup_writer_new(repository, lease, ID, &error);
    g_autoptr(Manifest) foreign = make_manifest(OTHER);

    g_assert_no_error(error);
    g_assert_true(fill(writer, &error));
    g_assert_null(backup_writer_begin(writer, "details.json", gzip, &error));
    g_clear_error(&error);
    g_assert_null(backup_writer_begin(writer, "data/x.zst", plain, &error));
    g_clear_error(&error);
    g_assert_null(backup_writer_begin(writer, "manifest.json", plain, &error));
    g_clear_error(&error);
    g_assert_null(backup_writer_begin(writer, "../x", plain, &error));
    g_clear_error(&error);
    g_assert_null(backup_writer_new(repository, lease, ID, &error));
    g_assert_true(error_is(error, ERROR_EXISTS));
    g_clear_error(&error);
    g_assert_null(backup_writer_new(repository, lease, "..", &error));
    g_assert_true(error_is(error, ERROR_INTERNAL));
    g_clear_error(&error);
    g_assert_false(backup_writer_commit(writer, foreign, &error));
    g_assert_true(error_is(error, ERROR_INTERNAL));
}

/* A writer that is given up leaves nothing, nor does an object that is. */
static void test_given_up(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autoptr(Lease) lease = take_lease(repository, fixture, ID, &error);
    BackupWriter *writer = backup_writer_new(repository, lease, ID, &error);
    ObjectWriter *object;
    g_autofree char *names = NULL;

    g_assert_true(fill(writer, &error));
    object = backup_writer_begin(writer, "data/dropped", zstd, &error);
    g_assert_true(object_writer_write(object, "abc", 3, &error));
    object_writer_free(object);
    backup_writer_free(writer);
    names = list_names(fixture->store, "backups/");
    g_assert_cmpstr(names, ==, "");
}

/* An object that went away, or is not what was written, stops the commit. */
static void test_commit_checks(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) ids = NULL;

    for (guint i = 0; i < 2; i++) {
        g_autoptr(Lease) lease = take_lease(repository, fixture, ID, &error);
        g_autoptr(BackupWriter) writer = backup_writer_new(repository, lease, ID, &error);
        g_autoptr(Manifest) manifest = make_manifest(ID);

        g_assert_true(fill(writer, &error));
        g_assert_true(store_delete(fixture->store, "backups/" ID "/data/globals.sql", &error));
        if (i == 1)
            put_text(fixture->store, "backups/" ID "/data/globals.sql", "short");
        g_assert_false(backup_writer_commit(writer, manifest, &error));
        g_assert_true(error_is(error, i == 0 ? ERROR_NOT_FOUND : ERROR_DAMAGED));
        g_clear_error(&error);
    }
    g_assert_true(backup_list(repository, &ids, &error));
    g_assert_cmpuint(ids->len, ==, 0);
}

static void test_delete(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autofree char *names = NULL;

    g_assert_true(write_backup(repository, fixture, ID, &error));
    put_text(fixture->store, "backups/" OTHER "/data/x", "of a backup that is being written");
    g_assert_false(backup_delete(repository, OTHER, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    g_clear_error(&error);
    g_assert_false(backup_delete(repository, "..", &error));
    g_clear_error(&error);
    g_assert_true(backup_delete(repository, ID, &error));
    g_assert_no_error(error);
    names = list_names(fixture->store, "backups/");
    g_assert_cmpstr(names, ==, "backups/" OTHER "/data/x");
    g_assert_false(backup_delete(repository, ID, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
}

/* coreutils are the judge: the backup's folder is checked without us. */
static gboolean sha256sum_agrees(const StoreFixture *fixture)
{
    const char *argv[] = {"sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS", NULL};
    g_autofree char *folder = fixture_path(fixture, "store/backups/" ID);
    g_autoptr(GError) error = NULL;
    int status;

    g_assert_true(
        g_spawn_sync(folder, (char **)argv, NULL,
                     G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                     NULL, NULL, NULL, NULL, &status, &error));
    g_assert_no_error(error);
    return g_spawn_check_wait_status(status, NULL);
}

static void test_sha256sum(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;

    g_assert_true(write_backup(repository, fixture, ID, &error));
    g_assert_true(sha256sum_agrees(fixture));
    g_assert_true(store_delete(fixture->store, "backups/" ID "/data/globals.sql", &error));
    put_text(fixture->store, "backups/" ID "/data/globals.sql", "create role b;\n");
    g_assert_false(sha256sum_agrees(fixture));
}

/* Puts other bytes in an object's place. */
static void swap(Store *store, const char *name, const guint8 *bytes, gsize length)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(store_delete(store, name, &error));
    g_assert_true(store_put(store, name, bytes, length, &error));
    g_assert_no_error(error);
}

/* Two in step find what each would find alone, in either place. */
static void check_in_step(Backup *backup, const char *path, const char *other)
{
    const char *const paths[][2] = {{path, other}, {other, path}, {path, NULL}, {NULL, path}};

    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        BackupCheck pair[2] = {{.path = paths[i][0]}, {.path = paths[i][1]}};

        backup_check_pair(backup, pair, NULL);
        for (guint j = 0; j < G_N_ELEMENTS(pair); j++) {
            g_autoptr(GError) found = pair[j].problem, expected = NULL;
            guint64 bytes = 0;

            if (pair[j].path != NULL &&
                backup_check_object(backup, pair[j].path, &bytes, NULL, &expected))
                g_assert_cmpuint(pair[j].bytes, ==, bytes);
            g_assert_cmpstr(found != NULL ? found->message : NULL, ==,
                            expected != NULL ? expected->message : NULL);
        }
    }
}

/* Opens the backup and checks all its objects. */
static gboolean verify(Repository *repository, GError **error)
{
    g_autoptr(Backup) backup = backup_open(repository, ID, error);

    if (backup == NULL)
        return FALSE;
    for (guint i = 0; i < checksums_count(backup_checksums(backup)); i++) {
        const char *path = checksums_entry(backup_checksums(backup), i)->path;
        g_autoptr(GBytes) bytes = NULL;
        g_autoptr(GError) read_error = NULL;

        check_in_step(backup, path, checksums_entry(backup_checksums(backup), 0)->path);
        if (backup_check_object(backup, path, NULL, NULL, error))
            continue;
        /* What does not verify cannot be read either. */
        bytes = backup_get_object(backup, path, 1000000, &read_error);
        g_assert_null(bytes);
        g_assert_true(error_is(read_error, ERROR_DAMAGED));
        return FALSE;
    }
    return TRUE;
}

static void assert_damaged(Repository *repository, const char *name)
{
    g_autoptr(GError) error = NULL;

    if (verify(repository, &error))
        g_error("damage in %s was not found", name);
    if (!error_is(error, ERROR_DAMAGED))
        g_error("damage in %s: %s", name, error->message);
}

/* Each object in turn with a flipped bit, cut off, longer, missing. */
static void test_damage(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autofree char *joined = NULL;
    g_auto(GStrv) names = NULL;

    g_assert_true(write_backup(repository, fixture, ID, &error));
    joined = list_names(fixture->store, "backups/");
    names = g_strsplit(joined, " ", -1);
    for (gsize i = 0; names[i] != NULL; i++) {
        g_autoptr(GBytes) bytes = store_get(fixture->store, names[i], 10000000, &error);
        gsize length = g_bytes_get_size(bytes);
        const guint8 *good = g_bytes_get_data(bytes, NULL);
        g_autofree guint8 *bad = g_malloc0(length + 1);

        memcpy(bad, good, length);
        for (gsize at = 0; at < length; at += 1 + length / 8) {
            bad[at] ^= 0x04;
            swap(fixture->store, names[i], bad, length);
            assert_damaged(repository, names[i]);
            bad[at] ^= 0x04;
        }
        swap(fixture->store, names[i], bad, length - 1);
        assert_damaged(repository, names[i]);
        swap(fixture->store, names[i], bad, length + 1);
        assert_damaged(repository, names[i]);
        g_assert_true(store_delete(fixture->store, names[i], &error));
        if (!g_str_has_suffix(names[i], "/SHA256SUMS"))
            assert_damaged(repository, names[i]);
        g_assert_true(store_put(fixture->store, names[i], good, length, &error));
        g_assert_true(verify(repository, &error));
        g_assert_no_error(error);
    }
}

/* A whole backup in another one's folder is damage: its manifest says another id. */
static void test_wrong_folder(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autofree char *joined = NULL;
    g_auto(GStrv) names = NULL;

    g_assert_true(write_backup(repository, fixture, ID, &error));
    joined = list_names(fixture->store, "backups/");
    names = g_strsplit(joined, " ", -1);
    for (gsize i = 0; names[i] != NULL; i++) {
        g_autoptr(GBytes) bytes = store_get(fixture->store, names[i], 10000000, &error);
        g_autofree char *moved =
            g_strconcat("backups/" OTHER, names[i] + strlen("backups/" ID), NULL);

        g_assert_true(store_put(fixture->store, moved, g_bytes_get_data(bytes, NULL),
                                g_bytes_get_size(bytes), &error));
    }
    g_assert_null(backup_open(repository, OTHER, &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
}

/* A newer Holdfast's backup is whole, and refused all the same, with the advice to update. */
static void test_newer(StoreFixture *fixture, gconstpointer data)
{
    static const char newer[] = "{\"format_version\": 2, \"id\": \"" ID "\", \"novel\": []}";
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(Checksums) sums = checksums_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) ids = NULL;
    g_autofree char *text = NULL;
    guint8 digest[SHA256_SIZE];
    gsize length;

    sha256_buffer(newer, strlen(newer), digest);
    checksums_add(sums, "manifest.json", digest);
    text = checksums_write(sums, &length);
    put_text(fixture->store, "backups/" ID "/manifest.json", newer);
    put_text(fixture->store, "backups/" ID "/SHA256SUMS", text);
    g_assert_null(backup_open(repository, ID, &error));
    g_assert_true(error_is(error, ERROR_NEWER_FORMAT));
    g_assert_nonnull(strstr(error_hint(error), "update"));
    /* It is in the list: what is there is not hidden. */
    g_assert_true(backup_list(repository, &ids, NULL));
    g_assert_cmpuint(ids->len, ==, 1);
}

static gboolean refuse(const void *bytes, gsize length, gpointer data, GError **error)
{
    error_set(error, ERROR_VANISHED, "the reader went away");
    return FALSE;
}

static void test_sink_error(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(Backup) backup = NULL;
    BackupCheck pair[2] = {{.path = "data/trades.dump.zst"}, {.path = "data/nothing"}};

    g_assert_true(write_backup(repository, fixture, ID, &error));
    backup = backup_open(repository, ID, &error);
    g_assert_false(backup_read_object(backup, "data/trades.dump.zst", refuse, NULL, NULL, &error));
    g_assert_true(error_is(error, ERROR_VANISHED));
    g_assert_cmpstr(error->message, ==, "the reader went away");
    g_clear_error(&error);
    g_cancellable_cancel(cancellable);
    g_assert_false(backup_check_object(backup, "data/trades.dump.zst", NULL, cancellable, &error));
    g_assert_true(error_is(error, ERROR_CANCELLED));
    g_clear_error(&error);
    backup_check_pair(backup, pair, cancellable);
    g_assert_true(error_is(pair[0].problem, ERROR_CANCELLED));
    g_assert_true(error_is(pair[1].problem, ERROR_NOT_FOUND));
    g_clear_error(&pair[0].problem);
    g_clear_error(&pair[1].problem);
}

static gboolean read_all(Repository *repository, GError **error)
{
    g_autoptr(Backup) backup = backup_open(repository, ID, error);

    if (backup == NULL)
        return FALSE;
    for (guint i = 0; i < checksums_count(backup_checksums(backup)); i++) {
        const char *path = checksums_entry(backup_checksums(backup), i)->path;
        g_autoptr(GBytes) bytes = backup_get_object(backup, path, 1000000, error);

        if (bytes == NULL)
            return FALSE;
    }
    return TRUE;
}

/* Write, read, delete with the Nth call to the store failing: afterwards the backup is there and
 * whole, or not at all, and the return values say which. TRUE when the whole scenario went through
 * without meeting the fault. */
static gboolean run_with_fault(StoreFixture *fixture, StoreFault fault, guint64 nth)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) ids = NULL;
    g_autofree char *rest = NULL;
    gboolean written, deleted;
    guint64 calls = store_fault_calls(fixture->store);

    store_fault_arm(fixture->store, fault, nth, ERROR_IO);
    written = write_backup(repository, fixture, ID, &error);
    g_assert_true(written == (error == NULL));
    if (store_fault_calls(fixture->store) - calls >= nth) {
        store_fault_arm(fixture->store, STORE_FAULT_NONE, 0, 0);
        g_assert_true(backup_list(repository, &ids, NULL));
        g_assert_cmpuint(ids->len, ==, written ? 1 : 0);
    }
    if (!written) {
        store_fault_arm(fixture->store, STORE_FAULT_NONE, 0, 0);
        /* Nothing stays behind but what a second failure would leave; there was none. */
        rest = list_names(fixture->store, "backups/");
        g_assert_cmpstr(rest, ==, "");
        return FALSE;
    }
    g_clear_error(&error);
    /* Reading may meet the fault, and must say so as what it is: no damage. */
    if (!read_all(repository, &error))
        g_assert_true(error_is(error, fault == STORE_FAULT_NO_SPACE ? ERROR_NO_SPACE : ERROR_IO));
    g_clear_error(&error);
    deleted = backup_delete(repository, ID, &error);
    calls = store_fault_calls(fixture->store) - calls;
    store_fault_arm(fixture->store, STORE_FAULT_NONE, 0, 0);
    g_clear_pointer(&ids, g_ptr_array_unref);
    g_assert_true(backup_list(repository, &ids, NULL));
    g_assert_cmpuint(ids->len, ==, deleted ? 0 : 1);
    if (!deleted)
        g_assert_true(verify(repository, NULL));
    return calls < nth;
}

static void test_every_fault(StoreFixture *fixture, gconstpointer data)
{
    static const StoreFault faults[] = {STORE_FAULT_ERROR, STORE_FAULT_NO_SPACE, STORE_FAULT_DONE,
                                        STORE_FAULT_SHORT};

    /* Every call over memory; some of them over files, which takes its time with so many fsyncs. */
    const guint64 step = fixture->kind == STORE_FAULTY_MEMORY ? 1 : 9;

    for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
        guint64 nth = step == 1 ? 1 : 1 + i;
        gboolean through = FALSE;

        for (; !through; nth += step) {
            StoreFixture fresh = *fixture;

            g_assert_cmpuint(nth, <, 1000);
            if (fixture->kind == STORE_FAULTY_MEMORY)
                fresh.store = store_new_fault(store_new_memory());
            else
                store_fixture_open(&fresh, data);
            through = run_with_fault(&fresh, faults[i], nth);
            if (fixture->kind == STORE_FAULTY_MEMORY)
                store_unref(fresh.store);
            else
                store_fixture_close(&fresh, data);
        }
        /* The scenario is not trivially short. */
        g_assert_cmpuint(nth, >, 40);
    }
}

static void keep_quiet(LogLevel level, const char *text, const LogField *fields, gpointer data)
{
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    /* The failing store makes for warnings. */
    log_set_writer(keep_quiet, NULL);
    add_store_test("/repo/backup/round-trip", STORE_MEMORY, test_round_trip);
    add_store_test("/repo/backup/ids", STORE_MEMORY, test_ids);
    add_store_test("/repo/backup/writer-rules", STORE_MEMORY, test_writer_rules);
    add_store_test("/repo/backup/given-up", STORE_MEMORY, test_given_up);
    add_store_test("/repo/backup/commit-checks", STORE_MEMORY, test_commit_checks);
    add_store_test("/repo/backup/delete", STORE_MEMORY, test_delete);
    add_store_test("/repo/backup/damage", STORE_MEMORY, test_damage);
    g_test_add("/repo/backup/sha256sum", StoreFixture, GINT_TO_POINTER(STORE_POSIX),
               store_fixture_open, test_sha256sum, store_fixture_close);
    add_store_test("/repo/backup/wrong-folder", STORE_MEMORY, test_wrong_folder);
    add_store_test("/repo/backup/newer", STORE_MEMORY, test_newer);
    add_store_test("/repo/backup/sink-error", STORE_MEMORY, test_sink_error);
    g_test_add("/repo/backup/every-fault/memory", StoreFixture,
               GINT_TO_POINTER(STORE_FAULTY_MEMORY), store_fixture_open, test_every_fault,
               store_fixture_close);
    g_test_add("/repo/backup/every-fault/posix", StoreFixture, GINT_TO_POINTER(STORE_FAULTY_POSIX),
               store_fixture_open, test_every_fault, store_fixture_close);
    return g_test_run();
}
