/* SPDX-License-Identifier: Apache-2.0
 *
 * Walking a live data directory, and the rules of what belongs into a backup.
 */
#include "postgres/file-list.h"

#include "base/error.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A server's own directories are five deep; what users put there is not deeper than this, or it is
 * a loop. */
#define DEPTH_LIMIT 64

/* --- rules ------------------------------------------------------------------------------------ */

/* Emptied or made anew when the server starts. The directories themselves have to be there. */
static const char *const emptied_directories[] = {
    "pg_dynshmem", "pg_notify",   "pg_replslot",           "pg_serial",        "pg_snapshots",
    "pg_stat_tmp", "pg_subtrans", "pg_wal/archive_status", "pg_wal/summaries", NULL,
};

/* Of the running server, of another backup, or of a recovery that is not ours. */
static const char *const top_files[] = {
    "backup_manifest",          "backup_manifest.tmp",
    "current_logfiles",         "current_logfiles.tmp",
    "postgresql.auto.conf.tmp", "postmaster.opts",
    "postmaster.pid",           "recovery.signal",
    "standby.signal",           NULL,
};
static const char *const top_prefixes[] = {"backup_label", "tablespace_map", ".s.PGSQL."};

/* Removed by the server at its start, wherever they are. */
static const char *const name_prefixes[] = {"pgsql_tmp", "pg_internal.init"};

static gboolean is_number(const char *text, gsize length)
{
    for (gsize i = 0; i < length; i++)
        if (!g_ascii_isdigit(text[i]))
            return FALSE;
    return length > 0;
}

/* The length of the directory part when relations of one database lie there ("base/5",
 * "pg_tblspc/16390/PG_15_202209061/5"), or of "global"; 0 for any other path. */
static gsize relation_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    g_auto(GStrv) parts = NULL;
    guint count;

    if (slash == NULL || slash - path > 200)
        return 0;
    if (!g_str_has_prefix(path, "base/") && !g_str_has_prefix(path, "global/") &&
        !g_str_has_prefix(path, "pg_tblspc/"))
        return 0;
    parts = g_strsplit(path, "/", -1);
    count = g_strv_length(parts);
    if ((count == 2 && strcmp(parts[0], "global") == 0) ||
        (count == 3 && strcmp(parts[0], "base") == 0 && is_number(parts[1], strlen(parts[1]))) ||
        (count == 5 && strcmp(parts[0], "pg_tblspc") == 0 && g_str_has_prefix(parts[2], "PG_") &&
         is_number(parts[3], strlen(parts[3]))))
        return (gsize)(slash - path);
    return 0;
}

gboolean pg_file_is_relation(const char *path, PgRelationName *ret_name)
{
    gsize directory = relation_directory(path);

    return directory > 0 && pg_relation_name_parse(path + directory + 1, ret_name);
}

static gboolean is_top_excluded(const char *path)
{
    if (g_strv_contains(top_files, path))
        return TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(top_prefixes); i++)
        if (g_str_has_prefix(path, top_prefixes[i]))
            return TRUE;
    return FALSE;
}

static gboolean is_inside_emptied(const char *path)
{
    for (guint i = 0; emptied_directories[i] != NULL; i++) {
        gsize length = strlen(emptied_directories[i]);

        if (strncmp(path, emptied_directories[i], length) == 0 && path[length] == '/')
            return TRUE;
    }
    /* The WAL comes from the archive. */
    return g_str_has_prefix(path, "pg_wal/") && !g_strv_contains(emptied_directories, path);
}

static gboolean has_excluded_part(const char *path)
{
    for (const char *part = path; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        for (guint i = 0; i < G_N_ELEMENTS(name_prefixes); i++)
            if (g_str_has_prefix(part, name_prefixes[i]))
                return TRUE;
    }
    return FALSE;
}

gboolean pg_file_is_excluded(const char *path)
{
    gsize directory;

    if (strchr(path, '/') == NULL)
        return is_top_excluded(path) || has_excluded_part(path);
    if (is_inside_emptied(path) || has_excluded_part(path))
        return TRUE;
    directory = relation_directory(path);
    return directory > 0 && pg_temporary_name(path + directory + 1);
}

int pg_file_compare(gconstpointer a, gconstpointer b)
{
    const PgFile *const *first = a, *const *second = b;

    return strcmp((*first)->path, (*second)->path);
}

/* --- the walk --------------------------------------------------------------------------------- */

typedef struct {
    const PgFileScan *scan;
    char *version_directory; /* "PG_15_202209061" */
    GPtrArray *files, *warnings;
    gboolean in_link; /* inside a directory that a link led to: no further ones are followed */
} Walk;

