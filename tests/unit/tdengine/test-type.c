/* SPDX-License-Identifier: Apache-2.0
 *
 * Names and widths of TDengine's types.
 */
#include "tdengine/type.h"

static void test_names(void)
{
    for (guint number = 0; number < 300; number++) {
        TdType type = 0;
        guint precision = 9, scale = 9;

        if (!td_type_is_known(number)) {
            g_assert_true(number == 0 || number > TD_DECIMAL64);
            continue;
        }
        if (number == TD_DECIMAL || number == TD_DECIMAL64)
            continue; /* its name alone does not say how wide it is */
        g_assert_true(td_type_parse(td_type_name(number), &type, &precision, &scale));
        g_assert_cmpuint(type, ==, number);
        g_assert_cmpuint(precision, ==, 0);
        g_assert_cmpuint(scale, ==, 0);
    }
}

static void test_parse(void)
{
    static const struct {
        const char *name;
        TdType type;
        guint precision, scale;
    } good[] = {
        {"BINARY", TD_VARCHAR, 0, 0},
        {"BIGINT UNSIGNED", TD_UBIGINT, 0, 0},
        {"DECIMAL(10, 2)", TD_DECIMAL64, 10, 2},
        {"DECIMAL(18,18)", TD_DECIMAL64, 18, 18},
        {"DECIMAL( 19 , 0 )", TD_DECIMAL, 19, 0},
        {"DECIMAL(38)", TD_DECIMAL, 38, 0},
    };
    static const char *const bad[] = {
        "",
        "int",
        "NULL",
        "VARCHAR(10)",
        "DECIMAL",
        "DECIMAL()",
        "DECIMAL(39,2)",
        "DECIMAL(0,0)",
        "DECIMAL(10,11)",
        "DECIMAL(10,2",
        "DECIMAL(10,2)x",
        "DECIMAL(-1,2)",
        "DECIMAL(10,2,3)",
        "DECIMAL(99999999999999999999,2)",
    };
    TdType type;
    guint precision, scale;

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_assert_true(td_type_parse(good[i].name, &type, &precision, &scale));
        g_assert_cmpuint(type, ==, good[i].type);
        g_assert_cmpuint(precision, ==, good[i].precision);
        g_assert_cmpuint(scale, ==, good[i].scale);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        if (td_type_parse(bad[i], &type, &precision, &scale))
            g_error("\"%s\" is taken for a type", bad[i]);
}

static void test_widths(void)
{
    g_assert_cmpuint(td_type_width(TD_BOOL), ==, 1);
    g_assert_cmpuint(td_type_width(TD_TIMESTAMP), ==, 8);
    g_assert_cmpuint(td_type_width(TD_DECIMAL), ==, 16);
    g_assert_cmpuint(td_type_width(TD_DECIMAL64), ==, 8);
    g_assert_cmpuint(td_type_width(TD_NCHAR), ==, 0);
    g_assert_cmpuint(td_type_width(TD_BLOB), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tdengine/type/names", test_names);
    g_test_add_func("/tdengine/type/parse", test_parse);
    g_test_add_func("/tdengine/type/widths", test_widths);
    return g_test_run();
}
