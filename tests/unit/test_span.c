// test_span.c - span.h and span.c: comparison, ASCII classes, well-formed UTF-8, zeroize.
// UTF-8 is compared with an encoder in this file for every code point, and with the table of
// well-formed byte sequences (Unicode, table 3-7) for sequences that no encoder makes.

#include "support.h"

static void test_equal(void **state) {
    static const struct {
        const char *name;
        struct rekey_span a, b;
        bool equal, nocase;
    } rows[] = {
        {"same", BYTES("abc"), BYTES("abc"), true, true},
        {"case", BYTES("abC"), BYTES("aBc"), false, true},
        {"all letters", BYTES("abcdefghijklmnopqrstuvwxyz"), BYTES("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
         false, true},
        {"last byte", BYTES("abc"), BYTES("abd"), false, false},
        {"first byte", BYTES("abc"), BYTES("xbc"), false, false},
        {"shorter", BYTES("ab"), BYTES("abc"), false, false},
        {"longer", BYTES("abc"), BYTES("ab"), false, false},
        {"empty and not", BYTES(""), BYTES("a"), false, false},
        {"both empty", BYTES(""), BYTES(""), true, true},
        {"NULL and empty", {NULL, 0}, BYTES(""), true, true},
        {"NULL and NULL", {NULL, 0}, {NULL, 0}, true, true},
        {"NUL inside, same", BYTES("a\0b"), BYTES("a\0b"), true, true},
        {"NUL inside, not same", BYTES("a\0b"), BYTES("a\0c"), false, false},
        {"before A", BYTES("@"), BYTES("`"), false, false},
        {"behind Z", BYTES("["), BYTES("{"), false, false},
        {"beyond ASCII has no case", BYTES("\xC3\x84"), BYTES("\xC3\xA4"), false, false},
        {"space and NUL", BYTES(" "), BYTES("\0"), false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_span a, b;

        row(rows[i].name);
        a = rows[i].a.ptr == NULL ? rows[i].a : guarded_copy(rows[i].a);
        b = rows[i].b.ptr == NULL ? rows[i].b : guarded_copy(rows[i].b);
        check_int(rekey_span_equal(a, b), rows[i].equal);
        check_int(rekey_span_equal(b, a), rows[i].equal);
        check_int(rekey_span_equal_nocase(a, b), rows[i].nocase);
        check_int(rekey_span_equal_nocase(b, a), rows[i].nocase);
    }
    rows_done();
}

static void test_classes(void **state) {
    static const char digits[] = "0123456789";
    static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
    static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)(unsigned char)byte;
        bool digit = memchr(digits, byte, 10) != NULL;
        const char *up = memchr(upper, byte, 26);
        bool letter = up != NULL || memchr(lower, byte, 26) != NULL;

        row_n("byte", byte);
        check_int(rekey_is_digit(c), digit);
        check_int(rekey_is_alnum(c), digit || letter);
        check_int(rekey_lower(c), up != NULL ? lower[up - upper] : c);
    }
    rows_done();
}

static void test_constructors(void **state) {
    const char text[] = "text";
    struct rekey_span span = rekey_span(text + 1, 2);

    (void)state;
    row("rekey_span");
    check(span.ptr == text + 1);
    check_int(span.len, 2);
    row("REKEY_SPAN");
    check_int(REKEY_SPAN("a\0b").len, 3);
    check_int(REKEY_SPAN("").len, 0);
    rows_done();
}

// Encodes a code point as in RFC 3629; returns 0 if it has no encoding.
static size_t encode(uint32_t code, unsigned char out[4]) {
    if (code < 0x80) {
        out[0] = (unsigned char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (unsigned char)(0xC0 + (code / 64));
        out[1] = (unsigned char)(0x80 + (code % 64));
        return 2;
    }
    if (code >= 0xD800 && code < 0xE000) {
        return 0;
    }
    if (code < 0x10000) {
        out[0] = (unsigned char)(0xE0 + (code / 4096));
        out[1] = (unsigned char)(0x80 + (code / 64 % 64));
        out[2] = (unsigned char)(0x80 + (code % 64));
        return 3;
    }
    out[0] = (unsigned char)(0xF0 + (code / 262144));
    out[1] = (unsigned char)(0x80 + (code / 4096 % 64));
    out[2] = (unsigned char)(0x80 + (code / 64 % 64));
    out[3] = (unsigned char)(0x80 + (code % 64));
    return 4;
}

static void test_utf8_all(void **state) {
    char *end;

    (void)state;
    row("all code points");
    end = (char *)guarded(8) + 8;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        unsigned char bytes[4];
        size_t len = encode(code, bytes);
        uint32_t got = 0xFFFFFFFF;

        if (len == 0) {
            continue;
        }
        memcpy(end - len, bytes, len);
        if (rekey_utf8(rekey_span(end - len, len), 0, &got) != len || got != code) {
            row_n("code point", (long)code);
            check_int(got, code);
            break;
        }
    }
    rows_done();
}

