/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements from structures, and databases renamed in statements.
 */
#include "tdengine/ddl.h"

#include <string.h>

static TdField *field(const char *name, TdType type, guint length)
{
    TdField *made = g_new0(TdField, 1);

    made->name = g_strdup(name);
    made->type = type;
    made->length = length;
    return made;
}

static TdField *encoded(const char *name, TdType type, const char *encode, const char *compress,
                        const char *level)
{
    TdField *made = field(name, type, td_type_width(type));

    made->encode = g_strdup(encode);
    made->compress = g_strdup(compress);
    made->level = g_strdup(level);
    return made;
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdTable, td_table_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdDatabase, td_database_free)

static void test_super(void)
{
    g_autoptr(TdTable) table = td_table_new("d", "st `able", TD_TABLE_SUPER);
    g_autofree char *full = NULL, *plain = NULL;
    TdField *decimal = field("n", TD_DECIMAL, 16);

    decimal->precision = 20;
    decimal->scale = 4;
    g_ptr_array_add(table->columns, encoded("t s", TD_TIMESTAMP, "delta-i", "zstd", "high"));
    g_ptr_array_add(table->columns, encoded("k", TD_INT, "simple8b", "lz4", "medium"));
    ((TdField *)g_ptr_array_index(table->columns, 1))->key = TRUE;
    g_ptr_array_add(table->columns, field("s", TD_VARCHAR, 30));
    g_ptr_array_add(table->columns, decimal);
    g_ptr_array_add(table->tags, field("群", TD_NCHAR, 8));
    table->comment = g_strdup("it''s");
    table->keep = 576000;
    table->sma = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(table->sma, g_strdup("k"));
    full = td_table_ddl(table, "Other", &(TdDdlOptions){.encoding = TRUE});
    plain = td_table_ddl(table, "d", &(TdDdlOptions){0});
    g_assert_cmpstr(
        full, ==,
        "CREATE STABLE `Other`.`st ``able` (`t s` TIMESTAMP ENCODE 'delta-i' COMPRESS "
        "'zstd' LEVEL 'high', `k` INT ENCODE 'simple8b' COMPRESS 'lz4' LEVEL 'medium' "
        "COMPOSITE KEY, `s` VARCHAR(30), `n` DECIMAL(20,4)) TAGS (`群` NCHAR(8)) COMMENT "
        "'it''s' SMA(`k`) KEEP 576000m");
    g_assert_cmpstr(plain, ==,
                    "CREATE STABLE `d`.`st ``able` (`t s` TIMESTAMP, `k` INT COMPOSITE KEY, `s` "
                    "VARCHAR(30), `n` DECIMAL(20,4)) TAGS (`群` NCHAR(8)) COMMENT 'it''s' SMA(`k`) "
                    "KEEP 576000m");
}

static void test_normal_and_virtual(void)
{
    g_autoptr(TdTable) normal = td_table_new("d", "n", TD_TABLE_NORMAL);
    g_autoptr(TdTable) virtual = td_table_new("d", "v", TD_TABLE_VIRTUAL_SUPER);
    g_autofree char *first = NULL, *second = NULL;

    g_ptr_array_add(normal->columns, field("ts", TD_TIMESTAMP, 8));
    g_ptr_array_add(normal->columns, field("g", TD_GEOMETRY, 64));
    normal->ttl = 7;
    normal->comment = g_strdup("");
    g_ptr_array_add(virtual->columns, encoded("ts", TD_TIMESTAMP, "delta-i", "lz4", "medium"));
    g_ptr_array_add(virtual->tags, field("g", TD_INT, 4));
    first = td_table_ddl(normal, "d", &(TdDdlOptions){.encoding = TRUE});
    second = td_table_ddl(virtual, "d", &(TdDdlOptions){.encoding = TRUE});
    g_assert_cmpstr(first, ==,
                    "CREATE TABLE `d`.`n` (`ts` TIMESTAMP, `g` GEOMETRY(64)) COMMENT '' TTL 7");
    g_assert_cmpstr(second, ==, "CREATE STABLE `d`.`v` (`ts` TIMESTAMP) TAGS (`g` INT) VIRTUAL 1");
}

