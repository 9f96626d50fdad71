/* SPDX-License-Identifier: Apache-2.0
 *
 * Planning a physical restore: everything that could fail is looked at, nothing is changed.
 */
#include "postgres/physical-plan.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/size.h"
#include "base/time.h"
#include "postgres/recovery-settings.h"

/* What is left free on a file system that a restore fills. */
#define SPACE_RESERVE ((guint64)64 << 20)
#define NAMED_SPACES  8

void pg_physical_plan_free(EnginePlan *base)
{
    PgPhysicalPlan *plan = (PgPhysicalPlan *)(void *)base;

    if (plan == NULL)
        return;
    engine_plan_clear(&plan->base);
    pg_physical_free(plan->physical);
    pg_place_free(plan->place);
    wal_inventory_free(plan->inventory);
    pg_route_free(plan->route);
    pg_target_scan_free(plan->scan);
    g_free(plan->target_value);
    g_free(plan);
}

static void free_plan(PgPhysicalPlan *plan)
{
    pg_physical_plan_free((EnginePlan *)(void *)plan);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgPhysicalPlan, free_plan)

/* A check whose failure is a problem of the plan, so that the others are looked at too. */
static void note(PgPhysicalPlan *plan, gboolean passed, GError **problem)
{
    if (!passed)
        engine_plan_problem(&plan->base, g_steal_pointer(problem));
}

/* --- where it goes ---------------------------------------------------------------------------- */

static gboolean check_request(const EngineRestore *request, GError **error)
{
    gboolean extract =
        request->tables != NULL || request->databases != NULL || request->to_database != NULL;

    if (extract && request->place->directory != NULL) {
        error_set(error, ERROR_USAGE, "a restore goes into a directory or into a database");
        error_add_hint(error, "leave out --target-directory, or --tables, --databases and "
                              "--to-database");
        return FALSE;
    }
    if (!extract && !request->drill && request->place->directory == NULL) {
        error_set(error, ERROR_USAGE, "where shall the physical backup be restored to?");
        error_add_hint(error, "name a directory with --target-directory, or tables with --tables "
                              "and --to-database");
        return FALSE;
    }
    if (request->place->standby && request->recovery->to == RECOVER_STATE) {
        error_set(error, ERROR_USAGE, "--standby goes with restore postgresql pitr");
        return FALSE;
    }
    if (request->place->standby && request->place->start &&
        request->recovery->to == RECOVER_LATEST) {
        error_set(
            error, ERROR_USAGE,
            "a standby that follows the archive reaches no target that --start could wait for");
        error_add_hint(error, "leave --start out, and start the server when it is restored");
        return FALSE;
    }
    return TRUE;
}

/* "OLD=NEW": OLD is a location, a name or an oid. */
static gboolean map_tablespace(PgPlace *place, const char *mapping, gboolean *ret_known,
                               GError **error)
{
    const char *equals = strrchr(mapping, '=');
    g_autofree char *old = NULL;

    if (equals == NULL || equals == mapping || !g_path_is_absolute(equals + 1)) {
        error_set(error, ERROR_USAGE, "--tablespace %s: expected OLD=NEW, NEW an absolute path",
                  mapping);
        return FALSE;
    }
    old = g_strndup(mapping, (gsize)(equals - mapping));
    *ret_known = FALSE;
    for (guint i = 0; i < place->tablespaces->len; i++) {
        PgPlacedTablespace *space = g_ptr_array_index(place->tablespaces, i);
        g_autofree char *oid = g_strdup_printf("%" G_GUINT32_FORMAT, space->oid);

        if (space->location == NULL || (g_strcmp0(space->old_location, old) != 0 &&
                                        strcmp(space->name, old) != 0 && strcmp(oid, old) != 0))
            continue;
        g_free(space->location);
        space->location = g_canonicalize_filename(equals + 1, "/");
        *ret_known = TRUE;
    }
    return TRUE;
}

