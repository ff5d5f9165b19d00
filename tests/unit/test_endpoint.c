// test_endpoint.c - endpoint.h: the rule of each name at both sides of its bound, the path with its
// percent-encoding, the body of regenerateKeys, and the keys in the answer to listKeys
// (docs/service.md 1).

#include "endpoint.h"
#include "json.h"
#include "support.h"

#define TOKENS 64

// ---- names --------------------------------------------------------------------------------------

enum name { SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE, ENDPOINT, API_VERSION, NAME_COUNT };

static const struct {
    const char *label;
    int error;
    const char *first, *rest; // the ASCII characters that are allowed first, and later
    const char *last;         // the characters that are not allowed last
    size_t from, to;          // bytes; for a resource group code points
} rules[NAME_COUNT] = {
#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    {"subscription", REKEY_E_SUBSCRIPTION, ALNUM "-", ALNUM "-", "", 1, 64},
    {"resource group", REKEY_E_RESOURCE_GROUP, ALNUM "-_.()", ALNUM "-_.()", ".", 1, 90},
    {"workspace", REKEY_E_WORKSPACE, ALNUM, ALNUM "_-", "", 3, 33},
    {"endpoint", REKEY_E_ENDPOINT, ALNUM, ALNUM "_-", "", 1, 255},
    {"api-version", REKEY_E_API_VERSION, ALNUM ".-", ALNUM ".-", "", 0, 32}, // 0: the default
};

// A valid endpoint with one name replaced. All names lie at a guard.
static struct rekey_endpoint endpoint_with(enum name which, struct rekey_span text) {
    struct rekey_endpoint e = {
        .subscription = guarded_copy(REKEY_SPAN("00000000-1111-2222-3333-444444444444")),
        .resource_group = guarded_copy(REKEY_SPAN("rg")),
        .workspace = guarded_copy(REKEY_SPAN("wks")),
        .name = guarded_copy(REKEY_SPAN("e")),
        .api_version = {NULL, 0},
    };
    struct rekey_span *const names[NAME_COUNT] = {&e.subscription, &e.resource_group, &e.workspace,
                                                  &e.name, &e.api_version};

    *names[which] = guarded_copy(text);
    return e;
}

static int check_name(enum name which, struct rekey_span text) {
    struct rekey_endpoint endpoint = endpoint_with(which, text);

    return rekey_endpoint_check(&endpoint);
}

static void test_lengths(void **state) {
    char text[300];

    (void)state;
    memset(text, 'a', sizeof(text));
    for (enum name which = 0; which < NAME_COUNT; which++) {
        for (size_t len = 0; len <= rules[which].to + 2; len++) {
            bool fits = len >= rules[which].from && len <= rules[which].to;

            row_n(rules[which].label, (long)len);
            check_int(check_name(which, rekey_span(text, len)), fits ? 0 : rules[which].error);
        }
    }
    rows_done();
}

// Each byte first, in the middle and last.
static void test_bytes(void **state) {
    (void)state;
    for (enum name which = 0; which < NAME_COUNT; which++) {
        for (int byte = 0; byte < 256; byte++) {
            bool first = byte != 0 && strchr(rules[which].first, byte) != NULL;
            bool rest = byte != 0 && strchr(rules[which].rest, byte) != NULL;
            bool last = rest && strchr(rules[which].last, byte) == NULL;
            char text[] = "aaaa";

            row_nn(rules[which].label, which, byte);
            text[0] = (char)(unsigned char)byte;
            check_int(check_name(which, rekey_span(text, 4)), first ? 0 : rules[which].error);
            text[0] = 'a';
            text[2] = (char)(unsigned char)byte;
            check_int(check_name(which, rekey_span(text, 4)), rest ? 0 : rules[which].error);
            text[2] = 'a';
            text[3] = (char)(unsigned char)byte;
            check_int(check_name(which, rekey_span(text, 4)), last ? 0 : rules[which].error);
        }
    }
    rows_done();
}

