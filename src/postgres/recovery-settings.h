/* SPDX-License-Identifier: Apache-2.0
 *
 * What tells a restored server where its recovery ends: settings in postgresql.auto.conf, and
 * recovery.signal or standby.signal. Source: PostgreSQL's documentation of recovery settings,
 * versions 13 to 18.
 */
#ifndef HOLDFAST_POSTGRES_RECOVERY_SETTINGS_H
#define HOLDFAST_POSTGRES_RECOVERY_SETTINGS_H

#include "engine/engine.h"

#define PG_AUTO_CONF_PATH "postgresql.auto.conf"

typedef struct {
    const EngineTarget *target;
    guint32 timeline;            /* that recovery follows; 0: the backup's own */
    gboolean standby;            /* keeps what leads a standby to its primary */
    const char *restore_command; /* as the shell gets it, with %f and %p */
    /* The WAL at hand ends where the backup does, on a segment's border, as backups from a standby
     * may: PostgreSQL stops at "immediate" only when a further record comes, so that the end of
     * the WAL itself has to be the target. */
    gboolean ends_with_backup;
} PgRecovery;

/* postgresql.auto.conf with recovery settings of an earlier recovery taken out and ours put behind.
 * `old` may be NULL. Free with g_free(). */
char *pg_recovery_merge(const char *old, const PgRecovery *recovery);

/* The command line for restore_command: every word quoted for the shell, "%" doubled, %f and %p
 * behind. Free with g_free(). */
char *pg_recovery_command(const char *const *wal_get, const char *source, gboolean standby);

/* "2026-11-22 02:00:00.000000+00": the form that PostgreSQL reads. Free with g_free(). */
char *pg_recovery_time(gint64 when);

/* What the target is, for people: "2026-11-22T02:00:00Z", "LSN 0/3000060". Free with g_free(). */
char *pg_recovery_describe(const EngineTarget *target);

/* The action in force: the target's own, else the default of its kind. */
const char *pg_recovery_action(const EngineTarget *target);

/* The settings for recovery that a configuration file has in force, sorted; an array of strings. */
GPtrArray *pg_recovery_find(const char *text);

#endif
