// json.c - proofs about src/json.c and jsmn, in four parts that rely on each other: the grammar
// check, token by token from any state; jsmn, token by token from any state; lookups, in any tokens
// that jsmn may leave; and strings, with any content that the check and jsmn accept.

#include "../../src/json.c"

#include "span_contracts.h"

#define TOKENS 5

struct check nondet_check(void);
jsmntok_t nondet_token(void);
jsmn_parser nondet_parser(void);

// ---- the grammar check --------------------------------------------------------------------------

// The tokens that may come next, by the state of the check.
static bool check_holds(const struct check *c) {
    bool inside = c->depth > 0, object = (c->open & 1) != 0;

    if (c->at > c->text.len || c->depth > REKEY_JSON_DEPTH) {
        return false;
    }
    switch (c->expected) {
    case 0: // the text is complete
        return !inside;
    case VALUE:
        return true;
    case VALUE | CLOSE:
        return inside && !object;
    case NAME:
    case COLON:
    case NAME | CLOSE:
        return inside && object;
    case COMMA | CLOSE:
        return inside;
    default:
        return false;
    }
}

// One token, from any state of the check, at any place of any text.
void check_tokens(void) {
    struct check c = nondet_check(), before;

    c.text = any_text(TEXT_MAX);
    ASSUME(check_holds(&c) && c.at < c.text.len);
    before = c;
    if (check_token(&c)) {
        PROVE(check_holds(&c));
        PROVE(c.at > before.at); // the check ends
        PROVE(c.expected != 0 || c.depth == 0);
    }
    PROVE(c.at <= c.text.len);
    REACHED(c.depth == REKEY_JSON_DEPTH + 1);
}

// A string that passes ends with its quotation mark, and has no byte that would have to be escaped.
void check_strings(void) {
    struct check c = nondet_check();
    size_t start, at = nondet_size();

    c.text = any_text(TEXT_MAX);
    ASSUME(c.at <= c.text.len);
    start = c.at;
    if (check_string(&c)) {
        PROVE(c.at > start && c.at <= c.text.len && c.text.ptr[c.at - 1] == '"');
        PROVE(at < start || at >= c.at || (unsigned char)c.text.ptr[at] >= ' ');
    }
    REACHED(c.at == TEXT_MAX);
}

// Numbers, compared with the grammar of RFC 8259, section 6, as an automaton: the longest prefix
// that is a number passes.
void check_numbers(void) {
    struct check c = {.text = any_text(TEXT_MAX)};
    enum { START, MINUS, ZERO, WHOLE, POINT, FRACTION, E, SIGN, EXPONENT, END } state = START;
    bool passed = check_number(&c);
    size_t len = 0;

    for (size_t i = 0; i < TEXT_MAX && state != END; i++) {
        char b = i < c.text.len ? c.text.ptr[i] : ' ';
        bool digit = b >= '0' && b <= '9', e = b == 'e' || b == 'E';

        switch (state) {
        case START:
        case MINUS:
            state = state == START && b == '-' ? MINUS : b == '0' ? ZERO : digit ? WHOLE : END;
            break;
        case ZERO:
        case WHOLE:
            state = state == WHOLE && digit ? WHOLE : b == '.' ? POINT : e ? E : END;
            break;
        case POINT:
            state = digit ? FRACTION : END;
            break;
        case FRACTION:
            state = digit ? FRACTION : e ? E : END;
            break;
        case E:
            state = b == '+' || b == '-' ? SIGN : digit ? EXPONENT : END;
            break;
        default:
            state = digit ? EXPONENT : END;
            break;
        }
        if (state == ZERO || state == WHOLE || state == FRACTION || state == EXPONENT) {
            len = i + 1;
        }
    }
    PROVE(!passed || c.at == len);
    PROVE(passed || len < c.text.len || len == 0);
    REACHED(passed && len == TEXT_MAX && c.text.ptr[2] == 'e');
}

// ---- jsmn ---------------------------------------------------------------------------------------

static jsmntok_t tokens[TOKENS];

