/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/keys.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "repo/repository.h"

typedef struct {
    char *directory;
    Store *store;
    Repository *repository;
    KeyForm *form;
} Fixture;

/* A private file with this content, as a form of that kind. */
static KeyForm *make_form(Fixture *fixture, const char *kind, const char *name, const char *content)
{
    g_autofree char *path = g_build_filename(fixture->directory, name, NULL);
    g_autofree char *text = g_strdup_printf("%s=%s", kind, path);
    KeyForm *form;

    g_assert_true(file_replace(path, content, strlen(content), 0600, NULL));
    form = key_form_parse(text, NULL);
    g_assert_nonnull(form);
    return form;
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    keys_set_cost((ScryptCost){16, 8, 1});
    fixture->directory = g_dir_make_tmp("holdfast-keys-XXXXXX", NULL);
    fixture->store = store_new_memory();
    fixture->form = make_form(fixture, "passphrase-file", "first", "first passphrase\r\nignored\n");
    fixture->repository =
        repository_create_encrypted(fixture->store, COMPRESS_DEFAULT, fixture->form, &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    key_form_free(fixture->form);
    repository_unref(fixture->repository);
    store_unref(fixture->store);
    g_assert_true(directory_remove(fixture->directory, NULL));
    g_free(fixture->directory);
}

static Keyring *unlock(Fixture *fixture, const KeyForm *form, GError **error)
{
    return keys_unlock(fixture->store, repository_id(fixture->repository), form, NULL, error);
}

static void assert_unlocks(Fixture *fixture, const KeyForm *form)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Keyring) keyring = unlock(fixture, form, &error);
    const Keyring *first = repository_keyring(fixture->repository, NULL);

    g_assert_no_error(error);
    g_assert_cmpmem(keyring_master(keyring), SEAL_KEY_SIZE, keyring_master(first), SEAL_KEY_SIZE);
    g_assert_cmpmem(keyring_find(keyring, 1, NULL), SEAL_KEY_SIZE, keyring_find(first, 1, NULL),
                    SEAL_KEY_SIZE);
}

static void assert_refused(Fixture *fixture, const KeyForm *form, ErrorCode code)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(unlock(fixture, form, &error));
    g_assert_true(error_is(error, code));
}

static void test_forms(Fixture *fixture, gconstpointer data)
{
    const char *wrong[] = {"",       "passphrase-file", "passphrase-file=",
                           "key=/x", "key-files=x",     "hunter2",
                           "=x"};
    g_autoptr(KeyForm) relative = key_form_parse("key-file=k", NULL);
    g_autoptr(KeyForm) command = key_form_parse("command=cat k | head -1", NULL);
    g_autofree char *text = key_form_format(command);

    g_assert_true(g_path_is_absolute(relative->value));
    g_assert_cmpstr(text, ==, "command=cat k | head -1");
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(key_form_parse(wrong[i], &error));
        g_assert_true(error_is(error, ERROR_USAGE));
        g_assert_null(strstr(error->message, "hunter2"));
    }
}

static void test_secrets(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KeyForm) empty = make_form(fixture, "passphrase-file", "empty", "\n");
    g_autoptr(KeyForm) brief = make_form(fixture, "key-file", "brief", "0123456789");
    g_autoptr(KeyForm) missing = key_form_parse("key-file=/no/such/file", NULL);
    g_autoptr(KeyForm) failing = key_form_parse("command=echo secret; exit 3", NULL);
    g_autoptr(KeyForm) silent = key_form_parse("command=true", NULL);
    g_autofree char *long_text = g_strnfill(5000, 'x');
    g_autoptr(KeyForm) huge = make_form(fixture, "key-file", "huge", long_text);
    const KeyForm *const wrong[] = {empty, brief, missing, failing, silent, huge};

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++)
        assert_refused(fixture, wrong[i], ERROR_CONFIG);
    g_assert_cmpint(g_chmod(fixture->form->value, 0644), ==, 0);
    assert_refused(fixture, fixture->form, ERROR_INSECURE_FILE);
}

static void test_unlock(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KeyForm) other = make_form(fixture, "passphrase-file", "other", "second passphrase");
    g_autoptr(KeyForm) as_file =
        make_form(fixture, "key-file", "file", "first passphrase, but as a key file: no");
    g_autofree char *text = g_strdup_printf("command=head -1 %s", fixture->form->value);
    g_autoptr(KeyForm) command = key_form_parse(text, NULL);

    assert_unlocks(fixture, fixture->form);
    assert_unlocks(fixture, command);
    assert_refused(fixture, other, ERROR_CONFIG);
    assert_refused(fixture, as_file, ERROR_CONFIG);
}

