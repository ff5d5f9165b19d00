// main.c - the command `rekey`: puts the ports together, runs the operation, ends cleanly on a
// signal. The exit code is the outcome (azure.md 7). Everything is in static memory; nothing is on
// the heap.

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "command.h"
#include "endpoint.h"
#include "output.h"

volatile sig_atomic_t stop_signal;

static struct command command;

static void on_signal(int number) {
    stop_signal = number;
}

// These signals come only while the command waits for something (rekey_posix_wait,
// rekey_posix_ready), so that none is missed between a look at stop_signal and a sleep. Whatever
// is opened is opened without waiting.
static void catch_signals(sigset_t *unblocked) {
    const struct sigaction action = {.sa_handler = on_signal};
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t blocked;

    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sigaddset(&blocked, numbers[i]);
        sigaction(numbers[i], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &blocked, unblocked);
    interrupt_output(unblocked);
}

// The names by which errors, records and -v speak of the operation.
static void set_names(struct command *c) {
    const struct command_options *o = &c->options;
    bool ipv6 = memchr(o->host.ptr, ':', o->host.len) != NULL;
    bool list = o->command == COMMAND_LIST_KEYS;
    int len = snprintf(c->management, sizeof(c->management), ipv6 ? "[%.*s]" : "%.*s",
                       (int)o->host.len, o->host.ptr);

    if (o->port != 443) {
        snprintf(c->management + len, sizeof(c->management) - (size_t)len, ":%u", o->port);
    }
    c->file.path = o->operation_file;
    c->file.management = rekey_span(c->management, strlen(c->management));
    if (o->key != 0) {
        c->file.key_type = rekey_span(slot_word(o->key), strlen(slot_word(o->key)));
    }
    if (o->endpoint.name.ptr != NULL) {
        struct rekey_span action = list ? REKEY_SPAN("/listKeys")
                                   : o->command == COMMAND_REGENERATE
                                       ? REKEY_SPAN("/regenerateKeys")
                                       : rekey_span("", 0);
        size_t n = rekey_endpoint_path(&o->endpoint, action, c->path);

        if (o->state != NULL) { // it names the endpoint, in all versions of the API
            n = (size_t)((char *)memchr(c->path, '?', n) - c->path);
        }

        c->path[n] = '\0';
        c->file.endpoint = rekey_span(c->path, n);
    }
}

// What a service may repeat, and the core does not know: a proxy's password, as it is and as it is
// sent, and the keys that --check-keys has listed.
static const struct rekey_secret *list_secrets(struct command *c) {
    const size_t name = sizeof("Proxy-Authorization: Basic ") - 1;
    const struct rekey_span texts[] = {
        rekey_span(c->proxy_password, sizeof(c->proxy_password)),
        rekey_span(c->proxy_authorization + name, sizeof(c->proxy_authorization) - name),
        rekey_span(c->before.primary.value, sizeof(c->before.primary.value)),
        rekey_span(c->before.secondary.value, sizeof(c->before.secondary.value)),
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        c->secrets[i].text = texts[i];
        c->secrets[i].next = i + 1 < sizeof(texts) / sizeof(texts[0]) ? &c->secrets[i + 1] : NULL;
    }
    return c->secrets;
}

void forget_secrets(struct command *c) {
    rekey_zeroize(c->token, sizeof(c->token));
    rekey_zeroize(&c->got, sizeof(c->got));
    rekey_zeroize(c->proxy_authorization, sizeof(c->proxy_authorization));
    rekey_zeroize(c->proxy_password, sizeof(c->proxy_password));
    rekey_zeroize(c->identity.secret, sizeof(c->identity.secret));
    if (c->identity.pem_len > 0) { // else its pages were never touched
        rekey_zeroize(c->identity.pem, sizeof(c->identity.pem));
    }
}

