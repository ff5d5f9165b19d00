// test_arm_error.c - arm_error.h: ErrorResponses with members that are missing, null or of another
// type, texts at both sides of their size limits, bodies that were cut at every length, and token
// budgets of every size.

#include <stdio.h>

#include "arm_error.h"
#include "support.h"

#define TOKENS 64

// What *error must hold; an empty span is an empty text.
struct expected {
    struct rekey_span code, message, target, detail;
};

#define check_text(text_of, cut_of, expected_text)                                                 \
    (check_span(rekey_span((text_of).text, (text_of).len), (expected_text)),                       \
     check_int((text_of).cut, (cut_of)))

static void check_error(const struct rekey_arm_error *error, const struct expected *expected) {
    check_text(error->code, false, expected->code);
    check_text(error->message, false, expected->message);
    check_text(error->target, false, expected->target);
    check_text(error->detail, false, expected->detail);
}

// Reads `body`, with every buffer at a guard.
static struct rekey_arm_error *read_error(struct rekey_span body, bool cut, size_t tokens) {
    struct rekey_arm_error *error = guarded(sizeof(*error));
    struct rekey_json json;

    rekey_json_parse(&json, guarded_copy(body), cut, guarded(tokens * REKEY_JSON_TOKEN_SIZE),
                     tokens);
    memset(error, 0, sizeof(*error));
    rekey_arm_error_read(error, &json);
    return error;
}

