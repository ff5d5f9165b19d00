// json.c - the grammar check of RFC 8259, then jsmn, then look-ups in its tokens.

#include "json.h"

#define JSMN_STATIC
#include "jsmn.h"

#include "rekey_config.h"

static const jsmntok_t *token(const struct rekey_json *json, int at) {
    return (const jsmntok_t *)json->tokens + at;
}

_Static_assert(sizeof(jsmntok_t) <= REKEY_JSON_TOKEN_SIZE, "staging is divided by this size");

#define RAN_OUT 1 // a text that is JSON as far as it goes

// The grammar check. `open` has one bit for each array or object that is open, 1 for an object.
struct check {
    struct rekey_span text;
    size_t at;
    uint32_t open;
    unsigned depth;
};

enum expect { VALUE, VALUE_OR_CLOSE, NAME, NAME_OR_CLOSE, COLON, COMMA_OR_CLOSE };

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// After a backslash at c->at - 1.
static int check_escape(struct check *c) {
    if (c->at == c->text.len) {
        return RAN_OUT;
    }
    if (c->text.ptr[c->at] != 'u') {
        return strchr("\"\\/bfnrt", c->text.ptr[c->at++]) != NULL && c->text.ptr[c->at - 1] != '\0'
                   ? 0
                   : REKEY_E_JSON;
    }
    c->at++;
    for (int i = 0; i < 4; i++, c->at++) {
        if (c->at == c->text.len) {
            return RAN_OUT;
        }
        if (rekey_hex_value(c->text.ptr[c->at]) < 0) {
            return REKEY_E_JSON;
        }
    }
    return 0;
}

// Whether the end of the text cuts a UTF-8 character at c->at: whether bytes could follow that make
// it one. The lowest and the highest continuation byte stand for all.
static bool cut_character(const struct check *c) {
    size_t there = c->text.len - c->at;
    char low[4], high[4];

    if (there > 3) {
        return false;
    }
    memset(low, 0x80, sizeof(low));
    memset(high, 0xBF, sizeof(high));
    memcpy(low, c->text.ptr + c->at, there);
    memcpy(high, c->text.ptr + c->at, there);
    return rekey_utf8(rekey_span(low, sizeof(low)), 0, NULL) > there ||
           rekey_utf8(rekey_span(high, sizeof(high)), 0, NULL) > there;
}

// A string whose opening quotation mark is at c->at.
static int check_string(struct check *c) {
    c->at++;
    while (c->at < c->text.len) {
        unsigned char byte = (unsigned char)c->text.ptr[c->at];
        size_t len = 1;

        if (byte == '"') {
            c->at++;
            return 0;
        }
        if (byte < ' ') {
            return REKEY_E_JSON;
        }
        if (byte == '\\') {
            int result;

            c->at++;
            result = check_escape(c);
            if (result != 0) {
                return result;
            }
            continue;
        }
        len = rekey_utf8(c->text, c->at, NULL);
        if (len == 0) {
            return cut_character(c) ? RAN_OUT : REKEY_E_JSON;
        }
        c->at += len;
    }
    return RAN_OUT;
}

static size_t digits(struct check *c) {
    size_t start = c->at;

    while (c->at < c->text.len && rekey_is_digit(c->text.ptr[c->at])) {
        c->at++;
    }
    return c->at - start;
}

static bool take(struct check *c, const char *set) {
    if (c->at < c->text.len && c->text.ptr[c->at] != '\0' &&
        strchr(set, c->text.ptr[c->at]) != NULL) {
        c->at++;
        return true;
    }
    return false;
}

static int check_number(struct check *c) {
    size_t start;
    bool ok;

    take(c, "-");
    start = c->at;
    ok = digits(c) > 0;
    if (c->at - start > 1 && c->text.ptr[start] == '0') {
        return REKEY_E_JSON; // a leading zero
    }
    if (ok && take(c, ".")) {
        ok = digits(c) > 0;
    }
    if (ok && take(c, "eE")) {
        take(c, "+-");
        ok = digits(c) > 0;
    }
    if (ok) {
        return 0;
    }
    return c->at == c->text.len ? RAN_OUT : REKEY_E_JSON;
}

