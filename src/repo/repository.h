/* SPDX-License-Identifier: Apache-2.0
 *
 * A repository: a store with a header, repository.json, that says what it is. Formats:
 * docs/formats.md.
 *
 * Threads: a Repository does not change once it is open and may be used from many threads.
 */
#ifndef HOLDFAST_REPO_REPOSITORY_H
#define HOLDFAST_REPO_REPOSITORY_H

#include "codec/compress.h"
#include "repo/document.h"
#include "store/store.h"

typedef struct Repository Repository;

/* Writes repository.json into an empty store. ERROR_EXISTS when there is one; ERROR_REFUSED when
 * the store holds other things already. */
Repository *repository_create(Store *store, CompressSpec compression,
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

#endif
