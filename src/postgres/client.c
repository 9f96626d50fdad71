/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding PostgreSQL's client programs and leading them to a server.
 */
#include "postgres/client.h"

#include "base/error.h"
#include "base/process.h"

#include <stdlib.h>
#include <string.h>

#define DEBIAN_PROGRAMS "/usr/lib/postgresql"
#define VERSION_LIMIT   4096

/* --- connection strings and environment ------------------------------------------------------- */

/* Settings of a session that a child must not inherit, or that are written with the server's own
 * values. */
static gboolean leave_out(const char *keyword)
{
    static const char *const out[] = {"host",
                                      "hostaddr",
                                      "port",
                                      "dbname",
                                      "service",
                                      "servicefile",
                                      "options",
                                      "client_encoding",
                                      "replication",
                                      "application_name",
                                      "fallback_application_name",
                                      NULL};

    return g_strv_contains(out, keyword);
}

static void append_keyword(GString *out, const char *keyword, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    g_string_append_printf(out, "%s%s='", out->len > 0 ? " " : "", keyword);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\'' || *c == '\\')
            g_string_append_c(out, '\\');
        g_string_append_c(out, *c);
    }
    g_string_append_c(out, '\'');
}

/* libpq marks passwords with dispchar "*". */
static gboolean is_secret(const PQconninfoOption *option)
{
    return strcmp(option->dispchar, "*") == 0;
}

gboolean pg_child_conninfo(PgConnection *connection, const char *database, char **ret_conninfo,
                           GError **error)
{
    PGconn *handle = pg_connection_handle(connection);
    PQconninfoOption *options = PQconninfo(handle);
    g_autoptr(GString) out = g_string_new(NULL);

    append_keyword(out, "host", PQhost(handle));
    /* With several hosts in the configuration the child must come to the one that we reached. */
    if (PQhost(handle) != NULL && PQhost(handle)[0] != '/')
        append_keyword(out, "hostaddr", PQhostaddr(handle));
    append_keyword(out, "port", PQport(handle));
    append_keyword(out, "dbname", database);
    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
        if (is_secret(option)) {
            if (strcmp(option->keyword, "password") != 0 && option->val != NULL &&
                option->val[0] != '\0') {
                error_set(error, ERROR_UNSUPPORTED,
                          "conninfo holds %s, which pg_dump can only take as an argument",
                          option->keyword);
                error_add_hint(error,
                               "use a client key without a passphrase, in a file of mode 0600");
                PQconninfoFree(options);
                return FALSE;
            }
        } else if (!leave_out(option->keyword)) {
            append_keyword(out, option->keyword, option->val);
        }
    }
    PQconninfoFree(options);
    *ret_conninfo = g_strdup(out->str);
    return TRUE;
}

static char *session_options(PGconn *handle, const char *ours)
{
    PQconninfoOption *options = PQconninfo(handle);
    GString *out = g_string_new(NULL);

    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++)
        if (strcmp(option->keyword, "options") == 0 && option->val != NULL)
            g_string_append(out, option->val);
    PQconninfoFree(options);
    if (ours != NULL)
        g_string_append_printf(out, "%s%s", out->len > 0 ? " " : "", ours);
    return g_string_free(out, FALSE);
}

char **pg_child_environment(PgConnection *connection, const char *options)
{
    PGconn *handle = pg_connection_handle(connection);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autofree char *session = session_options(handle, options);
    const char *password = PQpass(handle);

    g_strv_builder_add(builder, "LC_ALL=C");
    g_strv_builder_add(builder, "PGAPPNAME=holdfast");
    g_strv_builder_add(builder, "PGSERVICE");
    if (session[0] != '\0') {
        g_autofree char *entry = g_strconcat("PGOPTIONS=", session, NULL);

        g_strv_builder_add(builder, entry);
    } else {
        g_strv_builder_add(builder, "PGOPTIONS");
    }
    if (password != NULL && password[0] != '\0') {
        g_autofree char *entry = g_strconcat("PGPASSWORD=", password, NULL);

        g_strv_builder_add(builder, entry);
    }
    return g_strv_builder_end(builder);
}

