/* SPDX-License-Identifier: Apache-2.0
 *
 * Page checksums against pages that a PostgreSQL 15 wrote; names of relation files.
 */
#include "postgres/page.h"

#include <string.h>

#define SIZE 8192

/* Bytes of a real page that are not zero. */
typedef struct {
    gsize offset;
    const char *hex;
} Run;

static void fill(guint8 *page, const Run *runs, gsize count)
{
    memset(page, 0, SIZE);
    for (gsize i = 0; i < count; i++)
        for (gsize at = 0; runs[i].hex[2 * at] != '\0'; at++)
            page[runs[i].offset + at] = (guint8)(g_ascii_xdigit_value(runs[i].hex[2 * at]) << 4 |
                                                 g_ascii_xdigit_value(runs[i].hex[2 * at + 1]));
}

/* A heap page with one row, block 0; pages of a hash index, blocks 2 and 3, and its first one. */
static const Run heap0[] = {{4, "4813011e7cd900001c00e01f00200420"},
                            {24, "e09f38"},
                            {8160, "d702"},
                            {8168, "01"},
                            {8176, "010001000009180001"}};
static const Run hash2[] = {{4, "6010011e521200001800f01ff01f0420"},
                            {8176, "07000000ffffffff01000000020080ff"}};
static const Run hash3[] = {{4, "c010011e9a4300001800f01ff01f0420"},
                            {8176, "07000000ffffffff02000000020080ff"}};
static const Run hash0[] = {{4, "9013011efda30000d811f01ff01f0420"},
                            {24, "4006440604"},
                            {38, "f03f3301d81f00100f00070000000f0000000700000003"},
                            {68, "01000000c201"},
                            {88, "01"},
                            {468, "09"},
                            {8176, "ffffffffffffffffffffffff080080ff"}};

static void test_real_pages(void)
{
    static const struct {
        const Run *runs;
        gsize count;
        guint32 block;
        guint16 checksum;
    } pages[] = {
        {heap0, G_N_ELEMENTS(heap0), 0, 0xd97c},
        {hash2, G_N_ELEMENTS(hash2), 2, 0x1252},
        {hash3, G_N_ELEMENTS(hash3), 3, 0x439a},
        {hash0, G_N_ELEMENTS(hash0), 0, 0xa3fd},
    };
    guint8 page[SIZE];

    for (gsize i = 0; i < G_N_ELEMENTS(pages); i++) {
        fill(page, pages[i].runs, pages[i].count);
        g_assert_cmphex(pg_page_checksum(page, SIZE, pages[i].block), ==, pages[i].checksum);
        g_assert_true(pg_page_is_valid(page, SIZE, pages[i].block));
        g_assert_false(pg_page_is_valid(page, SIZE, pages[i].block + 1));
        page[4000] ^= 1;
        g_assert_false(pg_page_is_valid(page, SIZE, pages[i].block));
    }
    fill(page, heap0, G_N_ELEMENTS(heap0));
    g_assert_cmphex(pg_page_lsn(page), ==, G_GUINT64_CONSTANT(0x1e011348));
}

/* Every lane counts, whatever the size of a page and its block. */
static void test_lanes(void)
{
    guint8 page[SIZE], other[SIZE];

    for (gsize size = 1024; size <= SIZE; size *= 2) {
        for (gsize i = 0; i < size; i++)
            page[i] = (guint8)(i * 31 + i / 7);
        for (int lane = 0; lane < 32; lane++) {
            guint32 wrong = 0;

            memcpy(other, page, size);
            other[size - 128 + (gsize)lane * 4] ^= 0x40;
            for (guint32 block = 0; block < 70000; block += 69997)
                wrong +=
                    pg_page_checksum(page, size, block) == pg_page_checksum(other, size, block);
            g_assert_cmpuint(wrong, ==, 0);
        }
        /* The checksum field itself does not count, wherever the page lies in memory. */
        memcpy(other, page, size);
        other[8] ^= 0xff;
        other[9] ^= 0xff;
        g_assert_cmphex(pg_page_checksum(page, size, 5), ==, pg_page_checksum(other, size, 5));
    }
}

static void test_new_pages(void)
{
    guint8 page[SIZE] = {0};

    g_assert_true(pg_page_is_valid(page, SIZE, 77));
    page[SIZE - 1] = 1;
    g_assert_false(pg_page_is_valid(page, SIZE, 77));
}

static void test_names(void)
{
    static const struct {
        const char *name;
        gboolean good;
        guint32 relation, segment;
        gboolean init;
    } names[] = {
        {"16385", TRUE, 16385, 0, FALSE},
        {"16385.1", TRUE, 16385, 1, FALSE},
        {"16385_fsm.12", TRUE, 16385, 12, FALSE},
        {"16385_vm", TRUE, 16385, 0, FALSE},
        {"16385_init", TRUE, 16385, 0, TRUE},
        {"4294967295", TRUE, 4294967295, 0, FALSE},
        {"4294967296", FALSE, 0, 0, FALSE},
        {"INCREMENTAL.16385", FALSE, 0, 0, FALSE},
        {"16385.", FALSE, 0, 0, FALSE},
        {"16385.1x", FALSE, 0, 0, FALSE},
        {"16385_xyz", FALSE, 0, 0, FALSE},
        {"016385", FALSE, 0, 0, FALSE},
        {"", FALSE, 0, 0, FALSE},
        {"PG_VERSION", FALSE, 0, 0, FALSE},
        {"pg_filenode.map", FALSE, 0, 0, FALSE},
        {"t3_16385", FALSE, 0, 0, FALSE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        PgRelationName parsed = {0};

        g_assert_cmpint(pg_relation_name_parse(names[i].name, &parsed), ==, names[i].good);
        g_assert_cmpuint(parsed.relation, ==, names[i].relation);
        g_assert_cmpuint(parsed.segment, ==, names[i].segment);
        g_assert_cmpint(parsed.init, ==, names[i].init);
    }
    g_assert_true(pg_temporary_name("t3_16385"));
    g_assert_true(pg_temporary_name("t12_16385_fsm.1"));
    g_assert_false(pg_temporary_name("t_16385"));
    g_assert_false(pg_temporary_name("t3"));
    g_assert_false(pg_temporary_name("16385"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/page/real", test_real_pages);
    g_test_add_func("/page/lanes", test_lanes);
    g_test_add_func("/page/new", test_new_pages);
    g_test_add_func("/page/names", test_names);
    return g_test_run();
}
