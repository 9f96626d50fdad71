/* SPDX-License-Identifier: Apache-2.0
 *
 * The details of a physical backup, written and read.
 *
 * details.json:
 *   {"format_version": 1,
 *    "server": {"version": "15.20 …", "version_num": 150020, "system_identifier": "7382…",
 *    "data_checksums": true},
 *    "position": {"timeline": 1, "start_lsn": "0/2000028", "stop_lsn": "0/2000138",
 *    "checkpoint_lsn": "0/2000060",
 *                 "start": "2026-…Z", "stop": "2026-…Z" (by the server's clock), "from_standby":
 *                 false, "access": "local",
 *                 "segment_size": 16777216, "block_size": 8192, "relation_segment_blocks": 131072},
 *    "host": {"id": "…", "boot": "…", "clock_offset": 1764…} or null where files were not read on a
 *    host that we know,
 *    "tablespaces": [{"oid": 16390, "name": "fast", "location": "/mnt/fast" or null (in place)}],
 *    "databases": [{"oid": 5, "name": "postgres"}],
 *    "settings": {"max_connections": "100", …},
 *    "packs": […] (pool/pool.h), "hash_key": "1844…" (decimal: it has 64 bits),
 *    "page_checksum_failures": [{"file": "base/5/16385.1", "block": 131080}]}
 *
 * details-files.jsonl, a line each, ascending by the bytes of the path:
 *   {"path": "base/5/1259", "type": "file", "mode": "0600", "modified": microseconds, "settled":
 *   true, "changed": microseconds,
 *    "inode": 123, "crc32c": "0a1b2c3d", "content": {…} (pool/pool.h)}
 *   {"path": "base/5", "type": "directory", "mode": "0700"}
 *   {"path": "pg_wal", "type": "link", "target": "/wal/main"}
 * "settled", "changed" and "inode" are for the next incremental only. A path or target that is not
 * UTF-8 stands in hexadecimal under "encoded_path" or "encoded_target" instead.
 */
#include "postgres/physical.h"

#include "base/error.h"
#include "base/time.h"
#include "repo/lines.h"

#include <string.h>

#define DETAILS_STEM  "details.json"
#define FILES_STEM    "details-files.jsonl"
#define DETAILS_LIMIT (256 * 1024 * 1024)

/* --- the structures --------------------------------------------------------------------------- */

PgFile *pg_file_new(const char *path, PgFileKind kind)
{
    gsize length = strlen(path) + 1;
    PgFile *file = g_malloc0(sizeof(PgFile) + length);

    memcpy(file->path, path, length);
    file->kind = kind;
    return file;
}

void pg_file_free(PgFile *file)
{
    if (file == NULL)
        return;
    g_free(file->target);
    pool_file_clear(&file->content);
    g_free(file);
}

static void tablespace_free(gpointer data)
{
    PgTablespace *space = data;

    g_free(space->name);
    g_free(space->location);
    g_free(space);
}

static void failure_free(gpointer data)
{
    PgPageFailure *failure = data;

    g_free(failure->path);
    g_free(failure);
}

PgPhysical *pg_physical_new(void)
{
    PgPhysical *physical = g_new0(PgPhysical, 1);

    physical->tablespaces = g_ptr_array_new_with_free_func(tablespace_free);
    physical->databases = g_ptr_array_new_with_free_func(g_free);
    physical->settings = g_ptr_array_new_with_free_func(g_free);
    physical->failures = g_ptr_array_new_with_free_func(failure_free);
    physical->files = g_ptr_array_new_with_free_func((GDestroyNotify)pg_file_free);
    return physical;
}

void pg_physical_free(PgPhysical *physical)
{
    if (physical == NULL)
        return;
    pg_server_clear(&physical->server);
    g_free(physical->access);
    g_free(physical->host_id);
    g_free(physical->boot_id);
    g_ptr_array_unref(physical->tablespaces);
    g_ptr_array_unref(physical->databases);
    g_ptr_array_unref(physical->settings);
    g_ptr_array_unref(physical->failures);
    g_ptr_array_unref(physical->files);
    pool_reader_free(physical->reader);
    g_free(physical);
}

void pg_physical_add_tablespace(PgPhysical *physical, guint32 oid, const char *name,
                                const char *location)
{
    PgTablespace *space = g_new0(PgTablespace, 1);

    space->oid = oid;
    space->name = g_strdup(name);
    space->location = g_strdup(location);
    g_ptr_array_add(physical->tablespaces, space);
}

