// fuzz_url.c - URLs: the parts of an accepted URL lie inside it, contain no byte that could end a
// request line or a field, and are the same after a URL is made of them again.

#include "fuzz.h"
#include "url.h"

static void check_again(const struct rekey_url *url) {
    static char text[8192];
    struct rekey_url again;
    int len =
        snprintf(text, sizeof(text), url->ipv6 ? "HttpS://[%.*s]:%u%.*s" : "https://%.*s:%u%.*s",
                 (int)url->host.len, url->host.ptr, url->port, (int)url->target.len,
                 url->target.len > 0 ? url->target.ptr : "");

    MUST(len > 0);
    if ((size_t)len < sizeof(text)) {
        MUST(rekey_url_parse(rekey_span(text, (size_t)len), &again) == 0);
        MUST(rekey_span_equal(again.host, url->host) && again.port == url->port);
        MUST(rekey_span_equal(again.target, url->target) && again.ipv6 == url->ipv6);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rekey_span text = rekey_span((const char *)data, size);
    struct rekey_url url;
    struct rekey_span host = rekey_url_host_of(text);
    int error = rekey_url_parse(text, &url);

    MUST(fuzz_inside(host, text));
    if (error != 0) {
        MUST(error == REKEY_E_URL_SCHEME || error == REKEY_E_URL_HOST || error == REKEY_E_URL_BYTE);
        return 0;
    }
    MUST(fuzz_inside(url.host, text) && fuzz_inside(url.target, text) && url.port > 0);
    MUST(rekey_url_host_valid(url.host, url.ipv6));
    MUST(rekey_url_same_host(url.host, url.host));
    for (size_t i = 0; i < url.target.len; i++) {
        char c = url.target.ptr[i];

        MUST(c > ' ' && c < 0x7F && strchr("\"<>\\^`{|}#", c) == NULL);
    }
    MUST(url.target.len == 0 || url.target.ptr[0] == '/' || url.target.ptr[0] == '?');
    check_again(&url);
    return 0;
}
