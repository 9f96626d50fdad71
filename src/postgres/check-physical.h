/* SPDX-License-Identifier: Apache-2.0
 *
 * The facts that `holdfast check` reports about a physical PostgreSQL source: does its WAL reach
 * the archive, and does it keep doing so?
 */
#ifndef HOLDFAST_POSTGRES_CHECK_PHYSICAL_H
#define HOLDFAST_POSTGRES_CHECK_PHYSICAL_H

#include "engine/engine.h"
#include "postgres/connection.h"

/* Forces a segment out and waits for it to come to the archive: up to a minute. Makes the server's
 * system identifier one that the source is known by, where it is the first, or where the user named
 * the source. */
void pg_check_physical(const EngineCheck *request, PgConnection *connection, FactFunc func,
                       gpointer data);

/* The lines for postgresql.conf that switch archiving on for a source. Free with g_free(). */
char *pg_archive_settings(const Config *config, const char *source);

#endif
