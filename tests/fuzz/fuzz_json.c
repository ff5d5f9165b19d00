// fuzz_json.c - JSON: a text is accepted exactly if the grammar of RFC 8259 accepts it, with or
// without a byte order mark before it. The grammar is implemented here a second time, as a
// recursive descent. A value that is looked up lies inside the text; a string that is escaped and
// unescaped stays the same; a text that was cut anywhere does no harm.

#include "fuzz.h"
#include "json.h"

enum { TOKENS = 64, DEPTH = 200 };

// ---- the grammar: each function returns the position after what it read, or SIZE_MAX

static size_t value(struct rekey_span t, size_t at, int depth);

static size_t space(struct rekey_span t, size_t at) {
    while (at < t.len &&
           (t.ptr[at] == ' ' || t.ptr[at] == '\t' || t.ptr[at] == '\n' || t.ptr[at] == '\r')) {
        at++;
    }
    return at;
}

static bool is_at(struct rekey_span t, size_t at, char c) {
    return at < t.len && t.ptr[at] == c;
}

static size_t digits(struct rekey_span t, size_t at) {
    size_t from = at;

    while (at < t.len && rekey_is_digit(t.ptr[at])) {
        at++;
    }
    return at > from ? at : SIZE_MAX;
}

static size_t number(struct rekey_span t, size_t at) {
    at += is_at(t, at, '-');
    at = is_at(t, at, '0') ? at + 1 : digits(t, at);
    if (is_at(t, at, '.')) {
        at = digits(t, at + 1);
    }
    if (is_at(t, at, 'e') || is_at(t, at, 'E')) {
        at++;
        at = digits(t, at + (is_at(t, at, '+') || is_at(t, at, '-')));
    }
    return at;
}

static size_t string(struct rekey_span t, size_t at) {
    if (!is_at(t, at, '"')) {
        return SIZE_MAX;
    }
    for (at++; at < t.len && t.ptr[at] != '"';) {
        size_t n = rekey_utf8(t, at, NULL);

        if (n == 0 || (unsigned char)t.ptr[at] < 0x20) {
            return SIZE_MAX;
        }
        at += n;
        if (t.ptr[at - n] == '\\') {
            if (is_at(t, at, 'u')) {
                for (int i = 1; i <= 4; i++) {
                    if (at + (size_t)i >= t.len || rekey_hex_value(t.ptr[at + (size_t)i]) < 0) {
                        return SIZE_MAX;
                    }
                }
                at += 4;
            } else if (at >= t.len || t.ptr[at] == '\0' ||
                       strchr("\"\\/bfnrt", t.ptr[at]) == NULL) {
                return SIZE_MAX;
            }
            at++;
        }
    }
    return at < t.len ? at + 1 : SIZE_MAX;
}

// The elements of an array, or the members of an object.
static size_t list(struct rekey_span t, size_t at, char end, int depth) {
    at = space(t, at);
    if (is_at(t, at, end)) {
        return at + 1;
    }
    for (;;) {
        if (end == '}') {
            at = string(t, space(t, at));
            at = at == SIZE_MAX ? at : space(t, at);
            if (at == SIZE_MAX || !is_at(t, at, ':')) {
                return SIZE_MAX;
            }
            at++;
        }
        at = value(t, space(t, at), depth);
        at = at == SIZE_MAX ? at : space(t, at);
        if (at == SIZE_MAX || is_at(t, at, end)) {
            return at == SIZE_MAX ? at : at + 1;
        }
        if (!is_at(t, at, ',')) {
            return SIZE_MAX;
        }
        at++;
    }
}

static size_t value(struct rekey_span t, size_t at, int depth) {
    static const char *const words[] = {"true", "false", "null"};

    if (depth > DEPTH || at >= t.len) {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(words[i]);

        if (t.len - at >= len && memcmp(t.ptr + at, words[i], len) == 0) {
            return at + len;
        }
    }
    switch (t.ptr[at]) {
    case '{':
        return list(t, at + 1, '}', depth + 1);
    case '[':
        return list(t, at + 1, ']', depth + 1);
    case '"':
        return string(t, at);
    default:
        return number(t, at);
    }
}

static bool is_json(struct rekey_span t) {
    size_t mark = t.len >= 3 && memcmp(t.ptr, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    size_t at = value(t, space(t, mark), 0);

    return at != SIZE_MAX && space(t, at) == t.len;
}

// ---- the entry

static int tokens[TOKENS * REKEY_JSON_TOKEN_SIZE / sizeof(int)];

static void look_up(const struct rekey_json *json) {
    static const char *const names[] = {"error", "code", "status", "properties", "details", "a"};
    char buf[20];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int at = rekey_json_find(json, 0, names[i]);
        size_t needed = 0, len;

        MUST(at >= REKEY_E_JSON_DUPLICATE && at < json->count);
        MUST(!rekey_json_has_variant(json, 0, names[i]) || json->count >= 3);
        if (at >= 0) {
            MUST(fuzz_inside(rekey_json_raw(json, at), json->text));
        }
        rekey_json_find(json, at, "code");
        rekey_json_find(json, rekey_json_first(json, at), "code");
        if (rekey_json_is_string(json, at)) {
            len = rekey_json_string(json, at, buf, sizeof(buf), &needed);
            MUST(len <= sizeof(buf) && needed >= len);
            MUST(needed <= rekey_json_raw(json, at).len);
            for (size_t k = 0; k < len; k += rekey_utf8(rekey_span(buf, len), k, NULL)) {
                MUST(rekey_utf8(rekey_span(buf, len), k, NULL) > 0);
            }
        }
    }
}

// Escapes `text` into a string, and reads it back.
static void round_trip(struct rekey_span text) {
    static char escaped[6 * 4096 + 2], back[4096];
    struct rekey_json json;
    size_t len, needed = 0;

    for (size_t at = 0; at < text.len;) {
        size_t n = rekey_utf8(text, at, NULL);

        if (n == 0 || text.len > sizeof(back)) {
            return;
        }
        at += n;
    }
    escaped[0] = '"';
    len = rekey_json_escape(text, escaped + 1, sizeof(escaped) - 2);
    MUST(len <= sizeof(escaped) - 2);
    escaped[len + 1] = '"';
    MUST(is_json(rekey_span(escaped, len + 2)));
    MUST(rekey_json_parse(&json, rekey_span(escaped, len + 2), false, tokens, TOKENS) == 0);
    len = rekey_json_string(&json, 0, back, sizeof(back), &needed);
    MUST(needed == len && rekey_span_equal(rekey_span(back, len), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rekey_span text = rekey_span((const char *)data, size);
    struct rekey_json json;
    int error = rekey_json_parse(&json, text, false, tokens, TOKENS);

    MUST(error == 0 || error == REKEY_E_JSON || error == REKEY_E_LIMIT_JSON_DEPTH ||
         error == REKEY_E_LIMIT_JSON_TOKENS);
    if (error == 0 || error == REKEY_E_JSON) {
        MUST((error == 0) == is_json(text));
    }
    if (error == 0 || error == REKEY_E_LIMIT_JSON_TOKENS) {
        look_up(&json);
    }
    for (size_t len = 0; len <= size && size < 200; len++) {
        error = rekey_json_parse(&json, rekey_span(text.ptr, len), true, tokens, TOKENS);
        if (error == 0 || error == REKEY_E_LIMIT_JSON_TOKENS) {
            look_up(&json);
        }
    }
    round_trip(text);
    return 0;
}
