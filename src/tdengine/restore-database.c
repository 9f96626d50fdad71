/* SPDX-License-Identifier: Apache-2.0
 *
 * Options of databases.
 */
#include "tdengine/restore-database.h"

#include <string.h>

#include "tdengine/ddl.h"

/* Ordinary KEEPs are days; these minutes are ours. Nanoseconds reach back to 1677 only. */
#define WIDE_KEEP             "525599361m"
#define WIDE_KEEP_NANOSECONDS "153474961m"

/* Files of small blocks that the server gathers before it merges them: the most it takes. */
#define HIGH_STT_TRIGGER 16
/* A vnode has rows in memory up to this part of its BUFFER, then writes them. */
#define BUFFER_PARTS 3u
/* Setting an option back takes a server up to two seconds: for fewer bytes it would cost more. */
#define MANY_BYTES (32u * 1024 * 1024)

void td_option_free(TdOption *option)
{
    if (option == NULL)
        return;
    g_free(option->name);
    g_free(option->value);
    g_free(option);
}

static void add_option(GPtrArray *options, char *name, char *value)
{
    TdOption *option = g_new0(TdOption, 1);

    option->name = name;
    option->value = value;
    g_ptr_array_add(options, option);
}

/* A word up to a blank; quoted text with blanks is one word. */
static char *next_word(const char **at)
{
    const char *start, *end;
    char quote = '\0';

    *at += strspn(*at, " ");
    start = *at;
    for (end = start; *end != '\0' && (quote != '\0' || *end != ' '); end++) {
        if (quote == '\0' && (*end == '\'' || *end == '"'))
            quote = *end;
        else if (*end == quote)
            quote = '\0';
    }
    *at = end;
    return end > start ? g_strndup(start, (gsize)(end - start)) : NULL;
}

/* "BUFFER 8 CACHEMODEL 'none' …" */
static void read_words(GPtrArray *options, const char *text)
{
    for (;;) {
        char *name = next_word(&text);
        char *value = name != NULL ? next_word(&text) : NULL;

        if (value == NULL) {
            g_free(name);
            return;
        }
        add_option(options, name, value);
    }
}

/* The columns of ins_databases that are options of CREATE DATABASE. */
static void read_columns(GPtrArray *options, const json_t *columns)
{
    static const struct {
        const char *name;
        gboolean text;
    } known[] = {{"buffer", FALSE},
                 {"cachemodel", TRUE},
                 {"cachesize", FALSE},
                 {"comp", FALSE},
                 {"duration", FALSE},
                 {"keep", FALSE},
                 {"keep_time_offset", FALSE},
                 {"maxrows", FALSE},
                 {"minrows", FALSE},
                 {"pages", FALSE},
                 {"pagesize", FALSE},
                 {"precision", TRUE},
                 {"replica", FALSE},
                 {"retentions", FALSE},
                 {"stt_trigger", FALSE},
                 {"table_prefix", FALSE},
                 {"table_suffix", FALSE},
                 {"tsdb_pagesize", FALSE},
                 {"vgroups", FALSE},
                 {"wal_fsync_period", FALSE},
                 {"wal_level", FALSE},
                 {"wal_retention_period", FALSE},
                 {"wal_retention_size", FALSE}};

    for (gsize i = 0; i < G_N_ELEMENTS(known); i++) {
        const char *value = json_get_string(columns, known[i].name, NULL);

        if (value != NULL && value[0] != '\0')
            add_option(options, g_ascii_strup(known[i].name, -1),
                       known[i].text ? g_strdup_printf("'%s'", value) : g_strdup(value));
    }
}

GPtrArray *td_database_options(const TdDatabase *database)
{
    GPtrArray *options = g_ptr_array_new_with_free_func((GDestroyNotify)td_option_free);
    g_autofree char *sql = td_database_ddl(database, "d");

    if (sql != NULL)
        read_words(options, sql + strlen("CREATE DATABASE `d`"));
    else
        read_columns(options, database->options);
    return options;
}

const char *td_option_value(const GPtrArray *options, const char *name)
{
    for (guint i = 0; i < options->len; i++) {
        const TdOption *option = g_ptr_array_index(options, i);

        if (g_ascii_strcasecmp(option->name, name) == 0)
            return option->value;
    }
    return NULL;
}

/* --- KEEP ------------------------------------------------------------------------------------- */

const char *td_restore_wide_keep(TdPrecision precision)
{
    return precision == TD_NANOSECONDS ? WIDE_KEEP_NANOSECONDS : WIDE_KEEP;
}

