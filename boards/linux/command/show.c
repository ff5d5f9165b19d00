// show.c - `rekey show`: prints properties of an endpoint.

#include "show.h"

#include "../output.h"
#include "../session_end.h"
#include "../text.h"
#include "commands.h"

static struct rekey_shown shown;

static void put_shown(const struct options *o) {
    const struct {
        const char *name, *value;
    } rows[] = {{"authMode", shown.auth_mode},
                {"provisioningState", shown.provisioning_state},
                {"scoringUri", shown.scoring_uri}};
    char text[4 * REKEY_URI_MAX];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rekey_span value = rekey_span(rows[i].value, strlen(rows[i].value));

        if (o->json) {
            out(i == 0 ? "{\"%s\":" : ",\"%s\":", rows[i].name);
            out_json(value.len > 0 ? value : rekey_span(NULL, 0));
        } else {
            out("%s: %s\n", rows[i].name, value.len > 0 ? visible(value, text, sizeof(text)) : "-");
        }
    }
    out("%s", o->json ? "}\n" : "");
    if (shown.auth_mode[0] != '\0' && strcmp(shown.auth_mode, "Key") != 0) {
        say("the endpoint uses authMode %s, and has no keys to regenerate",
            visible(rekey_span(shown.auth_mode, strlen(shown.auth_mode)), text, sizeof(text)));
    }
}

static int show(const struct options *o) {
    struct session *s = session_begin(o);
    struct rekey_report report;

    if (session_open(s) != 0) {
        return session_refuse(s);
    }
    rekey_show(&s->client, &o->endpoint, &shown);
    session_run(s, &s->client, &report);
    if (report.outcome != REKEY_SUCCEEDED) {
        return session_fail(s, &report);
    }
    session_say_memory(s);
    put_shown(o);
    return session_end(s, REKEY_SUCCEEDED);
}

const struct command_row command_show = {
    .name = "show",
    .summary = "print an endpoint's authMode, state and scoring URI",
    .synopsis = "--subscription ID -g RG -w WS -n ENDPOINT",
    .example = "-n scoring -o json",
    .accepts = OPTIONS_ENDPOINT | OPTIONS_NETWORK | OPTIONS_MANAGEMENT,
    .needs = OPTIONS_ENDPOINT,
    .run = show,
};
