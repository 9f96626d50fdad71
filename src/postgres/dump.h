/* SPDX-License-Identifier: Apache-2.0
 *
 * Dumping one database: its archives by pg_dump, several at a time, straight into the repository;
 * then its rows counted, all from one snapshot.
 *
 * Threads: one call at a time a session; workers of its own inside.
 */
#ifndef HOLDFAST_POSTGRES_DUMP_H
#define HOLDFAST_POSTGRES_DUMP_H

#include "engine/engine.h"
#include "postgres/session.h"

typedef struct {
    const EngineBackup *backup;
    PgSession *session;
    const char *pg_dump;  /* path of the program */
    PgDatabase *database; /* receives the paths of its archives */
    GPtrArray *tables;    /* PgTable: receive their archives and counts */
    GHashTable *chosen;   /* oids of the tables whose rows are wanted; NULL: of all */
    guint lock_wait;      /* seconds */
} PgDump;

gboolean pg_dump_database(const PgDump *dump, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Runs a client program and streams what it prints into an object of the backup: pg_dumpall's
 * globals, too. *ret_path is the object's full path; free with g_free(). */
gboolean pg_dump_stream(const EngineBackup *backup, const char *const *argv, char **environment,
                        const char *stem, char **ret_path, GCancellable *cancellable,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
