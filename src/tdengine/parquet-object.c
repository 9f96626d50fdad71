/* SPDX-License-Identifier: Apache-2.0
 *
 * Parquet writer, metadata and pool object together.
 */
#include "tdengine/parquet-object.h"

#include <string.h>

#include "parquet/writer.h"
#include "pool/object.h"

/* Names of child tables are a dictionary as long as it is of this size. */
#define DICTIONARY_BYTES (2 * 1024 * 1024)

struct TdParquet {
    PoolObject *object;
    ParquetWriter *writer;
    guint n_columns;
    guint64 plain;
};

static gboolean write_piece(const void *bytes, gsize length, gpointer data, GError **error)
{
    TdParquet *parquet = data;

    return pool_object_write(parquet->object, bytes, length, error);
}

static void set_codec(ParquetWriterOptions *options, CompressSpec spec)
{
    static const ParquetCodec codecs[] = {[CODEC_NONE] = PARQUET_CODEC_NONE,
                                          [CODEC_ZSTD] = PARQUET_CODEC_ZSTD,
                                          [CODEC_GZIP] = PARQUET_CODEC_GZIP,
                                          [CODEC_LZ4] = PARQUET_CODEC_LZ4_RAW};

    options->codec = codecs[spec.codec];
    options->level = spec.level;
}

/* Two columns of one name cannot be in a file: a tag may be called as a column of ours is. */
static ParquetSchema *make_schema(const TdParquetColumn *columns, guint n_columns, GError **error)
{
    g_autoptr(ParquetSchema) schema = parquet_schema_new();
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < n_columns; i++) {
        ParquetColumn column = columns[i].column;
        g_autoptr(GString) name = g_string_new(column.name);

        while (!g_hash_table_add(names, g_strdup(name->str)))
            g_string_append_c(name, '_');
        column.name = name->str;
        if (!parquet_schema_add(schema, &column, error))
            return NULL;
    }
    return g_steal_pointer(&schema);
}

static char *columns_text(const TdParquetColumn *columns, guint n_columns)
{
    g_autoptr(json_t) array = json_array();
    g_autofree char *text = NULL;

    for (guint i = 0; i < n_columns; i++)
        json_array_append_new(array,
                              json_pack("{s:o, s:s, s:o}", "name",
                                        json_text(columns[i].column.name), "role", columns[i].role,
                                        "type", json_text(columns[i].type)));
    text = json_write(array, FALSE);
    return g_strdup(g_strchomp(text));
}

static void add_metadata(ParquetWriter *writer, const TdParquetSpec *spec,
                         const TdParquetColumn *columns, guint n_columns)
{
    static const char *const precisions[] = {"ms", "us", "ns"};
    g_autofree char *text = columns_text(columns, n_columns);

    parquet_writer_add_metadata(writer, "holdfast.backup", spec->backup_id);
    parquet_writer_add_metadata(writer, "holdfast.object", spec->object);
    parquet_writer_add_metadata(writer, "holdfast.database", spec->database);
    parquet_writer_add_metadata(writer, "holdfast.table", spec->table);
    parquet_writer_add_metadata(writer, "holdfast.precision", precisions[spec->precision]);
    parquet_writer_add_metadata(writer, "holdfast.columns", text);
    if (spec->slice != NULL) {
        g_autofree char *slice =
            g_strdup_printf("{\"from\": %" G_GINT64_FORMAT ", \"to\": %" G_GINT64_FORMAT
                            ", \"shard\": %u, \"shards\": %u}",
                            spec->slice->from, spec->slice->to, spec->slice->shard,
                            spec->slice->shards);

        parquet_writer_add_metadata(writer, "holdfast.slice", slice);
    }
}

TdParquet *td_parquet_new(const TdParquetSpec *spec, const TdParquetColumn *columns,
                          guint n_columns, GError **error)
{
    const ParquetSorting sorting[] = {{.column = 0}, {.column = 1}};
    g_autoptr(TdParquet) parquet = g_new0(TdParquet, 1);
    g_autoptr(ParquetSchema) schema = make_schema(columns, n_columns, error);
    ParquetWriterOptions options;

    if (schema == NULL)
        return NULL;
    parquet->n_columns = n_columns;
    parquet->object = pool_object_begin(spec->repository, error);
    if (parquet->object == NULL)
        return NULL;
    parquet_writer_options_init(&options);
    set_codec(&options, spec->compression);
    options.dictionary_bytes = DICTIONARY_BYTES;
    if (spec->sorted) {
        options.sorting = sorting;
        options.sorting_count = MIN(n_columns, G_N_ELEMENTS(sorting));
    }
    parquet->writer =
        parquet_writer_new(schema, &options, write_piece, parquet, spec->cancellable, error);
    if (parquet->writer == NULL)
        return NULL;
    add_metadata(parquet->writer, spec, columns, n_columns);
    return g_steal_pointer(&parquet);
}

gboolean td_parquet_add(TdParquet *parquet, TdGather *gathers, GError **error)
{
    g_autofree ParquetArray *arrays = g_new0(ParquetArray, parquet->n_columns);
    gsize rows = gathers[0].rows;

    if (rows == 0)
        return TRUE;
    for (guint i = 0; i < parquet->n_columns; i++) {
        g_return_val_if_fail(gathers[i].rows == rows, FALSE);
        td_gather_array(&gathers[i], &arrays[i]);
        parquet->plain += td_gather_bytes(&gathers[i]);
    }
    if (!parquet_writer_add(parquet->writer, arrays, rows, error))
        return FALSE;
    for (guint i = 0; i < parquet->n_columns; i++)
        td_gather_reset(&gathers[i]);
    return TRUE;
}

gboolean td_parquet_end_group(TdParquet *parquet, GError **error)
{
    return parquet_writer_end_row_group(parquet->writer, error);
}

gboolean td_parquet_finish(TdParquet *parquet, TdObjectRef *ret_object, GError **error)
{
    TdObjectRef object = {.plain_bytes = parquet->plain};
    guint8 digest[SHA256_SIZE];

    if (!parquet_writer_finish(parquet->writer, error) ||
        !pool_object_commit(parquet->object, digest, &object.size, error))
        return FALSE;
    sha256_to_hex(digest, object.sha256);
    object.rows = parquet_writer_rows(parquet->writer);
    *ret_object = object;
    return TRUE;
}

void td_parquet_free(TdParquet *parquet)
{
    if (parquet == NULL)
        return;
    parquet_writer_free(parquet->writer);
    pool_object_free(parquet->object);
    g_free(parquet);
}
