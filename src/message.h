// message.h - builds the requests of the operation, and reads the head of an answer: its fields,
// and the polling URL with the rule of docs/service.md 4.1. It is private to the client; rekey.c
// decides when a request is sent.

#ifndef REKEY_MESSAGE_H
#define REKEY_MESSAGE_H

#include "json.h"
#include "rekey.h"

#ifdef __cplusplus
extern "C" {
#endif

// Bytes of staging for a body; the rest of staging is for its JSON tokens.
#define REKEY_STAGING_BODY_MAX (REKEY_STAGING_MAX - REKEY_JSON_TOKENS * REKEY_JSON_TOKEN_SIZE)

// Whether rekey_init succeeded: the state is 0 before that.
static inline bool rekey_usable(const struct rekey *r) {
    return r->state != 0;
}

// Whether there is a polling URL.
static inline bool rekey_polling(const struct rekey *r) {
    return r->kind != REKEY_POLL_NONE;
}

// A request that only reads. It may be repeated at any time, because it changes nothing.
struct rekey_read {
    struct rekey_span action; // the end of the endpoint's path, such as "/listKeys"; if there is no
                              // endpoint, the whole target of the request
    bool get;                 // GET, not POST
    bool of_endpoint;         // there must be an endpoint
    // Reads an answer with status 200 into `out`, which has out_size bytes. Returns 0 or an error;
    // with an error of a limit, *needed is the size that would have been enough.
    int (*parse)(void *out, const struct rekey_json *json, uint32_t *needed);
    size_t out_size;
};

// Starts such a request, as rekey_list_keys does; defined in rekey.c. `read` and `out` must stay
// valid until the operation has ended. After an error *out is zeroized. Returns REKEY_E_OPTIONS if
// `out`, or an `endpoint` that there must be, is NULL.
int rekey_start_read(struct rekey *r, const struct rekey_endpoint *endpoint,
                     const struct rekey_read *read, void *out);

// Writes a random GUID (RFC 9562 4.4, version 4), in lower case. Returns 0 or REKEY_E_ENTROPY.
int rekey_message_guid(const struct rekey *r, char guid[36]);

// Prepares a request that is not a poll: its path, its id, and the body of regenerateKeys at the
// start of staging. Returns 0 or REKEY_E_ENTROPY.
int rekey_message_prepare(struct rekey *r);

// Writes the next bytes of the request to staging, behind the body. Returns how many, 0 at the end
// of the request.
size_t rekey_message_emit(struct rekey *r);

// Sets the buffers for the captured fields, and begins to receive. `cut_short` says that sending
// failed before the end of the request (rekey_exchange_receive). A challenge (WWW-Authenticate) is
// kept in the buffer of the error's message; a message in the body of the same answer overwrites
// the challenge.
void rekey_message_answer(struct rekey *r, bool cut_short);

// Call it when the head of an answer is complete: the buffer `staging` is used for the body next.
// If the head contains a polling URL that the rules allow, this URL replaces r->url; if the rules
// do not allow it, url_error is the reason. new_kind is the kind of the URL.
void rekey_message_head(struct rekey *r);

// Whether the answer has the field; and its value, which is empty if the answer does not have the
// field or if it did not fit.
static inline bool rekey_message_seen(const struct rekey *r, enum rekey_field_index i) {
    return r->fields[i].seen > 0;
}
struct rekey_span rekey_message_field(const struct rekey *r, enum rekey_field_index i);

// The wait that the answer requires, in milliseconds; -1 if it requires none.
int32_t rekey_message_named_ms(const struct rekey *r);

// Whether the answer has a claims challenge.
bool rekey_message_claims(const struct rekey *r);

// Stores `text` as the polling URL if docs/service.md 4.1 allows it: https, without userinfo, on
// the host and port that was called. Returns 0, an error of url.h, REKEY_E_LIMIT_URL, or
// REKEY_E_URL_FOREIGN. After an error the stored URL is unchanged, and after any but
// REKEY_E_LIMIT_URL the report names the host of `text`.
int rekey_message_set_url(struct rekey *r, struct rekey_span text);

#ifdef __cplusplus
}
#endif

#endif
