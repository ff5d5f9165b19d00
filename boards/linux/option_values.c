// option_values.c - see option_values.h.

#include "option_values.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "option_table.h"
#include "text.h"
#include "url.h"

static struct rekey_span text_of(const char *text) {
    return rekey_span(text, strlen(text));
}

bool option_bad(struct fault *f, const char *name, const char *value, const char *rule) {
    char shown[512];

    fault_set(f, REKEY_USAGE, REKEY_E_OPTIONS, "%s '%s': %s", name,
              visible(text_of(value), shown, sizeof(shown)), rule);
    return false;
}

// ---- options that only set a field --------------------------------------------------------------

enum kind { FLAG, TEXT, NAME };

static const struct {
    uint16_t id, at; // offset in struct options of a bool, a const char *, or a struct rekey_span
    uint8_t kind;
} plain[] = {
#define PLAIN(id, kind, member)                                                                    \
    { OPTION_##id, offsetof(struct options, member), kind }
    PLAIN(SUBSCRIPTION, NAME, endpoint.subscription),
    PLAIN(RESOURCE_GROUP, NAME, endpoint.resource_group),
    PLAIN(WORKSPACE, NAME, endpoint.workspace),
    PLAIN(NAME, NAME, endpoint.name),
    PLAIN(KEY_VALUE_FILE, TEXT, key_value_file),
    PLAIN(TOKEN_FILE, TEXT, token_file),
    PLAIN(SECRET_FILE, TEXT, secret_file),
    PLAIN(CA_FILE, TEXT, ca_file),
    PLAIN(PROXY, TEXT, proxy),
    PLAIN(PROXY_AUTH_FILE, TEXT, proxy_auth_file),
    PLAIN(KEY_GROUP, TEXT, key_group),
    PLAIN(NO_WAIT, FLAG, no_wait),
    PLAIN(RETRY_UNSAFE, FLAG, retry_unsafe),
    PLAIN(SHOW, FLAG, show),
    PLAIN(CHECK_KEYS, FLAG, check_keys),
    PLAIN(PROBE, FLAG, probe),
    PLAIN(ROLLBACK, FLAG, rollback),
    PLAIN(VOLATILE_OK, FLAG, volatile_ok),
    PLAIN(PROMETHEUS, FLAG, prometheus),
    PLAIN(QUIET, FLAG, quiet),
    PLAIN(VERBOSE, FLAG, verbose),
#undef PLAIN
};

// Sets an option of that table. False if it is not in the table.
static bool set_plain(struct options *o, int id, const char *value) {
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        void *at = (char *)o + plain[i].at;

        if (plain[i].id != id) {
            continue;
        }
        if (plain[i].kind == FLAG) {
            *(bool *)at = true;
        } else if (plain[i].kind == TEXT) {
            *(const char **)at = value;
        } else {
            *(struct rekey_span *)at = text_of(value);
        }
        return true;
    }
    return false;
}

static const struct {
    const char *option;
    int32_t to;
    uint16_t id, at; // offset in struct options of an uint32_t
    uint16_t unit;   // how many of its units a second has
    bool zero;       // 0 is allowed; else the least is 1
} times[] = {
#define TIME(option, id, to, unit, zero, member)                                                   \
    { option, to, OPTION_##id, offsetof(struct options, member), unit, zero }
    TIME("--timeout", TIMEOUT, 604800, 1000, false, timeout_ms),
    TIME("--connect-timeout", CONNECT_TIMEOUT, 3600, 1000, false, connect_timeout_ms),
    TIME("--idle-timeout", IDLE_TIMEOUT, 3600, 1000, false, idle_timeout_ms),
    TIME("--poll-interval", POLL_INTERVAL, 600, 1000, true, poll_interval_ms),
    TIME("--settle", SETTLE, 86400, 1000, true, settle_ms),
    TIME("--exec-timeout", EXEC_TIMEOUT, 3600, 1000, false, exec_timeout_ms),
    TIME("--min-age", MIN_AGE, OPTION_MIN_AGE_MAX, 1, true, min_age_s),
#undef TIME
};

// The seconds of a unit, by its letter; 0 if there is no such unit.
static int32_t unit_of(char letter) {
    switch (letter) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    default:
        return 0;
    }
}

