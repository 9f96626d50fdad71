/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of what decides over an incremental: versions, and slices of the base.
 */
#include "tdengine/evidence.h"
#include "tdengine/incremental.h"

#include <string.h>

static GPtrArray *databases_new(const char *name, gint64 created, gint64 first, gint64 second)
{
    GPtrArray *databases = g_ptr_array_new_with_free_func((GDestroyNotify)td_database_free);
    TdDatabase *database = td_database_new(name);
    const TdVgroup groups[] = {{.id = 2, .applied = first}, {.id = 3, .applied = second}};

    database->create_time = created;
    g_array_append_vals(database->vgroups, groups, G_N_ELEMENTS(groups));
    g_ptr_array_add(databases, database);
    return databases;
}

static void expect(GPtrArray *base, GPtrArray *now, const char *part)
{
    const char *reason;
    TdVersions versions = td_evidence_of_versions(base, now, &reason);

    g_assert_cmpint(versions == TD_VERSIONS_EQUAL, ==, part == NULL);
    if (part == NULL)
        g_assert_null(reason);
    else
        g_assert_nonnull(strstr(reason, part));
    g_ptr_array_unref(base);
    g_ptr_array_unref(now);
}

static void test_versions(void)
{
    GPtrArray *other;

    expect(databases_new("d", 1, 10, 20), databases_new("d", 1, 10, 20), NULL);
    expect(databases_new("d", 1, 10, 20), databases_new("d", 1, 10, 21), "moved");
    expect(databases_new("d", 1, 10, 20), databases_new("d", 1, 9, 20), "went back");
    expect(databases_new("d", 1, 10, 20), databases_new("d", 2, 10, 20), "made anew");
    expect(databases_new("d", 1, 10, 20), databases_new("e", 1, 10, 20), "another database");
    expect(databases_new("d", 1, -1, 20), databases_new("d", 1, -1, 20), "does not tell");
    expect(g_ptr_array_new(), databases_new("d", 1, 10, 20), "more or fewer");
    other = databases_new("d", 1, 10, 20);
    g_array_set_size(((TdDatabase *)g_ptr_array_index(other, 0))->vgroups, 1);
    expect(databases_new("d", 1, 10, 20), other, "split");
    other = databases_new("d", 1, 10, 20);
    g_array_index(((TdDatabase *)g_ptr_array_index(other, 0))->vgroups, TdVgroup, 1).id = 4;
    expect(databases_new("d", 1, 10, 20), other, "split");
}

/* Nothing can be concluded where the server shows nothing. */
static void test_no_vgroups(void)
{
    GPtrArray *base = databases_new("d", 1, 10, 20), *now = databases_new("d", 1, 10, 20);

    g_array_set_size(((TdDatabase *)g_ptr_array_index(base, 0))->vgroups, 0);
    g_array_set_size(((TdDatabase *)g_ptr_array_index(now, 0))->vgroups, 0);
    expect(base, now, "shows no vgroups");
}

static void test_slices(void)
{
    g_autoptr(GArray) slices = g_array_new(FALSE, FALSE, sizeof(TdSlice));
    TdSlice wanted;

    for (gint64 step = 0; step < 5; step++) {
        for (guint32 shard = 0; shard < 2; shard++) {
            TdSlice slice = {.from = step * 100,
                             .to = step * 100 + 100,
                             .shard = shard,
                             .shards = 2,
                             .rows = 7,
                             .fingerprint = {(guint64)step, shard},
                             .schema = "abc"};

            g_array_append_val(slices, slice);
        }
    }
    for (guint i = 0; i < slices->len; i++) {
        const TdSlice *slice = &g_array_index(slices, TdSlice, i);

        wanted = *slice;
        g_assert_true(td_base_slice(slices, &wanted) == slice);
        wanted.fingerprint.high ^= 1;
        g_assert_null(td_base_slice(slices, &wanted));
        wanted = *slice;
        wanted.rows++;
        g_assert_null(td_base_slice(slices, &wanted));
        wanted = *slice;
        wanted.to++;
        g_assert_null(td_base_slice(slices, &wanted));
        wanted = *slice;
        wanted.shards = 3;
        g_assert_null(td_base_slice(slices, &wanted));
        wanted = *slice;
        g_strlcpy(wanted.schema, "abd", sizeof wanted.schema);
        g_assert_null(td_base_slice(slices, &wanted));
    }
    wanted = (TdSlice){.from = 500, .to = 600, .shards = 2, .rows = 7, .schema = "abc"};
    g_assert_null(td_base_slice(slices, &wanted));
}

