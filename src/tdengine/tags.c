/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the counts of child tables back.
 */
#include "tdengine/tags.h"

#include <string.h>

#include "base/error.h"
#include "parquet/reader.h"

#define BATCH_ROWS 16384

enum { NAME, ROWS, FIRST, LAST, FINGERPRINT, COLUMNS };

static gboolean find_columns(const ParquetSchema *schema, const char *what, guint columns[COLUMNS],
                             GError **error)
{
    static const struct {
        const char *name;
        ParquetType type;
    } wanted[] = {{"tbname", PARQUET_BYTE_ARRAY},
                  {"rows", PARQUET_INT64},
                  {"first", PARQUET_INT64},
                  {"last", PARQUET_INT64},
                  {"fingerprint", PARQUET_FIXED}};

    for (guint i = 0; i < COLUMNS; i++) {
        const ParquetColumn *column;

        if (!parquet_schema_find(schema, wanted[i].name, &columns[i])) {
            error_set(error, ERROR_FORMAT, "%s has no column %s", what, wanted[i].name);
            return FALSE;
        }
        column = parquet_schema_column(schema, columns[i]);
        if (column->type == wanted[i].type && !column->optional &&
            (i != FINGERPRINT || column->length == TD_FINGERPRINT_SIZE))
            continue;
        error_set(error, ERROR_FORMAT, "%s: column %s is of another type", what, wanted[i].name);
        return FALSE;
    }
    return TRUE;
}

static void add_count(GHashTable *counts, const char *name, const TdTableCount *more)
{
    TdTableCount *count = g_hash_table_lookup(counts, name);

    if (count == NULL) {
        g_hash_table_insert(counts, g_strdup(name), g_memdup2(more, sizeof *more));
        return;
    }
    count->first = count->rows == 0 ? more->first : MIN(count->first, more->first);
    count->last = count->rows == 0 ? more->last : MAX(count->last, more->last);
    count->rows += more->rows;
    td_fingerprint_add(&count->fingerprint, more->fingerprint);
}

static void add_batch(GHashTable *counts, const ParquetBatch *batch)
{
    const ParquetArray *arrays = batch->arrays;
    const gint64 *rows = arrays[ROWS].values, *first = arrays[FIRST].values,
                 *last = arrays[LAST].values;
    const guint8 *fingerprints = arrays[FINGERPRINT].values;

    for (gsize i = 0; i < batch->rows; i++) {
        const guint32 *offsets = arrays[NAME].offsets + i;
        g_autofree char *name =
            g_strndup((const char *)arrays[NAME].bytes + offsets[0], offsets[1] - offsets[0]);
        TdTableCount count = {.rows = (guint64)rows[i],
                              .first = first[i],
                              .last = last[i],
                              .fingerprint = td_fingerprint_from_bytes(fingerprints +
                                                                       i * TD_FINGERPRINT_SIZE)};

        add_count(counts, name, &count);
    }
}

gboolean td_table_counts_read(Backup *backup, const TdSlice *slice, GHashTable *counts,
                              GError **error)
{
    g_autofree char *path = td_object_path(&slice->tables);
    g_autoptr(StoredParquet) source = td_object_open(backup, path, error);
    g_autoptr(ParquetReader) reader = NULL;
    g_autoptr(ParquetScan) scan = NULL;
    guint columns[COLUMNS];
    ParquetBatch batch;

    if (source == NULL)
        return FALSE;
    reader = parquet_reader_open(stored_parquet_source(source), NULL, error);
    if (reader == NULL ||
        !find_columns(parquet_reader_metadata(reader)->schema, path, columns, error))
        return FALSE;
    scan = parquet_scan_new(reader, columns, COLUMNS, NULL, error);
    if (scan == NULL)
        return FALSE;
    for (;;) {
        if (!parquet_scan_next(scan, BATCH_ROWS, &batch, error))
            return FALSE;
        if (batch.rows == 0) /* there are no arrays either */
            return TRUE;
        add_batch(counts, &batch);
    }
}
