/* SPDX-License-Identifier: Apache-2.0
 *
 * Random bytes from the kernel, and names made of them.
 */
#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

static RandomSource random_source;
static gpointer random_source_data;

void random_set_source(RandomSource source, gpointer data)
{
    random_source = source;
    random_source_data = data;
}

void random_fill(void *buffer, gsize length)
{
    guint8 *at = buffer;

    if (random_source != NULL) {
        random_source(buffer, length, random_source_data);
        return;
    }
    while (length > 0) {
        ssize_t got = getrandom(at, length, 0);

        if (got < 0) {
            /* Only a signal can interrupt it; a kernel without getrandom is none that we run on. */
            if (errno != EINTR)
                g_error("the kernel gives no random bytes: %s", g_strerror(errno));
            continue;
        }
        at += got;
        length -= (gsize)got;
    }
}

char *random_name(guint length)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    char *name = g_malloc((gsize)length + 1);

    random_fill(name, length);
    /* The alphabet has 32 letters, so that the low five bits of a byte choose without bias. */
    for (guint i = 0; i < length; i++)
        name[i] = alphabet[(guchar)name[i] & 31];
    name[length] = '\0';
    return name;
}
