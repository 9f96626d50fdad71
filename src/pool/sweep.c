/* SPDX-License-Identifier: Apache-2.0
 *
 * Pool garbage.
 *
 * What a mark says. It asks the store's time, then lists the leases, then reads the SHA256SUMS of
 * all committed backups. An object is dead to it when no SHA256SUMS names it and it is older than
 * both that time and the start of every live lease. No object is dead to a mark that sees a live
 * lease which it cannot read, or which uses a backup that is no longer there: nobody knows then
 * what is still needed.
 *
 * What is deleted. A sweep names dead objects in a tombstone. An object is deleted when a mark that
 * began after its tombstone was put finds it dead as well. The tombstone goes when all of its
 * objects are gone, and not before.
 *
 * Why no committed backup loses an object P that way. Let B be a backup that refers to P, and M the
 * mark by which a sweep deletes P, begun after the tombstone T was put. B takes its lease before it
 * reads or writes anything, names its base in it, looks at the tombstones and then for P itself,
 * commits, and only then gives the lease back.
 *
 *   1. B's lease was put before M listed the leases, and B was not over then. M saw it alive. If B
 *   wrote P, P is not older than the
 *      lease; if P is of an interrupted run that B takes over, P is not older than the `since` of
 *      B's lease, and that is what M goes by. If P is of B's base, the base either is still there, and M found P in its SHA256SUMS,
 *      or M saw that it is not. In each
 *      case P was not dead to M.
 *   2. B was over before M listed the leases. If it is committed, M, which reads the SHA256SUMS
 *   later, found P in B's own.
 *   3. B's lease was put after M listed the leases. If B wrote P, P is not older than M's time.
 *   Else B looks at the tombstones, and
 *      that is after T was put: it finds T and gives up, or T is gone, and then P was gone before
 *      that; B looks for P after the
 *      tombstones, misses it and gives up.
 *
 * None of this rests on anybody's clock but the store's own, nor on the grace time: that only lets
 * backups of case 3 finish which would have to give up else. Only "alive" in case 1 needs one thing
 * more: a process that is stopped for so long that its lease expires before it commits. It asks for
 * its lease once more after the commit, and where that has expired, it looks again at the
 * tombstones and for P. A sweep that took B for dead and did not see its commit has left T or has
 * deleted P: B takes its commit back (backup_writer_commit).
 *
 * Several sweeps at once do no harm, nor one that is stopped between its mark and its deletions for
 * however long: T stays while P is there, whoever works on it. Deleting twice is deleting once,
 * since a name never comes again: every pack carries the id of the backup that wrote it. Only a copy
 * of a backup brings a name back that was deleted before. Its lease goes back to the beginning, so
 * that each mark that begins while it lives finds nothing dead, and while T is there it gives up; it
 * does not see a sweep that was stopped before its deletions when another has ended them.
 *
 * A backup that is committed between a mark and its tombstone may leave a tombstone on an object
 * that is alive. It stays there, and is no threat. An incremental does not refer to such objects
 * but copies what it needs of them (pool_writer_new), so that it need not give up.
 */
#include "pool/sweep.h"

#include <string.h>

#include "base/error.h"
#include "pool/private.h"
#include "repo/lease.h"
#include "repo/tombstone.h"

#define SHARED_PREFIX "../../"

/* --- Mark ------------------------------------------------------------------------------------- */

typedef struct {
    GHashTable *live; /* digests that a SHA256SUMS names */
    gint64 before;    /* younger objects are not dead */
    gboolean blind;   /* nothing is dead */
} Mark;

static void mark_clear(Mark *mark)
{
    g_clear_pointer(&mark->live, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Mark, mark_clear)

/* Ids that live leases use go into `used`. */
static gboolean mark_leases(Repository *repository, Mark *mark, GHashTable *used, GError **error)
{
    g_autoptr(GPtrArray) views = NULL;

    if (!lease_list(repository, &views, error))
        return FALSE;
    for (guint i = 0; i < views->len; i++) {
        const LeaseView *view = views->pdata[i];

        if (!view->live)
            continue;
        mark->blind = mark->blind || !view->readable;
        mark->before = MIN(mark->before, view->since);
        for (guint j = 0; view->uses[j] != NULL; j++)
            g_hash_table_add(used, g_strdup(view->uses[j]));
    }
    return TRUE;
}

/* One that is deleted between the list and this reading is as if it had not been listed. */
static gboolean mark_backup(Repository *repository, const char *id, Mark *mark, GHashTable *used,
                            GError **error)
{
    g_autoptr(GError) local_error = NULL;
    g_autoptr(Checksums) checksums = backup_read_checksums(repository, id, &local_error);

    if (checksums == NULL) {
        if (error_is(local_error, ERROR_NOT_FOUND))
            return TRUE;
        g_prefix_error(&local_error, "the pool is left as it is: ");
        g_propagate_error(error, g_steal_pointer(&local_error));
        error_add_hint(error, "delete the backup, if it is lost: holdfast delete %s", id);
        return FALSE;
    }
    for (guint i = 0; i < checksums_count(checksums); i++) {
        const char *path = checksums_entry(checksums, i)->path;
        guint8 digest[SHA256_SIZE];

        if (g_str_has_prefix(path, SHARED_PREFIX) &&
            pool_object_digest(path + strlen(SHARED_PREFIX), digest) &&
            !g_hash_table_contains(mark->live, digest))
            g_hash_table_add(mark->live, g_memdup2(digest, SHA256_SIZE));
    }
    g_hash_table_remove(used, id);
    return TRUE;
}

/* The order of the three looks is what the argument above stands on. */
static gboolean mark_live(Repository *repository, Mark *mark, GError **error)
{
    g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) ids = NULL;

    mark->live = g_hash_table_new_full(pool_digest_hash, pool_digest_equal, g_free, NULL);
    if (!store_time(repository_store(repository), &mark->before, error) ||
        !mark_leases(repository, mark, used, error) || !backup_list(repository, &ids, error))
        return FALSE;
    for (guint i = 0; i < ids->len; i++) {
        if (!mark_backup(repository, ids->pdata[i], mark, used, error))
            return FALSE;
    }
    mark->blind = mark->blind || g_hash_table_size(used) > 0;
    return TRUE;
}

