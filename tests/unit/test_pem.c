// test_pem.c - the reader of PEM: the blocks that it finds, with their labels and bytes, in texts
// as tools and people write them, and in damaged ones.

#include <string.h>

#include "pem.h"
#include "support.h"

#define B "-----BEGIN CERTIFICATE-----"
#define E "-----END CERTIFICATE-----"
#define HELLO "aGVsbG8="       // "hello"
#define TEN "aGVsbG8gd29ybA==" // "hello worl", as many bytes as the buffer has

// A block is written as LABEL(bytes), and a faulty one as LABEL!.
static const struct {
    const char *name;
    struct rekey_span text;
    const char *expected;
} texts[] = {
    {"plain", BYTES(B "\n" HELLO "\n" E "\n"), "CERTIFICATE(hello)"},
    {"nothing", BYTES(""), ""},
    {"text", BYTES("# a bundle\nof none - at all -----\n"), ""},
    {"no line end", BYTES(B "\n" HELLO "\n" E), "CERTIFICATE(hello)"},
    {"CRLF", BYTES(B "\r\n" HELLO "\r\n" E "\r\n"), "CERTIFICATE(hello)"},
    {"CR", BYTES(B "\r" HELLO "\r" E "\r"), "CERTIFICATE(hello)"},
    {"one line", BYTES(B HELLO E), "CERTIFICATE(hello)"},
    {"one line with blanks", BYTES(B " " HELLO " " E), "CERTIFICATE(hello)"},
    {"blanks behind", BYTES(B " \n" HELLO "\t \n" E "  "), "CERTIFICATE(hello)"},
    {"blanks before", BYTES("\t" B "\n  " HELLO "\n " E), "CERTIFICATE(hello)"},
    {"empty lines", BYTES("\n\n" B "\n\n" HELLO "\n\n" E), "CERTIFICATE(hello)"},
    {"cut into digits", BYTES(B "\na\nG\nV\n s\nbG8\n=\n" E), "CERTIFICATE(hello)"},
    {"BOM", BYTES("\xef\xbb\xbf" B "\n" HELLO "\n" E), "CERTIFICATE(hello)"},
    {"BOM of a second file", BYTES(B "\n" HELLO "\n" E "\n\xef\xbb\xbf" B "\n" HELLO "\n" E),
     "CERTIFICATE(hello)CERTIFICATE(hello)"},
    {"joined", BYTES(B "\n" HELLO "\n" E B "\n" HELLO "\n" E),
     "CERTIFICATE(hello)CERTIFICATE(hello)"},
    {"joined with a blank", BYTES(B "\n" HELLO "\n" E " " B "\n" HELLO "\n" E),
     "CERTIFICATE(hello)CERTIFICATE(hello)"},
    {"BOM behind one that was cut off", BYTES(B "\naGVs\n\xef\xbb\xbf" B "\n" HELLO "\n" E),
     "CERTIFICATE!CERTIFICATE(hello)"},
    {"BOM within", BYTES(B "\n\xef\xbb\xbf" HELLO "\n" E), "CERTIFICATE!"},
    {"text between", BYTES(B "\n" HELLO "\n" E "\nsubject=CN=x\n===\n" B "\n" HELLO "\n" E),
     "CERTIFICATE(hello)CERTIFICATE(hello)"},
    {"text behind END", BYTES(B "\n" HELLO "\n" E " text " B "\n" HELLO "\n" E),
     "CERTIFICATE(hello)"},
    {"old label",
     BYTES("-----BEGIN X509 CERTIFICATE-----\n" HELLO "\n-----END X509 CERTIFICATE-----"),
     "X509 CERTIFICATE(hello)"},
    {"label of OpenSSL",
     BYTES("-----BEGIN TRUSTED CERTIFICATE-----\n" HELLO "\n-----END TRUSTED CERTIFICATE-----"),
     "TRUSTED CERTIFICATE(hello)"},
    {"a key",
     BYTES("-----BEGIN PRIVATE KEY-----\n" HELLO "\n-----END PRIVATE KEY-----\n" B HELLO E),
     "PRIVATE KEY(hello)CERTIFICATE(hello)"},
    {"no padding", BYTES(B "aGVsbG8h" E), "CERTIFICATE(hello!)"},
    {"two of padding", BYTES(B "aGVsbA==" E), "CERTIFICATE(hell)"},
    {"digits + and /", BYTES(B "Pj4+Pz8/" E), "CERTIFICATE(>>>\?\?\?)"},
    {"one byte", BYTES(B "aA==" E), "CERTIFICATE(h)"},
    {"as long as the buffer", BYTES(B TEN E), "CERTIFICATE(hello worl)"},

    {"longer than the buffer", BYTES(B "aGVsbG8gd29ybGQ=" E), "CERTIFICATE!"},
    {"much longer", BYTES(B HELLO "\n" TEN TEN TEN "\n" E "\n" B HELLO E),
     "CERTIFICATE!CERTIFICATE(hello)"},
    {"empty", BYTES(B "\n" E), "CERTIFICATE!"},
    {"a digit is missing", BYTES(B "aGVsbG8" E), "CERTIFICATE!"},
    {"a digit too many", BYTES(B "aGVsbG8=a" E), "CERTIFICATE!"},
    {"padding in the middle", BYTES(B "aGVsbA==aGVs" E), "CERTIFICATE!"},
    {"padding in the middle, once", BYTES(B "aGVsbG8=aGVs" E), "CERTIFICATE!"},
    {"a dash and a byte within", BYTES(B "aGVs\n-xbG8=\n" E), "CERTIFICATE!"},
    {"BEGIN behind a dash and a byte", BYTES(B "\n-x" B "\n" HELLO "\n" E), "CERTIFICATE!"},
    {"END behind another byte", BYTES(B "aGVs*" E B "\n" HELLO "\n" E), "CERTIFICATE!"},
    {"a dash alone within", BYTES(B "\naGVs\n-\nbG8=\n" E), "CERTIFICATE!"},
    {"dashes alone within", BYTES(B "aGVs\n--\nbG8=\n" E), "CERTIFICATE!"},
    {"a dash behind text", BYTES("x - " B "\n" HELLO E), ""},
    {"padding too long", BYTES(B "aGVsb===" E), "CERTIFICATE!"},
    {"padding alone", BYTES(B "====" E), "CERTIFICATE!"},
    {"another byte", BYTES(B "aGVs*bG8=" E "\n" E "\n" B HELLO E),
     "CERTIFICATE!CERTIFICATE(hello)"},
    {"NUL", BYTES(B "aGVs\0bG8=\n" E), "CERTIFICATE!"},
    {"cut off by the end", BYTES(B "\n" HELLO), "CERTIFICATE!"},
    {"cut off in BEGIN", BYTES("-----BEGIN CERTIFICATE----"), ""},
    {"cut off behind BEGIN", BYTES(B), "CERTIFICATE!"},
    {"cut off behind BEGIN, a label of a byte", BYTES("-----BEGIN K-----"), "K!"},
    {"cut off in END", BYTES(B HELLO "-----END CERTIFICATE----"), "CERTIFICATE!"},
    {"cut off by another", BYTES(B "\naGVs\n" B "\n" HELLO "\n" E),
     "CERTIFICATE!CERTIFICATE(hello)"},
    {"a key cut off by a certificate",
     BYTES("-----BEGIN PRIVATE KEY-----\naGVs\n" B "\n" HELLO "\n" E),
     "PRIVATE KEY!CERTIFICATE(hello)"},
    {"BEGIN behind base64", BYTES(B "\naGVs" B "\n" HELLO "\n" E), "CERTIFICATE!"},
    {"END of another label", BYTES(B HELLO "-----END KEY-----\n" B HELLO E),
     "CERTIFICATE!CERTIFICATE(hello)"},
    {"END alone", BYTES(E "\n" B HELLO E), "CERTIFICATE(hello)"},
    {"headers", BYTES("-----BEGIN K-----\nProc-Type: 4,ENCRYPTED\n\n" HELLO "\n-----END K-----"),
     "K!"},
    {"commented out", BYTES("#" B "\n#" HELLO "\n#" E "\n"), ""},
    {"markers commented out", BYTES("# " B "\n" HELLO "\n# " E "\n"), ""},
    {"commented out within", BYTES(B "\naG\n# " B "\n" HELLO "\n# " E "\n"), "CERTIFICATE!"},
    {"BEGIN behind text", BYTES("x" B "\n" HELLO "\n" E "\n"), ""},
    {"four dashes", BYTES("----BEGIN CERTIFICATE-----\n" HELLO "\n" E), ""},
    {"six dashes", BYTES("------BEGIN CERTIFICATE-----\n" HELLO "\n" E), ""},
    {"a blank among the dashes", BYTES("- ----BEGIN CERTIFICATE-----\n" HELLO "\n" E), ""},
    {"another byte than the last dash", BYTES("-----BEGIN CERTIFICATE----x\n" HELLO "\n" E), ""},
    {"no blank behind BEGIN", BYTES("-----BEGINxCERTIFICATE-----\n" HELLO "\n" E), ""},
    {"no blank behind END", BYTES(B HELLO "\n-----ENDxCERTIFICATE-----"), "CERTIFICATE!"},
    {"no label", BYTES("-----BEGIN -----\n" HELLO "\n-----END -----"), ""},
    {"lower case", BYTES("-----begin CERTIFICATE-----\n" HELLO "\n" E), ""},
    {"a longer label",
     BYTES("-----BEGIN CERTIFICATE REQUEST-----\n" HELLO "\n-----END CERTIFICATE REQUEST-----"),
     "CERTIFICATE REQUEST(hello)"},
    {"a label of 31",
     BYTES("-----BEGIN 1234567890123456789012345678901-----" HELLO
           "-----END 1234567890123456789012345678901-----"),
     "1234567890123456789012345678901(hello)"},
    {"a label of 32",
     BYTES("-----BEGIN 12345678901234567890123456789012-----" HELLO
           "-----END 12345678901234567890123456789012-----\n" B HELLO E),
     "!CERTIFICATE(hello)"},
    {"a label of 60",
     BYTES("-----BEGIN 123456789012345678901234567890123456789012345678901234567890"
           "-----\n" HELLO "\n" B HELLO E),
     "CERTIFICATE(hello)"},
    {"UTF-16", BYTES("-\0-\0-\0-\0-\0B\0"), ""},
    {"dashes within", BYTES(B "\naGVs\n--bG8=\n" E "\n" B HELLO E),
     "CERTIFICATE!CERTIFICATE(hello)"},
};

