/* SPDX-License-Identifier: Apache-2.0
 *
 * A repository: a store with a header, repository.json, that says what it is. Formats:
 * docs/formats.md.
 *
 * An encrypted repository is opened without its key, which lists, cleanup and checksums need not;
 * repository_unlock() reaches it, at the latest when the first sealed object is read or written
 * (repo/stored.h).
 *
 * Threads: a Repository does not change once it is open (but for its key, once) and may be used
 * from many threads.
 */
#ifndef HOLDFAST_REPO_REPOSITORY_H
#define HOLDFAST_REPO_REPOSITORY_H

#include "codec/compress.h"
#include "repo/document.h"
#include "repo/keys.h"
#include "store/store.h"

typedef struct Repository Repository;

/* Writes repository.json into an empty store. ERROR_EXISTS when there is one; ERROR_REFUSED when
 * the store holds other things already. */
Repository *repository_create(Store *store, CompressSpec compression,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for an encrypted one, whose first key slot is for this key; it is unlocked. */
Repository *repository_create_encrypted(Store *store, CompressSpec compression, const KeyForm *key,
                                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* ERROR_UNREACHABLE when there is no repository.json (not mounted, wrong path), ERROR_NEWER_FORMAT,
 * ERROR_FORMAT. */
Repository *repository_open(Store *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;

Repository *repository_ref(Repository *repository);
void repository_unref(Repository *repository);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Repository, repository_unref)

/* A UUID, made at creation; names the catalog. */
const char *repository_id(const Repository *repository);
Store *repository_store(const Repository *repository);
CompressSpec repository_compression(const Repository *repository);
gint64 repository_created(const Repository *repository);

/* --- the key ---------------------------------------------------------------------------------- */

gboolean repository_is_encrypted(const Repository *repository);

/* Says how the key is reached when it is wanted. Before other threads use the repository; `data` is
 * freed with it. */
typedef Keyring *(*RepositoryUnlock)(Repository *repository, gpointer data, GError **error);
void repository_set_unlock(Repository *repository, RepositoryUnlock func, gpointer data,
                           GDestroyNotify destroy);

/* Whether repository_unlock() has something to go by: TRUE where none is needed. */
gboolean repository_has_key(const Repository *repository);

/* Reaches the key, once; TRUE at once where the repository is not encrypted. Whoever is going to
 * need it calls this before anything is written. ERROR_CONFIG: no key was named, or it does not
 * open the repository. */
gboolean repository_unlock(Repository *repository, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether the key was reached already: never asks for it. */
gboolean repository_is_unlocked(Repository *repository);

/* Takes in the data keys that were made since it was unlocked: what is written from here on is sealed
 * by the newest. For programs that run for long; nothing where it is not unlocked. */
gboolean repository_renew_keys(Repository *repository, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The data key of a generation; one that is not known yet is looked for in the store. ERROR_DAMAGED
 * where there is none. Belongs to the repository, which must be unlocked. */
const guint8 *repository_data_key(Repository *repository, guint32 generation,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Unlocks where that was not done; belongs to the repository, and stays while that does, also when
 * another follows it. ERROR_INTERNAL where it is not encrypted. */
const Keyring *repository_keyring(Repository *repository, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