static void place_tablespaces(PgPlace *place, const PgPhysical *physical)
{
    for (guint i = 0; i < physical->tablespaces->len; i++) {
        const PgTablespace *space = g_ptr_array_index(physical->tablespaces, i);
        PgPlacedTablespace *placed = g_new0(PgPlacedTablespace, 1);

        placed->oid = space->oid;
        placed->name = g_strdup(space->name);
        placed->old_location = g_strdup(space->location);
        placed->location = g_strdup(space->location);
        g_ptr_array_add(place->tablespaces, placed);
    }
}

/* A link that the source had is made again, unless another place was named. */
static char *find_wal_directory(const EnginePlace *wanted, const PgPhysical *physical)
{
    if (wanted->wal_directory != NULL)
        return g_canonicalize_filename(wanted->wal_directory, NULL);
    for (guint i = 0; i < physical->files->len; i++) {
        const PgFile *file = g_ptr_array_index(physical->files, i);

        if (file->kind == PG_FILE_LINK && strcmp(file->path, "pg_wal") == 0 &&
            g_path_is_absolute(file->target))
            return g_strdup(file->target);
    }
    return NULL;
}

static gboolean make_place(PgPhysicalPlan *plan, GError **error)
{
    const EnginePlace *wanted = plan->request->place;
    g_autofree char *directory = g_canonicalize_filename(wanted->directory, NULL);
    PgPlace *place = plan->place = pg_place_new(directory);

    place->delta = wanted->delta;
    place->wal_directory = find_wal_directory(wanted, plan->physical);
    place_tablespaces(place, plan->physical);
    for (guint i = 0; wanted->tablespaces != NULL && wanted->tablespaces[i] != NULL; i++) {
        gboolean known;

        if (!map_tablespace(place, wanted->tablespaces[i], &known, error))
            return FALSE;
        if (!known)
            engine_plan_warn(&plan->base, "--tablespace %s: the backup has no such tablespace",
                             wanted->tablespaces[i]);
    }
    return TRUE;
}

static gboolean check_space(const PgPhysicalPlan *plan, GError **error)
{
    guint64 wanted = plan->bytes + plan->segments * plan->physical->segment_size, present;
    g_autofree char *need = NULL, *have = NULL;

    if (plan->place->delta || (plan->place->tablespaces->len > 0 && !plan->request->drill))
        return TRUE;
    if (!file_free_space(plan->place->directory, &present, error))
        return FALSE;
    if (present >= wanted + SPACE_RESERVE)
        return TRUE;
    need = size_format(wanted);
    have = size_format(present);
    error_set(error, ERROR_NO_SPACE, "%s needs %s, and %s are free", plan->place->directory, need,
              have);
    return FALSE;
}

static void check_place(PgPhysicalPlan *plan)
{
    PgPlace *place = plan->place;
    GError *problem = NULL;

    note(plan, pg_place_check(place, plan->physical->system_identifier, &problem), &problem);
    note(plan, pg_place_find_owner(place, &problem), &problem);
    for (guint i = 0; i < place->tablespaces->len; i++) {
        const PgPlacedTablespace *space = g_ptr_array_index(place->tablespaces, i);
        g_autofree char *link = g_strdup_printf("pg_tblspc/%" G_GUINT32_FORMAT, space->oid);

        if (space->location != NULL)
            note(plan, pg_place_check_link(place, link, space->location, &problem), &problem);
    }
    if (place->wal_directory != NULL)
        note(plan, pg_place_check_link(place, "pg_wal", place->wal_directory, &problem), &problem);
    note(plan, check_space(plan, &problem), &problem);
}

/* --- where it comes from ---------------------------------------------------------------------- */

