/* SPDX-License-Identifier: Apache-2.0
 *
 * Walking over WAL records.
 */
#include "postgres/wal-walk.h"

#include <string.h>

#include "base/time.h"
#include "codec/hash.h"

#define RECORD_HEADER 24
#define RECORD_LIMIT  ((guint32)1020 << 20) /* XLogRecordMaxSize */
#define AT_XID        4
#define AT_INFO       16
#define AT_MANAGER    17
#define AT_CRC        20

#define PAGE_HEADER       24
#define PAGE_CONTINUED    0x0001
#define PAGE_LONG         0x0002
#define PAGE_OVERWRITES   0x0008 /* what began before this page was given up */
#define AT_PAGE_INFO      2
#define AT_PAGE_ADDRESS   8
#define AT_PAGE_REMAINING 16
#define ALIGN_UP(n)       (((n) + 7) & ~(gsize)7)

enum { MANAGER_XLOG = 0, MANAGER_XACT = 1, MANAGER_TABLESPACE = 5 };
enum {
    INFO_MASK = 0xf0,
    INFO_RESTORE_POINT = 0x70,
    INFO_CREATE_TABLESPACE = 0x00,
    XACT_MASK = 0x70,
    XACT_COMMIT = 0x00,
    XACT_ABORT = 0x20,
    XACT_COMMIT_PREPARED = 0x30,
    XACT_ABORT_PREPARED = 0x40,
};

/* Kinds of what stands in front of a record's own data. Smaller ones are blocks, which the records
 * that matter here do not have. */
enum { ID_DATA_SHORT = 255, ID_DATA_LONG = 254, ID_ORIGIN = 253, ID_TOP_XID = 252 };

/* So much of a record is kept: what matters stands at its beginning, and a path is never longer. */
#define KEEP_LIMIT 65536

/* Seconds between 1970 and 2000, where PostgreSQL's time begins. */
#define EPOCH_2000 G_GINT64_CONSTANT(946684800)

struct WalWalk {
    WalRecordFunc func;
    gpointer data;
    gboolean started;   /* the place of a record's beginning is known */
    GByteArray *record; /* the beginning of the one that is being gathered */
    PgLsn record_start;
    gsize missing; /* bytes of it that are still to come */
};

WalWalk *wal_walk_new(WalRecordFunc func, gpointer data)
{
    WalWalk *walk = g_new0(WalWalk, 1);

    walk->func = func;
    walk->data = data;
    walk->record = g_byte_array_new();
    return walk;
}

void wal_walk_free(WalWalk *walk)
{
    if (walk == NULL)
        return;
    g_byte_array_unref(walk->record);
    g_free(walk);
}

static guint32 word_at(const guint8 *at)
{
    guint32 value;

    memcpy(&value, at, sizeof value);
    return value;
}

/* FALSE: no moment that can be. */
static gboolean read_time(const guint8 *at, gint64 *ret_when)
{
    gint64 value;

    memcpy(&value, at, sizeof value);
    if (value > G_MAXINT64 - EPOCH_2000 * TIME_SECOND)
        return FALSE;
    *ret_when = value + EPOCH_2000 * TIME_SECOND;
    return TRUE;
}

/* --- one record ------------------------------------------------------------------------------- */

/* The record's own data, for one without blocks. */
static const guint8 *own_data(const GByteArray *record, gsize *ret_length)
{
    gsize at = RECORD_HEADER;

    while (at + 5 <= record->len) {
        guint8 id = record->data[at];

        if (id == ID_ORIGIN)
            at += 3;
        else if (id == ID_TOP_XID)
            at += 5;
        else if (id == ID_DATA_SHORT || id == ID_DATA_LONG) {
            at += id == ID_DATA_SHORT ? 2 : 5;
            *ret_length = record->len - at;
            return record->data + at;
        } else
            break;
    }
    return NULL;
}

static void read_event(const GByteArray *bytes, WalRecord *record)
{
    guint8 manager = bytes->data[AT_MANAGER], info = bytes->data[AT_INFO];
    guint8 kind = info & XACT_MASK;
    gsize length;
    const guint8 *data;

    if (manager != MANAGER_XLOG && manager != MANAGER_XACT && manager != MANAGER_TABLESPACE)
        return;
    data = own_data(bytes, &length);
    if (data == NULL)
        return;
    if (manager == MANAGER_XACT && length >= 8) {
        gboolean commit = kind == XACT_COMMIT || kind == XACT_COMMIT_PREPARED;

        if ((commit || kind == XACT_ABORT || kind == XACT_ABORT_PREPARED) &&
            read_time(data, &record->time))
            record->event = commit ? WAL_COMMIT : WAL_ABORT;
    } else if (manager == MANAGER_XLOG && (info & INFO_MASK) == INFO_RESTORE_POINT && length > 8 &&
               read_time(data, &record->time)) {
        record->event = WAL_RESTORE_POINT;
        record->text = (const char *)data + 8;
    } else if (manager == MANAGER_TABLESPACE && (info & INFO_MASK) == INFO_CREATE_TABLESPACE &&
               length > 4) {
        record->event = WAL_CREATE_TABLESPACE;
        record->tablespace = word_at(data);
        record->text = (const char *)data + 4;
    }
}

