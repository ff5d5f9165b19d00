// credential.h - how to get a token: one HTTP request to a token service, repeated while that
// helps. Each kind has a file of its own, which says what it asks and what an answer other than 200
// means; what they share is in credential.c. A credential is given to the client in rekey_options
// and works with the client's own memory, connection and clock. Only one connection is open at a
// time, so the one to the management host is closed first. An image links the kinds that it names,
// and no others. Each operation of the client asks for a token of its own, unless the option `hold`
// of rekey_options keeps it for the next one.
//
// A kind of your own is a struct that begins with a struct rekey_credential, a `prepare` and, where
// the service answers in a way of its own, an `answered`. It includes this header alone, and
// touches a struct rekey by the functions below alone: all fields of that are private.
//
//     struct mine {
//         struct rekey_credential base; // the first member, so that a cast leads to the whole
//         ...
//     };
//
//     static int prepare(struct rekey_credential *base, struct rekey *r) {
//         const struct mine *c = (const struct mine *)base;
//         size_t cap;
//         char *request = rekey_credential_buffer(r, &cap);
//
//         rekey_credential_aim(r, c->transport, c->host, c->port);
//         ... writes the request ...
//         return (int)len;
//     }
//
//     static const struct rekey_credential base =
//         REKEY_CREDENTIAL(prepare, rekey_credential_answered);
//
// An answer with 200 is read by credential.c: JSON with `access_token` and, where it is known,
// `expires_in` in seconds (RFC 6749 5.1). A token that comes without HTTP is not for a credential
// but for rekey_options.token.

#ifndef REKEY_CREDENTIAL_H
#define REKEY_CREDENTIAL_H

#include "rekey.h"

#ifdef __cplusplus
extern "C" {
#endif

// Start from what the kind's init function makes, which starts from REKEY_CREDENTIAL.
struct rekey_credential {
    // A bounded piece of work toward a token: rekey_credential_step. Returns REKEY_DONE with the
    // token in place, a REKEY_WANT_... or REKEY_AGAIN to be called again, or an error.
    int (*step)(struct rekey_credential *c, struct rekey *r);

    // Writes one whole request to rekey_credential_buffer and says with rekey_credential_aim where
    // it goes. Called for each try, so that what ages in it is fresh. Returns its length (one that
    // is beyond the buffer is REKEY_E_LIMIT_CREDENTIAL), or an error, which ends the operation: one
    // of the group credentials, or REKEY_E_ENTROPY.
    int (*prepare)(struct rekey_credential *c, struct rekey *r);

    // What an answer other than 200 means: REKEY_AGAIN to ask once more at once, REKEY_WANT_TIME to
    // ask once more after a wait, as often as all requests are repeated, or an error.
    int (*answered)(struct rekey_credential *c, struct rekey *r, unsigned status);

    // For the kind to set, in its init function or in `prepare`.
    struct rekey_span secret; // that no answer and no report may repeat; empty: there is none
    uint16_t proof_len;       // bytes at the end of the request that may not be repeated either
    bool once;       // a connection that fails is not tried again: there may be no such service
    bool challenged; // for the kind's own use; false again after each failed try

    // Private.
    bool sent;
    uint8_t phase;   // the core sets it to 0 when it needs a token anew
    uint16_t length; // of the request
    uint16_t tries;
    uint64_t renew_at;      // when a new token is got before the next request; 0: never
    uint64_t expiry;        // of the token, on the port's clock; 0: not known
    uint64_t patient_until; // until then the number of tries does not count
};

#define REKEY_CREDENTIAL(prepare_, answered_)                                                      \
    {                                                                                              \
        rekey_credential_step, (prepare_), (answered_), {NULL, 0}, 0, false, false, false, 0, 0,   \
            0, 0, 0, 0                                                                             \
    }

// The shared `step`.
int rekey_credential_step(struct rekey_credential *c, struct rekey *r);

// Where a request is written, *cap bytes. What stands there is lost when `prepare` returns an
// error, and zeroized when the answer is there.
static inline char *rekey_credential_buffer(struct rekey *r, size_t *cap) {
    *cap = sizeof(r->staging.bytes);
    return r->staging.bytes;
}

// The request that is being prepared goes to `host`, over the port's `tls` or its `plain`. What
// these point at lives until the answer is there.
void rekey_credential_aim(struct rekey *r, const struct rekey_transport *transport,
                          struct rekey_span host, uint16_t port);

// The shared `answered`: 408, 429 and 5xx pass, the rest is a refusal, whose error is read.
int rekey_credential_answered(struct rekey_credential *c, struct rekey *r, unsigned status);

// Whether plain http may be spoken to `host`: 127.x.x.x, localhost, ::1, 169.254.169.254. No bearer
// token is ever sent there.
bool rekey_credential_plain_host(struct rekey_span host);

// Text that is put together in buf[0..cap). A `len` beyond `cap` says that it did not fit.
struct rekey_writer {
    char *buf;
    size_t cap, len;
};

// Append: the bytes as they are; or as the value of a form or of a query, where what is not
// unreserved (RFC 3986 2.3) becomes %XX, and the buffer must have three bytes left for each.
void rekey_writer_put(struct rekey_writer *w, struct rekey_span text);
void rekey_writer_encode(struct rekey_writer *w, struct rekey_span text);

// Whether all fitted.
bool rekey_writer_whole(const struct rekey_writer *w);

// Where the request goes, as Host and URLs have it, in the first three `values` of a form: without
// the port if it is the `usual` one. `port` is the buffer for it.
void rekey_credential_host(const struct rekey *r, uint16_t usual, char port[12],
                           struct rekey_span values[3]);

// For `answered`: the answer's WWW-Authenticate field, in which a service says what it asks for.
// Empty if it did not come, or was too long.
struct rekey_span rekey_credential_authenticate(const struct rekey *r);

// The parameter `name` of the challenge with the scheme `scheme` in a WWW-Authenticate field (RFC
// 9110 11.6.1: challenges and their parameters are separated by commas, which may also stand in
// quotes), without quotation marks. Empty if it is not there.
struct rekey_span rekey_credential_challenge(struct rekey_span field, const char *scheme,
                                             const char *name);

#ifdef __cplusplus
}
#endif

#endif
