// test_json.c - json.h: the grammar of RFC 8259 in full, limits, look-ups, unescaping and escaping,
// and texts that were cut. This file also has a simple recursive recogniser. The parser must agree
// with it on every prefix of every text, and on every text with one byte changed.

#include "json.h"
#include "rekey_config.h"
#include "support.h"

#define TOKENS 64

// Parses with the text and the tokens at a guard.
static int parse_tokens(struct rekey_json *json, struct rekey_span text, bool cut, size_t tokens) {
    return rekey_json_parse(json, guarded_copy(text), cut, guarded(tokens * REKEY_JSON_TOKEN_SIZE),
                            tokens);
}

static int parse(struct rekey_json *json, struct rekey_span text, bool cut) {
    return parse_tokens(json, text, cut, TOKENS);
}

// ---- the recogniser -----------------------------------------------------------------------------

enum verdict { JSON_YES, JSON_NO, JSON_OPEN }; // open: more bytes could make it JSON

struct reader {
    struct rekey_span text;
    size_t at;
};

static int peek(const struct reader *r) {
    return r->at < r->text.len ? (unsigned char)r->text.ptr[r->at] : -1;
}

static void spaces(struct reader *r) {
    while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\n' || peek(r) == '\r') {
        r->at++;
    }
}

static enum verdict read_literal(struct reader *r, const char *literal) {
    for (; *literal != '\0'; literal++, r->at++) {
        if (peek(r) != *literal) {
            return peek(r) < 0 ? JSON_OPEN : JSON_NO;
        }
    }
    return JSON_YES;
}

static bool digit(int c) {
    return c >= '0' && c <= '9';
}

static enum verdict read_digits(struct reader *r) {
    if (!digit(peek(r))) {
        return peek(r) < 0 ? JSON_OPEN : JSON_NO;
    }
    while (digit(peek(r))) {
        r->at++;
    }
    return JSON_YES;
}

static enum verdict read_number(struct reader *r) {
    enum verdict v = JSON_YES;

    r->at += peek(r) == '-';
    if (peek(r) == '0') {
        r->at++;
        if (digit(peek(r))) {
            return JSON_NO;
        }
    } else {
        v = read_digits(r);
    }
    if (v == JSON_YES && peek(r) == '.') {
        r->at++;
        v = read_digits(r);
    }
    if (v == JSON_YES && (peek(r) == 'e' || peek(r) == 'E')) {
        r->at++;
        r->at += peek(r) == '+' || peek(r) == '-';
        v = read_digits(r);
    }
    return v;
}

static enum verdict read_escape(struct reader *r) {
    int c = peek(r);

    if (c < 0) {
        return JSON_OPEN;
    }
    r->at++;
    if (c != 'u') {
        return c != 0 && strchr("\"\\/bfnrt", c) != NULL ? JSON_YES : JSON_NO;
    }
    for (int i = 0; i < 4; i++, r->at++) {
        c = peek(r);
        if (c < 0) {
            return JSON_OPEN;
        }
        if (!digit(c) && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F')) {
            return JSON_NO;
        }
    }
    return JSON_YES;
}

// One character beyond ASCII. rekey_utf8 decides (test_span.c), unless the end of the text cuts it.
static enum verdict read_wide(struct reader *r) {
    size_t len = rekey_utf8(r->text, r->at, NULL);
    int first = peek(r);
    size_t start = r->at;
    size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;

    if (len > 0) {
        r->at += len;
        return JSON_YES;
    }
    if (first < 0xC2 || first > 0xF4 || r->text.len - r->at > more) {
        return JSON_NO;
    }
    for (r->at++; r->at < r->text.len; r->at++) {
        if ((peek(r) & 0xC0) != 0x80) {
            return JSON_NO;
        }
    }
    if (r->at - start > 1) {
        int second = (unsigned char)r->text.ptr[start + 1];

        if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
            (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) {
            return JSON_NO; // overlong, a surrogate, or above U+10FFFF
        }
    }
    return JSON_OPEN;
}

static enum verdict read_string(struct reader *r) {
    enum verdict v = JSON_YES;

    if (peek(r) != '"') {
        return peek(r) < 0 ? JSON_OPEN : JSON_NO;
    }
    r->at++;
    while (v == JSON_YES) {
        int c = peek(r);

        if (c < 0) {
            return JSON_OPEN;
        }
        if (c == '"') {
            r->at++;
            return JSON_YES;
        }
        if (c < 0x20) {
            return JSON_NO;
        }
        if (c == '\\') {
            r->at++;
            v = read_escape(r);
        } else if (c >= 0x80) {
            v = read_wide(r);
        } else {
            r->at++;
        }
    }
    return v;
}

static enum verdict read_value(struct reader *r);

static enum verdict read_members(struct reader *r, int close) {
    enum verdict v;

    r->at++;
    spaces(r);
    if (peek(r) == close) {
        r->at++;
        return JSON_YES;
    }
    for (;;) {
        spaces(r);
        if (close == '}') {
            v = read_string(r);
            if (v != JSON_YES) {
                return v;
            }
            spaces(r);
            v = read_literal(r, ":");
            if (v != JSON_YES) {
                return v;
            }
            spaces(r);
        }
        v = read_value(r);
        if (v != JSON_YES) {
            return v;
        }
        spaces(r);
        if (peek(r) == close) {
            r->at++;
            return JSON_YES;
        }
        v = read_literal(r, ",");
        if (v != JSON_YES) {
            return v;
        }
    }
}

static enum verdict read_value(struct reader *r) {
    switch (peek(r)) {
    case -1:
        return JSON_OPEN;
    case '{':
        return read_members(r, '}');
    case '[':
        return read_members(r, ']');
    case '"':
        return read_string(r);
    case 't':
        return read_literal(r, "true");
    case 'f':
        return read_literal(r, "false");
    case 'n':
        return read_literal(r, "null");
    default:
        return peek(r) == '-' || digit(peek(r)) ? read_number(r) : JSON_NO;
    }
}

static enum verdict recognise(struct rekey_span text) {
    struct reader r = {text, 0};
    enum verdict v;

    spaces(&r);
    v = read_value(&r);
    if (v != JSON_YES) {
        return v;
    }
    spaces(&r);
    return r.at == text.len ? JSON_YES : JSON_NO;
}

// ---- grammar ------------------------------------------------------------------------------------

#define OPEN_31 "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
#define CLOSE_31 "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
#define OPEN_32 "[" OPEN_31
#define CLOSE_32 CLOSE_31 "]"