/* --- programs --------------------------------------------------------------------------------- */

/* "pg_dump (PostgreSQL) 15.20 (Debian …)" -> 150020; 0 where the text is no such line. */
static int parse_version(const char *text)
{
    const char *mark = strstr(text, "(PostgreSQL) ");
    unsigned long major, minor = 0;
    char *end;

    if (mark == NULL)
        return 0;
    mark += strlen("(PostgreSQL) ");
    if (!g_ascii_isdigit(*mark))
        return 0;
    major = strtoul(mark, &end, 10);
    if (*end == '.')
        minor = strtoul(end + 1, NULL, 10);
    if (major < 9 || major > 99 || minor > 9999)
        return 0;
    return (int)(major * 10000 + minor);
}

static int program_version(const char *path)
{
    const char *argv[] = {path, "--version", NULL};
    ProcessSpec spec = {.argv = argv, .flags = PROCESS_STDOUT_PIPE, .keep_fd = -1};
    g_autofree char *output = NULL;

    if (!process_run(&spec, VERSION_LIMIT, &output, NULL, NULL, NULL))
        return 0;
    return parse_version(output);
}

/* Debian's /usr/bin/pg_dump is a script that picks a version by the cluster on this host: no guide
 * for another host. */
static gboolean is_debian_wrapper(const char *path)
{
    g_autofree char *real = realpath(path, NULL);

    return real != NULL && g_str_has_suffix(real, "/pg_wrapper");
}

/* The lowest of Debian's versions that is at least `major`: newer ones write archives that older
 * pg_restores refuse. */
static char *find_debian_program(const char *name, int major, int *ret_version)
{
    g_autoptr(GDir) directory = g_dir_open(DEBIAN_PROGRAMS, 0, NULL);
    char *best = NULL;
    const char *entry;
    guint64 best_major = 0;

    while (directory != NULL && (entry = g_dir_read_name(directory)) != NULL) {
        guint64 number = 0;
        g_autofree char *path = NULL;

        if (!g_ascii_string_to_unsigned(entry, 10, 1, 99, &number, NULL) ||
            number < (guint64)major || (best != NULL && number >= best_major))
            continue;
        path = g_build_filename(DEBIAN_PROGRAMS, entry, "bin", name, NULL);
        if (!g_file_test(path, G_FILE_TEST_IS_EXECUTABLE))
            continue;
        g_free(best);
        best = g_steal_pointer(&path);
        best_major = number;
    }
    if (best != NULL)
        *ret_version = program_version(best);
    return best;
}

gboolean pg_client_program(const char *name, int server_version, char **ret_path, int *ret_version,
                           GError **error)
{
    int major = server_version / 10000, version = 0;
    g_autofree char *path = g_find_program_in_path(name);

    /* What the PATH names is what the user wants; only Debian's wrapper is looked behind. */
    if (path == NULL || is_debian_wrapper(path)) {
        g_autofree char *debian = find_debian_program(name, major, &version);

        if (debian != NULL) {
            g_free(path);
            path = g_steal_pointer(&debian);
        }
    }
    if (path == NULL) {
        error_set(error, ERROR_CLIENT_VERSION, "%s is not installed", name);
        error_add_hint(error, "install the package postgresql-client-%d", major);
        return FALSE;
    }
    if (version == 0)
        version = program_version(path);
    if (version == 0) {
        error_set(error, ERROR_CLIENT_VERSION, "%s does not tell its version", path);
        error_add_hint(error, "install the package postgresql-client-%d", major);
        return FALSE;
    }
    if (version / 10000 < major) {
        error_set(error, ERROR_CLIENT_VERSION, "%s is version %d.%d, older than the server's %d.%d",
                  path, version / 10000, version % 10000, major, server_version % 10000);
        error_add_hint(
            error,
            "install the package postgresql-client-%d, or put its directory first on the PATH",
            major);
        return FALSE;
    }
    *ret_path = g_steal_pointer(&path);
    if (ret_version != NULL)
        *ret_version = version;
    return TRUE;
}
