/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading pg_dump's custom archive of one table while it flows by: its table of contents, then the
 * rows as COPY wants them. pg_dump writes a piece for every row into an archive that it does not
 * compress; they are handed on joined, since each would be a message of its own to the server.
 *
 * Only what is certain is read: archives of versions 1.14 to 1.16 (pg_dump 12 to 18) without a
 * compression of their own, with the rows of exactly one table and nothing else in their data
 * section but values of sequences. Anything else is ERROR_UNSUPPORTED or, where it breaks off or
 * makes no sense, ERROR_FORMAT: pg_restore may know better in both cases.
 *
 * Source of the format: WriteHead() and WriteToc() in PostgreSQL's pg_backup_archiver.c,
 * pg_backup_custom.c.
 *
 * Threads: one thread a stream.
 */
#ifndef HOLDFAST_POSTGRES_ARCHIVE_STREAM_H
#define HOLDFAST_POSTGRES_ARCHIVE_STREAM_H

#include "codec/compress.h"

typedef struct {
    char *schema, *table; /* whose rows they are */
    char *copy;           /* "COPY schema.table (columns) FROM stdin": no semicolon */
    GPtrArray *settings;  /* char *: SQL of the session that reads the rows: its encoding, … */
    GPtrArray *sequences; /* char *: SQL that sets values of sequences, once the rows are in */
} PgArchiveTable;

/* The table of contents has come by; rows follow. Valid during the call only. */
typedef gboolean (*PgArchiveBegin)(const PgArchiveTable *table, gpointer data, GError **error);

typedef struct PgArchiveStream PgArchiveStream;

/* `rows` receives the rows in pieces of up to 64 KiB, in COPY's text format, with the mark of their
 * end. */
PgArchiveStream *pg_archive_stream_new(PgArchiveBegin begin, CodecSink rows, gpointer data);
void pg_archive_stream_free(PgArchiveStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgArchiveStream, pg_archive_stream_free)

/* Takes bytes of the archive, in pieces of any length: a CodecSink, `data` is the stream. Errors
 * are those above, and the callbacks' own. */
gboolean pg_archive_stream_write(const void *bytes, gsize length, gpointer data,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The archive ends here: hands on what is held back. ERROR_FORMAT where it was cut. */
gboolean pg_archive_stream_finish(PgArchiveStream *stream,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The table once its contents have come by; NULL before. Belongs to the stream. */
const PgArchiveTable *pg_archive_stream_table(const PgArchiveStream *stream);

#endif
