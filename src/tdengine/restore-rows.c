/* SPDX-License-Identifier: Apache-2.0
 *
 * From slices to prepared writes.
 */
#include "tdengine/restore-rows.h"

#include <string.h>

#include "base/time.h"
#include "tdengine/ddl.h"

#define READ_ROWS 8192
/* One bind: measured, more gains nothing. */
#define BIND_ROWS   16384u
#define BIND_TABLES 200u
#define BIND_BYTES  (16u * 1024 * 1024)

/* A gateway that knew a database which was dropped and made again needs its cache emptied. */
#define CODE_VNODE_CLOSED 0x0503
/* How long an outage is waited out, beside the client's own patience. */
#define OUTAGE (30 * TIME_SECOND)
#define PAUSE  (TIME_SECOND / 2)

/* Rows of one table among those that are gathered. */
typedef struct {
    guint32 id; /* of the child table; 0 of a normal one */
    gsize row;
    guint32 count;
} Run;

typedef struct {
    TdClient *client;
    const TdRowTarget *target;
    TdInsert *insert;
    guint n_columns;
    TdBindColumn *columns;
    gint *arrays;  /* of each column in a batch, -1: the file does not have it */
    guint names;   /* of the tables' names */
    GArray *runs;  /* Run */
    guint32 noted; /* rows of the runs, gathered or about to be */
    guint64 written;
    guint64 seen; /* rows of the slice */

    const char *name; /* of the table that the last row belonged to, borrowed from a batch */
    gsize name_length;
    guint32 id;
    GArray *bindings; /* TdBinding, memory that is used again */
    GArray *tables;   /* TdInsertTable */
} Writer;

static void writer_clear(Writer *writer)
{
    td_insert_free(writer->insert);
    for (guint i = 0; i < writer->n_columns; i++)
        td_bind_column_clear(&writer->columns[i]);
    g_free(writer->columns);
    g_free(writer->arrays);
    g_array_unref(writer->runs);
    g_array_unref(writer->bindings);
    g_array_unref(writer->tables);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Writer, writer_clear)

/* --- statements ------------------------------------------------------------------------------- */

static void append_marks(GString *sql, guint count)
{
    g_string_append_c(sql, '(');
    for (guint i = 0; i < count; i++)
        g_string_append(sql, i == 0 ? "?" : ",?");
    g_string_append_c(sql, ')');
}

/* All columns, those that the file does not have as NULL: a gateway was seen to end over a table with
 * a BLOB of which some columns only were bound. */
char *td_restore_insert_sql(const TdTable *table)
{
    GString *sql = g_string_new("INSERT INTO ?");

    if (table->kind != TD_TABLE_NORMAL) {
        g_string_append(sql, " USING ");
        td_append_name(sql, table->name);
        g_string_append(sql, " TAGS");
        append_marks(sql, table->tags->len);
    }
    g_string_append(sql, " VALUES");
    append_marks(sql, table->columns->len);
    return g_string_free(sql, FALSE);
}

/* --- executing -------------------------------------------------------------------------------- */

/* Whether it is worth another try, after a while. */
static gboolean may_try_again(TdClient *client, const GError *problem, gint64 *since,
                              GCancellable *cancellable)
{
    g_autoptr(GError) ignored = NULL;
    gint64 now = time_monotonic();

    if (*since == 0)
        *since = now;
    if (now - *since > OUTAGE || g_cancellable_is_cancelled(cancellable))
        return FALSE;
    if (td_error_code(problem) == CODE_VNODE_CLOSED)
        return td_client_execute(client, "RESET QUERY CACHE", NULL, cancellable, &ignored);
    if (!error_is(problem, ERROR_UNREACHABLE))
        return FALSE;
    g_usleep(PAUSE);
    return TRUE;
}

