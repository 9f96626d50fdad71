/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash table with open addressing over values that are kept in a row.
 */
#include "parquet/dictionary.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SLOTS_MIN 1024

/* The hash's upper half, so that most comparisons are spared, and the value's number + 1. */
typedef struct {
    guint32 tag;
    guint32 number; /* 0: empty */
} Slot;

/* A byte array in the caller's memory. */
typedef struct {
    const guint8 *bytes;
    gsize length;
} View;

struct Dictionary {
    gsize width, limit;
    guint count;
    gsize size; /* in PLAIN encoding */
    Slot *slots;
    guint shift;       /* 64 - log2 of the number of slots */
    GByteArray *bytes; /* values of a fixed width */
    GArray *views;     /* byte arrays: of View */
};

Dictionary *dictionary_new(gsize width, gsize limit)
{
    Dictionary *dictionary = g_new0(Dictionary, 1);

    dictionary->width = width;
    dictionary->limit = limit;
    dictionary->slots = g_new0(Slot, SLOTS_MIN);
    dictionary->shift = 64 - 10;
    dictionary->bytes = g_byte_array_new();
    dictionary->views = g_array_new(FALSE, FALSE, sizeof(View));
    return dictionary;
}

void dictionary_free(Dictionary *dictionary)
{
    if (dictionary == NULL)
        return;
    g_free(dictionary->slots);
    g_byte_array_unref(dictionary->bytes);
    g_array_unref(dictionary->views);
    g_free(dictionary);
}

static inline guint64 hash_word(guint64 value)
{
    /* Doubles of whole numbers have all their information in the upper half. */
    value ^= value >> 32;
    return value * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
}

static inline guint64 hash_bytes(const guint8 *bytes, gsize length)
{
    guint64 value = 0;

    if (length == 4 || length == 8) {
        memcpy(&value, bytes, length);
        return hash_word(value);
    }
    return XXH3_64bits(bytes, length);
}

static void grow(Dictionary *dictionary)
{
    guint bits = 64 - dictionary->shift + 1;
    gsize mask = ((gsize)1 << bits) - 1;
    Slot *slots = g_new0(Slot, (gsize)1 << bits);

    dictionary->shift--;
    for (guint i = 0; i < dictionary->count; i++) {
        gsize length;
        const guint8 *value = dictionary_value(dictionary, i, &length);
        guint64 hash = hash_bytes(value, length);
        gsize at = hash >> dictionary->shift;

        while (slots[at].number != 0)
            at = (at + 1) & mask;
        slots[at] = (Slot){(guint32)hash, i + 1};
    }
    g_free(dictionary->slots);
    dictionary->slots = slots;
}

/* Adds a value to an empty slot. FALSE where the dictionary is full. */
static gboolean insert(Dictionary *dictionary, Slot *slot, guint64 hash, const guint8 *value,
                       gsize length)
{
    gsize slots = (gsize)1 << (64 - dictionary->shift);
    gsize size = length + (dictionary->width == 0 ? 4 : 0);
    View view = {value, length};

    if (dictionary->size + size > dictionary->limit)
        return FALSE;
    dictionary->size += size;
    *slot = (Slot){(guint32)hash, ++dictionary->count};
    if (dictionary->width == 0)
        g_array_append_val(dictionary->views, view);
    else
        g_byte_array_append(dictionary->bytes, value, (guint)length);
    if (dictionary->count > slots / 2)
        grow(dictionary);
    return TRUE;
}

/* The values' loop, specialised by the compiler for each width it is inlined with. */
static inline __attribute__((always_inline)) gsize add_fixed(Dictionary *dictionary,
                                                             const guint8 *values, gsize width,
                                                             gsize count, guint32 *indexes)
{
    gsize i = 0;

    while (i < count) {
        const guint8 *value = values + i * width;
        guint64 hash = hash_bytes(value, width);
        gsize mask = ((gsize)1 << (64 - dictionary->shift)) - 1;
        gsize at = hash >> dictionary->shift;
        Slot *slot = &dictionary->slots[at];

        while (slot->number != 0 &&
               (slot->tag != (guint32)hash ||
                memcmp(dictionary->bytes->data + (slot->number - 1) * width, value, width) != 0)) {
            at = (at + 1) & mask;
            slot = &dictionary->slots[at];
        }
        if (slot->number != 0) {
            indexes[i++] = slot->number - 1;
            continue;
        }
        if (!insert(dictionary, slot, hash, value, width))
            return i;
        indexes[i++] = dictionary->count - 1;
    }
    return i;
}

gsize dictionary_add(Dictionary *dictionary, const void *values, gsize count, guint32 *indexes)
{
    switch (dictionary->width) {
    case 4:
        return add_fixed(dictionary, values, 4, count, indexes);
    case 8:
        return add_fixed(dictionary, values, 8, count, indexes);
    default:
        return add_fixed(dictionary, values, dictionary->width, count, indexes);
    }
}

gsize dictionary_add_strings(Dictionary *dictionary, const guint32 *offsets, const guint8 *bytes,
                             gsize count, guint32 *indexes)
{
    const guint8 *last = NULL;
    gsize last_length = 0;

    for (gsize i = 0; i < count; i++) {
        const guint8 *value = bytes + offsets[i];
        gsize length = offsets[i + 1] - offsets[i];
        guint64 hash;
        gsize mask, at;
        Slot *slot;

        /* Sorted columns repeat a value many times. */
        if (last != NULL && length == last_length && memcmp(value, last, length) == 0) {
            indexes[i] = indexes[i - 1];
            continue;
        }
        hash = hash_bytes(value, length);
        mask = ((gsize)1 << (64 - dictionary->shift)) - 1;
        at = hash >> dictionary->shift;
        slot = &dictionary->slots[at];
        while (slot->number != 0) {
            gsize known_length;

            if (slot->tag == (guint32)hash) {
                const guint8 *known = dictionary_value(dictionary, slot->number - 1, &known_length);

                if (known_length == length && memcmp(known, value, length) == 0)
                    break;
            }
            at = (at + 1) & mask;
            slot = &dictionary->slots[at];
        }
        if (slot->number != 0)
            indexes[i] = slot->number - 1;
        else if (insert(dictionary, slot, hash, value, length))
            indexes[i] = dictionary->count - 1;
        else
            return i;
        last = value;
        last_length = length;
    }
    return count;
}

guint dictionary_count(const Dictionary *dictionary)
{
    return dictionary->count;
}

const guint8 *dictionary_value(const Dictionary *dictionary, guint index, gsize *ret_length)
{
    const View *view;

    if (dictionary->width > 0) {
        *ret_length = dictionary->width;
        return dictionary->bytes->data + index * dictionary->width;
    }
    view = &g_array_index(dictionary->views, View, index);
    *ret_length = view->length;
    return view->bytes;
}

gsize dictionary_plain_size(const Dictionary *dictionary)
{
    return dictionary->size;
}

void dictionary_plain_encode(const Dictionary *dictionary, guint8 *out)
{
    if (dictionary->width > 0 && dictionary->count > 0) {
        memcpy(out, dictionary->bytes->data, dictionary->size);
        return;
    }
    for (guint i = 0; i < dictionary->views->len; i++) {
        const View *view = &g_array_index(dictionary->views, View, i);
        guint32 length = (guint32)view->length;

        memcpy(out, &length, 4);
        memcpy(out + 4, view->bytes, length);
        out += 4 + length;
    }
}
