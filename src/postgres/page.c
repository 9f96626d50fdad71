/* SPDX-License-Identifier: Apache-2.0
 *
 * Page checksums, written so that the compiler makes vectors of the 32 lanes, for AVX2 too where
 * the processor has it.
 */
#include "postgres/page.h"

#include <string.h>

#define LANES     32
#define FNV_PRIME 16777619u

/* Of the page header: pd_lsn (two halves, the high one first), pd_checksum, pd_upper. */
#define LSN_OFFSET      0
#define CHECKSUM_OFFSET 8
#define UPPER_OFFSET    14

/* Each lane starts from a number of its own; these are part of the format. */
static const guint32 lane_starts[LANES] = {
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756,
};

static inline __attribute__((always_inline)) void mix_row(guint32 sums[LANES],
                                                          const guint32 row[LANES])
{
    for (int lane = 0; lane < LANES; lane++) {
        guint32 mixed = sums[lane] ^ row[lane];

        sums[lane] = (mixed * FNV_PRIME) ^ (mixed >> 17);
    }
}

static inline __attribute__((always_inline)) guint32 hash_page(const guint8 *page, gsize size)
{
    static const guint32 zeros[LANES];
    guint32 sums[LANES], row[LANES];
    guint32 result = 0;

    memcpy(sums, lane_starts, sizeof sums);
    /* The page is hashed as if its checksum field held zero. */
    memcpy(row, page, sizeof row);
    memset((guint8 *)row + CHECKSUM_OFFSET, 0, sizeof(guint16));
    mix_row(sums, row);
    for (gsize at = sizeof row; at < size; at += sizeof row) {
        memcpy(row, page + at, sizeof row);
        mix_row(sums, row);
    }
    /* Two rows of zeros let the last words reach all bits. */
    mix_row(sums, zeros);
    mix_row(sums, zeros);
    for (int lane = 0; lane < LANES; lane++)
        result ^= sums[lane];
    return result;
}

static guint32 hash_page_plain(const guint8 *page, gsize size)
{
    return hash_page(page, size);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static guint32 hash_page_avx2(const guint8 *page, gsize size)
{
    return hash_page(page, size);
}
#endif

typedef guint32 (*PageHash)(const guint8 *page, gsize size);

static gpointer choose_hash(gpointer data)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return (gpointer)hash_page_avx2;
#endif
    return (gpointer)hash_page_plain;
}

guint16 pg_page_checksum(const void *page, gsize size, guint32 block)
{
    static GOnce once = G_ONCE_INIT;
    PageHash hash = (PageHash)g_once(&once, choose_hash, NULL);

    /* Never zero: that means "no checksum". */
    return (guint16)((hash(page, size) ^ block) % 65535 + 1);
}

static guint16 read16(const guint8 *page, gsize offset)
{
    guint16 value;

    memcpy(&value, page + offset, sizeof value);
    return value;
}

static gboolean is_zero(const guint8 *page, gsize size)
{
    return page[0] == 0 && memcmp(page, page + 1, size - 1) == 0;
}

gboolean pg_page_is_valid(const void *page, gsize size, guint32 block)
{
    /* PostgreSQL calls a page whose pd_upper is zero new, and accepts only zeros there. */
    if (read16(page, UPPER_OFFSET) == 0)
        return is_zero(page, size);
    return read16(page, CHECKSUM_OFFSET) == pg_page_checksum(page, size, block);
}

PgLsn pg_page_lsn(const void *page)
{
    guint32 halves[2];

    memcpy(halves, (const guint8 *)page + LSN_OFFSET, sizeof halves);
    return (PgLsn)halves[0] << 32 | halves[1];
}

/* --- names ------------------------------------------------------------------------------------ */

/* Reads a decimal number of 32 bits without leading zeros; NULL where there is none. */
static const char *read_number(const char *at, guint32 *ret_value)
{
    guint64 value = 0;
    const char *start = at;

    for (; g_ascii_isdigit(*at); at++) {
        value = value * 10 + (guint64)(*at - '0');
        if (value > G_MAXUINT32 || (at > start && *start == '0'))
            return NULL;
    }
    *ret_value = (guint32)value;
    return at > start ? at : NULL;
}

gboolean pg_relation_name_parse(const char *name, PgRelationName *ret_name)
{
    static const char *const forks[] = {"_fsm", "_vm", "_init"};
    PgRelationName parsed = {0};
    const char *at = read_number(name, &parsed.relation);

    if (at == NULL)
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(forks); i++) {
        if (g_str_has_prefix(at, forks[i])) {
            at += strlen(forks[i]);
            parsed.init = i == 2;
            break;
        }
    }
    if (*at == '.') {
        at = read_number(at + 1, &parsed.segment);
        if (at == NULL)
            return FALSE;
    }
    if (*at != '\0')
        return FALSE;
    *ret_name = parsed;
    return TRUE;
}

gboolean pg_temporary_name(const char *name)
{
    guint32 backend;
    const char *at = name[0] == 't' ? read_number(name + 1, &backend) : NULL;

    return at != NULL && at[0] == '_' && g_ascii_isdigit(at[1]);
}
