/* SPDX-License-Identifier: Apache-2.0
 *
 * Slices: runs of rows gathered into batches, hashed, written.
 */
#include "tdengine/slice.h"

#include <string.h>

#include "tdengine/ddl.h"
#include "tdengine/incremental.h"
#include "tdengine/tags.h"

/* Gathered rows go to the Parquet writer when there are so many of them, or bytes. */
#define BATCH_ROWS  65536u
#define BATCH_BYTES (4u * 1024 * 1024)

enum { COUNT_NAME, COUNT_ROWS, COUNT_FIRST, COUNT_LAST, COUNT_FINGERPRINT, COUNT_COLUMNS };

struct TdSliceShape {
    const TdTable *table;
    TdSliceOptions options;
    const GArray *base; /* TdSlice, or NULL */
    gboolean compare;
    gboolean has_names;       /* a super table: tbname comes first, and child tables are counted */
    guint n_columns;          /* of the table */
    TdParquetColumn *columns; /* of the slice's file */
    TdGather *gathers;        /* one each */
    TdParquetColumn counts[COUNT_COLUMNS];
    TdGather count_gathers[COUNT_COLUMNS];
    TdHasher *hasher;
    char *schema; /* td_fields_hash() */
};

struct TdSliceWriter {
    TdSliceShape *shape;
    TdSlicePlace place;
    TdParquet *data;   /* NULL: only compared */
    TdParquet *counts; /* NULL of a normal table, too */
    guint64 rows;
    gint64 first, last;
    TdFingerprint fingerprint;
    /* The child table that is being counted; a name of length 0: none. */
    GString *name;
    TdTableCount count;
};

/* --- Shape ------------------------------------------------------------------------------------ */

static const char *field_role(const TdField *field, guint index)
{
    return index == 0 ? "time" : field->key ? "key" : "column";
}

static void make_columns(TdSliceShape *shape)
{
    const ParquetColumn name = {.name = "tbname",
                                .type = PARQUET_BYTE_ARRAY,
                                .logical = PARQUET_STRING};
    guint at = 0;

    shape->columns = g_new0(TdParquetColumn, shape->n_columns + 1);
    shape->gathers = g_new0(TdGather, shape->n_columns + 1);
    if (shape->has_names) {
        shape->columns[at] = (TdParquetColumn){.column = name, .role = "tbname"};
        td_gather_init(&shape->gathers[at++], &name);
    }
    for (guint i = 0; i < shape->n_columns; i++, at++) {
        const TdField *field = g_ptr_array_index(shape->table->columns, i);
        gboolean optional = i > 0 && !field->key;

        td_gather_init_field(&shape->gathers[at], field, shape->options.precision, optional);
        shape->columns[at] = (TdParquetColumn){.column = shape->gathers[at].column,
                                               .role = field_role(field, i),
                                               .type = td_field_type_text(field)};
    }
}

static void make_counts(TdSliceShape *shape)
{
    const TdField time = {.name = (char *)"", .type = TD_TIMESTAMP};
    ParquetColumn stamp;

    td_parquet_column(&time, shape->options.precision, FALSE, &stamp);
    shape->counts[COUNT_NAME] =
        (TdParquetColumn){{.name = "tbname", .type = PARQUET_BYTE_ARRAY, .logical = PARQUET_STRING},
                          "tbname",
                          NULL};
    shape->counts[COUNT_ROWS] =
        (TdParquetColumn){{.name = "rows", .type = PARQUET_INT64}, "rows", NULL};
    shape->counts[COUNT_FIRST] = (TdParquetColumn){stamp, "first", NULL};
    shape->counts[COUNT_FIRST].column.name = "first";
    shape->counts[COUNT_LAST] = (TdParquetColumn){stamp, "last", NULL};
    shape->counts[COUNT_LAST].column.name = "last";
    shape->counts[COUNT_FINGERPRINT] = (TdParquetColumn){{.name = "fingerprint",
                                                          .type = PARQUET_FIXED,
                                                          .length = TD_FINGERPRINT_SIZE},
                                                         "fingerprint",
                                                         NULL};
    for (guint i = 0; i < COUNT_COLUMNS; i++)
        td_gather_init(&shape->count_gathers[i], &shape->counts[i].column);
}

static TdHasher *make_hasher(const TdSliceShape *shape)
{
    g_autofree TdColumn *columns = g_new0(TdColumn, shape->n_columns);

    for (guint i = 0; i < shape->n_columns; i++)
        td_field_to_column(g_ptr_array_index(shape->table->columns, i), &columns[i]);
    return td_hasher_new(shape->options.fingerprint_key, columns, shape->n_columns);
}

