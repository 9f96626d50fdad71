/* SPDX-License-Identifier: Apache-2.0
 *
 * The question, and its answer: a row for each window that has rows.
 */
#include "tdengine/sums.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"

/* Columns of an answer before those of the table's. */
enum { START, ROWS, SPREAD, OWN };

/* Windows of one answer: a century of hours. */
#define WINDOW_LIMIT 1000000u

static gboolean is_float(TdType type)
{
    return type == TD_FLOAT || type == TD_DOUBLE;
}

/* Questions about a column: none, a count, a count and a sum. Of texts only a count could be asked,
 * which opens their blocks where a window cuts them. It tells of a column that was dropped and
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

static void append_windows(GString *sql, const TdWindows *windows, TdPrecision precision)
{
    static const char units[] = {'a', 'u', 'b'};
    const gint64 length = windows->length;
    const gint64 offset = windows->origin % length + (windows->origin % length < 0 ? length : 0);

    g_string_append_printf(sql, " INTERVAL(%" G_GINT64_FORMAT "%c", length, units[precision]);
    if (offset > 0)
        g_string_append_printf(sql, ", %" G_GINT64_FORMAT "%c", offset, units[precision]);
    g_string_append_c(sql, ')');
}

static void append_sums(GString *sql, const TdTable *table)
{
    g_autofree char *time = td_quote_name(((TdField *)g_ptr_array_index(table->columns, 0))->name);

    g_string_append_printf(sql, ", SPREAD(%s)", time);
    for (guint i = 1; i < table->columns->len; i++)
        append_column(sql, table, g_ptr_array_index(table->columns, i));
}

char *td_sums_question(const TdTable *table, TdPrecision precision, const TdWindows *windows)
{
    g_autoptr(GString) sql = g_string_new("SELECT _wstart, COUNT(*)");

    if (!windows->counts)
        append_sums(sql, table);
    g_string_append(sql, " FROM ");
    td_append_table(sql, table->database, table->name);
    td_append_range(sql, table, windows->from, windows->to);
    append_windows(sql, windows, precision);
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

/* --- The answer ------------------------------------------------------------------------------- */

typedef struct {
    const TdTable *table;
    const TdWindows *windows;
    const TdColumn *columns;
    guint n_columns;
    TdHasher *hasher;
    guint64 seed;
    GArray *answers; /* TdWindow */
    guint first;     /* of them: those before it are another question's */
} Answer;

static gboolean has_form(const Answer *answer, const TdBlock *block)
{
    if (block->n_columns != answer->n_columns)
        return FALSE;
    for (guint i = 0; i < answer->n_columns; i++)
        if (block->columns[i].width == 0 || block->columns[i].type != answer->columns[i].type)
            return FALSE;
    return block->columns[START].type == TD_TIMESTAMP && block->columns[ROWS].type == TD_BIGINT;
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

static gboolean begins_well(const TdWindows *windows, gint64 start)
{
    const gint64 behind = (gint64)((guint64)start - (guint64)windows->origin);

    return behind % windows->length == 0;
}

/* FALSE: this is no answer to the question. Where only rows are counted it need not be exact where
 * windows begin; the end of time is in none. */
static gboolean take_row(Answer *answer, const TdBlock *block, guint32 row)
{
    const TdWindows *windows = answer->windows;
    const TdBlockColumn *columns = block->columns;
    TdWindow window = {.start = number_at(&columns[START], row),
                       .rows = (guint64)number_at(&columns[ROWS], row)};

    if (__builtin_add_overflow(window.start, windows->length, &window.end))
        window.end = G_MAXINT64;
    window.end = MIN(window.end, windows->to);
    if (window.start == G_MAXINT64)
        return FALSE;
    if (!windows->counts) {
        if (window.start < windows->from || window.start >= windows->to ||
            !begins_well(windows, window.start))
            return FALSE;
        window.known = all_say_something(answer, columns, row);
        if (window.known)
            td_hasher_add(answer->hasher, answer->seed, columns, row, 1, &window.sums);
    }
    g_array_append_val(answer->answers, window);
    return TRUE;
}

static gboolean take_block(Answer *answer, const TdBlock *block, gboolean *ret_fits, GError **error)
{
    *ret_fits = has_form(answer, block);
    if (answer->answers->len - answer->first + block->rows > WINDOW_LIMIT) {
        error_set(error, ERROR_LIMIT, "%s.%s has rows in more than %u windows of time",
                  answer->table->database, answer->table->name, WINDOW_LIMIT);
        return FALSE;
    }
    for (guint32 row = 0; *ret_fits && row < block->rows; row++)
        *ret_fits = take_row(answer, block, row);
    return TRUE;
}

static gboolean take_answer(Answer *answer, TdResult *result, gboolean *ret_fits, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const TdBlock *block;

    *ret_fits = TRUE;
    while (*ret_fits && (block = td_result_next(result, &problem)) != NULL)
        if (!take_block(answer, block, ret_fits, error))
            return FALSE;
    if (problem == NULL)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

static gboolean read_answer(Answer *answer, TdResult *result, guint64 key, gboolean *ret_fits,
                            GError **error)
{
    const char *name = answer->table->name;
    gboolean done;

    answer->columns = td_result_columns(result, &answer->n_columns);
    *ret_fits = answer->n_columns >= (answer->windows->counts ? SPREAD : OWN);
    if (!*ret_fits)
        return TRUE;
    answer->hasher = td_hasher_new(key, answer->columns, answer->n_columns);
    answer->seed = td_hasher_table_seed(answer->hasher, name, strlen(name));
    done = take_answer(answer, result, ret_fits, error);
    td_hasher_free(answer->hasher);
    return done;
}

/* Takes the problem, which may be NULL. Counts are nothing that a server may refuse. */
static gboolean is_refused(const Answer *answer, GError *problem, gboolean fits,
                           gboolean *ret_refused, GError **error)
{
    const gboolean counts = answer->windows->counts;

    *ret_refused =
        !counts &&
        (problem != NULL ? error_is(problem, ERROR_SERVER) && !td_error_is_gone(problem) : !fits);
    if (problem != NULL && *ret_refused) {
        g_error_free(problem);
    } else if (problem != NULL) {
        g_propagate_error(error, problem);
        return FALSE;
    } else if (counts && !fits) {
        error_set(error, ERROR_FORMAT, "the server's counts of %s.%s have another form",
                  answer->table->database, answer->table->name);
        return FALSE;
    }
    if (*ret_refused)
        g_array_set_size(answer->answers, answer->first);
    return TRUE;
}

gboolean td_sums_ask(TdClient *client, const TdTable *table, TdPrecision precision, guint64 key,
                     const TdWindows *windows, GArray *answers, gboolean *ret_refused,
                     GCancellable *cancellable, GError **error)
{
    g_autofree char *sql = td_sums_question(table, precision, windows);
    g_autoptr(GError) problem = NULL;
    g_autoptr(TdResult) result = td_client_query(client, sql, cancellable, &problem);
    Answer answer = {.table = table, .windows = windows, .answers = answers, .first = answers->len};
    gboolean fits = FALSE;

    if (result != NULL)
        (void)read_answer(&answer, result, key, &fits, &problem);
    return is_refused(&answer, g_steal_pointer(&problem), fits, ret_refused, error);
}
