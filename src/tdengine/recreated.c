/* SPDX-License-Identifier: Apache-2.0
 *
 * Uids of then and now.
 */
#include "tdengine/recreated.h"

#include <string.h>

#include "base/error.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"
#include "tdengine/restore-tags.h"

#define BATCH_ROWS 16384
/* Names in a list of a query. */
#define LIST_NAMES 500u
/* Beyond so many the whole table is read: that costs less than asking. */
#define TABLES_MAX 10000u

enum { NAME, UID, COLUMNS };

/* Marks the child tables of a tags object that are the same still. */
static void mark_batch(const TdChildren *children, const ParquetBatch *batch, guint8 *same)
{
    const ParquetArray *names = &batch->arrays[NAME], *uids = &batch->arrays[UID];

    for (gsize row = 0; row < batch->rows; row++) {
        guint32 id;
        const TdChild *child =
            td_children_find(children, (const char *)names->bytes + names->offsets[row],
                             names->offsets[row + 1] - names->offsets[row], &id);

        if (child != NULL && parquet_array_is_valid(uids, row) &&
            ((const gint64 *)uids->values)[row] == child->uid)
            same[id] = 1;
    }
}

static gboolean mark_object(Backup *base, const TdObjectRef *object, const TdChildren *children,
                            guint8 *same, GError **error)
{
    g_auto(TdObjectFile) file = {0};
    g_autoptr(ParquetScan) scan = NULL;
    guint columns[COLUMNS];
    ParquetBatch batch;
    gint name, uid;

    if (!td_object_file_open(&file, base, object, error))
        return FALSE;
    name = td_file_column_find(file.columns, "tbname", NULL);
    uid = td_file_column_find(file.columns, "uid", NULL);
    if (name < 0 || uid < 0 || td_object_file_column(&file, name)->type != PARQUET_BYTE_ARRAY ||
        td_object_file_column(&file, uid)->type != PARQUET_INT64) {
        error_set(error, ERROR_FORMAT, "%s has no names and uids of tables", file.path);
        return FALSE;
    }
    columns[NAME] = (guint)name;
    columns[UID] = (guint)uid;
    scan = parquet_scan_new(file.reader, columns, COLUMNS, NULL, error);
    if (scan == NULL)
        return FALSE;
    do {
        if (!parquet_scan_next(scan, BATCH_ROWS, &batch, error))
            return FALSE;
        if (batch.rows > 0)
            mark_batch(children, &batch, same);
    } while (batch.rows > 0);
    return TRUE;
}

/* Where the rows of some child tables lie. */
static gboolean ask_window(TdClient *client, const TdTable *table, const GString *names,
                           GArray *dirty, GCancellable *cancellable, GError **error)
{
    g_autofree char *time = td_quote_name(((TdField *)g_ptr_array_index(table->columns, 0))->name);
    g_autoptr(GString) sql = g_string_new(NULL);
    g_autoptr(GPtrArray) rows = NULL;
    g_autoptr(GError) problem = NULL;
    const TdPlace all = {G_MININT64, G_MAXINT64};
    const json_t *row;

    g_string_append_printf(sql, "SELECT FIRST(%s) AS f, LAST(%s) AS l FROM ", time, time);
    td_append_table(sql, table->database, table->name);
    g_string_append_printf(sql, " WHERE tbname IN (%s)", names->str);
    rows = td_ask(client, sql->str, 1, cancellable, &problem);
    if (rows == NULL && error_is(problem, ERROR_SERVER)) {
        /* One of them is gone, it may be: nothing is known then. */
        g_array_append_val(dirty, all);
        return TRUE;
    }
    if (rows == NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    row = rows->len > 0 ? g_ptr_array_index(rows, 0) : NULL;
    if (row != NULL && td_row_text(row, "f") != NULL) {
        TdPlace place = {td_row_number(row, "f", 0), td_row_number(row, "l", 0)};

        place.to += place.to < G_MAXINT64;
        g_array_append_val(dirty, place);
    }
    return TRUE;
}

static gboolean ask_windows(TdClient *client, const TdScanTable *scan, const GArray *ids,
                            GArray *dirty, GCancellable *cancellable, GError **error)
{
    for (guint i = 0; i < ids->len;) {
        g_autoptr(GString) names = g_string_new(NULL);

        for (guint n = 0; n < LIST_NAMES && i < ids->len; n++, i++) {
            if (n > 0)
                g_string_append(names, ", ");
            td_append_text(names, td_children_name(scan->children, g_array_index(ids, guint32, i)));
        }
        if (!ask_window(client, scan->table, names, dirty, cancellable, error))
            return FALSE;
    }
    return TRUE;
}

gboolean td_recreated_places(TdClient *client, TdScanTable *scan, Backup *base,
                             const TdTable *before, GArray *dirty, GCancellable *cancellable,
                             GError **error)
{
    const guint32 count = td_children_count(scan->children);
    g_autofree guint8 *same = g_new0(guint8, count + 1);
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    const TdPlace all = {G_MININT64, G_MAXINT64};

    for (guint i = 0; i < before->tag_objects->len; i++) {
        const TdObjectRef *object = g_ptr_array_index(before->tag_objects, i);

        if (object->sha256[0] != '\0' && !mark_object(base, object, scan->children, same, error))
            return FALSE;
    }
    for (guint32 id = 0; id < count; id++)
        if (!same[id] && td_children_get(scan->children, id)->kind == TD_CHILD &&
            g_strcmp0(td_children_super(scan->children, id), scan->table->name) == 0)
            g_array_append_val(ids, id);
    if (ids->len <= TABLES_MAX)
        return ask_windows(client, scan, ids, dirty, cancellable, error);
    g_array_append_val(dirty, all);
    return TRUE;
}
