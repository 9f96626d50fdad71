/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking at a backup: the details for `show`.
 */
#include "tdengine/backup.h"
#include "tdengine/details.h"

static json_t *describe_tables(const TdDetails *details)
{
    json_t *array = json_array();

    for (guint i = 0; i < details->tables->len; i++) {
        const TdTable *table = g_ptr_array_index(details->tables, i);
        json_t *json = td_table_to_json(table);

        /* For programs that restore: not for eyes. */
        json_object_del(json, "options");
        json_object_del(json, "plan");
        json_array_append_new(array, json);
    }
    return array;
}

json_t *td_describe(Backup *backup, GError **error)
{
    g_autoptr(TdDetails) details = NULL;
    json_t *json, *databases = NULL, *objects = NULL, *answers;

    if (!td_details_read(backup, &details, error))
        return NULL;
    databases = json_array();
    objects = json_array();
    answers = json_array();
    for (guint i = 0; i < details->answers->len; i++)
        json_array_append_new(answers, json_text(details->answers->pdata[i]));
    for (guint i = 0; i < details->databases->len; i++)
        json_array_append_new(databases,
                              td_database_to_json(g_ptr_array_index(details->databases, i)));
    for (guint i = 0; i < details->objects->len; i++)
        json_array_append_new(objects, td_object_to_json(g_ptr_array_index(details->objects, i)));
    json = json_object();
    json_object_set_new(json, "server_version", json_text(details->server_version));
    json_object_set_new(json, "cluster_id", json_text(details->cluster_id));
    json_object_set_new(json, "transport", json_text(details->transport));
    json_object_set_new(json, "slices", json_integer(details->slices->len));
    json_object_set_new(json, "databases", databases);
    json_object_set_new(json, "tables", describe_tables(details));
    json_object_set_new(json, "objects", objects);
    json_object_set_new(json, "answers", answers);
    return json;
}