static const struct vector {
    const char *name;
    struct rekey_span text;
} valid[] = {
    {"object", BYTES("{}")},
    {"array", BYTES("[]")},
    {"true", BYTES("true")},
    {"false", BYTES("false")},
    {"null", BYTES("null")},
    {"empty string", BYTES("\"\"")},
    {"zero", BYTES("0")},
    {"minus zero", BYTES("-0")},
    {"number", BYTES("1234567890")},
    {"fraction", BYTES("0.5")},
    {"fraction of zeros", BYTES("-1.000")},
    {"exponents", BYTES("[1e1,1E1,1e+1,1E-1,0e0,-0.0E-0,1.5e10]")},
    {"huge numbers", BYTES("[123456789012345678901234567890,1e999999,-1e-999999]")},
    {"white space", BYTES(" \t\r\n{ \t\r\n\"a\" \t\r\n: \t\r\n[ 1 , 2 ] \t\r\n} \t\r\n")},
    {"literals in an array", BYTES("[true,false,null]")},
    {"literals in an object", BYTES("{\"a\":true,\"b\":false,\"c\":null}")},
    {"nested", BYTES("{\"a\":{\"b\":[{},[],[[]],{\"c\":{}}]},\"d\":[[1],[2,3]]}")},
    {"empty name", BYTES("{\"\":\"\"}")},
    {"names twice", BYTES("{\"a\":1,\"a\":2}")},
    {"all short escapes", BYTES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"")},
    {"hex digits", BYTES("\"\\u0123\\u4567\\u89ab\\ucdef\\uABCD\\uEF00\"")},
    {"escaped NUL", BYTES("\"\\u0000\"")},
    {"surrogate pair", BYTES("\"\\ud83d\\ude00\"")},
    {"high surrogate alone", BYTES("\"\\ud83d\"")},
    {"low surrogate alone", BYTES("\"\\ude00\"")},
    {"escaped name", BYTES("{\"\\u0061\\n\":1}")},
    {"DEL", BYTES("\"\x7F\"")},
    {"two bytes", BYTES("\"\xC2\x80\xDF\xBF\"")},
    {"three bytes", BYTES("\"\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF\"")},
    {"four bytes", BYTES("\"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\"")},
    {"UTF-8 name", BYTES("{\"\xC3\xBC\":\"\xF0\x9F\x98\x80\"}")},
    {"brackets in a string", BYTES("[\"]}\",\"[{\",\",:\"]")},
    {"backslash before the end", BYTES("[\"\\\\\",\"\\\"\"]")},
    {"32 levels", BYTES(OPEN_32 CLOSE_32)},
    {"a status body",
     BYTES("{\"id\":\"/subscriptions/x\",\"name\":\"oe:1:2\",\"startTime\":"
           "\"2026-03-03T20:17:59.3874592+00:00\",\"endTime\":\"0001-01-01T00:00:00+00:00\","
           "\"percentComplete\":0.0,\"status\":\"Updating\"}")},
    {"an ErrorResponse",
     BYTES("{\"error\":{\"code\":\"Conflict\",\"message\":\"\\u00fc \xE2\x82\xAC\",\"target\":null,"
           "\"details\":[{\"code\":\"D\",\"details\":[]}],\"additionalInfo\":[{\"type\":\"t\","
           "\"info\":"
           "[1,2.5,true]}]}}")},
};