gboolean td_restore_insert(TdClient *client, TdInsert *insert, const TdInsertTable *tables,
                           guint n_tables, GCancellable *cancellable, GError **error)
{
    g_autoptr(GError) problem = NULL;
    gint64 since = 0, affected;

    while (!td_insert_execute(insert, tables, n_tables, &affected, &problem)) {
        if (!may_try_again(client, problem, &since, cancellable)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        g_clear_error(&problem);
    }
    return TRUE;
}

static const char *run_name(const Writer *writer, const Run *run)
{
    gsize length;

    return writer->target->tags != NULL
               ? td_names_get(writer->target->tags->names, run->id, &length)
               : writer->target->table->name;
}

/* The bindings of all runs stand in one array, the tags of a table before its columns. */
static void fill_tables(Writer *writer)
{
    const TdTagSet *tags = writer->target->tags;
    const guint n_tags = tags != NULL ? tags->n_tags : 0, step = n_tags + writer->n_columns;

    g_array_set_size(writer->bindings, writer->runs->len * step);
    g_array_set_size(writer->tables, writer->runs->len);
    for (guint i = 0; i < writer->runs->len; i++) {
        const Run *run = &g_array_index(writer->runs, Run, i);
        TdBinding *bindings = &g_array_index(writer->bindings, TdBinding, i * step);

        for (guint k = 0; k < n_tags; k++)
            td_bind_column_get(&tags->tags[k], run->id, &bindings[k]);
        for (guint k = 0; k < writer->n_columns; k++)
            td_bind_column_get(&writer->columns[k], run->row, &bindings[n_tags + k]);
        g_array_index(writer->tables, TdInsertTable, i) =
            (TdInsertTable){.name = run_name(writer, run),
                            .n_rows = run->count,
                            .tags = n_tags > 0 ? bindings : NULL,
                            .columns = bindings + n_tags};
    }
}

static guint64 gathered_bytes(const Writer *writer)
{
    guint64 bytes = 0;

    for (guint i = 0; i < writer->n_columns; i++)
        bytes += writer->columns[i].values->len;
    return bytes;
}

static void note_written(Writer *writer)
{
    for (guint i = 0; i < writer->runs->len; i++) {
        const Run *run = &g_array_index(writer->runs, Run, i);

        writer->written += run->count;
        if (writer->target->tags != NULL)
            td_tag_set_note(writer->target->tags, run->id, run->count);
        else
            __atomic_fetch_add(writer->target->written, run->count, __ATOMIC_RELAXED);
    }
}

/* Writes what is gathered. */
static gboolean flush(Writer *writer, GError **error)
{
    const TdTable *table = writer->target->table;
    guint64 bytes = gathered_bytes(writer);

    if (writer->runs->len == 0)
        return TRUE;
    fill_tables(writer);
    if (!td_restore_insert(writer->client, writer->insert,
                           (const TdInsertTable *)(gpointer)writer->tables->data, writer->runs->len,
                           writer->target->cancellable, error)) {
        g_prefix_error(error, "cannot write rows of %s.%s: ", table->database, table->name);
        return FALSE;
    }
    note_written(writer);
    progress_add(writer->target->progress, bytes, writer->noted);
    for (guint i = 0; i < writer->n_columns; i++)
        td_bind_column_reset(&writer->columns[i]);
    g_array_set_size(writer->runs, 0);
    writer->noted = 0;
    return TRUE;
}

/* --- gathering -------------------------------------------------------------------------------- */

static gboolean find_table(Writer *writer, const ParquetArray *names, gsize row, GError **error)
{
    const char *name = (const char *)names->bytes + names->offsets[row];
    gsize length = names->offsets[row + 1] - names->offsets[row];

    if (length == writer->name_length && writer->name != NULL &&
        memcmp(name, writer->name, length) == 0)
        return TRUE;
    if (!td_names_find(writer->target->tags->names, name, length, &writer->id)) {
        error_set(error, ERROR_DAMAGED,
                  "the backup has rows of table %.*s of %s.%s, but not its tags", (int)length, name,
                  writer->target->table->database, writer->target->table->name);
        return FALSE;
    }
    writer->name = td_names_get(writer->target->tags->names, writer->id, &writer->name_length);
    return TRUE;
}

static void note_row(Writer *writer)
{
    Run *last =
        writer->runs->len > 0 ? &g_array_index(writer->runs, Run, writer->runs->len - 1) : NULL;

    if (last != NULL && last->id == writer->id) {
        last->count++;
    } else {
        Run run = {.id = writer->id, .row = writer->noted, .count = 1};

        g_array_append_val(writer->runs, run);
    }
    writer->noted++;
}

static gboolean gather(Writer *writer, const ParquetBatch *batch, gsize from, gsize to,
                       GError **error)
{
    for (guint i = 0; i < writer->n_columns && to > from; i++) {
        if (writer->arrays[i] < 0) {
            td_bind_column_add_nulls(&writer->columns[i], to - from);
        } else if (!td_bind_column_add(&writer->columns[i], &batch->arrays[writer->arrays[i]], from,
                                       to - from, error)) {
            g_prefix_error(error, "%s.%s: ", writer->target->table->database,
                           writer->target->table->name);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean is_full(const Writer *writer)
{
    return writer->noted >= BIND_ROWS ||
           (writer->runs->len > BIND_TABLES && writer->noted >= BIND_ROWS / 2);
}

static gboolean is_wanted(const Writer *writer, gint64 time)
{
    const TdRowTarget *target = writer->target;

    return time >= target->from && (time < target->to || target->to == G_MAXINT64) &&
           (target->tags == NULL || td_tag_set_wants(target->tags, writer->id));
}

/* Rows are gathered by stretches, all that are wanted one behind the other. */
static gboolean take_batch(Writer *writer, const ParquetBatch *batch, GError **error)
{
    const gint64 *times = batch->arrays[0].values;
    gsize start = 0;

    writer->seen += batch->rows;
    for (gsize row = 0; row < batch->rows; row++) {
        if (writer->target->tags != NULL &&
            !find_table(writer, &batch->arrays[writer->names], row, error))
            return FALSE;
        if (!is_wanted(writer, times[row])) {
            if (!gather(writer, batch, start, row, error))
                return FALSE;
            start = row + 1;
            continue;
        }
        note_row(writer);
        if (!is_full(writer))
            continue;
        if (!gather(writer, batch, start, row + 1, error) || !flush(writer, error))
            return FALSE;
        start = row + 1;
    }
    if (!gather(writer, batch, start, batch->rows, error))
        return FALSE;
    return gathered_bytes(writer) < BIND_BYTES || flush(writer, error);
}

/* --- slices ----------------------------------------------------------------------------------- */

/* Where the table's columns are in the file; the time is the first of what is read. */
static gboolean choose_columns(Writer *writer, const TdObjectFile *file, GArray *columns,
                               GError **error)
{
    const TdTable *table = writer->target->table;

    writer->columns = g_new0(TdBindColumn, table->columns->len);
    writer->arrays = g_new0(gint, table->columns->len);
    for (guint i = 0; i < table->columns->len; i++) {
        const TdField *field = g_ptr_array_index(table->columns, i);
        gint at = td_file_column_find_field(file->columns, field, FALSE);
        guint column = (guint)at;

        writer->arrays[i] = at >= 0 ? (gint)columns->len : -1;
        writer->n_columns++;
        if (at < 0 && (i == 0 || field->key)) {
            error_set(error, ERROR_FORMAT, "%s has no column %s of table %s.%s", file->path,
                      field->name, table->database, table->name);
            return FALSE;
        }
        if (at < 0) {
            td_bind_column_init_null(&writer->columns[i], field);
            continue;
        }
        if (!td_bind_column_init(&writer->columns[i], field, td_object_file_column(file, at),
                                 error))
            return FALSE;
        g_array_append_val(columns, column);
    }
    return TRUE;
}

static gboolean choose_names(Writer *writer, const TdObjectFile *file, GArray *columns,
                             GError **error)
{
    gint at = td_file_column_find(file->columns, "tbname", NULL);
    guint column = (guint)at;

    if (writer->target->tags == NULL)
        return TRUE;
    if (at < 0 || td_object_file_column(file, at)->type != PARQUET_BYTE_ARRAY) {
        error_set(error, ERROR_FORMAT, "%s does not name the tables of its rows", file->path);
        return FALSE;
    }
    writer->names = columns->len;
    g_array_append_val(columns, column);
    return TRUE;
}

static gboolean copy_rows(Writer *writer, const TdObjectFile *file, const GArray *columns,
                          GError **error)
{
    g_autoptr(ParquetScan) scan =
        parquet_scan_new(file->reader, (const guint *)(gpointer)columns->data, columns->len, NULL,
                         error);
    ParquetBatch batch;
    guint group = 0;

    if (scan == NULL)
        return FALSE;
    for (;;) {
        if (!parquet_scan_next(scan, READ_ROWS, &batch, error))
            return FALSE;
        if (batch.rows == 0)
            return flush(writer, error);
        /* A table comes once in a row group, and is to come once in a bind. */
        if (batch.group != group && !flush(writer, error))
            return FALSE;
        group = batch.group;
        if (!take_batch(writer, &batch, error))
            return FALSE;
        if (g_cancellable_is_cancelled(writer->target->cancellable)) {
            error_set(error, ERROR_CANCELLED, "cancelled");
            return FALSE;
        }
    }
}

gboolean td_restore_slice(TdClient *client, const TdRowTarget *target, const TdSlice *slice,
                          guint64 *ret_rows, GError **error)
{
    g_auto(Writer) writer = {.client = client,
                             .target = target,
                             .runs = g_array_new(FALSE, FALSE, sizeof(Run)),
                             .bindings = g_array_new(FALSE, FALSE, sizeof(TdBinding)),
                             .tables = g_array_new(FALSE, FALSE, sizeof(TdInsertTable))};
    g_auto(TdObjectFile) file = {0};
    g_autoptr(GArray) columns = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autofree char *sql = td_restore_insert_sql(target->table);

    if (!td_object_file_open(&file, target->backup, &slice->data, error) ||
        !choose_columns(&writer, &file, columns, error) ||
        !choose_names(&writer, &file, columns, error))
        return FALSE;
    writer.insert = td_insert_prepare(client, sql, target->tags != NULL ? target->tags->n_tags : 0,
                                      writer.n_columns, target->cancellable, error);
    if (writer.insert == NULL || !copy_rows(&writer, &file, columns, error))
        return FALSE;
    if (writer.seen != slice->rows) {
        error_set(error, ERROR_DAMAGED,
                  "a slice of %s.%s has %" G_GUINT64_FORMAT " rows instead of %" G_GUINT64_FORMAT,
                  target->table->database, target->table->name, writer.seen, slice->rows);
        return FALSE;
    }
    *ret_rows = writer.written;
    return TRUE;
}
