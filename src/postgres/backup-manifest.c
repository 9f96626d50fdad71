/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing backup_manifest.
 */
#include "postgres/backup-manifest.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/time.h"
#include "codec/hash.h"

#define BUFFER_SIZE (256 * 1024)

struct PgManifestWriter {
    int fd;
    char *path;
    GString *buffer;
    Sha256 *hash;
    gboolean any; /* a file was added */
};

/* The checksum is over every byte before the last line. */
static gboolean flush(PgManifestWriter *writer, GError **error)
{
    sha256_update(writer->hash, writer->buffer->str, writer->buffer->len);
    if (!file_write_all(writer->fd, writer->buffer->str, writer->buffer->len, writer->path, error))
        return FALSE;
    g_string_truncate(writer->buffer, 0);
    return TRUE;
}

PgManifestWriter *pg_manifest_new(int fd, const char *path, int server_major,
                                  guint64 system_identifier)
{
    PgManifestWriter *writer = g_new0(PgManifestWriter, 1);

    writer->fd = fd;
    writer->path = g_strdup(path);
    writer->buffer = g_string_sized_new(BUFFER_SIZE);
    writer->hash = sha256_new();
    if (server_major >= 17)
        g_string_append_printf(writer->buffer,
                               "{ \"PostgreSQL-Backup-Manifest-Version\": 2,\n"
                               "\"System-Identifier\": %" G_GUINT64_FORMAT ",\n",
                               system_identifier);
    else
        g_string_append(writer->buffer, "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n");
    g_string_append(writer->buffer, "\"Files\": [");
    return writer;
}

void pg_manifest_free(PgManifestWriter *writer)
{
    if (writer == NULL)
        return;
    g_free(writer->path);
    g_string_free(writer->buffer, TRUE);
    sha256_free(writer->hash);
    g_free(writer);
}

static void append_path(GString *text, const char *path)
{
    g_autoptr(json_t) string = NULL;
    g_autofree char *quoted = NULL;

    if (!g_utf8_validate(path, -1, NULL)) {
        g_string_append(text, "\"Encoded-Path\": \"");
        for (; *path != '\0'; path++)
            g_string_append_printf(text, "%02x", (guint8)*path);
        g_string_append_c(text, '"');
        return;
    }
    string = json_text(path);
    quoted = json_dumps(string, JSON_ENCODE_ANY);
    g_string_append_printf(text, "\"Path\": %s", quoted);
}

gboolean pg_manifest_add(PgManifestWriter *writer, const char *path, guint64 size, gint64 modified,
                         guint32 crc, GError **error)
{
    g_autoptr(GDateTime) moment = g_date_time_new_from_unix_utc(modified / TIME_SECOND);
    g_autofree char *when = moment != NULL ? g_date_time_format(moment, "%Y-%m-%d %H:%M:%S GMT")
                                           : g_strdup("1970-01-01 00:00:00 GMT");

    g_string_append(writer->buffer, writer->any ? ",\n{ " : "\n{ ");
    append_path(writer->buffer, path);
    /* PostgreSQL prints the checksum's bytes as they lie in the memory of its machine, lowest
     * first. */
    g_string_append_printf(writer->buffer,
                           ", \"Size\": %" G_GUINT64_FORMAT ", \"Last-Modified\": \"%s\", "
                           "\"Checksum-Algorithm\": \"CRC32C\", "
                           "\"Checksum\": \"%02x%02x%02x%02x\" }",
                           size, when, crc & 0xff, crc >> 8 & 0xff, crc >> 16 & 0xff, crc >> 24);
    writer->any = TRUE;
    return writer->buffer->len < BUFFER_SIZE || flush(writer, error);
}

gboolean pg_manifest_finish(PgManifestWriter *writer, guint32 timeline, PgLsn start, PgLsn stop,
                            GError **error)
{
    g_autofree char *first = pg_lsn_format(start);
    g_autofree char *last = pg_lsn_format(stop);
    g_autofree char *line = NULL;
    char hex[SHA256_HEX_SIZE];
    guint8 digest[SHA256_SIZE];

    g_string_append_printf(writer->buffer,
                           "\n],\n\"WAL-Ranges\": [\n{ \"Timeline\": %" G_GUINT32_FORMAT
                           ", \"Start-LSN\": \"%s\", \"End-LSN\": \"%s\" }\n],\n",
                           timeline, first, last);
    if (!flush(writer, error))
        return FALSE;
    sha256_finish(writer->hash, digest);
    sha256_to_hex(digest, hex);
    line = g_strdup_printf("\"Manifest-Checksum\": \"%s\"}\n", hex);
    return file_write_all(writer->fd, line, strlen(line), writer->path, error);
}
