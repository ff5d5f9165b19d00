// anchors.h - trust anchors for a TLS library: where they are, and how one is found by its name.
// Nothing here, and nothing else in this folder, names a TLS library; any can use it.

#ifndef REKEY_ANCHORS_H
#define REKEY_ANCHORS_H

#include "rekey_error.h"
#include "span.h"

#ifdef __cplusplus
extern "C" {
#endif

// Where the trust anchors are: found by name when a certificate names them as its issuer, so that
// only what is needed is ever parsed. One struct may serve several connections of one thread.
struct rekey_anchors {
    void *ctx;
    bool permanent; // what `found` is given stays in place: it is used there, and not copied
    const unsigned *passed_over; // certificates that the last look-up could not read; or NULL
    // Calls `found` with the DER of each anchor whose subject is `subject` (DER of a Name, compared
    // as der.h does; where its pointer is NULL, of all anchors). Stops when `found` returns other
    // than 0, and returns that. Returns 0 if there is none, or REKEY_E_NO_ANCHORS.
    int (*find)(void *ctx, struct rekey_span subject,
                int (*found)(void *arg, struct rekey_span der), void *arg);
};

#ifdef __cplusplus
}
#endif

#endif
