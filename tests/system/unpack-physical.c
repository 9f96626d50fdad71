/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the files of a physical backup out, tablespaces included, for a server to judge: what
 * `restore` does, without any of its care and independent of it.
 *
 *   unpack-physical REPOSITORY BACKUP DIRECTORY TABLESPACES
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "postgres/physical.h"

typedef struct {
    int fd;
    const char *path;
    guint32 crc;
    guint64 size;
} Output;

static void check(gboolean good, const GError *error)
{
    if (good)
        return;
    g_printerr("unpack-physical: %s\n", error != NULL ? error->message : g_strerror(errno));
    exit(1);
}

static gboolean write_piece(guint64 offset, const void *bytes, gsize length, gpointer data,
                            GError **error)
{
    static const guint8 zeros[POOL_EXTENT_LARGEST];
    Output *output = data;
    const void *piece = bytes != NULL ? bytes : zeros;

    g_assert_cmpuint(offset, ==, output->size);
    output->size += length;
    output->crc = crc32c(output->crc, piece, length);
    return file_write_all(output->fd, piece, length, output->path, error);
}

static void write_file(const PgPhysical *physical, const PgFile *file, const char *path)
{
    FILE_AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL, file->mode);
    Output output = {fd, path, 0, 0};
    GError *error = NULL;

    check(fd >= 0, NULL);
    check(pool_file_read(physical->reader, &file->content, write_piece, &output, NULL, &error),
          error);
    g_assert_cmpuint(output.size, ==, file->content.size);
    g_assert_cmphex(output.crc, ==, file->crc32c);
}

static char *link_tablespaces(const PgPhysical *physical, const char *directory, const char *spaces)
{
    GString *map = g_string_new(NULL);

    for (guint i = 0; i < physical->tablespaces->len; i++) {
        const PgTablespace *space = g_ptr_array_index(physical->tablespaces, i);
        g_autofree char *target = g_strdup_printf("%s/%u", spaces, space->oid);
        g_autofree char *link = g_strdup_printf("%s/pg_tblspc/%u", directory, space->oid);

        if (space->location == NULL)
            continue;
        check(g_mkdir_with_parents(target, 0700) == 0, NULL);
        check(symlink(target, link) == 0, NULL);
        g_string_append_printf(map, "%u %s\n", space->oid, target);
    }
    return g_string_free(map, FALSE);
}

static void put_text(const char *directory, const char *name, const char *text, gssize length)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);

    check(g_file_set_contents(path, text, length, NULL), NULL);
}

static void unpack(Backup *backup, const char *directory, const char *spaces)
{
    g_autoptr(PgPhysical) physical = NULL;
    g_autoptr(GBytes) label = NULL;
    g_autofree char *tblspc = g_build_filename(directory, "pg_tblspc", NULL);
    g_autofree char *map = NULL;
    GError *error = NULL;

    check(pg_physical_read(backup, &physical, &error), error);
    check(g_mkdir_with_parents(tblspc, 0700) == 0, NULL);
    map = link_tablespaces(physical, directory, spaces);
    for (guint i = 0; i < physical->files->len; i++) {
        const PgFile *file = g_ptr_array_index(physical->files, i);
        g_autofree char *path = g_build_filename(directory, file->path, NULL);

        /* A link's place takes a directory: pg_wal. */
        if (file->kind == PG_FILE_REGULAR)
            write_file(physical, file, path);
        else
            check(g_mkdir_with_parents(path, 0700) == 0, NULL);
    }
    label = backup_get_object(backup, PG_BACKUP_LABEL_PATH, 1024 * 1024, &error);
    check(label != NULL, error);
    put_text(directory, "backup_label", g_bytes_get_data(label, NULL),
             (gssize)g_bytes_get_size(label));
    if (map[0] != '\0')
        put_text(directory, "tablespace_map", map, -1);
}

int main(int argc, char **argv)
{
    g_autoptr(Store) store = NULL;
    g_autoptr(Repository) repository = NULL;
    g_autoptr(Backup) backup = NULL;
    GError *error = NULL;

    if (argc != 5)
        return 2;
    umask(0077);
    store = store_open_posix(argv[1], &error);
    check(store != NULL, error);
    repository = repository_open(store, &error);
    check(repository != NULL, error);
    backup = backup_open(repository, argv[2], &error);
    check(backup != NULL, error);
    unpack(backup, argv[3], argv[4]);
    return 0;
}
