/* SPDX-License-Identifier: Apache-2.0
 *
 * The metadata structs: names, making and freeing. Their Thrift forms are in metadata-read.c,
 * metadata-write.c and page-index.c.
 */
#include "parquet/metadata.h"

const char *parquet_codec_name(ParquetCodec codec)
{
    static const char *const names[] = {"UNCOMPRESSED", "SNAPPY", "GZIP", "LZO",
                                        "BROTLI",       "LZ4",    "ZSTD", "LZ4_RAW"};

    return (guint)codec < G_N_ELEMENTS(names) ? names[codec] : "UNKNOWN";
}

const char *parquet_encoding_name(ParquetEncoding encoding)
{
    static const char *const names[] = {
        "PLAIN",          "GROUP_VAR_INT",       "PLAIN_DICTIONARY",        "RLE",
        "BIT_PACKED",     "DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY",
        "RLE_DICTIONARY", "BYTE_STREAM_SPLIT"};

    return (guint)encoding < G_N_ELEMENTS(names) ? names[encoding] : "UNKNOWN";
}

void parquet_statistics_clear(ParquetStatistics *statistics)
{
    g_clear_pointer(&statistics->min, g_bytes_unref);
    g_clear_pointer(&statistics->max, g_bytes_unref);
}

static void key_value_clear(gpointer slot)
{
    ParquetKeyValue *pair = slot;

    g_free(pair->key);
    g_free(pair->value);
}

ParquetMetadata *parquet_metadata_new(ParquetSchema *schema)
{
    ParquetMetadata *metadata = g_new0(ParquetMetadata, 1);

    metadata->schema = parquet_schema_ref(schema);
    /* Chunks are counted by the schema, so the groups are freed by hand. */
    metadata->row_groups = g_array_new(FALSE, TRUE, sizeof(ParquetRowGroup));
    metadata->key_values = g_array_new(FALSE, TRUE, sizeof(ParquetKeyValue));
    g_array_set_clear_func(metadata->key_values, key_value_clear);
    return metadata;
}

static void row_group_clear(ParquetRowGroup *group, guint columns)
{
    for (guint i = 0; group->chunks != NULL && i < columns; i++)
        parquet_statistics_clear(&group->chunks[i].statistics);
    g_free(group->chunks);
    g_free(group->sorting);
}

void parquet_metadata_free(ParquetMetadata *metadata)
{
    if (metadata == NULL)
        return;
    for (guint i = 0; i < metadata->row_groups->len; i++)
        row_group_clear(parquet_metadata_group(metadata, i),
                        parquet_schema_count(metadata->schema));
    g_array_unref(metadata->row_groups);
    g_array_unref(metadata->key_values);
    parquet_schema_unref(metadata->schema);
    g_free(metadata->created_by);
    g_free(metadata);
}

static void page_bounds_clear(gpointer slot)
{
    ParquetPageBounds *bounds = slot;

    g_clear_pointer(&bounds->min, g_bytes_unref);
    g_clear_pointer(&bounds->max, g_bytes_unref);
}

ParquetPageIndex *parquet_page_index_new(void)
{
    ParquetPageIndex *index = g_new0(ParquetPageIndex, 1);

    index->locations = g_array_new(FALSE, TRUE, sizeof(ParquetPageLocation));
    index->bounds = g_array_new(FALSE, TRUE, sizeof(ParquetPageBounds));
    g_array_set_clear_func(index->bounds, page_bounds_clear);
    return index;
}

void parquet_page_index_free(ParquetPageIndex *index)
{
    if (index == NULL)
        return;
    g_array_unref(index->locations);
    g_clear_pointer(&index->bounds, g_array_unref);
    g_free(index);
}
