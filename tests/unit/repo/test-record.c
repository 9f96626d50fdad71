/* SPDX-License-Identifier: Apache-2.0
 *
 * Records: written, read in order, bad ones passed over but never silently.
 */
#include "../stores.h"

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "repo/document.h"
#include "repo/record.h"

static guint warnings;

static void count_warning(LogLevel level, const char *text, const LogField *fields, gpointer data)
{
    warnings++;
}

static Repository *make_repository(Store *store)
{
    g_autoptr(GError) error = NULL;
    Repository *repository = repository_create(store, COMPRESS_DEFAULT, &error);

    g_assert_no_error(error);
    return repository;
}

static gboolean collect(const char *name, const char *kind, gint64 when, const json_t *body,
                        gpointer data, GError **error)
{
    GString *text = data;

    g_assert_cmpint(ABS(when - time_now()), <, TIME_MINUTE);
    g_assert_true(g_str_has_prefix(name, "records/"));
    g_assert_cmpstr(json_get_string(body, "kind", NULL), ==, kind);
    g_assert_cmpstr(json_get_string(body, "tool_version", NULL), ==, HOLDFAST_VERSION);
    g_assert_nonnull(json_get_string(body, "user", NULL));
    g_assert_nonnull(json_get_string(body, "host", NULL));
    g_string_append_printf(text, "%s:%s ", kind, json_get_string(body, "backup", "-"));
    return TRUE;
}

static char *all_records(Repository *repository)
{
    GString *text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(record_each(repository, collect, text, &error));
    g_assert_no_error(error);
    return g_string_free(text, FALSE);
}

static void test_write_read(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    /* What a record says of itself is not for its writer to say. */
    g_autoptr(json_t) body = json_pack("{s:s, s:s}", "backup", "b1", "kind", "forged");
    g_autoptr(json_t) empty = json_object();
    g_autofree char *id = NULL;
    g_autofree char *name = NULL;
    g_autofree char *text = NULL;
    StoreInfo info;

    g_assert_true(record_write(repository, "pin", body, &id, &error));
    g_assert_no_error(error);
    name = g_strdup_printf("records/%s.json", id);
    g_assert_true(store_stat(fixture->store, name, &info, &error));
    g_assert_nonnull(strstr(id, "-pin-"));
    g_assert_cmpuint(json_object_size(body), ==, 2);
    g_assert_true(record_write(repository, "verify", empty, NULL, &error));
    text = all_records(repository);
    g_assert_nonnull(strstr(text, "pin:b1 "));
    g_assert_nonnull(strstr(text, "verify:- "));
    g_assert_false(record_write(repository, "a/b", empty, NULL, &error));
    g_assert_true(error_is(error, ERROR_INTERNAL));
}

static void test_bad_records(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) body = json_object();
    g_autofree char *text = NULL;

    put_text(fixture->store, "records/1.json", "");
    put_text(fixture->store, "records/2.json", "{\"format_version\": 1}");
    put_text(fixture->store, "records/3.json", "{\"format_version\": 2}");
    put_text(fixture->store, "records/4.json",
             "{\"format_version\": 1, \"id\": \"5\", \"kind\": \"pin\", \"time\": "
             "\"2026-11-22T02:00:00Z\"}");
    put_text(fixture->store, "records/6.json",
             "{\"format_version\": 1, \"id\": \"6\", \"kind\": \"pin\", \"time\": \"noon\"}");
    g_assert_true(record_write(repository, "pin", body, NULL, &error));
    warnings = 0;
    text = all_records(repository);
    g_assert_cmpstr(text, ==, "pin:- ");
    g_assert_cmpuint(warnings, ==, 5);
}

/* Those that are known are not even looked at. */
static void test_new_records(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) body = json_object();

    put_text(fixture->store, "records/1.json", "");
    put_text(fixture->store, "records/2.json", "");
    g_assert_true(record_write(repository, "pin", body, NULL, &error));
    g_hash_table_add(known, "records/1.json");
    warnings = 0;
    g_assert_true(record_each_new(repository, known, collect, text, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(text->str, ==, "pin:- ");
    g_assert_cmpuint(warnings, ==, 1);
}

static gboolean stop(const char *name, const char *kind, gint64 when, const json_t *body,
                     gpointer data, GError **error)
{
    error_set(error, ERROR_VANISHED, "enough");
    return FALSE;
}

/* A store that fails must not hide a pin. */
static void test_store_fails(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) body = json_object();

    g_assert_true(record_write(repository, "pin", body, NULL, &error));
    for (guint64 nth = 1; nth <= 3; nth++) {
        GString *text = g_string_new(NULL);

        store_fault_arm(fixture->store, STORE_FAULT_ERROR, nth, ERROR_IO);
        g_assert_false(record_each(repository, collect, text, &error));
        g_assert_true(error_is(error, ERROR_IO));
        g_clear_error(&error);
        g_string_free(text, TRUE);
    }
    g_assert_false(record_each(repository, stop, NULL, &error));
    g_assert_true(error_is(error, ERROR_VANISHED));
}

/* --- sealed parts ----------------------------------------------------------------------------- */

static Keyring *never_asked(Repository *repository, gpointer data, GError **error)
{
    g_assert_not_reached();
}