static const struct vector invalid[] = {
    {"empty", BYTES("")},
    {"white space", BYTES(" \t\r\n")},

    // texts that jsmn accepts
    {"name without value", BYTES("{\"a\"}")},
    {"comma before the brace", BYTES("{\"a\":1,}")},
    {"no comma", BYTES("[1 2]")},
    {"two values", BYTES("{}{}")},
    {"colon first", BYTES(":{}")},
    {"half a literal", BYTES("{\"a\":tru}")},
    {"comma before the bracket", BYTES("[1,]")},
    {"comma first", BYTES("[,1]")},
    {"comma alone", BYTES("[,]")},
    {"two commas", BYTES("[1,,2]")},
    {"comma in an object", BYTES("{,}")},
    {"colon in an array", BYTES("[\"a\":1]")},
    {"no colon", BYTES("{\"a\" 1}")},
    {"two colons", BYTES("{\"a\"::1}")},
    {"colon and nothing", BYTES("{\"a\":}")},
    {"two values of a name", BYTES("{\"a\":1 2}")},
    {"two values and colons", BYTES("{\"a\":1:2}")},
    {"no comma between members", BYTES("{\"a\":1\"b\":2}")},
    {"number as a name", BYTES("{1:2}")},
    {"literal as a name", BYTES("{null:1}")},
    {"object as a name", BYTES("{{}:1}")},
    {"array as a name", BYTES("{[]:1}")},
    {"bare name", BYTES("{a:1}")},
    {"bare word", BYTES("abc")},
    {"single quotes", BYTES("{'a':1}")},
    {"comma behind", BYTES("{},")},
    {"comma before", BYTES(",{}")},
    {"number behind", BYTES("{}1")},
    {"two strings", BYTES("\"a\"\"b\"")},
    {"two numbers", BYTES("1 2")},
    {"two literals", BYTES("truefalse")},
    {"comment", BYTES("{}//x")},
    {"comment inside", BYTES("[/**/1]")},

    // brackets
    {"wrong close", BYTES("[}")},
    {"wrong close of an object", BYTES("{]")},
    {"crossed", BYTES("[{]}")},
    {"crossed with a value", BYTES("{\"a\":[}]")},
    {"not closed", BYTES("[")},
    {"not closed, value", BYTES("[1")},
    {"not closed, object", BYTES("{\"a\":1")},
    {"closed twice", BYTES("[]]")},
    {"close alone", BYTES("]")},
    {"brace alone", BYTES("}")},
    {"33 not closed", BYTES("[[[]")},

    // literals
    {"t", BYTES("t")},
    {"nul", BYTES("nul")},
    {"True", BYTES("True")},
    {"NULL", BYTES("NULL")},
    {"nullx", BYTES("nullx")},
    {"nulll", BYTES("nulll")},
    {"undefined", BYTES("undefined")},
    {"NaN", BYTES("NaN")},
    {"Infinity", BYTES("Infinity")},
    {"-Infinity", BYTES("-Infinity")},
    {"n and more", BYTES("[nope]")},

    // numbers
    {"plus", BYTES("+1")},
    {"minus", BYTES("-")},
    {"minus in an array", BYTES("[-]")},
    {"two minuses", BYTES("--1")},
    {"leading zero", BYTES("01")},
    {"leading zero in an array", BYTES("[01]")},
    {"minus and leading zero", BYTES("-01")},
    {"two zeros", BYTES("00")},
    {"dot first", BYTES(".5")},
    {"dot last", BYTES("1.")},
    {"dot last in an array", BYTES("[1.]")},
    {"dot and exponent", BYTES("1.e1")},
    {"two dots", BYTES("1..2")},
    {"two fractions", BYTES("1.2.3")},
    {"exponent without digits", BYTES("1e")},
    {"exponent sign without digits", BYTES("[1e+]")},
    {"exponent, two signs", BYTES("1e+-1")},
    {"exponent with a fraction", BYTES("1e1.5")},
    {"two exponents", BYTES("1e1e1")},
    {"exponent alone", BYTES("e1")},
    {"hexadecimal", BYTES("0x10")},
    {"digits and a letter", BYTES("[1a]")},
    {"digits and a minus", BYTES("[1-2]")},
    {"underscore", BYTES("1_000")},

    // strings
    {"not closed", BYTES("\"a")},
    {"quotation mark alone", BYTES("\"")},
    {"newline", BYTES("\"a\nb\"")},
    {"tab", BYTES("\"\t\"")},
    {"NUL", BYTES("\"a\0b\"")},
    {"unit separator", BYTES("\"\x1F\"")},
    {"newline in a name", BYTES("{\"a\n\":1}")},
    {"escape x", BYTES("\"\\x41\"")},
    {"escape a", BYTES("\"\\a\"")},
    {"escape U", BYTES("\"\\U0041\"")},
    {"escape N", BYTES("\"\\N\"")},
    {"escape single quote", BYTES("\"\\'\"")},
    {"escape 0", BYTES("\"\\0\"")},
    {"escaped NUL byte", BYTES("\"\\\0\"")},
    {"escaped newline", BYTES("\"\\\n\"")},
    {"escape u, no digits", BYTES("\"\\u\"")},
    {"escape u, three digits", BYTES("\"\\u004\"")},
    {"escape u, g", BYTES("\"\\u00g0\"")},
    {"escape u, last is g", BYTES("\"\\u000g\"")},
    {"escape u, braces", BYTES("\"\\u{41}\"")},
    {"escape u, sign", BYTES("\"\\u+041\"")},
    {"backslash alone", BYTES("\\")},
    {"backslash at the end", BYTES("\"\\\"")},

    // UTF-8 (RFC 3629)
    {"continuation alone", BYTES("\"a\x80 and more\"")},
    {"overlong slash", BYTES("\"\xC0\xAF and more\"")},
    {"overlong, three bytes", BYTES("\"\xE0\x80\xAF and more\"")},
    {"overlong, four bytes", BYTES("\"\xF0\x80\x80\xAF and more\"")},
    {"surrogate", BYTES("\"\xED\xA0\x80 and more\"")},
    {"surrogate pair in UTF-8", BYTES("\"\xED\xA0\xBD\xED\xB8\x80 and more\"")},
    {"above U+10FFFF", BYTES("\"\xF4\x90\x80\x80 and more\"")},
    {"FF", BYTES("\"\xFF and more\"")},
    {"Latin-1", BYTES("\"\xFC and more\"")},
    {"cut by the end of the string", BYTES("\"\xE2\x82\"")},
    {"cut by the end of the text", BYTES("\"\xE2\x82")},
    {"cut by another character", BYTES("\"\xE2\x82\xC3\xBC and more\"")},
    {"in a name", BYTES("{\"\xFF and more\":1}")},
    {"outside of a string", BYTES("[\xC3\xBC]")},
    {"two byte order marks", BYTES("\xEF\xBB\xBF\xEF\xBB\xBF{}")},
    {"space before a byte order mark", BYTES(" \xEF\xBB\xBF{}")},
    {"byte order mark behind", BYTES("{}\xEF\xBB\xBF")},
    {"byte order mark inside", BYTES("{\xEF\xBB\xBF}")},
    {"two bytes of a byte order mark", BYTES("\xEF\xBB{}")},
    {"byte order mark alone", BYTES("\xEF\xBB\xBF")},
    {"byte order mark of UTF-16", BYTES("\xFE\xFF{}")},

    // other white space
    {"vertical tab", BYTES("[\v1]")},
    {"form feed", BYTES("[\f1]")},
    {"no-break space", BYTES("[\xC2\xA0"
                             "1]")},
    {"NUL before", BYTES("\0{}")},
    {"NUL behind", BYTES("{}\0")},
    {"NUL inside", BYTES("[1\0]")},
    {"NUL and more", BYTES("{\"a\":1}\0{\"a\":2}")},
};

static void test_valid(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(valid); i++) {
        struct rekey_json json;

        row(valid[i].name);
        check_int(recognise(valid[i].text), JSON_YES);
        check_int(parse(&json, valid[i].text, false), 0);
        check_int(parse(&json, valid[i].text, true), 0);
    }
    rows_done();
}

// docs/service.md 1.4: one mark in front of a text is skipped, and changes nothing else.
static void test_byte_order_mark(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(valid); i++) {
        for (int cut = 0; cut <= 1; cut++) {
            struct rekey_json plain, marked;
            static char text[1024];

            row_n(valid[i].name, cut);
            assert_true(valid[i].text.len + 3 <= sizeof(text));
            memcpy(text, "\xEF\xBB\xBF", 3);
            memcpy(text + 3, valid[i].text.ptr, valid[i].text.len);
            check_int(parse(&marked, rekey_span(text, valid[i].text.len + 3), cut != 0), 0);
            check_int(parse(&plain, valid[i].text, cut != 0), 0);
            check_int(marked.count, plain.count);
            check_span(marked.text, plain.text);
        }
    }
    rows_done();
}

// One that is nothing but the mark is empty.
static void test_byte_order_mark_alone(void **state) {
    static const char mark[] = "\xEF\xBB\xBF";
    struct rekey_json json;

    (void)state;
    for (size_t len = 0; len <= 3; len++) {
        row_n("length", (long)len);
        check_int(parse(&json, rekey_span(mark, len), false), REKEY_E_JSON);
        check_int((long)json.text.len, len == 3 ? 0 : (long)len);
    }
    rows_done();
}