// Parses a time: a whole number of seconds, or of the unit that the last letter names. The option
// must be in the table.
static bool parse_time(struct options *o, int id, const char *value, struct fault *f) {
    struct rekey_span digits = text_of(value);
    int32_t unit = digits.len > 0 ? unit_of(value[digits.len - 1]) : 0;
    size_t i = 0;
    int32_t number;
    char rule[80];

    while (times[i].id != id) {
        i++;
    }
    digits.len -= unit != 0;
    unit += unit == 0;
    number = rekey_number(digits, times[i].to + 1);
    if (number < !times[i].zero || number > times[i].to / unit) {
        snprintf(rule, sizeof(rule),
                 "%d to %d seconds: a whole number, or one with a unit, like 10m, 12h, 30d",
                 !times[i].zero, (int)times[i].to);
        return option_bad(f, times[i].option, value, rule);
    }
    *(uint32_t *)(void *)((char *)o + times[i].at) = (uint32_t)(number * unit) * times[i].unit;
    return true;
}

// ---- options with their own rules ---------------------------------------------------------------

bool option_set_management_url(struct options *o, const char *name, const char *text,
                               struct fault *f) {
    struct rekey_url url;
    int error = rekey_url_parse(text_of(text), &url);

    if (error != 0 || url.target.len > 1 || (url.target.len == 1 && url.target.ptr[0] != '/')) {
        return option_bad(f, name, text, "https://HOST or https://HOST:PORT, and nothing else");
    }
    o->host = url.host;
    o->port = url.port;
    return true;
}

// The next part of a resource ID, after a '/'. Moves *at to the end of that part.
static struct rekey_span next_part(const char **at) {
    struct rekey_span part;

    *at += **at == '/';
    part = rekey_span(*at, strcspn(*at, "/"));
    *at += part.len;
    return part;
}

// /subscriptions/ID/resourceGroups/RG/providers/Microsoft.MachineLearningServices/workspaces/WS/
// onlineEndpoints/ENDPOINT, or serverlessEndpoints. The fixed words are compared without regard to
// case, as Azure does; the rules of the names are checked later.
static bool parse_ids(struct options *o, const char *text, struct fault *f) {
    static const char provider[] = "Microsoft.MachineLearningServices";
    struct rekey_span namespace = {"", 0}, part;
    const struct {
        const char *word;
        struct rekey_span *name;
    } parts[] = {{"subscriptions", &o->endpoint.subscription},
                 {"resourceGroups", &o->endpoint.resource_group},
                 {"providers", &namespace},
                 {"workspaces", &o->endpoint.workspace},
                 {"onlineEndpoints", &o->endpoint.name}};
    const char *at = text, *expected = NULL, *before = "";
    char shown[128], rule[256];

    o->ids = true;
    for (size_t i = 0; expected == NULL && i < sizeof(parts) / sizeof(parts[0]); i++) {
        part = next_part(&at);
        o->endpoint.serverless =
            i == 4 && rekey_span_equal_nocase(part, REKEY_SPAN("serverlessEndpoints"));
        if (!o->endpoint.serverless && !rekey_span_equal_nocase(part, text_of(parts[i].word))) {
            expected = parts[i].word;
            break;
        }
        *parts[i].name = part = next_part(&at);
        if (part.len == 0) {
            expected = parts[i].word;
            before = "a name after ";
        } else if (i == 2 && !rekey_span_equal_nocase(part, text_of(provider))) {
            expected = provider;
        }
    }
    if (expected == NULL && *at == '\0' && text[0] == '/') {
        return true;
    }
    if (expected == NULL) {
        part = text_of(text[0] == '/' ? at : text);
        expected = text[0] == '/' ? "the end" : "/subscriptions";
    }
    snprintf(rule, sizeof(rule), "expected %s%s instead of %s%s%s", before, expected,
             part.len > 0 ? "'" : "nothing", visible(part, shown, sizeof(shown)),
             part.len > 0 ? "'" : "");
    return option_bad(f, "--ids", text, rule);
}

