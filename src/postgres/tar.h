/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking a tar stream apart as it comes, in pieces that end anywhere. Format: POSIX ustar, with
 * sizes in base 256 as PostgreSQL writes them from 8 GiB on. The stream comes over a network: names
 * that lead out of the directory, wrong checksums, kinds of members that no base backup has and a
 * stream that is cut are errors (ERROR_FORMAT). Until version 14 servers leave out the two blocks
 * of zeros at the end.
 *
 * Threads: one thread at a time.
 */
#ifndef HOLDFAST_POSTGRES_TAR_H
#define HOLDFAST_POSTGRES_TAR_H

#include <glib.h>

typedef enum { TAR_FILE, TAR_DIRECTORY, TAR_LINK } TarKind;

typedef struct {
    char path[260]; /* relative, without "./" before and "/" behind */
    TarKind kind;
    guint32 mode;    /* permission bits */
    guint64 size;    /* of a file */
    gint64 modified; /* microseconds */
} TarMember;

typedef struct {
    /* A member begins; for a file its bytes follow, then the end. */
    gboolean (*begin)(const TarMember *member, gpointer data, GError **error);
    gboolean (*bytes)(const guint8 *bytes, gsize length, gpointer data, GError **error);
    gboolean (*end)(gpointer data, GError **error);
} TarFuncs;

typedef struct TarReader TarReader;

TarReader *tar_reader_new(const TarFuncs *funcs, gpointer data);
void tar_reader_free(TarReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TarReader, tar_reader_free)

gboolean tar_reader_write(TarReader *reader, const void *bytes, gsize length,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Fails where the stream ends within a member. */
gboolean tar_reader_finish(TarReader *reader, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
