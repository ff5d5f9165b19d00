// test_url.c - url.h: which texts are absolute https URLs, the same-host rule of docs/service.md
// 4.1, the host in any text.

#include <stdio.h>

#include "support.h"
#include "url.h"

#define HOST "management.azure.com"

static const struct {
    const char *name;
    struct rekey_span text;
    int result;
    struct rekey_span host, target;
    uint16_t port;
    bool ipv6;
} urls[] = {
    // what the service sends
    {"recorded Location",
     BYTES("https://management.azure.com/subscriptions/0-0/providers/"
           "Microsoft.MachineLearningServices/"
           "locations/eastus/mfeOperationResults/oe:1-2:3-4?api-version=2025-09-01"),
     0, BYTES(HOST),
     BYTES("/subscriptions/0-0/providers/Microsoft.MachineLearningServices/"
           "locations/eastus/mfeOperationResults/oe:1-2:3-4?api-version=2025-09-01"),
     443, false},
    {"signed", BYTES("https://" HOST ":443/o*/x:y?api-version=V&t=1&c=aA_-9&s=&h=Z~."), 0,
     BYTES(HOST), BYTES("/o*/x:y?api-version=V&t=1&c=aA_-9&s=&h=Z~."), 443, false},
    {"shortest", BYTES("https://h"), 0, BYTES("h"), BYTES(""), 443, false},
    {"all that a path may hold", BYTES("https://h/-._~!$&'()*+,;=:@/az09AZ%20%aF"), 0, BYTES("h"),
     BYTES("/-._~!$&'()*+,;=:@/az09AZ%20%aF"), 443, false},
    {"all that a query may hold", BYTES("https://h/?-._~!$&'()*+,;=:@/?%C3%A4"), 0, BYTES("h"),
     BYTES("/?-._~!$&'()*+,;=:@/?%C3%A4"), 443, false},
    {"query without path", BYTES("https://h?a=b"), 0, BYTES("h"), BYTES("?a=b"), 443, false},
    {"two slashes in the path", BYTES("https://h//x"), 0, BYTES("h"), BYTES("//x"), 443, false},
    {"dots in the path", BYTES("https://h/../."), 0, BYTES("h"), BYTES("/../."), 443, false},
    {"@ in the path", BYTES("https://h/a@evil.example"), 0, BYTES("h"), BYTES("/a@evil.example"),
     443, false},
    {"@ in the query", BYTES("https://h?x@evil.example"), 0, BYTES("h"), BYTES("?x@evil.example"),
     443, false},
    {"@ in the fragment", BYTES("https://h#@evil.example"), 0, BYTES("h"), BYTES(""), 443, false},
    {"colon in the path", BYTES("https://h/a:80"), 0, BYTES("h"), BYTES("/a:80"), 443, false},

    // scheme
    {"upper-case scheme", BYTES("HTTPS://h/"), 0, BYTES("h"), BYTES("/"), 443, false},
    {"mixed-case scheme", BYTES("hTtPs://h/"), 0, BYTES("h"), BYTES("/"), 443, false},
    {"http", BYTES("http://" HOST "/"), REKEY_E_URL_SCHEME, {0}, {0}, 0, false},
    {"empty", BYTES(""), REKEY_E_URL_SCHEME, {0}, {0}, 0, false},
    {"scheme alone", BYTES("https:"), REKEY_E_URL_SCHEME, {0}, {0}, 0, false},
    {"one slash", BYTES("https:/h"), REKEY_E_URL_SCHEME, {0}, {0}, 0, false},
    {"one slash, long", BYTES("https:/" HOST), REKEY_E_URL_SCHEME, {0}, {0}, 0, false},
    {"backslashes", BYTES("https:\\\\" HOST), REKEY_E_URL_SCHEME, {0}, {0}, 0, false},
    {"relative", BYTES("/subscriptions/x"), REKEY_E_URL_SCHEME, {0}, {0}, 0, false},
    {"relative to the scheme", BYTES("//" HOST "/"), REKEY_E_URL_SCHEME, {0}, {0}, 0, false},
    {"no scheme", BYTES(HOST "/path"), REKEY_E_URL_SCHEME, {0}, {0}, 0, false},
    {"space before", BYTES(" https://h/"), REKEY_E_URL_SCHEME, {0}, {0}, 0, false},
    {"other scheme", BYTES("httpsx://h/"), REKEY_E_URL_SCHEME, {0}, {0}, 0, false},
    {"wss", BYTES("wss://h.example/"), REKEY_E_URL_SCHEME, {0}, {0}, 0, false},

    // userinfo
    {"user", BYTES("https://u@h/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"user and password", BYTES("https://u:p@h/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"our host as the user",
     BYTES("https://" HOST "@evil.example/"),
     REKEY_E_URL_HOST,
     {0},
     {0},
     0,
     false},
    {"our host and port as the user",
     BYTES("https://" HOST ":443@evil.example/"),
     REKEY_E_URL_HOST,
     {0},
     {0},
     0,
     false},
    {"empty user", BYTES("https://@h/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"user, no path", BYTES("https://u@h"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"user and brackets", BYTES("https://u@[::1]/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},

    // host
    {"no host", BYTES("https://"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"no host, path", BYTES("https:///x"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"no host, query", BYTES("https://?x"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"no host, fragment", BYTES("https://#x"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"no host, port", BYTES("https://:443/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"dot alone", BYTES("https://./"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"leading dot", BYTES("https://.h/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"leading hyphen", BYTES("https://-h/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"trailing dot", BYTES("https://" HOST "./x"), 0, BYTES(HOST), BYTES("/x"), 443, false},
    {"trailing dot behind one letter", BYTES("https://h./x"), 0, BYTES("h"), BYTES("/x"), 443,
     false},
    {"two trailing dots", BYTES("https://h../x"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"trailing dot, port", BYTES("https://" HOST ".:444/x"), 0, BYTES(HOST), BYTES("/x"), 444,
     false},
    {"digits, hyphen, underscore", BYTES("https://a-1_b.example"), 0, BYTES("a-1_b.example"),
     BYTES(""), 443, false},
    {"upper-case host stays", BYTES("https://MANAGEMENT.Azure.com"), 0,
     BYTES("MANAGEMENT.Azure.com"), BYTES(""), 443, false},
    {"IPv4", BYTES("https://10.0.2.2:8443/"), 0, BYTES("10.0.2.2"), BYTES("/"), 8443, false},
    {"space in the host", BYTES("https://h h/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"percent in the host", BYTES("https://%68/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"NUL in the host",
     BYTES("https://" HOST "\0.evil.example/"),
     REKEY_E_URL_HOST,
     {0},
     {0},
     0,
     false},
    {"UTF-8 in the host",
     BYTES("https://m\xC3\xA4.example/"),
     REKEY_E_URL_HOST,
     {0},
     {0},
     0,
     false},
    {"semicolon in the host", BYTES("https://h;x/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"tab in the host", BYTES("https://h\tx/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},

    // IPv6
    {"IPv6", BYTES("https://[::1]/x"), 0, BYTES("::1"), BYTES("/x"), 443, true},
    {"IPv6 and port", BYTES("https://[2001:db8::A]:8443?q"), 0, BYTES("2001:db8::A"), BYTES("?q"),
     8443, true},
    {"IPv6 with IPv4", BYTES("https://[::ffff:10.0.2.2]"), 0, BYTES("::ffff:10.0.2.2"), BYTES(""),
     443, true},
    {"IPv6 and a dot", BYTES("https://[::1.]/"), 0, BYTES("::1"), BYTES("/"), 443, true},
    {"IPv6 and a dot behind it", BYTES("https://[::1]./"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"empty brackets", BYTES("https://[]/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"bracket not closed", BYTES("https://[::1/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"bracket not closed at the end", BYTES("https://[::1"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"bracket closed in the path", BYTES("https://[::1/]"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"bracket alone", BYTES("https://["), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"IPv6 zone", BYTES("https://[fe80::1%25eth0]/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"IPv6 with a letter g", BYTES("https://[::g]/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"IPv6 without brackets", BYTES("https://::1/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"name behind the bracket",
     BYTES("https://[::1]evil.example/"),
     REKEY_E_URL_HOST,
     {0},
     {0},
     0,
     false},
    {"one byte behind the bracket", BYTES("https://[::1]x/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"brackets not at the start", BYTES("https://h[::1]/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},

    // port
    {"empty port", BYTES("https://h:/x"), 0, BYTES("h"), BYTES("/x"), 443, false},
    {"empty port at the end", BYTES("https://h:"), 0, BYTES("h"), BYTES(""), 443, false},
    {"port 1", BYTES("https://h:1"), 0, BYTES("h"), BYTES(""), 1, false},
    {"port 0", BYTES("https://h:0"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"port 00000", BYTES("https://h:00000"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"port 65535", BYTES("https://h:65535/"), 0, BYTES("h"), BYTES("/"), 65535, false},
    {"port 65536", BYTES("https://h:65536/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"port 99999", BYTES("https://h:99999/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"port of five digits", BYTES("https://h:00443/"), 0, BYTES("h"), BYTES("/"), 443, false},
    {"port of six digits", BYTES("https://h:000443/"), 0, BYTES("h"), BYTES("/"), 443, false},
    {"port that wraps 16 bits", BYTES("https://h:65979/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"port that wraps 32 bits",
     BYTES("https://h:4294967739/"),
     REKEY_E_URL_HOST,
     {0},
     {0},
     0,
     false},
    {"port with a letter", BYTES("https://h:44x/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"port with a sign", BYTES("https://h:+443/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"negative port", BYTES("https://h:-1/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"two ports", BYTES("https://h:443:443/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"two colons", BYTES("https://h::/"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"space in the port", BYTES("https://h:443 /"), REKEY_E_URL_HOST, {0}, {0}, 0, false},

    // fragment
    {"fragment", BYTES("https://h/x?y#z"), 0, BYTES("h"), BYTES("/x?y"), 443, false},
    {"fragment without path", BYTES("https://h#z"), 0, BYTES("h"), BYTES(""), 443, false},
    {"empty fragment", BYTES("https://h/x#"), 0, BYTES("h"), BYTES("/x"), 443, false},
    {"two fragments", BYTES("https://h/x#y#z"), 0, BYTES("h"), BYTES("/x"), 443, false},
    {"space in the fragment", BYTES("https://h/x#y z"), 0, BYTES("h"), BYTES("/x"), 443, false},
    {"space before the fragment", BYTES("https://h/x y#z"), REKEY_E_URL_BYTE, {0}, {0}, 0, false},
    {"last byte of the fragment", BYTES("https://h/x#y\""), 0, BYTES("h"), BYTES("/x"), 443, false},

    // percent-encoding
    {"percent at the end", BYTES("https://h/%"), REKEY_E_URL_BYTE, {0}, {0}, 0, false},
    {"percent and one digit", BYTES("https://h/%4"), REKEY_E_URL_BYTE, {0}, {0}, 0, false},
    {"percent and two digits", BYTES("https://h/%4a"), 0, BYTES("h"), BYTES("/%4a"), 443, false},
    {"percent and zeros", BYTES("https://h/%00"), 0, BYTES("h"), BYTES("/%00"), 443, false},
    {"percent, first no digit", BYTES("https://h/%g0"), REKEY_E_URL_BYTE, {0}, {0}, 0, false},
    {"percent, second no digit", BYTES("https://h/%0g"), REKEY_E_URL_BYTE, {0}, {0}, 0, false},
    {"percent digits run into the fragment",
     BYTES("https://h/%4#a"),
     REKEY_E_URL_BYTE,
     {0},
     {0},
     0,
     false},

    // bytes
    {"backslash behind the host",
     BYTES("https://" HOST "\\.evil.example/"),
     REKEY_E_URL_BYTE,
     {0},
     {0},
     0,
     false},
    {"backslash and user",
     BYTES("https://evil.example\\@" HOST "/"),
     REKEY_E_URL_BYTE,
     {0},
     {0},
     0,
     false},
    {"user and backslash", BYTES("https://u@h\\"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
    {"backslash first", BYTES("https://\\h"), REKEY_E_URL_HOST, {0}, {0}, 0, false},
};

static void test_parse(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct rekey_url url;
        struct rekey_span text;

        row(urls[i].name);
        text = guarded_copy(urls[i].text);
        if (!check_int(rekey_url_parse(text, &url), urls[i].result) || urls[i].result != 0) {
            continue;
        }
        check_span(url.host, urls[i].host);
        check_span(url.target, urls[i].target);
        check_int(url.port, urls[i].port);
        check_int(url.ipv6, urls[i].ipv6);
        check(url.host.ptr > text.ptr && url.host.ptr + url.host.len <= text.ptr + text.len);
    }
    rows_done();
}

// Each of the 256 bytes in the path, in the query, in the fragment, which is cut off whatever it
// holds.
static void test_bytes(void **state) {
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "-._~!$&'()*+,;=:@/?";
    static const struct {
        const char *name, *before;
    } places[] = {
        {"path, byte", "https://h/a"},
        {"query, byte", "https://h?a"},
        {"fragment, byte", "https://h#a"},
        {"fragment, first byte", "https://h#"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        size_t len = strlen(places[i].before);

        for (int byte = 0; byte < 256; byte++) {
            bool fragment = byte == '#' || places[i].before[9] == '#';
            bool fine = fragment || memchr(allowed, byte, sizeof(allowed) - 1) != NULL;
            struct rekey_url url;
            char *text;

            row_n(places[i].name, byte);
            text = guarded(len + 1);
            memcpy(text, places[i].before, len);
            text[len] = (char)(unsigned char)byte;
            check_int(rekey_url_parse(rekey_span(text, len + 1), &url),
                      fine ? 0 : REKEY_E_URL_BYTE);
        }
    }
    rows_done();
}

// A URL with a host of `len` letters.
static int parse_host_of(size_t len) {
    struct rekey_url url;
    char *text = guarded(8 + len);

    memcpy(text, "https://", 8);
    memset(text + 8, 'a', len);
    return rekey_url_parse(rekey_span(text, 8 + len), &url);
}

static void test_host_valid(void **state) {
    static const char names[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
    static const char ipv6[] = "0123456789abcdefABCDEF:.";
    static const struct {
        const char *name;
        struct rekey_span host;
        bool as_name, as_ipv6;
    } rows[] = {
        {"empty", BYTES(""), false, false},
        {"name", BYTES(HOST), true, false},
        {"hexadecimal name", BYTES("cafe"), true, true},
        {"IPv4", BYTES("127.0.0.1"), true, true},
        {"IPv6", BYTES("fe80::1"), false, true},
        {"brackets", BYTES("[::1]"), false, false},
        {"leading hyphen", BYTES("-a"), false, false},
        {"leading dot", BYTES(".a"), false, true},
        {"hyphen inside", BYTES("a-b"), true, false},
        {"port", BYTES("host:443"), false, false},
        {"slash", BYTES("a/b"), false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_span host;

        row(rows[i].name);
        host = guarded_copy(rows[i].host);
        check_int(rekey_url_host_valid(host, false), rows[i].as_name);
        check_int(rekey_url_host_valid(host, true), rows[i].as_ipv6);
    }
    for (int byte = 0; byte < 256; byte++) {
        char *host;

        row_n("second byte", byte);
        host = guarded(2);
        host[0] = 'a';
        host[1] = (char)(unsigned char)byte;
        check_int(rekey_url_host_valid(rekey_span(host, 2), false),
                  memchr(names, byte, sizeof(names) - 1) != NULL);
        check_int(rekey_url_host_valid(rekey_span(host, 2), true),
                  memchr(ipv6, byte, sizeof(ipv6) - 1) != NULL);
    }
    for (size_t len = 252; len <= 255; len++) {
        char *host;

        row_n("length", (long)len);
        host = guarded(len);
        memset(host, 'a', len);
        check_int(rekey_url_host_valid(rekey_span(host, len), false), len <= 253);
        check_int(rekey_url_host_valid(rekey_span(host, len), true), len <= 253);
        check_int(parse_host_of(len), len <= 253 ? 0 : REKEY_E_URL_HOST);
    }
    rows_done();
}

static void test_same_host(void **state) {
    static const struct {
        const char *name;
        struct rekey_span a, b;
        bool same;
    } rows[] = {
        {"same", BYTES(HOST), BYTES(HOST), true},
        {"case", BYTES(HOST), BYTES("MANAGEMENT.Azure.COM"), true},
        {"trailing dot", BYTES(HOST), BYTES(HOST "."), true},
        {"trailing dot behind one letter", BYTES("h."), BYTES("h"), true},
        {"trailing dots on both", BYTES(HOST "."), BYTES(HOST "."), true},
        {"case and trailing dot", BYTES("Management.azure.com."), BYTES(HOST), true},
        {"two trailing dots", BYTES(HOST), BYTES(HOST ".."), false},
        {"longer", BYTES(HOST), BYTES(HOST "x"), false},
        {"our host as a prefix", BYTES(HOST), BYTES(HOST ".evil.example"), false},
        {"our host as a suffix", BYTES(HOST), BYTES("evil." HOST), false},
        {"other top level", BYTES(HOST), BYTES("management.azure.cn"), false},
        {"underscore and hyphen", BYTES("a-b"), BYTES("a_b"), false},
        {"dot alone", BYTES("."), BYTES(""), false},
        {"empty", BYTES(""), BYTES(HOST), false},
        {"IPv6 in another case", BYTES("FE80::A"), BYTES("fe80::a"), true},
        {"beyond ASCII has no case", BYTES("\xC4"), BYTES("\xE4"), false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_span a, b;

        row(rows[i].name);
        a = guarded_copy(rows[i].a);
        b = guarded_copy(rows[i].b);
        check_int(rekey_url_same_host(a, b), rows[i].same);
        check_int(rekey_url_same_host(b, a), rows[i].same);
    }
    rows_done();
}

// docs/service.md 4.1 from end to end: may the token be sent to this URL, when HOST:443 was called?
static void test_host_rule(void **state) {
    static const struct {
        const char *name;
        struct rekey_span text;
        bool ours;
    } rows[] = {
        {"ours", BYTES("https://" HOST "/x"), true},
        {"with the port", BYTES("https://" HOST ":443/x"), true},
        {"with an empty port", BYTES("https://" HOST ":/x"), true},
        {"in another case", BYTES("https://Management.AZURE.com/x"), true},
        {"trailing dot", BYTES("https://" HOST "./x"), true},
        {"trailing dot and port", BYTES("https://" HOST ".:443/x"), true},
        {"two trailing dots", BYTES("https://" HOST "../x"), false},
        {"another port", BYTES("https://" HOST ":8443/x"), false},
        {"port 80", BYTES("https://" HOST ":80/x"), false},
        {"http", BYTES("http://" HOST "/x"), false},
        {"http on port 443", BYTES("http://" HOST ":443/x"), false},
        {"another host", BYTES("https://evil.example/" HOST), false},
        {"subdomain", BYTES("https://eastus." HOST "/x"), false},
        {"parent", BYTES("https://azure.com/x"), false},
        {"longer", BYTES("https://" HOST ".evil.example/x"), false},
        {"userinfo", BYTES("https://" HOST "@evil.example/x"), false},
        {"userinfo before our host", BYTES("https://x@" HOST "/x"), false},
        {"backslash", BYTES("https://evil.example\\@" HOST "/x"), false},
        {"backslash behind our host", BYTES("https://" HOST "\\@evil.example/x"), false},
        {"relative", BYTES("/x"), false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_url url;
        bool ours;

        row(rows[i].name);
        ours = rekey_url_parse(guarded_copy(rows[i].text), &url) == 0 && url.port == 443 &&
               rekey_url_same_host(url.host, guarded_copy(REKEY_SPAN(HOST)));
        check_int(ours, rows[i].ours);
    }
    rows_done();
}

static void test_host_of(void **state) {
    static const struct {
        const char *name;
        struct rekey_span text, host;
    } rows[] = {
        {"https", BYTES("https://evil.example/x"), BYTES("evil.example")},
        {"http", BYTES("http://evil.example"), BYTES("evil.example")},
        {"port", BYTES("https://evil.example:8443/x"), BYTES("evil.example:8443")},
        {"userinfo", BYTES("https://" HOST ":443@evil.example/x"), BYTES("evil.example")},
        {"empty user", BYTES("https://@evil.example/x"), BYTES("evil.example")},
        {"two @", BYTES("https://a@b@evil.example/x"), BYTES("evil.example")},
        {"nothing behind the @", BYTES("https://a@/x"), BYTES("")},
        {"@ behind the host", BYTES("https://evil.example/@x"), BYTES("evil.example")},
        {"query", BYTES("https://evil.example?x@y"), BYTES("evil.example")},
        {"fragment", BYTES("https://evil.example#x"), BYTES("evil.example")},
        {"backslash", BYTES("https://evil.example\\@" HOST), BYTES("evil.example")},
        {"relative to the scheme", BYTES("//evil.example/x"), BYTES("evil.example")},
        {"no scheme", BYTES("evil.example/x"), BYTES("evil.example")},
        {"path alone", BYTES("/x"), BYTES("")},
        {"slash alone", BYTES("/"), BYTES("")},
        {"two slashes alone", BYTES("//"), BYTES("")},
        {"two slashes at the end", BYTES("x//"), BYTES("")},
        {"the first two slashes", BYTES("a://b//c"), BYTES("b")},
        {"empty", BYTES(""), BYTES("")},
        {"brackets stay", BYTES("https://[::1]:1/"), BYTES("[::1]:1")},
        {"NUL stays", BYTES("https://a\0b/"), BYTES("a\0b")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        row(rows[i].name);
        check_span(rekey_url_host_of(guarded_copy(rows[i].text)), rows[i].host);
    }
    rows_done();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        UNIT(test_parse),     UNIT(test_bytes),     UNIT(test_host_valid),
        UNIT(test_same_host), UNIT(test_host_rule), UNIT(test_host_of),
    };

    return cmocka_run_group_tests_name("url", tests, NULL, rows_total);
}
