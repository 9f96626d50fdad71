/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a directory may be restored into.
 */
#include "postgres/restore-place.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

#define PID_FILE_LIMIT 4096
#define MARKER_LIMIT   4096
/* Debian's account for PostgreSQL. */
#define DEFAULT_USER "postgres"

static void tablespace_free(gpointer data)
{
    PgPlacedTablespace *space = data;

    g_free(space->name);
    g_free(space->old_location);
    g_free(space->location);
    g_free(space);
}

PgPlace *pg_place_new(const char *directory)
{
    PgPlace *place = g_new0(PgPlace, 1);

    place->directory = g_strdup(directory);
    place->tablespaces = g_ptr_array_new_with_free_func(tablespace_free);
    place->uid = geteuid();
    place->gid = getegid();
    return place;
}

void pg_place_free(PgPlace *place)
{
    if (place == NULL)
        return;
    g_free(place->directory);
    g_free(place->wal_directory);
    g_ptr_array_unref(place->tablespaces);
    g_free(place->user);
    g_free(place);
}

/* --- a running server ------------------------------------------------------------------------- */

/* A process number is used again after its process has ended: where a process can be looked at, it
 * has to work in the directory. */
static gboolean process_works_in(pid_t process, const char *directory)
{
    g_autofree char *link = g_strdup_printf("/proc/%ld/cwd", (long)process);
    struct stat there, here;

    if (kill(process, 0) != 0 && errno == ESRCH)
        return FALSE;
    if (stat(link, &there) != 0 || stat(directory, &here) != 0)
        return TRUE;
    return there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

static gboolean check_not_running(const char *directory, GError **error)
{
    g_autofree char *path = g_build_filename(directory, "postmaster.pid", NULL);
    g_autofree char *text = NULL;
    g_autoptr(GError) problem = NULL;
    gint64 process;
    gsize length;

    if (!file_read(path, PID_FILE_LIMIT, &text, &length, &problem)) {
        if (error_is(problem, ERROR_NOT_FOUND))
            return TRUE;
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    process = ABS(g_ascii_strtoll(text, NULL, 10));
    if (process == 0 || process > G_MAXINT32 || !process_works_in((pid_t)process, directory))
        return TRUE;
    error_set(error, ERROR_REFUSED,
              "a server runs in %s (process %" G_GINT64_FORMAT " in postmaster.pid)", directory,
              process);
    error_add_hint(error, "stop it, or restore into another directory");
    return FALSE;
}

/* --- whose it is ------------------------------------------------------------------------------ */

/* The identifier of the data directory, or of the restore that was broken off in it; 0: neither is
 * known. */
static gboolean read_identity(const char *directory, guint64 *ret_identifier, GError **error)
{
    g_autofree char *marker = g_build_filename(directory, PG_RESTORE_MARKER, NULL);
    g_autofree char *text = NULL;
    g_autoptr(GError) problem = NULL;
    PgControl control;
    gsize length;

    *ret_identifier = 0;
    if (pg_control_read(directory, &control, NULL, &problem)) {
        *ret_identifier = control.system_identifier;
        return TRUE;
    }
    if (!error_is(problem, ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    g_clear_error(&problem);
    if (file_read(marker, MARKER_LIMIT, &text, &length, &problem))
        *ret_identifier = g_ascii_strtoull(text, NULL, 10);
    else if (!error_is(problem, ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return TRUE;
}

static gboolean check_identity(const char *directory, guint64 system_identifier, GError **error)
{
    guint64 identifier;

    if (!read_identity(directory, &identifier, error))
        return FALSE;
    if (identifier == system_identifier)
        return TRUE;
    if (identifier == 0)
        error_set(error, ERROR_REFUSED, "%s is not empty, and no data directory of PostgreSQL",
                  directory);
    else
        error_set(error, ERROR_REFUSED,
                  "%s is of another server: it has the system identifier %" G_GUINT64_FORMAT
                  ", the backup %" G_GUINT64_FORMAT,
                  directory, identifier, system_identifier);
    error_add_hint(error, "restore into an empty directory");
    return FALSE;
}

/* --- checks ----------------------------------------------------------------------------------- */

/* The path, or the nearest directory above it that is there; NULL, and errno, where that cannot be
 * told. */
static char *find_nearest(const char *path, struct stat *ret_info)
{
    g_autofree char *at = g_strdup(path);

    while (stat(at, ret_info) != 0)
        if (errno != ENOENT || !file_climb(&at))
            return NULL;
    return g_steal_pointer(&at);
}

/* Whether a directory that is not there could be made. */
static gboolean check_can_make(const char *directory, GError **error)
{
    struct stat info;
    g_autofree char *above = find_nearest(directory, &info);
    const struct passwd *account;

    if (above != NULL && access(above, W_OK | X_OK) == 0)
        return TRUE;
    if (above == NULL || errno != EACCES) {
        error_set_errno(error, errno, "cannot make %s", directory);
        return FALSE;
    }
    error_set(error, ERROR_PERMISSION, "cannot make %s: permission denied in %s", directory, above);
    account = getpwuid(geteuid());
    error_add_hint(error, "let root make it: install -d -o %s %s",
                   account != NULL ? account->pw_name : "ACCOUNT", directory);
    return FALSE;
}

/* *ret_empty: it is not there, or nothing is in it. */
static gboolean look_at(const char *directory, gboolean *ret_empty, GError **error)
{
    struct stat info;

    if (stat(directory, &info) != 0) {
        *ret_empty = errno == ENOENT;
        if (errno == ENOENT)
            return check_can_make(directory, error);
        error_set_errno(error, errno, "cannot look at %s", directory);
        return FALSE;
    }
    if (!S_ISDIR(info.st_mode)) {
        error_set(error, ERROR_REFUSED, "%s is no directory", directory);
        return FALSE;
    }
    if (access(directory, R_OK | W_OK | X_OK) != 0) {
        error_set_errno(error, errno, "cannot write to %s", directory);
        return FALSE;
    }
    *ret_empty = directory_is_empty(directory);
    return TRUE;
}

gboolean pg_place_check(const PgPlace *place, guint64 system_identifier, GError **error)
{
    gboolean empty;

    if (!look_at(place->directory, &empty, error))
        return FALSE;
    if (empty)
        return TRUE;
    if (!check_not_running(place->directory, error))
        return FALSE;
    if (!place->delta) {
        error_set(error, ERROR_REFUSED, "the directory %s is not empty", place->directory);
        error_add_hint(error, "with --delta what is in it becomes what the backup has");
        return FALSE;
    }
    return check_identity(place->directory, system_identifier, error);
}

/* Whether a link of the old data directory leads to the location: it is ours then. */
static gboolean is_own(const PgPlace *place, const char *link, const char *location)
{
    g_autofree char *path = g_build_filename(place->directory, link, NULL);
    struct stat there, here;

    return place->delta && stat(path, &there) == 0 && stat(location, &here) == 0 &&
           there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

gboolean pg_place_check_link(const PgPlace *place, const char *link, const char *location,
                             GError **error)
{
    gboolean empty;

    if (!look_at(location, &empty, error))
        return FALSE;
    if (empty || is_own(place, link, location))
        return TRUE;
    error_set(error, ERROR_REFUSED, "%s would be linked to %s, which is not empty", link, location);
    if (strcmp(link, "pg_wal") == 0)
        error_add_hint(error, "give pg_wal another place with --wal-directory");
    else
        error_add_hint(error, "give the tablespace another place with --tablespace %s=DIR",
                       location);
    return FALSE;
}

/* --- the owner -------------------------------------------------------------------------------- */

gboolean pg_place_find_owner(PgPlace *place, GError **error)
{
    g_autofree char *nearest = NULL;
    const struct passwd *account;
    struct stat info;

    if (geteuid() != 0)
        return TRUE;
    nearest = find_nearest(place->directory, &info);
    account = nearest != NULL && info.st_uid != 0 ? getpwuid(info.st_uid) : getpwnam(DEFAULT_USER);
    if (account == NULL) {
        error_set(error, ERROR_PERMISSION,
                  "%s would belong to root, and PostgreSQL does not run as root", place->directory);
        error_add_hint(error, "make the directory, empty, and give it to the server's account");
        return FALSE;
    }
    place->uid = account->pw_uid;
    place->gid = account->pw_gid;
    place->user = g_strdup(account->pw_name);
    return TRUE;
}