static gboolean walk_directory(Walk *walk, int directory, const char *path, guint depth,
                               GError **error);

static gint64 time_of(const struct timespec *when)
{
    return (gint64)when->tv_sec * G_USEC_PER_SEC + when->tv_nsec / 1000;
}

static PgFile *add_file(Walk *walk, const char *path, PgFileKind kind, const struct stat *info)
{
    PgFile *file = pg_file_new(path, kind);

    file->mode = info->st_mode & 07777;
    file->modified = time_of(&info->st_mtim);
    file->changed = time_of(&info->st_ctim);
    file->inode = info->st_ino & G_MAXINT64;
    if (kind == PG_FILE_REGULAR)
        file->content.size = (guint64)info->st_size;
    g_ptr_array_add(walk->files, file);
    return file;
}

static gboolean enter_directory(Walk *walk, int parent, const char *name, const char *path,
                                guint depth, GError **error)
{
    int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (directory < 0) {
        if (errno == ENOENT)
            return TRUE;
        error_set_errno(error, errno, "cannot open the directory %s/%s", walk->scan->data_directory,
                        path);
        return FALSE;
    }
    return walk_directory(walk, directory, path, depth + 1, error);
}

/* Of a tablespace only this server's own directory counts; the link itself is remade by the
 * restore. */
static gboolean enter_tablespace(Walk *walk, int parent, const char *name, const char *path,
                                 guint depth, GError **error)
{
    g_autofree char *inside = g_build_filename(name, walk->version_directory, NULL);
    g_autofree char *inside_path = g_build_filename(path, walk->version_directory, NULL);
    struct stat info;

    if (fstatat(parent, inside, &info, 0) != 0) {
        if (errno == ENOENT)
            return TRUE;
        error_set_errno(error, errno, "cannot look at the tablespace %s/%s",
                        walk->scan->data_directory, inside_path);
        return FALSE;
    }
    add_file(walk, inside_path, PG_FILE_DIRECTORY, &info);
    return enter_directory(walk, parent, inside, inside_path, depth, error);
}

static char *read_link(int parent, const char *name)
{
    char target[4096];
    ssize_t length = readlinkat(parent, name, target, sizeof target);

    return length > 0 && (gsize)length < sizeof target ? g_strndup(target, (gsize)length) : NULL;
}

static gboolean take_link(Walk *walk, int parent, const char *name, const char *path, guint depth,
                          GError **error)
{
    g_autofree char *target = read_link(parent, name);
    struct stat info;

    if (target == NULL)
        return TRUE;
    if (g_str_has_prefix(path, "pg_tblspc/"))
        return enter_tablespace(walk, parent, name, path, depth, error);
    if (strcmp(path, "pg_wal") == 0 || fstatat(parent, name, &info, 0) != 0) {
        PgFile *file = add_file(walk, path, PG_FILE_LINK, &(struct stat){0});

        file->target = g_steal_pointer(&target);
        return TRUE;
    }
    if (S_ISREG(info.st_mode)) {
        add_file(walk, path, PG_FILE_REGULAR, &info);
        g_ptr_array_add(walk->warnings,
                        g_strdup_printf("%s is a link to %s; a restore makes a plain file of it",
                                        path, target));
    } else if (S_ISDIR(info.st_mode) && !walk->in_link) {
        gboolean entered;

        add_file(walk, path, PG_FILE_DIRECTORY, &info);
        g_ptr_array_add(walk->warnings,
                        g_strdup_printf("%s is a link to %s; a restore makes a directory of it",
                                        path, target));
        walk->in_link = TRUE;
        entered = enter_directory(walk, parent, name, path, depth, error);
        walk->in_link = FALSE;
        return entered;
    } else {
        g_ptr_array_add(walk->warnings,
                        g_strdup_printf("%s is a link to %s; left out", path, target));
    }
    return TRUE;
}

static gboolean take_entry(Walk *walk, int parent, const char *name, const char *path, guint depth,
                           GError **error)
{
    struct stat info;

    if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT)
            return TRUE;
        error_set_errno(error, errno, "cannot look at %s/%s", walk->scan->data_directory, path);
        return FALSE;
    }
    if (S_ISREG(info.st_mode)) {
        add_file(walk, path, PG_FILE_REGULAR, &info);
    } else if (S_ISLNK(info.st_mode)) {
        return take_link(walk, parent, name, path, depth, error);
    } else if (S_ISDIR(info.st_mode) && strcmp(name, "lost+found") != 0) {
        add_file(walk, path, PG_FILE_DIRECTORY, &info);
        return enter_directory(walk, parent, name, path, depth, error);
    }
    /* The rest (sockets, pipes) is nothing that could be restored. */
    return TRUE;
}