void pg_physical_add_failure(PgPhysical *physical, const char *path, guint32 block)
{
    PgPageFailure *failure = g_new0(PgPageFailure, 1);

    failure->path = g_strdup(path);
    failure->block = block;
    g_ptr_array_add(physical->failures, failure);
}

/* --- bytes as JSON ---------------------------------------------------------------------------- */

static void set_bytes(json_t *json, const char *key, const char *encoded_key, const char *bytes)
{
    g_autoptr(GString) hex = NULL;

    if (bytes == NULL || g_utf8_validate(bytes, -1, NULL)) {
        json_object_set_new(json, key, json_text(bytes));
        return;
    }
    hex = g_string_new(NULL);
    for (const char *at = bytes; *at != '\0'; at++)
        g_string_append_printf(hex, "%02x", (guint8)*at);
    json_object_set_new(json, encoded_key, json_string(hex->str));
}

static char *decode_hex(const char *hex)
{
    gsize length = strlen(hex);
    g_autofree char *bytes = g_malloc0(length / 2 + 1);

    for (gsize i = 0; i < length; i += 2) {
        int high = g_ascii_xdigit_value(hex[i]);
        int low = high >= 0 ? g_ascii_xdigit_value(hex[i + 1]) : -1;

        if (low < 0 || high * 16 + low == 0)
            return NULL;
        bytes[i / 2] = (char)(high * 16 + low);
    }
    return g_steal_pointer(&bytes);
}

/* NULL where neither key has a usable value. */
static char *get_bytes(const json_t *json, const char *key, const char *encoded_key)
{
    const char *encoded = json_get_string(json, encoded_key, NULL);

    return encoded != NULL ? decode_hex(encoded) : g_strdup(json_get_string(json, key, NULL));
}

/* --- writing ---------------------------------------------------------------------------------- */

static void set_lsn(json_t *json, const char *key, PgLsn lsn)
{
    g_autofree char *text = pg_lsn_format(lsn);

    json_object_set_new(json, key, json_string(text));
}

static void set_time(json_t *json, const char *key, gint64 when)
{
    g_autofree char *text = time_format(when);

    json_object_set_new(json, key, json_string(text));
}

static json_t *server_to_json(const PgPhysical *physical)
{
    g_autofree char *identifier =
        g_strdup_printf("%" G_GUINT64_FORMAT, physical->system_identifier);

    return json_pack("{s:o, s:i, s:s, s:b}", "version", json_text(physical->server.version),
                     "version_num", physical->server.version_num, "system_identifier", identifier,
                     "data_checksums", physical->page_checksums);
}

static json_t *position_to_json(const PgPhysical *physical)
{
    json_t *json = json_object();

    json_object_set_new(json, "timeline", json_integer(physical->timeline));
    set_lsn(json, "start_lsn", physical->start);
    set_lsn(json, "stop_lsn", physical->stop);
    set_lsn(json, "checkpoint_lsn", physical->checkpoint);
    set_time(json, "start", physical->start_time);
    set_time(json, "stop", physical->stop_time);
    json_object_set_new(json, "from_standby", json_boolean(physical->from_standby));
    json_object_set_new(json, "access", json_text(physical->access));
    json_object_set_new(json, "segment_size", json_integer(physical->segment_size));
    json_object_set_new(json, "block_size", json_integer(physical->block_size));
    json_object_set_new(json, "relation_segment_blocks",
                        json_integer(physical->relation_segment_blocks));
    return json;
}

static json_t *host_to_json(const PgPhysical *physical)
{
    if (physical->host_id == NULL)
        return json_null();
    return json_pack("{s:s, s:o, s:I}", "id", physical->host_id, "boot",
                     json_text(physical->boot_id), "clock_offset",
                     (json_int_t)physical->clock_offset);
}

static json_t *tablespaces_to_json(const PgPhysical *physical)
{
    json_t *array = json_array();

    for (guint i = 0; i < physical->tablespaces->len; i++) {
        const PgTablespace *space = g_ptr_array_index(physical->tablespaces, i);
        json_t *json = json_object();

        json_object_set_new(json, "oid", json_integer(space->oid));
        json_object_set_new(json, "name", json_text(space->name));
        set_bytes(json, "location", "encoded_location", space->location);
        json_array_append_new(array, json);
    }
    return array;
}

