// show.c - see show.h.

#include "show.h"

#include "message.h"

static void copy_string(const struct rekey_json *json, int at, char *text, size_t cap) {
    size_t needed, len;

    if (rekey_json_is_string(json, at)) {
        len = rekey_json_string(json, at, text, cap - 1, &needed);
        text[len == needed ? len : 0] = '\0';
    }
}

static int read_properties(void *out, const struct rekey_json *json, uint32_t *needed) {
    struct rekey_shown *shown = out;
    int properties = rekey_json_find(json, 0, "properties");

    (void)needed;
    copy_string(json, rekey_json_find(json, properties, "authMode"), shown->auth_mode,
                sizeof(shown->auth_mode));
    copy_string(json, rekey_json_find(json, properties, "provisioningState"),
                shown->provisioning_state, sizeof(shown->provisioning_state));
    copy_string(json, rekey_json_find(json, properties, "scoringUri"), shown->scoring_uri,
                sizeof(shown->scoring_uri));
    return properties < -1 ? properties : 0;
}

int rekey_show(struct rekey *r, const struct rekey_endpoint *endpoint, struct rekey_shown *shown) {
    static const struct rekey_read get = {.get = true,
                                          .of_endpoint = true,
                                          .parse = read_properties,
                                          .out_size = sizeof(struct rekey_shown)};

    return rekey_start_read(r, endpoint, &get, shown);
}
