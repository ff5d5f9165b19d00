// url.c - proofs about src/url.c: host and target lie in the text, and contain nothing that could
// end a host name or a request line early.

#include "url.h"

#include "proof.h"

static void parse(struct rekey_span text) {
    struct rekey_url url;
    size_t at = nondet_size();

    if (rekey_url_parse(text, &url) == 0) {
        PROVE(lies_in(url.host, text) && lies_in(url.target, text));
        PROVE(url.host.len >= 1 && url.host.len <= 253);
        PROVE(url.target.ptr >= url.host.ptr + url.host.len);
        PROVE(url.port > 0);
        if (at < url.host.len) {
            char c = url.host.ptr[at];

            PROVE((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                  c == '.' || (url.ipv6 ? c == ':' : c == '-' || c == '_'));
            PROVE(at > 0 || (c != '-' && c != '.') || url.ipv6);
        }
        if (at < url.target.len) {
            char c = url.target.ptr[at];

            PROVE(c > ' ' && c <= '~' && c != '#' && c != '\\' && c != '"');
            PROVE(at > 0 || c == '/' || c == '?');
        }
        REACHED(url.ipv6 && url.port == 1 && url.target.len > 0);
    }
}

// Any text after the scheme.
void after_scheme(void) {
    struct rekey_span text = any_text(8 + TEXT_MAX);

    ASSUME(text.len >= 8);
    memcpy((char *)text.ptr, "https://", 8);
    parse(text);
}

// No other beginning is a scheme.
void scheme(void) {
    struct rekey_span text = any_text(TEXT_MAX);
    static const char https[] = "https://";
    struct rekey_url url;
    int error = rekey_url_parse(text, &url);
    size_t at = nondet_size();

    PROVE(text.len >= 8 || error == REKEY_E_URL_SCHEME);
    if (error != REKEY_E_URL_SCHEME && at < 8) {
        PROVE((text.ptr[at] | 0x20) == (https[at] | 0x20) && (at < 5 || text.ptr[at] == https[at]));
    }
    REACHED(error == 0);
}

void host_of(void) {
    struct rekey_span text = any_text(TEXT_MAX), host = rekey_url_host_of(text);
    size_t at = nondet_size();

    PROVE(lies_in(host, text));
    if (at < host.len) {
        PROVE(host.ptr[at] != '@' && host.ptr[at] != '/' && host.ptr[at] != '\\');
    }
    REACHED(host.len == TEXT_MAX - 3);
}

// Two hosts are the same exactly if they are the same without one trailing dot each.
void same_host(void) {
    struct rekey_span a = any_text(TEXT_MAX), b = a;

    PROVE(rekey_url_same_host(a, a));
    ASSUME(a.len > 1 && a.ptr[a.len - 1] == '.');
    b.len--;
    PROVE(rekey_url_same_host(a, b) == (b.len < 2 || b.ptr[b.len - 1] != '.'));
}