static guint count_slots(Fixture *fixture, guint32 *ret_generations)
{
    g_autoptr(GPtrArray) slots = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(keys_list(fixture->store, repository_id(fixture->repository), &slots,
                            ret_generations, &error));
    g_assert_no_error(error);
    return slots->len;
}

static void test_slots(Fixture *fixture, gconstpointer data)
{
    const char *id = repository_id(fixture->repository);
    const Keyring *keyring = repository_keyring(fixture->repository, NULL);
    g_autoptr(KeyForm) file =
        make_form(fixture, "key-file", "file", "0123456789abcdef0123456789abcdef");
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;
    g_autoptr(GError) error = NULL;
    guint32 generations;

    keyring_unref(keys_unlock(fixture->store, id, fixture->form, &first, NULL));
    g_assert_false(keys_remove(fixture->store, id, first, &error));
    g_assert_true(error_is(error, ERROR_REFUSED));
    g_clear_error(&error);
    g_assert_false(keys_remove(fixture->store, id, "unknown", &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    g_clear_error(&error);

    g_assert_true(keys_add(fixture->store, id, keyring, file, &second, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(count_slots(fixture, &generations), ==, 2);
    assert_unlocks(fixture, file);
    assert_unlocks(fixture, fixture->form);
    g_assert_true(keys_remove(fixture->store, id, first, &error));
    g_assert_no_error(error);
    assert_unlocks(fixture, file);
    assert_refused(fixture, fixture->form, ERROR_CONFIG);
    g_assert_cmpuint(count_slots(fixture, &generations), ==, 1);
    g_assert_cmpuint(generations, ==, 1);
}

static void test_rotate(Fixture *fixture, gconstpointer data)
{
    const char *id = repository_id(fixture->repository);
    const Keyring *old = repository_keyring(fixture->repository, NULL);
    g_autoptr(Keyring) keyring = NULL;
    g_autoptr(GError) error = NULL;
    guint32 generation;

    g_assert_true(keys_rotate(fixture->store, id, old, &generation, &error));
    g_assert_cmpuint(generation, ==, 2);
    /* Whoever does not know of it would make the same generation again. */
    g_assert_false(keys_rotate(fixture->store, id, old, &generation, &error));
    g_assert_true(error_is(error, ERROR_BUSY));
    g_clear_error(&error);
    keyring = unlock(fixture, fixture->form, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(keyring_newest(keyring), ==, 2);
    g_assert_cmpmem(keyring_find(keyring, 1, NULL), SEAL_KEY_SIZE, keyring_find(old, 1, NULL),
                    SEAL_KEY_SIZE);
    g_assert_true(
        memcmp(keyring_find(keyring, 1, NULL), keyring_find(keyring, 2, NULL), SEAL_KEY_SIZE) != 0);
    g_assert_null(keyring_find(keyring, 3, &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
}

static void test_recovery_code(Fixture *fixture, gconstpointer data)
{
    const Keyring *keyring = repository_keyring(fixture->repository, NULL);
    g_autoptr(Secret) code = keyring_recovery_code(keyring);
    g_autofree char *text = g_strdup((const char *)code->bytes);
    g_autofree char *lower = g_ascii_strdown(text, -1);
    g_autoptr(KeyForm) form = make_form(fixture, "key-file", "code", lower);
    guint8 master[SEAL_KEY_SIZE];

    g_assert_cmpuint(strlen(text), ==, strlen("HOLDFAST-1") + 14 * 5);
    assert_unlocks(fixture, form);
    for (gsize i = strlen("HOLDFAST-1-"); text[i] != '\0'; i++) {
        char kept = text[i];

        if (kept == '-')
            continue;
        text[i] = kept == 'X' ? 'Y' : 'X';
        g_assert_cmpint(recovery_code_read(text, strlen(text), master), ==, RECOVERY_CODE_MISTYPED);
        text[i] = kept;
    }
    g_assert_cmpint(recovery_code_read(text, strlen(text) - 1, master), ==, RECOVERY_CODE_MISTYPED);
    g_assert_cmpint(recovery_code_read(text, strlen(text), master), ==, RECOVERY_CODE_GOOD);
}

/* A slot that was changed, or taken from another repository, opens nothing; it does not keep the
 * others from opening. */
static void test_forged_slot(Fixture *fixture, gconstpointer data)
{
    const char *id = repository_id(fixture->repository);
    const Keyring *keyring = repository_keyring(fixture->repository, NULL);
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;
    g_autofree char *name = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GBytes) slot = NULL;
    char *digit;

    keyring_unref(keys_unlock(fixture->store, id, fixture->form, &first, NULL));
    name = g_strdup_printf("keys/%s.json", first);
    slot = store_get(fixture->store, name, 10000, NULL);
    text = g_strndup(g_bytes_get_data(slot, NULL), g_bytes_get_size(slot));
    digit = strstr(text, "\"wrapped_key\": \"") + strlen("\"wrapped_key\": \"");
    *digit = *digit == '0' ? '1' : '0';
    g_assert_true(store_delete(fixture->store, name, NULL));
    g_assert_true(store_put(fixture->store, name, text, strlen(text), NULL));
    assert_refused(fixture, fixture->form, ERROR_CONFIG);
    g_assert_true(keys_add(fixture->store, id, keyring, fixture->form, &second, NULL));
    assert_unlocks(fixture, fixture->form);
}

/* Another hexadecimal digit in the wrapped key of an object of keys/. */
static void damage_key(Fixture *fixture, const char *name)
{
    g_autoptr(GBytes) bytes = store_get(fixture->store, name, 10000, NULL);
    g_autofree char *text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    char *digit = strstr(text, "\"wrapped_key\": \"") + strlen("\"wrapped_key\": \"");

    *digit = *digit == '0' ? '1' : '0';
    g_assert_true(store_delete(fixture->store, name, NULL));
    g_assert_true(store_put(fixture->store, name, text, strlen(text), NULL));
}

/* A slot that is damaged is no key: the last whole one stays, and the damaged one can go. */
static void test_damaged_slot(Fixture *fixture, gconstpointer data)
{
    const char *id = repository_id(fixture->repository);
    const Keyring *keyring = repository_keyring(fixture->repository, NULL);
    g_autoptr(KeyForm) file =
        make_form(fixture, "key-file", "file", "0123456789abcdef0123456789abcdef");
    g_autofree char *first = NULL, *second = NULL, *name = NULL;
    g_autoptr(GPtrArray) slots = NULL;
    g_autoptr(GError) error = NULL;
    guint32 generations;
    guint damaged = 0;

    keyring_unref(keys_unlock(fixture->store, id, fixture->form, &first, NULL));
    g_assert_true(keys_add(fixture->store, id, keyring, file, &second, &error));
    name = g_strdup_printf("keys/%s.json", second);
    damage_key(fixture, name);
    g_assert_true(keys_list(fixture->store, id, &slots, &generations, &error));
    g_assert_cmpuint(slots->len, ==, 2);
    for (guint i = 0; i < slots->len; i++) {
        const KeySlot *slot = slots->pdata[i];

        g_assert_true((slot->problem != NULL) == (strcmp(slot->id, second) == 0));
        damaged += slot->problem != NULL;
    }
    g_assert_cmpuint(damaged, ==, 1);
    g_assert_false(keys_remove(fixture->store, id, first, &error));
    g_assert_true(error_is(error, ERROR_REFUSED));
    g_clear_error(&error);
    assert_unlocks(fixture, fixture->form);
    g_assert_true(keys_remove(fixture->store, id, second, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(count_slots(fixture, &generations), ==, 1);
}

/* What one data key has sealed is lost with it, and nothing else. */
static void test_damaged_data_key(Fixture *fixture, gconstpointer data)
{
    const char *id = repository_id(fixture->repository);
    g_autoptr(Keyring) keyring = NULL;
    g_autoptr(GError) error = NULL;
    guint32 generation;

    for (guint i = 0; i < 2; i++) {
        g_autoptr(Keyring) now = unlock(fixture, fixture->form, &error);

        g_assert_true(keys_rotate(fixture->store, id, now, &generation, &error));
    }
    g_assert_cmpuint(generation, ==, 3);
    damage_key(fixture, "keys/data-000003.json");
    g_assert_true(store_delete(fixture->store, "keys/data-000001.json", NULL));
    keyring = unlock(fixture, fixture->form, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(keyring_newest(keyring), ==, 3);
    g_assert_nonnull(keyring_find(keyring, 2, NULL));
    g_assert_null(keyring_find(keyring, 1, &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
    g_clear_error(&error);
    g_assert_null(keyring_find(keyring, 3, &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
    g_clear_error(&error);
    damage_key(fixture, "keys/data-000002.json");
    g_assert_null(unlock(fixture, fixture->form, &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
}

/* Who runs for long meets what others have sealed since. */
static void test_rotated_elsewhere(Fixture *fixture, gconstpointer data)
{
    const char *id = repository_id(fixture->repository);
    const Keyring *old = repository_keyring(fixture->repository, NULL);
    g_autoptr(Keyring) other = unlock(fixture, fixture->form, NULL);
    g_autoptr(GError) error = NULL;
    guint32 generation;

    g_assert_true(keys_rotate(fixture->store, id, other, &generation, &error));
    g_assert_cmpuint(keyring_newest(repository_keyring(fixture->repository, NULL)), ==, 1);
    g_assert_nonnull(repository_data_key(fixture->repository, 2, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(keyring_newest(repository_keyring(fixture->repository, NULL)), ==, 2);
    g_assert_cmpuint(keyring_newest(old), ==, 1); /* still there for whoever reads by it */
    g_assert_null(repository_data_key(fixture->repository, 3, &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
    g_clear_error(&error);
    keyring_unref(g_steal_pointer(&other));
    other = unlock(fixture, fixture->form, NULL);
    g_assert_true(keys_rotate(fixture->store, id, other, &generation, &error));
    g_assert_true(repository_renew_keys(fixture->repository, &error));
    g_assert_cmpuint(keyring_newest(repository_keyring(fixture->repository, NULL)), ==, 3);
}

/* Of two that make a repository in one place the second takes back what is its own. */
static void test_two_make_it(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KeyForm) other = make_form(fixture, "passphrase-file", "other", "second passphrase");
    g_autofree char *slot = NULL;
    g_autoptr(GError) error = NULL;
    guint32 generations;

    g_assert_null(keys_create(fixture->store, "another repository", other, &slot, &error));
    g_assert_true(error_is(error, ERROR_EXISTS));
    g_assert_null(slot);
    g_assert_cmpuint(count_slots(fixture, &generations), ==, 1);
    g_assert_cmpuint(generations, ==, 1);
    assert_unlocks(fixture, fixture->form);
}

/* As people type it. */
static void test_typed_code(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Secret) code = keyring_recovery_code(repository_keyring(fixture->repository, NULL));
    g_auto(GStrv) groups = g_strsplit((const char *)code->bytes, "-", -1);
    g_autofree char *joined = g_strjoinv("", groups), *lower = g_ascii_strdown(joined, -1);
    g_autofree char *blanks = g_strjoinv(" ", groups);
    g_autofree char *marked = g_strconcat("\xEF\xBB\xBF\n ", blanks, "\n", NULL);
    g_autofree char *wrong = g_strdup(joined), *longer = g_strconcat(joined, "A", NULL);
    guint8 master[SEAL_KEY_SIZE];

    wrong[20] = wrong[20] == 'A' ? 'B' : 'A';
    g_assert_cmpint(recovery_code_read(lower, strlen(lower), master), ==, RECOVERY_CODE_GOOD);
    g_assert_cmpint(recovery_code_read(blanks, strlen(blanks), master), ==, RECOVERY_CODE_GOOD);
    g_assert_cmpint(recovery_code_read(marked, strlen(marked), master), ==, RECOVERY_CODE_GOOD);
    g_assert_cmpint(recovery_code_read(wrong, strlen(wrong), master), ==, RECOVERY_CODE_MISTYPED);
    g_assert_cmpint(recovery_code_read(longer, strlen(longer), master), ==, RECOVERY_CODE_MISTYPED);
    g_assert_cmpint(recovery_code_read("holdfast", 8, master), ==, RECOVERY_CODE_NONE);
    g_assert_cmpint(recovery_code_read("", 0, master), ==, RECOVERY_CODE_NONE);
}

/* A code opens one repository, and is no key for a slot. */
static void test_code_of_another(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Store) store = store_new_memory();
    g_autoptr(Repository) another =
        repository_create_encrypted(store, COMPRESS_DEFAULT, fixture->form, NULL);
    g_autoptr(Secret) code = keyring_recovery_code(repository_keyring(another, NULL));
    g_autofree char *text = g_strdup((const char *)code->bytes);
    g_autoptr(KeyForm) form = make_form(fixture, "key-file", "code", text);
    g_autofree char *id = NULL;
    g_autoptr(GError) error = NULL;

    assert_refused(fixture, form, ERROR_CONFIG);
    g_assert_false(keys_add(fixture->store, repository_id(fixture->repository),
                            repository_keyring(fixture->repository, NULL), form, &id, &error));
    g_assert_true(error_is(error, ERROR_CONFIG));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/keys/" name, Fixture, NULL, set_up, function, tear_down)
    ADD("forms", test_forms);
    ADD("secrets", test_secrets);
    ADD("unlock", test_unlock);
    ADD("slots", test_slots);
    ADD("rotate", test_rotate);
    ADD("recovery-code", test_recovery_code);
    ADD("forged-slot", test_forged_slot);
    ADD("damaged-slot", test_damaged_slot);
    ADD("damaged-data-key", test_damaged_data_key);
    ADD("rotated-elsewhere", test_rotated_elsewhere);
    ADD("two-make-it", test_two_make_it);
    ADD("typed-code", test_typed_code);
    ADD("code-of-another", test_code_of_another);
    return g_test_run();
}
