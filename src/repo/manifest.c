/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest. The JSON document itself is kept as the truth, so that fields that this version
 * does not know survive; what is asked often (objects, times) is kept beside it.
 */
#include "repo/manifest.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "repo/backup-id.h"
#include "repo/checksums.h"
#include "repo/repository.h"

struct Manifest {
    json_t *document;
    BackupType type;
    gint64 start;
    gint64 stop;
    GPtrArray *objects;  /* ManifestObject */
    GHashTable *by_path; /* path to ManifestObject */
    guint64 stored_size; /* of the objects */
    guint64 plain_size;
    ManifestPool pool;
};

/* The fields that have functions of their own, in the order in which they are written. */
static const char *const own_fields[] = {
    "format_version", "id",          "repository", "source",     "engine",      "type",
    "method",         "base",        "partial",    "start",      "stop",        "server_version",
    "tool_version",   "table_count", "row_count",  "plain_size", "stored_size", "warnings",
    "objects",        "pool",
};

const char *backup_type_name(BackupType type)
{
    return type == BACKUP_FULL ? "full" : "incremental";
}

static void object_free(gpointer data)
{
    ManifestObject *object = data;

    g_free(object->path);
    g_free(object);
}

/* Takes the document. */
static Manifest *manifest_alloc(json_t *document)
{
    Manifest *manifest = g_new0(Manifest, 1);

    manifest->document = document;
    manifest->objects = g_ptr_array_new_with_free_func(object_free);
    manifest->by_path = g_hash_table_new(g_str_hash, g_str_equal);
    return manifest;
}

Manifest *manifest_new(const char *id, const char *source, const char *engine, BackupType type)
{
    Manifest *manifest = manifest_alloc(json_object());

    for (gsize i = 0; i < G_N_ELEMENTS(own_fields); i++)
        json_object_set_new(manifest->document, own_fields[i], json_null());
    json_object_set_new(manifest->document, "format_version",
                        json_integer(REPOSITORY_FORMAT_VERSION));
    json_object_set_new(manifest->document, "id", json_text(id));
    json_object_set_new(manifest->document, "source", json_text(source));
    json_object_set_new(manifest->document, "engine", json_text(engine));
    json_object_set_new(manifest->document, "type", json_text(backup_type_name(type)));
    json_object_set_new(manifest->document, "tool_version", json_text(HOLDFAST_VERSION));
    json_object_set_new(manifest->document, "warnings", json_array());
    json_object_set_new(manifest->document, "objects", json_array());
    manifest->type = type;
    manifest_set_partial(manifest, FALSE);
    manifest_set_times(manifest, 0, 0);
    manifest_set_counts(manifest, 0, 0);
    return manifest;
}

void manifest_free(Manifest *manifest)
{
    if (manifest == NULL)
        return;
    json_decref(manifest->document);
    g_hash_table_unref(manifest->by_path);
    g_ptr_array_unref(manifest->objects);
    g_free(manifest);
}

/* --- Fields ----------------------------------------------------------------------------------- */

const char *manifest_id(const Manifest *manifest)
{
    return json_get_string(manifest->document, "id", "");
}

const char *manifest_source(const Manifest *manifest)
{
    return json_get_string(manifest->document, "source", "");
}

const char *manifest_engine(const Manifest *manifest)
{
    return json_get_string(manifest->document, "engine", "");
}

BackupType manifest_type(const Manifest *manifest)
{
    return manifest->type;
}

const char *manifest_repository(const Manifest *manifest)
{
    return json_get_string(manifest->document, "repository", NULL);
}

void manifest_set_repository(Manifest *manifest, const char *repository)
{
    json_object_set_new(manifest->document, "repository", json_text(repository));
}

const char *manifest_method(const Manifest *manifest)
{
    return json_get_string(manifest->document, "method", NULL);
}

void manifest_set_method(Manifest *manifest, const char *method)
{
    json_object_set_new(manifest->document, "method", json_text(method));
}

const char *manifest_base(const Manifest *manifest)
{
    return json_get_string(manifest->document, "base", NULL);
}

void manifest_set_base(Manifest *manifest, const char *base)
{
    json_object_set_new(manifest->document, "base", json_text(base));
}

