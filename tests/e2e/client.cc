// client.cc - boards/examples/regenerate.c in C++17, against the installed library.

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string_view>

#include <rekey/owner.h>
#include <rekey/pem_bundle.h>
#include <rekey/posix.h>
#include <rekey/rekey.h>
#include <rekey/tls.h>

namespace {

rekey client;
rekey_posix_tcp tcp = REKEY_POSIX_TCP_INIT;
rekey_tls tls;
struct rekey_pem_bundle bundle; // a function has the same name
alignas(16) unsigned char arena[REKEY_ARENA_SIZE];

struct rekey_span span(std::string_view text) {
    return rekey_span(text.data(), text.size());
}

int token(void *ctx, char *buf, size_t cap, size_t *len) {
    const std::string_view text = static_cast<const char *>(ctx);
    *len = text.copy(buf, cap);
    if (*len < text.size()) {
        return REKEY_E_LIMIT_TOKEN;
    }
    return REKEY_DONE;
}

} // namespace

int main(int argc, char **argv) { // host port ca-file subscription group workspace endpoint; TOKEN
    if (argc != 8) {
        return 2;
    }
    rekey_port port{};
    port.ctx = &tcp;
    port.tls = rekey_tls_transport(&tls);
    port.now_ms = rekey_posix_now_ms;
    port.wall_s = rekey_posix_wall_s;
    port.entropy = rekey_posix_entropy;
    port.wait = rekey_posix_wait;

    rekey_options options = REKEY_OPTIONS_INIT;
    options.host = span(argv[1]);
    options.port = static_cast<uint16_t>(std::atoi(argv[2]));
    options.token = token;
    options.token_ctx = std::getenv("TOKEN");

    rekey_endpoint endpoint{};
    endpoint.subscription = span(argv[4]);
    endpoint.resource_group = span(argv[5]);
    endpoint.workspace = span(argv[6]);
    endpoint.name = span(argv[7]);

    rekey_mbedtls_init(&port, arena, sizeof(arena));
    rekey_tls_init(&tls, rekey_posix_transport(&tcp), &port, rekey_pem_bundle(&bundle, argv[3]));
    rekey_init(&client, &port, &options);
    rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN(""));
    rekey_run(&client);
    struct rekey_report report;
    rekey_report(&client, &report);
    std::cout << "outcome " << report.outcome << ", error " << rekey_error_name(report.error)
              << ", polls " << report.polls << "\n";
    return report.outcome;
}
