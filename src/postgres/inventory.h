/* SPDX-License-Identifier: Apache-2.0
 *
 * What a server holds, as a logical backup records it: databases with all that CREATE DATABASE
 * needs, tables, and the objects of a database with their dependencies (so that a table can be
 * restored with everything it needs, which pg_restore -t does not bring). Filled in from a server
 * at the backup, read from the details at the restore.
 *
 * The details of a logical backup (docs/formats.md):
 *   details.json                    one object: "server", "roles", "tablespaces", "globals" (path),
 *                                   "databases" (below)
 *   details-tables.jsonl            a line a table, all databases
 *   details-objects-<oid>.jsonl     a line an object or dependency of the database with that oid
 * each compressed as the backup is.
 *
 * Threads: plain data; no locking.
 */
#ifndef HOLDFAST_POSTGRES_INVENTORY_H
#define HOLDFAST_POSTGRES_INVENTORY_H

#include "base/json.h"
#include "postgres/connection.h"
#include "repo/backup.h"
#include "repo/writer.h"

/* --- server ----------------------------------------------------------------------------------- */

typedef struct {
    char *version;           /* "15.20 (Debian 15.20-0+deb12u1)" */
    int version_num;         /* 150020 */
    char *system_identifier; /* decimal; NULL where the role may not ask */
    gboolean superuser;
    gboolean data_checksums;
} PgServer;
gboolean pg_server_read(PgConnection *connection, PgServer *ret_server,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
void pg_server_clear(PgServer *server);

/* --- databases -------------------------------------------------------------------------------- */

typedef struct {
    char *grantee; /* "" is PUBLIC */
    char *grantor;
    char *privilege; /* "CONNECT" … */
    gboolean grantable;
} PgGrant;

typedef struct {
    char *name, *version, *schema;
} PgExtension;

typedef struct {
    guint32 oid;
    char *name, *owner, *encoding;
    char *provider; /* "libc", "icu", "builtin" */
    char *collate, *ctype;
    char *locale;            /* ICU or builtin locale, or NULL */
    char *icu_rules;         /* or NULL */
    char *collation_version; /* or NULL */
    char *tablespace;
    gint64 connection_limit;
    gboolean is_template;
    char *comment;        /* or NULL */
    gboolean default_acl; /* TRUE: grants are PostgreSQL's defaults and `grants` is empty */
    GPtrArray *grants;    /* PgGrant */
    GPtrArray *
        settings; /* char *: "ALTER DATABASE … SET" as "name\tvalue" (value as in pg_db_role_setting);
                              "role\tname\tvalue" for those of one role */
    GPtrArray *extensions;  /* PgExtension */
    GPtrArray *roles;       /* char *: roles that own or are granted something in it */
    GPtrArray *tablespaces; /* char *: tablespaces that its objects name, beside its default */
    guint64 size;           /* bytes on disk */
    guint64 large_objects;
    char *snapshot;       /* the exported snapshot's name */
    gint64 snapshot_time; /* when it was taken, by the server's clock, microseconds */
    char *schema_archive; /* paths of objects within the backup */
    char *rest_archive;
    char *objects_path;
} PgDatabase;

void pg_database_free(PgDatabase *database);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgDatabase, pg_database_free)

/* The names of all databases that allow connections and are no templates, sorted. */
gboolean pg_database_names(PgConnection *connection, GPtrArray **ret_names,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Everything about the database that the connection is in, as its transaction's snapshot shows it
 * (archives and snapshot are left for the dump to fill in). */
gboolean pg_database_read(PgConnection *connection, PgDatabase **ret_database,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

json_t *pg_database_to_json(const PgDatabase *database);
gboolean pg_database_from_json(const json_t *json, PgDatabase **ret_database,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- tables ----------------------------------------------------------------------------------- */

typedef enum {
    PG_TABLE,             /* ordinary, partitions too */
    PG_TABLE_PARTITIONED, /* holds no rows itself */
    PG_TABLE_MATVIEW,     /* refreshed at the restore: never compared */
    PG_TABLE_FOREIGN,     /* rows live elsewhere: not dumped */
    PG_TABLE_EXTENSION, /* belongs to an extension, which brings it; rows only where it is a configuration table */
    PG_TABLE_VIEW,
} PgTableKind;
const char *pg_table_kind_name(
    PgTableKind kind); /* "table", "partitioned", "matview", "foreign", "extension", "view" */

typedef struct {
    guint32 oid;
    guint32 database; /* oid of its database */
    char *schema, *name;
    PgTableKind kind;
    guint32 parent;   /* oid of the partitioned table that it is a partition of, 0: none */
    gboolean counted; /* rows is an exact count from the snapshot, to be compared after a restore */
    guint64 rows;
    guint64 bytes; /* on disk, with toast, without indexes */
    char *
        archive; /* the archive that holds its rows, when it is one of its own; NULL: rest_archive, or no rows */
} PgTable;

void pg_table_free(PgTable *table);

/* Tables, views and materialised views of the connection's database outside the system schemas; an
 * array of PgTable sorted by schema and name. Temporary ones are left out. */
gboolean pg_tables_read(PgConnection *connection, guint32 database, GPtrArray **ret_tables,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Adds to a set of oids, as long as that makes it grow, the partitions of the tables in it. */
void pg_tables_add_partitions(const GPtrArray *tables, guint32 database, GHashTable *oids);

/* `database` is its name:
 * {"database","schema","table","name":"schema.table","oid","kind","rows",…}. */
json_t *pg_table_to_json(const PgTable *table, const char *database);
gboolean pg_table_from_json(const json_t *json, GPtrArray *databases, PgTable **ret_table,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- objects and dependencies ----------------------------------------------------------------- */

/* The SQL that lists a database's own objects as (classid, objid, type, identity), as
 * pg_identify_object() has them. Used at the backup, and at a restore on the target to see what
 * exists there already. */
extern const char pg_objects_sql[];

/* Writes the objects and dependency edges of the connection's database as JSON lines:
 *   ["o", classid, objid, "type", "identity"]     pg_identify_object()'s type and identity
 *   ["d", classid, objid, refclassid, refobjid, "deptype"]   from pg_depend: pinned ones left out,
 *                                                            columns folded into
 *                                                 their table
 * Class oids are the oids of the catalogs in pg_class, as pg_restore -l prints them too ("<dump
 * id>; <classid> <objid> …"). */
gboolean pg_objects_write(PgConnection *connection, ObjectWriter *object,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- the details of a backup ------------------------------------------------------------------ */

typedef struct {
    PgServer server;
    char *pg_dump_version;      /* "15.20" */
    int archive_version_num;    /* pg_dump's version_num */
    GPtrArray *roles;           /* char *: all roles of the server */
    GPtrArray *tablespaces;     /* char *: "name\tlocation" */
    char *globals;              /* path of the SQL of roles and tablespaces, or NULL */
    gboolean globals_passwords; /* it has the roles' password hashes */
    GPtrArray *databases;       /* PgDatabase */
    GPtrArray *tables;          /* PgTable, all databases */
} PgDetails;

void pg_details_free(PgDetails *details);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgDetails, pg_details_free)

PgDetails *pg_details_new(void);
gboolean pg_details_write(const PgDetails *details, BackupWriter *writer, CompressSpec spec,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean pg_details_read(Backup *backup, PgDetails **ret_details,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
PgDatabase *pg_details_find_database(const PgDetails *details, const char *name);

#endif
