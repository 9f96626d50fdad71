/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes and reads ticks of a market, and says how long that took, as one line of JSON.
 * bench/parquet runs it beside DuckDB.
 *
 * parquet-bench write FILE ROWS THREADS time|series    rows in the order of time, or of series and
 * time parquet-bench read FILE THREADS
 *
 * Only the calls of the writer and the reader are timed, not the making of values. A thread reads
 * every other row group.
 */
#include "parquet/reader.h"
#include "parquet/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SYMBOLS 5000
#define BATCH   65536
#define COLUMNS 7

/* One batch of rows. */
typedef struct {
    gint64 ts[BATCH];
    double number[4][BATCH]; /* price, bid, ask, volume */
    gint32 quantity[BATCH];
    guint32 offsets[BATCH + 1];
    char symbols[BATCH * 8];
    guint8 validity[5][BATCH / 8];
} Rows;

typedef struct {
    guint64 random;
    gboolean series;
    guint64 total, made;
    gint64 clock;
    gint64 cents[SYMBOLS];
} Market;

static guint64 next_random(Market *market)
{
    guint64 z = market->random += G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static double next_normal(Market *market)
{
    double sum = 0;

    for (guint i = 0; i < 4; i++)
        sum += (double)(next_random(market) >> 11) / 9007199254740992.0;
    return (sum - 2) * 1.7320508;
}

static guint pick_symbol(Market *market)
{
    if (market->series)
        return (guint)(market->made * SYMBOLS / market->total);
    return (guint)(next_random(market) % SYMBOLS);
}

static void make_row(Market *market, Rows *rows, gsize i)
{
    guint symbol = pick_symbol(market);
    gint64 *cents = &market->cents[symbol];
    guint64 random = next_random(market);

    market->clock += market->series ? 1000000 + (gint64)(random % 2000) : (gint64)(random % 180);
    if (*cents == 0)
        *cents = 1000 + (gint64)(next_random(market) % 49000);
    *cents = MAX(100, *cents + (gint64)lround(next_normal(market) * 2));
    rows->ts[i] = G_GINT64_CONSTANT(1790000000000000) + market->clock;
    rows->number[0][i] = (double)*cents / 100;
    rows->number[1][i] = (double)(*cents - 1 - (gint64)(random >> 10 & 3)) / 100;
    rows->number[2][i] = (double)(*cents + 1 + (gint64)(random >> 12 & 3)) / 100;
    rows->number[3][i] = floor(exp(6 + 1.5 * next_normal(market))) / 10;
    rows->quantity[i] = (gint32)(1 + (random >> 20) % 1000) * ((random >> 40 & 7) == 0 ? 100 : 1);
    rows->offsets[i + 1] = rows->offsets[i] + (guint32)snprintf(rows->symbols + rows->offsets[i], 8,
                                                                "SYM%04u", symbol);
    for (guint c = 0; c < 5; c++) {
        if (next_random(market) % 100 != 0)
            rows->validity[c][i / 8] |= (guint8)(1u << (i & 7));
    }
    market->made++;
}

static void make_rows(Market *market, Rows *rows, gsize count)
{
    memset(rows->validity, 0, sizeof rows->validity);
    rows->offsets[0] = 0;
    for (gsize i = 0; i < count; i++)
        make_row(market, rows, i);
}

static void fill_arrays(const Rows *rows, ParquetArray arrays[COLUMNS])
{
    memset(arrays, 0, COLUMNS * sizeof *arrays);
    arrays[0].values = rows->ts;
    for (guint c = 0; c < 4; c++) {
        arrays[1 + c].values = rows->number[c];
        arrays[1 + c].validity = rows->validity[c];
    }
    arrays[5].values = rows->quantity;
    arrays[5].validity = rows->validity[4];
    arrays[6].offsets = rows->offsets;
    arrays[6].bytes = (const guint8 *)rows->symbols;
}

static ParquetSchema *make_schema(void)
{
    static const char *const names[] = {"price", "bid", "ask", "volume"};
    ParquetSchema *schema = parquet_schema_new();
    ParquetColumn ts = {.name = "ts",
                        .type = PARQUET_INT64,
                        .logical = PARQUET_TIMESTAMP,
                        .unit = PARQUET_MICROS,
                        .utc = TRUE};
    ParquetColumn quantity = {.name = "quantity", .type = PARQUET_INT32, .optional = TRUE};
    ParquetColumn symbol = {.name = "symbol",
                            .type = PARQUET_BYTE_ARRAY,
                            .logical = PARQUET_STRING};
    gboolean done = parquet_schema_add(schema, &ts, NULL);

    for (guint c = 0; c < 4; c++) {
        ParquetColumn number = {.name = names[c], .type = PARQUET_DOUBLE, .optional = TRUE};

        done = done && parquet_schema_add(schema, &number, NULL);
    }
    done = done && parquet_schema_add(schema, &quantity, NULL) &&
           parquet_schema_add(schema, &symbol, NULL);
    g_assert_true(done);
    return schema;
}

static gboolean write_bytes(const void *bytes, gsize length, gpointer data, GError **error)
{
    const guint8 *at = bytes;

    while (length > 0) {
        ssize_t put = write(*(int *)data, at, length);

        if (put < 0) {
            g_set_error(error, G_FILE_ERROR, 0, "write: %s", g_strerror(errno));
            return FALSE;
        }
        at += put;
        length -= (gsize)put;
    }
    return TRUE;
}

/* Processor time of all threads, in microseconds: what counts where the machine has other work. */
static gint64 processor_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (gint64)now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

static double peak_megabytes(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static gboolean run_write(const char *path, guint64 total, guint threads, gboolean series,
                          GError **error)
{
    g_autoptr(ParquetSchema) schema = make_schema();
    g_autoptr(ParquetWriter) writer = NULL;
    g_autofree Market *market = g_new0(Market, 1);
    g_autofree Rows *rows = g_new0(Rows, 1);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ParquetArray arrays[COLUMNS];
    ParquetWriterOptions options;
    gint64 spent = 0, used = 0, start, before;

    market->total = total;
    market->series = series;
    parquet_writer_options_init(&options);
    options.threads = threads;
    writer = parquet_writer_new(schema, &options, write_bytes, &fd, NULL, error);
    if (writer == NULL)
        return FALSE;
    for (guint64 done = 0; done < total; done += BATCH) {
        gsize count = (gsize)MIN(BATCH, total - done);

        make_rows(market, rows, count);
        fill_arrays(rows, arrays);
        start = g_get_monotonic_time();
        before = processor_time();
        if (!parquet_writer_add(writer, arrays, count, error))
            return FALSE;
        used += processor_time() - before;
        spent += g_get_monotonic_time() - start;
    }
    start = g_get_monotonic_time();
    before = processor_time();
    if (!parquet_writer_finish(writer, error))
        return FALSE;
    close(fd);
    used += processor_time() - before;
    spent += g_get_monotonic_time() - start;
    printf("{\"seconds\": %.3f, \"cpu\": %.3f, \"rows\": %" G_GUINT64_FORMAT
           ", \"bytes\": %" G_GUINT64_FORMAT ", \"peak_mib\": %.0f}\n",
           (double)spent / 1e6, (double)used / 1e6, total, parquet_writer_bytes(writer),
           peak_megabytes());
    return TRUE;
}

/* What one thread reads, and the sums that make it look at every value. */
typedef struct {
    const ParquetReader *reader;
    guint turn, threads;
    double sums[COLUMNS];
    guint64 rows;
    GError *error;
} Reading;

static void add_up(Reading *reading, const ParquetBatch *batch)
{
    const gint64 *ts = batch->arrays[0].values;
    const gint32 *quantity = batch->arrays[5].values;
    guint64 sum = 0;

    for (gsize i = 0; i < batch->rows; i++)
        sum += (guint64)ts[i];
    reading->sums[0] += (double)sum;
    /* Slots without a value are zero. */
    for (guint c = 1; c < 5; c++) {
        const double *numbers = batch->arrays[c].values;
        double lanes[8] = {0};

        for (gsize i = 0; i + 8 <= batch->rows; i += 8) {
            for (guint k = 0; k < 8; k++)
                lanes[k] += numbers[i + k];
        }
        for (gsize i = batch->rows & ~(gsize)7; i < batch->rows; i++)
            lanes[0] += numbers[i];
        for (guint k = 0; k < 8; k++)
            reading->sums[c] += lanes[k];
    }
    sum = 0;
    for (gsize i = 0; i < batch->rows; i++)
        sum += (guint64)quantity[i];
    reading->sums[5] += (double)sum;
    reading->sums[6] += batch->arrays[6].offsets[batch->rows] - batch->arrays[6].offsets[0];
    reading->rows += batch->rows;
}

static gpointer read_part(gpointer data)
{
    static const guint columns[COLUMNS] = {0, 1, 2, 3, 4, 5, 6};
    Reading *reading = data;
    const ParquetMetadata *metadata = parquet_reader_metadata(reading->reader);
    g_autoptr(GArray) mine = g_array_new(FALSE, FALSE, sizeof(ParquetRows));
    g_autoptr(ParquetScan) scan = NULL;
    ParquetBatch batch;

    for (guint g = reading->turn; g < metadata->row_groups->len; g += reading->threads) {
        ParquetRows rows = {g, 0, (guint64)parquet_metadata_group(metadata, g)->rows};

        g_array_append_val(mine, rows);
    }
    scan = parquet_scan_new(reading->reader, columns, COLUMNS, mine, &reading->error);
    if (scan == NULL)
        return NULL;
    do {
        if (!parquet_scan_next(scan, BATCH, &batch, &reading->error))
            return NULL;
        if (batch.rows > 0)
            add_up(reading, &batch);
    } while (batch.rows > 0);
    return NULL;
}

static gboolean run_read(const char *path, guint threads, GError **error)
{
    gint64 start = g_get_monotonic_time(), before = processor_time();
    g_autoptr(ParquetFile) file = parquet_file_open(path, error);
    g_autoptr(ParquetReader) reader =
        file == NULL ? NULL : parquet_reader_open(parquet_file_source(file), NULL, error);
    g_autofree Reading *parts = g_new0(Reading, threads);
    g_autofree GThread **running = g_new0(GThread *, threads);
    guint64 rows = 0;
    double sums[COLUMNS] = {0};

    if (reader == NULL)
        return FALSE;
    for (guint i = 0; i < threads; i++) {
        parts[i] = (Reading){.reader = reader, .turn = i, .threads = threads};
        if (i > 0)
            running[i] = g_thread_new("read", read_part, &parts[i]);
    }
    read_part(&parts[0]);
    for (guint i = 0; i < threads; i++) {
        if (running[i] != NULL)
            g_thread_join(running[i]);
        if (parts[i].error != NULL) {
            g_propagate_error(error, parts[i].error);
            return FALSE;
        }
        rows += parts[i].rows;
        for (guint c = 0; c < COLUMNS; c++)
            sums[c] += parts[i].sums[c];
    }
    printf("{\"seconds\": %.3f, \"cpu\": %.3f, \"rows\": %" G_GUINT64_FORMAT
           ", \"peak_mib\": %.0f, \"sums\": [",
           (double)(g_get_monotonic_time() - start) / 1e6,
           (double)(processor_time() - before) / 1e6, rows, peak_megabytes());
    for (guint c = 0; c < COLUMNS; c++)
        printf("%s%.2f", c > 0 ? ", " : "", sums[c]);
    printf("]}\n");
    return TRUE;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    gboolean done = FALSE;

    if (argc == 6 && strcmp(argv[1], "write") == 0) {
        done = run_write(argv[2], strtoull(argv[3], NULL, 10), (guint)atoi(argv[4]),
                         strcmp(argv[5], "series") == 0, &error);
    } else if (argc == 4 && strcmp(argv[1], "read") == 0) {
        done = run_read(argv[2], (guint)atoi(argv[3]), &error);
    } else {
        fprintf(stderr,
                "usage: parquet-bench write FILE ROWS THREADS time|series | read FILE THREADS\n");
        return 2;
    }
    if (!done)
        fprintf(stderr, "parquet-bench: %s\n", error->message);
    return done ? 0 : 1;
}
