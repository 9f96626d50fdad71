/* SPDX-License-Identifier: Apache-2.0
 *
 * "Did you mean …": the nearest known word to a misspelt one.
 */
#ifndef HOLDFAST_BASE_SUGGEST_H
#define HOLDFAST_BASE_SUGGEST_H

#include <glib.h>

/* The candidate with the smallest edit distance (insert, delete, replace, swap of neighbours; case
 * does not count), or NULL when even that is more than about a third of the word away. `candidates`
 * is NULL-terminated; the result is one of it. */
const char *suggest_nearest(const char *word, const char *const *candidates);

#endif
