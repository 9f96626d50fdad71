/* SPDX-License-Identifier: Apache-2.0
 *
 * Drills of TDengine.
 */
#include "tdengine/drill.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "base/size.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"
#include "tdengine/details.h"
#include "tdengine/holder.h"
#include "tdengine/restore-plan.h"
#include "tdengine/restore.h"

#define HOST_LENGTH     8
#define NAME_LENGTH     4
#define DATABASES_LIMIT 100000
#define SPACE_RESERVE   (256u << 20)

/* The server's disk can be asked only where it is ours. */
static gboolean check_space(const EngineRestore *request, EngineResult *result, GError **error)
{
    const char *directory = request->target->data_directory;
    guint64 wanted = manifest_plain_size(backup_manifest(request->backup)), present;
    g_autofree char *need = NULL, *have = NULL;

    if (directory == NULL) {
        g_ptr_array_add(result->warnings,
                        g_strdup("the server's free space is not known: without data_directory in "
                                 "the configuration it was not checked"));
        return TRUE;
    }
    if (!file_free_space(directory, &present, error))
        return FALSE;
    if (present >= wanted + SPACE_RESERVE)
        return TRUE;
    need = size_format(wanted);
    have = size_format(present);
    error_set(error, ERROR_NO_SPACE, "the drill may need %s below %s, and %s are free", need,
              directory, have);
    return FALSE;
}

static void append_escaped(GString *text, const char *name)
{
    for (; *name != '\0'; name++) {
        if (strchr(",=\\", *name) != NULL)
            g_string_append_c(text, '\\');
        g_string_append_c(text, *name);
    }
}

/* --- scratch databases ------------------------------------------------------------------------ */

static char *host_part(void)
{
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, g_get_host_name(), -1);

    return g_strndup(sum, HOST_LENGTH);
}

/* "<host>_<pid>_<start>_<random>" of this drill. */
static char *own_part(void)
{
    g_autofree char *host = host_part(), *random = random_name(NAME_LENGTH);
    g_autofree char *holder = td_holder_self();
    g_auto(GStrv) parts = g_strsplit(holder, " ", -1);

    return g_strdup_printf("%s_%s_%s_%s", host, parts[1], parts[2], random);
}

/* Whether a database was left by a drill of this host that is no more. */
static gboolean is_left(const char *database)
{
    g_auto(GStrv) parts = NULL;
    g_autofree char *host = host_part(), *holder = NULL;

    if (!g_str_has_prefix(database, TD_DRILL_PREFIX))
        return FALSE;
    parts = g_strsplit(database + strlen(TD_DRILL_PREFIX), "_", -1);
    if (g_strv_length(parts) != 5 || strcmp(parts[0], host) != 0)
        return FALSE;
    holder = g_strdup_printf("%s %s %s", g_get_host_name(), parts[1], parts[2]);
    return !td_holder_is_running(holder);
}

/* "A=holdfast_drill_…_0,B=…"; the new names are added to `names`. */
static char *map_names(const TdDetails *details, GPtrArray *names)
{
    g_autofree char *own = own_part();
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < details->databases->len; i++) {
        const TdDatabase *database = g_ptr_array_index(details->databases, i);
        char *name = g_strdup_printf(TD_DRILL_PREFIX "%s_%u", own, i);

        g_string_append(text, i > 0 ? "," : "");
        append_escaped(text, database->name);
        g_string_append_printf(text, "=%s", name);
        g_ptr_array_add(names, name);
    }
    return g_string_free(text, FALSE);
}

static gboolean drop_database(TdClient *client, const char *name, GError **error)
{
    g_autoptr(GString) sql = g_string_new("DROP DATABASE IF EXISTS ");

    td_append_name(sql, name);
    if (td_client_execute(client, sql->str, NULL, NULL, error))
        return TRUE;
    g_prefix_error(error, "dropping the scratch database %s: ", name);
    return FALSE;
}

static gboolean drop_all(const EngineRestore *request, const GPtrArray *names, GError **error)
{
    /* A cancel must not leave the databases there. */
    g_autoptr(TdClient) client = td_connect(request->target, NULL, error);

    if (client == NULL)
        return FALSE;
    for (guint i = 0; i < names->len; i++)
        if (!drop_database(client, g_ptr_array_index(names, i), error))
            return FALSE;
    return TRUE;
}

static gboolean drop_left(const EngineRestore *request, EngineResult *result, GError **error)
{
    g_autoptr(TdClient) client = td_connect(request->target, request->cancellable, error);
    g_autoptr(GPtrArray) rows = NULL;

    if (client == NULL)
        return FALSE;
    rows = td_ask(client, "SELECT name FROM information_schema.ins_databases", DATABASES_LIMIT,
                  request->cancellable, error);
    if (rows == NULL)
        return FALSE;
    for (guint i = 0; i < rows->len; i++) {
        const char *name = td_row_text(g_ptr_array_index(rows, i), "name");

        if (name == NULL || !is_left(name))
            continue;
        if (!drop_database(client, name, error))
            return FALSE;
        g_ptr_array_add(result->warnings,
                        g_strdup_printf("database %s was dropped: a drill that was killed left it",
                                        name));
    }
    return TRUE;
}

/* --- the report ------------------------------------------------------------------------------- */

static gboolean restore(const EngineRestore *request, const char *names, EngineResult *result,
                        GError **error)
{
    static const char *const everything[] = {"*", NULL};
    EngineRestore work = *request;
    EngineResult inner = {0};
    EnginePlan *plan;
    gboolean done;

    work.drill = TRUE;
    work.to_database = names;
    work.tables = everything; /* and nothing else: a topic or a stream is not for scratch */
    work.deep = TRUE;
    plan = td_restore_plan(&work, error);
    if (plan == NULL)
        return FALSE;
    done = plan->problems->len > 0 ? engine_plan_fail(plan, error)
                                   : td_restore_run(plan, &inner, error);
    for (guint i = 0; inner.warnings != NULL && i < inner.warnings->len; i++)
        g_ptr_array_add(result->warnings, g_strdup(g_ptr_array_index(inner.warnings, i)));
    if (inner.summary != NULL)
        json_object_update(result->summary, inner.summary);
    engine_result_clear(&inner);
    td_restore_plan_free(plan);
    return done;
}

static void list_tables(EngineResult *result)
{
    json_object_set(result->summary, "tables", json_object_get(result->summary, "checked"));
    json_object_del(result->summary, "checked");
}

gboolean td_drill(const EngineRestore *request, EngineResult *ret_result, GError **error)
{
    g_autoptr(TdDetails) details = NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) left = NULL;
    g_autofree char *map = NULL;
    gboolean done;

    ret_result->summary = json_object();
    ret_result->warnings = g_ptr_array_new_with_free_func(g_free);
    if (!td_details_read(request->backup, &details, error) ||
        !drop_left(request, ret_result, error) || !check_space(request, ret_result, error))
        return FALSE;
    map = map_names(details, names);
    g_ptr_array_add(ret_result->warnings,
                    g_strdup("rows, tags and tables were restored; functions, views, streams, "
                             "topics and users were not"));
    done = restore(request, map, ret_result, error);
    list_tables(ret_result);
    if (drop_all(request, names, &left))
        return done;
    if (done) {
        g_propagate_error(error, g_steal_pointer(&left));
        return FALSE;
    }
    g_ptr_array_add(ret_result->warnings, error_text(left));
    return FALSE;
}
