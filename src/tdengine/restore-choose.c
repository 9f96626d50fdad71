/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking through the backups of a source.
 */
#include "tdengine/restore-choose.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"

/* All whole backups of a source in the order of their states, or of any source where it is NULL; an
 * array of Backup. One that cannot be read is no state: others may do. */
static GPtrArray *list_states(Repository *repository, const char *source, GError **error)
{
    g_autoptr(GPtrArray) ids = NULL;
    g_autoptr(GPtrArray) states = g_ptr_array_new_with_free_func((GDestroyNotify)backup_unref);

    if (!backup_list(repository, &ids, error))
        return NULL;
    for (guint i = 0; i < ids->len; i++) {
        g_autoptr(GError) problem = NULL;
        g_autoptr(Backup) backup = backup_open(repository, g_ptr_array_index(ids, i), &problem);
        const Manifest *manifest = backup != NULL ? backup_manifest(backup) : NULL;

        if (backup == NULL) {
            g_autofree char *text = error_text(problem);

            log_write(LOG_WARNING, "passed over: %s", text);
        } else if (strcmp(manifest_engine(manifest), "tdengine") == 0 &&
                   !manifest_partial(manifest) &&
                   (source == NULL || strcmp(manifest_source(manifest), source) == 0)) {
            g_ptr_array_add(states, g_steal_pointer(&backup));
        }
    }
    return g_steal_pointer(&states);
}

/* FALSE: the rows were read, from start to stop. */
static gboolean looked_at(const Manifest *manifest, gint64 *ret_when)
{
    g_autoptr(json_t) json = manifest_json(manifest);
    const char *state = json_get_string(json_object_get(json, "evidence"), "state", NULL);

    return state != NULL && time_parse(state, NULL, ret_when, NULL);
}

gint64 td_state_time(const Manifest *manifest)
{
    gint64 when;

    return looked_at(manifest, &when) ? when : manifest_stop(manifest);
}

gint64 td_state_complete(const Manifest *manifest)
{
    gint64 when;

    return looked_at(manifest, &when) ? when : manifest_start(manifest);
}

static gint64 state_time(const GPtrArray *states, guint index)
{
    return td_state_time(backup_manifest(g_ptr_array_index(states, index)));
}

static gboolean refuse(const GPtrArray *states, gint64 target, GError **error)
{
    g_autofree char *wanted = time_format(target);
    gint64 first = state_time(states, 0), last = first;
    g_autofree char *first_text = NULL, *last_text = NULL;

    for (guint i = 1; i < states->len; i++) {
        first = MIN(first, state_time(states, i));
        last = MAX(last, state_time(states, i));
    }
    first_text = time_format(first);
    last_text = time_format(last);
    error_set(error, ERROR_REFUSED, "%s is outside of what can be restored: %s to %s", wanted,
              first_text, last_text);
    if (target > last)
        error_add_hint(error, "the newest state is that of %s", last_text);
    return FALSE;
}

gboolean td_restore_choose(Repository *repository, const ConfigSource *source,
                           const EngineTarget *target, Backup **ret_backup, char **ret_reason,
                           GCancellable *cancellable, GError **error)
{
    g_autoptr(GPtrArray) states = list_states(repository, source->name, error);
    g_autofree char *wanted = time_format(target->time), *when = NULL;
    Backup *best = NULL;
    gboolean later = FALSE;

    if (states == NULL)
        return FALSE;
    if (states->len == 0) {
        error_set(error, ERROR_NOT_FOUND, "there is no whole backup of source %s", source->name);
        return FALSE;
    }
    for (guint i = 0; i < states->len; i++) {
        later = later || state_time(states, i) >= target->time;
        if (state_time(states, i) <= target->time &&
            (best == NULL || state_time(states, i) >= td_state_time(backup_manifest(best))))
            best = g_ptr_array_index(states, i);
    }
    if (best == NULL || !later)
        return refuse(states, target->time, error);
    when = time_format(td_state_time(backup_manifest(best)));
    *ret_reason = g_strdup_printf("the newest state at or before %s is that of %s", wanted, when);
    *ret_backup = backup_ref(best);
    return TRUE;
}

gboolean td_restore_follow(Backup *backup, Backup **ret_following, GError **error)
{
    const Manifest *manifest = backup_manifest(backup);
    g_autoptr(GPtrArray) states =
        list_states(backup_repository(backup), manifest_source(manifest), error);
    Backup *next = NULL;

    if (states == NULL)
        return FALSE;
    for (guint i = 0; i < states->len; i++)
        if (state_time(states, i) > td_state_time(manifest) &&
            (next == NULL || state_time(states, i) < td_state_time(backup_manifest(next))))
            next = g_ptr_array_index(states, i);
    *ret_following = next != NULL ? backup_ref(next) : NULL;
    return TRUE;
}
