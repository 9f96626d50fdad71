/* SPDX-License-Identifier: Apache-2.0
 *
 * From slices to prepared writes.
 */
#include "tdengine/restore-rows.h"

#include "base/time.h"
#include "parquet/statistics.h"
#include "tdengine/ddl.h"
#include "tdengine/slice-merge.h"

/* One bind: measured, more gains nothing. */
#define BIND_ROWS   16384u
#define BIND_TABLES 200u
#define BIND_BYTES  (16u * 1024 * 1024)

/* A gateway that knew a database which was dropped and made again needs its cache emptied. */
#define CODE_VNODE_CLOSED 0x0503
#define PAUSE             (TIME_SECOND / 2)

/* Rows of one table among those that are gathered. */
typedef struct {
    guint32 id; /* of the child table; 0 of a normal one */
    gsize row;
    guint32 count;
} Run;

/* A slice that is read. */
typedef struct {
    TdObjectFile file;
    GArray *columns; /* guint: of the file, those that are read; the time is the first */
    gint *arrays;    /* of each of the table's columns among them, -1: the file does not have it */
    gboolean *ucs4;  /* see TdBindColumn */
    gint names;      /* the tables' names among them; -1 of a normal table */
} Piece;

typedef struct {
    TdClient *client;
    const TdRowTarget *target;
    GPtrArray *pieces; /* Piece */
    TdMerge *merge;
    TdInsert *insert;
    guint n_columns;
    TdBindColumn *columns;
    GArray *runs;  /* Run */
    guint32 noted; /* rows of the runs, gathered or about to be */
    guint64 written;
    guint64 seen, expected; /* rows of the window */

    const char *name; /* of the table that the last row belonged to, borrowed from the tags */
    gsize name_length;
    guint32 id;
    gint64 time;      /* of the last row */
    GArray *bindings; /* TdBinding, memory that is used again */
    GArray *tables;   /* TdInsertTable */
} Writer;

static void piece_free(gpointer data)
{
    Piece *piece = data;

    td_object_file_clear(&piece->file);
    g_array_unref(piece->columns);
    g_free(piece->arrays);
    g_free(piece->ucs4);
    g_free(piece);
}

static void writer_init(Writer *writer, TdClient *client, const TdRowTarget *target)
{
    const GPtrArray *columns = target->table->columns;

    *writer = (Writer){.client = client,
                       .target = target,
                       .pieces = g_ptr_array_new_with_free_func(piece_free),
                       .merge = td_merge_new(),
                       .n_columns = columns->len,
                       .columns = g_new0(TdBindColumn, columns->len),
                       .runs = g_array_new(FALSE, FALSE, sizeof(Run)),
                       .bindings = g_array_new(FALSE, FALSE, sizeof(TdBinding)),
                       .tables = g_array_new(FALSE, FALSE, sizeof(TdInsertTable))};
    for (guint i = 0; i < columns->len; i++)
        td_bind_column_init_null(&writer->columns[i], g_ptr_array_index(columns, i));
}

