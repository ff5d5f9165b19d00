// rotate.h - a rotation that never loses a key: the key that is in use is never regenerated, and a
// key is activated only after the service has listed it (docs/rotation.md has the diagram).
// It drives a struct rekey through listKeys, regenerateKeys and listKeys again, and keeps its state
// in a storage that the application provides. Each run first finishes what the previous run left
// unfinished, so that power may fail at any moment.

#ifndef REKEY_ROTATE_H
#define REKEY_ROTATE_H

#include "message.h"
#include "show.h"

#ifdef __cplusplus
extern "C" {
#endif

// The state that the storage keeps between two runs, besides the keys and an unfinished operation.
struct rekey_rotation_state {
    enum rekey_key slot;         // of the key that was activated last; 0: no key was
    bool hook_pending;           // the hook has not succeeded since that key was activated
    bool rolled_back;            // a rollback activated that key, and is not complete yet
    int64_t switched;            // time of the activation: seconds since 1970
    unsigned char sha256[2][32]; // of the primary and the secondary key as last noted
};

// The application provides these functions. Each one returns REKEY_DONE or REKEY_E_STORE, and
// blocks no longer than a write to flash takes. A save replaces the previous value wholly or not at
// all, and the new value survives a power cut after the call has returned.
struct rekey_storage {
    void *ctx;

    // Loads the key in use, or the previous key, into key[0..cap), with its length in *len: 0 if
    // there is no such key. A key that does not fit is REKEY_E_STORE.
    int (*load_key)(void *ctx, bool previous, char *key, size_t cap, size_t *len);
    // Makes `key` the key in use. The key that was in use becomes the previous key.
    int (*save_key)(void *ctx, struct rekey_span key);
    // Exchanges the key in use and the previous key, which exists. If there is no key in use, the
    // previous key must be in use afterwards. If power fails during the exchange, either nothing
    // has changed, or the previous key is in use; the other key may be lost.
    int (*restore_key)(void *ctx);

    // load_state leaves *state unchanged (zeroed) if no state was saved yet.
    int (*load_state)(void *ctx, struct rekey_rotation_state *state);
    int (*save_state)(void *ctx, const struct rekey_rotation_state *state);

    // Loads the unfinished operation and its slot; *slot is 0 if there is no unfinished operation.
    // The spans of *record must stay valid until the next save. *age_ms is the time in milliseconds
    // since the intent (see save_operation) was saved, by a clock that cannot be set. If this time
    // is not known exactly, store a shorter time, never a longer one: after a reboot the time since
    // that boot; without such a clock, 0.
    int (*load_operation)(void *ctx, struct rekey_record *record, enum rekey_key *slot,
                          uint64_t *age_ms);
    // Saves an operation. It is called before each POST with a record of kind REKEY_POLL_NONE, the
    // intent, and later with each polling URL. An intent always sets the age to 0, because a POST
    // may be repeated; a polling URL keeps the age.
    int (*save_operation)(void *ctx, const struct rekey_record *record, enum rekey_key slot);
    int (*remove_operation)(void *ctx);

    // Tells the applications that the key has changed. Returns REKEY_DONE; a REKEY_WANT_... to be
    // called again; or REKEY_E_HOOK. It may be called again for the same key, even while a process
    // that an interrupted run started is still working. NULL: this run has no hook.
    int (*hook)(void *ctx);

    // Writes the SHA-256 of data to out. If it cannot be computed, out must be all zero: the run
    // then ends with REKEY_E_STORE.
    void (*sha256)(void *ctx, struct rekey_span data, unsigned char out[32]);
};

// What a run did.
enum rekey_rotation_result {
    REKEY_ROTATION_NONE,      // the run ended before it had any of the results below
    REKEY_ROTATION_ROTATED,   // the regenerated key is in use now
    REKEY_ROTATION_ADOPTED,   // the key in use was missing or not listed: activated a listed key
    REKEY_ROTATION_NOT_DUE,   // nothing to do: the key was activated less than min_age_s ago
    REKEY_ROTATION_UNCHANGED, // sync: no key has changed
    REKEY_ROTATION_RESTORED,  // the previous key is in use again
};

struct rekey_rotation_options {
    uint32_t settle_ms; // between two lists that must both contain a new key; also for rekey_sync
    bool probe; // instead of the second list: wait until the scoring URI accepts the new key. If it
                // cannot be used, the run ends with REKEY_E_SCORING_URI; a run without `probe`
                // activates the new key
    int64_t min_age_s;         // between the activations of two keys
    uint32_t list_interval_ms; // between two lists while a new key is expected
};

#define REKEY_ROTATION_OPTIONS_INIT                                                                \
    { 60000, false, 86400, 5000 }

// The state of a run. The spans point into the struct rekey_rotation.
struct rekey_rotation_report {
    enum rekey_outcome outcome; // REKEY_NONE while the run continues
    int error;                  // the reason; 0 with REKEY_SUCCEEDED and REKEY_NONE
    enum rekey_rotation_result result;
    enum rekey_key in_use; // slot of the key that was activated last; 0: no key was
    enum rekey_key target; // slot to regenerate or to activate; 0: not decided yet
    int64_t switched;      // time at which the key in use was activated: seconds since 1970
    bool hook_pending;     // the hook has not succeeded since that time
    bool found_operation;  // an unfinished operation of an earlier run was continued
    bool by_comparison;    // the list shows a new key; the service did not confirm the regeneration
    bool foreign;          // somebody else changed a key since the last run
    struct rekey_span probed; // host of the last request to a scoring URI; empty: no such request.
                              // With REKEY_E_SCORING_URI: that URI; empty: missing, or too long
};

// All fields are private; use rekey_rotation_report.
struct rekey_rotation {
    // Fields that are used most come first: short offsets make short instructions.
    uint8_t phase, action;
    bool settled;      // a new key was listed, and must be listed once more
    bool client_ended; // an operation of the client has ended, and its report was not read yet
    bool in_call; // a call of this API is running: the storage and the port must not start another
    bool aborted; // rekey_rotation_abort was called during this call: the call ends the run
    bool found_operation, by_comparison, foreign; // see the report
    uint16_t key_len;
    enum rekey_key slot; // to regenerate or to activate
    struct rekey *client;
    struct rekey_options *options; // those of the client
    const struct rekey_rotation_options *rotation;
    const struct rekey_storage *storage;
    const struct rekey_endpoint *endpoint;
    enum rekey_outcome outcome;
    int error;
    enum rekey_rotation_result result;
    uint32_t timeout_ms;
    int probe_error; // why the scoring URI has not accepted the key yet
    struct rekey_rotation_state state;
    uint64_t deadline, wake;
    uint64_t compare_until; // until this time an earlier operation may still change its key
    uint64_t stale_until;   // until this time a run that does not find the key in use lists again
    unsigned char sha256[2][32]; // of both keys, as last listed
    unsigned char seen[32];      // of the new key, as listed before
    struct rekey_keys keys;
    char key[REKEY_KEY_VALUE_MAX];
    struct rekey_secret secrets[3]; // both listed keys and the key in use; then the application's
    struct rekey_shown shown;       // with `probe`
    struct rekey_options probe_options; // of the client during requests to the scoring URI
    struct rekey_read probe_read;
};

// Initializes *x. `client` must have been initialized by rekey_init with the same `options`. The
// rotation sets `save`, `save_ctx`, `secrets`, `timeout_ms` and `hold` of these options. A run
// keeps one token and its connection from one operation to the next, and drops both before the hook
// and at its end; `hold` is false afterwards. All pointers must stay valid as long as *x is used.
void rekey_rotation_init(struct rekey_rotation *x, struct rekey *client,
                         struct rekey_options *options,
                         const struct rekey_rotation_options *rotation,
                         const struct rekey_storage *storage);

// Each of these begins a run; nothing is sent yet. They return 0; REKEY_E_BUSY if another run has
// not ended, which then continues; or an error that has ended the run: REKEY_E_STORE,
// REKEY_E_ABORTED; REKEY_E_PORT if a function of the storage other than `hook` is NULL;
// REKEY_E_OPTIONS if *x is zeroed, if a parameter of rekey_rotation_init was NULL, or the client
// was not initialized when it was called, or if `endpoint` is NULL. rekey_sync also returns
// REKEY_E_KEY_TYPE, and rekey_rollback REKEY_E_NO_PREVIOUS and REKEY_E_UNFINISHED.

// Regenerates the slot that is not in use, and activates its key. It first finishes an unfinished
// earlier run; after that, if the key in use was activated less than min_age_s ago, it does nothing
// more. If no key is in use yet, or the key in use is not listed, it activates a listed key instead
// (REKEY_ROTATION_ADOPTED) and regenerates nothing.
int rekey_rotate(struct rekey_rotation *x, const struct rekey_endpoint *endpoint);

// Follows the rotation of another device: activates the key of the slot that has changed since the
// last run, or of the slot `first` in the first run. `first` can be 0 if the storage has the state
// of an earlier run; else this is REKEY_E_KEY_TYPE. It regenerates nothing.
int rekey_sync(struct rekey_rotation *x, const struct rekey_endpoint *endpoint,
               enum rekey_key first);

// Activates the previous key again, without asking the service. It refuses to do so while an
// operation is unfinished: run rekey_rotate first.
int rekey_rollback(struct rekey_rotation *x);

// Does a bounded amount of work and returns like rekey_step; at the end of the run it returns 0 or
// the error of the report. If it is called from a function of the storage, the options or the port,
// it returns REKEY_E_BUSY.
int rekey_rotation_step(struct rekey_rotation *x);

// Calls rekey_rotation_step and the port's `wait` in a loop, like rekey_run.
int rekey_rotation_run(struct rekey_rotation *x);

// Fills *report with the current state of the run. It can be called at any time. The report of the
// client (rekey_report) has the answer to the last request.
void rekey_rotation_report(const struct rekey_rotation *x, struct rekey_rotation_report *report);

// The reason for a wait between two operations of the client.
enum rekey_rotation_wait {
    REKEY_ROTATION_NO_WAIT,
    REKEY_ROTATION_NEW_KEY,    // the new key is not listed yet
    REKEY_ROTATION_KEY_IN_USE, // the key in use is not listed; the list may be out of date
    REKEY_ROTATION_SETTLING,   // the new key is listed
    REKEY_ROTATION_PROBING,    // the scoring URI has not accepted the new key yet
    REKEY_ROTATION_OPERATION,  // an operation whose result is unknown may still change its key
};

// Returns the reason, and stores in *until the latest end of the wait, in ms on the port's clock.
enum rekey_rotation_wait rekey_rotation_waits_for(const struct rekey_rotation *x, uint64_t *until);

// The longest time in milliseconds that the caller may sleep after the last rekey_rotation_step.
uint32_t rekey_rotation_wait_ms(const struct rekey_rotation *x);

// Ends the run. The storage keeps an unfinished operation for the next run. It can be called at any
// time, like rekey_abort. If a function of the storage calls it, the run ends before the current
// rekey_rotation_step, or the call that begins the run, returns.
void rekey_rotation_abort(struct rekey_rotation *x);

#ifdef __cplusplus
}
#endif

#endif
