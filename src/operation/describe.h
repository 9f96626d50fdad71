/* SPDX-License-Identifier: Apache-2.0
 *
 * What is shown of a backup, on the command line and by the service: the same fields and forms
 * wherever it appears.
 */
#ifndef HOLDFAST_OPERATION_DESCRIBE_H
#define HOLDFAST_OPERATION_DESCRIBE_H

#include "base/json.h"
#include "catalog/catalog.h"
#include "engine/engine.h"

/* A row of `list backups`. New reference. */
json_t *describe_backup(const CatalogBackup *backup);

/* Adds what the catalog knows beside the manifest (pinned, status, problem, verified) to an
 * object. */
void describe_state(json_t *object, const CatalogBackup *backup);

/* What the engine knows of a backup. *ret_details is NULL, and *ret_withheld says why (free with
 * g_free()), where that cannot be shown: the key is not known, or the engine is not. */
gboolean describe_details(Backup *backup, json_t **ret_details, char **ret_withheld,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Everything about one backup: its manifest, what the catalog knows (row, may be NULL), "tables" and
 * "details" (may be NULL). New reference. */
json_t *describe_whole(Backup *backup, const CatalogBackup *row, const json_t *details);

/* How an incremental of TDengine knows what was written since its base, and up to when where it was
 * nothing: in words. NULL where the manifest has no evidence. Free with g_free(). */
char *describe_evidence(const json_t *manifest);

/* A moment for people: whole seconds, ISO 8601, "" for 0. Free with g_free(). */
char *describe_time(gint64 when);

/* A list of texts as an array. New reference; NULL gives an empty one. */
json_t *describe_texts(const GPtrArray *texts);

#endif