/* The next name in a directory but "." and ".."; NULL in *ret_name at its end. Names are taken one by
 * one: a directory may hold a million. */
static gboolean next_name(DIR *stream, const char *path, const char **ret_name, GError **error)
{
    const struct dirent *entry;

    do {
        errno = 0;
        entry = readdir(stream);
    } while (entry != NULL &&
             (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    if (entry == NULL && errno != 0) {
        error_set_errno(error, errno, "cannot read the directory %s", path);
        return FALSE;
    }
    *ret_name = entry != NULL ? entry->d_name : NULL;
    return TRUE;
}

/* The file nodes that have an init fork: unlogged relations, whose other forks are reset at the
 * server's start. */
static GHashTable *find_unlogged(DIR *stream, const char *path, GError **error)
{
    g_autoptr(GHashTable) unlogged = g_hash_table_new(NULL, NULL);
    const char *name;

    do {
        PgRelationName parsed;

        if (!next_name(stream, path, &name, error))
            return NULL;
        if (name != NULL && pg_relation_name_parse(name, &parsed) && parsed.init)
            g_hash_table_add(unlogged, GUINT_TO_POINTER(parsed.relation));
    } while (name != NULL);
    rewinddir(stream);
    return g_steal_pointer(&unlogged);
}

static gboolean is_reset(GHashTable *unlogged, const char *name)
{
    PgRelationName parsed;

    return pg_relation_name_parse(name, &parsed) && !parsed.init &&
           g_hash_table_contains(unlogged, GUINT_TO_POINTER(parsed.relation));
}

static gboolean walk_name(Walk *walk, int parent, const char *name, const char *path, guint depth,
                          GHashTable *unlogged, GError **error)
{
    g_autofree char *child = path[0] == '\0' ? g_strdup(name) : g_strconcat(path, "/", name, NULL);

    if (pg_file_is_excluded(child) || (unlogged != NULL && is_reset(unlogged, name)))
        return TRUE;
    if (!error_unless_cancelled(walk->scan->cancellable, error))
        return FALSE;
    return take_entry(walk, parent, name, child, depth, error);
}

static gboolean walk_stream(Walk *walk, DIR *stream, const char *path, guint depth, GError **error)
{
    g_autoptr(GHashTable) unlogged = NULL;
    g_autofree char *probe = g_strconcat(path, "/0", NULL);
    const char *name;

    if (depth > DEPTH_LIMIT) {
        error_set(error, ERROR_LIMIT, "%s/%s lies deeper than %d directories",
                  walk->scan->data_directory, path, DEPTH_LIMIT);
        return FALSE;
    }
    if (relation_directory(probe) > 0) {
        unlogged = find_unlogged(stream, path, error);
        if (unlogged == NULL)
            return FALSE;
    }
    do {
        if (!next_name(stream, path, &name, error) ||
            (name != NULL && !walk_name(walk, dirfd(stream), name, path, depth, unlogged, error)))
            return FALSE;
    } while (name != NULL);
    return TRUE;
}

/* Takes the descriptor. */
static gboolean walk_directory(Walk *walk, int directory, const char *path, guint depth,
                               GError **error)
{
    DIR *stream = fdopendir(directory);
    gboolean walked;

    if (stream == NULL) {
        int problem = errno;

        close(directory);
        error_set_errno(error, problem, "cannot read the directory %s", path);
        return FALSE;
    }
    walked = walk_stream(walk, stream, path, depth, error);
    closedir(stream);
    return walked;
}

gboolean pg_file_scan(const PgFileScan *scan, GPtrArray **ret_files, GPtrArray **ret_warnings,
                      GError **error)
{
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func((GDestroyNotify)pg_file_free);
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *version =
        g_strdup_printf("PG_%d_%u", scan->server_major, scan->catalog_version);
    Walk walk = {scan, version, files, warnings, FALSE};
    int directory = open(scan->data_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (directory < 0) {
        error_set_errno(error, errno, "cannot open the data directory %s", scan->data_directory);
        return FALSE;
    }
    if (!walk_directory(&walk, directory, "", 0, error))
        return FALSE;
    g_ptr_array_sort(files, pg_file_compare);
    *ret_files = g_steal_pointer(&files);
    *ret_warnings = g_steal_pointer(&warnings);
    return TRUE;
}
