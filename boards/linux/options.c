// options.c - see options.h. getopt_long finds the options; one table says what each is for.

#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <mbedtls/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "endpoint.h"
#include "output.h"
#include "url.h"

#define KEYS (COMMAND_REGENERATE | COMMAND_LIST_KEYS | COMMAND_ROTATE | COMMAND_SYNC)
#define ENDPOINT (KEYS | COMMAND_SHOW)
#define MANAGEMENT (ENDPOINT | COMMAND_WAIT)
#define NETWORK (MANAGEMENT | COMMAND_TOKEN)
#define ALL (NETWORK | COMMAND_STATUS)
#define OPERATION (COMMAND_REGENERATE | COMMAND_WAIT)
#define POLLS (OPERATION | COMMAND_ROTATE)
#define SWITCH (COMMAND_ROTATE | COMMAND_SYNC)

enum option_id {
    SUBSCRIPTION = 256,
    RESOURCE_GROUP = 'g',
    WORKSPACE = 'w',
    NAME = 'n',
    OUTPUT = 'o',
    QUIET = 'q',
    VERBOSE = 'v',
    HELP = 'h',
    VERSION = 'V',
    KEY_TYPE = 300,
    KEY_VALUE_FILE,
    AUTH,
    CLOUD,
    TOKEN_FILE,
    SECRET_FILE,
    MANAGEMENT_URL,
    CA_FILE,
    PROXY,
    PROXY_AUTH_FILE,
    API_VERSION,
    TIMEOUT,
    CONNECT_TIMEOUT,
    IDLE_TIMEOUT,
    POLL_INTERVAL,
    OPERATION_FILE,
    NO_WAIT,
    RETRY_UNSAFE,
    SHOW,
    KIND,
    CHECK_KEYS,
    STATE,
    SETTLE,
    PROBE,
    MIN_AGE,
    ROLLBACK,
    EXEC,
    EXEC_TIMEOUT,
    KEY_GROUP,
    VOLATILE_OK,
    PROMETHEUS,
};

