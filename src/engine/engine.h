/* SPDX-License-Identifier: Apache-2.0
 *
 * What a database engine must be able to do. Operations know engines only through this table; a
 * further engine is a new folder and a line in engine.c.
 *
 * Threads: each call is made from one thread; an engine may use workers of its own inside.
 */
#ifndef HOLDFAST_ENGINE_ENGINE_H
#define HOLDFAST_ENGINE_ENGINE_H

#include "base/json.h"
#include "base/progress.h"
#include "config/config.h"
#include "pool/names.h"
#include "repo/backup.h"
#include "repo/unfinished.h"
#include "repo/writer.h"

/* --- check ------------------------------------------------------------------------------------ */

typedef enum {
    FACT_OK,
    FACT_WARNING,
    FACT_FAILED,
    FACT_UNREACHABLE, /* failed, since a server or repository could not be reached */
} FactState;

typedef struct {
    const Config *config;
    const ConfigSource *source;
    gboolean named; /* the user named this source: what was doubtful about its identity is meant */
    gboolean drop_topics;    /* TDengine: topics that Holdfast made are to go */
    Repository *repository;  /* NULL where it could not be opened */
    guint64 repository_free; /* bytes */
    GCancellable *cancellable;
} EngineCheck;

/* One line of `holdfast check`: "connection", "server 15.20 at …", and what to do (NULL where there
 * is nothing to do). */
typedef void (*FactFunc)(FactState state, const char *subject, const char *text, const char *hint,
                         gpointer data);

/* --- backup ----------------------------------------------------------------------------------- */

typedef struct {
    const ConfigSource *source;
    BackupType type;
    const char *method;           /* PostgreSQL: "physical" or "logical" */
    const char *const *databases; /* NULL: as the source's configuration says */
    const char *const *tables;    /* TDengine: --tables patterns, or NULL. PostgreSQL, logical: of
                                     the other tables the definitions only, no rows; or NULL */
    gint64 time_from, time_to;    /* TDengine: rows of from <= event time < to, in microseconds;
                                     G_MININT64 and G_MAXINT64: all */
    Backup *base;       /* of an incremental, which base_fits() has accepted; NULL for a full */
    const char *access; /* PostgreSQL, physical: "auto", "local" or "stream" */
    gboolean checksum;  /* an incremental reads everything, whatever the files' times say */
    const char *mode;   /* TDengine, incremental: "auto", "quick", "scan" */
    guint64 rate;       /* bytes a second that are read, 0: no limit */
    gboolean nice;      /* give way to other processes */
    guint jobs;
    CompressSpec compression;
    BackupWriter *writer;         /* objects go here */
    const Unfinished *unfinished; /* an interrupted run of this kind, to be taken over; or NULL */
    Manifest
        *manifest; /* the engine fills in what it knows; the operation adds times and commits */
    const char *scratch_directory; /* for unnamed temporary files of small size */
    Progress *progress;
    GCancellable *cancellable;
} EngineBackup;

/* --- restore ---------------------------------------------------------------------------------- */

/* Where a recovery stops. */
typedef enum {
    RECOVER_STATE, /* at the backup's own state: `restore … full` */
    RECOVER_TIME,
    RECOVER_LSN,
    RECOVER_XID,
    RECOVER_NAME, /* a named restore point */
    RECOVER_IMMEDIATE,
    RECOVER_LATEST,
} RecoverTo;

typedef struct {
    RecoverTo to;
    gint64 time;          /* RECOVER_TIME: microseconds */
    const char *value;    /* RECOVER_LSN, _XID, _NAME: as given */
    gboolean exclusive;   /* stop before the target, not behind it */
    const char *timeline; /* a number, "latest", "current", or NULL: latest */
    const char *action;   /* "pause", "promote", "shutdown", or NULL: the default */
} EngineTarget;

/* A physical restore: into a directory. */
typedef struct {
    const char *directory;          /* --target-directory, or NULL */
    const char *wal_directory;      /* --wal-directory: where pg_wal links to, or NULL */
    const char *const *tablespaces; /* --tablespace: "OLD=NEW", or NULL */
    gboolean delta;                 /* over what is there */
    gboolean standby;               /* --standby: goes on as a standby */
    gboolean start;                 /* --start: recover at once, with a private server */
    gboolean force;                 /* --force: in spite of tablespaces that WAL creates */
    /* What fetches a WAL file: program and arguments before name and path. Absolute paths: the
     * server runs it. */
    const char *const *wal_get;
} EnginePlace;