static void test_variants(void **state) {
    static const struct {
        const char *name;
        struct rekey_span text;
        bool expected; // of the name "status"
    } rows[] = {
        {"none", BYTES("{}"), false},
        {"the name itself", BYTES("{\"status\":1}"), false},
        {"one letter", BYTES("{\"Status\":1}"), true},
        {"the last letter", BYTES("{\"statuS\":1}"), true},
        {"all letters", BYTES("{\"STATUS\":1}"), true},
        {"escaped", BYTES("{\"\\u0053tatus\":1}"), true},
        {"beside the name itself", BYTES("{\"status\":1,\"Status\":2}"), true},
        {"before the name itself", BYTES("{\"Status\":{\"a\":1},\"status\":2}"), true},
        {"shorter", BYTES("{\"Statu\":1}"), false},
        {"longer", BYTES("{\"Statuss\":1}"), false},
        {"longer by a NUL", BYTES("{\"Status\\u0000\":1}"), false},
        {"much longer", BYTES("{\"Status34567890123456789012345678901234567890\":1}"), false},
        {"another name", BYTES("{\"stotus\":1}"), false},
        {"long s", BYTES("{\"\xC5\xBFtatus\":1}"), false},
        {"deeper", BYTES("{\"x\":{\"Status\":1}}"), false},
        {"a value", BYTES("{\"x\":\"Status\"}"), false},
        {"an array", BYTES("[\"Status\",1]"), false},
        {"a string", BYTES("\"Status\""), false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_json json;

        row(rows[i].name);
        check_int(parse(&json, rows[i].text, false), 0);
        check_int(rekey_json_has_variant(&json, 0, "status"), rows[i].expected);
        check_int(rekey_json_has_variant(&json, -1, "status"), false);
        check_int(rekey_json_has_variant(&json, json.count, "status"), false);
    }
    {
        struct rekey_json json;

        row("a name whose value was cut off is of no member");
        check_int(parse(&json, rekey_span("{\"a\":1,\"Status\"", 15), true), 0);
        check_int(json.count, 4);
        check_int(rekey_json_has_variant(&json, 0, "status"), false);
    }
    rows_done();
}

static void test_invalid(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(invalid); i++) {
        struct rekey_json json = {.count = 99};

        row(invalid[i].name);
        check(recognise(invalid[i].text) != JSON_YES);
        check_int(parse(&json, invalid[i].text, false), REKEY_E_JSON);
        check_int(json.count, 0);
        check_int(rekey_json_find(&json, 0, "a"), -1);
    }
    rows_done();
}

// What rekey_json_parse returns for a text that the recogniser judged.
static void check_verdict(struct rekey_span text) {
    enum verdict verdict = recognise(text);
    struct rekey_json json;

    check_int(parse(&json, text, false), verdict == JSON_YES ? 0 : REKEY_E_JSON);
    check_int(parse(&json, text, true), 0);
    check(verdict == JSON_YES  ? json.text.len == text.len
          : verdict == JSON_NO ? json.text.len < text.len
                               : json.text.len <= text.len);
    check(recognise(rekey_span(text.ptr, json.text.len)) != JSON_NO);
}

// Each prefix of each text. One that is no JSON text is an error unless it is known to be cut: then
// it is read up to the fault, or to the beginning of what the cut left incomplete.
static void test_prefixes(void **state) {
    static const struct {
        const struct vector *vectors;
        size_t count;
    } tables[] = {{valid, COUNT(valid)}, {invalid, COUNT(invalid)}};

    (void)state;
    for (size_t t = 0; t < COUNT(tables); t++) {
        for (size_t i = 0; i < tables[t].count; i++) {
            for (size_t len = 0; len <= tables[t].vectors[i].text.len; len++) {
                row_n(tables[t].vectors[i].name, (long)len);
                check_verdict(rekey_span(tables[t].vectors[i].text.ptr, len));
            }
        }
    }
    rows_done();
}

// Each byte of each valid text replaced by, and in front of each byte, one that means something.
static void test_mutants(void **state) {
    static const char bytes[] = "\0\x1F \n\"\\/{}[],:0.-+eEtfnu\x7F\x80\xC3\xFF";
    char text[256];

    (void)state;
    for (size_t i = 0; i < COUNT(valid); i++) {
        size_t len = valid[i].text.len;

        if (strcmp(valid[i].name, "32 levels") == 0 || !check(len < sizeof(text))) {
            continue;
        }
        for (size_t at = 0; at <= len; at++) {
            for (size_t k = 0; k < sizeof(bytes) - 1; k++) {
                row_nn(valid[i].name, (long)at, (unsigned char)bytes[k]);
                memcpy(text, valid[i].text.ptr, at);
                text[at] = bytes[k];
                memcpy(text + at + 1, valid[i].text.ptr + at, len - at);
                check_verdict(rekey_span(text, len + 1));
                if (at < len) {
                    memcpy(text + at + 1, valid[i].text.ptr + at + 1, len - at - 1);
                    check_verdict(rekey_span(text, len));
                }
            }
        }
    }
    rows_done();
}

// ---- limits -------------------------------------------------------------------------------------

static void test_depth(void **state) {
    static const struct {
        const char *name;
        struct rekey_span text;
        int result;
    } rows[] = {
        {"32 arrays", BYTES(OPEN_32 CLOSE_32), 0},
        {"33 arrays", BYTES("[" OPEN_32 CLOSE_32 "]"), REKEY_E_LIMIT_JSON_DEPTH},
        {"32 arrays, cut", BYTES(OPEN_32), REKEY_E_JSON},
        {"33 arrays, cut", BYTES(OPEN_32 "["), REKEY_E_LIMIT_JSON_DEPTH},
        {"an object as the 33rd", BYTES(OPEN_32 "{}" CLOSE_32), REKEY_E_LIMIT_JSON_DEPTH},
        {"values at 32", BYTES(OPEN_32 "1,\"x\",null" CLOSE_32), 0},
        {"down and up again", BYTES("[" OPEN_32 "]" CLOSE_32 "]"), REKEY_E_LIMIT_JSON_DEPTH},
        {"32 twice", BYTES(OPEN_31 "[],{},[]" CLOSE_31), 0},
        {"32 objects",
         BYTES("{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{"
               "\"\":{\"\":"
               "{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{"
               "\"\":{\"\":"
               "{\"\":{}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}"),
         0},
        {"the outermost is an object",
         BYTES("{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]"
               "]]]]]]]}"),
         0},
        {"the outermost closed as an array", BYTES("{\"a\":" OPEN_31 "1" CLOSE_32), REKEY_E_JSON},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_json json;

        row(rows[i].name);
        check_int(parse_tokens(&json, rows[i].text, false, 80), rows[i].result);
        check_int(parse_tokens(&json, rows[i].text, true, 80), 0);
    }
    rows_done();
}

static void test_token_limit(void **state) {
    static const struct {
        const char *name;
        struct rekey_span text;
        size_t tokens;
    } rows[] = {
        {"literal", BYTES("null"), 1},
        {"number", BYTES("-1.5"), 1},
        {"string", BYTES("\"a\""), 1},
        {"empty array", BYTES("[]"), 1},
        {"empty object", BYTES(" {} "), 1},
        {"array", BYTES("[1,2,3]"), 4},
        {"object", BYTES("{\"a\":1,\"b\":2}"), 5},
        {"nested", BYTES("{\"a\":{\"b\":[{},\"x\"]}}"), 7},
        {"nested, last is an array", BYTES("[[1],[]]"), 4},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t tokens = 0; tokens <= rows[i].tokens + 1; tokens++) {
            struct rekey_json json;
            int expected = tokens < rows[i].tokens ? REKEY_E_LIMIT_JSON_TOKENS : 0;

            row_n(rows[i].name, (long)tokens);
            check_int(parse_tokens(&json, rows[i].text, false, tokens), expected);
            check_int(json.count, tokens < rows[i].tokens ? tokens : rows[i].tokens);
            check_int(parse_tokens(&json, rows[i].text, true, tokens), expected);
        }
    }
    rows_done();
}

