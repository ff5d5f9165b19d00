// proxy.h - which proxy the command goes through: the one of --proxy, or that of the environment.
// How a tunnel is opened is in port/posix/proxy.c. The URL in the environment may hold a password:
// it is never shown, and does not stay where it was found.

#ifndef REKEY_COMMAND_PROXY_H
#define REKEY_COMMAND_PROXY_H

#include "../../port/posix/proxy.h"
#include "fault.h"

struct proxy {
    struct rekey_proxy tunnel; // its `lower` is the caller's to set
    const char *name;          // the option or variable that named the proxy; NULL: there is none
    const char *ignored[2];    // variables that hold a proxy and are not used; NULL: not set
    char url[512];             // https://HOST[:PORT] of the proxy
    char authorization[320];   // the whole field line
    char password[256];
};

// Chooses: `option` is the value of --proxy or NULL, `auth_file` that of --proxy-auth-file, read
// until the time `until` of rekey_posix_now_ms. Returns 0, or an error with *f.
int proxy_choose(struct proxy *p, const char *option, const char *auth_file, uint64_t until,
                 struct fault *f);

// HOST[:PORT] of the proxy, to be shown.
const char *proxy_host(const struct proxy *p);

// What a service may repeat, and must not be shown: the password, as it is and as it is sent. Whole
// buffers with NULs at the end.
struct rekey_span proxy_password(const struct proxy *p);
struct rekey_span proxy_credentials(const struct proxy *p);

// Says in words what the proxy has to do with `error` of the last attempt to reach a host.
// `tcp_error` is the errno of the connection. False if it has nothing to do with it.
bool proxy_explain(const struct proxy *p, int error, int tcp_error, char *buf, size_t cap);

void proxy_forget(struct proxy *p); // overwrites the credentials

#endif