static gboolean is_dead(const Mark *mark, const guint8 digest[SHA256_SIZE], gint64 modified)
{
    return !mark->blind && modified < mark->before && !g_hash_table_contains(mark->live, digest);
}

/* --- Sweep ------------------------------------------------------------------------------------ */

typedef struct {
    Repository *repository;
    Store *store;
    gint64 grace;
    gboolean dry_run;
    GHashTable
        *unreferenced; /* digest to StoreInfo: what the first mark did not find in any SHA256SUMS */
    GHashTable *named; /* digests that a tombstone names already */
    PoolSweepResult result;
} Sweep;

typedef struct {
    Sweep *sweep;
    const Mark *mark;
} Listing;

static gboolean look_at_object(const char *name, const StoreInfo *info, gpointer data,
                               GError **error)
{
    Listing *listing = data;
    Sweep *sweep = listing->sweep;
    guint8 digest[SHA256_SIZE];

    if (!pool_object_digest(name, digest))
        return TRUE;
    if (g_hash_table_contains(listing->mark->live, digest)) {
        sweep->result.live++;
        return TRUE;
    }
    if (!is_dead(listing->mark, digest, info->modified))
        sweep->result.kept_young++;
    g_hash_table_insert(sweep->unreferenced, g_memdup2(digest, SHA256_SIZE),
                        g_memdup2(info, sizeof *info));
    return TRUE;
}

static gboolean delete_object(Sweep *sweep, const char *name, const guint8 digest[SHA256_SIZE],
                              const StoreInfo *info, GError **error)
{
    guint64 size = info->size;

    if (!sweep->dry_run && !store_delete(sweep->store, name, error))
        return FALSE;
    sweep->result.deleted++;
    sweep->result.deleted_bytes += size;
    g_hash_table_remove(sweep->unreferenced, digest);
    return TRUE;
}

static gboolean is_gone(Sweep *sweep, const char *name, gboolean *ret_gone, GError **error)
{
    g_autoptr(GError) local_error = NULL;
    StoreInfo info;

    *ret_gone = !store_stat(sweep->store, name, &info, &local_error);
    if (!*ret_gone || error_is(local_error, ERROR_NOT_FOUND))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&local_error));
    return FALSE;
}

/* Deletes one object, if the mark finds it dead; *ret_gone: it is not there any more. */
static gboolean bury_object(Sweep *sweep, const Mark *mark, const char *name, gboolean *ret_gone,
                            GError **error)
{
    const StoreInfo *info;
    guint8 digest[SHA256_SIZE];

    *ret_gone = FALSE;
    if (!pool_object_digest(name, digest) || g_hash_table_contains(mark->live, digest))
        return TRUE;
    info = g_hash_table_lookup(sweep->unreferenced, digest);
    if (info == NULL)
        return is_gone(sweep, name, ret_gone, error);
    if (!is_dead(mark, digest, info->modified))
        return TRUE;
    *ret_gone = TRUE;
    return delete_object(sweep, name, digest, info, error);
}

/* Deletes what the names say and the mark finds dead; *ret_done: all of it is gone. */
static gboolean bury(Sweep *sweep, const Mark *mark, const GPtrArray *names, gboolean *ret_done,
                     GError **error)
{
    *ret_done = TRUE;
    for (guint i = 0; i < names->len; i++) {
        gboolean gone;

        if (!bury_object(sweep, mark, names->pdata[i], &gone, error))
            return FALSE;
        *ret_done = *ret_done && gone;
    }
    return TRUE;
}