static int check_literal(struct check *c) {
    static const char *const literals[] = {"true", "false", "null"};

    for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++) {
        size_t len = strlen(literals[i]);
        size_t there = c->text.len - c->at;

        if (memcmp(c->text.ptr + c->at, literals[i], there < len ? there : len) == 0) {
            c->at += there < len ? there : len;
            return there < len ? RAN_OUT : 0;
        }
    }
    return REKEY_E_JSON;
}

static int check_value(struct check *c, enum expect *next) {
    char byte = c->text.ptr[c->at];

    *next = COMMA_OR_CLOSE;
    if (byte == '{' || byte == '[') {
        if (c->depth == REKEY_JSON_DEPTH) {
            return REKEY_E_LIMIT_JSON_DEPTH;
        }
        c->open = c->open << 1 | (byte == '{');
        c->depth++;
        c->at++;
        *next = byte == '{' ? NAME_OR_CLOSE : VALUE_OR_CLOSE;
        return 0;
    }
    if (byte == '"') {
        return check_string(c);
    }
    return byte == '-' || rekey_is_digit(byte) ? check_number(c) : check_literal(c);
}

static int check_close(struct check *c, enum expect *next) {
    if (!take(c, (c->open & 1) != 0 ? "}" : "]")) {
        return REKEY_E_JSON;
    }
    c->open >>= 1;
    c->depth--;
    *next = COMMA_OR_CLOSE;
    return 0;
}

// One token of the grammar, at a byte that is no white space.
static int check_token(struct check *c, enum expect *next) {
    switch (*next) {
    case VALUE_OR_CLOSE:
        return c->text.ptr[c->at] == ']' ? check_close(c, next) : check_value(c, next);
    case VALUE:
        return check_value(c, next);
    case NAME_OR_CLOSE:
        if (c->text.ptr[c->at] == '}') {
            return check_close(c, next);
        }
        // fall through
    case NAME:
        *next = COLON;
        return c->text.ptr[c->at] == '"' ? check_string(c) : REKEY_E_JSON;
    case COLON:
        *next = VALUE;
        return take(c, ":") ? 0 : REKEY_E_JSON;
    default: // COMMA_OR_CLOSE
        if (c->depth == 0) {
            return REKEY_E_JSON; // something after the value
        }
        if (take(c, ",")) {
            *next = (c->open & 1) != 0 ? NAME : VALUE;
            return 0;
        }
        return check_close(c, next);
    }
}

// Returns 0, RAN_OUT, REKEY_E_JSON or REKEY_E_LIMIT_JSON_DEPTH.
static int check(struct rekey_span text) {
    struct check c = {.text = text};
    enum expect next = VALUE;

    for (;;) {
        int result;

        while (c.at < text.len && is_space(text.ptr[c.at])) {
            c.at++;
        }
        if (c.at == text.len) {
            return c.depth == 0 && next == COMMA_OR_CLOSE ? 0 : RAN_OUT;
        }
        result = check_token(&c, &next);
        if (result != 0) {
            return result;
        }
    }
}

int rekey_json_parse(struct rekey_json *json, struct rekey_span text, bool cut, void *tokens,
                     size_t token_count) {
    jsmn_parser parser;
    int result = check(text);

    json->text = text;
    json->tokens = tokens;
    json->count = 0;
    if (result < 0) {
        return result;
    }
    if (result == RAN_OUT && !cut) {
        return REKEY_E_JSON;
    }
    jsmn_init(&parser);
    result = jsmn_parse(&parser, text.ptr, text.len, tokens, (unsigned)token_count);
    json->count = (int)parser.toknext;
    return result == JSMN_ERROR_NOMEM ? REKEY_E_LIMIT_JSON_TOKENS : 0;
}

// The token after token `at` and all that it contains. One that the cut left open reaches to the
// end.
static int skip(const struct rekey_json *json, int at) {
    int end = token(json, at)->end;
    int next = at + 1;

    while (next < json->count && (end < 0 || token(json, next)->start < end)) {
        next++;
    }
    return next;
}

struct rekey_span rekey_json_raw(const struct rekey_json *json, int at) {
    size_t start = (size_t)token(json, at)->start;
    size_t end = token(json, at)->end < 0 ? json->text.len : (size_t)token(json, at)->end;

