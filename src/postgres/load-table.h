/* SPDX-License-Identifier: Apache-2.0
 *
 * The archive of one big table straight into the server, without pg_restore between: its rows flow
 * from the decompressor into one COPY. What pg_restore cannot do is done here, since the table is
 * known to be new and nobody else's: the rows come in frozen, so that neither the counting nor the
 * first reader has to write every page a second time.
 *
 * Threads: calls for different archives may run at the same time, each with a connection of its
 * own.
 */
#ifndef HOLDFAST_POSTGRES_LOAD_TABLE_H
#define HOLDFAST_POSTGRES_LOAD_TABLE_H

#include "base/progress.h"
#include "postgres/connection.h"
#include "repo/backup.h"

/* Loads the archive's rows in one transaction, which is committed only when the stored bytes have
 * proved whole. *ret_loaded FALSE (the result is TRUE): this is an archive that only pg_restore
 * understands, and nothing was changed. `progress` receives plain bytes; it may be NULL. The
 * session is left with settings of the archive (not its encoding), and after a failure with a
 * transaction that cannot go on: close the connection then. */
gboolean pg_load_table(Backup *backup, const char *path, PgConnection *connection,
                       Progress *progress, gboolean *ret_loaded, GCancellable *cancellable,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
