/* SPDX-License-Identifier: Apache-2.0
 *
 * Small write-once documents (JSON, SHA256SUMS) in a store, written so that a lost answer does not
 * become a lie.
 */
#ifndef HOLDFAST_REPO_DOCUMENT_H
#define HOLDFAST_REPO_DOCUMENT_H

#include "base/json.h"
#include "store/store.h"

/* The major version of everything in a repository. A document with a larger one is
 * ERROR_NEWER_FORMAT. */
#define REPOSITORY_FORMAT_VERSION 1

/* Writes a document under a free name. When the store reports a failure, or that the name is taken,
 * what stands there is read: the same bytes mean that this very write was carried out (every
 * document holds an id of its own), and the result is TRUE. Otherwise the store's error, and
 * *ret_doubtful (may be NULL) tells whether the document may be there all the same, because looking
 * failed too. */
gboolean document_put(Store *store, const char *name, const char *bytes, gsize length,
                      gboolean *ret_doubtful, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads a JSON document of at most `limit` bytes and checks its "format_version". */
json_t *document_get(Store *store, const char *name, gsize limit,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Sets "checksum" of a document: the SHA-256, in hexadecimal, of the document without it as compact
 * JSON with sorted keys. */
void document_add_checksum(json_t *document);
/* "good", "wrong", or "none" where the document carries no checksum. */
const char *document_checksum_state(const json_t *document);
/* Reads a document that has to carry its checksum, and holds it against that: ERROR_DAMAGED. For
 * who looks for damage: whoever needs the document is better served by what is left of it. */
json_t *document_get_checked(Store *store, const char *name, gsize limit,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Checks the "format_version" of a document: missing or no positive integer is ERROR_FORMAT, larger
 * than ours is ERROR_NEWER_FORMAT with the hint to update. `what` names the document. */
gboolean repository_check_version(const json_t *document, const char *what,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
