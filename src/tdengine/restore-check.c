/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts and fingerprints of restored tables.
 */
#include "tdengine/restore-check.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"
#include "tdengine/tags.h"

#define NAMES_SHOWN       5
#define DIFFERENCES_SHOWN 1000

void td_restore_check_init(TdRestoreCheck *check)
{
    *check = (TdRestoreCheck){.differences = json_array(),
                              .checked = json_array(),
                              .empty = json_array(),
                              .names = g_string_new(NULL)};
}

void td_restore_check_clear(TdRestoreCheck *check)
{
    json_decref(check->differences);
    json_decref(check->checked);
    json_decref(check->empty);
    g_string_free(check->names, TRUE);
}

static void add_bad(TdRestoreCheck *check, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void add_bad(TdRestoreCheck *check, const char *format, ...)
{
    va_list args;

    if (check->bad++ >= NAMES_SHOWN)
        return;
    g_string_append(check->names, check->names->len > 0 ? ", " : "");
    va_start(args, format);
    g_string_append_vprintf(check->names, format, args);
    va_end(args);
}

/* A table that had rows before has at least those that were written. */
static void compare(const TdRestorePlan *plan, TdRestoreCheck *check, const char *name,
                    guint64 expected, guint64 rows, gboolean merged)
{
    guint64 away = rows > expected ? rows - expected : expected - rows;

    check->rows += rows;
    if (merged && rows > expected)
        return;
    if (away > 0 && json_array_size(check->differences) < DIFFERENCES_SHOWN)
        json_array_append_new(check->differences,
                              json_pack("{s:o, s:I, s:I}", "table", json_text(name), "expected",
                                        (json_int_t)expected, "rows", (json_int_t)rows));
    if ((double)away > floor((double)expected * plan->request->tolerance))
        add_bad(check, "%s has %" G_GUINT64_FORMAT " rows instead of %" G_GUINT64_FORMAT, name,
                rows, expected);
}

/* --- counting --------------------------------------------------------------------------------- */

typedef struct {
    const TdTagSet *set;
    guint64 *rows;
    guint8 *seen;
} Counts;

static gboolean take_counts(const Counts *counts, const TdBlock *block, GError **error)
{
    if (block->n_columns != 2 || block->columns[0].type != TD_VARCHAR ||
        block->columns[1].type != TD_BIGINT) {
        error_set(error, ERROR_FORMAT, "the counts of tables came in a form that is not known");
        return FALSE;
    }
    for (guint32 row = 0; row < block->rows; row++) {
        guint32 length, id;
        const guint8 *name;
        gint64 count;

        if (td_block_is_null(&block->columns[0], row) || td_block_is_null(&block->columns[1], row))
            continue;
        name = td_block_value(&block->columns[0], row, &length);
        if (!td_names_find(counts->set->names, (const char *)name, length, &id))
            continue;
        memcpy(&count, block->columns[1].values + 8 * (gsize)row, sizeof count);
        counts->rows[id] += (guint64)count;
        counts->seen[id] = 1;
    }
    return TRUE;
}

static gboolean ask_counts(const TdRestorePlan *plan, const TdTablePlan *table,
                           const Counts *counts, GError **error)
{
    g_autoptr(GString) sql = g_string_new("SELECT tbname, COUNT(*) FROM ");
    g_autoptr(TdResult) result = NULL;
    g_autoptr(GError) problem = NULL;
    const TdBlock *block;

    td_append_table(sql, table->database->target, table->table->name);
    g_string_append(sql, " PARTITION BY tbname");
    result = td_client_query(plan->client, sql->str, plan->request->cancellable, error);
    if (result == NULL)
        return FALSE;
    while ((block = td_result_next(result, &problem)) != NULL)
        if (!take_counts(counts, block, error))
            return FALSE;
    if (problem == NULL)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

static gboolean count_children(const TdRestorePlan *plan, const TdTablePlan *table,
                               const TdTagSet *set, TdRestoreCheck *check, guint64 *expected,
                               GError **error)
{
    const guint32 n = td_names_count(set->names);
    g_autofree guint64 *rows = g_new0(guint64, n);
    g_autofree guint8 *seen = g_new0(guint8, n);
    const Counts counts = {set, rows, seen};

    if (!ask_counts(plan, table, &counts, error))
        return FALSE;
    for (guint32 id = 0; id < n; id++) {
        gsize length;
        const char *name = td_names_get(set->names, id, &length);

        if (!td_tag_set_wants(set, id))
            continue;
        *expected += set->written[id];
        if (seen[id] == 0)
            add_bad(check, "%s is not there", name);
        else
            compare(plan, check, name, set->written[id], rows[id], table->exists);
    }
    return TRUE;
}

gboolean td_restore_count(const TdRestorePlan *plan, const TdTablePlan *table, const TdTagSet *set,
                          TdRestoreCheck *check, GError **error)
{
    g_autofree char *full = g_strdup_printf("%s.%s", table->table->database, table->table->name);
    const guint64 before = check->rows;
    guint64 expected = 0;
    gint64 rows;

    if (table->table->kind == TD_TABLE_SUPER) {
        if (!count_children(plan, table, set, check, &expected, error))
            return FALSE;
    } else {
        g_autoptr(GString) sql = g_string_new("SELECT COUNT(*) FROM ");

        td_append_table(sql, table->database->target, table->table->name);
        if (!td_ask_number(plan->client, sql->str, &rows, plan->request->cancellable, error))
            return FALSE;
        expected = table->written;
        compare(plan, check, table->table->name, expected, (guint64)rows, table->exists);
    }
    engine_add_checked(check->checked, full, expected, check->rows - before);
    if (check->rows == before)
        json_array_append_new(check->empty, json_text(table->table->name));
    return TRUE;
}

void td_restore_check_fill(TdRestoreCheck *check, const char *name, guint64 before, guint64 filled,
                           guint64 after)
{
    if (after < MAX(before, filled) || after > before + filled)
        add_bad(check,
                "%s has %" G_GUINT64_FORMAT " rows where %" G_GUINT64_FORMAT
                " were filled in beside %" G_GUINT64_FORMAT,
                name, after, filled, before);
    check->rows += after - MIN(before, after);
}

/* --- fingerprints ----------------------------------------------------------------------------- */

typedef struct {
    const TdTagSet *set; /* NULL of a normal table */
    TdHasher *hasher;
    guint64 *seeds;
    guint8 *seeded;
    TdFingerprint *sums; /* one a child table */
} Hashing;

static void hashing_clear(Hashing *hashing)
{
    td_hasher_free(hashing->hasher);
    g_free(hashing->seeds);
    g_free(hashing->seeded);
    g_free(hashing->sums);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Hashing, hashing_clear)

static void hashing_init(Hashing *hashing, const TdRestorePlan *plan, const TdTable *table,
                         const TdTagSet *set)
{
    const guint32 n = set != NULL ? td_names_count(set->names) : 1;
    g_autofree TdColumn *columns = g_new0(TdColumn, table->columns->len);

    for (guint i = 0; i < table->columns->len; i++)
        td_field_to_column(g_ptr_array_index(table->columns, i), &columns[i]);
    hashing->set = set;
    hashing->hasher = td_hasher_new(plan->details->fingerprint_key, columns, table->columns->len);
    hashing->seeds = g_new0(guint64, n);
    hashing->seeded = g_new0(guint8, n);
    hashing->sums = g_new0(TdFingerprint, n);
    if (set == NULL) {
        hashing->seeds[0] = td_hasher_table_seed(hashing->hasher, table->name, strlen(table->name));
        hashing->seeded[0] = 1;
    }
}

/* Runs of rows of one table, as a plain scan brings them. */
static void hash_runs(Hashing *hashing, const TdBlock *block)
{
    const TdBlockColumn *names = &block->columns[0];
    guint32 from = 0;

    while (from < block->rows) {
        guint32 length, other_length, id, to = from + 1;
        const guint8 *name = td_block_value(names, from, &length);

        while (to < block->rows) {
            const guint8 *other = td_block_value(names, to, &other_length);

            if (other_length != length || memcmp(other, name, length) != 0)
                break;
            to++;
        }
        if (td_names_find(hashing->set->names, (const char *)name, length, &id)) {
            if (hashing->seeded[id] == 0)
                hashing->seeds[id] =
                    td_hasher_table_seed(hashing->hasher, (const char *)name, length);
            hashing->seeded[id] = 1;
            td_hasher_add(hashing->hasher, hashing->seeds[id], block->columns + 1, from, to - from,
                          &hashing->sums[id]);
        }
        from = to;
    }
}

static char *scan_sql(const TdTablePlan *table)
{
    GString *sql = g_string_new("SELECT ");

    if (table->table->kind == TD_TABLE_SUPER)
        g_string_append(sql, "tbname, ");
    for (guint i = 0; i < table->table->columns->len; i++) {
        g_string_append(sql, i > 0 ? ", " : "");
        td_append_name(sql, ((TdField *)g_ptr_array_index(table->table->columns, i))->name);
    }
    g_string_append(sql, " FROM ");
    td_append_table(sql, table->database->target, table->table->name);
    return g_string_free(sql, FALSE);
}

static gboolean hash_table(const TdRestorePlan *plan, const TdTablePlan *table, Hashing *hashing,
                           GError **error)
{
    g_autofree char *sql = scan_sql(table);
    g_autoptr(TdResult) result =
        td_client_query(plan->client, sql, plan->request->cancellable, error);
    g_autoptr(GError) problem = NULL;
    const TdBlock *block;
    const guint expected = table->table->columns->len + (hashing->set != NULL);

    if (result == NULL)
        return FALSE;
    while ((block = td_result_next(result, &problem)) != NULL) {
        if (block->n_columns != expected ||
            (hashing->set != NULL && block->columns[0].type != TD_VARCHAR)) {
            error_set(error, ERROR_FORMAT, "the rows of %s came in a form that is not known",
                      table->table->name);
            return FALSE;
        }
        if (hashing->set != NULL)
            hash_runs(hashing, block);
        else
            td_hasher_add(hashing->hasher, hashing->seeds[0], block->columns, 0, block->rows,
                          &hashing->sums[0]);
    }
    if (problem == NULL)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* Whether all of the table's slices were restored whole, under the schema that they were
 * fingerprinted with. */
static gboolean can_compare(const TdRestorePlan *plan, const TdTablePlan *table)
{
    g_autofree char *schema = td_fields_hash(table->table->columns);

    if (table->exists)
        return FALSE;
    for (guint i = 0; i < plan->details->slices->len; i++) {
        const TdSlice *slice = &g_array_index(plan->details->slices, TdSlice, i);

        if (slice->table == table->index && slice->rows > 0 &&
            (td_restore_share(plan, table, slice) == TD_SHARE_PART ||
             strcmp(slice->schema, schema) != 0))
            return FALSE;
    }
    return TRUE;
}

/* What the backup recorded of each child table, and of a normal one. */
static gboolean read_recorded(const TdRestorePlan *plan, const TdTablePlan *table,
                              GHashTable *counts, TdFingerprint *ret_sum, GError **error)
{
    *ret_sum = (TdFingerprint){0};
    for (guint i = 0; i < plan->details->slices->len; i++) {
        const TdSlice *slice = &g_array_index(plan->details->slices, TdSlice, i);

        if (slice->table != table->index || td_restore_share(plan, table, slice) == TD_SHARE_NONE)
            continue;
        td_fingerprint_add(ret_sum, slice->fingerprint);
        if (slice->tables.sha256[0] != '\0' &&
            !td_table_counts_read(plan->request->backup, slice, counts, error))
            return FALSE;
    }
    return TRUE;
}

static void compare_children(const TdTagSet *set, const Hashing *hashing, GHashTable *counts,
                             TdRestoreCheck *check)
{
    for (guint32 id = 0; id < td_names_count(set->names); id++) {
        gsize length;
        const char *name = td_names_get(set->names, id, &length);
        const TdTableCount *recorded = g_hash_table_lookup(counts, name);
        const TdFingerprint expected =
            recorded != NULL ? recorded->fingerprint : (TdFingerprint){0};

        if (td_tag_set_wants(set, id) && !td_fingerprint_equal(hashing->sums[id], expected))
            add_bad(check, "%s has other rows than the backup", name);
    }
}

gboolean td_restore_fingerprint(const TdRestorePlan *plan, const TdTablePlan *table,
                                const TdTagSet *set, TdRestoreCheck *check, gboolean *ret_compared,
                                GError **error)
{
    g_autoptr(GHashTable) counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_auto(Hashing) hashing = {0};
    TdFingerprint sum;

    *ret_compared = can_compare(plan, table);
    if (!*ret_compared)
        return TRUE;
    hashing_init(&hashing, plan, table->table, set);
    if (!read_recorded(plan, table, counts, &sum, error) ||
        !hash_table(plan, table, &hashing, error))
        return FALSE;
    if (set != NULL)
        compare_children(set, &hashing, counts, check);
    else if (!td_fingerprint_equal(hashing.sums[0], sum))
        add_bad(check, "%s has other rows than the backup", table->table->name);
    return TRUE;
}
