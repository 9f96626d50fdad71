/* SPDX-License-Identifier: Apache-2.0
 *
 * --databases and --to-database.
 */
#include "engine/restore-names.h"

#include "base/error.h"

static const char *const known[] = {"app", "news", "a=b", NULL};

/* "source>target …" of the pairs, or NULL. */
static char *names(const char *const *wanted, const char *to, gboolean several, int code)
{
    g_autoptr(GPtrArray) pairs = NULL;
    g_autoptr(GError) error = NULL;
    GString *text;

    if (!engine_restore_names(known, wanted, to, several, &pairs, &error)) {
        g_assert_cmpint(error->code, ==, code);
        return NULL;
    }
    g_assert_cmpint(code, ==, -1);
    text = g_string_new(NULL);
    for (guint i = 0; i < pairs->len; i++) {
        const EngineRestoreName *pair = g_ptr_array_index(pairs, i);

        g_string_append_printf(text, "%s%s>%s", i > 0 ? " " : "", pair->source, pair->target);
    }
    return g_string_free(text, FALSE);
}

static void check(const char *const *wanted, const char *to, const char *expected)
{
    g_autofree char *text = names(wanted, to, FALSE, -1);

    g_assert_cmpstr(text, ==, expected);
}

static void test_chosen(void)
{
    check(NULL, NULL, "app>app news>news a=b>a=b");
    check((const char *const[]){"news", "news", NULL}, NULL, "news>news");
    check((const char *const[]){"news", NULL}, "copy", "news>copy");
    check((const char *const[]){"news", NULL}, "x\\=y\\\\", "news>x=y\\");
    check(NULL, "app=x", "app>x");
    check(NULL, "app=news,news=app", "app>news news>app");
    check((const char *const[]){"app", "news", NULL}, "news=x", "app>app news>x");
    check(NULL, "a\\=b=c\\,d", "a=b>c,d");
}

static void refuse(const char *const *wanted, const char *to, int code)
{
    g_autofree char *text = names(wanted, to, FALSE, code);

    g_assert_null(text);
}

static void test_refused(void)
{
    refuse((const char *const[]){"apq", NULL}, NULL, ERROR_NOT_FOUND);
    refuse(NULL, "nope=x", ERROR_NOT_FOUND);
    refuse(NULL, "copy", ERROR_USAGE);
    refuse((const char *const[]){"app", NULL}, "", ERROR_USAGE);
    refuse((const char *const[]){"app", NULL}, "news=x", ERROR_USAGE);
    refuse(NULL, "app=", ERROR_USAGE);
    refuse(NULL, "=x", ERROR_USAGE);
    refuse(NULL, "app=x,", ERROR_USAGE);
    refuse(NULL, "app=x,news=x", ERROR_USAGE);
    refuse((const char *const[]){"app", "news", NULL}, "app=news", ERROR_USAGE);
}

/* Table patterns will leave one of them. */
static void test_several(void)
{
    g_autofree char *text = names(NULL, "copy", TRUE, -1);

    g_assert_cmpstr(text, ==, "app>copy news>copy a=b>copy");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/restore-names/chosen", test_chosen);
    g_test_add_func("/restore-names/refused", test_refused);
    g_test_add_func("/restore-names/several", test_several);
    return g_test_run();
}
