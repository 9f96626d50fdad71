/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of a recovery: timelines and the segments that are there.
 */
#include <string.h>

#include "base/error.h"
#include "postgres/pitr-target.h"
#include "postgres/wal-history.h"

void pg_route_free(PgRoute *route)
{
    if (route == NULL)
        return;
    g_array_unref(route->legs);
    g_array_unref(route->segments);
    g_ptr_array_unref(route->histories);
    g_free(route);
}

char *pg_route_segment(const PgRoute *route, guint index)
{
    return wal_segment_format(g_array_index(route->segments, guint32, index), route->first + index,
                              route->segment_size);
}

/* --- timelines -------------------------------------------------------------------------------- */

static guint32 newest_timeline(const WalInventory *inventory, guint32 own)
{
    guint32 newest = own;

    for (guint i = 0; i < inventory->histories->len; i++) {
        WalName name;

        if (wal_name_parse(g_ptr_array_index(inventory->histories, i), &name))
            newest = MAX(newest, name.timeline);
    }
    return newest;
}

static gboolean resolve_timeline(const WalInventory *inventory, const PgPhysical *physical,
                                 const char *text, guint32 *ret_timeline, GError **error)
{
    guint64 number;

    if (text == NULL || strcmp(text, "latest") == 0)
        *ret_timeline = newest_timeline(inventory, physical->timeline);
    else if (strcmp(text, "current") == 0)
        *ret_timeline = physical->timeline;
    else if (g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT32, &number, NULL))
        *ret_timeline = (guint32)number;
    else {
        error_set(error, ERROR_USAGE,
                  "\"%s\" is no timeline: give a number, \"latest\" or \"current\"", text);
        return FALSE;
    }
    return TRUE;
}

/* The ancestors of the route's timeline, and itself. */
static GArray *read_legs(const WalArchive *archive, guint32 timeline, GError **error)
{
    g_autoptr(GArray) ancestors = wal_history_load(archive, timeline, error);
    GArray *legs;
    PgLeg leg = {0};

    if (ancestors == NULL) {
        g_prefix_error(error, "timeline %" G_GUINT32_FORMAT ": ", timeline);
        return NULL;
    }
    legs = g_array_new(FALSE, FALSE, sizeof(PgLeg));
    for (guint i = 0; i < ancestors->len; i++) {
        const WalAncestor *ancestor = &g_array_index(ancestors, WalAncestor, i);

        leg.timeline = ancestor->timeline;
        leg.end = ancestor->end;
        g_array_append_val(legs, leg);
        leg.begin = ancestor->end;
    }
    leg.timeline = timeline;
    leg.end = G_MAXUINT64;
    g_array_append_val(legs, leg);
    return legs;
}

static void hint_own(const PgPhysical *physical, GError **error)
{
    error_add_hint(error,
                   "--target-timeline %" G_GUINT32_FORMAT " follows the timeline of the backup; "
                   "--backup-id takes another one (holdfast list backups)",
                   physical->timeline);
}

/* Leaves the legs from the backup's own on. */
static gboolean begin_at_backup(GArray *legs, const PgPhysical *physical, guint32 timeline,
                                GError **error)
{
    g_autofree char *left = NULL;

    for (guint i = 0; i < legs->len; i++) {
        const PgLeg *leg = &g_array_index(legs, PgLeg, i);

        if (leg->timeline != physical->timeline)
            continue;
        if (physical->stop <= leg->end) {
            g_array_remove_range(legs, 0, i);
            return TRUE;
        }
        left = pg_lsn_format(leg->end);
        error_set(error, ERROR_REFUSED,
                  "timeline %" G_GUINT32_FORMAT " was left for timeline %" G_GUINT32_FORMAT
                  " at %s, before the backup ended",
                  physical->timeline, timeline, left);
        hint_own(physical, error);
        return FALSE;
    }
    error_set(error, ERROR_REFUSED,
              "timeline %" G_GUINT32_FORMAT " does not come from timeline %" G_GUINT32_FORMAT
              ", which the backup is of",
              timeline, physical->timeline);
    hint_own(physical, error);
    return FALSE;
}

