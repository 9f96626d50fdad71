/* SPDX-License-Identifier: Apache-2.0
 *
 * The parser of pg_restore's lists, on lines as PostgreSQL 15 prints them.
 */
#include "postgres/restore-toc.h"

#include <string.h>

#include "base/error.h"

static const char sample[] =
    ";\n"
    "; Archive created at 2026-11-22 18:11:07 UTC\n"
    ";     TOC Entries: 87\n"
    "; Selected TOC Entries:\n"
    ";\n"
    "3645; 0 0 ENCODING - ENCODING \n"
    "9; 2615 16387 SCHEMA - app bob\n"
    "3651; 0 0 ACL - SCHEMA app bob\n"
    ";\tdepends on: 9\n"
    "219; 1259 16633 TABLE DATA t postgres\n"
    ";\tdepends on: 975 349 9\n"
    "221; 1259 16646 TABLE app we ird name; x postgres\n"
    "3449; 0 0 TABLE ATTACH app p1 postgres\n"
    ";\tdepends on: 223 222\n"
    "3662; 0 0 SEQUENCE OWNED BY app s bob\n"
    ";\tdepends on: 218\n"
    "3479; 2606 16651 FK CONSTRAINT app a a_fkey postgres\n"
    "3626; 0 16633 ROW SECURITY app t postgres\n"
    "3629; 6106 16694 PUBLICATION TABLE app pub t postgres\n"
    "2272; 826 16695 DEFAULT ACL app DEFAULT PRIVILEGES FOR TABLES postgres\n"
    "3636; 0 16683 MATERIALIZED VIEW DATA app mv postgres\n"
    "3631; 0 16633 TABLE DATA app t postgres\n"
    "3666; 0 0 SEQUENCE SET app s bob\n"
    "5; 0 0 SHELL TYPE app base postgres\n"
    "3642; 0 0 BLOBS - BLOBS ";

static PgTocKind kind_of(const PgToc *toc, guint32 dump_id)
{
    const PgTocEntry *entry = pg_toc_find(toc, dump_id);

    g_assert_nonnull(entry);
    return entry->kind;
}

static void test_kinds(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PgToc) toc = pg_toc_parse(sample, strlen(sample), "sample", &error);

    g_assert_no_error(error);
    g_assert_cmpuint(toc->entries->len, ==, 16);
    g_assert_cmpint(kind_of(toc, 3645), ==, PG_TOC_OTHER);
    g_assert_cmpint(kind_of(toc, 9), ==, PG_TOC_OBJECT);
    g_assert_cmpint(kind_of(toc, 3651), ==, PG_TOC_APPENDIX);
    /* A table in a schema called DATA. */
    g_assert_cmpint(kind_of(toc, 219), ==, PG_TOC_OBJECT);
    g_assert_cmpint(kind_of(toc, 221), ==, PG_TOC_OBJECT);
    g_assert_cmpint(kind_of(toc, 3449), ==, PG_TOC_ATTACH);
    g_assert_cmpint(kind_of(toc, 3662), ==, PG_TOC_SEQUENCE_OWNER);
    g_assert_cmpint(kind_of(toc, 3479), ==, PG_TOC_FOREIGN_KEY);
    g_assert_cmpint(kind_of(toc, 3626), ==, PG_TOC_ROW_SECURITY);
    g_assert_cmpint(kind_of(toc, 3629), ==, PG_TOC_PUBLICATION);
    g_assert_cmpint(kind_of(toc, 2272), ==, PG_TOC_DEFAULT_ACL);
    g_assert_cmpint(kind_of(toc, 3636), ==, PG_TOC_MATVIEW_DATA);
    g_assert_cmpint(kind_of(toc, 3631), ==, PG_TOC_TABLE_DATA);
    g_assert_cmpint(kind_of(toc, 3666), ==, PG_TOC_SEQUENCE_SET);
    g_assert_cmpint(kind_of(toc, 5), ==, PG_TOC_SHELL_TYPE);
    g_assert_cmpint(kind_of(toc, 3642), ==, PG_TOC_OTHER);
}

static void test_lookups(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PgToc) toc = pg_toc_parse(sample, strlen(sample), "sample", &error);
    const PgTocEntry *table = pg_toc_find_object(toc, 1259, 16633);

    g_assert_nonnull(table);
    g_assert_cmpuint(table->dump_id, ==, 219);
    g_assert_cmpstr(table->text, ==, "TABLE DATA t postgres");
    g_assert_cmpuint(table->depends->len, ==, 3);
    g_assert_cmpuint(g_array_index(table->depends, guint32, 1), ==, 349);
    g_assert_null(pg_toc_find_object(toc, 0, 16633));
    g_assert_null(pg_toc_find_object(toc, 1259, 1));
    g_assert_null(pg_toc_find(toc, 1));
    g_assert_null(pg_toc_find(toc, 9)->depends);
}

static void test_refused(void)
{
    static const char *const bad[] = {
        "x; 1 2 TABLE a b c\n",
        "1 1 2 TABLE a b c\n",
        "1; 1 2\n",
        "1; 1 2 \n",
        "0; 1 2 TABLE a b c\n",
        "4294967296; 1 2 TABLE a b c\n",
        "1; -1 2 TABLE a b c\n",
        "1; 1 2 TABLE a b c\n1; 1 3 TABLE a b d\n",
        ";\tdepends on: 1\n",
        "1; 1 2 TABLE a b c\n;\tdepends on: x\n",
        "1; 1 2 TABLE a b c\n;\tdepends on: 2\n;\tdepends on: 3\n",
    };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", bad[i]);
        g_assert_null(pg_toc_parse(bad[i], strlen(bad[i]), "sample", &error));
        g_assert_true(error_is(error, ERROR_FORMAT));
    }
}

static void test_empty(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PgToc) toc = pg_toc_parse("", 0, "sample", &error);

    g_assert_no_error(error);
    g_assert_cmpuint(toc->entries->len, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/toc/kinds", test_kinds);
    g_test_add_func("/toc/lookups", test_lookups);
    g_test_add_func("/toc/refused", test_refused);
    g_test_add_func("/toc/empty", test_empty);
    return g_test_run();
}
