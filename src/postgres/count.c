/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact row counts in parallel: tables are cut into batches, workers take a batch and a connection
 * from a pool.
 */
#include "postgres/count.h"

#include "base/error.h"
#include "base/workers.h"

/* A table above this size is a batch of its own: counting it takes longer than a round trip by
 * far. */
#define BIG_TABLE (G_GUINT64_CONSTANT(8) << 20)
/* Small tables in one statement: enough to make the round trip cheap, few enough for a short
 * statement. */
#define BATCH_TABLES 50
#define BATCH_BYTES  (G_GUINT64_CONSTANT(32) << 20)

typedef struct {
    const PgCountRequest *request;
    const GPtrArray *tables;
    guint64 *rows;
    GAsyncQueue *idle; /* connections that no worker uses now */
} Counting;

typedef struct {
    guint *order; /* places in the array of tables; belongs to the caller */
    guint length;
} Batch;

char *pg_count_sql(const GPtrArray *tables, const guint *order, guint length)
{
    GString *sql = g_string_new(NULL);

    for (guint i = 0; i < length; i++) {
        const PgTable *table = g_ptr_array_index(tables, order[i]);
        g_autofree char *name = pg_quote_qualified(table->schema, table->name);

        g_string_append_printf(sql, "%sselect %u, pg_catalog.count(*) from only %s",
                               i > 0 ? " union all " : "", order[i], name);
    }
    return g_string_free(sql, FALSE);
}

static gboolean take_counts(Counting *counting, const PGresult *result, guint expected,
                            GError **error)
{
    guint64 sum = 0;

    if ((guint)PQntuples(result) != expected) {
        error_set(error, ERROR_SERVER, "the server counted %d tables of %u", PQntuples(result),
                  expected);
        return FALSE;
    }
    for (int i = 0; i < PQntuples(result); i++) {
        guint64 place = pg_uint(result, i, 0);

        if (place >= counting->tables->len) {
            error_set(error, ERROR_SERVER, "the server counted a table that nobody asked for");
            return FALSE;
        }
        counting->rows[place] = pg_uint(result, i, 1);
        sum += counting->rows[place];
    }
    progress_add(counting->request->progress, 0, sum);
    return TRUE;
}

static void give_back(Counting *counting, PgConnection *connection)
{
    g_async_queue_push(counting->idle, connection);
}

static gboolean count_batch(gpointer task, gpointer data, GCancellable *cancellable, GError **error)
{
    const Batch *batch = task;
    Counting *counting = data;
    g_autofree char *sql = pg_count_sql(counting->tables, batch->order, batch->length);
    g_autoptr(PgConnection) connection = g_async_queue_try_pop(counting->idle);
    g_autoptr(PGresult) result = NULL;

    if (connection == NULL)
        connection = pg_connect(counting->request->conninfo, counting->request->database,
                                cancellable, error);
    if (connection == NULL)
        return FALSE;
    result = pg_query(connection, sql, 0, NULL, error);
    give_back(counting, g_steal_pointer(&connection));
    if (result == NULL) {
        const PgTable *first = g_ptr_array_index(counting->tables, batch->order[0]);

        g_prefix_error(error, "counting rows of %s.%s%s: ", first->schema, first->name,
                       batch->length > 1 ? " and others" : "");
        return FALSE;
    }
    return take_counts(counting, result, batch->length, error);
}

gboolean pg_count_table(PgConnection *connection, const PgTable *table, guint64 *ret_rows,
                        GError **error)
{
    g_autofree char *name = pg_quote_qualified(table->schema, table->name);
    g_autofree char *sql = g_strdup_printf("SELECT pg_catalog.count(*) FROM ONLY %s", name);
    g_autoptr(PGresult) result = pg_query(connection, sql, 0, NULL, error);

    if (result == NULL) {
        g_prefix_error(error, "counting rows of %s.%s: ", table->schema, table->name);
        return FALSE;
    }
    *ret_rows = pg_uint(result, 0, 0);
    return TRUE;
}

static int compare_sizes(gconstpointer a, gconstpointer b, gpointer data)
{
    const GPtrArray *tables = data;
    const PgTable *one = g_ptr_array_index(tables, *(const guint *)a);
    const PgTable *other = g_ptr_array_index(tables, *(const guint *)b);

    return one->bytes == other->bytes ? 0 : one->bytes > other->bytes ? -1 : 1;
}

/* How many tables from `start` on belong together; `order` goes from big to small. */
static guint batch_length(const GPtrArray *tables, const guint *order, guint start)
{
    guint64 bytes = 0;
    guint length = 0;

    while (start + length < tables->len && length < BATCH_TABLES) {
        const PgTable *table = g_ptr_array_index(tables, order[start + length]);

        if (length > 0 && (table->bytes > BIG_TABLE || bytes + table->bytes > BATCH_BYTES))
            break;
        bytes += table->bytes;
        length++;
        if (table->bytes > BIG_TABLE)
            break;
    }
    return length;
}

static gboolean run_batches(Counting *counting, guint *order, GError **error)
{
    const PgCountRequest *request = counting->request;
    guint threads = request->connection != NULL ? 1 : MAX(request->connections, 1);
    g_autoptr(Workers) workers =
        workers_new(threads, 0, count_batch, counting, g_free, request->cancellable);
    PgConnection *connection;
    gboolean done;

    if (request->connection != NULL)
        give_back(counting, request->connection);

    for (guint start = 0; start < counting->tables->len;) {
        Batch *batch = g_new0(Batch, 1);

        batch->order = order + start;
        batch->length = batch_length(counting->tables, order, start);
        start += batch->length;
        if (!workers_push(workers, batch))
            break;
    }
    done = workers_wait(workers, error);
    /* The connections watch the workers' cancellable and must go before it. */
    while ((connection = g_async_queue_try_pop(counting->idle)) != NULL)
        if (connection != request->connection)
            pg_connection_free(connection);
    return done;
}

gboolean pg_count_tables(const PgCountRequest *request, const GPtrArray *tables, guint64 *rows,
                         GError **error)
{
    g_autoptr(GAsyncQueue) idle = g_async_queue_new();
    g_autofree guint *order = g_new(guint, MAX(tables->len, 1));
    Counting counting = {request, tables, rows, idle};

    for (guint i = 0; i < tables->len; i++)
        order[i] = i;
    g_qsort_with_data(order, (int)tables->len, sizeof *order, compare_sizes, (gpointer)tables);
    return run_batches(&counting, order, error);
}