static const struct {
    struct option getopt; // its flag is not used
    unsigned commands;    // that take it
    const char *argument, *help;
} table[] = {
    {{"subscription", 1, 0, SUBSCRIPTION}, ENDPOINT, "ID", "subscription [AZURE_SUBSCRIPTION_ID]"},
    {{"resource-group", 1, 0, RESOURCE_GROUP},
     ENDPOINT,
     "RG",
     "resource group [AZURE_DEFAULTS_GROUP]"},
    {{"workspace-name", 1, 0, WORKSPACE}, ENDPOINT, "WS", "workspace [AZURE_DEFAULTS_WORKSPACE]"},
    {{"name", 1, 0, NAME}, ENDPOINT, "ENDPOINT", "online endpoint"},
    {{"key-type", 1, 0, KEY_TYPE},
     COMMAND_REGENERATE | COMMAND_LIST_KEYS | COMMAND_SYNC,
     "primary|secondary",
     "which key; regenerate, and the first sync, have no default"},
    {{"key-value-file", 1, 0, KEY_VALUE_FILE},
     COMMAND_REGENERATE,
     "FILE",
     "a key value to set (-: stdin)"},
    {{"auth", 1, 0, AUTH},
     NETWORK,
     "KIND",
     "token, secret, certificate, workload, arc or imds; default the first that is there"},
    {{"cloud", 1, 0, CLOUD}, NETWORK, "public|usgov|china", "default public"},
    {{"token-file", 1, 0, TOKEN_FILE},
     NETWORK,
     "FILE",
     "bearer token (-: stdin) [AZURE_ACCESS_TOKEN]"},
    {{"secret-file", 1, 0, SECRET_FILE},
     NETWORK,
     "FILE",
     "client secret (-: stdin) [AZURE_CLIENT_SECRET]"},
    {{"management-url", 1, 0, MANAGEMENT_URL},
     MANAGEMENT,
     "URL",
     "default that of --cloud [REKEY_MANAGEMENT_URL]"},
    {{"ca-file", 1, 0, CA_FILE},
     NETWORK,
     "FILE",
     "trust anchors in PEM; default the system's [SSL_CERT_FILE]"},
    {{"proxy", 1, 0, PROXY},
     NETWORK,
     "URL",
     "http://HOST[:PORT], default port 80 [HTTPS_PROXY, NO_PROXY]"},
    {{"proxy-auth-file", 1, 0, PROXY_AUTH_FILE}, NETWORK, "FILE", "user:password for the proxy"},
    {{"api-version", 1, 0, API_VERSION}, ENDPOINT, "V", "default 2025-09-01"},
    {{"timeout", 1, 0, TIMEOUT}, NETWORK, "S", "seconds for everything; default 1800"},
    {{"connect-timeout", 1, 0, CONNECT_TIMEOUT},
     NETWORK,
     "S",
     "seconds for one connection; default 15"},
    {{"idle-timeout", 1, 0, IDLE_TIMEOUT},
     NETWORK,
     "S",
     "seconds without a byte of an answer; default 100"},
    {{"poll-interval", 1, 0, POLL_INTERVAL},
     POLLS,
     "S",
     "seconds between polls where the service names no wait; default 10"},
    {{"operation-file", 1, 0, OPERATION_FILE},
     OPERATION,
     "FILE",
     "where an unfinished operation is kept"},
    {{"no-wait", 0, 0, NO_WAIT},
     COMMAND_REGENERATE,
     NULL,
     "stop once the service has accepted (exit 13)"},
    {{"retry-unsafe", 0, 0, RETRY_UNSAFE},
     COMMAND_REGENERATE,
     NULL,
     "repeat the request even where it may have been executed"},
    {{"show", 0, 0, SHOW},
     COMMAND_LIST_KEYS | COMMAND_TOKEN,
     NULL,
     "print keys on a terminal, too; print the token"},
    {{"kind", 1, 0, KIND}, KEYS, "online|serverless", "of the endpoint; default online"},
    {{"check-keys", 0, 0, CHECK_KEYS},
     COMMAND_REGENERATE,
     NULL,
     "list the keys before and after, and compare"},
    {{"state", 1, 0, STATE},
     SWITCH | COMMAND_STATUS,
     "DIR",
     "where the key, and what a rotation keeps, lie"},
    {{"settle", 1, 0, SETTLE},
     SWITCH,
     "S",
     "seconds from the listing of a new key to its use; default 60, with sync 0"},
    {{"probe", 0, 0, PROBE}, COMMAND_ROTATE, NULL, "instead: until the scoring URI takes it"},
    {{"min-age", 1, 0, MIN_AGE},
     COMMAND_ROTATE,
     "S",
     "seconds between two rotations; default 86400"},
    {{"rollback", 0, 0, ROLLBACK}, COMMAND_ROTATE, NULL, "put the key before back, and end"},
    {{"exec", 1, 0, EXEC}, SWITCH, "PROGRAM", "run it when the key has changed"},
    {{"exec-timeout", 1, 0, EXEC_TIMEOUT}, SWITCH, "S", "seconds that it may take; default 60"},
    {{"key-group", 1, 0, KEY_GROUP}, SWITCH, "GROUP", "the key file is mode 0640, and the group's"},
    {{"volatile-ok", 0, 0, VOLATILE_OK},
     SWITCH,
     NULL,
     "take a DIR that does not survive a restart"},
    {{"prometheus", 0, 0, PROMETHEUS},
     COMMAND_STATUS,
     NULL,
     "print metrics for a textfile collector"},
    {{"output", 1, 0, OUTPUT}, ALL, "text|json", "form of standard output"},
    {{"quiet", 0, 0, QUIET}, ALL, NULL, "only errors and the last line"},
    {{"verbose", 0, 0, VERBOSE}, ALL, NULL, "each request and answer, without secrets"},
    {{"help", 0, 0, HELP}, ALL, NULL, "this text"},
    {{"version", 0, 0, VERSION}, ALL, NULL, "versions and limits"},
};

#define OPTIONS (sizeof(table) / sizeof(table[0]))
_Static_assert(OPTIONS <= 64, "a bit for each");

// The bit of an option in the set of those that were given; 0 for what is no option.
static uint64_t bit_of(int id) {
    for (size_t i = 0; i < OPTIONS; i++) {
        if (table[i].getopt.val == id) {
            return UINT64_C(1) << i;
        }
    }
    return 0;
}

