/* SPDX-License-Identifier: Apache-2.0
 *
 * The patterns of --tables: "table" or "database.table"; super, child and normal tables alike. `*`
 * stands for any run of characters, `\` takes the next character literally. Names are compared as
 * they are.
 *
 * Threads: matching notes that a pattern was of use: one at a time.
 */
#ifndef HOLDFAST_TDENGINE_PATTERN_H
#define HOLDFAST_TDENGINE_PATTERN_H

#include <glib.h>

typedef struct TdPatterns TdPatterns;

/* NULL texts: everything matches. ERROR_USAGE names the pattern. */
gboolean td_patterns_parse(const char *const *texts, TdPatterns **ret_patterns,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
void td_patterns_free(TdPatterns *patterns);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdPatterns, td_patterns_free)

/* Nothing was chosen: everything is meant. */
gboolean td_patterns_all(const TdPatterns *patterns);
gboolean td_patterns_match(TdPatterns *patterns, const char *database, const char *table);
/* The first pattern that has matched nothing, or NULL. */
const char *td_patterns_unused(const TdPatterns *patterns);

#endif
