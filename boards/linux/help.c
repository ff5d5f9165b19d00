// help.c - see help.h.

#include "help.h"

#include <mbedtls/version.h>
#include <stdio.h>

#include "output.h"
#include "rekey.h"

void help_print(const struct command_row *const *commands) {
    out("rekey " REKEY_VERSION
        " - regenerates the keys of an Azure Machine Learning online endpoint\n\n");
    for (size_t i = 0; commands[i] != NULL; i++) {
        out("  rekey %-10s %s\n", commands[i]->name, commands[i]->synopsis);
    }
    out("\nOptions (in brackets the environment variable that serves as well):\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_table[i];
        char name[64];

        snprintf(name, sizeof(name), "--%s %s", row->name,
                 row->argument != NULL ? row->argument : "");
        if (row->id < 256) {
            out("  -%c, %-33s %s\n", row->id, name, row->help);
        } else {
            out("      %-33s %s\n", name, row->help);
        }
    }
    out("\nIdentities, by the variables of the Azure SDKs:\n"
        "  secret, certificate, workload: AZURE_TENANT_ID, AZURE_CLIENT_ID, and "
        "AZURE_CLIENT_SECRET,\n"
        "  AZURE_CLIENT_CERTIFICATE_PATH (PEM, with the key) or AZURE_FEDERATED_TOKEN_FILE\n"
        "  imds, arc: the machine's own; with imds AZURE_CLIENT_ID names another one\n"
        "\nExit codes:\n"
        "   0 succeeded            the service said so\n"
        "   1 refused or failed    by the service; its error is shown\n"
        "   2 usage                nothing was sent\n"
        "  10 not reached          nothing was sent, or processed: run it again, safely\n"
        "  11 not trusted          certificate, host name, dates, trust anchors, clock; nothing "
        "was sent\n"
        "  12 outcome unknown      the key may have changed: rekey list-keys, then decide\n"
        "  13 still running        accepted; rekey wait goes on with it\n"
        "  14 credentials          no token, or it was refused; nothing was executed\n"
        "  15 local                disk, lock, hook, or standard output\n");
}

void help_print_version(void) {
    out("rekey " REKEY_VERSION " (" REKEY_BOARD ")\n" MBEDTLS_VERSION_STRING_FULL
        "\njsmn " REKEY_JSMN_VERSION "\napi-version 2025-09-01\n"
        "limits: REKEY_URL_MAX=%d REKEY_TOKEN_MAX=%d REKEY_STAGING_MAX=%d REKEY_KEY_VALUE_MAX=%d "
        "REKEY_JSON_TOKENS=%d\nstruct rekey: %zu bytes\n",
        REKEY_URL_MAX, REKEY_TOKEN_MAX, REKEY_STAGING_MAX, REKEY_KEY_VALUE_MAX, REKEY_JSON_TOKENS,
        sizeof(struct rekey));
}
