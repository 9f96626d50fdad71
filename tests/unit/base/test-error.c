/* SPDX-License-Identifier: Apache-2.0
 *
 * The error table and the message-with-hint convention.
 */
#include "base/error.h"

#include <errno.h>
#include <gio/gio.h>

static void test_table(void)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < ERROR_LAST; i++) {
        const ErrorInfo *info = error_info((ErrorCode)i);

        g_assert_cmpint(info->code, ==, i);
        g_assert_nonnull(info->name);
        g_assert_true(g_hash_table_add(names, (gpointer)info->name));
        g_assert_cmpint(info->exit_status, >=, 1);
        g_assert_cmpint(info->exit_status, <=, 6);
        g_assert_cmpint(info->http_status, >=, 400);
    }
    g_assert_cmpint(error_info((ErrorCode)4711)->code, ==, ERROR_INTERNAL);
}

static void test_hint(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    error_set(&error, ERROR_NOT_FOUND, "no backup %s", "x");
    g_assert_null(error_hint(error));
    error_add_hint(&error, "run %s", "holdfast list backups");
    error_add_hint(&error, "a second hint is not taken");
    g_prefix_error(&error, "show: ");
    text = error_text(error);
    g_assert_cmpstr(text, ==, "show: no backup x");
    g_assert_cmpstr(error_hint(error), ==, "run holdfast list backups");
    error_add_hint(NULL, "nothing");
    error_set(NULL, ERROR_IO, "nothing");
}

static void test_errno(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    error_set_errno(&error, ENOSPC, "cannot write %s", "/a");
    g_assert_true(error_is(error, ERROR_NO_SPACE));
    g_assert_nonnull(error_hint(error));
    text = error_text(error);
    g_assert_cmpstr(text, ==, "cannot write /a: no space left on device");
    g_assert_false(error_is(NULL, ERROR_IO));
}

static void test_foreign(void)
{
    g_autoptr(GError) error = NULL;
    GError *foreign = g_error_new(G_IO_ERROR, G_IO_ERROR_CANCELLED, "stop");

    g_assert_cmpint(error_info_of(foreign)->code, ==, ERROR_CANCELLED);
    error_take(&error, ERROR_IO, foreign);
    g_assert_true(error_is(error, ERROR_CANCELLED));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/error/table", test_table);
    g_test_add_func("/base/error/hint", test_hint);
    g_test_add_func("/base/error/errno", test_errno);
    g_test_add_func("/base/error/foreign", test_foreign);
    return g_test_run();
}