static const struct {
    const char *name;
    struct rekey_span body;
    struct expected expected;
} rows[] = {
    {"all four",
     BYTES("{\"error\":{\"code\":\"Conflict\",\"message\":\"In use.\",\"target\":\"endpoint\","
           "\"details\":[{\"code\":\"OperationInProgress\",\"message\":\"inner\"}]}}"),
     {BYTES("Conflict"), BYTES("In use."), BYTES("endpoint"), BYTES("OperationInProgress")}},
    {"recorded 404",
     BYTES("{\"error\":{\"code\":\"NotFound\",\"message\":\"Not found\",\"details\":[{\"code\":"
           "\"OperationNotFound\",\"message\":\"x\",\"details\":[],\"additionalInfo\":[]}],"
           "\"additionalInfo\":[{\"type\":\"ComponentName\",\"info\":{\"value\":\"mfe\"}}]}}"),
     {BYTES("NotFound"), BYTES("Not found"), {0}, BYTES("OperationNotFound")}},
    {"white space",
     BYTES(" { \"error\" : {\r\n\t\"code\" : \"A\" , \"message\" : \"B\" } } "),
     {BYTES("A"), BYTES("B"), {0}, {0}}},
    {"error before status",
     BYTES("{\"error\":{\"code\":\"A\",\"message\":\"B\"},\"status\":\"Failed\"}"),
     {BYTES("A"), BYTES("B"), {0}, {0}}},
    {"error behind status",
     BYTES("{\"status\":\"Failed\",\"error\":{\"code\":\"A\",\"message\":\"B\"}}"),
     {BYTES("A"), BYTES("B"), {0}, {0}}},
    {"all null",
     BYTES("{\"error\":{\"code\":null,\"message\":null,\"target\":null,\"details\":null}}"),
     {{0}, {0}, {0}, {0}}},
    {"all of another type",
     BYTES(
         "{\"error\":{\"code\":1,\"message\":{\"x\":\"y\"},\"target\":[\"z\"],\"details\":\"d\"}}"),
     {{0}, {0}, {0}, {0}}},
    {"code alone", BYTES("{\"error\":{\"code\":\"A\"}}"), {BYTES("A"), {0}, {0}, {0}}},
    {"empty object", BYTES("{\"error\":{}}"), {{0}, {0}, {0}, {0}}},
    {"error is null", BYTES("{\"error\":null}"), {{0}, {0}, {0}, {0}}},
    {"error is a string", BYTES("{\"error\":\"invalid_client\"}"), {{0}, {0}, {0}, {0}}},
    {"error is an array", BYTES("{\"error\":[{\"code\":\"A\"}]}"), {{0}, {0}, {0}, {0}}},
    {"no error", BYTES("{\"code\":\"A\",\"message\":\"B\"}"), {{0}, {0}, {0}, {0}}},
    {"Error in another case", BYTES("{\"Error\":{\"code\":\"A\"}}"), {{0}, {0}, {0}, {0}}},
    {"error deeper", BYTES("{\"x\":{\"error\":{\"code\":\"A\"}}}"), {{0}, {0}, {0}, {0}}},
    {"array", BYTES("[{\"error\":{\"code\":\"A\"}}]"), {{0}, {0}, {0}, {0}}},
    {"null", BYTES("null"), {{0}, {0}, {0}, {0}}},
    {"empty", BYTES(""), {{0}, {0}, {0}, {0}}},
    {"HTML", BYTES("<html>502 Bad Gateway</html>"), {{0}, {0}, {0}, {0}}},
    {"not JSON at its end", BYTES("{\"error\":{\"code\":\"A\"}},"), {{0}, {0}, {0}, {0}}},
    {"not UTF-8", BYTES("{\"error\":{\"code\":\"A\",\"message\":\"\xFF\"}}"), {{0}, {0}, {0}, {0}}},
    {"code of the details, message of the error",
     BYTES("{\"error\":{\"message\":\"M\",\"details\":[{\"code\":\"D\",\"message\":\"N\"}]}}"),
     {{0}, BYTES("M"), {0}, BYTES("D")}},
    {"message of the details",
     BYTES("{\"error\":{\"code\":\"A\",\"details\":[{\"code\":\"D\",\"message\":\"N\"}]}}"),
     {BYTES("A"), BYTES("N"), {0}, BYTES("D")}},
    {"null message: that of the details",
     BYTES("{\"error\":{\"message\":null,\"details\":[{\"message\":\"N\"}]}}"),
     {{0}, BYTES("N"), {0}, {0}}},
    {"empty message: that of the details",
     BYTES("{\"error\":{\"message\":\"\",\"details\":[{\"message\":\"N\"}]}}"),
     {{0}, BYTES("N"), {0}, {0}}},
    {"target of the details is not taken",
     BYTES("{\"error\":{\"code\":\"A\",\"details\":[{\"target\":\"T\"}]}}"),
     {BYTES("A"), {0}, {0}, {0}}},
    {"first of two details",
     BYTES("{\"error\":{\"details\":[{\"code\":\"D\"},{\"code\":\"E\",\"message\":\"N\"}]}}"),
     {{0}, {0}, {0}, BYTES("D")}},
    {"first detail is null",
     BYTES("{\"error\":{\"details\":[null,{\"code\":\"E\"}]}}"),
     {{0}, {0}, {0}, {0}}},
    {"first detail is a string",
     BYTES("{\"error\":{\"details\":[\"code\",{\"code\":\"E\"}]}}"),
     {{0}, {0}, {0}, {0}}},
    {"no details",
     BYTES("{\"error\":{\"details\":[],\"x\":{\"code\":\"E\"},\"code\":\"A\"}}"),
     {BYTES("A"), {0}, {0}, {0}}},
    {"details are an object",
     BYTES("{\"error\":{\"details\":{\"code\":\"E\"},\"code\":\"A\"}}"),
     {BYTES("A"), {0}, {0}, {0}}},
    {"details of the details",
     BYTES("{\"error\":{\"details\":[{\"details\":[{\"code\":\"deep\"}]}],\"code\":\"A\"}}"),
     {BYTES("A"), {0}, {0}, {0}}},
    {"code twice",
     BYTES("{\"error\":{\"code\":\"A\",\"code\":\"B\",\"message\":\"M\"}}"),
     {{0}, BYTES("M"), {0}, {0}}},
    {"code twice, once escaped",
     BYTES("{\"error\":{\"code\":\"A\",\"c\\u006Fde\":\"B\",\"message\":\"M\"}}"),
     {{0}, BYTES("M"), {0}, {0}}},
    {"error twice",
     BYTES("{\"error\":{\"code\":\"A\"},\"error\":{\"code\":\"B\"}}"),
     {{0}, {0}, {0}, {0}}},
    {"details twice",
     BYTES("{\"error\":{\"details\":[{\"code\":\"D\"}],\"details\":[{\"code\":\"E\"}],\"code\":"
           "\"A\"}}"),
     {BYTES("A"), {0}, {0}, {0}}},
    {"escapes",
     BYTES("{\"err\\u006fr\":{\"\\u0063ode\":\"\\\"\\\\\\/"
           "\\u00fc\",\"message\":\"a\\n\\u0000b\\ud83d\\ude00\"}"
           "}"),
     {BYTES("\"\\/\xC3\xBC"), BYTES("a\n\0b\xF0\x9F\x98\x80"), {0}, {0}}},
    {"32 levels",
     BYTES("{\"error\":{\"code\":\"A\",\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]"
           "]]]]]]}}"),
     {BYTES("A"), {0}, {0}, {0}}},
    {"33 levels",
     BYTES("{\"error\":{\"code\":\"A\",\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]"
           "]]]]]]]]}}"),
     {{0}, {0}, {0}, {0}}},
};

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        row(rows[i].name);
        check_error(read_error(rows[i].body, false, TOKENS), &rows[i].expected);
    }
    rows_done();
}

