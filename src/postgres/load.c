/* SPDX-License-Identifier: Apache-2.0
 *
 * Feeding pg_restore.
 */
#include "postgres/load.h"

#include "base/error.h"
#include "base/file.h"

#include <string.h>
#include <unistd.h>

#define TOC_LIMIT  (64u << 20)
#define BLOCK_SIZE (128u << 10)

/* --- the command line ------------------------------------------------------------------------- */

static void add_argument(GPtrArray *argv, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void add_argument(GPtrArray *argv, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(argv, g_strdup_vprintf(format, args));
    va_end(args);
}

/* pg_restore into the load's database, or as SQL to standard output where it has none. */
static GPtrArray *new_command(const PgLoad *load, const char *section)
{
    GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);

    add_argument(argv, "%s", load->pg_restore);
    if (load->conninfo != NULL) {
        add_argument(argv, "--dbname=%s", load->conninfo);
        add_argument(argv, "--exit-on-error");
        add_argument(argv, "--no-password");
    } else {
        add_argument(argv, "--file=-");
    }
    add_argument(argv, "--section=%s", section);
    for (guint i = 0; load->options != NULL && load->options[i] != NULL; i++)
        add_argument(argv, "%s", load->options[i]);
    return argv;
}

static Process *start(const PgLoad *load, GPtrArray *argv, ProcessFlags flags, int keep_fd,
                      GError **error)
{
    ProcessSpec spec = {.environment = (const char *const *)load->environment,
                        .flags = flags,
                        .keep_fd = keep_fd};

    g_ptr_array_add(argv, NULL);
    spec.argv = (const char *const *)argv->pdata;
    return process_start(&spec, error);
}

/* --- feeding ---------------------------------------------------------------------------------- */

typedef struct {
    Process *process;
    Progress *progress;
    GCancellable *cancellable;
    gboolean closed; /* the child has taken all that it wanted */
} Feed;

static gboolean feed_bytes(const void *bytes, gsize length, gpointer data, GError **error)
{
    Feed *feed = data;

    if (!process_write(feed->process, bytes, length, feed->cancellable, error)) {
        feed->closed = TRUE;
        return FALSE;
    }
    progress_add(feed->progress, length, 0);
    return TRUE;
}

/* The child may close its end early: pg_restore reads no further than the last entry that it was
 * asked for. Only its exit status tells whether that was an error. */
static gboolean feed_process(Backup *backup, const char *path, Process *process, Progress *progress,
                             GCancellable *cancellable, GError **error)
{
    Feed feed = {process, progress, cancellable, FALSE};
    g_autoptr(GError) local = NULL;
    gboolean fed = backup_read_object(backup, path, feed_bytes, &feed, cancellable, &local);

    process_close_stdin(process);
    if (fed || (feed.closed && error_is(local, ERROR_SUBPROCESS)))
        return TRUE;
    process_kill(process);
    g_propagate_error(error, g_steal_pointer(&local));
    return FALSE;
}

/* What a server says in the words of its own is the best reason there is, but some of it is known
 * better here. */
static gboolean finish(Process *process, const char *path, GCancellable *cancellable,
                       GError **error)
{
    g_autoptr(GError) local = NULL;

    if (process_wait(process, cancellable, &local))
        return TRUE;
    if (error_is(local, ERROR_SUBPROCESS) &&
        strstr(local->message, "No space left on device") != NULL) {
        error_set(error, ERROR_NO_SPACE, "restoring %s: %s", path, local->message);
        error_add_hint(error, "free some space on the database server, then run the restore again");
        return FALSE;
    }
    g_propagate_prefixed_error(error, g_steal_pointer(&local), "restoring %s: ", path);
    return FALSE;
}

