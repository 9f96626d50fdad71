/* SPDX-License-Identifier: Apache-2.0
 *
 * The engines that there are, and what they share.
 */
#include "engine/engine.h"

#include <string.h>

#include "base/error.h"

#define ENGINE_LIMIT 8

/* Filled in at start-up, before there are threads; only read afterwards. */
static const Engine *engines[ENGINE_LIMIT];
static guint engine_count;

void engine_register(const Engine *engine)
{
    g_return_if_fail(engine_count < ENGINE_LIMIT);

    engines[engine_count++] = engine;
}

const Engine *engine_find(const char *name, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);

    for (guint i = 0; i < engine_count; i++) {
        if (strcmp(engines[i]->name, name) == 0)
            return engines[i];
        g_string_append_printf(names, "%s%s", i > 0 ? ", " : "", engines[i]->name);
    }
    error_set(error, ERROR_UNSUPPORTED, "this holdfast does not know the engine \"%s\"", name);
    if (names->len > 0)
        error_add_hint(error, "it knows: %s", names->str);
    return NULL;
}

const Engine *engine_at(guint index)
{
    return index < engine_count ? engines[index] : NULL;
}

const char *proof_level_name(ProofLevel level)
{
    static const char *const names[] = {"objects", "structure", "deep"};

    return names[level];
}

gboolean engine_is_damage(const GError *problem)
{
    return error_is(problem, ERROR_DAMAGED) || error_is(problem, ERROR_FORMAT) ||
           error_is(problem, ERROR_NOT_FOUND) || error_is(problem, ERROR_IO);
}

static void damage_free(gpointer data)
{
    EngineDamage *damage = data;

    g_free(damage->object);
    g_free(damage->problem);
    g_free(damage);
}

void engine_archive_report_init(EngineArchiveReport *report)
{
    *report = (EngineArchiveReport){
        .damage = g_ptr_array_new_with_free_func(damage_free),
        .warnings = g_ptr_array_new_with_free_func(g_free),
    };
}

void engine_archive_report_clear(EngineArchiveReport *report)
{
    g_clear_pointer(&report->damage, g_ptr_array_unref);
    g_clear_pointer(&report->warnings, g_ptr_array_unref);
}

void engine_archive_damage(EngineArchiveReport *report, const char *object, const GError *problem)
{
    EngineDamage *damage = g_new0(EngineDamage, 1);

    damage->object = g_strdup(object);
    damage->problem = error_text(problem);
    g_ptr_array_add(report->damage, damage);
}

void engine_plan_init(EnginePlan *plan)
{
    plan->steps = g_ptr_array_new_with_free_func(g_free);
    plan->problems = g_ptr_array_new_with_free_func(g_free);
    plan->warnings = g_ptr_array_new_with_free_func(g_free);
    plan->summary = json_object();
    plan->problem_code = ERROR_INTERNAL;
}

void engine_plan_clear(EnginePlan *plan)
{
    g_clear_pointer(&plan->steps, g_ptr_array_unref);
    g_clear_pointer(&plan->problems, g_ptr_array_unref);
    g_clear_pointer(&plan->warnings, g_ptr_array_unref);
    g_clear_pointer(&plan->summary, json_decref);
}

/* A problem's text brings its hint along. */
gboolean engine_plan_fail(const EnginePlan *plan, GError **error)
{
    error_set(error, (ErrorCode)plan->problem_code, "%s",
              (const char *)g_ptr_array_index(plan->problems, 0));
    return FALSE;
}

void engine_plan_step(EnginePlan *plan, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(plan->steps, g_strdup_vprintf(format, args));
    va_end(args);
}

void engine_plan_problem(EnginePlan *plan, GError *error)
{
    if (plan->problems->len == 0)
        plan->problem_code = (int)error_info_of(error)->code;
    g_ptr_array_add(plan->problems, g_strdup(error->message));
    g_error_free(error);
}

void engine_plan_warn(EnginePlan *plan, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(plan->warnings, g_strdup_vprintf(format, args));
    va_end(args);
}

void engine_add_checked(json_t *checked, const char *table, guint64 expected, guint64 found)
{
    if (expected == found && json_array_size(checked) >= ENGINE_CHECKED_LIMIT)
        return;
    json_array_append_new(checked,
                          json_pack("{s:o, s:I, s:I}", "table", json_text(table), "expected",
                                    (json_int_t)expected, "found", (json_int_t)found));
}

void engine_result_clear(EngineResult *result)
{
    g_clear_pointer(&result->summary, json_decref);
    g_clear_pointer(&result->warnings, g_ptr_array_unref);
}

void engine_window_free(EngineWindow *window)
{
    if (window == NULL)
        return;
    g_ptr_array_unref(window->backups);
    g_free(window->problem);
    g_free(window->hole);
    g_free(window);
}

void engine_reach_clear(EngineReach *reach)
{
    g_clear_pointer(&reach->windows, g_ptr_array_unref);
    g_clear_pointer(&reach->doubt, g_free);
}

void engine_trim_result_clear(EngineTrimResult *result)
{
    g_clear_pointer(&result->ranges, g_ptr_array_unref);
}
