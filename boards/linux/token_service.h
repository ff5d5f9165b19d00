// token_service.h - where tokens come from: the authority of a cloud, or a service of this machine.

#ifndef REKEY_COMMAND_TOKEN_SERVICE_H
#define REKEY_COMMAND_TOKEN_SERVICE_H

#include "credential_entra.h"
#include "credential_managed.h"
#include "fault.h"

// The hosts of a cloud (docs/service.md 5.1).
struct cloud {
    const char *name, *management, *authority, *scope, *resource;
};

extern const struct cloud clouds[3]; // the first is the default

// Fills in the authority, from AZURE_AUTHORITY_HOST or the cloud, and the scope. The authority is
// stored in `text`. Returns 0, or an error with *f.
int token_service_authority(struct rekey_entra *entra, const struct cloud *cloud, char text[300],
                            struct fault *f);

// Fills in the host, port and resource of the managed identity's service: of Azure Arc's agent
// (IDENTITY_ENDPOINT), or of IMDS (IMDS_ENDPOINT). Returns 0, or an error with *f.
int token_service_endpoint(struct rekey_managed *managed, const struct cloud *cloud, bool arc,
                           struct fault *f);

#endif
