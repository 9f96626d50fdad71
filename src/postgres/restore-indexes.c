/* SPDX-License-Identifier: Apache-2.0
 *
 * Dividing the last section of a schema archive: indexes by table, and the rest.
 */
#include "postgres/restore-indexes.h"

#include "postgres/graph.h"

/* pg_restore is run for each index and reads the whole table of contents each time: where that is
 * long, it costs more than it brings. */
#define MOST_ENTRIES 20000u

static void table_indexes_free(gpointer data)
{
    PgTableIndexes *indexes = data;

    g_free(indexes->constraints);
    g_ptr_array_unref(indexes->indexes);
    g_free(indexes);
}

void pg_index_plan_free(PgIndexPlan *plan)
{
    if (plan == NULL)
        return;
    g_hash_table_unref(plan->tables);
    g_free(plan->rest);
    g_free(plan);
}

const PgTableIndexes *pg_index_plan_find(const PgIndexPlan *plan, const PgTable *table)
{
    return g_hash_table_lookup(plan->tables, table);
}

/* The dump ids at the beginnings of the list's lines; NULL: all entries are chosen. */
static GHashTable *chosen_ids(const char *list)
{
    g_autoptr(GHashTable) ids = g_hash_table_new(NULL, NULL);

    if (list == NULL)
        return NULL;
    while (*list != '\0') {
        char *end;

        g_hash_table_add(ids, GUINT_TO_POINTER((guint)g_ascii_strtoull(list, &end, 10)));
        for (list = end; *list != '\0' && *list != '\n';)
            list++;
        if (*list == '\n')
            list++;
    }
    return g_steal_pointer(&ids);
}

static gboolean is_index(const PgTocEntry *entry)
{
    return entry->kind == PG_TOC_OBJECT && entry->catalog == PG_CLASS_RELATION &&
           g_str_has_prefix(entry->text, "INDEX ");
}

static gboolean is_constraint(const PgTocEntry *entry)
{
    return entry->kind == PG_TOC_OBJECT && entry->catalog == PG_CLASS_CONSTRAINT &&
           g_str_has_prefix(entry->text, "CONSTRAINT ");
}

/* The table whose index this is, when it needs the rows of no other. An index of a partition names
 * that of the partitioned table too, but can be made before it: only attaching it takes both. */
static const PgTable *own_table(const PgToc *toc, GHashTable *by_oid, const PgTocEntry *entry)
{
    const PgTable *table = NULL;

    for (guint i = 0; entry->depends != NULL && i < entry->depends->len; i++) {
        const PgTocEntry *other = pg_toc_find(toc, g_array_index(entry->depends, guint32, i));
        const PgTable *found;

        if (other == NULL || other->kind != PG_TOC_OBJECT || other->catalog != PG_CLASS_RELATION ||
            is_index(other))
            continue;
        found = g_hash_table_lookup(by_oid, GUINT_TO_POINTER(other->oid));
        if (found == NULL || (table != NULL && table != found))
            return NULL;
        table = found;
    }
    return table;
}

static void add_entry(PgIndexPlan *plan, const PgTable *table, const PgTocEntry *entry)
{
    PgTableIndexes *indexes = g_hash_table_lookup(plan->tables, table);
    g_autofree char *line = g_strdup_printf("%u;\n", entry->dump_id);

    if (indexes == NULL) {
        indexes = g_new0(PgTableIndexes, 1);
        indexes->indexes = g_ptr_array_new_with_free_func(g_free);
        g_hash_table_insert(plan->tables, (gpointer)table, indexes);
    }
    if (is_index(entry)) {
        g_ptr_array_add(indexes->indexes, g_steal_pointer(&line));
    } else {
        char *joined =
            g_strconcat(indexes->constraints != NULL ? indexes->constraints : "", line, NULL);

        g_free(indexes->constraints);
        indexes->constraints = joined;
    }
}

PgIndexPlan *pg_index_plan_new(const PgToc *toc, const char *list, const GPtrArray *tables)
{
    PgIndexPlan *plan = g_new0(PgIndexPlan, 1);
    g_autoptr(GHashTable) chosen = chosen_ids(list);
    g_autoptr(GHashTable) by_oid = g_hash_table_new(NULL, NULL);
    g_autoptr(GString) rest = g_string_new(NULL);

    plan->tables = g_hash_table_new_full(NULL, NULL, NULL, table_indexes_free);
    for (guint i = 0; i < tables->len; i++) {
        PgTable *table = g_ptr_array_index(tables, i);

        if (table->archive != NULL)
            g_hash_table_insert(by_oid, GUINT_TO_POINTER(table->oid), table);
    }
    for (guint i = 0; i < toc->entries->len && toc->entries->len <= MOST_ENTRIES; i++) {
        const PgTocEntry *entry = g_ptr_array_index(toc->entries, i);
        const PgTable *table =
            is_index(entry) || is_constraint(entry) ? own_table(toc, by_oid, entry) : NULL;

        if (chosen != NULL && !g_hash_table_contains(chosen, GUINT_TO_POINTER(entry->dump_id)))
            continue;
        if (table != NULL)
            add_entry(plan, table, entry);
        else
            g_string_append_printf(rest, "%u;\n", entry->dump_id);
    }
    if (g_hash_table_size(plan->tables) > 0)
        plan->rest = g_string_free(g_steal_pointer(&rest), FALSE);
    return plan;
}
