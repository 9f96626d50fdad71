/* SPDX-License-Identifier: Apache-2.0
 *
 * Names and numbers of WAL, and the header of a segment's first page.
 */
#include "postgres/wal-name.h"

#include <string.h>

#include "base/error.h"

#define HEX_DIGITS "0123456789ABCDEF"

#define SEGMENT_SIZE_MIN (1U << 20)
#define SEGMENT_SIZE_MAX (1U << 30)

/* Bits of xlp_info. A segment's first page has the long header. */
#define PAGE_LONG_HEADER 0x0002

/* XLOG_PAGE_MAGIC of each major version. */
static const struct {
    guint16 magic;
    int major;
} page_magics[] = {
    {0xD106, 13}, {0xD10D, 14}, {0xD110, 15}, {0xD113, 16}, {0xD116, 17}, {0xD118, 18},
};

/* --- LSN -------------------------------------------------------------------------------------- */

/* One to eight hexadecimal digits, of either case; *end is set behind them. */
static gboolean parse_half(const char *text, guint32 *ret_value, const char **end)
{
    guint32 value = 0;
    guint digits = 0;

    for (; g_ascii_isxdigit(text[digits]); digits++) {
        if (digits == 8)
            return FALSE;
        value = value << 4 | (guint32)g_ascii_xdigit_value(text[digits]);
    }
    *ret_value = value;
    *end = text + digits;
    return digits > 0;
}

gboolean pg_lsn_parse(const char *text, PgLsn *ret_lsn, GError **error)
{
    guint32 high, low;
    const char *end;

    if (!parse_half(text, &high, &end) || *end != '/' || !parse_half(end + 1, &low, &end) ||
        *end != '\0') {
        error_set(error, ERROR_USAGE, "\"%.40s\" is no LSN", text);
        error_add_hint(error, "an LSN looks like 16/B374D848");
        return FALSE;
    }
    *ret_lsn = (PgLsn)high << 32 | low;
    return TRUE;
}

char *pg_lsn_format(PgLsn lsn)
{
    return g_strdup_printf("%X/%X", (guint)(lsn >> 32), (guint)lsn);
}

/* --- names ------------------------------------------------------------------------------------ */

/* Exactly `count` of PostgreSQL's hexadecimal digits, which are upper case. */
static gboolean digits_at(const char *text, guint count)
{
    return strspn(text, HEX_DIGITS) >= count;
}

static guint32 value_at(const char *text)
{
    guint32 value = 0;

    for (guint i = 0; i < 8; i++)
        value = value << 4 | (guint32)g_ascii_xdigit_value(text[i]);
    return value;
}

gboolean wal_name_parse(const char *name, WalName *ret_name)
{
    WalName result = {0};
    gsize length = strlen(name);

    if (length == 16 && digits_at(name, 8) && strcmp(name + 8, ".history") == 0) {
        *ret_name = (WalName){.kind = WAL_HISTORY, .timeline = value_at(name)};
        return ret_name->timeline > 0;
    }
    if (length < 24 || !digits_at(name, 24))
        return FALSE;
    if (length == 24)
        result.kind = WAL_SEGMENT;
    else if (strcmp(name + 24, ".partial") == 0)
        result.kind = WAL_PARTIAL;
    else if (length == 40 && name[24] == '.' && digits_at(name + 25, 8) &&
             strcmp(name + 33, ".backup") == 0)
        result.kind = WAL_BACKUP;
    else
        return FALSE;
    result.timeline = value_at(name);
    result.high = value_at(name + 8);
    result.low = value_at(name + 16);
    if (result.timeline == 0)
        return FALSE;
    *ret_name = result;
    return TRUE;
}

gboolean wal_segment_size_valid(guint64 size)
{
    return size >= SEGMENT_SIZE_MIN && size <= SEGMENT_SIZE_MAX && (size & (size - 1)) == 0;
}

/* A segment's number is split where its LSN passes 4 GiB. */
static guint64 segments_per_half(guint32 segment_size)
{
    return (G_GUINT64_CONSTANT(1) << 32) / segment_size;
}

guint64 wal_segment_number(const WalName *name, guint32 segment_size)
{
    return name->high * segments_per_half(segment_size) + name->low;
}

gboolean wal_name_fits(const WalName *name, guint32 segment_size)
{
    return name->low < segments_per_half(segment_size);
}

char *wal_segment_format(guint32 timeline, guint64 number, guint32 segment_size)
{
    guint64 per_half = segments_per_half(segment_size);

    return g_strdup_printf("%08X%08X%08X", timeline, (guint)(number / per_half),
                           (guint)(number % per_half));
}

char *wal_history_format(guint32 timeline)
{
    return g_strdup_printf("%08X.history", timeline);
}

/* --- the header of a segment ------------------------------------------------------------------ */

static int major_of(guint16 magic)
{
    for (guint i = 0; i < G_N_ELEMENTS(page_magics); i++) {
        if (page_magics[i].magic == magic)
            return page_magics[i].major;
    }
    return 0;
}

gboolean wal_header_read(const void *bytes, gsize length, WalHeader *ret_header, GError **error)
{
    const guint8 *at = bytes;
    WalHeader header = {0};
    guint16 info;

    if (length < WAL_HEADER_SIZE) {
        error_set(error, ERROR_DAMAGED, "too short for a WAL segment");
        return FALSE;
    }
    memcpy(&header.magic, at, 2);
    memcpy(&info, at + 2, 2);
    memcpy(&header.timeline, at + 4, 4);
    memcpy(&header.address, at + 8, 8);
    memcpy(&header.system_identifier, at + 24, 8);
    memcpy(&header.segment_size, at + 32, 4);
    memcpy(&header.block_size, at + 36, 4);
    /* All magics since 9.3 begin with 0xD0 or 0xD1; a newer server's is let through, its major is
     * not known. */
    if (header.magic >> 8 != 0xD0 && header.magic >> 8 != 0xD1) {
        error_set(error, ERROR_DAMAGED, "no WAL page header at its start");
        return FALSE;
    }
    if ((info & PAGE_LONG_HEADER) == 0 || !wal_segment_size_valid(header.segment_size) ||
        header.block_size < 1024 || header.block_size > 65536 ||
        (header.block_size & (header.block_size - 1)) != 0 ||
        header.address % header.segment_size != 0) {
        error_set(error, ERROR_DAMAGED, "the header of its first page is not one of a WAL segment");
        return FALSE;
    }
    header.server_major = major_of(header.magic);
    *ret_header = header;
    return TRUE;
}