// With too few tokens, values that have a token are found, and all others are not.
static void test_token_limit_find(void **state) {
    static const char text[] = "{\"a\":{\"b\":[7,8]},\"c\":\"x\",\"d\":null}";
    // tokens                  0 1    2 3    4 5 6   7     8      9     10

    (void)state;
    for (size_t tokens = 0; tokens <= 12; tokens++) {
        struct rekey_json json;
        int a, b, c, d;

        row_n("tokens", (long)tokens);
        check_int(parse_tokens(&json, REKEY_SPAN(text), false, tokens),
                  tokens < 11 ? REKEY_E_LIMIT_JSON_TOKENS : 0);
        a = rekey_json_find(&json, 0, "a");
        b = rekey_json_find(&json, a, "b");
        c = rekey_json_find(&json, 0, "c");
        d = rekey_json_find(&json, 0, "d");
        check_int(a, tokens >= 3 ? 2 : -1);
        check_int(b, tokens >= 5 ? 4 : -1);
        check_int(rekey_json_first(&json, b), tokens >= 6 ? 5 : -1);
        check_int(c, tokens >= 9 ? 8 : -1);
        check_int(d, tokens >= 11 ? 10 : -1);
        check_int(rekey_json_is_string(&json, c), tokens >= 9);
        check_int(rekey_json_is_null(&json, d), tokens >= 11);
        check_int(rekey_json_is_null(&json, 10), tokens >= 11);
    }
    rows_done();
}

// ---- look-ups -----------------------------------------------------------------------------------

#define MISSING (-1)

