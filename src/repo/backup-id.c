/* SPDX-License-Identifier: Apache-2.0
 *
 * Backup ids: <start>-<source>-<type>-<random>.
 */
#include "repo/backup-id.h"

#include <string.h>

#include "base/random.h"
#include "base/time.h"

#define TIME_LENGTH   16 /* 20261122T020000Z */
#define RANDOM_LENGTH 4
#define SOURCE_LIMIT  40

#define RANDOM_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789"
#define SOURCE_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789_-"

char *backup_id_make(gint64 start, const char *source, const char *type)
{
    g_autofree char *when = time_format_compact(start);
    g_autofree char *random = random_name(RANDOM_LENGTH);
    const char *word = strcmp(type, "incremental") == 0 ? "incr" : type;

    return g_strdup_printf("%s-%s-%s-%s", when, source, word, random);
}

static gboolean source_valid(const char *name, gsize length)
{
    if (length == 0 || length > SOURCE_LIMIT || strspn(name, SOURCE_CHARACTERS) < length)
        return FALSE;
    return name[0] != '-' && name[length - 1] != '-';
}

gboolean source_name_valid(const char *name)
{
    return source_valid(name, strlen(name));
}

static gboolean time_valid(const char *id)
{
    g_autofree char *text = g_strndup(id, TIME_LENGTH);
    g_autofree char *again = NULL;
    gint64 when;

    if (strlen(text) != TIME_LENGTH || !time_parse(text, NULL, &when, NULL))
        return FALSE;
    /* time_parse() reads many forms; ids have one. */
    again = time_format_compact(when);
    return strcmp(text, again) == 0;
}

gboolean backup_id_valid(const char *id)
{
    gsize length = strlen(id);
    const char *end; /* behind source and type */

    if (length < TIME_LENGTH + 1 + RANDOM_LENGTH + 1 || !time_valid(id) || id[TIME_LENGTH] != '-')
        return FALSE;
    end = id + length - RANDOM_LENGTH - 1;
    if (*end != '-' || strspn(end + 1, RANDOM_CHARACTERS) != RANDOM_LENGTH)
        return FALSE;
    id += TIME_LENGTH + 1;
    /* From the end, since a source may be called "x-full". */
    if (end - id <= 5 || (strncmp(end - 5, "-full", 5) != 0 && strncmp(end - 5, "-incr", 5) != 0))
        return FALSE;
    return source_valid(id, (gsize)(end - 5 - id));
}