static bool parse_key_type(struct options *o, const char *text, struct fault *f) {
    if (rekey_span_equal_nocase(text_of(text), REKEY_SPAN("primary"))) {
        o->key = REKEY_KEY_PRIMARY;
        o->key_type = REKEY_SPAN("Primary");
    } else if (rekey_span_equal_nocase(text_of(text), REKEY_SPAN("secondary"))) {
        o->key = REKEY_KEY_SECONDARY;
        o->key_type = REKEY_SPAN("Secondary");
    } else {
        return option_bad(f, "--key-type", text, "primary or secondary");
    }
    return true;
}

static bool parse_auth(struct options *o, const char *text, struct fault *f) {
    for (size_t i = 1; i < sizeof(auth_names) / sizeof(auth_names[0]); i++) {
        if (strcmp(text, auth_names[i]) == 0) {
            o->auth = (enum auth)i;
            return true;
        }
    }
    return option_bad(f, "--auth", text, "token, secret, certificate, workload, imds or arc");
}

static bool parse_cloud(struct options *o, const char *text, struct fault *f) {
    for (size_t i = 0; i < sizeof(clouds) / sizeof(clouds[0]); i++) {
        if (strcmp(text, clouds[i].name) == 0) {
            o->cloud = &clouds[i];
            return true;
        }
    }
    return option_bad(f, "--cloud", text, "public, usgov or china");
}

// Not access(2) alone: a directory has the x bit as well.
static bool is_program(const char *path) {
    struct stat s;
    bool found = stat(path, &s) == 0;

    if (found && !S_ISREG(s.st_mode)) {
        errno = EACCES;
        return false;
    }
    return found && access(path, X_OK) == 0;
}

bool option_set(struct options *o, int id, const char *value, struct fault *f) {
    if (set_plain(o, id, value)) {
        return true;
    }
    switch (id) {
    case OPTION_IDS:
        return parse_ids(o, value, f);
    case OPTION_AUTH:
        return parse_auth(o, value, f);
    case OPTION_CLOUD:
        return parse_cloud(o, value, f);
    case OPTION_KEY_TYPE:
        return parse_key_type(o, value, f);
    case OPTION_MANAGEMENT_URL:
        return option_set_management_url(o, "--management-url", value, f);
    case OPTION_API_VERSION:
        o->endpoint.api_version = text_of(value);
        return value[0] != '\0' ||
               option_bad(f, "--api-version", value, rekey_error_text(REKEY_E_API_VERSION));
    case OPTION_OPERATION_FILE:
        o->operation_file = value;
        return value[0] != '\0' || option_bad(f, "--operation-file", value, "a file name");
    case OPTION_KIND_OF_ENDPOINT:
        o->endpoint.serverless = strcmp(value, "serverless") == 0;
        return o->endpoint.serverless || strcmp(value, "online") == 0 ||
               option_bad(f, "--kind", value, "online or serverless");
    case OPTION_STATE:
        o->state = value;
        return value[0] != '\0' || option_bad(f, "--state", value, "a directory");
    case OPTION_EXEC:
        o->exec = value;
        return is_program(value) ||
               option_bad(f, "--exec", value,
                          strchr(value, '/') == NULL && errno == ENOENT
                              ? "the path of a program is needed: PATH is not searched"
                              : rekey_posix_error_text(errno));
    case OPTION_OUTPUT:
        o->json = strcmp(value, "json") == 0;
        return o->json || strcmp(value, "text") == 0 ||
               option_bad(f, "--output", value, "text or json");
    default:
        return parse_time(o, id, value, f);
    }
}