typedef struct {
    Backup *backup;
    const char *reason;           /* why this backup; NULL: it was named */
    const EngineTarget *recovery; /* never NULL */
    const EnginePlace *place;     /* never NULL */
    const ConfigSource *target;   /* the server to restore to */
    const char *const *databases; /* --databases, or NULL */
    const char *to_database;      /* --to-database: "X" or "A=X,B=Y", or NULL */
    const char *const *tables;    /* --tables patterns, or NULL */
    gint64 time_from, time_to;    /* TDengine: --start and --end, as in EngineBackup */
    gboolean dry_run;             /* only the plan is wanted */
    gboolean replace;             /* --replace */
    gboolean globals;             /* --globals: roles and tablespaces too */
    gboolean no_owner;            /* --no-owner: neither owners nor privileges */
    gboolean require_rows;        /* --require-rows: a table without rows is a failure */
    gboolean merge;               /* TDengine: rows go into chosen tables that exist */
    gboolean deep;                /* TDengine: what was restored is read back and fingerprinted */
    gboolean drill;               /* into a scratch place that the plan chooses */
    Backup *following; /* TDengine, RECOVER_TIME: rows behind the backup's state come from
                                     here, or NULL */
    gint64 fill_until; /* TDengine: their end; G_MININT64: the target */
    double tolerance;  /* fraction of rows that may differ */
    guint jobs;
    const char *scratch_directory;
    Progress *progress;
    GCancellable *cancellable;
} EngineRestore;

/* What a restore is going to do, found out by looking at everything that could fail and changing
 * nothing. */
typedef struct EnginePlan EnginePlan;

/* What an EnginePlan begins with; the engine's own part stands behind it. */
struct EnginePlan {
    GPtrArray *steps;    /* char *: what will be done, in order, one sentence each */
    GPtrArray *problems; /* char *: why it cannot be done; empty when it can. "text\nhint: text" */
    GPtrArray *warnings; /* char * */
    json_t *summary;     /* for --json and the audit record: databases, tables, rows, bytes */
    int problem_code;    /* ErrorCode of the first problem */
    guint64 bytes;       /* plain bytes that the restore moves; 0: not known */
    const char *method;  /* PostgreSQL: "physical" or "logical": whose plan it is */
};

typedef struct {
    json_t *summary;     /* databases, tables, rows, differences, for --json and the audit record */
    GPtrArray *warnings; /* char * */
} EngineResult;

/* --- what leads on from a backup: logs (PostgreSQL's WAL), or that nothing was written since ----- */

typedef struct {
    GPtrArray *backups; /* char *: ids of the backups that lead into it, oldest first */
    gint64 from, to;    /* the oldest and the newest moment that can be recovered */
    char *problem;      /* why nothing can be recovered from its backups; NULL: it can */
    char *hole;         /* what is missing where logs go on behind it; NULL: they end there */
} EngineWindow;

typedef struct {
    Repository *repository;
    const ConfigSource *source;
    gboolean ask; /* ask the running server as well whether it has anything that is not archived */
    const char *newest;  /* with `ask`: id of the newest good backup of the source; NULL: none */
    GHashTable *damaged; /* char *: logs, by their objects' names, that were damaged at the moment
                          * damaged_at: they count as missing, unless they were written since; or NULL */
    gint64 damaged_at;
    GCancellable *cancellable;
} EngineReachRequest;

typedef struct {
    GPtrArray *windows; /* EngineWindow, oldest first; backups without logs are in none */
    gint64 moment;     /* up to which all is in the newest backup; 0: up to its start, or in logs */
    gboolean asked;    /* the server has answered */
    gboolean complete; /* it has nothing beyond: the newest moment is `moment`; 0: now */
    char *doubt;       /* why that is not known, or not so; NULL: complete, or nobody asked */
    guint64 replay_bytes; /* of logs between the newest backup in a window and their end */
} EngineReach;

/* Logs that may go: those that none of the kept backups leads to. */
typedef struct {
    Repository *repository;
    const char *source;
    const char *const *onward; /* ids of backups behind whose start all logs are needed */
    GHashTable *named;         /* char *: names of objects that some backup lists; they stay */
    gint64 before;    /* what was archived at or after this moment of the store's clock stays */
    gboolean limited; /* a rule limits logs by age: those of a server without backups go too */
    gboolean dry_run;
} EngineTrim;

