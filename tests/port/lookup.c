// lookup.c - replaces the C library's getaddrinfo: it knows the names of subject.h. A lookup of
// HANGING never ends.

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

#include "subject.h"

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **list) {
    static struct sockaddr_in at[SUBJECT_ADDRESSES];
    static struct addrinfo info[SUBJECT_ADDRESSES];
    const char *text[SUBJECT_ADDRESSES];
    const size_t count = subject_addresses(name, text);

    (void)service;
    (void)hints;
    while (strcmp(name, HANGING) == 0) {
        pause();
    }
    for (size_t i = 0; i < count; i++) {
        at[i].sin_family = AF_INET;
        inet_pton(AF_INET, text[i], &at[i].sin_addr);
        info[i].ai_family = AF_INET;
        info[i].ai_socktype = SOCK_STREAM;
        info[i].ai_addr = (struct sockaddr *)&at[i];
        info[i].ai_addrlen = sizeof(at[i]);
        info[i].ai_next = i + 1 < count ? &info[i + 1] : NULL;
    }
    *list = info;
    return count > 0 ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list) {
    (void)list;
}
