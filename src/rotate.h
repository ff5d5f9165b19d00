// rotate.h - a rotation that never loses a key: the key that is in use is never regenerated, and a
// key is activated only after the service has listed it (docs/rotation.md has the diagram).
// It drives a struct rekey through listKeys, regenerateKeys and listKeys again, and keeps what it
// must not forget in a storage that the application provides. Each run begins with what the run
// before it left unfinished, so that power may fail at any moment.

#ifndef REKEY_ROTATE_H
#define REKEY_ROTATE_H

#include "message.h"
#include "show.h"

#ifdef __cplusplus
extern "C" {
#endif

// What the storage keeps between two runs, beside the key and an unfinished operation.
struct rekey_rotation_state {
    enum rekey_key slot;         // whose key was activated last; 0: none was
    bool hook_pending;           // it was activated, and the hook has not succeeded since
    bool rolled_back;            // by a rollback that has not ended well yet
    int64_t switched;            // when: seconds since 1970
    unsigned char sha256[2][32]; // of the primary and the secondary key, as last listed
};

// What an application provides. Each call returns REKEY_DONE or REKEY_E_STORE, and blocks no longer
// than a write to flash takes. What a save is given replaces what was there, wholly or not at all,
// and survives a power cut once the call has returned.
struct rekey_storage {
    void *ctx;

    // The key that is in use, or the previous one, into key[0..cap): *len is 0 if there is none. A
    // key that does not fit is REKEY_E_STORE.
    int (*load_key)(void *ctx, bool previous, char *key, size_t cap, size_t *len);
    // Makes `key` the key in use. The one that was in use becomes the previous one.
    int (*save_key)(void *ctx, struct rekey_span key);
    // Exchanges the key in use and the previous key; both exist. Where power fails between the two
    // the previous key is in use, and the other one may be lost.
    int (*restore_key)(void *ctx);

    // *state is left as it is (zeroed) if nothing was saved yet.
    int (*load_state)(void *ctx, struct rekey_rotation_state *state);
    int (*save_state)(void *ctx, const struct rekey_rotation_state *state);

    // An operation that was begun, with its slot. *slot is 0 if there is none. What *record points
    // at stays valid until the next save. *age_ms is how long ago the intent was saved, by a clock
    // that nobody sets. It may be less than the truth and never more: where another boot saved it,
    // the time since this boot; where there is no such clock, 0.
    int (*load_operation)(void *ctx, struct rekey_record *record, enum rekey_key *slot,
                          uint64_t *age_ms);
    // Is called before each POST with a record of kind REKEY_POLL_NONE, the intent, whose age
    // begins anew (a POST may be repeated); and then with each polling URL, which keeps that age.
    int (*save_operation)(void *ctx, const struct rekey_record *record, enum rekey_key slot);
    int (*remove_operation)(void *ctx);

    // Tells the applications that the key has changed. Returns REKEY_DONE; a REKEY_WANT_... to be
    // called again; or REKEY_E_HOOK. It may be called again for the same key, also while what an
    // interrupted run has started still works. NULL: this run tells nobody.
    int (*hook)(void *ctx);

    void (*sha256)(void *ctx, struct rekey_span data, unsigned char out[32]);
};

// What a run did, beside its outcome.
enum rekey_rotation_result {
    REKEY_ROTATION_NONE,      // it did not come so far
    REKEY_ROTATION_ROTATED,   // the key of the other slot is in use now
    REKEY_ROTATION_ADOPTED,   // there was no key, or one that the service does not list: took one
    REKEY_ROTATION_NOT_DUE,   // nothing to do: the last switch is younger than min_age_s
    REKEY_ROTATION_UNCHANGED, // sync: nothing has changed
    REKEY_ROTATION_RESTORED,  // the previous key is in use again
};

struct rekey_rotation_options {
    uint32_t settle_ms;        // between the two lists that a new key must be in; sync, too
    bool probe;                // instead: until the scoring URI takes the new key
    int64_t min_age_s;         // between two switches
    uint32_t list_interval_ms; // between two looks for a new key
};

#define REKEY_ROTATION_OPTIONS_INIT                                                                \
    { 60000, false, 86400, 5000 }

// What is known of a run. The spans lead into the struct rekey_rotation.
struct rekey_rotation_report {
    enum rekey_outcome outcome; // REKEY_NONE while it runs
    int error;                  // why; 0 with REKEY_SUCCEEDED and REKEY_NONE
    enum rekey_rotation_result result;
    enum rekey_key in_use;    // whose key was activated last; 0: none was
    enum rekey_key target;    // whose key is regenerated or activated; 0: that was not decided yet
    int64_t switched;         // when the key in use was activated: seconds since 1970
    bool hook_pending;        // ... and the hook has not succeeded since
    bool found_operation;     // an unfinished operation of an earlier run was gone on with
    bool by_comparison;       // that the key was regenerated was seen by comparing, not said
    bool foreign;             // somebody else changed a key since the last run
    struct rekey_span probed; // the host of the scoring URI that was asked last; empty: none was
};

// All fields are private. rekey_rotation_report tells what there is to know.
struct rekey_rotation {
    // What is read most comes first: short offsets make short instructions.
    uint8_t phase, job;
    bool settled; // a new key was listed, and is looked for once more
    bool ended;   // an operation of the client, whose report was not looked at yet
    bool inside;  // what is called of the storage or the port is called by one of us
    bool aborted; // ... and has called rekey_rotation_abort: the run ends before that returns
    bool found_operation, by_comparison, foreign; // see the report
    uint16_t key_len;
    enum rekey_key slot; // that is regenerated, or activated
    struct rekey *client;
    struct rekey_options *options; // the client's own
    const struct rekey_rotation_options *rotation;
    const struct rekey_storage *storage;
    const struct rekey_endpoint *endpoint;
    enum rekey_outcome outcome;
    int error;
    enum rekey_rotation_result result;
    uint32_t timeout_ms;
    int probe_error; // why it has not taken the key so far
    struct rekey_rotation_state state;
    uint64_t deadline, wake;
    uint64_t give_up;       // until then an operation of an earlier run may still change its key
    uint64_t doubt;         // until then a key in use that is not listed is looked for
    unsigned char seen[32]; // the SHA-256 of the key that is next, as it was last listed
    struct rekey_keys keys;
    char key[REKEY_KEY_VALUE_MAX];
    struct rekey_secret secrets[3];     // both keys and the one in use, before those of the options
    struct rekey_shown shown;           // with `probe`
    struct rekey_options probe_options; // of the client while it speaks to the scoring URI
    struct rekey_read probe_read;
};

// Makes *x ready. `client` was made ready by rekey_init with `options`, whose `save`, `secrets` and
// timeout_ms this sets; all that is pointed at lives as long as *x.
void rekey_rotation_init(struct rekey_rotation *x, struct rekey *client,
                         struct rekey_options *options,
                         const struct rekey_rotation_options *rotation,
                         const struct rekey_storage *storage);

// Each begins a run; nothing is sent yet. Return 0; REKEY_E_BUSY while a run is going on, which
// goes on; or an error that has ended the run: REKEY_E_STORE, REKEY_E_ABORTED; rekey_rollback also
// REKEY_E_NO_PREVIOUS and REKEY_E_UNFINISHED. REKEY_E_PORT where a function of the storage is NULL
// that must be there (all but `hook`); REKEY_E_OPTIONS where *x is zeroed, because
// rekey_rotation_init was not called, or the client was not ready then.

// Regenerates the slot that is not in use, and activates its key; but first finishes what was
// left, and ends there where the key in use was activated less than min_age_s ago.
int rekey_rotate(struct rekey_rotation *x, const struct rekey_endpoint *endpoint);

// Follows a rotation that another device makes: activates the key of the slot that has changed
// since the last run; at first that of `first`. Regenerates nothing.
int rekey_sync(struct rekey_rotation *x, const struct rekey_endpoint *endpoint,
               enum rekey_key first);

// Activates the previous key again, without asking the service. Not while an operation is
// unfinished: that is for rekey_rotate.
int rekey_rollback(struct rekey_rotation *x);

// Does a bounded piece of work, as rekey_step does. Returns as that, at the end 0 or the error of
// the report. Called by a function of the storage, the options or the port it returns REKEY_E_BUSY.
int rekey_rotation_step(struct rekey_rotation *x);

// rekey_rotation_step and the port's wait in a loop, as rekey_run.
int rekey_rotation_run(struct rekey_rotation *x);

// At any time: what is known. What the last request was answered with is in the client's own report
// (rekey_report).
void rekey_rotation_report(const struct rekey_rotation *x, struct rekey_rotation_report *report);

// What a run waits for between two operations of the client.
enum rekey_rotation_wait {
    REKEY_ROTATION_NO_WAIT,
    REKEY_ROTATION_NEW_KEY,    // it is not listed yet
    REKEY_ROTATION_KEY_IN_USE, // it is not listed any more, perhaps in an old list
    REKEY_ROTATION_SETTLING,   // the new key is listed
    REKEY_ROTATION_PROBING,    // the scoring URI has not accepted the new key yet
    REKEY_ROTATION_OPERATION,  // an operation whose end is not known may still change its key
};

// *until is when that ends at the latest, on the port's clock.
enum rekey_rotation_wait rekey_rotation_waits_for(const struct rekey_rotation *x, uint64_t *until);

// Milliseconds that the caller may sleep, at most, after the last step.
uint32_t rekey_rotation_wait_ms(const struct rekey_rotation *x);

// Ends the run. What was begun stays in the storage, for the next run. Can be called at any time,
// as rekey_abort; where a function of the storage calls it, the run ends with the step, or the call
// that begins a run, in which it was called.
void rekey_rotation_abort(struct rekey_rotation *x);

#ifdef __cplusplus
}
#endif

#endif
