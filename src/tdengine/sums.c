/* SPDX-License-Identifier: Apache-2.0
 *
 * The question, and its answer: a row, or a row for each step that has rows.
 */
#include "tdengine/sums.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"

/* Columns of an answer before those of the table's, behind _wstart where steps are told apart. */
enum { ROWS, SPREAD, OWN };

static gboolean is_float(TdType type)
{
    return type == TD_FLOAT || type == TD_DOUBLE;
}

/* Questions about a column: none, a count, a count and a sum. Of texts only a count could be asked,
 * which opens their blocks where steps are told apart. It tells of a column that was dropped and
 * added again; of a super table the server says itself when it was altered. */
static guint questions(const TdTable *table, const TdField *field)
{
    if (td_type_width(field->type) > 0)
        return 2;
    return table->kind == TD_TABLE_NORMAL ? 1 : 0;
}

static void append_column(GString *sql, const TdTable *table, const TdField *field)
{
    g_autofree char *name = td_quote_name(field->name);
    const guint asked = questions(table, field);

    if (asked == 0)
        return;
    if (asked == 1)
        g_string_append_printf(sql, ", COUNT(%s)", name);
    else if (field->type == TD_BOOL || field->type == TD_TIMESTAMP)
        g_string_append_printf(sql, ", COUNT(%s), SUM(CAST(%s AS BIGINT))", name, name);
    else
        g_string_append_printf(sql, ", COUNT(%s), SUM(%s)", name, name);
}

/* Windows of a step's length that begin where the stretch does. */
static void append_windows(GString *sql, const TdStretch *stretch, TdPrecision precision)
{
    static const char units[] = {'a', 'u', 'b'};
    gint64 length = td_plan_step(stretch, 1) - stretch->from;
    gint64 offset = stretch->from % length + (stretch->from % length < 0 ? length : 0);

    g_string_append_printf(sql, " INTERVAL(%" G_GINT64_FORMAT "%c", length, units[precision]);
    if (offset > 0)
        g_string_append_printf(sql, ", %" G_GINT64_FORMAT "%c", offset, units[precision]);
    g_string_append_c(sql, ')');
}

