/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of an encrypted repository as they are stored, each in an object of its own that is
 * written once: keys/<id>.json, a slot, holds the master key under a passphrase or a key file;
 * keys/data-<generation>.json holds a data key under the master key. So slots come and go, and
 * generations are added, without touching data. Format: docs/formats.md.
 *
 * Threads: any; nothing is kept between calls.
 */
#ifndef HOLDFAST_REPO_KEYS_H
#define HOLDFAST_REPO_KEYS_H

#include "repo/key-form.h"
#include "repo/keyring.h"
#include "store/store.h"

typedef struct {
    char *id;
    char *form; /* "passphrase-file", "key-file", "command": how its key was given */
    char *kdf;  /* "scrypt n=131072 r=8 p=1", "hkdf-sha256" */
    gint64 created;
    char *problem; /* why its key may open nothing: it is damaged; form and kdf are "unknown" then.
                    * NULL: it is whole */
} KeySlot;
void key_slot_free(KeySlot *slot);

/* scrypt's cost of new slots. What stands in a slot decides when it is read. Tests make it cheap;
 * not while threads run. */
void keys_set_cost(ScryptCost cost);

/* The first slot and the first data key of a repository (its UUID) that is being made; what was
 * written is taken back where it fails. *ret_slot: free with g_free(). ERROR_EXISTS when somebody
 * else makes one there at this moment. */
Keyring *keys_create(Store *store, const char *repository, const KeyForm *form, char **ret_slot,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Takes back what keys_create() has written, and nothing else. */
void keys_withdraw(Store *store, const char *slot);

/* Finds the slot that the key opens; a recovery code in its place needs none. *ret_slot (may be
 * NULL): its id, NULL for a recovery code; free with g_free(). ERROR_CONFIG: no slot. */
Keyring *keys_unlock(Store *store, const char *repository, const KeyForm *form, char **ret_slot,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same with the master key itself. */
Keyring *keys_unlock_master(Store *store, const char *repository,
                            const guint8 master[SEAL_KEY_SIZE],
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The slots of a repository, oldest first; an array of KeySlot. Needs no key. *ret_generations: how
 * many data keys there are. */
gboolean keys_list(Store *store, const char *repository, GPtrArray **ret_slots,
                   guint32 *ret_generations, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Another slot. *ret_id: free with g_free(). */
gboolean keys_add(Store *store, const char *repository, const Keyring *keyring, const KeyForm *form,
                  char **ret_id, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* ERROR_NOT_FOUND; ERROR_REFUSED where no other is whole. */
gboolean keys_remove(Store *store, const char *repository, const char *id,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A new data key, for what is written by whoever opens the repository from now on. ERROR_BUSY when
 * somebody else did just that. */
gboolean keys_rotate(Store *store, const char *repository, const Keyring *keyring,
                     guint32 *ret_generation, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
