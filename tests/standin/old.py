# SPDX-License-Identifier: Apache-2.0
"""What a server of 3.0 does not have, of what the program asks for or writes: lists and columns of information_schema,
options of databases, encodings of columns."""
SERVER_VERSION = "3.0.7.1.standin"
LISTS = {"ins_views", "ins_tsmas", "ins_disk_usage"}
OPTIONS = {"encrypt_algorithm", "ss_chunkpages", "ss_keeplocal", "ss_compact", "compact_interval", "compact_time_range",
           "compact_time_offset", "keep_time_offset"}
COLUMNS = {"ins_databases": OPTIONS | {"with_arbitrator"}, "ins_stables": {"uid", "isvirtual", "keep"},
           "ins_vgroups": {f"v{member}_applied/committed" for member in range(1, 5)} | {"mount_vgroup_id"}}


def has_list(store, name):
    return not (store.old and name in LISTS)


def cut(store, name, fields, rows):
    """A list of information_schema without the columns that came later."""
    lacks = COLUMNS.get(name, ()) if store.old else ()
    kept = [index for index, field in enumerate(fields) if field.name not in lacks]
    return [fields[index] for index in kept], [[row[index] for index in kept] for row in rows]
