/* SPDX-License-Identifier: Apache-2.0
 *
 * Scans. A pool of connections serves the workers, one each at a time.
 */
#include "tdengine/scan.h"

#include <string.h>

#include "base/error.h"
#include "base/throttle.h"
#include "base/time.h"
#include "base/workers.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"
#include "tdengine/regroup.h"

/* Blocks that a worker keeps before it writes row groups. With the Parquet writers about three
 * times as much, a worker. */
#define WORKER_MEMORY (16u * 1024 * 1024)
/* Small file sets are scanned together up to about so many bytes. */
#define PASS_BYTES (64u * 1024 * 1024)
/* Rows of each child table that a part of a pass has at least, about. */
#define PART_ROWS 64u
/* A scan that the server's going away cuts is begun so many times. */
#define PASS_TRIES 10u
/* Names in a list of a query: beyond that everything is read and the others are left out here. */
#define LIST_LIMIT 1000u

/* Scans whose rows have not all come, and the one who makes scans as long as that lasts. */
typedef struct {
    TdDrainedFunc func;
    gpointer data;
    gint open;
} Drain;

struct TdScanner {
    TdScanOptions options;
    const TdClient *like; /* further connections are as this one */
    GAsyncQueue *clients; /* TdClient that nobody uses */
    Throttle *throttle;
    Drain drain;
};

/* One scan of one table. */
typedef struct {
    TdScanTable *scan;
    TdPass pass;
    gboolean compare;
    gboolean drained;
} Task;

TdScanTable *td_scan_table_new(TdTable *table, const TdDatabase *database,
                               const TdChildren *children, const TdNames *only)
{
    TdScanTable *scan = g_new0(TdScanTable, 1);

    scan->table = table;
    scan->database = database;
    scan->children = children;
    scan->only = only;
    scan->counts = g_array_new(FALSE, FALSE, sizeof(TdCount));
    scan->binary = g_array_new(FALSE, FALSE, sizeof(guint));
    scan->slices = g_array_new(FALSE, FALSE, sizeof(TdSlice));
    scan->unknown = td_names_new();
    scan->sums = g_array_new(FALSE, FALSE, sizeof(TdSums));
    scan->differing = g_array_new(FALSE, FALSE, sizeof(TdPlace));
    g_mutex_init(&scan->mutex);
    return scan;
}

void td_scan_table_reset(TdScanTable *scan)
{
    for (guint i = 0; i < scan->binary->len; i++) {
        guint column = g_array_index(scan->binary, guint, i);

        ((TdField *)g_ptr_array_index(scan->table->columns, column))->binary = TRUE;
    }
    g_array_set_size(scan->binary, 0);
    g_array_set_size(scan->slices, 0);
    g_array_set_size(scan->differing, 0);
    scan->nameless = 0;
    scan->outcome = TD_SCAN_DONE;
}

void td_scan_table_free(TdScanTable *scan)
{
    if (scan == NULL)
        return;
    g_array_unref(scan->counts);
    td_base_table_free(scan->base);
    g_array_unref(scan->binary);
    g_array_unref(scan->slices);
    td_names_free(scan->unknown);
    g_array_unref(scan->sums);
    g_clear_pointer(&scan->ranges, g_array_unref);
    g_array_unref(scan->differing);
    g_mutex_clear(&scan->mutex);
    g_free(scan);
}

TdSums *td_scan_place(const TdScanTable *scan, gint64 time)
{
    guint low = 0, high = scan->sums->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        TdSums *sums = &g_array_index(scan->sums, TdSums, middle);

        if (time < sums->from)
            high = middle;
        else if (time >= sums->to)
            low = middle + 1;
        else
            return sums;
    }
    return NULL;
}

TdScanner *td_scanner_new(const TdScanOptions *options, const TdClient *client)
{
    TdScanner *scanner = g_new0(TdScanner, 1);

    scanner->options = *options;
    scanner->like = client;
    scanner->clients = g_async_queue_new_full((GDestroyNotify)td_client_free);
    scanner->throttle = throttle_new(options->rate);
    return scanner;
}

void td_scanner_free(TdScanner *scanner)
{
    if (scanner == NULL)
        return;
    g_async_queue_unref(scanner->clients);
    throttle_free(scanner->throttle);
    g_free(scanner);
}

