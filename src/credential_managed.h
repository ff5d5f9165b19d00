// credential_managed.h - tokens of a managed identity (docs/service.md 5), over plain http from a
// service of this machine: of an Azure VM (IMDS), or of a machine with the Azure Arc agent. What is
// pointed at lives as long as the credential.

#ifndef REKEY_CREDENTIAL_MANAGED_H
#define REKEY_CREDENTIAL_MANAGED_H

#include "credential.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rekey_managed {
    struct rekey_span host;     // 169.254.169.254, or 127.0.0.1 for Arc
    uint16_t port;              // 80, or 40342 for Arc
    struct rekey_span resource; // as https://management.azure.com/
    struct rekey_span
        client_id; // of a user-assigned identity; empty: the machine's own. Not for Arc
};

struct rekey_credential_imds {
    struct rekey_credential base;
    struct rekey_managed managed;
    bool probing; // it is one of several candidates: one connection of one second, or none
};

// Makes *c ready. Returns 0 or REKEY_E_PLAIN.
int rekey_credential_imds_init(struct rekey_credential_imds *c, const struct rekey_managed *managed,
                               bool probing);

#define REKEY_ARC_KEY_MAX 4096 // bytes of a key file

struct rekey_credential_arc {
    struct rekey_credential base;
    struct rekey_managed managed;
    // Reads the key file `path`, which lies in /var/opt/azcmagent/tokens/ by its name, into
    // buf[0..cap): a regular file of at most REKEY_ARC_KEY_MAX bytes, and no symbolic link. Returns
    // 0 with *len, or an error, as REKEY_E_KEY_FILE.
    int (*read)(void *ctx, struct rekey_span path, char *buf, size_t cap, size_t *len);
    void *ctx;
};

// Makes *c ready; read and ctx are set. Returns 0 or REKEY_E_PLAIN.
int rekey_credential_arc_init(struct rekey_credential_arc *c, const struct rekey_managed *managed);

// For the two files: writes the GET to the start of staging; `path` with its query ends where the
// resource goes. `key`, which may be empty and does not lie in staging, is sent as Basic
// credentials. Returns the length, or an error.
int rekey_managed_request(struct rekey *r, const struct rekey_managed *managed, const char *path,
                          struct rekey_span key);

#ifdef __cplusplus
}
#endif

#endif
