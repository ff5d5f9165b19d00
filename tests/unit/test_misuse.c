// test_misuse.c - mistakes of an application: a struct that was never initialized, a port with a
// missing function, calls of the client from a function of the port. Each is an error, and the
// outcome stays true.

#include <string.h>

#include "credential_entra.h"
#include "credential_managed.h"
#include "fake_port.h"
#include "message.h"
#include "show.h"
#include "support.h"
#include "tls.h"

#define HOST "management.azure.com"
#define ACCEPTED                                                                                   \
    "HTTP/1.1 202 X\r\nLocation: https://" HOST "/a\r\nRetry-After: 0\r\nContent-Length: "         \
    "0\r\n\r\n"
#define EMPTY(status) "HTTP/1.1 " status " X\r\nContent-Length: 0\r\n\r\n"
#define KEYS                                                                                       \
    "HTTP/1.1 200 X\r\nContent-Length: 37\r\n\r\n{\"primaryKey\":\"a\",\"secondaryKey\":\"b\"}"

// The functions of the port and of the options, as the core calls them.
enum call { NOW, WALL, ENTROPY, OPEN, WRITE, READ, CLOSE, WAIT, TOKEN, SAVE, CREDENTIAL, CALLS };

static const char *const call_names[CALLS] = {"now_ms", "wall_s", "entropy",   "open",
                                              "write",  "read",   "close",     "wait",
                                              "token",  "save",   "credential"};

enum act { ABORT, STEP, START, RUN, ACTS };

static struct rekey client;
static struct rekey_options options;
static struct rekey_report report;
static struct rekey_keys keys;

static struct {
    enum call call; // which acts, when it is called for the `at`-th time
    int at, counts[CALLS];
    enum act act;
    bool acted, inside; // inside: rekey_step runs
    bool acted_inside;
    int busy; // what the client returned to it
    const char *answers[4];
    int answer;
    const char *rest; // of the answer
    char sent[8192];
    size_t sent_len;
    int sent_after; // calls of open or write, after the abort
    int saves_after;
    bool intent, url; // was saved
    int posts;        // that were written wholly
    unsigned begun;   // requests that are no polls, of which a byte was written
    bool blocks;      // a read that finds nothing says so, once each
} world;

// Whether a request is a poll.
static bool polls(void) {
    return strncmp(world.sent, "GET", 3) == 0;
}

static void acts(enum call call) {
    if (world.acted && world.act == ABORT && world.acted_inside) {
        world.sent_after += call == OPEN || call == WRITE;
        world.saves_after += call == SAVE;
    }
    if (++world.counts[call] != world.at || call != world.call) {
        return;
    }
    world.acted = true;
    world.acted_inside = world.inside;
    switch (world.act) {
    case ABORT:
        rekey_abort(&client);
        rekey_abort(&client); // twice is as good as once
        break;
    case STEP:
        world.busy = rekey_step(&client);
        break;
    case START:
        world.busy = rekey_list_keys(&client, &endpoint, &keys);
        break;
    default:
        world.busy = rekey_run(&client);
        break;
    }
}

static uint64_t now_ms(void *ctx) {
    acts(NOW);
    return fake_now(ctx);
}

static int64_t wall_s(void *ctx) {
    acts(WALL);
    return fake_wall(ctx);
}

static int entropy(void *ctx, void *buf, size_t len) {
    acts(ENTROPY);
    return fake_entropy(ctx, buf, len);
}

static int script_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    (void)ctx;
    (void)host;
    (void)port;
    (void)timeout_ms;
    acts(OPEN);
    if (!fake.open) {
        world.sent_len = 0;
        world.rest = "";
    }
    fake.open = true;
    return REKEY_DONE;
}

static int script_write(void *ctx, const void *data, size_t len, size_t *done) {
    (void)ctx;
    *done = len;
    world.begun += world.sent_len == 0 && *(const char *)data == 'P';
    fake_send(world.sent, &world.sent_len, data, len);
    if (fake_sent_whole(world.sent, world.sent_len)) {
        world.posts += !polls();
        world.rest = world.answers[world.answer++];
        world.sent_len = 0;
        world.blocks = true;
    }
    acts(WRITE);
    return REKEY_DONE;
}

