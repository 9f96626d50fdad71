/* SPDX-License-Identifier: Apache-2.0
 *
 * Which indexes may be built before all rows are in, on a table of contents as PostgreSQL 15 prints
 * it.
 */
#include "postgres/restore-indexes.h"

#include <string.h>

static const char sample[] = "7; 2615 100 SCHEMA - s bob\n"
                             "10; 1259 1000 TABLE s big bob\n"
                             ";\tdepends on: 7\n"
                             "11; 1259 1001 TABLE s small bob\n"
                             "12; 1259 1002 TABLE s parent bob\n"
                             "13; 1259 1003 TABLE s part bob\n"
                             ";\tdepends on: 12 7\n"
                             /* Names that look like something else. */
                             "14; 1259 1004 TABLE INDEX t bob\n"
                             "20; 2606 2000 CONSTRAINT s big big_pkey bob\n"
                             ";\tdepends on: 10\n"
                             "21; 2606 2001 CONSTRAINT s big big_key bob\n"
                             ";\tdepends on: 10 10\n"
                             "22; 1259 2002 INDEX s big_one bob\n"
                             ";\tdepends on: 10 99\n"
                             "23; 1259 2003 INDEX s big_two bob\n"
                             ";\tdepends on: 10\n"
                             "24; 1259 2004 INDEX s small_one bob\n"
                             ";\tdepends on: 11\n"
                             "25; 1259 2005 INDEX s parent_one bob\n"
                             ";\tdepends on: 12 12\n"
                             "26; 1259 2006 INDEX s part_one bob\n"
                             ";\tdepends on: 13 25 13\n"
                             "27; 0 0 INDEX ATTACH s part_one bob\n"
                             ";\tdepends on: 26 25 13 12\n"
                             "28; 1259 2008 INDEX s of_two_tables bob\n"
                             ";\tdepends on: 10 11\n"
                             "29; 2606 2009 FK CONSTRAINT s big big_fkey bob\n"
                             ";\tdepends on: 10 20\n"
                             "30; 2606 2010 CHECK CONSTRAINT s big big_check bob\n"
                             ";\tdepends on: 10\n"
                             "31; 1259 2011 INDEX s alone bob\n";

typedef struct {
    PgTable big, small, part;
    GPtrArray *tables;
    PgToc *toc;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    fixture->big = (PgTable){.oid = 1000, .archive = (char *)"big"};
    fixture->small = (PgTable){.oid = 1001};
    fixture->part = (PgTable){.oid = 1003, .archive = (char *)"part"};
    fixture->tables = g_ptr_array_new();
    g_ptr_array_add(fixture->tables, &fixture->big);
    g_ptr_array_add(fixture->tables, &fixture->small);
    g_ptr_array_add(fixture->tables, &fixture->part);
    fixture->toc = pg_toc_parse(sample, strlen(sample), "sample", &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    pg_toc_free(fixture->toc);
    g_ptr_array_unref(fixture->tables);
}

static void test_all(Fixture *fixture, gconstpointer data)
{
    g_autoptr(PgIndexPlan) plan = pg_index_plan_new(fixture->toc, NULL, fixture->tables);
    const PgTableIndexes *big = pg_index_plan_find(plan, &fixture->big);
    const PgTableIndexes *part = pg_index_plan_find(plan, &fixture->part);

    g_assert_nonnull(big);
    g_assert_cmpstr(big->constraints, ==, "20;\n21;\n");
    g_assert_cmpuint(big->indexes->len, ==, 2);
    g_assert_cmpstr(big->indexes->pdata[0], ==, "22;\n");
    g_assert_cmpstr(big->indexes->pdata[1], ==, "23;\n");
    g_assert_nonnull(part);
    g_assert_null(part->constraints);
    g_assert_cmpuint(part->indexes->len, ==, 1);
    g_assert_cmpstr(part->indexes->pdata[0], ==, "26;\n");
    g_assert_null(pg_index_plan_find(plan, &fixture->small));
    g_assert_cmpstr(plan->rest, ==,
                    "7;\n10;\n11;\n12;\n13;\n14;\n24;\n25;\n27;\n28;\n29;\n30;\n31;\n");
}

static void test_chosen(Fixture *fixture, gconstpointer data)
{
    g_autoptr(PgIndexPlan) plan =
        pg_index_plan_new(fixture->toc, "10;\n13; what stands behind\n22;\n30;", fixture->tables);
    const PgTableIndexes *big = pg_index_plan_find(plan, &fixture->big);

    g_assert_nonnull(big);
    g_assert_null(big->constraints);
    g_assert_cmpuint(big->indexes->len, ==, 1);
    g_assert_null(pg_index_plan_find(plan, &fixture->part));
    g_assert_cmpstr(plan->rest, ==, "10;\n13;\n30;\n");
}

static void test_nothing(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    g_autoptr(PgIndexPlan) plan = pg_index_plan_new(fixture->toc, NULL, none);

    g_assert_null(plan->rest);
    g_assert_null(pg_index_plan_find(plan, &fixture->big));
    pg_index_plan_free(NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/restore-indexes/all", Fixture, NULL, set_up, test_all, tear_down);
    g_test_add("/restore-indexes/chosen", Fixture, NULL, set_up, test_chosen, tear_down);
    g_test_add("/restore-indexes/nothing", Fixture, NULL, set_up, test_nothing, tear_down);
    return g_test_run();
}
