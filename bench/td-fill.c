/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes the data of bench/tdengine: a super table of market ticks with as many child tables and rows
 * each as are asked for. Prices walk at random in steps of a cent and quantities are drawn anew for
 * each tick, so that nothing compresses better than a market does; a run with the same numbers makes
 * the same rows.
 *
 *   td-fill URL DATABASE TABLES ROWS [DONE MORE]
 *
 * All tables tick alike: a row a step, somewhere in it, so that the ROWS of each fill the same span.
 * With DONE and MORE, so many rows are added behind the DONE of each table that are there already:
 * later than all of them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "tdengine/client.h"

#define BEGIN     G_GINT64_CONSTANT(1704067200000) /* 2024-01-01 */
#define SPAN      (G_GINT64_CONSTANT(30) * 86400 * 1000)
#define BIND_ROWS 16384u
#define COLUMNS   5
#define TAGS      2
#define EXCHANGES 8

typedef struct {
    guint64 random; /* state of the generator */
    gint64 cents;   /* price */
    gint64 start;   /* of the step, ms since 1970 */
    gint64 step;    /* ms */
} Walk;

typedef struct {
    GByteArray *columns[COLUMNS];
    GArray *bindings; /* TdBinding */
    GArray *tables;   /* TdInsertTable */
    GPtrArray *names; /* char * */
    GArray *ids;      /* guint32 */
    guint rows;
} Batch;

G_GNUC_NORETURN static void fail(const char *what, const GError *error)
{
    g_printerr("td-fill: %s: %s\n", what, error->message);
    exit(1);
}

/* xorshift64*: quick, and the same on every machine. */
static guint64 draw(Walk *walk)
{
    walk->random ^= walk->random >> 12;
    walk->random ^= walk->random << 25;
    walk->random ^= walk->random >> 27;
    return walk->random * G_GUINT64_CONSTANT(0x2545f4914f6cdd1d);
}

static Walk start_walk(guint table, guint rows)
{
    Walk walk = {.random = (table + 1) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15),
                 .step = MAX(SPAN / rows, 2)};

    walk.cents = 500 + (gint64)(draw(&walk) >> 40) % 50000;
    walk.start = BEGIN;
    return walk;
}

/* ts, price, bid_ask (the spread), volume, trades. */
static void add_row(Batch *batch, Walk *walk)
{
    guint64 random = draw(walk);
    gint64 time = walk->start + (gint64)((random >> 20) % (guint64)walk->step);
    double price;
    float spread = (float)(1 + (random >> 8) % 12) / 100;
    gint32 volume = (gint32)(1 + (random >> 16) % (((random >> 60) == 0) ? 20000 : 300));
    gint32 trades = (gint32)(1 + (random >> 48) % 17);

    walk->cents = MAX(walk->cents + (gint64)(random % 21) - 10, 1);
    walk->start += walk->step;
    price = (double)walk->cents / 100;
    g_byte_array_append(batch->columns[0], (const guint8 *)&time, sizeof(time));
    g_byte_array_append(batch->columns[1], (const guint8 *)&price, sizeof(price));
    g_byte_array_append(batch->columns[2], (const guint8 *)&spread, sizeof(spread));
    g_byte_array_append(batch->columns[3], (const guint8 *)&volume, sizeof(volume));
    g_byte_array_append(batch->columns[4], (const guint8 *)&trades, sizeof(trades));
    batch->rows++;
}

static const TdType types[COLUMNS] = {TD_TIMESTAMP, TD_DOUBLE, TD_FLOAT, TD_INT, TD_INT};
static const guint widths[COLUMNS] = {8, 8, 4, 4, 4};

static void bind_table(Batch *batch, guint index, gsize first)
{
    static const char *const exchanges[EXCHANGES] = {"XNAS", "XNYS", "XLON", "XETR",
                                                     "XTKS", "XHKG", "XSHG", "XPAR"};
    static const guint32 four = 4;
    TdInsertTable *table = &g_array_index(batch->tables, TdInsertTable, index);
    TdBinding *bindings = &g_array_index(batch->bindings, TdBinding, index * (TAGS + COLUMNS));
    const guint32 *id = &g_array_index(batch->ids, guint32, index);

    bindings[0] = (TdBinding){.type = TD_INT, .values = (const guint8 *)id};
    bindings[1] = (TdBinding){.type = TD_VARCHAR,
                              .values = (const guint8 *)exchanges[*id % EXCHANGES],
                              .lengths = &four};
    for (guint k = 0; k < COLUMNS; k++)
        bindings[TAGS + k] =
            (TdBinding){.type = types[k], .values = batch->columns[k]->data + first * widths[k]};
    table->name = batch->names->pdata[index];
    table->tags = bindings;
    table->columns = bindings + TAGS;
}

