// check_trust.c - checks the identity of the peer: what a TLS transport must refuse, and with which
// error.

#include "checks.h"

// `error` 0: any error of the group trust.
static void check_refuses(struct run *run, const char *host, enum listener listener, int error,
                          enum sentence fault) {
    struct line l = line_of(run, 0);
    int result = connect_to(&l, host, listener, LONG_MS);

    if (result == REKEY_DONE) {
        broken(run, SAYS_VERIFIED, "open returned REKEY_DONE for %s", host);
    } else if (error == 0 ? -result / 100 != 3 : result != error) {
        broken(run, fault, "it was %d, %s; not %d, %s", result, rekey_error_name(result), error,
               rekey_error_name(error));
    }
    hang_up(&l);
    if (opened(&l, PEER_FEW)) {
        hang_up(&l);
    }
}

// The peer does not speak TLS.
void check_plaintext(struct run *run) {
    check_refuses(run, run->check->host, PEER_PLAINTEXT, REKEY_E_TLS, SAYS_FAULT_TLS);
}

// Without a clock the dates of a certificate cannot be checked.
void check_no_clock(struct run *run) {
    struct line l = line_of(run, 0);
    int result;

    run->check->forget_clock(true);
    result = connect_to(&l, run->check->host, PEER_ECHO, LONG_MS);
    hang_up(&l);
    run->check->forget_clock(false);
    if (result != REKEY_E_CLOCK) {
        broken(run, SAYS_CLOCK, "the clock was never set, and open returned %d", result);
    }
}

void check_wrong_name(struct run *run) {
    check_refuses(run, run->check->host, PEER_WRONG_NAME, REKEY_E_CERT_NAME, SAYS_FAULT_NAME);
}

void check_expired(struct run *run) {
    check_refuses(run, run->check->host, PEER_EXPIRED, REKEY_E_CERT_DATES, SAYS_FAULT_DATES);
}

void check_not_yet(struct run *run) {
    check_refuses(run, run->check->host, PEER_NOT_YET, REKEY_E_CERT_DATES, SAYS_FAULT_DATES);
}

void check_untrusted(struct run *run) {
    check_refuses(run, run->check->host, PEER_UNTRUSTED, REKEY_E_CERT_ISSUER, SAYS_FAULT_ISSUER);
}

void check_impostor(struct run *run) {
    check_refuses(run, run->check->host, PEER_IMPOSTOR, REKEY_E_CERT_ISSUER, SAYS_FAULT_ISSUER);
}

void check_self_signed(struct run *run) {
    check_refuses(run, run->check->host, PEER_SELF_SIGNED, REKEY_E_CERT_ISSUER, SAYS_FAULT_ISSUER);
}

// The host is an IP address. With TLS the certificate has it as iPAddress.
void check_address(struct run *run) {
    struct line l = line_of(run, 0);
    int result = connect_to(&l, run->check->address, PEER_ECHO, LONG_MS);

    if (result != REKEY_DONE) {
        broken(run, SAYS_ADDRESS, "open returned %d for %s", result, run->check->address);
    }
    hang_up(&l);
}

void check_no_authority(struct run *run) {
    check_refuses(run, run->check->host, PEER_NO_AUTHORITY, 0, SAYS_FAULT_OTHER);
}

// The certificate has the address only as the text of a dNSName.
void check_no_address(struct run *run) {
    check_refuses(run, run->check->address, PEER_NO_ADDRESS, REKEY_E_CERT_NAME, SAYS_FAULT_NAME);
}
