/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening the catalog: settings, schema, and what happens to a file that is none.
 */
#include "catalog/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdarg.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "catalog/private.h"

#define SCHEMA_VERSION  5
#define BUSY_TIMEOUT_MS 10000
#define IN_MEMORY       ":memory:"

static const char schema[] =
    "CREATE TABLE backup ("
    "  id TEXT PRIMARY KEY, source TEXT, engine TEXT, type TEXT, method TEXT, base TEXT,"
    "  server_version TEXT, start INTEGER NOT NULL, stop INTEGER NOT NULL,"
    "  plain_size INTEGER NOT NULL, stored_size INTEGER NOT NULL, tables INTEGER NOT NULL,"
    "  rows INTEGER NOT NULL, partial INTEGER NOT NULL, warnings INTEGER NOT NULL,"
    "  unreadable TEXT) STRICT, WITHOUT ROWID;"
    "CREATE INDEX backup_start ON backup (start);"
    "CREATE TABLE record ("
    "  name TEXT PRIMARY KEY, kind TEXT NOT NULL, time INTEGER NOT NULL, backup TEXT,"
    "  damaged INTEGER NOT NULL, problem TEXT, body TEXT) STRICT, WITHOUT ROWID;"
    "CREATE INDEX record_backup ON record (backup, kind, time, name);"
    "CREATE INDEX record_kind ON record (kind, time);"
    "CREATE TABLE job ("
    "  id TEXT PRIMARY KEY, operation TEXT NOT NULL, source TEXT, state TEXT NOT NULL,"
    "  run_file TEXT, message TEXT, result TEXT, started INTEGER NOT NULL,"
    "  ended INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/* Version 2: jobs of the service, which wait, are tried again and have a log; its schedules. */
static const char schema_2[] =
    "ALTER TABLE job ADD COLUMN command TEXT;"
    "ALTER TABLE job ADD COLUMN origin TEXT;"
    "ALTER TABLE job ADD COLUMN code TEXT;"
    "ALTER TABLE job ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN attempts INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE job ADD COLUMN retry_after INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN time_limit INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN queued INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN not_before INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX job_state ON job (state);"
    "CREATE TABLE schedule ("
    "  name TEXT NOT NULL, source TEXT NOT NULL, last_due INTEGER NOT NULL, last_job TEXT,"
    "  PRIMARY KEY (name, source)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;";

/* Version 3: what the service tells: which ended jobs it has told of, its last events, messages that
 * are still to be delivered. What ended before nobody wants to hear now. */
static const char schema_3[] =
    "ALTER TABLE job ADD COLUMN told INTEGER NOT NULL DEFAULT 0;"
    "UPDATE job SET told = 1 WHERE state NOT IN ('queued', 'running');"
    "CREATE INDEX job_untold ON job (ended) WHERE told = 0;"
    "CREATE TABLE event (id INTEGER PRIMARY KEY, type TEXT NOT NULL, data TEXT NOT NULL) STRICT;"
    "CREATE TABLE message ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, body TEXT NOT NULL,"
    "  entered INTEGER NOT NULL) STRICT;";

/* Version 4: what came over the network: the log of changes, and the answers to requests that may
 * come twice. */
static const char schema_4[] =
    "CREATE TABLE audit ("
    "  id INTEGER PRIMARY KEY, time INTEGER NOT NULL, who TEXT NOT NULL, address TEXT NOT NULL,"
    "  method TEXT NOT NULL, path TEXT NOT NULL, status INTEGER NOT NULL, job TEXT) STRICT;"
    "CREATE TABLE idempotency ("
    "  who TEXT NOT NULL, key TEXT NOT NULL, time INTEGER NOT NULL, request TEXT NOT NULL,"
    "  status INTEGER NOT NULL, location TEXT, body TEXT NOT NULL, PRIMARY KEY (who, key))"
    "  STRICT, WITHOUT ROWID;"
    "CREATE INDEX backup_stop ON backup (stop, start);";

/* Version 5: verifies that found damage, which may be held against other backups as well. */
static const char schema_5[] = "CREATE INDEX record_damaged ON record (time) WHERE damaged;";