// Every pair of bytes, between two that are ASCII: well-formed are one ASCII byte, and two of
// C2..DF and 80..BF.
static void test_utf8_pairs(void **state) {
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        unsigned char *bytes;

        row_n("first byte", (long)first);
        bytes = guarded(4);
        bytes[0] = bytes[3] = 'x';
        bytes[1] = (unsigned char)first;
        for (unsigned second = 0; second < 256; second++) {
            bool two = first >= 0xC2 && first <= 0xDF && second >= 0x80 && second <= 0xBF;
            size_t expected = first < 0x80 ? 1 : two ? 2 : 0;

            bytes[2] = (unsigned char)second;
            if (!check_int(rekey_utf8(rekey_span((char *)bytes, 4), 1, NULL), expected)) {
                break;
            }
        }
    }
    rows_done();
}

static void test_utf8_rows(void **state) {
    static const struct {
        const char *name;
        struct rekey_span text;
        size_t at, len;
        uint32_t code;
    } rows[] = {
        {"ASCII", BYTES("a"), 0, 1, 'a'},
        {"NUL", BYTES("\0"), 0, 1, 0},
        {"last ASCII", BYTES("\x7F"), 0, 1, 0x7F},
        {"first of two bytes", BYTES("\xC2\x80"), 0, 2, 0x80},
        {"last of two bytes", BYTES("\xDF\xBF"), 0, 2, 0x7FF},
        {"first of three bytes", BYTES("\xE0\xA0\x80"), 0, 3, 0x800},
        {"before the surrogates", BYTES("\xED\x9F\xBF"), 0, 3, 0xD7FF},
        {"behind the surrogates", BYTES("\xEE\x80\x80"), 0, 3, 0xE000},
        {"last of three bytes", BYTES("\xEF\xBF\xBF"), 0, 3, 0xFFFF},
        {"first of four bytes", BYTES("\xF0\x90\x80\x80"), 0, 4, 0x10000},
        {"last of four bytes", BYTES("\xF4\x8F\xBF\xBF"), 0, 4, 0x10FFFF},
        {"not at the start", BYTES("a\xE2\x82\xAC"), 1, 3, 0x20AC},
        {"followed by more", BYTES("\xE2\x82\xAC\xE2"), 0, 3, 0x20AC},
        {"continuation alone", BYTES("\x80"), 0, 0, 0},
        {"last continuation alone", BYTES("\xBF"), 0, 0, 0},
        {"in the middle", BYTES("\xE2\x82\xAC"), 1, 0, 0},
        {"overlong NUL", BYTES("\xC0\x80"), 0, 0, 0},
        {"overlong two", BYTES("\xC1\xBF"), 0, 0, 0},
        {"overlong three, first", BYTES("\xE0\x80\x80"), 0, 0, 0},
        {"overlong three, last", BYTES("\xE0\x9F\xBF"), 0, 0, 0},
        {"overlong four, first", BYTES("\xF0\x80\x80\x80"), 0, 0, 0},
        {"overlong four, last", BYTES("\xF0\x8F\xBF\xBF"), 0, 0, 0},
        {"first surrogate", BYTES("\xED\xA0\x80"), 0, 0, 0},
        {"last surrogate", BYTES("\xED\xBF\xBF"), 0, 0, 0},
        {"above the last", BYTES("\xF4\x90\x80\x80"), 0, 0, 0},
        {"F5", BYTES("\xF5\x80\x80\x80"), 0, 0, 0},
        {"five bytes", BYTES("\xF8\x88\x80\x80\x80"), 0, 0, 0},
        {"six bytes", BYTES("\xFC\x84\x80\x80\x80\x80"), 0, 0, 0},
        {"FE", BYTES("\xFE\xBF\xBF\xBF\xBF\xBF\xBF"), 0, 0, 0},
        {"FF", BYTES("\xFF\xBF\xBF\xBF"), 0, 0, 0},
        {"two cut to one", BYTES("\xC3"), 0, 0, 0},
        {"three cut to one", BYTES("\xE2"), 0, 0, 0},
        {"three cut to two", BYTES("\xE2\x82"), 0, 0, 0},
        {"four cut to one", BYTES("\xF0"), 0, 0, 0},
        {"four cut to two", BYTES("\xF0\x9F"), 0, 0, 0},
        {"four cut to three", BYTES("\xF0\x9F\x98"), 0, 0, 0},
        {"cut, not at the start", BYTES("abc\xE2\x82"), 3, 0, 0},
        {"second is no continuation", BYTES("\xE2\x28\xAC"), 0, 0, 0},
        {"third is no continuation", BYTES("\xE2\x82\x28"), 0, 0, 0},
        {"third is a first", BYTES("\xE2\x82\xC3"), 0, 0, 0},
        {"fourth is no continuation", BYTES("\xF0\x9F\x98\x7F"), 0, 0, 0},
        {"fourth is a first", BYTES("\xF0\x9F\x98\xC0"), 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_span text;
        uint32_t code = 0xABCDEF;

        row(rows[i].name);
        text = guarded_copy(rows[i].text);
        check_int(rekey_utf8(text, rows[i].at, &code), rows[i].len);
        check_int(code, rows[i].len > 0 ? rows[i].code : 0xABCDEF);
        check_int(rekey_utf8(text, rows[i].at, NULL), rows[i].len);
    }
    rows_done();
}

static void test_zeroize(void **state) {
    (void)state;
    for (size_t from = 0; from <= 4; from++) {
        for (size_t len = 0; len <= 40 - from; len++) {
            unsigned char *bytes;
            bool right = true;

            row_nn("from, length", (long)from, (long)len);
            bytes = guarded(40);
            memset(bytes, 0xEE, 40);
            rekey_zeroize(bytes + from, len);
            for (size_t i = 0; i < 40; i++) {
                right = right && bytes[i] == (i >= from && i < from + len ? 0 : 0xEE);
            }
            check(right);
        }
    }
    row("nothing");
    rekey_zeroize(guarded(0), 0);
    rows_done();
}

static void test_number(void **state) {
    static const struct {
        const char *name;
        struct rekey_span text;
        int32_t max, number;
    } rows[] = {
        {"empty", BYTES(""), 9, -1},
        {"zero", BYTES("0"), 9, 0},
        {"leading zeros", BYTES("0000000000000000007"), 9, 7},
        {"the largest", BYTES("600"), 600, 600},
        {"one more", BYTES("601"), 600, 600},
        {"very long", BYTES("99999999999999999999999999"), 200000000, 200000000},
        {"sign", BYTES("-1"), 9, -1},
        {"letter behind", BYTES("1a"), 9, -1},
        {"letter beyond the largest", BYTES("99999a"), 9, -1},
        {"space", BYTES(" 1"), 9, -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        row(rows[i].name);
        check_int(rekey_number(guarded_copy(rows[i].text), rows[i].max), rows[i].number);
    }
    rows_done();
}

// Each byte as two digits that rekey_hex_value reads again.
static void test_hex(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char *hex = guarded(2);

        row_n("byte", byte);
        rekey_hex((unsigned char)byte, hex);
        check_int(rekey_hex_value(hex[0]) * 16 + rekey_hex_value(hex[1]), byte);
        check(hex[0] < 'a' && hex[1] < 'a');
    }
    rows_done();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        UNIT(test_equal),    UNIT(test_classes),    UNIT(test_constructors),
        UNIT(test_utf8_all), UNIT(test_utf8_pairs), UNIT(test_utf8_rows),
        UNIT(test_zeroize),  UNIT(test_number),     UNIT(test_hex),
    };

    return cmocka_run_group_tests_name("span", tests, NULL, rows_total);
}
