/* SPDX-License-Identifier: Apache-2.0
 *
 * Telling of a backup that was made.
 */
#include "cli/backup-result.h"

#include "base/size.h"

static void print_resumed(Output *output, const Manifest *manifest)
{
    g_autoptr(json_t) json = manifest_json(manifest);
    const json_t *resumed = json_object_get(json, "resumed");
    g_autofree char *bytes = NULL, *of = NULL;

    if (resumed == NULL)
        return;
    bytes = size_format(json_get_uint(resumed, "bytes", 0));
    of = size_format(json_get_uint(resumed, "of", 0));
    output_line(output, "resumed: %s of %s, from the interrupted backup %s", bytes, of,
                json_get_string(resumed, "run", ""));
}

void backup_result_print(Output *output, const Manifest *manifest)
{
    g_autofree char *written = size_format(manifest_pool(manifest).written_bytes);
    gboolean counted = g_strcmp0(manifest_method(manifest), "physical") != 0;
    g_autofree char *rows = count_format(manifest_rows(manifest));
    g_autofree char *counts = counted ? g_strdup_printf(", %s rows", rows) : g_strdup("");
    g_autofree char *tables = count_format(manifest_tables(manifest));
    g_autofree char *stored = size_format(manifest_stored_size(manifest));
    g_autofree char *plain = size_format(manifest_plain_size(manifest));
    g_autofree char *took = duration_format(manifest_stop(manifest) - manifest_start(manifest));

    output_json(output, manifest_json(manifest));
    output_line(output, "backup %s", manifest_id(manifest));
    if (manifest_base(manifest) != NULL)
        output_line(output, "incremental, against %s: %s of it are new", manifest_base(manifest),
                    written);
    print_resumed(output, manifest);
    output_line(output, "%s tables%s, %s stored (%s before compression), in %s", tables, counts,
                stored, plain, took);
    for (guint i = 0; i < manifest_warning_count(manifest); i++)
        output_warning(output, "%s", manifest_warning(manifest, i));
}