static void test_find(void **state) {
    static const struct {
        const char *name;
        struct rekey_span text;
        const char *member;
        int result; // 0: there, with the raw text below
        struct rekey_span raw;
    } rows[] = {
        {"only", BYTES("{\"a\":1}"), "a", 0, BYTES("1")},
        {"first", BYTES("{\"a\":1,\"b\":2,\"c\":3}"), "a", 0, BYTES("1")},
        {"middle", BYTES("{\"a\":1,\"b\":2,\"c\":3}"), "b", 0, BYTES("2")},
        {"last", BYTES("{\"a\":1,\"b\":2,\"c\":3}"), "c", 0, BYTES("3")},
        {"string", BYTES("{\"a\":\"x y\"}"), "a", 0, BYTES("x y")},
        {"raw stays escaped", BYTES("{\"a\":\"\\u0041\\n\"}"), "a", 0, BYTES("\\u0041\\n")},
        {"object", BYTES("{\"a\": {\"b\" : [ ]} }"), "a", 0, BYTES("{\"b\" : [ ]}")},
        {"array", BYTES("{\"a\":[1, 2]}"), "a", 0, BYTES("[1, 2]")},
        {"behind an object", BYTES("{\"x\":{\"b\":1,\"c\":[{}]},\"a\":true}"), "a", 0,
         BYTES("true")},
        {"behind an array", BYTES("{\"x\":[[],{\"a\":9}],\"a\":-1.5e3}"), "a", 0, BYTES("-1.5e3")},
        {"behind an empty string", BYTES("{\"x\":\"\",\"a\":7}"), "a", 0, BYTES("7")},
        {"behind an empty name", BYTES("{\"\":\"\",\"a\":7}"), "a", 0, BYTES("7")},
        {"behind empty ones", BYTES("{\"x\":{},\"y\":[],\"a\":null}"), "a", 0, BYTES("null")},
        {"not there", BYTES("{\"a\":1}"), "b", MISSING, {0}},
        {"empty object", BYTES("{}"), "a", MISSING, {0}},
        {"deeper only", BYTES("{\"b\":{\"a\":1}}"), "a", MISSING, {0}},
        {"a value, not a name", BYTES("{\"b\":\"a\",\"c\":\"b\"}"), "a", MISSING, {0}},
        {"an element, not a name", BYTES("{\"b\":[\"a\",1]}"), "a", MISSING, {0}},
        {"case", BYTES("{\"A\":1}"), "a", MISSING, {0}},
        {"prefix of the name", BYTES("{\"statu\":1}"), "status", MISSING, {0}},
        {"the name and more", BYTES("{\"statuss\":1}"), "status", MISSING, {0}},
        {"the name and a NUL", BYTES("{\"status\\u0000\":1}"), "status", MISSING, {0}},
        {"NUL first", BYTES("{\"\\u0000status\":1}"), "status", MISSING, {0}},
        {"empty name", BYTES("{\"\":5}"), "", 0, BYTES("5")},
        {"empty name, not that", BYTES("{\"a\":5}"), "", MISSING, {0}},
        {"escaped name", BYTES("{\"st\\u0061tus\":1}"), "status", 0, BYTES("1")},
        {"escaped first", BYTES("{\"\\u0073tatus\":1}"), "status", 0, BYTES("1")},
        {"escaped last", BYTES("{\"statu\\u0073\":1}"), "status", 0, BYTES("1")},
        {"all escaped", BYTES("{\"\\u0073\\u0074\\u0061\":1}"), "sta", 0, BYTES("1")},
        {"escaped capital", BYTES("{\"\\u0053tatus\":1}"), "status", MISSING, {0}},
        {"escape of Latin-1", BYTES("{\"\\u00e1\":1}"), "a", MISSING, {0}},
        {"escape of 16 bits", BYTES("{\"\\u0161\":1}"), "a", MISSING, {0}},
        {"name with a slash", BYTES("{\"a\\/b\":1}"), "a/b", 0, BYTES("1")},
        {"name with a tab", BYTES("{\"a\\tb\":1}"), "a\tb", 0, BYTES("1")},
        {"name with a quotation mark", BYTES("{\"a\\\"b\":1}"), "a\"b", 0, BYTES("1")},
        {"name beyond ASCII", BYTES("{\"\xC3\xA1\":1,\"a\":2}"), "a", 0, BYTES("2")},
        {"twice", BYTES("{\"a\":1,\"a\":2}"), "a", REKEY_E_JSON_DUPLICATE, {0}},
        {"twice, the same value", BYTES("{\"a\":1,\"a\":1}"), "a", REKEY_E_JSON_DUPLICATE, {0}},
        {"twice, far apart",
         BYTES("{\"a\":1,\"b\":[{\"a\":3}],\"c\":{},\"a\":2}"),
         "a",
         REKEY_E_JSON_DUPLICATE,
         {0}},
        {"twice, once escaped", BYTES("{\"a\":1,\"\\u0061\":2}"), "a", REKEY_E_JSON_DUPLICATE, {0}},
        {"twice, both escaped",
         BYTES("{\"\\u0061\":1,\"\\u0061\":2}"),
         "a",
         REKEY_E_JSON_DUPLICATE,
         {0}},
        {"three times", BYTES("{\"a\":1,\"a\":2,\"a\":3}"), "a", REKEY_E_JSON_DUPLICATE, {0}},
        {"another one twice", BYTES("{\"b\":1,\"b\":2,\"a\":3}"), "a", 0, BYTES("3")},
        {"twice on two levels", BYTES("{\"a\":{\"a\":1}}"), "a", 0, BYTES("{\"a\":1}")},
        {"in an array", BYTES("[\"a\",1]"), "a", MISSING, {0}},
        {"in an array of objects", BYTES("[{\"a\":1}]"), "a", MISSING, {0}},
        {"in a string", BYTES("\"a\""), "a", MISSING, {0}},
        {"in null", BYTES("null"), "a", MISSING, {0}},
        {"white space around", BYTES(" {\n\t\"a\"\r :\n1 } "), "a", 0, BYTES("1")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_json json;
        int at;

        row(rows[i].name);
        check_int(parse(&json, rows[i].text, false), 0);
        at = rekey_json_find(
            &json, 0, guarded_copy(rekey_span(rows[i].member, strlen(rows[i].member) + 1)).ptr);
        if (rows[i].result < 0) {
            check_int(at, rows[i].result);
        } else if (check(at > 0)) {
            check_span(rekey_json_raw(&json, at), rows[i].raw);
        }
    }
    rows_done();
}

// Look-ups in missing values, and in values that are not an object or array.
static void test_find_nowhere(void **state) {
    struct rekey_json json;
    int a, s;

    (void)state;
    row("nowhere");
    check_int(parse_tokens(&json, REKEY_SPAN("{\"a\":[1],\"s\":\"x\",\"n\":null}"), false, 8), 0);
    check_int(json.count, 8);
    a = rekey_json_find(&json, 0, "a");
    s = rekey_json_find(&json, 0, "s");
    check_int(rekey_json_find(&json, -1, "a"), -1);
    check_int(rekey_json_find(&json, REKEY_E_JSON_DUPLICATE, "a"), -1);
    check_int(rekey_json_find(&json, json.count, "a"), -1);
    check_int(rekey_json_find(&json, a, "a"), -1);
    check_int(rekey_json_find(&json, s, "a"), -1);
    check_int(rekey_json_first(&json, -1), -1);
    check_int(rekey_json_first(&json, REKEY_E_JSON_DUPLICATE), -1);
    check_int(rekey_json_first(&json, 0), -1);
    check_int(rekey_json_first(&json, s), -1);
    check_int(rekey_json_first(&json, json.count), -1);
    check(!rekey_json_is_string(&json, -1));
    check(!rekey_json_is_string(&json, REKEY_E_JSON_DUPLICATE));
    check(!rekey_json_is_null(&json, -1));
    check(!rekey_json_is_null(&json, REKEY_E_JSON_DUPLICATE));
    check(!rekey_json_is_null(&json, json.count));
    row("nothing, cut");
    if (parse(&json, REKEY_SPAN(""), true) == 0) {
        check_int(json.count, 0);
    }
    check_int(rekey_json_find(&json, 0, "a"), -1);
    check_int(rekey_json_first(&json, 0), -1);
    check(!rekey_json_is_null(&json, 0));
    rows_done();
}

static void test_first(void **state) {
    static const struct {
        const char *name;
        struct rekey_span text;
        bool there;
        struct rekey_span raw;
    } rows[] = {
        {"one", BYTES("[7]"), true, BYTES("7")},
        {"two", BYTES("[7,8]"), true, BYTES("7")},
        {"object", BYTES("[ {\"a\":1}, 2]"), true, BYTES("{\"a\":1}")},
        {"array", BYTES("[[ ],2]"), true, BYTES("[ ]")},
        {"string", BYTES("[\"x\"]"), true, BYTES("x")},
        {"null", BYTES("[null]"), true, BYTES("null")},
        {"empty", BYTES("[]"), false, {0}},
        {"empty with space", BYTES("[ \n]"), false, {0}},
        {"object, not an array", BYTES("{\"a\":1}"), false, {0}},
        {"string, not an array", BYTES("\"a\""), false, {0}},
        {"null, not an array", BYTES("null"), false, {0}},
    };
    struct rekey_json json;
    int at;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        row(rows[i].name);
        check_int(parse(&json, rows[i].text, false), 0);
        at = rekey_json_first(&json, 0);
        check_int(at, rows[i].there ? 1 : -1);
        if (at == 1) {
            check_span(rekey_json_raw(&json, at), rows[i].raw);
        }
    }
    row("empty, with members behind it");
    check_int(parse(&json, REKEY_SPAN("{\"a\":[],\"b\":[1]}"), false), 0);
    check_int(rekey_json_first(&json, rekey_json_find(&json, 0, "a")), -1);
    at = rekey_json_first(&json, rekey_json_find(&json, 0, "b"));
    if (check(at > 0)) {
        check_span(rekey_json_raw(&json, at), REKEY_SPAN("1"));
    }
    rows_done();
}

