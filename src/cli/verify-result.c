/* SPDX-License-Identifier: Apache-2.0
 *
 * Telling what verify found.
 */
#include "cli/verify-result.h"

#include "base/size.h"

#define BACKUPS_SHOWN 10

/* What was done, in numbers: nobody shall take a light look for a close one. */
static char *describe_level(const VerifyReport *report)
{
    GString *text = g_string_new(NULL);
    const char *key;
    json_t *value;

    g_string_append_printf(text, "level %s%s", proof_level_name(report->level),
                           report->written ? ", of what the backup wrote" : "");
    if (report->sample < 1)
        g_string_append_printf(text, ", a sample of %.4g%%", report->sample * 100);
    json_object_foreach(report->counts, key, value)
    {
        g_autofree char *number = count_format((guint64)json_integer_value(value));
        g_autofree char *words = g_strdelimit(g_strdup(key), "_", ' ');

        g_string_append_printf(text, ", %s: %s", words, number);
    }
    if (report->present > 0)
        g_string_append_printf(text,
                               "; %" G_GUINT64_FORMAT " other%s not read, only seen to be there",
                               report->present, report->present == 1 ? "" : "s");
    return g_string_free(text, FALSE);
}

static void print_backups(Output *output, const char *heading, const GPtrArray *ids)
{
    for (guint i = 0; i < ids->len && i < BACKUPS_SHOWN; i++)
        output_line(output, "         %s %s", heading, (const char *)ids->pdata[i]);
    if (ids->len > BACKUPS_SHOWN)
        output_line(output, "         %s %u more", heading, ids->len - BACKUPS_SHOWN);
}

/* --quiet leaves out what is good, never damage. */
static void warn_of_damage(Output *output, const VerifyReport *report, const char *name)
{
    for (guint i = 0; i < report->damage->len; i++) {
        const VerifyDamage *damage = g_ptr_array_index(report->damage, i);

        output_warning(output, "%s is damaged: %s: %s%s%s", name, damage->object, damage->problem,
                       damage->owner != NULL ? "; it holds " : "",
                       damage->owner != NULL ? damage->owner : "");
    }
}

static void print_damage(Output *output, const VerifyReport *report)
{
    for (guint i = 0; i < report->damage->len; i++) {
        const VerifyDamage *damage = g_ptr_array_index(report->damage, i);

        output_line(output, "         %s: %s", damage->object, damage->problem);
        if (damage->more > 0)
            output_line(output, "           and %u further findings on it", damage->more);
        if (damage->owner != NULL)
            output_line(output, "           holds %s", damage->owner);
    }
    if (report->damage->len == 0)
        return;
    print_backups(output, "needs it as well:", report->affected);
    print_backups(output, "does not need it, not known to be damaged:", report->unaffected);
    if (report->unaffected->len == 0 && report->backup != NULL)
        output_line(output, "         no other backup of this source is known to be whole");
}

void verify_result_print(Output *output, const VerifyReport *report)
{
    g_autofree char *bytes = size_format(report->bytes);
    g_autofree char *took = duration_format(report->elapsed);
    g_autofree char *level = describe_level(report);
    const char *name = report->backup != NULL ? report->backup : report->archive;

    output_line(output, "%-8s %s  %" G_GUINT64_FORMAT " objects, %s, in %s",
                report->damage->len > 0 ? "damaged" : "good", name, report->objects, bytes, took);
    output_line(output, "         %s", level);
    print_damage(output, report);
    if (output_is_quiet(output) && !output_is_json(output))
        warn_of_damage(output, report, name);
    for (guint i = 0; i < report->warnings->len; i++)
        output_warning(output, "%s: %s", name, (const char *)report->warnings->pdata[i]);
}
