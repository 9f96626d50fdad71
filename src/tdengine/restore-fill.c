/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of the following backup, table by table.
 */
#include "tdengine/restore-fill.h"

#include <string.h>

#include "tdengine/connect.h"
#include "tdengine/ddl.h"
#include "tdengine/restore-rows.h"

typedef struct {
    TdRestorePlan *plan;
    const TdDatabasePlan *database;
    GPtrArray *warnings;
    TdRestoreCheck *check;
    guint64 rows;
} Fill;

static void warn(const Fill *fill, const TdTable *table, const char *why)
{
    g_ptr_array_add(fill->warnings, g_strdup_printf("%s.%s is not filled in: %s",
                                                    fill->database->target, table->name, why));
}

static void fill_range(const TdRestorePlan *plan, TdPrecision precision, gint64 *ret_from,
                       gint64 *ret_to)
{
    *ret_from = td_restore_ticks(plan->fill_from, precision);
    *ret_to = td_restore_ticks(plan->fill_to, precision);
}

gboolean td_restore_fills(const TdRestorePlan *plan, const TdSlice *slice)
{
    const TdTable *table = g_ptr_array_index(plan->following->tables, slice->table);
    const TdDatabase *database = td_details_find_database(plan->following, table->database);
    gint64 from, to;

    if (database == NULL)
        return FALSE;
    fill_range(plan, database->precision, &from, &to);
    return td_slice_share(slice, from, to) != TD_SHARE_NONE &&
           (!plan->chosen || td_restore_find_table(plan, table->database, table->name) != NULL);
}

static gboolean has_rows(const Fill *fill, guint32 index)
{
    const GArray *slices = fill->plan->following->slices;

    for (guint i = 0; i < slices->len; i++) {
        const TdSlice *slice = &g_array_index(slices, TdSlice, i);

        if (slice->table == index && td_restore_fills(fill->plan, slice))
            return TRUE;
    }
    return FALSE;
}

static gboolean same_fields(const GPtrArray *one, const GPtrArray *other)
{
    g_autofree char *left = td_fields_hash(one), *right = td_fields_hash(other);

    return strcmp(left, right) == 0;
}

/* A table that was made since. */
static gboolean make_table(const Fill *fill, const TdTable *table, GError **error)
{
    g_autofree char *sql =
        td_table_ddl(table, fill->database->target, &(TdDdlOptions){.encoding = TRUE});

    return td_client_execute(fill->plan->client, sql, NULL, fill->plan->request->cancellable,
                             error);
}

/* The tags of the following backup, and of them what was chosen. */
static TdTagSet *read_tags(const Fill *fill, const TdTable *table, const TdTable *later,
                           const TdTablePlan *planned, GError **error)
{
    g_autoptr(TdTagSet) set =
        td_tag_set_read(fill->plan->request->following, table, later->tag_objects, error);
    const TdTagSet *chosen = planned != NULL ? planned->tags : NULL;

    if (set == NULL || chosen == NULL)
        return g_steal_pointer(&set);
    set->wanted = g_new0(guint8, td_names_count(set->names));
    for (guint32 id = 0; id < td_names_count(set->names); id++) {
        gsize length;
        guint32 other;
        const char *name = td_names_get(set->names, id, &length);

        set->wanted[id] =
            td_names_find(chosen->names, name, length, &other) && td_tag_set_wants(chosen, other);
    }
    return g_steal_pointer(&set);
}

static gboolean count_range(const Fill *fill, const TdTable *table, gint64 from, gint64 to,
                            gint64 *ret_rows, GError **error)
{
    g_autoptr(GString) sql = g_string_new("SELECT COUNT(*) FROM ");
    g_autofree char *time = td_quote_name(((TdField *)g_ptr_array_index(table->columns, 0))->name);

    td_append_table(sql, fill->database->target, table->name);
    g_string_append_printf(sql, " WHERE %s >= %" G_GINT64_FORMAT " AND %s < %" G_GINT64_FORMAT,
                           time, from, time, to);
    return td_ask_number(fill->plan->client, sql->str, ret_rows, fill->plan->request->cancellable,
                         error);
}

static gboolean write_slices(const Fill *fill, const TdRowTarget *target, guint32 index,
                             guint64 *ret_rows, GError **error)
{
    const GArray *slices = fill->plan->following->slices;

    *ret_rows = 0;
    for (guint i = 0; i < slices->len; i++) {
        const TdSlice *slice = &g_array_index(slices, TdSlice, i);
        g_autoptr(GArray) window = NULL;
        guint64 rows;

        if (slice->table != index || !td_restore_fills(fill->plan, slice))
            continue;
        window = td_window_new(slice);
        if (!td_restore_window(fill->plan->client, target, window, &rows, error))
            return FALSE;
        *ret_rows += rows;
    }
    return TRUE;
}

/* `table` says what the restored table is like, `later` what it was at the following backup. */
static gboolean fill_rows(Fill *fill, const TdTable *table, const TdTable *later, guint32 index,
                          const TdTablePlan *planned, GError **error)
{
    const EngineRestore *request = fill->plan->request;
    g_autoptr(TdTagSet) set = NULL;
    gint64 before, after;
    guint64 normal = 0, rows;
    TdRowTarget target = {.backup = request->following,
                          .table = table,
                          .written = &normal,
                          .progress = request->progress,
                          .cancellable = request->cancellable};

    fill_range(fill->plan, fill->database->source->precision, &target.from, &target.to);
    if (table->kind == TD_TABLE_SUPER) {
        set = read_tags(fill, table, later, planned, error);
        if (set == NULL)
            return FALSE;
        target.tags = set;
    }
    if (!count_range(fill, table, target.from, target.to, &before, error) ||
        !write_slices(fill, &target, index, &rows, error) ||
        !count_range(fill, table, target.from, target.to, &after, error))
        return FALSE;
    td_restore_check_fill(fill->check, table->name, (guint64)before, rows, (guint64)after);
    fill->rows += rows;
    return TRUE;
}

static gboolean fill_table(Fill *fill, guint32 index, GError **error)
{
    const TdTable *later = g_ptr_array_index(fill->plan->following->tables, index);
    const TdTablePlan *planned = td_restore_find_table(fill->plan, later->database, later->name);

    if (!has_rows(fill, index))
        return TRUE;
    if (planned == NULL)
        return make_table(fill, later, error) && fill_rows(fill, later, later, index, NULL, error);
    if (planned->table->kind != later->kind) {
        warn(fill, later, "it became another kind of table");
        return TRUE;
    }
    if (!same_fields(planned->table->tags, later->tags)) {
        warn(fill, later, "its tags were changed after that state");
        return TRUE;
    }
    return fill_rows(fill, planned->table, later, index, planned, error);
}

gboolean td_restore_fill(TdRestorePlan *plan, const TdDatabasePlan *database, GPtrArray *warnings,
                         TdRestoreCheck *check, guint64 *ret_rows, GError **error)
{
    Fill fill = {.plan = plan, .database = database, .warnings = warnings, .check = check};

    for (guint32 i = 0; plan->following != NULL && i < plan->following->tables->len; i++) {
        const TdTable *table = g_ptr_array_index(plan->following->tables, i);

        if (strcmp(table->database, database->source->name) == 0 &&
            table->kind != TD_TABLE_VIRTUAL_SUPER && !fill_table(&fill, i, error))
            return FALSE;
    }
    *ret_rows += fill.rows;
    return TRUE;
}