static void test_types(void **state) {
    static const struct {
        const char *name;
        struct rekey_span text;
        bool string, null;
    } rows[] = {
        {"string", BYTES("\"a\""), true, false},
        {"empty string", BYTES("\"\""), true, false},
        {"the word null", BYTES("\"null\""), true, false},
        {"null", BYTES(" null "), false, true},
        {"true", BYTES("true"), false, false},
        {"false", BYTES("false"), false, false},
        {"number", BYTES("0"), false, false},
        {"object", BYTES("{}"), false, false},
        {"array", BYTES("[null]"), false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_json json;

        row(rows[i].name);
        check_int(parse(&json, rows[i].text, false), 0);
        check_int(rekey_json_is_string(&json, 0), rows[i].string);
        check_int(rekey_json_is_null(&json, 0), rows[i].null);
    }
    rows_done();
}

// ---- unescaping and escaping --------------------------------------------------------------------

#define REPLACEMENT "\xEF\xBF\xBD"

static const struct {
    const char *name;
    struct rekey_span text, bytes;
} strings[] = {
    {"empty", BYTES("\"\""), BYTES("")},
    {"plain", BYTES("\"abc\""), BYTES("abc")},
    {"short escapes", BYTES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), BYTES("\"\\/\b\f\n\r\t")},
    {"escapes among letters", BYTES("\"a\\nb\\tc\""), BYTES("a\nb\tc")},
    {"escaped ASCII", BYTES("\"\\u0041\\u007a\\u007F\""), BYTES("Az\x7F")},
    {"escaped NUL", BYTES("\"a\\u0000b\""), BYTES("a\0b")},
    {"two bytes", BYTES("\"\\u0080\\u07ff\\u00fC\""), BYTES("\xC2\x80\xDF\xBF\xC3\xBC")},
    {"three bytes", BYTES("\"\\u0800\\uffff\\u20AC\""),
     BYTES("\xE0\xA0\x80\xEF\xBF\xBF\xE2\x82\xAC")},
    {"beside the surrogates", BYTES("\"\\ud7ff\\ue000\""), BYTES("\xED\x9F\xBF\xEE\x80\x80")},
    {"pair", BYTES("\"\\ud83d\\ude00\""), BYTES("\xF0\x9F\x98\x80")},
    {"first pair", BYTES("\"\\ud800\\udc00\""), BYTES("\xF0\x90\x80\x80")},
    {"last pair", BYTES("\"\\uDBFF\\uDFFF\""), BYTES("\xF4\x8F\xBF\xBF")},
    {"high, last low", BYTES("\"\\ud800\\udfff\""), BYTES("\xF0\x90\x8F\xBF")},
    {"last high, first low", BYTES("\"\\udbff\\udc00\""), BYTES("\xF4\x8F\xB0\x80")},
    {"high alone", BYTES("\"\\ud83d\""), BYTES(REPLACEMENT)},
    {"low alone", BYTES("\"\\ude00\""), BYTES(REPLACEMENT)},
    {"high and a letter", BYTES("\"\\ud83dx\""), BYTES(REPLACEMENT "x")},
    {"high and letters", BYTES("\"\\ud83dxxxxxx\""), BYTES(REPLACEMENT "xxxxxx")},
    {"high and a newline", BYTES("\"\\ud83d\\nuDE00\""), BYTES(REPLACEMENT "\nuDE00")},
    {"high and an escape below", BYTES("\"\\ud83d\\udbff\""), BYTES(REPLACEMENT REPLACEMENT)},
    {"high and an escape above", BYTES("\"\\ud83d\\ue000\""), BYTES(REPLACEMENT "\xEE\x80\x80")},
    {"high and a letter's escape", BYTES("\"\\ud83d\\u0041\""), BYTES(REPLACEMENT "A")},
    {"high, high, low", BYTES("\"\\ud83d\\ud83d\\ude00\""), BYTES(REPLACEMENT "\xF0\x9F\x98\x80")},
    {"low, high", BYTES("\"\\ude00\\ud83d\""), BYTES(REPLACEMENT REPLACEMENT)},
    {"low, low", BYTES("\"\\udc00\\udfff\""), BYTES(REPLACEMENT REPLACEMENT)},
    {"first high alone, last low alone", BYTES("\"\\ud800-\\udfff\""),
     BYTES(REPLACEMENT "-" REPLACEMENT)},
    {"UTF-8", BYTES("\"\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80\""),
     BYTES("\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80")},
    {"all lengths", BYTES("\"a\\u00fc\\u20ac\\ud83d\\ude00z\""),
     BYTES("a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80z")},
    {"backslash, then u", BYTES("\"\\\\u0041\""), BYTES("\\u0041")},
    {"hex digits", BYTES("\"\\u1234\\u5678\\u9abc\\uCDEF\""),
     BYTES("\xE1\x88\xB4\xE5\x99\xB8\xE9\xAA\xBC\xEC\xB7\xAF")},
};

// The length of the first characters of `bytes` that fit into `cap`.
static size_t whole_characters(struct rekey_span bytes, size_t cap) {
    size_t len = 0;

    while (len < bytes.len && len + rekey_utf8(bytes, len, NULL) <= cap) {
        len += rekey_utf8(bytes, len, NULL);
    }
    return len;
}

// Unescapes into buffers of every size: only whole characters are kept, and *needed is the whole
// length.
static void test_string(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        for (size_t cap = 0; cap <= strings[i].bytes.len + 2; cap++) {
            struct rekey_json json;
            size_t needed = 12345;
            size_t len;
            char *buf;

            row_n(strings[i].name, (long)cap);
            check_int(parse(&json, strings[i].text, false), 0);
            if (!check(rekey_json_is_string(&json, 0))) {
                continue;
            }
            buf = guarded(cap);
            len = rekey_json_string(&json, 0, buf, cap, &needed);
            check_int(needed, strings[i].bytes.len);
            check_span(rekey_span(buf, len),
                       rekey_span(strings[i].bytes.ptr, whole_characters(strings[i].bytes, cap)));
        }
    }
    rows_done();
}

static const struct {
    const char *name;
    struct rekey_span text, escaped;
} escapes[] = {
    {"empty", BYTES(""), BYTES("")},
    {"plain", BYTES("abc"), BYTES("abc")},
    {"quotation mark", BYTES("\""), BYTES("\\\"")},
    {"backslash", BYTES("\\"), BYTES("\\\\")},
    {"slash", BYTES("/"), BYTES("/")},
    {"among letters", BYTES("a\"b\\c"), BYTES("a\\\"b\\\\c")},
    {"NUL", BYTES("\0"), BYTES("\\u0000")},
    {"newline", BYTES("a\nb"), BYTES("a\\u000Ab")},
    {"last control", BYTES("\x1F"), BYTES("\\u001F")},
    {"space", BYTES(" "), BYTES(" ")},
    {"DEL", BYTES("\x7F"), BYTES("\x7F")},
    {"UTF-8", BYTES("\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80"),
     BYTES("\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80")},
    {"six for each", BYTES("\x01\x02\x10\x11"), BYTES("\\u0001\\u0002\\u0010\\u0011")},
};

static void test_escape(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(escapes); i++) {
        for (size_t cap = 0; cap <= escapes[i].escaped.len + 2; cap++) {
            size_t len;
            char *buf;

            row_n(escapes[i].name, (long)cap);
            buf = guarded(cap);
            len = rekey_json_escape(guarded_copy(escapes[i].text), buf, cap);
            if (cap < escapes[i].escaped.len) {
                check_int(len, cap + 1);
            } else {
                check_span(rekey_span(buf, len), escapes[i].escaped);
            }
        }
    }
    rows_done();
}

// Every byte that can stand alone, escaped into exactly six bytes of room or fewer, and read back.
static void test_escape_round_trip(void **state) {
    (void)state;
    for (int byte = 0; byte < 0x80; byte++) {
        char c = (char)byte;
        char text[8] = "\"";
        char back[4];
        struct rekey_json json;
        size_t len, needed;
        char *buf;

        row_n("byte", byte);
        buf = guarded(6);
        len = rekey_json_escape(rekey_span(&c, 1), buf, 6);
        if (!check(len >= 1 && len <= 6)) {
            continue;
        }
        memcpy(text + 1, buf, len);
        text[len + 1] = '"';
        check_int(parse(&json, rekey_span(text, len + 2), false), 0);
        check_int(rekey_json_string(&json, 0, back, sizeof(back), &needed), 1);
        check_int(back[0], c);
    }
    rows_done();
}

