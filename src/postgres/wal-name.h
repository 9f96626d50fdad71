/* SPDX-License-Identifier: Apache-2.0
 *
 * Names and numbers of WAL: LSNs, segments, timelines, and what stands at the head of a segment's
 * first page. Sources: PostgreSQL's access/xlog_internal.h and access/xlogdefs.h, versions 13 to
 * 18.
 */
#ifndef HOLDFAST_POSTGRES_WAL_NAME_H
#define HOLDFAST_POSTGRES_WAL_NAME_H

#include <glib.h>

typedef guint64 PgLsn;

/* "16/B374D848"; both halves in hexadecimal. ERROR_USAGE. */
gboolean pg_lsn_parse(const char *text, PgLsn *ret_lsn, GError **error) G_GNUC_WARN_UNUSED_RESULT;
char *pg_lsn_format(PgLsn lsn);

typedef enum {
    WAL_SEGMENT, /* 24 hexadecimal digits */
    WAL_PARTIAL, /* segment.partial */
    WAL_BACKUP,  /* segment.offset.backup */
    WAL_HISTORY, /* 8 digits.history */
} WalKind;

typedef struct {
    WalKind kind;
    guint32 timeline;
    guint32 high, low; /* the second and third eight digits; 0 for a history file */
} WalName;

/* FALSE for any other name. */
gboolean wal_name_parse(const char *name, WalName *ret_name);

/* Segment sizes are powers of two from 1 MiB to 1 GiB. */
gboolean wal_segment_size_valid(guint64 size);
guint64 wal_segment_number(const WalName *name, guint32 segment_size);
/* FALSE where no segment of this size has such a name. */
gboolean wal_name_fits(const WalName *name, guint32 segment_size);
/* "000000010000000000000042" and "00000002.history"; free with g_free(). */
char *wal_segment_format(guint32 timeline, guint64 number, guint32 segment_size);
char *wal_history_format(guint32 timeline);

/* What the long header of a segment's first page says. Numbers are in the byte order of the
 * machine, as PostgreSQL writes them: WAL does not travel between machines of different order. */
typedef struct {
    guint16 magic;
    guint32 timeline;
    PgLsn address;
    guint64 system_identifier;
    guint32 segment_size, block_size;
    int server_major; /* by the magic; 0 where it is not known */
} WalHeader;
#define WAL_HEADER_SIZE 40
/* Trusts nothing; ERROR_DAMAGED. */
gboolean wal_header_read(const void *bytes, gsize length, WalHeader *ret_header,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
