// port.c - the porter's page: every duty of rekey_port.h, spelled out and empty.
// Copy this file to port/<yours>/, fill in what says FILL IN, and run the unit tests on your board.
// It compiles as it stands, refuses to do anything, and is built by every test run, so that it
// never falls behind rekey_port.h. docs/porting.md says in which order to go about it.

#include "rotate.h"

// What one connection needs. Its size is known at compile time; there is one for each struct rekey.
struct template_connection {
    bool open;
};

// Duty 1: open. The core calls this again and again, with the same arguments, until it returns
// REKEY_DONE or an error. Each call does one small thing: start the name lookup, look whether it is
// done, start the connection, look whether it is made, do one step of the TLS handshake.
// - Never wait. Return REKEY_WANT_READ or REKEY_WANT_WRITE when the network has to move first, and
//   REKEY_AGAIN when there is more to do at once.
// - A name can have several addresses: try each, and give each its share of `timeout_ms`. When that
//   is over nothing becomes ready: wait_ms (duty 5) says when to call.
// - `host` may be an IPv4 or IPv6 address, without brackets: no lookup, no SNI.
// - Switch Nagle's algorithm off (TCP_NODELAY, tcp_nagle_disable).
// - REKEY_DONE from a TLS transport means that chain, host name and dates were verified: a name
//   against the dNSNames of subjectAltName, an address against its iPAddresses. The table of
//   rekey_port.h says which fault is which error. A clock that was never set, or is earlier than
//   the build, is REKEY_E_CLOCK: without it the dates mean nothing.
// - To resume a TLS session is allowed, and needed by nobody.
// - After an error the core calls close.
static int template_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    struct template_connection *c = ctx;

    (void)host;
    (void)port;
    (void)timeout_ms;
    c->open = false; // FILL IN
    return REKEY_E_CONNECT;
}

// Duty 2: write. Take what fits, and say how much; *done > 0 with REKEY_DONE. When nothing fits
// now, return REKEY_WANT_WRITE: the core comes back with the same bytes, so a TLS record that was
// begun can be ended. REKEY_DONE means that the layer below has the bytes: what you keep in a
// buffer of your own may lie there for ever, because no call flushes it. A connection that is gone
// is REKEY_E_IO; the core may still read after it. Raise no signal.
static int template_write(void *ctx, const void *data, size_t len, size_t *done) {
    (void)ctx;
    (void)data;
    (void)len;
    *done = 0; // FILL IN
    return REKEY_E_IO;
}

// Duty 3: read. There are four results, and the core relies on the difference:
//   REKEY_DONE       *done > 0 bytes are in `buf`
//   REKEY_WANT_READ  nothing is there yet
//   REKEY_END        the peer has ended the stream on purpose: FIN; for TLS a close_notify alert
//   REKEY_E_...      anything else; for TLS also a FIN without close_notify (REKEY_E_END)
// What the peer sent before the connection broke must still be delivered, byte for byte, before the
// error, and also after a write that failed: it may be the answer. A TLS 1.3 session ticket is no
// data: return REKEY_AGAIN.
static int template_read(void *ctx, void *buf, size_t cap, size_t *done) {
    (void)ctx;
    (void)buf;
    (void)cap;
    *done = 0; // FILL IN
    return REKEY_E_IO;
}

// Duty 4: close, at once, in any state: during the lookup, the connect, the handshake, or when
// nothing is open. Afterwards open can be called anew. TLS sends close_notify once, waits for
// nothing, and zeroizes its record buffers: keys and tokens have passed through them.
static void template_close(void *ctx) {
    struct template_connection *c = ctx;

    c->open = false; // FILL IN
}

// Duty 5, only where something must be done although nothing becomes ready, as to try the next
// address, or to ask a name server once more: how many milliseconds from now the call is to be
// repeated that returned REKEY_WANT_READ or REKEY_WANT_WRITE; UINT32_MAX where there is no such
// time. TLS passes on what the transport below it says. May be NULL.
static uint32_t template_wait_ms(void *ctx) {
    (void)ctx;
    return UINT32_MAX; // FILL IN
}

// Duty 6, only where an error has more to tell, as which certificate was refused, and why: in
// words, with a NUL. Empty for what you know nothing of. TLS passes on what the transport below it
// says. No secret is in it. May be NULL.
static void template_explain(void *ctx, int error, char *buf, size_t cap) {
    (void)ctx;
    (void)error;
    (void)cap;
    buf[0] = '\0'; // FILL IN
}

// Duty 7: a clock in milliseconds that never jumps, never runs backwards, does not wrap within the
// life of the device (so: 64 bits), and counts the time asleep. All waits and deadlines run on it.
static uint64_t template_now_ms(void *ctx) {
    (void)ctx;
    return 0; // FILL IN
}

// Duty 8: the wall clock, in seconds since 1970 (UTC). A negative number when it was never set:
// then no certificate can be checked, and no token goes out. A time before the build counts as
// never set, too; that is for the TLS transport to see.
static int64_t template_wall_s(void *ctx) {
    (void)ctx;
    return -1; // FILL IN
}

// Duty 9: randomness fit for keys, all `len` bytes of it. A board without a source must return the
// error: a counter or a clock in its place breaks TLS without anybody noticing. Raw noise goes
// through a DRBG first.
static int template_entropy(void *ctx, void *buf, size_t len) {
    (void)ctx;
    (void)buf;
    (void)len;
    return REKEY_E_ENTROPY; // FILL IN
}

// Duty 10, only for rekey_run: sleep until the transport is ready for `want`, or until `ms` have
// passed. A superloop or an RTOS task calls rekey_step itself and needs none.
static void template_wait(void *ctx, int want, uint32_t ms) {
    (void)ctx;
    (void)want;
    (void)ms; // FILL IN
}

// Duty 11, only where an operation must survive a restart: rekey_options.save. Put the record where
// a power cut leaves either the old one or the new one, never a mixture (on flash: two slots with a
// sequence number and a checksum), and return REKEY_DONE only when it is really there.
int template_save(void *ctx, const struct rekey_record *record);

// The port as rekey_init takes it.
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

// Duty 12, only for src/rotate.h: what a rotation must not forget. Each save must have happened
// when it returns, wholly, and a power cut during it must leave what was there before. On flash:
// for each of the three records (key, state, operation) two sectors that are written in turn, each
// record with a sequence number and a checksum; the valid one with the higher number counts.
// save_key needs a third place for the previous key. The age of an operation needs a clock that
// counts since the boot, and something that is another one after each boot, as a counter in flash;
// without them it is 0, and an interrupted operation is waited for as if it had just begun. A load
// of what was never saved succeeds and changes nothing; a load of what is damaged is REKEY_E_STORE:
// to take it for "never saved" could regenerate the key that is in use.
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
    return REKEY_E_STORE; // FILL IN: copy what the record points at, and note the boot and the time
}

static int template_remove_operation(void *ctx) {
    (void)ctx;
    return REKEY_E_STORE; // FILL IN
}

// Hands the key on. It is called again until it returns REKEY_DONE, also after a restart. With NULL
// in its place nobody is told, and one that is due stays so.
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
