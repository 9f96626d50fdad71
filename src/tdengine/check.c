/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking at a TDengine source before it matters: can it be reached and read, what does it refuse,
 * what would a backup take?
 */
#include "base/error.h"
#include "base/size.h"
#include "base/time.h"
#include "tdengine/backup.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"
#include "tdengine/own-topics.h"
#include "tdengine/schema.h"
#include "tdengine/topic.h"

#include <string.h>

/* A clock further off than this makes the times of positions doubtful. */
#define SKEW_WARNING (2 * TIME_SECOND)

typedef struct {
    const EngineCheck *request;
    TdClient *client;
    FactFunc func;
    gpointer data;
} Check;

static void fact(const Check *check, FactState state, const char *subject, const char *hint,
                 const char *format, ...) G_GNUC_PRINTF(5, 6);

static void fact(const Check *check, FactState state, const char *subject, const char *hint,
                 const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    check->func(state, subject, text, hint, check->data);
}

static void fact_error(const Check *check, const char *subject, const GError *error)
{
    g_autofree char *text = error_text(error);
    FactState state = error_is(error, ERROR_UNREACHABLE) ? FACT_UNREACHABLE : FACT_FAILED;

    check->func(state, subject, text, error_hint(error), check->data);
}

static GPtrArray *ask(const Check *check, const char *sql, GError **error)
{
    return td_ask(check->client, sql, 100000, check->request->cancellable, error);
}

static void check_server(const Check *check)
{
    const char *note = td_client_transport_note(check->client);

    fact(check, FACT_OK, "connection", NULL, "server %s at %s, by %s",
         td_client_server_version(check->client), check->request->source->url,
         td_client_transport(check->client));
    if (!g_str_has_prefix(td_client_server_version(check->client), "3."))
        fact(check, FACT_FAILED, "version", "upgrade the server", "only version 3 is supported");
    if (note != NULL)
        fact(check, FACT_WARNING, "library", "or leave `library` out", "%s", note);
}

static void check_clock(const Check *check)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *skew_text = NULL;
    gint64 before = time_now(), now, skew;

    if (!td_ask_number(check->client, "SELECT CAST(NOW() AS BIGINT)", &now,
                       check->request->cancellable, &error)) {
        fact_error(check, "clock", error);
        return;
    }
    skew = now * 1000 - (before + time_now()) / 2;
    skew_text = duration_format(ABS(skew));
    if (ABS(skew) > SKEW_WARNING)
        fact(check, FACT_WARNING, "clock", "let NTP keep both clocks",
             "the server's clock is %s %s ours", skew_text, skew > 0 ? "ahead of" : "behind");
    else
        fact(check, FACT_OK, "clock", NULL, "within %s of the server's", skew_text);
}

/* Whether every row can be asked for: a user may see a database and not its rows. */
static gboolean can_read(const Check *check, const char *database, GError **error)
{
    g_autoptr(GString) sql =
        g_string_new("SELECT stable_name FROM information_schema.ins_stables WHERE db_name = ");
    g_autoptr(GPtrArray) tables = NULL;
    gint64 rows;

    td_append_text(sql, database);
    g_string_append(sql, " LIMIT 1");
    tables = ask(check, sql->str, error);
    if (tables == NULL)
        return FALSE;
    if (tables->len == 0)
        return TRUE;
    g_string_assign(sql, "SELECT COUNT(*) FROM ");
    td_append_table(sql, database, td_row_text(g_ptr_array_index(tables, 0), "stable_name"));
    return td_ask_number(check->client, sql->str, &rows, check->request->cancellable, error);
}

/* Whether a topic is one that this source keeps. */
static gboolean is_kept(const Check *check, const char *database, const char *topic)
{
    const ConfigSource *source = check->request->source;
    g_autofree char *name = td_own_topic_name(source->name, database);

    return source->topic && strcmp(name, topic) == 0;
}

static void drop_topic(const Check *check, const char *subject, const char *topic)
{
    g_autoptr(GError) error = NULL;

    if (!td_own_topic_drop(check->client, topic, check->request->cancellable, &error)) {
        fact_error(check, subject, error);
        return;
    }
    fact(check, FACT_OK, subject, NULL,
         check->request->source->topic ? "dropped; the next backup makes it again: topic = on"
                                       : "dropped");
}

/* A topic blocks DROP DATABASE, whoever has made it. */
static void check_topic(const Check *check, const char *database, const char *topic)
{
    const gboolean own = g_str_has_prefix(topic, TD_TOPIC_PREFIX);
    const gboolean kept = own && is_kept(check, database, topic);
    g_autofree char *subject = g_strdup_printf("topic %s", topic);
    g_autofree char *hint = NULL;
    g_autofree char *name = td_quote_name(topic);

    if (own && check->request->drop_topics) {
        drop_topic(check, subject, topic);
        return;
    }
    hint = own ? g_strdup_printf("DROP TOPIC %s, which holdfast check %s --drop-topics does, and "
                                 "restore --replace",
                                 name, check->request->source->name)
               : g_strdup_printf("DROP TOPIC %s, if nobody needs it any more", name);
    fact(check, kept ? FACT_OK : FACT_WARNING, subject, hint,
         kept ? "increments read the server's log by it; as long as it is there database %s cannot "
                "be dropped"
         : own ? "one of Holdfast's by its name, which this source does not use: as long as it is "
                 "there database %s cannot be dropped"
               : "not one of Holdfast's: as long as it is there database %s cannot be dropped, nor "
                 "replaced by a restore",
         database);
}

