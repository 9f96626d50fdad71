/* SPDX-License-Identifier: Apache-2.0
 *
 * Key slots and data keys.
 */
#include "repo/keys.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "base/time.h"
#include "repo/document.h"

#define PREFIX      "keys/"
#define SUFFIX      ".json"
#define DATA_PREFIX "data-"
#define SIZE_LIMIT  (64 * 1024)
#define SLOT_LIMIT  1000
#define ID_LENGTH   8
#define SALT_SIZE   32

static const char file_info[] = "holdfast key file 1";
static const char data_info[] = "holdfast data keys 1";

static ScryptCost new_cost = {1 << 17, 8, 1};

void keys_set_cost(ScryptCost cost)
{
    new_cost = cost;
}

void key_slot_free(KeySlot *slot)
{
    if (slot == NULL)
        return;
    g_free(slot->id);
    g_free(slot->form);
    g_free(slot->kdf);
    g_free(slot->problem);
    g_free(slot);
}

/* --- bytes in documents ----------------------------------------------------------------------- */

static json_t *hex_json(const guint8 *bytes, gsize length)
{
    g_autoptr(GString) text = g_string_sized_new(2 * length);

    for (gsize i = 0; i < length; i++)
        g_string_append_printf(text, "%02x", bytes[i]);
    return json_string(text->str);
}

static gboolean need_hex(const json_t *document, const char *key, const char *what, guint8 *out,
                         gsize length, GError **error)
{
    const char *text;

    if (!json_need_string(document, key, what, &text, error))
        return FALSE;
    if (strlen(text) == 2 * length && strspn(text, "0123456789abcdef") == 2 * length) {
        for (gsize i = 0; i < length; i++)
            out[i] = (guint8)(g_ascii_xdigit_value(text[2 * i]) << 4 |
                              g_ascii_xdigit_value(text[2 * i + 1]));
        return TRUE;
    }
    error_set(error, ERROR_FORMAT, "%s: \"%s\" is not %" G_GSIZE_FORMAT " bytes in hexadecimal",
              what, key, length);
    return FALSE;
}

static void fill_random(guint8 *bytes, gsize length)
{
    if (RAND_bytes(bytes, (int)length) != 1)
        g_error("OpenSSL gives no random bytes");
}

/* --- names ------------------------------------------------------------------------------------ */

static char *slot_name(const char *id)
{
    return g_strconcat(PREFIX, id, SUFFIX, NULL);
}

static char *data_name(guint32 generation)
{
    return g_strdup_printf(PREFIX DATA_PREFIX "%06u" SUFFIX, generation);
}

/* What a wrapped key is bound to: it opens in this repository and under this name only. */
static char *about_slot(const char *repository, const char *id)
{
    return g_strdup_printf("holdfast key slot 1 %s %s", repository, id);
}

static char *about_data(const char *repository, guint32 generation)
{
    return g_strdup_printf("holdfast data key 1 %s %u", repository, generation);
}

static gboolean slot_id_valid(const char *id)
{
    return id[0] != '\0' && strlen(id) <= 40 &&
           strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen(id);
}

/* The ids of slots (an array of strings) and the number of generations, by the names of the
 * objects. */
static gboolean list_keys(Store *store, GPtrArray **ret_ids, guint32 *ret_generations,
                          GError **error)
{
    g_autoptr(GPtrArray) parts = NULL;
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    guint32 generations = 0;

    if (!store_list_parts(store, PREFIX, &parts, error))
        return FALSE;
    for (guint i = 0; i < parts->len; i++) {
        const char *part = parts->pdata[i];
        g_autofree char *id = NULL;
        guint number;

        if (!g_str_has_suffix(part, SUFFIX))
            continue;
        id = g_strndup(part, strlen(part) - strlen(SUFFIX));
        if (slot_id_valid(id))
            g_ptr_array_add(ids, g_steal_pointer(&id));
        else if (sscanf(id, DATA_PREFIX "%6u", &number) == 1 && number <= KEYRING_LIMIT)
            generations = MAX(generations, number);
    }
    if (ids->len > SLOT_LIMIT) {
        error_set(error, ERROR_LIMIT, "%s has more than %d key slots", store_location(store),
                  SLOT_LIMIT);
        return FALSE;
    }
    *ret_ids = g_steal_pointer(&ids);
    *ret_generations = generations;
    return TRUE;
}

