/* SPDX-License-Identifier: Apache-2.0
 *
 * BASE_BACKUP, versions 13 to 18. Source: PostgreSQL's documentation, "Streaming Replication
 * Protocol". With version 15 the options got parentheses and all tar archives came to share one
 * COPY, in messages with a type of their own.
 */
#include "postgres/copy-stream.h"

#include "base/error.h"
#include "postgres/copy-lanes.h"
#include "postgres/file-list.h"
#include "postgres/tar.h"

#include <string.h>

#define LABEL_LIMIT (1024 * 1024)
#define MAP_LIMIT   (16 * 1024 * 1024)

/* The server's limits for MAX_RATE, in KiB a second. */
#define RATE_MIN 32
#define RATE_MAX (1024 * 1024)

typedef enum { TO_NOWHERE, TO_FILE, TO_TEXT } Target;

typedef struct {
    const PgCopyStream *copy;
    PgConnection *connection;
    PgCopyLanes *lanes;
    GHashTable *base_files; /* path -> PgFile, of the base */
    TarReader *tar;         /* the archive that is being received, or NULL */
    char *prefix;           /* where its members belong: "", "pg_tblspc/16390/" */
    Target target;
    GString *text; /* with TO_TEXT */
    gsize text_limit;
    GString *label, *map;
} Stream;