// TLS over TCP over this machine, and the client on it.
static void set_up_client(struct command *c, struct rekey_anchors anchors) {
    const struct command_options *o = &c->options;

    c->tcp = (struct rekey_posix_tcp)REKEY_POSIX_TCP_INIT;
    c->tcp.unblocked = &c->unblocked;
    c->port = (struct rekey_port){.tls = rekey_tls_transport(&c->tls),
                                  .plain = rekey_posix_transport(&c->tcp),
                                  .now_ms = rekey_posix_now_ms,
                                  .wall_s = rekey_posix_wall_s,
                                  .entropy = rekey_posix_entropy};
    c->proxy.lower = rekey_posix_transport(&c->tcp);
    rekey_tls_init(&c->tls, rekey_proxy_transport(&c->proxy), &c->port, anchors, c->arena,
                   sizeof(c->arena));
    c->tls.keep = o->host;
    c->tls.keep_port = o->port;
    c->client_options = (struct rekey_options){
        .host = o->host,
        .port = o->port,
        .board = REKEY_SPAN(REKEY_BOARD),
        .credential = c->identity.credential,
        .token = give_token,
        .token_ctx = c,
        .save = o->operation_file != NULL ? operation_file_save : NULL,
        .save_ctx = &c->file,
        .timeout_ms = o->timeout_ms,
        .connect_timeout_ms = o->connect_timeout_ms,
        .idle_timeout_ms = o->idle_timeout_ms,
        .poll_interval_ms = o->poll_interval_ms,
        .retry_unsafe = o->retry_unsafe,
        .secrets = list_secrets(c),
    };
    rekey_init(&c->client, &c->port, &c->client_options); // options.c has checked what it checks
}

// An operation file that is there already is another operation's, and is never overwritten.
static int check_operation_file(struct command *c) {
    const char *path = c->options.operation_file;

    if (path == NULL || (access(path, F_OK) != 0 && errno == ENOENT)) {
        return 0;
    }
    if (access(path, F_OK) != 0) {
        return refuse(c, REKEY_LOCAL, REKEY_E_SAVE, "--operation-file '%s': %s", path,
                      error_word(errno));
    }
    return refuse(
        c, REKEY_USAGE, REKEY_E_SAVE,
        "--operation-file '%s': it exists already: finish it with `rekey wait`, or remove it",
        path);
}

static int read_operation_file(struct command *c) {
    const char *path = c->options.operation_file;

    switch (operation_file_read(&c->file, path)) {
    case OPERATION_FILE_OK:
        if (c->file.record.kind == REKEY_POLL_NONE) {
            return refuse(c, REKEY_UNKNOWN, REKEY_E_RESUME_NO_URL, "--operation-file '%s': %s",
                          path, rekey_error_text(REKEY_E_RESUME_NO_URL));
        }
        return 0;
    case OPERATION_FILE_UNREADABLE:
        return refuse(c, c->file.error == ENOENT ? REKEY_USAGE : REKEY_LOCAL, REKEY_E_RECORD,
                      "--operation-file '%s': %s", path, error_word(c->file.error));
    case OPERATION_FILE_FORMAT:
        return refuse(c, REKEY_LOCAL, REKEY_E_RECORD,
                      "--operation-file '%s': its format is that of another version of rekey",
                      path);
    default:
        return refuse(c, REKEY_UNKNOWN, REKEY_E_RECORD, "--operation-file '%s': it is damaged",
                      path);
    }
}

// Starts the operation. An error of the core is in its report; a bad key value is the user's.
static int start(struct command *c) {
    struct rekey_span value = rekey_span(c->key_value, c->key_value_len);
    int error;

    switch (c->options.command) {
    case COMMAND_WAIT:
        rekey_resume(&c->client, &c->file.record);
        return 0;
    case COMMAND_LIST_KEYS:
        rekey_list_keys(&c->client, &c->options.endpoint, &c->keys);
        return 0;
    case COMMAND_TOKEN:
        rekey_get_token(&c->client, &c->got);
        return 0;
    case COMMAND_SHOW:
        rekey_show(&c->client, &c->options.endpoint, &c->shown);
        return 0;
    default:
        error = rekey_regenerate(&c->client, &c->options.endpoint, c->options.key, value);
        rekey_zeroize(c->key_value, sizeof(c->key_value));
        if (error == REKEY_E_KEY_VALUE) {
            return refuse(c, REKEY_USAGE, error, "--key-value-file '%s': %s",
                          c->options.key_value_file, rekey_error_text(error));
        }
        return 0;
    }
}

static void run(struct command *c, struct rekey *client, struct rekey_report *report) {
    int result = REKEY_AGAIN;

    rekey_report(client, report);
    while (result > 0) {
        struct rekey_report before = *report;
        char status[32]; // the report's own is the client's, and changes

        memcpy(status, report->status, sizeof(status));
        before.status = status;
        result = rekey_step(client);
        rekey_report(client, report);
        tell(c, report, &before);
        if (stop_signal != 0 || (c->options.no_wait && report->kind != REKEY_POLL_NONE)) {
            rekey_abort(client);
            result = 0;
        } else if (result > 0 && result != REKEY_AGAIN) {
            rekey_posix_wait(&c->tcp, result, rekey_wait_ms(client));
        }
    }
    rekey_report(client, report);
}

