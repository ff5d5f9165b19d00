// identity.h - which credential the command uses: the one that --auth names, or the first of those
// that the Azure SDKs would try, by the environment names that they use.

#ifndef REKEY_COMMAND_IDENTITY_H
#define REKEY_COMMAND_IDENTITY_H

#include "client_certificate.h"
#include "credential_entra.h"
#include "credential_managed.h"

enum auth {
    AUTH_DEFAULT, // the first that is there
    AUTH_TOKEN,
    AUTH_SECRET,
    AUTH_CERTIFICATE,
    AUTH_WORKLOAD,
    AUTH_IMDS,
    AUTH_ARC,
};

// As --auth spells it.
extern const char *const auth_names[7];

// The hosts of a cloud (azure.md 5).
struct cloud {
    const char *name, *management, *authority, *scope, *resource;
};

extern const struct cloud clouds[3];

#define IDENTITY_SECRET_MAX 512
#define IDENTITY_PEM_MAX                                                                           \
    16384 // a certificate file: some certificates and an RSA-4096 key have 9 KB

struct identity {
    enum auth auth;
    struct rekey_credential *credential; // NULL with AUTH_TOKEN
    union {
        struct rekey_credential_secret secret;
        struct rekey_credential_certificate certificate;
        struct rekey_credential_workload workload;
        struct rekey_credential_imds imds;
        struct rekey_credential_arc arc;
    } as;
    struct rekey_entra entra;
    struct rekey_managed managed;
    struct rekey_client_certificate certificate;
    const char *file;  // the certificate, the federated token, or (a copy) Arc's key file
    int error;         // errno of the last attempt to read it
    const char *fault; // what is wrong with what it holds, in words; or NULL
    char fault_text[256];
    char why[1024]; // what was chosen, and why the others were not
    char authority[300];
    char path[256];
    char secret[IDENTITY_SECRET_MAX];
    size_t secret_len;
    char pem[IDENTITY_PEM_MAX];
    size_t pem_len;
};

struct command;

// Chooses, and reads what is needed. Returns 0 or an exit code.
int choose_identity(struct command *c);

// What can be checked only when TLS has its memory: the certificate. Returns 0 or an exit code.
int check_identity(struct command *c);

// One line on how to mend an error of a token service; NULL where there is nothing to say.
const char *identity_remedy(const struct command *c, const struct rekey_report *report);

// What `error` was about: a file, or a certificate's fault; an empty text where there is no more.
void identity_explain(const struct identity *identity, int error, char *buf, size_t cap);

#endif