gboolean pg_load_archive(const PgLoad *load, const char *path, const char *section, int list_fd,
                         GCancellable *cancellable, GError **error)
{
    g_autoptr(GPtrArray) argv = new_command(load, section);
    g_autoptr(Process) process = NULL;

    if (list_fd >= 0)
        add_argument(argv, "--use-list=/proc/self/fd/%d", list_fd);
    process = start(load, argv, PROCESS_STDIN_PIPE, list_fd, error);
    return process != NULL &&
           feed_process(load->backup, path, process, load->progress, cancellable, error) &&
           finish(process, path, cancellable, error);
}

gboolean pg_load_file(const PgLoad *load, int archive_fd, const char *section, guint jobs,
                      const char *list, GCancellable *cancellable, GError **error)
{
    g_autoptr(GPtrArray) argv = new_command(load, section);
    g_autoptr(Process) process = NULL;

    add_argument(argv, "--jobs=%u", MAX(jobs, 1));
    if (list != NULL)
        add_argument(argv, "--use-list=/dev/stdin");
    add_argument(argv, "/proc/self/fd/%d", archive_fd);
    process = start(load, argv, PROCESS_STDIN_PIPE, archive_fd, error);
    if (process == NULL)
        return FALSE;
    /* A child that does not take the list has ended: its own reason comes below. */
    if (list != NULL && !process_write(process, list, strlen(list), cancellable, NULL) &&
        !error_unless_cancelled(cancellable, error))
        return FALSE;
    process_close_stdin(process);
    return finish(process, section, cancellable, error);
}

/* --- as SQL to psql --------------------------------------------------------------------------- */

typedef struct {
    const PgLoad *load;
    const char *path;
    Process *process;
    GCancellable *cancellable;
    GError *error;
} Feeder;

static gpointer run_feeder(gpointer data)
{
    Feeder *feeder = data;

    return GINT_TO_POINTER(feed_process(feeder->load->backup, feeder->path, feeder->process,
                                        feeder->load->progress, feeder->cancellable,
                                        &feeder->error));
}

static gboolean pass_script(Process *from, Process *to, GCancellable *cancellable, GError **error)
{
    g_autofree char *block = g_malloc(BLOCK_SIZE);

    for (;;) {
        gsize length;

        if (!process_read(from, block, BLOCK_SIZE, &length, cancellable, error))
            return FALSE;
        if (length == 0)
            return TRUE;
        if (!process_write(to, block, length, cancellable, error))
            return FALSE;
    }
}

gboolean pg_load_script(const PgLoad *load, const char *path, const char *section, int list_fd,
                        Process *psql, GCancellable *cancellable, GError **error)
{
    g_autoptr(GPtrArray) argv = new_command(load, section);
    g_autoptr(Process) process = NULL;
    Feeder feeder = {load, path, NULL, cancellable, NULL};
    g_autoptr(GError) local = NULL;
    gboolean fed, passed;
    GThread *thread;

    if (list_fd >= 0)
        add_argument(argv, "--use-list=/proc/self/fd/%d", list_fd);
    process = start(load, argv, PROCESS_STDIN_PIPE | PROCESS_STDOUT_PIPE, list_fd, error);
    if (process == NULL)
        return FALSE;
    feeder.process = process;
    thread = g_thread_new("feed", run_feeder, &feeder);
    passed = pass_script(process, psql, cancellable, &local);
    if (!passed)
        process_kill(process);
    fed = GPOINTER_TO_INT(g_thread_join(thread));
    if (!fed) {
        g_propagate_error(error, feeder.error);
        return FALSE;
    }
    if (!passed) {
        g_propagate_error(error, g_steal_pointer(&local));
        return FALSE;
    }
    return finish(process, path, cancellable, error);
}

/* --- files ------------------------------------------------------------------------------------ */

static gboolean copy_bytes(const void *bytes, gsize length, gpointer data, GError **error)
{
    const int *fd = data;

    return file_write_all(*fd, bytes, length, "a temporary file", error);
}

gboolean pg_load_copy(Backup *backup, const char *path, const char *directory, int *ret_fd,
                      GCancellable *cancellable, GError **error)
{
    FILE_AUTO_FD fd = -1;

    if (!file_open_unnamed(directory, &fd, error) ||
        !backup_read_object(backup, path, copy_bytes, &fd, cancellable, error))
        return FALSE;
    *ret_fd = fd;
    fd = -1;
    return TRUE;
}