gint64 manifest_start(const Manifest *manifest)
{
    return manifest->start;
}

gint64 manifest_stop(const Manifest *manifest)
{
    return manifest->stop;
}

void manifest_set_times(Manifest *manifest, gint64 start, gint64 stop)
{
    g_autofree char *start_text = time_format(start);
    g_autofree char *stop_text = time_format(stop);

    manifest->start = start;
    manifest->stop = stop;
    json_object_set_new(manifest->document, "start", json_text(start_text));
    json_object_set_new(manifest->document, "stop", json_text(stop_text));
}

const char *manifest_server_version(const Manifest *manifest)
{
    return json_get_string(manifest->document, "server_version", NULL);
}

void manifest_set_server_version(Manifest *manifest, const char *version)
{
    json_object_set_new(manifest->document, "server_version", json_text(version));
}

const char *manifest_tool_version(const Manifest *manifest)
{
    return json_get_string(manifest->document, "tool_version", NULL);
}

gboolean manifest_partial(const Manifest *manifest)
{
    return json_get_bool(manifest->document, "partial", FALSE);
}

void manifest_set_partial(Manifest *manifest, gboolean partial)
{
    json_object_set_new(manifest->document, "partial", json_boolean(partial));
}

guint64 manifest_rows(const Manifest *manifest)
{
    return json_get_uint(manifest->document, "row_count", 0);
}

guint64 manifest_tables(const Manifest *manifest)
{
    return json_get_uint(manifest->document, "table_count", 0);
}

/* JSON integers end at 2^63 - 1 here; no count comes near. */
static json_t *json_count(guint64 count)
{
    return json_integer((json_int_t)MIN(count, (guint64)G_MAXINT64));
}

void manifest_set_counts(Manifest *manifest, guint64 tables, guint64 rows)
{
    json_object_set_new(manifest->document, "table_count", json_count(tables));
    json_object_set_new(manifest->document, "row_count", json_count(rows));
}

void manifest_add_warning(Manifest *manifest, const char *text)
{
    json_array_append_new(json_object_get(manifest->document, "warnings"), json_text(text));
}

guint manifest_warning_count(const Manifest *manifest)
{
    return (guint)json_array_size(json_object_get(manifest->document, "warnings"));
}

const char *manifest_warning(const Manifest *manifest, guint index)
{
    return json_string_value(
        json_array_get(json_object_get(manifest->document, "warnings"), index));
}

void manifest_set_field(Manifest *manifest, const char *key, json_t *value)
{
    for (gsize i = 0; i < G_N_ELEMENTS(own_fields); i++) {
        if (strcmp(own_fields[i], key) == 0) {
            g_critical("the manifest's field %s has a function of its own", key);
            json_decref(value);
            return;
        }
    }
    json_object_set_new(manifest->document, key, value);
}

/* --- Objects ---------------------------------------------------------------------------------- */

/* Enters an object into the lists beside the document. FALSE when the path is there already or a
 * sum does not fit. */
static gboolean index_object(Manifest *manifest, const ManifestObject *object)
{
    ManifestObject *copy;

    if (g_hash_table_contains(manifest->by_path, object->path) ||
        object->size > G_MAXINT64 - manifest->stored_size ||
        object->plain_size > G_MAXINT64 - manifest->plain_size)
        return FALSE;
    copy = g_memdup2(object, sizeof *object);
    copy->path = g_strdup(object->path);
    g_ptr_array_add(manifest->objects, copy);
    g_hash_table_insert(manifest->by_path, copy->path, copy);
    manifest->stored_size += object->size;
    manifest->plain_size += object->plain_size;
    return TRUE;
}

void manifest_add_object(Manifest *manifest, const ManifestObject *object)
{
    json_t *entry;

    if (!index_object(manifest, object)) {
        g_critical("the manifest has the object %s already, or its size is absurd", object->path);
        return;
    }
    entry =
        json_pack("{s:s, s:I, s:I, s:s}", "path", object->path, "size", (json_int_t)object->size,
                  "plain_size", (json_int_t)object->plain_size, "sha256", object->sha256);
    json_array_append_new(json_object_get(manifest->document, "objects"), entry);
}

