// proxy.c - see proxy.h.

#include "proxy.h"

#include <stdio.h>
#include <stdlib.h>

#include "credential_entra.h"
#include "input.h"
#include "secret_text.h"
#include "text.h"
#include "url.h"

#define FIELD "Proxy-Authorization: Basic "
#define CREDENTIALS_MAX ((size_t)216) // bytes; a longer user:password does not fit into the field

_Static_assert(sizeof(FIELD) - 1 + CREDENTIALS_MAX / 3 * 4 + 2 <=
                   sizeof(((struct proxy *)0)->authorization),
               "the field with its line end");

// Copies the proxy's URL to p->url, and sets p->name and p->ignored. In the environment, lower case
// has priority. Variables that are not used are removed as well, because they often have the same
// password.
static void copy_url(struct proxy *p, const char *option) {
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY",   "http_proxy",  "HTTP_PROXY"};
    const size_t cap = sizeof(p->url) - sizeof("https://"); // parse_address needs that
    size_t len;

    if (option != NULL) {
        p->name = "--proxy";
        snprintf(p->url, cap, "%s", option); // a URL that is cut off here is refused later
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        bool use = i < 2 && p->name == NULL;

        if (!input_move_variable(names[i], p->url, use ? cap : 0, &len)) {
            continue;
        }
        if (use) {
            p->name = names[i];
            p->url[len < cap ? len : 0] = '\0';
        } else if (i == 2 || i == 3) {
            p->ignored[i - 2] = names[i];
        }
    }
}

// Decodes %XX; a `%` that is not followed by two hexadecimal digits is kept, as with curl. Returns
// the length; more than CREDENTIALS_MAX if it does not fit.
static size_t decode(const char *text, const char *end, char *buf) {
    size_t len = 0;

    while (text < end && len < CREDENTIALS_MAX) {
        char byte = *text++;

        if (byte == '%' && end - text >= 2) {
            int high = rekey_hex_value(text[0]), low = rekey_hex_value(text[1]);

            if (high >= 0 && low >= 0) {
                byte = (char)(high << 4 | low);
                text += 2;
            }
        }
        buf[len++] = byte;
    }
    return text == end ? len : CREDENTIALS_MAX + 1;
}

// Reads the credentials from --proxy-auth-file, or from the URL between `userinfo` and `end`, if
// `end` is not NULL. A user without a colon has an empty password, as with curl.
static int read_credentials(struct proxy *p, const char *file, uint64_t until, const char *userinfo,
                            const char *end, struct fault *f) {
    const char *name = p->name;
    char *field = p->authorization;
    char text[CREDENTIALS_MAX + 1];
    size_t len = 0, i;
    int error;

    if (file != NULL) {
        name = "--proxy-auth-file";
        error = input_read(file, until, text, CREDENTIALS_MAX, &len);
        if (error != 0) {
            return input_fault(f, REKEY_USAGE, REKEY_E_PROXY, name, file, error);
        }
    } else if (end != NULL) {
        len = decode(userinfo, end, text);
        if (len <= CREDENTIALS_MAX && memchr(text, ':', len) == NULL) {
            text[len++] = ':';
        }
    } else {
        return 0;
    }
    if (len > CREDENTIALS_MAX || memchr(text, ':', len) == NULL) {
        return fault_set(f, REKEY_USAGE, REKEY_E_PROXY,
                         "%s: user:password is needed, at most %zu bytes", name, CREDENTIALS_MAX);
    }
    i = (size_t)((char *)memchr(text, ':', len) + 1 - text);
    memcpy(p->password, text + i, len - i);
    memcpy(field, FIELD, sizeof(FIELD) - 1);
    field += sizeof(FIELD) - 1;
    len = rekey_base64url(text, len, field); // RFC 7617 needs the other alphabet, and padding
    rekey_zeroize(text, sizeof(text));
    for (i = 0; i < len; i++) {
        if (field[i] == '-') {
            field[i] = '+';
        } else if (field[i] == '_') {
            field[i] = '/';
        }
    }
    while (i % 4 != 0) {
        field[i++] = '=';
    }
    memcpy(field + i, "\r\n", 2);
    p->tunnel.authorization = rekey_span(p->authorization, sizeof(FIELD) - 1 + i + 2);
    return 0;
}

// Parses HOST[:PORT][/], as in a URL of https but with another default port, and stores it in
// p->url without the rest. False if it is malformed, or lacks a port that it needs.
static bool parse_address(struct proxy *p, const char *address, bool need_port) {
    char *text = p->url + 8, *end;
    struct rekey_url url;

    memmove(text, address, strlen(address) + 1);
    memcpy(p->url, "https://", 8);
    end = text + strlen(text);
    rekey_zeroize(end, (size_t)(p->url + sizeof(p->url) - end));
    if (rekey_url_parse(rekey_span(p->url, (size_t)(end - p->url)), &url) != 0 ||
        (url.target.len > 0 && strcmp(url.target.ptr, "/") != 0)) {
        return false;
    }
    text[url.target.ptr - text] = '\0';
    end = url.ipv6 ? strchr(text, ']') + 1 : strchr(text, ':');
    p->tunnel.host = url.host;
    p->tunnel.port = url.port;
    if (end == NULL || end[0] == '\0' || end[1] == '\0') {
        p->tunnel.port = 80;
        return !need_port;
    }
    return true;
}