/* A connection that nobody uses, or a new one. To be given back with g_async_queue_push(). */
static TdClient *take_client(TdScanner *scanner, GCancellable *cancellable, GError **error)
{
    TdClient *client = g_async_queue_try_pop(scanner->clients);

    return client != NULL ? client : td_client_another(scanner->like, cancellable, error);
}

typedef struct {
    TdScanner *scanner;
    TdAskFunc func;
    gpointer data;
} Each;

static gboolean run_each(gpointer task, gpointer data, GCancellable *cancellable, GError **error)
{
    const Each *each = data;
    TdClient *client = take_client(each->scanner, cancellable, error);
    gboolean done;

    if (client == NULL)
        return FALSE;
    done = each->func(client, task, each->data, cancellable, error);
    g_async_queue_push(each->scanner->clients, client);
    return done;
}

gboolean td_scan_each(TdScanner *scanner, GPtrArray *tasks, TdAskFunc func, gpointer data,
                      GCancellable *cancellable, GError **error)
{
    Each each = {scanner, func, data};
    g_autoptr(Workers) workers =
        workers_new(MAX(scanner->options.connections, 1), 0, run_each, &each, NULL, cancellable);

    for (guint i = 0; i < tasks->len; i++)
        if (!workers_push(workers, g_ptr_array_index(tasks, i)))
            break;
    return workers_wait(workers, error);
}

/* --- Ranges ----------------------------------------------------------------------------------- */

gint64 td_border_ticks(gint64 microseconds, TdPrecision precision)
{
    if (microseconds == G_MININT64 || microseconds == G_MAXINT64)
        return microseconds;
    switch (precision) {
    case TD_MILLISECONDS:
        return microseconds / 1000 + (microseconds % 1000 > 0);
    case TD_NANOSECONDS:
        if (microseconds > G_MAXINT64 / 1000 || microseconds < G_MININT64 / 1000)
            return microseconds > 0 ? G_MAXINT64 : G_MININT64;
        return microseconds * 1000;
    default:
        return microseconds;
    }
}

static gint64 first_tick(const TdScanner *scanner, const TdScanTable *scan)
{
    return td_border_ticks(scanner->options.from, scan->database->precision);
}

static gint64 last_tick(const TdScanner *scanner, const TdScanTable *scan)
{
    return td_border_ticks(scanner->options.to, scan->database->precision);
}

/* --- One scan --------------------------------------------------------------------------------- */

static void append_names(GString *sql, const TdScanTable *scan, gboolean ranged)
{
    guint32 count = scan->only != NULL ? td_names_count(scan->only) : 0;

    if (count == 0 || count > LIST_LIMIT)
        return;
    g_string_append(sql, ranged ? " AND tbname IN (" : " WHERE tbname IN (");
    for (guint32 i = 0; i < count; i++) {
        if (i > 0)
            g_string_append(sql, ", ");
        td_append_text(sql, td_names_get(scan->only, i, NULL));
    }
    g_string_append_c(sql, ')');
}

static char *scan_sql(const TdScanTable *scan, const TdPass *pass)
{
    const TdTable *table = scan->table;
    g_autoptr(GString) sql = g_string_new("SELECT ");

    if (table->kind == TD_TABLE_SUPER)
        g_string_append(sql, "tbname, ");
    for (guint i = 0; i < table->columns->len; i++) {
        if (i > 0)
            g_string_append(sql, ", ");
        td_append_name(sql, ((TdField *)g_ptr_array_index(table->columns, i))->name);
    }
    g_string_append(sql, " FROM ");
    td_append_table(sql, table->database, table->name);
    td_append_range(sql, table, pass->from, pass->to);
    append_names(sql, scan, pass->from != G_MININT64 || pass->to != G_MAXINT64);
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

/* A child table's first row in a scan. One that is not on the list was made since: its tags are to
 * be read too. */
static gboolean take_name(const char *name, gsize length, gpointer data)
{
    TdScanTable *scan = data;
    guint32 id;

    if (scan->only != NULL && !td_names_find(scan->only, name, length, &id))
        return FALSE;
    if (scan->children != NULL && td_children_find(scan->children, name, length, NULL) == NULL) {
        g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&scan->mutex);

        td_names_add(scan->unknown, name, length);
    }
    return TRUE;
}

