// identity.h - chooses the credential: the one of --auth, or the first one that is configured, in
// the order and by the variables of the Azure SDKs.

#ifndef REKEY_COMMAND_IDENTITY_H
#define REKEY_COMMAND_IDENTITY_H

#include "client_certificate.h"
#include "credential_entra.h"
#include "credential_managed.h"
#include "fault.h"
#include "secret.h"
#include "token_service.h"

enum auth {
    AUTH_DEFAULT, // the first that is configured
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
    uint64_t until; // when the writer of such a file must be done, by rekey_posix_now_ms
    const struct rekey_port *port; // for signatures

    // For the caller to read.
    enum auth auth;                      // the chosen kind
    struct rekey_credential *credential; // NULL with AUTH_TOKEN
    char why[1024];                      // "; not KIND: REASON" for each kind before it
    const char *note;                    // a message about a variable that is set but not used

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
    const char
        *file; // name of the file of the certificate, of the federated token, or of Arc's key
    int error; // errno of the last attempt to read it
    const char *fault; // what is wrong with its content, in words; or NULL
    char fault_text[256];
    char authority[300];
    char path[256];
    char token[REKEY_TOKEN_MAX]; // as given; kept, because a repeated request needs it again
    size_t token_len;
    char secret[SECRET_CLIENT_MAX];
    size_t secret_len;
    char pem[IDENTITY_PEM_MAX];
    size_t pem_len;
};

// Chooses the kind. Reads no file yet.
void identity_choose(struct identity *id);

// Reads what the chosen kind needs, and makes its credential. Returns 0, or an error with *f.
int identity_read(struct identity *id, struct fault *f);

// The token of AUTH_TOKEN, as rekey_options.token asks for it: the one that was read; after a 401,
// a file is read again. *f is filled in with REKEY_E_NO_TOKEN only.
int identity_token(struct identity *id, char *buf, size_t cap, size_t *len, struct fault *f);

void identity_forget(struct identity *id); // overwrites the secrets

#endif