/* Those that are old enough. Each was put before the mark began. */
static gboolean bury_tombstones(Sweep *sweep, const Mark *mark, const GPtrArray *tombstones,
                                gint64 now, GError **error)
{
    for (guint i = 0; i < tombstones->len; i++) {
        const Tombstone *tombstone = tombstones->pdata[i];
        gboolean done;

        if (now - tombstone->modified < sweep->grace)
            continue;
        if (!bury(sweep, mark, tombstone->objects, &done, error))
            return FALSE;
        if (done && !sweep->dry_run && !store_delete(sweep->store, tombstone->name, error))
            return FALSE;
    }
    return TRUE;
}

static void collect_named(Sweep *sweep, const GPtrArray *tombstones)
{
    guint8 digest[SHA256_SIZE];

    for (guint i = 0; i < tombstones->len; i++) {
        const Tombstone *tombstone = tombstones->pdata[i];

        for (guint j = 0; j < tombstone->objects->len; j++) {
            if (pool_object_digest(tombstone->objects->pdata[j], digest))
                g_hash_table_add(sweep->named, g_memdup2(digest, SHA256_SIZE));
        }
    }
}

/* Puts tombstones on what is dead and has none. */
static gboolean put_tombstones(Sweep *sweep, const Mark *mark, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iterator;
    gpointer digest, info;

    g_hash_table_iter_init(&iterator, sweep->unreferenced);
    while (g_hash_table_iter_next(&iterator, &digest, &info)) {
        if (!is_dead(mark, digest, ((const StoreInfo *)info)->modified))
            continue;
        sweep->result.candidates++;
        if (g_hash_table_contains(sweep->named, digest))
            continue;
        g_ptr_array_add(names, pool_object_name(digest));
        if (names->len < TOMBSTONE_LIMIT)
            continue;
        if (!sweep->dry_run && !tombstone_write(sweep->repository, names, error))
            return FALSE;
        g_ptr_array_set_size(names, 0);
    }
    return names->len == 0 || sweep->dry_run || tombstone_write(sweep->repository, names, error);
}

/* With no grace time: the tombstones that were just put are done at once, with a mark of their
 * own. */
static gboolean bury_at_once(Sweep *sweep, GError **error)
{
    g_auto(Mark) mark = {0};
    g_autoptr(GPtrArray) tombstones = NULL;
    guint64 before = sweep->result.deleted;

    if (!tombstone_list(sweep->repository, &tombstones, error) ||
        !mark_live(sweep->repository, &mark, error) ||
        !bury_tombstones(sweep, &mark, tombstones, G_MAXINT64, error))
        return FALSE;
    sweep->result.candidates -= sweep->result.deleted - before;
    return TRUE;
}

/* What a dry run with no grace time would delete: all that is dead. */
static void count_at_once(Sweep *sweep, const Mark *mark)
{
    GHashTableIter iterator;
    gpointer digest, info;

    g_hash_table_iter_init(&iterator, sweep->unreferenced);
    while (g_hash_table_iter_next(&iterator, &digest, &info)) {
        if (!is_dead(mark, digest, ((const StoreInfo *)info)->modified))
            continue;
        sweep->result.deleted++;
        sweep->result.deleted_bytes += ((const StoreInfo *)info)->size;
    }
    sweep->result.candidates = 0;
}

static gboolean run(Sweep *sweep, GError **error)
{
    g_auto(Mark) mark = {0};
    g_autoptr(GPtrArray) tombstones = NULL;
    Listing listing = {.sweep = sweep, .mark = &mark};
    gint64 now;

    if (!store_time(sweep->store, &now, error) ||
        !tombstone_list(sweep->repository, &tombstones, error) ||
        !mark_live(sweep->repository, &mark, error) ||
        !store_list(sweep->store, POOL_PREFIX, look_at_object, &listing, error) ||
        !bury_tombstones(sweep, &mark, tombstones, now, error))
        return FALSE;
    collect_named(sweep, tombstones);
    if (!put_tombstones(sweep, &mark, error))
        return FALSE;
    if (sweep->grace > 0)
        return TRUE;
    if (!sweep->dry_run)
        return sweep->result.candidates == 0 || bury_at_once(sweep, error);
    count_at_once(sweep, &mark);
    return TRUE;
}

gboolean pool_sweep(Repository *repository, gint64 grace, gboolean dry_run,
                    PoolSweepResult *ret_result, GError **error)
{
    g_autoptr(GHashTable) unreferenced =
        g_hash_table_new_full(pool_digest_hash, pool_digest_equal, g_free, g_free);
    g_autoptr(GHashTable) named =
        g_hash_table_new_full(pool_digest_hash, pool_digest_equal, g_free, NULL);
    Sweep sweep = {.repository = repository,
                   .store = repository_store(repository),
                   .grace = grace,
                   .dry_run = dry_run,
                   .unreferenced = unreferenced,
                   .named = named};

    if (grace < 0) {
        error_set(error, ERROR_INTERNAL, "a grace time cannot be negative");
        return FALSE;
    }
    if (!run(&sweep, error))
        return FALSE;
    *ret_result = sweep.result;
    return TRUE;
}