static void set_outcome(TdScanTable *scan, TdScanOutcome outcome, gint binary)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&scan->mutex);

    if (binary >= 0) {
        guint column = (guint)binary;

        g_array_append_val(scan->binary, column);
    }
    /* That it is gone says more than what was seen before. */
    if (scan->outcome != TD_SCAN_GONE)
        scan->outcome = outcome;
}

void td_scan_table_is_gone(TdScanTable *scan)
{
    set_outcome(scan, TD_SCAN_GONE, -1);
}

static gboolean is_over(TdScanTable *scan)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&scan->mutex);

    return scan->outcome != TD_SCAN_DONE;
}

/* The table may have been altered since it was described. */
static gboolean columns_fit(const TdScanTable *scan, const TdResult *result)
{
    const TdTable *table = scan->table;
    guint n_columns, skip = table->kind == TD_TABLE_SUPER ? 1 : 0;
    const TdColumn *columns = td_result_columns(result, &n_columns);

    if (n_columns != table->columns->len + skip)
        return FALSE;
    for (guint i = 0; i < table->columns->len; i++)
        if (columns[i + skip].type != ((TdField *)g_ptr_array_index(table->columns, i))->type)
            return FALSE;
    return TRUE;
}

static guint64 block_bytes(const TdBlock *block)
{
    guint64 bytes = 0;

    for (guint i = 0; i < block->n_columns; i++)
        bytes += block->columns[i].length +
                 (block->columns[i].width != 0 ? block->rows / 8 : 4 * (guint64)block->rows);
    return bytes;
}

static gboolean read_blocks(TdScanner *scanner, TdScanTable *scan, TdResult *result,
                            TdRegroup *regroup, gint *ret_binary, GCancellable *cancellable,
                            GError **error)
{
    g_autoptr(GError) problem = NULL;
    const TdBlock *block;

    *ret_binary = -1;
    while ((block = td_result_next(result, &problem)) != NULL) {
        guint64 bytes = block_bytes(block);

        if (!throttle_take(scanner->throttle, bytes, cancellable, error) ||
            !td_regroup_add(regroup, block, ret_binary, error))
            return FALSE;
        if (*ret_binary >= 0 || is_over(scan))
            return TRUE;
        progress_add(scanner->options.progress, bytes, block->rows);
    }
    if (problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return TRUE;
}

/* What a pass has brought; one that was compared has no objects where it differs. */
static void keep_slices(TdScanTable *scan, const GArray *slices, guint64 nameless)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&scan->mutex);

    scan->nameless += nameless;
    for (guint i = 0; i < slices->len; i++) {
        const TdSlice *slice = &g_array_index(slices, TdSlice, i);
        TdPlace place = {slice->from, slice->to};

        if (slice->data.sha256[0] != '\0')
            g_array_append_val(scan->slices, *slice);
        else
            g_array_append_val(scan->differing, place);
    }
}

static void close_drain(Drain *drain)
{
    if (g_atomic_int_dec_and_test(&drain->open))
        drain->func(drain->data);
}

/* No more rows come for a task, or for the time being. */
static void set_drained(TdScanner *scanner, Task *task, gboolean drained)
{
    if (drained && !task->drained)
        close_drain(&scanner->drain);
    else if (!drained && task->drained)
        g_atomic_int_inc(&scanner->drain.open);
    task->drained = drained;
}

static gboolean read_pass(TdScanner *scanner, Task *task, TdResult *result,
                          GCancellable *cancellable, GError **error)
{
    TdScanTable *scan = task->scan;
    TdSliceOptions options = scanner->options.options;
    g_autoptr(TdSliceShape) shape = NULL;
    g_autoptr(TdRegroup) regroup = NULL;
    g_autoptr(GArray) slices = g_array_new(FALSE, FALSE, sizeof(TdSlice));
    gint binary;

    options.precision = scan->database->precision;
    options.cancellable = cancellable;
    shape = td_slice_shape_new(scan->table, &options,
                               scan->base != NULL ? scan->base->slices : NULL, task->compare);
    regroup = td_regroup_new(&(TdRegroupOptions){.table = scan->table,
                                                 .plan = scan->table->plan,
                                                 .from = first_tick(scanner, scan),
                                                 .to = last_tick(scanner, scan),
                                                 .shape = shape,
                                                 .memory = task->compare ? 0 : WORKER_MEMORY,
                                                 .name = take_name,
                                                 .name_data = scan});
    if (!read_blocks(scanner, scan, result, regroup, &binary, cancellable, error))
        return FALSE;
    set_drained(scanner, task, TRUE);
    if (binary < 0 && !is_over(scan) && !td_regroup_finish(regroup, slices, &binary, error))
        return FALSE;
    if (binary >= 0) {
        set_outcome(scan, TD_SCAN_BINARY, binary);
        return TRUE;
    }
    keep_slices(scan, slices, task->compare ? 0 : td_regroup_nameless(regroup));
    return TRUE;
}

