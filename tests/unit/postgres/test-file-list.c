/* SPDX-License-Identifier: Apache-2.0
 *
 * What a backup takes of a data directory, on one made of empty files; labels and maps of a
 * backup's stop.
 */
#include "postgres/file-list.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "postgres/backup-session.h"

static const char *const present[] = {
    "PG_VERSION",
    "postgresql.conf",
    "postgresql.auto.conf",
    "postgresql.auto.conf.tmp",
    "postmaster.pid",
    "postmaster.opts",
    "backup_label.old",
    "backup_manifest",
    "tablespace_map.old",
    "current_logfiles",
    "standby.signal",
    ".s.PGSQL.5432.lock",
    "log/postgresql.log",
    "global/pg_control",
    "global/1262",
    "global/pg_internal.init",
    "base/5/1259",
    "base/5/1259_fsm",
    "base/5/1259.1",
    "base/5/pg_filenode.map",
    "base/5/pg_internal.init.1234",
    "base/5/t3_16400",
    "base/5/t3_16400_fsm",
    "base/5/16500",
    "base/5/16500.1",
    "base/5/16500_fsm",
    "base/5/16500_init",
    "base/5/16501",
    "base/pgsql_tmp/pgsql_tmp123.0",
    "pg_wal/000000010000000000000001",
    "pg_wal/archive_status/000000010000000000000001.ready",
    "pg_wal/summaries/x.summary",
    "pg_replslot/slot/state",
    "pg_notify/0000",
    "pg_stat_tmp/global.stat",
    "pg_subtrans/0000",
    "pg_xact/0000",
    "pg_tblspc/16999/PG_15_202209061/5/16600", /* in place */
};

/* Paths, directories with a "/" behind them, links with "@". */
static const char expected[] =
    "PG_VERSION base/ base/5/ base/5/1259 base/5/1259.1 base/5/1259_fsm base/5/16500_init "
    "base/5/16501 base/5/pg_filenode.map global/ global/1262 global/pg_control log/ "
    "log/postgresql.log pg_notify/ pg_replslot/ pg_stat_tmp/ pg_subtrans/ pg_tblspc/ "
    "pg_tblspc/16390/PG_15_202209061/ pg_tblspc/16390/PG_15_202209061/5/ "
    "pg_tblspc/16390/PG_15_202209061/5/16385 pg_tblspc/16999/ pg_tblspc/16999/PG_15_202209061/ "
    "pg_tblspc/16999/PG_15_202209061/5/ pg_tblspc/16999/PG_15_202209061/5/16600 pg_wal/ "
    "pg_wal/archive_status/ pg_wal/summaries/ pg_xact/ pg_xact/0000 postgresql.auto.conf "
    "postgresql.conf ";

static void put(const char *root, const char *path, const char *content)
{
    g_autofree char *full = g_build_filename(root, path, NULL);
    g_autofree char *directory = g_path_get_dirname(full);
    g_autoptr(GError) error = NULL;

    g_assert_true(directory_make(directory, 0700, &error));
    g_assert_true(g_file_set_contents(full, content, -1, &error));
}

static void make_link(const char *root, const char *path, const char *target)
{
    g_autofree char *full = g_build_filename(root, path, NULL);

    g_assert_cmpint(symlink(target, full), ==, 0);
}

static char *describe(const GPtrArray *files)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < files->len; i++) {
        const PgFile *file = g_ptr_array_index(files, i);
        const char *mark = file->kind == PG_FILE_DIRECTORY ? "/" : "";

        g_string_append_printf(text, "%s%s ", file->path, file->kind == PG_FILE_LINK ? "@" : mark);
    }
    return g_string_free(text, FALSE);
}

