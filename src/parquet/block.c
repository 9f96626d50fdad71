/* SPDX-License-Identifier: Apache-2.0
 *
 * Blocks of a scan's memory.
 */
#include "parquet/block.h"

#include <string.h>

#include "base/error.h"

void block_clear(Block *block)
{
    if (block->data == NULL)
        return;
    block->budget->used -= block->room;
    g_clear_pointer(&block->data, g_free);
    block->room = 0;
}

gboolean block_reserve(Block *block, gsize size, GError **error)
{
    Budget *budget = block->budget;

    if (block->data != NULL && size <= block->room)
        return TRUE;
    block_clear(block);
    if (size <= budget->limit - budget->used)
        block->data = g_try_malloc(size + BLOCK_SLACK);
    if (block->data == NULL) {
        error_set(error, ERROR_LIMIT,
                  "%" G_GSIZE_FORMAT " bytes are more than the reader's limit of %" G_GSIZE_FORMAT
                  " leaves",
                  size, budget->limit);
        return FALSE;
    }
    memset(block->data + size, 0, BLOCK_SLACK);
    block->room = size;
    budget->used += size;
    return TRUE;
}

gboolean block_reserve_array(Block *block, gsize count, gsize width, GError **error)
{
    gsize size;

    if (!__builtin_mul_overflow(count, width, &size))
        return block_reserve(block, size, error);
    error_set(error, ERROR_LIMIT, "%" G_GSIZE_FORMAT " values are more than memory can hold",
              count);
    return FALSE;
}
