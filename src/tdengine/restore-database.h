/* SPDX-License-Identifier: Apache-2.0
 *
 * Making a database of a backup again on a server that may be of another version or size: its
 * options are taken one by one, and what the server does not know, or has no room for, is changed
 * with a note.
 *
 * Where there are rows that are older than KEEP, it is as wide as the server takes it while rows are
 * written (a single one fails its whole batch); it is set back at the end. So is STT_TRIGGER, where
 * there are so many rows that the server would write them to files, and those to others, several
 * times meanwhile.
 *
 * Pure functions; threads: any.
 */
#ifndef HOLDFAST_TDENGINE_RESTORE_DATABASE_H
#define HOLDFAST_TDENGINE_RESTORE_DATABASE_H

#include "tdengine/schema.h"

/* One option of CREATE DATABASE: "KEEP", "3650d,3650d,3650d"; strings with their quotes. */
typedef struct {
    char *name, *value;
} TdOption;

void td_option_free(TdOption *option);

/* The options of a database, an array of TdOption: from SHOW CREATE DATABASE, or, where the server
 * refused that, from what ins_databases said. */
GPtrArray *td_database_options(const TdDatabase *database);
/* NULL where it is not there. */
const char *td_option_value(const GPtrArray *options, const char *name);

/* What is known of the server to restore to. */
typedef struct {
    GHashTable *options; /* char *: the columns of its ins_databases; NULL: everything is taken */
    guint nodes;         /* data nodes that are ready */
    gint64 vnodes;       /* vnodes that it has room for; negative: not known */
} TdTargetServer;

/* What is another option as long as rows are written. */
typedef struct {
    gboolean keep;        /* as wide as the server takes it */
    gboolean stt_trigger; /* as high */
} TdMeanwhile;

/* CREATE DATABASE. Notes (char *) say what was changed but for a while. */
char *td_restore_database_sql(const TdDatabase *database, const char *name, TdMeanwhile meanwhile,
                              const TdTargetServer *server, GPtrArray *notes);

/* STT_TRIGGER as it is to be at the end, where another one pays off as long as so many bytes of rows
 * are written; else NULL. Belongs to the options. */
const char *td_restore_stt_trigger(const GPtrArray *options, const TdTargetServer *server,
                                   guint64 bytes);

/* The widest KEEP for a precision, "525599361m": nobody else writes just this one, so that it also
 * tells an empty database that an interrupted restore left behind. Static. */
const char *td_restore_wide_keep(TdPrecision precision);
gboolean td_restore_is_wide_keep(const char *keep);

/* How far back a KEEP of "3650d,3650d,3650d" reaches, in minutes; 0 where it cannot be read. */
gint64 td_restore_keep_minutes(const char *keep);

#endif
