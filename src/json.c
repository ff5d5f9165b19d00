// json.c - the grammar check of RFC 8259, then jsmn, then look-ups in its tokens.

#include "json.h"

#define JSMN_STATIC
#include "jsmn.h"

#include "rekey_config.h"

static const jsmntok_t *token(const struct rekey_json *json, int at) {
    return (const jsmntok_t *)json->tokens + at;
}

static bool is(const struct rekey_json *json, int at, jsmntype_t type) {
    return at >= 0 && at < json->count && token(json, at)->type == type;
}

_Static_assert(sizeof(jsmntok_t) <= REKEY_JSON_TOKEN_SIZE, "staging is divided by this size");

// The state of the grammar check. `open` has one bit for each array or object that is open, 1 for
// an object.
struct check {
    struct rekey_span text;
    size_t at; // the text before this offset is valid
    uint32_t open;
    unsigned depth;
    unsigned expected; // what may come next; 0: only the end
};

enum { VALUE = 1, NAME = 2, COLON = 4, COMMA = 8, CLOSE = 16 };

// The byte at c->at; NUL at the end of the text.
static char peek(const struct check *c) {
    if (c->at < c->text.len) {
        return c->text.ptr[c->at];
    }
    return '\0';
}

static bool accept(struct check *c, char byte) {
    bool matches = peek(c) == byte;

    c->at += matches;
    return matches;
}

// Checks the rest of a string, after its opening quotation mark. jsmn checks the letters after a
// backslash.
static bool check_string(struct check *c) {
    while (!accept(c, '"')) {
        size_t len = 0;

        accept(c, '\\');
        if ((unsigned char)peek(c) >= ' ') {
            len = rekey_utf8(c->text, c->at, NULL);
        }
        if (len == 0) {
            return false;
        }
        c->at += len;
    }
    return true;
}

static bool digits(struct check *c) {
    size_t start = c->at;

    while (rekey_is_digit(peek(c))) {
        c->at++;
    }
    return c->at > start;
}

static bool check_number(struct check *c) {
    accept(c, '-');
    if (!accept(c, '0') && !digits(c)) {
        return false;
    }
    if (accept(c, '.') && !digits(c)) {
        return false;
    }
    if (accept(c, 'e') || accept(c, 'E')) {
        if (!accept(c, '+')) {
            accept(c, '-');
        }
        return digits(c);
    }
    return true;
}

static bool check_literal(struct check *c, const char *literal) {
    while (*literal != '\0' && accept(c, *literal)) {
        literal++;
    }
    return *literal == '\0';
}

static bool check_primitive(struct check *c) {
    char byte = peek(c);

    if (byte == '-' || rekey_is_digit(byte)) {
        return check_number(c);
    }
    return check_literal(c, byte == 't' ? "true" : byte == 'f' ? "false" : "null");
}

// Checks one token of the grammar, which begins at a byte that is not white space.
static bool check_token(struct check *c) {
    char byte = peek(c);
    bool object = (c->open & 1) != 0;
    bool name = (c->expected & NAME) != 0;
    unsigned kind = byte == '"'                    ? VALUE | NAME
                    : byte == ':'                  ? COLON
                    : byte == ','                  ? COMMA
                    : byte == (object ? '}' : ']') ? CLOSE
                                                   : VALUE;

    if ((c->expected & kind) == 0) {
        return false;
    }
    c->at += kind != VALUE;
    if (kind == COLON || kind == COMMA) {
        c->expected = kind == COMMA && object ? NAME : VALUE;
        return true;
    }
    if (byte == '{' || byte == '[') {
        c->at++;
        c->open = c->open << 1 | (byte == '{');
        c->expected = byte == '{' ? NAME | CLOSE : VALUE | CLOSE;
        return ++c->depth <= REKEY_JSON_DEPTH;
    }
    if (kind == CLOSE) {
        c->open >>= 1;
        c->depth--;
    }
    c->expected = c->depth > 0 ? COMMA | CLOSE : 0;
    if (byte == '"') {
        c->expected = name ? COLON : c->expected;
        return check_string(c);
    }
    return kind == CLOSE || check_primitive(c);
}

