/* SPDX-License-Identifier: Apache-2.0
 *
 * Walking over the records of a WAL segment.
 */
#include "postgres/wal-record.h"

#include <string.h>

#include "base/time.h"
#include "codec/hash.h"

#define RECORD_HEADER 24
#define RECORD_LIMIT  ((guint32)1020 << 20) /* XLogRecordMaxSize */
#define AT_INFO       16
#define AT_MANAGER    17
#define AT_CRC        20

#define PAGE_HEADER          24
#define PAGE_REMAINING       16
#define PAGE_CONTINUED       0x0001
#define ALIGNMENT            8
#define MANAGER_XACT         1
#define XACT_MASK            0x70
#define XACT_COMMIT          0x00
#define XACT_COMMIT_PREPARED 0x30

/* Kinds of what stands in front of a record's own data. Smaller ones are blocks, which a commit has
 * not. */
#define ID_DATA_SHORT 255
#define ID_DATA_LONG  254
#define ID_ORIGIN     253
#define ID_TOP_XID    252

/* Seconds between 1970 and 2000, where PostgreSQL's time begins. */
#define EPOCH_2000 G_GINT64_CONSTANT(946684800)

typedef struct {
    const guint8 *bytes;
    gsize length, at;
    WalHeader header;
} Walk;

static guint32 word_at(const guint8 *at)
{
    guint32 value;

    memcpy(&value, at, sizeof value);
    return value;
}

/* Steps over the header of a page that begins here. FALSE at the end of what is valid. */
static gboolean enter_page(Walk *walk)
{
    const guint8 *page = walk->bytes + walk->at;
    guint64 address;
    guint16 magic;

    if (walk->at % walk->header.block_size != 0)
        return walk->at < walk->length;
    if (walk->length - walk->at < WAL_HEADER_SIZE)
        return FALSE;
    memcpy(&magic, page, sizeof magic);
    memcpy(&address, page + 8, sizeof address);
    if (magic != walk->header.magic || address != walk->header.address + walk->at)
        return FALSE;
    walk->at += walk->at == 0 ? WAL_HEADER_SIZE : PAGE_HEADER;
    return TRUE;
}

/* Takes bytes across pages; `out` NULL skips them. */
static gboolean take(Walk *walk, guint8 *out, gsize length)
{
    while (length > 0) {
        gsize page, part;

        if (!enter_page(walk))
            return FALSE;
        page = walk->header.block_size - walk->at % walk->header.block_size;
        part = MIN(MIN(length, page), walk->length - walk->at);
        if (part == 0)
            return FALSE;
        if (out != NULL) {
            memcpy(out, walk->bytes + walk->at, part);
            out += part;
        }
        walk->at += part;
        length -= part;
    }
    return TRUE;
}

static void align(Walk *walk)
{
    walk->at = (walk->at + ALIGNMENT - 1) & ~(gsize)(ALIGNMENT - 1);
}

/* The next record into the buffer; FALSE at the end. Its length is the buffer's. */
static gboolean next_record(Walk *walk, GByteArray *record)
{
    guint8 head[4];
    guint32 total, crc;
    gsize start;

    align(walk);
    if (walk->at >= walk->length || !enter_page(walk))
        return FALSE;
    start = walk->at;
    if (!take(walk, head, sizeof head))
        return FALSE;
    total = word_at(head);
    /* The buffer never gets larger than what is left of the segment. */
    if (total < RECORD_HEADER || total > RECORD_LIMIT || total > walk->length - start)
        return FALSE;
    g_byte_array_set_size(record, total);
    memcpy(record->data, head, sizeof head);
    if (!take(walk, record->data + sizeof head, total - sizeof head))
        return FALSE;
    crc = crc32c(0, record->data + RECORD_HEADER, total - RECORD_HEADER);
    crc = crc32c(crc, record->data, AT_CRC);
    return crc == word_at(record->data + AT_CRC);
}

/* The first eight bytes of a commit's own data are its time. */
static gboolean commit_time(const GByteArray *record, gint64 *ret_when)
{
    gsize at = RECORD_HEADER;
    gint64 when;

    while (at + 2 <= record->len) {
        guint8 id = record->data[at];

        if (id == ID_ORIGIN) {
            at += 3;
        } else if (id == ID_TOP_XID) {
            at += 5;
        } else if (id == ID_DATA_SHORT || id == ID_DATA_LONG) {
            at += id == ID_DATA_SHORT ? 2 : 5;
            if (at + sizeof when > record->len)
                return FALSE;
            memcpy(&when, record->data + at, sizeof when);
            if (when > G_MAXINT64 - EPOCH_2000 * TIME_SECOND)
                return FALSE;
            *ret_when = when + EPOCH_2000 * TIME_SECOND;
            return TRUE;
        } else {
            return FALSE;
        }
    }
    return FALSE;
}

static void look_at(const GByteArray *record, WalScan *scan)
{
    guint8 kind = record->data[AT_INFO] & XACT_MASK;
    gint64 when;

    scan->records++;
    if (record->data[AT_MANAGER] != MANAGER_XACT ||
        (kind != XACT_COMMIT && kind != XACT_COMMIT_PREPARED) || !commit_time(record, &when))
        return;
    scan->commits++;
    scan->last_commit = when;
}

gboolean wal_scan(const void *bytes, gsize length, WalScan *ret_scan, GError **error)
{
    g_autoptr(GByteArray) record = g_byte_array_new();
    Walk walk = {.bytes = bytes, .length = length};
    WalScan scan = {0};
    guint16 info;

    if (!wal_header_read(bytes, length, &walk.header, error))
        return FALSE;
    scan.end = walk.header.address;
    memcpy(&info, walk.bytes + 2, sizeof info);
    if ((info & PAGE_CONTINUED) == 0 || take(&walk, NULL, word_at(walk.bytes + PAGE_REMAINING))) {
        while (next_record(&walk, record)) {
            look_at(record, &scan);
            scan.end = walk.header.address + walk.at;
        }
    }
    *ret_scan = scan;
    return TRUE;
}
