/* SPDX-License-Identifier: Apache-2.0
 *
 * The master key as a file in the runtime directory, so that archiving a WAL segment needs no
 * scrypt: <runtime directory>/keys/<repository id>, readable by its owner alone and void after a
 * boot. Where the runtime directory is on a disk, which a boot does not empty, in its place
 * /dev/shm/holdfast-<user id>/<repository id>; where that is not in memory either, nowhere. Only `wal push` and `wal get` read it; whoever may read it may read the repository, as with
 * a key file.
 *
 * Threads: any.
 */
#ifndef HOLDFAST_REPO_KEY_CACHE_H
#define HOLDFAST_REPO_KEY_CACHE_H

#include "codec/seal.h"

/* FALSE: there is none that may be used. What is of an earlier boot, or not private, is removed. */
gboolean key_cache_read(const char *runtime_directory, const char *repository,
                        guint8 ret_master[SEAL_KEY_SIZE]);

/* Failure is only logged: the next one derives the key again. */
void key_cache_write(const char *runtime_directory, const char *repository,
                     const guint8 master[SEAL_KEY_SIZE]);

void key_cache_remove(const char *runtime_directory, const char *repository);

#endif