// The attribute lets the compiler remove jsmn's checks for NULL.
__attribute__((nonnull)) int rekey_json_parse(struct rekey_json *json, struct rekey_span text,
                                              bool cut, void *tokens, size_t token_count) {
    struct check c = {.text = text, .expected = VALUE};
    jsmn_parser parser;
    bool ended;
    int result;

    if (text.len >= 3 && memcmp(text.ptr, "\xEF\xBB\xBF", 3) == 0) {
        text = c.text = rekey_span(text.ptr + 3, text.len - 3); // RFC 8259 8.1 allows this
    }
    json->text = text;
    json->tokens = tokens;
    json->count = 0;
    do {
        while (rekey_is_one_of(peek(&c), " \t\n\r")) {
            c.at++;
        }
        ended = c.at == text.len;
    } while (!ended && check_token(&c));
    if (!cut && !(ended && c.expected == 0)) {
        return c.depth > REKEY_JSON_DEPTH ? REKEY_E_LIMIT_JSON_DEPTH : REKEY_E_JSON;
    }
    jsmn_init(&parser);
    result = jsmn_parse(&parser, text.ptr, c.at, tokens, (unsigned)token_count);
    if (result == JSMN_ERROR_INVAL && !cut) {
        return REKEY_E_JSON;
    }
    json->text.len = parser.pos;
    json->count = (int)parser.toknext;
    return result == JSMN_ERROR_NOMEM ? REKEY_E_LIMIT_JSON_TOKENS : 0;
}

// The token that follows token `at` and everything inside it. A token without an end, because the
// text was cut, contains all that follows.
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

// Returns the unescaped character at *at of a string that has passed the check, and moves *at
// behind it. The byte behind the string is its closing quotation mark.
static uint32_t next_char(struct rekey_span s, size_t *at) {
    const char *escape = s.ptr + *at;
    const char *letter;
    uint32_t code, low;

    if (escape[0] != '\\') {
        *at += rekey_utf8(s, *at, &code);
        return code;
    }
    if (escape[1] != 'u') {
        letter = strchr("b\bf\fn\nr\rt\t", escape[1]);
        *at += 2;
        return (unsigned char)(letter != NULL ? letter[1] : escape[1]);
    }
    *at += 6;
    code = hex4(escape + 2);
    if ((code & 0xFC00) == 0xD800 && escape[6] == '\\' && escape[7] == 'u') {
        low = hex4(escape + 8);
        if ((low & 0xFC00) == 0xDC00) {
            *at += 6;
            return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    return (code & 0xF800) == 0xD800 ? 0xFFFD : code;
}

enum match { DIFFERENT, VARIANT, SAME };

// Compares the name that is token `at` with `name`. The names that are looked up have at most 28
// bytes, so a name that fills `text` is a different one.
static enum match compare(const struct rekey_json *json, int at, const char *name) {
    char text[32];
    size_t needed;
    struct rekey_span a =
        rekey_span(text, rekey_json_string(json, at, text, sizeof(text), &needed));
    struct rekey_span b = rekey_span(name, strlen(name));

    return !rekey_span_equal_nocase(a, b) ? DIFFERENT : rekey_span_equal(a, b) ? SAME : VARIANT;
}

// Finds the member of an object whose name compares with `name` as wanted.
static int find_member(const struct rekey_json *json, int object, const char *name,
                       enum match wanted) {
    int found = -1;
    int at = object + 1;

    if (!is(json, object, JSMN_OBJECT)) {
        return -1;
    }
    for (int end = skip(json, object); at + 1 < end; at = skip(json, at + 1)) {
        if (compare(json, at, name) == wanted) {
            if (found >= 0) {
                return REKEY_E_JSON_DUPLICATE;
            }
            found = at + 1;
        }
    }
    return found;
}

int rekey_json_find(const struct rekey_json *json, int object, const char *name) {
    return find_member(json, object, name, SAME);
}

bool rekey_json_has_variant(const struct rekey_json *json, int object, const char *name) {
    return find_member(json, object, name, VARIANT) != -1;
}

int rekey_json_first(const struct rekey_json *json, int array) {
    return is(json, array, JSMN_ARRAY) && token(json, array)->size > 0 ? array + 1 : -1;
}

bool rekey_json_is_string(const struct rekey_json *json, int at) {
    return is(json, at, JSMN_STRING);
}

bool rekey_json_is_null(const struct rekey_json *json, int at) {
    struct rekey_span raw;

    if (!is(json, at, JSMN_PRIMITIVE)) {
        return false;
    }
    raw = rekey_json_raw(json, at);
    return raw.len == 4 && raw.ptr[0] == 'n'; // the end of a cut text may be only a part of "null"
}

// Writes `code` as UTF-8; returns its length, 1 to 4.
static size_t encode(uint32_t code, char out[4]) {
    static const uint8_t first[] = {0, 0xC0, 0xE0, 0xF0}; // indexed by the bytes that follow
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
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        size_t n = c < ' ' ? 6 : c == '"' || c == '\\' ? 2 : 1;

        if (n > cap - len) {
            return cap + 1;
        }
        if (n == 6) {
            memcpy(buf + len, "\\u00", 4);
            rekey_hex(c, buf + len + 4);
        } else {
            buf[len] = '\\';
            buf[len + n - 1] = (char)c;
        }
        len += n;
    }
    return len;
}
