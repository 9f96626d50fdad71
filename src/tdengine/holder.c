/* SPDX-License-Identifier: Apache-2.0
 *
 * A process by its number and the time it began.
 */
#include "tdengine/holder.h"

#include <string.h>
#include <unistd.h>

/* NULL: it is not there. With the number it names one process for as long as the host is up. */
static char *start_of(gint64 pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%" G_GINT64_FORMAT "/stat", pid);
    g_autofree char *text = NULL;
    g_auto(GStrv) fields = NULL;
    const char *at;

    if (!g_file_get_contents(path, &text, NULL, NULL) || (at = strrchr(text, ')')) == NULL)
        return NULL;
    fields = g_strsplit(at, " ", -1);
    /* One that has ended and waits for its parent does nothing any more. */
    if (g_strv_length(fields) <= 20 || strcmp(fields[1], "Z") == 0 || strcmp(fields[1], "X") == 0)
        return NULL;
    return g_strdup(fields[20]);
}

char *td_holder_self(void)
{
    g_autofree char *start = start_of(getpid());

    return g_strdup_printf("%s %d %s", g_get_host_name(), (int)getpid(),
                           start != NULL ? start : "?");
}

static char **split(const char *holder)
{
    char **parts = g_strsplit(holder, " ", -1);

    if (g_strv_length(parts) == 3 && strcmp(parts[0], g_get_host_name()) == 0)
        return parts;
    g_strfreev(parts);
    return NULL;
}

gboolean td_holder_is_here(const char *holder)
{
    g_auto(GStrv) parts = split(holder);

    return parts != NULL;
}

gboolean td_holder_is_running(const char *holder)
{
    g_auto(GStrv) parts = split(holder);
    g_autofree char *start = parts != NULL ? start_of(g_ascii_strtoll(parts[1], NULL, 10)) : NULL;

    return start != NULL && strcmp(start, parts[2]) == 0;
}
