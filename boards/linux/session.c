// session.c - see session.h.

#include "session.h"

#include <stdio.h>

#include "anchors.h"
#include "identity_text.h"
#include "input.h"
#include "output.h"
#include "process.h"
#include "text.h"

#define WAIT_SHOWN_MS 10000u // a longer wait is shown
#define POLL_SHOWN_MS 60000u // so is a longer wait for the next poll

struct session *session_begin(const struct options *o) {
    static struct session session;
    struct session *s = &session;
    bool ipv6 = memchr(o->host.ptr, ':', o->host.len) != NULL;
    int len = snprintf(s->management, sizeof(s->management), ipv6 ? "[%.*s]" : "%.*s",
                       (int)o->host.len, o->host.ptr);

    if (o->port != 443) {
        snprintf(s->management + len, sizeof(s->management) - (size_t)len, ":%u", o->port);
    }
    s->options = o;
    s->key_type = o->key_type;
    s->credentials_hint = "nothing was executed: check the configured identity";
    process_catch_signals();
    interrupt_output(&process.unblocked);
    return s;
}

// ---- opening ------------------------------------------------------------------------------------

// The time at which the writer of a file must be done.
static uint64_t end_of_run(const struct session *s) {
    return process.started + s->options->timeout_ms;
}

int session_choose_proxy(struct session *s) {
    const struct options *o = s->options;
    const struct proxy *p = &s->proxy;
    int error = proxy_choose(&s->proxy, o->proxy, o->proxy_auth_file, end_of_run(s), &s->fault);

    for (size_t i = 0; o->verbose && i < 2; i++) {
        if (p->ignored[i] != NULL) {
            say("proxy: %s is ignored", p->ignored[i]);
        }
    }
    if (error == 0 && p->name != NULL && o->verbose) {
        say("proxy: %s, from %s%s", proxy_host(p), p->name,
            rekey_proxy_excepts(p->tunnel.except, o->host, o->port)
                ? "; not for the management host (NO_PROXY)"
                : "");
    }
    return error;
}

int session_choose_identity(struct session *s) {
    const struct options *o = s->options;
    struct identity *id = &s->identity;

    id->asked = o->auth;
    id->cloud = o->cloud;
    id->token_file = o->token_file;
    id->secret_file = o->secret_file;
    id->until = end_of_run(s);
    id->port = &s->port;
    identity_choose(id);
    if (o->verbose) {
        say("auth: %s%s", auth_names[id->auth], o->auth != AUTH_DEFAULT ? ", by --auth" : id->why);
    }
    if (o->verbose && id->note != NULL) {
        say("auth: %s", id->note);
    }
    return identity_read(id, &s->fault);
}

// rekey_options.token
static int give_token(void *ctx, char *buf, size_t cap, size_t *len) {
    struct session *s = ctx;
    int error = identity_token(&s->identity, buf, cap, len, &s->fault);

    if (error == REKEY_E_NO_TOKEN) {
        say("error: %s", s->fault.text);
    }
    return error;
}

// Sets up TCP, TLS and the client.
static void make_client(struct session *s, struct rekey_anchors anchors) {
    const struct options *o = s->options;

    s->tcp = (struct rekey_posix_tcp)REKEY_POSIX_TCP_INIT;
    s->tcp.unblocked = &process.unblocked;
    s->port = (struct rekey_port){.tls = rekey_tls_transport(&s->tls),
                                  .plain = rekey_posix_transport(&s->tcp),
                                  .now_ms = rekey_posix_now_ms,
                                  .wall_s = rekey_posix_wall_s,
                                  .entropy = rekey_posix_entropy};
    s->proxy.tunnel.lower = rekey_posix_transport(&s->tcp);
    rekey_mbedtls_init(&s->port, s->arena, sizeof(s->arena));
    rekey_tls_init(&s->tls, rekey_proxy_transport(&s->proxy.tunnel), &s->port, anchors);
    s->has_tls = true;
    s->tls.keep = o->host;
    s->tls.keep_port = o->port;
    // Secrets that a service may repeat: a proxy's password, and the field as it is sent.
    s->secrets[0] = (struct rekey_secret){proxy_password(&s->proxy), &s->secrets[1]};
    s->secrets[1] = (struct rekey_secret){proxy_credentials(&s->proxy), NULL};
    s->client_options = (struct rekey_options){
        .host = o->host,
        .port = o->port,
        .board = REKEY_SPAN(REKEY_BOARD),
        .credential = s->identity.credential,
        .token = give_token,
        .token_ctx = s,
        .save = s->file.path != NULL ? operation_file_save : NULL,
        .save_ctx = &s->file,
        .timeout_ms = o->timeout_ms,
        .connect_timeout_ms = o->connect_timeout_ms,
        .idle_timeout_ms = o->idle_timeout_ms,
        .poll_interval_ms = o->poll_interval_ms,
        .retry_unsafe = o->retry_unsafe,
        .secrets = s->secrets,
    };
    rekey_init(&s->client, &s->port, &s->client_options); // options.c has checked the same
}

