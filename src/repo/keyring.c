/* SPDX-License-Identifier: Apache-2.0
 *
 * Unlocked keys, and their form on paper.
 */
#include "repo/keyring.h"

#include <string.h>

#include "base/error.h"
#include "codec/hash.h"

struct Keyring {
    gatomicrefcount references;
    guint32 count;
    guint8 *keys;    /* protected: the master key, then the data keys */
    gboolean *known; /* of each data key */
};

static gsize keys_size(guint32 count)
{
    return ((gsize)count + 1) * SEAL_KEY_SIZE;
}

Keyring *keyring_new(const guint8 master[SEAL_KEY_SIZE], const guint8 *data_keys,
                     const gboolean *known, guint32 count)
{
    Keyring *keyring = g_new0(Keyring, 1);

    g_atomic_ref_count_init(&keyring->references);
    keyring->count = count;
    keyring->known = g_memdup2(known, count * sizeof *known);
    keyring->keys = secret_new(keys_size(count));
    memcpy(keyring->keys, master, SEAL_KEY_SIZE);
    memcpy(keyring->keys + SEAL_KEY_SIZE, data_keys, (gsize)count * SEAL_KEY_SIZE);
    return keyring;
}

Keyring *keyring_ref(Keyring *keyring)
{
    g_atomic_ref_count_inc(&keyring->references);
    return keyring;
}

void keyring_unref(Keyring *keyring)
{
    if (keyring == NULL || !g_atomic_ref_count_dec(&keyring->references))
        return;
    secret_free(keyring->keys, keys_size(keyring->count));
    g_free(keyring->known);
    g_free(keyring);
}

const guint8 *keyring_master(const Keyring *keyring)
{
    return keyring->keys;
}

guint32 keyring_newest(const Keyring *keyring)
{
    return keyring->count;
}

const guint8 *keyring_find(const Keyring *keyring, guint32 generation, GError **error)
{
    if (generation < 1 || generation > keyring->count) {
        error_set(error, ERROR_DAMAGED, "it is sealed by data key %u, and the repository has %u",
                  generation, keyring->count);
        return NULL;
    }
    if (keyring->known[generation - 1])
        return keyring->keys + (gsize)generation * SEAL_KEY_SIZE;
    error_set(error, ERROR_DAMAGED, "data key %u of the repository is damaged or lost", generation);
    error_add_hint(error,
                   "put keys/data-%06u.json back from a copy of the repository; for what is to be "
                   "written make a new one: holdfast key rotate",
                   generation);
    return NULL;
}

/* --- recovery codes --------------------------------------------------------------------------- */

#define CODE_PREFIX     "HOLDFAST-1"
#define CODE_BEGINNING  "HOLDFASTI" /* its letters, as next_letter() takes them */
#define BYTE_ORDER_MARK "\xEF\xBB\xBF"
#define CODE_CHECK      3
#define CODE_BYTES      (SEAL_KEY_SIZE + CODE_CHECK)
#define CODE_LETTERS    (CODE_BYTES * 8 / 5)
#define CODE_GROUP      4
#define CODE_ALPHABET   "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

/* What shows a mistyped letter. */
static void code_check(const guint8 master[SEAL_KEY_SIZE], guint8 ret_check[CODE_CHECK])
{
    static const char about[] = "holdfast recovery code 1";
    g_autoptr(Sha256) hash = sha256_new();
    guint8 digest[SHA256_SIZE];

    sha256_update(hash, about, sizeof about - 1);
    sha256_update(hash, master, SEAL_KEY_SIZE);
    sha256_finish(hash, digest);
    memcpy(ret_check, digest, CODE_CHECK);
}

Secret *keyring_recovery_code(const Keyring *keyring)
{
    char text[sizeof CODE_PREFIX + CODE_LETTERS + CODE_LETTERS / CODE_GROUP] = CODE_PREFIX;
    gsize used = strlen(CODE_PREFIX);
    guint8 bytes[CODE_BYTES];
    Secret *code;

    memcpy(bytes, keyring->keys, SEAL_KEY_SIZE);
    code_check(keyring->keys, bytes + SEAL_KEY_SIZE);
    for (guint i = 0; i < CODE_LETTERS; i++) {
        guint letter = 0;

        for (guint bit = 5 * i; bit < 5 * i + 5; bit++)
            letter = letter << 1 | (bytes[bit / 8] >> (7 - bit % 8) & 1);
        if (i % CODE_GROUP == 0)
            text[used++] = '-';
        text[used++] = CODE_ALPHABET[letter];
    }
    code = secret_copy(text, used);
    secret_clear(text, sizeof text);
    secret_clear(bytes, sizeof bytes);
    return code;
}

/* The next letter of a typed code as five bits; -1 at its end, -2 for what is none. */
static int next_letter(const char **at, const char *end)
{
    const char *found;
    char letter;

    while (*at < end && strchr(" \t\r\n-", **at) != NULL)
        (*at)++;
    if (*at == end)
        return -1;
    letter = g_ascii_toupper(*(*at)++);
    letter = letter == '0' ? 'O' : letter == '1' ? 'I' : letter == '8' ? 'B' : letter;
    found = letter != '\0' ? strchr(CODE_ALPHABET, letter) : NULL;
    return found != NULL ? (int)(found - CODE_ALPHABET) : -2;
}

static gboolean begins_as_code(const char **at, const char *end)
{
    if (g_str_has_prefix(*at, BYTE_ORDER_MARK))
        *at += strlen(BYTE_ORDER_MARK);
    for (const char *letter = CODE_BEGINNING; *letter != '\0'; letter++) {
        int found = next_letter(at, end);

        if (found < 0 || CODE_ALPHABET[found] != *letter)
            return FALSE;
    }
    return TRUE;
}

RecoveryCode recovery_code_read(const char *text, gsize length, guint8 ret_master[SEAL_KEY_SIZE])
{
    const char *at = text, *end = text + length;
    guint8 bytes[CODE_BYTES] = {0};
    guint8 check[CODE_CHECK];
    gboolean good = TRUE;

    if (!begins_as_code(&at, end))
        return RECOVERY_CODE_NONE;
    for (guint i = 0; i < CODE_LETTERS && good; i++) {
        int letter = next_letter(&at, end);

        good = letter >= 0;
        for (guint bit = 0; bit < 5 && good; bit++)
            bytes[(5 * i + bit) / 8] |=
                (guint8)((letter >> (4 - bit) & 1) << (7 - (5 * i + bit) % 8));
    }
    code_check(bytes, check);
    good = good && next_letter(&at, end) == -1 &&
           memcmp(check, bytes + SEAL_KEY_SIZE, CODE_CHECK) == 0;
    if (good)
        memcpy(ret_master, bytes, SEAL_KEY_SIZE);
    secret_clear(bytes, sizeof bytes);
    return good ? RECOVERY_CODE_GOOD : RECOVERY_CODE_MISTYPED;
}