// A text of up to 3 bytes more than its size limit, whose last character has 1, 2, 3 or 4 bytes:
// the kept part ends before a character that does not fit.
static void test_sizes(void **state) {
    static const char *const last[] = {"x", "\xC3\xBC", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    static const struct {
        const char *name, *before, *after;
        size_t max, text, len, cut; // offsets in struct rekey_arm_error
    } texts[] = {
#define TEXT(before, after, member, max)                                                           \
    {before " " #member,                                                                           \
     "{\"error\":{" before,                                                                        \
     after "}}",                                                                                   \
     max,                                                                                          \
     offsetof(struct rekey_arm_error, member.text),                                                \
     offsetof(struct rekey_arm_error, member.len),                                                 \
     offsetof(struct rekey_arm_error, member.cut)}
        TEXT("\"code\":\"", "\"", code, REKEY_CODE_MAX),
        TEXT("\"message\":\"", "\"", message, REKEY_MESSAGE_MAX),
        TEXT("\"target\":\"", "\"", target, REKEY_TARGET_MAX),
        TEXT("\"details\":[{\"code\":\"", "\"}]", detail, REKEY_CODE_MAX),
        TEXT("\"details\":[{\"message\":\"", "\"}]", message, REKEY_MESSAGE_MAX),
#undef TEXT
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        for (size_t k = 0; k < 4; k++) {
            for (size_t len = texts[i].max - 3; len <= texts[i].max + 3; len++) {
                const char *error;
                char body[REKEY_MESSAGE_MAX + 64];
                char text[REKEY_MESSAGE_MAX + 4];
                size_t kept = len <= texts[i].max ? len : len - k - 1;
                uint16_t got;
                bool cut;

                row_nn(texts[i].name, (long)len, (long)k + 1);
                kept = kept < texts[i].max ? kept : texts[i].max;
                memset(text, 'a', len);
                memcpy(text + len - k - 1, last[k], k + 1);
                snprintf(body, sizeof(body), "%s%.*s%s", texts[i].before, (int)len, text,
                         texts[i].after);
                error = (const char *)read_error(rekey_span(body, strlen(body)), false, TOKENS);
                memcpy(&got, error + texts[i].len, sizeof(got));
                memcpy(&cut, error + texts[i].cut, sizeof(cut));
                check_span(rekey_span(error + texts[i].text, got), rekey_span(text, kept));
                check_int(cut, len > texts[i].max);
            }
        }
    }
    rows_done();
}

// The position of the closing quotation mark of the value behind `name` in `text`.
static size_t end_of(const char *text, const char *value) {
    return (size_t)(strstr(text, value) - text) + strlen(value);
}

// A body that was cut at any length: a text is used exactly if all of it, with its closing
// quotation mark, is in the kept part.
static void test_cut(void **state) {
    static const char text[] =
        "{\"error\":{\"code\":\"Conflict\",\"message\":\"The \\\"endpoint\\\" is "
        "\\u00fcber\xE2\x82\xAC "
        "\\ud83d\\ude00.\",\"target\":\"onlineEndpoint\",\"details\":[{\"code\":\"InProgress\","
        "\"message\":\"inner\",\"target\":null,\"details\":[],\"additionalInfo\":[{\"type\":\"t\","
        "\"info\":{\"a\":[1,-2.5e3,true,false,null]}}]}]}}";
    const size_t code = end_of(text, "Conflict\"");
    const size_t message = end_of(text, "\\ude00.\"");
    const size_t target = end_of(text, "onlineEndpoint\"");
    const size_t detail = end_of(text, "InProgress\"");

    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        const struct expected nothing = {{0}, {0}, {0}, {0}};
        struct expected expected = nothing;

        row_n("cut at", (long)len);
        if (len >= code) {
            expected.code = REKEY_SPAN("Conflict");
        }
        if (len >= message) {
            expected.message = REKEY_SPAN("The \"endpoint\" is \xC3\xBC"
                                          "ber\xE2\x82\xAC \xF0\x9F\x98\x80.");
        }
        if (len >= target) {
            expected.target = REKEY_SPAN("onlineEndpoint");
        }
        if (len >= detail) {
            expected.detail = REKEY_SPAN("InProgress");
        }
        check_error(read_error(rekey_span(text, len), true, TOKENS), &expected);
        if (len < sizeof(text) - 1) { // not known to be cut: not JSON
            check_error(read_error(rekey_span(text, len), false, TOKENS), &nothing);
        }
    }
    rows_done();
}