static void test_names(void **state) {
    static const struct {
        const char *name;
        enum name which;
        struct rekey_span text;
        bool valid;
    } rows[] = {
        {"a GUID", SUBSCRIPTION, BYTES("12345678-9abc-DEF0-1234-56789abcdef0"), true},
        {"braces", SUBSCRIPTION, BYTES("{12345678-9abc-def0-1234-56789abcdef0}"), false},
        {"a path", SUBSCRIPTION, BYTES("x/resourceGroups/y"), false},
        {"a dot", RESOURCE_GROUP, BYTES("."), false},
        {"two dots", RESOURCE_GROUP, BYTES(".."), false},
        {"two dots and more", RESOURCE_GROUP, BYTES("..a"), true},
        {"dots inside", RESOURCE_GROUP, BYTES("a..b"), true},
        {"ends in a dot", RESOURCE_GROUP, BYTES("rg."), false},
        {"ends in UTF-8", RESOURCE_GROUP, BYTES("rg\xC3\xBC"), true},
        {"UTF-8, then a dot", RESOURCE_GROUP, BYTES("\xC3\xBC."), false},
        {"parentheses", RESOURCE_GROUP, BYTES("(rg)"), true},
        {"all that is allowed", RESOURCE_GROUP, BYTES("Az09-_.()\xE4\xB8\xAD"), true},
        {"slash", RESOURCE_GROUP, BYTES("a/b"), false},
        {"percent", RESOURCE_GROUP, BYTES("a%2fb"), false},
        {"Cyrillic", RESOURCE_GROUP, BYTES("\xD0\xB3\xD1\x80"), true},
        {"Latin-1", RESOURCE_GROUP, BYTES("rg\xFC"), false},
        {"overlong slash", RESOURCE_GROUP, BYTES("a\xC0\xAF"), false},
        {"surrogate", RESOURCE_GROUP, BYTES("a\xED\xA0\x80"), false},
        {"character cut", RESOURCE_GROUP, BYTES("a\xE2\x82"), false},
        {"beyond the last", RESOURCE_GROUP, BYTES("\xF4\x90\x80\x80"), false},
        {"starts with a hyphen", WORKSPACE, BYTES("-abc"), false},
        {"starts with an underscore", WORKSPACE, BYTES("_abc"), false},
        {"starts with a digit", WORKSPACE, BYTES("1-_"), true},
        {"dots", WORKSPACE, BYTES("a.b"), false},
        {"UTF-8", WORKSPACE, BYTES("ab\xC3\xBC"), false},
        {"starts with a hyphen", ENDPOINT, BYTES("-"), false},
        {"starts with an underscore", ENDPOINT, BYTES("_a"), false},
        {"one digit", ENDPOINT, BYTES("7"), true},
        {"two dots", ENDPOINT, BYTES(".."), false},
        {"question mark", ENDPOINT, BYTES("a?b"), false},
        {"hash", ENDPOINT, BYTES("a#b"), false},
        {"percent", ENDPOINT, BYTES("a%41"), false},
        {"UTF-8", ENDPOINT, BYTES("\xC3\xBC"), false},
        {"preview", API_VERSION, BYTES("2024-10-01-preview"), true},
        {"ampersand", API_VERSION, BYTES("2025-09-01&x=y"), false},
        {"space", API_VERSION, BYTES("2025 09"), false},
        {"newline", API_VERSION, BYTES("2025\r\nX: y"), false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        row_n(rows[i].name, rows[i].which);
        check_int(check_name(rows[i].which, rows[i].text),
                  rows[i].valid ? 0 : rules[rows[i].which].error);
    }
    rows_done();
}

// A resource group counts code points: 90 of each length in UTF-8, and 91.
static void test_code_points(void **state) {
    static const char *const letters[] = {"a", "\xC3\xBC", "\xE4\xB8\xAD", "\xF0\x9D\x94\xB8"};

    (void)state;
    for (size_t bytes = 1; bytes <= 4; bytes++) {
        for (size_t points = 89; points <= 91; points++) {
            char text[91 * 4];

            row_nn("bytes, points", (long)bytes, (long)points);
            for (size_t i = 0; i < points; i++) {
                memcpy(text + i * bytes, letters[bytes - 1], bytes);
            }
            check_int(check_name(RESOURCE_GROUP, rekey_span(text, points * bytes)),
                      points <= 90 ? 0 : REKEY_E_RESOURCE_GROUP);
        }
    }
    rows_done();
}

static size_t encode(uint32_t code, char out[4]) {
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};

    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)(first[len] | code);
    return len;
}

