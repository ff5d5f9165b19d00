// identity.h - which credential the command uses: the one that --auth names, or the first of those
// that the Azure SDKs would try, by the environment names that they use.

#ifndef REKEY_COMMAND_IDENTITY_H
#define REKEY_COMMAND_IDENTITY_H

#include "client_certificate.h"
#include "credential_entra.h"
#include "credential_managed.h"
#include "fault.h"
#include "secret.h"
#include "token_service.h"

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

// Bytes of a certificate file: some certificates and an RSA-4096 key have 9 KB.
#define IDENTITY_PEM_MAX 16384

struct identity {
    // For the caller to set.
    enum auth asked; // by --auth
    const struct cloud *cloud;
    const char *token_file, *secret_file; // NULL: not given
    uint64_t until; // when whoever writes such a file must be done, by rekey_posix_now_ms
    const struct rekey_port *port; // for signatures

    // For the caller to read.
    enum auth auth;                      // that was chosen
    struct rekey_credential *credential; // NULL with AUTH_TOKEN
    char why[1024];                      // "; not ...: ..." for each kind that comes before it
    const char *note;                    // a variable that was set and is not used, in words

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
    char authority[300];
    char path[256];
    char token[REKEY_TOKEN_MAX]; // as it was given; kept because a repeated request needs it again
    size_t token_len;
    char secret[SECRET_CLIENT_MAX];
    size_t secret_len;
    char pem[IDENTITY_PEM_MAX];
    size_t pem_len;
};

// Chooses by what is there; nothing is read yet.
void identity_choose(struct identity *id);

// Reads what the chosen kind needs, and makes its credential. Returns 0, or an error with *f.
int identity_read(struct identity *id, struct fault *f);

// The token of AUTH_TOKEN, as rekey_options.token asks for it: the one that was read; after a 401,
// a file is read anew. *f is filled in with REKEY_E_NO_TOKEN only.
int identity_token(struct identity *id, char *buf, size_t cap, size_t *len, struct fault *f);

void identity_forget(struct identity *id); // overwrites the secrets

#endif
