// hook.c - the program that tells applications of a new key: without a shell, with an environment
// of four variables, without our descriptors, and not for ever.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "output.h"

// All but the first three. Ours close by themselves; those that we inherited may not.
static void close_others(void) {
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 3, ~0u, 0) == 0) {
        return;
    }
#endif
    for (int fd = 3; fd < 1024; fd++) { // Linux before 5.9
        close(fd);
    }
}

// The child's whole life. It is stopped when rekey dies, because the next run starts the program
// again; what it has started itself is not.
static void child(struct command *c, pid_t parent, const sigset_t *unblocked) {
    static char key_file[600], endpoint[REKEY_PATH_MAX + 32], key_type[32];
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *const arguments[] = {(char *)c->options.exec, NULL};
    char *const environment[] = {path, key_file, endpoint, key_type, NULL};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    snprintf(key_file, sizeof(key_file), "REKEY_KEY_FILE=%s", state_path(&c->state, "key"));
    snprintf(endpoint, sizeof(endpoint), "REKEY_ENDPOINT=%s", c->path);
    snprintf(key_type, sizeof(key_type), "REKEY_KEY_TYPE=%s", slot_word(c->rotation.state.slot));
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) { // it has died already
        _exit(127);
    }
    setpgid(0, 0);                      // so that it can be killed with what it has started
    dup2(null, STDIN_FILENO);           // ours may have been the secret
    dup2(STDERR_FILENO, STDOUT_FILENO); // ours is for results
    close_others();
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    sigprocmask(SIG_SETMASK, unblocked, NULL);
    execve(arguments[0], arguments, environment);
    say("error: --exec '%s': %s", c->options.exec, error_word(errno));
    _exit(127);
}

static int ended(struct command *c, int status) {
    c->hook = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return REKEY_DONE;
    }
    if (WIFEXITED(status)) {
        say("error: --exec '%s' ended with %d", c->options.exec, WEXITSTATUS(status));
    } else {
        say("error: --exec '%s' was ended by signal %d", c->options.exec, WTERMSIG(status));
    }
    return REKEY_E_HOOK;
}

void stop_hook(struct command *c) {
    if (c->hook > 0) {
        kill(-c->hook, SIGKILL);
        kill(c->hook, SIGKILL);
        waitpid(c->hook, NULL, 0);
        c->hook = 0;
    }
}

int run_hook(void *ctx) {
    struct command *c = ctx;
    const pid_t parent = getpid();
    int status;

    if (c->hook == 0) {
        if (c->rotation.result != REKEY_ROTATION_NONE) { // else it is that of an earlier run
            forget_secrets(c);
        }
        c->hook_started = rekey_posix_now_ms(NULL);
        c->hook = fork();
        if (c->hook == 0) {
            child(c, parent, c->tcp.unblocked);
        }
        if (c->hook < 0) {
            c->hook = 0;
            say("error: --exec '%s': %s", c->options.exec, error_word(errno));
            return REKEY_E_HOOK;
        }
        return REKEY_WANT_TIME;
    }
    if (waitpid(c->hook, &status, WNOHANG) == c->hook) {
        return ended(c, status);
    }
    if (rekey_posix_now_ms(NULL) - c->hook_started >= c->options.exec_timeout_ms) {
        stop_hook(c);
        say("error: --exec '%s' took longer than %u s, and was ended", c->options.exec,
            (unsigned)c->options.exec_timeout_ms / 1000);
        return REKEY_E_HOOK;
    }
    return REKEY_WANT_TIME;
}
