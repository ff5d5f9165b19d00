// test_hide.c - hide.h: each secret in each place of the report, whole, in part, and cut at every
// limit. The expected text is computed by a second, slower implementation of the rule. test_rekey.c
// and test_credential.c check that the operation calls it before the secrets are zeroized.

#include <string.h>

#include "credential.h"
#include "hide.h"
#include "support.h"

#define TOKEN "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.Zm9vYmFyYmF6cXV1eA.c2lnbmF0dXJl"
#define RUN "0123456789abcdef" // 16 bytes

// ---- one text, one secret -----------------------------------------------------------------------

static const struct {
    const char *name, *text, *secret, *expected;
    bool cut;
} texts[] = {
    {"nothing", "", RUN, "", false},
    {"no secret", "some words", "", "some words", false},
    {"not in it", "some words", RUN, "some words", false},
    {"whole", RUN, RUN, "****************", false},
    {"among words", "no " RUN " here", RUN, "no **************** here", false},
    {"twice", RUN RUN, RUN, "********************************", false},
    {"twice, apart", RUN " " RUN, RUN, "**************** ****************", false},
    {"15 of its bytes", "0123456789abcde x", RUN, "0123456789abcde x", false},
    {"16 of 17, the first", "0123456789abcdef", RUN "g", "****************", false},
    {"16 of 17, the last", "123456789abcdefg", RUN "g", "****************", false},
    {"15 of 17", "123456789abcdef", RUN "g", "123456789abcdef", false},
    {"16 in the middle", "[56789abcdefghijk]", RUN "ghijklm", "[****************]", false},
    {"two runs of it", "0123456789abcdefXghijklmnopqrstuvX", RUN "ghijklmnopqrstuvwxyz",
     "****************X****************X", false},
    {"runs that overlap", "aaaaaaaaaaaaaaaaaaaab", "aaaaaaaaaaaaaaaaaaab", "*********************",
     false},
    {"the longer run counts", "abcdefghijklmnopqrstuvwxyz0",
     "abcdefghijklmnopX"
     "abcdefghijklmnopqrstuvwxyz",
     "**************************0", false},
    {"the shorter run comes last", "abcdefghijklmnopqrstuvwxyz0",
     "abcdefghijklmnopqrstuvwxyz"
     "abcdefghijklmnopX",
     "**************************0", false},
    {"another case", "0123456789ABCDEF", RUN, "0123456789ABCDEF", false},
    {"four bytes", "a wxyz b", "wxyz", "a **** b", false},
    {"three of four", "a wxy b", "wxyz", "a wxy b", false},
    {"four of five", "a wxyz b", "vwxyz", "a wxyz b", false},
    {"three bytes are none", "a xyz b", "xyz", "a xyz b", false},
    {"15 bytes, whole", "a 0123456789abcde b", "0123456789abcde", "a *************** b", false},

    {"cut: a beginning", "see 0123", RUN, "see ****", true},
    {"cut: one byte", "see 0", RUN, "see *", true},
    {"cut: not the beginning", "see 1234", RUN, "see 1234", true},
    {"cut: a beginning before the end", "see 0123 ", RUN, "see 0123 ", true},
    {"cut: 15 bytes", "0123456789abcde", RUN, "***************", true},
    {"cut: of a short one", "a wx", "wxyz", "a **", true},
    {"cut: nothing", "", RUN, "", true},
    {"cut: a run, and a beginning", RUN " 01", RUN, "**************** **", true},
    {"not cut: a beginning", "see 0123", RUN, "see 0123", false},

    {"UTF-8: whole", "a \xC3\xA4\xC3\xB6\xC3\xBC b", "\xC3\xA4\xC3\xB6\xC3\xBC", "a ****** b",
     false},
    {"UTF-8: a sequence that ends otherwise", RUN "\xC3\xA4 b", RUN "\xC3\xA5",
     "****************** b", false},
    {"UTF-8: a sequence that begins otherwise", "a \xC3\xA4" RUN, "\xC4\xA4" RUN,
     "a ******************", false},
    {"UTF-8: a longer one behind", RUN "\xE2\x82\xAC b", RUN "\xE2\x82\xAD",
     "******************* b", false},
    {"UTF-8: one that is not part of it", RUN "\xC3\xA4", RUN, "****************\xC3\xA4", false},
    {"UTF-8: an odd byte", RUN "\xC3\xA5 b", RUN "\xC3\xA4", "****************** b", false},
    {"UTF-8: a sequence that begins the text", "\xC3\xA4" RUN, "\xC4\xA4" RUN, "******************",
     false},
    {"UTF-8: cut, and the last byte alone", "see \xC3\xA4", "\xA4" RUN, "see **", true},
    {"UTF-8: nothing but continuations", "\x80" RUN, "\x80" RUN, "*****************", false},
};