static gboolean check_kind(const json_t *document, Store *store, const char *name,
                           const char *repository, const char *kind, GError **error)
{
    if (strcmp(json_get_string(document, "kind", ""), kind) == 0 &&
        strcmp(json_get_string(document, "repository", ""), repository) == 0)
        return TRUE;
    error_set(error, ERROR_DAMAGED, "%s in %s is not what its name says", name,
              store_location(store));
    return FALSE;
}

/* A key object, which must say what it is and of which repository. */
static json_t *get_key(Store *store, const char *name, const char *repository, const char *kind,
                       GError **error)
{
    g_autoptr(json_t) document = document_get(store, name, SIZE_LIMIT, error);

    return document != NULL && check_kind(document, store, name, repository, kind, error)
               ? g_steal_pointer(&document)
               : NULL;
}

/* --- slots ------------------------------------------------------------------------------------ */

static json_t *kdf_json(const KeyForm *form, const guint8 salt[SALT_SIZE])
{
    json_t *kdf = json_object();

    if (form->kind == KEY_FILE) {
        json_object_set_new(kdf, "name", json_string("hkdf-sha256"));
    } else {
        json_object_set_new(kdf, "name", json_string("scrypt"));
        json_object_set_new(kdf, "n", json_integer((json_int_t)new_cost.n));
        json_object_set_new(kdf, "r", json_integer(new_cost.r));
        json_object_set_new(kdf, "p", json_integer(new_cost.p));
    }
    json_object_set_new(kdf, "salt", hex_json(salt, SALT_SIZE));
    return kdf;
}

static gboolean read_cost(const json_t *kdf, const char *what, ScryptCost *ret_cost, GError **error)
{
    guint64 n, r, p;

    if (!json_need_uint(kdf, "n", what, &n, error) || !json_need_uint(kdf, "r", what, &r, error) ||
        !json_need_uint(kdf, "p", what, &p, error))
        return FALSE;
    *ret_cost = (ScryptCost){n, (guint32)MIN(r, G_MAXUINT32), (guint32)MIN(p, G_MAXUINT32)};
    return TRUE;
}

/* The key that wraps the slot's master key. *ret_fits: FALSE where the slot wants another kind of
 * secret. */
static gboolean derive_wrapping(const json_t *slot, const char *what, KeyKind kind,
                                const Secret *secret, guint8 wrapping[SEAL_KEY_SIZE],
                                gboolean *ret_fits, GError **error)
{
    const json_t *kdf = json_object_get(slot, "kdf");
    const char *name = json_get_string(kdf, "name", "");
    guint8 salt[SALT_SIZE];
    ScryptCost cost;

    *ret_fits = strcmp(name, kind == KEY_FILE ? "hkdf-sha256" : "scrypt") == 0;
    if (!*ret_fits)
        return TRUE;
    if (!need_hex(kdf, "salt", what, salt, SALT_SIZE, error))
        return FALSE;
    if (kind != KEY_FILE)
        return read_cost(kdf, what, &cost, error) &&
               seal_scrypt(secret->bytes, secret->length, salt, SALT_SIZE, &cost, wrapping, error);
    seal_derive(secret->bytes, secret->length, salt, SALT_SIZE, file_info, strlen(file_info),
                wrapping);
    return TRUE;
}

static gboolean put_document(Store *store, const char *name, json_t *document, GError **error)
{
    g_autofree char *text = NULL;

    document_add_checksum(document);
    text = json_write(document, TRUE);
    return document_put(store, name, text, strlen(text), NULL, error);
}