// Appends the block that has ended.
static void put(char *out, size_t cap, const struct rekey_pem *pem, enum rekey_pem_event event) {
    const size_t at = strlen(out), label = strlen(pem->label);

    if (event == REKEY_PEM_MORE) {
        return;
    }
    assert_true(at + label + pem->len + 3 <= cap);
    memcpy(out + at, pem->label, label);
    strcpy(out + at + label, "!");
    if (event == REKEY_PEM_BLOCK) {
        out[at + label] = '(';
        memcpy(out + at + label + 1, pem->der, pem->len);
        strcpy(out + at + label + 1 + pem->len, ")");
    }
}

// In parts of so many bytes, of which rekey_pem_push_many takes what it can; with 0 it is not
// called. `pass`: the first block is not wanted, which is said after so many of its bytes.
static void read_parts(struct rekey_span text, size_t size, size_t pass, char *out, size_t cap) {
    struct rekey_pem pem;
    size_t inside = 0;

    out[0] = '\0';
    rekey_pem_init(&pem, guarded(10), 10);
    for (size_t at = 0; at < text.len; at++) {
        size_t left = size > 0 ? size - at % size : 0, taken;

        taken =
            rekey_pem_push_many(&pem, text.ptr + at, left < text.len - at ? left : text.len - at);
        check(taken <= left);
        at += taken;
        inside += pem.inside;
        if (inside > 0 && inside == pass) {
            rekey_pem_skip(&pem);
        }
        if (at < text.len) {
            put(out, cap, &pem, rekey_pem_push(&pem, text.ptr[at]));
        }
    }
    put(out, cap, &pem, rekey_pem_end(&pem));
}