static int script_read(void *ctx, void *buf, size_t cap, size_t *done) {
    (void)ctx;
    acts(READ);
    if (world.blocks || world.rest[0] == '\0') {
        world.blocks = false;
        return REKEY_WANT_READ;
    }
    return fake_give(&world.rest, strlen(world.rest), buf, cap, done);
}

static void script_close(void *ctx) {
    acts(CLOSE);
    fake_close(ctx);
}

static void wait_ms(void *ctx, int want, uint32_t ms) {
    (void)ctx;
    acts(WAIT);
    fake.now += want == REKEY_WANT_TIME ? ms : 1;
}

static int token(void *ctx, char *buf, size_t cap, size_t *len) {
    (void)ctx;
    acts(TOKEN);
    assert_true(cap > 5);
    memcpy(buf, "token", 5);
    *len = 5;
    return REKEY_DONE;
}

static int save(void *ctx, const struct rekey_record *record) {
    (void)ctx;
    world.intent = true;
    world.url |= record->kind != REKEY_POLL_NONE;
    acts(SAVE);
    return REKEY_DONE;
}

// A credential that obtains its token without a request.
static int credential_step(struct rekey_credential *c, struct rekey *r) {
    (void)c;
    assert_true(r == &client);
    acts(CREDENTIAL);
    memcpy(r->token, "token", 5);
    r->token_len = 5;
    return REKEY_DONE;
}

static struct rekey_credential credential = {.step = credential_step};

static struct rekey_port port;

static void reset(void) {
    const struct rekey_port whole = {
        .tls = {.open = script_open,
                .write = script_write,
                .read = script_read,
                .close = script_close},
        .now_ms = now_ms,
        .wall_s = wall_s,
        .entropy = entropy,
        .wait = wait_ms,
    };

    port = whole;
    fake = (struct fake_port){.now = 1000};
    memset(&world, 0, sizeof(world));
    options = (struct rekey_options)REKEY_OPTIONS_INIT;
    options.token = token;
    options.save = save;
}

// ---- nothing was made ready ---------------------------------------------------------------------

static const struct rekey_record record = {
    .kind = REKEY_POLL_LOCATION,
    .url = {"https://" HOST "/a", 30},
    .request_id = {"01234567-89ab-4def-8123-456789abcdef", 36},
};

// A client that cannot be used returns `error` everywhere.
static void unusable(int error) {
    struct rekey_token out;
    struct rekey_shown shown;

    for (int i = 0; i < 2; i++) {
        check_int(rekey_step(&client), error);
        check_int(rekey_run(&client), error);
        check_int(rekey_wait_ms(&client), 0);
        rekey_report(&client, &report);
        check_int(report.outcome, REKEY_USAGE);
        check_int(report.error, error);
        check_int(rekey_exit_code(report.outcome), 2);
        check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, rekey_span(NULL, 0)),
                  error);
        check_int(rekey_list_keys(&client, &endpoint, &keys), error);
        check_int(rekey_get_token(&client, &out), error);
        check_int(rekey_resume(&client, &record), error);
        check_int(rekey_show(&client, &endpoint, &shown), error);
        rekey_abort(&client);
    }
}

static void test_not_ready(void **state) {
    (void)state;
    row("zeroed");
    reset();
    memset(&client, 0, sizeof(client));
    unusable(REKEY_E_OPTIONS);
    row("no port");
    check_int(rekey_init(&client, NULL, &options), REKEY_E_PORT);
    unusable(REKEY_E_PORT);
    row("no options");
    check_int(rekey_init(&client, &port, NULL), REKEY_E_OPTIONS);
    unusable(REKEY_E_OPTIONS);
    row("a bad host");
    options.host = REKEY_SPAN("a b");
    check_int(rekey_init(&client, &port, &options), REKEY_E_HOST);
    unusable(REKEY_E_HOST);
    row("nothing was started");
    reset();
    check_int(rekey_init(&client, &port, &options), 0);
    check_int(rekey_step(&client), REKEY_E_IDLE);
    check_int(rekey_run(&client), REKEY_E_IDLE);
    check_int(rekey_wait_ms(&client), 0);
    rekey_report(&client, &report);
    check_int(report.outcome, REKEY_NONE);
    check_int(report.error, 0);
    rows_done();
}