static gboolean is_whole(const GByteArray *record)
{
    guint32 total = word_at(record->data), crc;

    if (record->len < total)
        return TRUE;
    crc = crc32c(0, record->data + RECORD_HEADER, total - RECORD_HEADER);
    return crc32c(crc, record->data, AT_CRC) == word_at(record->data + AT_CRC);
}

/* *ret_valid FALSE: that was no record. */
static gboolean hand_over(WalWalk *walk, PgLsn end, gboolean *ret_valid)
{
    WalRecord record = {.start = walk->record_start, .end = end};
    static const guint8 terminator = 0;

    *ret_valid = is_whole(walk->record);
    if (!*ret_valid)
        return TRUE;
    record.xid = word_at(walk->record->data + AT_XID);
    /* Texts end with a NUL in the record; this one is for those that should not. */
    g_byte_array_append(walk->record, &terminator, 1);
    read_event(walk->record, &record);
    return walk->func(&record, walk->data);
}

/* --- pages ------------------------------------------------------------------------------------ */

/* Gathers bytes of the open record; returns how many it took. */
static gsize gather(WalWalk *walk, const guint8 *bytes, gsize length)
{
    gsize take = MIN(length, walk->missing);
    gsize room = walk->record->len < KEEP_LIMIT ? KEEP_LIMIT - walk->record->len : 0;

    g_byte_array_append(walk->record, bytes, (guint)MIN(take, room));
    walk->missing -= take;
    return take;
}

/* Where the first record of the page begins; the page's size where none does. */
static gsize enter_page(WalWalk *walk, const guint8 *page, gsize size)
{
    guint16 info;
    gsize at, remaining;

    memcpy(&info, page + AT_PAGE_INFO, sizeof info);
    at = info & PAGE_LONG ? WAL_HEADER_SIZE : PAGE_HEADER;
    if ((info & PAGE_CONTINUED) == 0 || (info & PAGE_OVERWRITES) != 0)
        walk->missing = 0;
    if (walk->started)
        return at;
    remaining = info & PAGE_CONTINUED ? word_at(page + AT_PAGE_REMAINING) : 0;
    if (remaining > size - at)
        return size;
    walk->started = TRUE;
    return ALIGN_UP(at + remaining);
}

/* FALSE: func has ended the walk. *ret_more: the segment goes on behind this page. */
static gboolean walk_page(WalWalk *walk, const guint8 *page, gsize size, PgLsn address,
                          gboolean *ret_more)
{
    gsize at = enter_page(walk, page, size);

    *ret_more = TRUE;
    while (at + 8 <= size || (walk->missing > 0 && at < size)) {
        gboolean valid;

        if (walk->missing == 0) {
            guint32 total = word_at(page + at);

            if (total < RECORD_HEADER || total > RECORD_LIMIT) {
                *ret_more = FALSE;
                return TRUE;
            }
            g_byte_array_set_size(walk->record, 0);
            walk->record_start = address + at;
            walk->missing = total;
        }
        at += gather(walk, page + at, size - at);
        if (walk->missing > 0)
            return TRUE;
        if (!hand_over(walk, address + at, &valid))
            return FALSE;
        if (!valid) {
            *ret_more = FALSE;
            return TRUE;
        }
        at = ALIGN_UP(at);
    }
    return TRUE;
}

gboolean wal_walk_feed(WalWalk *walk, const void *segment, gsize length)
{
    const guint8 *bytes = segment;
    WalHeader header;
    gboolean more = TRUE;

    if (!wal_header_read(segment, length, &header, NULL))
        return TRUE;
    /* The last page may be there in part: of a segment that is still streamed. */
    for (gsize at = 0; at + WAL_HEADER_SIZE <= length && more; at += header.block_size) {
        gsize size = MIN(header.block_size, length - at);
        guint64 address;
        guint16 magic;

        memcpy(&magic, bytes + at, sizeof magic);
        memcpy(&address, bytes + at + AT_PAGE_ADDRESS, sizeof address);
        if (magic != header.magic || address != header.address + at)
            break;
        if (!walk_page(walk, bytes + at, size, address, &more))
            return FALSE;
    }
    /* Behind a switch of segments nothing is continued. */
    if (!more)
        walk->missing = 0;
    return TRUE;
}

/* --- one segment ------------------------------------------------------------------------------ */

static gboolean count_record(const WalRecord *record, gpointer data)
{
    WalScan *scan = data;

    scan->records++;
    scan->end = record->end;
    if (record->event == WAL_COMMIT) {
        scan->commits++;
        scan->last_commit = record->time;
    }
    return TRUE;
}

gboolean wal_scan(const void *bytes, gsize length, WalScan *ret_scan, GError **error)
{
    WalScan scan = {0};
    g_autoptr(WalWalk) walk = wal_walk_new(count_record, &scan);
    WalHeader header;

    if (!wal_header_read(bytes, length, &header, error))
        return FALSE;
    scan.end = header.address;
    wal_walk_feed(walk, bytes, length);
    *ret_scan = scan;
    return TRUE;
}
