/* SPDX-License-Identifier: Apache-2.0
 *
 * vnode.json and current.json.
 */
#include "tdengine/file-sets.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"

/* The one form of current.json that is known. */
#define FORMAT_VERSION 1
/* Minutes: the server allows ten years less. */
#define UNIT_MINUTES_MAX (3650 * 24 * 60)

/* --- A vnode ---------------------------------------------------------------------------------- */

/* Numbers stand there as text. */
static gboolean need_number(const json_t *object, const char *key, gint64 least, gint64 most,
                            const char *what, gint64 *ret_number, GError **error)
{
    const char *text;

    if (!json_need_string(object, key, what, &text, error))
        return FALSE;
    if (g_ascii_string_to_signed(text, 10, least, most, ret_number, NULL))
        return TRUE;
    error_set(error, ERROR_FORMAT, "%s has a %s that is not known: %s", what, key, text);
    return FALSE;
}

void td_vnode_clear(TdVnode *vnode)
{
    g_clear_pointer(&vnode->database, g_free);
}

gboolean td_vnode_parse(const char *bytes, gsize length, const char *what, TdVnode *ret_vnode,
                        GError **error)
{
    g_autoptr(json_t) json = json_read_object(bytes, length, what, error);
    const json_t *config = json_object_get(json, "config"), *state = json_object_get(json, "state");
    TdVnode vnode = {0};
    gint64 minutes, precision;
    const char *name, *dot;

    if (json == NULL || !need_number(config, "vgId", 1, G_MAXINT32, what, &vnode.id, error) ||
        !json_need_string(config, "dbname", what, &name, error) ||
        !need_number(config, "syncCfg.replicaNum", 1, 64, what, &vnode.replicas, error) ||
        !need_number(config, "precision", TD_MILLISECONDS, TD_NANOSECONDS, what, &precision,
                     error) ||
        !need_number(config, "daysPerFile", 1, UNIT_MINUTES_MAX, what, &minutes, error) ||
        !need_number(state, "commit version", -1, G_MAXINT64, what, &vnode.committed, error))
        return FALSE;
    /* An account's number stands before it. */
    dot = strchr(name, '.');
    if (dot == NULL || dot[1] == '\0') {
        error_set(error, ERROR_FORMAT, "%s has a dbname that is not known", what);
        return FALSE;
    }
    vnode.database = g_strdup(dot + 1);
    vnode.unit = minutes * 60 * td_ticks((TdPrecision)precision);
    *ret_vnode = vnode;
    return TRUE;
}

/* --- Its file sets ---------------------------------------------------------------------------- */

static gboolean unknown_form(const char *what, const char *key, GError **error)
{
    error_set(error, ERROR_FORMAT, "%s has a form that is not known: %s", what, key);
    return FALSE;
}

static gboolean take_file(const json_t *file, const char *what, gint64 *highest, GError **error)
{
    const json_t *version = json_object_get(file, "maxVer");

    if (!json_is_integer(version))
        return unknown_form(what, "maxVer", error);
    *highest = MAX(*highest, json_integer_value(version));
    return TRUE;
}

static gboolean take_levels(const json_t *levels, const char *what, gint64 *highest, GError **error)
{
    const json_t *level, *file;
    size_t i, j;

    if (!json_is_array(levels))
        return unknown_form(what, "stt lvl", error);
    json_array_foreach(levels, i, level)
    {
        const json_t *files = json_object_get(level, "files");

        if (!json_is_array(files))
            return unknown_form(what, "files", error);
        json_array_foreach(files, j, file)
        {
            if (!take_file(file, what, highest, error))
                return FALSE;
        }
    }
    return TRUE;
}

/* What is not known may be a kind of file, which may hold writes. */
static gboolean take_files(json_t *set, const char *what, gint64 *highest, GError **error)
{
    static const char *const files[] = {"head", "data", "sma", "tomb", NULL};
    static const char *const notes[] = {"fid", "last compact", "last commit", "last migrate", NULL};
    const char *key;
    json_t *value;

    json_object_foreach(set, key, value)
    {
        if (strcmp(key, "stt lvl") == 0) {
            if (!take_levels(value, what, highest, error))
                return FALSE;
        } else if (g_strv_contains(files, key)) {
            if (!take_file(value, what, highest, error))
                return FALSE;
        } else if (!g_strv_contains(notes, key) || !json_is_integer(value)) {
            return unknown_form(what, key, error);
        }
    }
    return TRUE;
}

static gboolean take_set(json_t *set, const char *what, gint64 unit, gint64 since, GArray *dirty,
                         GError **error)
{
    const json_t *fid = json_object_get(set, "fid");
    gint64 highest = G_MININT64;
    TdPlace place;

    if (!json_is_integer(fid) ||
        __builtin_mul_overflow((gint64)json_integer_value(fid), unit, &place.from) ||
        __builtin_add_overflow(place.from, unit, &place.to))
        return unknown_form(what, "fid", error);
    if (!take_files(set, what, &highest, error))
        return FALSE;
    if (highest > since)
        g_array_append_val(dirty, place);
    return TRUE;
}

gboolean td_file_sets_parse(const char *bytes, gsize length, const char *what, gint64 unit,
                            gint64 since, GArray *dirty, GError **error)
{
    g_autoptr(json_t) json = json_read_object(bytes, length, what, error);
    const guint before = dirty->len;
    guint64 version;
    json_t *sets, *set;
    size_t index;

    if (json == NULL || !json_need_uint(json, "fmtv", what, &version, error) ||
        !json_need_array(json, "fset", what, &sets, error))
        return FALSE;
    if (version != FORMAT_VERSION)
        return unknown_form(what, "fmtv", error);
    json_array_foreach(sets, index, set)
    {
        if (take_set(set, what, unit, since, dirty, error))
            continue;
        g_array_set_size(dirty, before);
        return FALSE;
    }
    return TRUE;
}