// The tokens of a text of which `pos` bytes were read: each begins after the one before it and ends
// before `pos`; open tokens are objects or arrays.
static bool tokens_hold(unsigned count, unsigned pos) {
    bool hold = count <= TOKENS;

    for (unsigned i = 0; i < TOKENS; i++) {
        const jsmntok_t *t = &tokens[i];

        if (i < count) {
            hold = hold && t->start >= 0 && (unsigned)t->start <= pos && t->size >= 0 &&
                   (unsigned)t->size <= pos;
            hold = hold && (t->end == -1 ? t->type == JSMN_OBJECT || t->type == JSMN_ARRAY
                                         : t->end >= t->start && (unsigned)t->end <= pos);
            hold = hold && (i == 0 || t->start > t[-1].start);
        }
    }
    return hold && (count == 0 || tokens[count - 1].start < (int)pos);
}

static bool parser_holds(const jsmn_parser *p) {
    return tokens_hold(p->toknext, p->pos) && p->toksuper >= -1 && p->toksuper < (int)p->toknext;
}

// Any state of the parser, before byte p->pos of a text.
static jsmn_parser any_parser(struct rekey_span text) {
    jsmn_parser p = nondet_parser();

    for (size_t i = 0; i < TOKENS; i++) {
        tokens[i] = nondet_token();
    }
    ASSUME(p.pos < text.len && parser_holds(&p));
    return p;
}

static bool one_of(char c, const char *set) {
    for (size_t i = 0; set[i] != '\0'; i++) {
        if (set[i] == c) {
            return true;
        }
    }
    return false;
}

// One round of jsmn_parse, which calls the functions below for strings and other primitives.
void jsmn_round(void) {
    struct rekey_span text = any_text(TEXT_MAX);
    jsmn_parser p = any_parser(text);
    unsigned pos = p.pos;
    int result;

    text.len = pos + 1;
    result = jsmn_parse(&p, text.ptr, text.len, tokens, TOKENS);
    PROVE(result >= JSMN_ERROR_PART);
    PROVE(parser_holds(&p) && p.pos >= pos && p.pos <= text.len);
    REACHED(p.toknext == TOKENS && p.pos > pos && text.ptr[pos] == '{');
}

// At an opening quotation mark.
void jsmn_string(void) {
    struct rekey_span text = any_text(TEXT_MAX);
    jsmn_parser p = any_parser(text);
    unsigned pos = p.pos;
    int result;

    ASSUME(text.ptr[pos] == '"');
    result = jsmn_parse_string(&p, text.ptr, text.len, tokens, TOKENS);
    PROVE(result <= 0 && result >= JSMN_ERROR_PART);
    PROVE(result == 0 ? p.pos > pos && p.pos < text.len : p.pos == pos);
    PROVE(result == 0 ? text.ptr[p.pos] == '"' : p.pos == pos);
    p.pos += result == 0;
    PROVE(parser_holds(&p));
    REACHED(result == 0 && p.pos == pos + 8 && text.ptr[pos + 1] == '\\' &&
            text.ptr[pos + 2] == 'u');
}

// At a byte that begins no other token.
void jsmn_primitive(void) {
    struct rekey_span text = any_text(TEXT_MAX);
    jsmn_parser p = any_parser(text);
    unsigned pos = p.pos;
    int result;

    ASSUME(!one_of(text.ptr[pos], "{}[]\"\t\r\n :,") && text.ptr[pos] != '\0');
    result = jsmn_parse_primitive(&p, text.ptr, text.len, tokens, TOKENS);
    PROVE(result <= 0 && result >= JSMN_ERROR_PART);
    PROVE(result == 0 ? p.pos >= pos && p.pos < text.len : p.pos == pos);
    p.pos += result == 0;
    PROVE(parser_holds(&p));
    REACHED(result == 0 && p.pos == pos + TEXT_MAX);
}

// ---- lookups ------------------------------------------------------------------------------------

// Any tokens that jsmn may leave for a text without escapes.
static struct rekey_json any_json(void) {
    struct rekey_json json = {.text = any_text(TEXT_MAX), .tokens = tokens, .count = nondet_int()};

    for (size_t i = 0; i < TOKENS; i++) {
        tokens[i] = nondet_token();
    }
    for (size_t i = 0; i < json.text.len; i++) {
        ASSUME(json.text.ptr[i] > 0 && json.text.ptr[i] != '\\');
    }
    ASSUME(json.count >= 0 && tokens_hold((unsigned)json.count, (unsigned)json.text.len));
    return json;
}

