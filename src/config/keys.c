/* SPDX-License-Identifier: Apache-2.0
 *
 * The sections and keys that a configuration may have. Adding a key is adding a row.
 */
#include "config/keys.h"

#include <string.h>

#include "base/suggest.h"

#define NAME_LIMIT 40

const ConfigSection config_sections[] = {
    {"general", CONFIG_NAME_NONE, "Where Holdfast keeps its own state, and how it speaks."},
    {"repository", CONFIG_NAME_NONE, "Where backups are kept."},
    {"source", CONFIG_NAME_REQUIRED,
     "A database server that is backed up; one section each, the name is yours to choose."},
    {"retention", CONFIG_NAME_OPTIONAL,
     "How long backups are kept; [retention NAME] is for one source. What any rule keeps is kept."},
    {"schedule", CONFIG_NAME_REQUIRED, "What the service runs by itself, and when."},
    {"server", CONFIG_NAME_NONE, "The service: where it listens and what it may do."},
    {"notify", CONFIG_NAME_REQUIRED, "Whom to tell what happened."},
    {NULL, CONFIG_NAME_NONE, NULL},
};

#define PG     "postgresql"
#define TD     "tdengine"
#define EVENTS "failure success objective-missed objective-met backup-overdue repository-full"

/* Columns: section, key, type, engine, words, minimum, maximum, default, help. */
const ConfigKey config_keys[] = {
    {"general", "state_directory", CONFIG_PATH, NULL, NULL, 0, 0, NULL,
     "Catalogs, tokens, job logs and small temporary files."},
    {"general", "runtime_directory", CONFIG_PATH, NULL, NULL, 0, 0, NULL,
     "Files that say what is running; need not survive a boot."},
    {"general", "time_zone", CONFIG_ZONE, NULL, NULL, 0, 0, NULL,
     "Zone of times that are given without one, and of the calendar; the system's by default."},
    {"general", "log_level", CONFIG_WORD, NULL, "error warning info debug", 0, 0, "warning",
     "The least important messages that are still logged; where it is not set, the service logs "
     "info as well."},

    {"repository", "path", CONFIG_PATH, NULL, NULL, 0, 0, NULL, "Directory of the repository."},
    {"repository", "compression", CONFIG_CODEC, NULL, "zstd gzip lz4 none", 0, 0, NULL,
     "Codec and level; the repository's own by default: zstd:-5 to zstd:19, gzip:0 to gzip:3, "
     "lz4:0 to lz4:12, or none."},
    {"repository", "key", CONFIG_KEY, NULL, NULL, 0, 0, NULL,
     "Key of an encrypted repository: passphrase-file=F, key-file=F or command=CMD."},
    {"repository", "space_warning", CONFIG_PERCENT, NULL, NULL, 0, 0, "10%",
     "The repository counts as nearly full when less than this of its file system is free."},

    {"source", "engine", CONFIG_WORD, NULL, PG " " TD, 0, 0, NULL, "Kind of server."},
    {"source", "jobs", CONFIG_NUMBER, NULL, NULL, 1, 128, "2", "Workers at the same time."},
    {"source", "rate", CONFIG_SIZE, NULL, NULL, 0, 0, "0",
     "Most bytes a second that are read from the server; 0 is no limit."},
    {"source", "databases", CONFIG_LIST, NULL, NULL, 0, 0, NULL,
     "Databases to back up; all that allow connections by default."},
    {"source", "conninfo", CONFIG_TEXT, PG, NULL, 0, 0, "",
     "How to connect, in libpq's form; passwords are better kept in ~/.pgpass."},
    {"source", "method", CONFIG_WORD, PG, "physical logical", 0, 0, "physical",
     "physical: the server's files and its WAL; logical: through pg_dump."},
    {"source", "access", CONFIG_WORD, PG, "auto local stream", 0, 0, "auto",
     "How a physical backup reads the files: directly, or over the replication protocol."},
    {"source", "archive_async", CONFIG_BOOLEAN, PG, NULL, 0, 0, "off",
     "Archive several WAL segments at the same time, ahead of the server's asking."},
    {"source", "archive_queue_max", CONFIG_SIZE, PG, NULL, 0, 0, NULL,
     "Drop WAL, loudly, rather than let more than this wait; never by default."},
    {"source", "url", CONFIG_TEXT, TD, NULL, 0, 0, "ws://127.0.0.1:6041",
     "Address of taosAdapter: ws://HOST:PORT, or wss://HOST where there is TLS."},
    {"source", "user", CONFIG_TEXT, TD, NULL, 0, 0, "root", "User to log in as."},
    {"source", "password_file", CONFIG_PATH, TD, NULL, 0, 0, NULL,
     "File that holds the password on its first line; without it the one of a fresh installation."},
    {"source", "token_file", CONFIG_PATH, TD, NULL, 0, 0, NULL,
     "File that holds the token of TDengine's cloud service on its first line."},
    {"source", "ca_file", CONFIG_PATH, TD, NULL, 0, 0, NULL,
     "Certificates to trust beside the system's (PEM)."},
    {"source", "library", CONFIG_TEXT, TD, NULL, 0, 0, NULL,
     "TDengine's own client library, where it is to be used: a path of libtaos.so, or auto."},
    {"source", "timeout", CONFIG_DURATION, TD, NULL, 0, 0, "30s",
     "How long a server may be away before it is given up."},
    {"source", "mode", CONFIG_WORD, TD, "auto quick scan", 0, 0, "auto",
     "How an incremental finds what changed: auto, quick or scan."},
    {"source", "topic", CONFIG_BOOLEAN, TD, NULL, 0, 0, "off",
     "Keep a topic for each database, by which quick increments read the server's log of changes."},
    {"source", "recent", CONFIG_DURATION, TD, NULL, 0, 0, "2h",
     "How far before its base's end a quick incremental always reads again."},
    {"source", "scan_below", CONFIG_DURATION, TD, NULL, 0, 0, "1m",
     "In mode auto: scan everything where that is expected to take less than this."},
    {"source", "data_directory", CONFIG_PATH, NULL, NULL, 0, 0, NULL,
     "The server's data directory, where it is on this host. PostgreSQL: asked from the server by "
     "default. TDengine: its files tell increments what was written; it is told to flush for "
     "that."},
    {"source", "rto", CONFIG_DURATION, NULL, NULL, 0, 0, NULL,
     "Longest acceptable recovery; 5m for postgresql and 10m for tdengine by default."},
    {"source", "rpo", CONFIG_DURATION, NULL, NULL, 0, 0, NULL,
     "Longest acceptable loss; 5m for postgresql and 1h for tdengine by default."},
    {"source", "verify", CONFIG_WORD, NULL, "off objects structure deep", 0, 0, "structure",
     "What is checked after each backup."},
    {"source", "tolerance", CONFIG_PERCENT, NULL, NULL, 0, 0, "0%",
     "How far the rows of a restored table may differ from the backup's."},

    {"retention", "keep_days", CONFIG_NUMBER, NULL, NULL, 0, 36500, "30",
     "Keep every moment of this many days recoverable."},
    {"retention", "keep_full", CONFIG_NUMBER, NULL, NULL, 0, 100000, "0",
     "Keep this many newest fulls."},
    {"retention", "keep_daily", CONFIG_NUMBER, NULL, NULL, 0, 100000, "0",
     "Keep the newest backup of each of this many days."},
    {"retention", "keep_weekly", CONFIG_NUMBER, NULL, NULL, 0, 100000, "0",
     "Keep the newest backup of each of this many ISO weeks."},
    {"retention", "keep_monthly", CONFIG_NUMBER, NULL, NULL, 0, 100000, "0",
     "Keep the newest backup of each of this many months."},
    {"retention", "keep_yearly", CONFIG_NUMBER, NULL, NULL, 0, 100000, "0",
     "Keep the newest backup of each of this many years."},
    {"retention", "wal_days", CONFIG_NUMBER, NULL, NULL, 0, 36500, NULL,
     "Days of WAL to keep beyond what keep_days and backups need; by default all behind a backup."},
    {"retention", "grace", CONFIG_DURATION, NULL, NULL, 0, 0, "1h",
     "How long remains of interrupted runs are left alone."},

    {"schedule", "command", CONFIG_COMMAND, NULL, NULL, 0, 0, NULL,
     "The words behind holdfast: backup postgresql full."},
    {"schedule", "source", CONFIG_NAME, NULL, NULL, 0, 0, NULL,
     "Source to work on; every source of the command's engine by default."},
    {"schedule", "cron", CONFIG_CRON, NULL, NULL, 0, 0, NULL,
     "When: minute, hour, day of month, month, day of week; or @daily and its like."},
    {"schedule", "time_zone", CONFIG_ZONE, NULL, NULL, 0, 0, NULL,
     "Zone of the times above; that of [general] by default."},
    {"schedule", "misfire_grace", CONFIG_DURATION, NULL, NULL, 0, 0, "1h",
     "How late a missed run is still made up for."},
    {"schedule", "jitter", CONFIG_DURATION, NULL, NULL, 0, 0, "0",
     "Start up to this much later, so that many hosts do not start at once."},
    {"schedule", "time_limit", CONFIG_DURATION, NULL, NULL, 0, 0, "0",
     "End a job that takes longer; 0 is no limit."},
    {"schedule", "retries", CONFIG_NUMBER, NULL, NULL, 0, 100, "2",
     "How often a job is tried again where a server or the repository could not be reached, or was "
     "busy."},
    {"schedule", "retry_after", CONFIG_DURATION, NULL, NULL, 0, 0, "1m",
     "Time to the first new attempt; it doubles with each further one."},

    {"server", "listen", CONFIG_LISTEN, NULL, NULL, 0, 0, "127.0.0.1:8714",
     "Addresses to listen on: ADDRESS:PORT or unix:PATH, several with commas."},
    {"server", "tls_certificate", CONFIG_PATH, NULL, NULL, 0, 0, NULL,
     "Certificate chain (PEM); needed beyond loopback."},
    {"server", "tls_key", CONFIG_PATH, NULL, NULL, 0, 0, NULL, "Its private key (PEM)."},
    {"server", "restore_roots", CONFIG_PATHS, NULL, NULL, 0, 0, NULL,
     "Directories below which restores that come over the network may write."},
    {"server", "max_jobs", CONFIG_NUMBER, NULL, NULL, 1, 64, "2", "Jobs at the same time."},

    {"notify", "type", CONFIG_WORD, NULL, "webhook email command", 0, 0, NULL, "How to tell."},
    {"notify", "url", CONFIG_TEXT, NULL, NULL, 0, 0, NULL,
     "Where to: https://… for a webhook, smtp://… for e-mail."},
    {"notify", "command", CONFIG_TEXT, NULL, NULL, 0, 0, NULL,
     "Program to run and its words, without a shell; it reads the message as JSON on its standard "
     "input."},
    {"notify", "on", CONFIG_LIST, NULL, EVENTS, 0, 0,
     "failure,objective-missed,backup-overdue,repository-full",
     "What to tell: failure, success, objective-missed, objective-met, backup-overdue, "
     "repository-full."},
    {"notify", "timeout", CONFIG_DURATION, NULL, NULL, 0, 0, "30s",
     "How long one attempt to tell may take."},
    {"notify", "ca_file", CONFIG_PATH, NULL, NULL, 0, 0, NULL,
     "Certificates to trust beside the system's (PEM)."},
    {"notify", "secret_file", CONFIG_PATH, NULL, NULL, 0, 0, NULL,
     "File with the secret that signs a webhook's messages."},
    {"notify", "from", CONFIG_TEXT, NULL, NULL, 0, 0, NULL, "Sender of e-mail."},
    {"notify", "to", CONFIG_LIST, NULL, NULL, 0, 0, NULL, "Recipients of e-mail."},
    {"notify", "user", CONFIG_TEXT, NULL, NULL, 0, 0, NULL, "User at the mail server."},
    {"notify", "password_file", CONFIG_PATH, NULL, NULL, 0, 0, NULL,
     "File with the password at the mail server."},
    {"notify", "tls", CONFIG_WORD, NULL, "required off", 0, 0, "required",
     "Whether mail goes by STARTTLS; off is for a mail server on this host, without a password."},
    {NULL},
};

