/* SPDX-License-Identifier: Apache-2.0
 *
 * Codes by taoserror.h of TDengine 3.3 (TSDB_CODE_*).
 */
#include "tdengine/fault.h"

#include "tdengine/client.h"

#include <string.h>

#define MARK        "(0x"
#define OUT_OF_KEEP 0x060bu
#define GATEWAY     0xffffu /* the gateway's own errors all have this code: only the text tells */

/* The server or a part of it is away, starting or stopping. */
static const guint16 away[] = {
    0x000b, /* unable to establish connection */
    0x0018, /* connection is broken */
    0x0019, /* timeout */
    0x0020, /* a vgroup could not be connected */
    0x0021, /* connection to a vgroup is broken */
    0x0023, /* network error */
    0x0024, /* network busy */
    0x0130, /* starting */
    0x0131, /* stopping */
    0x0213, /* disconnected */
    0x0903, /* synchronisation timed out */
    0x090c, /* not the leader */
    0x0914, /* the leader is restoring */
};

static const guint16 refused[] = {
    0x0134, /* address not in the white list */
    0x0207, /* user name too long or empty */
    0x0208, /* password too long or empty */
    0x0314, /* user disabled */
    0x0351, /* invalid user */
    0x0353, /* invalid password */
    0x0357, /* authentication failure */
};

static gboolean is_in(const guint16 *codes, gsize count, guint code)
{
    for (gsize i = 0; i < count; i++)
        if (codes[i] == code)
            return TRUE;
    return FALSE;
}

gboolean td_fault_set(GError **error, TdAsked asked, const char *peer, guint32 code,
                      const char *text)
{
    const guint low = code & 0xffff;
    g_autofree char *valid = g_utf8_make_valid(text != NULL ? text : "", -1);
    /* A refused statement has been seen with the text "success". */
    const gboolean told = *valid != '\0' && strcmp(valid, "success") != 0;
    const char *what = told                 ? valid
                       : low == OUT_OF_KEEP ? "a time is out of the range that KEEP allows"
                                            : "no text was given";

    if (is_in(away, G_N_ELEMENTS(away), low)) {
        error_set(error, ERROR_UNREACHABLE, "the database server behind %s is away (0x%04X): %s",
                  peer, low, what);
        return FALSE;
    }
    if (asked == TD_ASKED_LOGIN && is_in(refused, G_N_ELEMENTS(refused), low)) {
        error_set(error, ERROR_PERMISSION, "%s refuses the login (0x%04X): %s", peer, low, what);
        error_add_hint(error, "look at user and password_file of the source");
        return FALSE;
    }
    error_set(error, ERROR_SERVER, "%s %s (0x%04X): %s",
              low == GATEWAY ? "the gateway at" : "server", peer, low, what);
    return FALSE;
}

guint td_error_code(const GError *error)
{
    const char *at;

    if (!error_is(error, ERROR_SERVER))
        return 0;
    at = strstr(error->message, MARK);
    return at != NULL ? (guint)g_ascii_strtoull(at + strlen(MARK), NULL, 16) : 0;
}