static void test_texts(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        size_t len = strlen(texts[i].text), secret_len = strlen(texts[i].secret);
        char *text;

        row(texts[i].name);
        text = guarded(len);
        memcpy(text, texts[i].text, len);
        rekey_hide_text(text, len, texts[i].cut,
                        guarded_copy(rekey_span(texts[i].secret, secret_len)));
        check_span(rekey_span(text, len), rekey_span(texts[i].expected, len));
    }
    rows_done();
}

// A secret may be a buffer that is only partly filled.
static void test_buffers(void **state) {
    char buffer[64] = "wxyz", text[] = "a wxyz b";

    (void)state;
    row("a buffer");
    rekey_hide_text(text, 8, false, rekey_span(buffer, sizeof(buffer)));
    check_span(rekey_span(text, 8), rekey_span("a **** b", 8));
    row("one with three bytes");
    memcpy(buffer, "our", 4);
    memcpy(text, "it's our", 8);
    rekey_hide_text(text, 8, false, rekey_span(buffer, sizeof(buffer)));
    check_span(rekey_span(text, 8), rekey_span("it's our", 8));
    row("an empty one");
    memset(buffer, 0, sizeof(buffer));
    memset(text, 0, sizeof(text));
    rekey_hide_text(text, 8, true, rekey_span(buffer, sizeof(buffer)));
    check_span(rekey_span(text, 8), rekey_span("\0\0\0\0\0\0\0\0", 8));
    rows_done();
}

// Whether bytes `at` to `at + len` of the text occur in the secret.
static bool stands_in(struct rekey_span text, size_t at, size_t len, struct rekey_span secret) {
    for (size_t from = 0; from + len <= secret.len; from++) {
        if (memcmp(text.ptr + at, secret.ptr + from, len) == 0) {
            return true;
        }
    }
    return false;
}

// A text of two letters has parts of a secret of two letters everywhere: exactly the bytes inside a
// part of 16 bytes are overwritten.
static void test_random(void **state) {
    static char text[200], secret[64], expected[200];
    uint32_t random = 1;

    (void)state;
    for (long round = 0; round < 300; round++) {
        row_n("round", round);
        for (size_t i = 0; i < sizeof(text) + sizeof(secret); i++) {
            random = random * 1664525u + 1013904223u;
            *(i < sizeof(text) ? &text[i] : &secret[i - sizeof(text)]) =
                (char)('a' + (random >> 28) / 8);
        }
        if (round % 3 != 0) { // long runs as well
            memcpy(text + round % 100, secret + round % 16, (size_t)(round % 48));
        }
        memcpy(expected, text, sizeof(text));
        for (size_t at = 0; at + 16 <= sizeof(text); at++) {
            if (stands_in(rekey_span(text, sizeof(text)), at, 16, rekey_span(secret, 64))) {
                memset(expected + at, '*', 16);
            }
        }
        rekey_hide_text(text, sizeof(text), false, rekey_span(secret, sizeof(secret)));
        check_span(rekey_span(text, sizeof(text)), rekey_span(expected, sizeof(expected)));
    }
    rows_done();
}

// ---- every secret in every place ----------------------------------------------------------------

static struct rekey client;
static struct rekey_options options;
static struct rekey_credential credential;
static struct rekey_secret others[2];

enum which { GIVEN_TOKEN, KEY_VALUE, FORGOTTEN_KEY_VALUE, OF_CREDENTIAL, FIRST_OTHER, LAST_OTHER };