static void print_help(void) {
    out("rekey " REKEY_VERSION
        " - regenerates the keys of an Azure Machine Learning online endpoint\n\n"
        "  rekey regenerate --subscription ID -g RG -w WS -n ENDPOINT --key-type "
        "primary|secondary\n"
        "  rekey list-keys  --subscription ID -g RG -w WS -n ENDPOINT [--key-type "
        "primary|secondary]\n"
        "  rekey wait       --operation-file FILE\n"
        "  rekey token      [--show]                       checks the identity\n"
        "  rekey show       --subscription ID -g RG -w WS -n ENDPOINT\n"
        "  rekey rotate     --state DIR --subscription ID -g RG -w WS -n ENDPOINT [--exec "
        "PROGRAM]\n"
        "  rekey sync       --state DIR --key-type primary|secondary, and as rotate: follows one\n"
        "  rekey status     --state DIR [--prometheus]     what the last run came to\n\n"
        "Options (in brackets the environment variable that serves as well):\n");
    for (size_t i = 0; i < OPTIONS; i++) {
        int id = table[i].getopt.val;
        char name[64];

        snprintf(name, sizeof(name), "--%s %s", table[i].getopt.name,
                 table[i].argument != NULL ? table[i].argument : "");
        if (id < 256) {
            out("  -%c, %-33s %s\n", id, name, table[i].help);
        } else {
            out("      %-33s %s\n", name, table[i].help);
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

static void print_version(void) {
    out("rekey " REKEY_VERSION " (" REKEY_BOARD ")\n" MBEDTLS_VERSION_STRING_FULL
        "\njsmn " REKEY_JSMN_VERSION "\napi-version 2025-09-01\n"
        "limits: REKEY_URL_MAX=%d REKEY_TOKEN_MAX=%d REKEY_STAGING_MAX=%d REKEY_KEY_VALUE_MAX=%d "
        "REKEY_JSON_TOKENS=%d\nstruct rekey: %zu bytes\n",
        REKEY_URL_MAX, REKEY_TOKEN_MAX, REKEY_STAGING_MAX, REKEY_KEY_VALUE_MAX, REKEY_JSON_TOKENS,
        sizeof(struct rekey));
}

static struct rekey_span text_of(const char *text) {
    return rekey_span(text, text == NULL ? 0 : strlen(text));
}

static const char *shown(const char *text) {
    static char buf[512];

    return visible(text_of(text), buf, sizeof(buf));
}

// One bad option: its name, its value, its rule. Always false.
static bool bad(const char *name, const char *value, const char *rule) {
    say("error: %s '%s': %s", name, shown(value), rule);
    return false;
}

static bool parse_number(const char *name, const char *text, int32_t from, int32_t to,
                         uint32_t *value) {
    int32_t number = rekey_number(text_of(text), to + 1);
    char rule[64];

    if (number < from || number > to) {
        snprintf(rule, sizeof(rule), "a whole number of seconds from %d to %d", (int)from, (int)to);
        return bad(name, text, rule);
    }
    *value = (uint32_t)number;
    return true;
}

static bool parse_seconds(const char *name, const char *text, int32_t from, int32_t to,
                          uint32_t *ms) {
    bool ok = parse_number(name, text, from, to, ms);

    *ms *= 1000;
    return ok;
}

static bool parse_management_url(struct command_options *o, const char *name, const char *text) {
    struct rekey_url url;
    int error = rekey_url_parse(text_of(text), &url);

    if (error != 0 || url.target.len > 1 || (url.target.len == 1 && url.target.ptr[0] != '/')) {
        return bad(name, text, "https://HOST or https://HOST:PORT, and nothing else");
    }
    o->host = url.host;
    o->port = url.port;
    return true;
}

static bool parse_key_type(struct command_options *o, const char *text) {
    if (rekey_span_equal_nocase(text_of(text), REKEY_SPAN("primary"))) {
        o->key = REKEY_KEY_PRIMARY;
    } else if (rekey_span_equal_nocase(text_of(text), REKEY_SPAN("secondary"))) {
        o->key = REKEY_KEY_SECONDARY;
    } else {
        return bad("--key-type", text, "primary or secondary");
    }
    return true;
}

static bool parse_auth(struct command_options *o, const char *text) {
    for (size_t i = 1; i < sizeof(auth_names) / sizeof(auth_names[0]); i++) {
        if (strcmp(text, auth_names[i]) == 0) {
            o->auth = (enum auth)i;
            return true;
        }
    }
    return bad("--auth", text, "token, secret, certificate, workload, imds or arc");
}

static bool parse_cloud(struct command_options *o, const char *text) {
    for (size_t i = 0; i < sizeof(clouds) / sizeof(clouds[0]); i++) {
        if (strcmp(text, clouds[i].name) == 0) {
            o->cloud = &clouds[i];
            return true;
        }
    }
    return bad("--cloud", text, "public, usgov or china");
}

// A directory can be "executed", too.
static bool is_program(const char *path) {
    struct stat s;
    bool found = stat(path, &s) == 0;

    if (found && !S_ISREG(s.st_mode)) {
        errno = EACCES;
        return false;
    }
    return found && access(path, X_OK) == 0;
}

static bool take(struct command_options *o, int id, const char *value) {
    switch (id) {
    case AUTH:
        return parse_auth(o, value);
    case CLOUD:
        return parse_cloud(o, value);
    case SECRET_FILE:
        o->secret_file = value;
        return true;
    case SUBSCRIPTION:
        o->endpoint.subscription = text_of(value);
        return true;
    case RESOURCE_GROUP:
        o->endpoint.resource_group = text_of(value);
        return true;
    case WORKSPACE:
        o->endpoint.workspace = text_of(value);
        return true;
    case NAME:
        o->endpoint.name = text_of(value);
        return true;
    case KEY_TYPE:
        return parse_key_type(o, value);
    case KEY_VALUE_FILE:
        o->key_value_file = value;
        return true;
    case TOKEN_FILE:
        o->token_file = value;
        return true;
    case MANAGEMENT_URL:
        return parse_management_url(o, "--management-url", value);
    case CA_FILE:
        o->ca_file = value;
        return true;
    case PROXY:
        o->proxy = value;
        return true;
    case PROXY_AUTH_FILE:
        o->proxy_auth_file = value;
        return true;
    case API_VERSION:
        o->endpoint.api_version = text_of(value);
        return value[0] != '\0' ||
               bad("--api-version", value, rekey_error_text(REKEY_E_API_VERSION));
    case TIMEOUT:
        return parse_seconds("--timeout", value, 1, 604800, &o->timeout_ms);
    case CONNECT_TIMEOUT:
        return parse_seconds("--connect-timeout", value, 1, 3600, &o->connect_timeout_ms);
    case IDLE_TIMEOUT:
        return parse_seconds("--idle-timeout", value, 1, 3600, &o->idle_timeout_ms);
    case POLL_INTERVAL:
        return parse_seconds("--poll-interval", value, 0, 600, &o->poll_interval_ms);
    case OPERATION_FILE:
        o->operation_file = value;
        return value[0] != '\0' || bad("--operation-file", value, "a file name");
    case NO_WAIT:
        o->no_wait = true;
        return true;
    case RETRY_UNSAFE:
        o->retry_unsafe = true;
        return true;
    case SHOW:
        o->show = true;
        return true;
    case KIND:
        o->endpoint.serverless = strcmp(value, "serverless") == 0;
        return o->endpoint.serverless || strcmp(value, "online") == 0 ||
               bad("--kind", value, "online or serverless");
    case CHECK_KEYS:
        o->check_keys = true;
        return true;
    case STATE:
        o->state = value;
        return value[0] != '\0' || bad("--state", value, "a directory");
    case SETTLE:
        return parse_seconds("--settle", value, 0, 86400, &o->settle_ms);
    case PROBE:
        o->probe = true;
        return true;
    case MIN_AGE:
        return parse_number("--min-age", value, 0, 100000000, &o->min_age_s);
    case ROLLBACK:
        o->rollback = true;
        return true;
    case EXEC:
        o->exec = value;
        return is_program(value) || bad("--exec", value, error_word(errno));
    case EXEC_TIMEOUT:
        return parse_seconds("--exec-timeout", value, 1, 3600, &o->exec_timeout_ms);
    case KEY_GROUP:
        o->key_group = value;
        return true;
    case VOLATILE_OK:
        o->volatile_ok = true;
        return true;
    case PROMETHEUS:
        o->prometheus = true;
        return true;
    case QUIET:
        o->quiet = true;
        return true;
    case VERBOSE:
        o->verbose = true;
        return true;
    default: // OUTPUT
        o->json = strcmp(value, "json") == 0;
        return o->json || strcmp(value, "text") == 0 || bad("--output", value, "text or json");
    }
}

// The environment fills in what was not given. Empty variables count as not set.
static bool take_defaults(struct command_options *o, uint64_t given) {
    static const struct {
        const char *variable;
        int id;
    } variables[] = {
        {"AZURE_SUBSCRIPTION_ID", SUBSCRIPTION},
        {"AZURE_DEFAULTS_GROUP", RESOURCE_GROUP},
        {"AZURE_DEFAULTS_WORKSPACE", WORKSPACE},
        {"REKEY_MANAGEMENT_URL", MANAGEMENT_URL},
        {"SSL_CERT_FILE", CA_FILE},
    };

    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        const char *value = getenv(variables[i].variable);

        if (value == NULL || value[0] == '\0' || (given & bit_of(variables[i].id)) != 0) {
            continue;
        }
        if (variables[i].id == MANAGEMENT_URL) {
            if (!parse_management_url(o, "REKEY_MANAGEMENT_URL", value)) {
                return false;
            }
        } else {
            take(o, variables[i].id, value);
        }
    }
    if (o->host.ptr == NULL) {
        o->host = text_of(o->cloud->management);
        o->port = 443;
    }
    return true;
}

static bool is_stdin(const char *file) {
    return file != NULL && strcmp(file, "-") == 0;
}

static bool missing(const char *name, const char *variable) {
    say("error: %s is missing%s%s; see rekey --help", name,
        variable[0] != '\0' ? ", and so is " : "", variable);
    return false;
}

// What the command must have; then what the core would refuse, with the option's name.
static bool check(const struct command_options *o) {
    static const struct {
        int error;
        const char *option;
    } names[] = {
        {REKEY_E_SUBSCRIPTION, "--subscription"}, {REKEY_E_RESOURCE_GROUP, "--resource-group"},
        {REKEY_E_WORKSPACE, "--workspace-name"},  {REKEY_E_ENDPOINT, "--name"},
        {REKEY_E_API_VERSION, "--api-version"},
    };
    const struct rekey_endpoint *e = &o->endpoint;
    const struct rekey_span values[] = {e->subscription, e->resource_group, e->workspace, e->name,
                                        e->api_version};
    int error;

    if (o->command == COMMAND_TOKEN) {
        return true;
    }
    if ((o->command & (SWITCH | COMMAND_STATUS)) != 0 && o->state == NULL) {
        return missing("--state", "");
    }
    if (o->command == COMMAND_STATUS || o->rollback) {
        return true;
    }
    if (o->command == COMMAND_WAIT) {
        return o->operation_file != NULL || missing("--operation-file", "");
    }
    if (e->subscription.ptr == NULL) {
        return missing("--subscription", "AZURE_SUBSCRIPTION_ID");
    }
    if (e->resource_group.ptr == NULL) {
        return missing("--resource-group", "AZURE_DEFAULTS_GROUP");
    }
    if (e->workspace.ptr == NULL) {
        return missing("--workspace-name", "AZURE_DEFAULTS_WORKSPACE");
    }
    if (e->name.ptr == NULL) {
        return missing("--name", "");
    }
    if (o->command == COMMAND_REGENERATE && o->key == 0) {
        return missing("--key-type", "");
    }
    if (is_stdin(o->key_value_file) && (is_stdin(o->token_file) || is_stdin(o->secret_file))) {
        return bad("--key-value-file", "-", "standard input is the token or the secret already");
    }
    error = rekey_endpoint_check(e);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].error == error) {
            return bad(names[i].option, values[i].ptr, rekey_error_text(error));
        }
    }
    return true;
}

