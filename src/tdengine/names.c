/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash table of numbers, open addressing; the names stand one behind the other.
 */
#include "tdengine/names.h"

#include <string.h>

#include "codec/hash.h"

#define EMPTY G_MAXUINT32

struct TdNames {
    GString *text;   /* names, each with a NUL */
    GArray *offsets; /* gsize; count + 1 */
    guint32 *slots;  /* numbers, or EMPTY */
    guint32 mask;    /* slots - 1; a power of two */
};

static void make_slots(TdNames *names, guint32 count)
{
    g_free(names->slots);
    names->slots = g_new(guint32, count);
    memset(names->slots, 0xff, count * sizeof(guint32));
    names->mask = count - 1;
}

TdNames *td_names_new(void)
{
    TdNames *names = g_new0(TdNames, 1);
    const gsize zero = 0;

    names->text = g_string_new(NULL);
    names->offsets = g_array_new(FALSE, FALSE, sizeof(gsize));
    g_array_append_val(names->offsets, zero);
    make_slots(names, 64);
    return names;
}

void td_names_free(TdNames *names)
{
    if (names == NULL)
        return;
    g_string_free(names->text, TRUE);
    g_array_unref(names->offsets);
    g_free(names->slots);
    g_free(names);
}

guint32 td_names_count(const TdNames *names)
{
    return names->offsets->len - 1;
}

const char *td_names_get(const TdNames *names, guint32 id, gsize *ret_length)
{
    gsize start = g_array_index(names->offsets, gsize, id);

    if (ret_length != NULL)
        *ret_length = g_array_index(names->offsets, gsize, id + 1) - start - 1;
    return names->text->str + start;
}

/* The slot of a name: where it is, or where it would be. */
static guint32 find_slot(const TdNames *names, const char *name, gsize length)
{
    guint32 slot = (guint32)xxh3_buffer(name, length, 0).low & names->mask;

    while (names->slots[slot] != EMPTY) {
        gsize known_length;
        const char *known = td_names_get(names, names->slots[slot], &known_length);

        if (known_length == length && memcmp(known, name, length) == 0)
            break;
        slot = (slot + 1) & names->mask;
    }
    return slot;
}

gboolean td_names_find(const TdNames *names, const char *name, gsize length, guint32 *ret_id)
{
    guint32 id = names->slots[find_slot(names, name, length)];

    if (id == EMPTY)
        return FALSE;
    *ret_id = id;
    return TRUE;
}

static void grow(TdNames *names)
{
    make_slots(names, (names->mask + 1) * 2);
    for (guint32 id = 0; id < td_names_count(names); id++) {
        gsize length;
        const char *name = td_names_get(names, id, &length);

        names->slots[find_slot(names, name, length)] = id;
    }
}

guint32 td_names_add(TdNames *names, const char *name, gsize length)
{
    guint32 slot = find_slot(names, name, length);
    guint32 id = names->slots[slot];
    gsize end;

    if (id != EMPTY)
        return id;
    id = td_names_count(names);
    names->slots[slot] = id;
    g_string_append_len(names->text, name, (gssize)length);
    g_string_append_c(names->text, '\0');
    end = names->text->len;
    g_array_append_val(names->offsets, end);
    if (td_names_count(names) > names->mask / 2)
        grow(names);
    return id;
}