void find(void) {
    struct rekey_json json = any_json();
    int object = nondet_int(), found;

    ASSUME(object >= -1 && object < json.count);
    utf8_is_ascii = true;
    found = rekey_json_find(&json, object, "id");
    PROVE(found == REKEY_E_JSON_DUPLICATE || found == -1 ||
          (found > object + 1 && found < json.count));
    PROVE(found < 0 || tokens[found - 1].end < 0 ||
          tokens[found - 1].end - tokens[found - 1].start == 2);
    REACHED(found == 4);
    REACHED(found == REKEY_E_JSON_DUPLICATE);
}

void values(void) {
    struct rekey_json json = any_json();
    int at = nondet_int(), first;

    ASSUME(at >= -1 && at < json.count);
    first = rekey_json_first(&json, at);
    PROVE(first == -1 || first == at + 1);
    PROVE(!rekey_json_is_string(&json, at) || tokens[at].end >= 0);
    PROVE(!rekey_json_is_null(&json, at) || tokens[at].end - tokens[at].start == 4);
    if (at >= 0) {
        PROVE(lies_in(rekey_json_raw(&json, at), json.text));
    }
}

// ---- strings ------------------------------------------------------------------------------------

// Any string that the check and jsmn accept: the bytes between the quotation marks, with the
// closing mark after them.
static struct rekey_span any_string(void) {
    struct rekey_span text = any_text(TEXT_MAX);

    ASSUME(text.len > 0);
    text.len--;
    ASSUME(text.ptr[text.len] == '"');
    for (size_t i = 0; i < text.len; i++) {
        const char *c = text.ptr + i;

        ASSUME(*c != '"' && (unsigned char)*c >= ' ');
        if (*c == '\\') {
            ASSUME(i + 1 < text.len && one_of(c[1], "\"\\/bfnrtu"));
            if (c[1] == 'u') {
                ASSUME(i + 5 < text.len && is_hex(c[2]) && is_hex(c[3]) && is_hex(c[4]) &&
                       is_hex(c[5]));
            }
            i++;
        }
    }
    return text;
}

// The longest escape has 12 bytes, so this covers one character of a string of any length.
void character(void) {
    struct rekey_span text = any_string();
    size_t at = 0;
    uint32_t code;

    ASSUME(text.len > 0);
    utf8_is_valid = true;
    code = next_char(text, &at);
    PROVE(at > 0 && at <= text.len);
    PROVE(code <= 0x10FFFF && (code & 0xFFFFF800) != 0xD800);
    REACHED(at == 12);
    REACHED(at == 6 && code == 0xFFFD);
}

void string(void) {
    struct rekey_span text = any_string();
    struct rekey_json json = {.text = text, .tokens = tokens, .count = 1};
    char *buf;
    size_t cap = nondet_size(), needed, len;

    tokens[0] = (jsmntok_t){.type = JSMN_STRING, .start = 0, .end = (int)text.len};
    utf8_is_valid = true;
    ASSUME(cap <= TEXT_MAX);
    buf = malloc(cap);
    ASSUME(buf != NULL);
    len = rekey_json_string(&json, 0, buf, cap, &needed);
    PROVE(len <= cap && len <= needed && needed <= text.len);
    PROVE(len == needed || len + 4 > cap);
    REACHED(len == 3 && needed == 4);
}

void escape(void) {
    struct rekey_span text = any_text(TEXT_MAX);
    size_t cap = nondet_size(), len, at = nondet_size();
    char *buf;

    ASSUME(cap <= 6 * TEXT_MAX);
    buf = malloc(cap);
    ASSUME(buf != NULL);
    len = rekey_json_escape(text, buf, cap);
    PROVE(len <= cap || len == cap + 1);
    PROVE(len <= cap || cap < 6 * text.len);
    PROVE(len > cap || at >= len || (unsigned char)buf[at] >= ' ');
    PROVE(len > cap || at >= len || buf[at] != '"' || (at > 0 && buf[at - 1] == '\\'));
    REACHED(len == 6 * TEXT_MAX);
}