/* --- Asking the database ---------------------------------------------------------------------- */

#define BUSY_HINT "another holdfast is writing to it; try again"

gboolean catalog_error_is_busy(const GError *error)
{
    return error_is(error, ERROR_CATALOG) && g_strcmp0(error_hint(error), BUSY_HINT) == 0;
}

gboolean catalog_fail(const Catalog *catalog, GError **error)
{
    int code = sqlite3_errcode(catalog->database) & 0xff;

    error_set(error, ERROR_CATALOG, "catalog %s: %s", catalog->path,
              sqlite3_errmsg(catalog->database));
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        error_add_hint(error, BUSY_HINT);
    else if (code == SQLITE_FULL)
        error_add_hint(error, "free some space there");
    else
        error_add_hint(error, "the catalog can be deleted at any time: it is made anew from the "
                              "repository");
    return FALSE;
}

gboolean catalog_execute(Catalog *catalog, const char *sql, GError **error)
{
    if (sqlite3_exec(catalog->database, sql, NULL, NULL, NULL) != SQLITE_OK)
        return catalog_fail(catalog, error);
    return TRUE;
}

static int bind_next(Statement *statement, int index, char type, va_list *values)
{
    const char *text;
    guint64 size;

    switch (type) {
    case 's':
        text = va_arg(*values, const char *);
        return text != NULL ? sqlite3_bind_text(statement, index, text, -1, SQLITE_TRANSIENT)
                            : sqlite3_bind_null(statement, index);
    case 'i':
        return sqlite3_bind_int64(statement, index, va_arg(*values, gint64));
    case 'u':
        /* Sizes come from documents; what does not fit SQLite's integers is shown as the
         * largest. */
        size = va_arg(*values, guint64);
        return sqlite3_bind_int64(statement, index, (gint64)MIN(size, (guint64)G_MAXINT64));
    default:
        return sqlite3_bind_int(statement, index, va_arg(*values, gboolean));
    }
}

static gboolean open_database(Catalog *catalog, gboolean whole, gboolean *ret_unusable,
                              GError **error);

/* Between two transactions: a file that was removed, as it may be at any time, is made anew. SQLite
 * would go on reading the old one, and refuse to write. */
