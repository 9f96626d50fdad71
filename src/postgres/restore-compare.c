/* SPDX-License-Identifier: Apache-2.0
 *
 * Restored rows against those that the backup recorded.
 */
#include "postgres/restore-compare.h"

#include "base/error.h"

#include <math.h>

/* Names in an error or a warning; the result has them all. */
#define NAMES_SHOWN 10

/* Names of tables for people: the first few, and how many more there are. */
typedef struct {
    GString *text;
    guint count;
} NameList;

static void add_name(NameList *list, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void add_name(NameList *list, const char *format, ...)
{
    va_list args;

    if (list->count++ >= NAMES_SHOWN)
        return;
    if (list->text->len > 0)
        g_string_append(list->text, ", ");
    va_start(args, format);
    g_string_append_vprintf(list->text, format, args);
    va_end(args);
}

static char *end_names(NameList *list)
{
    if (list->count > NAMES_SHOWN)
        g_string_append_printf(list->text, " and %u more", list->count - NAMES_SHOWN);
    return g_string_free(g_steal_pointer(&list->text), FALSE);
}

static json_t *row_difference(const PgTable *table, guint64 rows)
{
    return json_pack("{s:o, s:o, s:I, s:I}", "schema", json_text(table->schema), "table",
                     json_text(table->name), "expected", (json_int_t)table->rows, "rows",
                     (json_int_t)rows);
}

static void add_summary(EngineResult *result, const PgDatabasePlan *database, guint64 rows,
                        json_t *differences, json_t *empty)
{
    json_t *entry =
        json_pack("{s:o, s:o, s:I, s:I, s:O, s:O}", "database", json_text(database->source->name),
                  "target", json_text(database->target), "tables",
                  (json_int_t)database->tables->len, "rows", (json_int_t)rows, "differences",
                  differences, "empty", empty);

    json_array_append_new(json_object_get(result->summary, "databases"), entry);
    json_object_set_new(result->summary, "tables",
                        json_integer((json_int_t)(json_get_uint(result->summary, "tables", 0) +
                                                  database->tables->len)));
    json_object_set_new(result->summary, "rows",
                        json_integer(
                            (json_int_t)(json_get_uint(result->summary, "rows", 0) + rows)));
}

gboolean pg_restore_compare(const PgRestorePlan *plan, const PgDatabasePlan *database,
                            const guint64 *rows, EngineResult *result, GError **error)
{
    const EngineRestore *request = plan->request;
    g_autoptr(json_t) differences = json_array();
    g_autoptr(json_t) empty = json_array();
    NameList bad = {g_string_new(NULL), 0}, bare = {g_string_new(NULL), 0};
    g_autofree char *bad_text = NULL, *bare_text = NULL;
    guint64 sum = 0;

    for (guint i = 0; i < database->tables->len; i++) {
        const PgTable *table = g_ptr_array_index(database->tables, i);
        guint64 away = rows[i] > table->rows ? rows[i] - table->rows : table->rows - rows[i];
        g_autofree char *full =
            g_strdup_printf("%s.%s.%s", database->source->name, table->schema, table->name);

        engine_add_checked(json_object_get(result->summary, "checked"), full, table->rows, rows[i]);
        sum += rows[i];
        if (away > 0)
            json_array_append_new(differences, row_difference(table, rows[i]));
        if ((double)away > floor((double)table->rows * request->tolerance))
            add_name(&bad, "%s.%s has %" G_GUINT64_FORMAT " rows instead of %" G_GUINT64_FORMAT,
                     table->schema, table->name, rows[i], table->rows);
        if (rows[i] == 0) {
            add_name(&bare, "%s.%s", table->schema, table->name);
            json_array_append_new(empty, row_difference(table, 0));
        }
    }
    add_summary(result, database, sum, differences, empty);
    bad_text = end_names(&bad);
    bare_text = end_names(&bare);
    if (bad.count > 0) {
        error_set(error, ERROR_COUNT_MISMATCH, "restored rows of database %s differ: %s",
                  database->source->name, bad_text);
        error_add_hint(error, "nothing was put in place; --tolerance allows a difference");
        return FALSE;
    }
    if (bare.count > 0 && request->require_rows) {
        error_set(error, ERROR_COUNT_MISMATCH, "tables of database %s have no rows: %s",
                  database->source->name, bare_text);
        error_add_hint(error,
                       "so they were in the backup; without --require-rows that is a warning");
        return FALSE;
    }
    if (bare.count > 0)
        g_ptr_array_add(result->warnings,
                        g_strdup_printf("tables of database %s without any row: %s",
                                        database->source->name, bare_text));
    return TRUE;
}