typedef struct {
    guint64 files, bytes; /* removed, or to be removed */
    GPtrArray *ranges;    /* char *: what it is, a sentence each */
} EngineTrimResult;

/* --- proof: is a backup still what was written? ------------------------------------------------ */

typedef enum {
    PROOF_OBJECTS,   /* presence, size and SHA-256 of objects: no engine is needed */
    PROOF_STRUCTURE, /* what they are made of: indexes, footers, checksums of pages */
    PROOF_DEEP,      /* every value: decompressed, decoded, hashed, fingerprinted */
} ProofLevel;
const char *proof_level_name(ProofLevel level); /* "objects", "structure", "deep" */

/* What an engine is to look into. The functions may be called from any thread. */
typedef struct {
    Backup *backup;
    ProofLevel level; /* PROOF_STRUCTURE or PROOF_DEEP */
    guint jobs;
    /* Whether an object, by its path in SHA256SUMS, is among those to be looked into. The others
     * need only be there, of the size that was recorded. */
    gboolean (*chosen)(const char *path, gpointer data);
    /* Damage that was found. The object is a path in SHA256SUMS. */
    void (*damage)(const char *path, const GError *problem, gpointer data);
    /* Adds to a count of what was looked at: "files", "extents", "pages". */
    void (*count)(const char *what, guint64 number, gpointer data);
    /* What is worth telling and no damage. */
    void (*warn)(const char *text, gpointer data);
    /* The finding on one table. Takes {"table", "rows", "result", …}. */
    void (*table)(json_t *finding, gpointer data);
    gpointer data;
    Progress *progress;
    GCancellable *cancellable;
} EngineProof;

/* --- what lies beside the backups ------------------------------------------------------------- */

typedef struct {
    Repository *repository;
    const char *name; /* one of archives() */
    ProofLevel level;
    guint jobs;
    Progress *progress;
    GCancellable *cancellable;
} EngineArchive;

typedef struct {
    char *object;
    char *problem;
} EngineDamage;

typedef struct {
    guint64 objects, bytes; /* that were read */
    GPtrArray *damage;      /* EngineDamage *; empty: good */
    GPtrArray *warnings;    /* char *: what is missing and promised by nothing */
} EngineArchiveReport;

/* --- the table -------------------------------------------------------------------------------- */

