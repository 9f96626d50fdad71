/* SPDX-License-Identifier: Apache-2.0
 *
 * Names and headers of WAL, pg_control, history files and the metadata of archived files: what they
 * read, and that they distrust it.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "postgres/control.h"
#include "postgres/wal-frame.h"
#include "postgres/wal-history.h"
#include "postgres/wal-walk.h"

/* --- names ------------------------------------------------------------------------------------ */

static void test_names(void)
{
    static const char *const wrong[] = {"",
                                        "00000001000000000000000",
                                        "0000000100000000000000010",
                                        "00000001000000000000000g",
                                        "00000001000000000000000a",
                                        "000000010000000000000001.part",
                                        "00000000000000000000000A",
                                        "00000000.history",
                                        "00000001.histor",
                                        "000000010000000000000001.0000002.backup",
                                        "000000010000000000000001.00000028.backup2",
                                        "../00010000000000000000001"};
    WalName name;

    g_assert_true(wal_name_parse("0000000A000000010000004F", &name));
    g_assert_cmpint(name.kind, ==, WAL_SEGMENT);
    g_assert_cmpuint(name.timeline, ==, 10);
    g_assert_cmpuint(wal_segment_number(&name, 16 << 20), ==, 256 + 0x4F);
    g_assert_true(wal_name_parse("000000010000000000000001.partial", &name));
    g_assert_cmpint(name.kind, ==, WAL_PARTIAL);
    g_assert_true(wal_name_parse("000000010000000000000001.00000028.backup", &name));
    g_assert_cmpint(name.kind, ==, WAL_BACKUP);
    g_assert_true(wal_name_parse("00000002.history", &name));
    g_assert_cmpint(name.kind, ==, WAL_HISTORY);
    g_assert_cmpuint(name.timeline, ==, 2);
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++)
        g_assert_false(wal_name_parse(wrong[i], &name));
}

/* Every size: number and name lead to each other, and a name beyond the size fits not. */
static void test_numbers(void)
{
    for (guint32 size = 1 << 20; size <= 1U << 30; size <<= 1) {
        const guint64 numbers[] = {0, 1, (G_GUINT64_CONSTANT(1) << 32) / size - 1,
                                   (G_GUINT64_CONSTANT(1) << 32) / size, 123456};

        for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
            g_autofree char *text = wal_segment_format(7, numbers[i], size);
            WalName name;

            g_assert_true(wal_name_parse(text, &name));
            g_assert_true(wal_name_fits(&name, size));
            g_assert_cmpuint(wal_segment_number(&name, size), ==, numbers[i]);
            name.low = (guint32)((G_GUINT64_CONSTANT(1) << 32) / size);
            g_assert_false(wal_name_fits(&name, size));
        }
    }
    g_assert_false(wal_segment_size_valid(0));
    g_assert_false(wal_segment_size_valid(3 << 20));
    g_assert_false(wal_segment_size_valid(1 << 19));
    g_assert_false(wal_segment_size_valid(G_GUINT64_CONSTANT(1) << 31));
}

static void test_lsn(void)
{
    static const char *const wrong[] = {"", "/", "1/", "/1", "1/2/3", "1/123456789", "g/1", "1/ 2"};
    g_autofree char *text = pg_lsn_format(G_GUINT64_CONSTANT(0x16B374D848));
    PgLsn lsn;

    g_assert_cmpstr(text, ==, "16/B374D848");
    g_assert_true(pg_lsn_parse("16/b374D848", &lsn, NULL));
    g_assert_cmpuint(lsn, ==, G_GUINT64_CONSTANT(0x16B374D848));
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++)
        g_assert_false(pg_lsn_parse(wrong[i], &lsn, NULL));
}

/* --- the header of a segment ------------------------------------------------------------------ */

static void put16(guint8 *at, guint16 value)
{
    memcpy(at, &value, sizeof value);
}

static void put32(guint8 *at, guint32 value)
{
    memcpy(at, &value, sizeof value);
}

static void put64(guint8 *at, guint64 value)
{
    memcpy(at, &value, sizeof value);
}

static void make_header(guint8 *page, PgLsn address)
{
    put16(page, 0xD110);
    put16(page + 2, 0x0002);
    put32(page + 4, 1);
    put64(page + 8, address);
    put64(page + 24, 7000000000000000001);
    put32(page + 32, 1 << 20);
    put32(page + 36, 8192);
}