int session_choose(struct session *s) {
    int error = session_choose_proxy(s);

    return error != 0 ? error : session_choose_identity(s);
}

int session_connect(struct session *s) {
    struct rekey_anchors anchors;
    char day[16];
    int error = anchors_find(&anchors, &s->bundle, s->options->ca_file, end_of_run(s), &s->fault);

    input_forget_variables();
    if (error != 0) {
        return error;
    }
    make_client(s, anchors);
    error = identity_check(&s->identity, &s->fault);
    if (error == 0 && identity_ends(&s->identity, day)) {
        say("warning: the client certificate '%s' expires on %s", s->identity.file, day);
    }
    return error;
}

int session_open(struct session *s) {
    int error = session_choose(s);

    return error != 0 ? error : session_connect(s);
}

void session_open_offline(struct session *s) {
    const struct rekey_anchors none = {0};

    input_forget_variables();
    make_client(s, none);
}

// ---- running ------------------------------------------------------------------------------------

void session_use_time_left(struct session *s) {
    uint64_t gone = rekey_posix_now_ms(NULL) - process.started;

    s->client_options.timeout_ms = // if no time is left, the operation ends at once
        gone < s->options->timeout_ms ? (uint32_t)(s->options->timeout_ms - gone) : 1;
}

struct rekey_span session_peer(const struct session *s, const struct rekey_report *report,
                               char text[300], bool *token) {
    const struct identity *id = &s->identity;
    bool known = report->host.ptr != NULL;
    bool authority = known && report->host.ptr == id->entra.authority.ptr;
    bool managed = known && report->host.ptr == id->managed.host.ptr;
    unsigned port = authority ? id->entra.port : managed ? id->managed.port : 0;
    int len;

    *token = authority || managed;
    if (report->host.ptr == s->options->host.ptr) {
        *token = false;
        return rekey_span(s->management, strlen(s->management));
    }
    if (port == (authority ? 443 : managed ? 80 : 0)) { // 0: a scoring host, its port is not known
        return report->host;
    }
    len = snprintf(text, 300, "%.*s:%u", (int)report->host.len, report->host.ptr, port);
    return rekey_span(text, (size_t)len);
}

// With -v: a line when a token is requested, and one when it has arrived. The exchange itself
// contains secrets.
static void say_token_exchange(const struct session *s, const struct rekey_report *now,
                               const struct rekey_report *before) {
    char text[300];
    bool was_token, is_token;
    struct rekey_span peer;

    session_peer(s, before, text, &was_token);
    peer = session_peer(s, now, text, &is_token);
    if (is_token && !was_token) {
        say("> token request to %.*s", (int)peer.len, peer.ptr);
    } else if (was_token && !is_token) {
        say("< token");
    }
}

// With -v: each request and each answer.
static void say_exchange(const struct session *s, const struct rekey_report *now,
                         const struct rekey_report *before) {
    char id[168];

    say_token_exchange(s, now, before);

    if (now->requests > before->requests) {
        // With --probe this is the scoring host, whose port is not known.
        bool management = now->host.ptr == s->options->host.ptr;
        const char *query = memchr(now->target.ptr, '?', now->target.len);

        if (now->kind == REKEY_POLL_NONE) {
            say("> %s https://%.*s%.*s", now->get ? "GET" : "POST",
                management ? (int)strlen(s->management) : (int)now->host.len,
                management ? s->management : now->host.ptr, (int)now->target.len, now->target.ptr);
        } else { // its query is a signature, which is secret
            say("> GET %.*s", query == NULL ? (int)now->target.len : (int)(query - now->target.ptr),
                now->target.ptr);
        }
    }
    if (now->answers > before->answers) {
        say("< %u x-ms-request-id %s", now->http_status,
            visible(rekey_span(now->request_id, strlen(now->request_id)), id, sizeof(id)));
    }
}

static void say_poll(const struct rekey_report *now, uint32_t ms) {
    char percent[16] = "";

    if (now->percent >= 0) {
        snprintf(percent, sizeof(percent), " %d %%", now->percent);
    }
    progress("%s%s, next poll in %lu.%lu s", now->status[0] != '\0' ? now->status : "Accepted",
             percent, (unsigned long)ms / 1000, (unsigned long)ms / 100 % 10);
}

