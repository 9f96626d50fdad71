/* SPDX-License-Identifier: Apache-2.0
 *
 * Sizes in bytes and durations in microseconds, as people write and read them.
 */
#ifndef HOLDFAST_BASE_SIZE_H
#define HOLDFAST_BASE_SIZE_H

#include <glib.h>

/* "123", "64k", "200M", "1.5G", "2T", with or without "B" or "iB"; always powers of 1024.
 * ERROR_USAGE for anything else, for negative numbers and beyond 2^63 - 1. */
gboolean size_parse(const char *text, guint64 *ret_bytes, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "0 B", "999 B", "1.5 KiB", "12.3 GiB". Free with g_free(). */
char *size_format(guint64 bytes);

/* "1,234,567". Free with g_free(). */
char *count_format(guint64 count);

/* "10s", "5m", "1h", "30d", "2w", "1h30m", "500ms"; "0" needs no unit, every other number does.
 * ERROR_USAGE else. */
gboolean duration_parse(const char *text, gint64 *ret_us, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "850 ms", "12.3 s", "4 m 05 s", "2 h 13 m", "3 d 04 h". Free with g_free(). */
char *duration_format(gint64 us);

/* "5%" or "0.1%" to a fraction 0.0 to 1.0; "0" needs no sign. ERROR_USAGE else. */
gboolean percent_parse(const char *text, double *ret_fraction,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
