/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing the exact tags of a super table's child tables.
 */
#include "base/error.h"
#include "tdengine/ddl.h"
#include "tdengine/tags.h"

#include <string.h>

#define BATCH_ROWS 16384u

/* Behind the tags: what is no tag. */
enum { OWN_UID, OWN_TTL, OWN_COMMENT, OWN_VGROUP, OWN_COLUMNS };

typedef struct {
    TdTable *table;
    const TdChildren *children;
    const TdNames *only;
    TdHasher *hasher;
    GString *own; /* memory of add_sum() */
    TdFingerprint sum;
    guint n_columns; /* of the file */
    TdParquetColumn *columns;
    TdGather *gathers;
} TagFile;

static void tag_file_clear(TagFile *file)
{
    for (guint i = 0; i < file->n_columns; i++) {
        td_gather_clear(&file->gathers[i]);
        g_free(file->columns[i].type);
    }
    g_free(file->columns);
    g_free(file->gathers);
    td_hasher_free(file->hasher);
    if (file->own != NULL)
        g_string_free(file->own, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TagFile, tag_file_clear)

static TdHasher *make_hasher(const TdTable *table, guint64 key)
{
    g_autofree TdColumn *columns = g_new0(TdColumn, table->tags->len);

    for (guint i = 0; i < table->tags->len; i++)
        td_field_to_column(g_ptr_array_index(table->tags, i), &columns[i]);
    return td_hasher_new(key, columns, table->tags->len);
}

static void tag_file_init(TagFile *file, const TdSliceOptions *options)
{
    const TdPrecision precision = options->precision;

    static const ParquetColumn name = {.name = "tbname",
                                       .type = PARQUET_BYTE_ARRAY,
                                       .logical = PARQUET_STRING};
    static const TdParquetColumn own[OWN_COLUMNS] = {
        {{.name = "uid", .type = PARQUET_INT64, .optional = TRUE}, "uid", NULL},
        {{.name = "ttl", .type = PARQUET_INT64, .optional = TRUE}, "ttl", NULL},
        {{.name = "comment",
          .type = PARQUET_BYTE_ARRAY,
          .logical = PARQUET_STRING,
          .optional = TRUE},
         "comment",
         NULL},
        {{.name = "vgroup", .type = PARQUET_INT32, .optional = TRUE}, "vgroup", NULL}};
    const guint tags = file->table->tags->len;

    file->hasher = make_hasher(file->table, options->fingerprint_key);
    file->own = g_string_new(NULL);
    file->n_columns = 1 + tags + OWN_COLUMNS;
    file->columns = g_new0(TdParquetColumn, file->n_columns);
    file->gathers = g_new0(TdGather, file->n_columns);
    file->columns[0] = (TdParquetColumn){.column = name, .role = "tbname"};
    td_gather_init(&file->gathers[0], &name);
    for (guint i = 0; i < tags; i++) {
        const TdField *field = g_ptr_array_index(file->table->tags, i);

        td_gather_init_field(&file->gathers[1 + i], field, precision, TRUE);
        file->columns[1 + i] = (TdParquetColumn){.column = file->gathers[1 + i].column,
                                                 .role = "tag",
                                                 .type = td_field_type_text(field)};
    }
    for (guint i = 0; i < OWN_COLUMNS; i++) {
        file->columns[1 + tags + i] = own[i];
        td_gather_init(&file->gathers[1 + tags + i], &own[i].column);
    }
}

/* What information_schema says of the child table; nothing where it was made since. */
static void add_own(TagFile *file, const char *name, gsize length)
{
    TdGather *own = &file->gathers[1 + file->table->tags->len];
    guint32 id;
    const TdChild *child = td_children_find(file->children, name, length, &id);
    const char *comment = child != NULL ? td_children_comment(file->children, id) : NULL;
    gint64 ttl = child != NULL ? child->ttl : 0;

    td_gather_add_value(&own[OWN_UID], child != NULL ? &child->uid : NULL);
    td_gather_add_value(&own[OWN_TTL], child != NULL ? &ttl : NULL);
    td_gather_add_text(&own[OWN_COMMENT], comment, comment != NULL ? strlen(comment) : 0, 1);
    td_gather_add_value(&own[OWN_VGROUP], child != NULL ? &child->vgroup : NULL);
}

/* A child table's part of the sum: the tags as a row, what is no tag in the place of its name. */
static void add_sum(TagFile *file, const TdBlock *block, guint32 row, const char *name,
                    gsize length)
{
    guint32 id;
    const TdChild *child = td_children_find(file->children, name, length, &id);
    const char *comment = child != NULL ? td_children_comment(file->children, id) : NULL;

    g_string_truncate(file->own, 0);
    g_string_append_len(file->own, name, (gssize)length);
    g_string_append_c(file->own, '\0');
    if (child != NULL)
        g_string_append_printf(file->own, "%" G_GINT64_FORMAT " %d %d", child->uid, child->ttl,
                               child->vgroup);
    if (comment != NULL)
        g_string_append_printf(file->own, " %s", comment);
    td_hasher_add(file->hasher, td_hasher_table_seed(file->hasher, file->own->str, file->own->len),
                  block->columns + 1, row, 1, &file->sum);
}

static gboolean check_block(const TagFile *file, const TdBlock *block, GError **error)
{
    const guint tags = file->table->tags->len;

    if (block->n_columns != 1 + tags || block->columns[0].type != TD_VARCHAR) {
        error_set(error, ERROR_FORMAT, "the tags of %s came in a form that is not known",
                  file->table->name);
        return FALSE;
    }
    for (guint i = 0; i < tags; i++) {
        const TdField *field = g_ptr_array_index(file->table->tags, i);

        if (block->columns[1 + i].type == field->type)
            continue;
        error_set(error, ERROR_FORMAT, "tag %s of %s came as another type", field->name,
                  file->table->name);
        return FALSE;
    }
    return TRUE;
}

/* *ret_binary: the tag that turned out to be no text, else -1. Without `gather` rows are only added
 * up. */
static gboolean add_block(TagFile *file, const TdBlock *block, gboolean gather, gint *ret_binary,
                          GError **error)
{
    *ret_binary = -1;
    if (!check_block(file, block, error))
        return FALSE;
    for (guint32 row = 0; row < block->rows; row++) {
        guint32 length, id;
        const char *name;

        if (td_block_is_null(&block->columns[0], row))
            continue;
        name = (const char *)td_block_value(&block->columns[0], row, &length);
        if (file->only != NULL && !td_names_find(file->only, name, length, &id))
            continue;
        add_sum(file, block, row, name, length);
        if (!gather)
            continue;
        td_gather_add_text(&file->gathers[0], name, length, 1);
        add_own(file, name, length);
        for (guint i = 0; i < file->table->tags->len; i++) {
            if (td_gather_add(&file->gathers[1 + i], &block->columns[1 + i], row, 1))
                continue;
            *ret_binary = (gint)i;
            return TRUE;
        }
    }
    return TRUE;
}

static TdResult *ask_tags(TdClient *client, const TdTable *table, GCancellable *cancellable,
                          GError **error)
{
    g_autoptr(GString) sql = g_string_new("SELECT TAGS tbname");

    for (guint i = 0; i < table->tags->len; i++) {
        g_string_append(sql, ", ");
        td_append_name(sql, ((TdField *)g_ptr_array_index(table->tags, i))->name);
    }
    g_string_append(sql, " FROM ");
    td_append_table(sql, table->database, table->name);
    return td_client_query(client, sql->str, cancellable, error);
}

static gboolean copy_tags(TagFile *file, TdResult *result, TdParquet *parquet, gint *ret_binary,
                          GError **error)
{
    g_autoptr(GError) problem = NULL;
    const TdBlock *block;

    *ret_binary = -1;
    while ((block = td_result_next(result, &problem)) != NULL) {
        if (!add_block(file, block, parquet != NULL, ret_binary, error))
            return FALSE;
        if (*ret_binary >= 0)
            return TRUE;
        if (file->gathers[0].rows >= BATCH_ROWS && !td_parquet_add(parquet, file->gathers, error))
            return FALSE;
    }
    if (problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return parquet == NULL || td_parquet_add(parquet, file->gathers, error);
}

gboolean td_tags_sum(TdClient *client, TdTable *table, const TdChildren *children,
                     const TdSliceOptions *options, TdFingerprint *ret_sum, GError **error)
{
    g_auto(TagFile) file = {.table = table, .children = children};
    g_autoptr(TdResult) result = NULL;
    gint binary;

    tag_file_init(&file, options);
    result = ask_tags(client, table, options->cancellable, error);
    if (result == NULL || !copy_tags(&file, result, NULL, &binary, error))
        return FALSE;
    *ret_sum = file.sum;
    return TRUE;
}

/* One try; *ret_binary >= 0: it has to be tried again. */
static gboolean try_write(TdClient *client, TdTable *table, const TdChildren *children,
                          const TdNames *only, const TdSliceOptions *options,
                          TdObjectRef *ret_object, gint *ret_binary, GError **error)
{
    const TdParquetSpec spec = {.repository = options->repository,
                                .backup_id = options->backup_id,
                                .object = "tags",
                                .database = table->database,
                                .table = table->name,
                                .precision = options->precision,
                                .compression = options->compression,
                                .cancellable = options->cancellable};
    g_auto(TagFile) file = {.table = table, .children = children, .only = only};
    g_autoptr(TdParquet) parquet = NULL;
    g_autoptr(TdResult) result = NULL;

    tag_file_init(&file, options);
    result = ask_tags(client, table, options->cancellable, error);
    if (result == NULL)
        return FALSE;
    parquet = td_parquet_new(&spec, file.columns, file.n_columns, error);
    if (parquet == NULL || !copy_tags(&file, result, parquet, ret_binary, error))
        return FALSE;
    if (*ret_binary >= 0)
        return TRUE;
    if (!td_parquet_finish(parquet, ret_object, error))
        return FALSE;
    td_fingerprint_add(&table->tags_sum, file.sum);
    table->has_tags_sum = TRUE;
    return TRUE;
}

gboolean td_tags_write(TdClient *client, TdTable *table, const TdChildren *children,
                       const TdNames *only, const TdSliceOptions *options, TdObjectRef *ret_object,
                       GError **error)
{
    gint binary;

    do {
        if (!try_write(client, table, children, only, options, ret_object, &binary, error))
            return FALSE;
        if (binary >= 0)
            ((TdField *)g_ptr_array_index(table->tags, (guint)binary))->binary = TRUE;
    } while (binary >= 0);
    return TRUE;
}
