/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of the way from a backup to its target: timelines, gaps, windows.
 */
#include "postgres/pitr-target.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"

#define SEGMENT ((guint32)16 << 20)

static WalInventory *inventory_new(void)
{
    WalInventory *inventory = g_new0(WalInventory, 1);

    inventory->segment_size = SEGMENT;
    inventory->ranges = g_array_new(FALSE, FALSE, sizeof(WalRange));
    inventory->gaps = g_array_new(FALSE, FALSE, sizeof(WalRange));
    inventory->histories = g_ptr_array_new_with_free_func(g_free);
    return inventory;
}

static void add_range(WalInventory *inventory, guint32 timeline, guint64 first, guint64 last)
{
    WalRange range = {timeline, first, last};

    g_array_append_val(inventory->ranges, range);
}

/* On timeline 1, from segment 2 to its middle. */
static PgPhysical *physical_new(void)
{
    PgPhysical *physical = pg_physical_new();

    physical->timeline = 1;
    physical->segment_size = SEGMENT;
    physical->start = 2 * (PgLsn)SEGMENT + 0x28;
    physical->stop = 2 * (PgLsn)SEGMENT + 0x100000;
    physical->stop_time = 1000 * TIME_SECOND;
    return physical;
}

static PgRoute *find_route(const WalInventory *inventory, const PgPhysical *physical)
{
    const WalArchive archive = {.segment_size = SEGMENT};
    g_autoptr(GError) error = NULL;
    PgRoute *route = NULL;
    gboolean found = pg_route_find(&archive, inventory, physical, "current", &route, &error);

    g_assert_no_error(error);
    g_assert_true(found);
    return route;
}

static PgTargetScan *scan_new(void)
{
    PgTargetScan *scan = g_new0(PgTargetScan, 1);

    scan->tablespaces = g_ptr_array_new();
    scan->last_commit = 2000 * TIME_SECOND;
    scan->last_record = 5 * (PgLsn)SEGMENT;
    scan->last_end = scan->last_record + 0x30;
    return scan;
}

static void test_route(void)
{
    g_autoptr(WalInventory) inventory = inventory_new();
    g_autoptr(PgPhysical) physical = physical_new();
    g_autoptr(PgRoute) route = NULL;
    g_autofree char *name = NULL;

    add_range(inventory, 1, 1, 5);
    route = find_route(inventory, physical);
    g_assert_cmpuint(route->segments->len, ==, 4);
    g_assert_cmpuint(route->reach, ==, 6 * (guint64)SEGMENT);
    g_assert_false(route->gap);
    name = pg_route_segment(route, 3);
    g_assert_cmpstr(name, ==, "000000010000000000000005");
}

static void test_gap(void)
{
    g_autoptr(WalInventory) inventory = inventory_new();
    g_autoptr(PgPhysical) physical = physical_new();
    g_autoptr(PgRoute) route = NULL;

    add_range(inventory, 1, 2, 3);
    add_range(inventory, 1, 9, 12);
    add_range(inventory, 1, 6, 7);
    route = find_route(inventory, physical);
    g_assert_cmpuint(route->reach, ==, 4 * (guint64)SEGMENT);
    g_assert_true(route->gap);
    g_assert_cmpuint(route->missing.first, ==, 4);
    g_assert_cmpuint(route->missing.last, ==, 5);
}

static void test_streamed(void)
{
    g_autoptr(WalInventory) inventory = inventory_new();
    g_autoptr(PgPhysical) physical = physical_new();
    g_autoptr(PgRoute) route = NULL;

    add_range(inventory, 1, 2, 3);
    inventory->streamed = g_strdup("000000010000000000000004");
    inventory->streamed_end = 0x2000;
    route = find_route(inventory, physical);
    g_assert_cmpuint(route->segments->len, ==, 3);
    g_assert_cmpuint(route->reach, ==, 4 * (guint64)SEGMENT + 0x2000);
}

static void check(const EngineTarget *target, PgTargetScan *scan, const char *refusal,
                  gboolean latest)
{
    g_autoptr(WalInventory) inventory = inventory_new();
    g_autoptr(PgPhysical) physical = physical_new();
    g_autoptr(PgRoute) route = NULL;
    g_autoptr(GError) error = NULL;
    gboolean reached;

    add_range(inventory, 1, 2, 5);
    route = find_route(inventory, physical);
    reached = pg_target_check(route, physical, target, scan, NULL, NULL, &error);
    g_assert_cmpint(reached, ==, refusal == NULL);
    if (refusal != NULL) {
        g_assert_error(error, ERROR_DOMAIN, ERROR_REFUSED);
        g_assert_nonnull(strstr(error->message, refusal));
        g_assert_nonnull(strstr(error_hint(error), "1970-01-01T00:16:40Z"));
        g_assert_nonnull(strstr(error_hint(error), "1970-01-01T00:33:20Z"));
    }
    g_assert_cmpint(scan->latest, ==, latest);
}

static void test_window(void)
{
    EngineTarget target = {.to = RECOVER_TIME, .time = 999 * TIME_SECOND};
    g_autoptr(PgTargetScan) scan = scan_new();

    check(&target, scan, "before the end of the backup", FALSE);
    scan->before = TRUE;
    check(&(EngineTarget){.to = RECOVER_NAME, .value = "early"}, scan, "before the end", FALSE);
    scan->before = FALSE;
    target.time = 2001 * TIME_SECOND;
    check(&target, scan, "last commit", FALSE);
    /* Nothing comes behind the very last commit: the state is the latest, and nothing tells the
     * server to stop there. */
    target.time = 2000 * TIME_SECOND;
    check(&target, scan, NULL, TRUE);
    scan->found = TRUE;
    target.time = 1500 * TIME_SECOND;
    check(&target, scan, NULL, FALSE);
}

static void test_window_of_lsns(void)
{
    EngineTarget target = {.to = RECOVER_LSN, .value = "0/2000028"};
    g_autoptr(PgTargetScan) scan = scan_new();

    check(&target, scan, "before the end of the backup", FALSE);
    target.value = "0/5000030";
    check(&target, scan, NULL, TRUE);
    target.value = "0/5800000";
    check(&target, scan, "is not in the archived WAL", FALSE);
    scan->found = TRUE;
    target.value = "0/4000000";
    check(&target, scan, NULL, FALSE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/postgres/pitr-target/route", test_route);
    g_test_add_func("/postgres/pitr-target/gap", test_gap);
    g_test_add_func("/postgres/pitr-target/streamed", test_streamed);
    g_test_add_func("/postgres/pitr-target/window", test_window);
    g_test_add_func("/postgres/pitr-target/lsns", test_window_of_lsns);
    return g_test_run();
}
