/* SPDX-License-Identifier: Apache-2.0
 *
 * Which database to use for the server's own business.
 */
#include "postgres/maintenance.h"

PgConnection *pg_connect_maintenance(const char *conninfo, GCancellable *cancellable,
                                     GError **error)
{
    /* "postgres" may have been dropped; a role may be let into its own database only. */
    const char *const candidates[] = {"postgres", NULL, "template1"};
    g_autoptr(GError) first = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(candidates); i++) {
        PgConnection *connection =
            pg_connect(conninfo, candidates[i], cancellable, first == NULL ? &first : NULL);

        if (connection != NULL)
            return connection;
    }
    g_propagate_error(error, g_steal_pointer(&first));
    return NULL;
}