/* One try. *ret_cut: rows were coming when the server failed. */
static gboolean try_pass(TdScanner *scanner, TdClient *client, Task *task,
                         GCancellable *cancellable, gboolean *ret_cut, GError **error)
{
    g_autofree char *sql = scan_sql(task->scan, &task->pass);
    g_autoptr(GError) problem = NULL;
    g_autoptr(TdResult) result = td_client_query(client, sql, cancellable, &problem);

    *ret_cut = FALSE;
    if (result != NULL && !columns_fit(task->scan, result)) {
        set_outcome(task->scan, TD_SCAN_ALTERED, -1);
        return TRUE;
    }
    if (result != NULL && read_pass(scanner, task, result, cancellable, &problem))
        return TRUE;
    if (td_error_is_gone(problem)) {
        set_outcome(task->scan, TD_SCAN_GONE, -1);
        return TRUE;
    }
    if (td_error_is_column(problem)) {
        set_outcome(task->scan, TD_SCAN_ALTERED, -1);
        return TRUE;
    }
    *ret_cut =
        result != NULL && (error_is(problem, ERROR_UNREACHABLE) || error_is(problem, ERROR_SERVER));
    g_propagate_prefixed_error(error, g_steal_pointer(&problem),
                               "table %s.%s: ", task->scan->table->database,
                               task->scan->table->name);
    return FALSE;
}

/* A scan that was cut is made again from its start: what it had written is forgotten. The query
 * waits for the server as long as the source's timeout says, so that one that stays away ends it; one
 * that has just come back may answer with errors for a while. */
static gboolean scan_pass(TdScanner *scanner, TdClient *client, Task *task,
                          GCancellable *cancellable, GError **error)
{
    gboolean cut_before = FALSE;

    for (guint tries = 1;; tries++) {
        g_autoptr(GError) problem = NULL;
        gboolean cut;

        if (try_pass(scanner, client, task, cancellable, &cut, &problem))
            return TRUE;
        if (tries == PASS_TRIES || (!cut && !(cut_before && error_is(problem, ERROR_SERVER)))) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        cut_before = TRUE;
        set_drained(scanner, task, FALSE);
        if (!throttle_pause(TIME_SECOND, cancellable, error))
            return FALSE;
    }
}

static gboolean run_scan(TdScanner *scanner, Task *task, GCancellable *cancellable, GError **error)
{
    TdClient *client;
    gboolean done;

    if (is_over(task->scan))
        return TRUE;
    client = take_client(scanner, cancellable, error);
    if (client == NULL)
        return FALSE;
    done = scan_pass(scanner, client, task, cancellable, error);
    g_async_queue_push(scanner->clients, client);
    return done;
}

static gboolean run_task(gpointer task, gpointer scanner, GCancellable *cancellable, GError **error)
{
    gboolean done = run_scan(scanner, task, cancellable, error);

    if (done)
        set_drained(scanner, task, TRUE);
    return done;
}

/* --- All scans -------------------------------------------------------------------------------- */

/* Where the others have nothing to do, the few places of an increment are read side by side. */
static gboolean push_pass(TdScanner *scanner, TdScanTable *scan, const TdPass *pass,
                          gboolean compare, guint parts, Workers *workers)
{
    g_autoptr(GArray) ends = td_plan_cut(scan->table->plan, pass->from, pass->to, parts);
    gint64 from = pass->from;

    for (guint i = 0; i < ends->len; i++) {
        const gint64 to = g_array_index(ends, gint64, i);
        const Task task = {scan, {from, to, pass->rows / ends->len}, compare, FALSE};

        g_atomic_int_inc(&scanner->drain.open);
        if (!workers_push(workers, g_memdup2(&task, sizeof task)))
            return FALSE;
        from = to;
    }
    return TRUE;
}

/* A query costs the server something for each child table, so that each part is to have some rows of
 * them. */
