// session.c - see session.h.

#include "session.h"

#include <stdio.h>

#include "anchors.h"
#include "arena.h"
#include "identity_text.h"
#include "input.h"
#include "output.h"
#include "process.h"
#include "text.h"

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
    s->credentials_hint = "nothing was executed: mend the identity";
    process_catch_signals();
    interrupt_output(&process.unblocked);
    return s;
}

// ---- opening ------------------------------------------------------------------------------------

static int choose_proxy(struct session *s, uint64_t until) {
    const struct options *o = s->options;
    const struct proxy *p = &s->proxy;
    int error = proxy_choose(&s->proxy, o->proxy, o->proxy_auth_file, until, &s->fault);

    for (size_t i = 0; o->verbose && i < 2; i++) {
        if (p->ignored[i] != NULL) {
            say("proxy: %s is ignored", p->ignored[i]);
        }
    }
    if (error == 0 && p->name != NULL && o->verbose) {
        say("proxy: %s, by %s%s", proxy_host(p), p->name,
            rekey_proxy_excepts(p->tunnel.except, o->host, o->port)
                ? "; not for the management host, by NO_PROXY"
                : "");
    }
    return error;
}

static int choose_identity(struct session *s, uint64_t until) {
    const struct options *o = s->options;
    struct identity *id = &s->identity;

    id->asked = o->auth;
    id->cloud = o->cloud;
    id->token_file = o->token_file;
    id->secret_file = o->secret_file;
    id->until = until;
    id->port = &s->port;
    identity_choose(id);
    if (o->verbose) {
        say("auth: %s%s", auth_names[id->auth],
            o->auth != AUTH_DEFAULT ? ", as --auth says" : id->why);
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

// TLS over TCP over this machine, and the client on it.
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
    rekey_tls_init(&s->tls, rekey_proxy_transport(&s->proxy.tunnel), &s->port, anchors, s->arena,
                   sizeof(s->arena));
    s->has_tls = true;
    s->tls.keep = o->host;
    s->tls.keep_port = o->port;
    // What a service may repeat: a proxy's password, as it is and as it is sent.
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
    rekey_init(&s->client, &s->port, &s->client_options); // options.c has checked what it checks
}

int session_open(struct session *s) {
    const uint64_t until = process.started + s->options->timeout_ms;
    struct rekey_anchors anchors;
    char day[16];
    int error = choose_proxy(s, until);

    if (error == 0) {
        error = choose_identity(s, until);
    }
    if (error == 0) {
        error = anchors_find(&anchors, &s->bundle, s->options->ca_file, until, &s->fault);
    }
    input_forget_variables();
    if (error != 0) {
        return error;
    }
    make_client(s, anchors);
    error = identity_check(&s->identity, &s->fault);
    if (error == 0 && identity_ends(&s->identity, day)) {
        say("warning: the client certificate '%s' is valid until %s", s->identity.file, day);
    }
    return error;
}

void session_open_offline(struct session *s) {
    const struct rekey_anchors none = {0};

    input_forget_variables();
    make_client(s, none);
}

// ---- running ------------------------------------------------------------------------------------

void session_use_time_left(struct session *s) {
    uint64_t gone = rekey_posix_now_ms(NULL) - process.started;

    s->client_options.timeout_ms = // with nothing left it ends at once
        gone < s->options->timeout_ms ? (uint32_t)(s->options->timeout_ms - gone) : 1;
}

// -v: each request and each answer.
static void say_exchange(const struct session *s, const struct rekey_report *now,
                         const struct rekey_report *before) {
    char id[168];

    if (now->requests > before->requests) {
        // With --probe the scoring host; its port is not told.
        bool management = now->host.ptr == s->options->host.ptr;
        const char *query = memchr(now->target.ptr, '?', now->target.len);

        if (now->kind == REKEY_POLL_NONE) {
            say("> %s https://%.*s%.*s", now->get ? "GET" : "POST",
                management ? (int)strlen(s->management) : (int)now->host.len,
                management ? s->management : now->host.ptr, (int)now->target.len, now->target.ptr);
        } else { // its query is signed: a secret
            say("> GET %.*s", query == NULL ? (int)now->target.len : (int)(query - now->target.ptr),
                now->target.ptr);
        }
    }
    if (now->answers > before->answers) {
        say("< %u x-ms-request-id %s", now->http_status,
            visible(rekey_span(now->request_id, strlen(now->request_id)), id, sizeof(id)));
    }
}

static void say_progress(const struct session *s, const struct rekey_report *now,
                         const struct rekey_report *before) {
    bool begun = before->kind == REKEY_POLL_NONE;
    bool changed =
        begun || strcmp(now->status, before->status) != 0 || now->percent != before->percent;
    char percent[16] = "";

    if (s->options->verbose) {
        say_exchange(s, now, before);
    }
    if (s->options->quiet || now->kind == REKEY_POLL_NONE || !now->waiting || before->waiting ||
        !(changed || on_terminal() || s->options->verbose)) {
        return;
    }
    if (now->percent >= 0) {
        snprintf(percent, sizeof(percent), " %d %%", now->percent);
    }
    progress("%s%s, next poll in %lu.%lu s", now->status[0] != '\0' ? now->status : "Accepted",
             percent, (unsigned long)now->wait_ms / 1000, (unsigned long)now->wait_ms / 100 % 10);
}

// The words of a report are the client's, and change with the next step.
static void remember(struct session *s, const struct rekey_report *report) {
    s->seen = *report;
    memcpy(s->seen_status, report->status, sizeof(s->seen_status));
    s->seen.status = s->seen_status;
}

void session_watch(struct session *s, const struct rekey *client) {
    struct rekey_report report;

    s->watched = client;
    rekey_report(client, &report);
    remember(s, &report);
}

bool session_follow(struct session *s, int result, uint32_t wait_ms) {
    struct rekey_report now;

    rekey_report(s->watched, &now);
    say_progress(s, &now, &s->seen);
    remember(s, &now);
    if (result <= 0 || stop_signal != 0 || (s->options->no_wait && now.kind != REKEY_POLL_NONE)) {
        return false;
    }
    if (result != REKEY_AGAIN) {
        rekey_posix_wait(&s->tcp, result, wait_ms);
    }
    return true;
}

void session_run(struct session *s, struct rekey *client, struct rekey_report *report) {
    int result;

    session_watch(s, client);
    do {
        result = rekey_step(client);
    } while (session_follow(s, result, rekey_wait_ms(client)));
    rekey_abort(client);
    rekey_report(client, report);
}

// ---- the end of a run ---------------------------------------------------------------------------

static void explain_limit(const struct session *s, const struct rekey_report *report, int error,
                          unsigned long limit, const char *macro, char *buf, size_t cap) {
    unsigned long needed = report->needed != 0 ? report->needed : limit + 1;
    size_t len;

    identity_explain(&s->identity, error, buf, cap);
    len = strlen(buf);
    snprintf(buf + len, cap - len, "%s%lu needed, there are %lu; `make LIMITS=%s=%lu` raises it",
             report->needed != 0 ? "" : "at least ", needed, limit, macro, (needed + 63) / 64 * 64);
}

// The details that an error's text does not have, as they come.
static void find_details(const struct session *s, const struct rekey_report *report, int error,
                         char *buf, size_t cap) {
    const char *macro;
    unsigned long limit = rekey_error_limit(error, &macro);
    bool url = error <= REKEY_E_URL_SCHEME && error >= REKEY_E_URL_FOREIGN;

    buf[0] = '\0';
    if (limit != 0) {
        explain_limit(s, report, error, limit, macro, buf, cap);
    } else if (error == REKEY_E_LIMIT_ARENA) {
        snprintf(buf, cap, "there are %d; `make LIMITS=REKEY_ARENA_SIZE=%d` raises it",
                 REKEY_ARENA_SIZE, REKEY_ARENA_SIZE + 16384);
    } else if (report->subject.len > 0 && (url || error == REKEY_E_REDIRECT)) {
        snprintf(buf, cap, "%.*s", (int)report->subject.len, report->subject.ptr);
    } else if (report->host.ptr != s->identity.managed.host.ptr && // which no proxy is asked for
               proxy_explain(&s->proxy, error, s->tcp.error, buf, cap)) {
        return;
    } else if ((error == REKEY_E_CONNECT || error == REKEY_E_IO || error == REKEY_E_LOOKUP ||
                error == REKEY_E_CONNECT_TIMEOUT) &&
               s->tcp.error != 0) {
        snprintf(buf, cap, "%s", error_word(s->tcp.error));
    } else if (error == REKEY_E_SAVE) {
        operation_file_explain(&s->file, buf, cap);
    } else if (error == REKEY_E_STORE && s->explain_store != NULL) {
        s->explain_store(s->store, buf, cap);
    } else if (error == REKEY_E_NO_TOKEN && s->identity.why[0] != '\0') {
        snprintf(buf, cap, "%s", s->identity.why + 2);
    } else {
        rekey_tls_explain(&s->tls, error, buf, cap);
        if (buf[0] == '\0') {
            identity_explain(&s->identity, error, buf, cap);
        }
    }
}

// The same as one line of visible text.
static void explain(const struct session *s, const struct rekey_report *report, int error,
                    char line[1024]) {
    char text[1024];

    find_details(s, report, error, text, sizeof(text));
    visible(rekey_span(text, strlen(text)), line, 1024);
}

void session_say_error(struct session *s, const struct rekey_report *report) {
    struct outcome_details details, *d = &details;

    // The token service was spoken to last, if not the management host.
    d->token_service = report->host.ptr != s->options->host.ptr;
    d->peer = d->token_service ? report->host : rekey_span(s->management, strlen(s->management));
    d->remedy = identity_remedy(&s->identity, report);
    explain(s, report, report->error, d->of_error);
    explain(s, report, report->cause, d->of_cause);
    outcome_say_error(report, d);
}

const char *session_hint(const struct session *s, enum rekey_outcome outcome, int error) {
    if (outcome == REKEY_CREDENTIALS) {
        return s->credentials_hint;
    }
    if (outcome == REKEY_RUNNING) {
        return s->file.written
                   ? "accepted, and running as far as is known: `rekey wait` goes on with it"
                   : "accepted, and running as far as is known, but not saved: only "
                     "--operation-file lets `rekey wait` go on";
    }
    return outcome_hint(outcome, error);
}

static void say_hint(const struct session *s, const struct rekey_report *report) {
    const char *hint = session_hint(s, report->outcome, report->error);

    if (hint != NULL) {
        say("%s", hint);
    }
}

void session_say_memory(const struct session *s) {
    if (s->options->verbose) {
        say("memory: arena peak %zu of %d bytes, struct rekey %zu bytes", rekey_arena_peak(),
            REKEY_ARENA_SIZE, sizeof(struct rekey));
    }
}

static void put_json(struct session *s, const struct rekey_report *report, const char *message) {
    const struct outcome_object object = {
        .key_type = s->key_type,
        .message = message,
        .elapsed_ms = rekey_posix_now_ms(NULL) - process.started,
    };

    if (s->options->json) {
        outcome_put_json(report, &object);
    }
}

void session_put_json(struct session *s, const struct rekey_report *report) {
    char details[1024], message[1200];

    explain(s, report, report->error, details);
    snprintf(message, sizeof(message), "%s%s%s", rekey_error_text(report->error),
             details[0] != '\0' ? ": " : "", details);
    put_json(s, report, message);
}

enum rekey_outcome session_say_refusal(struct session *s) {
    struct rekey_report report = outcome_of_fault(&s->fault);

    if (s->resumes && s->file.written) {
        // The operation was begun: that it cannot be looked after now changes nothing.
        report.kind = s->file.record.kind;
        report.url = s->file.record.url;
        report.outcome = report.kind == REKEY_POLL_NONE ? REKEY_UNKNOWN : REKEY_RUNNING;
    }
    say("error: %s", s->fault.text);
    say_hint(s, &report);
    put_json(s, &report, s->fault.text);
    return report.outcome;
}

void session_forget(struct session *s) {
    identity_forget(&s->identity);
    proxy_forget(&s->proxy);
}

int session_end(struct session *s, enum rekey_outcome outcome) {
    if (s->has_tls) {
        rekey_tls_free(&s->tls);
    }
    session_forget(s);
    return outcome_finish(outcome);
}

int session_refuse(struct session *s) {
    return session_end(s, session_say_refusal(s));
}

int session_fail(struct session *s, const struct rekey_report *report) {
    session_say_error(s, report);
    say_hint(s, report);
    session_say_memory(s);
    session_put_json(s, report);
    return session_end(s, report->outcome);
}
