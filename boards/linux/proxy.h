// proxy.h - chooses the proxy: that of --proxy, or that of the environment. port/posix/proxy.c
// opens the tunnel. The URL in the environment may contain a password: it is never shown, and is
// removed from the environment.

#ifndef REKEY_COMMAND_PROXY_H
#define REKEY_COMMAND_PROXY_H

#include "../../port/posix/proxy.h"
#include "fault.h"

struct proxy {
    struct rekey_proxy tunnel; // the caller sets its `lower`
    const char *name;          // the option or variable that named the proxy; NULL: there is none
    const char *ignored[2];    // variables that name a proxy and are not used; or NULL
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

// Secrets that a service may repeat and that must not be shown: the password, and the field as it
// is sent. Whole buffers, with NULs at the end.
struct rekey_span proxy_password(const struct proxy *p);
struct rekey_span proxy_credentials(const struct proxy *p);

// Writes how the proxy caused `error` in the last attempt to reach a host. `tcp_error` is the errno
// of the connection. False if the proxy did not cause it.
bool proxy_explain(const struct proxy *p, int error, int tcp_error, char *buf, size_t cap);

void proxy_forget(struct proxy *p); // overwrites the credentials

#endif
