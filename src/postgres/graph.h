/* SPDX-License-Identifier: Apache-2.0
 *
 * The objects of a database with their dependencies, as a backup recorded them
 * (details-objects-<oid>.jsonl), and the objects of a target database as a set to look things up
 * in.
 *
 * Threads: plain data; no locking.
 */
#ifndef HOLDFAST_POSTGRES_GRAPH_H
#define HOLDFAST_POSTGRES_GRAPH_H

#include "postgres/connection.h"
#include "repo/backup.h"

/* Oids of the system catalogs in pg_class: fixed for ever (PostgreSQL's src/include/catalog). */
#define PG_CLASS_RELATION   1259
#define PG_CLASS_CONSTRAINT 2606
#define PG_CLASS_EXTENSION  3079

#define PG_GRAPH_NONE G_MAXUINT

typedef struct {
    guint32 catalog, oid;
    char *type, *identity; /* as pg_identify_object() has them */
} PgObject;

/* "object depends on other", with pg_depend's letter: n(ormal), a(uto), i(nternal), e(xtension), x,
 * P and S (partitions). */
typedef struct {
    guint object, other;
    char type;
} PgEdge;

typedef struct PgGraph PgGraph;

PgGraph *pg_graph_read(Backup *backup, const char *path, GCancellable *cancellable,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
void pg_graph_free(PgGraph *graph);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgGraph, pg_graph_free)

guint pg_graph_size(const PgGraph *graph);
const PgObject *pg_graph_object(const PgGraph *graph, guint index);
/* PG_GRAPH_NONE where it is not known. */
guint pg_graph_find(const PgGraph *graph, guint32 catalog, guint32 oid);

/* The edges from an object to what it depends on, and those to it from what depends on it:
 * edge->object depends on edge->other in both. */
const PgEdge *pg_graph_needs(const PgGraph *graph, guint index, guint *ret_count);
const PgEdge *pg_graph_dependents(const PgGraph *graph, guint index, guint *ret_count);

/* What a target database holds: text keys of pg_object_key() with the object's oid. */
typedef GHashTable PgPresent;
gboolean pg_present_read(PgConnection *connection, PgPresent **ret_present,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* 0: it is not there. */
guint32 pg_present_find(PgPresent *present, const PgObject *object);

/* Reads lines as they come, for pg_graph_read() and the fuzzer. */
typedef struct PgGraphReader PgGraphReader;
PgGraphReader *pg_graph_reader_new(const char *what);
gboolean pg_graph_reader_take(PgGraphReader *reader, const void *bytes, gsize length,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
PgGraph *pg_graph_reader_finish(PgGraphReader *reader, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void pg_graph_reader_free(PgGraphReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgGraphReader, pg_graph_reader_free)

#endif
