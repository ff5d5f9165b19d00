// check.c - `rekey check`: checks what a rotation needs, one thing after the other, with a remedy
// for each failure. Changes nothing, except that the directory of --state gets its lock file. Does
// not keep the listed keys.

#include <stdarg.h>
#include <stdio.h>

#include "../outcome.h"
#include "../output.h"
#include "../process.h"
#include "../rotation.h"
#include "../session_end.h"
#include "../text.h"
#include "commands.h"
#include "show.h"

enum check {
    CLOCK,
    LOOKUP,
    ROUTE,
    TRUST,
    IDENTITY,
    READ,
    AUTH_MODE,
    LIST,
    REGENERATE,
    STATE,
    HOOK,
    CHECKS
};

enum result { SKIPPED, OK, FAILED, NOT_CHECKED };

static struct {
    struct {
        enum result result;
        char text[1400];
    } lines[CHECKS];
    enum rekey_outcome worst; // of all failures
    struct rekey_shown shown;
    struct rekey_keys keys;
    struct state state;
    struct rekey_rotation_state rotation;
} run;

static void note(enum check check, enum result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void note(enum check check, enum result result, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    run.lines[check].result = result;
    vsnprintf(run.lines[check].text, sizeof(run.lines[check].text), format, arguments);
    va_end(arguments);
}

// Notes a failure. The exit code is that of the first failure that repeating cannot correct; else
// that of the first one.
static void failed(enum check check, enum rekey_outcome outcome, const char *text,
                   const char *remedy) {
    if (run.worst == REKEY_SUCCEEDED || run.worst == REKEY_NOT_REACHED) {
        run.worst = outcome;
    }
    note(check, FAILED, "%s%s%s", text, remedy[0] != '\0' ? "; " : "", remedy);
}

// Notes a failure of the session: the error, its details, and what the service said.
static void failed_by(const struct session *s, enum check check, const struct rekey_report *report,
                      const char *remedy) {
    const struct rekey_arm_error *e = report->service;
    const char *precise = session_remedy(s, report);
    char details[1024], said[4 * REKEY_CODE_MAX], message[400], text[1024], status[24] = "";

    session_explain(s, report, report->error, details);
    if (report->http_status >= 300) {
        snprintf(status, sizeof(status), ": HTTP %u ", report->http_status);
    }
    snprintf(text, sizeof(text), "%s%s%.400s%s%s%s%.300s", rekey_error_text(report->error),
             details[0] != '\0' ? ": " : "", details, status,
             visible(rekey_span(e->code.text, e->code.len), said, sizeof(said)),
             e->message.len > 0 ? ": " : "",
             visible(rekey_span(e->message.text, e->message.len), message, sizeof(message)));
    failed(check, report->outcome, text, precise != NULL ? precise : remedy);
}

// ---- the checks ---------------------------------------------------------------------------------

static bool check_clock(void) {
    const int64_t now = rekey_posix_wall_s(NULL);
    char text[24];

    utc_text(now, text);
    if (now < (int64_t)REKEY_BUILD_TIME) {
        failed(CLOCK, REKEY_NOT_TRUSTED, text,
               "this time is earlier than this build: set the clock (NTP, or a battery)");
        return false;
    }
    note(CLOCK, OK, "%s", text);
    return true;
}

// The check that a connection which ended with `error` has reached.
static enum check place_of(const struct session *s, int error) {
    const struct rekey_proxy *p = &s->proxy.tunnel;

    if (error == REKEY_E_LOOKUP || s->tcp.lookup > 0) {
        return LOOKUP;
    }
    if (!s->tcp.connected || (p->phase != REKEY_PROXY_UNUSED && p->phase != REKEY_PROXY_TUNNEL)) {
        return ROUTE;
    }
    return TRUST;
}

// Opens one connection, without a request. Returns 0 or an error.
static int connect_once(struct session *s, const struct rekey_transport *t) {
    const struct options *o = s->options;
    const uint64_t until = rekey_posix_now_ms(NULL) + o->connect_timeout_ms;
    uint64_t now;
    int result;

    do {
        result = t->open(t->ctx, o->host, o->port, o->connect_timeout_ms);
        now = rekey_posix_now_ms(NULL);
        if (result > 0 && stop_signal != 0) {
            result = REKEY_E_ABORTED;
        } else if (result > 0 && now >= until) {
            result = REKEY_E_CONNECT_TIMEOUT;
        } else if (result > 0 && result != REKEY_AGAIN) {
            rekey_posix_wait(&s->tcp, result, (uint32_t)(until - now));
        }
    } while (result > 0);
    return result;
}

// Returns true if requests can be made. Without a clock or trust anchors TLS cannot work, so that
// only the connection below it is checked.
static bool check_connection(struct session *s, bool trusts) {
    static const char *const remedies[] = {
        [LOOKUP] =
            "check the name (--cloud, --management-url, --proxy) and this machine's name server",
        [ROUTE] = "check the route and the firewall for that port; behind a proxy, give --proxy",
        [TRUST] = "",
    };
    const struct rekey_transport below = rekey_proxy_transport(&s->proxy.tunnel);
    const struct rekey_transport *t = trusts ? &s->port.tls : &below;
    static const struct rekey_arm_error none;
    int error = connect_once(s, t);
    enum check place = error == 0 ? TRUST : place_of(s, error);
    const struct rekey_report report = {
        .outcome = -error / 100 == 3   ? REKEY_NOT_TRUSTED
                   : -error / 100 == 2 ? REKEY_NOT_REACHED
                                       : REKEY_LOCAL,
        .error = error,
        .service = &none,
        .host = s->options->host,
    };
    bool by_proxy = s->proxy.tunnel.phase != REKEY_PROXY_UNUSED;

    if (place > LOOKUP) {
        note(LOOKUP, OK, "%s", by_proxy ? proxy_host(&s->proxy) : s->management);
    }
    if (place > ROUTE) {
        note(ROUTE, OK, "%s%s", by_proxy ? "through the proxy " : "direct",
             by_proxy ? proxy_host(&s->proxy) : "");
    }
    if (error != 0) {
        failed_by(s, place, &report, remedies[place]);
    } else if (trusts) {
        note(TRUST, OK, "%s", s->management);
    }
    t->close(t->ctx);
    return error == 0 && trusts;
}

// Whether a request failed because there was no token that the service accepts.
static bool failed_by_identity(const struct session *s, const struct rekey_report *report) {
    return report->outcome == REKEY_CREDENTIALS || report->outcome == REKEY_USAGE ||
           report->host.ptr != s->options->host.ptr;
}

// The identity shows at the first request. True if the next one makes sense.
static bool check_endpoint(struct session *s) {
    struct rekey_report report;
    char text[128];

    s->client_options.hold = true; // the connection and the token are for the list, too
    rekey_show(&s->client, &s->options->endpoint, &run.shown);
    session_run(s, &s->client, &report);
    if (report.error != 0 && failed_by_identity(s, &report)) {
        failed_by(s, IDENTITY, &report, "");
        return false;
    }
    if (report.http_status != 0) {
        note(IDENTITY, OK, "%s", auth_names[s->identity.auth]);
    }
    if (report.error != 0) {
        failed_by(s, READ, &report, "");
        return report.http_status == 403; // the right to list is another one
    }
    note(READ, OK, "provisioningState %s",
         visible(rekey_span(run.shown.provisioning_state, strlen(run.shown.provisioning_state)),
                 text, sizeof(text)));
    visible(rekey_span(run.shown.auth_mode, strlen(run.shown.auth_mode)), text, sizeof(text));
    if (strcmp(text, "Key") == 0) {
        note(AUTH_MODE, OK, "%s", text);
    } else {
        failed(AUTH_MODE, REKEY_REFUSED, text, "only an endpoint with authMode Key has keys");
    }
    return true;
}

static void check_keys(struct session *s) {
    struct rekey_report report;
    bool both;

    session_use_time_left(s);
    rekey_list_keys(&s->client, &s->options->endpoint, &run.keys);
    s->client_options.hold = false;
    session_run(s, &s->client, &report);
    both = run.keys.primary.len > 0 && run.keys.secondary.len > 0;
    rekey_zeroize(&run.keys, sizeof(run.keys));
    if (report.error != 0) {
        failed_by(s, LIST, &report, "");
        return;
    }
    if (both) {
        note(LIST, OK, "both keys are there");
    } else {
        failed(LIST, REKEY_REFUSED, rekey_error_text(REKEY_E_KEYS_NULL), "");
    }
    note(REGENERATE, NOT_CHECKED,
         "only a regeneration can show whether the identity has the permission %s",
         session_right(s, "regenerateKeys/action"));
}

static void check_state(struct session *s) {
    struct state *state = &run.state;

    state->check_only = true;
    if (rotation_open_state(s, state) != 0) {
        if (state->busy) {
            note(STATE, SKIPPED, "%s", s->fault.text);
        } else {
            failed(STATE, s->fault.outcome, s->fault.text, "");
        }
    } else if (state_storage.load_state(state, &run.rotation) != 0) {
        char text[600] = "";

        state_explain(state, text, sizeof(text));
        failed(STATE, REKEY_LOCAL, text, "");
    } else {
        note(STATE, OK, "%s", state->directory);
    }
}

static void check_hook(const struct options *o) {
    if (o->exec != NULL) { // options.c has checked that it can be started
        note(HOOK, OK, "%s", o->exec);
    } else if (run.rotation.hook_pending) {
        failed(HOOK, REKEY_LOCAL, "the hook of an earlier run is still pending", "give --exec");
    } else {
        note(HOOK, SKIPPED, "no --exec");
    }
}

// ---- output -------------------------------------------------------------------------------------

static void put_lines(const struct options *o) {
    static const char *const names[CHECKS] = {
        "clock",    "name lookup", "route",      "TLS and trust",   "identity", "read endpoint",
        "authMode", "list keys",   "regenerate", "state directory", "hook",
    };
    static const char *const results[] = {"skipped", "ok", "failed", "not checked"};

    for (size_t i = 0; i < CHECKS; i++) {
        enum result result = run.lines[i].result;
        const char *text = run.lines[i].text, *name = names[i], *word = results[result];

        if (result == SKIPPED && text[0] == '\0') {
            text = "an earlier check failed";
        }
        if (o->json) {
            out(i == 0 ? "{\"checks\":[{\"name\":" : ",{\"name\":");
            out_json(rekey_span(name, strlen(name)));
            outcome_put_member("result", rekey_span(word, strlen(word)));
            outcome_put_member("text", rekey_span(text, strlen(text)));
            out("}");
        } else if (!o->quiet || result == FAILED) {
            out("%s: %s: %s\n", name, word, text);
        }
    }
    if (o->json) {
        const char *word = outcome_word(run.worst);

        out("]");
        outcome_put_member("outcome", rekey_span(word, strlen(word)));
        out("}\n");
    }
}

static int check(const struct options *o) {
    struct session *s = session_begin(o);
    bool clock, proxy, identity, anchors = true;

    clock = check_clock();
    proxy = session_choose_proxy(s) == 0;
    if (!proxy) {
        failed(ROUTE, s->fault.outcome, s->fault.text, "");
    }
    identity = session_choose_identity(s) == 0;
    if (!identity) {
        failed(IDENTITY, s->fault.outcome, s->fault.text, "");
    }
    if (session_connect(s) != 0) {
        anchors = s->has_tls; // then the client certificate is at fault
        if (identity || !anchors) {
            failed(anchors ? IDENTITY : TRUST, s->fault.outcome, s->fault.text, "");
        }
        identity = identity && !anchors;
    }
    if (!anchors) {
        session_open_offline(s);
    }
    if (proxy && check_connection(s, clock && anchors) && identity && check_endpoint(s)) {
        check_keys(s);
    }
    if (o->state != NULL) {
        check_state(s);
    } else {
        note(STATE, SKIPPED, "no --state");
    }
    check_hook(o);
    put_lines(o);
    return session_end(s, run.worst);
}

const struct command_row command_check = {
    .name = "check",
    .summary = "check what a rotation needs, and change nothing",
    .synopsis = "--subscription ID -g RG -w WS -n ENDPOINT [--state DIR]",
    .example = "-n scoring --state /var/lib/rekey/a",
    .accepts = OPTIONS_ENDPOINT | OPTIONS_KIND | OPTIONS_NETWORK | OPTIONS_MANAGEMENT |
               OPTIONS_STATE | OPTIONS_ROTATION, // what both rotate and sync accept
    .needs = OPTIONS_ENDPOINT,
    .run = check,
};