// Parses [http://][USER:PASSWORD@]HOST[:PORT][/] in p->url. Without the scheme the port is
// required, because curl, which accepts this form as well, has an unusual default port.
static int parse_proxy(struct proxy *p, bool given, const char *auth_file, uint64_t until,
                       struct fault *f) {
    const char *text = p->url, *at = strrchr(text, '@');
    struct rekey_span scheme = {text, strcspn(text, ":")};
    bool plain = strncmp(text + scheme.len, "://", 3) != 0;
    const char *rule = "http://HOST, http://HOST:PORT or HOST:PORT is needed";

    if (plain) {
        scheme = REKEY_SPAN("http");
    } else {
        text += scheme.len + 3;
    }
    if (rekey_span_equal_nocase(scheme, REKEY_SPAN("https"))) {
        rule = "https:// proxies are not supported";
    } else if (scheme.len >= 5 &&
               rekey_span_equal_nocase(rekey_span(scheme.ptr, 5), REKEY_SPAN("socks"))) {
        rule = "socks proxies are not supported";
    } else if (at != NULL && given) {
        rule = "other users can see a password on the command line: use --proxy-auth-file";
    } else if (rekey_span_equal_nocase(scheme, REKEY_SPAN("http"))) {
        int error = read_credentials(p, auth_file, until, text, at, f);

        if (error != 0 || parse_address(p, at != NULL ? at + 1 : text, plain)) {
            return error;
        }
    }
    return fault_set(f, REKEY_USAGE, REKEY_E_PROXY, "%s: %s", p->name, rule);
}

int proxy_choose(struct proxy *p, const char *option, const char *auth_file, uint64_t until,
                 struct fault *f) {
    const char *except = input_variable("no_proxy"), *fault;
    char text[256];

    copy_url(p, option);
    except = except != NULL ? except : getenv("NO_PROXY");
    p->tunnel.except = rekey_span(except, except != NULL ? strlen(except) : 0);
    p->tunnel.board = REKEY_SPAN(REKEY_BOARD);
    fault = control_fault(p->tunnel.except, text, sizeof(text));
    if (fault != NULL) {
        return fault_set(f, REKEY_USAGE, REKEY_E_PROXY, "NO_PROXY %s", fault);
    }
    if (p->name == NULL) {
        return auth_file == NULL ? 0
                                 : fault_set(f, REKEY_USAGE, REKEY_E_PROXY,
                                             "--proxy-auth-file: no proxy is configured");
    }
    fault = control_fault(rekey_span(p->url, strlen(p->url)), text, sizeof(text));
    if (fault != NULL) {
        return fault_set(f, REKEY_USAGE, REKEY_E_PROXY, "%s %s", p->name, fault);
    }
    return parse_proxy(p, option != NULL, auth_file, until, f);
}

const char *proxy_host(const struct proxy *p) {
    return p->url + sizeof("https://") - 1;
}

struct rekey_span proxy_password(const struct proxy *p) {
    return rekey_span(p->password, sizeof(p->password));
}

struct rekey_span proxy_credentials(const struct proxy *p) {
    const size_t name = sizeof(FIELD) - 1;

    return rekey_span(p->authorization + name, sizeof(p->authorization) - name);
}

void proxy_forget(struct proxy *p) {
    rekey_zeroize(p->authorization, sizeof(p->authorization));
    rekey_zeroize(p->password, sizeof(p->password));
}

bool proxy_explain(const struct proxy *proxy, int error, int tcp_error, char *buf, size_t cap) {
    const struct rekey_proxy *p = &proxy->tunnel;
    const char *name = proxy_host(proxy), *more = "", *offer = "", *rule = "";

    if (p->phase == REKEY_PROXY_UNUSED || p->phase == REKEY_PROXY_TUNNEL) {
        return false;
    }
    if (error == REKEY_E_PROXY || error == REKEY_E_PROXY_TARGET) {
        if (p->status == 0) {
            snprintf(buf, cap, "%s: %s", name, rekey_error_text(p->fault));
            return true;
        }
        if (p->fault != 0) {
            more = ", followed by unexpected bytes";
        } else if (p->status == 407 && p->schemes[0] != '\0' && !p->basic) {
            offer = ": it offers ";
            rule = "; rekey supports only Basic";
        } else if (p->status == 407) {
            more = p->authorization.len > 0 ? ": it refused the credentials"
                                            : ": it requires credentials (--proxy-auth-file)";
            offer = p->schemes[0] != '\0' ? "; it offers " : "";
        }
        snprintf(buf, cap, "%s answered CONNECT with %u%s%s%s%s", name, p->status, more, offer,
                 offer[0] != '\0' ? p->schemes : "", rule);
        return true;
    }
    if (error > REKEY_E_LOOKUP || error < REKEY_E_END) {
        return false;
    }
    if (p->phase == REKEY_PROXY_WAITING) {
        more = "no answer to CONNECT";
    } else if (error != REKEY_E_LOOKUP && tcp_error != 0) {
        more = rekey_posix_error_text(tcp_error);
    }
    snprintf(buf, cap, "the proxy %s%s%s", name, more[0] != '\0' ? ": " : "", more);
    return true;
}
