/* SPDX-License-Identifier: Apache-2.0
 *
 * Leases: taking, renewing, giving back. Reading those of others is in lease-view.c.
 *
 * Why at most one holds an exclusive key, with no lock and no compare-and-swap: a contender first
 * puts its own lease and then lists, and it has won only with a listing, begun after its put was
 * done, that shows no other live lease with the key. Suppose that two have won and that A's put was
 * done before B's. B's winning listing began after B's put, so after A's; A's lease was in the
 * store all the time, so B saw it, and did not win. For "all the time" a renewal never takes away
 * the newest object that a listing could have begun to look for: it puts the next one and deletes
 * the one before the last, so that some object of the lease stands unchanged through every listing
 * that is shorter than a renewal's period.
 *
 * Two that see each other must not both give up for ever: the one with the larger id withdraws
 * first, the one with the smaller waits a moment for that. An established holder never withdraws,
 * so who waits in vain withdraws too. Ids begin with the time, so that against an established
 * holder it is nearly always the newcomer that gives up, after a few looks: the run file of a
 * holder that was killed stays locked for as long as a child that it was just starting has not yet
 * closed what it inherited.
 *
 * A lease that looked dead to others must not come back to life (the machine was suspended, the
 * network was down): others may have deleted by then. When two successive objects are further
 * apart, by the store's clock, than a lease may be silent, the lease is lost for good.
 */
#include "repo/lease.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/time.h"
#include "repo/document.h"
#include "repo/lease-identity.h"

/* Others take a lease for dead after LEASE_EXPIRY; its holder stops trusting it this much
 * earlier. */
#define SAFETY_MARGIN (2 * TIME_MINUTE)
#define RETRY_PERIOD  (10 * TIME_SECOND)
#define WAIT_LIMIT    (2 * TIME_SECOND)
#define WAIT_STEP     (50 * 1000)
/* Looks at an older holder before it is believed. */
#define HOLDER_LOOKS 4

struct Lease {
    Repository *repository;
    char *id, *source, *type;
    gint64 since;
    json_t *document; /* without "renewal" */
    RunFile *run;
    GThread *thread;
    GMutex mutex; /* guards what follows */
    GCond stopped;
    gboolean stop;
    gboolean lost;
    guint64 next;    /* number of the next object */
    guint64 newest;  /* number of the newest object that is known to be there */
    guint64 oldest;  /* number of the oldest object that may still be there */
    gint64 modified; /* of the newest object, by the store's clock */
};

static gint64 renewal_period = LEASE_RENEWAL;

void lease_set_renewal_period(gint64 period)
{
    renewal_period = period > 0 ? period : LEASE_RENEWAL;
}

static char *object_name(const Lease *lease, guint64 number)
{
    return g_strdup_printf("leases/%s.%06" G_GUINT64_FORMAT, lease->id, number);
}

const char *lease_id(const Lease *lease)
{
    return lease->id;
}

const char *lease_source(const Lease *lease)
{
    return lease->source;
}

const char *lease_type(const Lease *lease)
{
    return lease->type;
}

gint64 lease_since(const Lease *lease)
{
    return lease->since;
}

/* --- Objects ---------------------------------------------------------------------------------- */

static json_t *list_ids(const char *const *ids)
{
    json_t *list = json_array();

    for (; ids != NULL && *ids != NULL; ids++)
        json_array_append_new(list, json_text(*ids));
    return list;
}

static json_t *make_document(const Lease *lease, const LeaseRequest *request, gint64 started)
{
    const LeaseIdentity *identity = lease_identity();
    g_autofree char *when = time_format(started);
    g_autofree char *since = time_format(lease->since);
    json_t *document = json_object();

    json_object_set_new(document, "format_version", json_integer(REPOSITORY_FORMAT_VERSION));
    json_object_set_new(document, "id", json_text(lease->id));
    json_object_set_new(document, "operation", json_text(request->operation));
    json_object_set_new(document, "source", json_text(request->source));
    json_object_set_new(document, "type", json_text(request->type));
    json_object_set_new(document, "exclusive", json_text(request->exclusive));
    json_object_set_new(document, "backup", json_text(request->backup));
    json_object_set_new(document, "uses", list_ids(request->uses));
    json_object_set_new(document, "deletes", list_ids(request->deletes));
    json_object_set_new(document, "started", json_text(when));
    json_object_set_new(document, "since", json_text(since));
    json_object_set_new(document, "host", json_text(identity->host));
    json_object_set_new(document, "machine_id", json_text(identity->machine_id));
    json_object_set_new(document, "boot_id", json_text(identity->boot_id));
    json_object_set_new(document, "run_file", json_text(run_file_path(lease->run)));
    json_object_set_new(document, "tool_version", json_text(HOLDFAST_VERSION));
    return document;
}