char *td_sums_question(const TdTable *table, TdPrecision precision, const TdStretch *stretch)
{
    g_autofree char *time = td_quote_name(((TdField *)g_ptr_array_index(table->columns, 0))->name);
    g_autoptr(GString) sql = g_string_new("SELECT ");

    g_string_append_printf(sql, "%sCOUNT(*), SPREAD(%s)", stretch->steps > 1 ? "_wstart, " : "",
                           time);
    for (guint i = 1; i < table->columns->len; i++)
        append_column(sql, table, g_ptr_array_index(table->columns, i));
    g_string_append(sql, " FROM ");
    td_append_table(sql, table->database, table->name);
    td_append_range(sql, table, stretch->from, stretch->to);
    if (stretch->steps > 1)
        append_windows(sql, stretch, precision);
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

/* --- The answer ------------------------------------------------------------------------------- */

typedef struct {
    const TdTable *table;
    const TdStretch *stretch;
    guint skip; /* columns before ROWS */
    const TdColumn *columns;
    guint n_columns; /* without what is skipped */
    TdHasher *hasher;
    guint64 seed;
    TdSums *sums; /* of each step */
} Answer;

static gboolean has_form(const Answer *answer, const TdBlock *block)
{
    if (block->n_columns != answer->skip + answer->n_columns ||
        (answer->skip > 0 && block->columns[0].type != TD_TIMESTAMP))
        return FALSE;
    for (guint i = 0; i < answer->n_columns; i++) {
        const TdBlockColumn *column = &block->columns[answer->skip + i];

        if (column->width == 0 || column->type != answer->columns[i].type)
            return FALSE;
    }
    return block->columns[answer->skip + ROWS].type == TD_BIGINT;
}

static gint64 number_at(const TdBlockColumn *column, guint32 row)
{
    gint64 number;

    if (td_block_is_null(column, row))
        return 0;
    memcpy(&number, column->values + (gsize)row * sizeof number, sizeof number);
    return GINT64_FROM_LE(number);
}

/* A sum that swallows others says nothing: NaN, an infinity, or NULL though there are values. */
static gboolean says_something(const TdBlockColumn *count, const TdBlockColumn *sum, guint32 row)
{
    double value;

    if (number_at(count, row) == 0)
        return TRUE;
    if (td_block_is_null(sum, row) || sum->type != TD_DOUBLE)
        return FALSE;
    memcpy(&value, sum->values + (gsize)row * sizeof value, sizeof value);
    return isfinite(value);
}

static gboolean all_say_something(const Answer *answer, const TdBlockColumn *columns, guint32 row)
{
    guint at = OWN;

    for (guint i = 1; i < answer->table->columns->len; i++) {
        const TdField *field = g_ptr_array_index(answer->table->columns, i);
        const guint asked = questions(answer->table, field);

        if (at + asked > answer->n_columns ||
            (is_float(field->type) && !says_something(&columns[at], &columns[at + 1], row)))
            return FALSE;
        at += asked;
    }
    return at == answer->n_columns;
}

/* The step of a row: windows begin where steps do. NULL: this one does not. */
static TdSums *step_of(const Answer *answer, const TdBlock *block, guint32 row)
{
    const TdStretch *stretch = answer->stretch;
    gint64 start = stretch->from, length = td_plan_step(stretch, 1) - stretch->from;
    guint64 step;

    if (answer->skip > 0)
        start = number_at(&block->columns[0], row);
    if (start < stretch->from || start >= stretch->to || (start - stretch->from) % length != 0)
        return NULL;
    step = (guint64)(start - stretch->from) / (guint64)length;
    return &answer->sums[MIN(step, stretch->steps - 1)];
}

static gboolean take_block(Answer *answer, const TdBlock *block)
{
    const TdBlockColumn *columns = block->columns + answer->skip;

    if (!has_form(answer, block))
        return FALSE;
    for (guint32 row = 0; row < block->rows; row++) {
        TdSums *sums = answer->skip > 0 ? step_of(answer, block, row) : answer->sums;

        if (sums == NULL || !all_say_something(answer, columns, row))
            return FALSE;
        sums->rows += (guint64)number_at(&columns[ROWS], row);
        td_hasher_add(answer->hasher, answer->seed, columns, row, 1, &sums->sums);
    }
    return TRUE;
}

/* *ret_known is FALSE where the answer says nothing. */
static gboolean take_answer(Answer *answer, TdResult *result, gboolean *ret_known, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const TdBlock *block;

    *ret_known = FALSE;
    while ((block = td_result_next(result, &problem)) != NULL)
        if (!take_block(answer, block))
            return TRUE;
    if (problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    *ret_known = TRUE;
    return TRUE;
}

static gboolean read_answer(Answer *answer, TdResult *result, guint64 key, gboolean *ret_known,
                            GError **error)
{
    const char *name = answer->table->name;
    guint n_columns;
    const TdColumn *columns = td_result_columns(result, &n_columns);
    gboolean done;

    *ret_known = FALSE;
    if (n_columns < answer->skip + OWN)
        return TRUE;
    answer->columns = columns + answer->skip;
    answer->n_columns = n_columns - answer->skip;
    answer->hasher = td_hasher_new(key, answer->columns, answer->n_columns);
    answer->seed = td_hasher_table_seed(answer->hasher, name, strlen(name));
    done = take_answer(answer, result, ret_known, error);
    td_hasher_free(answer->hasher);
    return done;
}

gboolean td_sums_ask(TdClient *client, const TdTable *table, TdPrecision precision, guint64 key,
                     const TdStretch *stretch, GArray *sums, GCancellable *cancellable,
                     GError **error)
{
    g_autofree char *sql = td_sums_question(table, precision, stretch);
    g_autofree TdSums *steps = g_new0(TdSums, stretch->steps);
    g_autoptr(GError) problem = NULL;
    g_autoptr(TdResult) result = td_client_query(client, sql, cancellable, &problem);
    Answer answer = {.table = table,
                     .stretch = stretch,
                     .skip = stretch->steps > 1 ? 1 : 0,
                     .sums = steps};
    gboolean known = FALSE;

    if ((result == NULL || !read_answer(&answer, result, key, &known, &problem)) &&
        (!error_is(problem, ERROR_SERVER) || td_error_is_gone(problem))) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    for (guint32 step = 0; step < stretch->steps; step++) {
        steps[step].from = td_plan_step(stretch, step);
        steps[step].to = td_plan_step(stretch, step + 1);
        steps[step].known = known;
    }
    g_array_append_vals(sums, steps, stretch->steps);
    return TRUE;
}
