/* SPDX-License-Identifier: Apache-2.0
 *
 * TDengine's row in the table of engines.
 */
#include "tdengine/engine.h"

#include "tdengine/backup.h"

const Engine tdengine_engine = {
    .name = "tdengine",
    .check = td_check,
    .backup = td_backup,
    .check_object = td_check_object,
    .describe = td_describe,
};
