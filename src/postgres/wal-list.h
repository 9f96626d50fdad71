/* SPDX-License-Identifier: Apache-2.0
 *
 * What the WAL archive holds: names of its objects, ranges of segments and the gaps between them.
 *
 * Threads: any; nothing is kept between calls.
 */
#ifndef HOLDFAST_POSTGRES_WAL_LIST_H
#define HOLDFAST_POSTGRES_WAL_LIST_H

#include "postgres/wal-frame.h"
#include "postgres/wal-name.h"
#include "repo/repository.h"

/* Takes an object's name apart; FALSE for one that is no file of the WAL archive (system.json is
 * none). For a piece ret_name is its segment's and *ret_end where it ends, else *ret_end is 0. The
 * strings point into `object` or are its parts. */
typedef struct {
    char source[64];
    guint64 system_identifier;
    char file[WAL_FRAME_NAME]; /* as archived; of the segment, for a piece */
    WalName name;
    guint32 piece_end;
} WalObjectName;
gboolean wal_object_name_parse(const char *object, WalObjectName *ret_parts);

typedef struct {
    guint32 timeline;
    guint64 first, last; /* segment numbers (LSN / segment size), both inside */
} WalRange;

typedef struct {
    guint64 system_identifier;
    guint32 segment_size; /* 0 where nothing but history files is there */
    GArray *ranges;       /* WalRange, by timeline and number */
    GArray *gaps;         /* WalRange: what is missing between the ranges of one timeline */
    GPtrArray *histories; /* char *: names of the history files */
    char *streamed;       /* the newest segment that is there in pieces only, or NULL */
    guint32 streamed_end; /* how far they reach, in bytes */
    guint64 files, bytes; /* stored */
} WalInventory;
void wal_inventory_free(WalInventory *inventory);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WalInventory, wal_inventory_free)

/* The range that a segment is in; NULL where it is not there as a whole. Belongs to the
 * inventory. */
const WalRange *wal_inventory_range(const WalInventory *inventory, guint32 timeline,
                                    guint64 number);
/* The last range of a timeline, or its first; NULL where it has none. Belongs to the inventory. */
const WalRange *wal_inventory_outer_range(const WalInventory *inventory, guint32 timeline,
                                          gboolean last);
/* How much of a segment that is not there as a whole was streamed, in bytes; 0: nothing. */
guint32 wal_inventory_streamed(const WalInventory *inventory, guint32 timeline, guint64 number);

/* Everything archived of a source, per system identifier; an array of WalInventory, by identifier.
 * Only names are read, and one object of each cluster for its segment size. */
gboolean wal_archive_list(Repository *repository, const char *source, GPtrArray **ret_inventories,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same without the objects that were known to be damaged at that moment and were not written since:
 * they leave a gap. `damaged` (char *, their names) may be NULL. */
gboolean wal_archive_list_whole(Repository *repository, const char *source, GHashTable *damaged,
                                gint64 damaged_at, GPtrArray **ret_inventories,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The sources that have an archive here, sorted; an array of strings. */
gboolean wal_archive_sources(Repository *repository, GPtrArray **ret_sources,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
