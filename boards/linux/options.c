// options.c - see options.h. getopt_long finds the options; option_table.c says what each is for.

#include "options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "endpoint.h"
#include "input.h"
#include "text.h"

_Static_assert(OPTION_COUNT <= 64, "a bit for each");

// The bit of an option in the set of those that were given; 0 for what is no option.
static uint64_t bit_of(int id) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (option_table[i].id == id) {
            return UINT64_C(1) << i;
        }
    }
    return 0;
}

// Says what is wrong with the command line as a whole. Always false.
static bool bad(struct fault *f, const char *format, const char *word) {
    char shown[512];

    fault_set(f, REKEY_USAGE, REKEY_E_OPTIONS, format,
              visible(rekey_span(word, strlen(word)), shown, sizeof(shown)));
    return false;
}

// The environment fills in what was not given. Empty variables count as not set.
static bool take_environment(struct options *o, uint64_t given, struct fault *f) {
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
            if (!option_take_management_url(o, "REKEY_MANAGEMENT_URL", value, f)) {
                return false;
            }
        } else {
            option_take(o, variables[i].id, value, f);
        }
    }
    if (o->host.ptr == NULL) {
        o->host = rekey_span(o->cloud->management, strlen(o->cloud->management));
        o->port = 443;
    }
    return true;
}

// ---- what the command must have -----------------------------------------------------------------

static bool is_stdin(const char *file) {
    return file != NULL && strcmp(file, "-") == 0;
}

// The options that a command can need, by their group.
static const struct {
    const char *option, *variable;
    int rule;           // what the core says of a value that it refuses; 0: it refuses none
    uint16_t group, at; // a pointer there in struct options is NULL where it was not given
} needed[] = {
    {"--state", "", 0, OPTIONS_STATE, offsetof(struct options, state)},
    {"--operation-file", "", 0, OPTIONS_OPERATION, offsetof(struct options, operation_file)},
    {"--subscription", ", and so is AZURE_SUBSCRIPTION_ID", REKEY_E_SUBSCRIPTION, OPTIONS_ENDPOINT,
     offsetof(struct options, endpoint.subscription)},
    {"--resource-group", ", and so is AZURE_DEFAULTS_GROUP", REKEY_E_RESOURCE_GROUP,
     OPTIONS_ENDPOINT, offsetof(struct options, endpoint.resource_group)},
    {"--workspace-name", ", and so is AZURE_DEFAULTS_WORKSPACE", REKEY_E_WORKSPACE,
     OPTIONS_ENDPOINT, offsetof(struct options, endpoint.workspace)},
    {"--name", "", REKEY_E_ENDPOINT, OPTIONS_ENDPOINT, offsetof(struct options, endpoint.name)},
    {"--key-type", "", 0, OPTIONS_KEY_TYPE, offsetof(struct options, key_type)},
    {"--api-version", "", REKEY_E_API_VERSION, 0, offsetof(struct options, endpoint.api_version)},
};

#define NEEDED (sizeof(needed) / sizeof(needed[0]))

static const char *value_at(const struct options *o, size_t at) {
    return *(const char *const *)((const char *)o + at);
}

static bool check(const struct options *o, struct fault *f) {
    unsigned needs =
        o->rollback ? o->command->needs & ~(unsigned)OPTIONS_ENDPOINT : o->command->needs;
    int error;

    for (size_t i = 0; i < NEEDED; i++) {
        if ((needed[i].group & needs) != 0 && value_at(o, needed[i].at) == NULL) {
            fault_set(f, REKEY_USAGE, REKEY_E_OPTIONS, "%s is missing%s; see rekey --help",
                      needed[i].option, needed[i].variable);
            return false;
        }
    }
    if ((needs & OPTIONS_ENDPOINT) == 0) {
        return true;
    }
    if (is_stdin(o->key_value_file) && (is_stdin(o->token_file) || is_stdin(o->secret_file))) {
        return option_bad(f, "--key-value-file", "-",
                          "standard input is the token or the secret already");
    }
    error = rekey_endpoint_check(&o->endpoint);
    for (size_t i = 0; error != 0 && i < NEEDED; i++) {
        if (needed[i].rule == error) {
            return option_bad(f, needed[i].option, value_at(o, needed[i].at),
                              rekey_error_text(error));
        }
    }
    return true;
}

// ---- the command line ---------------------------------------------------------------------------

