/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the reader of manifests. What it takes must survive being written and read again
 * unchanged.
 */
#include "repo/manifest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length);

static void check_again(const Manifest *manifest)
{
    gsize length, second_length;
    g_autofree char *text = manifest_write(manifest, &length);
    g_autoptr(Manifest) again = manifest_read(text, length, "manifest", NULL);
    g_autofree char *second = NULL;

    if (again == NULL)
        abort();
    second = manifest_write(again, &second_length);
    if (length != second_length || memcmp(text, second, length) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Manifest) manifest = manifest_read((const char *)bytes, length, "manifest", &error);

    if ((manifest == NULL) != (error != NULL))
        abort();
    if (manifest == NULL)
        return 0;
    check_again(manifest);
    for (guint i = 0; i < manifest_object_count(manifest); i++) {
        const ManifestObject *object = manifest_object(manifest, i);

        if (manifest_find_object(manifest, object->path) != object)
            abort();
    }
    for (guint i = 0; i < manifest_warning_count(manifest); i++) {
        if (manifest_warning(manifest, i) == NULL)
            abort();
    }
    return 0;
}
