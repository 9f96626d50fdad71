/* SPDX-License-Identifier: Apache-2.0
 *
 * TDengine's row in the table of engines.
 */
#include "tdengine/engine.h"

#include "base/time.h"
#include "tdengine/backup.h"
#include "tdengine/drill.h"
#include "tdengine/proof.h"
#include "tdengine/incremental.h"
#include "tdengine/reach.h"
#include "tdengine/restore-choose.h"
#include "tdengine/restore-plan.h"
#include "tdengine/restore.h"

const Engine tdengine_engine = {
    .name = "tdengine",
    .rto = 10 * TIME_MINUTE,
    .rpo = TIME_HOUR,
    .check = td_check,
    .base_fits = td_base_fits,
    .backup = td_backup,
    .check_object = td_check_object,
    .check_backup = td_check_backup,
    .owners = td_owners,
    .pool_documents = td_pool_documents,
    .rename_pool = td_rename_pool,
    .describe = td_describe,
    .choose = td_restore_choose,
    .reach = td_reach,
    .follow = td_restore_follow,
    .plan = td_restore_plan,
    .restore = td_restore_run,
    .plan_free = td_restore_plan_free,
    .drill = td_drill,
};
