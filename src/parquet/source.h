/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a reader gets a file's bytes from: a callback for ranges, so that a file in any store can
 * be read in parts.
 */
#ifndef HOLDFAST_PARQUET_SOURCE_H
#define HOLDFAST_PARQUET_SOURCE_H

#include <glib.h>

/* Reads exactly `length` bytes from `offset` on; the range lies inside the size that was said.
 * Called from each thread that scans, so it must allow that where there are several. */
typedef gboolean (*ParquetRead)(gpointer data, guint64 offset, void *buffer, gsize length,
                                GError **error);

typedef struct {
    ParquetRead read;
    gpointer data;
    guint64 size;     /* of the file */
    const char *name; /* for errors */
} ParquetSource;

/* Bytes in memory, which must outlive the source. */
typedef struct {
    ParquetSource source;
    const guint8 *bytes;
} ParquetMemory;

void parquet_memory_init(ParquetMemory *memory, const void *bytes, gsize length, const char *name);

/* A file of the file system. Any thread may read. */
typedef struct ParquetFile ParquetFile;

ParquetFile *parquet_file_open(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
const ParquetSource *parquet_file_source(const ParquetFile *file);
void parquet_file_close(ParquetFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ParquetFile, parquet_file_close)

#endif
