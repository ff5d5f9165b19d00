// model.h - a model of everything around a rotation: the service, the storage, the clocks, the
// hook, and who else is there. Wherever the real world may be adverse, the model asks choose() what
// happens; model.c tries all combinations of a bounded number of adverse answers (decisions.c), and
// promises.c says what must hold after each of them. The code under test is the real src/*.c.

#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "rotate.h"

#define SECOND 1000u
#define MINUTE (60u * SECOND)
#define DAY (24u * 60u * MINUTE)
#define SERVICE_LIMIT (30u * MINUTE) // the service executes nothing later than this
#define LIST_INTERVAL (20u * SECOND) // long: one list of many is like the one before it
#define ACCEPTED_AFTER MINUTE        // scoring takes a new key so long after it was first listed
#define NEVER UINT64_MAX
#define HOST "management.azure.com"

// ---- decisions.c --------------------------------------------------------------------------------

// What is decided. `value_names` in decisions.c has the answers; 0 is always the kind one.
enum tag {
    GAP,     // the time before a run
    FOLLOW,  // whether the follower runs in a short gap
    FILES,   // what happens to the directory between two runs
    CLOCK,   // a step of the wall clock
    FOREIGN, // somebody else regenerates a key
    VERB,
    OPTIONS,
    STORE, // what becomes of a call to the storage
    UNDELETE,
    OPEN,
    POST,
    DELAY, // when an operation that runs is executed
    LATER, // or after the service's own limit
    LIST,
    POLL,
    SHOW,
    SCORE,
    HOOK_RUN,
    STOP,
    TAGS
};

// One answer that was not 0: the nth one to `tag` in the run.
struct decision {
    uint8_t run, tag, value, cost;
    uint16_t nth;
};

#define SCRIPT_MAX 24
struct script {
    int n;
    struct decision decisions[SCRIPT_MAX];
};

// The answer to a question with answers 0..count-1. An answer other than 0 costs `cost` of what may
// be adverse in all.
int choose(enum tag tag, int count, int cost);
void begin_path(void); // the first combination of answers of a run
bool next_path(void);  // the next one; false after the last
void begin_answers(const struct script *before, int run, int adverse);
struct script answers(void); // those that were given so far, with those of the runs before
int adverse_left(void);
void print_script(const struct script *script);
bool parse_script(const char *text, struct script *script);
void play_script(const struct script *script); // from now on the answers come from it
const char *tag_name(enum tag tag);
const char *answer_name(enum tag tag, int value);

extern bool kind;    // each answer is 0
extern bool tracing; // each event is printed
extern bool adverse; // an answer with a cost was given since this was cleared
extern uint64_t asked[TAGS];
extern char classes[32]; // the letters of those that are on

static inline bool on(char class) {
    return strchr(classes, class) != NULL;
}

// ---- the world ----------------------------------------------------------------------------------

// A key is slot * 100 + serial, where a newer key has a larger serial; 0: none.
struct disk {
    int key, previous;
    struct rekey_rotation_state state;
    bool has_state;
    enum rekey_key operation; // 0: none
    enum rekey_poll_kind kind;
    bool unsure;
    unsigned boot; // the intent was saved in this boot, and so long after its beginning
    uint64_t begun;
};

struct device {
    struct disk disk, before; // before: as it was before the last run
    struct disk undelete;     // with the operation whose removal is not durable yet
    bool can_undelete;
    int64_t skew;     // of its wall clock, seconds
    unsigned boot;    // its number
    uint64_t boot_at; // when that began
    // What is so, whatever the device believes.
    uint64_t left_use[2];     // when the key of a slot left the key file; 0: never
    uint64_t foreign_seen[2]; // when it ended because somebody else had changed a slot's key
    bool hook_due;
    bool accepted;     // the service has accepted the operation that is on the disk
    int rollback_from; // the key when a rollback began that has not ended well
    int clean_syncs;   // of the follower, since the rotator switched
};