/* Bindings are made last: what they point to moves while it grows. */
static void flush(TdInsert *insert, Batch *batch)
{
    g_autoptr(GError) error = NULL;
    gint64 affected;
    gsize first = 0;

    if (batch->tables->len == 0)
        return;
    g_array_set_size(batch->bindings, batch->tables->len * (TAGS + COLUMNS));
    for (guint i = 0; i < batch->tables->len; i++) {
        bind_table(batch, i, first);
        first += g_array_index(batch->tables, TdInsertTable, i).n_rows;
    }
    if (!td_insert_execute(insert, (const TdInsertTable *)(gpointer)batch->tables->data,
                           batch->tables->len, &affected, &error))
        fail("writing rows", error);
    for (guint k = 0; k < COLUMNS; k++)
        g_byte_array_set_size(batch->columns[k], 0);
    g_array_set_size(batch->tables, 0);
    g_array_set_size(batch->ids, 0);
    g_ptr_array_set_size(batch->names, 0);
    batch->rows = 0;
}

/* The rows that are there already are made and forgotten: the walk goes on behind them. */
static void skip_rows(Batch *batch, Walk *walk, guint rows)
{
    for (guint i = 0; i < rows; i++) {
        add_row(batch, walk);
        batch->rows--;
        for (guint k = 0; k < COLUMNS; k++)
            g_byte_array_set_size(batch->columns[k], batch->columns[k]->len - widths[k]);
    }
}

/* `rows` fill the span; so many as `done` are there, and `more` are written. */
static void add_table(TdInsert *insert, Batch *batch, guint32 id, guint rows, guint done,
                      guint more)
{
    Walk walk = start_walk(id, rows);

    skip_rows(batch, &walk, done);
    while (more > 0) {
        TdInsertTable table = {.n_rows = MIN(more, BIND_ROWS - batch->rows)};

        for (guint i = 0; i < table.n_rows; i++)
            add_row(batch, &walk);
        more -= table.n_rows;
        g_ptr_array_add(batch->names, g_strdup_printf("t%u", id));
        g_array_append_val(batch->ids, id);
        g_array_append_val(batch->tables, table);
        if (batch->rows == BIND_ROWS)
            flush(insert, batch);
    }
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(TdClient) client = NULL;
    g_autoptr(TdInsert) insert = NULL;
    Batch batch = {.bindings = g_array_new(FALSE, FALSE, sizeof(TdBinding)),
                   .tables = g_array_new(FALSE, FALSE, sizeof(TdInsertTable)),
                   .ids = g_array_new(FALSE, FALSE, sizeof(guint32)),
                   .names = g_ptr_array_new_with_free_func(g_free)};
    guint tables, rows, done, more;

    if (argc != 5 && argc != 7) {
        g_printerr("usage: td-fill URL DATABASE TABLES ROWS [DONE MORE]\n");
        return 2;
    }
    tables = (guint)strtoul(argv[3], NULL, 10);
    rows = MAX((guint)strtoul(argv[4], NULL, 10), 1);
    done = argc == 7 ? (guint)strtoul(argv[5], NULL, 10) : 0;
    more = argc == 7 ? (guint)strtoul(argv[6], NULL, 10) : rows;
    client = td_client_connect(&(TdOptions){.url = argv[1], .password = "taosdata"}, NULL, &error);
    if (client == NULL || !td_client_use(client, argv[2], NULL, &error))
        fail("connecting", error);
    insert = td_insert_prepare(client, "INSERT INTO ? USING ticks TAGS(?,?) VALUES(?,?,?,?,?)",
                               TAGS, COLUMNS, NULL, &error);
    if (insert == NULL)
        fail("preparing", error);
    for (guint k = 0; k < COLUMNS; k++)
        batch.columns[k] = g_byte_array_new();
    for (guint id = 0; id < tables; id++)
        add_table(insert, &batch, id, rows, done, more);
    flush(insert, &batch);
    return 0;
}