/* Every pack is there, of the length that it had. */
static gboolean check_packs(PgPhysicalPlan *plan, GError **error)
{
    const PoolReader *reader = plan->physical->reader;
    Store *store = repository_store(backup_repository(plan->request->backup));

    for (guint32 i = 0; i < pool_reader_pack_count(reader); i++) {
        guint8 digest[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];
        g_autofree char *name = NULL;
        g_autoptr(GError) problem = NULL;
        StoreInfo info;

        if (pool_reader_pack_alive(reader, i) == 0)
            continue;
        pool_reader_pack_digest(reader, i, digest);
        sha256_to_hex(digest, hex);
        name = g_strdup_printf("pool/%.2s/%s", hex, hex);
        if (!store_stat(store, name, &info, &problem)) {
            if (!error_is(problem, ERROR_NOT_FOUND)) {
                g_propagate_error(error, g_steal_pointer(&problem));
                return FALSE;
            }
            error_set(error, ERROR_DAMAGED, "%s, which the backup needs, is missing", name);
            return FALSE;
        }
        if (info.size != pool_reader_pack_size(reader, i)) {
            error_set(error, ERROR_DAMAGED,
                      "%s has %" G_GUINT64_FORMAT " bytes instead of %" G_GUINT64_FORMAT, name,
                      info.size, pool_reader_pack_size(reader, i));
            return FALSE;
        }
    }
    return TRUE;
}

static void count_bytes(PgPhysicalPlan *plan)
{
    const PgPhysical *physical = plan->physical;

    for (guint i = 0; i < physical->files->len; i++) {
        const PgFile *file = g_ptr_array_index(physical->files, i);

        plan->bytes += file->kind == PG_FILE_REGULAR ? file->content.size : 0;
    }
    plan->segments = (physical->stop - 1) / physical->segment_size -
                     physical->start / physical->segment_size + 1;
}

static gboolean open_archive(PgPhysicalPlan *plan, GError **error)
{
    Backup *backup = plan->request->backup;

    plan->archive = (WalArchive){.repository = backup_repository(backup),
                                 .source = manifest_source(backup_manifest(backup)),
                                 .system_identifier = plan->physical->system_identifier,
                                 .segment_size = plan->physical->segment_size};
    return pg_target_inventory(plan->archive.repository, plan->archive.source,
                               plan->archive.system_identifier, &plan->inventory, error);
}

/* --- the target ------------------------------------------------------------------------------- */

static const ConfigSource *running_server(const PgPhysicalPlan *plan)
{
    return strcmp(plan->request->target->name, plan->archive.source) == 0 ? plan->request->target
                                                                          : NULL;
}

static void settle_target(PgPhysicalPlan *plan)
{
    plan->target = *plan->request->recovery;
    /* Paused, it would still hold the locks that replay took. */
    if (plan->request->place->directory == NULL)
        plan->target.action = "promote";
    if (!plan->scan->latest)
        return;
    plan->target_value = pg_lsn_format(plan->scan->last_record);
    plan->target.to = RECOVER_LSN;
    plan->target.value = plan->target_value;
    plan->target.exclusive = FALSE;
    engine_plan_step(&plan->base, "the target is the latest state: nothing was committed after %s",
                     plan->target_value);
}

/* A server that recovered beside the one that runs, and was let go on there, makes a newer timeline
 * in the archive, which is "the latest" to PostgreSQL. Nobody should lose the other by that. */
static void warn_of_left_timelines(PgPhysicalPlan *plan)
{
    for (guint i = 0; i + 1 < plan->route->legs->len; i++) {
        const PgLeg *leg = &g_array_index(plan->route->legs, PgLeg, i);
        const WalRange *range = wal_inventory_outer_range(plan->inventory, leg->timeline, TRUE);
        g_autofree char *end = pg_lsn_format(leg->end);

        if (range != NULL && (range->last + 1) * plan->physical->segment_size > leg->end)
            engine_plan_warn(&plan->base,
                             "timeline %" G_GUINT32_FORMAT
                             " was archived beyond %s, where timeline "
                             "%" G_GUINT32_FORMAT " leaves it: what was committed there is no part "
                             "of this recovery; --target-timeline %" G_GUINT32_FORMAT " follows it",
                             leg->timeline, end, (leg + 1)->timeline, leg->timeline);
    }
}

