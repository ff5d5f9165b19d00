// test_proxy.c - proxy.h: the matches of a list in the form of NO_PROXY, and the tunnel over a
// scripted transport: the bytes of the request, and the result of every answer, whole and in
// pieces.

#include <stdio.h>

#include "proxy.h"
#include "rekey_config.h"
#include "support.h"

static const struct {
    const char *name;
    struct rekey_span list, host;
    uint16_t port;
    bool excepted;
} lists[] = {
    {"empty", BYTES(""), BYTES("a.example"), 443, false},
    {"all", BYTES("*"), BYTES("a.example"), 443, true},
    {"all, an address", BYTES("*"), BYTES("::1"), 443, true},
    {"all, among others", BYTES("x,*"), BYTES("a.example"), 443, true},
    {"all, another port", BYTES("*:80"), BYTES("a.example"), 443, false},

    {"the host", BYTES("a.example"), BYTES("a.example"), 443, true},
    {"another case", BYTES("A.Example"), BYTES("a.eXample"), 443, true},
    {"below it", BYTES("example"), BYTES("a.b.example"), 443, true},
    {"with a dot", BYTES(".example"), BYTES("a.b.example"), 443, true},
    {"with a dot, itself", BYTES(".a.example"), BYTES("a.example"), 443, true},
    {"above it", BYTES("b.a.example"), BYTES("a.example"), 443, false},
    {"not below it", BYTES("example"), BYTES("notexample"), 443, false},
    {"the front alone", BYTES("a.exam"), BYTES("a.example"), 443, false},
    {"a dot", BYTES("."), BYTES("a.example"), 443, false},
    {"a dot, the root", BYTES("."), BYTES("."), 443, false},
    {"a dot, a name with a dot behind it", BYTES("."), BYTES("a.example."), 443, false},
    {"a domain of a letter", BYTES("x"), BYTES("a.x"), 443, true},
    {"below it, a long name", BYTES("example"),
     BYTES("a.name.that.is.longer.than.any.address.can.ever.be.example"), 443, true},
    {"two dots", BYTES("..example"), BYTES("a.example"), 443, false},
    {"a star within", BYTES("a.*"), BYTES("a.example"), 443, false},

    {"the port", BYTES("example:443"), BYTES("a.example"), 443, true},
    {"another port", BYTES("example:444"), BYTES("a.example"), 443, false},
    {"port 0", BYTES("example:0"), BYTES("a.example"), 0, false},
    {"no port", BYTES("example:"), BYTES("a.example"), 443, false},
    {"a port that is too large", BYTES("example:65979"), BYTES("a.example"), 443, false},
    {"a port of many digits", BYTES("example:4294967739"), BYTES("a.example"), 443, false},
    {"a port of five digits", BYTES("example:10443"), BYTES("a.example"), 10443, true},
    {"a port of six digits", BYTES("example:000443"), BYTES("a.example"), 443, false},
    {"the last port", BYTES("example:65535"), BYTES("a.example"), 65535, true},
    {"a port beyond the last", BYTES("example:65536"), BYTES("a.example"), 0, false},
    {"a port of letters", BYTES("example:x"), BYTES("a.example"), 443, false},

    {"second", BYTES("x,example"), BYTES("a.example"), 443, true},
    {"blanks", BYTES(" x ,\texample "), BYTES("a.example"), 443, true},
    {"blanks alone between", BYTES("x example"), BYTES("a.example"), 443, true},
    {"an empty entry before", BYTES(",example"), BYTES("a.example"), 443, true},
    {"empty entries", BYTES(",,x,,"), BYTES("a.example"), 443, false},
    {"a malformed one before", BYTES("[x,example"), BYTES("a.example"), 443, true},

    {"a malformed one behind another port", BYTES("example:80,[x"), BYTES("a.example"), 443, false},

    {"IPv4", BYTES("10.1.2.3"), BYTES("10.1.2.3"), 443, true},
    {"IPv4, another", BYTES("10.1.2.3"), BYTES("10.1.2.4"), 443, false},
    {"IPv4, port", BYTES("10.1.2.3:443"), BYTES("10.1.2.3"), 443, true},
    {"IPv4, another port", BYTES("10.1.2.3:80"), BYTES("10.1.2.3"), 443, false},
    {"an address is no domain", BYTES("2.3"), BYTES("10.1.2.3"), 443, false},
    {"a domain is no address", BYTES("10.1.2.3"), BYTES("a.10.1.2.3"), 443, true},
    {"/8", BYTES("10.0.0.0/8"), BYTES("10.255.255.255"), 443, true},
    {"/8, outside", BYTES("10.0.0.0/8"), BYTES("11.0.0.0"), 443, false},
    {"/8, bits behind it", BYTES("10.9.9.9/8"), BYTES("10.1.2.3"), 443, true},
    {"/12", BYTES("172.16.0.0/12"), BYTES("172.31.255.255"), 443, true},
    {"/12, outside", BYTES("172.16.0.0/12"), BYTES("172.32.0.0"), 443, false},
    {"/17", BYTES("10.1.128.0/17"), BYTES("10.1.255.1"), 443, true},
    {"/17, outside", BYTES("10.1.128.0/17"), BYTES("10.1.127.1"), 443, false},
    {"/31", BYTES("10.0.0.2/31"), BYTES("10.0.0.3"), 443, true},
    {"/31, outside", BYTES("10.0.0.2/31"), BYTES("10.0.0.4"), 443, false},
    {"/32", BYTES("10.0.0.2/32"), BYTES("10.0.0.2"), 443, true},
    {"/32, outside", BYTES("10.0.0.2/32"), BYTES("10.0.0.3"), 443, false},
    {"/0", BYTES("0.0.0.0/0"), BYTES("10.0.0.2"), 443, true},
    {"/0 is not for IPv6", BYTES("0.0.0.0/0"), BYTES("::1"), 443, false},
    {"/0 is not for names", BYTES("0.0.0.0/0"), BYTES("a.example"), 443, false},
    {"/33", BYTES("10.0.0.2/33"), BYTES("10.0.0.2"), 443, false},
    {"/ alone", BYTES("10.0.0.2/"), BYTES("10.0.0.2"), 443, false},
    {"/x", BYTES("10.0.0.2/x"), BYTES("10.0.0.2"), 443, false},
    {"/-1", BYTES("10.0.0.2/-1"), BYTES("10.0.0.2"), 443, false},
    {"/8, port", BYTES("10.0.0.0/8:443"), BYTES("10.1.2.3"), 443, true},
    {"/8, another port", BYTES("10.0.0.0/8:80"), BYTES("10.1.2.3"), 443, false},
    {"three parts", BYTES("10.0.0/8"), BYTES("10.1.2.3"), 443, false},

    {"IPv6", BYTES("::1"), BYTES("::1"), 443, true},
    {"IPv6, spelt otherwise", BYTES("FD00:0:0::1"), BYTES("fd00::1"), 443, true},
    {"IPv6 that ends with colons", BYTES("fd00::"), BYTES("fd00::0"), 443, true},
    {"IPv6, another", BYTES("::2"), BYTES("::1"), 443, false},
    {"IPv6 in brackets", BYTES("[::1]"), BYTES("::1"), 443, true},
    {"IPv6, port", BYTES("[::1]:443"), BYTES("::1"), 443, true},
    {"IPv6, another port", BYTES("[::1]:80"), BYTES("::1"), 443, false},
    {"IPv6, something behind", BYTES("[::1]x"), BYTES("::1"), 443, false},
    {"IPv6, no bracket", BYTES("[::1"), BYTES("::1"), 443, false},
    {"IPv6 /8", BYTES("fd00::/8"), BYTES("fdff::1"), 443, true},
    {"IPv6 /8, outside", BYTES("fd00::/8"), BYTES("fc00::1"), 443, false},
    {"IPv6 /10", BYTES("fe80::/10"), BYTES("febf::1"), 443, true},
    {"IPv6 /10, outside", BYTES("fe80::/10"), BYTES("fec0::1"), 443, false},
    {"IPv6 /128", BYTES("::1/128"), BYTES("::1"), 443, true},
    {"IPv6 /129", BYTES("::1/129"), BYTES("::1"), 443, false},
    {"IPv6 /8, port", BYTES("[fd00::/8]:443"), BYTES("fd00::1"), 443, true},
    {"IPv6 is not for IPv4", BYTES("::/0"), BYTES("10.1.2.3"), 443, false},
    {"a byte too long for an address", BYTES("0000:0000:0000:0000:0000:0000:127.000.000.0001"),
     BYTES("::1"), 443, false},
    {"too long for an address",
     BYTES("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"), BYTES("::1"), 443,
     false},
};