// Code points beyond ASCII that are no letters for certain are refused; the neighbours of each
// range are not.
static void test_letters(void **state) {
    static const struct {
        const char *name;
        uint32_t first, last;
    } ranges[] = {
        {"controls and signs of Latin-1", 0x80, 0xA9},
        {"signs before the micro sign", 0xAB, 0xB4},
        {"signs behind it", 0xB6, 0xB9},
        {"fractions and question mark", 0xBB, 0xBF},
        {"multiplication sign", 0xD7, 0xD7},
        {"division sign", 0xF7, 0xF7},
        {"general punctuation", 0x2000, 0x206F},
        {"currency", 0x20A0, 0x20CF},
        {"arrows to miscellaneous symbols", 0x2190, 0x2BFF},
        {"CJK punctuation", 0x3000, 0x3004},
        {"private use", 0xE000, 0xF8FF},
        {"variation selectors", 0xFE00, 0xFE0F},
        {"byte order mark", 0xFEFF, 0xFEFF},
        {"specials", 0xFFF0, 0xFFFF},
        {"tags and private planes", 0xE0000, 0x10FFFF},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(ranges); i++) {
        const struct {
            uint32_t code;
            bool valid;
        } points[] = {
            {ranges[i].first - 1, true},
            {ranges[i].first, false},
            {ranges[i].first + (ranges[i].last - ranges[i].first) / 2, false},
            {ranges[i].last, false},
            {ranges[i].last + 1, true},
        };

        for (size_t k = 0; k < COUNT(points); k++) {
            char text[4];

            if (points[k].valid && (points[k].code < 0xA0 || points[k].code > 0x10FFFF ||
                                    (points[k].code >= 0xD800 && points[k].code <= 0xDFFF))) {
                continue; // ASCII, or no code point
            }
            row_n(ranges[i].name, (long)points[k].code);
            check_int(check_name(RESOURCE_GROUP, rekey_span(text, encode(points[k].code, text))),
                      points[k].valid ? 0 : REKEY_E_RESOURCE_GROUP);
        }
    }
    rows_done();
}

// The first parameter that breaks its rule is the one that is named.
static void test_order(void **state) {
    struct rekey_endpoint e = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, BYTES("!")};

    (void)state;
    row("all wrong");
    check_int(rekey_endpoint_check(&e), REKEY_E_SUBSCRIPTION);
    e.subscription = guarded_copy(REKEY_SPAN("s"));
    check_int(rekey_endpoint_check(&e), REKEY_E_RESOURCE_GROUP);
    e.resource_group = guarded_copy(REKEY_SPAN("r"));
    check_int(rekey_endpoint_check(&e), REKEY_E_WORKSPACE);
    e.workspace = guarded_copy(REKEY_SPAN("www"));
    check_int(rekey_endpoint_check(&e), REKEY_E_ENDPOINT);
    e.name = guarded_copy(REKEY_SPAN("e"));
    check_int(rekey_endpoint_check(&e), REKEY_E_API_VERSION);
    e.api_version = guarded_copy(REKEY_SPAN("v"));
    check_int(rekey_endpoint_check(&e), 0);
    rows_done();
}

// ---- path ---------------------------------------------------------------------------------------

#define PATH(subscription, group, workspace, endpoint, action, version)                            \
    "/subscriptions/" subscription "/resourceGroups/" group                                        \
    "/providers/Microsoft.MachineLearningServices/workspaces/" workspace                           \
    "/onlineEndpoints/" endpoint "/" action "?api-version=" version