static json_t *databases_to_json(const PgPhysical *physical)
{
    json_t *array = json_array();

    for (guint i = 0; i < physical->databases->len; i++) {
        const char *text = g_ptr_array_index(physical->databases, i);
        const char *tab = strchr(text, '\t');

        json_array_append_new(array, json_pack("{s:I, s:o}", "oid",
                                               (json_int_t)g_ascii_strtoull(text, NULL, 10), "name",
                                               json_text(tab != NULL ? tab + 1 : "")));
    }
    return array;
}

static json_t *settings_to_json(const PgPhysical *physical)
{
    json_t *json = json_object();

    for (guint i = 0; i < physical->settings->len; i++) {
        const char *text = g_ptr_array_index(physical->settings, i);
        const char *tab = strchr(text, '\t');
        g_autofree char *name = tab != NULL ? g_strndup(text, (gsize)(tab - text)) : NULL;

        if (name != NULL)
            json_object_set_new(json, name, json_text(tab + 1));
    }
    return json;
}

static json_t *failures_to_json(const PgPhysical *physical)
{
    json_t *array = json_array();

    for (guint i = 0; i < physical->failures->len; i++) {
        const PgPageFailure *failure = g_ptr_array_index(physical->failures, i);

        json_array_append_new(array, json_pack("{s:o, s:I}", "file", json_text(failure->path),
                                               "block", (json_int_t)failure->block));
    }
    return array;
}

static json_t *details_to_json(const PgPhysical *physical, json_t *packs)
{
    g_autofree char *hash_key = g_strdup_printf("%" G_GUINT64_FORMAT, physical->hash_key);
    json_t *json = json_object();

    json_object_set_new(json, "format_version", json_integer(REPOSITORY_FORMAT_VERSION));
    json_object_set_new(json, "server", server_to_json(physical));
    json_object_set_new(json, "position", position_to_json(physical));
    json_object_set_new(json, "host", host_to_json(physical));
    json_object_set_new(json, "tablespaces", tablespaces_to_json(physical));
    json_object_set_new(json, "databases", databases_to_json(physical));
    json_object_set_new(json, "settings", settings_to_json(physical));
    json_object_set_new(json, "packs", packs);
    json_object_set_new(json, "hash_key", json_string(hash_key));
    json_object_set_new(json, "page_checksum_failures", failures_to_json(physical));
    return json;
}

static const char *const kind_names[] = {
    [PG_FILE_REGULAR] = "file",
    [PG_FILE_DIRECTORY] = "directory",
    [PG_FILE_LINK] = "link",
};

static json_t *file_to_json(const PgFile *file)
{
    json_t *json = json_object();
    char mode[8], crc[16];

    set_bytes(json, "path", "encoded_path", file->path);
    json_object_set_new(json, "type", json_string(kind_names[file->kind]));
    if (file->kind == PG_FILE_LINK) {
        set_bytes(json, "target", "encoded_target", file->target);
        return json;
    }
    g_snprintf(mode, sizeof mode, "%04o", file->mode & 07777);
    json_object_set_new(json, "mode", json_string(mode));
    if (file->kind == PG_FILE_DIRECTORY)
        return json;
    json_object_set_new(json, "modified", json_integer(file->modified));
    if (file->settled) {
        json_object_set_new(json, "settled", json_true());
        json_object_set_new(json, "changed", json_integer(file->changed));
        json_object_set_new(json, "inode", json_integer((json_int_t)file->inode));
    }
    g_snprintf(crc, sizeof crc, "%08x", file->crc32c);
    json_object_set_new(json, "crc32c", json_string(crc));
    json_object_set_new(json, "content", pool_file_to_json(&file->content));
    return json;
}

static gboolean write_files(const PgPhysical *physical, BackupWriter *writer, CompressSpec spec,
                            GError **error)
{
    g_autoptr(ObjectWriter) object = backup_writer_begin(writer, FILES_STEM, spec, error);

    if (object == NULL)
        return FALSE;
    for (guint i = 0; i < physical->files->len; i++) {
        g_autoptr(json_t) json = file_to_json(g_ptr_array_index(physical->files, i));
        g_autofree char *line = json_write(json, FALSE);

        if (!object_writer_write(object, line, strlen(line), error))
            return FALSE;
    }
    return object_writer_commit(object, NULL, error);
}