guint manifest_object_count(const Manifest *manifest)
{
    return manifest->objects->len;
}

const ManifestObject *manifest_object(const Manifest *manifest, guint index)
{
    return manifest->objects->pdata[index];
}

const ManifestObject *manifest_find_object(const Manifest *manifest, const char *path)
{
    return g_hash_table_lookup(manifest->by_path, path);
}

ManifestPool manifest_pool(const Manifest *manifest)
{
    return manifest->pool;
}

void manifest_set_pool(Manifest *manifest, const ManifestPool *pool)
{
    manifest->pool = *pool;
    json_object_set_new(manifest->document, "pool",
                        json_pack("{s:o, s:o, s:o, s:o}", "objects", json_count(pool->objects),
                                  "bytes", json_count(pool->bytes), "plain_bytes",
                                  json_count(pool->plain_bytes), "written_bytes",
                                  json_count(pool->written_bytes)));
}

guint64 manifest_stored_size(const Manifest *manifest)
{
    return manifest->stored_size + manifest->pool.bytes;
}

guint64 manifest_plain_size(const Manifest *manifest)
{
    return manifest->plain_size + manifest->pool.plain_bytes;
}

/* --- Writing and reading ---------------------------------------------------------------------- */

json_t *manifest_json(const Manifest *manifest)
{
    json_t *copy = json_deep_copy(manifest->document);

    json_object_set_new(copy, "stored_size", json_count(manifest_stored_size(manifest)));
    json_object_set_new(copy, "plain_size", json_count(manifest_plain_size(manifest)));
    return copy;
}

char *manifest_write(const Manifest *manifest, gsize *ret_length)
{
    g_autoptr(json_t) document = manifest_json(manifest);
    char *text = json_write(document, TRUE);

    *ret_length = strlen(text);
    return text;
}

static gboolean path_valid(const char *path)
{
    return store_name_valid(path) && strcmp(path, MANIFEST_NAME) != 0 &&
           strcmp(path, CHECKSUMS_NAME) != 0;
}

static gboolean read_object(Manifest *manifest, const json_t *entry, const char *what,
                            GError **error)
{
    ManifestObject object = {0};
    const char *path, *sha256;
    guint8 digest[SHA256_SIZE];

    if (!json_is_object(entry)) {
        error_set(error, ERROR_FORMAT, "%s lists an object that is none", what);
        return FALSE;
    }
    if (!json_need_string(entry, "path", what, &path, error) ||
        !json_need_string(entry, "sha256", what, &sha256, error) ||
        !json_need_uint(entry, "size", what, &object.size, error) ||
        !json_need_uint(entry, "plain_size", what, &object.plain_size, error))
        return FALSE;
    if (!path_valid(path) || !sha256_from_hex(sha256, digest)) {
        error_set(error, ERROR_FORMAT, "%s lists an object with an invalid path or sha256", what);
        return FALSE;
    }
    sha256_to_hex(digest, object.sha256);
    object.path = (char *)path;
    if (!index_object(manifest, &object)) {
        error_set(error, ERROR_FORMAT, "%s lists %s twice, or with an absurd size", what, path);
        return FALSE;
    }
    return TRUE;
}

static gboolean read_objects(Manifest *manifest, const char *what, GError **error)
{
    json_t *objects, *entry;
    size_t index;

    if (!json_need_array(manifest->document, "objects", what, &objects, error))
        return FALSE;
    json_array_foreach(objects, index, entry)
    {
        if (!read_object(manifest, entry, what, error))
            return FALSE;
    }
    return TRUE;
}

/* Written since there is a pool; what is missing is nothing. */
static void read_pool(Manifest *manifest)
{
    const json_t *pool = json_object_get(manifest->document, "pool");

    manifest->pool = (ManifestPool){
        .objects = json_get_uint(pool, "objects", 0),
        .bytes = json_get_uint(pool, "bytes", 0),
        .plain_bytes = json_get_uint(pool, "plain_bytes", 0),
        .written_bytes = json_get_uint(pool, "written_bytes", 0),
    };
}