static void test_path(void **state) {
    static const struct {
        const char *name;
        struct rekey_endpoint endpoint;
        struct rekey_span action, path;
    } rows[] = {
        {"regenerateKeys",
         {BYTES("0-1"), BYTES("rg"), BYTES("wks"), BYTES("e"), {NULL, 0}},
         BYTES("/regenerateKeys"),
         BYTES(PATH("0-1", "rg", "wks", "e", "regenerateKeys", "2025-09-01"))},
        {"listKeys",
         {BYTES("0-1"), BYTES("rg"), BYTES("wks"), BYTES("e"), BYTES("")},
         BYTES("/listKeys"),
         BYTES(PATH("0-1", "rg", "wks", "e", "listKeys", "2025-09-01"))},
        {"another version",
         {BYTES("0-1"), BYTES("rg"), BYTES("wks"), BYTES("e"), BYTES("2024-10-01-preview.1")},
         BYTES("/listKeys"),
         BYTES(PATH("0-1", "rg", "wks", "e", "listKeys", "2024-10-01-preview.1"))},
        {"version of one byte",
         {BYTES("0"), BYTES("r"), BYTES("wks"), BYTES("e"), BYTES("v")},
         BYTES("/listKeys"),
         BYTES(PATH("0", "r", "wks", "e", "listKeys", "v"))},
        {"all that ASCII has",
         {BYTES("aZ-9"), BYTES("a-_.(Z)9"), BYTES("a_-9"), BYTES("Z_-0"), {NULL, 0}},
         BYTES("/listKeys"),
         BYTES(PATH("aZ-9", "a-_.(Z)9", "a_-9", "Z_-0", "listKeys", "2025-09-01"))},
        {"UTF-8",
         {BYTES("0-1"),
          BYTES("r\xC3\xBC\xE4\xB8\xAD\xF0\x9D\x94\xB8g"),
          BYTES("wks"),
          BYTES("e"),
          {NULL, 0}},
         BYTES("/listKeys"),
         BYTES(PATH("0-1", "r%C3%BC%E4%B8%AD%F0%9D%94%B8g", "wks", "e", "listKeys", "2025-09-01"))},
        {"UTF-8 with the first byte beyond ASCII",
         {BYTES("0-1"), BYTES("\xC3\x80"), BYTES("wks"), BYTES("e"), {NULL, 0}},
         BYTES("/listKeys"),
         BYTES(PATH("0-1", "%C3%80", "wks", "e", "listKeys", "2025-09-01"))},
        {"no action",
         {BYTES("0"), BYTES("r"), BYTES("wks"), BYTES("e"), {NULL, 0}},
         BYTES(""),
         BYTES("/subscriptions/0/resourceGroups/r/providers/Microsoft.MachineLearningServices"
               "/workspaces/wks/onlineEndpoints/e?api-version=2025-09-01")},
        {"serverless",
         {BYTES("0"), BYTES("r"), BYTES("wks"), BYTES("e"), {NULL, 0}, true},
         BYTES("/listKeys"),
         BYTES("/subscriptions/0/resourceGroups/r/providers/Microsoft.MachineLearningServices"
               "/workspaces/wks/serverlessEndpoints/e/listKeys?api-version=2025-09-01")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct rekey_endpoint *e = &rows[i].endpoint;
        struct rekey_endpoint copy;
        char *buf;

        row(rows[i].name);
        copy =
            (struct rekey_endpoint){guarded_copy(e->subscription), guarded_copy(e->resource_group),
                                    guarded_copy(e->workspace),    guarded_copy(e->name),
                                    guarded_copy(e->api_version),  e->serverless};
        buf = guarded(REKEY_PATH_MAX);
        check_int(rekey_endpoint_check(&copy), 0);
        check_span(rekey_span(buf, rekey_endpoint_path(&copy, guarded_copy(rows[i].action), buf)),
                   rows[i].path);
    }
    rows_done();
}

// The longest names there are fit into REKEY_PATH_MAX.
static void test_longest_path(void **state) {
    static const char fixed[] = PATH("", "", "", "", "regenerateKeys", "");
    struct rekey_endpoint e;
    char group[360];
    char *letters, *buf;
    size_t len;

    (void)state;
    row("longest");
    letters = guarded(255);
    memset(letters, 'a', 255);
    for (size_t i = 0; i < 90; i++) {
        memcpy(group + i * 4, "\xF0\x9D\x94\xB8", 4);
    }
    e = (struct rekey_endpoint){
        rekey_span(letters, 64), guarded_copy(rekey_span(group, sizeof(group))),
        rekey_span(letters, 33), rekey_span(letters, 255), rekey_span(letters, 32)};
    check_int(rekey_endpoint_check(&e), 0);
    buf = guarded(REKEY_PATH_MAX);
    len = rekey_endpoint_path(&e, REKEY_SPAN("/regenerateKeys"), buf);
    check_int(len, sizeof(fixed) - 1 + 64 + 90 * 12 + 33 + 255 + 32);
    check_span(rekey_span(buf + len - 32, 32), rekey_span(letters, 32));
    rows_done();
}

// ---- body ---------------------------------------------------------------------------------------

static void test_body(void **state) {
    static const struct {
        const char *name;
        enum rekey_key key;
        struct rekey_span value, body;
    } rows[] = {
        {"primary", REKEY_KEY_PRIMARY, {NULL, 0}, BYTES("{\"keyType\":\"Primary\"}")},
        {"secondary", REKEY_KEY_SECONDARY, {NULL, 0}, BYTES("{\"keyType\":\"Secondary\"}")},
        {"value", REKEY_KEY_SECONDARY, BYTES("abc"),
         BYTES("{\"keyType\":\"Secondary\",\"keyValue\":\"abc\"}")},
        {"value of one byte", REKEY_KEY_PRIMARY, BYTES("a"),
         BYTES("{\"keyType\":\"Primary\",\"keyValue\":\"a\"}")},
        {"value, primary", REKEY_KEY_PRIMARY, BYTES("a+/=="),
         BYTES("{\"keyType\":\"Primary\",\"keyValue\":\"a+/==\"}")},
        {"empty value", REKEY_KEY_PRIMARY, BYTES(""), BYTES("{\"keyType\":\"Primary\"}")},
        {"quotation mark and backslash", REKEY_KEY_PRIMARY, BYTES("\"},\\"),
         BYTES("{\"keyType\":\"Primary\",\"keyValue\":\"\\\"},\\\\\"}")},
        {"controls", REKEY_KEY_PRIMARY, BYTES("\0\n\x1F\x7F"),
         BYTES("{\"keyType\":\"Primary\",\"keyValue\":\"\\u0000\\u000A\\u001F\x7F\"}")},
        {"percent", REKEY_KEY_PRIMARY, BYTES("%s%n"),
         BYTES("{\"keyType\":\"Primary\",\"keyValue\":\"%s%n\"}")},
        {"UTF-8", REKEY_KEY_SECONDARY, BYTES("\xC3\xBC\xF0\x9F\x98\x80"),
         BYTES("{\"keyType\":\"Secondary\",\"keyValue\":\"\xC3\xBC\xF0\x9F\x98\x80\"}")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t cap = rows[i].value.len * 12 + 128;
        struct rekey_span value;
        char *buf;

        row(rows[i].name);
        buf = guarded(cap);
        value = rows[i].value.ptr != NULL ? guarded_copy(rows[i].value) : rows[i].value;
        check_span(rekey_span(buf, rekey_endpoint_body(rows[i].key, value, buf, cap)),
                   rows[i].body);
    }
    rows_done();
}

// The longest value, all of it escapes, in the room that is required; and what a reader makes of
// it.
static void test_longest_body(void **state) {
    static const char start[] = "{\"keyType\":\"Secondary\",\"keyValue\":\"";
    const size_t cap = REKEY_KEY_VALUE_MAX * 12 + 128;
    struct rekey_json json;
    char *value, *buf, *back;
    size_t len, needed;
    int at;

    (void)state;
    row("longest");
    value = guarded(REKEY_KEY_VALUE_MAX);
    for (size_t i = 0; i < REKEY_KEY_VALUE_MAX; i++) {
        value[i] = (char)(i % 32);
    }
    buf = guarded(cap);
    len =
        rekey_endpoint_body(REKEY_KEY_SECONDARY, rekey_span(value, REKEY_KEY_VALUE_MAX), buf, cap);
    check_int(len, sizeof(start) - 1 + REKEY_KEY_VALUE_MAX * 6 + 2);
    check_int(rekey_json_parse(&json, rekey_span(buf, len), false,
                               guarded(TOKENS * REKEY_JSON_TOKEN_SIZE), TOKENS),
              0);
    at = rekey_json_find(&json, 0, "keyValue");
    if (check(rekey_json_is_string(&json, at))) {
        back = guarded(REKEY_KEY_VALUE_MAX);
        check_span(
            rekey_span(back, rekey_json_string(&json, at, back, REKEY_KEY_VALUE_MAX, &needed)),
            rekey_span(value, REKEY_KEY_VALUE_MAX));
        check_int(needed, REKEY_KEY_VALUE_MAX);
    }
    rows_done();
}

// ---- keys ---------------------------------------------------------------------------------------

#define NULL_KEY                                                                                   \
    { NULL, 0 }

static const struct {
    const char *name;
    struct rekey_span body;
    int result;
    struct rekey_span primary, secondary; // without a pointer: null
} answers[] = {
    {"both", BYTES("{\"primaryKey\":\"p\",\"secondaryKey\":\"s\"}"), 0, BYTES("p"), BYTES("s")},
    {"the other way round", BYTES("{\"secondaryKey\":\"s\",\"primaryKey\":\"p\"}"), 0, BYTES("p"),
     BYTES("s")},
    {"44 bytes",
     BYTES("{\"primaryKey\":\"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ=\","
           "\"secondaryKey\":\"0123456789+/0123456789+/0123456789+/01234567=\"}"),
     0, BYTES("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ="),
     BYTES("0123456789+/0123456789+/0123456789+/01234567=")},
    {"null", BYTES("{\"primaryKey\":null,\"secondaryKey\":null}"), 0, NULL_KEY, NULL_KEY},
    {"primary null", BYTES("{\"primaryKey\":null,\"secondaryKey\":\"s\"}"), 0, NULL_KEY,
     BYTES("s")},
    {"secondary null", BYTES("{\"primaryKey\":\"p\",\"secondaryKey\":null}"), 0, BYTES("p"),
     NULL_KEY},
    {"primary missing", BYTES("{\"secondaryKey\":\"s\"}"), 0, NULL_KEY, BYTES("s")},
    {"secondary missing", BYTES("{\"primaryKey\":\"p\"}"), 0, BYTES("p"), NULL_KEY},
    {"primary missing, secondary null", BYTES("{\"secondaryKey\":null}"), 0, NULL_KEY, NULL_KEY},
    {"empty", BYTES("{\"primaryKey\":\"\",\"secondaryKey\":\"\"}"), 0, BYTES(""), BYTES("")},
    {"the word null", BYTES("{\"primaryKey\":\"null\",\"secondaryKey\":\"s\"}"), 0, BYTES("null"),
     BYTES("s")},
    {"escapes",
     BYTES("{\"primaryKey\":\"a\\u0062\\n\\/\\\"\",\"secondaryKey\":\"\\u00fc\\u0000\"}"), 0,
     BYTES("ab\n/\""), BYTES("\xC3\xBC\0")},
    {"escaped names", BYTES("{\"\\u0070rimaryKey\":\"p\",\"secondary\\u004bey\":\"s\"}"), 0,
     BYTES("p"), BYTES("s")},
    {"more members",
     BYTES("{\"x\":{\"primaryKey\":\"no\"},\"primaryKey\":\"p\",\"y\":[1],"
           "\"secondaryKey\":\"s\",\"z\":null}"),
     0, BYTES("p"), BYTES("s")},

    {"neither", BYTES("{\"keys\":[]}"), REKEY_E_JSON_KEYS, NULL_KEY, NULL_KEY},
    {"empty object", BYTES("{}"), REKEY_E_JSON_KEYS, NULL_KEY, NULL_KEY},
    {"deeper", BYTES("{\"properties\":{\"primaryKey\":\"p\"}}"), REKEY_E_JSON_KEYS, NULL_KEY,
     NULL_KEY},
    {"another case", BYTES("{\"PrimaryKey\":\"p\",\"secondarykey\":\"s\"}"), REKEY_E_JSON_KEYS,
     NULL_KEY, NULL_KEY},
    {"array", BYTES("[\"primaryKey\",\"secondaryKey\"]"), REKEY_E_JSON_KEYS, NULL_KEY, NULL_KEY},
    {"string", BYTES("\"primaryKey\""), REKEY_E_JSON_KEYS, NULL_KEY, NULL_KEY},
    {"null alone", BYTES("null"), REKEY_E_JSON_KEYS, NULL_KEY, NULL_KEY},
    {"number", BYTES("{\"primaryKey\":1,\"secondaryKey\":\"s\"}"), REKEY_E_JSON_KEYS, NULL_KEY,
     NULL_KEY},
    {"true", BYTES("{\"primaryKey\":\"p\",\"secondaryKey\":true}"), REKEY_E_JSON_KEYS, NULL_KEY,
     NULL_KEY},
    {"object", BYTES("{\"primaryKey\":{},\"secondaryKey\":\"s\"}"), REKEY_E_JSON_KEYS, NULL_KEY,
     NULL_KEY},
    {"array of a key", BYTES("{\"primaryKey\":\"p\",\"secondaryKey\":[\"s\"]}"), REKEY_E_JSON_KEYS,
     NULL_KEY, NULL_KEY},
    {"primary twice", BYTES("{\"primaryKey\":\"a\",\"secondaryKey\":\"s\",\"primaryKey\":\"b\"}"),
     REKEY_E_JSON_DUPLICATE, NULL_KEY, NULL_KEY},
    {"primary twice, secondary missing", BYTES("{\"primaryKey\":\"a\",\"primaryKey\":\"a\"}"),
     REKEY_E_JSON_DUPLICATE, NULL_KEY, NULL_KEY},
    {"primary twice, null", BYTES("{\"primaryKey\":null,\"primaryKey\":null}"),
     REKEY_E_JSON_DUPLICATE, NULL_KEY, NULL_KEY},
    {"primary twice, once escaped", BYTES("{\"primaryKey\":\"a\",\"primary\\u004Bey\":\"b\"}"),
     REKEY_E_JSON_DUPLICATE, NULL_KEY, NULL_KEY},
    {"secondary twice",
     BYTES("{\"primaryKey\":\"p\",\"secondaryKey\":\"a\",\"secondaryKey\":\"b\"}"),
     REKEY_E_JSON_DUPLICATE, NULL_KEY, NULL_KEY},
    {"secondary twice, primary missing", BYTES("{\"secondaryKey\":\"a\",\"secondaryKey\":\"b\"}"),
     REKEY_E_JSON_DUPLICATE, NULL_KEY, NULL_KEY},
    {"empty body", BYTES(""), REKEY_E_JSON, NULL_KEY, NULL_KEY},
    {"not JSON", BYTES("{\"primaryKey\":\"p\",}"), REKEY_E_JSON, NULL_KEY, NULL_KEY},
    {"cut", BYTES("{\"primaryKey\":\"p\",\"secondaryKey\":\"s\""), REKEY_E_JSON, NULL_KEY,
     NULL_KEY},
    {"not UTF-8", BYTES("{\"primaryKey\":\"\xFF\",\"secondaryKey\":\"s\"}"), REKEY_E_JSON, NULL_KEY,
     NULL_KEY},
    {"too deep",
     BYTES("{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],"
           "\"primaryKey\":\"p\",\"secondaryKey\":\"s\"}"),
     REKEY_E_LIMIT_JSON_DEPTH, NULL_KEY, NULL_KEY},
};

static int read_keys(struct rekey_keys **keys, struct rekey_span body, size_t tokens,
                     uint32_t *needed) {
    struct rekey_json json;
    int error = rekey_json_parse(&json, guarded_copy(body), false,
                                 guarded(tokens * REKEY_JSON_TOKEN_SIZE), tokens);

    *keys = guarded(sizeof(**keys));
    memset(*keys, 0, sizeof(**keys));
    return error != 0 ? error : rekey_endpoint_keys(*keys, &json, needed);
}

static void check_key(const struct rekey_key_value *key, struct rekey_span expected) {
    check_int(key->null, expected.ptr == NULL);
    check_span(rekey_span(key->value, key->len), expected);
}

static void test_keys(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct rekey_keys *keys;
        uint32_t needed = 77;

        row(answers[i].name);
        check_int(read_keys(&keys, answers[i].body, TOKENS, &needed), answers[i].result);
        check_int(needed, 77);
        if (answers[i].result == 0) {
            check_key(&keys->primary, answers[i].primary);
            check_key(&keys->secondary, answers[i].secondary);
        }
    }
    rows_done();
}

// A body with both keys, made of letters, `primary` and `secondary` bytes long.
static size_t keys_body(char *body, size_t primary, size_t secondary) {
    size_t len = 0;

    memcpy(body + len, "{\"primaryKey\":\"", 15);
    len += 15;
    memset(body + len, 'p', primary);
    len += primary;
    memcpy(body + len, "\",\"secondaryKey\":\"", 18);
    len += 18;
    memset(body + len, 's', secondary);
    len += secondary;
    memcpy(body + len, "\"}", 2);
    return len + 2;
}

static void test_key_lengths(void **state) {
    static const struct {
        const char *name;
        int primary, secondary; // bytes more than REKEY_KEY_VALUE_MAX
        int result, needed;     // likewise; of the one that is too long
    } rows[] = {
        {"both at the limit", 0, 0, 0, 0},
        {"one byte less", -1, -1, 0, 0},
        {"primary one byte more", 1, 0, REKEY_E_LIMIT_KEY_VALUE, 1},
        {"secondary one byte more", 0, 1, REKEY_E_LIMIT_KEY_VALUE, 1},
        {"both, primary named", 3, 2, REKEY_E_LIMIT_KEY_VALUE, 3},
        {"secondary far beyond", -200, 200, REKEY_E_LIMIT_KEY_VALUE, 200},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t primary = (size_t)(REKEY_KEY_VALUE_MAX + rows[i].primary);
        size_t secondary = (size_t)(REKEY_KEY_VALUE_MAX + rows[i].secondary);
        char body[REKEY_KEY_VALUE_MAX * 2 + 256];
        struct rekey_keys *keys;
        uint32_t needed = 77;

        row(rows[i].name);
        check_int(read_keys(&keys, rekey_span(body, keys_body(body, primary, secondary)), TOKENS,
                            &needed),
                  rows[i].result);
        check_int(needed, rows[i].result == 0 ? 77 : REKEY_KEY_VALUE_MAX + rows[i].needed);
        if (rows[i].result == 0) {
            check_int(keys->primary.len, primary);
            check_int(keys->primary.value[primary - 1], 'p');
            check_int(keys->secondary.len, secondary);
            check_int(keys->secondary.value[secondary - 1], 's');
        }
    }
    rows_done();
}

// The length that is needed counts bytes after unescaping, and a character that is cut in half.
static void test_key_length_of_escapes(void **state) {
    char body[REKEY_KEY_VALUE_MAX + 64] = "{\"primaryKey\":\"";
    struct rekey_keys *keys;
    uint32_t needed = 77;
    size_t len = 15;

    (void)state;
    row("escape at the limit");
    memset(body + len, 'a', REKEY_KEY_VALUE_MAX - 1);
    len += REKEY_KEY_VALUE_MAX - 1;
    memcpy(body + len, "\\u00fc\"}", 9);
    check_int(read_keys(&keys, rekey_span(body, len + 8), TOKENS, &needed),
              REKEY_E_LIMIT_KEY_VALUE);
    check_int(needed, REKEY_KEY_VALUE_MAX + 1);
    row("escape that fits");
    memcpy(body + len, "\\u0062\"}", 9);
    check_int(read_keys(&keys, rekey_span(body, len + 8), TOKENS, &needed), 0);
    check_int(keys->primary.len, REKEY_KEY_VALUE_MAX);
    check_int(keys->primary.value[REKEY_KEY_VALUE_MAX - 1], 'b');
    rows_done();
}

static void test_key_tokens(void **state) {
    static const char body[] = "{\"primaryKey\":\"p\",\"secondaryKey\":\"s\"}";

    (void)state;
    for (size_t tokens = 0; tokens <= 6; tokens++) {
        struct rekey_keys *keys;
        uint32_t needed = 0;

        row_n("tokens", (long)tokens);
        check_int(read_keys(&keys, REKEY_SPAN(body), tokens, &needed),
                  tokens < 5 ? REKEY_E_LIMIT_JSON_TOKENS : 0);
    }
    rows_done();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        UNIT(test_lengths),
        UNIT(test_bytes),
        UNIT(test_names),
        UNIT(test_code_points),
        UNIT(test_letters),
        UNIT(test_order),
        UNIT(test_path),
        UNIT(test_longest_path),
        UNIT(test_body),
        UNIT(test_longest_body),
        UNIT(test_keys),
        UNIT(test_key_lengths),
        UNIT(test_key_length_of_escapes),
        UNIT(test_key_tokens),
    };

    return cmocka_run_group_tests_name("endpoint", tests, NULL, rows_total);
}