const ConfigKey *config_key_find(const char *section, const char *key)
{
    for (const ConfigKey *row = config_keys; row->section != NULL; row++) {
        if (strcmp(row->section, section) == 0 && strcmp(row->key, key) == 0)
            return row;
    }
    return NULL;
}

const ConfigSection *config_section_find(const char *section)
{
    for (const ConfigSection *row = config_sections; row->section != NULL; row++) {
        if (strcmp(row->section, section) == 0)
            return row;
    }
    return NULL;
}

const char *config_key_nearest(const char *section, const char *key)
{
    g_autoptr(GPtrArray) candidates = g_ptr_array_new();

    for (const ConfigKey *row = config_keys; row->section != NULL; row++) {
        if (strcmp(row->section, section) == 0)
            g_ptr_array_add(candidates, (gpointer)row->key);
    }
    g_ptr_array_add(candidates, NULL);
    return suggest_nearest(key, (const char *const *)candidates->pdata);
}

const char *config_section_nearest(const char *section)
{
    g_autoptr(GPtrArray) candidates = g_ptr_array_new();

    for (const ConfigSection *row = config_sections; row->section != NULL; row++)
        g_ptr_array_add(candidates, (gpointer)row->section);
    g_ptr_array_add(candidates, NULL);
    return suggest_nearest(section, (const char *const *)candidates->pdata);
}

gboolean config_name_valid(const char *name)
{
    gsize length = strlen(name);

    if (length == 0 || length > NAME_LIMIT || name[0] == '-' || name[length - 1] == '-')
        return FALSE;
    for (const char *at = name; *at != '\0'; at++) {
        if (!g_ascii_islower(*at) && !g_ascii_isdigit(*at) && *at != '_' && *at != '-')
            return FALSE;
    }
    return TRUE;
}
