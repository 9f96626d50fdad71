/* SPDX-License-Identifier: Apache-2.0
 *
 * The leading metadata frame of archived WAL, written and read.
 */
#include "postgres/wal-frame.h"

#include <string.h>

#include "base/error.h"
#include "postgres/wal-name.h"

/* One of the sixteen magics that RFC 8878 gives to skippable frames. */
#define FRAME_MAGIC    0x184D2A57U
#define FRAME_MARK     "HOLDFWAL"
#define FRAME_VERSION  1
#define FRAME_HEADER   8
#define FRAME_CONTENT  (WAL_FRAME_SIZE - FRAME_HEADER)
#define FRAME_CHECKSUM (WAL_FRAME_SIZE - 4)

/* Places in the frame. All numbers are little-endian. */
enum {
    AT_MAGIC = 0,
    AT_LENGTH = 4,
    AT_MARK = 8,
    AT_VERSION = 16,
    AT_SEGMENT_SIZE = 20,
    AT_SYSTEM_IDENTIFIER = 24,
    AT_START = 32,
    AT_PLAIN_SIZE = 40,
    AT_STORED_SIZE = 48,
    AT_NAME = 56,
    AT_PLAIN_SHA256 = AT_NAME + WAL_FRAME_NAME + 4, /* four bytes of zero before it */
    AT_STORED_SHA256 = AT_PLAIN_SHA256 + SHA256_SIZE,
};
G_STATIC_ASSERT(AT_STORED_SHA256 + SHA256_SIZE == FRAME_CHECKSUM);

static void put32(guint8 *at, guint32 value)
{
    value = GUINT32_TO_LE(value);
    memcpy(at, &value, sizeof value);
}

static void put64(guint8 *at, guint64 value)
{
    value = GUINT64_TO_LE(value);
    memcpy(at, &value, sizeof value);
}

static guint32 get32(const guint8 *at)
{
    guint32 value;

    memcpy(&value, at, sizeof value);
    return GUINT32_FROM_LE(value);
}

static guint64 get64(const guint8 *at)
{
    guint64 value;

    memcpy(&value, at, sizeof value);
    return GUINT64_FROM_LE(value);
}

void wal_frame_write(const WalFrame *frame, guint8 bytes[WAL_FRAME_SIZE])
{
    memset(bytes, 0, WAL_FRAME_SIZE);
    put32(bytes + AT_MAGIC, FRAME_MAGIC);
    put32(bytes + AT_LENGTH, FRAME_CONTENT);
    memcpy(bytes + AT_MARK, FRAME_MARK, 8);
    put32(bytes + AT_VERSION, FRAME_VERSION);
    put32(bytes + AT_SEGMENT_SIZE, frame->segment_size);
    put64(bytes + AT_SYSTEM_IDENTIFIER, frame->system_identifier);
    put64(bytes + AT_START, frame->start);
    put64(bytes + AT_PLAIN_SIZE, frame->plain_size);
    put64(bytes + AT_STORED_SIZE, frame->stored_size);
    memcpy(bytes + AT_NAME, frame->name, strnlen(frame->name, WAL_FRAME_NAME - 1));
    memcpy(bytes + AT_PLAIN_SHA256, frame->plain_sha256, SHA256_SIZE);
    memcpy(bytes + AT_STORED_SHA256, frame->stored_sha256, SHA256_SIZE);
    put32(bytes + FRAME_CHECKSUM, crc32c(0, bytes, FRAME_CHECKSUM));
}

static gboolean check_values(const WalFrame *frame, GError **error)
{
    WalName name;

    if (memchr(frame->name, '\0', WAL_FRAME_NAME) != NULL && wal_name_parse(frame->name, &name) &&
        (frame->segment_size == 0 || wal_segment_size_valid(frame->segment_size)) &&
        frame->plain_size <= G_MAXUINT32 && frame->start <= G_MAXUINT32)
        return TRUE;
    error_set(error, ERROR_DAMAGED, "its metadata holds impossible values");
    return FALSE;
}

gboolean wal_frame_read(const void *bytes, gsize length, WalFrame *ret_frame, GError **error)
{
    const guint8 *at = bytes;
    WalFrame frame = {0};

    if (length < WAL_FRAME_SIZE || get32(at + AT_MAGIC) != FRAME_MAGIC ||
        memcmp(at + AT_MARK, FRAME_MARK, 8) != 0) {
        error_set(error, ERROR_DAMAGED, "it does not begin with the metadata of archived WAL");
        return FALSE;
    }
    if (get32(at + AT_VERSION) > FRAME_VERSION) {
        error_set(error, ERROR_NEWER_FORMAT, "its metadata has format version %u",
                  get32(at + AT_VERSION));
        error_add_hint(error, "update holdfast");
        return FALSE;
    }
    if (get32(at + AT_VERSION) != FRAME_VERSION || get32(at + AT_LENGTH) != FRAME_CONTENT ||
        get32(at + FRAME_CHECKSUM) != crc32c(0, at, FRAME_CHECKSUM)) {
        error_set(error, ERROR_DAMAGED, "the checksum of its metadata does not hold");
        return FALSE;
    }
    frame.segment_size = get32(at + AT_SEGMENT_SIZE);
    frame.system_identifier = get64(at + AT_SYSTEM_IDENTIFIER);
    frame.start = get64(at + AT_START);
    frame.plain_size = get64(at + AT_PLAIN_SIZE);
    frame.stored_size = get64(at + AT_STORED_SIZE);
    memcpy(frame.name, at + AT_NAME, WAL_FRAME_NAME);
    memcpy(frame.plain_sha256, at + AT_PLAIN_SHA256, SHA256_SIZE);
    memcpy(frame.stored_sha256, at + AT_STORED_SHA256, SHA256_SIZE);
    if (!check_values(&frame, error))
        return FALSE;
    *ret_frame = frame;
    return TRUE;
}
