/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA256SUMS, written and read.
 */
#include "repo/checksums.h"

#include <string.h>

#include "base/error.h"
#include "store/store.h"

#define HEX_LENGTH (SHA256_HEX_SIZE - 1)

struct Checksums {
    GPtrArray *entries;  /* ChecksumEntry */
    GHashTable *by_path; /* path to ChecksumEntry */
};

/* What a backup may refer to outside of its folder. */
static const char *const shared_prefixes[] = {"../../pool/", "../../wal/"};

static void entry_free(gpointer data)
{
    ChecksumEntry *entry = data;

    g_free(entry->path);
    g_free(entry);
}

Checksums *checksums_new(void)
{
    Checksums *checksums = g_new0(Checksums, 1);

    checksums->entries = g_ptr_array_new_with_free_func(entry_free);
    checksums->by_path = g_hash_table_new(g_str_hash, g_str_equal);
    return checksums;
}

void checksums_free(Checksums *checksums)
{
    if (checksums == NULL)
        return;
    g_hash_table_unref(checksums->by_path);
    g_ptr_array_unref(checksums->entries);
    g_free(checksums);
}

static void add_taking(Checksums *checksums, char *path, const guint8 digest[SHA256_SIZE])
{
    ChecksumEntry *entry = g_new0(ChecksumEntry, 1);

    entry->path = path;
    memcpy(entry->digest, digest, SHA256_SIZE);
    g_ptr_array_add(checksums->entries, entry);
    g_hash_table_insert(checksums->by_path, entry->path, entry);
}

void checksums_add(Checksums *checksums, const char *path, const guint8 digest[SHA256_SIZE])
{
    ChecksumEntry *entry = g_hash_table_lookup(checksums->by_path, path);

    if (entry != NULL)
        memcpy(entry->digest, digest, SHA256_SIZE);
    else
        add_taking(checksums, g_strdup(path), digest);
}

guint checksums_count(const Checksums *checksums)
{
    return checksums->entries->len;
}

const ChecksumEntry *checksums_entry(const Checksums *checksums, guint index)
{
    return checksums->entries->pdata[index];
}

const ChecksumEntry *checksums_find(const Checksums *checksums, const char *path)
{
    return g_hash_table_lookup(checksums->by_path, path);
}

static int compare_entries(gconstpointer a, gconstpointer b)
{
    const ChecksumEntry *const *left = a;
    const ChecksumEntry *const *right = b;

    return strcmp((*left)->path, (*right)->path);
}

char *checksums_write(Checksums *checksums, gsize *ret_length)
{
    GString *text = g_string_new(NULL);

    g_ptr_array_sort(checksums->entries, compare_entries);
    for (guint i = 0; i < checksums->entries->len; i++) {
        const ChecksumEntry *entry = checksums->entries->pdata[i];
        char hex[SHA256_HEX_SIZE];

        sha256_to_hex(entry->digest, hex);
        g_string_append(text, hex);
        g_string_append(text, "  ");
        g_string_append(text, entry->path);
        g_string_append_c(text, '\n');
    }
    g_string_append_printf(text, "# end %u objects\n", checksums->entries->len);
    *ret_length = text->len;
    return g_string_free(text, FALSE);
}

/* Whoever follows a path must stay in the backup's folder or in what backups share. */
static gboolean path_safe(const char *path)
{
    for (gsize i = 0; i < G_N_ELEMENTS(shared_prefixes); i++) {
        if (g_str_has_prefix(path, shared_prefixes[i]))
            return store_name_valid(path + strlen(shared_prefixes[i]));
    }
    return store_name_valid(path) && strcmp(path, CHECKSUMS_NAME) != 0;
}

/* "<64 hex>  <path>" */
static gboolean read_entry(Checksums *checksums, const char *line, gsize length, guint number,
                           const char *what, GError **error)
{
    char hex[SHA256_HEX_SIZE] = "";
    guint8 digest[SHA256_SIZE];
    g_autofree char *path = NULL;

    if (length > HEX_LENGTH + 2 && memchr(line, '\0', length) == NULL)
        memcpy(hex, line, HEX_LENGTH);
    if (!sha256_from_hex(hex, digest) || memcmp(line + HEX_LENGTH, "  ", 2) != 0) {
        error_set(error, ERROR_DAMAGED, "line %u of %s is no checksum", number, what);
        return FALSE;
    }
    path = g_strndup(line + HEX_LENGTH + 2, length - HEX_LENGTH - 2);
    if (!path_safe(path)) {
        error_set(error, ERROR_DAMAGED, "line %u of %s names a path that it may not", number, what);
        return FALSE;
    }
    if (checksums_find(checksums, path) != NULL) {
        error_set(error, ERROR_DAMAGED, "line %u of %s names %s again", number, what, path);
        return FALSE;
    }
    add_taking(checksums, g_steal_pointer(&path), digest);
    return TRUE;
}

/* Exactly what checksums_write() puts there for this number of entries. */
static gboolean is_end_line(const char *line, gsize length, guint count)
{
    g_autofree char *expected = g_strdup_printf("# end %u objects", count);

    return strlen(expected) == length && memcmp(line, expected, length) == 0;
}

Checksums *checksums_read(const char *bytes, gsize length, const char *what, GError **error)
{
    g_autoptr(Checksums) checksums = checksums_new();
    gsize offset = 0;

    for (guint number = 1;; number++) {
        const char *line = bytes + offset;
        const char *feed = offset < length ? memchr(line, '\n', length - offset) : NULL;
        gsize line_length;

        if (feed == NULL) {
            error_set(error, ERROR_DAMAGED, "%s is cut off after line %u", what, number - 1);
            return NULL;
        }
        line_length = (gsize)(feed - line);
        offset += line_length + 1;
        if (line_length > 0 && line[0] == '#') {
            if (is_end_line(line, line_length, checksums->entries->len) && offset == length)
                return g_steal_pointer(&checksums);
            error_set(error, ERROR_DAMAGED, "line %u of %s is not the end of its %u objects",
                      number, what, checksums->entries->len);
            return NULL;
        }
        if (checksums->entries->len >= CHECKSUMS_COUNT_LIMIT) {
            error_set(error, ERROR_LIMIT, "%s has more than %d objects", what,
                      CHECKSUMS_COUNT_LIMIT);
            return NULL;
        }
        if (!read_entry(checksums, line, line_length, number, what, error))
            return NULL;
    }
}