static gboolean read_time(const Manifest *manifest, const char *key, const char *what,
                          gint64 *ret_when, GError **error)
{
    const char *text;

    if (!json_need_string(manifest->document, key, what, &text, error))
        return FALSE;
    if (time_parse(text, NULL, ret_when, NULL))
        return TRUE;
    error_set(error, ERROR_FORMAT, "%s has a %s that is no time", what, key);
    return FALSE;
}

static gboolean read_identity(Manifest *manifest, const char *what, GError **error)
{
    const char *id, *source, *engine, *type;

    if (!json_need_string(manifest->document, "id", what, &id, error) ||
        !json_need_string(manifest->document, "source", what, &source, error) ||
        !json_need_string(manifest->document, "engine", what, &engine, error) ||
        !json_need_string(manifest->document, "type", what, &type, error))
        return FALSE;
    if (!backup_id_valid(id) || !source_name_valid(source) || !source_name_valid(engine)) {
        error_set(error, ERROR_FORMAT, "%s has an invalid id, source or engine", what);
        return FALSE;
    }
    if (strcmp(type, "full") != 0 && strcmp(type, "incremental") != 0) {
        error_set(error, ERROR_FORMAT, "%s is neither of a full nor of an incremental backup",
                  what);
        return FALSE;
    }
    manifest->type = strcmp(type, "full") == 0 ? BACKUP_FULL : BACKUP_INCREMENTAL;
    return TRUE;
}

/* Fields that may be missing or null, but not be something else. */
static gboolean check_optional(const Manifest *manifest, const char *what, GError **error)
{
    static const char *const strings[] = {"repository", "method", "base", "server_version",
                                          "tool_version"};
    static const char *const counts[] = {"table_count", "row_count"};
    const json_t *partial = json_object_get(manifest->document, "partial");

    for (gsize i = 0; i < G_N_ELEMENTS(strings); i++) {
        const json_t *value = json_object_get(manifest->document, strings[i]);

        if (value != NULL && !json_is_null(value) && !json_is_string(value)) {
            error_set(error, ERROR_FORMAT, "%s has a %s that is no string", what, strings[i]);
            return FALSE;
        }
    }
    for (gsize i = 0; i < G_N_ELEMENTS(counts); i++) {
        const json_t *value = json_object_get(manifest->document, counts[i]);

        if (value != NULL && (!json_is_integer(value) || json_integer_value(value) < 0)) {
            error_set(error, ERROR_FORMAT, "%s has a %s that is no count", what, counts[i]);
            return FALSE;
        }
    }
    /* A partial backup that is taken for a whole one would be a lie: no default for what cannot be
     * understood. */
    if (partial != NULL && !json_is_boolean(partial)) {
        error_set(error, ERROR_FORMAT, "%s has a partial that is neither true nor false", what);
        return FALSE;
    }
    return TRUE;
}

static gboolean check_warnings(const Manifest *manifest, const char *what, GError **error)
{
    json_t *warnings, *warning;
    size_t index;

    if (!json_need_array(manifest->document, "warnings", what, &warnings, error))
        return FALSE;
    json_array_foreach(warnings, index, warning)
    {
        if (!json_is_string(warning)) {
            error_set(error, ERROR_FORMAT, "%s has a warning that is no string", what);
            return FALSE;
        }
    }
    return TRUE;
}

Manifest *manifest_read(const char *bytes, gsize length, const char *what, GError **error)
{
    g_autoptr(Manifest) manifest = NULL;
    json_t *document;

    if (length > MANIFEST_SIZE_LIMIT) {
        error_set(error, ERROR_LIMIT, "%s is larger than a manifest may be", what);
        return NULL;
    }
    document = json_read_object(bytes, length, what, error);
    if (document == NULL)
        return NULL;
    manifest = manifest_alloc(document);
    if (!repository_check_version(document, what, error) || !read_identity(manifest, what, error) ||
        !read_time(manifest, "start", what, &manifest->start, error) ||
        !read_time(manifest, "stop", what, &manifest->stop, error) ||
        !check_optional(manifest, what, error) || !check_warnings(manifest, what, error) ||
        !read_objects(manifest, what, error))
        return NULL;
    read_pool(manifest);
    return g_steal_pointer(&manifest);
}
