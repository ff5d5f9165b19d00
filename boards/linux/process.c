// process.c - see process.h.

#include "process.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "posix.h"

volatile sig_atomic_t stop_signal;
struct process process;

// A standard output that was closed stays unwritable: the descriptor is opened for reading.
static void open_standard_descriptors(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            int opened = open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);

            (void)opened; // the lowest free descriptor: it is `fd`
        }
    }
}

void process_begin(void) {
    const struct rlimit none = {0, 0};

    open_standard_descriptors();
    signal(SIGPIPE, SIG_IGN); // a write fails with EPIPE instead
    signal(SIGXFSZ, SIG_IGN);
    prlimit(0, RLIMIT_CORE, &none, NULL);
    prctl(PR_SET_DUMPABLE, 0);
    process.started = rekey_posix_now_ms(NULL);
}

static void on_signal(int number) {
    stop_signal = number;
}

// The signals are blocked except during waits (rekey_posix_wait, rekey_posix_ready), so that none
// is missed between a check of stop_signal and a wait. Files are opened without waiting.
void process_catch_signals(void) {
    const struct sigaction action = {.sa_handler = on_signal};
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t blocked;

    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sigaddset(&blocked, numbers[i]);
        sigaction(numbers[i], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &blocked, &process.unblocked);
}
