/* SPDX-License-Identifier: Apache-2.0
 *
 * What the WAL archive holds: ranges of segments, and the gaps between them.
 */
#include "postgres/wal-list.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "postgres/wal-object.h"
#include "postgres/wal-system.h"

/* --- names of objects ------------------------------------------------------------------------- */

/* "<segment>.<eight digits>.part" */
static gboolean parse_piece(const char *file, WalObjectName *parts)
{
    char segment[25];
    const char *digits = file + 25;

    if (strlen(file) != 38 || file[24] != '.' || strcmp(file + 33, ".part") != 0 ||
        strspn(digits, "0123456789ABCDEF") != 8)
        return FALSE;
    g_strlcpy(segment, file, sizeof segment);
    if (!wal_name_parse(segment, &parts->name) || parts->name.kind != WAL_SEGMENT)
        return FALSE;
    g_strlcpy(parts->file, segment, sizeof parts->file);
    parts->piece_end = (guint32)strtoul(digits, NULL, 16);
    return parts->piece_end > 0;
}

gboolean wal_object_name_parse(const char *object, WalObjectName *ret_parts)
{
    g_auto(GStrv) words = g_strsplit(object, "/", 8);
    WalObjectName parts = {0};
    guint count = g_strv_length(words);
    const char *file;

    if (count < 5 || count > 6 || strcmp(words[0], "wal") != 0 || words[1][0] == '\0' ||
        strlen(words[1]) >= sizeof parts.source ||
        !wal_system_parse(words[2], &parts.system_identifier))
        return FALSE;
    file = words[count - 1];
    if (wal_name_parse(file, &parts.name))
        g_strlcpy(parts.file, file, sizeof parts.file);
    else if (!parse_piece(file, &parts))
        return FALSE;
    /* History files stand in the timeline's folder, all others one below. */
    if ((count == 5) != (parts.name.kind == WAL_HISTORY) || strncmp(words[3], file, 8) != 0 ||
        strlen(words[3]) != 8 ||
        (count == 6 && (strncmp(words[4], file, 16) != 0 || strlen(words[4]) != 16)))
        return FALSE;
    g_strlcpy(parts.source, words[1], sizeof parts.source);
    *ret_parts = parts;
    return TRUE;
}

/* --- inventory -------------------------------------------------------------------------------- */

void wal_inventory_free(WalInventory *inventory)
{
    if (inventory == NULL)
        return;
    g_array_unref(inventory->ranges);
    g_array_unref(inventory->gaps);
    g_ptr_array_unref(inventory->histories);
    g_free(inventory->streamed);
    g_free(inventory);
}

static WalInventory *inventory_new(guint64 identifier)
{
    WalInventory *inventory = g_new0(WalInventory, 1);

    inventory->system_identifier = identifier;
    inventory->ranges = g_array_new(FALSE, FALSE, sizeof(WalRange));
    inventory->gaps = g_array_new(FALSE, FALSE, sizeof(WalRange));
    inventory->histories = g_ptr_array_new_with_free_func(g_free);
    return inventory;
}

/* Objects come in the order of strcmp(): identifier, timeline, folder, segment; so ranges grow at
 * their end. */
typedef struct {
    Repository *repository;
    GPtrArray *inventories;
    GHashTable *damaged; /* or NULL */
    gint64 damaged_at;
    WalInventory *current;
    char *piece_of; /* the segment of the last piece that was seen */
    guint32 piece_end;
} Listing;

static gboolean learn_segment_size(Listing *listing, const char *object, GError **error)
{
    WalFrame frame;

    if (listing->current->segment_size != 0)
        return TRUE;
    if (!wal_object_frame(listing->repository, object, &frame, error))
        return FALSE;
    listing->current->segment_size = frame.segment_size;
    return TRUE;
}

static void add_segment(WalInventory *inventory, guint32 timeline, guint64 number)
{
    WalRange *last = inventory->ranges->len > 0
                         ? &g_array_index(inventory->ranges, WalRange, inventory->ranges->len - 1)
                         : NULL;
    const WalRange range = {timeline, number, number};

    if (last == NULL || last->timeline != timeline) {
        g_array_append_val(inventory->ranges, range);
    } else if (number == last->last + 1) {
        last->last = number;
    } else {
        const WalRange gap = {timeline, last->last + 1, number - 1};

        g_array_append_val(inventory->gaps, gap);
        g_array_append_val(inventory->ranges, range);
    }
}

/* Pieces count for the newest segment only, and only where the whole one is not there. */
static void note_piece(Listing *listing, const WalObjectName *parts)
{
    if (g_strcmp0(listing->piece_of, parts->file) != 0) {
        g_free(listing->piece_of);
        listing->piece_of = g_strdup(parts->file);
        listing->piece_end = 0;
    }
    listing->piece_end = MAX(listing->piece_end, parts->piece_end);
}