// A client that has the secret, and nothing else to hide.
static void has(enum which which, const char *secret) {
    struct rekey_span text = {secret, strlen(secret)};

    memset(&client, 0, sizeof(client));
    memset(&options, 0, sizeof(options));
    memset(&credential, 0, sizeof(credential));
    memset(others, 0, sizeof(others));
    client.options = &options;
    options.credential = which == GIVEN_TOKEN ? NULL : &credential;
    options.secrets = which >= FIRST_OTHER ? &others[0] : NULL;
    others[0].next = &others[1];
    switch (which) {
    case GIVEN_TOKEN:
        client.token_len = (uint16_t)text.len;
        memcpy(client.token, text.ptr, text.len);
        break;
    case KEY_VALUE:
    case FORGOTTEN_KEY_VALUE:
        client.key_value_len = (uint16_t)text.len;
        memcpy(client.key_value, text.ptr, text.len);
        break;
    case OF_CREDENTIAL:
        credential.secret = text;
        break;
    default:
        others[which - FIRST_OTHER].text = text;
        break;
    }
    if (which == FORGOTTEN_KEY_VALUE) {
        rekey_hide_forget_key_value(&client);
    }
}

enum place { CODE, DETAIL, MESSAGE, TARGET, STATUS, REQUEST_ID, CORRELATION_ID, SUBJECT, PLACES };

// The buffer of a place, and how much it holds.
static char *buffer_of(enum place place, size_t *cap) {
    struct rekey_arm_error *e = &client.service;
    char *buffers[] = {
        e->code.text,
        e->detail.text,
        e->message.text,
        e->target.text,
        client.status.status,
        client.captured[REKEY_FIELD_REQUEST_ID - REKEY_FIELD_RETRY_AFTER],
        client.captured[REKEY_FIELD_CORRELATION_ID - REKEY_FIELD_RETRY_AFTER],
        client.subject,
    };
    size_t caps[] = {sizeof(e->code.text),
                     sizeof(e->detail.text),
                     sizeof(e->message.text),
                     sizeof(e->target.text),
                     sizeof(client.status.status) - 1,
                     40,
                     40,
                     sizeof(client.subject)};

    *cap = caps[place];
    return buffers[place];
}

// Puts as much of `text` there as fits.
static void put(enum place place, const char *text) {
    size_t len = strlen(text), cap;
    char *buffer = buffer_of(place, &cap);

    len = len < cap ? len : cap;
    memcpy(buffer, text, len);
    client.service.code.len = (uint16_t)(place == CODE ? len : 0);
    client.service.detail.len = (uint16_t)(place == DETAIL ? len : 0);
    client.service.message.len = (uint16_t)(place == MESSAGE ? len : 0);
    client.service.target.len = (uint16_t)(place == TARGET ? len : 0);
    client.subject_len = (uint8_t)(place == SUBJECT ? len : 0);
}

static const char *const secrets[] = {"wxyz",
                                      "pass1w0rd",
                                      "0123456789abcdef",
                                      "0123456789abcdef0",
                                      "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0U1v2W3x4Y5z6",
                                      TOKEN TOKEN TOKEN};

// The secret follows words of every length: no part of the secret can be read in the kept text. The
// words can be read, except some bytes beside a key value that was forgotten, or before a cut.
static void test_places(void **state) {
    static char text[800];

    (void)state;
    for (enum which which = GIVEN_TOKEN; which <= LAST_OTHER; which++) {
        for (enum place place = CODE; place < PLACES; place++) {
            for (size_t i = 0; i < COUNT(secrets); i++) {
                size_t cap, len = strlen(secrets[i]);

                if (which >= KEY_VALUE && which <= FORGOTTEN_KEY_VALUE &&
                    len > REKEY_KEY_VALUE_MAX) {
                    continue;
                }
                buffer_of(place, &cap);
                for (size_t words = 0; words < cap; words++) {
                    size_t kept, touched = which == FORGOTTEN_KEY_VALUE ? 15 : 0;
                    const char *buffer;

                    row_nn(secrets[i], (long)(which * 100 + place), (long)words);
                    has(which, secrets[i]);
                    memset(text, ' ', words);
                    memcpy(text + words, secrets[i], len);
                    memcpy(text + words + len, " end", 5);
                    put(place, text);
                    rekey_hide(&client);
                    buffer = buffer_of(place, &cap);
                    kept = words + len < cap ? words + len : cap;
                    for (size_t k = 0; k < words; k++) {
                        check(buffer[k] == ' ' || (k + touched >= words && touched > 0));
                    }
                    for (size_t k = words; k < kept; k++) {
                        check(buffer[k] == '*');
                    }
                    if (touched == 0 && words + len + 4 + 3 < cap) {
                        check(memcmp(buffer + words + len, " end", 4) == 0);
                    }
                }
            }
        }
    }
    rows_done();
}

