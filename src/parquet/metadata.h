/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands in a Parquet file beside the values: the footer (FileMetaData), page headers and the
 * page index, as plain structs, and their translation from and to Thrift.
 *
 * Source: parquet.thrift of the Apache Parquet format, version 2.11. Fields that nothing here uses
 * are skipped.
 *
 * Ownership: a struct owns everything that it points to. Threads: a struct that is no longer
 * changed may be read by any.
 */
#ifndef HOLDFAST_PARQUET_METADATA_H
#define HOLDFAST_PARQUET_METADATA_H

#include <glib.h>

#include "parquet/schema.h"

#define PARQUET_MAGIC "PAR1"

/* The numbers are those of the format. */
typedef enum {
    PARQUET_CODEC_NONE = 0,
    PARQUET_CODEC_SNAPPY = 1,
    PARQUET_CODEC_GZIP = 2,
    PARQUET_CODEC_LZO = 3,     /* not supported */
    PARQUET_CODEC_BROTLI = 4,  /* read only, where the library was there at the build */
    PARQUET_CODEC_LZ4_OLD = 5, /* read only: raw blocks in the framing of Hadoop */
    PARQUET_CODEC_ZSTD = 6,
    PARQUET_CODEC_LZ4_RAW = 7
} ParquetCodec;

typedef enum {
    PARQUET_ENCODING_AUTO = -1, /* for writers: look at the data */
    PARQUET_PLAIN = 0,
    PARQUET_PLAIN_DICTIONARY = 2, /* read only: the old name of RLE_DICTIONARY */
    PARQUET_RLE = 3,
    PARQUET_BIT_PACKED = 4, /* not supported */
    PARQUET_DELTA_BINARY_PACKED = 5,
    PARQUET_DELTA_LENGTH_BYTE_ARRAY = 6,
    PARQUET_DELTA_BYTE_ARRAY = 7, /* read only */
    PARQUET_RLE_DICTIONARY = 8,
    PARQUET_BYTE_STREAM_SPLIT = 9
} ParquetEncoding;

/* "ZSTD", "RLE_DICTIONARY"; "UNKNOWN" for numbers that are none. */
const char *parquet_codec_name(ParquetCodec codec);
const char *parquet_encoding_name(ParquetEncoding encoding);

/* Bounds are kept as PLAIN bytes without a length in front; NULL where they are not known. */
typedef struct {
    GBytes *min, *max;
    gboolean min_exact,
        max_exact;     /* else the bound is a cut prefix: no value of the column need equal it */
    gint64 null_count; /* -1: not known */
} ParquetStatistics;

void parquet_statistics_clear(ParquetStatistics *statistics);

/* One column in one row group. Offsets are from the start of the file. */
typedef struct {
    ParquetType type;
    ParquetCodec codec;
    guint32 encodings; /* bit e is set where encoding e is used */
    gint64 values;     /* with nulls */
    gint64 plain_bytes, stored_bytes;
    gint64 data_offset;
    gint64 dictionary_offset; /* 0: none */
    ParquetStatistics statistics;
    gint64 offset_index_offset, column_index_offset; /* 0: none */
    gint32 offset_index_length, column_index_length;
} ParquetChunk;

typedef struct {
    guint column;
    gboolean descending, nulls_first;
} ParquetSorting;

typedef struct {
    gint64 rows;
    gint64 plain_bytes;
    gint64 stored_bytes; /* of all chunks */
    guint sorting_count;
    ParquetSorting *sorting;
    ParquetChunk *chunks; /* one a column of the schema */
} ParquetRowGroup;

typedef struct {
    char *key;
    char *value; /* NULL: none */
} ParquetKeyValue;

typedef struct {
    gint32 version;
    gint64 rows;
    char *created_by; /* NULL: not said */
    ParquetSchema *schema;
    GArray *row_groups;   /* of ParquetRowGroup */
    GArray *key_values;   /* of ParquetKeyValue */
    gboolean typed_order; /* column_orders is there: it is known how min and max were found */
} ParquetMetadata;

ParquetMetadata *parquet_metadata_new(ParquetSchema *schema);
void parquet_metadata_free(ParquetMetadata *metadata);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ParquetMetadata, parquet_metadata_free)

