// lookup.c - looks up a host name in a child process that can be killed. The child calls
// getaddrinfo and writes the addresses to a pipe; the parent never waits for it.

#include "posix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// If the kernel has no close_range (before 5.9), a child closes only descriptors below this number:
// each takes a system call, and a container may allow a billion descriptors.
#define CLOSED_MAX 65536

_Static_assert(sizeof(((struct rekey_posix_tcp *)0)->addresses) <= 4096,
               "what the child writes fits a pipe: it never blocks");

static void set_port(struct rekey_posix_address *a, uint16_t port) {
    if (a->at.any.sa_family == AF_INET6) {
        a->at.v6.sin6_port = htons(port);
    } else {
        a->at.v4.sin_port = htons(port);
    }
}

// The first address of this family in the list `a`, or NULL.
static const struct addrinfo *of_family(const struct addrinfo *a, int family) {
    while (a != NULL && a->ai_family != family) {
        a = a->ai_next;
    }
    return a;
}

// In the child: makes the pipe descriptor 0, and closes all others. Otherwise a connection that the
// parent closes would stay open, without a FIN, until the child ends. Descriptors 1 and 2 are kept
// in use, so that output of a library cannot go to a socket that it opens later.
static void keep_pipe_alone(int pipe_end) {
    long result = -1;

    dup2(pipe_end, 0);
#ifdef SYS_close_range
    result = syscall(SYS_close_range, 1u, ~0u, 0u);
#endif
    for (int fd = 1; result != 0 && fd < CLOSED_MAX; fd++) {
        close(fd);
    }
    dup2(open("/dev/null", O_WRONLY), 2);
}

// Runs in the child and does not return. The exit closes the pipe; an empty pipe means that no
// address was found.
static void child(const char *host, uint16_t port, int pipe_end, pid_t parent) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const struct addrinfo *rest[2];
    struct addrinfo *list = NULL;
    struct rekey_posix_address found[REKEY_POSIX_ADDRESSES];
    size_t count = 0;
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1); // the parent has died before the call above
    }
    signal(SIGINT, SIG_IGN); // the parent decides when to stop
    signal(SIGTERM, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    keep_pipe_alone(pipe_end);
    if (getaddrinfo(host, NULL, &hints, &list) != 0) {
        _exit(1);
    }
    memset(found, 0, sizeof(found));

    // Takes the address families in turn, beginning with the one that getaddrinfo prefers (RFC 8305
    // 4).
    rest[0] = of_family(list, list->ai_family);
    rest[1] = of_family(list, list->ai_family == AF_INET ? AF_INET6 : AF_INET);
    for (int i = 0; count < REKEY_POSIX_ADDRESSES && (rest[0] != NULL || rest[1] != NULL); i = !i) {
        const struct addrinfo *a = rest[i];

        if (a != NULL) {
            memcpy(&found[count].at, a->ai_addr, a->ai_addrlen);
            found[count].len = a->ai_addrlen;
            set_port(&found[count++], port);
            rest[i] = of_family(a->ai_next, a->ai_family);
        }
    }
    _exit(write(0, found, count * sizeof(found[0])) < 0 ? 1 : 0);
}

// An IP address needs no lookup. The scope of an IPv6 address is the name or the number of an
// interface (RFC 4007 11).
static bool literal(struct rekey_posix_address *a, char *host) {
    char *scope = strchr(host, '%');

    memset(a, 0, sizeof(*a));
    if (inet_pton(AF_INET, host, &a->at.v4.sin_addr) == 1) {
        a->at.v4.sin_family = AF_INET;
        a->len = sizeof(a->at.v4);
        return true;
    }
    if (scope != NULL) {
        *scope = '\0';
    }
    if (inet_pton(AF_INET6, host, &a->at.v6.sin6_addr) == 1) {
        a->at.v6.sin6_family = AF_INET6;
        a->len = sizeof(a->at.v6);
        if (scope != NULL) {
            unsigned id = if_nametoindex(scope + 1);
            struct rekey_span number = rekey_span(scope + 1, strlen(scope + 1));

            a->at.v6.sin6_scope_id = id != 0 ? id : (uint32_t)rekey_number(number, INT16_MAX);
        }
        return true;
    }
    if (scope != NULL) {
        *scope = '%';
    }
    return false;
}

int rekey_posix_lookup_start(struct rekey_posix_tcp *tcp, struct rekey_span host, uint16_t port) {
    char name[256];
    size_t n = 0;
    int ends[2];
    pid_t parent = getpid();

    tcp->count = tcp->next = tcp->received = 0;
    tcp->error = 0;
    if (host.len >= sizeof(name)) {
        return REKEY_E_LOOKUP;
    }
    for (size_t i = 0; i < host.len; i++) {
        name[i] = rekey_lower(host.ptr[i]); // musl compares /etc/hosts case-sensitively
    }
    name[host.len] = '\0';
    if (literal(tcp->addresses, name)) {
        n = 1;
    } else if (tcp->known != NULL) {
        n = tcp->known(tcp->known_arg, name, tcp->addresses, REKEY_POSIX_ADDRESSES);
        n = n < REKEY_POSIX_ADDRESSES ? n : REKEY_POSIX_ADDRESSES;
    }
    for (size_t i = 0; i < n; i++) {
        set_port(&tcp->addresses[i], port);
    }
    tcp->count = n;
    if (n > 0) {
        return 0;
    }
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        tcp->error = errno;
        return REKEY_E_LOOKUP;
    }
    tcp->lookup = fork();
    if (tcp->lookup == 0) {
        child(name, port, ends[1], parent);
    }
    close(ends[1]);
    tcp->fd = ends[0];
    if (tcp->lookup < 0) {
        tcp->error = errno;
        tcp->lookup = 0;
        return REKEY_E_LOOKUP;
    }
    return 0;
}

int rekey_posix_lookup_step(struct rekey_posix_tcp *tcp) {
    char *into = (char *)tcp->addresses;
    ssize_t n;

    while ((n = read(tcp->fd, into + tcp->received, sizeof(tcp->addresses) - tcp->received)) > 0) {
        tcp->received += (size_t)n;
    }
    if (n < 0 && errno == EINTR) {
        return REKEY_WANT_READ;
    }
    if (n < 0 && errno == EAGAIN && tcp->received < sizeof(tcp->addresses)) {
        return REKEY_WANT_READ;
    }
    rekey_posix_lookup_stop(tcp);
    tcp->count = tcp->received / sizeof(tcp->addresses[0]);
    return tcp->count > 0 ? REKEY_DONE : REKEY_E_LOOKUP;
}

void rekey_posix_lookup_stop(struct rekey_posix_tcp *tcp) {
    if (tcp->lookup > 0) {
        kill(tcp->lookup, SIGKILL);
        while (waitpid(tcp->lookup, NULL, 0) < 0 && errno == EINTR) {
        }
        tcp->lookup = 0;
        close(tcp->fd);
        tcp->fd = -1;
    }
}
