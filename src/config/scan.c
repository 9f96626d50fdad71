/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the outline of a configuration file, line by line.
 */
#include "config/scan.h"

#include <string.h>

#include "base/error.h"
#include "config/keys.h"

typedef struct {
    const char *what;
    guint line;
    GHashTable *seen;           /* "group" and "group\nkey" to line */
    GPtrArray *entries;         /* ConfigEntry */
    const ConfigEntry *section; /* the one that we are in, or NULL */
} Scan;

static void entry_free(ConfigEntry *entry)
{
    g_free(entry->group);
    g_free(entry->section);
    g_free(entry->name);
    g_free(entry->key);
    g_free(entry);
}

/* Remembers where a thing was seen first; FALSE when it was seen before. */
static gboolean scan_once(Scan *scan, const char *mark, const char *label, GError **error)
{
    gpointer first = g_hash_table_lookup(scan->seen, mark);

    if (first == NULL) {
        g_hash_table_insert(scan->seen, g_strdup(mark), GUINT_TO_POINTER(scan->line));
        return TRUE;
    }
    error_set(error, ERROR_CONFIG, "%s:%u: %s was given in line %u already", scan->what, scan->line,
              label, GPOINTER_TO_UINT(first));
    error_add_hint(error, "keep one of the two");
    return FALSE;
}

static gboolean check_section(Scan *scan, const ConfigEntry *entry, GError **error)
{
    const ConfigSection *known = config_section_find(entry->section);

    if (known == NULL) {
        const char *nearest = config_section_nearest(entry->section);

        error_set(error, ERROR_CONFIG, "%s:%u: unknown section [%s]", scan->what, scan->line,
                  entry->group);
        if (nearest != NULL)
            error_add_hint(error, "did you mean [%s]?", nearest);
        return FALSE;
    }
    if (known->naming == CONFIG_NAME_REQUIRED && entry->name == NULL) {
        error_set(error, ERROR_CONFIG, "%s:%u: section [%s] needs a name", scan->what, scan->line,
                  entry->section);
        error_add_hint(error, "for example: [%s main]", entry->section);
        return FALSE;
    }
    if (known->naming == CONFIG_NAME_NONE && entry->name != NULL) {
        error_set(error, ERROR_CONFIG, "%s:%u: section [%s] takes no name", scan->what, scan->line,
                  entry->section);
        error_add_hint(error, "write [%s]", entry->section);
        return FALSE;
    }
    if (entry->name != NULL && !config_name_valid(entry->name)) {
        error_set(error, ERROR_CONFIG, "%s:%u: \"%s\" cannot be the name of a section", scan->what,
                  scan->line, entry->name);
        error_add_hint(error, "names are 1 to 40 of a to z, 0 to 9 and _, with - inside");
        return FALSE;
    }
    return TRUE;
}

/* `text` is the line without blanks around it; it begins with "[". */
static gboolean scan_section(Scan *scan, const char *text, GError **error)
{
    ConfigEntry *entry;
    gsize length = strlen(text);
    gsize word;
    g_autofree char *label = NULL;
    g_autofree char *mark = NULL;

    if (length < 3 || text[length - 1] != ']' || strpbrk(text + 1, "[]") != text + length - 1) {
        error_set(error, ERROR_CONFIG, "%s:%u: a section is written [NAME]", scan->what,
                  scan->line);
        return FALSE;
    }
    entry = g_new0(ConfigEntry, 1);
    g_ptr_array_add(scan->entries, entry);
    entry->line = scan->line;
    entry->group = g_strndup(text + 1, length - 2);
    word = strcspn(entry->group, " \t");
    entry->section = g_strndup(entry->group, word);
    if (entry->group[word] != '\0')
        entry->name = g_strstrip(g_strdup(entry->group + word));
    if (!check_section(scan, entry, error))
        return FALSE;
    scan->section = entry;
    label = entry->name != NULL ? g_strdup_printf("[%s %s]", entry->section, entry->name)
                                : g_strdup_printf("[%s]", entry->section);
    mark = g_strdup(label);
    return scan_once(scan, mark, label, error);
}

static gboolean scan_key(Scan *scan, const char *text, GError **error)
{
    const char *equals = strchr(text, '=');
    ConfigEntry *entry;
    g_autofree char *label = NULL;
    g_autofree char *mark = NULL;

    if (equals == NULL || equals == text) {
        error_set(error, ERROR_CONFIG, "%s:%u: neither [section], key = value nor # comment",
                  scan->what, scan->line);
        return FALSE;
    }
    if (scan->section == NULL) {
        error_set(error, ERROR_CONFIG, "%s:%u: a key stands before the first section", scan->what,
                  scan->line);
        error_add_hint(error, "put it below [general], [repository] or the section it belongs to");
        return FALSE;
    }
    entry = g_new0(ConfigEntry, 1);
    g_ptr_array_add(scan->entries, entry);
    entry->line = scan->line;
    entry->group = g_strdup(scan->section->group);
    entry->section = g_strdup(scan->section->section);
    entry->name = g_strdup(scan->section->name);
    entry->key = g_strchomp(g_strndup(text, (gsize)(equals - text)));
    if (config_key_find(entry->section, entry->key) == NULL) {
        const char *nearest = config_key_nearest(entry->section, entry->key);

        error_set(error, ERROR_CONFIG, "%s:%u: unknown key \"%s\" in [%s]", scan->what, scan->line,
                  entry->key, entry->group);
        if (nearest != NULL)
            error_add_hint(error, "did you mean %s?", nearest);
        return FALSE;
    }
    label = g_strdup_printf("key \"%s\"", entry->key);
    mark = g_strdup_printf("%s\n%s", entry->group, entry->key);
    return scan_once(scan, mark, label, error);
}

GPtrArray *config_scan(const char *bytes, gsize length, const char *what, GError **error)
{
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_auto(GStrv) lines = NULL;
    g_autofree char *text = NULL;
    Scan scan = {.what = what, .seen = seen, .entries = entries};

    if (!g_utf8_validate(bytes, (gssize)length, NULL)) {
        error_set(error, ERROR_CONFIG, "%s: not a text file in UTF-8", what);
        return NULL;
    }
    text = g_strndup(bytes, length);
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++) {
        const char *line = g_strstrip(lines[i]);

        scan.line = i + 1;
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (line[0] == '[' ? !scan_section(&scan, line, error) : !scan_key(&scan, line, error))
            return NULL;
    }
    return g_steal_pointer(&entries);
}