// Texts that are not secrets, and fields that are not searched, are unchanged.
static void test_what_stays(void **state) {
    (void)state;
    for (enum which which = GIVEN_TOKEN; which <= LAST_OTHER; which++) {
        for (enum place place = CODE; place < PLACES; place++) {
            const char *words = "nothing of ours is here";
            size_t cap;

            row_nn("words", which, place);
            has(which, TOKEN);
            put(place, words);
            rekey_hide(&client);
            check(memcmp(buffer_of(place, &cap), words, strlen(words)) == 0);
            row_nn("a secret of three bytes", which, place);
            has(which, "our");
            put(place, words);
            rekey_hide(&client);
            check(memcmp(buffer_of(place, &cap), words, strlen(words)) == 0);
            for (size_t room = 2; room <= 5; room++) { // a text that is cut lacks up to three bytes
                char text[REKEY_MESSAGE_MAX + 1] = "";

                row_nn("room behind a beginning", (long)(which * 100 + place), (long)room);
                has(which, TOKEN);
                buffer_of(place, &cap);
                memset(text, '-', cap - room);
                text[cap - room - 1] = TOKEN[0];
                put(place, text);
                rekey_hide(&client);
                check_int(buffer_of(place, &cap)[cap - room - 1], room <= 3 ? '*' : TOKEN[0]);
            }
        }
    }
    row("no credential, no list");
    has(GIVEN_TOKEN, TOKEN);
    put(MESSAGE, "nothing");
    rekey_hide(&client);
    check(memcmp(client.service.message.text, "nothing", 7) == 0);
    rows_done();
}

// One secret begins with the end of another one at the cut of a text, or shares a part with it:
// both are found, in either order.
static void test_two_secrets(void **state) {
    static const char one[] = "0123456789abcdefgh", two[] = "fghijklmnopqrstuvw";

    (void)state;
    for (int order = 0; order < 2; order++) {
        for (int forgotten = 0; forgotten < 2; forgotten++) {
            char text[REKEY_MESSAGE_MAX + 1], *message = client.service.message.text;

            row_nn("order, forgotten", order, forgotten);
            has(GIVEN_TOKEN, order == 0 ? one : two);
            client.key_value_len = 18;
            memcpy(client.key_value, order == 0 ? two : one, 18);
            if (forgotten) {
                rekey_hide_forget_key_value(&client);
            }
            memset(text, '-', sizeof(text));
            memcpy(text + 20, "0123456789abcdefghijklmnopqrstuvw", 33);
            memcpy(text + REKEY_MESSAGE_MAX - 16, "0123456789abcdef", 17);
            put(MESSAGE, text);
            rekey_hide(&client);
            for (size_t i = 20; i < 53; i++) {
                check_int(message[i], '*');
            }
            for (size_t i = REKEY_MESSAGE_MAX - 16; i < REKEY_MESSAGE_MAX; i++) {
                check_int(message[i], '*');
            }
            check_int(message[0], '-');
            check_int(message[REKEY_MESSAGE_MAX / 2], '-');
        }
    }
    rows_done();
}

// ---- a key value that was forgotten -------------------------------------------------------------

static bool holds(const char *buffer, size_t size, const char *text, size_t len) {
    for (size_t i = 0; i + len <= size; i++) {
        if (memcmp(buffer + i, text, len) == 0) {
            return true;
        }
    }
    return false;
}

// FNV-1a of 32 bits, by its published vectors' values: of "" 811c9dc5, of "foobar" bf9cf968.
static uint32_t fnv1a(const char *text, size_t len) {
    uint64_t value = 0x811C9DC5;

    for (size_t i = 0; i < len; i++) {
        value = ((value ^ (uint8_t)text[i]) * 0x01000193) & 0xFFFFFFFF;
    }
    return (uint32_t)value;
}

