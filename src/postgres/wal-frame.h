/* SPDX-License-Identifier: Apache-2.0
 *
 * The metadata that leads every object of the WAL archive: a skippable frame of zstd's format (RFC
 * 8878, 3.1.2), which `zstd -d` passes over. Format: docs/formats.md, "WAL archive".
 *
 * Threads: plain data.
 */
#ifndef HOLDFAST_POSTGRES_WAL_FRAME_H
#define HOLDFAST_POSTGRES_WAL_FRAME_H

#include <glib.h>

#include "codec/hash.h"

/* The frame's own eight bytes included. */
#define WAL_FRAME_SIZE 172
/* What a name may have: "000000010000000000000042.00000028.backup", and a NUL. */
#define WAL_FRAME_NAME 44

typedef struct {
    char name[WAL_FRAME_NAME]; /* of the archived file; of the segment, for a piece */
    guint64 system_identifier;
    guint32 segment_size; /* bytes; 0 for a history file */
    guint64 start;        /* where in the segment the plain bytes begin; 0 but for a piece */
    guint64 plain_size;
    guint64 stored_size; /* of what stands behind the frame */
    guint8 plain_sha256[SHA256_SIZE];
    guint8 stored_sha256[SHA256_SIZE]; /* of what stands behind the frame */
} WalFrame;

void wal_frame_write(const WalFrame *frame, guint8 bytes[WAL_FRAME_SIZE]);

/* Trusts nothing: ERROR_DAMAGED, or ERROR_NEWER_FORMAT. */
gboolean wal_frame_read(const void *bytes, gsize length, WalFrame *ret_frame,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
