/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the distinct values of a column and numbers them in the order of their first appearance.
 * Values are told apart by their bytes: NaNs with other payloads and the two zeros are different
 * values.
 */
#ifndef HOLDFAST_PARQUET_DICTIONARY_H
#define HOLDFAST_PARQUET_DICTIONARY_H

#include <glib.h>

typedef struct Dictionary Dictionary;

/* `width` is bytes a value, 0 for byte arrays. Never holds more than `limit` bytes in PLAIN
 * encoding. */
Dictionary *dictionary_new(gsize width, gsize limit);
void dictionary_free(Dictionary *dictionary);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Dictionary, dictionary_free)

/* Puts the number of each value into `indexes`, adding those that are new. Gives the values done:
 * less than `count` where the dictionary is full. Byte arrays are not copied: `bytes` must outlive
 * the dictionary. */
gsize dictionary_add(Dictionary *dictionary, const void *values, gsize count, guint32 *indexes);
gsize dictionary_add_strings(Dictionary *dictionary, const guint32 *offsets, const guint8 *bytes,
                             gsize count, guint32 *indexes);

guint dictionary_count(const Dictionary *dictionary);
/* Value `index`. One of a fixed width is valid until the next add. */
const guint8 *dictionary_value(const Dictionary *dictionary, guint index, gsize *ret_length);

/* The dictionary in PLAIN encoding, of dictionary_plain_size() bytes. */
gsize dictionary_plain_size(const Dictionary *dictionary);
void dictionary_plain_encode(const Dictionary *dictionary, guint8 *out);

#endif
