/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns the values of one column of one row group into pages. Each column is done by one worker at
 * a time; nothing here is shared between columns.
 */
#ifndef HOLDFAST_PARQUET_ENCODER_H
#define HOLDFAST_PARQUET_ENCODER_H

#include <glib.h>

#include "parquet/column-buffer.h"
#include "parquet/metadata.h"

typedef struct {
    ParquetEncoding encoding; /* PARQUET_ENCODING_AUTO: chosen by looking at the data */
    ParquetCodec codec;
    gint level;
    gsize page_rows;        /* at most, in a page */
    gsize page_bytes;       /* about, in a page before compression; a single value may be larger */
    gsize dictionary_bytes; /* at most; values behind that are encoded otherwise */
} EncoderSettings;

/* A column chunk in memory. Its offsets count from its own start, which is the dictionary page, if
 * any, then the data. */
typedef struct {
    GByteArray *dictionary; /* empty: none */
    GByteArray *pages;
    ParquetChunk chunk;
    ParquetPageIndex *index; /* without bounds where a page could have none */
} EncodedChunk;

void encoded_chunk_init(EncodedChunk *encoded);
void encoded_chunk_clear(EncodedChunk *encoded);

/* True where values of this column can be written in that encoding. */
gboolean encoder_can_encode(const ParquetColumn *column, ParquetEncoding encoding);

/* Encodes what is in `buffer`, replacing what is in `encoded` but keeping its memory. */
gboolean encoder_run(const ColumnBuffer *buffer, const EncoderSettings *settings,
                     EncodedChunk *encoded, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
