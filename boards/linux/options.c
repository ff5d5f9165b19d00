// options.c - see options.h. option_table.c describes each option. The syntax is that of
// getopt_long, without abbreviations.

#include "options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "endpoint.h"
#include "input.h"
#include "option_words.h"
#include "text.h"

_Static_assert(OPTION_COUNT <= 64, "a bit for each");

static const struct option_row *find_row(int id) {
    const struct option_row *row = option_table;

    while (row->id != id) {
        row++;
    }
    return row;
}

// The bit of an option in the set of given options.
static uint64_t bit_of(int id) {
    return UINT64_C(1) << (find_row(id) - option_table);
}

// Uses environment variables for options that were not given. Empty variables count as not set.
static bool apply_environment(struct options *o, uint64_t given, struct fault *f) {
    static const struct {
        const char *variable;
        int id;
    } variables[] = {
        {"AZURE_SUBSCRIPTION_ID", OPTION_SUBSCRIPTION},
        {"AZURE_DEFAULTS_GROUP", OPTION_RESOURCE_GROUP},
        {"AZURE_DEFAULTS_WORKSPACE", OPTION_WORKSPACE},
        {"REKEY_MANAGEMENT_URL", OPTION_MANAGEMENT_URL},
        {"SSL_CERT_FILE", OPTION_CA_FILE},
    };

    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        const char *value = input_variable(variables[i].variable);

        if (value == NULL || (given & bit_of(variables[i].id)) != 0) {
            continue;
        }
        if (variables[i].id == OPTION_MANAGEMENT_URL) {
            if (!option_set_management_url(o, "REKEY_MANAGEMENT_URL", value, f)) {
                return false;
            }
        } else {
            option_set(o, variables[i].id, value, f);
        }
    }
    if (o->host.ptr == NULL) {
        o->host = rekey_span(o->cloud->management, strlen(o->cloud->management));
        o->port = 443;
    }
    return true;
}

// ---- required options ---------------------------------------------------------------------------

static bool is_stdin(const char *file) {
    return file != NULL && strcmp(file, "-") == 0;
}

// The options that a command can require, by group.
static const struct {
    const char *option, *variable;
    int rule;           // the core's error for a bad value; 0: it has no rule
    uint16_t group, at; // offset in struct options of a pointer; NULL: the option was not given
} needed[] = {
    {"--state", "", 0, OPTIONS_STATE, offsetof(struct options, state)},
    {"--operation-file", "", 0, OPTIONS_OPERATION, offsetof(struct options, operation_file)},
    {"--subscription", " (or AZURE_SUBSCRIPTION_ID)", REKEY_E_SUBSCRIPTION, OPTIONS_ENDPOINT,
     offsetof(struct options, endpoint.subscription)},
    {"--resource-group", " (or AZURE_DEFAULTS_GROUP)", REKEY_E_RESOURCE_GROUP, OPTIONS_ENDPOINT,
     offsetof(struct options, endpoint.resource_group)},
    {"--workspace-name", " (or AZURE_DEFAULTS_WORKSPACE)", REKEY_E_WORKSPACE, OPTIONS_ENDPOINT,
     offsetof(struct options, endpoint.workspace)},
    {"--name", "", REKEY_E_ENDPOINT, OPTIONS_ENDPOINT, offsetof(struct options, endpoint.name)},
    {"--key-type", "", 0, OPTIONS_KEY_TYPE, offsetof(struct options, key_type)},
    {"--api-version", "", REKEY_E_API_VERSION, 0, offsetof(struct options, endpoint.api_version)},
};

#define NEEDED (sizeof(needed) / sizeof(needed[0]))

static const char *value_at(const struct options *o, size_t at) {
    return *(const char *const *)((const char *)o + at);
}

static bool check(const struct options *o, struct fault *f) {
    unsigned needs = o->command->needs;
    char value[512];
    int error;

    if (o->rollback && o->endpoint.name.ptr == NULL) { // then no part of the endpoint is used
        needs &= ~(unsigned)OPTIONS_ENDPOINT;
    }
    for (size_t i = 0; i < NEEDED; i++) {
        if ((needed[i].group & needs) != 0 && value_at(o, needed[i].at) == NULL) {
            fault_set(f, REKEY_USAGE, REKEY_E_OPTIONS, "%s%s is missing; see rekey help %s",
                      needed[i].option, needed[i].variable, o->command->name);
            return false;
        }
    }
    if ((needs & OPTIONS_ENDPOINT) == 0) {
        return true;
    }
    if (is_stdin(o->key_value_file) && (is_stdin(o->token_file) || is_stdin(o->secret_file))) {
        return option_bad(f, "--key-value-file", "-",
                          "standard input is already used for the token or the secret");
    }
    error = rekey_endpoint_check(&o->endpoint);
    for (size_t i = 0; error != 0 && i < NEEDED; i++) {
        if (needed[i].rule == error) {
            const struct rekey_span *name = (const void *)((const char *)o + needed[i].at);

            snprintf(value, sizeof(value), "%.*s", (int)name->len, name->ptr);
            return option_bad(f, o->ids ? "--ids" : needed[i].option, value,
                              rekey_error_text(error));
        }
    }
    return true;
}

// ---- the command line ---------------------------------------------------------------------------

static const struct command_row *find_command(const struct command_row *const *commands,
                                              const char *word) {
    while (*commands != NULL && strcmp(word, (*commands)->name) != 0) {
        commands++;
    }
    return *commands;
}

static const struct option_topic *find_topic(const char *word) {
    for (size_t i = 0; i < OPTION_TOPIC_COUNT; i++) {
        if (strcmp(word, option_topics[i].name) == 0) {
            return &option_topics[i];
        }
    }
    return NULL;
}

static const char unexpected[] = "unexpected argument '%s'";

