/* SPDX-License-Identifier: Apache-2.0
 *
 * The entries of one directory of a store of files. Only store/ includes this.
 */
#ifndef HOLDFAST_STORE_ENTRIES_H
#define HOLDFAST_STORE_ENTRIES_H

#include <sys/stat.h>

#include "store/store.h"

typedef struct {
    char *name; /* "/" is added to directories: then sorting entries sorts whole names */
    gboolean is_directory;
    gboolean temporary; /* an unfinished object */
    StoreInfo info;
} StoreEntry;

/* The files and directories that an open directory holds, sorted by strcmp(); an array of
 * StoreEntry. What is neither, or has a name that no object has, is not ours and left out. NULL
 * with errno when the directory cannot be read. */
GPtrArray *entries_read(int directory_fd, gboolean is_root) G_GNUC_WARN_UNUSED_RESULT;

/* Whether an open directory holds anything at all, strangers' files included. FALSE as well where it
 * cannot be told. Moves the descriptor's place in the directory. */
gboolean entries_any(int directory_fd);

/* Whether an open directory holds an object of its own, as far as its names and their kinds tell: FALSE
 * proves nothing. It looks at no file, which entries_read() does. Moves the descriptor's place. */
gboolean entries_any_object(int directory_fd);

/* When a file was last written, in microseconds. */
gint64 entries_modified(const struct stat *info);

#endif
