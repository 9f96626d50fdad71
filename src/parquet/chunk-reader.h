/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the pages of one column chunk, forwards, and hands up their values.
 */
#ifndef HOLDFAST_PARQUET_CHUNK_READER_H
#define HOLDFAST_PARQUET_CHUNK_READER_H

#include <glib.h>

#include "parquet/array.h"
#include "parquet/block.h"
#include "parquet/metadata.h"
#include "parquet/source.h"

typedef struct {
    gsize page_bytes;   /* of one page, stored or plain */
    gsize string_bytes; /* of one column in a batch; a single value may be larger */
    gsize read_ahead;   /* bytes read at once, where pages are smaller */
} ChunkLimits;

typedef struct ChunkReader ChunkReader;

/* A reader for a column, with memory that is kept from chunk to chunk. What is given is
 * borrowed. */
ChunkReader *chunk_reader_new(const ParquetSource *source, const ParquetColumn *column,
                              const ChunkLimits *limits, Budget *budget);
void chunk_reader_free(ChunkReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ChunkReader, chunk_reader_free)

/* Begins another chunk. `index` (may be NULL) lets it jump to a page; it is borrowed as well. */
void chunk_reader_begin(ChunkReader *reader, const ParquetChunk *chunk,
                        const ParquetPageIndex *index);

/* Goes to the page that holds a row, and decodes it; never back behind an earlier one. *ret_rows is
 * how many rows can be had from there on without another page, at most `rows`. */
gboolean chunk_reader_seek(ChunkReader *reader, guint64 row, gsize rows, gsize *ret_rows,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Gives the values of `rows` rows from where it was sought to, no more than were said to be there.
 * They are valid until the next call of seek or begin. */
gboolean chunk_reader_get(ChunkReader *reader, gsize rows, ParquetArray *ret_array,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads the chunk from its beginning to its end without decoding: page headers, lengths and
 * checksums. *ret_pages is how many pages there are, *ret_bare how many of them carry no
 * checksum. */
gboolean chunk_reader_check(ChunkReader *reader, guint64 *ret_pages, guint64 *ret_bare,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
