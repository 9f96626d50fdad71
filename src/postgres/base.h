/* SPDX-License-Identifier: Apache-2.0
 *
 * What an incremental takes from its base: whether the base fits at all, whether the times of files
 * can be compared with it, and which file of the base belongs to which of now.
 *
 * A file is taken for unchanged without being read when its size, modification time, change time
 * and inode are those of the base, and
 *   - the base had read it at a time when a later change had to show in its times (settled);
 *   - - host, device of the data directory and timeline are those of the base, and the server is
 *     not behind the base's stop;
 *   - the clock was not set back since.
 * The change time is the kernel's: whatever puts an older file in place of a newer one (a restore,
 * rsync, cp -a) gives it a new one. A file system that is rolled back as a whole brings old content
 * with its old times, which are not those of the base then.
 */
#ifndef HOLDFAST_POSTGRES_BASE_H
#define HOLDFAST_POSTGRES_BASE_H

#include "postgres/physical.h"

/* The engine's base_fits. */
gboolean pg_base_fits(const ConfigSource *source, Backup *base, char **ret_reason,
                      GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Sets host_id, boot_id and clock_offset for a data directory on this host. */
gboolean pg_base_identify_host(const char *data_directory, PgPhysical *physical,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* NULL where the times of files can be compared with those of the base; else the reason why not.
 * Belongs to nobody. */
const char *pg_base_times_reason(const PgPhysical *physical, const PgPhysical *base);

/* The regular files of `files` (PgFile, sorted) as an array of PgCopyItem, each with its
 * counterpart in the base. With `times` those that did not change are marked. `base` and `head`
 * NULL: a full. */
gboolean pg_base_match(Backup *base, const PgPhysical *head, gboolean times, const GPtrArray *files,
                       GArray **ret_items, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
