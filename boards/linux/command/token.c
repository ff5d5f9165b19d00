// token.c - `rekey token`: gets a token, to show that the token service accepts the identity. A
// token that was given is only read.

#include "../identity_text.h"
#include "../outcome.h"
#include "../output.h"
#include "../session_end.h"
#include "commands.h"

static struct rekey_token got;

static void put_json(const struct session *s, unsigned long seconds, const char *day) {
    const char *name = auth_names[s->identity.auth];

    out("{\"auth\":");
    out_json(rekey_span(name, strlen(name)));
    outcome_put_member("tenant", s->identity.entra.tenant);
    out(seconds != 0 ? ",\"expiresIn\":%lu" : ",\"expiresIn\":null", seconds);
    if (day[0] != '\0') {
        outcome_put_member("certificateExpires", rekey_span(day, strlen(day)));
    }
    if (s->options->show) {
        outcome_put_member("accessToken", rekey_span(got.value, got.len));
    }
    out("}\n");
}

static void put_text(const struct session *s, unsigned long seconds, const char *day) {
    struct rekey_span tenant = s->identity.entra.tenant;

    out("auth: %s\ntenant: %.*s\n", auth_names[s->identity.auth],
        tenant.len > 0 ? (int)tenant.len : 1, tenant.len > 0 ? tenant.ptr : "-");
    out(seconds != 0 ? "expires in: %lu s\n" : "expires in: not known\n", seconds);
    if (day[0] != '\0') {
        out("certificate expires: %s\n", day);
    }
    if (s->options->show) {
        out("token: ");
        out_span(rekey_span(got.value, got.len));
        out("\n");
    }
}

static int token(const struct options *o) {
    struct session *s = session_begin(o);
    struct rekey_report report;
    unsigned long seconds;
    char day[16];

    s->credentials_hint = NULL; // the general hint is about an operation, and there is none
    if (session_open(s) != 0) {
        return session_refuse(s);
    }
    rekey_get_token(&s->client, &got);
    session_run(s, &s->client, &report);
    if (report.outcome != REKEY_SUCCEEDED) {
        return session_fail(s, &report);
    }
    session_say_memory(s);
    seconds = (unsigned long)(got.lifetime_ms / 1000);
    identity_ends(&s->identity, day);
    if (o->json) {
        put_json(s, seconds, day);
    } else {
        put_text(s, seconds, day);
    }
    rekey_zeroize(&got, sizeof(got));
    if (s->identity.auth == AUTH_TOKEN && !o->quiet) {
        say("the token was read, but not checked: `rekey check` asks the service");
    }
    return session_end(s, REKEY_SUCCEEDED);
}

const struct command_row command_token = {
    .name = "token",
    .summary = "get a token with the configured identity",
    .synopsis = "[--auth KIND]",
    .example = "--auth imds -v",
    .accepts = OPTIONS_NETWORK | OPTIONS_SECRETS,
    .needs = 0,
    .run = token,
};
