// sockets_client.h - port/sockets over lwIP's sockets API, for programs that also use the C
// library's sockets. There is one connection.

#ifndef REKEY_LWIP_SOCKETS_CLIENT_H
#define REKEY_LWIP_SOCKETS_CLIENT_H

#include "rekey_port.h"

struct rekey_transport sockets_client(const struct rekey_port *port);

void sockets_client_wait(const struct rekey_transport *t, int want, uint32_t ms);

#endif
