// exchange.h - one request and its answer over a transport, as a machine without waits.
// It opens or reuses the connection, sends what it is given, feeds the engine of http.h what comes,
// and watches the connect and idle timeouts. What is sent, and what an answer or a failure means,
// is its caller's.

#ifndef REKEY_EXCHANGE_H
#define REKEY_EXCHANGE_H

#include "http.h"
#include "rekey_config.h"
#include "rekey_port.h"

#ifdef __cplusplus
extern "C" {
#endif

// Private but for the results in `http`, and what has a comment. Start it zeroed.
struct rekey_exchange {
    const struct rekey_transport *transport;
    struct rekey_span host;
    const char *out; // what is being sent
    uint8_t state;
    bool opening, connected;
    bool reused;    // the connection has served a request before
    bool got_byte;  // a byte of this answer came
    bool cut_short; // not all of the request could be sent
    bool head_done; // the head was reported; out_len bytes behind it are in `io`
    uint16_t port;
    uint16_t out_at, out_len;
    uint32_t connect_timeout_ms, idle_timeout_ms;
    uint64_t timer; // when the connection was begun, or the last byte went or came
    uint64_t until; // until when the caller may sleep
    struct rekey_http http;
    char io[REKEY_IO_SIZE];
};

// What rekey_exchange_step returns beside REKEY_AGAIN, REKEY_WANT_READ, REKEY_WANT_WRITE and
// errors.
enum rekey_exchange_event {
    REKEY_EXCHANGE_READY = 200, // connected: nothing was sent yet
    REKEY_EXCHANGE_EMIT, // call rekey_exchange_send with the next bytes, or rekey_exchange_receive
    REKEY_EXCHANGE_HEAD, // the answer's head is complete; http.body may be changed now
    REKEY_EXCHANGE_ANSWERED, // the answer is complete
};

// The next step opens, or with an open connection reuses it if nothing came over it meanwhile. The
// transport, host, port and both timeouts have been set.
void rekey_exchange_open(struct rekey_exchange *x);

// The next steps send `len` bytes from `ptr`, which stay in place until they return
// REKEY_EXCHANGE_EMIT.
void rekey_exchange_send(struct rekey_exchange *x, const char *ptr, size_t len);

// The request is out, or will not be sent further (then cut_short): the next steps read the answer.
void rekey_exchange_receive(struct rekey_exchange *x, struct rekey_http_field *fields, size_t count,
                            char *body, size_t body_cap, bool cut_short);

// One call of the transport, at most. `now` is the port's clock. Errors are those of the transport
// and of http.h, REKEY_E_CONNECT_TIMEOUT, REKEY_E_IDLE_TIMEOUT; after one the caller calls
// rekey_exchange_close, or after one while sending rekey_exchange_receive.
int rekey_exchange_step(struct rekey_exchange *x, uint64_t now);

// Whether the next step calls the transport's write, or the last one did and it failed.
bool rekey_exchange_writes(const struct rekey_exchange *x);

// Closes the connection, or gives up the attempt at one. Allowed at any time.
void rekey_exchange_close(struct rekey_exchange *x);

#ifdef __cplusplus
}
#endif

#endif
