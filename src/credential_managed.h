// credential_managed.h - tokens of a managed identity (docs/service.md 5), over plain http from a
// service on this machine: from IMDS on an Azure VM, or from the Azure Arc agent. All pointers must
// stay valid as long as the credential is used. The init functions return REKEY_E_OPTIONS if
// `managed` or `read` is NULL; *c is then unchanged.

#ifndef REKEY_CREDENTIAL_MANAGED_H
#define REKEY_CREDENTIAL_MANAGED_H

#include "credential.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rekey_managed {
    struct rekey_span host;      // 169.254.169.254, or 127.0.0.1 for Arc
    uint16_t port;               // 80, or 40342 for Arc
    struct rekey_span resource;  // such as https://management.azure.com/
    struct rekey_span client_id; // of a user-assigned identity; empty: the identity of the machine.
                                 // Not used by Arc
};

struct rekey_credential_imds {
    struct rekey_credential base;
    struct rekey_managed managed;
    bool probing; // IMDS was not chosen but may exist: make one connection attempt of at most 1 s
};

// Initializes *c. If `probing` and the connection fails within that second, the token request fails
// with REKEY_E_NO_TOKEN. Returns 0 or REKEY_E_PLAIN.
int rekey_credential_imds_init(struct rekey_credential_imds *c, const struct rekey_managed *managed,
                               bool probing);

#define REKEY_ARC_KEY_MAX 4096 // bytes; the largest key file

struct rekey_credential_arc {
    struct rekey_credential base;
    struct rekey_managed managed;
    // Reads the key file `path` into buf[0..cap). The core has checked only the text of `path`: it
    // is the path of a file in /var/opt/azcmagent/tokens/. The function must accept only a regular
    // file of at most REKEY_ARC_KEY_MAX bytes, not a symbolic link. Returns 0 with the length in
    // *len, or an error such as REKEY_E_KEY_FILE.
    int (*read)(void *ctx, struct rekey_span path, char *buf, size_t cap, size_t *len);
    void *ctx;
};

// Initializes *c; `read` and `ctx` must be set before. Returns 0 or REKEY_E_PLAIN.
int rekey_credential_arc_init(struct rekey_credential_arc *c, const struct rekey_managed *managed);

// For the files of the two kinds: writes the GET request to the start of staging. `path`, with its
// query, must end where the value of the resource follows. `key`, if not empty, is sent as Basic
// credentials; it must not lie in staging. Returns the length of the request, or an error.
int rekey_managed_request(struct rekey *r, const struct rekey_managed *managed, const char *path,
                          struct rekey_span key);

#ifdef __cplusplus
}
#endif

#endif
