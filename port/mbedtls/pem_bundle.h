// pem_bundle.h - trust anchors in a PEM bundle on a POSIX file system.
// The bundle is read again for each look-up, certificate by certificate, and never held whole.

#ifndef REKEY_PEM_BUNDLE_H
#define REKEY_PEM_BUNDLE_H

#include "tls.h"

struct rekey_pem_bundle {
    const char *path;
    char text[8192];         // one certificate in base64
    unsigned char der[6144]; // and decoded
};

// Anchors that are looked up in the file `path`, which must live as long as *bundle.
struct rekey_anchors rekey_pem_bundle(struct rekey_pem_bundle *bundle, const char *path);

// Whether the file can be read and holds at least one certificate.
bool rekey_pem_bundle_usable(struct rekey_pem_bundle *bundle);

#endif
