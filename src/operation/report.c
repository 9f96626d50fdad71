/* SPDX-License-Identifier: Apache-2.0
 *
 * The report on a backup, out of manifest and records.
 */
#include "operation/report.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "repo/backup.h"
#include "repo/document.h"
#include "repo/record.h"

#define FORMAT_VERSION 1

/* What the manifest says; of one that cannot be read that it cannot. */
static json_t *describe_backup(OperationContext *context, const char *id)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(Backup) backup = backup_open(context->repository, id, &problem);
    static const char *const keys[] = {"source",      "engine",       "method",
                                       "type",        "base",         "start",
                                       "stop",        "partial",      "server_version",
                                       "table_count", "row_count",    "page_checksum_failures",
                                       "warnings",    "tool_version", NULL};
    g_autoptr(json_t) manifest = NULL;
    json_t *json = json_pack("{s:s}", "id", id);

    if (backup == NULL) {
        g_autofree char *text = error_text(problem);

        json_object_set_new(json, "readable", json_false());
        json_object_set_new(json, "problem", json_text(text));
        return json;
    }
    manifest = manifest_json(backup_manifest(backup));
    json_object_set_new(json, "readable", json_true());
    for (guint i = 0; keys[i] != NULL; i++) {
        json_t *value = json_object_get(manifest, keys[i]);

        if (value != NULL)
            json_object_set(json, keys[i], value);
    }
    /* Of the files of a server nobody has counted rows. */
    if (g_strcmp0(manifest_method(backup_manifest(backup)), "physical") == 0)
        json_object_set_new(json, "row_count", json_null());
    json_object_set_new(json, "stored_size",
                        json_integer((json_int_t)manifest_stored_size(backup_manifest(backup))));
    json_object_set_new(json, "plain_size",
                        json_integer((json_int_t)manifest_plain_size(backup_manifest(backup))));
    return json;
}

/* The records of one kind that are about the backup, newest first. What is shown comes from the
 * catalog; each says whether the repository still has just that, and is shown with its sealed part
 * where there is a key. */
static gboolean add_records(OperationContext *context, const char *id, const char *kind,
                            const char *key, json_t *document, GError **error)
{
    g_autoptr(GPtrArray) records = NULL;
    json_t *array = json_array();

    json_object_set_new(document, key, array);
    if (!catalog_records(context->catalog, kind, &records, error))
        return FALSE;
    for (guint i = 0; i < records->len; i++) {
        json_t *record = records->pdata[i];
        json_t *copy;

        if (strcmp(json_get_string(record, "backup", ""), id) != 0)
            continue;
        copy = json_deep_copy(record);
        json_object_set_new(copy, "record_checksum",
                            json_string(record_stored_state(context->repository, record)));
        json_array_append_new(array, copy);
        if (!record_open(context->repository, copy, error))
            return FALSE;
    }
    return TRUE;
}

/* The newest of its kind that has this result, or NULL. */
static const json_t *find_newest(const json_t *document, const char *key, const char *result)
{
    const json_t *records = json_object_get(document, key);
    json_t *record;
    gsize index;

    json_array_foreach((json_t *)records, index, record)
    {
        if (strcmp(json_get_string(record, "result", ""), result) == 0)
            return record;
    }
    return NULL;
}

/* In one sentence each what is known, and what nobody has tried. */
static void conclude(OperationContext *context, const char *id, json_t *document)
{
    const json_t *good = find_newest(document, "verifications", "good");
    const json_t *drill = find_newest(document, "drills", "succeeded");
    const json_t *restore = find_newest(document, "restores", "succeeded");
    g_autoptr(GPtrArray) backups = NULL;
    const char *status = "not known";

    if (catalog_backups(context->catalog, NULL, &backups, NULL)) {
        for (guint i = 0; i < backups->len; i++) {
            const CatalogBackup *backup = backups->pdata[i];

            if (strcmp(backup->id, id) == 0 && backup->damaged)
                status = "damaged";
            else if (strcmp(backup->id, id) == 0)
                status = backup->verified != 0 ? "no damage was found" : "never verified";
        }
    }
    json_object_set_new(document, "conclusion",
                        json_pack("{s:s, s:o, s:o, s:o}", "status", status, "verified",
                                  json_text(json_get_string(good, "time", NULL)), "drilled",
                                  json_text(json_get_string(drill, "time", NULL)), "restored",
                                  json_text(json_get_string(restore, "time", NULL))));
}

json_t *operation_report(OperationContext *context, const char *backup_id, GError **error)
{
    g_autofree char *id = operation_resolve_backup(context, backup_id, error);
    g_autofree char *now = time_format(time_now());
    g_autoptr(json_t) document = NULL;
    json_t *backup;

    if (id == NULL)
        return NULL;
    backup = describe_backup(context, id);
    document = json_pack("{s:i, s:o, s:s, s:o}", "format_version", FORMAT_VERSION, "made",
                         json_text(now), "tool_version", HOLDFAST_VERSION, "backup", backup);
    if (!add_records(context, id, "verify", "verifications", document, error) ||
        !add_records(context, id, "restore", "restores", document, error) ||
        !add_records(context, id, "drill", "drills", document, error))
        return NULL;
    conclude(context, id, document);
    document_add_checksum(document);
    return g_steal_pointer(&document);
}
