/* SPDX-License-Identifier: Apache-2.0
 *
 * One object of a PostgreSQL backup: archives, packs, WAL.
 */
#include "postgres/proof.h"

#include <string.h>

#include "base/error.h"
#include "pool/pool.h"
#include "postgres/client.h"
#include "postgres/inventory.h"
#include "postgres/load.h"
#include "postgres/wal-archive.h"
#include "postgres/wal-list.h"
#include "postgres/wal-object.h"

#define SHARED_PREFIX "../../"
#define OWNERS_SHOWN  2000 /* bytes of names */

static gboolean is_physical(Backup *backup)
{
    return g_strcmp0(manifest_method(backup_manifest(backup)), "physical") == 0;
}

/* --- archives --------------------------------------------------------------------------------- */

/* The major version of the pg_dump that wrote the archives, times 10000, as the clear manifest has
 * it; 0 where it has none. */
static int writer_version(Backup *backup)
{
    g_autoptr(json_t) manifest = manifest_json(backup_manifest(backup));
    gint64 major = g_ascii_strtoll(json_get_string(manifest, "pg_dump_version", "0"), NULL, 10);

    return (int)CLAMP(major, 0, 1000) * 10000;
}

/* pg_restore --list reads an archive's head and table of contents: a second opinion on bytes whose
 * hash is right. Deep, it makes SQL of all of it. */