// The same with the details before the message: the message of the details is used until the
// message itself is complete.
static void test_cut_details_first(void **state) {
    static const char text[] = "{\"error\":{\"details\":[{\"message\":\"inner\",\"code\":\"D\"}],"
                               "\"message\":\"outer\",\"code\":\"A\"}}";
    const size_t inner = end_of(text, "inner\"");
    const size_t detail = end_of(text, "\"D\"");
    const size_t outer = end_of(text, "outer\"");
    const size_t code = end_of(text, "\"A\"");

    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        struct expected expected = {{0}, {0}, {0}, {0}};

        row_n("cut at", (long)len);
        if (len >= inner) {
            expected.message = len >= outer ? REKEY_SPAN("outer") : REKEY_SPAN("inner");
        }
        if (len >= detail) {
            expected.detail = REKEY_SPAN("D");
        }
        if (len >= code) {
            expected.code = REKEY_SPAN("A");
        }
        check_error(read_error(rekey_span(text, len), true, TOKENS), &expected);
    }
    rows_done();
}

// Any number of tokens: the texts whose tokens fit can be read.
static void test_tokens(void **state) {
    // tokens      0 1          2  3         4     5            6     7           8      9 10
    static const char text[] =
        "{\"error\":{\"code\":\"A\",\"message\":\"M\",\"target\":\"T\",\"details\":["
        "{\"code\":\"D\"}],\"additionalInfo\":[]}}";
    //                         11 12        13       14                   15

    (void)state;
    for (size_t tokens = 0; tokens <= 18; tokens++) {
        struct expected expected = {{0}, {0}, {0}, {0}};

        row_n("tokens", (long)tokens);
        if (tokens >= 5) {
            expected.code = REKEY_SPAN("A");
        }
        if (tokens >= 7) {
            expected.message = REKEY_SPAN("M");
        }
        if (tokens >= 9) {
            expected.target = REKEY_SPAN("T");
        }
        if (tokens >= 14) {
            expected.detail = REKEY_SPAN("D");
        }
        check_error(read_error(REKEY_SPAN(text), false, tokens), &expected);
        check_error(read_error(REKEY_SPAN(text), true, tokens), &expected);
    }
    rows_done();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        UNIT(test_rows),   UNIT(test_sizes), UNIT(test_cut), UNIT(test_cut_details_first),
        UNIT(test_tokens),
    };

    return cmocka_run_group_tests_name("arm_error", tests, NULL, rows_total);
}
