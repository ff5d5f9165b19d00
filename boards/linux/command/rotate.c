// rotate.c - `rekey rotate`: regenerates the key that is not in use, and switches to it; with
// --rollback switches back to the previous key.

#include "../rotation.h"
#include "commands.h"

static int rotate(const struct options *o) {
    static const struct rotation_kind kind = {.settle_ms = 60000,
                                              .due = true,
                                              .changed = "was regenerated",
                                              .later = "the next rotation is due after --min-age"};
    struct rekey_rotation *x;
    int code = rotation_open(o, &kind, &x);

    if (code != 0) {
        return code;
    }
    return rotation_run(o->rollback ? rekey_rollback(x) : rekey_rotate(x, &o->endpoint));
}

const struct command_row command_rotate = {
    .name = "rotate",
    .summary = "regenerate the key that is not in use, and switch to it",
    .synopsis = "--state DIR --subscription ID -g RG -w WS -n ENDPOINT",
    .example =
        "--state /var/lib/rekey/a -n scoring --min-age 30d\n--state /var/lib/rekey/a --rollback",
    .accepts = OPTIONS_ENDPOINT | OPTIONS_KIND | OPTIONS_NETWORK | OPTIONS_MANAGEMENT |
               OPTIONS_POLLS | OPTIONS_STATE | OPTIONS_ROTATION | OPTIONS_ROTATE,
    .needs = OPTIONS_ENDPOINT | OPTIONS_STATE,
    .run = rotate,
};