static gboolean check_archive(const EngineProof *proof, const char *path, GCancellable *cancellable,
                              GError **error)
{
    g_autofree char *program = NULL;
    g_autoptr(PgToc) toc = NULL;
    g_autoptr(GError) problem = NULL;
    PgLoad load = {.backup = proof->backup};

    if (!pg_client_program("pg_restore", writer_version(proof->backup), &program, NULL, error))
        return FALSE;
    load.pg_restore = program;
    toc = pg_load_toc(&load, path, cancellable, &problem);
    if (toc != NULL)
        proof->count("archives", 1, proof->data);
    if (toc != NULL &&
        (proof->level < PROOF_DEEP || pg_load_discard(&load, path, cancellable, &problem))) {
        if (proof->level == PROOF_DEEP)
            proof->count("archives_read", 1, proof->data);
        return TRUE;
    }
    if (error_is(problem, ERROR_SUBPROCESS))
        error_set(error, ERROR_DAMAGED, "%s", problem->message);
    else
        g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* --- WAL -------------------------------------------------------------------------------------- */

static gboolean check_wal(const EngineProof *proof, const char *name, GError **error)
{
    Repository *repository = backup_repository(proof->backup);
    WalObjectName parts;
    WalFrame frame;

    if (!wal_object_name_parse(name, &parts)) {
        error_set(error, ERROR_DAMAGED, "%s is no name of WAL", name);
        return FALSE;
    }
    if (!wal_object_frame(repository, name, &frame, error))
        return FALSE;
    if (frame.system_identifier != parts.system_identifier || strcmp(frame.name, parts.file) != 0) {
        error_set(error, ERROR_DAMAGED, "%s holds something else than its name says", name);
        return FALSE;
    }
    proof->count("wal_frames", 1, proof->data);
    /* Its bytes were hashed already, as those of every object. */
    if (proof->level < PROOF_DEEP)
        return TRUE;
    if (!wal_object_read(repository, name, NULL, NULL, NULL, error))
        return FALSE;
    proof->count("wal_read", 1, proof->data);
    return TRUE;
}

static gboolean check_pack(const EngineProof *proof, const char *name, GError **error)
{
    guint64 extents;

    if (!pool_pack_check(backup_repository(proof->backup), name, &extents, error))
        return FALSE;
    proof->count("packs", 1, proof->data);
    return TRUE;
}

gboolean pg_check_object(const EngineProof *proof, const char *path, gboolean *ret_looked,
                         GCancellable *cancellable, GError **error)
{
    *ret_looked = TRUE;
    if (g_str_has_prefix(path, SHARED_PREFIX "wal/"))
        return check_wal(proof, path + strlen(SHARED_PREFIX), error);
    if (g_str_has_prefix(path, SHARED_PREFIX "pool/"))
        return check_pack(proof, path + strlen(SHARED_PREFIX), error);
    if (!is_physical(proof->backup) && strstr(path, ".dump") != NULL)
        return check_archive(proof, path, cancellable, error);
    *ret_looked = FALSE;
    return TRUE;
}

/* --- the backup ------------------------------------------------------------------------------- */

/* The details name archives that must be there. What is in them only a restore can count. */
static void tell_table(const EngineProof *proof, const PgTable *table, const char *database)
{
    g_autofree char *name = g_strdup_printf("%s.%s.%s", database, table->schema, table->name);
    json_t *finding =
        json_pack("{s:o, s:o, s:s}", "table", json_text(name), "rows",
                  table->counted ? json_integer((json_int_t)table->rows) : json_null(), "result",
                  "not counted");
    g_autoptr(GError) problem = NULL;

    if (table->archive != NULL &&
        manifest_find_object(backup_manifest(proof->backup), table->archive) == NULL) {
        error_set(&problem, ERROR_DAMAGED, "the archive of table %s is no object of the backup",
                  name);
        proof->damage(table->archive, problem, proof->data);
        json_object_set_new(finding, "result", json_string("damaged"));
    }
    proof->table(finding, proof->data);
}

static gboolean check_logical(const EngineProof *proof, GError **error)
{
    g_autoptr(PgDetails) details = NULL;
    g_autoptr(GHashTable) names = g_hash_table_new(NULL, NULL);
    g_autoptr(GError) problem = NULL;
    const char *path = backup_find_object(proof->backup, "details.json");

    if (!pg_details_read(proof->backup, &details, &problem)) {
        if (engine_is_damage(problem)) {
            proof->damage(path != NULL ? path : "details.json", problem, proof->data);
            return TRUE;
        }
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    proof->count("tables", details->tables->len, proof->data);
    for (guint i = 0; i < details->databases->len; i++) {
        PgDatabase *database = g_ptr_array_index(details->databases, i);

        g_hash_table_insert(names, GUINT_TO_POINTER(database->oid), database->name);
    }
    for (guint i = 0; i < details->tables->len; i++) {
        const PgTable *table = g_ptr_array_index(details->tables, i);

        tell_table(proof, table, g_hash_table_lookup(names, GUINT_TO_POINTER(table->database)));
    }
    return TRUE;
}

gboolean pg_check_backup(const EngineProof *proof, GError **error)
{
    return is_physical(proof->backup) ? pg_physical_check_backup(proof, error)
                                      : check_logical(proof, error);
}

/* --- what belongs to what --------------------------------------------------------------------- */

static void own(GHashTable *objects, const char *path, char *text)
{
    if (path != NULL && g_hash_table_contains(objects, path))
        g_hash_table_insert(objects, g_strdup(path), text);
    else
        g_free(text);
}

/* The archive of tables that have none of their own. */
static const char *shared_archive(const PgDetails *details, const PgTable *table)
{
    for (guint i = 0; i < details->databases->len; i++) {
        const PgDatabase *database = g_ptr_array_index(details->databases, i);

        if (database->oid == table->database)
            return table->counted && table->rows > 0 ? database->rest_archive : NULL;
    }
    return NULL;
}

/* Adds the table to those that the archive holds. */
static void own_table(GHashTable *objects, const PgDetails *details, const PgTable *table)
{
    const char *path = table->archive != NULL ? table->archive : shared_archive(details, table);
    const char *before = path != NULL ? g_hash_table_lookup(objects, path) : NULL;

    if (path == NULL)
        return;
    /* A list without end helps nobody. */
    if (before != NULL && strlen(before) > OWNERS_SHOWN) {
        if (!g_str_has_suffix(before, ", …"))
            own(objects, path, g_strconcat(before, ", …", NULL));
        return;
    }
    own(objects, path,
        before == NULL ? g_strdup_printf("table %s.%s", table->schema, table->name)
                       : g_strdup_printf("%s, %s.%s", before, table->schema, table->name));
}

static gboolean logical_owners(Backup *backup, GHashTable *objects, GError **error)
{
    g_autoptr(PgDetails) details = NULL;

    if (!pg_details_read(backup, &details, error))
        return FALSE;
    own(objects, details->globals, g_strdup("roles and tablespaces"));
    for (guint i = 0; i < details->databases->len; i++) {
        const PgDatabase *database = g_ptr_array_index(details->databases, i);

        own(objects, database->schema_archive,
            g_strdup_printf("schema of database %s", database->name));
        own(objects, database->objects_path,
            g_strdup_printf("dependencies of database %s", database->name));
        own(objects, database->rest_archive,
            g_strdup_printf("sequences, large objects and small tables of database %s",
                            database->name));
    }
    for (guint i = 0; i < details->tables->len; i++)
        own_table(objects, details, g_ptr_array_index(details->tables, i));
    return TRUE;
}

gboolean pg_owners(Backup *backup, GHashTable *objects, GError **error)
{
    return is_physical(backup) ? pg_physical_owners(backup, objects, error)
                               : logical_owners(backup, objects, error);
}