TdSliceShape *td_slice_shape_new(const TdTable *table, const TdSliceOptions *options,
                                 const GArray *base, gboolean compare)
{
    TdSliceShape *shape = g_new0(TdSliceShape, 1);

    shape->table = table;
    shape->options = *options;
    shape->base = base;
    shape->compare = compare;
    shape->has_names = table->kind == TD_TABLE_SUPER;
    shape->n_columns = table->columns->len;
    make_columns(shape);
    make_counts(shape);
    shape->hasher = make_hasher(shape);
    shape->schema = td_fields_hash(table->columns);
    return shape;
}

static guint file_columns(const TdSliceShape *shape)
{
    return shape->n_columns + shape->has_names;
}

void td_slice_shape_free(TdSliceShape *shape)
{
    if (shape == NULL)
        return;
    for (guint i = 0; i < file_columns(shape); i++) {
        td_gather_clear(&shape->gathers[i]);
        g_free(shape->columns[i].type);
    }
    for (guint i = 0; i < COUNT_COLUMNS; i++)
        td_gather_clear(&shape->count_gathers[i]);
    g_free(shape->columns);
    g_free(shape->gathers);
    td_hasher_free(shape->hasher);
    g_free(shape->schema);
    g_free(shape);
}

/* --- Writing ---------------------------------------------------------------------------------- */

static TdParquet *begin_object(const TdSliceWriter *writer, const char *object,
                               const TdParquetColumn *columns, guint n_columns, gboolean sorted,
                               GError **error)
{
    const TdSliceShape *shape = writer->shape;
    const TdParquetSpec spec = {.repository = shape->options.repository,
                                .backup_id = shape->options.backup_id,
                                .object = object,
                                .database = shape->table->database,
                                .table = shape->table->name,
                                .precision = shape->options.precision,
                                .slice = &writer->place,
                                .compression = shape->options.compression,
                                .sorted = sorted,
                                .cancellable = shape->options.cancellable};

    return td_parquet_new(&spec, columns, n_columns, error);
}

TdSliceWriter *td_slice_writer_new(TdSliceShape *shape, const TdSlicePlace *place, GError **error)
{
    g_autoptr(TdSliceWriter) writer = g_new0(TdSliceWriter, 1);

    writer->shape = shape;
    writer->place = *place;
    writer->name = g_string_new(NULL);
    if (shape->compare)
        return g_steal_pointer(&writer);
    writer->data = begin_object(writer, "slice", shape->columns, file_columns(shape), TRUE, error);
    if (writer->data == NULL)
        return NULL;
    if (shape->has_names) {
        writer->counts = begin_object(writer, "tables", shape->counts, COUNT_COLUMNS, FALSE, error);
        if (writer->counts == NULL)
            return NULL;
    }
    return g_steal_pointer(&writer);
}

static gboolean flush_counts(TdSliceWriter *writer, GError **error)
{
    return writer->counts == NULL ||
           td_parquet_add(writer->counts, writer->shape->count_gathers, error);
}

/* Enters the child table that was counted; a table that comes in two row groups is entered twice. */
static gboolean end_count(TdSliceWriter *writer, GError **error)
{
    TdGather *gathers = writer->shape->count_gathers;
    const TdTableCount *count = &writer->count;
    guint8 fingerprint[TD_FINGERPRINT_SIZE];
    gint64 rows = (gint64)count->rows;

    if (writer->name->len == 0 || writer->counts == NULL) {
        g_string_truncate(writer->name, 0);
        return TRUE;
    }
    td_fingerprint_to_bytes(count->fingerprint, fingerprint);
    td_gather_add_text(&gathers[COUNT_NAME], writer->name->str, writer->name->len, 1);
    td_gather_add_value(&gathers[COUNT_ROWS], &rows);
    td_gather_add_value(&gathers[COUNT_FIRST], &count->first);
    td_gather_add_value(&gathers[COUNT_LAST], &count->last);
    td_gather_add_value(&gathers[COUNT_FINGERPRINT], fingerprint);
    g_string_truncate(writer->name, 0);
    return gathers[0].rows < BATCH_ROWS || flush_counts(writer, error);
}

