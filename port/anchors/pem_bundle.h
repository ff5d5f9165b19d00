// pem_bundle.h - trust anchors in a PEM bundle on a POSIX file system.
// A file is read again for each look-up, certificate by certificate, and never held whole, so that
// an update of the system's bundle counts at once. What can be read only once (a pipe, a terminal)
// is copied first, into memory of the kernel (memfd_create).

#ifndef REKEY_PEM_BUNDLE_H
#define REKEY_PEM_BUNDLE_H

#include "anchors.h"
#include "rekey_config.h"

#ifdef __cplusplus
extern "C" {
#endif

// The longest text of a pipe, in bytes. Mozilla's bundle has 220 KB.
#ifndef REKEY_PEM_PIPE_MAX
#define REKEY_PEM_PIPE_MAX 4194304
#endif

// The longest certificate of a bundle, in DER.
#ifndef REKEY_PEM_CERTIFICATE_MAX
#define REKEY_PEM_CERTIFICATE_MAX 8192
#endif

struct rekey_pem_bundle {
    const char *path;
    uint64_t until;        // when the writer of a pipe must be done, by rekey_posix_now_ms
    const void *unblocked; // a sigset_t, the signal mask while it is waited for; or NULL
    int copy;              // the descriptor of a copy, which stays open; or -1
    unsigned passed_over;  // certificates that the last look-up could not read, up to their name
    unsigned char der[REKEY_PEM_CERTIFICATE_MAX];
};

// Anchors that are looked up in the file `path`, which must live as long as *bundle. The writer of
// a pipe may take 100 s, unless bundle->until is changed.
struct rekey_anchors rekey_pem_bundle(struct rekey_pem_bundle *bundle, const char *path);

// Whether the file can be read and holds at least one certificate. Where it cannot be read, errno
// says why (EFBIG: REKEY_PEM_PIPE_MAX, ETIMEDOUT: the writer of a pipe, EINTR: a signal); else it
// is 0.
bool rekey_pem_bundle_usable(struct rekey_pem_bundle *bundle);

#ifdef __cplusplus
}
#endif

#endif
