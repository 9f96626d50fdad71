/* SPDX-License-Identifier: Apache-2.0
 *
 * The WAL archive in a store in memory: what is refused, what counts as the same, damage, pieces,
 * gaps, timelines.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "codec/compress.h"
#include "postgres/wal-archive.h"
#include "postgres/wal-frame.h"
#include "postgres/wal-object.h"
#include "postgres/wal-system.h"
#include "postgres/wal-verify.h"
#include "postgres/wal-window.h"

#define SIZE       (1U << 20)
#define IDENTIFIER G_GUINT64_CONSTANT(7000000000000000001)

typedef struct {
    Store *store;
    Repository *repository;
    WalArchive archive;
    char *directory, *path;
    guint8 *segment;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    fixture->store = store_new_memory();
    fixture->repository = repository_create(fixture->store, COMPRESS_DEFAULT, &error);
    g_assert_no_error(error);
    fixture->archive = (WalArchive){fixture->repository, "pg", IDENTIFIER, SIZE};
    fixture->directory = g_dir_make_tmp("wal-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->directory, "file", NULL);
    fixture->segment = g_malloc0(SIZE);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    g_assert_true(directory_remove(fixture->directory, NULL));
    g_free(fixture->directory);
    g_free(fixture->path);
    g_free(fixture->segment);
    repository_unref(fixture->repository);
    store_unref(fixture->store);
}

/* Fills the buffer with a segment of that timeline and number; `mark` makes contents differ. */
static void make_segment(Fixture *fixture, guint32 timeline, guint64 number, guint8 mark)
{
    const guint16 magic = 0xD110, info = 2;
    const guint64 address = number * SIZE, identifier = IDENTIFIER;
    const guint32 size = SIZE, block = 8192;

    memset(fixture->segment, mark, SIZE);
    memcpy(fixture->segment, &magic, 2);
    memcpy(fixture->segment + 2, &info, 2);
    memcpy(fixture->segment + 4, &timeline, 4);
    memcpy(fixture->segment + 8, &address, 8);
    memcpy(fixture->segment + 24, &identifier, 8);
    memcpy(fixture->segment + 32, &size, 4);
    memcpy(fixture->segment + 36, &block, 4);
}

static gboolean put(Fixture *fixture, const char *name, gsize length, WalPut *ret_put,
                    GError **error)
{
    g_assert_true(file_replace(fixture->path, fixture->segment, length, 0600, NULL));
    return wal_archive_put(&fixture->archive, name, fixture->path, ret_put, error);
}

static void put_segment(Fixture *fixture, guint32 timeline, guint64 number)
{
    g_autofree char *name = wal_segment_format(timeline, number, SIZE);
    g_autoptr(GError) error = NULL;
    WalPut result;

    make_segment(fixture, timeline, number, 5);
    g_assert_true(put(fixture, name, SIZE, &result, &error));
    g_assert_no_error(error);
    g_assert_cmpint(result, ==, WAL_PUT_NEW);
}

static void expect_same_file(Fixture *fixture, const char *name)
{
    g_autofree char *target = g_build_filename(fixture->directory, "target", NULL);
    g_autofree char *bytes = NULL;
    g_autoptr(GError) error = NULL;
    gsize length;

    g_assert_true(wal_archive_get(&fixture->archive, name, target, TRUE, &error));
    g_assert_no_error(error);
    g_assert_true(file_read(target, SIZE, &bytes, &length, NULL));
    g_assert_cmpmem(bytes, length, fixture->segment, SIZE);
}

