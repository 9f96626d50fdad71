/* SPDX-License-Identifier: Apache-2.0
 *
 * What a TDengine server writes beside the data files of a vnode about them, read with distrust. Form
 * as seen of 3.3.7.5:
 *
 *     DATA/vnode/vnode3/vnode.json          {"config": {"vgId": "3", "dbname": "1.market",
 *                                           "precision": "0", "daysPerFile": "14400",
 *                                           "syncCfg.replicaNum": "1", …},
 *                                           "state": {"commit version": "20", …}}
 *     DATA/vnode/vnode3/tsdb/current.json   {"fmtv": 1, "fset": [{"fid": 1967, "head": FILE, …,
 *                                           "stt lvl": [{"level": 0, "files": [FILE, …]}, …],
 *                                           "last commit": …}, …]}; FILE: {…, "maxVer": 9, …}
 *     DATA/vnode/vnode3/tsdb/current.c.json  is there while a commit is under way
 *
 * daysPerFile is in minutes; a file set holds the times from fid × that on. The maxVer of a file is the
 * highest version of a write in it: nothing was written to a file set after a version that none of its
 * files exceeds, once what was in memory has been committed.
 *
 * Anything of another form is ERROR_FORMAT. Pure functions; threads: any.
 */
#ifndef HOLDFAST_TDENGINE_FILE_SETS_H
#define HOLDFAST_TDENGINE_FILE_SETS_H

#include "tdengine/plan.h"
#include "tdengine/scan.h"

#define TD_VNODE_BYTES_MAX   (1u << 20)
#define TD_CURRENT_BYTES_MAX (64u << 20)

typedef struct {
    gint64 id;      /* of the vgroup */
    char *database; /* its name */
    gint64 replicas;
    gint64 committed; /* version: what was written up to it is in files; -1: nothing */
    gint64 unit;      /* length of a file set, in ticks */
} TdVnode;

void td_vnode_clear(TdVnode *vnode);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TdVnode, td_vnode_clear)

/* Reads a vnode.json. `what` names it in errors. *ret_vnode is to be cleared. */
gboolean td_vnode_parse(const char *bytes, gsize length, const char *what, TdVnode *ret_vnode,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads a current.json: adds the stretches of time of the file sets that were written to after version
 * `since` to `dirty`, an array of TdPlace. Nothing is added on an error. */
gboolean td_file_sets_parse(const char *bytes, gsize length, const char *what, gint64 unit,
                            gint64 since, GArray *dirty, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