static gboolean reach_target(PgPhysicalPlan *plan, GError **error)
{
    const EngineRestore *request = plan->request;
    const char *timeline =
        request->recovery->to == RECOVER_STATE ? "current" : request->recovery->timeline;

    if (!pg_route_find(&plan->archive, plan->inventory, plan->physical, timeline, &plan->route,
                       error) ||
        !pg_target_find(&plan->archive, plan->route, plan->physical, request->recovery, TRUE,
                        request->progress, request->cancellable, &plan->scan, error) ||
        !pg_target_check(plan->route, plan->physical, request->recovery, plan->scan,
                         running_server(plan), request->cancellable, error))
        return FALSE;
    settle_target(plan);
    if (request->recovery->to == RECOVER_LATEST && request->recovery->timeline == NULL)
        warn_of_left_timelines(plan);
    if (request->recovery->to == RECOVER_LATEST && plan->route->gap) {
        g_autofree char *first =
            wal_segment_format(plan->route->missing.timeline, plan->route->missing.first,
                               plan->route->segment_size);

        engine_plan_warn(&plan->base,
                         "the archive lacks WAL from segment %s on: recovery ends there", first);
    }
    return TRUE;
}

/* Replay makes the links of such tablespaces as they were: on the host of the source they would
 * lead into its files. */
static gboolean check_created_tablespaces(const PgPhysicalPlan *plan, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);
    guint named = 0;

    for (guint i = 0; plan->scan != NULL && i < plan->scan->tablespaces->len; i++) {
        const PgCreatedTablespace *created = g_ptr_array_index(plan->scan->tablespaces, i);

        if (!g_file_test(created->location, G_FILE_TEST_EXISTS) || named++ >= NAMED_SPACES)
            continue;
        g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", created->location);
    }
    if (named == 0 || plan->request->place->force)
        return TRUE;
    error_set(error, ERROR_REFUSED,
              "the WAL creates tablespaces in places that exist on this host: %s", names->str);
    error_add_hint(error, "the restored server would write there; restore on another host, or with "
                          "--force where nobody else uses them");
    return FALSE;
}

/* --- telling ---------------------------------------------------------------------------------- */

/* Every directory that is written to. */
static json_t *places_json(const PgPlace *place)
{
    json_t *places = json_array();

    json_array_append_new(places, json_text(place->directory));
    if (place->wal_directory != NULL)
        json_array_append_new(places, json_text(place->wal_directory));
    for (guint i = 0; i < place->tablespaces->len; i++) {
        const PgPlacedTablespace *tablespace = g_ptr_array_index(place->tablespaces, i);

        if (tablespace->location != NULL)
            json_array_append_new(places, json_text(tablespace->location));
    }
    return places;
}

static const char *find_setting(const PgPhysical *physical, const char *name)
{
    gsize length = strlen(name);

    for (guint i = 0; i < physical->settings->len; i++) {
        const char *pair = g_ptr_array_index(physical->settings, i);

        if (strncmp(pair, name, length) == 0 && pair[length] == '\t')
            return pair + length + 1;
    }
    return NULL;
}

/* Debian keeps a server's configuration outside of its data directory, so that the backup does not
 * have it. A server that starts in another directory has to be told of it; NULL: it need not be. */
static const char *configuration_elsewhere(const PgPhysicalPlan *plan)
{
    const char *data = find_setting(plan->physical, "data_directory");
    const char *file = find_setting(plan->physical, "config_file");

    if (plan->request->place->directory == NULL || data == NULL || file == NULL ||
        strcmp(data, plan->place->directory) == 0 ||
        (g_str_has_prefix(file, data) && file[strlen(data)] == '/'))
        return NULL;
    return file;
}

