/* SPDX-License-Identifier: Apache-2.0
 *
 * The export operation: a backup as plain files, decrypted and decompressed, for other tools.
 */
#ifndef HOLDFAST_OPERATION_EXPORT_H
#define HOLDFAST_OPERATION_EXPORT_H

#include "operation/restore.h"

typedef struct {
    const char *backup_id;
    const char *directory;          /* must be empty, or not be there */
    const char *const *tablespaces; /* "OLD=NEW", as of a restore; NULL: none are moved */
    guint jobs;                     /* of a physical backup; 0: the source's */
} ExportRequest;

typedef struct {
    guint64 files, bytes; /* plain; of a physical backup 0 files: a data directory */
    gboolean physical;
} ExportReport;

/* A physical backup becomes a data directory, as after a restore of its own state, with
 * backup_manifest and WAL; any other the files of its folder without their compression, and
 * pool/<sha-256>.parquet for what TDengine's details name. Every byte is proven before the directory
 * appears under its name. ERROR_EXISTS when the directory holds something. */
gboolean operation_export(OperationContext *context, const ExportRequest *request,
                          Progress *progress, GCancellable *cancellable, ExportReport *ret_report,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