gboolean pg_load_list_file(const char *list, const char *directory, int *ret_fd, GError **error)
{
    FILE_AUTO_FD fd = -1;

    if (!file_open_unnamed(directory, &fd, error) ||
        !file_write_all(fd, list, strlen(list), "a temporary file", error))
        return FALSE;
    *ret_fd = fd;
    fd = -1;
    return TRUE;
}

/* --- table of contents ------------------------------------------------------------------------ */

static gboolean read_all(Process *process, GByteArray *out, GCancellable *cancellable,
                         GError **error)
{
    g_autofree guint8 *block = g_malloc(BLOCK_SIZE);

    for (;;) {
        gsize length;

        if (!process_read(process, block, BLOCK_SIZE, &length, cancellable, error))
            return FALSE;
        if (length == 0)
            return TRUE;
        if (out->len + length > TOC_LIMIT) {
            error_set(error, ERROR_LIMIT,
                      "what pg_restore tells about an archive is larger than 64 MiB");
            return FALSE;
        }
        g_byte_array_append(out, block, (guint)length);
    }
}

/* What pg_restore prints about an archive that it is fed with; its arguments follow the program. */
static gboolean read_output(const PgLoad *load, const char *path, GPtrArray *argv, int keep_fd,
                            GByteArray *out, GCancellable *cancellable, GError **error)
{
    g_autoptr(Process) process = NULL;
    g_autoptr(GError) local = NULL;
    PgLoad quiet = *load;
    Feeder feeder = {&quiet, path, NULL, cancellable, NULL};
    gboolean fed, read;
    GThread *thread;

    quiet.progress = NULL;
    process = start(load, argv, PROCESS_STDIN_PIPE | PROCESS_STDOUT_PIPE, keep_fd, error);
    if (process == NULL)
        return FALSE;
    feeder.process = process;
    thread = g_thread_new("feed", run_feeder, &feeder);
    read = read_all(process, out, cancellable, &local);
    if (!read)
        process_kill(process);
    fed = GPOINTER_TO_INT(g_thread_join(thread));
    if (!fed) {
        g_propagate_error(error, feeder.error);
        return FALSE;
    }
    if (!read) {
        g_propagate_error(error, g_steal_pointer(&local));
        return FALSE;
    }
    return finish(process, path, cancellable, error);
}

gboolean pg_load_text(const PgLoad *load, const char *path, int list_fd, char **ret_sql,
                      GCancellable *cancellable, GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GByteArray) text = g_byte_array_new();

    add_argument(argv, "%s", load->pg_restore);
    add_argument(argv, "--file=-");
    if (list_fd >= 0)
        add_argument(argv, "--use-list=/proc/self/fd/%d", list_fd);
    if (!read_output(load, path, argv, list_fd, text, cancellable, error))
        return FALSE;
    *ret_sql = g_strndup((const char *)text->data, text->len);
    return TRUE;
}

PgToc *pg_load_toc(const PgLoad *load, const char *path, GCancellable *cancellable, GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GByteArray) text = g_byte_array_new();

    add_argument(argv, "%s", load->pg_restore);
    add_argument(argv, "--list");
    add_argument(argv, "--verbose");
    if (!read_output(load, path, argv, -1, text, cancellable, error))
        return NULL;
    return pg_toc_parse((const char *)text->data, text->len, path, error);
}

gboolean pg_load_discard(const PgLoad *load, const char *path, GCancellable *cancellable,
                         GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(Process) process = NULL;

    add_argument(argv, "%s", load->pg_restore);
    add_argument(argv, "--file=/dev/null");
    process = start(load, argv, PROCESS_STDIN_PIPE, -1, error);
    return process != NULL &&
           feed_process(load->backup, path, process, load->progress, cancellable, error) &&
           finish(process, path, cancellable, error);
}