static gboolean count_run(TdSliceWriter *writer, const TdRun *run, GError **error)
{
    TdHasher *hasher = writer->shape->hasher;
    TdFingerprint sum = {0};

    if (writer->name->len != run->table_length ||
        memcmp(writer->name->str, run->table, run->table_length) != 0) {
        if (!end_count(writer, error))
            return FALSE;
        g_string_append_len(writer->name, run->table, (gssize)run->table_length);
        writer->count = (TdTableCount){.first = run->first, .last = run->last};
    }
    td_hasher_add(hasher, td_hasher_table_seed(hasher, run->table, run->table_length), run->columns,
                  run->from, run->count, &sum);
    writer->count.rows += run->count;
    writer->count.first = MIN(writer->count.first, run->first);
    writer->count.last = MAX(writer->count.last, run->last);
    td_fingerprint_add(&writer->count.fingerprint, sum);
    writer->first = writer->rows == 0 ? run->first : MIN(writer->first, run->first);
    writer->last = writer->rows == 0 ? run->last : MAX(writer->last, run->last);
    writer->rows += run->count;
    td_fingerprint_add(&writer->fingerprint, sum);
    return TRUE;
}

static gsize gathered_bytes(const TdSliceShape *shape)
{
    gsize bytes = 0;

    for (guint i = 0; i < file_columns(shape); i++)
        bytes += td_gather_bytes(&shape->gathers[i]);
    return bytes;
}

static gboolean gather_run(TdSliceShape *shape, const TdRun *run, guint32 from, guint32 count,
                           gint *ret_binary)
{
    guint at = 0;

    if (shape->has_names)
        td_gather_add_text(&shape->gathers[at++], run->table, run->table_length, count);
    for (guint i = 0; i < shape->n_columns; i++) {
        if (td_gather_add(&shape->gathers[at++], &run->columns[i], from, count))
            continue;
        *ret_binary = (gint)i;
        return FALSE;
    }
    return TRUE;
}

/* Rows of a run that are gathered at once: a few where they are long. */
static guint32 piece_rows(const TdSliceShape *shape, const TdRun *run)
{
    guint64 bytes = 1;

    for (guint i = 0; i < shape->n_columns; i++)
        bytes += run->columns[i].width != 0 ? run->columns[i].width
                                            : 1 + (guint64)run->columns[i].length / 64;
    return (guint32)CLAMP(2 * BATCH_BYTES / bytes, 64, BATCH_ROWS);
}

gboolean td_slice_writer_add(TdSliceWriter *writer, const TdRun *run, gint *ret_binary,
                             GError **error)
{
    TdSliceShape *shape = writer->shape;
    const guint32 most = piece_rows(shape, run);

    *ret_binary = -1;
    if (!count_run(writer, run, error))
        return FALSE;
    for (guint32 done = 0; !shape->compare && done < run->count;) {
        guint32 count = MIN(run->count - done, most);

        if (!gather_run(shape, run, run->from + done, count, ret_binary))
            return TRUE;
        done += count;
        if ((shape->gathers[0].rows >= BATCH_ROWS || gathered_bytes(shape) >= BATCH_BYTES) &&
            !td_parquet_add(writer->data, shape->gathers, error))
            return FALSE;
    }
    return TRUE;
}

gboolean td_slice_writer_end_group(TdSliceWriter *writer, GError **error)
{
    if (writer->shape->compare)
        return TRUE;
    return end_count(writer, error) && flush_counts(writer, error) &&
           td_parquet_add(writer->data, writer->shape->gathers, error) &&
           td_parquet_end_group(writer->data, error);
}

gboolean td_slice_writer_finish(TdSliceWriter *writer, TdSlice *ret_slice, GError **error)
{
    TdSlice slice = {.from = writer->place.from,
                     .to = writer->place.to,
                     .shard = writer->place.shard,
                     .shards = writer->place.shards,
                     .rows = writer->rows,
                     .first = writer->first,
                     .last = writer->last,
                     .fingerprint = writer->fingerprint};

    const TdSlice *same;

    g_strlcpy(slice.schema, writer->shape->schema, sizeof slice.schema);
    same = writer->shape->base != NULL ? td_base_slice(writer->shape->base, &slice) : NULL;
    if (same != NULL) {
        *ret_slice = *same;
        ret_slice->reused = TRUE;
        return TRUE;
    }
    if (!writer->shape->compare && (!td_slice_writer_end_group(writer, error) ||
                                    !td_parquet_finish(writer->data, &slice.data, error)))
        return FALSE;
    if (writer->counts != NULL && !td_parquet_finish(writer->counts, &slice.tables, error))
        return FALSE;
    *ret_slice = slice;
    return TRUE;
}

void td_slice_writer_free(TdSliceWriter *writer)
{
    if (writer == NULL)
        return;
    td_parquet_free(writer->data);
    td_parquet_free(writer->counts);
    g_string_free(writer->name, TRUE);
    g_free(writer);
}
