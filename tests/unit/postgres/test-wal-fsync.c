/* SPDX-License-Identifier: Apache-2.0
 *
 * A WAL archive on a disk whose fsync fails: what is not durable is not there, and pushing it again
 * puts it there.
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "codec/compress.h"
#include "postgres/wal-archive.h"

#define SIZE       (1U << 20)
#define IDENTIFIER G_GUINT64_CONSTANT(7000000000000000001)
#define NAME       "000000010000000000000003"
#define NUMBER     3

/* So many calls from now on one fails; 0: none. */
static guint failing;
static gboolean failed;

/* Stands before the C library's. */
int fsync(int fd)
{
    if (failing > 0 && --failing == 0) {
        failed = TRUE;
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

typedef struct {
    char *directory, *path;
    Repository *repository;
    WalArchive archive;
} Place;

/* Each time as a program that begins. */
static void open_repository(Place *place, gboolean make)
{
    g_autofree char *path = g_build_filename(place->directory, "store", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(Store) store = NULL;

    g_assert_true(directory_make(path, 0700, NULL));
    store = store_open_posix(path, &error);
    g_assert_no_error(error);
    place->repository =
        make ? repository_create(store, COMPRESS_DEFAULT, &error) : repository_open(store, &error);
    g_assert_no_error(error);
    place->archive = (WalArchive){place->repository, "pg", IDENTIFIER, SIZE};
}

static void make_segment(const char *path)
{
    const guint16 magic = 0xD110, info = 2;
    const guint32 timeline = 1, size = SIZE, block = 8192;
    const guint64 address = (guint64)NUMBER * SIZE, identifier = IDENTIFIER;
    g_autofree guint8 *bytes = g_malloc0(SIZE);

    memcpy(bytes, &magic, 2);
    memcpy(bytes + 2, &info, 2);
    memcpy(bytes + 4, &timeline, 4);
    memcpy(bytes + 8, &address, 8);
    memcpy(bytes + 24, &identifier, 8);
    memcpy(bytes + 32, &size, 4);
    memcpy(bytes + 36, &block, 4);
    g_assert_true(file_replace(path, bytes, SIZE, 0600, NULL));
}

static void place_init(Place *place)
{
    place->directory = g_dir_make_tmp("wal-fsync-XXXXXX", NULL);
    place->path = g_build_filename(place->directory, "segment", NULL);
    make_segment(place->path);
    open_repository(place, TRUE);
}

static void place_clear(Place *place)
{
    repository_unref(place->repository);
    g_assert_true(directory_remove(place->directory, NULL));
    g_free(place->directory);
    g_free(place->path);
}

static void expect_whole(Place *place)
{
    g_autofree char *target = g_build_filename(place->directory, "target", NULL);
    g_autofree char *there = NULL;
    g_autofree char *here = NULL;
    g_autoptr(GError) error = NULL;
    gsize length, expected;

    g_assert_true(wal_archive_get(&place->archive, NAME, target, TRUE, &error));
    g_assert_no_error(error);
    g_assert_true(file_read(target, SIZE, &there, &length, NULL));
    g_assert_true(file_read(place->path, SIZE, &here, &expected, NULL));
    g_assert_cmpmem(there, length, here, expected);
}

/* FALSE when so many calls of fsync were not made. */
static gboolean fail_at(guint nth)
{
    g_autoptr(GError) error = NULL;
    Place place;
    WalPut result;
    gboolean present, done;

    place_init(&place);
    failed = FALSE;
    failing = nth;
    done = wal_archive_put(&place.archive, NAME, place.path, &result, &error);
    failing = 0;
    g_assert_cmpint(done, ==, !failed);
    if (failed) {
        g_assert_true(error_is(error, ERROR_IO));
        repository_unref(place.repository);
        open_repository(&place, FALSE);
        g_assert_true(wal_archive_has(&place.archive, NAME, &present, NULL));
        g_assert_false(present);
        g_assert_true(wal_archive_put(&place.archive, NAME, place.path, &result, NULL));
        g_assert_cmpint(result, ==, WAL_PUT_NEW);
    }
    expect_whole(&place);
    place_clear(&place);
    return failed;
}

static void test_each(void)
{
    guint nth = 1;

    while (fail_at(nth))
        nth++;
    /* The segment's own and its directory's at least, and those of new directories. */
    g_assert_cmpuint(nth, >, 4);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wal-fsync/each", test_each);
    return g_test_run();
}
