/* SPDX-License-Identifier: Apache-2.0
 *
 * The failing store fails as it is told to, and only then.
 */
#include "store/store.h"

#include "base/error.h"

static gboolean exists(Store *store, const char *name)
{
    StoreInfo info;

    return store_stat(store, name, &info, NULL);
}

/* begin, write, commit: three calls. */
static gboolean put(Store *store, const char *name, GError **error)
{
    return store_put(store, name, "12345678", 8, error);
}

static void test_counts(void)
{
    g_autoptr(Store) store = store_new_fault(store_new_memory());
    guint64 free_bytes;

    g_assert_cmpuint(store_fault_calls(store), ==, 0);
    g_assert_true(put(store, "a", NULL));
    g_assert_cmpuint(store_fault_calls(store), ==, 3);
    g_assert_true(exists(store, "a"));
    g_assert_true(store_free_space(store, &free_bytes, NULL));
    g_assert_cmpuint(store_fault_calls(store), ==, 5);
}

static void test_error(void)
{
    g_autoptr(Store) store = store_new_fault(store_new_memory());

    for (guint64 nth = 1; nth <= 3; nth++) {
        g_autoptr(GError) error = NULL;

        store_fault_arm(store, STORE_FAULT_ERROR, nth, ERROR_TIMEOUT);
        g_assert_false(put(store, "a", &error));
        g_assert_true(error_is(error, ERROR_TIMEOUT));
        g_assert_false(exists(store, "a"));
    }
    store_fault_arm(store, STORE_FAULT_ERROR, 4, ERROR_TIMEOUT);
    g_assert_true(put(store, "a", NULL));
    g_assert_false(exists(store, "a"));
    g_assert_true(exists(store, "a"));
}

static void test_done(void)
{
    g_autoptr(Store) store = store_new_fault(store_new_memory());
    g_autoptr(GError) error = NULL;

    store_fault_arm(store, STORE_FAULT_DONE, 3, ERROR_IO);
    g_assert_false(put(store, "a", &error));
    g_assert_true(error_is(error, ERROR_IO));
    g_assert_true(exists(store, "a"));
    store_fault_arm(store, STORE_FAULT_DONE, 1, ERROR_IO);
    g_assert_false(store_delete(store, "a", NULL));
    g_assert_false(exists(store, "a"));
}

static void test_no_space(void)
{
    g_autoptr(Store) store = store_new_fault(store_new_memory());
    g_autoptr(GError) error = NULL;

    g_assert_true(put(store, "a", NULL));
    store_fault_arm(store, STORE_FAULT_NO_SPACE, 2, 0);
    g_assert_true(exists(store, "a"));
    for (guint i = 0; i < 3; i++) {
        g_assert_false(put(store, "b", &error));
        g_assert_true(error_is(error, ERROR_NO_SPACE));
        g_clear_error(&error);
    }
    /* Reading and deleting go on. */
    g_assert_true(exists(store, "a"));
    g_assert_true(store_delete(store, "a", NULL));
    store_fault_arm(store, STORE_FAULT_NONE, 0, 0);
    g_assert_true(put(store, "b", NULL));
}

static void test_short(void)
{
    g_autoptr(Store) store = store_new_fault(store_new_memory());
    g_autoptr(StoreWriter) writer = store_begin(store, "a", NULL);
    StoreInfo info;

    store_fault_arm(store, STORE_FAULT_SHORT, 1, ERROR_IO);
    g_assert_false(store_write(writer, "12345678", 8, NULL));
    g_assert_true(store_commit(writer, NULL));
    g_assert_true(store_stat(store, "a", &info, NULL));
    g_assert_cmpuint(info.size, ==, 4);
}

/* A temporary file that somebody took away is no reason to fail. */
static void test_put_again(void)
{
    g_autoptr(Store) store = store_new_fault(store_new_memory());

    for (guint64 nth = 1; nth <= 3; nth++) {
        g_autofree char *name = g_strdup_printf("a%" G_GUINT64_FORMAT, nth);

        store_fault_arm(store, STORE_FAULT_ERROR, nth, ERROR_NOT_FOUND);
        g_assert_true(put(store, name, NULL));
        g_assert_true(exists(store, name));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/fault/counts", test_counts);
    g_test_add_func("/store/fault/error", test_error);
    g_test_add_func("/store/fault/done", test_done);
    g_test_add_func("/store/fault/no-space", test_no_space);
    g_test_add_func("/store/fault/short", test_short);
    g_test_add_func("/store/fault/put-again", test_put_again);
    return g_test_run();
}
