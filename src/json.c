// json.c - the grammar check of RFC 8259, then jsmn, then look-ups in its tokens.

#include "json.h"

#define JSMN_STATIC
#include "jsmn.h"

#include "rekey_config.h"

static const jsmntok_t *token(const struct rekey_json *json, int at) {
    return (const jsmntok_t *)json->tokens + at;
}

_Static_assert(sizeof(jsmntok_t) <= REKEY_JSON_TOKEN_SIZE, "staging is divided by this size");

// The grammar check. `open` has one bit for each array or object that is open, 1 for an object.
struct check {
    struct rekey_span text;
    size_t at; // what stands before it is good
    uint32_t open;
    unsigned depth;
};

enum expect { VALUE, VALUE_OR_CLOSE, NAME, NAME_OR_CLOSE, COLON, COMMA_OR_CLOSE };

// The byte `i` behind c->at; NUL at the end of the text.
static char ahead(const struct check *c, size_t i) {
    if (c->text.len - c->at > i) {
        return c->text.ptr[c->at + i];
    }
    return '\0';
}

static bool take(struct check *c, const char *set) {
    bool taken = rekey_is_one_of(ahead(c, 0), set);

    c->at += taken;
    return taken;
}

// The length of the escape at c->at; 0 if it is none.
static size_t check_escape(const struct check *c) {
    size_t len = 2;

    if (ahead(c, 1) != 'u') {
        return rekey_is_one_of(ahead(c, 1), "\"\\/bfnrt") ? len : 0;
    }
    while (len < 6 && rekey_hex_value(ahead(c, len)) >= 0) {
        len++;
    }
    return len == 6 ? len : 0;
}

// A string whose opening quotation mark is at c->at.
static bool check_string(struct check *c) {
    size_t len = 1;

    while (len > 0) {
        c->at += len;
        if (take(c, "\"")) {
            return true;
        }
        if (c->at == c->text.len || (unsigned char)ahead(c, 0) < ' ') {
            return false;
        }
        len = ahead(c, 0) == '\\' ? check_escape(c) : rekey_utf8(c->text, c->at, NULL);
    }
    return false;
}

static bool digits(struct check *c) {
    size_t start = c->at;

    while (rekey_is_digit(ahead(c, 0))) {
        c->at++;
    }
    return c->at > start;
}

static bool check_number(struct check *c) {
    take(c, "-");
    if (!take(c, "0") && !digits(c)) {
        return false;
    }
    if (take(c, ".") && !digits(c)) {
        return false;
    }
    if (take(c, "eE")) {
        take(c, "+-");
        return digits(c);
    }
    return true;
}

static bool check_literal(struct check *c) {
    static const char *const literals[] = {"true", "false", "null"};

    for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++) {
        size_t len = strlen(literals[i]);

        if (c->text.len - c->at >= len && memcmp(c->text.ptr + c->at, literals[i], len) == 0) {
            c->at += len;
            return true;
        }
    }
    return false;
}

static bool check_value(struct check *c, enum expect *next) {
    char byte = ahead(c, 0);

    *next = COMMA_OR_CLOSE;
    if (take(c, "{[")) {
        c->open = c->open << 1 | (byte == '{');
        *next = byte == '{' ? NAME_OR_CLOSE : VALUE_OR_CLOSE;
        return ++c->depth <= REKEY_JSON_DEPTH;
    }
    if (byte == '"') {
        return check_string(c);
    }
    return byte == '-' || rekey_is_digit(byte) ? check_number(c) : check_literal(c);
}

static bool check_close(struct check *c, enum expect *next) {
    bool closed = c->depth > 0 && take(c, (c->open & 1) != 0 ? "}" : "]");

    if (closed) {
        c->open >>= 1;
        c->depth--;
        *next = COMMA_OR_CLOSE;
    }
    return closed;
}

// One token of the grammar, at a byte that is no white space.
static bool check_token(struct check *c, enum expect *next) {
    switch (*next) {
    case VALUE_OR_CLOSE:
        return check_close(c, next) || check_value(c, next);
    case VALUE:
        return check_value(c, next);
    case NAME_OR_CLOSE:
        if (check_close(c, next)) {
            return true;
        }
        // fall through
    case NAME:
        *next = COLON;
        return ahead(c, 0) == '"' && check_string(c);
    case COLON:
        *next = VALUE;
        return take(c, ":");
    default: // COMMA_OR_CLOSE; at depth 0 nothing may come
        if (c->depth > 0 && take(c, ",")) {
            *next = (c->open & 1) != 0 ? NAME : VALUE;
            return true;
        }
        return check_close(c, next);
    }
}

int rekey_json_parse(struct rekey_json *json, struct rekey_span text, bool cut, void *tokens,
                     size_t token_count) {
    struct check c = {.text = text};
    enum expect next = VALUE;
    jsmn_parser parser;
    bool ended;
    int result;

    json->tokens = tokens;
    json->count = 0;
    do {
        while (take(&c, " \t\n\r")) {
        }
        ended = c.at == text.len;
    } while (!ended && check_token(&c, &next));
    if (!cut && !(ended && c.depth == 0 && next == COMMA_OR_CLOSE)) {
        return c.depth > REKEY_JSON_DEPTH ? REKEY_E_LIMIT_JSON_DEPTH : REKEY_E_JSON;
    }
    json->text = rekey_span(text.ptr, c.at);
    jsmn_init(&parser);
    result = jsmn_parse(&parser, text.ptr, c.at, tokens, (unsigned)token_count);
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

// The character at *at of a string that passed the check, unescaped; moves *at behind it. What
// stands behind the string is its quotation mark.
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
    if (code <= 0xDBFF && s.ptr[*at] == '\\' && s.ptr[*at + 1] == 'u') {
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
    if (array < 0 || array >= json->count || token(json, array)->type != JSMN_ARRAY ||
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
    static const uint8_t first[] = {0, 0xC0, 0xE0, 0xF0}; // by the number of bytes behind it
    unsigned more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;

    for (size_t i = more; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)(first[more] | code);
    return more + 1;
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
