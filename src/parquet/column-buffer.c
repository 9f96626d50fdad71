/* SPDX-License-Identifier: Apache-2.0
 *
 * Gathering a column's values.
 */
#include "parquet/column-buffer.h"

#include <string.h>

#include "base/error.h"
#include "parquet/bits.h"

void column_buffer_init(ColumnBuffer *buffer, const ParquetColumn *column)
{
    memset(buffer, 0, sizeof *buffer);
    buffer->column = column;
    buffer->width = parquet_column_width(column);
}

void column_buffer_clear(ColumnBuffer *buffer)
{
    g_free(buffer->values);
    g_free(buffer->offsets);
    g_free(buffer->bytes);
    g_free(buffer->validity);
    memset(buffer, 0, sizeof *buffer);
}

void column_buffer_reset(ColumnBuffer *buffer)
{
    buffer->rows = buffer->count = 0;
    /* Most columns without a missing value stay so: the next row group starts without a bitmap
     * again. */
    g_clear_pointer(&buffer->validity, g_free);
    buffer->validity_room = 0;
}

gsize column_array_bytes(const ParquetColumn *column, const ParquetArray *array, gsize from,
                         gsize count)
{
    gsize width = parquet_column_width(column);

    if (width > 0)
        return count * width + count / 8;
    return count * 4 + count / 8 + (array->offsets[from + count] - array->offsets[from]);
}

/* Grows by half, so that a run of appends copies little. */
static gboolean reserve(gpointer *block, gsize *room, gsize needed, const ColumnBuffer *buffer,
                        GError **error)
{
    gsize wanted = MAX(needed, *room + *room / 2);
    gpointer grown;

    if (needed <= *room)
        return TRUE;
    grown = g_try_realloc(*block, wanted);
    if (grown == NULL) {
        error_set(error, ERROR_LIMIT, "column %s: no memory for %" G_GSIZE_FORMAT " bytes",
                  buffer->column->name, wanted);
        return FALSE;
    }
    *block = grown;
    *room = wanted;
    return TRUE;
}

/* Appends the rows' bits. A bitmap is made when the first value is missing. */
static gboolean append_validity(ColumnBuffer *buffer, const ParquetArray *array, gsize from,
                                gsize count, gsize present, GError **error)
{
    if (buffer->validity == NULL && present == count)
        return TRUE;
    if (present < count && !buffer->column->optional) {
        error_set(error, ERROR_USAGE, "column %s: a value is missing, and it is required",
                  buffer->column->name);
        return FALSE;
    }
    if (buffer->validity == NULL) {
        if (!reserve((gpointer *)&buffer->validity, &buffer->validity_room,
                     (buffer->rows + count + 7) / 8, buffer, error))
            return FALSE;
        bitmap_fill(buffer->validity, 0, buffer->rows, TRUE);
    }
    if (!reserve((gpointer *)&buffer->validity, &buffer->validity_room,
                 (buffer->rows + count + 7) / 8, buffer, error))
        return FALSE;
    if (array->validity != NULL)
        bitmap_copy(buffer->validity, buffer->rows, array->validity, from, count);
    else
        bitmap_fill(buffer->validity, buffer->rows, count, TRUE);
    return TRUE;
}

static gboolean append_fixed(ColumnBuffer *buffer, const ParquetArray *array, gsize from,
                             gsize count, gsize present, GError **error)
{
    const guint8 *slots = (const guint8 *)array->values + from * buffer->width;
    guint8 *to;

    if (present == 0)
        return TRUE;
    if (!reserve((gpointer *)&buffer->values, &buffer->values_room,
                 (buffer->count + present) * buffer->width, buffer, error))
        return FALSE;
    to = buffer->values + buffer->count * buffer->width;
    if (present == count)
        memcpy(to, slots, count * buffer->width);
    else
        bitmap_compact(array->validity, from, count, slots, buffer->width, to);
    return TRUE;
}

/* The checked length of the byte arrays that are there. */
static gboolean measure_strings(const ColumnBuffer *buffer, const ParquetArray *array, gsize from,
                                gsize count, gsize *ret_bytes, GError **error)
{
    gsize total = 0;

    for (gsize i = from; i < from + count; i++) {
        if (array->offsets[i + 1] < array->offsets[i]) {
            error_set(error, ERROR_USAGE, "column %s: offsets fall", buffer->column->name);
            return FALSE;
        }
        if (parquet_array_is_valid(array, i))
            total += array->offsets[i + 1] - array->offsets[i];
    }
    *ret_bytes = total;
    return TRUE;
}

static void copy_strings(ColumnBuffer *buffer, const ParquetArray *array, gsize from, gsize count)
{
    guint32 *offsets = buffer->offsets + buffer->count;
    guint32 at = *offsets;

    for (gsize i = from; i < from + count; i++) {
        guint32 length = array->offsets[i + 1] - array->offsets[i];

        if (!parquet_array_is_valid(array, i))
            continue;
        memcpy(buffer->bytes + at, array->bytes + array->offsets[i], length);
        at += length;
        *++offsets = at;
    }
}

static gboolean append_strings(ColumnBuffer *buffer, const ParquetArray *array, gsize from,
                               gsize count, gsize present, GError **error)
{
    gsize bytes, start = buffer->count == 0 ? 0 : buffer->offsets[buffer->count];

    if (!measure_strings(buffer, array, from, count, &bytes, error))
        return FALSE;
    if (bytes > G_MAXUINT32 - start) {
        error_set(error, ERROR_LIMIT, "column %s: more than 4 GiB of bytes in a row group",
                  buffer->column->name);
        return FALSE;
    }
    if (!reserve((gpointer *)&buffer->offsets, &buffer->offsets_room,
                 (buffer->count + present + 1) * sizeof(guint32), buffer, error) ||
        !reserve((gpointer *)&buffer->bytes, &buffer->bytes_room, start + bytes + 1, buffer, error))
        return FALSE;
    buffer->offsets[buffer->count] = (guint32)start;
    if (present < count) {
        copy_strings(buffer, array, from, count);
        return TRUE;
    }
    if (bytes > 0)
        memcpy(buffer->bytes + start, array->bytes + array->offsets[from], bytes);
    for (gsize i = 1; i <= count; i++)
        buffer->offsets[buffer->count + i] =
            (guint32)start + (array->offsets[from + i] - array->offsets[from]);
    return TRUE;
}

gboolean column_buffer_append(ColumnBuffer *buffer, const ParquetArray *array, gsize from,
                              gsize count, GError **error)
{
    gsize present = array->validity == NULL ? count : bitmap_count(array->validity, from, count);
    gboolean done;

    if (!append_validity(buffer, array, from, count, present, error))
        return FALSE;
    if (buffer->width > 0)
        done = append_fixed(buffer, array, from, count, present, error);
    else
        done = append_strings(buffer, array, from, count, present, error);
    if (!done)
        return FALSE;
    buffer->rows += count;
    buffer->count += present;
    return TRUE;
}

gsize column_buffer_count(const ColumnBuffer *buffer, gsize from, gsize count)
{
    return buffer->validity == NULL ? count : bitmap_count(buffer->validity, from, count);
}