static json_t *new_document(Store *store, const char *kind, const char *repository, GError **error)
{
    g_autofree char *created = NULL;
    gint64 now;

    if (!store_time(store, &now, error))
        return NULL;
    created = time_format(now);
    return json_pack("{s:i, s:s, s:s, s:s}", "format_version", REPOSITORY_FORMAT_VERSION, "kind",
                     kind, "repository", repository, "created", created);
}

/* A code goes before the slots when a repository is opened: one in a slot would open nothing. */
static gboolean check_no_code(const Secret *secret, const KeyForm *form, GError **error)
{
    guint8 master[SEAL_KEY_SIZE];
    g_autofree char *given = NULL;

    if (recovery_code_read((const char *)secret->bytes, secret->length, master) !=
        RECOVERY_CODE_GOOD)
        return TRUE;
    secret_clear(master, sizeof master);
    given = key_form_format(form);
    error_set(error, ERROR_CONFIG,
              "%s is a recovery code: that opens its repository without a slot", given);
    error_add_hint(error, "name another key");
    return FALSE;
}

static gboolean put_slot(Store *store, const char *repository, const KeyForm *form,
                         const guint8 master[SEAL_KEY_SIZE], char **ret_id, GError **error)
{
    g_autoptr(Secret) secret = key_form_read(form, error);
    g_autofree char *id = random_name(ID_LENGTH);
    g_autofree char *about = about_slot(repository, id);
    g_autofree char *name = slot_name(id);
    g_autoptr(json_t) slot = NULL;
    guint8 salt[SALT_SIZE];
    guint8 wrapping[SEAL_KEY_SIZE];
    guint8 wrapped[SEAL_WRAPPED_SIZE];
    gboolean fits;

    if (secret == NULL || !check_no_code(secret, form, error))
        return FALSE;
    slot = new_document(store, "slot", repository, error);
    if (slot == NULL)
        return FALSE;
    fill_random(salt, sizeof salt);
    json_object_set_new(slot, "id", json_string(id));
    json_object_set_new(slot, "form", json_string(key_kind_name(form->kind)));
    json_object_set_new(slot, "kdf", kdf_json(form, salt));
    if (!derive_wrapping(slot, name, form->kind, secret, wrapping, &fits, error))
        return FALSE;
    seal_wrap(wrapping, about, master, wrapped);
    secret_clear(wrapping, sizeof wrapping);
    json_object_set_new(slot, "wrapped_key", hex_json(wrapped, sizeof wrapped));
    if (!put_document(store, name, slot, error))
        return FALSE;
    *ret_id = g_steal_pointer(&id);
    return TRUE;
}

/* Tries one slot. *ret_open: it was the one. */
static gboolean try_slot(Store *store, const char *repository, const char *id, KeyKind kind,
                         const Secret *secret, guint8 master[SEAL_KEY_SIZE], gboolean *ret_open,
                         GError **error)
{
    g_autofree char *name = slot_name(id);
    g_autofree char *about = about_slot(repository, id);
    g_autoptr(json_t) slot = get_key(store, name, repository, "slot", error);
    guint8 wrapped[SEAL_WRAPPED_SIZE];
    guint8 wrapping[SEAL_KEY_SIZE];
    gboolean fits;

    *ret_open = FALSE;
    if (slot == NULL || !need_hex(slot, "wrapped_key", name, wrapped, sizeof wrapped, error) ||
        !derive_wrapping(slot, name, kind, secret, wrapping, &fits, error))
        return FALSE;
    *ret_open = fits && seal_unwrap(wrapping, about, wrapped, master);
    secret_clear(wrapping, sizeof wrapping);
    return TRUE;
}

/* --- data keys -------------------------------------------------------------------------------- */

static void data_wrapping(const guint8 master[SEAL_KEY_SIZE], guint8 wrapping[SEAL_KEY_SIZE])
{
    seal_derive(master, SEAL_KEY_SIZE, NULL, 0, data_info, strlen(data_info), wrapping);
}

