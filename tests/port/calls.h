// calls.h - the calls of a transport under test. Each call is checked against the sentences of
// rekey_port.h for all calls. Also the loop that rekey_port.h describes: call, then sleep until the
// transport is ready or `wait_ms` has passed.

#ifndef CALLS_H
#define CALLS_H

#include "check.h"
#include "sentences.h"

// The ports of peer.py, in the same order.
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

#define BLOCK 100u     // bytes that most listeners send
#define LONG_MS 5000u  // limit for events that must happen
#define SHORT_MS 300u  // limit for events that must not happen
#define PLACES_MAX 4u  // broken sentences that are recorded for one check
#define EXPLAIN_CAP 32 // bytes, with the NUL
#define SCRATCH 4096u  // bytes, more than a TLS record on a small device

// The data that a check sends or receives.
extern unsigned char scratch[SCRATCH];

// The state of the current check.
struct run {
    const struct rekey_port_check *check;
    uint64_t now; // the clock's last reading
    size_t count; // number of broken sentences
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
    unsigned pauses; // since open
    unsigned again;  // number of REKEY_AGAIN in succession
    int error;       // the last error; 0: none
    char why[EXPLAIN_CAP];
};

// Records that a sentence is broken, once for each sentence of a check. `format` knows %s and %d.
void broken(struct run *run, enum sentence sentence, const char *format, ...);

uint64_t now(struct run *run);

// The byte at `at` of the data that both sides send.
unsigned char pattern(size_t at);
void fill(unsigned char *buf, size_t at, size_t len);
bool is_pattern(const unsigned char *buf, size_t at, size_t len);

// The connection `which` (0 or 1) of this run.
struct line line_of(struct run *run, size_t which);

// One call. A call that breaks a sentence is recorded, and its result is replaced by an allowed
// one.
int call_open(struct line *l, uint32_t timeout_ms);
int call_write(struct line *l, const void *data, size_t len, size_t *done);
int call_read(struct line *l, void *buf, size_t cap, size_t *done);
void hang_up(struct line *l);

// Sleeps as the loop does; returns false when the time `until` has passed.
bool pause_until(struct line *l, int status, uint64_t until);

// `call` returned `result` and asked too often to be called again: nothing happened in SHORT_MS.
void check_pauses(struct line *l, const char *call, int result);

// Lets time pass without calls of this connection.
void let_pass(struct line *l, uint32_t ms);

// Opens `listener` and continues until it is open, has failed, or the time has passed. Returns
// REKEY_DONE, an error, or REKEY_WANT_... if the time has passed.
int connect_to(struct line *l, const char *host, enum listener listener, uint32_t ms);

// Continues what connect_to has left unfinished, for another period.
int go_on(struct line *l, uint32_t ms);

// As connect_to, with `host` of the check. If the connection does not open, that is recorded as a
// broken sentence, and the connection is closed.
bool opened(struct line *l, enum listener listener);

// Writes all data. Returns REKEY_DONE, an error, or REKEY_WANT_... if the time has passed.
int send_all(struct line *l, const void *data, size_t len, uint32_t ms);

// Reads until the end, an error, or `cap` bytes. Returns REKEY_DONE after `cap` bytes, REKEY_END,
// an error, or REKEY_WANT_... if the time has passed.
int receive(struct line *l, void *buf, size_t cap, size_t *len, uint32_t ms);

// Opens `l` to one of the listeners that report, and stores the text.
void report(struct line *l, enum listener listener, char text[16]);

#endif