static Repository *make_encrypted(StoreFixture *fixture)
{
    static const char key[] = "0123456789abcdef0123456789abcdef";
    g_autofree char *path = fixture_path(fixture, "key");
    g_autofree char *text = g_strconcat("key-file=", path, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(KeyForm) form = NULL;
    Repository *repository;

    g_assert_true(file_replace(path, key, strlen(key), 0600, NULL));
    form = key_form_parse(text, &error);
    g_assert_no_error(error);
    repository = repository_create_encrypted(fixture->store, COMPRESS_DEFAULT, form, &error);
    g_assert_no_error(error);
    /* Its making has unlocked it. */
    repository_set_unlock(repository, never_asked, NULL, NULL);
    return repository;
}

static json_t *write_and_read(StoreFixture *fixture, Repository *repository, const char *backup)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) body =
        json_pack("{s:s, s:s, s:[]}", "backup", backup, "result", "succeeded", "warnings");
    g_autoptr(json_t) whole = json_pack("{s:s, s:s, s:[s]}", "backup", backup, "result",
                                        "succeeded", "warnings", "zanzibar is empty");
    g_autofree char *id = NULL;
    g_autofree char *name = NULL;
    json_t *record;

    g_assert_true(record_write_sealed(repository, "restore", body, whole, &id, &error));
    g_assert_no_error(error);
    name = g_strdup_printf("records/%s.json", id);
    record = document_get(fixture->store, name, 1 << 20, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(document_checksum_state(record), ==, "good");
    return record;
}

/* The state that the record, a copy, is shown in; how many warnings it has then. */
static const char *shown(Repository *repository, const json_t *record, gsize *ret_warnings)
{
    static char state[16];
    g_autoptr(json_t) copy = json_deep_copy(record);
    g_autoptr(GError) error = NULL;

    g_assert_true(record_open(repository, copy, &error));
    g_assert_no_error(error);
    g_assert_null(json_object_get(copy, "sealed"));
    g_strlcpy(state, json_get_string(copy, "sealed_part", "none"), sizeof state);
    *ret_warnings = json_array_size(json_object_get(copy, "warnings"));
    return state;
}

static void test_sealed(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_encrypted(fixture);
    g_autoptr(json_t) first = write_and_read(fixture, repository, "b1");
    g_autoptr(json_t) second = write_and_read(fixture, repository, "b1");
    g_autoptr(Repository) locked = NULL;
    g_autoptr(GError) error = NULL;
    const char *sealed = json_get_string(first, "sealed", NULL);
    gsize warned;

    g_assert_cmpstr(shown(repository, first, &warned), ==, "opened");
    g_assert_cmpuint(warned, ==, 1);
    locked = repository_open(fixture->store, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(shown(locked, first, &warned), ==, "closed");
    g_assert_cmpuint(warned, ==, 0);

    /* Another record's, another backup's, cut, changed, no seal at all: the clear part is shown. */
    warnings = 0;
    json_object_set_new(second, "sealed", json_string(sealed));
    g_assert_cmpstr(shown(repository, second, &warned), ==, "damaged");
    g_assert_cmpuint(warned, ==, 0);
    json_object_set_new(first, "backup", json_string("b2"));
    g_assert_cmpstr(shown(repository, first, &warned), ==, "damaged");
    json_object_set_new(first, "backup", json_string("b1"));
    json_object_set_new(first, "result", json_string("failed"));
    g_assert_cmpstr(shown(repository, first, &warned), ==, "damaged");
    json_object_set_new(first, "result", json_string("succeeded"));
    g_assert_cmpstr(shown(repository, first, &warned), ==, "opened");
    json_object_set_new(first, "sealed", json_stringn(sealed, strlen(sealed) - 4));
    g_assert_cmpstr(shown(repository, first, &warned), ==, "damaged");
    json_object_set_new(first, "sealed", json_string("no seal"));
    g_assert_cmpstr(shown(repository, first, &warned), ==, "damaged");
    g_assert_cmpuint(warnings, ==, 5);
}

/* Where there is nothing to seal with, or nothing to hide, the record is as ever. */
static void test_not_sealed(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) plain = make_repository(fixture->store);
    g_autoptr(json_t) record = write_and_read(fixture, plain, "b1");
    gsize warned;

    g_assert_null(json_object_get(record, "sealed"));
    g_assert_cmpstr(shown(plain, record, &warned), ==, "none");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    log_set_writer(count_warning, NULL);
    add_store_test("/repo/record/write-read", STORE_MEMORY, test_write_read);
    add_store_test("/repo/record/bad", STORE_MEMORY, test_bad_records);
    add_store_test("/repo/record/new", STORE_MEMORY, test_new_records);
    g_test_add("/repo/record/sealed", StoreFixture, GINT_TO_POINTER(STORE_MEMORY),
               store_fixture_open, test_sealed, store_fixture_close);
    g_test_add("/repo/record/not-sealed", StoreFixture, GINT_TO_POINTER(STORE_MEMORY),
               store_fixture_open, test_not_sealed, store_fixture_close);
    g_test_add("/repo/record/store-fails", StoreFixture, GINT_TO_POINTER(STORE_FAULTY_MEMORY),
               store_fixture_open, test_store_fails, store_fixture_close);
    return g_test_run();
}
