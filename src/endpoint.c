// endpoint.c - checks the names, and builds and reads the paths and bodies of docs/service.md 1.

#include "endpoint.h"

#include <stdio.h>

#include "http.h"

// The names of struct rekey_endpoint, in its order.
enum { RESOURCE_GROUP = 1, API_VERSION = 4, NAMES };

_Static_assert(offsetof(struct rekey_endpoint, serverless) == NAMES * sizeof(struct rekey_span),
               "it is read as an array of its names");

// Code points above ASCII that are certainly not letters. The service checks all others.
static bool may_be_letter(uint32_t code) {
    static const struct {
        uint16_t first, last;
    } not_letters[] = {
        {0x80, 0xA9},     {0xAB, 0xB4},     {0xB6, 0xB9},     {0xBB, 0xBF},     {0xD7, 0xD7},
        {0xF7, 0xF7},     {0x2000, 0x206F}, {0x20A0, 0x20CF}, {0x2190, 0x2BFF}, {0x3000, 0x3004},
        {0xE000, 0xF8FF}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xFFF0, 0xFFFF},
    };

    for (size_t i = 0; i < sizeof(not_letters) / sizeof(not_letters[0]); i++) {
        if (code >= not_letters[i].first && code <= not_letters[i].last) {
            return false;
        }
    }
    return code < 0xE0000;
}

// The rule of a name: from..to characters, each a letter, a digit, or one of `more`.
struct rule {
    uint8_t from, to;
    bool alnum_first;
    int8_t error;
    char more[6];
};

// A resource group may have letters beyond ASCII, and must not end in '.'.
static bool fits(struct rekey_span text, const struct rule *rule) {
    bool group = rule->error == REKEY_E_RESOURCE_GROUP;
    size_t points = 0;

    for (size_t at = 0; at < text.len; points++) {
        uint32_t code;
        size_t len = rekey_utf8(text, at, &code);
        char c = text.ptr[at];

        if (len > 1 ? !group || !may_be_letter(code)
                    : len == 0 || (!rekey_is_alnum(c) && !rekey_is_one_of(c, rule->more))) {
            return false;
        }
        at += len;
    }
    return points >= rule->from && points <= rule->to &&
           (!rule->alnum_first || rekey_is_alnum(text.ptr[0])) &&
           (!group || text.ptr[text.len - 1] != '.');
}

int rekey_endpoint_check(const struct rekey_endpoint *e) {
    static const struct rule rules[NAMES] = {
        {1, 64, false, REKEY_E_SUBSCRIPTION, "-"}, {1, 90, false, REKEY_E_RESOURCE_GROUP, "-_.()"},
        {3, 33, true, REKEY_E_WORKSPACE, "_-"},    {1, 255, true, REKEY_E_ENDPOINT, "_-"},
        {0, 32, false, REKEY_E_API_VERSION, ".-"},
    };
    struct rekey_span name;

    for (size_t i = 0; i < NAMES; i++) {
        memcpy(&name, (const char *)e + i * sizeof(name), sizeof(name));
        if (!fits(name, &rules[i])) {
            return rules[i].error;
        }
    }
    return 0;
}

// Of the bytes that the check allows, only those above ASCII are not allowed in a path. Each of
// them becomes %XX (RFC 3986 2.1), from the last to the first, so that the path can be encoded in
// place.
static size_t percent_encode(char *buf, size_t len) {
    size_t encoded = len;
    size_t to;

    for (size_t i = 0; i < len; i++) {
        encoded += (buf[i] & 0x80) != 0 ? 2 : 0;
    }
    to = encoded;
    while (to > len) {
        unsigned char c = (unsigned char)buf[--len];

        buf[--to] = (char)c;
        if (c >= 0x80) {
            rekey_hex(c, buf + to - 1);
            to -= 2;
            buf[to] = '%';
        }
    }
    return encoded;
}

size_t rekey_endpoint_path(const struct rekey_endpoint *e, struct rekey_span action, char *buf) {
    struct rekey_http_cursor start = {0};
    struct rekey_span values[NAMES + 2];

    memcpy(values, e, NAMES * sizeof(values[0]));
    if (e->api_version.len == 0) {
        values[API_VERSION] = REKEY_SPAN("2025-09-01");
    }
    values[NAMES] = action;
    values[NAMES + 1] = e->serverless ? REKEY_SPAN("serverless") : REKEY_SPAN("online");
    return percent_encode(
        buf, rekey_http_emit("/subscriptions/\200/resourceGroups/\201/providers/"
                             "Microsoft.MachineLearningServices/workspaces/\202/\206Endpoints/"
                             "\203\205?api-version=\204",
                             values, &start, buf, REKEY_PATH_MAX));
}

size_t rekey_endpoint_body(enum rekey_key key, struct rekey_span key_value, char *buf, size_t cap) {
    const char *name = key == REKEY_KEY_PRIMARY ? "Primary" : "Secondary";
    char *escaped = buf + cap / 2; // the body is written to the first half
    size_t len = rekey_json_escape(key_value, escaped, cap / 2);

    return (size_t)snprintf(buf, cap / 2,
                            len > 0 ? "{\"keyType\":\"%s\",\"keyValue\":\"%.*s\"}"
                                    : "{\"keyType\":\"%s\"}",
                            name, (int)len, escaped);
}

// Reads one of the two keys. If the member is null or missing, the service has no such key.
static int read_key(struct rekey_key_value *key, const struct rekey_json *json, int at,
                    uint32_t *needed) {
    size_t length;

    key->null = at == -1 || rekey_json_is_null(json, at);
    if (key->null) {
        return 0;
    }
    if (!rekey_json_is_string(json, at)) {
        return at < -1 ? at : REKEY_E_JSON_KEYS;
    }
    key->len = (uint16_t)rekey_json_string(json, at, key->value, sizeof(key->value), &length);
    if (length > key->len) {
        *needed = (uint32_t)length;
        return REKEY_E_LIMIT_KEY_VALUE;
    }
    return 0;
}

int rekey_endpoint_keys(void *out, const struct rekey_json *json, uint32_t *needed) {
    struct rekey_keys *keys = out;
    int primary = rekey_json_find(json, 0, "primaryKey");
    int secondary = rekey_json_find(json, 0, "secondaryKey");
    int error;

    if (primary == -1 && secondary == -1) {
        return REKEY_E_JSON_KEYS;
    }
    error = read_key(&keys->primary, json, primary, needed);
    return error != 0 ? error : read_key(&keys->secondary, json, secondary, needed);
}
