/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the tar reader of streamed backups: the first byte says in pieces of what length the rest
 * comes.
 */
#include <stdint.h>
#include <string.h>

#include "postgres/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    gboolean inside;
    guint64 left; /* bytes of the member that have to come */
} State;

static gboolean leads_out(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);

    return path[0] == '/' || g_strv_contains((const char *const *)parts, "..");
}

static gboolean begin(const TarMember *member, gpointer data, GError **error)
{
    State *state = data;

    if (state->inside)
        g_error("a member within a member");
    if (memchr(member->path, '\0', sizeof member->path) == NULL || leads_out(member->path))
        g_error("a path that leads out");
    state->inside = member->kind == TAR_FILE;
    state->left = member->kind == TAR_FILE ? member->size : 0;
    return TRUE;
}

static gboolean take(const guint8 *bytes, gsize length, gpointer data, GError **error)
{
    State *state = data;

    if (!state->inside || length > state->left)
        g_error("more bytes than the member has");
    state->left -= length;
    return TRUE;
}

static gboolean end(gpointer data, GError **error)
{
    State *state = data;

    if (state->left > 0)
        g_error("an end before the member's");
    state->inside = FALSE;
    return TRUE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const TarFuncs funcs = {begin, take, end};
    State state = {0};
    g_autoptr(TarReader) reader = tar_reader_new(&funcs, &state);
    g_autoptr(GError) error = NULL;
    gsize piece = size > 0 ? (gsize)data[0] * 7 + 1 : 1;
    gboolean good = TRUE;

    for (gsize at = 1; at < size && good; at += piece)
        good = tar_reader_write(reader, data + at, MIN(piece, size - at), &error);
    if (good)
        good = tar_reader_finish(reader, &error);
    if (!good && error == NULL)
        g_error("a failure without an error");
    return 0;
}
