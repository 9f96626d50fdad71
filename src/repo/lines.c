/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON lines, put together from pieces that end anywhere.
 */
#include "repo/lines.h"

#include <string.h>

#include "base/error.h"

typedef struct {
    const char *stem;
    GString *line; /* what has come of the line that is not complete */
    LineFunc func;
    gpointer data;
} LineReader;

static gboolean take_line(LineReader *reader, const char *bytes, gsize length, GError **error)
{
    g_autoptr(json_t) json = json_read_object(bytes, length, reader->stem, error);

    return json != NULL && reader->func(json, reader->data, error);
}

static gboolean take_bytes(const void *bytes, gsize length, gpointer data, GError **error)
{
    LineReader *reader = data;
    const char *at = bytes, *end = at + length;

    while (at < end) {
        const char *feed = memchr(at, '\n', (gsize)(end - at));
        gsize size = (gsize)((feed != NULL ? feed : end) - at);

        if (reader->line->len + size > LINES_LIMIT) {
            error_set(error, ERROR_LIMIT, "a line of %s is longer than 1 MiB", reader->stem);
            return FALSE;
        }
        if (feed != NULL && reader->line->len == 0) {
            if (!take_line(reader, at, size, error))
                return FALSE;
        } else {
            g_string_append_len(reader->line, at, (gssize)size);
            if (feed == NULL)
                return TRUE;
            if (!take_line(reader, reader->line->str, reader->line->len, error))
                return FALSE;
            g_string_truncate(reader->line, 0);
        }
        at = feed + 1;
    }
    return TRUE;
}

gboolean backup_read_lines(Backup *backup, const char *stem, LineFunc func, gpointer data,
                           GCancellable *cancellable, GError **error)
{
    const char *path = backup_find_object(backup, stem);
    g_autoptr(GString) line = g_string_new(NULL);
    LineReader reader = {stem, line, func, data};

    if (path == NULL) {
        error_set(error, ERROR_DAMAGED, "backup %s has no %s", backup_id(backup), stem);
        return FALSE;
    }
    if (!backup_read_object(backup, path, take_bytes, &reader, cancellable, error))
        return FALSE;
    if (line->len > 0) {
        error_set(error, ERROR_DAMAGED, "%s of backup %s ends in the middle of a line", path,
                  backup_id(backup));
        return FALSE;
    }
    return TRUE;
}
