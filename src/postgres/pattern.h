/* SPDX-License-Identifier: Apache-2.0
 *
 * The patterns of --tables: "schema.table" or "database.schema.table". `*` stands for any run of
 * characters, the empty one too; `\` takes the next character literally; a part in double quotes is
 * literal as a whole ("" is a quote in it). Names are compared as they are: nothing is folded to
 * lower case.
 *
 * Pure functions; threads: any.
 */
#ifndef HOLDFAST_POSTGRES_PATTERN_H
#define HOLDFAST_POSTGRES_PATTERN_H

#include <glib.h>

typedef struct PgPattern PgPattern;

/* Parses option values; each may hold several patterns separated by commas. The result holds
 * PgPattern. ERROR_USAGE names the pattern and what is wrong. */
gboolean pg_patterns_parse(const char *const *texts, GPtrArray **ret_patterns,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
void pg_pattern_free(PgPattern *pattern);

/* As it was written. Belongs to the pattern. */
const char *pg_pattern_text(const PgPattern *pattern);

/* It names a database too. */
gboolean pg_pattern_has_database(const PgPattern *pattern);

/* A pattern without a database fits every database. */
gboolean pg_pattern_match(const PgPattern *pattern, const char *database, const char *schema,
                          const char *table);

/* Whether any of them (PgPattern) does. used[i] (may be NULL) is set for each that does. */
gboolean pg_patterns_match(const GPtrArray *patterns, const char *database, const char *schema,
                           const char *table, gboolean *used);

#endif
