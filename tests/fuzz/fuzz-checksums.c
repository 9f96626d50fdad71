/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the reader of SHA256SUMS. No path that it takes may lead out of the repository, and what
 * is written again must be read as the same.
 */
#include "repo/checksums.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length);

static void check_path(const char *path)
{
    g_auto(GStrv) parts = NULL;

    if (g_str_has_prefix(path, "../../pool/") || g_str_has_prefix(path, "../../wal/"))
        path += strlen("../../");
    parts = g_strsplit(path, "/", -1);
    for (gsize i = 0; parts[i] != NULL; i++) {
        if (parts[i][0] == '\0' || strcmp(parts[i], ".") == 0 || strcmp(parts[i], "..") == 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Checksums) sums = checksums_read((const char *)bytes, length, "sums", &error);
    g_autoptr(Checksums) again = NULL;
    g_autofree char *text = NULL;
    gsize written;

    if ((sums == NULL) != (error != NULL))
        abort();
    if (sums == NULL)
        return 0;
    for (guint i = 0; i < checksums_count(sums); i++)
        check_path(checksums_entry(sums, i)->path);
    text = checksums_write(sums, &written);
    again = checksums_read(text, written, "sums", NULL);
    if (again == NULL || checksums_count(again) != checksums_count(sums) || written != length)
        abort();
    return 0;
}
