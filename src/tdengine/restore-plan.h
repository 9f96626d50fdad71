/* SPDX-License-Identifier: Apache-2.0
 *
 * What a restore is going to do, found out before anything is written: which tables become what,
 * what is in the way, what the server has to be told. Format of the backup: details.h.
 *
 * Threads: one at a time.
 */
#ifndef HOLDFAST_TDENGINE_RESTORE_PLAN_H
#define HOLDFAST_TDENGINE_RESTORE_PLAN_H

#include "engine/engine.h"
#include "tdengine/children.h"
#include "tdengine/restore-marker.h"
#include "tdengine/restore-tags.h"

typedef struct {
    TdDatabase *source; /* of the details */
    char *target;
    gboolean exists;   /* it is there */
    gboolean drop;     /* and goes: --replace, what an interrupted restore left, or an empty one */
    gboolean left;     /* by an interrupted restore */
    gboolean nothing;  /* is in it */
    char *create;      /* NULL: it stays as it is */
    char *keep;        /* set back at the end; NULL: it is not touched */
    char *stt_trigger; /* the same */
    guint64 bytes;     /* of rows that are restored, as they are in memory */
    char *there_keep;  /* of a database that stays: what it has now */
    char *there_precision;
    GPtrArray *topics;    /* char *: our own, dropped before the database */
    TdChildren *children; /* of a database that stays: what it has */
    GHashTable *supers;   /* of a database that stays: char * */
    TdMarker *marker;     /* of a database that stays, or NULL */
} TdDatabasePlan;

typedef struct {
    TdDatabasePlan *database;
    TdTable *table; /* of the details */
    guint32 index;
    gboolean whole;           /* with all its child tables */
    gboolean exists;          /* and stays */
    gboolean drop;            /* is there, and goes first */
    TdTagSet *tags;           /* of a super table of which child tables were chosen */
    GPtrArray *drop_children; /* char * or NULL */
    guint64 child_tables;     /* that are restored */
    guint64 expected;         /* rows of whole slices, at most so many are written */
    guint64 written;
} TdTablePlan;

typedef struct {
    EnginePlan base;
    const EngineRestore *request;
    TdDetails *details;
    TdClient *client;
    GPtrArray *databases;      /* TdDatabasePlan */
    GPtrArray *tables;         /* TdTablePlan */
    TdDetails *following;      /* of the backup that rows are taken from besides, or NULL */
    gint64 fill_from, fill_to; /* microseconds: fill_from <= time < fill_to */
    GHashTable *topics;        /* char *: all that the server has */
    gboolean chosen;           /* tables were named: nothing but them is restored */
    guint64 rows, bytes, child_tables;
} TdRestorePlan;

/* The members of the engine's table. */
EnginePlan *td_restore_plan(const EngineRestore *request, GError **error);
void td_restore_plan_free(EnginePlan *plan);

/* A slice's share of the time that is asked for: none, a part or all of it. */
typedef enum { TD_SHARE_NONE, TD_SHARE_PART, TD_SHARE_ALL } TdShare;
/* The range of the request in a table's ticks. */
void td_restore_range(const TdRestorePlan *plan, const TdTablePlan *table, gint64 *ret_from,
                      gint64 *ret_to);
TdShare td_restore_share(const TdRestorePlan *plan, const TdTablePlan *table, const TdSlice *slice);
TdShare td_slice_share(const TdSlice *slice, gint64 from, gint64 to);
/* Microseconds in ticks; G_MININT64 and G_MAXINT64 stay what they are. */
gint64 td_restore_ticks(gint64 microseconds, TdPrecision precision);
/* NULL where it is not among what is restored. */
TdTablePlan *td_restore_find_table(const TdRestorePlan *plan, const char *database,
                                   const char *name);

/* Whether an object of the backup is made again, and what its statement is under the new names:
 * free with g_free(). *ret_elsewhere (free it) is another database that it names. */
gboolean td_restore_wants_object(const TdRestorePlan *plan, const TdObject *object);
char *td_restore_object_sql(const TdRestorePlan *plan, const TdObject *object,
                            char **ret_elsewhere);

/* --- restore-look.c: what the server has, and what of it is in the way ------------------------- */

gboolean td_restore_look(TdRestorePlan *plan, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- restore-verify.c -------------------------------------------------------------------------- */

/* Every object that the restore is going to read, or that the backup has where a database is going
 * to be dropped for it: damage becomes a problem of the plan. */
gboolean td_restore_verify(TdRestorePlan *plan, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