static gboolean put_data_key(Store *store, const char *repository,
                             const guint8 master[SEAL_KEY_SIZE], guint32 generation,
                             const guint8 key[SEAL_KEY_SIZE], GError **error)
{
    g_autofree char *name = data_name(generation);
    g_autofree char *about = about_data(repository, generation);
    g_autoptr(json_t) document = new_document(store, "data-key", repository, error);
    guint8 wrapping[SEAL_KEY_SIZE];
    guint8 wrapped[SEAL_WRAPPED_SIZE];

    if (document == NULL)
        return FALSE;
    data_wrapping(master, wrapping);
    seal_wrap(wrapping, about, key, wrapped);
    secret_clear(wrapping, sizeof wrapping);
    json_object_set_new(document, "generation", json_integer(generation));
    json_object_set_new(document, "wrapped_key", hex_json(wrapped, sizeof wrapped));
    return put_document(store, name, document, error);
}

static gboolean get_data_key(Store *store, const char *repository,
                             const guint8 wrapping[SEAL_KEY_SIZE], guint32 generation, guint8 *out,
                             GError **error)
{
    g_autofree char *name = data_name(generation);
    g_autofree char *about = about_data(repository, generation);
    g_autoptr(json_t) document = get_key(store, name, repository, "data-key", error);
    guint8 wrapped[SEAL_WRAPPED_SIZE];

    if (document == NULL ||
        !need_hex(document, "wrapped_key", name, wrapped, sizeof wrapped, error))
        return FALSE;
    if (seal_unwrap(wrapping, about, wrapped, out))
        return TRUE;
    error_set(error, ERROR_DAMAGED, "%s in %s does not open with the repository's master key", name,
              store_location(store));
    return FALSE;
}

static gboolean is_damage(const GError *problem)
{
    return error_is(problem, ERROR_DAMAGED) || error_is(problem, ERROR_FORMAT) ||
           error_is(problem, ERROR_NEWER_FORMAT) || error_is(problem, ERROR_LIMIT) ||
           error_is(problem, ERROR_NOT_FOUND);
}

/* TRUE with a warning where others are left. */
static gboolean tell_lost_key(gboolean any, const GError *problem, GError **error)
{
    g_autofree char *text = error_text(problem);

    if (any)
        log_write(LOG_WARNING, "what one of the data keys has sealed cannot be read: %s", text);
    else
        error_set(error, ERROR_DAMAGED, "no data key of the repository is whole: %s", text);
    return any;
}

/* One that is damaged must not take away what others have sealed. FALSE with an error where none
 * could be had. */
static gboolean get_data_keys(Store *store, const char *repository,
                              const guint8 master[SEAL_KEY_SIZE], guint32 count, guint8 *keys,
                              gboolean *known, GError **error)
{
    guint8 wrapping[SEAL_KEY_SIZE];
    g_autoptr(GError) first = NULL;
    gboolean any = FALSE, reached = TRUE;

    data_wrapping(master, wrapping);
    for (guint32 i = 0; i < count && reached; i++) {
        g_autoptr(GError) problem = NULL;

        known[i] = get_data_key(store, repository, wrapping, i + 1, keys + (gsize)i * SEAL_KEY_SIZE,
                                &problem);
        any = any || known[i];
        reached = known[i] || is_damage(problem);
        if (!known[i] && (first == NULL || !reached)) {
            g_clear_error(&first);
            first = g_steal_pointer(&problem);
        }
    }
    secret_clear(wrapping, sizeof wrapping);
    if (!reached) {
        g_propagate_error(error, g_steal_pointer(&first));
        return FALSE;
    }
    return first == NULL || tell_lost_key(any, first, error);
}

static Keyring *load_keyring(Store *store, const char *repository,
                             const guint8 master[SEAL_KEY_SIZE], guint32 generations,
                             GError **error)
{
    gsize size = (gsize)generations * SEAL_KEY_SIZE;
    g_autofree gboolean *known = g_new0(gboolean, generations + 1);
    Keyring *keyring = NULL;
    guint8 *keys;

    if (generations == 0) {
        error_set(error, ERROR_DAMAGED, "%s has no data key", store_location(store));
        return NULL;
    }
    keys = secret_new(size);
    if (get_data_keys(store, repository, master, generations, keys, known, error))
        keyring = keyring_new(master, keys, known, generations);
    secret_free(keys, size);
    return keyring;
}

