/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents of a backup that name objects of the pool, written anew with the names of the copy.
 */
#include "operation/copy-private.h"

#include <string.h>

#include "base/error.h"
#include "repo/lines.h"

/* What engines take for their details at most. */
#define DOCUMENT_LIMIT ((gsize)512 * 1024 * 1024)
#define LINES_END      ".jsonl"

typedef struct {
    const CopyDetails *details;
    const char *stem;
    ObjectWriter *object;
    gboolean write_failed;
} Rewriting;

gboolean copy_details_has(const CopyDetails *details, const char *path)
{
    g_autofree char *stem = NULL;

    codec_of_path(path, &stem);
    return details->engine->pool_documents != NULL &&
           g_strv_contains(details->engine->pool_documents, stem);
}

static gboolean put_document(Rewriting *rewriting, json_t *document, GError **error)
{
    const CopyDetails *details = rewriting->details;
    g_autofree char *text = NULL;

    if (!details->engine->rename_pool(rewriting->stem, document, details->names, error))
        return FALSE;
    text = json_write(document, FALSE);
    rewriting->write_failed = !object_writer_write(rewriting->object, text, strlen(text), error);
    return !rewriting->write_failed;
}

static gboolean rewrite_line(const json_t *line, gpointer data, GError **error)
{
    g_autoptr(json_t) document = json_deep_copy(line);

    return put_document(data, document, error);
}

static gboolean rewrite(Rewriting *rewriting, const char *path, GCancellable *cancellable,
                        GError **error)
{
    Backup *backup = rewriting->details->backup;
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(json_t) document = NULL;

    if (g_str_has_suffix(rewriting->stem, LINES_END))
        return backup_read_lines(backup, rewriting->stem, rewrite_line, rewriting, cancellable,
                                 error);
    bytes = backup_get_object(backup, path, DOCUMENT_LIMIT, error);
    if (bytes == NULL)
        return FALSE;
    document =
        json_read_object(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), path, error);
    return document != NULL && repository_check_version(document, path, error) &&
           put_document(rewriting, document, error);
}

static CompressSpec choose_spec(const CopyDetails *details, Codec codec)
{
    CompressSpec spec = repository_compression(backup_writer_repository(details->writer));

    return spec.codec == codec ? spec : (CompressSpec){.codec = codec, .level = codec != CODEC_LZ4};
}

gboolean copy_details_put(const CopyDetails *details, const char *path, GCancellable *cancellable,
                          guint64 *ret_size, gboolean *ret_of_source, GError **error)
{
    Repository *target = backup_writer_repository(details->writer);
    g_autofree char *name = g_strdup_printf("backups/%s/%s", backup_id(details->backup), path);
    g_autofree char *stem = NULL;
    Codec codec = codec_of_path(path, &stem);
    g_autoptr(ObjectWriter) object = NULL;
    Rewriting rewriting = {.details = details, .stem = stem};
    const ManifestObject *written;

    *ret_of_source = FALSE;
    /* Of a copy that was broken off. */
    if (!store_delete(repository_store(target), name, error))
        return FALSE;
    object = backup_writer_begin(details->writer, stem, choose_spec(details, codec), error);
    if (object == NULL)
        return FALSE;
    rewriting.object = object;
    if (!rewrite(&rewriting, path, cancellable, error)) {
        *ret_of_source = !rewriting.write_failed;
        return FALSE;
    }
    if (!object_writer_commit(object, &written, error))
        return FALSE;
    *ret_size = written->size;
    return TRUE;
}