static void say_progress(struct session *s, const struct rekey_report *now,
                         const struct rekey_report *before) {
    bool begun = before->kind == REKEY_POLL_NONE;
    bool changed =
        begun || strcmp(now->status, before->status) != 0 || now->percent != before->percent;

    if (s->options->verbose) {
        say_exchange(s, now, before);
    }
    if (s->options->quiet || now->kind == REKEY_POLL_NONE || !now->waiting || before->waiting ||
        !(changed || on_terminal() || s->options->verbose)) {
        return;
    }
    s->shown_until = rekey_posix_now_ms(NULL) + now->wait_ms;
    say_poll(now, now->wait_ms);
}

// Copies the status word as well: it belongs to the client, and changes with the next step.
static void copy_report(struct session *s, const struct rekey_report *report) {
    s->previous = *report;
    memcpy(s->previous_status, report->status, sizeof(s->previous_status));
    s->previous.status = s->previous_status;
}

void session_watch(struct session *s, const struct rekey *client) {
    struct rekey_report report;

    s->watched = client;
    rekey_report(client, &report);
    copy_report(s, &report);
}

// Shows a wait of more than WAIT_SHOWN_MS once; on a terminal with a countdown. A wait that may end
// before `until` is shown after it has lasted that long.
static void say_wait(struct session *s, struct session_wait *w, const char *what, uint64_t until,
                     bool exact) {
    uint64_t now = rekey_posix_now_ms(NULL);
    uint64_t ms = until > now ? until - now : 0;
    bool shown = until < s->shown_until + 1000;
    char time[24];

    if (what != w->what || now > w->last + UINT64_C(2) * WAIT_SHOWN_MS) {
        *w = (struct session_wait){.what = what, .since = now};
    }
    w->last = now;
    if (shown   ? !(w->counts && on_terminal())
        : exact ? ms <= WAIT_SHOWN_MS
                : now < w->since + WAIT_SHOWN_MS) {
        return;
    }
    w->counts = true;
    s->shown_until = shown ? s->shown_until : until;
    if (!s->options->quiet) {
        progress("waiting for %s, %s%lu s, until %s", what, exact ? "" : "at most ",
                 (unsigned long)(ms + 999) / 1000,
                 utc_text(rekey_posix_wall_s(NULL) + (int64_t)(ms / 1000), time));
    }
}

// Waits after a step, and shows what for.
static void wait_for_step(struct session *s, const struct rekey_report *now, int result,
                          uint32_t wait_ms) {
    uint64_t until = rekey_posix_now_ms(NULL) + wait_ms, next = until;
    const char *what = s->waits_for != NULL ? s->waits_for(&until) : NULL;
    bool time = result == REKEY_WANT_TIME, token;
    char text[300];

    session_peer(s, now, text, &token);
    if (what == NULL && time && now->kind != REKEY_POLL_NONE && !token) {
        what = "the next poll";
        if (on_terminal() && !s->options->quiet && wait_ms > 1000) {
            say_poll(now, wait_ms); // the progress, counting down
        }
        if ((on_terminal() || wait_ms < POLL_SHOWN_MS) && s->shown_until < until) {
            s->shown_until = until;
        }
    } else if (what == NULL && token) {
        what = time ? "the next token request" : "the token service";
    } else if (what == NULL) {
        what = time ? "the next try" : "an answer";
    }
    say_wait(s, time ? &s->time_wait : &s->answer_wait, what, until, time && until <= next + 1000);
    if (wait_ms > WAIT_SHOWN_MS) {
        wait_ms = WAIT_SHOWN_MS; // then checks again whether there is something to show
    }
    if (on_terminal() && wait_ms > 1000) {
        wait_ms = 1000;
    }
    rekey_posix_wait(&s->tcp, result, wait_ms);
}

bool session_follow(struct session *s, int result, uint32_t wait_ms) {
    struct rekey_report now;

    rekey_report(s->watched, &now);
    say_progress(s, &now, &s->previous);
    copy_report(s, &now);
    if (result <= 0 || stop_signal != 0 || (s->options->no_wait && now.kind != REKEY_POLL_NONE)) {
        return false;
    }
    if (result == REKEY_AGAIN) {
        s->answer_wait.what = NULL; // data has arrived
    } else {
        wait_for_step(s, &now, result, wait_ms);
    }
    return true;
}

void session_run(struct session *s, struct rekey *client, struct rekey_report *report) {
    int result;

    session_watch(s, client);
    do {
        result = rekey_step(client);
    } while (session_follow(s, result, rekey_wait_ms(client)));
    if (result > 0) {
        rekey_abort(client);
    }
    rekey_report(client, report);
}

void session_forget(struct session *s) {
    identity_forget(&s->identity);
    proxy_forget(&s->proxy);
}

void session_close(struct session *s) {
    if (s->has_tls) {
        rekey_tls_free(&s->tls);
        rekey_mbedtls_free();
    }
    session_forget(s);
}