static const struct rekey_key_value *chosen(const struct command *c,
                                            const struct rekey_keys *keys) {
    return c->options.key == REKEY_KEY_PRIMARY ? &keys->primary : &keys->secondary;
}

// --timeout is for all operations of a run. With nothing left the next one ends at once.
static void use_timeout_left(struct command *c) {
    uint64_t gone = rekey_posix_now_ms(NULL) - c->started;

    c->client_options.timeout_ms =
        gone < c->options.timeout_ms ? (uint32_t)(c->options.timeout_ms - gone) : 1;
}

// azure.md 7: that a key differs can raise "unknown" to "succeeded"; that it does not proves
// nothing.
static void compare_keys(struct command *c, struct rekey_report *report) {
    const struct rekey_key_value *before = chosen(c, &c->before), *after = chosen(c, &c->keys);
    struct rekey_report listed;

    if (report->outcome != REKEY_SUCCEEDED && report->outcome != REKEY_UNKNOWN) {
        return;
    }
    use_timeout_left(c);
    rekey_init(&c->checker, &c->port, &c->client_options);
    rekey_list_keys(&c->checker, &c->options.endpoint, &c->keys);
    run(c, &c->checker, &listed);
    if (listed.outcome != REKEY_SUCCEEDED) {
        say("--check-keys: the keys could not be listed afterwards: %s",
            rekey_error_text(listed.error));
    } else if (after->null || rekey_span_equal(rekey_span(before->value, before->len),
                                               rekey_span(after->value, after->len))) {
        say("--check-keys: the key is listed as it was before, which proves nothing");
    } else if (report->outcome == REKEY_UNKNOWN) {
        say("--check-keys: the key is another one than before: succeeded, by comparison (somebody "
            "else may have changed it)");
        report->outcome = REKEY_SUCCEEDED;
        report->error = 0;
    } else {
        say("--check-keys: the key is another one than before");
    }
    rekey_zeroize(&c->keys, sizeof(c->keys));
    rekey_zeroize(&c->before, sizeof(c->before));
}

// Runs the operation, between two lists where that was asked for. Returns the exit code.
static int operate(struct command *c) {
    struct rekey_report report;
    int code;

    if (c->options.check_keys) {
        rekey_list_keys(&c->client, &c->options.endpoint, &c->before);
        run(c, &c->client, &report);
        if (report.outcome != REKEY_SUCCEEDED) {
            return conclude(c, &report);
        }
        use_timeout_left(c);
    }
    code = start(c);
    if (code != 0) {
        return code;
    }
    run(c, &c->client, &report);
    if (c->options.check_keys) {
        compare_keys(c, &report);
    }
    return conclude(c, &report);
}

// Everything that can be refused before the first packet, in the order in which a user would mend
// it.
static int prepare(struct command *c, struct rekey_anchors *anchors) {
    int code = c->options.command == COMMAND_WAIT         ? read_operation_file(c)
               : c->options.command == COMMAND_REGENERATE ? check_operation_file(c)
               : c->options.state != NULL                 ? open_state(c)
                                                          : 0;

    memset(anchors, 0, sizeof(*anchors));
    if (code != 0 || c->options.rollback) {
        return code;
    }
    if (code == 0) {
        code = choose_proxy(c);
    }
    if (code == 0) {
        code = choose_identity(c);
    }
    if (code == 0) {
        code = take_key_value(c);
    }
    return code != 0 ? code : find_anchors(c, anchors);
}

int main(int argc, char **argv) {
    const struct rlimit none = {0, 0};
    struct command *c = &command;
    struct rekey_anchors anchors;
    int code = 0;

    open_standard_descriptors();
    signal(SIGPIPE, SIG_IGN); // a write fails, and says so
    signal(SIGXFSZ, SIG_IGN);
    prlimit(0, RLIMIT_CORE, &none, NULL); // a core dump would hold the token
    prctl(PR_SET_DUMPABLE, 0);
    c->started = rekey_posix_now_ms(NULL);
    if (!parse_options(&c->options, argc, argv, &code)) {
        return code;
    }
    if (c->options.command == COMMAND_STATUS) {
        return print_status(c);
    }
    catch_signals(&c->unblocked);
    set_names(c);
    code = prepare(c, &anchors);
    forget_environment();
    if (code == 0) {
        set_up_client(c, anchors);
        code = check_identity(c);
    }
    if (code == 0 && c->options.state != NULL) {
        code = run_rotation(c);
        rekey_tls_free(&c->tls);
    } else if (code == 0) {
        code = operate(c);
        rekey_tls_free(&c->tls);
    }
    forget_secrets(c);
    return code;
}
