// port.c - a skeleton of a port: every function of rekey_port.h, with its duties, but without an
// implementation. Copy this file to port/<yours>/, fill in the places marked FILL IN, and run the
// unit tests on your board. As it is, it compiles and every function fails. Every test run builds
// it, so that it always matches rekey_port.h. docs/porting.md gives the order of the steps.

#include "rotate.h"

// The state of one connection. Its size is known at compile time; there is one for each struct
// rekey.
struct template_connection {
    bool open;
};

// Duty 1: open. The core calls this repeatedly, with the same arguments, until it returns
// REKEY_DONE or an error. Each call does one small step: start the name lookup, check whether it is
// complete, start the connection, check whether it is made, do one step of the TLS handshake.
// - Never wait. Return REKEY_WANT_READ or REKEY_WANT_WRITE if the network must act first, and
//   REKEY_AGAIN if there is more to do at once.
// - A name can have several addresses: try each, and give each its share of `timeout_ms`. wait_ms
//   (duty 5) says when to try the next one, because nothing becomes ready then.
// - `host` may be an IPv4 or IPv6 address, without brackets: then no lookup and no SNI.
// - Switch Nagle's algorithm off (TCP_NODELAY, tcp_nagle_disable).
// - REKEY_DONE from a TLS transport means that chain, host name and dates were verified: a name
//   against the dNSNames of subjectAltName, an address against its iPAddresses. rekey_port.h has
//   the table of faults and their errors. A clock that was never set, or is earlier than the build,
//   is REKEY_E_CLOCK: without a clock no dates can be checked.
// - TLS sessions may be resumed, but need not be.
// - After an error the core calls close.
static int template_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    struct template_connection *c = ctx;

    (void)host;
    (void)port;
    (void)timeout_ms;
    c->open = false; // FILL IN
    return REKEY_E_CONNECT;
}

// Duty 2: write. Accept as many bytes as fit, and store the number in *done, which is > 0 with
// REKEY_DONE. If nothing fits now, return REKEY_WANT_WRITE: the core repeats the call with the same
// bytes, so that a TLS record can be completed. REKEY_DONE means that the layer below has the
// bytes. Do not keep them in a buffer of your own, because no call flushes it. If the connection is
// broken, return REKEY_E_IO; the core may still read after that. The write must not raise a signal
// such as SIGPIPE: with BSD sockets, call send with MSG_NOSIGNAL if there is one.
static int template_write(void *ctx, const void *data, size_t len, size_t *done) {
    (void)ctx;
    (void)data;
    (void)len;
    *done = 0; // FILL IN
    return REKEY_E_IO;
}

// Duty 3: read. There are four kinds of result, and the core relies on the difference:
//   REKEY_DONE       *done (> 0) bytes are in `buf`
//   REKEY_WANT_READ  no bytes have arrived yet
//   REKEY_END        the peer has ended the stream in an orderly way: FIN; for TLS close_notify
//   REKEY_E_...      anything else; for TLS also a FIN without close_notify (REKEY_E_END)
// All bytes that the peer sent before the connection broke must be delivered before the error, also
// after a failed write: they may be the answer. With BSD sockets a send that fails may take the
// error with it, and recv then returns 0 as for a FIN: remember that a send has failed, and return
// an error instead of REKEY_END. A TLS 1.3 session ticket is not data: return REKEY_AGAIN.
static int template_read(void *ctx, void *buf, size_t cap, size_t *done) {
    (void)ctx;
    (void)buf;
    (void)cap;
    *done = 0; // FILL IN
    return REKEY_E_IO;
}

// Duty 4: close, at once, in any state: during the lookup, the connect, the handshake, or when
// nothing is open. Afterwards open can be called again. TLS tries once to send close_notify,
// without waiting, and zeroizes its record buffers, because they have held keys and tokens.
static void template_close(void *ctx) {
    struct template_connection *c = ctx;

    c->open = false; // FILL IN
}

// Duty 5: wait_ms, only needed if the port must act at a certain time although the network is not
// ready, for example to try the next address, or to ask a name server again. Returns the number of
// milliseconds after which the call that returned REKEY_WANT_READ or REKEY_WANT_WRITE must be
// repeated; UINT32_MAX if there is no such time. TLS returns the value of the transport below. May
// be NULL.
static uint32_t template_wait_ms(void *ctx) {
    (void)ctx;
    return UINT32_MAX; // FILL IN
}

// Duty 6: explain, only needed if the port knows details of an error, such as which certificate was
// refused and why. Stores a text with a NUL; an empty text for an error without details. TLS passes
// the call on for errors of the transport below. The text must not contain a secret. May be NULL.
static void template_explain(void *ctx, int error, char *buf, size_t cap) {
    (void)ctx;
    (void)error;
    (void)cap;
    buf[0] = '\0'; // FILL IN
}

// Duty 7: a clock in milliseconds that never jumps, never runs backwards, does not wrap during the
// life of the device (so it has 64 bits), and counts the time in sleep modes. All waits and
// deadlines use it.
static uint64_t template_now_ms(void *ctx) {
    (void)ctx;
    return 0; // FILL IN
}

