// list_keys.c - `rekey list-keys`: prints the keys of an endpoint; masked on a terminal.

#include <unistd.h>

#include "../output.h"
#include "../session_end.h"
#include "../text.h"
#include "commands.h"

static struct rekey_keys keys;

static void put_key(const struct options *o, const char *name, const struct rekey_key_value *key,
                    bool masked) {
    struct rekey_span value = rekey_span(key->null ? NULL : key->value, key->len);
    char text[4 * REKEY_KEY_VALUE_MAX + 1];

    if (masked && !key->null) {
        value = REKEY_SPAN("********");
    }
    if (o->json) {
        out("\"%s\":", name);
        out_json(value);
        return;
    }
    if (o->key == 0) {
        out("%s: ", name);
    }
    if (isatty(STDOUT_FILENO) == 1) { // no control characters to the terminal
        visible(value, text, sizeof(text));
        value = rekey_span(text, strlen(text));
    }
    out_span(key->null ? REKEY_SPAN("null") : value);
    out("\n");
    rekey_zeroize(text, sizeof(text));
}

// False if the only requested key is null: a script must not use the word "null" as a key.
static bool put_keys(const struct options *o) {
    bool masked = isatty(STDOUT_FILENO) == 1 && !o->show;
    bool primary = o->key != REKEY_KEY_SECONDARY;
    bool secondary = o->key != REKEY_KEY_PRIMARY;

    if (!o->json && o->key != 0 && (primary ? keys.primary.len : keys.secondary.len) == 0) {
        say("error: the %s key is null or empty: the endpoint has no such key",
            primary ? "primary" : "secondary");
        return false;
    }
    out("%s", o->json ? "{" : "");
    if (primary) {
        put_key(o, "primaryKey", &keys.primary, masked);
    }
    out("%s", o->json && o->key == 0 ? "," : "");
    if (secondary) {
        put_key(o, "secondaryKey", &keys.secondary, masked);
    }
    out("%s", o->json ? "}\n" : "");
    if (masked) {
        say("keys are masked on a terminal; --show prints them");
    }
    return true;
}

static int list_keys(const struct options *o) {
    struct session *s = session_begin(o);
    struct rekey_report report;
    bool found;

    if (session_open(s) != 0) {
        return session_refuse(s);
    }
    rekey_list_keys(&s->client, &o->endpoint, &keys);
    session_run(s, &s->client, &report);
    if (report.outcome != REKEY_SUCCEEDED) {
        return session_fail(s, &report);
    }
    session_say_memory(s);
    found = put_keys(o);
    rekey_zeroize(&keys, sizeof(keys));
    return session_end(s, found ? REKEY_SUCCEEDED : REKEY_REFUSED);
}

const struct command_row command_list_keys = {
    .name = "list-keys",
    .summary = "print the keys of an endpoint",
    .synopsis = "--subscription ID -g RG -w WS -n ENDPOINT",
    .example = "-n scoring\n-n scoring --key-type primary -o json",
    .accepts = OPTIONS_ENDPOINT | OPTIONS_KIND | OPTIONS_KEY_TYPE | OPTIONS_NETWORK |
               OPTIONS_MANAGEMENT | OPTIONS_SECRETS,
    .needs = OPTIONS_ENDPOINT,
    .run = list_keys,
};