static void stream_clear(Stream *stream)
{
    g_clear_pointer(&stream->lanes, pg_copy_lanes_free);
    g_clear_pointer(&stream->connection, pg_connection_free);
    g_clear_pointer(&stream->base_files, g_hash_table_unref);
    g_clear_pointer(&stream->tar, tar_reader_free);
    g_clear_pointer(&stream->prefix, g_free);
    if (stream->label != NULL)
        g_string_free(stream->label, TRUE);
    if (stream->map != NULL)
        g_string_free(stream->map, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Stream, stream_clear)

/* --- members of the archives ------------------------------------------------------------------ */

static void take_text(Stream *stream, GString *text, gsize limit)
{
    stream->target = TO_TEXT;
    stream->text = text;
    stream->text_limit = limit;
}

static gboolean begin_member(const TarMember *member, gpointer data, GError **error)
{
    Stream *stream = data;
    g_autofree char *path = g_strconcat(stream->prefix, member->path, NULL);
    PgFile *file, *base = NULL;
    gpointer key = NULL, found = NULL;

    stream->target = TO_NOWHERE;
    if (strcmp(path, "backup_label") == 0)
        take_text(stream, stream->label, LABEL_LIMIT);
    else if (strcmp(path, "tablespace_map") == 0)
        take_text(stream, stream->map, MAP_LIMIT);
    /* Links are those of tablespaces, which are known otherwise. */
    if (stream->target == TO_TEXT || member->kind == TAR_LINK || pg_file_is_excluded(path))
        return TRUE;
    file = pg_file_new(path, member->kind == TAR_FILE ? PG_FILE_REGULAR : PG_FILE_DIRECTORY);
    file->mode = member->mode & 07777;
    file->modified = member->modified;
    g_ptr_array_add(stream->copy->physical->files, file);
    if (file->kind == PG_FILE_DIRECTORY)
        return TRUE;
    stream->target = TO_FILE;
    if (g_hash_table_steal_extended(stream->base_files, file->path, &key, &found))
        base = found;
    return pg_copy_lanes_begin(stream->lanes, file, member->size, base, error);
}

static gboolean take_bytes(const guint8 *bytes, gsize length, gpointer data, GError **error)
{
    Stream *stream = data;

    if (stream->target == TO_FILE)
        return pg_copy_lanes_write(stream->lanes, bytes, length, error);
    if (stream->target == TO_NOWHERE)
        return TRUE;
    if (stream->text->len + length > stream->text_limit) {
        error_set(error, ERROR_LIMIT, "the server's backup_label or tablespace_map is too large");
        return FALSE;
    }
    g_string_append_len(stream->text, (const char *)bytes, (gssize)length);
    return TRUE;
}

static gboolean end_member(gpointer data, GError **error)
{
    return TRUE;
}

static gboolean end_archive(Stream *stream, GError **error)
{
    if (stream->tar == NULL)
        return TRUE;
    if (!tar_reader_finish(stream->tar, error))
        return FALSE;
    g_clear_pointer(&stream->tar, tar_reader_free);
    return TRUE;
}

/* `oid` 0: the data directory. */
static gboolean begin_archive(Stream *stream, guint64 oid, GError **error)
{
    static const TarFuncs funcs = {begin_member, take_bytes, end_member};

    if (!end_archive(stream, error))
        return FALSE;
    g_free(stream->prefix);
    stream->prefix =
        oid == 0 ? g_strdup("") : g_strdup_printf("pg_tblspc/%" G_GUINT64_FORMAT "/", oid);
    stream->tar = tar_reader_new(&funcs, stream);
    return TRUE;
}

/* --- the protocol ----------------------------------------------------------------------------- */

static gboolean protocol_error(GError **error, const char *what)
{
    error_set(error, ERROR_FORMAT, "the server's answer to BASE_BACKUP %s", what);
    return FALSE;
}

static gboolean write_archive(Stream *stream, const char *bytes, gsize length, GError **error)
{
    if (stream->tar == NULL)
        return protocol_error(error, "has data before an archive begins");
    return tar_reader_write(stream->tar, bytes, length, error);
}

/* "base.tar", "16390.tar": as many bytes as the message has, with a NUL among them or not. */
static gboolean take_archive_name(Stream *stream, const char *bytes, gsize length, GError **error)
{
    g_autofree char *name = g_strndup(bytes, length);
    char *end = NULL;
    guint64 oid;

    if (strcmp(name, "base.tar") == 0)
        return begin_archive(stream, 0, error);
    oid = g_ascii_strtoull(name, &end, 10);
    if (oid == 0 || oid > G_MAXUINT32 || strcmp(end, ".tar") != 0)
        return protocol_error(error, "names an archive that is none");
    return begin_archive(stream, oid, error);
}

/* Version 15 and later: each message begins with its type. */
static gboolean take_message(Stream *stream, const char *bytes, gsize length, GError **error)
{
    if (length == 0)
        return protocol_error(error, "has an empty message");
    switch (bytes[0]) {
    case 'n':
        return take_archive_name(stream, bytes + 1, length - 1, error);
    case 'd':
        return write_archive(stream, bytes + 1, length - 1, error);
    case 'p':
        return TRUE;
    default:
        return protocol_error(error, "has a message of an unknown type");
    }
}

typedef gboolean (*MessageFunc)(Stream *stream, const char *bytes, gsize length, GError **error);

static PGresult *next_result(Stream *stream, ExecStatusType expected, GError **error)
{
    g_autoptr(PGresult) result = PQgetResult(pg_connection_handle(stream->connection));

    if (PQresultStatus(result) == expected)
        return g_steal_pointer(&result);
    pg_set_result_error(stream->connection, result, error);
    return NULL;
}

static gboolean receive_copy(Stream *stream, MessageFunc func, GError **error)
{
    PGconn *handle = pg_connection_handle(stream->connection);
    g_autoptr(PGresult) begin = next_result(stream, PGRES_COPY_OUT, error);

    if (begin == NULL)
        return FALSE;
    for (;;) {
        char *bytes = NULL;
        int length = PQgetCopyData(handle, &bytes, 0);
        gboolean taken;

        if (length == -1)
            return end_archive(stream, error);
        if (length < 0) {
            pg_set_result_error(stream->connection, NULL, error);
            return FALSE;
        }
        taken = func(stream, bytes, (gsize)length, error);
        PQfreemem(bytes);
        if (!taken)
            return FALSE;
    }
}

/* Until version 14 a COPY for each archive, in the order of the list of tablespaces; the data
 * directory has no oid there. */
static gboolean receive_archives(Stream *stream, const PGresult *spaces, GError **error)
{
    if (pg_connection_version(stream->connection) >= 150000)
        return receive_copy(stream, take_message, error);
    for (int row = 0; row < PQntuples(spaces); row++)
        if (!begin_archive(stream, pg_uint(spaces, row, 0), error) ||
            !receive_copy(stream, write_archive, error))
            return FALSE;
    return TRUE;
}

static char *make_command(const Stream *stream)
{
    const PgCopyStream *copy = stream->copy;
    gboolean parentheses = pg_connection_version(stream->connection) >= 150000;
    g_autofree char *text = g_strdup_printf("holdfast %s", copy->backup_id);
    g_autofree char *label = pg_quote_literal(text);
    guint64 rate = MAX(copy->rate / 1024, RATE_MIN);
    g_autofree char *limit =
        copy->rate > 0 && rate <= RATE_MAX
            ? g_strdup_printf("%s MAX_RATE %" G_GUINT64_FORMAT, parentheses ? "," : "", rate)
            : g_strdup("");

    /* The server would end the whole backup with an error for one wrong page: they are checked
     * here. */
    if (parentheses)
        return g_strdup_printf("BASE_BACKUP (LABEL %s, CHECKPOINT 'fast', WAIT false, "
                               "TABLESPACE_MAP true, VERIFY_CHECKSUMS false, MANIFEST 'no'%s)",
                               label, limit);
    return g_strdup_printf("BASE_BACKUP LABEL %s FAST NOWAIT TABLESPACE_MAP NOVERIFY_CHECKSUMS%s",
                           label, limit);
}

/* One row: position and timeline. */
static gboolean take_position(const PGresult *result, PgLsn *ret_lsn, guint32 *ret_timeline,
                              GError **error)
{
    if (PQntuples(result) != 1 || PQnfields(result) < 2)
        return protocol_error(error, "has no position");
    *ret_timeline = (guint32)pg_uint(result, 0, 1);
    return pg_lsn_parse(pg_text(result, 0, 0), ret_lsn, error);
}

static gboolean start_backup(Stream *stream, PGresult **ret_spaces, GError **error)
{
    const PgCopyStream *copy = stream->copy;
    PgPhysical *physical = copy->physical;
    g_autofree char *command = make_command(stream);
    g_autoptr(PGresult) position = NULL;

    if (PQsendQuery(pg_connection_handle(stream->connection), command) == 0) {
        pg_set_result_error(stream->connection, NULL, error);
        return FALSE;
    }
    position = next_result(stream, PGRES_TUPLES_OK, error);
    if (position == NULL ||
        !take_position(position, &physical->start, &physical->timeline, error) ||
        !pg_backup_session_now(copy->session, &physical->start_time, error))
        return FALSE;
    *ret_spaces = next_result(stream, PGRES_TUPLES_OK, error);
    return *ret_spaces != NULL;
}

static gboolean stop_backup(Stream *stream, GError **error)
{
    PgPhysical *physical = stream->copy->physical;
    g_autoptr(PGresult) position = next_result(stream, PGRES_TUPLES_OK, error);
    guint32 timeline;

    if (position == NULL || !take_position(position, &physical->stop, &timeline, error) ||
        !pg_backup_session_now(stream->copy->session, &physical->stop_time, error))
        return FALSE;
    if (timeline == physical->timeline)
        return TRUE;
    error_set(error, ERROR_VANISHED,
              "the server went from timeline %u to %u while it was backed up", physical->timeline,
              timeline);
    error_add_hint(error, "run the backup again");
    return FALSE;
}

/* --- before and after ------------------------------------------------------------------------- */

static gboolean keep_base_file(PgFile *file, gpointer data, GError **error)
{
    if (file->kind == PG_FILE_REGULAR)
        g_hash_table_insert(data, file->path, file);
    else
        pg_file_free(file);
    return TRUE;
}

/* Pages that were sent in halves are whole by now, if the role may look (pg_read_server_files). */
static gboolean read_page(const char *path, guint64 offset, guint8 *page, gpointer data)
{
    const PgCopyStream *copy = data;
    g_autofree char *place = g_strdup_printf("%" G_GUINT64_FORMAT, offset);
    g_autofree char *size = g_strdup_printf("%u", copy->physical->block_size);
    const char *parameters[] = {path, place, size};
    g_autoptr(PGresult) result = pg_query(
        pg_backup_session_connection(copy->session),
        "SELECT pg_catalog.encode(pg_catalog.pg_read_binary_file($1, $2, $3, true), 'hex')", 3,
        parameters, NULL);
    const char *hex = result != NULL ? pg_text(result, 0, 0) : NULL;

    if (hex == NULL || strlen(hex) != 2 * (gsize)copy->physical->block_size)
        return FALSE;
    for (guint32 i = 0; i < copy->physical->block_size; i++)
        page[i] =
            (guint8)(g_ascii_xdigit_value(hex[2 * i]) << 4 | g_ascii_xdigit_value(hex[2 * i + 1]));
    return TRUE;
}

static gboolean check_files(const PgCopyStream *copy, GError **error)
{
    GPtrArray *files = copy->physical->files;
    gboolean has_control = FALSE;

    g_ptr_array_sort(files, pg_file_compare);
    for (guint i = 0; i < files->len; i++) {
        const PgFile *file = g_ptr_array_index(files, i);

        has_control = has_control || strcmp(file->path, PG_CONTROL_PATH) == 0;
        if (i > 0 && pg_file_compare(&files->pdata[i - 1], &files->pdata[i]) == 0)
            return protocol_error(error, "has the same file twice");
    }
    return has_control || protocol_error(error, "has no " PG_CONTROL_PATH);
}

static gboolean open_stream(Stream *stream, GError **error)
{
    const PgCopyStream *copy = stream->copy;
    const PgCopyLanesOptions options = {
        .pool = copy->pool,
        .base_reader = copy->base_head != NULL ? copy->base_head->reader : NULL,
        .pages = copy->pages,
        .jobs = copy->jobs,
        .nice = copy->nice,
        .progress = copy->progress,
        .cancellable = copy->cancellable,
    };

    stream->label = g_string_new(NULL);
    stream->map = g_string_new(NULL);
    stream->base_files =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)pg_file_free);
    if (copy->base != NULL && !pg_physical_read_files(copy->base, copy->base_head, keep_base_file,
                                                      stream->base_files, error))
        return FALSE;
    stream->connection = pg_connect_replication(copy->source->conninfo, copy->cancellable, error);
    if (stream->connection == NULL)
        return FALSE;
    stream->lanes = pg_copy_lanes_new(&options);
    return TRUE;
}

