// token_service.c - see token_service.h.

#include "token_service.h"

#include <stdio.h>

#include "input.h"
#include "text.h"
#include "url.h"

#define TOKEN_PATH "/metadata/identity/oauth2/token"

const struct cloud clouds[3] = {
    {"public", "management.azure.com", "login.microsoftonline.com",
     "https://management.azure.com/.default", "https://management.azure.com/"},
    {"usgov", "management.usgovcloudapi.net", "login.microsoftonline.us",
     "https://management.usgovcloudapi.net/.default", "https://management.usgovcloudapi.net/"},
    {"china", "management.chinacloudapi.cn", "login.chinacloudapi.cn",
     "https://management.chinacloudapi.cn/.default", "https://management.chinacloudapi.cn/"},
};

static struct rekey_span text_of(const char *text) {
    return rekey_span(text, strlen(text));
}

static int bad_url(struct fault *f, const char *name, const char *value, const char *rule) {
    char text[512];

    return fault_set(f, REKEY_USAGE, REKEY_E_PLAIN, "%s '%s': %s", name,
                     visible(text_of(value), text, sizeof(text)), rule);
}

// The authority is https://HOST, https://HOST:PORT, or only the host.
int token_service_authority(struct rekey_entra *entra, const struct cloud *cloud, char text[300],
                            struct fault *f) {
    const char *name = "AZURE_AUTHORITY_HOST", *value = input_variable(name);
    struct rekey_url url;

    if (value == NULL) {
        value = cloud->authority;
    }
    snprintf(text, 300, "%s%s", strstr(value, "://") == NULL ? "https://" : "", value);
    if (rekey_url_parse(text_of(text), &url) != 0 || url.target.len > 1) {
        return bad_url(f, name, value, "https://HOST or https://HOST:PORT, and nothing else");
    }
    entra->authority = url.host;
    entra->port = url.port;
    entra->scope = text_of(cloud->scope);
    return 0;
}

// The endpoint is http://HOST[:PORT], with or without the path of tokens. The host must be this
// machine; for IMDS it may be 169.254.169.254.
int token_service_endpoint(struct rekey_managed *m, const struct cloud *cloud, bool arc,
                           struct fault *f) {
    const char *name = arc ? "IDENTITY_ENDPOINT" : "IMDS_ENDPOINT";
    const char *value = input_variable(name), *rest, *end;
    uint32_t port = 0;

    if (value == NULL) {
        value = arc ? "http://127.0.0.1:40342" TOKEN_PATH : "http://169.254.169.254";
    }
    m->resource = text_of(cloud->resource);
    rest = strncmp(value, "http://", 7) == 0 ? value + 7 : "";
    end = rest + (rest[0] == '[' ? strcspn(rest, "]") : strcspn(rest, ":/"));
    m->host = rest[0] == '[' ? rekey_span(rest + 1, (size_t)(end - rest) - 1)
                             : rekey_span(rest, (size_t)(end - rest));
    end += *end == ']';
    if (*end == ':') {
        for (end++; rekey_is_digit(*end) && port <= 65535; end++) {
            port = port * 10 + (uint32_t)(*end - '0');
        }
    } else {
        port = 80;
    }
    m->port = (uint16_t)port;
    if (port == 0 || port > 65535 || !rekey_credential_plain_host(m->host) ||
        (arc && rekey_span_equal(m->host, REKEY_SPAN("169.254.169.254"))) ||
        (end[0] != '\0' && strcmp(end, "/") != 0 && strcmp(end, TOKEN_PATH) != 0)) {
        return bad_url(
            f, name, value,
            arc ? "http://HOST:PORT of this machine, and nothing else"
                : "http://HOST:PORT of this machine or 169.254.169.254, and nothing else");
    }
    return 0;
}
