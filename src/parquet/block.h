/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory of a scan: blocks that are used again from page to page, whose sum has a limit. No file
 * can make a reader take more, whatever its headers say.
 */
#ifndef HOLDFAST_PARQUET_BLOCK_H
#define HOLDFAST_PARQUET_BLOCK_H

#include <glib.h>

/* So many bytes behind a block's size may be read and written, so that short copies can be done in
 * whole words. */
#define BLOCK_SLACK 32

typedef struct {
    gsize used, limit;
} Budget;

typedef struct {
    guint8 *data;
    gsize room;
    Budget *budget; /* borrowed */
} Block;

/* Makes room for `size` bytes. What was in the block is lost where it has to grow. ERROR_LIMIT
 * where the budget or memory ends. */
gboolean block_reserve(Block *block, gsize size, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for an array: `count` times `width` bytes, checked for overflow. */
gboolean block_reserve_array(Block *block, gsize count, gsize width,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Frees the memory and gives it back to the budget. */
void block_clear(Block *block);

#endif