// Parses a word that is neither an option nor a value: the command, in any place; or "help",
// followed by a command, a page, or both.
static bool parse_word(struct options *o, const struct command_row *const *commands,
                       const char *word, struct fault *f) {
    const struct option_topic *topic = o->help ? find_topic(word) : NULL;

    if (topic != NULL && o->topic == NULL) {
        o->topic = topic;
        return true;
    }
    if (o->command != NULL || o->topic != NULL) {
        return usage_error(f, unexpected, word, "");
    }
    if (!o->help && strcmp(word, "help") == 0) {
        o->help = true;
        return true;
    }
    o->command = find_command(commands, word);
    return o->command != NULL || unknown_command(commands, word, o->help, f);
}

// The row of an option, by its long or short name; NULL if there is no such option.
static const struct option_row *find_option(struct rekey_span name) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_table[i];

        if (name.len == 1 ? row->id == (unsigned char)name.ptr[0]
                          : rekey_span_equal(name, rekey_span(row->name, strlen(row->name)))) {
            return row;
        }
    }
    return NULL;
}

// Parses one word with options, and the next word if that is the value. False with *f at an error.
static bool parse_option(struct options *o, char ***at, uint64_t *given, struct fault *f) {
    const char *word = **at + 1, *rest; // what follows the name of the option
    bool longer = word[0] == '-', more = true;

    for (word += longer; more; word = rest) {
        struct rekey_span name = rekey_span(word, longer ? strcspn(word, "=") : 1);
        const struct option_row *row = longer && name.len == 1 ? NULL : find_option(name);
        const char *value = NULL;

        rest = word + name.len;
        if (row == NULL && longer) {
            return unknown_option(name, f);
        }
        if (row == NULL) {
            return usage_error(f, "'-%s' is not an option; see rekey help",
                               visible(name, (char[8]){0}, 8), "");
        }
        more = !longer && row->argument == NULL && *rest != '\0';
        if (row->argument == NULL && longer && *rest != '\0') {
            return usage_error(f, "--%s takes no value", row->name, "");
        }
        if (row->argument != NULL) {
            value = *rest == '\0' ? *++*at : longer ? rest + 1 : rest;
        }
        if (row->argument != NULL && value == NULL) {
            return usage_error(f, longer ? "--%s needs a value: %s" : "-%s needs a value: %s",
                               longer ? row->name : (char[2]){word[0], '\0'}, row->argument);
        }
        o->help |= row->id == OPTION_HELP;
        o->version |= row->id == OPTION_VERSION;
        if (o->help || o->version) {
            return true;
        }
        if (!option_set(o, row->id, value, f)) {
            return false;
        }
        *given |= bit_of(row->id);
    }
    return true;
}

// Parses all words. *given gets a bit for each row of the table.
static bool read_words(struct options *o, const struct command_row *const *commands, char **argv,
                       uint64_t *given, struct fault *f) {
    for (char **at = argv; *at != NULL; at++) {
        if ((*at)[0] != '-' || (*at)[1] == '\0') {
            if (!parse_word(o, commands, *at, f)) {
                return false;
            }
            continue;
        }
        if (strcmp(*at, "--") == 0) { // no option follows, and no other word is accepted
            return at[1] == NULL || usage_error(f, unexpected, at[1], "");
        }
        if (!parse_option(o, &at, given, f)) {
            return false;
        }
        if (o->help || o->version) { // of the following words, only the command counts
            while (o->command == NULL && *++at != NULL) {
                o->command = find_command(commands, *at);
            }
            return true;
        }
    }
    return true;
}

// --ids contains what these options and variables name. The options are refused beside it, and the
// variables are not used.
static bool apply_ids(const struct options *o, uint64_t *given, struct fault *f) {
    static const uint16_t parts[] = {OPTION_SUBSCRIPTION, OPTION_RESOURCE_GROUP, OPTION_WORKSPACE,
                                     OPTION_NAME, OPTION_KIND_OF_ENDPOINT};

    for (size_t i = 0; o->ids && i < sizeof(parts) / sizeof(parts[0]); i++) {
        uint64_t bit = bit_of(parts[i]);

        if ((*given & bit) != 0) {
            return usage_error(f,
                               "--%s cannot be combined with --ids, which names the whole endpoint",
                               find_row(parts[i])->name, "");
        }
        if (parts[i] != OPTION_KIND_OF_ENDPOINT || o->endpoint.serverless) {
            *given |= bit;
        }
    }
    return true;
}

bool options_parse(struct options *o, const struct command_row *const *commands, int argc,
                   char **argv, struct fault *f) {
    uint64_t given = 0;

    *o = (struct options){.cloud = &clouds[0],
                          .settle_ms = OPTION_NOT_GIVEN,
                          .min_age_s = OPTION_NOT_GIVEN,
                          .exec_timeout_ms = 60000,
                          .timeout_ms = REKEY_TIMEOUT_MS,
                          .connect_timeout_ms = REKEY_CONNECT_TIMEOUT_MS,
                          .idle_timeout_ms = REKEY_IDLE_TIMEOUT_MS,
                          .poll_interval_ms = REKEY_POLL_INTERVAL_MS};
    if (!read_words(o, commands, argv + (argc > 0), &given, f)) {
        return false;
    }
    if (o->help || o->version) {
        return true;
    }
    if (o->command == NULL) {
        return missing_command(commands, f);
    }
    if (!apply_ids(o, &given, f)) {
        return false;
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((given & (UINT64_C(1) << i)) != 0 &&
            (option_table[i].group & (o->command->accepts | OPTIONS_ALL)) == 0) {
            return unsupported_option(o->command, commands, &option_table[i], f);
        }
    }
    return apply_environment(o, given, f) && check(o, f);
}
