/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the decoder of TDengine's raw blocks; reads every value of a block that it accepts.
 */
#include <stdint.h>

#include "tdengine/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_values(const TdBlockColumn *column, guint32 rows)
{
    static volatile guint8 sink;

    for (guint32 row = 0; row < rows; row++) {
        guint32 length;
        const guint8 *value;

        if (td_block_is_null(column, row))
            continue;
        value = td_block_value(column, row, &length);
        if (length != 0)
            sink = value[0] ^ value[length - 1];
        if (column->type == TD_NCHAR) {
            g_autoptr(GString) text = g_string_new(NULL);
            g_autoptr(GError) error = NULL;

            if (td_nchar_to_utf8(value, length, text, &error) == (error != NULL))
                g_error("text and an error, or neither");
        }
    }
    (void)sink;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_auto(TdBlock) block = {0};
    g_autoptr(GError) error = NULL;

    if (td_block_decode(&block, data, size, &error) == (error != NULL))
        g_error("a block and an error, or neither");
    if (error != NULL)
        return 0;
    for (guint32 i = 0; i < block.n_columns; i++)
        read_values(&block.columns[i], block.rows);
    return 0;
}
