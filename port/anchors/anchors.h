// anchors.h - trust anchors for a TLS library, found by their names. This folder does not depend on
// a TLS library, and any TLS library can use it.

#ifndef REKEY_ANCHORS_H
#define REKEY_ANCHORS_H

#include "rekey_error.h"
#include "span.h"

#ifdef __cplusplus
extern "C" {
#endif

// A source of trust anchors. When a certificate gives a name as its issuer, the anchor with this
// name is looked up, so that only the needed anchors are parsed. One struct may serve several
// connections of one thread.
struct rekey_anchors {
    void *ctx;
    bool permanent;              // the DER for `found` stays valid, and need not be copied
    const unsigned *passed_over; // certificates that the last look-up could not read; or NULL
    // Calls `found` with the DER of each anchor whose subject is `subject`, a Name in DER that is
    // compared as in der.h; if its pointer is NULL, with the DER of all anchors. If `found` returns
    // a value other than 0, the search stops and returns that value. Otherwise returns 0, also if
    // no anchor was found; or REKEY_E_NO_ANCHORS if the anchors cannot be read.
    int (*find)(void *ctx, struct rekey_span subject,
                int (*found)(void *arg, struct rekey_span der), void *arg);
};

#ifdef __cplusplus
}
#endif

#endif
