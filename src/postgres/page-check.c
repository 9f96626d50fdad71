/* SPDX-License-Identifier: Apache-2.0
 *
 * Suspicious pages: read again, then kept until the backup's stop is known.
 */
#include "postgres/page-check.h"

#include <string.h>
#include <unistd.h>

/* A writer that was interrupted between the halves of a page gets this much time, but not for every
 * page of a ruined disk. */
#define READ_TRIES    5
#define READ_PAUSE    (10 * 1000)
#define PAUSED_PAGES  100
#define SUSPECT_LIMIT 100000
#define AGAIN_LIMIT   1000

typedef struct {
    char *path;
    guint32 block;
    PgLsn lsn;
} Suspect;

struct PgPageCheck {
    guint32 block_size, segment_blocks;
    GMutex mutex; /* guards what follows */
    GArray *suspects;
    guint64 dropped; /* beyond the limit */
};

static void suspect_clear(gpointer data)
{
    g_free(((Suspect *)data)->path);
}

PgPageCheck *pg_page_check_new(guint32 block_size, guint32 relation_segment_blocks)
{
    PgPageCheck *check = g_new0(PgPageCheck, 1);

    check->block_size = block_size;
    check->segment_blocks = relation_segment_blocks;
    check->suspects = g_array_new(FALSE, FALSE, sizeof(Suspect));
    g_array_set_clear_func(check->suspects, suspect_clear);
    g_mutex_init(&check->mutex);
    return check;
}

void pg_page_check_free(PgPageCheck *check)
{
    if (check == NULL)
        return;
    g_array_unref(check->suspects);
    g_mutex_clear(&check->mutex);
    g_free(check);
}

guint32 pg_page_check_block_size(const PgPageCheck *check)
{
    return check->block_size;
}

static void note_suspect(PgPageCheck *check, const char *path, guint32 block, const guint8 *page)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&check->mutex);
    Suspect suspect = {g_strdup(path), block, pg_page_lsn(page)};

    if (check->suspects->len < SUSPECT_LIMIT) {
        g_array_append_val(check->suspects, suspect);
        return;
    }
    check->dropped++;
    g_free(suspect.path);
}

static gboolean may_pause(PgPageCheck *check)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&check->mutex);

    return check->suspects->len < PAUSED_PAGES;
}

/* TRUE when the page turned out to be whole, or in motion; the page then is as it was read last. */
static gboolean read_again(PgPageCheck *check, int fd, guint8 *page, guint64 offset, guint32 block)
{
    g_autofree guint8 *fresh = g_malloc(check->block_size);
    gboolean pause = may_pause(check), moved = FALSE;

    if (fd < 0)
        return FALSE;
    for (int try = 0; try < READ_TRIES; try++) {
        if (pread(fd, fresh, check->block_size, (off_t)offset) != (ssize_t)check->block_size)
            return TRUE; /* cut off meanwhile: replay cuts it off as well */
        if (memcmp(fresh, page, check->block_size) != 0) {
            memcpy(page, fresh, check->block_size);
            moved = TRUE;
            if (pg_page_is_valid(page, check->block_size, block))
                return TRUE;
        }
        if (pause)
            g_usleep(READ_PAUSE);
    }
    return moved;
}

void pg_page_check_piece(PgPageCheck *check, const char *path, const PgRelationName *name, int fd,
                         guint8 *bytes, gsize length, guint64 offset)
{
    guint32 first = name->segment * check->segment_blocks + (guint32)(offset / check->block_size);

    for (gsize at = 0; at + check->block_size <= length; at += check->block_size) {
        guint32 block = first + (guint32)(at / check->block_size);

        if (!pg_page_is_valid(bytes + at, check->block_size, block) &&
            !read_again(check, fd, bytes + at, offset + at, block))
            note_suspect(check, path, block, bytes + at);
    }
}

void pg_page_check_again(PgPageCheck *check, PgPageRead read, gpointer data)
{
    g_autofree guint8 *page = g_malloc(check->block_size);

    for (guint i = MIN(check->suspects->len, AGAIN_LIMIT); i > 0; i--) {
        const Suspect *suspect = &g_array_index(check->suspects, Suspect, i - 1);
        guint64 offset = (guint64)(suspect->block % check->segment_blocks) * check->block_size;

        if (read(suspect->path, offset, page, data) &&
            pg_page_is_valid(page, check->block_size, suspect->block))
            g_array_remove_index(check->suspects, i - 1);
    }
}

static int compare_failures(gconstpointer a, gconstpointer b)
{
    const PgPageFailure *const *first = a, *const *second = b;
    int order = strcmp((*first)->path, (*second)->path);

    if (order != 0)
        return order;
    return ((*first)->block > (*second)->block) - ((*first)->block < (*second)->block);
}

void pg_page_check_report(PgPageCheck *check, PgPhysical *physical, guint64 *ret_count)
{
    for (guint i = 0; i < check->suspects->len; i++) {
        const Suspect *suspect = &g_array_index(check->suspects, Suspect, i);

        /* Changed since the start: replay begins with the page's full image. */
        if (suspect->lsn >= physical->start && suspect->lsn <= physical->stop)
            continue;
        pg_physical_add_failure(physical, suspect->path, suspect->block);
    }
    g_ptr_array_sort(physical->failures, compare_failures);
    *ret_count = physical->failures->len + check->dropped;
}
