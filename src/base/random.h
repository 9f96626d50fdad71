/* SPDX-License-Identifier: Apache-2.0
 *
 * Randomness for names and ids, replaceable in tests. (Keys come from OpenSSL, not from here.)
 */
#ifndef HOLDFAST_BASE_RANDOM_H
#define HOLDFAST_BASE_RANDOM_H

#include <glib.h>

typedef void (*RandomSource)(void *buffer, gsize length, gpointer data);

/* Fills a buffer from getrandom(2), or from what a test put in its place. Never fails. */
void random_fill(void *buffer, gsize length);

/* Replaces the source; NULL puts the real one back. For tests, before threads start. */
void random_set_source(RandomSource source, gpointer data);

/* `length` characters of a-z and 2-7 (base 32, lower case): safe in file names, ids and SQL. Free
 * with g_free(). */
char *random_name(guint length);

#endif