    return rekey_span(json->text.ptr + start, end - start);
}

static uint32_t hex4(const char *ptr) {
    uint32_t value = 0;

    for (int i = 0; i < 4; i++) {
        value = value << 4 | (uint32_t)rekey_hex_value(ptr[i]);
    }
    return value;
}

// The character at *at of a string that passed the check, unescaped; moves *at behind it.
static uint32_t next_char(struct rekey_span s, size_t *at) {
    static const char letters[] = "bfnrt";
    static const char controls[] = "\b\f\n\r\t";
    const char *letter;
    uint32_t code = 0;

    if (s.ptr[*at] != '\\') {
        *at += rekey_utf8(s, *at, &code);
        return code;
    }
    letter = strchr(letters, s.ptr[*at + 1]);
    if (s.ptr[*at + 1] != 'u') {
        code = (unsigned char)(letter != NULL ? controls[letter - letters] : s.ptr[*at + 1]);
        *at += 2;
        return code;
    }
    code = hex4(s.ptr + *at + 2);
    *at += 6;
    if (code < 0xD800 || code > 0xDFFF) {
        return code;
    }
    if (code <= 0xDBFF && s.len - *at >= 6 && s.ptr[*at] == '\\' && s.ptr[*at + 1] == 'u') {
        uint32_t low = hex4(s.ptr + *at + 2);

        if (low >= 0xDC00 && low <= 0xDFFF) {
            *at += 6;
            return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    return 0xFFFD;
}

static bool name_is(struct rekey_span raw, const char *name) {
    size_t at = 0;

    while (at < raw.len && *name != '\0') {
        if (next_char(raw, &at) != (unsigned char)*name++) {
            return false;
        }
    }
    return at == raw.len && *name == '\0';
}

int rekey_json_find(const struct rekey_json *json, int object, const char *name) {
    int found = -1;
    int at = object + 1;

    if (object < 0 || object >= json->count || token(json, object)->type != JSMN_OBJECT) {
        return -1;
    }
    for (int end = skip(json, object); at + 1 < end; at = skip(json, at + 1)) {
        if (name_is(rekey_json_raw(json, at), name)) {
            if (found >= 0) {
                return REKEY_E_JSON_DUPLICATE;
            }
            found = at + 1;
        }
    }
    return found;
}

int rekey_json_first(const struct rekey_json *json, int array) {
    if (array < 0 || array + 1 >= json->count || token(json, array)->type != JSMN_ARRAY ||
        token(json, array)->size == 0) {
        return -1;
    }
    return array + 1;
}

bool rekey_json_is_string(const struct rekey_json *json, int at) {
    return at >= 0 && token(json, at)->type == JSMN_STRING;
}

bool rekey_json_is_null(const struct rekey_json *json, int at) {
    return at >= 0 && at < json->count && token(json, at)->type == JSMN_PRIMITIVE &&
           rekey_span_equal(rekey_json_raw(json, at), REKEY_SPAN("null"));
}

// Writes `code` as UTF-8; returns its length, 1 to 4.
static size_t encode(uint32_t code, char out[4]) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

size_t rekey_json_string(const struct rekey_json *json, int at, char *buf, size_t cap,
                         size_t *needed) {
    struct rekey_span raw = rekey_json_raw(json, at);
    size_t kept = 0;

    *needed = 0;
    for (size_t i = 0; i < raw.len;) {
        char utf8[4];
        size_t n = encode(next_char(raw, &i), utf8);

        if (kept == *needed && n <= cap - kept) {
            memcpy(buf + kept, utf8, n);
            kept += n;
        }
        *needed += n;
    }
    return kept;
}

size_t rekey_json_escape(struct rekey_span text, char *buf, size_t cap) {
    static const char hex[] = "0123456789abcdef";
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        size_t n = c < ' ' ? 6 : c == '"' || c == '\\' ? 2 : 1;

        if (n > cap - len) {
            return cap + 1;
        }
        if (n == 6) {
            memcpy(buf + len, "\\u00", 4);
            buf[len + 4] = hex[c >> 4];
            buf[len + 5] = hex[c & 15];
        } else {
            buf[len] = '\\';
            buf[len + n - 1] = (char)c;
        }
        len += n;
    }
    return len;
}
