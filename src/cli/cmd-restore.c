/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast restore postgresql full, holdfast restore postgresql pitr.
 */
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/restore-command.h"
#include "cli/words.h"

static RestoreWords words;

static struct {
    gboolean no_owner;

    /* of physical backups */
    char *directory, *wal_directory;
    char **tablespaces;
    gboolean delta, standby, start, force;
    char *time, *lsn, *xid, *name, *timeline, *action;
    gboolean immediate, latest, exclusive;
} options;

/* Exactly one of them says where the recovery ends. */
static gboolean fill_target(const Config *config, RestoreRequest *request, GError **error)
{
    EngineTarget *target = &request->recovery;
    const struct {
        gboolean given;
        RecoverTo to;
        const char *value;
    } kinds[] = {
        {options.time != NULL, RECOVER_TIME, options.time},
        {options.lsn != NULL, RECOVER_LSN, options.lsn},
        {options.xid != NULL, RECOVER_XID, options.xid},
        {options.name != NULL, RECOVER_NAME, options.name},
        {options.immediate, RECOVER_IMMEDIATE, NULL},
        {options.latest, RECOVER_LATEST, NULL},
    };
    guint given = 0;

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (!kinds[i].given)
            continue;
        given++;
        target->to = kinds[i].to;
        target->value = kinds[i].value;
    }
    if (given != 1) {
        error_set(error, ERROR_USAGE,
                  given == 0 ? "where shall the recovery end?"
                             : "a recovery ends at one target only");
        error_add_hint(error, "give one of --target-time, --target-lsn, --target-xid, "
                              "--target-name, --target-immediate, --target-latest");
        return FALSE;
    }
    if (options.exclusive && (options.name != NULL || options.immediate || options.latest)) {
        error_set(error, ERROR_USAGE,
                  "--target-exclusive goes with a time, an LSN or a transaction");
        return FALSE;
    }
    target->exclusive = options.exclusive;
    target->timeline = options.timeline;
    if (target->to != RECOVER_TIME)
        return TRUE;
    return time_parse(options.time, config_time_zone(config), &target->time, error);
}

static gboolean fill_action(EngineTarget *target, GError **error)
{
    static const char *const actions[] = {"pause", "promote", "shutdown", NULL};

    if (options.action != NULL && !g_strv_contains(actions, options.action)) {
        error_set(error, ERROR_USAGE, "--target-action %s: expected pause, promote or shutdown",
                  options.action);
        return FALSE;
    }
    target->action = options.action;
    return TRUE;
}

static void fill_place(EnginePlace *place)
{
    place->directory = options.directory;
    place->wal_directory = options.wal_directory;
    place->tablespaces = (const char *const *)options.tablespaces;
    place->delta = options.delta;
    place->standby = options.standby;
    place->start = options.start;
    place->force = options.force;
}

static gboolean run_request(CommandRun *run, RestoreFill fill, GError **error)
{
    RestoreRequest request = {.engine = "postgresql", .no_owner = options.no_owner};

    fill_place(&request.place);
    return fill_action(&request.recovery, error) &&
           restore_command_run(run, &words, &request, fill, error);
}

static gboolean run_full(CommandRun *run, GError **error)
{
    return restore_command_need_backup(words.backup_id, error) && run_request(run, NULL, error);
}

static gboolean run_pitr(CommandRun *run, GError **error)
{
    return run_request(run, fill_target, error);
}

/* What both commands take. */
#define COMMON_ENTRIES                                                                             \
    RESTORE_BACKUP_ENTRY(words),                                                                   \
        {"target-directory",                                                                       \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_FILENAME,                                                                    \
         &options.directory,                                                                       \
         "physical backups: the data directory to write",                                          \
         "DIR"},                                                                                   \
        {"delta",                                                                                  \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_NONE,                                                                        \
         &options.delta,                                                                           \
         "over a data directory that is there: write what differs, remove the rest",               \
         NULL},                                                                                    \
        {"tablespace",                                                                             \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_FILENAME_ARRAY,                                                              \
         &options.tablespaces,                                                                     \
         "another place for a tablespace, named by its place, name or oid",                        \
         "OLD=NEW"},                                                                               \
        {"wal-directory",         0,    0, G_OPTION_ARG_FILENAME, &options.wal_directory,          \
         "where pg_wal links to", "DIR"},                                                          \
        {"target-action",                                                                          \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_FILENAME,                                                                    \
         &options.action,                                                                          \
         "at the target: pause, promote, shutdown",                                                \
         "ACTION"},                                                                                \
        {"start",                                                                                  \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_NONE,                                                                        \
         &options.start,                                                                           \
         "recover at once with a private server, check it, shut it down",                          \
         NULL},                                                                                    \
        {"force",                                                                                  \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_NONE,                                                                        \
         &options.force,                                                                           \
         "in spite of tablespaces that the WAL creates in places that exist here",                 \
         NULL},                                                                                    \
        {"no-owner",                                                                               \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_NONE,                                                                        \
         &options.no_owner,                                                                        \
         "restore neither owners nor privileges",                                                  \
         NULL},                                                                                    \
        RESTORE_ENTRIES(words, "tables: schema.table, * is a wildcard, \\ takes it literally",     \
                        "A,B.*")