static void test_round_trip(Fixture *fixture, gconstpointer data)
{
    static const char name[] = "000000010000000000000003";
    g_autoptr(GError) error = NULL;
    WalPut result;
    gboolean present;

    put_segment(fixture, 1, 3);
    expect_same_file(fixture, name);
    g_assert_true(put(fixture, name, SIZE, &result, NULL));
    g_assert_cmpint(result, ==, WAL_PUT_SAME);
    fixture->segment[SIZE - 1] ^= 1;
    g_assert_false(put(fixture, name, SIZE, &result, &error));
    g_assert_true(error_is(error, ERROR_REFUSED));
    fixture->segment[SIZE - 1] ^= 1;
    expect_same_file(fixture, name);
    g_assert_true(wal_archive_has(&fixture->archive, name, &present, NULL));
    g_assert_true(present);
    g_assert_true(wal_archive_verify(&fixture->archive, name, NULL, NULL));
}

static void test_absent(Fixture *fixture, gconstpointer data)
{
    g_autofree char *target = g_build_filename(fixture->directory, "target", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_false(
        wal_archive_get(&fixture->archive, "000000010000000000000003", target, FALSE, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    g_assert_false(g_file_test(target, G_FILE_TEST_EXISTS));
    /* A place that is not there is no absence. */
    put_segment(fixture, 1, 3);
    g_clear_error(&error);
    g_assert_false(wal_archive_get(&fixture->archive, "000000010000000000000003", "/no/such/place",
                                   FALSE, &error));
    g_assert_false(error_is(error, ERROR_NOT_FOUND));
}

typedef struct {
    const char *name;
    guint32 timeline;
    guint64 number;
    gsize length;
    guint64 identifier;
} Wrong;

static void test_refused(Fixture *fixture, gconstpointer data)
{
    static const Wrong wrong[] = {
        {"000000010000000000000003", 1, 4, SIZE, IDENTIFIER},      /* another place */
        {"000000010000000000000003", 2, 3, SIZE, IDENTIFIER},      /* a later timeline */
        {"000000010000000000000003", 1, 3, SIZE / 2, IDENTIFIER},  /* cut */
        {"000000010000000000000003", 1, 3, 10, IDENTIFIER},        /* nearly nothing */
        {"000000010000000000000003", 1, 3, SIZE, IDENTIFIER + 1},  /* another cluster */
        {"000000010000000000001000", 1, 0x1000, SIZE, IDENTIFIER}, /* no such name at this size */
        {"000000010000000000000003.partial", 1, 4, SIZE,
         IDENTIFIER},                              /* partial ones are checked, too */
        {"00000002.history", 1, 3, 0, IDENTIFIER}, /* empty */
    };
    WalPut result;

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;

        make_segment(fixture, wrong[i].timeline, wrong[i].number, 5);
        memcpy(fixture->segment + 24, &wrong[i].identifier, 8);
        g_assert_false(put(fixture, wrong[i].name, wrong[i].length, &result, &error));
        g_assert_true(error_is(error, ERROR_REFUSED));
    }
    /* A timeline's first segment begins with pages of the one before. */
    make_segment(fixture, 1, 3, 5);
    g_assert_true(put(fixture, "000000020000000000000003", SIZE, &result, NULL));
}

/* Any flipped byte is found; putting the same again heals; other content does not get in that
 * way. */
static void test_damage(Fixture *fixture, gconstpointer data)
{
    static const char name[] = "000000010000000000000003";
    g_autofree char *object = wal_archive_object_name(&fixture->archive, name);
    g_autoptr(GBytes) whole = NULL;
    g_autofree guint8 *bytes = NULL;
    gsize length;
    WalPut result;

    put_segment(fixture, 1, 3);
    whole = store_get(fixture->store, object, SIZE, NULL);
    length = g_bytes_get_size(whole);
    bytes = g_memdup2(g_bytes_get_data(whole, NULL), length);
    for (gsize i = 0; i < length; i += 7) {
        g_autoptr(GError) error = NULL;

        bytes[i] ^= 0x10;
        g_assert_true(store_delete(fixture->store, object, NULL));
        g_assert_true(store_put(fixture->store, object, bytes, length, NULL));
        g_assert_false(wal_archive_verify(&fixture->archive, name, NULL, &error));
        g_assert_true(error_is(error, ERROR_DAMAGED));
        bytes[i] ^= 0x10;
    }
    bytes[length - 1] ^= 1;
    g_assert_true(store_delete(fixture->store, object, NULL));
    g_assert_true(store_put(fixture->store, object, bytes, length - 1, NULL));
    log_set_level(LOG_ERROR);
    g_assert_true(put(fixture, name, SIZE, &result, NULL));
    log_set_level(LOG_WARNING);
    g_assert_cmpint(result, ==, WAL_PUT_NEW);
    expect_same_file(fixture, name);
}

/* --- pieces ----------------------------------------------------------------------------------- */

static void put_piece(Fixture *fixture, guint32 start, guint32 end)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(wal_archive_put_piece(&fixture->archive, "000000010000000000000003", start,
                                        fixture->segment + start, end - start, &error));
    g_assert_no_error(error);
}

static void test_pieces(Fixture *fixture, gconstpointer data)
{
    static const char name[] = "000000010000000000000003";
    g_autoptr(GArray) pieces = NULL;

    make_segment(fixture, 1, 3, 9);
    put_piece(fixture, 0, 1000);
    put_piece(fixture, 1000, 5000);
    put_piece(fixture, 4000, 6000);
    put_piece(fixture, 7000, 8000); /* behind a hole: does not count */
    put_piece(fixture, 1000, 5000); /* again, the same */
    memset(fixture->segment + 6000, 0, SIZE - 6000);
    expect_same_file(fixture, name);
    put_piece(fixture, 0, 6001);
    g_assert_true(wal_archive_drop_pieces(&fixture->archive, name, 6000, NULL));
    g_assert_true(wal_archive_pieces(&fixture->archive, name, &pieces, NULL));
    g_assert_cmpuint(pieces->len, ==, 1);
    expect_same_file(fixture, name);
}

static void test_whole_supersedes(Fixture *fixture, gconstpointer data)
{
    make_segment(fixture, 1, 3, 9);
    put_piece(fixture, 0, 1000);
    put_segment(fixture, 1, 3);
    expect_same_file(fixture, "000000010000000000000003");
}

/* Puts other bytes, or fewer, in an object's place; whole again when bytes are the old ones. */
static void replace_object(Fixture *fixture, const char *object, const guint8 *bytes, gsize length)
{
    g_assert_true(store_delete(fixture->store, object, NULL));
    g_assert_true(store_put(fixture->store, object, bytes, length, NULL));
}

static void expect_damage(Fixture *fixture, const char *name)
{
    g_autofree char *target = g_build_filename(fixture->directory, "target", NULL);
    g_autoptr(GError) error = NULL;

    (void)g_remove(target); /* of an earlier one */
    g_assert_false(wal_archive_get(&fixture->archive, name, target, FALSE, &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
    g_assert_false(g_file_test(target, G_FILE_TEST_EXISTS));
}

/* No byte of any piece can be wrong, and no piece short, without being told: recovery would take
 * what follows for the end of the WAL. */
static void test_damaged_pieces(Fixture *fixture, gconstpointer data)
{
    static const char name[] = "000000010000000000000003";
    static const guint32 ends[] = {1000, 5000, 9000};

    make_segment(fixture, 1, 3, 9);
    for (guint i = 0; i < G_N_ELEMENTS(ends); i++)
        put_piece(fixture, i > 0 ? ends[i - 1] : 0, ends[i]);
    memset(fixture->segment + 9000, 0, SIZE - 9000);
    for (guint i = 0; i < G_N_ELEMENTS(ends); i++) {
        g_autofree char *segment = wal_archive_object_name(&fixture->archive, name);
        g_autofree char *object = g_strdup_printf("%s.%08X.part", segment, ends[i]);
        g_autoptr(GBytes) whole = store_get(fixture->store, object, SIZE, NULL);
        gsize length = g_bytes_get_size(whole);
        g_autofree guint8 *bytes = g_memdup2(g_bytes_get_data(whole, NULL), length);

        for (gsize k = 0; k < length; k += 11) {
            bytes[k] ^= 0x10;
            replace_object(fixture, object, bytes, length);
            expect_damage(fixture, name);
            bytes[k] ^= 0x10;
        }
        replace_object(fixture, object, bytes, length - 1);
        expect_damage(fixture, name);
        replace_object(fixture, object, bytes, 0);
        expect_damage(fixture, name);
        replace_object(fixture, object, bytes, length);
    }
    expect_same_file(fixture, name);
}

/* What does not compress is kept in frames of more than one of zstd's blocks, 128 KiB. */
static void make_noise(Fixture *fixture)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(4);

    make_segment(fixture, 1, 3, 0);
    for (gsize i = WAL_HEADER_SIZE; i < SIZE; i++)
        fixture->segment[i] = (guint8)g_rand_int(random);
}

static void test_large_frame(Fixture *fixture, gconstpointer data)
{
    static const char name[] = "000000010000000000000003";
    g_autofree char *object = wal_archive_object_name(&fixture->archive, name);
    g_autoptr(GBytes) whole = NULL;
    g_autofree guint8 *bytes = NULL;
    gsize length;
    WalPut result;

    make_noise(fixture);
    g_assert_true(put(fixture, name, SIZE, &result, NULL));
    expect_same_file(fixture, name);
    whole = store_get(fixture->store, object, 2 * SIZE, NULL);
    length = g_bytes_get_size(whole);
    g_assert_cmpuint(length, >, SIZE);
    bytes = g_memdup2(g_bytes_get_data(whole, NULL), length);
    for (gsize i = 100 * 1024; i < length; i += 150 * 1024) {
        bytes[i] ^= 1;
        replace_object(fixture, object, bytes, length);
        expect_damage(fixture, name);
        bytes[i] ^= 1;
        replace_object(fixture, object, bytes, i);
        expect_damage(fixture, name);
    }
    replace_object(fixture, object, bytes, length);
    expect_same_file(fixture, name);
}

/* An object as another program may write it: by the frames' plain sizes. */
static void put_frames(Fixture *fixture, const char *object, gsize segment, const gsize *sizes,
                       guint count)
{
    const CompressSpec spec = {CODEC_ZSTD, 1, COMPRESS_ANYTHING};
    g_autofree guint8 *bytes = g_malloc(WAL_FRAME_SIZE + compress_bound(spec, segment) * 2);
    WalFrame frame = {.system_identifier = IDENTIFIER,
                      .segment_size = (guint32)segment,
                      .plain_size = segment};
    gsize length = WAL_FRAME_SIZE, offset = 0;

    g_strlcpy(frame.name, "000000010000000000000003", sizeof frame.name);
    for (guint i = 0; i < count; i++) {
        gsize stored;

        g_assert_true(compress_buffer(spec, fixture->segment + offset, sizes[i], bytes + length,
                                      compress_bound(spec, sizes[i]), &stored, NULL));
        length += stored;
        offset += sizes[i];
    }
    g_assert_cmpuint(offset, ==, segment);
    frame.stored_size = length - WAL_FRAME_SIZE;
    sha256_buffer(fixture->segment, segment, frame.plain_sha256);
    sha256_buffer(bytes + WAL_FRAME_SIZE, frame.stored_size, frame.stored_sha256);
    wal_frame_write(&frame, bytes);
    replace_object(fixture, object, bytes, length);
}

/* Our frames hold 128 KiB; others may hold more. */
static void test_foreign_frames(Fixture *fixture, gconstpointer data)
{
    static const char name[] = "000000010000000000000003";
    static const gsize one[] = {SIZE};
    static const gsize some[] = {1, 300 * 1024, 70 * 1024, 400 * 1024, SIZE - 1 - 770 * 1024};
    g_autofree char *object = wal_archive_object_name(&fixture->archive, name);

    for (guint noise = 0; noise < 2; noise++) {
        if (noise > 0)
            make_noise(fixture);
        else
            put_segment(fixture, 1, 3);
        put_frames(fixture, object, SIZE, one, G_N_ELEMENTS(one));
        expect_same_file(fixture, name);
        put_frames(fixture, object, SIZE, some, G_N_ELEMENTS(some));
        expect_same_file(fixture, name);
        g_assert_true(wal_archive_verify(&fixture->archive, name, NULL, NULL));
    }
}

/* So much is damaged at this level. */
static guint count_damage(Fixture *fixture, ProofLevel level)
{
    const EngineArchive request = {.repository = fixture->repository,
                                   .name = "pg",
                                   .level = level,
                                   .jobs = 2};
    g_autoptr(GError) error = NULL;
    EngineArchiveReport report;
    guint count;

    engine_archive_report_init(&report);
    g_assert_true(pg_wal_verify(&request, &report, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(report.objects, ==, 2);
    count = report.damage->len;
    engine_archive_report_clear(&report);
    return count;
}

static void expect_levels(Fixture *fixture, guint objects, guint structure, guint deep)
{
    g_assert_cmpuint(count_damage(fixture, PROOF_OBJECTS), ==, objects);
    g_assert_cmpuint(count_damage(fixture, PROOF_STRUCTURE), ==, structure);
    g_assert_cmpuint(count_damage(fixture, PROOF_DEEP), ==, deep);
}

/* Each kind of damage is found from its level on. */
static void test_levels(Fixture *fixture, gconstpointer data)
{
    g_autofree char *third = wal_archive_object_name(&fixture->archive, "000000010000000000000003");
    g_autofree char *fourth =
        wal_archive_object_name(&fixture->archive, "000000010000000000000004");
    g_autoptr(GBytes) stored = NULL;
    g_autofree guint8 *bytes = NULL;
    WalFrame frame;
    gsize length;

    put_segment(fixture, 1, 3);
    put_segment(fixture, 1, 4);
    expect_levels(fixture, 0, 0, 0);
    stored = store_get(fixture->store, third, SIZE, NULL);
    bytes = g_bytes_unref_to_data(g_steal_pointer(&stored), &length);

    /* Whole, but another segment's. */
    replace_object(fixture, fourth, bytes, length);
    expect_levels(fixture, 0, 1, 1);

    /* The bytes that were written, but they do not hold what their frame says. */
    g_assert_true(wal_frame_read(bytes, length, &frame, NULL));
    frame.plain_sha256[0] ^= 1;
    wal_frame_write(&frame, bytes);
    replace_object(fixture, third, bytes, length);
    g_assert_true(store_delete(fixture->store, fourth, NULL));
    put_segment(fixture, 1, 4);
    expect_levels(fixture, 0, 0, 1);

    bytes[length - 1] ^= 1;
    replace_object(fixture, third, bytes, length);
    expect_levels(fixture, 1, 1, 1);
}

/* Large enough for a second thread, with chunks that take it more and less time. */
static void test_two_threads(Fixture *fixture, gconstpointer data)
{
    static const char name[] = "000000010000000000000001";
    const gsize size = 4 * SIZE;
    const guint32 segment_size = 4 * SIZE;
    g_autofree char *target = g_build_filename(fixture->directory, "target", NULL);
    g_autofree guint8 *segment = g_malloc(size);
    g_autofree char *bytes = NULL;
    g_autoptr(GError) error = NULL;
    gsize length;
    WalPut result;

    for (guint i = 0; i < 4; i++) {
        if (i % 2 == 0)
            make_noise(fixture);
        else
            make_segment(fixture, 1, 1, (guint8)i);
        memcpy(segment + i * SIZE, fixture->segment, SIZE);
    }
    make_segment(fixture, 1, 4,
                 0); /* its address, in segments of this size, is that of the first */
    memcpy(segment, fixture->segment, WAL_HEADER_SIZE);
    memcpy(segment + 32, &segment_size, sizeof segment_size);
    fixture->archive.segment_size = segment_size;
    g_assert_true(file_replace(fixture->path, segment, size, 0600, NULL));
    g_assert_true(wal_archive_put(&fixture->archive, name, fixture->path, &result, &error));
    g_assert_no_error(error);
    g_assert_true(wal_archive_verify(&fixture->archive, name, NULL, NULL));
    g_assert_true(wal_archive_get(&fixture->archive, name, target, FALSE, &error));
    g_assert_no_error(error);
    g_assert_true(file_read(target, size, &bytes, &length, NULL));
    g_assert_cmpmem(bytes, length, segment, size);
}

static void test_large_pieces(Fixture *fixture, gconstpointer data)
{
    make_noise(fixture);
    put_piece(fixture, 0, 300 * 1024);
    put_piece(fixture, 300 * 1024, 900 * 1024);
    memset(fixture->segment + 900 * 1024, 0, SIZE - 900 * 1024);
    expect_same_file(fixture, "000000010000000000000003");
}

/* --- inventory -------------------------------------------------------------------------------- */

static void test_gaps(Fixture *fixture, gconstpointer data)
{
    static const guint64 numbers[] = {1, 2, 3, 6, 0xFFF, 0x1000};
    static const char history[] = "1\t1/00180000\tpromoted\n";
    g_autoptr(GPtrArray) inventories = NULL;
    g_autoptr(GPtrArray) lineages = NULL;
    WalInventory *inventory;
    const WalRange *gap;
    WalPut result;

    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        put_segment(fixture, 1, numbers[i]);
    put_segment(fixture, 2, 0x1003);
    memcpy(fixture->segment, history, sizeof history);
    g_assert_true(put(fixture, "00000002.history", sizeof history - 1, &result, NULL));
    g_assert_true(wal_system_accept(fixture->repository, "pg", IDENTIFIER, "check", NULL));
    g_assert_true(wal_archive_list(fixture->repository, "pg", &inventories, NULL));
    g_assert_cmpuint(inventories->len, ==, 1);
    inventory = inventories->pdata[0];
    g_assert_cmpuint(inventory->segment_size, ==, SIZE);
    g_assert_cmpuint(inventory->ranges->len, ==, 4);
    g_assert_cmpuint(inventory->gaps->len, ==, 2);
    gap = &g_array_index(inventory->gaps, WalRange, 0);
    g_assert_cmpuint(gap->first, ==, 4);
    g_assert_cmpuint(gap->last, ==, 5);
    g_assert_true(wal_lineages(fixture->repository, "pg", inventory, &lineages, NULL));
    wal_inventory_add_switches(inventory, lineages);
    /* The switch is in 0x1001: timeline 1 has all before it, timeline 2 lacks 0x1001 and 0x1002. */
    g_assert_cmpuint(inventory->gaps->len, ==, 3);
    gap = &g_array_index(inventory->gaps, WalRange, 2);
    g_assert_cmpuint(gap->timeline, ==, 2);
    g_assert_cmpuint(gap->first, ==, 0x1001);
    g_assert_cmpuint(gap->last, ==, 0x1002);
}

static void test_follow(Fixture *fixture, gconstpointer data)
{
    static const char history[] = "1\t0/00580000\tpromoted\n";
    g_autoptr(GPtrArray) inventories = NULL;
    g_autoptr(GPtrArray) lineages = NULL;
    WalPut result;
    guint32 timeline;
    PgLsn end;

    for (guint64 number = 2; number <= 7; number++)
        put_segment(fixture, 1, number);
    put_segment(fixture, 2, 5);
    put_segment(fixture, 2, 6);
    memcpy(fixture->segment, history, sizeof history);
    g_assert_true(put(fixture, "00000002.history", sizeof history - 1, &result, NULL));
    g_assert_true(wal_archive_list(fixture->repository, "pg", &inventories, NULL));
    g_assert_true(wal_lineages(fixture->repository, "pg", inventories->pdata[0], &lineages, NULL));
    /* From before the switch the newest timeline is reached; from behind it, the old one's end. */
    g_assert_true(
        wal_inventory_follow(inventories->pdata[0], lineages, 1, 3 * SIZE, &timeline, &end));
    g_assert_cmpuint(timeline, ==, 2);
    g_assert_cmpuint(end, ==, 7 * SIZE);
    g_assert_true(
        wal_inventory_follow(inventories->pdata[0], lineages, 1, 6 * SIZE, &timeline, &end));
    g_assert_cmpuint(timeline, ==, 1);
    g_assert_cmpuint(end, ==, 8 * SIZE);
    g_assert_false(wal_inventory_follow(inventories->pdata[0], lineages, 1, SIZE, &timeline, &end));
}

static void test_object_names(Fixture *fixture, gconstpointer data)
{
    static const char *const wrong[] = {
        "wal/pg/1/system.json",
        "wal/pg/0/00000001/0000000100000000/000000010000000000000003",
        "wal/pg/1/00000002/0000000100000000/000000010000000000000003",
        "wal/pg/1/00000001/0000000100000001/000000010000000000000003",
        "wal/pg/1/00000001/000000010000000000000003",
        "wal/pg/1/00000001/0000000100000000/000000010000000000000003.00000000.part",
        "wal/pg/1/00000001/0000000100000000/00000001.history",
        "pool/aa/bb"};
    WalObjectName parts;

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++)
        g_assert_false(wal_object_name_parse(wrong[i], &parts));
    g_assert_true(wal_object_name_parse(
        "wal/pg/1/00000001/0000000100000000/000000010000000000000003.0000ABCD.part", &parts));
    g_assert_cmpuint(parts.piece_end, ==, 0xABCD);
    g_assert_cmpstr(parts.file, ==, "000000010000000000000003");
    g_assert_true(wal_object_name_parse("wal/pg/1/00000002/00000002.history", &parts));
}

/* --- whose WAL it is -------------------------------------------------------------------------- */

static void test_system(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    guint64 newest;
    guint count;

    g_assert_true(wal_system_newest(fixture->repository, "pg", &newest, &count, NULL));
    g_assert_cmpuint(count, ==, 0);
    g_assert_true(wal_system_require(fixture->repository, "pg", 11, "push", NULL));
    g_assert_true(wal_system_require(fixture->repository, "pg", 11, "push", NULL));
    g_assert_false(wal_system_require(fixture->repository, "pg", 12, "push", &error));
    g_assert_true(error_is(error, ERROR_REFUSED));
    g_assert_true(wal_system_accept(fixture->repository, "pg", 12, "check", NULL));
    g_assert_true(wal_system_accept(fixture->repository, "pg", 12, "check", NULL));
    g_assert_true(wal_system_require(fixture->repository, "pg", 12, "push", NULL));
    g_assert_true(wal_system_newest(fixture->repository, "pg", &newest, &count, NULL));
    g_assert_cmpuint(count, ==, 2);
    g_assert_true(wal_system_require(fixture->repository, "other", 12, "push", NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/wal-archive/" name, Fixture, NULL, set_up, func, tear_down)
    ADD("round-trip", test_round_trip);
    ADD("absent", test_absent);
    ADD("refused", test_refused);
    ADD("damage", test_damage);
    ADD("pieces", test_pieces);
    ADD("whole-supersedes", test_whole_supersedes);
    ADD("damaged-pieces", test_damaged_pieces);
    ADD("large-frame", test_large_frame);
    ADD("large-pieces", test_large_pieces);
    ADD("two-threads", test_two_threads);
    ADD("foreign-frames", test_foreign_frames);
    ADD("levels", test_levels);
    ADD("gaps", test_gaps);
    ADD("follow", test_follow);
    ADD("object-names", test_object_names);
    ADD("system", test_system);
    return g_test_run();
}
