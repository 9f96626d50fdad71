/* SPDX-License-Identifier: Apache-2.0
 *
 * A Parquet object of the pool as a source for a reader: ranges are read from the store and opened
 * where they are sealed. Nothing is hashed: verify does that, and pages carry checksums.
 *
 * Threads: any may read.
 */
#ifndef HOLDFAST_REPO_STORED_PARQUET_H
#define HOLDFAST_REPO_STORED_PARQUET_H

#include "parquet/source.h"
#include "repo/repository.h"

typedef struct StoredParquet StoredParquet;

/* `name`: "pool/aa/…". Must outlive the reader. ERROR_NOT_FOUND, ERROR_DAMAGED. */
StoredParquet *stored_parquet_open(Repository *repository, const char *name,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Belongs to the object. */
const ParquetSource *stored_parquet_source(const StoredParquet *object);
void stored_parquet_close(StoredParquet *object);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoredParquet, stored_parquet_close)

#endif