static void test_header(void)
{
    guint8 page[WAL_HEADER_SIZE] = {0};
    g_autoptr(GError) error = NULL;
    WalHeader header;

    make_header(page, 3 << 20);
    g_assert_true(wal_header_read(page, sizeof page, &header, NULL));
    g_assert_cmpint(header.server_major, ==, 15);
    g_assert_cmpuint(header.address, ==, 3 << 20);
    g_assert_cmpuint(header.system_identifier, ==, 7000000000000000001);
    g_assert_false(wal_header_read(page, sizeof page - 1, &header, &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
    put64(page + 8, (3 << 20) + 8192);
    g_assert_false(wal_header_read(page, sizeof page, &header, NULL));
    make_header(page, 0);
    put32(page + 32, 3 << 20);
    g_assert_false(wal_header_read(page, sizeof page, &header, NULL));
    make_header(page, 0);
    put16(page + 2, 0);
    g_assert_false(wal_header_read(page, sizeof page, &header, NULL));
    make_header(page, 0);
    put16(page, 0x1234);
    g_assert_false(wal_header_read(page, sizeof page, &header, NULL));
}

/* --- records ---------------------------------------------------------------------------------- */

/* A commit as PostgreSQL writes one: header, short data header, time. Returns the place behind
 * it. */
static gsize put_commit(guint8 *segment, gsize at, gint64 when)
{
    guint8 *record = segment + at;
    guint32 crc;

    put32(record, 34);
    record[16] = 0x00;
    record[17] = 1;
    record[24] = 255;
    record[25] = 8;
    put64(record + 26, (guint64)(when - G_GINT64_CONSTANT(946684800000000)));
    crc = crc32c(0, record + 24, 10);
    put32(record + 20, crc32c(crc, record, 20));
    return at + 40;
}

static void test_scan(void)
{
    g_autofree guint8 *segment = g_malloc0(1 << 20);
    const gint64 first = G_GINT64_CONSTANT(1700000000123456), last = first + 5000000;
    gsize at;
    WalScan scan;

    make_header(segment, 1 << 20);
    at = put_commit(segment, 40, first);
    at = put_commit(segment, at, last);
    g_assert_true(wal_scan(segment, 1 << 20, &scan, NULL));
    g_assert_cmpuint(scan.commits, ==, 2);
    g_assert_cmpint(scan.last_commit, ==, last);
    g_assert_cmpuint(scan.end, ==, (1 << 20) + at - 6);
    /* A record that is not whole ends the WAL. */
    segment[at - 10] ^= 1;
    g_assert_true(wal_scan(segment, 1 << 20, &scan, NULL));
    g_assert_cmpuint(scan.commits, ==, 1);
    g_assert_cmpint(scan.last_commit, ==, first);
    /* Of a segment that is still streamed the last page is there in part. */
    g_assert_true(wal_scan(segment, 40 + 34, &scan, NULL));
    g_assert_cmpuint(scan.commits, ==, 1);
    g_assert_true(wal_scan(segment, 40 + 33, &scan, NULL));
    g_assert_cmpuint(scan.commits, ==, 0);
    /* Lengths that lead nowhere. */
    put32(segment + 40, G_MAXUINT32);
    g_assert_true(wal_scan(segment, 1 << 20, &scan, NULL));
    g_assert_cmpuint(scan.records, ==, 0);
    g_assert_cmpuint(scan.end, ==, 1 << 20);
}

/* A record over a page's end is put together around the next page's header. */
static void test_scan_pages(void)
{
    g_autofree guint8 *segment = g_malloc0(1 << 20);
    const gint64 when = G_GINT64_CONSTANT(1700000000000000);
    guint8 record[40] = {0};
    WalScan scan;

    /* The first page goes on with the end of a record of the segment before, 8192 - 40 - 16 bytes
     * of it. */
    make_header(segment, 0);
    put16(segment + 2, 0x0003);
    put32(segment + 16, 8192 - 40 - 16);
    put_commit(record, 0, when);
    memcpy(segment + 8192 - 16, record, 16);
    put16(segment + 8192, 0xD110);
    put16(segment + 8192 + 2, 0x0001);
    put64(segment + 8192 + 8, 8192);
    put32(segment + 8192 + 16, 18);
    memcpy(segment + 8192 + 24, record + 16, 18);
    g_assert_true(wal_scan(segment, 1 << 20, &scan, NULL));
    g_assert_cmpuint(scan.commits, ==, 1);
    g_assert_cmpint(scan.last_commit, ==, when);
    /* A page of another place is left over from a recycled segment. */
    put64(segment + 8192 + 8, 16384);
    g_assert_true(wal_scan(segment, 1 << 20, &scan, NULL));
    g_assert_cmpuint(scan.commits, ==, 0);
}

/* --- pg_control ------------------------------------------------------------------------------- */

static void make_control(guint8 *file, guint32 version, guint32 catalog, gsize at_crc)
{
    memset(file, 0, PG_CONTROL_FILE_SIZE);
    put64(file, 7000000000000000001);
    put32(file + 8, version);
    put32(file + 12, catalog);
    put32(file + 16, 6);
    put64(file + 32, 0x3000060);
    put64(file + 40, 0x3000028);
    put32(file + 48, 5);
    file[56] = 1;
    put32(file + 216, 8192);
    put32(file + 220, 131072);
    put32(file + 228, 64 << 20);
    put32(file + 252, 1);
    put32(file + at_crc, crc32c(0, file, at_crc));
}

static void test_control(void)
{
    static const struct {
        guint32 version, catalog;
        gsize at_crc;
        int major;
    } releases[] = {{1300, 202007201, 288, 13}, {1300, 202107181, 288, 14},
                    {1300, 202209061, 288, 15}, {1300, 202307071, 288, 16},
                    {1300, 202406281, 288, 17}, {1800, 202506291, 292, 18}};
    g_autofree guint8 *file = g_malloc(PG_CONTROL_FILE_SIZE);
    PgControl control;

    for (guint i = 0; i < G_N_ELEMENTS(releases); i++) {
        make_control(file, releases[i].version, releases[i].catalog, releases[i].at_crc);
        g_assert_true(pg_control_parse(file, PG_CONTROL_FILE_SIZE, &control, NULL));
        g_assert_cmpint(control.server_major, ==, releases[i].major);
        g_assert_cmpuint(control.system_identifier, ==, 7000000000000000001);
        g_assert_cmpuint(control.timeline, ==, 5);
        g_assert_cmpuint(control.segment_size, ==, 64 << 20);
        g_assert_cmpuint(control.checkpoint_redo, ==, 0x3000028);
        g_assert_true(control.page_checksums && control.full_page_writes);
    }
}

static void test_control_wrong(void)
{
    g_autofree guint8 *file = g_malloc(PG_CONTROL_FILE_SIZE);
    PgControl control;

    for (guint i = 0; i < 3; i++) {
        g_autoptr(GError) error = NULL;

        make_control(file, i == 1 ? 1900 : 1300, i == 2 ? 209901011 : 202209061, 288);
        if (i == 0)
            file[100] ^= 1;
        g_assert_false(pg_control_parse(file, PG_CONTROL_FILE_SIZE, &control, &error));
        g_assert_true(error_is(error, i == 0 ? ERROR_DAMAGED : ERROR_UNSUPPORTED));
    }
    g_assert_false(pg_control_parse(file, 100, &control, NULL));
}

typedef struct {
    const char *path, *good; /* pg_control, and what takes its place */
    guint8 *torn;
} Torn;

/* Nobody can open the pipe for writing before it is open for reading, so that what takes its place
 * cannot come too early; and nothing comes out of it before that, so that it cannot come too late. */
static gpointer serve_torn(gpointer data)
{
    const Torn *torn = data;
    FILE_AUTO_FD pipe = open(torn->path, O_WRONLY | O_CLOEXEC);

    g_assert_cmpint(pipe, >=, 0);
    g_assert_no_errno(rename(torn->good, torn->path));
    g_assert_true(file_write_all(pipe, torn->torn, PG_CONTROL_FILE_SIZE, torn->path, NULL));
    return NULL;
}

/* The first half as the server writes it now, the second as it was. */
static void test_control_torn(void)
{
    g_autofree char *directory = g_dir_make_tmp("holdfast-test-XXXXXX", NULL);
    g_autofree char *folder = g_build_filename(directory, "global", NULL);
    g_autofree char *path = g_build_filename(folder, "pg_control", NULL);
    g_autofree char *good = g_build_filename(directory, "good", NULL);
    g_autofree guint8 *file = g_malloc(PG_CONTROL_FILE_SIZE);
    g_autofree guint8 *half = g_malloc(PG_CONTROL_FILE_SIZE);
    g_autoptr(GBytes) bytes = NULL;
    Torn torn = {path, good, half};
    PgControl control;
    GThread *server;

    make_control(file, 1300, 202209061, 288);
    memcpy(half, file, PG_CONTROL_FILE_SIZE);
    put64(half + 32, 0x2000060);
    g_assert_no_errno(g_mkdir(folder, 0700));
    g_assert_no_errno(mkfifo(path, 0600));
    g_assert_true(g_file_set_contents(good, (const char *)file, PG_CONTROL_FILE_SIZE, NULL));
    server = g_thread_new("server", serve_torn, &torn);
    g_assert_true(pg_control_read(directory, &control, &bytes, NULL));
    g_thread_join(server);
    g_assert_cmpuint(control.checkpoint, ==, 0x3000060);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), file,
                    PG_CONTROL_FILE_SIZE);
    g_assert_true(directory_remove(directory, NULL));
}

