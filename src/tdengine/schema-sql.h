/* SPDX-License-Identifier: Apache-2.0
 *
 * The schema of a backup as SQL for people, one file a database: schema/database-<number>.sql, and
 * schema/server.sql for what belongs to none. In the order of a restore. Child tables are not in
 * it: their exact tags stand in Parquet.
 */
#ifndef HOLDFAST_TDENGINE_SCHEMA_SQL_H
#define HOLDFAST_TDENGINE_SCHEMA_SQL_H

#include "tdengine/details.h"

gboolean td_schema_sql_write(const TdDetails *details, BackupWriter *writer,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
