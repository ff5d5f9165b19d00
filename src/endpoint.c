// endpoint.c - the names, the paths and the bodies of azure.md 1, and nothing of HTTP.

#include "endpoint.h"

#include <stdio.h>

#include "json.h"
#include "url.h"

// Whether `text` has from..to bytes, all of them letters, digits, or in `more`.
static bool made_of(struct rekey_span text, size_t from, size_t to, const char *more) {
    if (text.len < from || text.len > to) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!rekey_is_alnum(c) && !rekey_is_one_of(c, more)) {
            return false;
        }
    }
    return true;
}

// Code points beyond ASCII that are certainly no letters. The service knows the rest.
static bool may_be_letter(uint32_t code) {
    static const struct {
        uint32_t first, last;
    } not_letters[] = {
        {0x80, 0xA9},     {0xAB, 0xB4},     {0xB6, 0xB9},     {0xBB, 0xBF},     {0xD7, 0xD7},
        {0xF7, 0xF7},     {0x2000, 0x206F}, {0x20A0, 0x20CF}, {0x2190, 0x2BFF}, {0x3000, 0x3004},
        {0xE000, 0xF8FF}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xFFF0, 0xFFFF}, {0xE0000, 0x10FFFF},
    };

    for (size_t i = 0; i < sizeof(not_letters) / sizeof(not_letters[0]); i++) {
        if (code >= not_letters[i].first && code <= not_letters[i].last) {
            return false;
        }
    }
    return true;
}

static bool resource_group_valid(struct rekey_span text) {
    size_t points = 0;

    for (size_t at = 0; at < text.len; points++) {
        uint32_t code;
        size_t len = rekey_utf8(text, at, &code);

        if (len == 0 || (code < 0x80 ? !made_of(rekey_span(text.ptr + at, 1), 1, 1, "-_.()")
                                     : !may_be_letter(code))) {
            return false;
        }
        at += len;
    }
    return points >= 1 && points <= 90 && text.ptr[text.len - 1] != '.';
}

int rekey_endpoint_check(const struct rekey_endpoint *e) {
    if (!made_of(e->subscription, 1, 64, "-")) {
        return REKEY_E_SUBSCRIPTION;
    }
    if (!resource_group_valid(e->resource_group)) {
        return REKEY_E_RESOURCE_GROUP;
    }
    if (!made_of(e->workspace, 3, 33, "_-") || !rekey_is_alnum(e->workspace.ptr[0])) {
        return REKEY_E_WORKSPACE;
    }
    if (!made_of(e->name, 1, 255, "_-") || !rekey_is_alnum(e->name.ptr[0])) {
        return REKEY_E_ENDPOINT;
    }
    if (!made_of(e->api_version, 0, 32, ".-")) {
        return REKEY_E_API_VERSION;
    }
    return 0;
}

size_t rekey_endpoint_path(const struct rekey_endpoint *e, struct rekey_span action, char *buf) {
    const struct rekey_span version =
        e->api_version.len > 0 ? e->api_version : REKEY_SPAN("2025-09-01");
    const struct {
        struct rekey_span fixed, segment;
    } parts[] = {
        {REKEY_SPAN("/subscriptions/"), e->subscription},
        {REKEY_SPAN("/resourceGroups/"), e->resource_group},
        {REKEY_SPAN("/providers/Microsoft.MachineLearningServices/workspaces/"), e->workspace},
        {REKEY_SPAN("/onlineEndpoints/"), e->name},
        {REKEY_SPAN("/"), action},
        {REKEY_SPAN("?api-version="), version},
    };
    size_t len = 0;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        memcpy(buf + len, parts[i].fixed.ptr, parts[i].fixed.len);
        len += parts[i].fixed.len;
        rekey_url_append_segment(buf, &len, parts[i].segment);
    }
    return len;
}

size_t rekey_endpoint_body(enum rekey_key key, struct rekey_span key_value, char *buf, size_t cap) {
    const char *name = key == REKEY_KEY_PRIMARY ? "Primary" : "Secondary";
    const char *rest = key_value.len > 0 ? ",\"keyValue\":\"" : "}";
    size_t len = (size_t)snprintf(buf, cap, "{\"keyType\":\"%s\"%s", name, rest);

    if (key_value.len > 0) {
        len += rekey_json_escape(key_value, buf + len, cap - len - 2);
        buf[len++] = '"';
        buf[len++] = '}';
    }
    return len;
}

// One of the two members; null, or not there, is a key that the service does not have.
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

int rekey_endpoint_keys(struct rekey_keys *keys, struct rekey_span body, void *tokens,
                        size_t token_count, uint32_t *needed) {
    struct rekey_json json;
    int error = rekey_json_parse(&json, body, false, tokens, token_count);
    int primary, secondary;

    if (error != 0) {
        return error;
    }
    primary = rekey_json_find(&json, 0, "primaryKey");
    secondary = rekey_json_find(&json, 0, "secondaryKey");
    if (primary == -1 && secondary == -1) {
        return REKEY_E_JSON_KEYS;
    }
    error = read_key(&keys->primary, &json, primary, needed);
    return error != 0 ? error : read_key(&keys->secondary, &json, secondary, needed);
}
