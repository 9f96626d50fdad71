/* SPDX-License-Identifier: Apache-2.0
 *
 * Telling torn pages from corrupt ones. A page that the server writes at this very moment is read
 * in halves: read again it is whole, or has at least changed, and the WAL of the backup holds its
 * full image anyway. A page that stays wrong is corrupt, unless its position says that it was
 * changed since the backup's start, which is known for sure only at its stop.
 *
 * Threads: a check is shared by the workers of a backup.
 */
#ifndef HOLDFAST_POSTGRES_PAGE_CHECK_H
#define HOLDFAST_POSTGRES_PAGE_CHECK_H

#include "postgres/page.h"
#include "postgres/physical.h"

typedef struct PgPageCheck PgPageCheck;

PgPageCheck *pg_page_check_new(guint32 block_size, guint32 relation_segment_blocks);
void pg_page_check_free(PgPageCheck *check);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgPageCheck, pg_page_check_free)

guint32 pg_page_check_block_size(const PgPageCheck *check);

/* Checks the whole pages of a piece of a relation's segment file. Where one is wrong it is read
 * again from `fd` (-1: it cannot be), and what was read then replaces it in `bytes`. `offset` is
 * the piece's place in the file, a multiple of the block size. */
void pg_page_check_piece(PgPageCheck *check, const char *path, const PgRelationName *name, int fd,
                         guint8 *bytes, gsize length, guint64 offset);

/* For pages that could not be read again at once: whoever can read them now clears of suspicion
 * those that are whole. `read` gets the place within the file and fills in a page; FALSE: it
 * cannot. */
typedef gboolean (*PgPageRead)(const char *path, guint64 offset, guint8 *page, gpointer data);
void pg_page_check_again(PgPageCheck *check, PgPageRead read, gpointer data);

/* After the stop: what is corrupt goes to physical->failures, sorted. *ret_count is their number,
 * which may be larger than the list, since that has a limit. */
void pg_page_check_report(PgPageCheck *check, PgPhysical *physical, guint64 *ret_count);

#endif