/* --- the whole -------------------------------------------------------------------------------- */

Keyring *keys_create(Store *store, const char *repository, const KeyForm *form, char **ret_slot,
                     GError **error)
{
    static const gboolean known[] = {TRUE};
    guint8 *keys = secret_new(2 * SEAL_KEY_SIZE);
    g_autofree char *id = NULL;
    Keyring *keyring = NULL;

    fill_random(keys, 2 * SEAL_KEY_SIZE);
    if (put_slot(store, repository, form, keys, &id, error)) {
        g_autofree char *slot = slot_name(id);

        /* Of two that make a repository at once only one has the first data key. */
        if (put_data_key(store, repository, keys, 1, keys + SEAL_KEY_SIZE, error))
            keyring = keyring_new(keys, keys + SEAL_KEY_SIZE, known, 1);
        else
            (void)!store_delete(store, slot, NULL);
    }
    secret_free(keys, 2 * SEAL_KEY_SIZE);
    if (keyring != NULL)
        *ret_slot = g_steal_pointer(&id);
    return keyring;
}

void keys_withdraw(Store *store, const char *slot)
{
    g_autofree char *name = slot_name(slot);
    g_autofree char *data = data_name(1);

    (void)!store_delete(store, name, NULL);
    (void)!store_delete(store, data, NULL);
}

Keyring *keys_unlock_master(Store *store, const char *repository,
                            const guint8 master[SEAL_KEY_SIZE], GError **error)
{
    g_autoptr(GPtrArray) ids = NULL;
    guint32 generations;

    return list_keys(store, &ids, &generations, error)
               ? load_keyring(store, repository, master, generations, error)
               : NULL;
}

/* One broken slot must not lock out whoever has the key of another. */
static const char *find_slot(Store *store, const char *repository, const GPtrArray *ids,
                             KeyKind kind, const Secret *secret, guint8 master[SEAL_KEY_SIZE])
{
    for (guint i = 0; i < ids->len; i++) {
        g_autoptr(GError) problem = NULL;
        gboolean open;

        if (!try_slot(store, repository, ids->pdata[i], kind, secret, master, &open, &problem)) {
            g_autofree char *text = error_text(problem);

            log_write(LOG_WARNING, "a key slot cannot be read: %s", text);
        } else if (open) {
            return ids->pdata[i];
        }
    }
    return NULL;
}

static void refuse_key(Store *store, const KeyForm *form, RecoveryCode code, GError **error)
{
    g_autofree char *given = key_form_format(form);

    if (code == RECOVERY_CODE_GOOD)
        error_set(error, ERROR_CONFIG,
                  "the recovery code of %s opens none of the data keys of the repository %s: it is "
                  "another repository's, or they are damaged",
                  given, store_location(store));
    else
        error_set(error, ERROR_CONFIG, "the key of %s does not open the repository %s", given,
                  store_location(store));
    error_add_hint(error,
                   code == RECOVERY_CODE_MISTYPED
                       ? "it begins as a recovery code does: a letter of it is wrong, missing "
                         "or too many"
                       : "holdfast key list shows the kinds of keys that do");
}

/* `master` receives what a recovery code or a slot gives. */
static Keyring *open_with(Store *store, const char *repository, const KeyForm *form,
                          const Secret *secret, guint8 *master, const char **ret_slot,
                          GPtrArray *ids, guint32 generations, GError **error)
{
    RecoveryCode code = recovery_code_read((const char *)secret->bytes, secret->length, master);
    g_autoptr(GError) problem = NULL;
    Keyring *keyring = NULL;

    if (code != RECOVERY_CODE_GOOD)
        *ret_slot = find_slot(store, repository, ids, form->kind, secret, master);
    if (code == RECOVERY_CODE_GOOD || *ret_slot != NULL)
        keyring = load_keyring(store, repository, master, generations, &problem);
    if (keyring != NULL)
        return keyring;
    /* What a slot has given is the master key; a code may be of anything. */
    if (problem != NULL && (*ret_slot != NULL || !is_damage(problem)))
        g_propagate_error(error, g_steal_pointer(&problem));
    else
        refuse_key(store, form, code, error);
    return NULL;
}