gboolean td_restore_is_wide_keep(const char *keep)
{
    return keep != NULL && (g_str_has_prefix(keep, WIDE_KEEP ",") ||
                            g_str_has_prefix(keep, WIDE_KEEP_NANOSECONDS ","));
}

gint64 td_restore_keep_minutes(const char *keep)
{
    gint64 longest = 0;

    while (keep != NULL && g_ascii_isdigit(*keep)) {
        char *end;
        gint64 number = (gint64)MIN(g_ascii_strtoull(keep, &end, 10), G_MAXINT32);

        if (*end == 'd')
            number *= 24 * 60;
        else if (*end == 'h')
            number *= 60;
        else if (*end != 'm')
            return 0;
        longest = MAX(longest, number);
        keep = end[1] == ',' ? end + 2 : NULL;
    }
    return longest;
}

/* --- CREATE DATABASE -------------------------------------------------------------------------- */

static gboolean is_known(const TdTargetServer *server, const char *name)
{
    g_autofree char *column = g_ascii_strdown(name, -1);

    return server->options == NULL || g_hash_table_contains(server->options, column);
}

static char *translate(const TdOption *option, const TdTargetServer *server, GPtrArray *notes)
{
    gint64 number = g_ascii_strtoll(option->value, NULL, 10);

    if (!is_known(server, option->name)) {
        g_ptr_array_add(notes, g_strdup_printf("%s %s is left out: the server does not know it",
                                               option->name, option->value));
        return NULL;
    }
    if (strcmp(option->name, "REPLICA") == 0 && number > MAX(server->nodes, 1)) {
        g_ptr_array_add(notes, g_strdup_printf("REPLICA 1 instead of %s: the server has %u data "
                                               "nodes",
                                               option->value, server->nodes));
        return g_strdup("1");
    }
    if (strcmp(option->name, "VGROUPS") == 0 && server->vnodes > 0 && number > server->vnodes) {
        g_ptr_array_add(notes, g_strdup_printf("VGROUPS %" G_GINT64_FORMAT " instead of %s: the "
                                               "server has room for no more",
                                               server->vnodes, option->value));
        return g_strdup_printf("%" G_GINT64_FORMAT, server->vnodes);
    }
    return g_strdup(option->value);
}

/* The value for a while, or NULL: as ever. */
static const char *meanwhile_value(const TdOption *option, TdMeanwhile meanwhile,
                                   TdPrecision precision)
{
    if (meanwhile.keep && strcmp(option->name, "KEEP") == 0)
        return td_restore_wide_keep(precision);
    if (meanwhile.stt_trigger && strcmp(option->name, "STT_TRIGGER") == 0)
        return G_STRINGIFY(HIGH_STT_TRIGGER);
    return NULL;
}

char *td_restore_database_sql(const TdDatabase *database, const char *name, TdMeanwhile meanwhile,
                              const TdTargetServer *server, GPtrArray *notes)
{
    g_autoptr(GPtrArray) options = td_database_options(database);
    GString *sql = g_string_new("CREATE DATABASE ");

    td_append_name(sql, name);
    for (guint i = 0; i < options->len; i++) {
        const TdOption *option = g_ptr_array_index(options, i);
        const char *other = meanwhile_value(option, meanwhile, database->precision);
        g_autofree char *value = other != NULL ? g_strdup(other) : translate(option, server, notes);

        if (value != NULL)
            g_string_append_printf(sql, " %s %s", option->name, value);
    }
    return g_string_free(sql, FALSE);
}

static guint64 option_number(const GPtrArray *options, const char *name)
{
    const char *value = td_option_value(options, name);

    return value != NULL ? g_ascii_strtoull(value, NULL, 10) : 0;
}

/* With 1 the server has no such files at all: from there to another value it writes everything out. */
const char *td_restore_stt_trigger(const GPtrArray *options, const TdTargetServer *server,
                                   guint64 bytes)
{
    const guint64 trigger = option_number(options, "STT_TRIGGER");
    const guint64 buffers = MIN(option_number(options, "BUFFER"), G_MAXUINT16) *
                            MIN(option_number(options, "VGROUPS"), G_MAXUINT16) * 1024 * 1024;

    if (trigger <= 1 || trigger >= HIGH_STT_TRIGGER || buffers == 0 ||
        bytes < MAX(buffers / BUFFER_PARTS, MANY_BYTES) || !is_known(server, "STT_TRIGGER"))
        return NULL;
    return td_option_value(options, "STT_TRIGGER");
}
