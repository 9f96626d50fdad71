/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of options that several commands take.
 */
#ifndef HOLDFAST_CLI_WORDS_H
#define HOLDFAST_CLI_WORDS_H

#include "config/config.h"

/* The words of an option that may be repeated and takes lists with ",": "\" before "," or "\" takes
 * it literally. NULL stays NULL; an empty word is ERROR_USAGE. */
gboolean words_split(const char *option, char **values, char ***ret_words,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for patterns: the backslashes stay in the words, since "\*" and "\." mean something to
 * who matches them. */
gboolean words_split_patterns(const char *option, char **values, char ***ret_words,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The word is NULL or one of those that are known, a NULL-terminated array. */
gboolean words_check_choice(const char *option, const char *word, const char *const *known,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The text is NULL or a size with a unit; *ret_size stays as it is where it is NULL. */
gboolean words_size(const char *option, const char *text, guint64 *ret_size,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The text is NULL or a time, in the configured zone (config NULL: UTC) where it names none;
 * *ret_when stays as it is where it is NULL. */
gboolean words_time(const Config *config, const char *option, const char *text, gint64 *ret_when,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A number of workers; 0 is "not given". */
gboolean words_check_jobs(int jobs, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --start and --end, ISO 8601; a side that was not given is open (G_MININT64, G_MAXINT64). A time
 * without a zone is taken in the configured one; config NULL: which is first is not looked at. */
gboolean words_time_range(const Config *config, const char *start, const char *end,
                          gint64 *ret_from, gint64 *ret_to,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
