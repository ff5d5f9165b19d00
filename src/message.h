// message.h - the requests of the operation, and what is taken from the head of an answer: its
// fields, and the polling URL with the rule of docs/service.md 4.1. Parts of rekey.c, in a file of
// their own.

#ifndef REKEY_MESSAGE_H
#define REKEY_MESSAGE_H

#include "json.h"
#include "rekey.h"

#ifdef __cplusplus
extern "C" {
#endif

// What staging has for a body; the rest is for its JSON tokens.
#define REKEY_STAGING_BODY_MAX (REKEY_STAGING_MAX - REKEY_JSON_TOKENS * REKEY_JSON_TOKEN_SIZE)

// Whether rekey_init has made it ready: zero is the state of a client that it has not.
static inline bool rekey_usable(const struct rekey *r) {
    return r->state != 0;
}

// Whether there is a polling URL.
static inline bool rekey_polling(const struct rekey *r) {
    return r->kind != REKEY_POLL_NONE;
}

// Something that is read: repeated freely, because it changes nothing.
struct rekey_read {
    struct rekey_span action; // the end of the endpoint's path, as "/listKeys"; without an
                              // endpoint, the whole target of the request
    bool get;                 // GET, not POST
    // Takes what the answer with 200 says to `out`, which has out_size bytes. Returns 0 or an
    // error, for a limit with *needed.
    int (*take)(void *out, const struct rekey_json *json, uint32_t *needed);
    size_t out_size;
};

// Starts it, as rekey_list_keys does; in rekey.c. `read` and `out` live until it has ended; after
// an error *out is zeroized.
int rekey_start_read(struct rekey *r, const struct rekey_endpoint *endpoint,
                     const struct rekey_read *read, void *out);

// Writes a random GUID (RFC 9562 4.4, version 4), in lower case. Returns 0 or REKEY_E_ENTROPY.
int rekey_message_guid(const struct rekey *r, char guid[36]);

// Prepares a request that is no poll: its path, its id, and the body of regenerateKeys at the start
// of staging. Returns 0 or REKEY_E_ENTROPY.
int rekey_message_prepare(struct rekey *r);

// Puts the next bytes of the request into staging, behind the body. Returns how many, 0 at the end.
size_t rekey_message_emit(struct rekey *r);

// Lays out the places for the fields that are captured, and begins to receive. A challenge goes to
// the place of the error's message, which the body of the same answer brings later.
void rekey_message_answer(struct rekey *r, bool cut_short);

// The head of an answer is complete, and staging must be free for the body: takes the polling URL
// that it brings, if it passes, or says in url_error why not; new_kind tells which there was.
void rekey_message_head(struct rekey *r);

// Whether a field came; and its value, empty if it did not come or did not fit.
static inline bool rekey_message_seen(const struct rekey *r, enum rekey_field_index i) {
    return r->fields[i].seen > 0;
}
struct rekey_span rekey_message_field(const struct rekey *r, enum rekey_field_index i);

// The wait that the answer names, in milliseconds; -1 if it names none.
int32_t rekey_message_named_ms(const struct rekey *r);

// Whether the answer has a claims challenge.
bool rekey_message_claims(const struct rekey *r);

// docs/service.md 4.1: a polling URL is https, without userinfo, on the host and port that was
// called. One that is not is not taken. Returns 0, an error of url.h, or REKEY_E_URL_FOREIGN; then
// the report names the host that it leads to; or REKEY_E_LIMIT_URL.
int rekey_message_take_url(struct rekey *r, struct rekey_span text);

#ifdef __cplusplus
}
#endif

#endif
