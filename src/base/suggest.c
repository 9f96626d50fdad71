/* SPDX-License-Identifier: Apache-2.0
 *
 * The nearest word by the number of typing errors between them (optimal string alignment distance).
 */
#include "base/suggest.h"

#include <string.h>

/* Words of ours are shorter; a longer one is no misspelling of them. */
#define LONGEST_WORD 64

/* The distance, by the usual table of prefixes of which only the last three rows are kept. Both
 * words are at most LONGEST_WORD long. */
static guint distance(const char *left, const char *right)
{
    guint rows[3][LONGEST_WORD + 1];
    guint *before_last = rows[0], *last = rows[1], *row = rows[2];
    guint left_length = (guint)strlen(left), right_length = (guint)strlen(right);

    for (guint j = 0; j <= right_length; j++)
        last[j] = j;
    for (guint i = 1; i <= left_length; i++) {
        char a = g_ascii_tolower(left[i - 1]);
        guint *spare = before_last;

        row[0] = i;
        for (guint j = 1; j <= right_length; j++) {
            char b = g_ascii_tolower(right[j - 1]);

            row[j] = MIN(MIN(last[j], row[j - 1]) + 1, last[j - 1] + (a == b ? 0 : 1));
            if (i > 1 && j > 1 && a == g_ascii_tolower(right[j - 2]) &&
                b == g_ascii_tolower(left[i - 2]))
                row[j] = MIN(row[j], before_last[j - 2] + 1);
        }
        before_last = last;
        last = row;
        row = spare;
    }
    return last[right_length];
}

const char *suggest_nearest(const char *word, const char *const *candidates)
{
    const char *nearest = NULL;
    gsize length = strlen(word);
    guint least = (guint)MAX(length / 3, 1) + 1;

    if (length == 0 || length > LONGEST_WORD)
        return NULL;
    for (; *candidates != NULL; candidates++) {
        guint found;

        if (strlen(*candidates) > LONGEST_WORD)
            continue;
        found = distance(word, *candidates);
        if (found < least) {
            least = found;
            nearest = *candidates;
        }
    }
    return nearest;
}