static void read_text(struct rekey_span text, char *out, size_t cap) {
    read_parts(text, 0, 0, out, cap);
}

static void test_texts(void **state) {
    char out[256];

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        for (size_t size = 0; size <= texts[i].text.len; size++) {
            row_n(texts[i].name, (long)size);
            read_parts(texts[i].text, size, 0, out, sizeof(out));
            check_span(rekey_span(out, strlen(out)),
                       rekey_span(texts[i].expected, strlen(texts[i].expected)));
        }
    }
    rows_done();
}

// What is not wanted ends without an event, and what follows it is found.
static void test_passed(void **state) {
    static const struct {
        const char *name;
        struct rekey_span text;
        const char *expected;
    } rows[] = {
        {"alone", BYTES(B "\n" HELLO "\n" E "\n"), ""},
        {"two", BYTES(B "\n" HELLO "\n" E "\n" B "\n" TEN "\n" E), "CERTIFICATE(hello worl)"},
        {"CRLF", BYTES(B "\r\n" HELLO "\r\n" E "\r\n" B "\r\n" TEN "\r\n" E),
         "CERTIFICATE(hello worl)"},
        {"one line", BYTES(B HELLO E B TEN E), "CERTIFICATE(hello worl)"},
        {"longer than the buffer", BYTES(B "\n" TEN TEN TEN "\n" E "\n" B HELLO E),
         "CERTIFICATE(hello)"},
        {"another byte", BYTES(B "aG\nVs*bG8=\n" E "\n" B HELLO E), "CERTIFICATE(hello)"},
        {"dashes", BYTES(B "aG\n-----x\n-Vs-\n" E "\n" B HELLO E), "CERTIFICATE(hello)"},
        {"cut off by the end", BYTES(B "\n" HELLO), ""},
        {"cut off by another", BYTES(B "\naGVs\n" B "\n" HELLO "\n" E), "CERTIFICATE(hello)"},
        {"blanks before another", BYTES(B "\naGVs\n \t " B "\n" HELLO "\n" E),
         "CERTIFICATE(hello)"},
        {"BOM before another", BYTES(B "\naGVs\n\xef\xbb\xbf" B "\n" HELLO "\n" E),
         "CERTIFICATE(hello)"},
        {"another behind base64", BYTES(B "\naGVs" B "\n" HELLO "\n" E "\n" B HELLO E),
         "CERTIFICATE(hello)"},
    };
    char out[256];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t size = 1; size <= rows[i].text.len; size++) {
            for (size_t pass = 1; pass <= 3; pass++) {
                row_nn(rows[i].name, (long)size, (long)pass);
                read_parts(rows[i].text, size, pass, out, sizeof(out));
                check_span(rekey_span(out, strlen(out)),
                           rekey_span(rows[i].expected, strlen(rows[i].expected)));
            }
        }
    }
    rows_done();
}

