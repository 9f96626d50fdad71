/* SPDX-License-Identifier: Apache-2.0
 *
 * Physical backup and restore of PostgreSQL, and what a physical backup records.
 *
 * A backup is: the files of the data directory and of the tablespaces in the pool (pool/pool.h), backup_label and tablespace_map as the
 * stop call gave them, and the WAL from start to stop in the archive. The details of a physical backup (docs/formats.md):
 *   details.json          one object: "server", "position", "tablespaces", "databases", "settings", "packs", "hash_key", "page_checksum_failures"
 *   details-files.jsonl   a line a file, directory or link, sorted by path
 *   details-tables.jsonl  a line a table with estimated rows and sizes
 *   data/backup_label, data/tablespace_map   byte for byte
 *
 * Paths are relative to the data directory; tablespaces appear as pg_tblspc/<oid>/….
 */
#ifndef HOLDFAST_POSTGRES_PHYSICAL_H
#define HOLDFAST_POSTGRES_PHYSICAL_H

#include "engine/engine.h"
#include "pool/pool.h"
#include "postgres/control.h"
#include "postgres/inventory.h"

typedef enum { PG_FILE_REGULAR, PG_FILE_DIRECTORY, PG_FILE_LINK } PgFileKind;

typedef struct {
    char *path;
    PgFileKind kind;
    guint32 mode; /* permission bits */
    gint64
        modified; /* microseconds, by the host's file system: when it was looked at before it was read */
    guint32 crc32c;   /* of the content, for PostgreSQL's backup_manifest */
    char *target;     /* of a link (pg_wal); tablespace links stand in `tablespaces` */
    PoolFile content; /* of a regular file */
} PgFile;
void pg_file_free(PgFile *file);

typedef struct {
    guint32 oid;
    char *name, *location; /* location NULL: an in-place tablespace, a directory under pg_tblspc */
} PgTablespace;

typedef struct {
    char *path;    /* of the relation's segment file */
    guint32 block; /* number within the relation: segment number × blocks a segment included */
} PgPageFailure;

typedef struct {
    PgServer server;
    guint64 system_identifier;
    guint32 timeline;  /* at the start */
    PgLsn start, stop; /* of the backup: redo point of its checkpoint, end */
    PgLsn checkpoint;
    gint64 start_time, stop_time; /* by the server's clock, microseconds */
    guint32 segment_size, block_size, relation_segment_blocks;
    gboolean from_standby;
    char *access; /* "local", "stream" */
    char *
        host_id; /* machine-id and device of the data directory: files can be compared by time only on the same */
    gboolean page_checksums;
    GPtrArray *tablespaces; /* PgTablespace */
    GPtrArray *databases;   /* char * "oid\tname" */
    GPtrArray *
        settings; /* char * "name\tvalue": what matters at a restore (max_connections, wal_level, …) */
    GPtrArray *failures; /* PgPageFailure */
    guint64 hash_key;
    PoolReader *reader; /* over the pack table; when read from a backup */
    GPtrArray *files;   /* PgFile, sorted by path */
} PgPhysical;

PgPhysical *pg_physical_new(void);
void pg_physical_free(PgPhysical *physical);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgPhysical, pg_physical_free)

/* physical-details.c */
gboolean pg_physical_write(const PgPhysical *physical, PoolWriter *pool, BackupWriter *writer,
                           CompressSpec spec, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean pg_physical_read(Backup *backup, PgPhysical **ret_physical,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
json_t *pg_physical_describe(Backup *backup, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* physical-backup.c: full or incremental, local or stream. request->base (NULL: full) is the base backup. Clear manifest fields that it sets: method,
 * timeline, start_lsn, stop_lsn, system_identifier, segment_size. */
gboolean pg_physical_backup(const EngineBackup *request, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