/* 4,096 columns: more than SHOW CREATE can say. */
static void test_wide(void)
{
    g_autoptr(TdTable) table = td_table_new("d", "w", TD_TABLE_NORMAL);
    g_autofree char *sql = NULL;

    for (guint i = 0; i < 4096; i++) {
        g_autofree char *name = g_strdup_printf("column_number_%u", i);

        g_ptr_array_add(table->columns,
                        encoded(name, i == 0 ? TD_TIMESTAMP : TD_INT, "simple8b", "lz4", "medium"));
    }
    sql = td_table_ddl(table, "d", &(TdDdlOptions){.encoding = TRUE});
    g_assert_cmpuint(strlen(sql), >, 65535);
    g_assert_cmpuint(strlen(sql), <, 1048576);
    g_assert_nonnull(strstr(sql, "`column_number_4095` INT ENCODE 'simple8b'"));
}

static void test_database(void)
{
    g_autoptr(TdDatabase) database = td_database_new("Gs Mixed");
    g_autofree char *sql = NULL, *unknown = NULL;

    unknown = td_database_ddl(database, "x");
    g_assert_null(unknown);
    database->create_sql = g_strdup("CREATE DATABASE `Gs Mixed` BUFFER 8 PRECISION 'ms'");
    sql = td_database_ddl(database, "a`b");
    g_assert_cmpstr(sql, ==, "CREATE DATABASE `a``b` BUFFER 8 PRECISION 'ms'");
}

static void test_rename(void)
{
    static const struct {
        const char *from, *sql, *wanted, *elsewhere;
    } cases[] = {
        {"d", "CREATE VTABLE `vc1` (`a` FROM `d`.`src1`.`a`) USING `vst` (`g`) TAGS (1)",
         "CREATE VTABLE `vc1` (`a` FROM `new`.`src1`.`a`) USING `vst` (`g`) TAGS (1)", NULL},
        {"d", "select d.t.v, D.v, 'd.t' from d.t -- d.x",
         "select `new`.t.v, `new`.v, 'd.t' from "
         "`new`.t -- d.x",
         NULL},
        {"d", "create topic x with meta as database d",
         "create topic x with meta as database `new`", NULL},
        {"d", "select * from other.t, d.u", "select * from other.t, `new`.u", "other"},
        {"d", "select x.d.y, dd.t from t", "select x.d.y, dd.t from t", NULL},
        {"D", "select * from `D`.t join d.t", "select * from `new`.t join d.t", "d"},
        {"a`b", "from `a``b`.t /* `a``b`.t */", "from `new`.t /* `a``b`.t */", NULL},
        {"d", "select 'it\\'s d.t' from d.t", "select 'it\\'s d.t' from `new`.t", NULL},
        {"d", "from `d", "from `d", NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *elsewhere = NULL;
        g_autofree char *sql =
            td_sql_rename_database(cases[i].sql, cases[i].from, "new", &elsewhere);

        g_assert_cmpstr(sql, ==, cases[i].wanted);
        g_assert_cmpstr(elsewhere, ==, cases[i].elsewhere);
    }
}

/* What a table says of itself survives the details. */
static void test_table_json(void)
{
    g_autoptr(TdTable) table = td_table_new("d", "n`x", TD_TABLE_NORMAL);
    g_autoptr(TdTable) again = NULL;
    g_autoptr(json_t) json = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *before = NULL, *after = NULL;

    g_ptr_array_add(table->columns, encoded("ts", TD_TIMESTAMP, "delta-i", "lz4", "medium"));
    g_ptr_array_add(table->columns, field("s", TD_NCHAR, 12));
    ((TdField *)g_ptr_array_index(table->columns, 1))->binary = TRUE;
    table->comment = g_strdup("c");
    table->rows = 5;
    table->first = -3;
    table->last = 4;
    table->fingerprint = (TdFingerprint){.low = 1, .high = 2};
    table->plan = td_plan_new(1000);
    json = td_table_to_json(table);
    again = td_table_from_json(json, &error);
    g_assert_no_error(error);
    before = td_table_ddl(table, "d", &(TdDdlOptions){.encoding = TRUE});
    after = td_table_ddl(again, "d", &(TdDdlOptions){.encoding = TRUE});
    g_assert_cmpstr(before, ==, after);
    g_assert_true(((TdField *)g_ptr_array_index(again->columns, 1))->binary);
    g_assert_cmpint(again->first, ==, -3);
    g_assert_true(td_fingerprint_equal(again->fingerprint, table->fingerprint));
    json_object_set_new(json, "kind", json_string("odd"));
    g_assert_null(td_table_from_json(json, &error));
    g_assert_nonnull(error);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ddl/super", test_super);
    g_test_add_func("/ddl/normal-and-virtual", test_normal_and_virtual);
    g_test_add_func("/ddl/wide", test_wide);
    g_test_add_func("/ddl/database", test_database);
    g_test_add_func("/ddl/rename", test_rename);
    g_test_add_func("/ddl/table-json", test_table_json);
    return g_test_run();
}