Keyring *keys_unlock(Store *store, const char *repository, const KeyForm *form, char **ret_slot,
                     GError **error)
{
    g_autoptr(Secret) secret = key_form_read(form, error);
    g_autoptr(GPtrArray) ids = NULL;
    const char *slot = NULL;
    Keyring *keyring = NULL;
    guint32 generations;
    guint8 *master;

    if (secret == NULL || !list_keys(store, &ids, &generations, error))
        return NULL;
    master = secret_new(SEAL_KEY_SIZE);
    keyring = open_with(store, repository, form, secret, master, &slot, ids, generations, error);
    secret_free(master, SEAL_KEY_SIZE);
    if (keyring != NULL && ret_slot != NULL)
        *ret_slot = g_strdup(slot);
    return keyring;
}

/* A slot as it should be: what its key opens can be relied on. The checksum says that all of it is
 * what was written; under another name it would open nothing. */
static json_t *get_whole_slot(Store *store, const char *repository, const char *id, GError **error)
{
    g_autofree char *name = slot_name(id);
    g_autoptr(json_t) document = document_get_checked(store, name, SIZE_LIMIT, error);
    guint8 wrapped[SEAL_WRAPPED_SIZE];

    if (document == NULL ||
        !need_hex(document, "wrapped_key", name, wrapped, sizeof wrapped, error) ||
        !check_kind(document, store, name, repository, "slot", error))
        return NULL;
    if (strcmp(json_get_string(document, "id", ""), id) == 0)
        return g_steal_pointer(&document);
    error_set(error, ERROR_DAMAGED, "%s in %s is not what its name says", name,
              store_location(store));
    return NULL;
}

static KeySlot *describe_slot(const json_t *document, const char *id)
{
    const json_t *kdf = json_object_get(document, "kdf");
    const char *name = json_get_string(kdf, "name", "unknown");
    KeySlot *slot = g_new0(KeySlot, 1);

    slot->id = g_strdup(id);
    slot->form = g_strdup(json_get_string(document, "form", "unknown"));
    slot->kdf = strcmp(name, "scrypt") == 0
                    ? g_strdup_printf("scrypt n=%" G_GUINT64_FORMAT " r=%" G_GUINT64_FORMAT
                                      " p=%" G_GUINT64_FORMAT,
                                      json_get_uint(kdf, "n", 0), json_get_uint(kdf, "r", 0),
                                      json_get_uint(kdf, "p", 0))
                    : g_strdup(name);
    if (!time_parse(json_get_string(document, "created", ""), NULL, &slot->created, NULL))
        slot->created = 0;
    return slot;
}