static gboolean follow_file(Catalog *catalog, GError **error)
{
    gboolean unusable;
    int moved = 0;

    if (catalog->opening)
        return TRUE;
    if (!catalog->lost) {
        if (!sqlite3_get_autocommit(catalog->database) ||
            sqlite3_next_stmt(catalog->database, NULL) != NULL)
            return TRUE;
        (void)sqlite3_file_control(catalog->database, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
        if (!moved)
            return TRUE;
        log_write(LOG_WARNING, "the catalog %s was removed: it is made anew, without its jobs",
                  catalog->path);
    }
    (void)sqlite3_close(catalog->database);
    catalog->lost = !open_database(catalog, FALSE, &unusable, error);
    return !catalog->lost;
}

Statement *catalog_prepare(Catalog *catalog, GError **error, const char *sql, const char *types,
                           ...)
{
    g_autoptr(Statement) statement = NULL;
    gboolean bound = TRUE;
    va_list values;

    if (!follow_file(catalog, error))
        return NULL;
    if (sqlite3_prepare_v2(catalog->database, sql, -1, &statement, NULL) != SQLITE_OK) {
        (void)catalog_fail(catalog, error);
        return NULL;
    }
    va_start(values, types);
    for (int i = 0; bound && types[i] != '\0'; i++)
        bound = bind_next(statement, i + 1, types[i], &values) == SQLITE_OK;
    va_end(values);
    if (!bound) {
        (void)catalog_fail(catalog, error);
        return NULL;
    }
    return g_steal_pointer(&statement);
}

gboolean catalog_step(Catalog *catalog, Statement *statement, gboolean *ret_row, GError **error)
{
    int result = sqlite3_step(statement);

    if (result != SQLITE_ROW && result != SQLITE_DONE)
        return catalog_fail(catalog, error);
    *ret_row = result == SQLITE_ROW;
    return TRUE;
}

gboolean catalog_each(Catalog *catalog, Statement *statement, CatalogRowFunc func, gpointer data,
                      GError **error)
{
    gboolean row;

    while (catalog_step(catalog, statement, &row, error)) {
        if (!row)
            return TRUE;
        if (!func(statement, data, error))
            return FALSE;
    }
    return FALSE;
}

gboolean catalog_finish(Catalog *catalog, Statement *taken, GError **error)
{
    g_autoptr(Statement) statement = taken;
    gboolean row;

    return statement != NULL && catalog_step(catalog, statement, &row, error);
}

char *catalog_text(Statement *statement, int column)
{
    return g_strdup((const char *)sqlite3_column_text(statement, column));
}

gboolean catalog_begin(Catalog *catalog, GError **error)
{
    return follow_file(catalog, error) && catalog_execute(catalog, "BEGIN IMMEDIATE", error);
}

gboolean catalog_end(Catalog *catalog, gboolean result, GError **error)
{
    if (result && catalog_execute(catalog, "COMMIT", error))
        return TRUE;
    /* A failure that is under way is the one to report; SQLite may have rolled back by itself. */
    if (!sqlite3_get_autocommit(catalog->database))
        (void)sqlite3_exec(catalog->database, "ROLLBACK", NULL, NULL, NULL);
    return FALSE;
}

/* --- Opening ---------------------------------------------------------------------------------- */

static gboolean schema_version(Catalog *catalog, gint64 *ret_version, GError **error)
{
    g_autoptr(Statement) statement = catalog_prepare(catalog, error, "PRAGMA user_version", "");
    gboolean row;

    if (statement == NULL || !catalog_step(catalog, statement, &row, error))
        return FALSE;
    *ret_version = row ? sqlite3_column_int64(statement, 0) : 0;
    return TRUE;
}

/* Makes the schema, or brings an older one up. Inside a transaction, so that two that come at once
 * do not both do it. */
static gboolean make_schema(Catalog *catalog, GError **error)
{
    g_autofree char *pragma = g_strdup_printf("PRAGMA user_version = %d", SCHEMA_VERSION);
    gboolean result;
    gint64 version;

    if (!catalog_begin(catalog, error))
        return FALSE;
    result = schema_version(catalog, &version, error);
    if (result && version == 0)
        result = catalog_execute(catalog, schema, error);
    if (result && version < 2)
        result = catalog_execute(catalog, schema_2, error);
    if (result && version < 3)
        result = catalog_execute(catalog, schema_3, error);
    if (result && version < 4)
        result = catalog_execute(catalog, schema_4, error);
    if (result && version < 5)
        result = catalog_execute(catalog, schema_5, error);
    if (result && version < SCHEMA_VERSION)
        result = catalog_execute(catalog, pragma, error);
    return catalog_end(catalog, result, error);
}

static gboolean check_integrity(Catalog *catalog, GError **error)
{
    g_autoptr(Statement) statement = catalog_prepare(catalog, error, "PRAGMA quick_check(1)", "");
    gboolean row;

    if (statement == NULL || !catalog_step(catalog, statement, &row, error))
        return FALSE;
    if (row && g_strcmp0((const char *)sqlite3_column_text(statement, 0), "ok") == 0)
        return TRUE;
    error_set(error, ERROR_CATALOG, "catalog %s is damaged", catalog->path);
    return FALSE;
}

/* SQLite would leave a new file to root, whoever is to use it; its other files go by this one. */
static void make_file(const char *path)
{
    FILE_AUTO_FD fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        file_give_at(fd, path);
}

/* Opens or creates the database file; `whole`: it is known to be whole. *ret_unusable tells a file
 * that is no catalog from trouble around it. */
static gboolean open_file(Catalog *catalog, gboolean whole, gboolean *ret_unusable, GError **error)
{
    gint64 version;
    int code;

    *ret_unusable = FALSE;
    if (strcmp(catalog->path, IN_MEMORY) != 0)
        make_file(catalog->path);
    if (sqlite3_open_v2(catalog->path, &catalog->database,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        return catalog_fail(catalog, error);
    (void)sqlite3_busy_timeout(catalog->database, BUSY_TIMEOUT_MS);
    if (!catalog_execute(catalog,
                         "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL;"
                         "PRAGMA trusted_schema = OFF",
                         error) ||
        !schema_version(catalog, &version, error) ||
        (version < SCHEMA_VERSION && !make_schema(catalog, error)) ||
        (!whole && !check_integrity(catalog, error))) {
        code = sqlite3_errcode(catalog->database) & 0xff;
        *ret_unusable = code == SQLITE_NOTADB || code == SQLITE_CORRUPT || code == SQLITE_ERROR ||
                        code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE;
        return FALSE;
    }
    if (version > SCHEMA_VERSION) {
        error_set(error, ERROR_NEWER_FORMAT, "a newer holdfast wrote the catalog %s",
                  catalog->path);
        error_add_hint(error, "update this holdfast, or give it another state_directory");
        return FALSE;
    }
    return TRUE;
}

static gboolean open_database(Catalog *catalog, gboolean whole, gboolean *ret_unusable,
                              GError **error)
{
    gboolean result;

    catalog->opening = TRUE;
    result = open_file(catalog, whole, ret_unusable, error);
    catalog->opening = FALSE;
    return result;
}

/* Moves an unusable file out of the way, its journal with it: a journal that stays would be played
 * into the new file. */
static gboolean set_aside(const char *path, GError **error)
{
    g_autofree char *when = time_format_compact(time_now());
    g_autofree char *aside = g_strdup_printf("%s.damaged-%s", path, when);
    g_autofree char *journal = g_strconcat(path, "-journal", NULL);
    g_autofree char *journal_aside = g_strconcat(aside, "-journal", NULL);

    if (g_rename(journal, journal_aside) != 0 && errno != ENOENT) {
        error_set_errno(error, errno, "cannot rename %s", journal);
        return FALSE;
    }
    if (g_rename(path, aside) != 0) {
        error_set_errno(error, errno, "cannot rename %s", path);
        return FALSE;
    }
    log_write(LOG_WARNING, "%s is no usable catalog; it is kept as %s and made anew", path, aside);
    return TRUE;
}

static Catalog *catalog_new(Repository *repository, const char *path)
{
    Catalog *catalog = g_new0(Catalog, 1);

    catalog->repository = repository_ref(repository);
    catalog->path = g_strdup(path);
    return catalog;
}

Catalog *catalog_open(Repository *repository, const char *state_directory, GError **error)
{
    g_autoptr(Catalog) catalog = NULL;
    g_autoptr(GError) problem = NULL;
    g_autofree char *path = NULL;
    gboolean unusable;

    if (state_directory == NULL) {
        path = g_strdup(IN_MEMORY);
    } else {
        g_autofree char *name = g_strdup_printf("catalog-%s.sqlite", repository_id(repository));

        if (!directory_make(state_directory, 0700, error))
            return NULL;
        path = g_build_filename(state_directory, name, NULL);
    }
    catalog = catalog_new(repository, path);
    if (open_database(catalog, FALSE, &unusable, &problem))
        return g_steal_pointer(&catalog);
    if (!unusable || state_directory == NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    g_clear_pointer(&catalog, catalog_free);
    if (!set_aside(path, error))
        return NULL;
    catalog = catalog_new(repository, path);
    if (!open_database(catalog, FALSE, &unusable, error))
        return NULL;
    return g_steal_pointer(&catalog);
}

Catalog *catalog_open_again(const Catalog *catalog, GError **error)
{
    g_autoptr(Catalog) another = catalog_new(catalog->repository, catalog->path);
    gboolean unusable;

    return open_database(another, TRUE, &unusable, error) ? g_steal_pointer(&another) : NULL;
}

void catalog_free(Catalog *catalog)
{
    if (catalog == NULL)
        return;
    (void)sqlite3_close(catalog->database); /* fails only with statements open: ours are not */
    repository_unref(catalog->repository);
    g_free(catalog->path);
    g_free(catalog);
}