static int thumbprint(void *ctx, unsigned char sha256[32]) {
    (void)ctx;
    (void)sha256;
    return REKEY_E_SIGN;
}

static int sign(void *ctx, struct rekey_span text, unsigned char *signature, size_t *len) {
    (void)ctx;
    (void)text;
    (void)signature;
    (void)len;
    return REKEY_E_SIGN;
}

static int read_file(void *ctx, char *buf, size_t cap, size_t *len) {
    (void)ctx;
    (void)buf;
    (void)cap;
    (void)len;
    return REKEY_E_ASSERTION;
}

static int read_key(void *ctx, struct rekey_span path, char *buf, size_t cap, size_t *len) {
    (void)ctx;
    (void)path;
    (void)buf;
    (void)cap;
    (void)len;
    return REKEY_E_KEY_FILE;
}

// Starts an operation with a NULL pointer in place of a struct that it needs.
static int start_with_null(int i) {
    struct rekey_shown shown;

    switch (i) {
    case 0:
        return rekey_regenerate(&client, NULL, REKEY_KEY_PRIMARY, rekey_span(NULL, 0));
    case 1:
        return rekey_list_keys(&client, NULL, &keys);
    case 2:
        return rekey_list_keys(&client, &endpoint, NULL);
    case 3:
        return rekey_show(&client, NULL, &shown);
    case 4:
        return rekey_show(&client, &endpoint, NULL);
    case 5:
        return rekey_get_token(&client, NULL);
    default:
        return rekey_resume(&client, NULL);
    }
}

// Makes a credential with a NULL pointer in place of something that it needs. The bytes of the
// struct, all 0 before, must not change.
static int credential_with_null(int i) {
    static const struct rekey_entra entra = {{"h", 1}, 443, {"t", 1}, {"c", 1}, {"s", 1}};
    static const struct rekey_managed managed = {{"127.0.0.1", 9}, 80, {"r", 1}, {NULL, 0}};
    struct rekey_signer signer = {.thumbprint = i == 4 ? NULL : thumbprint,
                                  .sign = i == 5 ? NULL : sign};
    static struct rekey_credential_secret secret;
    static struct rekey_credential_workload workload;
    static struct rekey_credential_certificate certificate;
    static struct rekey_credential_imds imds;
    static struct rekey_credential_arc arc;
    int result;

    workload.read = i == 2 ? NULL : read_file;
    arc.read = i == 8 ? NULL : read_key;
    switch (i) {
    case 0:
        result = rekey_credential_secret_init(&secret, NULL, REKEY_SPAN("s"));
        break;
    case 1:
    case 2:
        result = rekey_credential_workload_init(&workload, i == 1 ? NULL : &entra);
        break;
    case 3:
    case 4:
    case 5:
        result = rekey_credential_certificate_init(&certificate, i == 3 ? NULL : &entra, signer);
        break;
    case 6:
        result = rekey_credential_imds_init(&imds, NULL, false);
        break;
    default:
        result = rekey_credential_arc_init(&arc, i == 7 ? NULL : &managed);
        break;
    }
    check(secret.base.step == NULL && workload.base.step == NULL && certificate.base.step == NULL &&
          imds.base.step == NULL && arc.base.step == NULL);
    return result;
}