static GPtrArray *scan(const char *data, guint expected_warnings)
{
    const PgFileScan request = {.data_directory = data,
                                .server_major = 15,
                                .catalog_version = 202209061};
    g_autoptr(GPtrArray) warnings = NULL;
    g_autoptr(GError) error = NULL;
    GPtrArray *files = NULL;

    g_assert_true(pg_file_scan(&request, &files, &warnings, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(warnings->len, ==, expected_warnings);
    return files;
}

static char *make_data(const char *root)
{
    char *data = g_build_filename(root, "data", NULL);
    g_autofree char *space = g_build_filename(root, "space", NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(present); i++)
        put(data, present[i], "x");
    put(space, "PG_15_202209061/5/16385", "tablespace");
    put(space, "PG_14_202107181/5/16385", "of another version");
    put(space, "somebody's", "file");
    make_link(data, "pg_tblspc/16390", space);
    return data;
}

static void test_scan(void)
{
    g_autofree char *root = g_dir_make_tmp("holdfast-test-XXXXXX", NULL);
    g_autofree char *data = make_data(root);
    g_autoptr(GPtrArray) files = scan(data, 0);
    g_autofree char *text = describe(files);
    const PgFile *version = g_ptr_array_index(files, 0);

    g_assert_cmpstr(text, ==, expected);
    g_assert_cmpuint(version->content.size, ==, 1);
    g_assert_cmpuint(version->inode, !=, 0);
    g_assert_true(directory_remove(root, NULL));
}

static void test_links(void)
{
    g_autofree char *root = g_dir_make_tmp("holdfast-test-XXXXXX", NULL);
    g_autofree char *data = g_build_filename(root, "data", NULL);
    g_autofree char *elsewhere = g_build_filename(root, "elsewhere", NULL);
    g_autofree char *text = NULL;
    g_autoptr(GPtrArray) files = NULL;

    put(data, "PG_VERSION", "15");
    put(elsewhere, "file", "content");
    put(elsewhere, "wal/000000010000000000000001", "x");
    make_link(data, "pg_wal", "../elsewhere/wal");
    make_link(data, "log", "../elsewhere");
    make_link(data, "pg_hba.conf", "../elsewhere/file");
    make_link(data, "dangling", "/nowhere");
    make_link(elsewhere, "loop", ".");
    /* Named: log, pg_hba.conf, and the loop that is not followed. */
    files = scan(data, 3);
    text = describe(files);
    g_assert_cmpstr(text, ==,
                    "PG_VERSION dangling@ log/ log/file log/wal/ log/wal/000000010000000000000001 "
                    "pg_hba.conf pg_wal@ ");
    g_assert_true(directory_remove(root, NULL));
}

static void test_relations(void)
{
    static const struct {
        const char *path;
        gboolean relation;
    } paths[] = {
        {"base/5/16385.1", TRUE},
        {"global/1262", TRUE},
        {"pg_tblspc/16390/PG_15_202209061/5/16385", TRUE},
        {"global/pg_control", FALSE},
        {"base/5/PG_VERSION", FALSE},
        {"base/16385", FALSE},
        {"pg_xact/0000", FALSE},
        {"pg_multixact/members/0000", FALSE},
        {"base/5/x/16385", FALSE},
        {"16385", FALSE},
    };
    PgRelationName name;

    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++)
        g_assert_cmpint(pg_file_is_relation(paths[i].path, &name), ==, paths[i].relation);
    g_assert_true(pg_file_is_excluded("base/pgsql_tmp/x"));
    g_assert_true(pg_file_is_excluded("pg_wal/000000010000000000000001"));
    g_assert_false(pg_file_is_excluded("pg_wal/archive_status"));
    g_assert_true(pg_file_is_excluded("pg_tblspc/1/PG_15_202209061/5/t3_1"));
    g_assert_false(pg_file_is_excluded("postgresql.conf"));
}

static void test_label(void)
{
    static const char label[] = "START WAL LOCATION: 0/5000028 (file 000000010000000000000005)\n"
                                "CHECKPOINT LOCATION: 1/5000060\n"
                                "BACKUP METHOD: streamed\n"
                                "START TIMELINE: 3\n";
    g_autoptr(PgPhysical) physical = pg_physical_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(GHashTable) oids = pg_tablespace_map_oids("16390 /mnt/a\n16391 /mnt/b 5\n");

    g_assert_true(pg_backup_label_parse(label, physical, &error));
    g_assert_cmphex(physical->start, ==, 0x5000028);
    g_assert_cmphex(physical->checkpoint, ==, G_GUINT64_CONSTANT(0x105000060));
    g_assert_cmpuint(physical->timeline, ==, 3);
    g_assert_false(pg_backup_label_parse("LABEL: nothing\n", physical, &error));
    g_assert_true(error_is(error, ERROR_FORMAT));
    g_assert_cmpuint(g_hash_table_size(oids), ==, 2);
    g_assert_true(g_hash_table_contains(oids, GUINT_TO_POINTER(16391)));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/file-list/scan", test_scan);
    g_test_add_func("/file-list/links", test_links);
    g_test_add_func("/file-list/relations", test_relations);
    g_test_add_func("/file-list/label", test_label);
    return g_test_run();
}