/* Puts the next object and learns how the store dates it. */
static gboolean put_object(Lease *lease, gint64 *ret_modified, GError **error)
{
    Store *store = repository_store(lease->repository);
    g_autofree char *name = object_name(lease, lease->next);
    g_autofree char *text = NULL;
    StoreInfo info;

    json_object_set_new(lease->document, "renewal", json_integer((json_int_t)lease->next));
    text = json_write(lease->document, TRUE);
    /* Counted before the answer is known: release deletes up to here. */
    lease->next++;
    if (!document_put(store, name, text, strlen(text), NULL, error) ||
        !store_stat(store, name, &info, error))
        return FALSE;
    lease->newest = lease->next - 1;
    *ret_modified = info.modified;
    return TRUE;
}

/* Objects that cannot be deleted now are tried again with the next call. */
static gboolean remove_objects_before(Lease *lease, guint64 end)
{
    while (lease->oldest < end) {
        g_autofree char *name = object_name(lease, lease->oldest);
        g_autoptr(GError) error = NULL;

        if (!store_delete(repository_store(lease->repository), name, &error)) {
            g_autofree char *text = error_text(error);

            log_write(LOG_WARNING, "cannot delete the old lease %s: %s", name, text);
            return FALSE;
        }
        lease->oldest++;
    }
    return TRUE;
}

/* --- Renewal ---------------------------------------------------------------------------------- */

static gboolean renew(Lease *lease, GError **error)
{
    guint64 previous = lease->newest;
    gint64 modified;

    if (!put_object(lease, &modified, error))
        return FALSE;
    if (modified - lease->modified > LEASE_EXPIRY - SAFETY_MARGIN) {
        lease->lost = TRUE;
        error_set(error, ERROR_TIMEOUT, "lease %s was not renewed in time", lease->id);
        return FALSE;
    }
    lease->modified = modified;
    (void)remove_objects_before(lease, previous);
    return TRUE;
}

static gpointer renew_until_stopped(gpointer data)
{
    Lease *lease = data;
    gint64 next = time_monotonic() + renewal_period;

    g_mutex_lock(&lease->mutex);
    while (!lease->stop) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;

        if (g_cond_wait_until(&lease->stopped, &lease->mutex, next) || lease->lost)
            continue;
        next = time_monotonic() + renewal_period;
        if (renew(lease, &error))
            continue;
        next = time_monotonic() + MIN(RETRY_PERIOD, renewal_period);
        text = error_text(error);
        log_write(LOG_WARNING, "cannot renew lease %s: %s", lease->id, text);
    }
    g_mutex_unlock(&lease->mutex);
    return NULL;
}

gboolean lease_check(Lease *lease, GError **error)
{
    gint64 now;
    gboolean alive;

    if (!store_time(repository_store(lease->repository), &now, error))
        return FALSE;
    g_mutex_lock(&lease->mutex);
    alive = !lease->lost && now - lease->modified <= LEASE_EXPIRY - SAFETY_MARGIN;
    lease->lost = !alive;
    g_mutex_unlock(&lease->mutex);
    if (alive)
        return TRUE;
    error_set(error, ERROR_TIMEOUT, "lease %s on %s could not be renewed in time", lease->id,
              store_location(repository_store(lease->repository)));
    error_add_hint(error,
                   "the repository was not writable, or this machine slept: run the command again");
    return FALSE;
}

/* --- Taking ----------------------------------------------------------------------------------- */

typedef enum { CONTEND_WON, CONTEND_WAIT, CONTEND_LOST } Contend;

static void set_busy(const LeaseView *holder, const char *exclusive, GError **error)
{
    g_autofree char *since = time_format(holder->started);

    if (!holder->readable) {
        error_set(error, ERROR_BUSY, "%s may be busy: lease %s cannot be read", exclusive,
                  holder->id);
        error_add_hint(error, "it ends by itself ten minutes after its last renewal");
        return;
    }
    error_set(error, ERROR_BUSY, "%s is busy: a %s has been running on host %s since %s", exclusive,
              holder->operation, holder->host, since);
    error_add_hint(error, "wait for its end and run the command again");
}

