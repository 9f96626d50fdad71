/* SPDX-License-Identifier: Apache-2.0
 *
 * A look at the state of things: sources and their objectives, backups, schedules, the repository's
 * space. The service takes one now and then; metrics and notifications go by the last one, so that
 * neither asks a server.
 *
 * Threads: a ServiceView does not change once it is made.
 */
#ifndef HOLDFAST_SERVICE_VIEW_H
#define HOLDFAST_SERVICE_VIEW_H

#include "operation/objectives.h"
#include "service/schedule.h"

/* The newest good backup of a source and type. */
typedef struct {
    char *source, *engine, *type;
    gint64 stop, elapsed; /* microseconds */
    guint64 plain_size, stored_size, rows, tables;
} ViewBackup;

/* All backups of a source. */
typedef struct {
    char *source;
    guint64 good, damaged, stored_size;
} ViewSource;

/* An entry of the schedule that makes backups of a source. */
typedef struct {
    char *schedule, *source;
    gint64 expected; /* a backup should have been made since then; 0: nothing is expected yet */
    gint64 newest;   /* end of the newest that would do, 0: none */
    gboolean overdue;
} ViewSchedule;

typedef struct {
    gint references;
    gint64 when, elapsed;  /* microseconds */
    char *problem;         /* why nothing could be seen, or NULL; all below is empty then */
    GPtrArray *objectives; /* Objective */
    GPtrArray *backups;    /* ViewBackup */
    GPtrArray *sources;    /* ViewSource */
    GPtrArray *schedules;  /* ViewSchedule */
    GPtrArray *jobs;       /* CatalogJob: the last ended one of each operation and source */
    GPtrArray *physical;   /* char *: sources whose WAL is archived */
    guint64 free, total;   /* bytes of the repository's file system; total 0: not known */
    double space_warning;  /* the share that should be free */
    gboolean encrypted;    /* texts may name what must not be kept in the clear */
} ServiceView;

/* Never NULL: what fails is in the view. The catalog is brought up to the repository first. */
ServiceView *view_take(OperationContext *context, GCancellable *cancellable);
ServiceView *view_ref(ServiceView *view);
void view_unref(ServiceView *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ServiceView, view_unref)

/* Whether less is free than should be. */
gboolean view_space_is_short(const ServiceView *view);

#endif
