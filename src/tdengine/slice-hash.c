/* SPDX-License-Identifier: Apache-2.0
 *
 * From Parquet's arrays back to block columns, and through the hasher.
 */
#include "tdengine/slice-hash.h"

#include <string.h>

#include "base/error.h"
#include "parquet/reader.h"
#include "tdengine/bind-columns.h"
#include "tdengine/tags.h"

#define BATCH_ROWS 8192

/* One column of the table in the form of a block. */
typedef struct {
    TdBindColumn bind;
    gboolean text; /* NCHAR that stands in the file as UTF-8 */
    GByteArray *bitmap, *values;
    GArray *offsets; /* gint32, variable */
} BlockColumn;

typedef struct {
    ParquetReader *reader;
    TdHasher *hasher;
    guint n_columns; /* of the table */
    guint *numbers;  /* in the file; tbname, if it is there, behind them */
    BlockColumn *columns;
    TdBlockColumn *blocks;
    gboolean named;
    const char *table;
    guint64 seed; /* of `name` */
    GString *name;
    GHashTable *children;
    TdSliceSum sum;
} Summing;

static void summing_clear(Summing *summing)
{
    for (guint i = 0; i < summing->n_columns; i++) {
        td_bind_column_clear(&summing->columns[i].bind);
        g_byte_array_unref(summing->columns[i].bitmap);
        g_byte_array_unref(summing->columns[i].values);
        g_array_unref(summing->columns[i].offsets);
    }
    g_free(summing->numbers);
    g_free(summing->columns);
    g_free(summing->blocks);
    td_hasher_free(summing->hasher);
    parquet_reader_free(summing->reader);
    if (summing->name != NULL)
        g_string_free(summing->name, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Summing, summing_clear)

/* --- the columns of the file ------------------------------------------------------------------ */

static gboolean is_of_table(const TdFileColumn *column)
{
    return strcmp(column->role, "time") == 0 || strcmp(column->role, "key") == 0 ||
           strcmp(column->role, "column") == 0;
}

/* A length is no part of a type here; precision and scale of a decimal are. */
static gboolean parse_type(const TdFileColumn *column, TdField *field, GError **error)
{
    g_autofree char *name = g_strdup(column->type != NULL ? column->type : "");

    if (!g_str_has_prefix(name, "DECIMAL"))
        name[strcspn(name, "(")] = '\0';
    if (td_type_parse(name, &field->type, &field->precision, &field->scale))
        return TRUE;
    error_set(error, ERROR_FORMAT, "column %s has a type that is not known: %s", column->name,
              name);
    return FALSE;
}

static gboolean add_column(Summing *summing, const TdFileColumn *column, guint number,
                           TdColumn *described, GError **error)
{
    const ParquetSchema *schema = parquet_reader_metadata(summing->reader)->schema;
    const ParquetColumn *stored = parquet_schema_column(schema, number);
    BlockColumn *block = &summing->columns[summing->n_columns];
    TdField field = {.name = column->name};

    if (!parse_type(column, &field, error) ||
        !td_bind_column_init(&block->bind, &field, stored, error))
        return FALSE;
    block->text = field.type == TD_NCHAR && stored->logical != PARQUET_PLAIN_VALUE;
    block->bitmap = g_byte_array_new();
    block->values = g_byte_array_new();
    block->offsets = g_array_new(FALSE, FALSE, sizeof(gint32));
    td_field_to_column(&field, described);
    summing->numbers[summing->n_columns++] = number;
    return TRUE;
}

static gboolean find_columns(Summing *summing, guint64 key, const char *what, GError **error)
{
    const ParquetMetadata *metadata = parquet_reader_metadata(summing->reader);
    g_autoptr(GPtrArray) columns = td_file_columns(metadata, what, error);
    g_autofree TdColumn *described = NULL;
    gint name;

    if (columns == NULL)
        return FALSE;
    described = g_new0(TdColumn, columns->len);
    summing->numbers = g_new0(guint, columns->len + 1);
    summing->columns = g_new0(BlockColumn, columns->len);
    summing->blocks = g_new0(TdBlockColumn, columns->len);
    for (guint i = 0; i < columns->len; i++) {
        if (is_of_table(columns->pdata[i]) &&
            !add_column(summing, columns->pdata[i], i, &described[summing->n_columns], error))
            return FALSE;
    }
    name = td_file_column_find(columns, "tbname", NULL);
    summing->named = name >= 0;
    if (summing->n_columns == 0 || described[0].type != TD_TIMESTAMP ||
        (summing->named &&
         parquet_schema_column(metadata->schema, (guint)name)->type != PARQUET_BYTE_ARRAY)) {
        error_set(error, ERROR_FORMAT, "%s has other columns than a slice", what);
        return FALSE;
    }
    summing->numbers[summing->n_columns] = summing->named ? (guint)name : 0;
    summing->hasher = td_hasher_new(key, described, summing->n_columns);
    return TRUE;
}

/* --- values ----------------------------------------------------------------------------------- */

static gboolean append_ucs4(GByteArray *values, const guint8 *text, guint32 length, GError **error)
{
    const char *at = (const char *)text, *end = at + length;

    while (at < end) {
        gunichar character =
            (guchar)*at < 0x80 ? (gunichar)*at : g_utf8_get_char_validated(at, end - at);
        guint32 stored = GUINT32_TO_LE(character);

        if (character >= 0x110000) {
            error_set(error, ERROR_DAMAGED, "a text is no UTF-8");
            return FALSE;
        }
        g_byte_array_append(values, (const guint8 *)&stored, sizeof stored);
        at += (guchar)*at < 0x80 ? 1 : g_unichar_to_utf8(character, NULL);
    }
    return TRUE;
}

/* Values behind their length: two bytes of it, of BLOBs four. */
static gboolean add_value(BlockColumn *column, const guint8 *bytes, guint32 length, GError **error)
{
    gboolean wide = column->bind.type == TD_BLOB || column->bind.type == TD_MEDIUMBLOB;
    guint prefix = wide ? 4 : 2;
    guint start = column->values->len;
    guint32 stored;

    g_byte_array_set_size(column->values, start + prefix);
    if (!column->text)
        g_byte_array_append(column->values, bytes, length);
    else if (!append_ucs4(column->values, bytes, length, error))
        return FALSE;
    length = column->values->len - start - prefix;
    if (!wide && length > G_MAXUINT16) {
        error_set(error, ERROR_DAMAGED, "a value is longer than its type allows");
        return FALSE;
    }
    stored = GUINT32_TO_LE(length);
    memcpy(column->values->data + start, &stored, prefix);
    return TRUE;
}

static gboolean fill_variable(BlockColumn *column, const ParquetArray *array, gsize rows,
                              TdBlockColumn *block, GError **error)
{
    g_byte_array_set_size(column->values, 0);
    g_array_set_size(column->offsets, (guint)rows);
    for (gsize row = 0; row < rows; row++) {
        gint32 offset = (gint32)GUINT32_TO_LE(column->values->len);

        if (column->values->len > G_MAXINT32 / 8) {
            error_set(error, ERROR_LIMIT, "values of more than 256 MiB in one batch");
            return FALSE;
        }
        if (!parquet_array_is_valid(array, row))
            offset = -1;
        else if (!add_value(column, array->bytes + array->offsets[row],
                            array->offsets[row + 1] - array->offsets[row], error))
            return FALSE;
        g_array_index(column->offsets, gint32, row) = offset;
    }
    block->offsets = (const guint8 *)column->offsets->data;
    block->values = column->values->data;
    block->length = column->values->len;
    return TRUE;
}

static gboolean fill_fixed(BlockColumn *column, const ParquetArray *array, gsize rows,
                           TdBlockColumn *block, GError **error)
{
    td_bind_column_reset(&column->bind);
    if (!td_bind_column_add(&column->bind, array, 0, rows, error))
        return FALSE;
    g_byte_array_set_size(column->bitmap, (guint)((rows + 7) / 8));
    memset(column->bitmap->data, 0, column->bitmap->len);
    for (gsize row = 0; row < rows; row++) {
        if (!parquet_array_is_valid(array, row))
            column->bitmap->data[row / 8] |= (guint8)(0x80u >> row % 8);
    }
    block->bitmap = column->bitmap->data;
    block->values = column->bind.values->data;
    block->length = column->bind.values->len;
    return TRUE;
}

static gboolean fill_blocks(Summing *summing, const ParquetBatch *batch, GError **error)
{
    for (guint i = 0; i < summing->n_columns; i++) {
        BlockColumn *column = &summing->columns[i];
        TdBlockColumn *block = &summing->blocks[i];

        *block = (TdBlockColumn){.type = column->bind.type, .width = (guint)column->bind.width};
        if (block->width != 0
                ? !fill_fixed(column, &batch->arrays[i], batch->rows, block, error)
                : !fill_variable(column, &batch->arrays[i], batch->rows, block, error))
            return FALSE;
    }
    return TRUE;
}

/* --- rows ------------------------------------------------------------------------------------- */

static TdTableCount *child_of(const Summing *summing)
{
    TdTableCount *count = g_hash_table_lookup(summing->children, summing->name->str);

    if (count == NULL) {
        count = g_new0(TdTableCount, 1);
        count->first = G_MAXINT64;
        count->last = G_MININT64;
        g_hash_table_insert(summing->children, g_strdup(summing->name->str), count);
    }
    return count;
}

static void add_run(Summing *summing, guint32 from, guint32 count)
{
    TdFingerprint sum = {0};
    gint64 first = G_MAXINT64, last = G_MININT64;

    td_hasher_add(summing->hasher, summing->seed, summing->blocks, from, count, &sum);
    for (guint32 row = from; row < from + count; row++) {
        gint64 ticks;

        memcpy(&ticks, summing->blocks[0].values + 8 * (gsize)row, sizeof ticks);
        first = MIN(first, ticks);
        last = MAX(last, ticks);
    }
    td_fingerprint_add(&summing->sum.fingerprint, sum);
    summing->sum.rows += count;
    summing->sum.first = MIN(summing->sum.first, first);
    summing->sum.last = MAX(summing->sum.last, last);
    if (summing->named && summing->children != NULL) {
        TdTableCount *child = child_of(summing);

        child->rows += count;
        child->first = MIN(child->first, first);
        child->last = MAX(child->last, last);
        td_fingerprint_add(&child->fingerprint, sum);
    }
}

static void set_name(Summing *summing, const char *name, gsize length)
{
    if (summing->name != NULL && summing->name->len == length &&
        memcmp(summing->name->str, name, length) == 0)
        return;
    if (summing->name == NULL)
        summing->name = g_string_new(NULL);
    g_string_truncate(summing->name, 0);
    g_string_append_len(summing->name, name, (gssize)length);
    summing->seed = td_hasher_table_seed(summing->hasher, name, length);
}

/* Runs of rows of one table, whose names stand in the last array. */
static void add_batch(Summing *summing, const ParquetBatch *batch)
{
    const ParquetArray *names = &batch->arrays[summing->n_columns];
    guint32 from = 0, rows = (guint32)batch->rows;

    if (!summing->named) {
        set_name(summing, summing->table, strlen(summing->table));
        add_run(summing, 0, rows);
        return;
    }
    while (from < rows) {
        const guint8 *name = names->bytes + names->offsets[from];
        guint32 length = names->offsets[from + 1] - names->offsets[from];
        guint32 to = from + 1;

        while (to < rows && names->offsets[to + 1] - names->offsets[to] == length &&
               memcmp(names->bytes + names->offsets[to], name, length) == 0)
            to++;
        set_name(summing, (const char *)name, length);
        add_run(summing, from, to - from);
        from = to;
    }
}

static gboolean sum_rows(Summing *summing, GCancellable *cancellable, GError **error)
{
    g_autoptr(ParquetScan) scan =
        parquet_scan_new(summing->reader, summing->numbers, summing->n_columns + summing->named,
                         NULL, error);
    ParquetBatch batch;

    if (scan == NULL)
        return FALSE;
    for (;;) {
        if (g_cancellable_is_cancelled(cancellable)) {
            error_set(error, ERROR_CANCELLED, "verify was cancelled");
            return FALSE;
        }
        if (!parquet_scan_next(scan, BATCH_ROWS, &batch, error))
            return FALSE;
        if (batch.rows == 0)
            return TRUE;
        if (!fill_blocks(summing, &batch, error))
            return FALSE;
        add_batch(summing, &batch);
    }
}

gboolean td_slice_sum(Backup *backup, const TdDetails *details, const TdSlice *slice,
                      GHashTable *children, TdSliceSum *ret_sum, GCancellable *cancellable,
                      GError **error)
{
    const TdTable *table = g_ptr_array_index(details->tables, slice->table);
    g_autofree char *path = td_object_path(&slice->data);
    g_autoptr(StoredParquet) source = td_object_open(backup, path, error);
    g_auto(Summing) summing = {.children = children,
                               .table = table->name,
                               .sum = {.first = G_MAXINT64, .last = G_MININT64}};

    if (source == NULL)
        return FALSE;
    summing.reader = parquet_reader_open(stored_parquet_source(source), NULL, error);
    if (summing.reader == NULL || !find_columns(&summing, details->fingerprint_key, path, error) ||
        !sum_rows(&summing, cancellable, error))
        return FALSE;
    *ret_sum = summing.sum;
    return TRUE;
}
