/* SPDX-License-Identifier: Apache-2.0
 *
 * What commands show of a backup: the same fields and forms wherever it appears.
 */
#ifndef HOLDFAST_CLI_DESCRIBE_H
#define HOLDFAST_CLI_DESCRIBE_H

#include "base/json.h"
#include "catalog/catalog.h"

/* A row of `list backups`. New reference. */
json_t *describe_backup(const CatalogBackup *backup);

/* Adds what the catalog knows beside the manifest (pinned, status, problem, verified) to an
 * object. */
void describe_state(json_t *object, const CatalogBackup *backup);

/* A moment for people: whole seconds, ISO 8601, "" for 0. Free with g_free(). */
char *describe_time(gint64 when);

/* A list of texts as an array. New reference; NULL gives an empty one. */
json_t *describe_texts(const GPtrArray *texts);

#endif