static void writer_clear(Writer *writer)
{
    td_merge_free(writer->merge);
    td_insert_free(writer->insert);
    for (guint i = 0; i < writer->n_columns; i++)
        td_bind_column_clear(&writer->columns[i]);
    g_free(writer->columns);
    g_ptr_array_unref(writer->pieces);
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
    if (now - *since > (gint64)td_client_timeout(client) * TIME_SECOND ||
        g_cancellable_is_cancelled(cancellable))
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

static gboolean find_table(Writer *writer, const TdMergeRows *rows, GError **error)
{
    if (writer->target->tags == NULL)
        return TRUE;
    if (!td_names_find(writer->target->tags->names, rows->name, rows->name_length, &writer->id)) {
        error_set(error, ERROR_DAMAGED,
                  "the backup has rows of table %.*s of %s.%s, but not its tags",
                  (int)rows->name_length, rows->name, writer->target->table->database,
                  writer->target->table->name);
        return FALSE;
    }
    writer->name = td_names_get(writer->target->tags->names, writer->id, &writer->name_length);
    return TRUE;
}

/* A table is to come once in a bind, with rising times. */
static gboolean may_follow(const Writer *writer, const TdMergeRows *rows)
{
    const gint64 *times = rows->arrays[0].values;
    gint order = 0;

    if (writer->runs->len == 0)
        return TRUE;
    if (writer->name != NULL)
        order = order_compare(ORDER_BYTES, (const guint8 *)writer->name, writer->name_length,
                              (const guint8 *)rows->name, rows->name_length);
    return order != 0 ? order < 0 : times[rows->from] > writer->time;
}

static void note_row(Writer *writer, gint64 time)
{
    Run *last =
        writer->runs->len > 0 ? &g_array_index(writer->runs, Run, writer->runs->len - 1) : NULL;

    if (last != NULL && last->id == writer->id) {
        last->count++;
    } else {
        Run run = {.id = writer->id, .row = writer->noted, .count = 1};

        g_array_append_val(writer->runs, run);
    }
    writer->time = time;
    writer->noted++;
}

static gboolean gather(Writer *writer, const TdMergeRows *rows, gsize from, gsize to,
                       GError **error)
{
    const Piece *piece = g_ptr_array_index(writer->pieces, rows->source);

    for (guint i = 0; i < writer->n_columns && to > from; i++) {
        TdBindColumn *column = &writer->columns[i];

        column->ucs4 = piece->ucs4[i];
        if (piece->arrays[i] < 0) {
            td_bind_column_add_nulls(column, to - from);
        } else if (!td_bind_column_add(column, &rows->arrays[piece->arrays[i]], from, to - from,
                                       error)) {
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
static gboolean take_rows(Writer *writer, const TdMergeRows *rows, GError **error)
{
    const gint64 *times = rows->arrays[0].values;
    gsize start = rows->from;

    writer->seen += rows->to - rows->from;
    if ((!may_follow(writer, rows) && !flush(writer, error)) || !find_table(writer, rows, error))
        return FALSE;
    for (gsize row = rows->from; row < rows->to; row++) {
        if (!is_wanted(writer, times[row])) {
            if (!gather(writer, rows, start, row, error))
                return FALSE;
            start = row + 1;
            continue;
        }
        note_row(writer, times[row]);
        if (!is_full(writer))
            continue;
        if (!gather(writer, rows, start, row + 1, error) || !flush(writer, error))
            return FALSE;
        start = row + 1;
    }
    if (!gather(writer, rows, start, rows->to, error))
        return FALSE;
    return gathered_bytes(writer) < BIND_BYTES || flush(writer, error);
}

/* --- windows ---------------------------------------------------------------------------------- */

/* Where the table's columns are in the file. */
static gboolean choose_columns(const TdTable *table, Piece *piece, GError **error)
{
    const TdObjectFile *file = &piece->file;

    piece->arrays = g_new0(gint, table->columns->len);
    piece->ucs4 = g_new0(gboolean, table->columns->len);
    for (guint i = 0; i < table->columns->len; i++) {
        const TdField *field = g_ptr_array_index(table->columns, i);
        gint at = td_file_column_find_field(file->columns, field, FALSE);
        guint column = (guint)at;

        piece->arrays[i] = at >= 0 ? (gint)piece->columns->len : -1;
        if (at < 0 && (i == 0 || field->key)) {
            error_set(error, ERROR_FORMAT, "%s has no column %s of table %s.%s", file->path,
                      field->name, table->database, table->name);
            return FALSE;
        }
        if (at < 0)
            continue;
        if (!td_bind_column_fits(field, td_object_file_column(file, at), &piece->ucs4[i], error))
            return FALSE;
        g_array_append_val(piece->columns, column);
    }
    return TRUE;
}

static gboolean choose_names(Piece *piece, GError **error)
{
    const TdObjectFile *file = &piece->file;
    gint at = td_file_column_find(file->columns, "tbname", NULL);
    guint column = (guint)at;

    if (at < 0 || td_object_file_column(file, at)->type != PARQUET_BYTE_ARRAY) {
        error_set(error, ERROR_FORMAT, "%s does not name the tables of its rows", file->path);
        return FALSE;
    }
    piece->names = (gint)piece->columns->len;
    g_array_append_val(piece->columns, column);
    return TRUE;
}

static gboolean open_slice(Writer *writer, const TdSlice *slice, GError **error)
{
    const TdRowTarget *target = writer->target;
    Piece *piece = g_new0(Piece, 1);

    piece->columns = g_array_new(FALSE, FALSE, sizeof(guint));
    piece->names = -1;
    g_ptr_array_add(writer->pieces, piece);
    return td_object_file_open(&piece->file, target->backup, &slice->data, error) &&
           choose_columns(target->table, piece, error) &&
           (target->tags == NULL || choose_names(piece, error));
}

static gboolean add_part(Writer *writer, const TdWindowPart *part, GError **error)
{
    const guint last = writer->pieces->len - 1;
    const Piece *piece = g_ptr_array_index(writer->pieces, last);
    const GArray *columns = piece->columns;
    g_autoptr(GArray) rows = NULL;
    ParquetScan *scan;

    if (part->group == TD_EVERY_GROUP) {
        writer->expected += part->slice->rows;
    } else {
        const ParquetMetadata *metadata = parquet_reader_metadata(piece->file.reader);
        ParquetRows group = {.group = part->group};

        group.count = (guint64)parquet_metadata_group(metadata, part->group)->rows;
        writer->expected += group.count;
        rows = g_array_new(FALSE, FALSE, sizeof(ParquetRows));
        g_array_append_val(rows, group);
    }
    scan = parquet_scan_new(piece->file.reader, (const guint *)(gpointer)columns->data,
                            columns->len, rows, error);
    return scan != NULL && td_merge_add(writer->merge, scan, piece->names, last, error);
}

static gboolean open_window(Writer *writer, const GArray *window, GError **error)
{
    const TdSlice *slice = NULL;

    for (guint i = 0; i < window->len; i++) {
        const TdWindowPart *part = &g_array_index(window, TdWindowPart, i);

        if (part->slice != slice && !open_slice(writer, part->slice, error))
            return FALSE;
        slice = part->slice;
        if (!add_part(writer, part, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean copy_rows(Writer *writer, GError **error)
{
    for (;;) {
        TdMergeRows rows;

        if (!td_merge_next(writer->merge, &rows, error))
            return FALSE;
        if (rows.from == rows.to)
            return flush(writer, error);
        if (!take_rows(writer, &rows, error))
            return FALSE;
        if (!error_unless_cancelled(writer->target->cancellable, error))
            return FALSE;
    }
}

gboolean td_restore_window(TdClient *client, const TdRowTarget *target, const GArray *window,
                           guint64 *ret_rows, GError **error)
{
    g_auto(Writer) writer = {0};
    g_autofree char *sql = td_restore_insert_sql(target->table);

    writer_init(&writer, client, target);
    if (!open_window(&writer, window, error))
        return FALSE;
    writer.insert = td_insert_prepare(client, sql, target->tags != NULL ? target->tags->n_tags : 0,
                                      writer.n_columns, target->cancellable, error);
    if (writer.insert == NULL || !copy_rows(&writer, error))
        return FALSE;
    if (writer.seen != writer.expected) {
        error_set(error, ERROR_DAMAGED,
                  "slices of %s.%s have %" G_GUINT64_FORMAT " rows instead of %" G_GUINT64_FORMAT,
                  target->table->database, target->table->name, writer.seen, writer.expected);
        return FALSE;
    }
    *ret_rows = writer.written;
    return TRUE;
}