// Without a buffer only the length is learned.
static void test_lengths(void **state) {
    const struct rekey_span text = BYTES(B TEN TEN "\n" E);
    struct rekey_pem pem;
    enum rekey_pem_event event = REKEY_PEM_MORE;

    (void)state;
    row("padding in the middle");
    rekey_pem_init(&pem, NULL, SIZE_MAX);
    for (size_t i = 0; i < text.len; i++) {
        event = rekey_pem_push(&pem, text.ptr[i]);
    }
    check_int(event, REKEY_PEM_FAULTY);
    row("no buffer");
    rekey_pem_init(&pem, NULL, SIZE_MAX);
    for (const char *at = B "aGVsbG8gd29ybGQhaGVsbG8=" E; *at != '\0'; at++) {
        event = rekey_pem_push(&pem, *at);
    }
    check_int(event, REKEY_PEM_BLOCK);
    check_int(pem.len, 17);
    rows_done();
}

// Each byte as the last of four digits.
static void test_digits(void **state) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char text[] = B "AAA?\n" E, out[256], expected[] = "CERTIFICATE(000)";
        const char *digit = memchr(digits, byte, sizeof(digits) - 1);

        row_n("byte", byte);
        text[sizeof(B) + 2] = (char)byte;
        read_text(rekey_span(text, sizeof(text) - 1), out, sizeof(out));
        if (digit != NULL) {
            memcpy(expected + 12, (char[3]){0, 0, (char)(digit - digits)}, 3);
            check_int(memcmp(out, expected, sizeof(expected)), 0);
        } else if (byte == '=') {
            check_int(memcmp(out, "CERTIFICATE(\0\0)", 16), 0);
        } else {
            check_int(strcmp(out, "CERTIFICATE!"), 0);
        }
    }
    rows_done();
}

static void test_labels(void **state) {
    static const struct {
        const char *label;
        bool certificate;
    } labels[] = {
        {"CERTIFICATE", true},          {"X509 CERTIFICATE", true}, {"TRUSTED CERTIFICATE", true},
        {"CERTIFICATE REQUEST", false}, {"PRIVATE KEY", false},     {"X509 CRL", false},
        {"certificate", false},         {"PKCS7", false},           {"", false},
    };
    struct rekey_pem pem = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(labels); i++) {
        row(labels[i].label);
        strcpy(pem.label, labels[i].label);
        check_int(rekey_pem_is_certificate(&pem), labels[i].certificate);
    }
    rows_done();
}

static void test_headers(void **state) {
    struct rekey_pem pem;

    (void)state;
    row("an encrypted key");
    rekey_pem_init(&pem, NULL, SIZE_MAX);
    for (const char *at = "-----BEGIN K-----\nDEK-Info: AES,1\n\naaaa\n-----END K-----";
         *at != '\0'; at++) {
        rekey_pem_push(&pem, *at);
    }
    check(pem.headers);
    row("the next block");
    for (const char *at = "\n" B "a"; *at != '\0'; at++) {
        rekey_pem_push(&pem, *at);
    }
    check(!pem.headers);
    row("another byte than a colon");
    rekey_pem_init(&pem, NULL, SIZE_MAX);
    for (const char *at = "-----BEGIN K-----\naaa*\n-----END K-----"; *at != '\0'; at++) {
        rekey_pem_push(&pem, *at);
    }
    check(!pem.headers);
    check(!pem.headers);
    rows_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {UNIT(test_texts),  UNIT(test_passed), UNIT(test_lengths),
                                       UNIT(test_digits), UNIT(test_labels), UNIT(test_headers)};

    return cmocka_run_group_tests(tests, NULL, rows_total);
}
