/* SPDX-License-Identifier: Apache-2.0
 *
 * A tar reader that is fed.
 */
#include "postgres/tar.h"

#include "base/error.h"

#include <string.h>

#define BLOCK 512
/* More than any relation segment, and far from any overflow. */
#define SIZE_LIMIT (G_GUINT64_CONSTANT(1) << 40)

enum {
    AT_NAME = 0,
    NAME_SIZE = 100,
    AT_MODE = 100,
    AT_SIZE = 124,
    AT_MODIFIED = 136,
    AT_CHECKSUM = 148,
    CHECKSUM_SIZE = 8,
    AT_TYPE = 156,
    AT_MAGIC = 257,
    AT_PREFIX = 345,
    PREFIX_SIZE = 155,
};

struct TarReader {
    TarFuncs funcs;
    gpointer data;
    guint8 header[BLOCK];
    gsize header_length; /* bytes of it that have come */
    gboolean in_file;
    guint64 left;   /* bytes of the member */
    gsize padding;  /* bytes behind the member, up to the next block */
    gboolean ended; /* a block of zeros has come */
};

TarReader *tar_reader_new(const TarFuncs *funcs, gpointer data)
{
    TarReader *reader = g_new0(TarReader, 1);

    reader->funcs = *funcs;
    reader->data = data;
    return reader;
}

void tar_reader_free(TarReader *reader)
{
    g_free(reader);
}

/* --- headers ---------------------------------------------------------------------------------- */

static gboolean refuse(GError **error, const char *what)
{
    error_set(error, ERROR_FORMAT, "the server's tar stream %s", what);
    return FALSE;
}

/* Octal digits, ended by a blank, a NUL or the field's end; or, with the first bit set, bytes of a
 * large number. */
static gboolean read_number(const guint8 *field, gsize size, guint64 *ret_value)
{
    guint64 value = 0;
    gsize at = 0;

    if (field[0] == 0x80) {
        for (at = 1; at < size; at++) {
            if (value > G_MAXUINT64 >> 8)
                return FALSE;
            value = value << 8 | field[at];
        }
        *ret_value = value;
        return TRUE;
    }
    while (at < size && field[at] == ' ')
        at++;
    for (; at < size && field[at] >= '0' && field[at] <= '7'; at++)
        value = value << 3 | (guint64)(field[at] - '0');
    if (at < size && field[at] != ' ' && field[at] != '\0')
        return FALSE;
    *ret_value = value;
    return TRUE;
}

static gboolean checksum_holds(const guint8 *header)
{
    guint64 expected, sum = 0;

    for (gsize i = 0; i < BLOCK; i++)
        sum += i >= AT_CHECKSUM && i < AT_CHECKSUM + CHECKSUM_SIZE ? ' ' : header[i];
    return read_number(header + AT_CHECKSUM, CHECKSUM_SIZE, &expected) && expected == sum;
}

static gboolean is_safe(const char *path)
{
    for (const char *part = path;; part++) {
        gsize length = strcspn(part, "/");

        if (length == 0 || (length <= 2 && strspn(part, ".") >= length))
            return FALSE;
        part += length;
        if (*part == '\0')
            return TRUE;
    }
}

static gboolean read_path(const guint8 *header, TarMember *member, GError **error)
{
    char name[NAME_SIZE + 1] = {0}, prefix[PREFIX_SIZE + 1] = {0};
    const char *path = member->path;
    gsize length;

    memcpy(name, header + AT_NAME, NAME_SIZE);
    memcpy(prefix, header + AT_PREFIX, PREFIX_SIZE);
    g_snprintf(member->path, sizeof member->path, "%s%s%s", prefix, prefix[0] != '\0' ? "/" : "",
               name);
    while (g_str_has_prefix(path, "./"))
        path += 2;
    length = strlen(path);
    memmove(member->path, path, length + 1);
    if (length > 0 && member->path[length - 1] == '/')
        member->path[length - 1] = '\0';
    /* "." itself is the data directory: nothing to make. */
    if (strcmp(member->path, ".") == 0)
        member->path[0] = '\0';
    if (member->path[0] != '\0' && !is_safe(member->path))
        return refuse(error, "has a member whose name leads elsewhere");
    return TRUE;
}

