/* SPDX-License-Identifier: Apache-2.0
 *
 * The system identifiers that a source is known by: which cluster's WAL may go into its archive.
 * The first one that is seen is taken; another one (a cloned or upgraded server, or a mistake in a
 * configuration) is refused until `holdfast check SOURCE` or a backup of it accepts it. Kept as
 * write-once objects, wal/<source>/<system identifier>/system.json, so that every host sees them
 * and a push looks at one small object only.
 *
 * Threads: any; nothing is kept between calls.
 */
#ifndef HOLDFAST_POSTGRES_WAL_SYSTEM_H
#define HOLDFAST_POSTGRES_WAL_SYSTEM_H

#include "repo/repository.h"

/* Whether this cluster's WAL may go into the source's archive. */
gboolean wal_system_known(Repository *repository, const char *source, guint64 identifier,
                          gboolean *ret_known, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Accepts it from now on; once more is fine. `by` says who: "check", "backup", "push",
 * "receive". */
gboolean wal_system_accept(Repository *repository, const char *source, guint64 identifier,
                           const char *by, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The one that was accepted last, *ret_identifier 0 where there is none; *ret_count (may be NULL)
 * is how many there are. */
gboolean wal_system_newest(Repository *repository, const char *source, guint64 *ret_identifier,
                           guint *ret_count, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Accepts a first identifier, passes one that is known, refuses (ERROR_REFUSED) any other. */
gboolean wal_system_require(Repository *repository, const char *source, guint64 identifier,
                            const char *by, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether an object's name is that of such an object, and whether it holds what its name says:
 * ERROR_DAMAGED, ERROR_FORMAT. */
gboolean wal_system_is_name(const char *name);
gboolean wal_system_check(Repository *repository, const char *name,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Exactly a decimal number as PostgreSQL prints it; FALSE else. */
gboolean wal_system_parse(const char *text, guint64 *ret_identifier);

#endif
