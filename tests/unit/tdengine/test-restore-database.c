/* SPDX-License-Identifier: Apache-2.0
 *
 * Options of databases for another server.
 */
#include "tdengine/restore-database.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdDatabase, td_database_free)

static TdDatabase *database(const char *sql)
{
    TdDatabase *made = td_database_new("a b");

    made->create_sql = g_strdup(sql);
    return made;
}

static GHashTable *options(const char *const *names)
{
    GHashTable *set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (; *names != NULL; names++)
        g_hash_table_add(set, g_strdup(*names));
    return set;
}

static const TdMeanwhile as_ever = {0}, wide = {.keep = TRUE};

static void check(const TdDatabase *source, TdMeanwhile meanwhile, const TdTargetServer *server,
                  const char *expected, guint n_notes)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *sql = td_restore_database_sql(source, "ne`w", meanwhile, server, notes);

    g_assert_cmpstr(sql, ==, expected);
    g_assert_cmpuint(notes->len, ==, n_notes);
}

static void test_same_server(void)
{
    g_autoptr(TdDatabase) source =
        database("CREATE DATABASE `a b` BUFFER 8 CACHEMODEL 'last value' KEEP 10d,20d,30d "
                 "REPLICA 1 VGROUPS 2");
    const TdTargetServer server = {.nodes = 1, .vnodes = 60};

    check(source, wide, &server,
          "CREATE DATABASE `ne``w` BUFFER 8 CACHEMODEL 'last value' KEEP 525599361m REPLICA 1 "
          "VGROUPS 2",
          0);
    check(source, as_ever, &server,
          "CREATE DATABASE `ne``w` BUFFER 8 CACHEMODEL 'last value' KEEP 10d,20d,30d REPLICA 1 "
          "VGROUPS 2",
          0);
}

static void test_smaller_and_older_server(void)
{
    static const char *const known[] = {"buffer", "replica", "vgroups", "precision", NULL};
    g_autoptr(TdDatabase) source =
        database("CREATE DATABASE `a b` BUFFER 8 KEEP 10d SS_COMPACT 1 REPLICA 3 VGROUPS 20");
    g_autoptr(GHashTable) set = options(known);
    const TdTargetServer server = {.options = set, .nodes = 1, .vnodes = 4};

    source->precision = TD_NANOSECONDS;
    check(source, wide, &server,
          "CREATE DATABASE `ne``w` BUFFER 8 KEEP 153474961m REPLICA 1 VGROUPS 4", 3);
}

/* The server did not show the statement: what ins_databases says has to do. */
static void test_from_columns(void)
{
    g_autoptr(TdDatabase) source = database(NULL);
    const TdTargetServer server = {.nodes = 1, .vnodes = -1};

    json_decref(source->options);
    source->options = json_pack("{s:s, s:s, s:s, s:s}", "keep", "3650d,3650d,3650d", "precision",
                                "us", "vgroups", "2", "status", "ready");
    check(source, wide, &server, "CREATE DATABASE `ne``w` KEEP 525599361m PRECISION 'us' VGROUPS 2",
          0);
}

static void test_keep(void)
{
    g_assert_cmpint(td_restore_keep_minutes("10d,20d,30d"), ==, 30 * 1440);
    g_assert_cmpint(td_restore_keep_minutes("5256000m"), ==, 5256000);
    g_assert_cmpint(td_restore_keep_minutes("48h"), ==, 2880);
    g_assert_cmpint(td_restore_keep_minutes("soon"), ==, 0);
    g_assert_cmpint(td_restore_keep_minutes(NULL), ==, 0);
    g_assert_true(td_restore_is_wide_keep("525599361m,525599361m,525599361m"));
    g_assert_true(td_restore_is_wide_keep("153474961m,153474961m,153474961m"));
    g_assert_false(td_restore_is_wide_keep("3650d,3650d,3650d"));
    g_assert_false(td_restore_is_wide_keep(NULL));
}

/* Options of a source with so many bytes: what STT_TRIGGER is set back to. */
static void check_stt_trigger(const char *text, const TdTargetServer *server, guint64 megabytes,
                              const char *expected)
{
    g_autofree char *sql = g_strconcat("CREATE DATABASE `a b` ", text, NULL);
    g_autoptr(TdDatabase) source = database(sql);
    g_autoptr(GPtrArray) found = td_database_options(source);

    g_assert_cmpstr(td_restore_stt_trigger(found, server, megabytes * 1024 * 1024), ==, expected);
}

static void test_stt_trigger(void)
{
    static const char *const old[] = {"buffer", "vgroups", NULL};
    g_autoptr(GHashTable) set = options(old);
    const TdTargetServer server = {.nodes = 1}, older = {.options = set, .nodes = 1};
    g_autoptr(TdDatabase) source =
        database("CREATE DATABASE `a b` KEEP 10d STT_TRIGGER 2 VGROUPS 1");

    /* From the first time that a vnode's memory is full, and never for little. */
    check_stt_trigger("BUFFER 256 STT_TRIGGER 2 VGROUPS 2", &server, 170, NULL);
    check_stt_trigger("BUFFER 256 STT_TRIGGER 2 VGROUPS 2", &server, 171, "2");
    check_stt_trigger("BUFFER 3 STT_TRIGGER 8 VGROUPS 1", &server, 31, NULL);
    check_stt_trigger("BUFFER 3 STT_TRIGGER 8 VGROUPS 1", &server, 32, "8");
    check_stt_trigger("BUFFER 3 STT_TRIGGER 1 VGROUPS 1", &server, 1000, NULL);
    check_stt_trigger("BUFFER 3 STT_TRIGGER 16 VGROUPS 1", &server, 1000, NULL);
    check_stt_trigger("BUFFER 3 VGROUPS 1", &server, 1000, NULL);
    check_stt_trigger("STT_TRIGGER 2 VGROUPS 1", &server, 1000, NULL);
    check_stt_trigger("BUFFER 3 STT_TRIGGER 2 VGROUPS 1", &older, 1000, NULL);
    check(source, (TdMeanwhile){.stt_trigger = TRUE}, &server,
          "CREATE DATABASE `ne``w` KEEP 10d STT_TRIGGER 16 VGROUPS 1", 0);
}

int main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/restore-database/same", test_same_server);
    g_test_add_func("/restore-database/smaller", test_smaller_and_older_server);
    g_test_add_func("/restore-database/columns", test_from_columns);
    g_test_add_func("/restore-database/keep", test_keep);
    g_test_add_func("/restore-database/stt-trigger", test_stt_trigger);
    return g_test_run();
}