// The names of all commands, as in "a, b or c".
static const char *list(const struct command_row *const *commands) {
    static char text[256];
    size_t len = 0;

    for (size_t i = 0; commands[i] != NULL && len < sizeof(text); i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
                                i == 0                    ? ""
                                : commands[i + 1] == NULL ? " or "
                                                          : ", ",
                                commands[i]->name);
    }
    return text;
}

static bool find_command(struct options *o, const struct command_row *const *commands,
                         const char *word, struct fault *f) {
    char format[300];

    for (size_t i = 0; commands[i] != NULL; i++) {
        if (strcmp(word, commands[i]->name) == 0) {
            o->command = commands[i];
            return true;
        }
    }
    snprintf(format, sizeof(format), "'%%s' is no command: %s", list(commands));
    return bad(f, format, word);
}

// The word that getopt has just found to be no option, or one without its value. What is behind a
// '=' is not shown: it may be a secret.
static bool bad_option(int result, const char *word, struct fault *f) {
    char text[256];

    visible(rekey_span(word, strcspn(word, "=")), text, sizeof(text));
    return bad(f,
               result == ':' ? "%s needs a value; see rekey --help"
                             : "'%s' is no option, or not one alone; see rekey --help",
               text);
}

// getopt_long takes abbreviations. Here they are refused: `--token SECRET` would be --token-file,
// and the message about the file would print the secret. `word` is where getopt found the option.
static bool abbreviated(const char *word, const char *name) {
    return word[0] == '-' && word[1] == '-' &&
           !rekey_span_equal(rekey_span(name, strlen(name)),
                             rekey_span(word + 2, strcspn(word + 2, "=")));
}

// Reads all words. *given gets a bit for each row of the table.
static bool read_words(struct options *o, const struct command_row *const *commands, int argc,
                       char **argv, uint64_t *given, struct fault *f) {
    static const char unexpected[] = "'%s' is one word too many; see rekey --help";
    struct option options[OPTION_COUNT + 1];
    int id, found;

    memset(options, 0, sizeof(options));
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        options[i].name = option_table[i].name;
        options[i].has_arg = option_table[i].argument != NULL;
        options[i].val = option_table[i].id;
    }
    opterr = 0; // its own messages go through stdio
    while (found = -1,
           (id = getopt_long(argc, argv, "-:" OPTION_SHORT_NAMES, options, &found)) != -1) {
        // musl counts a value that is missing.
        const char *word = argv[optind <= argc ? optind - 1 : argc - 1];

        if (found >= 0 && word == optarg) {
            word = argv[optind - 2]; // the value is a word of its own
        }
        if (found >= 0 && abbreviated(word, options[found].name)) {
            return bad_option('?', word, f);
        }
        if (id == 1) { // the command may stand anywhere
            if (o->command != NULL) {
                return bad(f, unexpected, optarg);
            }
            if (!find_command(o, commands, optarg, f)) {
                return false;
            }
        } else if (id == OPTION_HELP || id == OPTION_VERSION) {
            o->help = id == OPTION_HELP;
            o->version = id == OPTION_VERSION;
            return true;
        } else if (id == '?' || id == ':') {
            return bad_option(id, word, f);
        } else if (!option_take(o, id, optarg, f)) {
            return false;
        }
        *given |= bit_of(id);
    }
    return optind >= argc || bad(f, unexpected, argv[optind]);
}

bool options_parse(struct options *o, const struct command_row *const *commands, int argc,
                   char **argv, struct fault *f) {
    uint64_t given = 0;

    *o = (struct options){.cloud = &clouds[0],
                          .settle_ms = OPTION_NOT_GIVEN,
                          .min_age_s = 86400,
                          .exec_timeout_ms = 60000,
                          .timeout_ms = REKEY_TIMEOUT_MS,
                          .connect_timeout_ms = REKEY_CONNECT_TIMEOUT_MS,
                          .idle_timeout_ms = REKEY_IDLE_TIMEOUT_MS,
                          .poll_interval_ms = REKEY_POLL_INTERVAL_MS};
    if (!read_words(o, commands, argc, argv, &given, f)) {
        return false;
    }
    if (o->help || o->version) {
        return true;
    }
    if (o->command == NULL) {
        return bad(f, "no command: %s; see rekey --help", list(commands));
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((given & (UINT64_C(1) << i)) != 0 &&
            (option_table[i].group & (o->command->takes | OPTIONS_ALL)) == 0) {
            return bad(f, "--%s does not go with this command; see rekey --help",
                       option_table[i].name);
        }
    }
    return take_environment(o, given, f) && check(o, f);
}
