/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a server's schema into the structures of schema.h: databases with their vgroups, super
 * and normal tables from DESCRIBE, everything else as statements. What the server does not have or
 * refuses to show becomes a warning, never silence.
 */
#ifndef HOLDFAST_TDENGINE_CAPTURE_H
#define HOLDFAST_TDENGINE_CAPTURE_H

#include "repo/manifest.h"
#include "tdengine/children.h"
#include "tdengine/details.h"

typedef struct {
    TdClient *client;
    GCancellable *cancellable;
    Manifest *manifest; /* warnings go here: without names, since the manifest is clear */
    TdDetails *details; /* filled in */
} TdCapture;

/* Names of the databases that hold data (char *). */
gboolean td_capture_names(TdClient *client, GPtrArray **ret_names, GCancellable *cancellable,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Before all else: a gateway answers SHOW CREATE DATABASE from what it remembers, for seconds after an
 * ALTER, and is to ask the server again. */
gboolean td_capture_refresh(const TdCapture *capture, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* One database: its options, vgroups and their applied versions. ERROR_NOT_FOUND. */
gboolean td_capture_database(const TdCapture *capture, const char *name, TdDatabase **ret_database,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The super tables of a database. The caller owns them: an array of TdTable without a free
 * function. */
gboolean td_capture_supers(const TdCapture *capture, const TdDatabase *database,
                           GPtrArray **ret_tables, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A normal table of a list. NULL without an error: it is gone. */
gboolean td_capture_normal(const TdCapture *capture, const TdDatabase *database,
                           const TdChildren *children, guint32 id, TdTable **ret_table,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads a table's columns and tags again. *ret_gone: it is not there any more. */
gboolean td_capture_fields(const TdCapture *capture, TdTable *table, gboolean *ret_gone,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What belongs to the server and to the databases of the details: functions, indexes, TSMA, RSMA,
 * virtual tables, views, streams, topics, users, grants. */
gboolean td_capture_objects(const TdCapture *capture, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The virtual tables of a list. */
gboolean td_capture_virtual(const TdCapture *capture, TdDatabase *database,
                            const TdChildren *children, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