// Duty 8: the wall clock, in seconds since 1970 (UTC). Returns a negative number if it was never
// set: then no certificate can be checked, and no token is sent. The TLS transport also treats a
// time before the build as never set.
static int64_t template_wall_s(void *ctx) {
    (void)ctx;
    return -1; // FILL IN
}

// Duty 9: fills all `len` bytes with randomness that is good enough for keys. A board without a
// source of randomness must return the error: a counter or a clock instead breaks TLS, and nobody
// notices. Raw noise must go through a DRBG first.
static int template_entropy(void *ctx, void *buf, size_t len) {
    (void)ctx;
    (void)buf;
    (void)len;
    return REKEY_E_ENTROPY; // FILL IN
}

// Duty 10: wait, only needed for rekey_run: sleeps until the transport is ready for `want`, or
// until `ms` milliseconds have passed. A superloop or an RTOS task that calls rekey_step itself
// does not need it.
static void template_wait(void *ctx, int want, uint32_t ms) {
    (void)ctx;
    (void)want;
    (void)ms; // FILL IN
}

// Duty 11: rekey_options.save, only needed if an operation must survive a restart. Store the record
// so that a power cut leaves either the old or the new record, never a mixture (in flash: two
// sectors with a sequence number and a checksum). Return REKEY_DONE only after the record is really
// stored.
int template_save(void *ctx, const struct rekey_record *record);

// The port for rekey_init.
struct rekey_port template_port(struct template_connection *connection);

struct rekey_port template_port(struct template_connection *connection) {
    return (struct rekey_port){
        .tls = {.ctx = connection,
                .open = template_open,
                .write = template_write,
                .read = template_read,
                .close = template_close,
                .wait_ms = template_wait_ms,
                .explain = template_explain},
        .now_ms = template_now_ms,
        .wall_s = template_wall_s,
        .entropy = template_entropy,
        .wait = template_wait,
    };
}

int template_save(void *ctx, const struct rekey_record *record) {
    (void)ctx;
    (void)record;
    return REKEY_E_SAVE; // FILL IN
}

// Duty 12: the storage of src/rotate.h, only needed for rotations. When a save returns, the whole
// value must be stored; a power cut during the save must leave the previous value. In flash, use
// two sectors for each of the three records (key, state, operation), and write them in turn. Each
// record has a sequence number and a checksum; the valid record with the higher number is current.
// save_key needs a third place for the previous key. The age of an operation needs a clock that
// counts since the boot, and a value that is different after each boot, such as a counter in flash.
// Without them the age is 0, and the rotation waits for an interrupted operation as if it had just
// begun. A load of a value that was never saved succeeds and changes nothing. A load of a damaged
// value must return REKEY_E_STORE: if it were treated as "never saved", the key in use could be
// regenerated.
static int template_load_key(void *ctx, bool previous, char *key, size_t cap, size_t *len) {
    (void)ctx;
    (void)previous;
    (void)key;
    (void)cap;
    *len = 0;
    return REKEY_E_STORE; // FILL IN
}

static int template_save_key(void *ctx, struct rekey_span key) {
    (void)ctx;
    (void)key;
    return REKEY_E_STORE; // FILL IN
}

static int template_restore_key(void *ctx) {
    (void)ctx;
    return REKEY_E_STORE; // FILL IN, for rekey_rollback
}

static int template_load_state(void *ctx, struct rekey_rotation_state *state) {
    (void)ctx;
    (void)state;
    return REKEY_E_STORE; // FILL IN
}

static int template_save_state(void *ctx, const struct rekey_rotation_state *state) {
    (void)ctx;
    (void)state;
    return REKEY_E_STORE; // FILL IN
}

static int template_load_operation(void *ctx, struct rekey_record *record, enum rekey_key *slot,
                                   uint64_t *age_ms) {
    (void)ctx;
    (void)record;
    (void)slot;
    (void)age_ms;
    return REKEY_E_STORE; // FILL IN
}

static int template_save_operation(void *ctx, const struct rekey_record *record,
                                   enum rekey_key slot) {
    (void)ctx;
    (void)record;
    (void)slot;
    return REKEY_E_STORE; // FILL IN: copy the texts of the record; save the boot and the time, too
}

static int template_remove_operation(void *ctx) {
    (void)ctx;
    return REKEY_E_STORE; // FILL IN
}

// Tells the applications that the key has changed. It is called again until it returns REKEY_DONE,
// also after a restart. If it is NULL, no application is told, and a pending hook stays pending.
static int template_hook(void *ctx) {
    (void)ctx;
    return REKEY_E_HOOK; // FILL IN
}

static void template_sha256(void *ctx, struct rekey_span data, unsigned char out[32]) {
    (void)ctx;
    (void)data;
    memset(out, 0, 32); // FILL IN: mbedtls_sha256
}

const struct rekey_storage template_storage;
const struct rekey_storage template_storage = {
    .load_key = template_load_key,
    .save_key = template_save_key,
    .restore_key = template_restore_key,
    .load_state = template_load_state,
    .save_state = template_save_state,
    .load_operation = template_load_operation,
    .save_operation = template_save_operation,
    .remove_operation = template_remove_operation,
    .hook = template_hook,
    .sha256 = template_sha256,
};