static void finish_inventory(Listing *listing)
{
    WalInventory *inventory = listing->current;
    WalName name;

    if (inventory == NULL || listing->piece_of == NULL)
        return;
    if (wal_name_parse(listing->piece_of, &name) && inventory->segment_size != 0) {
        const WalRange *last =
            inventory->ranges->len > 0
                ? &g_array_index(inventory->ranges, WalRange, inventory->ranges->len - 1)
                : NULL;
        guint64 number = wal_segment_number(&name, inventory->segment_size);

        if (last == NULL || name.timeline > last->timeline ||
            (name.timeline == last->timeline && number > last->last)) {
            inventory->streamed = g_steal_pointer(&listing->piece_of);
            inventory->streamed_end = listing->piece_end;
        }
    }
    g_clear_pointer(&listing->piece_of, g_free);
}

static gboolean is_damaged(const Listing *listing, const char *object, const StoreInfo *info)
{
    return listing->damaged != NULL && info->modified <= listing->damaged_at &&
           g_hash_table_contains(listing->damaged, object);
}

static gboolean list_object(const char *object, const StoreInfo *info, gpointer data,
                            GError **error)
{
    Listing *listing = data;
    WalObjectName parts;

    if (!wal_object_name_parse(object, &parts) || is_damaged(listing, object, info))
        return TRUE;
    if (listing->current == NULL ||
        listing->current->system_identifier != parts.system_identifier) {
        finish_inventory(listing);
        listing->current = inventory_new(parts.system_identifier);
        g_ptr_array_add(listing->inventories, listing->current);
    }
    listing->current->files++;
    listing->current->bytes += info->size;
    if (parts.name.kind == WAL_HISTORY) {
        g_ptr_array_add(listing->current->histories, g_strdup(parts.file));
        return TRUE;
    }
    if (parts.name.kind != WAL_SEGMENT)
        return TRUE;
    if (!learn_segment_size(listing, object, error))
        return FALSE;
    if (!wal_name_fits(&parts.name, listing->current->segment_size)) {
        error_set(error, ERROR_DAMAGED,
                  "%s has no place among segments of %" G_GUINT32_FORMAT " bytes", object,
                  listing->current->segment_size);
        return FALSE;
    }
    if (parts.piece_end > 0)
        note_piece(listing, &parts);
    else
        add_segment(listing->current, parts.name.timeline,
                    wal_segment_number(&parts.name, listing->current->segment_size));
    return TRUE;
}

static int by_identifier(gconstpointer a, gconstpointer b)
{
    const WalInventory *const *left = a, *const *right = b;

    return (*left)->system_identifier < (*right)->system_identifier   ? -1
           : (*left)->system_identifier > (*right)->system_identifier ? 1
                                                                      : 0;
}

const WalRange *wal_inventory_range(const WalInventory *inventory, guint32 timeline, guint64 number)
{
    for (guint i = 0; i < inventory->ranges->len; i++) {
        const WalRange *range = &g_array_index(inventory->ranges, WalRange, i);

        if (range->timeline == timeline && range->first <= number && number <= range->last)
            return range;
    }
    return NULL;
}

const WalRange *wal_inventory_outer_range(const WalInventory *inventory, guint32 timeline,
                                          gboolean last)
{
    const WalRange *found = NULL;

    for (guint i = 0; i < inventory->ranges->len; i++) {
        const WalRange *range = &g_array_index(inventory->ranges, WalRange, i);

        if (range->timeline == timeline && (last || found == NULL))
            found = range;
    }
    return found;
}

guint32 wal_inventory_streamed(const WalInventory *inventory, guint32 timeline, guint64 number)
{
    WalName name;

    if (inventory->streamed == NULL || !wal_name_parse(inventory->streamed, &name) ||
        name.timeline != timeline || wal_segment_number(&name, inventory->segment_size) != number)
        return 0;
    return inventory->streamed_end;
}

gboolean wal_archive_list(Repository *repository, const char *source, GPtrArray **ret_inventories,
                          GError **error)
{
    return wal_archive_list_whole(repository, source, NULL, 0, ret_inventories, error);
}

gboolean wal_archive_list_whole(Repository *repository, const char *source, GHashTable *damaged,
                                gint64 damaged_at, GPtrArray **ret_inventories, GError **error)
{
    g_autoptr(GPtrArray) inventories =
        g_ptr_array_new_with_free_func((GDestroyNotify)wal_inventory_free);
    g_autofree char *prefix = g_strdup_printf("wal/%s/", source);
    Listing listing = {.repository = repository,
                       .inventories = inventories,
                       .damaged = damaged,
                       .damaged_at = damaged_at};
    gboolean result =
        store_list(repository_store(repository), prefix, list_object, &listing, error);

    finish_inventory(&listing);
    g_free(listing.piece_of);
    if (!result)
        return FALSE;
    g_ptr_array_sort(inventories, by_identifier);
    *ret_inventories = g_steal_pointer(&inventories);
    return TRUE;
}

gboolean wal_archive_sources(Repository *repository, GPtrArray **ret_sources, GError **error)
{
    return store_list_parts(repository_store(repository), "wal/", ret_sources, error);
}
