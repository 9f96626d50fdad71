/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading tag objects back.
 */
#include "tdengine/restore-tags.h"

#include <string.h>

#define BATCH_ROWS 16384

/* --- objects of the pool ---------------------------------------------------------------------- */

gboolean td_object_file_open(TdObjectFile *file, Backup *backup, const TdObjectRef *object,
                             GError **error)
{
    file->path = td_object_path(object);
    file->source = td_object_open(backup, file->path, error);
    if (file->source == NULL)
        return FALSE;
    file->reader = parquet_reader_open(stored_parquet_source(file->source), NULL, error);
    if (file->reader == NULL)
        return FALSE;
    file->columns = td_file_columns(parquet_reader_metadata(file->reader), file->path, error);
    return file->columns != NULL;
}

void td_object_file_clear(TdObjectFile *file)
{
    g_clear_pointer(&file->columns, g_ptr_array_unref);
    g_clear_pointer(&file->reader, parquet_reader_free);
    g_clear_pointer(&file->source, stored_parquet_close);
    g_clear_pointer(&file->path, g_free);
}

const ParquetColumn *td_object_file_column(const TdObjectFile *file, gint column)
{
    return parquet_schema_column(parquet_reader_metadata(file->reader)->schema, (guint)column);
}

/* --- tags ------------------------------------------------------------------------------------- */

enum { NAME, TTL, COMMENT, TAGS };

void td_tag_set_free(TdTagSet *set)
{
    if (set == NULL)
        return;
    td_names_free(set->names);
    for (guint i = 0; i < set->n_tags; i++)
        td_bind_column_clear(&set->tags[i]);
    g_free(set->tags);
    g_array_unref(set->ttl);
    g_ptr_array_unref(set->comments);
    g_free(set->wanted);
    g_free(set->written);
    g_free(set->made);
    g_free(set);
}

static TdTagSet *tag_set_new(const TdTable *table)
{
    TdTagSet *set = g_new0(TdTagSet, 1);

    set->table = table;
    set->names = td_names_new();
    set->n_tags = table->tags->len;
    set->tags = g_new0(TdBindColumn, set->n_tags);
    set->ttl = g_array_new(FALSE, FALSE, sizeof(guint32));
    set->comments = g_ptr_array_new_with_free_func(g_free);
    return set;
}

/* Where the columns are in the file. */
static gboolean find_columns(TdTagSet *set, const TdObjectFile *file, guint *columns,
                             GError **error)
{
    static const struct {
        const char *role;
        ParquetType type;
    } own[TAGS] = {{"tbname", PARQUET_BYTE_ARRAY},
                   {"ttl", PARQUET_INT64},
                   {"comment", PARQUET_BYTE_ARRAY}};
    for (guint i = 0; i < TAGS; i++) {
        gint at = td_file_column_find(file->columns, own[i].role, NULL);

        if (at < 0 || td_object_file_column(file, at)->type != own[i].type) {
            error_set(error, ERROR_FORMAT, "%s has no column %s", file->path, own[i].role);
            return FALSE;
        }
        columns[i] = (guint)at;
    }
    for (guint i = 0; i < set->n_tags; i++) {
        const TdField *field = g_ptr_array_index(set->table->tags, i);
        gint at = td_file_column_find_field(file->columns, field, TRUE);
        gboolean ucs4;

        if (at < 0) {
            error_set(error, ERROR_FORMAT, "%s has no tag %s of table %s.%s", file->path,
                      field->name, set->table->database, set->table->name);
            return FALSE;
        }
        if (set->tags[i].values == NULL &&
            !td_bind_column_init(&set->tags[i], field, td_object_file_column(file, at), error))
            return FALSE;
        ucs4 = field->type == TD_NCHAR &&
               td_object_file_column(file, at)->logical == PARQUET_PLAIN_VALUE;
        set->tags[i].ucs4 = ucs4;
        columns[TAGS + i] = (guint)at;
    }
    return TRUE;
}

static void add_own(TdTagSet *set, const ParquetArray *arrays, gsize row)
{
    const ParquetArray *comment = &arrays[COMMENT];
    const gint64 *ttl = arrays[TTL].values;
    guint32 days = parquet_array_is_valid(&arrays[TTL], row) && ttl[row] > 0
                       ? (guint32)MIN(ttl[row], G_MAXINT32)
                       : 0;

    g_array_append_val(set->ttl, days);
    g_ptr_array_add(set->comments,
                    parquet_array_is_valid(comment, row)
                        ? g_strndup((const char *)comment->bytes + comment->offsets[row],
                                    comment->offsets[row + 1] - comment->offsets[row])
                        : NULL);
}

static gboolean add_batch(TdTagSet *set, const ParquetBatch *batch, const char *what,
                          GError **error)
{
    const ParquetArray *names = &batch->arrays[NAME];

    for (gsize row = 0; row < batch->rows; row++) {
        guint32 count = td_names_count(set->names);
        const char *name = (const char *)names->bytes + names->offsets[row];

        if (td_names_add(set->names, name, names->offsets[row + 1] - names->offsets[row]) !=
            count) {
            error_set(error, ERROR_FORMAT, "%s has the table %.*s twice", what,
                      (int)(names->offsets[row + 1] - names->offsets[row]), name);
            return FALSE;
        }
        add_own(set, batch->arrays, row);
    }
    for (guint i = 0; i < set->n_tags; i++)
        if (!td_bind_column_add(&set->tags[i], &batch->arrays[TAGS + i], 0, batch->rows, error))
            return FALSE;
    return TRUE;
}

static gboolean read_object(TdTagSet *set, Backup *backup, const TdObjectRef *object,
                            GError **error)
{
    g_auto(TdObjectFile) file = {0};
    g_autofree guint *columns = g_new0(guint, TAGS + set->n_tags);
    g_autoptr(ParquetScan) scan = NULL;
    ParquetBatch batch;

    if (!td_object_file_open(&file, backup, object, error) ||
        !find_columns(set, &file, columns, error))
        return FALSE;
    scan = parquet_scan_new(file.reader, columns, TAGS + set->n_tags, NULL, error);
    if (scan == NULL)
        return FALSE;
    do {
        if (!parquet_scan_next(scan, BATCH_ROWS, &batch, error) ||
            (batch.rows > 0 && !add_batch(set, &batch, file.path, error)))
            return FALSE;
    } while (batch.rows > 0);
    return TRUE;
}

TdTagSet *td_tag_set_read(Backup *backup, const TdTable *table, const GPtrArray *objects,
                          GError **error)
{
    g_autoptr(TdTagSet) set = tag_set_new(table);

    for (guint i = 0; i < objects->len; i++) {
        const TdObjectRef *object = g_ptr_array_index(objects, i);

        if (object->sha256[0] != '\0' && !read_object(set, backup, object, error))
            return NULL;
    }
    set->n_wanted = td_names_count(set->names);
    set->written = g_new0(guint64, set->n_wanted);
    set->made = g_new0(guint8, set->n_wanted);
    return g_steal_pointer(&set);
}

void td_tag_set_note(TdTagSet *set, guint32 id, guint64 rows)
{
    __atomic_fetch_add(&set->written[id], rows, __ATOMIC_RELAXED);
}