// It is a bad parameter: nothing is sent, not even to the token service, and nothing is saved. The
// next operation starts.
static void test_null(void **state) {
    (void)state;
    for (int i = 0; i < 7; i++) {
        row_n("start with NULL", i);
        reset();
        world.answers[0] = world.answers[1] = EMPTY("200");
        check_int(rekey_init(&client, &port, &options), 0);
        check_int(start_with_null(i), REKEY_E_OPTIONS);
        check_int(rekey_run(&client), REKEY_E_OPTIONS);
        rekey_report(&client, &report);
        check_int(report.outcome, REKEY_USAGE);
        check_int(report.error, REKEY_E_OPTIONS);
        check(world.counts[TOKEN] == 0 && world.counts[OPEN] == 0 && !world.intent);
        check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, rekey_span(NULL, 0)), 0);
        check_int(rekey_run(&client), 0);
    }
    for (int i = 0; i < 9; i++) {
        row_n("a credential with NULL", i);
        check_int(credential_with_null(i), REKEY_E_OPTIONS);
    }
    rows_done();
}

// A TLS transport without trust anchors does not begin, and the reason is told.
static void test_no_anchors(void **state) {
    static struct rekey_tls tls;

    (void)state;
    row("zeroed anchors");
    reset();
    fake.wall = (int64_t)REKEY_BUILD_TIME;
    rekey_tls_init(&tls, port.tls, &port, (struct rekey_anchors){.find = NULL});
    port.tls = rekey_tls_transport(&tls);
    check_int(rekey_init(&client, &port, &options), 0);
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, rekey_span(NULL, 0)), 0);
    check_int(rekey_run(&client), REKEY_E_NO_ANCHORS);
    rekey_report(&client, &report);
    check_int(report.outcome, REKEY_NOT_TRUSTED);
    check(world.counts[OPEN] == 0 && !world.intent);
    rows_done();
}

// The defaults stand in the order of the fields.
static void test_defaults(void **state) {
    const struct rekey_options o = REKEY_OPTIONS_INIT;

    (void)state;
    row("options");
    check_span(o.host, REKEY_SPAN("management.azure.com"));
    check_int(o.port, 443);
    check(!o.retry_unsafe);
    check_span(o.board, REKEY_SPAN("unknown board"));
    check(o.credential == NULL && o.token == NULL && o.token_ctx == NULL);
    check(o.save == NULL && o.save_ctx == NULL && o.secrets == NULL);
    check_int(o.timeout_ms, REKEY_TIMEOUT_MS);
    check_int(o.connect_timeout_ms, REKEY_CONNECT_TIMEOUT_MS);
    check_int(o.idle_timeout_ms, REKEY_IDLE_TIMEOUT_MS);
    check_int(o.poll_interval_ms, REKEY_POLL_INTERVAL_MS);
    row("a credential");
    {
        static const struct rekey_credential c = REKEY_CREDENTIAL(NULL, rekey_credential_answered);

        check(c.step == rekey_credential_step && c.answered == rekey_credential_answered);
        check(c.prepare == NULL && c.secret.ptr == NULL && c.secret.len == 0);
        check(!c.once && !c.challenged && !c.sent && c.proof_len == 0 && c.phase == 0);
        check(c.length == 0 && c.tries == 0);
        check(c.renew_at == 0 && c.expiry == 0 && c.patient_until == 0);
    }
    rows_done();
}

static void test_exit_codes(void **state) {
    static const struct {
        enum rekey_outcome outcome;
        int code;
    } rows[] = {
        {REKEY_SUCCEEDED, 0},    {REKEY_REFUSED, 1},      {REKEY_FAILED, 1},   {REKEY_USAGE, 2},
        {REKEY_NOT_REACHED, 10}, {REKEY_NOT_TRUSTED, 11}, {REKEY_UNKNOWN, 12}, {REKEY_RUNNING, 13},
        {REKEY_CREDENTIALS, 14}, {REKEY_LOCAL, 15},       {REKEY_NONE, 12},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        row_n("outcome", rows[i].outcome);
        check_int(rekey_exit_code(rows[i].outcome), rows[i].code);
    }
    rows_done();
}

// ---- a port without a function ------------------------------------------------------------------

