// credential.h - how a token is had: one HTTP request to a token service, repeated while that
// helps. Each kind has a file of its own, which says what it asks and what an answer other than 200
// means; what they share is in credential.c. A credential is given to the client in rekey_options
// and works with the client's own memory, connection and clock: staging holds the request, the
// token buffer the answer and then the token. Only one connection is open at a time, so the one to
// the management host is closed first. An image links the kinds that it names, and no others.

#ifndef REKEY_CREDENTIAL_H
#define REKEY_CREDENTIAL_H

#include "rekey.h"

// Private but for `step`. Start from what the kind's init function makes.
struct rekey_credential {
    // A bounded piece of work toward a token. Returns REKEY_DONE with the token in place, a
    // REKEY_WANT_... or REKEY_AGAIN to be called again, or an error. The core sets `phase` to 0
    // when it needs a token anew.
    int (*step)(struct rekey_credential *c, struct rekey *r);

    // Writes one whole request to r->staging and says with rekey_credential_aim where it goes.
    // Called for each try. Returns its length, or an error.
    int (*prepare)(struct rekey_credential *c, struct rekey *r);
    // What an answer other than 200 means: REKEY_AGAIN to ask once more at once, REKEY_WANT_TIME to
    // ask once more after a wait, or an error.
    int (*answered)(struct rekey_credential *c, struct rekey *r, unsigned status);

    struct rekey_span secret; // that the answer must not repeat; empty: there is none
    uint64_t renew_at;        // when a new token is got before the next request; 0: never
    uint64_t expiry;          // of the token, on the port's clock; 0: not known
    uint64_t patient_until;   // until then the number of tries does not count
    uint16_t length;          // of the request
    uint16_t proof_len;       // what it ends with, and the answer must not repeat: the assertion
    uint16_t tries;
    uint8_t phase;
    bool once; // a connection that fails is not tried again: there may be no such service
    bool sent;
    bool challenged; // Azure Arc: the service has named the key file
};

#define REKEY_CREDENTIAL(prepare_, answered_)                                                      \
    { .step = rekey_credential_step, .prepare = (prepare_), .answered = (answered_) }

// The shared `step`.
int rekey_credential_step(struct rekey_credential *c, struct rekey *r);

// The request that is being prepared goes to `host`, over the port's tls or its plain transport.
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
// unreserved (RFC 3986 2.3) becomes %XX, and room for that is left for each.
void rekey_writer_put(struct rekey_writer *w, struct rekey_span text);
void rekey_writer_encode(struct rekey_writer *w, struct rekey_span text);

// Whether all fitted.
bool rekey_writer_whole(const struct rekey_writer *w);

// Where the request goes, as Host and URLs have it, in the first three `values` of a form: without
// the port if it is the `usual` one. `port` is room for it.
void rekey_credential_host(const struct rekey *r, uint16_t usual, char port[12],
                           struct rekey_span values[3]);

// The parameter `name` of the challenge with the scheme `scheme` in a WWW-Authenticate field (RFC
// 9110 11.6.1: challenges and their parameters are separated by commas, which may also stand in
// quotes), without quotation marks. Empty if it is not there.
struct rekey_span rekey_credential_challenge(struct rekey_span field, const char *scheme,
                                             const char *name);

#endif