gboolean pg_physical_write(const PgPhysical *physical, PoolWriter *pool, BackupWriter *writer,
                           CompressSpec spec, GError **error)
{
    g_autoptr(json_t) json = details_to_json(physical, pool_writer_packs_to_json(pool));
    g_autofree char *text = json_write(json, TRUE);

    return write_files(physical, writer, spec, error) &&
           backup_writer_put(writer, DETAILS_STEM, spec, text, strlen(text), error);
}

/* --- reading: details.json -------------------------------------------------------------------- */

static gboolean need_lsn(const json_t *json, const char *key, PgLsn *ret_lsn, GError **error)
{
    const char *text;

    return json_need_string(json, key, "the position", &text, error) &&
           pg_lsn_parse(text, ret_lsn, error);
}

static gboolean need_time(const json_t *json, const char *key, gint64 *ret_when, GError **error)
{
    const char *text;

    return json_need_string(json, key, "the position", &text, error) &&
           time_parse(text, NULL, ret_when, error);
}

static gboolean need_uint32(const json_t *json, const char *key, const char *what,
                            guint32 *ret_value, GError **error)
{
    guint64 value;

    if (!json_need_uint(json, key, what, &value, error))
        return FALSE;
    if (value > G_MAXUINT32) {
        error_set(error, ERROR_FORMAT, "%s: \"%s\" is too large", what, key);
        return FALSE;
    }
    *ret_value = (guint32)value;
    return TRUE;
}

/* Decimal, in a string: all 64 bits may be used. */
static gboolean need_uint64(const json_t *json, const char *key, const char *what,
                            guint64 *ret_value, GError **error)
{
    const char *text;

    if (!json_need_string(json, key, what, &text, error))
        return FALSE;
    if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, ret_value, NULL)) {
        error_set(error, ERROR_FORMAT, "%s: \"%s\" is no decimal number", what, key);
        return FALSE;
    }
    return TRUE;
}

static gboolean position_from_json(const json_t *json, PgPhysical *physical, GError **error)
{
    const char *what = "the position";

    if (!need_uint32(json, "timeline", what, &physical->timeline, error) ||
        !need_lsn(json, "start_lsn", &physical->start, error) ||
        !need_lsn(json, "stop_lsn", &physical->stop, error) ||
        !need_lsn(json, "checkpoint_lsn", &physical->checkpoint, error) ||
        !need_time(json, "start", &physical->start_time, error) ||
        !need_time(json, "stop", &physical->stop_time, error) ||
        !need_uint32(json, "segment_size", what, &physical->segment_size, error) ||
        !need_uint32(json, "block_size", what, &physical->block_size, error) ||
        !need_uint32(json, "relation_segment_blocks", what, &physical->relation_segment_blocks,
                     error))
        return FALSE;
    physical->from_standby = json_get_bool(json, "from_standby", FALSE);
    physical->access = g_strdup(json_get_string(json, "access", "local"));
    if (physical->timeline == 0 || physical->stop < physical->start ||
        !wal_segment_size_valid(physical->segment_size) || physical->block_size < 1024 ||
        physical->block_size > 32768 || (physical->block_size & (physical->block_size - 1)) != 0 ||
        physical->relation_segment_blocks == 0) {
        error_set(error, ERROR_FORMAT, "the position holds values that no server has");
        return FALSE;
    }
    return TRUE;
}

static gboolean server_from_json(const json_t *json, PgPhysical *physical, GError **error)
{
    guint32 version_num;

    if (!need_uint64(json, "system_identifier", "the server", &physical->system_identifier,
                     error) ||
        !need_uint32(json, "version_num", "the server", &version_num, error))
        return FALSE;
    physical->server.version = g_strdup(json_get_string(json, "version", "unknown"));
    physical->server.version_num = (int)MIN(version_num, 10000000);
    physical->server.system_identifier =
        g_strdup_printf("%" G_GUINT64_FORMAT, physical->system_identifier);
    physical->page_checksums = json_get_bool(json, "data_checksums", FALSE);
    physical->server.data_checksums = physical->page_checksums;
    return TRUE;
}