#define PAIRS 8
#define PENDING 4
struct world {
    uint64_t now;
    int pairs[PAIRS][2], pairs_n; // the keys over time, the newest pair last
    uint64_t since[PAIRS];
    uint64_t accepted_at[2]; // when scoring begins to take the newest keys
    int serial;              // of the newest key
    struct pending {
        int slot; // 0: none
        bool polled;
        uint64_t sent, due;
    } pending[PENDING];
    bool last_failed;   // what the polling URL is for
    uint64_t old_until; // lists are old
    uint64_t old_since; // when lists began to be old ones; 0: the last one was current
    unsigned limits;    // that the events so far have passed (promises.c)
    struct device rotator, follower;
};
extern struct world w;

enum verb { ROTATE, SYNC, ROLLBACK };

// Why a run may end otherwise than in success. A hook that outlives the deadline is NETWORK, too.
enum cause { NETWORK = 1, TRUST = 2, CREDENTIALS = 4, SERVICE = 8, LOCAL = 16, STOPPED = 32 };

// What is known of the run that is going on.
struct run {
    struct device *device;
    enum verb verb;
    bool hook, probe;
    uint32_t timeout_ms, settle_ms;
    int64_t min_age_s;
    bool dead;   // power is lost
    bool posted; // a POST was sent
    bool took;   // one was executed, or will be
    unsigned causes;
    struct disk disk; // as it was at the beginning
    bool unfinished;  // an operation was whose key is not in use
    bool accepted;    // the service had accepted it
    uint64_t hook_until;
    // How the service behaves until the end of the run; 0: as it should.
    int list_mode, poll_mode, score_mode, open_mode;
    uint64_t list_mode_until;
    int lists;             // of this phase
    unsigned phase;        // of the last list
    unsigned open_phase;   // of the last connection
    unsigned step;         // phase and state of the client before the last step
    uint8_t entered[1024]; // how often each was entered
};
extern struct run run;
extern struct rekey client;
extern struct rekey_rotation rotation;

// service.c
int current(int slot);
bool alive(int key);
void advance(uint64_t ms); // time passes, and what is due is executed
void execute(int slot, bool foreign);
// Whether it is about the time at which an operation is executed, or can be no more. Elsewhere what
// happens in the middle of a long wait is like what happened in it before.
bool near_event(void);
int give_token(void *ctx, char *buf, size_t cap, size_t *len);
extern const struct rekey_transport transport;

// device.c
int64_t wall_s(void *ctx);
void power_lost(void);
void reboot(struct device *d);
uint64_t operation_age_ms(const struct device *d); // as far as it knows
void change_files(struct device *d, int value);
extern struct rekey_port port; // without its transport, which model.c adds
extern struct rekey_storage storage;
int run_hook(void *ctx);

// phases.c
const char *phase_name(unsigned phase); // NULL: there are fewer

// ---- promises.c ---------------------------------------------------------------------------------

// What docs/rotation.md promises; the sentences are in promises.c.
enum promise {
    NOT_ASKED,  // the slot in use is never asked for
    NOT_KILLED, // an operation of ours never kills the key in use
    NOT_DEAD,
    NOT_EARLY,
    KEPT,
    MIN_AGE,
    ROLLED_BACK,
    OUTCOME,
    RESULT,
    HOOK_RUNS,
    RECOVERS,
    FOLLOWS,
    ENDS,
    PROMISES
};

// What docs/rotation.md excludes from its promises.
enum limit {
    LATE_EXECUTION,
    OLD_LISTS,
    SHORT_TIMEOUT,
    WALL_CLOCK,
    NO_SETTLING,
    FILES_CHANGED,
    SOMEBODY_ELSE,
    FIRST_KEY,
    FOLLOWERS_LEFT,
    LIMITS
};

void broken(enum promise promise, const char *what);
void passed_limit(enum limit limit);
void check_switch(int key, bool restored);
void check_post(int slot);
void check_end(void);
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
int print_broken(void); // how many promises were broken beyond the limits
void forget_broken(void);
unsigned long within_limits(void);

#define TRACE(...)                                                                                 \
    do {                                                                                           \
        if (tracing) {                                                                             \
            trace(__VA_ARGS__);                                                                    \
        }                                                                                          \
    } while (0)

#endif
