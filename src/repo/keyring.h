/* SPDX-License-Identifier: Apache-2.0
 *
 * The unlocked keys of an encrypted repository, in protected memory: the master key, which the key
 * slots hold, and under it the data keys, one a generation. What is written is sealed by the newest
 * generation, what is read by the one that its header names.
 *
 * Threads: a Keyring does not change and may be used from many threads.
 */
#ifndef HOLDFAST_REPO_KEYRING_H
#define HOLDFAST_REPO_KEYRING_H

#include "base/secret.h"
#include "codec/seal.h"

#define KEYRING_LIMIT 10000 /* generations */

typedef struct Keyring Keyring;

/* Copies; `data_keys` are those of generation 1 and on, SEAL_KEY_SIZE bytes each, `known` whether
 * each of them could be had. */
Keyring *keyring_new(const guint8 master[SEAL_KEY_SIZE], const guint8 *data_keys,
                     const gboolean *known, guint32 count);
Keyring *keyring_ref(Keyring *keyring);
void keyring_unref(Keyring *keyring);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Keyring, keyring_unref)

const guint8 *keyring_master(const Keyring *keyring);
/* The number of generations, and the newest of them. */
guint32 keyring_newest(const Keyring *keyring);
/* The data key of a generation. ERROR_DAMAGED where there is none, or it could not be had. */
const guint8 *keyring_find(const Keyring *keyring, guint32 generation,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The master key for paper: "HOLDFAST-1" and fourteen groups of four letters and digits, three
 * bytes of a checksum among them. Written into protected memory. */
Secret *keyring_recovery_code(const Keyring *keyring);
typedef enum {
    RECOVERY_CODE_NONE,
    RECOVERY_CODE_MISTYPED, /* it begins as one, and a letter is wrong, missing or too many */
    RECOVERY_CODE_GOOD,
} RecoveryCode;

/* Whether a text is such a code; case, blanks and dashes do not matter, nor do 0, 1 and 8 for O, I
 * and B. */
RecoveryCode recovery_code_read(const char *text, gsize length, guint8 ret_master[SEAL_KEY_SIZE]);

#endif
