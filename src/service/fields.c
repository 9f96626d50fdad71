/* SPDX-License-Identifier: Apache-2.0
 *
 * From fields to the words of a command.
 */
#include "service/fields.h"

#include <limits.h>
#include <string.h>

#include "base/error.h"
#include "base/suggest.h"

static char *field_name(const GOptionEntry *entry)
{
    return g_strdelimit(g_strdup(entry->long_name), "-", '_');
}

static gboolean is_field(const GOptionEntry *entry)
{
    return (entry->flags & G_OPTION_FLAG_HIDDEN) == 0;
}

static const GOptionEntry *find_entry(const GOptionEntry *entries, const char *name)
{
    for (const GOptionEntry *entry = entries; entry != NULL && entry->long_name != NULL; entry++) {
        g_autofree char *field = field_name(entry);

        if (is_field(entry) && strcmp(field, name) == 0)
            return entry;
    }
    return NULL;
}

static gboolean refuse_unknown(const GOptionEntry *entries, const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *nearest;

    for (const GOptionEntry *entry = entries; entry != NULL && entry->long_name != NULL; entry++) {
        if (is_field(entry))
            g_ptr_array_add(names, field_name(entry));
    }
    g_ptr_array_add(names, NULL);
    error_set(error, ERROR_USAGE, "there is no field \"%s\"", name);
    nearest = suggest_nearest(name, (const char *const *)names->pdata);
    if (nearest != NULL)
        error_add_hint(error, "did you mean %s?", nearest);
    return FALSE;
}

static gboolean refuse_type(const char *name, const char *wanted, GError **error)
{
    error_set(error, ERROR_USAGE, "the field %s must be %s", name, wanted);
    return FALSE;
}

static void add_word(GStrvBuilder *words, const GOptionEntry *entry, const char *value)
{
    g_autofree char *word = g_strdup_printf("--%s=%s", entry->long_name, value);

    g_strv_builder_add(words, word);
}

static gboolean add_list(const GOptionEntry *entry, const char *name, const json_t *value,
                         GStrvBuilder *words, GError **error)
{
    const json_t *item;
    size_t index;

    if (json_is_string(value)) {
        add_word(words, entry, json_string_value(value));
        return TRUE;
    }
    if (!json_is_array(value))
        return refuse_type(name, "a list of texts", error);
    json_array_foreach(value, index, item)
    {
        if (!json_is_string(item))
            return refuse_type(name, "a list of texts", error);
        add_word(words, entry, json_string_value(item));
    }
    return TRUE;
}

static gboolean add_field(const GOptionEntry *entry, const char *name, const json_t *value,
                          GStrvBuilder *words, GError **error)
{
    g_autofree char *switch_word = g_strconcat("--", entry->long_name, NULL);
    g_autofree char *number = NULL;

    switch (entry->arg) {
    case G_OPTION_ARG_NONE:
        if (!json_is_boolean(value))
            return refuse_type(name, "true or false", error);
        if (json_is_true(value))
            g_strv_builder_add(words, switch_word);
        return TRUE;
    case G_OPTION_ARG_INT:
        if (!json_is_integer(value) || json_integer_value(value) < INT_MIN ||
            json_integer_value(value) > INT_MAX)
            return refuse_type(name, "a whole number", error);
        number = g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
        add_word(words, entry, number);
        return TRUE;
    case G_OPTION_ARG_STRING_ARRAY:
    case G_OPTION_ARG_FILENAME_ARRAY:
        return add_list(entry, name, value, words, error);
    default:
        if (!json_is_string(value))
            return refuse_type(name, "a text", error);
        add_word(words, entry, json_string_value(value));
        return TRUE;
    }
}

gboolean fields_to_words(const GOptionEntry *entries, const json_t *body, GStrvBuilder *words,
                         GError **error)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)body, name, value)
    {
        const GOptionEntry *entry = find_entry(entries, name);

        if (entry == NULL)
            return refuse_unknown(entries, name, error);
        if (!json_is_null(value) && !add_field(entry, name, value, words, error))
            return FALSE;
    }
    return TRUE;
}
