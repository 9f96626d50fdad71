/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects of a backup that hold one JSON object a line: long lists, read without keeping them.
 */
#ifndef HOLDFAST_REPO_LINES_H
#define HOLDFAST_REPO_LINES_H

#include "base/json.h"
#include "repo/backup.h"

#define LINES_LIMIT (1024 * 1024) /* bytes of one line */

/* Gets one line's object, which belongs to the caller. FALSE stops with its error. */
typedef gboolean (*LineFunc)(const json_t *json, gpointer data, GError **error);

/* Reads the object that was begun as `stem` ("details-tables.jsonl") line by line. TRUE only when
 * the object's checksum holds; func has seen lines by then. ERROR_DAMAGED when the backup has no
 * such object or it ends in the middle of a line, ERROR_FORMAT, ERROR_LIMIT. */
gboolean backup_read_lines(Backup *backup, const char *stem, LineFunc func, gpointer data,
                           GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