/* A standby that follows the archive has no target, and ends by itself never. */
static const char *describe_action(const EngineRestore *request)
{
    return request->place->standby && request->recovery->to == RECOVER_LATEST
               ? "go on as a standby"
               : pg_recovery_action(request->recovery);
}

static void describe(PgPhysicalPlan *plan)
{
    const EngineRestore *request = plan->request;
    g_autofree char *target = pg_recovery_describe(request->recovery);
    g_autofree char *bytes = size_format(plan->bytes);
    g_autofree char *when = time_format(plan->physical->stop_time);
    guint32 packs = pool_reader_pack_count(plan->physical->reader);
    guint replay = plan->scan != NULL ? plan->scan->segments : 0;
    json_t *summary = plan->base.summary;

    engine_plan_step(&plan->base, "backup %s of %s%s%s", backup_id(request->backup), when,
                     request->reason != NULL ? ": " : "",
                     request->reason != NULL ? request->reason : "");
    engine_plan_step(&plan->base, "write %u files, %s, from %u pack%s to %s",
                     plan->physical->files->len, bytes, packs, packs == 1 ? "" : "s",
                     plan->place->directory);
    if (plan->place->user != NULL)
        engine_plan_step(&plan->base, "give them to %s", plan->place->user);
    engine_plan_step(&plan->base, "copy %" G_GUINT64_FORMAT " WAL segment%s into pg_wal",
                     plan->segments, plan->segments == 1 ? "" : "s");
    engine_plan_step(&plan->base,
                     "recover to %s on timeline %" G_GUINT32_FORMAT " (%u WAL segment%s), then %s",
                     target, plan->route != NULL ? plan->route->timeline : plan->physical->timeline,
                     replay, replay == 1 ? "" : "s", describe_action(request));
    plan->base.bytes = plan->bytes + (plan->segments + replay) * plan->physical->segment_size;
    json_object_set_new(summary, "backup", json_text(backup_id(request->backup)));
    json_object_set_new(summary, "reason", json_text(request->reason));
    json_object_set_new(summary, "target", json_text(target));
    json_object_set_new(summary, "action", json_text(describe_action(request)));
    json_object_set_new(summary, "directory", json_text(plan->place->directory));
    json_object_set_new(summary, "places", places_json(plan->place));
    json_object_set_new(summary, "config_file", json_text(configuration_elsewhere(plan)));
    json_object_set_new(summary, "files", json_integer(plan->physical->files->len));
    json_object_set_new(summary, "bytes", json_integer((json_int_t)plan->bytes));
    json_object_set_new(summary, "packs", json_integer(packs));
    json_object_set_new(summary, "wal_segments", json_integer(replay));
    if (plan->route != NULL)
        json_object_set_new(summary, "timeline", json_integer(plan->route->timeline));
}

EnginePlan *pg_physical_plan(const EngineRestore *request, GError **error)
{
    g_autoptr(PgPhysicalPlan) plan = g_new0(PgPhysicalPlan, 1);
    GError *problem = NULL;

    engine_plan_init(&plan->base);
    plan->base.method = "physical";
    plan->request = request;
    plan->target = *request->recovery;
    progress_begin(request->progress, "planning", 0, 0);
    if (!check_request(request, error) ||
        !pg_physical_read(request->backup, &plan->physical, error) || !open_archive(plan, error))
        return NULL;
    count_bytes(plan);
    if (request->place->directory != NULL ? !make_place(plan, error)
                                          : !pg_physical_plan_extract(plan, error))
        return NULL;
    note(plan, check_packs(plan, &problem), &problem);
    note(plan, reach_target(plan, &problem), &problem);
    check_place(plan);
    note(plan, check_created_tablespaces(plan, &problem), &problem);
    describe(plan);
    return (EnginePlan *)(void *)g_steal_pointer(&plan);
}
