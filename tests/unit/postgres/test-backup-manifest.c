/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of backup_manifest, byte for byte. That PostgreSQL agrees, the system tests show.
 */
#include "postgres/backup-manifest.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "codec/hash.h"

#define LIMIT 65536

static char *write_manifest(int server_major)
{
    FILE_AUTO_FD fd = -1;
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    char *text = NULL;
    gsize length;

    fd = g_file_open_tmp("holdfast-test-XXXXXX", &path, &error);
    g_assert_no_error(error);
    {
        g_autoptr(PgManifestWriter) writer = pg_manifest_new(fd, path, server_major, 7382);

        g_assert_true(pg_manifest_add(writer, "base/5/1259", 8192,
                                      G_GINT64_CONSTANT(1795312800999999), 0x0a1b2c3d, &error));
        g_assert_true(pg_manifest_add(writer, "a\"b\n", 0, 0, 0, &error));
        g_assert_true(pg_manifest_add(writer, "caf\xe9", 0, 0, 0, &error));
        g_assert_true(pg_manifest_finish(writer, 3, 0x2000028, 0x2000138, &error));
    }
    g_assert_true(file_read(path, LIMIT, &text, &length, &error));
    g_assert_cmpint(unlink(path), ==, 0);
    return text;
}

static const char files[] =
    "\"Files\": [\n"
    "{ \"Path\": \"base/5/1259\", \"Size\": 8192, \"Last-Modified\": \"2026-11-22 02:00:00 GMT\", "
    "\"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"3d2c1b0a\" },\n"
    "{ \"Path\": \"a\\\"b\\n\", \"Size\": 0, \"Last-Modified\": \"1970-01-01 00:00:00 GMT\", "
    "\"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"00000000\" },\n"
    "{ \"Encoded-Path\": \"636166e9\", \"Size\": 0, \"Last-Modified\": \"1970-01-01 00:00:00 "
    "GMT\", \"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"00000000\" }\n"
    "],\n"
    "\"WAL-Ranges\": [\n"
    "{ \"Timeline\": 3, \"Start-LSN\": \"0/2000028\", \"End-LSN\": \"0/2000138\" }\n"
    "],\n";

static void check(int server_major, const char *head)
{
    g_autofree char *text = write_manifest(server_major);
    g_autofree char *covered = g_strconcat(head, files, NULL);
    g_autofree char *expected = NULL;
    guint8 digest[SHA256_SIZE];
    char hex[SHA256_HEX_SIZE];

    sha256_buffer(covered, strlen(covered), digest);
    sha256_to_hex(digest, hex);
    expected = g_strconcat(covered, "\"Manifest-Checksum\": \"", hex, "\"}\n", NULL);
    g_assert_cmpstr(text, ==, expected);
}

static void test_versions(void)
{
    check(15, "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n");
    check(17, "{ \"PostgreSQL-Backup-Manifest-Version\": 2,\n\"System-Identifier\": 7382,\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/postgres/backup-manifest/versions", test_versions);
    return g_test_run();
}