static gboolean lists_from_json(const json_t *json, PgPhysical *physical, GError **error)
{
    json_t *tablespaces, *databases, *failures, *entry;
    const char *key;
    size_t index;

    if (!json_need_array(json, "tablespaces", "the details", &tablespaces, error) ||
        !json_need_array(json, "databases", "the details", &databases, error) ||
        !json_need_array(json, "page_checksum_failures", "the details", &failures, error))
        return FALSE;
    json_array_foreach(tablespaces, index, entry)
    {
        g_autofree char *location = get_bytes(entry, "location", "encoded_location");
        guint32 oid;

        if (!need_uint32(entry, "oid", "a tablespace", &oid, error))
            return FALSE;
        pg_physical_add_tablespace(physical, oid, json_get_string(entry, "name", ""), location);
    }
    json_array_foreach(databases, index, entry)
    {
        g_ptr_array_add(physical->databases,
                        g_strdup_printf("%" G_GUINT64_FORMAT "\t%s", json_get_uint(entry, "oid", 0),
                                        json_get_string(entry, "name", "")));
    }
    json_array_foreach(failures, index, entry)
    {
        pg_physical_add_failure(physical, json_get_string(entry, "file", ""),
                                (guint32)json_get_uint(entry, "block", 0));
    }
    json_object_foreach(json_object_get(json, "settings"), key, entry)
    {
        if (json_is_string(entry))
            g_ptr_array_add(physical->settings,
                            g_strdup_printf("%s\t%s", key, json_string_value(entry)));
    }
    return TRUE;
}

static void host_from_json(const json_t *json, PgPhysical *physical)
{
    physical->host_id = g_strdup(json_get_string(json, "id", NULL));
    physical->boot_id = g_strdup(json_get_string(json, "boot", NULL));
    physical->clock_offset = (gint64)json_get_uint(json, "clock_offset", 0);
}

static json_t *read_details_json(Backup *backup, GError **error)
{
    const char *path = backup_find_object(backup, DETAILS_STEM);
    g_autofree char *what = g_strdup_printf("%s of backup %s", DETAILS_STEM, backup_id(backup));
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(json_t) json = NULL;

    if (path == NULL) {
        error_set(error, ERROR_DAMAGED, "backup %s has no " DETAILS_STEM, backup_id(backup));
        return NULL;
    }
    bytes = backup_get_object(backup, path, DETAILS_LIMIT, error);
    if (bytes == NULL)
        return NULL;
    json = json_read_object(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), what, error);
    if (json == NULL || !repository_check_version(json, what, error))
        return NULL;
    return g_steal_pointer(&json);
}

gboolean pg_physical_read_head(Backup *backup, PgPhysical **ret_physical, GError **error)
{
    g_autoptr(PgPhysical) physical = pg_physical_new();
    g_autoptr(json_t) json = read_details_json(backup, error);
    json_t *packs;

    if (json == NULL || !server_from_json(json_object_get(json, "server"), physical, error) ||
        !position_from_json(json_object_get(json, "position"), physical, error) ||
        !lists_from_json(json, physical, error) ||
        !need_uint64(json, "hash_key", "the details", &physical->hash_key, error) ||
        !json_need_array(json, "packs", "the details", &packs, error)) {
        g_prefix_error(error, "backup %s: ", backup_id(backup));
        return FALSE;
    }
    host_from_json(json_object_get(json, "host"), physical);
    physical->reader = pool_reader_new(backup_repository(backup), packs, physical->hash_key, error);
    if (physical->reader == NULL)
        return FALSE;
    *ret_physical = g_steal_pointer(&physical);
    return TRUE;
}

/* --- reading: details-files.jsonl ------------------------------------------------------------- */

/* Relative, and every part between the slashes a name of its own: a restore writes where this
 * points. */
static gboolean is_safe_path(const char *path)
{
    for (const char *part = path;; part++) {
        gsize length = strcspn(part, "/");

        if (length == 0 || (length == 1 && part[0] == '.') ||
            (length == 2 && part[0] == '.' && part[1] == '.'))
            return FALSE;
        part += length;
        if (*part == '\0')
            return TRUE;
    }
}

