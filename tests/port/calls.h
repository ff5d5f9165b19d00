// calls.h - calls the transport that is checked, and checks each result against the rules that
// rekey_port.h has for every call. It also has the loop of rekey_port.h: call, then sleep until the
// transport is ready or `wait_ms` has passed.

#ifndef CALLS_H
#define CALLS_H

#include "check.h"
#include "sentences.h"

// The ports of peer.py, in its order.
enum listener {
    PEER_REPORT_END,
    PEER_REPORT_COUNT,
    PEER_ECHO,
    PEER_HOLD,
    PEER_FEW,
    PEER_TRICKLE,
    PEER_SOURCE,
    PEER_SINK,
    PEER_LATE,
    PEER_CUT,
    PEER_NOTIFY,
    PEER_HALF,
    PEER_RESET_AT_ONCE,
    PEER_RESET_AFTER,
    PEER_ANSWER,
    PEER_SILENT,
    PEER_PLAINTEXT,
    PEER_GARBAGE,
    PEER_CHANGED,
    PEER_CLOSED,
    PEER_HOLE,
    PEER_SECOND,
    PEER_WRONG_NAME,
    PEER_EXPIRED,
    PEER_NOT_YET,
    PEER_UNTRUSTED,
    PEER_IMPOSTOR,
    PEER_SELF_SIGNED,
    PEER_NO_ADDRESS,
    PEER_NO_AUTHORITY,
    PEER_LISTENERS
};

#define BLOCK 100u     // bytes; most listeners send this many
#define LONG_MS 5000u  // time for an event that must happen
#define SHORT_MS 300u  // time in which an event must not happen
#define PLACES_MAX 4u  // broken sentences that are kept of one check
#define EXPLAIN_CAP 32 // bytes, with the NUL
#define SCRATCH 4096u  // bytes, more than a TLS record of a small device

// A buffer for the data that a check sends or receives.
extern unsigned char scratch[SCRATCH];

// The state of the current check.
struct run {
    const struct rekey_port_check *check;
    uint64_t now; // the last reading of the clock
    size_t count; // of broken sentences
    struct {
        enum sentence sentence;
        char where[120];
    } places[PLACES_MAX];
};

// One connection.
struct line {
    struct run *run;
    const struct rekey_port *port;
    struct rekey_transport t;
    const char *host;
    uint16_t number; // TCP port
    unsigned pauses; // number of pauses since open
    unsigned again;  // number of REKEY_AGAIN in a row
    int error;       // the error that was returned last; 0: none
    char why[EXPLAIN_CAP];
};

// Records that a sentence is broken, once for each sentence of a check. `format` supports %s and
// %d.
void broken(struct run *run, enum sentence sentence, const char *format, ...);

uint64_t now(struct run *run);

// The byte at offset `at` of the data that both sides send.
unsigned char pattern(size_t at);
void fill(unsigned char *buf, size_t at, size_t len);
bool is_pattern(const unsigned char *buf, size_t at, size_t len);

// The connection `which` (0 or 1) of this run.
struct line line_of(struct run *run, size_t which);

// Each makes one call. A result that breaks a sentence is recorded, and replaced by an allowed
// result.
int call_open(struct line *l, uint32_t timeout_ms);
int call_write(struct line *l, const void *data, size_t len, size_t *done);
int call_read(struct line *l, void *buf, size_t cap, size_t *done);
void hang_up(struct line *l);

// Sleeps as the loop does; false when the time `until` has passed.
bool pause_until(struct line *l, int status, uint64_t until);

// Records a broken sentence if `call`, which returned `result`, asked to be repeated far too often
// within SHORT_MS, although nothing happened.
void check_pauses(struct line *l, const char *call, int result);

// Waits for some time without calling the transport.
void let_pass(struct line *l, uint32_t ms);

// Opens a connection to `listener`, and repeats the call until it is open, has failed, or the time
// has passed. Returns REKEY_DONE, an error, or a REKEY_WANT_... if the time has passed.
int connect_to(struct line *l, const char *host, enum listener listener, uint32_t ms);

// Continues, for some more time, an attempt for which connect_to had too little time.
int go_on(struct line *l, uint32_t ms);

// Like connect_to, with `host` of the check. If the connection is not open at the end, that is
// recorded as a broken sentence, and the connection is closed.
bool opened(struct line *l, enum listener listener);

// Writes all bytes. Returns REKEY_DONE, an error, or a REKEY_WANT_... if the time has passed.
int send_all(struct line *l, const void *data, size_t len, uint32_t ms);

// Reads until the end, an error, or `cap` bytes. Returns REKEY_DONE after `cap` bytes, REKEY_END,
// an error, or a REKEY_WANT_... if the time has passed.
int receive(struct line *l, void *buf, size_t cap, size_t *len, uint32_t ms);

// Opens `l` to one of the listeners that send a report, and stores its text.
void report(struct line *l, enum listener listener, char text[16]);

#endif
