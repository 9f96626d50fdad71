/* SPDX-License-Identifier: Apache-2.0
 *
 * What a TDengine server holds beside rows, as structures: databases, super and normal tables with
 * their columns and tags, and everything that is kept as a statement (functions, indexes, views,
 * streams, topics, users …). Child tables and their tags are too many for this: they stand in
 * Parquet (tags.h).
 *
 * The JSON of each is what the details hold; readers keep to docs/formats.md.
 */
#ifndef HOLDFAST_TDENGINE_SCHEMA_H
#define HOLDFAST_TDENGINE_SCHEMA_H

#include "base/json.h"
#include "tdengine/fingerprint.h"
#include "tdengine/plan.h"
#include "tdengine/type.h"

/* A column or a tag, as DESCRIBE tells. */
typedef struct {
    char *name; /* UTF-8, unquoted */
    TdType type;
    guint length;    /* as declared: bytes, of NCHAR characters; the width of fixed types */
    guint precision; /* decimals */
    guint scale;     /* decimals */
    gboolean key;    /* the second column of a composite key */
    gboolean binary; /* a column whose values are no text throughout: bytes in Parquet */
    char *encode;    /* "simple8b"; NULL: the server did not say (an old one, or a tag) */
    char *compress;  /* "zstd" */
    char *level;     /* "medium" */
} TdField;

TdField *td_field_copy(const TdField *field);
void td_field_free(TdField *field);
/* As block columns and hashers want it. */
void td_field_to_column(const TdField *field, TdColumn *ret_column);
/* The hash of the columns' names, types and lengths, in hexadecimal: tells whether a slice was
 * written under the same schema. Free with g_free(). */
char *td_fields_hash(const GPtrArray *fields);

typedef enum {
    TD_TABLE_SUPER,
    TD_TABLE_NORMAL,
    TD_TABLE_VIRTUAL_SUPER, /* has no rows of its own, nor have its children */
} TdTableKind;

const char *td_table_kind_name(TdTableKind kind); /* "super", "normal", "virtual super" */

/* A pool object. */
typedef struct {
    char sha256[65]; /* "" : none */
    guint64 size;    /* stored bytes */
    guint64 plain_bytes;
    guint64 rows;
} TdObjectRef;

json_t *td_object_ref_to_json(const TdObjectRef *object);
gboolean td_object_ref_from_json(const json_t *json, const char *what, TdObjectRef *ret_object,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
    char *database; /* its name */
    char *name;
    TdTableKind kind;
    GPtrArray *columns; /* TdField, the time column first */
    GPtrArray *tags;    /* TdField, empty of a normal table */
    char *comment;      /* as the literal was written, doubled quotes and all; NULL: none */
    gint64 keep;        /* minutes, of a super table; -1: none of its own */
    guint64 ttl;        /* days, of a normal table; 0: none */
    GPtrArray *sma;     /* char *, names of columns; NULL: not said */
    json_t *options;    /* what ins_stables or ins_tables says, by its columns' names, as text */
    gint64 uid;

    /* What the backup found. */
    guint64 rows;
    gint64 first, last; /* ticks; meaningless without rows */
    TdFingerprint fingerprint;
    guint64 child_tables;
    GPtrArray
        *tag_objects; /* TdObjectRef: exact tags of the child tables, each table once over all */
    gboolean has_tags_sum;  /* backups of earlier versions have none */
    TdFingerprint tags_sum; /* over all child tables: tags, uid and what else those objects say */
    TdPlan *plan;           /* NULL of a virtual table */
} TdTable;

TdTable *td_table_new(const char *database, const char *name, TdTableKind kind);
void td_table_free(TdTable *table);
/* Bytes of a row in a block, about. */
guint64 td_table_row_bytes(const TdTable *table);
json_t *td_table_to_json(const TdTable *table);
TdTable *td_table_from_json(const json_t *json, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
    gint64 id;
    gint64 applied; /* version, -1: not known */
    gint64 tables;
} TdVgroup;

typedef struct {
    char *name;
    gint64
        create_time; /* milliseconds since 1970: with the vgroups it tells one incarnation from another */
    TdPrecision precision;
    char *create_sql;    /* SHOW CREATE DATABASE, verbatim; NULL: refused */
    json_t *options;     /* what ins_databases says, by its columns' names, as text */
    GArray *vgroups;     /* TdVgroup, sorted by id, seen before the first row was read */
    gint64 looked;       /* when the vgroups were looked at: microseconds since 1970, our clock */
    char *topic;         /* ours, from which the next increment has hints; NULL: none is kept */
    gboolean topic_made; /* by this run, since it was not there; not recorded */
    guint64 rows;
    gint64 first, last; /* the window of event time, ticks; meaningless without rows */
    /* Child and normal tables that were created, dropped, or dropped and made again while the rows
     * were read; super and normal tables whose columns changed meanwhile; super and normal tables
     * whose count at the end was another. char * each. */
    GPtrArray *created, *dropped, *recreated, *altered, *recounted;
} TdDatabase;

/* "ms", "us", "ns". */
gboolean td_precision_parse(const char *text, TdPrecision *ret_precision);

/* Scratch databases of drills: drill.h. */
#define TD_DRILL_PREFIX "holdfast_drill_"

/* Databases that no backup takes: the server's own and those of drills. */
gboolean td_is_no_data(const char *database);

TdDatabase *td_database_new(const char *name);
void td_database_free(TdDatabase *database);
json_t *td_database_to_json(const TdDatabase *database);
TdDatabase *td_database_from_json(const json_t *json, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What is kept as a statement; in the order in which a restore makes them. */
typedef enum {
    TD_OBJECT_FUNCTION,
    TD_OBJECT_INDEX,
    TD_OBJECT_TSMA,
    TD_OBJECT_RSMA,
    TD_OBJECT_VIRTUAL_TABLE,
    TD_OBJECT_VIEW,
    TD_OBJECT_STREAM,
    TD_OBJECT_TOPIC,
    TD_OBJECT_USER,
    TD_OBJECT_GRANT,
} TdObjectKind;

const char *td_object_kind_name(TdObjectKind kind); /* "virtual table" */

typedef struct {
    TdObjectKind kind;
    char *database; /* NULL: the server's */
    char *name;
    char *sql;       /* makes it; NULL: it cannot be made again from what the server shows */
    char *reason;    /* why not, or why the text may be cut; else NULL */
    json_t *details; /* what information_schema says, by its columns' names, as text */
} TdObject;

void td_object_free(TdObject *object);
json_t *td_object_to_json(const TdObject *object);
TdObject *td_object_from_json(const json_t *json, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