static const GOptionEntry full_entries[] = {
    COMMON_ENTRIES,
    RESTORE_GLOBALS_ENTRY(words, "roles and tablespaces too"),
    {NULL},
};

static const GOptionEntry pitr_entries[] = {
    RESTORE_SOURCE_ENTRY(words),
    {"target-time", 0, 0, G_OPTION_ARG_FILENAME, &options.time,
     "to a moment, ISO 8601; without a zone in the configured time_zone", "TIME"},
    {"target-lsn", 0, 0, G_OPTION_ARG_FILENAME, &options.lsn, "to a place in the WAL", "LSN"},
    {"target-xid", 0, 0, G_OPTION_ARG_FILENAME, &options.xid, "to the end of a transaction", "XID"},
    {"target-name", 0, 0, G_OPTION_ARG_FILENAME, &options.name,
     "to a restore point: pg_create_restore_point()", "NAME"},
    {"target-immediate", 0, 0, G_OPTION_ARG_NONE, &options.immediate,
     "to the first consistent state", NULL},
    {"target-latest", 0, 0, G_OPTION_ARG_NONE, &options.latest, "to the end of the archived WAL",
     NULL},
    {"target-exclusive", 0, 0, G_OPTION_ARG_NONE, &options.exclusive, "stop just before it", NULL},
    {"target-timeline", 0, 0, G_OPTION_ARG_FILENAME, &options.timeline,
     "along which timeline: a number, latest (default), current", "T"},
    {"standby", 0, 0, G_OPTION_ARG_NONE, &options.standby, "go on as a standby", NULL},
    COMMON_ENTRIES,
    {NULL},
};

const Command command_restore_postgresql_full = {
    .words = "restore postgresql full",
    .arguments = "",
    .summary = "restore a PostgreSQL backup, some databases or tables of it",
    .description =
        "A physical backup goes into a data directory and becomes that backup's own state. A\n"
        "logical one goes into the running server, and so do --tables and --databases of either:\n"
        "databases come back under their own names or those of --to-database. One that exists is\n"
        "refused without --replace; with it, the old one stays until the new one is whole. Rows\n"
        "are counted afterwards and compared with the backup: a difference is exit status 3.",
    .example =
        "holdfast restore postgresql full --backup-id k3f9 --target-directory /srv/pg/data\n"
        "  holdfast restore postgresql full --backup-id k3f9 --to-database market_copy\n"
        "  holdfast restore postgresql full --backup-id k3f9 --tables 'public.trades,news.*'",
    .options = full_entries,
    .reads_only = TRUE,
    .run = run_full,
};

const Command command_restore_postgresql_pitr = {
    .words = "restore postgresql pitr",
    .arguments = "",
    .summary = "recover PostgreSQL to a point in time",
    .description =
        "Takes the newest physical backup from which the target can be reached, or --backup-id,\n"
        "and the archived WAL. Into a data directory: the server recovers when it is started, and\n"
        "waits at the target (--target-action). With --tables or --databases: a private server\n"
        "recovers in a scratch place, and what was chosen goes into the running server.",
    .example = "holdfast restore postgresql pitr --target-time '2026-11-22 09:59:59' \\\n"
               "    --target-directory /srv/pg/data\n"
               "  holdfast restore postgresql pitr --target-time 2026-11-22T09:59:59Z \\\n"
               "    --tables market.public.trades --to-database rescue",
    .options = pitr_entries,
    .reads_only = TRUE,
    .run = run_pitr,
};