// Takes away a function: 0 to 6 are those that must be there, 7 to 10 those of `plain`, which are
// there else.
static void take_away(int i) {
    switch (i) {
    case 0:
        port.now_ms = NULL;
        break;
    case 1:
        port.wall_s = NULL;
        break;
    case 2:
        port.entropy = NULL;
        break;
    case 3:
    case 7:
        *(i == 3 ? &port.tls.open : &port.plain.open) = NULL;
        break;
    case 4:
    case 8:
        *(i == 4 ? &port.tls.write : &port.plain.write) = NULL;
        break;
    case 5:
    case 9:
        *(i == 5 ? &port.tls.read : &port.plain.read) = NULL;
        break;
    default:
        *(i == 6 ? &port.tls.close : &port.plain.close) = NULL;
        break;
    }
}

static void test_port(void **state) {
    (void)state;
    for (int i = 0; i < 11; i++) {
        row_n("without function", i);
        reset();
        port.plain = port.tls;
        take_away(i);
        check_int(rekey_init(&client, &port, &options), REKEY_E_PORT);
        unusable(REKEY_E_PORT);
    }
    for (int only = 7; only < 11; only++) {
        row_n("plain with one function", only);
        reset();
        port.plain = port.tls;
        for (int i = 7; i < 11; i++) {
            if (i != only) {
                take_away(i);
            }
        }
        check_int(rekey_init(&client, &port, &options), REKEY_E_PORT);
    }
    row("both transports");
    reset();
    port.plain = port.tls;
    check_int(rekey_init(&client, &port, &options), 0);
    row("without wait");
    reset();
    port.wait = NULL;
    world.answers[0] = EMPTY("200");
    check_int(rekey_init(&client, &port, &options), 0);
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, rekey_span(NULL, 0)), 0);
    check_int(rekey_run(&client), REKEY_E_PORT);
    rekey_report(&client, &report);
    check_int(report.outcome, REKEY_USAGE);
    check_int(report.error, REKEY_E_PORT);
    check(world.counts[OPEN] == 0 && world.counts[TOKEN] == 0);
    check_int(rekey_step(&client), REKEY_E_PORT);
    row("without wait, by rekey_step");
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, rekey_span(NULL, 0)), 0);
    while (rekey_step(&client) > 0) {
    }
    check_int(rekey_step(&client), 0);
    row("without wait, when the request is out");
    world.answer = 0;
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, rekey_span(NULL, 0)), 0);
    while (world.posts < 2) { // one before it, and this one
        check_int(rekey_step(&client), REKEY_AGAIN);
    }
    check_int(rekey_run(&client), REKEY_E_PORT);
    rekey_report(&client, &report);
    check_int(report.outcome, REKEY_UNKNOWN);
    rows_done();
}

// ---- calls that a function of the port makes ----------------------------------------------------

enum job { REGENERATE, LIST, RESUME, GET_TOKEN, JOBS };

static int start(enum job job) {
    static struct rekey_token out;

    switch (job) {
    case REGENERATE:
        return rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("a new key"));
    case LIST:
        return rekey_list_keys(&client, &endpoint, &keys);
    case RESUME:
        return rekey_resume(&client, &record);
    default:
        return rekey_get_token(&client, &out);
    }
}

// Runs it to its end, like a caller that does not know about the mistake. Returns the last result
// of the steps.
static int run_job(enum job job, bool with_credential) {
    static const char *const regenerate[4] = {EMPTY("429"), ACCEPTED, EMPTY("202"), EMPTY("200")};
    static const char *const resume[4] = {EMPTY("202"), EMPTY("200")};
    static const char *const list[4] = {EMPTY("503"), KEYS};
    int result;

    options.credential = with_credential ? &credential : NULL;
    memcpy(world.answers,
           job == LIST     ? list
           : job == RESUME ? resume
                           : regenerate,
           sizeof(world.answers));
    check_int(rekey_init(&client, &port, &options), 0);
    check_int(start(job), 0);
    do {
        world.inside = true;
        result = rekey_step(&client);
        world.inside = false;
        if (result > 0 && result != REKEY_AGAIN) {
            wait_ms(NULL, result, rekey_wait_ms(&client));
        }
    } while (result > 0);
    rekey_report(&client, &report);
    return result;
}