#define COMMANDS "regenerate, list-keys, wait, token, show, rotate, sync or status"

static bool parse_command(struct command_options *o, const char *word) {
    static const struct {
        const char *word;
        enum verb command;
    } commands[] = {{"regenerate", COMMAND_REGENERATE},
                    {"wait", COMMAND_WAIT},
                    {"list-keys", COMMAND_LIST_KEYS},
                    {"token", COMMAND_TOKEN},
                    {"show", COMMAND_SHOW},
                    {"rotate", COMMAND_ROTATE},
                    {"sync", COMMAND_SYNC},
                    {"status", COMMAND_STATUS}};

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(word, commands[i].word) == 0) {
            o->command = commands[i].command;
            return true;
        }
    }
    say("error: '%s' is no command: " COMMANDS, shown(word));
    return false;
}

// The word that getopt has just found to be no option, or one without its value. What is behind a
// '=' is not shown: it may be a secret.
static bool bad_option(int result, const char *word) {
    char text[256];

    visible(rekey_span(word, strcspn(word, "=")), text, sizeof(text));
    if (result == ':') {
        say("error: %s needs a value; see rekey --help", text);
    } else {
        say("error: '%s' is no option, or not one alone; see rekey --help", text);
    }
    return false;
}

// getopt_long takes abbreviations. Here they are refused: `--token SECRET` would be --token-file,
// and the message about the file would print the secret. `word` is where getopt found the option.
static bool abbreviated(const char *word, const char *name) {
    return word[0] == '-' && word[1] == '-' &&
           !rekey_span_equal(text_of(name), rekey_span(word + 2, strcspn(word + 2, "=")));
}

