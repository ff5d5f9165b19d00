// proxy.c - which proxy the command goes through: the one of --proxy, or that of the environment.
// How a tunnel is had is in port/posix/proxy.c. The URL in the environment may hold a password: it
// is never shown, and does not stay where it was found.

#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "output.h"
#include "secret_text.h"
#include "url.h"

#define FIELD "Proxy-Authorization: Basic "
#define CREDENTIALS_MAX ((size_t)216) // bytes; a longer user:password has no room in the field

_Static_assert(sizeof(FIELD) - 1 + CREDENTIALS_MAX / 3 * 4 + 2 <=
                   sizeof(((struct command *)0)->proxy_authorization),
               "the field with its line end");

// Copies the proxy's URL to c->proxy_url. Returns the name of what gave it, or NULL. Of the
// environment, lower case wins, and what is not used does not stay there either: it
// often has the same password.
static const char *take_url(struct command *c) {
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY",   "http_proxy",  "HTTP_PROXY"};
    const size_t cap = sizeof(c->proxy_url) - sizeof("https://"); // take_address needs that
    const char *taken = NULL;
    size_t len;

    if (c->options.proxy != NULL) {
        taken = "--proxy";
        snprintf(c->proxy_url, cap, "%s", c->options.proxy); // if it is cut, it is no URL either
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        bool use = i < 2 && taken == NULL;

        if (!take_environment(names[i], c->proxy_url, use ? cap : 0, &len)) {
            continue;
        }
        if (use) {
            taken = names[i];
            c->proxy_url[len < cap ? len : 0] = '\0';
        } else if ((i == 2 || i == 3) && c->options.verbose) {
            say("proxy: %s is ignored", names[i]);
        }
    }
    return taken;
}

// Decodes %XX; a `%` that is not followed by two hexadecimal digits stands for itself, as with
// curl. Returns the length; more than CREDENTIALS_MAX if it does not fit.
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

// The credentials of --proxy-auth-file, or those between `userinfo` and `end` in the URL, if there
// is an `end`. A user without a colon has an empty password, as with curl.
static int take_credentials(struct command *c, const char *name, const char *userinfo,
                            const char *end) {
    const char *file = c->options.proxy_auth_file;
    char *field = c->proxy_authorization;
    char text[CREDENTIALS_MAX + 1];
    size_t len = 0, i;
    int error;

    if (file != NULL) {
        name = "--proxy-auth-file";
        error = read_secret(c, file, text, CREDENTIALS_MAX, &len);
        if (error != 0) {
            return cannot_read(c, REKEY_USAGE, REKEY_E_PROXY, name, file, error);
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
        return refuse(c, REKEY_USAGE, REKEY_E_PROXY,
                      "%s: user:password is wanted, at most %zu bytes", name, CREDENTIALS_MAX);
    }
    i = (size_t)((char *)memchr(text, ':', len) + 1 - text);
    memcpy(c->proxy_password, text + i, len - i);
    memcpy(field, FIELD, sizeof(FIELD) - 1);
    field += sizeof(FIELD) - 1;
    len = rekey_base64url(text, len, field); // RFC 7617 has the other alphabet, and padding
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
    c->proxy.authorization = rekey_span(c->proxy_authorization, sizeof(FIELD) - 1 + i + 2);
    return 0;
}

// Takes HOST[:PORT][/] apart, as it would stand in a URL of https but for the default port, and
// leaves it in c->proxy_url, without what stood before and behind it. False if it is malformed, or
// if it has no port although it must have one.
static bool take_address(struct command *c, const char *address, bool need_port) {
    char *text = c->proxy_url + 8, *end;
    struct rekey_url url;

    memmove(text, address, strlen(address) + 1);
    memcpy(c->proxy_url, "https://", 8);
    end = text + strlen(text);
    rekey_zeroize(end, (size_t)(c->proxy_url + sizeof(c->proxy_url) - end));
    if (rekey_url_parse(rekey_span(c->proxy_url, (size_t)(end - c->proxy_url)), &url) != 0 ||
        (url.target.len > 0 && strcmp(url.target.ptr, "/") != 0)) {
        return false;
    }
    text[url.target.ptr - text] = '\0';
    end = url.ipv6 ? strchr(text, ']') + 1 : strchr(text, ':');
    c->proxy.host = url.host;
    c->proxy.port = url.port;
    if (end == NULL || end[0] == '\0' || end[1] == '\0') {
        c->proxy.port = 80;
        return !need_port;
    }
    return true;
}

// Takes [http://][USER:PASSWORD@]HOST[:PORT][/] in c->proxy_url apart. Without the scheme the port
// must be there: curl, which takes that as well, has another default than most. Returns 0 or an
// exit code.
static int read_url(struct command *c, const char *name) {
    const char *text = c->proxy_url, *at = strrchr(text, '@');
    struct rekey_span scheme = {text, strcspn(text, ":")};
    bool plain = strncmp(text + scheme.len, "://", 3) != 0;
    const char *rule = "http://HOST, http://HOST:PORT or HOST:PORT is wanted";

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
    } else if (at != NULL && c->options.proxy != NULL) {
        rule = "everybody can read the credentials in it: use --proxy-auth-file";
    } else if (rekey_span_equal_nocase(scheme, REKEY_SPAN("http"))) {
        int code = take_credentials(c, name, text, at);

        if (code != 0 || take_address(c, at != NULL ? at + 1 : text, plain)) {
            return code;
        }
    }
    return refuse(c, REKEY_USAGE, REKEY_E_PROXY, "%s: %s", name, rule);
}