static gboolean read_kind(guint8 type, TarKind *ret_kind)
{
    switch (type) {
    case '0':
    case '\0':
        *ret_kind = TAR_FILE;
        return TRUE;
    case '2':
        *ret_kind = TAR_LINK;
        return TRUE;
    case '5':
        *ret_kind = TAR_DIRECTORY;
        return TRUE;
    default:
        return FALSE;
    }
}

static gboolean read_header(const guint8 *header, TarMember *member, GError **error)
{
    guint64 mode, modified;

    if (memcmp(header + AT_MAGIC, "ustar", 5) != 0 || !checksum_holds(header))
        return refuse(error, "has a member header with a wrong checksum");
    if (!read_kind(header[AT_TYPE], &member->kind))
        return refuse(error, "has a member of a kind that no base backup has");
    if (!read_number(header + AT_MODE, 8, &mode) ||
        !read_number(header + AT_SIZE, 12, &member->size) ||
        !read_number(header + AT_MODIFIED, 12, &modified) || modified > G_MAXINT64 / G_USEC_PER_SEC)
        return refuse(error, "has a member header with a number that is none");
    if (member->kind != TAR_FILE)
        member->size = 0;
    if (member->size > SIZE_LIMIT)
        return refuse(error, "has a member that is larger than any file of a server");
    member->mode = (guint32)(mode & 07777);
    member->modified = (gint64)modified * G_USEC_PER_SEC;
    return read_path(header, member, error);
}

/* --- the stream ------------------------------------------------------------------------------- */

static gboolean is_zero_block(const guint8 *block)
{
    return block[0] == 0 && memcmp(block, block + 1, BLOCK - 1) == 0;
}

static gboolean end_file(TarReader *reader, GError **error)
{
    reader->in_file = FALSE;
    return reader->funcs.end(reader->data, error);
}

static gboolean take_header(TarReader *reader, GError **error)
{
    TarMember member = {0};

    reader->header_length = 0;
    if (is_zero_block(reader->header)) {
        reader->ended = TRUE;
        return TRUE;
    }
    if (reader->ended)
        return refuse(error, "goes on behind its end");
    if (!read_header(reader->header, &member, error))
        return FALSE;
    if (member.path[0] == '\0' && member.kind == TAR_DIRECTORY)
        return TRUE;
    if (!reader->funcs.begin(&member, reader->data, error))
        return FALSE;
    reader->in_file = member.kind == TAR_FILE;
    reader->left = member.size;
    reader->padding = (BLOCK - member.size % BLOCK) % BLOCK;
    return !reader->in_file || reader->left > 0 || end_file(reader, error);
}

gboolean tar_reader_write(TarReader *reader, const void *bytes, gsize length, GError **error)
{
    const guint8 *at = bytes, *end = at + length;

    while (at < end) {
        gsize here = (gsize)(end - at);

        if (reader->left > 0) {
            gsize take = (gsize)MIN(reader->left, here);

            if (!reader->funcs.bytes(at, take, reader->data, error))
                return FALSE;
            at += take;
            reader->left -= take;
            if (reader->left == 0 && !end_file(reader, error))
                return FALSE;
        } else if (reader->padding > 0) {
            gsize take = MIN(reader->padding, here);

            at += take;
            reader->padding -= take;
        } else {
            gsize take = MIN(BLOCK - reader->header_length, here);

            memcpy(reader->header + reader->header_length, at, take);
            at += take;
            reader->header_length += take;
            if (reader->header_length == BLOCK && !take_header(reader, error))
                return FALSE;
        }
    }
    return TRUE;
}

gboolean tar_reader_finish(TarReader *reader, GError **error)
{
    if (reader->left > 0 || reader->padding > 0 || reader->header_length > 0)
        return refuse(error, "ends within a member");
    return TRUE;
}
