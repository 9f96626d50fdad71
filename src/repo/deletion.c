/* SPDX-License-Identifier: Apache-2.0
 *
 * Announcing deletions, and waiting for them.
 */
#include "repo/deletion.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "repo/backup.h"

#define WAIT_LIMIT TIME_MINUTE
#define WAIT_STEP  (20 * 1000)

Lease *deletion_announce(Repository *repository, const char *const *ids,
                         const char *runtime_directory)
{
    const LeaseRequest request = {.operation = "delete",
                                  .deletes = ids,
                                  .runtime_directory = runtime_directory};
    g_autoptr(GError) problem = NULL;
    Lease *lease = lease_acquire(repository, &request, &problem);

    if (lease == NULL) {
        g_autofree char *text = error_text(problem);

        log_write(LOG_WARNING, "backups are deleted without saying so in a lease: %s", text);
    }
    return lease;
}

static gboolean is_announced(Repository *repository, const char *id, gboolean *ret_announced,
                             GError **error)
{
    g_autoptr(GPtrArray) views = NULL;

    if (!lease_list(repository, &views, error))
        return FALSE;
    *ret_announced = FALSE;
    for (guint i = 0; i < views->len; i++) {
        const LeaseView *view = views->pdata[i];

        if (view->live && g_strv_contains((const char *const *)view->deletes, id))
            *ret_announced = TRUE;
    }
    return TRUE;
}

/* The leases are listed first: where no deletion is announced there, whoever announces one later
 * sees the caller's lease, and what is there now stays. The commit object goes first, so that nobody
 * waits for the rest of a deletion. */
static gboolean wait_for(Repository *repository, const char *id, GError **error)
{
    gint64 deadline = time_monotonic() + WAIT_LIMIT;
    gboolean announced, committed;

    for (;;) {
        if (!is_announced(repository, id, &announced, error) ||
            !backup_is_committed(repository, id, &committed, error))
            return FALSE;
        if (!committed) {
            error_set(error, ERROR_VANISHED, "backup %s was deleted just now", id);
            return FALSE;
        }
        if (!announced)
            return TRUE;
        if (time_monotonic() >= deadline)
            break;
        g_usleep(WAIT_STEP);
    }
    error_set(error, ERROR_BUSY, "backup %s is being deleted", id);
    error_add_hint(error, "name another backup, or run the command again");
    return FALSE;
}

gboolean deletion_wait(Repository *repository, const char *const *uses, GError **error)
{
    for (gsize i = 0; uses[i] != NULL; i++) {
        if (!wait_for(repository, uses[i], error))
            return FALSE;
    }
    return TRUE;
}
