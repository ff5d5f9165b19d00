// help.c - see help.h. No page has more than 24 lines, or a line more than 80 characters.

#include "help.h"

#include <mbedtls/version.h>
#include <stdio.h>

#include "output.h"
#include "rekey.h"

#ifdef REKEY_LIBC // a static command contains its C library
#define LIBC "\n" REKEY_LIBC
#else
#define LIBC ""
#endif
#define WIDTH "30" // of the column of option names; other columns have 12

static const char identities[] =
    "\nIdentities are configured by the variables of the Azure SDKs:\n"
    "  secret, certificate, workload: AZURE_TENANT_ID, AZURE_CLIENT_ID, and one of\n"
    "    AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH (PEM, with the key),\n"
    "    AZURE_FEDERATED_TOKEN_FILE\n"
    "  imds, arc: the machine's identity; for imds, AZURE_CLIENT_ID selects another\n";

static const char exit_codes[] =
    "Exit codes:\n"
    "   0 succeeded          the service confirmed the operation\n"
    "   1 refused or failed  by the service, or keys that cannot be rotated\n"
    "   2 usage              nothing was sent\n"
    "  10 not reached        nothing was executed: run the command again\n"
    "  11 not trusted        certificate, host name, clock; nothing was sent\n"
    "  12 outcome unknown    the key may have changed: see rekey list-keys\n"
    "  13 still running      accepted by the service: continue with rekey wait\n"
    "  14 credentials        no token, or a refused token; nothing was executed\n"
    "  15 local              disk, lock, hook or standard output failed\n";

static void put_option(const struct option_row *row) {
    const char *second = strchr(row->help, '\n');
    int first = (int)(second != NULL ? (size_t)(second - row->help) : strlen(row->help));
    char name[64], letter[8] = "";

    if (row->id < 256) {
        snprintf(letter, sizeof(letter), "-%c, ", row->id);
    }
    snprintf(name, sizeof(name), "%s--%s %s", letter, row->name,
             row->argument != NULL ? row->argument : "");
    out("  %-" WIDTH "s %.*s\n", name, first, row->help);
    if (second != NULL) {
        out("  %-" WIDTH "s %s\n", "", second + 1);
    }
}

static void put_options(unsigned groups) {
    bool times = false;

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((option_table[i].group & groups) != 0) {
            put_option(&option_table[i]);
            times |= option_table[i].argument != NULL && option_table[i].argument[0] == 'T';
        }
    }
    if (times) {
        out("  TIME is in seconds, or has a unit: 90s, 10m, 12h, 30d\n");
    }
}

// A page about options that several commands share; with `command`, only the options of that
// command.
static void put_topic(const struct option_topic *topic, const struct command_row *command) {
    if (topic->groups == 0) {
        out("%s", exit_codes);
        return;
    }
    out("Options%s%s: %s\n", command != NULL ? " of rekey " : "",
        command != NULL ? command->name : "", topic->help);
    put_options(topic->groups & (command != NULL ? command->accepts | OPTIONS_ALL : ~0U));
    if (topic->groups == OPTIONS_IDENTITY) {
        out("%s", identities);
    }
}

static void put_examples(const struct command_row *command) {
    out("\nExamples:\n");
    for (const char *at = command->example; at != NULL;) {
        const char *end = strchr(at, '\n');

        out("  rekey %s %.*s\n", command->name,
            (int)(end != NULL ? (size_t)(end - at) : strlen(at)), at);
        at = end != NULL ? end + 1 : NULL;
    }
}

static void put_command(const struct command_row *command) {
    unsigned own = command->accepts;

    out("rekey %s: %s\nUsage: rekey %s %s\n", command->name, command->summary, command->name,
        command->synopsis);
    for (size_t i = 0; i < OPTION_TOPIC_COUNT; i++) {
        own &= ~option_topics[i].groups;
    }
    if (own != 0) {
        out("\nOptions:\n");
        put_options(own);
    }
    out("\nMore options, by page:\n");
    for (size_t i = 0; i < OPTION_TOPIC_COUNT; i++) {
        if (((command->accepts | OPTIONS_ALL) & option_topics[i].groups) != 0) {
            out("  rekey help %s %-12s %s\n", command->name, option_topics[i].name,
                option_topics[i].help);
        }
    }
    put_examples(command);
}

static void put_overview(const struct command_row *const *commands) {
    out("rekey " REKEY_VERSION
        ": regenerates the keys of an Azure Machine Learning endpoint\n\nCommands:\n");
    for (size_t i = 0; commands[i] != NULL; i++) {
        out("  rekey %-12s %s\n", commands[i]->name, commands[i]->summary);
    }
    out("\nHelp:\n  rekey help COMMAND      what a command does, its options, examples\n");
    for (size_t i = 0; i < OPTION_TOPIC_COUNT; i++) {
        out("  rekey help %-12s %s\n", option_topics[i].name, option_topics[i].help);
    }
}

void help_print(const struct command_row *const *commands, const struct options *o) {
    if (o->topic != NULL) {
        put_topic(o->topic, o->command);
    } else if (o->command != NULL) {
        put_command(o->command);
    } else {
        put_overview(commands);
    }
}

void help_print_version(void) {
    out("rekey " REKEY_VERSION " (" REKEY_BOARD ")\n" MBEDTLS_VERSION_STRING_FULL
        "\njsmn " REKEY_JSMN_VERSION LIBC "\napi-version 2025-09-01\n"
        "limits: REKEY_URL_MAX=%d REKEY_TOKEN_MAX=%d REKEY_STAGING_MAX=%d REKEY_KEY_VALUE_MAX=%d "
        "REKEY_JSON_TOKENS=%d\nstruct rekey: %zu bytes\n",
        REKEY_URL_MAX, REKEY_TOKEN_MAX, REKEY_STAGING_MAX, REKEY_KEY_VALUE_MAX, REKEY_JSON_TOKENS,
        sizeof(struct rekey));
}
