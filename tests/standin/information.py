# SPDX-License-Identifier: Apache-2.0
"""The tables of information_schema that the program asks for, made from what is in the store."""
import columns as c
import values
from columns import Field

SERVER_VERSION = "3.3.7.5.standin"
ABOUT = "a stand-in for TDengine, for tests only"

LAYOUTS = {
    "ins_cluster": "id:BIGINT name:VARCHAR:40 uptime:INT create_time:TIMESTAMP version:VARCHAR:10 expire_time:TIMESTAMP",
    "ins_databases": "name:VARCHAR:64 create_time:TIMESTAMP vgroups:INT ntables:BIGINT replica:TINYINT strict:VARCHAR:4 "
                     "duration:VARCHAR:10 keep:VARCHAR:32 buffer:INT pagesize:INT pages:INT minrows:INT maxrows:INT "
                     "comp:TINYINT precision:VARCHAR:2 status:VARCHAR:10 retentions:VARCHAR:60 single_stable:BOOL "
                     "cachemodel:VARCHAR:11 cachesize:INT wal_level:TINYINT wal_fsync_period:INT "
                     "wal_retention_period:INT wal_retention_size:BIGINT stt_trigger:SMALLINT table_prefix:SMALLINT "
                     "table_suffix:SMALLINT tsdb_pagesize:INT keep_time_offset:INT ss_chunkpages:INT "
                     "ss_keeplocal:VARCHAR:10 ss_compact:TINYINT with_arbitrator:TINYINT encrypt_algorithm:VARCHAR:16 "
                     "compact_interval:VARCHAR:12 compact_time_range:VARCHAR:24 compact_time_offset:VARCHAR:4",
    "ins_disk_usage": "db_name:VARCHAR:32 vgroup_id:INT wal:BIGINT data1:BIGINT data2:BIGINT data3:BIGINT cache_rdb:BIGINT "
                      "table_meta:BIGINT ss:BIGINT raw_data:BIGINT",
    "ins_dnodes": "id:INT endpoint:VARCHAR:134 vnodes:SMALLINT support_vnodes:SMALLINT status:VARCHAR:10 "
                  "create_time:TIMESTAMP reboot_time:TIMESTAMP note:VARCHAR:256",
    "ins_functions": "name:VARCHAR:64 comment:VARCHAR:4095 aggregate:INT output_type:VARCHAR:31 create_time:TIMESTAMP "
                     "code_len:INT bufsize:INT func_language:VARCHAR:31 func_body:VARCHAR:65517 func_version:INT",
    "ins_indexes": "index_name:VARCHAR:192 db_name:VARCHAR:64 table_name:VARCHAR:192 vgroup_id:INT create_time:TIMESTAMP "
                   "column_name:VARCHAR:192 index_type:VARCHAR:192",
    "ins_mnodes": "id:INT endpoint:VARCHAR:134 role:VARCHAR:12 status:VARCHAR:9 create_time:TIMESTAMP role_time:TIMESTAMP",
    "ins_stables": "stable_name:VARCHAR:192 db_name:VARCHAR:64 create_time:TIMESTAMP columns:INT tags:INT "
                   "last_update:TIMESTAMP table_comment:VARCHAR:1024 watermark:VARCHAR:64 max_delay:VARCHAR:64 "
                   "rollup:VARCHAR:128 uid:BIGINT isvirtual:BOOL keep:BIGINT",
    "ins_streams": "stream_name:VARCHAR:192 db_name:VARCHAR:64 create_time:TIMESTAMP stream_id:VARCHAR:19 "
                   "sql:VARCHAR:2048 status:VARCHAR:20 snodeLeader:INT snodeReplica:INT message:VARCHAR:256",
    "ins_tables": "table_name:VARCHAR:192 db_name:VARCHAR:64 create_time:TIMESTAMP columns:INT stable_name:VARCHAR:192 "
                  "uid:BIGINT vgroup_id:INT ttl:INT table_comment:VARCHAR:1024 type:VARCHAR:21",
    "ins_topics": "topic_name:VARCHAR:192 db_name:VARCHAR:64 create_time:TIMESTAMP sql:VARCHAR:2048 schema:VARCHAR:65517 "
                  "meta:VARCHAR:4 type:VARCHAR:8",
    "ins_subscriptions": "topic_name:VARCHAR:205 consumer_group:VARCHAR:193 vgroup_id:INT consumer_id:VARCHAR:256 "
                         "user:VARCHAR:24 fqdn:VARCHAR:128 offset:VARCHAR:64 rows:BIGINT",
    "ins_tsmas": "tsma_name:VARCHAR:192 db_name:VARCHAR:64 table_name:VARCHAR:192 target_db:VARCHAR:64 "
                 "target_stb:VARCHAR:192 stream_name:VARCHAR:64 create_time:TIMESTAMP interval:VARCHAR:64 "
                 "create_sql:VARCHAR:2048 func_list:VARCHAR:2048",
    "ins_user_privileges": "user_name:VARCHAR:24 privilege:VARCHAR:10 db_name:VARCHAR:65 table_name:VARCHAR:193 "
                           "condition:VARCHAR:49152 notes:VARCHAR:64",
    "ins_users": "name:VARCHAR:24 super:TINYINT enable:TINYINT sysinfo:TINYINT createdb:TINYINT create_time:TIMESTAMP "
                 "allowed_host:VARCHAR:49152",
    "ins_vgroups": "vgroup_id:INT db_name:VARCHAR:64 tables:INT v1_dnode:SMALLINT v1_status:VARCHAR:9 "
                   "v1_applied/committed:VARCHAR:41 v2_dnode:SMALLINT v2_status:VARCHAR:9 v2_applied/committed:VARCHAR:41 "
                   "v3_dnode:SMALLINT v3_status:VARCHAR:9 v3_applied/committed:VARCHAR:41 v4_dnode:SMALLINT "
                   "v4_status:VARCHAR:9 v4_applied/committed:VARCHAR:41 cacheload:INT cacheelements:INT tsma:TINYINT "
                   "mount_vgroup_id:INT",
    "ins_views": "view_name:VARCHAR:192 db_name:VARCHAR:64 effective_user:VARCHAR:24 create_time:TIMESTAMP "
                 "type:VARCHAR:128 query_sql:VARCHAR:2048 parameters:VARCHAR:2048 default_values:VARCHAR:2048 "
                 "target_table:VARCHAR:192",
}