static void check_topics(const Check *check, const char *database)
{
    g_autoptr(GString) sql =
        g_string_new("SELECT topic_name FROM information_schema.ins_topics WHERE db_name = ");
    g_autoptr(GPtrArray) topics = NULL;

    td_append_text(sql, database);
    topics = ask(check, sql->str, NULL);
    for (guint i = 0; topics != NULL && i < topics->len; i++) {
        const char *topic = td_row_text(g_ptr_array_index(topics, i), "topic_name");

        if (topic != NULL)
            check_topic(check, database, topic);
    }
}

static void check_database(const Check *check, const json_t *row)
{
    const char *name = td_row_text(row, "name");
    g_autofree char *subject = g_strdup_printf("database %s", name);
    g_autoptr(GError) error = NULL;

    if (!can_read(check, name, &error)) {
        fact_error(check, subject, error);
        return;
    }
    if (td_row_text(row, "vgroups") == NULL || td_row_text(row, "duration") == NULL)
        fact(check, FACT_WARNING, subject, "ALTER USER … SYSINFO 1",
             "%" G_GINT64_FORMAT " tables, precision %s; the server does not show its options and "
             "vgroups to this user: they will not be in the backup",
             td_row_number(row, "ntables", 0), json_get_string(row, "precision", "?"));
    else
        fact(check, FACT_OK, subject, NULL,
             "%" G_GINT64_FORMAT " tables in %s vgroups, precision %s, file sets of %s",
             td_row_number(row, "ntables", 0), td_row_text(row, "vgroups"),
             json_get_string(row, "precision", "?"), td_row_text(row, "duration"));
    check_topics(check, name);
}

static gboolean is_chosen(const ConfigSource *source, const char *name)
{
    if (name == NULL || td_is_no_data(name))
        return FALSE;
    return source->databases == NULL ||
           g_strv_contains((const char *const *)source->databases, name);
}

static void check_missing(const Check *check, const GPtrArray *rows)
{
    const ConfigSource *source = check->request->source;

    for (guint i = 0; source->databases != NULL && source->databases[i] != NULL; i++) {
        g_autofree char *subject = g_strdup_printf("database %s", source->databases[i]);
        gboolean found = FALSE;

        for (guint j = 0; j < rows->len && !found; j++)
            found = g_strcmp0(td_row_text(g_ptr_array_index(rows, j), "name"),
                              source->databases[i]) == 0;
        if (!found)
            fact(check, FACT_FAILED, subject, "correct `databases` of the source",
                 "the server has no such database");
    }
}

static void check_databases(const Check *check)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) rows =
        ask(check, "SELECT * FROM information_schema.ins_databases", &error);

    if (rows == NULL) {
        fact_error(check, "databases", error);
        return;
    }
    for (guint i = 0; i < rows->len; i++) {
        const json_t *row = g_ptr_array_index(rows, i);

        if (is_chosen(check->request->source, td_row_text(row, "name")))
            check_database(check, row);
    }
    check_missing(check, rows);
}

/* What the server's files take, which rows in Parquet do not exceed. */
static void check_space(const Check *check)
{
    static const char *const columns[] = {"data1", "data2", "data3", "ss"};
    const guint64 available = check->request->repository_free;
    g_autoptr(GPtrArray) rows = ask(check, "SELECT * FROM information_schema.ins_disk_usage", NULL);
    g_autofree char *size_text = NULL, *free_text = size_format(available);
    guint64 size = 0;

    if (rows == NULL || available == G_MAXUINT64)
        return;
    for (guint i = 0; i < rows->len; i++) {
        const json_t *row = g_ptr_array_index(rows, i);

        for (guint j = 0; is_chosen(check->request->source, td_row_text(row, "db_name")) &&
                          j < G_N_ELEMENTS(columns);
             j++)
            size += (guint64)MAX(td_row_number(row, columns[j], 0), 0) * 1024;
    }
    size_text = size_format(size);
    fact(check, available < 2 * size ? FACT_WARNING : FACT_OK, "space",
         available < 2 * size ? "give the repository more room" : NULL,
         "the server's files take %s, the repository has %s free", size_text, free_text);
}

gboolean td_check(const EngineCheck *request, FactFunc func, gpointer data, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(TdClient) client = td_connect(request->source, request->cancellable, &problem);
    const Check check = {request, client, func, data};

    if (client == NULL) {
        fact_error(&check, "connection", problem);
        return TRUE;
    }
    check_server(&check);
    check_clock(&check);
    check_databases(&check);
    check_space(&check);
    return error_unless_cancelled(request->cancellable, error);
}