/* The backup's own timeline may lack its history file: it is not needed to stay there. */
static gboolean find_legs(const WalArchive *archive, const PgPhysical *physical, PgRoute *route,
                          GError **error)
{
    PgLeg own = {physical->timeline, 0, G_MAXUINT64};

    if (route->timeline == physical->timeline) {
        g_array_append_val(route->legs, own);
        return TRUE;
    }
    g_array_unref(route->legs);
    route->legs = read_legs(archive, route->timeline, error);
    if (route->legs == NULL) {
        route->legs = g_array_new(FALSE, FALSE, sizeof(PgLeg));
        return FALSE;
    }
    return begin_at_backup(route->legs, physical, route->timeline, error);
}

/* --- segments --------------------------------------------------------------------------------- */

/* As the server looks for it: the youngest timeline that reaches back so far comes first. */
static gboolean find_segment(const PgRoute *route, const WalInventory *inventory, guint64 number,
                             const PgLeg **ret_leg)
{
    for (guint i = route->legs->len; i > 0; i--) {
        const PgLeg *leg = &g_array_index(route->legs, PgLeg, i - 1);

        if (number >= leg->begin / route->segment_size &&
            (leg->end == G_MAXUINT64 || number * route->segment_size < leg->end) &&
            wal_inventory_range(inventory, leg->timeline, number) != NULL) {
            *ret_leg = leg;
            return TRUE;
        }
    }
    return FALSE;
}

/* Where a stream has brought part of the segment that comes next. */
static void add_streamed(PgRoute *route, const WalInventory *inventory, guint64 number)
{
    const PgLeg *leg = &g_array_index(route->legs, PgLeg, route->legs->len - 1);
    guint32 streamed = wal_inventory_streamed(inventory, leg->timeline, number);

    if (streamed == 0)
        return;
    g_array_append_val(route->segments, leg->timeline);
    route->reach = number * route->segment_size + streamed;
}

/* Anything of the route's timelines behind the first missing segment is a gap. */
static void find_gap(PgRoute *route, const WalInventory *inventory, guint64 number)
{
    for (guint i = 0; i < inventory->ranges->len; i++) {
        const WalRange *range = &g_array_index(inventory->ranges, WalRange, i);

        for (guint k = 0; k < route->legs->len; k++) {
            const PgLeg *leg = &g_array_index(route->legs, PgLeg, k);

            if (leg->timeline != range->timeline || range->first <= number ||
                (leg->end != G_MAXUINT64 && range->first * route->segment_size >= leg->end) ||
                (route->gap && range->first > route->missing.last))
                continue;
            route->gap = TRUE;
            route->missing = (WalRange){leg->timeline, number, range->first - 1};
        }
    }
}

static void find_segments(PgRoute *route, const WalInventory *inventory)
{
    guint64 number = route->first;
    const PgLeg *leg;

    while (find_segment(route, inventory, number, &leg)) {
        g_array_append_val(route->segments, leg->timeline);
        number++;
        route->reach = MIN(number * route->segment_size, leg->end);
    }
    if (number == route->first)
        route->reach = 0;
    find_gap(route, inventory, number);
    if (!route->gap)
        add_streamed(route, inventory, number);
}

gboolean pg_route_find(const WalArchive *archive, const WalInventory *inventory,
                       const PgPhysical *physical, const char *timeline, PgRoute **ret_route,
                       GError **error)
{
    g_autoptr(PgRoute) route = g_new0(PgRoute, 1);

    route->legs = g_array_new(FALSE, FALSE, sizeof(PgLeg));
    route->segments = g_array_new(FALSE, FALSE, sizeof(guint32));
    route->histories = g_ptr_array_new_with_free_func(g_free);
    route->segment_size = physical->segment_size;
    route->first = physical->start / physical->segment_size;
    if (!resolve_timeline(inventory, physical, timeline, &route->timeline, error) ||
        !find_legs(archive, physical, route, error))
        return FALSE;
    for (guint i = 0; i < inventory->histories->len; i++)
        g_ptr_array_add(route->histories, g_strdup(g_ptr_array_index(inventory->histories, i)));
    find_segments(route, inventory);
    *ret_route = g_steal_pointer(&route);
    return TRUE;
}
