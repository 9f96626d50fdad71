/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading pg_control. Layout: PostgreSQL's catalog/pg_control.h. Versions 13 to 17
 * (pg_control_version 1300) and 18 (1800) have all that is read here at the same places; only the
 * CRC moved, behind a field that 18 added.
 */
#include "postgres/control.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "codec/hash.h"

#define CONTROL_PATH "global/pg_control"

/* The server rewrites the file in one write, but a reader may see half of it. */
#define TORN_WAIT  (50 * 1000)
#define TORN_TRIES 20

enum {
    AT_SYSTEM_IDENTIFIER = 0,
    AT_CONTROL_VERSION = 8,
    AT_CATALOG_VERSION = 12,
    AT_STATE = 16,
    AT_CHECKPOINT = 32,
    AT_CHECKPOINT_REDO = 40,
    AT_TIMELINE = 48,
    AT_FULL_PAGE_WRITES = 56,
    AT_MINIMUM_RECOVERY_POINT = 136,
    AT_BLOCK_SIZE = 216,
    AT_RELATION_SEGMENT = 220,
    AT_SEGMENT_SIZE = 228,
    AT_CHECKSUM_VERSION = 252,
};

static const struct {
    guint32 control_version;
    gsize at_crc;
} layouts[] = {{1300, 288}, {1800, 292}};

/* The catalog version of each release; those of its betas are smaller, but never as small as the
 * release before. */
static const struct {
    guint32 catalog_version;
    int major;
} catalogs[] = {
    {202506291, 18}, {202406281, 17}, {202307071, 16},
    {202209061, 15}, {202107181, 14}, {202007201, 13},
};

static guint32 word_at(const guint8 *bytes, gsize offset)
{
    guint32 value;

    memcpy(&value, bytes + offset, sizeof value);
    return value;
}

static guint64 long_at(const guint8 *bytes, gsize offset)
{
    guint64 value;

    memcpy(&value, bytes + offset, sizeof value);
    return value;
}

static int major_of(guint32 catalog_version)
{
    for (guint i = 0; i < G_N_ELEMENTS(catalogs); i++) {
        if (catalogs[i].catalog_version == catalog_version)
            return catalogs[i].major;
    }
    return 0;
}

static gsize crc_place(guint32 control_version)
{
    for (guint i = 0; i < G_N_ELEMENTS(layouts); i++) {
        if (layouts[i].control_version == control_version)
            return layouts[i].at_crc;
    }
    return 0;
}

static gboolean power_of_two(guint32 value, guint32 minimum, guint32 maximum)
{
    return value >= minimum && value <= maximum && (value & (value - 1)) == 0;
}

static gboolean check_sizes(const PgControl *control, GError **error)
{
    if (control->system_identifier != 0 && control->timeline != 0 &&
        wal_segment_size_valid(control->segment_size) &&
        power_of_two(control->block_size, 1024, 32768) && control->relation_segment_blocks > 0)
        return TRUE;
    error_set(error, ERROR_DAMAGED, "pg_control holds impossible values");
    return FALSE;
}

gboolean pg_control_parse(const void *bytes, gsize length, PgControl *ret_control, GError **error)
{
    const guint8 *at = bytes;
    PgControl control = {0};
    gsize at_crc;

    if (length != PG_CONTROL_FILE_SIZE) {
        error_set(error, ERROR_DAMAGED,
                  "pg_control has %" G_GSIZE_FORMAT " bytes, and should have %d", length,
                  PG_CONTROL_FILE_SIZE);
        return FALSE;
    }
    control.control_version = word_at(at, AT_CONTROL_VERSION);
    control.catalog_version = word_at(at, AT_CATALOG_VERSION);
    at_crc = crc_place(control.control_version);
    control.server_major = major_of(control.catalog_version);
    if (at_crc == 0) {
        error_set(error, ERROR_UNSUPPORTED, "pg_control has version %u, which is not known",
                  control.control_version);
        error_add_hint(error, "PostgreSQL 13 to 18 are supported");
        return FALSE;
    }
    if (crc32c(0, at, at_crc) != word_at(at, at_crc)) {
        error_set(error, ERROR_DAMAGED, "the checksum of pg_control does not hold");
        return FALSE;
    }
    if (control.server_major == 0) {
        error_set(error, ERROR_UNSUPPORTED,
                  "pg_control has the catalog version %u of no known release",
                  control.catalog_version);
        error_add_hint(error, "the releases of PostgreSQL 13 to 18 are supported");
        return FALSE;
    }
    control.system_identifier = long_at(at, AT_SYSTEM_IDENTIFIER);
    control.state = (int)word_at(at, AT_STATE);
    control.checkpoint = long_at(at, AT_CHECKPOINT);
    control.checkpoint_redo = long_at(at, AT_CHECKPOINT_REDO);
    control.timeline = word_at(at, AT_TIMELINE);
    control.full_page_writes = at[AT_FULL_PAGE_WRITES] != 0;
    control.minimum_recovery_point = long_at(at, AT_MINIMUM_RECOVERY_POINT);
    control.block_size = word_at(at, AT_BLOCK_SIZE);
    control.relation_segment_blocks = word_at(at, AT_RELATION_SEGMENT);
    control.segment_size = word_at(at, AT_SEGMENT_SIZE);
    control.page_checksums = word_at(at, AT_CHECKSUM_VERSION) != 0;
    if (!check_sizes(&control, error))
        return FALSE;
    *ret_control = control;
    return TRUE;
}

gboolean pg_control_read(const char *data_directory, PgControl *ret_control, GBytes **ret_bytes,
                         GError **error)
{
    g_autofree char *path = g_build_filename(data_directory, CONTROL_PATH, NULL);

    for (guint i = 1;; i++) {
        g_autoptr(GError) problem = NULL;
        g_autofree char *bytes = NULL;
        gsize length;

        if (!file_read(path, PG_CONTROL_FILE_SIZE, &bytes, &length, error))
            return FALSE;
        if (pg_control_parse(bytes, length, ret_control, &problem)) {
            if (ret_bytes != NULL)
                *ret_bytes = g_bytes_new_take(g_steal_pointer(&bytes), length);
            return TRUE;
        }
        if (!error_is(problem, ERROR_DAMAGED) || i == TORN_TRIES) {
            g_prefix_error(&problem, "%s: ", path);
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        g_usleep(TORN_WAIT);
    }
}