def fields_of(name):
    fields = []
    for part in LAYOUTS[name].split():
        column, kind, *length = part.split(":")
        number = next(number for number, text in c.NAMES.items() if text == kind)
        fields.append(Field(column, number, int(length[0]) if length else c.WIDTHS[number]))
    return fields


def listed(store):
    """The databases, newest first, as a real server lists them."""
    return sorted(store.databases.values(), key=lambda database: -database.created)


def databases(store):
    own = [[name] + [None] * (len(fields_of("ins_databases")) - 1)
           for name in ("information_schema", "performance_schema")]
    rows = []
    for database in listed(store):
        row = {"name": database.name, "create_time": database.created, "ntables": len(database.tables), "strict": "on",
               "status": "ready", "with_arbitrator": 0}
        for field in fields_of("ins_databases"):
            if field.name in database.options:
                text = database.options[field.name].strip("'")
                row[field.name] = text if field.type == c.VARCHAR else int(text)
        rows.append([row.get(field.name) for field in fields_of("ins_databases")])
    return own + rows


def vgroups(store):
    rows = []
    for database in listed(store):
        for group, version in sorted(database.versions.items()):
            tables = sum(table.vgroup == group for table in database.tables.values())
            rows.append([group, database.name, tables, 1, "leader", f"{version}/{version}"] + [None] * 9 + [0, 0, 0, 0])
    return rows


def stables(store):
    return [[one.name, database.name, one.created, len(one.fields), len(one.tags), one.updated, one.comment, "5000a,5000a",
             "-1a,-1a", "", one.uid, bool(one.virtual), -1 if one.keep is None else one.keep]
            for database in listed(store) for one in database.stables.values()]


def tables(store):
    return [[table.name, database.name, table.created, len(table.schema()), table.stable.name if table.stable else None,
             table.uid, table.vgroup, table.ttl, table.comment, table.kind_text()]
            for database in listed(store) for table in database.tables.values()]


def indexes(store):
    return [[name, database.name, table, None, created, column, "tag_index"]
            for database in listed(store) for name, table, column, created in database.indexes]


def topics(store):
    return [[name, *topic] for name, topic in sorted(store.topics.items())]


def subscriptions(store):
    return [[topic, name, vgroup, None, None, None, None, 0] for topic, name in sorted(store.groups)
            for vgroup in sorted(store.databases[store.topics[topic][0]].versions)]


def dnodes(store):
    used = sum(len(database.versions) for database in store.databases.values())
    return [[1, "localhost:6030", used, 64, "ready", store.started, store.started, ABOUT]]


def disk_usage(store):
    return [[database.name, group, 1, 0, 0, 0, 0, 0, 0, 0] for database in listed(store) for group in database.versions]


def make_rows(store, name):
    """The rows of a table, as Python values."""
    made = {"ins_databases": databases, "ins_vgroups": vgroups, "ins_stables": stables, "ins_tables": tables,
            "ins_indexes": indexes, "ins_topics": topics, "ins_subscriptions": subscriptions, "ins_dnodes": dnodes, "ins_disk_usage": disk_usage}
    if name in made:
        return made[name](store)
    if name == "ins_cluster":
        return [[2565498614499306638, "stand-in", 0, store.started, "community", None]]
    if name == "ins_mnodes":
        return [[1, "localhost:6030", "leader", "ready", store.started, store.started]]
    if name == "ins_users":
        return [["root", 1, 1, 1, 1, store.started, "127.0.0.1/32,::1/128"]]
    if name == "ins_user_privileges":
        return [["root", "all", "all", "", "", ""]]
    return []


def encode(field, value):
    """The bytes of a Python value in a column."""
    if value is None:
        return None
    if field.type == c.VARCHAR:
        return values.raw_bytes(value)
    return values.from_number(field, str(value), 1000)
