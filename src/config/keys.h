/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of configuration sections and keys: the single source for reading, checking and
 * explaining them.
 */
#ifndef HOLDFAST_CONFIG_KEYS_H
#define HOLDFAST_CONFIG_KEYS_H

#include <glib.h>

typedef enum {
    CONFIG_TEXT,     /* anything; never shown in errors, since it may hold a password */
    CONFIG_PATH,     /* absolute */
    CONFIG_WORD,     /* one of `words`, separated by blanks */
    CONFIG_NUMBER,   /* `minimum` to `maximum` */
    CONFIG_BOOLEAN,  /* on, off, yes, no, true, false */
    CONFIG_SIZE,     /* base/size.h */
    CONFIG_DURATION, /* base/size.h */
    CONFIG_PERCENT,  /* base/size.h */
    CONFIG_LIST,     /* separated by ","; each one of `words` where there are words */
    CONFIG_PATHS,    /* a list of absolute paths */
    CONFIG_NAME,     /* the name of a source */
    CONFIG_ZONE,     /* a time zone's name */
    CONFIG_CODEC,    /* codec:level, the codec one of `words` */
    CONFIG_CRON,     /* five fields, or @hourly and its like */
    CONFIG_KEY,      /* passphrase-file=F, key-file=F or command=CMD */
    CONFIG_LISTEN,   /* a list of ADDRESS:PORT and unix:PATH */
    CONFIG_COMMAND,  /* the words behind "holdfast" of a command that can be scheduled */
} ConfigType;

typedef struct {
    const char *section; /* "general", or "source" for [source NAME] */
    const char *key;
    ConfigType type;
    const char *engine; /* only for sources of this engine, or NULL */
    const char *words;  /* for CONFIG_WORD, CONFIG_LIST, CONFIG_CODEC */
    gint64 minimum, maximum;
    const char *fallback; /* default as text, or NULL */
    const char *help;     /* one sentence, for the template and the manual */
} ConfigKey;

/* All keys, section by section; ends with a row whose section is NULL. */
extern const ConfigKey config_keys[];

/* Whether [section NAME] wants a name ("source", "schedule", "notify"), may have one ("retention")
 * or has none. */
typedef enum { CONFIG_NAME_NONE, CONFIG_NAME_OPTIONAL, CONFIG_NAME_REQUIRED } ConfigNaming;
typedef struct {
    const char *section;
    ConfigNaming naming;
    const char *help;
} ConfigSection;
extern const ConfigSection config_sections[]; /* ends with a NULL section */

/* The row of the table, or NULL. */
const ConfigKey *config_key_find(const char *section, const char *key);
const ConfigSection *config_section_find(const char *section);

/* The nearest known word, or NULL. The result belongs to the table. */
const char *config_key_nearest(const char *section, const char *key);
const char *config_section_nearest(const char *section);

/* Names of sources, schedules and the like: 1 to 40 of [a-z0-9_], "-" inside. */
gboolean config_name_valid(const char *name);

#endif
