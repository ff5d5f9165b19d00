// sync.c - `rekey sync`: follows a rotation that another machine makes.

#include "../rotation.h"
#include "commands.h"

static int follow(const struct options *o) {
    static const struct rotation_kind kind = {.settle_ms = 0,
                                              .due = false,
                                              .changed = "has changed",
                                              .later =
                                                  "later runs follow the machine that rotates"};
    struct rekey_rotation *x;
    int code = rotation_open(o, &kind, &x);

    return code != 0 ? code : rotation_run(rekey_sync(x, &o->endpoint, o->key));
}

const struct command_row command_sync = {
    .name = "sync",
    .summary = "follow the rotation that another machine makes",
    .synopsis = "--state DIR --subscription ID -g RG -w WS -n ENDPOINT",
    .example = "--state /var/lib/rekey/a -n scoring --key-type primary",
    .accepts = OPTIONS_ENDPOINT | OPTIONS_KIND | OPTIONS_KEY_TYPE | OPTIONS_NETWORK |
               OPTIONS_MANAGEMENT | OPTIONS_STATE | OPTIONS_ROTATION,
    .needs = OPTIONS_ENDPOINT | OPTIONS_STATE,
    .run = follow,
};