static inline ParquetRowGroup *parquet_metadata_group(const ParquetMetadata *metadata, guint index)
{
    return &g_array_index(metadata->row_groups, ParquetRowGroup, index);
}

typedef struct {
    guint columns; /* at most so many columns, */
    guint chunks;  /* and so many row groups times columns */
} ParquetMetadataLimits;

/* Reads a footer's Thrift bytes. ERROR_FORMAT where they are wrong, ERROR_UNSUPPORTED for nested or
 * encrypted columns, ERROR_LIMIT. Offsets and sizes are checked to lie inside a file of `file_size`
 * bytes. `what` names the file in errors. */
ParquetMetadata *parquet_metadata_read(const void *bytes, gsize length, guint64 file_size,
                                       const ParquetMetadataLimits *limits, const char *what,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Appends the footer's Thrift bytes. */
void parquet_metadata_write(const ParquetMetadata *metadata, GByteArray *out);

typedef enum {
    PARQUET_PAGE_DATA = 0,
    PARQUET_PAGE_INDEX = 1,
    PARQUET_PAGE_DICTIONARY = 2,
    PARQUET_PAGE_DATA_V2 = 3
} ParquetPageType;

/* A page's header without its statistics. */
typedef struct {
    ParquetPageType type;
    gint32 plain_bytes, stored_bytes;
    gboolean has_crc;
    guint32 crc;
    gint32 values; /* with nulls */
    ParquetEncoding encoding;
    ParquetEncoding level_encoding; /* DATA: of definition levels */
    gint32 nulls, rows;             /* DATA_V2 */
    gint32 definition_bytes,
        repetition_bytes; /* DATA_V2: stored before the values, never compressed */
    gboolean compressed;  /* DATA_V2 */
} ParquetPageHeader;

/* Reads the header at the start of `bytes`; *ret_length is what it takes there. ERROR_FORMAT where
 * it is wrong or not whole. Sizes and counts are not negative in the result. */
gboolean parquet_page_header_read(const void *bytes, gsize length, ParquetPageHeader *ret_header,
                                  gsize *ret_length, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Appends a header of type DATA or DICTIONARY, without statistics: those stand in the column
 * index. */
void parquet_page_header_write(const ParquetPageHeader *header, GByteArray *out);

typedef struct {
    gint64 offset;       /* of the page's header */
    gint32 stored_bytes; /* with the header */
    gint64 first_row;    /* in the row group */
} ParquetPageLocation;

/* What the column index says about one page. */
typedef struct {
    gboolean null_page; /* nothing but nulls: no bounds */
    GBytes *min, *max;
    gint64 null_count; /* -1: not known */
} ParquetPageBounds;

typedef enum {
    PARQUET_UNORDERED = 0,
    PARQUET_ASCENDING = 1,
    PARQUET_DESCENDING = 2
} ParquetBoundaryOrder;

/* The page index of one chunk. */
typedef struct {
    GArray *locations; /* of ParquetPageLocation */
    GArray *bounds;    /* of ParquetPageBounds, one a location; NULL: there is no column index */
    ParquetBoundaryOrder order;
} ParquetPageIndex;

ParquetPageIndex *parquet_page_index_new(void);
void parquet_page_index_free(ParquetPageIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ParquetPageIndex, parquet_page_index_free)

static inline ParquetPageLocation *parquet_page_location(const ParquetPageIndex *index, guint page)
{
    return &g_array_index(index->locations, ParquetPageLocation, page);
}

static inline ParquetPageBounds *parquet_page_bounds(const ParquetPageIndex *index, guint page)
{
    return &g_array_index(index->bounds, ParquetPageBounds, page);
}

/* Reads the offset index and, where `column_bytes` is not NULL, the column index of a chunk.
 * Locations are checked: inside the file, rows rising from 0 and below `rows`. */
ParquetPageIndex *parquet_page_index_read(const void *offset_bytes, gsize offset_length,
                                          const void *column_bytes, gsize column_length,
                                          guint64 file_size, gint64 rows,
                                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

void parquet_offset_index_write(const ParquetPageIndex *index, GByteArray *out);
/* Only where index->bounds is not NULL. */
void parquet_column_index_write(const ParquetPageIndex *index, GByteArray *out);

#endif