/* *ret_slot: NULL where it was removed since it was listed. One that is damaged is told as such. */
static gboolean look_at_slot(Store *store, const char *repository, const char *id,
                             KeySlot **ret_slot, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(json_t) document = get_whole_slot(store, repository, id, &problem);

    *ret_slot = NULL;
    if (document == NULL && error_is(problem, ERROR_NOT_FOUND))
        return TRUE;
    if (document == NULL && !is_damage(problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    *ret_slot = describe_slot(document, id);
    if (document == NULL)
        (*ret_slot)->problem = error_text(problem);
    return TRUE;
}

static int compare_slots(gconstpointer a, gconstpointer b)
{
    const KeySlot *const *one = a;
    const KeySlot *const *other = b;

    if ((*one)->created != (*other)->created)
        return (*one)->created < (*other)->created ? -1 : 1;
    return strcmp((*one)->id, (*other)->id);
}

gboolean keys_list(Store *store, const char *repository, GPtrArray **ret_slots,
                   guint32 *ret_generations, GError **error)
{
    g_autoptr(GPtrArray) slots = g_ptr_array_new_with_free_func((GDestroyNotify)key_slot_free);
    g_autoptr(GPtrArray) ids = NULL;

    if (!list_keys(store, &ids, ret_generations, error))
        return FALSE;
    for (guint i = 0; i < ids->len; i++) {
        KeySlot *slot;

        if (!look_at_slot(store, repository, ids->pdata[i], &slot, error))
            return FALSE;
        if (slot != NULL)
            g_ptr_array_add(slots, slot);
    }
    g_ptr_array_sort(slots, compare_slots);
    *ret_slots = g_steal_pointer(&slots);
    return TRUE;
}

gboolean keys_add(Store *store, const char *repository, const Keyring *keyring, const KeyForm *form,
                  char **ret_id, GError **error)
{
    return put_slot(store, repository, form, keyring_master(keyring), ret_id, error);
}

/* *ret_there: there is one of that id; *ret_others: how many whole ones there are beside it. */
static gboolean look_around(Store *store, const char *repository, const char *id,
                            gboolean *ret_there, guint *ret_others, GError **error)
{
    g_autoptr(GPtrArray) slots = NULL;
    guint32 generations;

    *ret_there = FALSE;
    *ret_others = 0;
    if (!keys_list(store, repository, &slots, &generations, error))
        return FALSE;
    for (guint i = 0; i < slots->len; i++) {
        const KeySlot *slot = slots->pdata[i];

        if (strcmp(slot->id, id) == 0)
            *ret_there = TRUE;
        else if (slot->problem == NULL)
            (*ret_others)++;
    }
    return TRUE;
}

gboolean keys_remove(Store *store, const char *repository, const char *id, GError **error)
{
    g_autofree char *name = slot_name(id);
    g_autoptr(json_t) slot = NULL;
    gboolean there;
    guint others;

    if (!look_around(store, repository, id, &there, &others, error))
        return FALSE;
    if (!there) {
        error_set(error, ERROR_NOT_FOUND, "there is no key slot \"%s\"", id);
        error_add_hint(error, "holdfast key list shows the ones there are");
        return FALSE;
    }
    if (others == 0) {
        error_set(error, ERROR_REFUSED,
                  "beside %s there is no key slot that is whole: without one nothing can be read",
                  id);
        error_add_hint(error, "add another first: holdfast key add passphrase-file=FILE");
        return FALSE;
    }
    /* NULL: it is damaged, and nothing is lost with it. */
    slot = get_whole_slot(store, repository, id, NULL);
    if (!store_delete(store, name, error) ||
        !look_around(store, repository, id, &there, &others, error))
        return FALSE;
    if (others > 0)
        return TRUE;
    /* Two removed what the other one counted on: ours comes back. */
    error_set(error, ERROR_BUSY, "the other key slots were removed at the same moment");
    return slot != NULL && put_document(store, name, slot, NULL) && FALSE;
}

gboolean keys_rotate(Store *store, const char *repository, const Keyring *keyring,
                     guint32 *ret_generation, GError **error)
{
    guint8 *key = secret_new(SEAL_KEY_SIZE);
    guint32 generation = keyring_newest(keyring) + 1;
    g_autoptr(GError) problem = NULL;
    gboolean done = FALSE;

    if (generation > KEYRING_LIMIT) {
        error_set(&problem, ERROR_LIMIT, "the repository has %d data keys already", KEYRING_LIMIT);
    } else {
        fill_random(key, SEAL_KEY_SIZE);
        done = put_data_key(store, repository, keyring_master(keyring), generation, key, &problem);
    }
    secret_free(key, SEAL_KEY_SIZE);
    if (done)
        *ret_generation = generation;
    else if (error_is(problem, ERROR_EXISTS))
        error_set(error, ERROR_BUSY, "the data key was rotated by somebody else at this moment");
    else
        g_propagate_error(error, g_steal_pointer(&problem));
    return done;
}