gboolean pg_copy_stream(const PgCopyStream *copy, char **ret_label, char **ret_map, GError **error)
{
    g_auto(Stream) stream = {.copy = copy};
    g_autoptr(PGresult) spaces = NULL;

    progress_begin(copy->progress, "starting", 0, 0);
    if (!open_stream(&stream, error) ||
        (copy->probe != NULL &&
         !pg_backup_wal_prove(copy->wal, copy->probe, copy->physical, error)) ||
        !start_backup(&stream, &spaces, error) ||
        (copy->probe == NULL && !pg_backup_wal_prove(copy->wal, NULL, copy->physical, error)) ||
        !pg_backup_session_tablespaces(copy->session, copy->physical, error))
        return FALSE;
    progress_begin(copy->progress, "copying", 0, 0);
    if (!receive_archives(&stream, spaces, error) || !stop_backup(&stream, error) ||
        !pg_copy_lanes_finish(stream.lanes, error) || !check_files(copy, error) ||
        !pg_backup_label_parse(stream.label->str, copy->physical, error))
        return FALSE;
    if (copy->pages != NULL)
        pg_page_check_again(copy->pages, read_page, (gpointer)copy);
    *ret_label = g_strdup(stream.label->str);
    *ret_map = g_strdup(stream.map->str);
    return TRUE;
}
