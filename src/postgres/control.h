/* SPDX-License-Identifier: Apache-2.0
 *
 * pg_control: the one file that says what a data directory is. Layouts of versions 13 to 18
 * (catalog/pg_control.h) differ in little; what differs stands in control.c only.
 */
#ifndef HOLDFAST_POSTGRES_CONTROL_H
#define HOLDFAST_POSTGRES_CONTROL_H

#include "postgres/wal-name.h"

#define PG_CONTROL_FILE_SIZE 8192

typedef struct {
    guint64 system_identifier;
    guint32 control_version, catalog_version;
    int server_major;
    int state; /* DBState: 1 shut down … 6 in production */
    PgLsn checkpoint, checkpoint_redo;
    guint32 timeline;
    guint32 segment_size, block_size, relation_segment_blocks;
    gboolean page_checksums;
    gboolean full_page_writes;
    PgLsn minimum_recovery_point;
} PgControl;

/* Checks the CRC: ERROR_DAMAGED (torn or corrupt: read again); ERROR_UNSUPPORTED for a version that
 * is not known. */
gboolean pg_control_parse(const void *bytes, gsize length, PgControl *ret_control,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Reads <data directory>/global/pg_control, again for up to a second while it is torn. ret_bytes
 * (may be NULL) receives the file. */
gboolean pg_control_read(const char *data_directory, PgControl *ret_control, GBytes **ret_bytes,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
