/* SPDX-License-Identifier: Apache-2.0
 *
 * Backups as JSON and as words.
 */
#include "operation/describe.h"

#include "base/error.h"
#include "base/time.h"

static json_t *time_json(gint64 when)
{
    g_autofree char *text = when != 0 ? time_format(when) : NULL;

    return json_text(text);
}

void describe_state(json_t *object, const CatalogBackup *backup)
{
    json_object_set_new(object, "status", json_string(backup->damaged ? "damaged" : "good"));
    json_object_set_new(object, "problem", json_text(backup->problem));
    json_object_set_new(object, "pinned", json_boolean(backup->pinned));
    json_object_set_new(object, "verified", time_json(backup->verified));
}

json_t *describe_backup(const CatalogBackup *backup)
{
    json_t *object = json_object();

    json_object_set_new(object, "id", json_text(backup->id));
    json_object_set_new(object, "source", json_text(backup->source));
    json_object_set_new(object, "engine", json_text(backup->engine));
    json_object_set_new(object, "server_version", json_text(backup->server_version));
    json_object_set_new(object, "type", json_text(backup->type));
    json_object_set_new(object, "method", json_text(backup->method));
    json_object_set_new(object, "base", json_text(backup->base));
    json_object_set_new(object, "start", time_json(backup->start));
    json_object_set_new(object, "stop", time_json(backup->stop));
    json_object_set_new(object, "partial", json_boolean(backup->partial));
    json_object_set_new(object, "tables", json_integer((json_int_t)backup->tables));
    json_object_set_new(object, "rows", json_integer((json_int_t)backup->rows));
    json_object_set_new(object, "plain_size", json_integer((json_int_t)backup->plain_size));
    json_object_set_new(object, "stored_size", json_integer((json_int_t)backup->stored_size));
    json_object_set_new(object, "warnings", json_integer(backup->warnings));
    describe_state(object, backup);
    return object;
}

gboolean describe_details(Backup *backup, json_t **ret_details, char **ret_withheld, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const Engine *engine = engine_find(manifest_engine(backup_manifest(backup)), &problem);

    *ret_details = NULL;
    *ret_withheld = NULL;
    if (!repository_has_key(backup_repository(backup)))
        *ret_withheld = g_strdup("the repository is encrypted and no key was named: what is inside "
                                 "the backup is not shown");
    else if (engine == NULL)
        *ret_withheld = error_text(problem);
    else
        *ret_details = engine->describe(backup, error);
    return *ret_details != NULL || *ret_withheld != NULL;
}

json_t *describe_whole(Backup *backup, const CatalogBackup *row, const json_t *details)
{
    json_t *json = manifest_json(backup_manifest(backup));
    json_t *tables = json_object_get(details, "tables");
    json_t *rest = details != NULL ? json_copy((json_t *)details) : json_null();

    if (row != NULL)
        describe_state(json, row);
    json_object_set(json, "tables", tables != NULL ? tables : json_null());
    if (details != NULL)
        json_object_del(rest, "tables");
    json_object_set_new(json, "details", rest);
    return json;
}

char *describe_evidence(const json_t *manifest)
{
    const json_t *evidence = json_object_get(manifest, "evidence"), *entry;
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *state = NULL;
    gint64 moment;
    size_t index;

    if (evidence == NULL)
        return NULL;
    json_array_foreach(json_object_get(evidence, "used"), index, entry)
    {
        g_string_append_printf(text, "%s%s", index > 0 ? ", " : "", json_string_value(entry));
    }
    if (time_parse(json_get_string(evidence, "state", ""), NULL, &moment, NULL)) {
        state = describe_time(moment);
        g_string_append_printf(text, ": nothing was written since the base, up to %s", state);
    } else if (json_object_get(evidence, "reason") != NULL) {
        g_string_append_printf(text, ": %s", json_get_string(evidence, "reason", ""));
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

char *describe_time(gint64 when)
{
    return when != 0 ? time_format(when - when % TIME_SECOND) : g_strdup("");
}

json_t *describe_texts(const GPtrArray *texts)
{
    json_t *array = json_array();

    for (guint i = 0; texts != NULL && i < texts->len; i++)
        json_array_append_new(array, json_text(g_ptr_array_index(texts, i)));
    return array;
}