static bool parse(struct command_options *o, int argc, char **argv, bool *ended) {
    struct option options[OPTIONS + 1];
    uint64_t given = 0; // a bit for each row of the table
    int id, found;

    memset(options, 0, sizeof(options));
    for (size_t i = 0; i < OPTIONS; i++) {
        options[i] = table[i].getopt;
    }
    opterr = 0; // its own messages go through stdio
    while (found = -1, (id = getopt_long(argc, argv, "-:g:w:n:o:qvhV", options, &found)) != -1) {
        // musl counts a value that is missing.
        const char *word = argv[optind <= argc ? optind - 1 : argc - 1];

        if (found >= 0 && word == optarg) {
            word = argv[optind - 2]; // the value is a word of its own
        }
        if (found >= 0 && abbreviated(word, options[found].name)) {
            return bad_option('?', word);
        }
        if (id == 1) { // the command may stand anywhere
            if (o->command != 0) {
                say("error: '%s' is one word too many; see rekey --help", shown(optarg));
                return false;
            }
            if (!parse_command(o, optarg)) {
                return false;
            }
        } else if (id == HELP || id == VERSION) {
            (id == HELP ? print_help : print_version)();
            *ended = true;
            return true;
        } else if (id == '?' || id == ':') {
            return bad_option(id, word);
        } else if (!take(o, id, optarg)) {
            return false;
        }
        given |= bit_of(id);
    }
    if (optind < argc) {
        say("error: '%s' is one word too many; see rekey --help", shown(argv[optind]));
        return false;
    }
    if (o->command == 0) {
        say("error: no command: " COMMANDS "; see rekey --help");
        return false;
    }
    for (size_t i = 0; i < OPTIONS; i++) {
        if ((given & (UINT64_C(1) << i)) != 0 && (table[i].commands & o->command) == 0) {
            say("error: --%s does not go with this command; see rekey --help",
                table[i].getopt.name);
            return false;
        }
    }
    if (o->command == COMMAND_SYNC && (given & bit_of(SETTLE)) == 0) {
        o->settle_ms = 0;
    }
    return take_defaults(o, given) && check(o);
}

bool parse_options(struct command_options *o, int argc, char **argv, int *exit_code) {
    bool ended = false;

    *o = (struct command_options){.cloud = &clouds[0],
                                  .settle_ms = 60000,
                                  .min_age_s = 86400,
                                  .exec_timeout_ms = 60000,
                                  .timeout_ms = REKEY_TIMEOUT_MS,
                                  .connect_timeout_ms = REKEY_CONNECT_TIMEOUT_MS,
                                  .idle_timeout_ms = REKEY_IDLE_TIMEOUT_MS,
                                  .poll_interval_ms = REKEY_POLL_INTERVAL_MS};
    if (!parse(o, argc, argv, &ended)) {
        *exit_code = REKEY_USAGE;
        say("outcome=usage exit=%d", *exit_code);
        return false;
    }
    if (ended) {
        *exit_code = out_flush() ? REKEY_SUCCEEDED : REKEY_LOCAL;
        if (*exit_code != 0) {
            say("error: standard output could not be written");
            say("outcome=local exit=%d", *exit_code);
        }
        return false;
    }
    return true;
}