// ---- cut texts ----------------------------------------------------------------------------------

// Whatever bytes a cut text ends with: every whole string in it is UTF-8 and can be unescaped.
static void test_cut_ends(void **state) {
    static const struct {
        const char *name;
        struct rekey_span text;
    } rows[] = {
        {"no UTF-8, then the string ends", BYTES("{\"a\":\"\xFF\"")},
        {"continuation, then the string ends", BYTES("{\"a\":\"\x80\"")},
        {"no UTF-8, then all ends", BYTES("{\"a\":\"\xFF\"}")},
        {"half a character, then the string ends", BYTES("{\"a\":\"\xE2\x82\"")},
        {"half a character, then a letter", BYTES("{\"a\":\"\xE2x")},
        {"half a name's character", BYTES("{\"\xC3\":")},
        {"overlong, then the string ends", BYTES("{\"a\":\"\xC0\xAF\"")},
        {"no UTF-8 at the end", BYTES("{\"a\":\"\xFF")},
        {"half a character at the end", BYTES("{\"a\":\"\xE2\x82")},
        {"a quarter of one at the end", BYTES("{\"a\":\"\xF0")},
        {"three quarters of one at the end", BYTES("{\"a\":\"\xF0\x9F\x98")},
        {"half an overlong character at the end", BYTES("{\"a\":\"\xE0\x9F")},
        {"half of the first of three bytes at the end", BYTES("{\"a\":\"\xE0\xA0")},
        {"half a surrogate at the end", BYTES("{\"a\":\"\xED\xA0")},
        {"half of the last before the surrogates at the end", BYTES("{\"a\":\"\xED\x9F")},
        {"half of four overlong bytes at the end", BYTES("{\"a\":\"\xF0\x8F\xBF")},
        {"half of the first of four bytes at the end", BYTES("{\"a\":\"\xF0\x90\x80")},
        {"half of one above U+10FFFF at the end", BYTES("{\"a\":\"\xF4\x90")},
        {"half of the last at the end", BYTES("{\"a\":\"\xF4\x8F")},
        {"C1 at the end", BYTES("{\"a\":\"\xC1")},
        {"C2 at the end", BYTES("{\"a\":\"\xC2")},
        {"F5 at the end", BYTES("{\"a\":\"\xF5")},
        {"leading zero at the end", BYTES("{\"a\":01")},
        {"two zeros at the end", BYTES("[-00")},
        {"zero at the end", BYTES("[-0")},
        {"minus at the end", BYTES("[-")},
        {"dot at the end", BYTES("[1.")},
        {"exponent at the end", BYTES("[1e-")},
        {"backslash at the end", BYTES("[\"\\")},
        {"escape at the end", BYTES("[\"\\u00")},
        {"wrong escape at the end", BYTES("[\"\\u0x")},
        {"literal at the end", BYTES("[nul")},
        {"wrong literal at the end", BYTES("[nux")},
        {"wrong close at the end", BYTES("[}")},
        {"comma at the end", BYTES("{\"a\":1,")},
        {"two commas at the end", BYTES("{\"a\":1,,")},
        {"name at the end", BYTES("{\"a\":1,\"b\"")},
        {"colon at the end", BYTES("{\"a\":1,\"b\":")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_json json;

        row(rows[i].name);
        check_int(parse(&json, rows[i].text, true), 0);
        for (int at = 0; at < json.count; at++) {
            struct rekey_span raw = rekey_json_raw(&json, at);

            for (size_t k = 0, n; rekey_json_is_string(&json, at) && k < raw.len; k += n) {
                n = rekey_utf8(raw, k, NULL);
                if (!check(n > 0)) { // unescaping it would not end
                    n = raw.len;
                }
            }
        }
    }
    rows_done();
}

// A value is found in a cut text exactly if it began inside; a string exactly if it is complete
// inside.
static void test_cut_find(void **state) {
    static const char text[] =
        "{\"a\":\"x\\u00fc\",\"o\":{\"b\":\"y\",\"n\":null},\"l\":[\"z\",1],\"e\":\"w\"}";
    static const struct {
        const char *member, *in, *whole; // `whole` ends where the value does
        struct rekey_span bytes;
    } values[] = {
        {"a", NULL, "\\u00fc\"", BYTES("x\xC3\xBC")},
        {"b", "o", "\"y\"", BYTES("y")},
        {"e", NULL, "\"w\"", BYTES("w")},
    };

    (void)state;
    for (size_t len = 1; len < sizeof(text); len++) {
        struct rekey_json json;
        int list;

        row_n("cut at", (long)len);
        check_int(parse(&json, rekey_span(text, len), len < sizeof(text) - 1), 0);
        for (size_t i = 0; i < COUNT(values); i++) {
            size_t end = (size_t)(strstr(text, values[i].whole) - text) + strlen(values[i].whole);
            int in = values[i].in != NULL ? rekey_json_find(&json, 0, values[i].in) : 0;
            int at = rekey_json_find(&json, in, values[i].member);
            size_t needed;
            char *buf;

            check_int(rekey_json_is_string(&json, at), len >= end);
            if (rekey_json_is_string(&json, at)) {
                buf = guarded(8);
                check_span(rekey_span(buf, rekey_json_string(&json, at, buf, 8, &needed)),
                           values[i].bytes);
            }
        }
        check_int(
            rekey_json_is_null(&json, rekey_json_find(&json, rekey_json_find(&json, 0, "o"), "n")),
            len >= (size_t)(strstr(text, "null") - text) + 4);
        list = rekey_json_find(&json, 0, "l");
        check_int(list >= 0, len > (size_t)(strstr(text, "[") - text));
        check_int(rekey_json_first(&json, list) >= 0,
                  len >= (size_t)(strstr(text, "\"z\"") - text) + 3);
    }
    rows_done();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        UNIT(test_valid),
        UNIT(test_invalid),
        UNIT(test_byte_order_mark),
        UNIT(test_byte_order_mark_alone),
        UNIT(test_variants),
        UNIT(test_prefixes),
        UNIT(test_mutants),
        UNIT(test_depth),
        UNIT(test_token_limit),
        UNIT(test_token_limit_find),
        UNIT(test_find),
        UNIT(test_find_nowhere),
        UNIT(test_first),
        UNIT(test_types),
        UNIT(test_string),
        UNIT(test_escape),
        UNIT(test_escape_round_trip),
        UNIT(test_cut_ends),
        UNIT(test_cut_find),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, rows_total);
}
