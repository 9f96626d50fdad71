/* SPDX-License-Identifier: Apache-2.0
 *
 * Physical backup and restore of PostgreSQL, and what a physical backup records.
 *
 * A backup is: the files of the data directory and of the tablespaces in the pool (pool/pool.h),
 * backup_label and tablespace_map as the stop call gave them, and the WAL from start to stop in the
 * archive. The details of a physical backup (docs/formats.md):
 *   details.json          one object: "server", "position", "host", "tablespaces", "databases",
 *                         "settings", "packs", "hash_key",
 *                         "page_checksum_failures"
 *   details-files.jsonl   a line a file, directory or link, sorted by path
 *   details-tables.jsonl  a line a table with estimated rows and sizes
 *   data/backup_label, data/tablespace_map   byte for byte; the second only where the server gave
 *                                            one
 *
 * Paths are relative to the data directory; tablespaces appear as pg_tblspc/<oid>/….
 */
#ifndef HOLDFAST_POSTGRES_PHYSICAL_H
#define HOLDFAST_POSTGRES_PHYSICAL_H

#include "engine/engine.h"
#include "pool/pool.h"
#include "postgres/control.h"
#include "postgres/inventory.h"

#define PG_BACKUP_LABEL_PATH   "data/backup_label"
#define PG_TABLESPACE_MAP_PATH "data/tablespace_map"

typedef enum { PG_FILE_REGULAR, PG_FILE_DIRECTORY, PG_FILE_LINK } PgFileKind;

/* There may be millions: small and in one piece. */
typedef struct {
    char *target; /* of a link (pg_wal); tablespace links stand in `tablespaces` */
    /* Microseconds, by the host's file system: when it was looked at before it was read; and the
     * inode's change time, likewise, 0: not known (stream). */
    gint64 modified, changed;
    guint64 inode;     /* 63 bits of it; 0: not known (stream) */
    PoolFile content;  /* of a regular file */
    guint32 crc32c;    /* of the content, for PostgreSQL's backup_manifest */
    guint32 mode : 16; /* permission bits */
    PgFileKind kind : 8;
    guint32 settled : 1; /* its times can be compared with those of a later backup; see base.h */
    char path[];         /* bytes as the file system has them, not always UTF-8 */
} PgFile;
PgFile *pg_file_new(const char *path, PgFileKind kind);
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
        host_id; /* machine and device of the data directory: files can be compared by time only on the same; NULL: stream */
    char *boot_id;       /* with it: the boot, and how far the wall clock was ahead of the */
    gint64 clock_offset; /* time since the boot: a clock that was set back shows in it */
    gboolean page_checksums;
    GPtrArray *tablespaces; /* PgTablespace */
    GPtrArray *databases;   /* char * "oid\tname" */
    GPtrArray *
        settings; /* char * "name\tvalue": what matters at a restore (max_connections, wal_level, …) */
    GPtrArray *failures; /* PgPageFailure */
    guint64 hash_key;
    PoolReader *reader; /* over the pack table; when read from a backup */
    GPtrArray *files;   /* PgFile, sorted by path (strcmp) */
} PgPhysical;

PgPhysical *pg_physical_new(void);
void pg_physical_free(PgPhysical *physical);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgPhysical, pg_physical_free)

/* Appends copies. */
void pg_physical_add_tablespace(PgPhysical *physical, guint32 oid, const char *name,
                                const char *location);
void pg_physical_add_failure(PgPhysical *physical, const char *path, guint32 block);

/* physical-details.c */

/* details-files.jsonl and details.json. After pool_writer_finish(). The files must be sorted. */
gboolean pg_physical_write(const PgPhysical *physical, PoolWriter *pool, BackupWriter *writer,
                           CompressSpec spec, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Everything but the tables, checked: paths are relative, without "." and ".." and without a
 * doubled slash, strictly ascending; the blocks and sizes are ones that PostgreSQL knows. */
gboolean pg_physical_read(Backup *backup, PgPhysical **ret_physical,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same without the files, whose list may be long; then the files one by one, in order. func
 * takes the file. */
gboolean pg_physical_read_head(Backup *backup, PgPhysical **ret_physical,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
typedef gboolean (*PgFileFunc)(PgFile *file, gpointer data, GError **error);
gboolean pg_physical_read_files(Backup *backup, const PgPhysical *physical, PgFileFunc func,
                                gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

json_t *pg_physical_describe(Backup *backup, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* physical-backup.c: full or incremental, local or stream. request->base (NULL: full) is the base
 * backup. Clear manifest fields that it sets: method, timeline, start_lsn, stop_lsn,
 * system_identifier, segment_size. */
gboolean pg_physical_backup(const EngineBackup *request, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