/* One look at the others. */
static gboolean look_at_others(Lease *lease, const char *exclusive, Contend *ret_result,
                               GError **ret_busy, GError **error)
{
    g_autoptr(GPtrArray) views = NULL;
    Contend result = CONTEND_WON;

    if (!lease_list(lease->repository, &views, error))
        return FALSE;
    for (guint i = 0; i < views->len; i++) {
        const LeaseView *view = views->pdata[i];

        if (!view->live || strcmp(view->id, lease->id) == 0)
            continue;
        /* One that cannot be read may be about anything. */
        if (view->readable && g_strcmp0(view->exclusive, exclusive) != 0)
            continue;
        g_clear_error(ret_busy);
        set_busy(view, exclusive, ret_busy);
        result = strcmp(view->id, lease->id) < 0 ? CONTEND_LOST : CONTEND_WAIT;
        if (result == CONTEND_LOST)
            break;
    }
    *ret_result = result;
    return TRUE;
}

static gboolean contend(Lease *lease, const char *exclusive, GError **error)
{
    gint64 deadline = time_monotonic() + WAIT_LIMIT;
    g_autoptr(GError) busy = NULL;

    for (guint looks = 1;; looks++) {
        Contend result;

        if (!look_at_others(lease, exclusive, &result, &busy, error))
            return FALSE;
        if (result == CONTEND_WON)
            return TRUE;
        if (result == CONTEND_LOST ? looks >= HOLDER_LOOKS : time_monotonic() >= deadline)
            break;
        g_usleep(WAIT_STEP);
    }
    g_propagate_error(error, g_steal_pointer(&busy));
    return FALSE;
}

static RunFile *take_run_file(const char *directory, const char *id, GError **error)
{
    g_autofree char *absolute = g_canonicalize_filename(directory, NULL);
    g_autofree char *path = g_strdup_printf("%s/%s.run", absolute, id);

    if (!directory_make(absolute, 0700, error))
        return NULL;
    return run_file_acquire(path, id, error);
}

Lease *lease_acquire(Repository *repository, const LeaseRequest *request, GError **error)
{
    g_autoptr(Lease) lease = g_new0(Lease, 1);
    g_autofree char *when = NULL;
    g_autofree char *random = random_name(8);
    gint64 now;

    lease->repository = repository_ref(repository);
    g_mutex_init(&lease->mutex);
    g_cond_init(&lease->stopped);
    if (!store_time(repository_store(repository), &now, error))
        return NULL;
    when = time_format_compact(now);
    lease->id = g_strdup_printf("%s-%s", when, random);
    lease->source = g_strdup(request->source);
    lease->type = g_strdup(request->type);
    lease->since = request->since > 0 ? MIN(request->since, now) : now;
    /* The run file is locked before the lease can be seen: a lease with a free run file is dead. */
    lease->run = take_run_file(request->runtime_directory, lease->id, error);
    if (lease->run == NULL)
        return NULL;
    lease->document = make_document(lease, request, now);
    if (!put_object(lease, &lease->modified, error))
        return NULL;
    if (request->exclusive != NULL && !contend(lease, request->exclusive, error))
        return NULL;
    lease->thread = g_thread_new("lease", renew_until_stopped, lease);
    return g_steal_pointer(&lease);
}

/* Where the lease stays in the store, the run file stays too, free: so others on this machine see
 * at once that the lease is dead, instead of waiting for its expiry. */
static void end_objects(Lease *lease)
{
    if (!remove_objects_before(lease, lease->next) && !remove_objects_before(lease, lease->next))
        run_file_abandon(g_steal_pointer(&lease->run));
}

void lease_release(Lease *lease)
{
    if (lease == NULL)
        return;
    if (lease->thread != NULL) {
        g_mutex_lock(&lease->mutex);
        lease->stop = TRUE;
        g_cond_signal(&lease->stopped);
        g_mutex_unlock(&lease->mutex);
        g_thread_join(lease->thread);
    }
    end_objects(lease);
    run_file_release(lease->run);
    if (lease->document != NULL)
        json_decref(lease->document);
    g_cond_clear(&lease->stopped);
    g_mutex_clear(&lease->mutex);
    repository_unref(lease->repository);
    g_free(lease->id);
    g_free(lease->source);
    g_free(lease->type);
    g_free(lease);
}