int choose_proxy(struct command *c) {
    const struct command_options *o = &c->options;
    const char *name = take_url(c), *except = getenv("no_proxy"), *fault;
    char text[256];
    int code = 0;

    except = except != NULL && except[0] != '\0' ? except : getenv("NO_PROXY");
    c->proxy.except = rekey_span(except, except != NULL ? strlen(except) : 0);
    c->proxy.board = REKEY_SPAN(REKEY_BOARD);
    fault = control_fault(c->proxy.except, text, sizeof(text));
    if (fault != NULL) {
        return refuse(c, REKEY_USAGE, REKEY_E_PROXY, "NO_PROXY %s", fault);
    }
    if (name != NULL) {
        code = read_url(c, name);
    } else if (o->proxy_auth_file != NULL) {
        return refuse(c, REKEY_USAGE, REKEY_E_PROXY, "--proxy-auth-file: there is no proxy");
    }
    if (code == 0 && name != NULL && o->verbose) {
        say("proxy: %s, by %s%s", c->proxy_url + 8, name,
            rekey_proxy_excepts(c->proxy.except, o->host, o->port)
                ? "; not for the management host, by NO_PROXY"
                : "");
    }
    return code;
}

bool proxy_explain(const struct command *c, struct rekey_span host, int error, char *buf,
                   size_t cap) {
    const struct rekey_proxy *p = &c->proxy;
    const char *name = c->proxy_url + 8, *more = "", *offer = "", *rule = "";

    if (p->phase == REKEY_PROXY_UNUSED || p->phase == REKEY_PROXY_TUNNEL ||
        host.ptr == c->identity.managed.host.ptr) {
        return false;
    }
    if (error == REKEY_E_PROXY || error == REKEY_E_PROXY_TARGET) {
        if (p->status == 0) {
            snprintf(buf, cap, "%s: %s", name, rekey_error_text(p->fault));
            return true;
        }
        if (p->fault != 0) {
            more = ", and with bytes behind it";
        } else if (p->status == 407 && p->schemes[0] != '\0' && !p->basic) {
            offer = ": it offers ";
            rule = "; Basic is the only one that rekey has";
        } else if (p->status == 407) {
            more = p->authorization.len > 0 ? ": it refused the credentials"
                                            : ": it wants credentials (--proxy-auth-file)";
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
    } else if (error != REKEY_E_LOOKUP && c->tcp.error != 0) {
        more = error_word(c->tcp.error);
    }
    snprintf(buf, cap, "the proxy %s%s%s", name, more[0] != '\0' ? ": " : "", more);
    return true;
}
