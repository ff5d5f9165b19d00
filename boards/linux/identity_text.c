// identity_text.c - see identity_text.h.

#include "identity_text.h"

#include <errno.h>
#include <stdio.h>

#include "input.h"

void identity_explain(const struct identity *id, int error, char *buf, size_t cap) {
    buf[0] = '\0';
    if (error == REKEY_E_SIGN && id->certificate.fault != NULL) {
        snprintf(buf, cap, "AZURE_CLIENT_CERTIFICATE_PATH '%s': %s", id->file,
                 id->certificate.fault);
    } else if ((error == REKEY_E_ASSERTION || error == REKEY_E_KEY_FILE) && id->file != NULL) {
        snprintf(buf, cap, "'%s': %s%s", id->file, id->fault != NULL ? "the token " : "",
                 id->fault != NULL ? id->fault
                 : id->error != 0  ? input_error(id->error)
                                   : "it does not contain a token or a key");
    } else if (error == REKEY_E_LIMIT_CREDENTIAL && id->auth == AUTH_WORKLOAD) {
        snprintf(buf, cap, "'%s': ", id->file);
    }
}

const char *identity_remedy(const struct identity *id, const struct rekey_report *report) {
    static const struct {
        const char *code, *remedy;
    } remedies[] = {
        {"AADSTS7000215", "the client secret is wrong: give the secret's value, not its id"},
        {"AADSTS7000222", "the client secret has expired: create a new one for the application"},
        {"AADSTS90002", "there is no such tenant: check AZURE_TENANT_ID and --cloud"},
        {"AADSTS700016",
         "the tenant has no such application: check AZURE_CLIENT_ID and AZURE_TENANT_ID"},
        {"AADSTS700024", "the assertion is not valid at this time: set the device's clock"},
        {"AADSTS700027", "the certificate is not registered for the application, or has expired"},
        {"AADSTS70021", "no federated credential of the application matches the federated token's "
                        "issuer, subject and audience"},
        {"AADSTS700213", "no federated credential of the application matches the federated "
                         "token's subject"},
    };
    const struct rekey_arm_error *e = report->service;
    struct rekey_span code = rekey_span(e->message.text, 0);

    switch (report->error) {
    case REKEY_E_KEY_FILE:
        return id->error == EACCES ? "the user that runs rekey must be in the group himds" : NULL;
    case REKEY_E_ARC:
        return "give --auth arc, because IMDS_ENDPOINT points to the Azure Arc agent";
    case REKEY_E_NO_TOKEN:
        return id->auth != AUTH_IMDS ? NULL
               : input_variable("INVOCATION_ID") != NULL // of systemd
                   ? "there is no managed identity here: configure an identity for the unit, with "
                     "a drop-in from rekey's examples"
                   : "there is no managed identity here: give --token-file FILE, set "
                     "AZURE_ACCESS_TOKEN, or choose an identity with --auth";
    case REKEY_E_UNAUTHORIZED:
        return id->auth == AUTH_TOKEN
                   ? "the token is for another cloud, tenant or audience, or has expired: get a "
                     "new one"
                   : "the token is for another cloud, tenant or audience, or has expired: check "
                     "--cloud, AZURE_TENANT_ID and the clock; `rekey token` shows what the "
                     "identity "
                     "gets";
    case REKEY_E_TOKEN_REFUSED:
        break;
    default:
        return NULL;
    }
    while (code.len < e->message.len && rekey_is_alnum(code.ptr[code.len])) {
        code.len++;
    }
    for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++) {
        if (rekey_span_equal(code, rekey_span(remedies[i].code, strlen(remedies[i].code)))) {
            return remedies[i].remedy;
        }
    }
    return id->auth == AUTH_IMDS && report->http_status == 400
               ? "this machine has no managed identity, or not the one in AZURE_CLIENT_ID: assign "
                 "the identity to the machine, or correct AZURE_CLIENT_ID"
               : NULL;
}

int identity_check(struct identity *id, struct fault *f) {
    char text[512];
    int error = id->auth == AUTH_CERTIFICATE ? rekey_client_certificate_check(&id->certificate) : 0;

    if (error == 0) {
        return 0;
    }
    identity_explain(id, error, text, sizeof(text));
    return fault_set(f, REKEY_CREDENTIALS, error, "%s: %s", rekey_error_text(error), text);
}

bool identity_ends(const struct identity *id, char day[16]) {
    day[0] = '\0';
    if (id->auth != AUTH_CERTIFICATE) {
        return false;
    }
    snprintf(day, 16, "%.10s", id->certificate.not_after);
    return rekey_client_certificate_ends_within(&id->certificate, 30 * 86400);
}