static TdTable *add_table(TdDetails *details, gboolean binary)
{
    TdTable *table = td_table_new("d", "st", TD_TABLE_SUPER);
    TdField *field = g_new0(TdField, 1);

    field->name = g_strdup("s");
    field->type = TD_VARCHAR;
    field->binary = binary;
    g_ptr_array_add(table->columns, field);
    table->plan = td_plan_new(100);
    g_ptr_array_add(details->tables, table);
    return table;
}

static void test_table(void)
{
    g_autoptr(TdDetails) base = td_details_new();
    g_autoptr(TdDetails) now = td_details_new();
    TdTable *fresh = add_table(now, FALSE);
    const TdSlice slices[] = {{.table = 0, .from = 0}, {.table = 1, .from = 0}, {.from = 100}};
    TdBaseTable *found;

    g_assert_null(td_base_table_new(base, fresh));
    add_table(base, TRUE);
    g_array_append_vals(base->slices, slices, G_N_ELEMENTS(slices));
    found = td_base_table_new(base, fresh);
    g_assert_nonnull(found);
    g_assert_cmpuint(found->slices->len, ==, 2);
    g_assert_true(((TdField *)g_ptr_array_index(fresh->columns, 0))->binary);
    td_base_table_free(found);
    fresh->kind = TD_TABLE_NORMAL;
    g_assert_null(td_base_table_new(base, fresh));
}

/* The stretches of a base: of a span one, whatever steps and shards its slices are; of the newest with
 * its steps; a file set that no span has is one of its own. */
static void test_stretches(void)
{
    g_autoptr(TdPlan) plan = td_plan_new(100);
    const TdSpan spans[] = {{0, 200, 2, 2}, {300, 400, 4, 1}};
    const TdSlice slices[] = {{.from = -100}, {.from = 0},   {.from = 0, .shard = 1},
                              {.from = 100},  {.from = 300}, {.from = 350},
                              {.from = 500}};
    const TdStretch expected[] = {{-100, 0, 1}, {0, 200, 1}, {300, 400, 4}, {500, 600, 1}};
    TdBaseTable base = {g_array_new(FALSE, FALSE, sizeof(TdSlice)), plan};
    g_autoptr(GArray) stretches = NULL;

    g_array_append_vals(plan->spans, spans, G_N_ELEMENTS(spans));
    g_array_append_vals(base.slices, slices, G_N_ELEMENTS(slices));
    stretches = td_base_stretches(&base, plan);
    g_assert_cmpuint(stretches->len, ==, G_N_ELEMENTS(expected));
    for (guint i = 0; i < stretches->len; i++) {
        const TdStretch *stretch = &g_array_index(stretches, TdStretch, i);

        g_assert_cmpint(stretch->from, ==, expected[i].from);
        g_assert_cmpint(stretch->to, ==, expected[i].to);
        g_assert_cmpuint(stretch->steps, ==, expected[i].steps);
    }
    g_array_unref(base.slices);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/incremental/versions", test_versions);
    g_test_add_func("/incremental/no-vgroups", test_no_vgroups);
    g_test_add_func("/incremental/slices", test_slices);
    g_test_add_func("/incremental/table", test_table);
    g_test_add_func("/incremental/stretches", test_stretches);
    return g_test_run();
}
