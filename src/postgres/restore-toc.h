/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of contents of an archive as `pg_restore --list --verbose` prints it: a line an entry,
 *   <dump id>; <catalog oid> <object oid> <description> <schema or -> <name> <owner>
 * and behind it, where the entry has dependencies, ";\tdepends on: <dump id> …". Names in it are
 * not quoted, so that entries are told apart by their ids and dependencies, never by their names.
 *
 * Source of the format: PrintTOCSummary() in PostgreSQL's pg_backup_archiver.c.
 *
 * Threads: plain data; no locking.
 */
#ifndef HOLDFAST_POSTGRES_RESTORE_TOC_H
#define HOLDFAST_POSTGRES_RESTORE_TOC_H

#include <glib.h>

typedef enum {
    PG_TOC_OBJECT,         /* has the oids of an object */
    PG_TOC_FOREIGN_KEY,    /* an object too: a foreign key */
    PG_TOC_PUBLICATION,    /* an object too: what a publication publishes */
    PG_TOC_DEFAULT_ACL,    /* an object too: default privileges */
    PG_TOC_TABLE_DATA,     /* rows: the table's oid, no catalog */
    PG_TOC_MATVIEW_DATA,   /* REFRESH: the view's oid, no catalog */
    PG_TOC_ROW_SECURITY,   /* the table's oid, no catalog */
    PG_TOC_APPENDIX,       /* comment, privileges, label: depends on what it belongs to */
    PG_TOC_ATTACH,         /* of a partition or its index: depends on both */
    PG_TOC_SEQUENCE_OWNER, /* OWNED BY: depends on the sequence */
    PG_TOC_SEQUENCE_SET,   /* a sequence's value */
    PG_TOC_SHELL_TYPE,     /* what a base type's functions need before it */
    PG_TOC_OTHER,          /* encoding, database, large objects, … */
} PgTocKind;

typedef struct {
    guint32 dump_id, catalog, oid;
    PgTocKind kind;
    char *text;      /* "TABLE public trades alice": what stands behind the oids */
    GArray *depends; /* guint32: dump ids; NULL: none */
} PgTocEntry;

typedef struct {
    GPtrArray *entries;  /* PgTocEntry, in the archive's order */
    GHashTable *by_id;   /* dump id -> entry */
    GHashTable *objects; /* oids -> entry, for kinds that are objects */
} PgToc;

/* Trusts nothing: at most 64 MiB; ERROR_FORMAT names the line. `what` names the archive. */
PgToc *pg_toc_parse(const char *text, gsize length, const char *what,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;
void pg_toc_free(PgToc *toc);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgToc, pg_toc_free)

/* NULL where there is none. Belongs to the toc. */
const PgTocEntry *pg_toc_find(const PgToc *toc, guint32 dump_id);
const PgTocEntry *pg_toc_find_object(const PgToc *toc, guint32 catalog, guint32 oid);

#endif