static void test_no_proxy(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        row(lists[i].name);
        check_int(rekey_proxy_excepts(guarded_copy(lists[i].list), guarded_copy(lists[i].host),
                                      lists[i].port),
                  lists[i].excepted);
    }
    rows_done();
}

// ---- a scripted transport -----------------------------------------------------------------------

static struct {
    struct rekey_span answer; // then the end
    size_t at, piece;         // bytes for each read and write
    int blocked;              // what the last call has to wait for, or 0
    bool opened, closed;
    char host[64], sent[1024];
    size_t sent_len;
    uint16_t port;
} script;

// Every second call has to be repeated.
static bool would_block(int want) {
    script.blocked = script.blocked == 0 ? want : 0;
    return script.blocked != 0;
}

static int script_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    (void)ctx;
    (void)timeout_ms;
    if (would_block(REKEY_WANT_WRITE)) {
        return script.blocked;
    }
    memcpy(script.host, host.ptr, host.len);
    script.port = port;
    script.opened = true;
    return REKEY_DONE;
}

static int script_write(void *ctx, const void *data, size_t len, size_t *done) {
    (void)ctx;
    if (would_block(REKEY_WANT_WRITE)) {
        return script.blocked;
    }
    *done = len < script.piece ? len : script.piece;
    memcpy(script.sent + script.sent_len, data, *done);
    script.sent_len += *done;
    return REKEY_DONE;
}