static guint parts_of(const TdScanner *scanner, const TdScanTable *scan, const TdRange *range,
                      guint passes)
{
    const guint64 least = MAX(scan->table->child_tables, 1) * PART_ROWS;
    const guint parts = scanner->options.connections / passes;
    guint64 rows = 0;

    if (!scan->quick)
        return 1;
    for (guint i = 0; i < scan->sums->len; i++) {
        const TdSums *sums = &g_array_index(scan->sums, TdSums, i);

        if (sums->from >= range->from && sums->to <= range->to)
            rows += sums->rows;
    }
    return (guint)CLAMP(rows / least, 1, MAX(parts, 1));
}

static gboolean push_range(TdScanner *scanner, TdScanTable *scan, const TdRange *range,
                           Workers *workers)
{
    g_autoptr(GArray) passes =
        td_plan_passes(scan->table->plan, (const TdCount *)(gpointer)scan->counts->data,
                       scan->counts->len, td_table_row_bytes(scan->table), PASS_BYTES, range->from,
                       range->to);

    const guint parts = parts_of(scanner, scan, range, passes->len);

    for (guint i = 0; i < passes->len; i++)
        if (!push_pass(scanner, scan, &g_array_index(passes, TdPass, i), range->compare, parts,
                       workers))
            return FALSE;
    return TRUE;
}

static gboolean push_table(TdScanner *scanner, TdScanTable *scan, Workers *workers)
{
    const TdRange all = {first_tick(scanner, scan), last_tick(scanner, scan), FALSE};

    if (scan->ranges == NULL)
        return push_range(scanner, scan, &all, workers);
    for (guint i = 0; i < scan->ranges->len; i++)
        if (!push_range(scanner, scan, &g_array_index(scan->ranges, TdRange, i), workers))
            return FALSE;
    return TRUE;
}

static int compare_places(gconstpointer a, gconstpointer b)
{
    const TdPlace *left = a, *right = b;

    return left->from < right->from ? -1 : left->from > right->from;
}

/* Shards of a place that were found equal are read again with the others. */
static void forget_place(TdScanTable *scan, const TdPlace *place)
{
    for (guint i = scan->slices->len; i-- > 0;)
        if (g_array_index(scan->slices, TdSlice, i).from == place->from)
            g_array_remove_index_fast(scan->slices, i);
}

/* What was compared and differs. Shards of one place stand there more than once. */
static gboolean push_differing(TdScanner *scanner, TdScanTable *scan, Workers *workers)
{
    TdRange range = {0};

    g_array_sort(scan->differing, compare_places);
    for (guint i = 0; i < scan->differing->len; i++) {
        const TdPlace *place = &g_array_index(scan->differing, TdPlace, i);

        forget_place(scan, place);
        if (i > 0 && place->from <= range.to) {
            range.to = MAX(range.to, place->to);
            continue;
        }
        if (i > 0 && !push_range(scanner, scan, &range, workers))
            return FALSE;
        range = (TdRange){place->from, place->to, FALSE};
    }
    return scan->differing->len == 0 || push_range(scanner, scan, &range, workers);
}

typedef gboolean (*PushFunc)(TdScanner *scanner, TdScanTable *scan, Workers *workers);

static gboolean run_round(TdScanner *scanner, GPtrArray *scans, PushFunc push, GError **error)
{
    g_autoptr(Workers) workers = workers_new(MAX(scanner->options.connections, 1), 0, run_task,
                                             scanner, g_free, scanner->options.cancellable);

    g_atomic_int_set(&scanner->drain.open, 1);
    for (guint i = 0; i < scans->len; i++) {
        TdScanTable *scan = g_ptr_array_index(scans, i);

        if (!is_over(scan) && !push(scanner, scan, workers))
            break;
    }
    close_drain(&scanner->drain);
    return workers_wait(workers, error);
}

static gboolean any_differs(const GPtrArray *scans)
{
    for (guint i = 0; i < scans->len; i++)
        if (((const TdScanTable *)g_ptr_array_index(scans, i))->differing->len > 0)
            return TRUE;
    return FALSE;
}

gboolean td_scan_run(TdScanner *scanner, GPtrArray *scans, TdDrainedFunc drained, gpointer data,
                     GError **error)
{
    scanner->drain = (Drain){drained, data, 0};
    return run_round(scanner, scans, push_table, error) &&
           (!any_differs(scans) || run_round(scanner, scans, push_differing, error));
}