/* --- metadata and history --------------------------------------------------------------------- */

static void test_frame(void)
{
    WalFrame frame = {.name = "000000010000000000000001.00000028.backup",
                      .system_identifier = 7000000000000000001,
                      .segment_size = 16 << 20,
                      .start = 77,
                      .plain_size = 300,
                      .stored_size = 200,
                      .plain_sha256 = {1, 2, 3},
                      .stored_sha256 = {4, 5, 6}};
    guint8 bytes[WAL_FRAME_SIZE], broken[WAL_FRAME_SIZE];
    WalFrame again;

    wal_frame_write(&frame, bytes);
    g_assert_true(wal_frame_read(bytes, sizeof bytes, &again, NULL));
    wal_frame_write(&again, broken);
    g_assert_cmpmem(broken, sizeof broken, bytes, sizeof bytes);
    g_assert_cmpstr(again.name, ==, frame.name);
    g_assert_cmpuint(again.start, ==, 77);
    for (gsize i = 0; i < sizeof bytes; i++) {
        memcpy(broken, bytes, sizeof bytes);
        broken[i] ^= 0x40;
        g_assert_false(wal_frame_read(broken, sizeof broken, &again, NULL));
        g_assert_false(wal_frame_read(bytes, i, &again, NULL));
    }
}