typedef struct {
    const char *name; /* "postgresql" */
    gint64 rto, rpo;  /* objectives where the configuration names none, in microseconds */

    /* Reports facts about a source. TRUE when all could be looked at, whatever they are. */
    gboolean (*check)(const EngineCheck *request, FactFunc func, gpointer data, GError **error);

    /* Whether an incremental of the source can be made against this backup. *ret_reason says why it
     * cannot: a full is made then; NULL: it can. Asked before the backup has its id, which tells
     * its type. The member is NULL where there are no incrementals. */
    gboolean (*base_fits)(const ConfigSource *source, Backup *base, char **ret_reason,
                          GCancellable *cancellable, GError **error);

    /* Writes the backup's objects and details, fills in the manifest. */
    gboolean (*backup)(const EngineBackup *request, GError **error);

    /* Looks into one object whose stored bytes are known to be whole. *ret_looked is FALSE when
     * there is nothing in it that could be looked at. Called from many threads at once. */
    gboolean (*check_object)(const EngineProof *proof, const char *path, gboolean *ret_looked,
                             GCancellable *cancellable, GError **error);

    /* What only shows when objects are held against each other: an index and what it points to,
     * fingerprints. Damage goes to proof->damage; FALSE when looking failed. NULL: nothing. */
    gboolean (*check_backup)(const EngineProof *proof, GError **error);

    /* Says of each of the damaged objects, keys of the table, what is in it: the values are set to
     * texts, to be freed with g_free(). Those of which nothing is known stay NULL. NULL: the engine
     * has nothing to say. */
    gboolean (*owners)(Backup *backup, GHashTable *objects, GError **error);

    /* The documents of a backup that name objects of the pool, without the codec's extension, NULL
     * behind the last; and putting other names into one of them, or into a line of one of JSON
     * lines. For a copy that is sealed anew. NULL: no backup uses the pool. */
    const char *const *pool_documents;
    gboolean (*rename_pool)(const char *stem, json_t *document, PoolNames *names, GError **error);

    /* The backup's details as JSON for `show`: one object with "tables" and what else is of
     * interest. New reference. */
    json_t *(*describe)(Backup *backup, GError **error);

    /* The newest backup of the source from which a recovery can reach the target; *ret_reason says
     * why it. ERROR_REFUSED naming what can be reached, ERROR_NOT_FOUND where there is no backup at
     * all. NULL: there is no recovery to a point in time. */
    gboolean (*choose)(Repository *repository, const ConfigSource *source,
                       const EngineTarget *target, Backup **ret_backup, char **ret_reason,
                       GCancellable *cancellable, GError **error);

    /* What can be recovered with the logs that follow the source's backups, and whether the server
     * has anything beyond. A server that cannot be asked is no failure. NULL: each backup has one
     * moment. */
    gboolean (*reach)(const EngineReachRequest *request, EngineReach *ret_reach, GError **error);

    /* Removes logs that nobody needs, or says which it would. NULL: the engine has none. */
    gboolean (*trim)(const EngineTrim *request, EngineTrimResult *ret_result, GError **error);

    /* The backup behind this one, from which a restore to a point in time takes rows besides;
     * *ret_following is NULL where there is none. The member is NULL where no engine's restore does
     * so. */
    gboolean (*follow)(Backup *backup, Backup **ret_following, GError **error);

    /* A plan with problems is no error; an error means that planning itself failed (server
     * unreachable, usage, damage). The request must outlive the plan. */
    EnginePlan *(*plan)(const EngineRestore *request, GError **error);
    /* Carries the plan out and checks what it restored. ERROR_COUNT_MISMATCH where rows differ:
     * *ret_result is filled in then too. */
    gboolean (*restore)(EnginePlan *plan, EngineResult *ret_result, GError **error);
    void (*plan_free)(EnginePlan *plan);

    /* Restores the whole backup to a scratch place of the engine's own choice, looks at what came
     * of it, and removes everything, whatever happens. The request names backup, recovery and
     * target server; its place is not looked at but for wal_get. Space is checked first:
     * ERROR_NO_SPACE. The summary has "check_seconds", the part of the time that a recovery would
     * not take, and "tables": [{"table", "expected" (null: not recorded), "found"}]. NULL: there
     * are no drills. */
    gboolean (*drill)(const EngineRestore *request, EngineResult *ret_result, GError **error);

    /* The archives in a repository that belong to no single backup (PostgreSQL's WAL), an array of
     * names; and reading one of them through. NULL: the engine has none. */
    gboolean (*archives)(Repository *repository, GPtrArray **ret_names, GError **error);
    gboolean (*check_archive)(const EngineArchive *request, EngineArchiveReport *report,
                              GError **error);
} Engine;

/* Makes an engine known. Called at start-up by main.c, which alone knows them all. */
void engine_register(const Engine *engine);

/* The engine with this name: ERROR_UNSUPPORTED names the ones there are. */
const Engine *engine_find(const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* All that are known; `index` from 0, NULL behind the last. */
const Engine *engine_at(guint index);

/* Helpers for engines. */
/* Failures that say something about an object rather than about our looking at it. A disk that
 * cannot read a sector back (io) has lost the object. */
gboolean engine_is_damage(const GError *problem);
void engine_archive_damage(EngineArchiveReport *report, const char *object, const GError *problem);
void engine_archive_report_init(EngineArchiveReport *report);
void engine_archive_report_clear(EngineArchiveReport *report);
void engine_plan_init(EnginePlan *plan);
void engine_plan_clear(EnginePlan *plan);
void engine_plan_step(EnginePlan *plan, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Takes the error, message and hint. */
void engine_plan_problem(EnginePlan *plan, GError *error);
/* The plan's first problem as an error; FALSE. */
gboolean engine_plan_fail(const EnginePlan *plan, GError **error);
void engine_plan_warn(EnginePlan *plan, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Enters a table that was counted after a restore in `checked`, the list of that name in a summary:
 * {"table", "expected", "found"}. A record has room for so many: behind ENGINE_CHECKED_LIMIT only
 * those that differ are entered. */
#define ENGINE_CHECKED_LIMIT 50000
void engine_add_checked(json_t *checked, const char *table, guint64 expected, guint64 found);
void engine_result_clear(EngineResult *result);
void engine_window_free(EngineWindow *window);
void engine_reach_clear(EngineReach *reach);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(EngineReach, engine_reach_clear)
void engine_trim_result_clear(EngineTrimResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(EngineTrimResult, engine_trim_result_clear)

#endif
