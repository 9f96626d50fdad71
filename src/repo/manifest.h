/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest: the clear part of the truth about a backup (id, source, type, times, sizes,
 * objects), without names of tables. What has names (tables, counts, schema) stands in the details,
 * which the engine writes. Format: docs/formats.md. Unknown fields are kept: manifest_json() has
 * everything that was read.
 */
#ifndef HOLDFAST_REPO_MANIFEST_H
#define HOLDFAST_REPO_MANIFEST_H

#include "base/json.h"
#include "codec/hash.h"

#define MANIFEST_NAME       "manifest.json"
#define MANIFEST_SIZE_LIMIT (64 * 1024 * 1024)

typedef struct {
    char *path;         /* relative to the backup's folder: "data/…", "details.json.zst" */
    guint64 size;       /* stored bytes */
    guint64 plain_size; /* before compression */
    char sha256[SHA256_HEX_SIZE]; /* of the stored bytes */
} ManifestObject;

typedef struct Manifest Manifest;

typedef enum { BACKUP_FULL, BACKUP_INCREMENTAL } BackupType;
const char *backup_type_name(BackupType type); /* "full", "incremental" */

Manifest *manifest_new(const char *id, const char *source, const char *engine, BackupType type);
void manifest_free(Manifest *manifest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Manifest, manifest_free)

const char *manifest_id(const Manifest *manifest);
const char *manifest_source(const Manifest *manifest);
const char *manifest_engine(const Manifest *manifest);
BackupType manifest_type(const Manifest *manifest);

/* The id of the repository where the backup was made, set when it is committed, or NULL. */
const char *manifest_repository(const Manifest *manifest);
void manifest_set_repository(Manifest *manifest, const char *repository);

/* The version of Holdfast that made the backup, or NULL. */
const char *manifest_tool_version(const Manifest *manifest);

/* "physical" or "logical" (postgresql), else NULL. */
const char *manifest_method(const Manifest *manifest);
void manifest_set_method(Manifest *manifest, const char *method);

/* The backup that an incremental was made against, or NULL. */
const char *manifest_base(const Manifest *manifest);
void manifest_set_base(Manifest *manifest, const char *base);

gint64 manifest_start(const Manifest *manifest);
gint64 manifest_stop(const Manifest *manifest);
void manifest_set_times(Manifest *manifest, gint64 start, gint64 stop);

const char *manifest_server_version(const Manifest *manifest);
void manifest_set_server_version(Manifest *manifest, const char *version);

/* Less than the source's configuration names. */
gboolean manifest_partial(const Manifest *manifest);
void manifest_set_partial(Manifest *manifest, gboolean partial);

/* Totals over the backup: rows (0 where not known) and number of tables. */
guint64 manifest_rows(const Manifest *manifest);
guint64 manifest_tables(const Manifest *manifest);
void manifest_set_counts(Manifest *manifest, guint64 tables, guint64 rows);

void manifest_add_warning(Manifest *manifest, const char *text);
guint manifest_warning_count(const Manifest *manifest);
const char *manifest_warning(const Manifest *manifest, guint index);

void manifest_add_object(Manifest *manifest, const ManifestObject *object);
guint manifest_object_count(const Manifest *manifest);
const ManifestObject *manifest_object(const Manifest *manifest, guint index);
const ManifestObject *manifest_find_object(const Manifest *manifest, const char *path);

/* What the backup has in the pool. The writer of the backup fills in the first two at its commit,
 * the engine the others. */
typedef struct {
    guint64 objects, bytes; /* that it refers to, whoever wrote them */
    guint64 plain_bytes;    /* before compression, of all that it refers to */
    guint64 written_bytes;  /* stored bytes that it wrote itself */
} ManifestPool;
ManifestPool manifest_pool(const Manifest *manifest);
void manifest_set_pool(Manifest *manifest, const ManifestPool *pool);

/* Sums over the objects and the pool. */
guint64 manifest_stored_size(const Manifest *manifest);
guint64 manifest_plain_size(const Manifest *manifest);

/* Any further clear field, by the engine (none that has a function above): takes the value. */
void manifest_set_field(Manifest *manifest, const char *key, json_t *value);

/* Everything as JSON, unknown fields included: a new reference. */
json_t *manifest_json(const Manifest *manifest);

/* The document's bytes (indented JSON). Free with g_free(). */
char *manifest_write(const Manifest *manifest, gsize *ret_length);

/* Trusts nothing. ERROR_FORMAT, ERROR_NEWER_FORMAT or ERROR_LIMIT; `what` names the document. */
Manifest *manifest_read(const char *bytes, gsize length, const char *what,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
