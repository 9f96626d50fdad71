/* SPDX-License-Identifier: Apache-2.0
 *
 * Backups as JSON and as words.
 */
#include "cli/describe.h"

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