// The true outcome, from the state of the scripted world.
static enum rekey_outcome truth(enum job job) {
    if (job == RESUME || world.url) {
        return REKEY_RUNNING;
    }
    if (job == REGENERATE && world.begun > report.answers) {
        return REKEY_UNKNOWN;
    }
    return REKEY_NOT_REACHED;
}

// Each function aborts, at each of its calls. Nothing is left after that, not even with `hold`.
static void test_abort(void **state) {
    unsigned ended[CALLS] = {0}, outcomes[REKEY_CREDENTIALS] = {0};

    (void)state;
    for (int job = 0; job < JOBS; job++) {
        for (int with = 0; with < 4; with++) { // 1: a credential; 2: hold
            for (int call = 0; call < CALLS; call++) {
                for (int at = 1;; at++) {
                    int result;

                    row_nn(call_names[call], job * 10 + with, at);
                    reset();
                    world.call = (enum call)call;
                    world.at = at;
                    options.hold = with >= 2;
                    result = run_job((enum job)job, with % 2 == 1);
                    if (!world.acted) {
                        check_int(result, 0);
                        rekey_abort(&client);
                        break;
                    }
                    check(!fake.open);
                    check(nothing_left(&client));
                    check_int(rekey_step(&client), result);
                    check_int(world.sent_after, 0);
                    check(world.saves_after == 0 || world.url); // an intent is not saved after it
                    if (result == 0) {                          // it ended in that very step
                        check(world.acted_inside);
                        check_int(report.outcome, REKEY_SUCCEEDED);
                        continue;
                    }
                    ended[call]++;
                    check_int(result, REKEY_E_ABORTED);
                    check_int(report.outcome, truth((enum job)job));
                    outcomes[report.outcome]++;
                    check(job != LIST || all_zero(&keys, sizeof(keys)));
                }
            }
        }
    }
    row("how often");
    for (int call = 0; call < CALLS; call++) {
        check(ended[call] > 0 || call == WALL); // which is not called here before the end
    }
    check(outcomes[REKEY_NOT_REACHED] > 0 && outcomes[REKEY_UNKNOWN] > 0 &&
          outcomes[REKEY_RUNNING] > 0);
    rows_done();
}

// Each function calls the client, at each of its calls: that changes nothing.
static void test_busy(void **state) {
    unsigned told = 0;

    (void)state;
    for (int act = STEP; act < ACTS; act++) {
        for (int call = 0; call < CALLS; call++) {
            for (int at = 1;; at++) {
                int result;

                row_nn(call_names[call], act, at);
                reset();
                world.act = (enum act)act;
                world.call = (enum call)call;
                world.at = at;
                result = run_job(REGENERATE, call == CREDENTIAL);
                check_int(result, 0);
                check_int(report.outcome, REKEY_SUCCEEDED);
                check_int(world.posts, 2);
                if (!world.acted) {
                    break;
                }
                if (world.acted_inside || act == START || (call == NOW && at == 1)) {
                    check_int(world.busy, REKEY_E_BUSY);
                    told++;
                }
            }
        }
    }
    check(told > 100);
    row("close, called by rekey_abort");
    reset();
    world.act = START;
    world.call = CLOSE;
    world.at = 1;
    check_int(rekey_init(&client, &port, &options), 0);
    check_int(start(REGENERATE), 0);
    while (!fake.open) {
        check(rekey_step(&client) > 0);
    }
    rekey_abort(&client);
    check(world.acted && world.busy == REKEY_E_BUSY);
    check_int(rekey_step(&client), REKEY_E_ABORTED);
    check_int(start(LIST), 0);
    rekey_abort(&client);
    rows_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT(test_not_ready),  UNIT(test_null), UNIT(test_no_anchors), UNIT(test_defaults),
        UNIT(test_exit_codes), UNIT(test_port), UNIT(test_abort),      UNIT(test_busy),
    };

    return cmocka_run_group_tests_name("misuse", tests, NULL, rows_total);
}