static gboolean kind_from_json(const json_t *json, PgFileKind *ret_kind)
{
    const char *name = json_get_string(json, "type", "");

    for (guint i = 0; i < G_N_ELEMENTS(kind_names); i++) {
        if (strcmp(kind_names[i], name) == 0) {
            *ret_kind = (PgFileKind)i;
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean need_octal(const json_t *json, guint32 *ret_mode, GError **error)
{
    const char *text = json_get_string(json, "mode", "");
    guint64 mode;

    if (!g_ascii_string_to_unsigned(text, 8, 0, 07777, &mode, NULL)) {
        error_set(error, ERROR_FORMAT, "\"mode\" is no octal number up to 7777");
        return FALSE;
    }
    *ret_mode = (guint32)mode;
    return TRUE;
}

static gboolean regular_from_json(const json_t *json, PoolReader *reader, PgFile *file,
                                  GError **error)
{
    const char *crc = json_get_string(json, "crc32c", "");
    guint64 value;

    if (!g_ascii_string_to_unsigned(crc, 16, 0, G_MAXUINT32, &value, NULL)) {
        error_set(error, ERROR_FORMAT, "\"crc32c\" is no hexadecimal number");
        return FALSE;
    }
    file->crc32c = (guint32)value;
    file->modified = json_integer_value(json_object_get(json, "modified"));
    file->settled = json_get_bool(json, "settled", FALSE);
    file->changed = json_integer_value(json_object_get(json, "changed"));
    file->inode = json_get_uint(json, "inode", 0);
    return pool_file_from_json(reader, json_object_get(json, "content"), &file->content, error);
}

static gboolean kind_rest_from_json(const json_t *json, PoolReader *reader, PgFile *file,
                                    GError **error)
{
    guint32 mode;

    if (file->kind == PG_FILE_LINK) {
        file->target = get_bytes(json, "target", "encoded_target");
        if (file->target == NULL || file->target[0] == '\0') {
            error_set(error, ERROR_FORMAT, "a link without a target");
            return FALSE;
        }
        return TRUE;
    }
    if (!need_octal(json, &mode, error))
        return FALSE;
    file->mode = mode & 07777;
    return file->kind == PG_FILE_DIRECTORY || regular_from_json(json, reader, file, error);
}

typedef struct {
    PoolReader *reader;
    PgFileFunc func;
    gpointer data;
    char *last; /* path of the line before, or NULL */
} FileReader;

static gboolean take_file_line(const json_t *json, gpointer data, GError **error)
{
    FileReader *reader = data;
    g_autofree char *path = get_bytes(json, "path", "encoded_path");
    PgFileKind kind;
    PgFile *file;

    if (path == NULL || !is_safe_path(path) || !kind_from_json(json, &kind) ||
        (reader->last != NULL && strcmp(reader->last, path) >= 0)) {
        error_set(error, ERROR_FORMAT, FILES_STEM ": a line without a usable path or type: %s",
                  path != NULL ? path : "none");
        return FALSE;
    }
    file = pg_file_new(path, kind);
    if (!kind_rest_from_json(json, reader->reader, file, error)) {
        g_prefix_error(error, FILES_STEM ": %s: ", file->path);
        pg_file_free(file);
        return FALSE;
    }
    g_free(reader->last);
    reader->last = g_steal_pointer(&path);
    return reader->func(file, reader->data, error);
}

gboolean pg_physical_read_files(Backup *backup, const PgPhysical *physical, PgFileFunc func,
                                gpointer data, GError **error)
{
    FileReader reader = {physical->reader, func, data, NULL};
    gboolean result = backup_read_lines(backup, FILES_STEM, take_file_line, &reader, NULL, error);

    g_free(reader.last);
    return result;
}

static gboolean keep_file(PgFile *file, gpointer data, GError **error)
{
    g_ptr_array_add(data, file);
    return TRUE;
}

gboolean pg_physical_read(Backup *backup, PgPhysical **ret_physical, GError **error)
{
    g_autoptr(PgPhysical) physical = NULL;

    if (!pg_physical_read_head(backup, &physical, error) ||
        !pg_physical_read_files(backup, physical, keep_file, physical->files, error))
        return FALSE;
    *ret_physical = g_steal_pointer(&physical);
    return TRUE;
}

/* --- for `show` ------------------------------------------------------------------------------- */

static gboolean append_line(const json_t *json, gpointer data, GError **error)
{
    json_t *copy = json_copy((json_t *)json);

    json_array_append_new(data, copy);
    return TRUE;
}

json_t *pg_physical_describe(Backup *backup, GError **error)
{
    g_autoptr(json_t) json = read_details_json(backup, error);
    json_t *tables;

    if (json == NULL)
        return NULL;
    tables = json_array();
    json_object_set_new(json, "tables", tables);
    json_object_del(json, "packs");
    json_object_del(json, "hash_key");
    if (!backup_read_lines(backup, "details-tables.jsonl", append_line, tables, NULL, error))
        return NULL;
    return g_steal_pointer(&json);
}
