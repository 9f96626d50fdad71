/* SPDX-License-Identifier: Apache-2.0
 *
 * Values as text.
 */
#include "tdengine/text.h"

#include <string.h>

#define LONGEST_DECIMAL 40 /* 39 digits of 2^127, a zero before the point */

void td_decimal_append_text(const guint8 *bytes, guint width, guint scale, GString *text)
{
    char digits[LONGEST_DECIMAL];
    guint count = 0;
    unsigned __int128 number = 0;
    gboolean negative;

    for (guint i = width; i-- > 0;)
        number = number << 8 | bytes[i];
    negative = (bytes[width - 1] & 0x80) != 0;
    if (negative)
        number = width == 16 ? -number : (unsigned __int128)(guint64) - (guint64)number;
    for (; number != 0 && count < sizeof digits; number /= 10)
        digits[count++] = (char)('0' + (int)(number % 10));
    while (count <= scale && count < sizeof digits)
        digits[count++] = '0';
    if (negative)
        g_string_append_c(text, '-');
    while (count-- > 0) {
        g_string_append_c(text, digits[count]);
        if (count == scale && scale != 0)
            g_string_append_c(text, '.');
    }
}

static void append_real(double number, guint digits, GString *text)
{
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];
    char format[8];

    g_snprintf(format, sizeof format, "%%.%ug", digits);
    g_string_append(text, g_ascii_formatd(buffer, sizeof buffer, format, number));
}

static void append_fixed(const TdBlockColumn *column, const guint8 *bytes, GString *text)
{
    const guint spare = 64 - 8 * column->width;
    guint64 number = 0;
    float narrow;
    double wide;

    memcpy(&number, bytes, MIN(column->width, sizeof number));
    number = GUINT64_FROM_LE(number);
    switch (column->type) {
    case TD_BOOL:
        g_string_append(text, number != 0 ? "true" : "false");
        break;
    case TD_FLOAT:
        memcpy(&narrow, bytes, sizeof narrow);
        append_real((double)narrow, 9, text);
        break;
    case TD_DOUBLE:
        memcpy(&wide, bytes, sizeof wide);
        append_real(wide, 17, text);
        break;
    case TD_DECIMAL:
    case TD_DECIMAL64:
        td_decimal_append_text(bytes, column->width, column->scale, text);
        break;
    case TD_UTINYINT:
    case TD_USMALLINT:
    case TD_UINT:
    case TD_UBIGINT:
        g_string_append_printf(text, "%" G_GUINT64_FORMAT, number);
        break;
    default:
        g_string_append_printf(text, "%" G_GINT64_FORMAT, (gint64)(number << spare) >> spare);
        break;
    }
}

gboolean td_value_append_text(const TdBlockColumn *column, guint32 row, GString *text,
                              GError **error)
{
    guint32 length;
    const guint8 *bytes = td_block_value(column, row, &length);

    if (column->width != 0) {
        append_fixed(column, bytes, text);
        return TRUE;
    }
    switch (column->type) {
    case TD_NCHAR:
        return td_nchar_to_utf8(bytes, length, text, error);
    case TD_VARBINARY:
    case TD_GEOMETRY:
    case TD_BLOB:
    case TD_MEDIUMBLOB:
        for (guint32 i = 0; i < length; i++)
            g_string_append_printf(text, "%02x", bytes[i]);
        return TRUE;
    default:
        g_string_append_len(text, (const char *)bytes, length);
        return TRUE;
    }
}