static int script_read(void *ctx, void *buf, size_t cap, size_t *done) {
    size_t left = script.answer.len - script.at;

    (void)ctx;
    if (would_block(REKEY_WANT_READ)) {
        return script.blocked;
    }
    if (left == 0) {
        return REKEY_END;
    }
    *done = left < script.piece ? left : script.piece;
    *done = *done < cap ? *done : cap;
    memcpy(buf, script.answer.ptr + script.at, *done);
    script.at += *done;
    return REKEY_DONE;
}

static void script_close(void *ctx) {
    (void)ctx;
    script.closed = true;
}

#define OK "HTTP/1.1 200 Connection established\r\n"

static const struct {
    const char *name;
    struct rekey_span answer;
    int result, status, fault;
} answers[] = {
    {"200", BYTES(OK "\r\n"), REKEY_DONE, 200, 0},
    {"200 of HTTP/1.0", BYTES("HTTP/1.0 200 OK\r\n\r\n"), REKEY_DONE, 200, 0},
    {"another 2xx", BYTES("HTTP/1.1 299 \r\n\r\n"), REKEY_DONE, 299, 0},
    {"no body is awaited", BYTES(OK "Content-Length: 5\r\n\r\n"), REKEY_DONE, 200, 0},
    {"nor a chunked one", BYTES(OK "Transfer-Encoding: chunked\r\n\r\n"), REKEY_DONE, 200, 0},
    {"a length that is none", BYTES(OK "Content-Length: -1\r\n\r\n"), REKEY_DONE, 200, 0},
    {"a length of nothing", BYTES(OK "Content-Length:\r\n\r\n"), REKEY_DONE, 200, 0},
    {"a huge length", BYTES(OK "Content-Length: 99999999999\r\n\r\n"), REKEY_DONE, 200, 0},
    {"two lengths", BYTES(OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), REKEY_DONE, 200, 0},
    {"chunked and a length", BYTES(OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
     REKEY_DONE, 200, 0},
    {"chunked in HTTP/1.0", BYTES("HTTP/1.0 200\r\nTransfer-Encoding: chunked\r\n\r\n"), REKEY_DONE,
     200, 0},
    {"another coding", BYTES(OK "Transfer-Encoding: gzip, chunked\r\n\r\n"), REKEY_DONE, 200, 0},
    {"identity", BYTES(OK "Transfer-Encoding: identity\r\n\r\n"), REKEY_DONE, 200, 0},
    {"407 with a length that is none", BYTES("HTTP/1.1 407 \r\nContent-Length: x\r\n\r\n"),
     REKEY_E_PROXY, 407, 0},
    {"503 with two framings",
     BYTES("HTTP/1.1 503 \r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
     REKEY_E_PROXY_TARGET, 503, 0},
    {"interim", BYTES("HTTP/1.1 102 Processing\r\nA: b\r\n\r\n" OK "\r\n"), REKEY_DONE, 200, 0},
    {"101", BYTES("HTTP/1.1 101 Switching\r\n\r\n"), REKEY_E_PROXY, 101, 0},
    {"302", BYTES("HTTP/1.1 302 Found\r\nLocation: x\r\n\r\n"), REKEY_E_PROXY, 302, 0},
    {"403", BYTES("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!"), REKEY_E_PROXY, 403, 0},
    {"407", BYTES("HTTP/1.1 407 \r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n"), REKEY_E_PROXY,
     407, 0},
    {"408", BYTES("HTTP/1.1 408 \r\n\r\n"), REKEY_E_PROXY_TARGET, 408, 0},
    {"429", BYTES("HTTP/1.1 429 \r\n\r\n"), REKEY_E_PROXY_TARGET, 429, 0},
    {"500", BYTES("HTTP/1.1 500 \r\n\r\n"), REKEY_E_PROXY_TARGET, 500, 0},
    {"503", BYTES("HTTP/1.1 503 \r\n\r\n"), REKEY_E_PROXY_TARGET, 503, 0},
    {"no HTTP", BYTES("SSH-2.0-x\r\n"), REKEY_E_PROXY, 0, REKEY_E_STATUS_LINE},
    {"TLS", BYTES("\x15\x03\x03\x00\x02\x02\x28"), REKEY_E_PROXY, 0, REKEY_E_STATUS_LINE},
    {"HTTP/2.0", BYTES("HTTP/2.0 200 OK\r\n\r\n"), REKEY_E_PROXY, 0, REKEY_E_STATUS_LINE},
    {"a folded line", BYTES(OK "A: b\r\n c\r\n\r\n"), REKEY_E_PROXY, 0, REKEY_E_FIELD},
    {"nothing", BYTES(""), REKEY_E_END, 0, 0},
    {"half a head", BYTES(OK), REKEY_E_END, 0, 0},
};

static const char request[] =
    "CONNECT management.example:443 HTTP/1.1\r\nHost: management.example:443\r\n"
    "User-Agent: rekey/" REKEY_VERSION " (board)\r\n"
    "Proxy-Authorization: Basic dTpw\r\n\r\n";

static void begin(struct rekey_proxy *p, struct rekey_span answer, size_t piece) {
    memset(&script, 0, sizeof(script));
    script.answer = answer;
    script.piece = piece;
    *p = (struct rekey_proxy){.lower = {NULL, script_open, script_write, script_read, script_close},
                              .host = REKEY_SPAN("proxy.example"),
                              .port = 3128,
                              .board = REKEY_SPAN("board")};
}

static int run(struct rekey_proxy *p, struct rekey_span host, uint16_t port) {
    struct rekey_transport t = rekey_proxy_transport(p);
    int result;

    do {
        result = t.open(t.ctx, host, port, 1000);
        if (result > 0) {
            check_int(result, script.blocked != 0 ? script.blocked : REKEY_AGAIN);
        }
    } while (result > 0);
    return result;
}

static void test_answers(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        for (size_t piece = 1; piece <= 300; piece += piece < 10 ? 1 : 58) {
            struct rekey_proxy p;

            row_n(answers[i].name, (long)piece);
            begin(&p, answers[i].answer, piece);
            p.authorization = REKEY_SPAN("Proxy-Authorization: Basic dTpw\r\n");
            check_int(run(&p, REKEY_SPAN("management.example"), 443), answers[i].result);
            check_int(p.status, answers[i].status);
            check_int(p.fault, answers[i].fault);
            check(strcmp(script.host, "proxy.example") == 0 && script.port == 3128);
            check_span(rekey_span(script.sent, script.sent_len), REKEY_SPAN(request));
            check_int(p.phase, answers[i].result == 0 ? REKEY_PROXY_TUNNEL : REKEY_PROXY_WAITING);
            rekey_proxy_transport(&p).close(&p);
            check(script.closed && memchr(p.io, 'H', sizeof(p.io)) == NULL);
        }
    }
    rows_done();
}

// The status of one attempt can be read until the proxy has answered the next one.
static void test_status_stays(void **state) {
    struct rekey_proxy p;
    struct rekey_transport t = rekey_proxy_transport(&p);

    (void)state;
    row("503, then a half answer");
    begin(&p, REKEY_SPAN("HTTP/1.1 503 \r\n\r\n"), 300);
    check_int(run(&p, REKEY_SPAN("management.example"), 443), REKEY_E_PROXY_TARGET);
    t.close(&p);
    script.answer = REKEY_SPAN("HTTP/1.1 5");
    script.at = script.sent_len = 0;
    check(t.open(&p, REKEY_SPAN("management.example"), 443, 1000) > 0);
    check_int(p.status, 503);
    check_int(run(&p, REKEY_SPAN("management.example"), 443), REKEY_E_END);
    check_int(p.status, 0);
    rows_done();
}

// The schemes of a 407, of one field or several.
static void test_schemes(void **state) {
#define FIELD "\r\nProxy-Authenticate:"
    static const struct {
        const char *fields, *schemes;
        bool basic;
    } rows[] = {
        {"", "", false},
        {FIELD, "", false},
        {FIELD " Basic", "Basic", true},
        {FIELD "Basic realm=\"x\"", "Basic", true},
        {FIELD "\tbASIC realm=x \t", "bASIC", true},
        {FIELD " Negotiate" FIELD " NTLM", "Negotiate, NTLM", false},
        {FIELD " Negotiate" FIELD " NTLM" FIELD " Basic realm=\"x\"", "Negotiate, NTLM, Basic",
         true},
        {FIELD " Negotiate, NTLM", "Negotiate, NTLM", false},
        {FIELD " Negotiate,NTLM", "Negotiate, NTLM", false},
        {FIELD ", ,Negotiate ,, NTLM,", "Negotiate, NTLM", false},
        {"\r\nPROXY-AUTHENTICATE: NTLM"
         "\r\nProxy-Authenticat: x"
         "\r\nServer: Digest",
         "NTLM", false},
        {FIELD " Basic realm=\"a, NTLM, b\", Digest nonce=\"x\", opaque=y", "Basic, Digest", true},
        {FIELD " Digest realm=\"Basic \\\", Basic\", qop=\"auth,auth-int\", NTLM", "Digest, NTLM",
         false},
        {FIELD " Digest realm = \"x\" , nonce = y, Basic realm\t= z", "Digest, Basic", true},
        {FIELD " Negotiate YII+/8=, NTLM TlRM==", "Negotiate, NTLM", false},
        {FIELD " realm=\"x\"", "", false},
        {FIELD " Basic=x", "", false},
        {FIELD " =x, \"Basic\", NTLM", "NTLM", false},
        {FIELD " Digest realm=\"no end" FIELD " Basic", "Digest, Basic", true},
        {FIELD " Digest realm=\"no end\\" FIELD " Basic", "Digest, Basic", true},
        {FIELD " Basic" FIELD " basic realm=x, BASIC", "Basic", true},
        {FIELD " NTLM, Basic, basic", "NTLM, Basic", true},
        {FIELD " Bas, Basics, Basi c", "Bas, Basics, Basi", false},
        {FIELD " a23456789012345678901234567890123 x", "a23456789012345678901234", false},
        {FIELD " a2345678901234567890, b2345678901234567890, c2345678901234567890"
               ", d2345678901234567890, e, Basic",
         "a2345678901234567890, b2345678901234567890, c2345678901234567890, e, Basic", true},
        {FIELD " a2345678901234567890, b2345678901234567890, c2345678901234567890"
               ", d23456789, Basic, e",
         "a2345678901234567890, b2345678901234567890, c2345678901234567890, d23456789, e", true},
        {FIELD " a2345678901234567890, b2345678901234567890, c2345678901234567890"
               ", Basic, d23456",
         "a2345678901234567890, b2345678901234567890, c2345678901234567890, Basic, d23456", true},
        {FIELD " a2345678901234567890, b2345678901234567890, c2345678901234567890"
               ", Basic, d234567",
         "a2345678901234567890, b2345678901234567890, c2345678901234567890, Basic", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t piece = 1; piece <= 301; piece += 50) {
            char text[400];
            struct rekey_proxy p;

            row_n(rows[i].fields, (long)piece);
            snprintf(text, sizeof(text), "HTTP/1.1 407 Authentication%s\r\n\r\n", rows[i].fields);
            begin(&p, rekey_span(text, strlen(text)), piece);
            check_int(run(&p, REKEY_SPAN("a.example"), 443), REKEY_E_PROXY);
            check_int(p.status, 407);
            check_span(rekey_span(p.schemes, strlen(p.schemes)),
                       rekey_span(rows[i].schemes, strlen(rows[i].schemes)));
            check_int(p.basic, rows[i].basic);
        }
    }
    rows_done();
}

// Bytes that arrive together with the head are refused; later bytes belong to TLS.
static void test_bytes_behind(void **state) {
    struct rekey_proxy p;

    (void)state;
    row("in one piece");
    begin(&p, REKEY_SPAN(OK "\r\nx"), 300);
    check_int(run(&p, REKEY_SPAN("a.example"), 443), REKEY_E_PROXY);
    check_int(p.status, 200);
    check_int(p.fault, REKEY_E_PROXY);
    row("later");
    begin(&p, REKEY_SPAN(OK "\r\nx"), 1);
    check_int(run(&p, REKEY_SPAN("a.example"), 443), REKEY_DONE);
    rows_done();
}

static void test_limit_head(void **state) {
    static char text[REKEY_HEAD_MAX + 100] = OK "A: ";
    struct rekey_proxy p;

    (void)state;
    row("a head without an end");
    memset(text + strlen(text), 'x', sizeof(text) - strlen(text));
    begin(&p, rekey_span(text, sizeof(text)), sizeof(text));
    check_int(run(&p, REKEY_SPAN("a.example"), 443), REKEY_E_PROXY);
    check_int(p.fault, REKEY_E_LIMIT_HEAD);
    check(script.at <= REKEY_HEAD_MAX + sizeof(p.io));
    rows_done();
}

// The target in the request, and whether there is a tunnel.
static void test_targets(void **state) {
    static const struct {
        struct rekey_span host, except;
        uint16_t port;
        const char *line; // NULL: directly
    } targets[] = {
        {BYTES("a.example"), BYTES(""), 443, "CONNECT a.example:443 HTTP/1.1\r\n"},
        {BYTES("10.1.2.3"), BYTES(""), 65535, "CONNECT 10.1.2.3:65535 HTTP/1.1\r\n"},
        {BYTES("fd00::1"), BYTES(""), 1, "CONNECT [fd00::1]:1 HTTP/1.1\r\nHost: [fd00::1]:1\r\n"},
        {BYTES("a.example"), BYTES("example"), 443, NULL},
        {BYTES("a.example"), BYTES("example:80"), 443, "CONNECT a.example:443 HTTP/1.1\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(targets); i++) {
        struct rekey_proxy p;

        row_n("target", (long)i);
        begin(&p, REKEY_SPAN(OK "\r\n"), 300);
        p.except = targets[i].except;
        check_int(run(&p, targets[i].host, targets[i].port), REKEY_DONE);
        if (targets[i].line == NULL) {
            check_int(script.sent_len, 0);
            check_int(script.port, targets[i].port);
            check_span(rekey_span(script.host, strlen(script.host)), targets[i].host);
            check_int(p.phase, REKEY_PROXY_UNUSED);
        } else {
            check(strncmp(script.sent, targets[i].line, strlen(targets[i].line)) == 0);
            check(strstr(script.sent, "Proxy-Authorization") == NULL);
        }
    }
    row("no proxy");
    struct rekey_proxy p;
    begin(&p, REKEY_SPAN(""), 300);
    p.host.len = 0;
    check_int(run(&p, REKEY_SPAN("a.example"), 443), REKEY_DONE);
    check_int(script.sent_len, 0);
    rows_done();
}

// After a failure the same struct is used again, and a tunnel passes everything on.
static void test_again(void **state) {
    struct rekey_proxy p;
    struct rekey_transport t = rekey_proxy_transport(&p);
    size_t n = 0;
    char buf[8];

    (void)state;
    row("after a refusal");
    begin(&p,
          REKEY_SPAN("HTTP/1.1 407 x\r\n"
                     "Proxy-Authenticate: Basic\r\n\r\n" OK "\r\n"),
          45);
    check_int(run(&p, REKEY_SPAN("a.example"), 443), REKEY_E_PROXY);
    check(p.basic && strcmp(p.schemes, "Basic") == 0);
    t.close(t.ctx);
    script.piece = 100;
    check_int(run(&p, REKEY_SPAN("a.example"), 443), REKEY_DONE);
    check_int(p.status, 200);
    check(!p.basic && p.schemes[0] == '\0');
    row("through it");
    script.answer = REKEY_SPAN("hello");
    script.at = script.sent_len = 0;
    script.blocked = REKEY_WANT_READ;
    check_int(t.write(t.ctx, "hi", 2, &n), REKEY_DONE);
    check_span(rekey_span(script.sent, script.sent_len), REKEY_SPAN("hi"));
    check_int(t.read(t.ctx, buf, sizeof(buf), &n), REKEY_WANT_READ);
    check_int(t.read(t.ctx, buf, sizeof(buf), &n), REKEY_DONE);
    check_span(rekey_span(buf, n), REKEY_SPAN("hello"));
    rows_done();
}

static uint32_t script_wait_ms(void *ctx) {
    (void)ctx;
    return 123;
}

static void script_explain(void *ctx, int error, char *buf, size_t cap) {
    (void)ctx;
    snprintf(buf, cap, "error %d", error);
}

// The functions that the transport below has, and those that it does not have.
static void test_passed_on(void **state) {
    struct rekey_proxy p = {.lower = {.wait_ms = script_wait_ms, .explain = script_explain}};
    struct rekey_transport t = rekey_proxy_transport(&p);
    char text[20] = "not this";

    (void)state;
    row("both");
    check_int(t.wait_ms(t.ctx), 123);
    t.explain(t.ctx, REKEY_E_IO, text, sizeof(text));
    check(strcmp(text, "error -204") == 0);
    row("neither");
    p.lower.wait_ms = NULL;
    p.lower.explain = NULL;
    check_int(t.wait_ms(t.ctx), UINT32_MAX);
    t.explain(t.ctx, REKEY_E_IO, text, sizeof(text));
    check(text[0] == '\0');
    rows_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT(test_no_proxy), UNIT(test_answers),      UNIT(test_status_stays),
        UNIT(test_schemes),  UNIT(test_bytes_behind), UNIT(test_limit_head),
        UNIT(test_targets),  UNIT(test_again),        UNIT(test_passed_on),
    };

    return cmocka_run_group_tests_name("proxy", tests, NULL, rows_total);
}
