/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes what the pool reads: pack headers, maps (their hash is put right, so that the numbers
 * behind it are reached), tables of packs with an index line. The first byte chooses.
 */
#include <stdint.h>
#include <string.h>

#include "pool/private.h"

#define KEY       7
#define HASH_SIZE 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_one(gboolean done, const GError *error)
{
    if (done == (error != NULL))
        g_error("a result and an error, or neither");
}

static void fuzz_header(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    PackHeader header, again;
    guint8 bytes[PACK_HEADER_SIZE];
    gboolean done = pack_header_read(data, size, "pack", &header, &error);

    expect_one(done, error);
    if (!done)
        return;
    pack_header_write(&header, bytes);
    if (!pack_header_read(bytes, sizeof bytes, "pack", &again, NULL) ||
        header.number != again.number || strcmp(header.backup_id, again.backup_id) != 0)
        g_error("a header changes when it is written again");
}

static void fuzz_map(const uint8_t *data, size_t size)
{
    g_autofree guint8 *bytes = g_memdup2(data, size);
    g_autofree guint8 *again = NULL;
    g_autoptr(GError) error = NULL;
    PoolMap map;
    gsize length;
    gboolean done;

    if (size >= HASH_SIZE) {
        Hash128 hash = xxh3_buffer(bytes, size - HASH_SIZE, KEY);

        memcpy(bytes + size - HASH_SIZE, &hash, HASH_SIZE);
    }
    done = pool_map_read(bytes, size, KEY, "map", &map, &error);
    expect_one(done, error);
    if (!done)
        return;
    again = pool_map_write(&map, KEY, &length);
    g_free(map.extents);
    if (length != size || memcmp(again, bytes, size) != 0)
        g_error("a map changes when it is written again");
}

/* {"packs": […], "file": {…}} */
static void fuzz_index(const uint8_t *data, size_t size)
{
    static Repository *repository;
    g_autoptr(json_t) json = json_read_object((const char *)data, size, "input", NULL);
    g_autoptr(PoolReader) reader = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) extents = NULL;
    PoolFile file;
    gboolean done;

    if (json == NULL)
        return;
    if (repository == NULL)
        repository = repository_create(store_new_memory(), COMPRESS_DEFAULT, NULL);
    reader = pool_reader_new(repository, json_object_get(json, "packs"), KEY, &error);
    expect_one(reader != NULL, error);
    if (reader == NULL)
        return;
    done = pool_file_from_json(reader, json_object_get(json, "file"), &file, &error);
    expect_one(done, error);
    if (!done)
        return;
    extents = pool_file_extents(reader, &file, &error);
    expect_one(extents != NULL, error);
    pool_file_clear(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] == 'h')
        fuzz_header(data + 1, size - 1);
    else if (data[0] == 'm')
        fuzz_map(data + 1, size - 1);
    else
        fuzz_index(data + 1, size - 1);
    return 0;
}
