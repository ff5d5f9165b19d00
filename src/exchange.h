// exchange.h - one request and its answer over a transport, as a state machine that never waits. It
// opens or reuses the connection, sends the request, passes the received bytes to the engine of
// http.h, and checks the connect and idle timeouts. The caller decides what is sent, and what an
// answer or an error means.

#ifndef REKEY_EXCHANGE_H
#define REKEY_EXCHANGE_H

#include "http.h"
#include "rekey_config.h"
#include "rekey_port.h"

#ifdef __cplusplus
extern "C" {
#endif

// All fields are private, except the results in `http` and the fields with a comment. Zero the
// struct before use.
struct rekey_exchange {
    const struct rekey_transport *transport;
    struct rekey_span host;
    const char *out; // the bytes to send
    uint8_t state;
    bool opening, connected;
    bool reused;    // the connection has already been used for a request
    bool got_byte;  // a byte of this answer has arrived
    bool cut_short; // not all of the request could be sent
    bool head_done; // the head was reported; out_len bytes that follow it are in `io`
    uint16_t port;
    uint16_t out_at, out_len;
    uint32_t connect_timeout_ms, idle_timeout_ms;
    uint64_t timer; // when the connection was begun, or the last byte was sent or received
    uint64_t until; // the time until which the caller may sleep; 0: call again at once
    struct rekey_http http;
    char io[REKEY_IO_SIZE];
};

// The results of rekey_exchange_step besides REKEY_AGAIN, REKEY_WANT_READ, REKEY_WANT_WRITE and
// errors.
enum rekey_exchange_event {
    REKEY_EXCHANGE_READY = 200, // connected; nothing was sent yet
    REKEY_EXCHANGE_EMIT, // call rekey_exchange_send with the next bytes, or rekey_exchange_receive
    REKEY_EXCHANGE_HEAD, // the answer's head is complete; http.body may be changed now
    REKEY_EXCHANGE_ANSWERED, // the answer is complete
};

// The next step opens a connection, or reuses the open one if nothing has arrived over it in the
// meantime. The caller must have set the transport, host, port and both timeouts.
void rekey_exchange_open(struct rekey_exchange *x);

// The next steps send `len` bytes from `ptr`, which must stay valid until a step returns
// REKEY_EXCHANGE_EMIT.
void rekey_exchange_send(struct rekey_exchange *x, const char *ptr, size_t len);

// Makes the next steps read the answer. Call it when the whole request was sent; or with
// `cut_short`, if sending failed and the rest of the request will not be sent.
void rekey_exchange_receive(struct rekey_exchange *x, struct rekey_http_field *fields, size_t count,
                            char *body, size_t body_cap, bool cut_short);

// Makes at most one call of the transport. `now` is the port's clock in ms. The errors are those of
// the transport, those of http.h, and the two time limits REKEY_E_CONNECT_TIMEOUT and
// REKEY_E_IDLE_TIMEOUT. After an error the caller must call rekey_exchange_close; but if the error
// occurred while sending, the caller may call rekey_exchange_receive instead, to read an answer
// that came early.
int rekey_exchange_step(struct rekey_exchange *x, uint64_t now);

// Whether the next step calls the transport's write, or the last step called it and it failed.
bool rekey_exchange_writes(const struct rekey_exchange *x);

// Closes the connection, or gives up the attempt to connect. It can be called at any time.
void rekey_exchange_close(struct rekey_exchange *x);

#ifdef __cplusplus
}
#endif

#endif
