// hook.c - see hook.h.

#include "hook.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix.h"
#include "process.h"
#include "text.h"

// Closes all descriptors but the first three. Our own are closed by exec; inherited ones may not
// be.
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

// Runs in the child. The program is stopped when rekey dies, because the next run starts it again;
// its own children are not stopped.
static void child(const struct hook *h, pid_t parent, const struct hook_event *event) {
    static char key_file[600], endpoint[REKEY_PATH_MAX + 32], key_type[32];
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *const arguments[] = {(char *)h->program, NULL};
    char *const environment[] = {path, key_file, endpoint, key_type, NULL};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    snprintf(key_file, sizeof(key_file), "REKEY_KEY_FILE=%s", event->key_file);
    snprintf(endpoint, sizeof(endpoint), "REKEY_ENDPOINT=%s", event->endpoint);
    snprintf(key_type, sizeof(key_type), "REKEY_KEY_TYPE=%s", event->key_type);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) { // rekey has died already
        _exit(127);
    }
    setpgid(0, 0);            // a group of its own, so that it can be killed with its children
    dup2(null, STDIN_FILENO); // ours may have had the secret
    dup2(STDERR_FILENO, STDOUT_FILENO); // ours is for results
    close_others();
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    sigprocmask(SIG_SETMASK, &process.unblocked, NULL);
    execve(arguments[0], arguments, environment);
    h->not_started(h->program, errno);
    _exit(127);
}

static int check_exit(const struct hook *h, int status, struct fault *f) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return REKEY_DONE;
    }
    if (WIFEXITED(status)) {
        return fault_set(f, REKEY_LOCAL, REKEY_E_HOOK, "--exec '%s' ended with exit code %d",
                         h->program, WEXITSTATUS(status));
    }
    return fault_set(f, REKEY_LOCAL, REKEY_E_HOOK, "--exec '%s' was killed by signal %d",
                     h->program, WTERMSIG(status));
}

void hook_stop(struct hook *h) {
    if (h->child > 0) {
        kill(-h->child, SIGKILL);
        kill(h->child, SIGKILL);
        waitpid(h->child, NULL, 0);
        h->child = 0;
    }
}

int hook_run(struct hook *h, const struct hook_event *event, struct fault *f) {
    const pid_t parent = getpid();
    int status;

    if (h->child == 0) {
        h->started = rekey_posix_now_ms(NULL);
        h->child = fork();
        if (h->child == 0) {
            child(h, parent, event);
        }
        if (h->child < 0) {
            h->child = 0;
            return fault_set(f, REKEY_LOCAL, REKEY_E_HOOK, "--exec '%s': %s", h->program,
                             rekey_posix_error_text(errno));
        }
        return REKEY_WANT_TIME;
    }
    if (waitpid(h->child, &status, WNOHANG) == h->child) {
        h->child = 0;
        return check_exit(h, status, f);
    }
    if (rekey_posix_now_ms(NULL) - h->started >= h->timeout_ms) {
        hook_stop(h);
        return fault_set(f, REKEY_LOCAL, REKEY_E_HOOK,
                         "--exec '%s' was killed after %u s (--exec-timeout)", h->program,
                         (unsigned)h->timeout_ms / 1000);
    }
    return REKEY_WANT_TIME;
}