static void test_history(void)
{
    static const char good[] = "1\t0/3000148\tno recovery target specified\n\n"
                               "# remark\n2\t0/5000000\tbefore 2026\n";
    static const char *const wrong[] = {
        "x\t0/1\ty\n", "1\n", "3\t0/1\ty\n", "2\t0/1\ty\n1\t0/2\ty\n", "1\t0/5\ty\n2\t0/4\ty\n",
        "1\t5\ty\n"};
    g_autoptr(GArray) ancestors = wal_history_parse(good, sizeof good - 1, 3, NULL);

    g_assert_nonnull(ancestors);
    g_assert_cmpuint(ancestors->len, ==, 2);
    g_assert_cmpuint(g_array_index(ancestors, WalAncestor, 1).timeline, ==, 2);
    g_assert_cmpuint(g_array_index(ancestors, WalAncestor, 1).end, ==, 0x5000000);
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(wal_history_parse(wrong[i], strlen(wrong[i]), 3, &error));
        g_assert_true(error_is(error, ERROR_DAMAGED));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wal/names", test_names);
    g_test_add_func("/wal/numbers", test_numbers);
    g_test_add_func("/wal/lsn", test_lsn);
    g_test_add_func("/wal/header", test_header);
    g_test_add_func("/wal/scan", test_scan);
    g_test_add_func("/wal/scan-pages", test_scan_pages);
    g_test_add_func("/wal/control", test_control);
    g_test_add_func("/wal/control-wrong", test_control_wrong);
    g_test_add_func("/wal/control-torn", test_control_torn);
    g_test_add_func("/wal/frame", test_frame);
    g_test_add_func("/wal/history", test_history);
    return g_test_run();
}
