/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the reader of one table's archive: any bytes give rows or an error, and the same ones
 * however the bytes are cut.
 */
#include <stdint.h>
#include <string.h>

#include "postgres/archive-stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    GByteArray *rows;
    guint begun;
} Taken;

static gboolean take_begin(const PgArchiveTable *table, gpointer data, GError **error)
{
    Taken *taken = data;

    taken->begun++;
    if (!g_str_has_prefix(table->copy, "COPY "))
        g_error("no COPY");
    return TRUE;
}

static gboolean take_rows(const void *bytes, gsize length, gpointer data, GError **error)
{
    Taken *taken = data;

    if (taken->begun != 1)
        g_error("rows before the table, or two tables");
    g_byte_array_append(taken->rows, bytes, (guint)length);
    return TRUE;
}

static gboolean read_cut(const uint8_t *data, size_t size, size_t step, GByteArray *rows)
{
    Taken taken = {rows, 0};
    g_autoptr(GError) error = NULL;
    g_autoptr(PgArchiveStream) stream = pg_archive_stream_new(take_begin, take_rows, &taken);
    gboolean good = TRUE;

    for (size_t at = 0; good && at < size; at += step)
        good = pg_archive_stream_write(data + at, MIN(step, size - at), stream, &error);
    good = good && pg_archive_stream_finish(stream, &error);
    if (good == (error != NULL))
        g_error("rows and an error, or neither");
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GByteArray) whole = g_byte_array_new(), cut = g_byte_array_new();
    gboolean good = read_cut(data, size, MAX(size, 1), whole);

    if (read_cut(data, size, 7, cut) != good)
        g_error("good in one piece, and not in another");
    if (good && (whole->len != cut->len || memcmp(whole->data, cut->data, whole->len) != 0))
        g_error("other rows in other pieces");
    return 0;
}