// Values of every length: no five bytes of one are left, and what follows its digests is zero.
static void test_forgotten(void **state) {
    static char value[REKEY_KEY_VALUE_MAX + 1];

    (void)state;
    row("the digest");
    check_int(fnv1a("", 0), 0x811C9DC5);
    check_int(fnv1a("foobar", 6), 0xBF9CF968);
    for (size_t len = 0; len <= REKEY_KEY_VALUE_MAX; len++) {
        static char before[REKEY_KEY_VALUE_MAX];
        size_t digests = len < 4 ? 0 : len < 8 ? 1 : len / 8;

        row_n("length", (long)len);
        for (size_t i = 0; i < len; i++) {
            value[i] = (char)('!' + (i * 37 + len) % 90);
        }
        value[len] = '\0';
        has(FORGOTTEN_KEY_VALUE, value);
        for (size_t i = 0; i + 5 <= len; i++) {
            check(!holds(client.key_value, sizeof(client.key_value), value + i, 5));
        }
        for (size_t i = 0; i < digests; i++) {
            uint32_t expected = fnv1a(value + 8 * i, len < 8 ? len : 8);

            check(memcmp(client.key_value + 4 * i, &expected, 4) == 0);
        }
        for (size_t i = 4 * digests; i < sizeof(client.key_value); i++) {
            check_int(client.key_value[i], 0);
        }
        memcpy(before, client.key_value, sizeof(before));
        rekey_hide_forget_key_value(&client); // once more changes nothing
        check(memcmp(before, client.key_value, sizeof(before)) == 0);
        check_int(client.key_value_forgotten, true);
    }
    rows_done();
}

// Every run of 16 bytes of the value, and every block of it, is found; less is not.
static void test_forgotten_runs(void **state) {
    static const char value[] = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0";
    const size_t value_len = sizeof(value) - 1;

    (void)state;
    for (size_t from = 0; from < value_len; from++) {
        for (size_t len = 1; from + len <= value_len; len++) {
            bool block = (from + 7) / 8 * 8 + 8 <= from + len; // a whole one
            char text[REKEY_MESSAGE_MAX] = "";
            const char *message = client.service.message.text;

            row_nn("from, length", (long)from, (long)len);
            has(FORGOTTEN_KEY_VALUE, value);
            memset(text, '-', 40);
            memcpy(text + 40, value + from, len);
            memset(text + 40 + len, '-', 40);
            put(MESSAGE, text);
            rekey_hide(&client);
            for (size_t i = 0; i < len; i++) {
                check_int(message[40 + i] == '*', block);
            }
            check(memcmp(message, text, 32) == 0); // bytes farther away are unchanged
            check(memcmp(message + 48 + len, text + 48 + len, 32) == 0);
        }
    }
    rows_done();
}

// The bytes behind the digests are not digests.
static void test_behind_the_digests(void **state) {
    const uint32_t other = fnv1a("12345678", 8);

    (void)state;
    row("in the token's place");
    has(FORGOTTEN_KEY_VALUE, "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0");
    memcpy(client.token, &other, sizeof(other));
    memcpy(client.key_value + sizeof(client.key_value) - 4, &other, sizeof(other));
    put(MESSAGE, "-12345678-");
    rekey_hide(&client);
    check_span(rekey_span(client.service.message.text, client.service.message.len),
               rekey_span("-12345678-", 10));
    rows_done();
}

// A UTF-8 sequence next to a block is overwritten as a whole.
static void test_forgotten_beside_utf8(void **state) {
    (void)state;
    row("the end of the text");
    has(FORGOTTEN_KEY_VALUE, "A1b2C3d4");
    put(MESSAGE, "--------------A1b2C3d4");
    rekey_hide(&client);
    check_span(rekey_span(client.service.message.text, client.service.message.len),
               rekey_span("------****************", 22));
    row("the beginning of the text, and a byte behind");
    has(FORGOTTEN_KEY_VALUE, "A1b2C3d4");
    put(MESSAGE, "A1b2C3d4-");
    rekey_hide(&client);
    check_span(rekey_span(client.service.message.text, client.service.message.len),
               rekey_span("*********", 9));
    row("before and behind");
    has(FORGOTTEN_KEY_VALUE, "A1b2C3d4");
    put(MESSAGE, "-\xC3\xA4"
                 "1234567A1b2C3d41234567\xC3\xA4-");
    rekey_hide(&client);
    check_span(rekey_span(client.service.message.text, client.service.message.len),
               rekey_span("-**************************-", 28));
    rows_done();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        UNIT(test_texts),
        UNIT(test_buffers),
        UNIT(test_random),
        UNIT(test_places),
        UNIT(test_what_stays),
        UNIT(test_two_secrets),
        UNIT(test_forgotten),
        UNIT(test_forgotten_runs),
        UNIT(test_behind_the_digests),
        UNIT(test_forgotten_beside_utf8),
    };

    return cmocka_run_group_tests_name("hide", tests, NULL, rows_total);
}
