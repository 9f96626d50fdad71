/* SPDX-License-Identifier: Apache-2.0
 *
 * Records: write-once JSON objects under records/ that tell what happened: pins, audits of restores
 * and deletions, results of verify. Names sort by time:
 * records/20261122T020000Z-restore-k3f9a2.json.
 */
#ifndef HOLDFAST_REPO_RECORD_H
#define HOLDFAST_REPO_RECORD_H

#include "base/json.h"
#include "repo/repository.h"

/* Writes a record of a kind ("restore", "delete", "verify", "pin", "unpin"; lower-case letters).
 * format_version, id, kind, time, user, host and tool version are added to `body`, which stays the
 * caller's. *ret_id may be NULL. */
gboolean record_write(Repository *repository, const char *kind, const json_t *body, char **ret_id,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for one that has more to say than may stand in the clear: where the repository is
 * encrypted and unlocked, `whole` goes along sealed. It is the body with nothing left out. */
gboolean record_write_sealed(Repository *repository, const char *kind, const json_t *body,
                             const json_t *whole, char **ret_id,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* For showing a record. Where it has a sealed part and the repository a key, what was left out comes
 * into its place; "sealed_part" says how that went: "opened", "closed" (no key was named), or
 * "damaged" (it does not open, or is another record's), and what stands there is the clear part
 * then. ERROR_CONFIG: the key that was named is wrong. */
gboolean record_open(Repository *repository, json_t *record,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* As where no key was named. */
void record_close(json_t *record);

/* Calls func for every record, oldest first. Records that cannot be read are passed over with a
 * line in the log: they must not hide the others. `name` is the object's. */
typedef gboolean (*RecordFunc)(const char *name, const char *kind, gint64 when, const json_t *body,
                               gpointer data, GError **error);
gboolean record_each(Repository *repository, RecordFunc func, gpointer data,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same without those whose names are in `known` (a set of strings), which are not read: records
 * are written once. */
gboolean record_each_new(Repository *repository, GHashTable *known, RecordFunc func, gpointer data,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads every record whose name says this kind (NULL: every one) and calls func for those that
 * cannot be read, are not what their name says, or do not add up to their checksum. FALSE when
 * looking itself failed. */
typedef void (*RecordProblemFunc)(const char *name, const GError *problem, gpointer data);
gboolean record_check(Repository *repository, const char *kind, RecordProblemFunc func,
                      gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What the repository has of a record that was read before: "good", "wrong" (it is damaged, or not
 * what was read), "none" (it carries no checksum), "missing". */
const char *record_stored_state(Repository *repository, const json_t *record);

/* The kind that a record's name says, to be freed; NULL for no name of a record. It stands there
 * however damaged the record is. */
char *record_kind_of_name(const char *name);

#endif
