/* SPDX-License-Identifier: Apache-2.0
 *
 * Leaving names out.
 */
#include "operation/clear.h"

#include <string.h>

#include "base/error.h"

char *clear_text(const Repository *repository, const GError *problem)
{
    if (problem == NULL)
        return NULL;
    return repository_is_encrypted(repository) ? g_strdup(error_info_of(problem)->summary)
                                               : error_text(problem);
}

json_t *clear_json(const Repository *repository, const json_t *document)
{
    static const char *const harmless[] = {"backup", "amcheck", "fingerprints", NULL};
    json_t *clear;
    const char *key;
    json_t *value;

    if (document == NULL || !repository_is_encrypted(repository))
        return json_incref((json_t *)document);
    clear = json_object();
    json_object_foreach((json_t *)document, key, value)
    {
        if (json_is_number(value) || json_is_boolean(value) || g_strv_contains(harmless, key))
            json_object_set(clear, key, value);
        else if (json_is_array(value))
            json_object_set_new(clear, key, json_integer((json_int_t)json_array_size(value)));
    }
    return clear;
}
