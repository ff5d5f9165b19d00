// pem_bundle.h - trust anchors in a PEM bundle on a POSIX file system.
// The file is read again for each look-up, certificate by certificate, and never held in memory as
// a whole, so that an update of the system's bundle is used at once. A pipe or a terminal, which
// can be read only once, is first copied into memory of the kernel (memfd_create).

#ifndef REKEY_PEM_BUNDLE_H
#define REKEY_PEM_BUNDLE_H

#include "anchors.h"
#include "rekey_config.h"

#ifdef __cplusplus
extern "C" {
#endif

// The longest text from a pipe, in bytes. Mozilla's bundle has 220 KB.
#ifndef REKEY_PEM_PIPE_MAX
#define REKEY_PEM_PIPE_MAX 4194304
#endif

// The longest certificate of a bundle, in bytes of DER.
#ifndef REKEY_PEM_CERTIFICATE_MAX
#define REKEY_PEM_CERTIFICATE_MAX 8192
#endif

struct rekey_pem_bundle {
    const char *path;
    uint64_t until;        // time by which a pipe must be read, by rekey_posix_now_ms
    const void *unblocked; // a sigset_t, the signal mask during that wait; or NULL
    int copy;              // the descriptor of a copy, which stays open; or -1
    unsigned passed_over;  // number of certificates whose name the last look-up could not read
    unsigned char der[REKEY_PEM_CERTIFICATE_MAX];
};

// Initializes *bundle, and returns the anchors in the file `path`. Both `path` and *bundle must
// stay valid as long as the anchors are used. A pipe must be read within 100 s, unless the caller
// changes bundle->until.
struct rekey_anchors rekey_pem_bundle(struct rekey_pem_bundle *bundle, const char *path);

// Whether the file can be read and has at least one certificate. If it cannot be read, errno says
// why (EFBIG: longer than REKEY_PEM_PIPE_MAX, ETIMEDOUT: the writer of a pipe was too slow, EINTR:
// a signal); else errno is 0.
bool rekey_pem_bundle_usable(struct rekey_pem_bundle *bundle);

#ifdef __cplusplus
}
#endif

#endif
