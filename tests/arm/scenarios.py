# scenarios.py - the answers of the stand-in service, as data. Each entry is a scenario. An endpoint gets the scenario
# that its name has before "--", or one sent as JSON in the same form through the control listener. This file has no
# logic; arm.py plays the scenarios.
#
# A scenario:
#   post, poll, list, get, score   lists of answers: the n-th request gets the n-th answer, the last one repeats.
#                         get: for the endpoint itself; score: at its scoring URI, with an accepted key
#   poll_async, poll_location   answers by the kind of polling URL, instead of poll
#   execute               when the key changes: "post" (the default, unless the answer's status is 3xx, 4xx or
#                         5xx), "first-poll", "success" (with the answer that says so), "never", or {"after": S}:
#                         seconds after the POST, whatever the answer is
#   kind                  "online" (the default) or "serverless": requests for the other kind get 404
#   properties            members of `properties` in the answer to get; they replace those of ENDPOINT
#   stale_for, stale_lists   seconds, and number of lists, for which listKeys gives the previous keys
#   accept_after          seconds until scoring accepts a regenerated key; old_accepted: true: until then the key
#                         that it replaces is still accepted
#   tokens                the accepted tokens (others get 401): a list, or lists by request (post, poll, list);
#                         "issued" instead of a list: the valid tokens that the identities of identity.py issued
#   base                  (only over the control listener) the name of the scenario that this one changes
# An answer:
#   status, reason, version, headers ([name, value] pairs, sent first and as given), body (text, or JSON)
#   framing               "length" (default), "chunked" (of `chunk` bytes), "close" or "none"
#   bare                  true: without Date, Content-Type, x-ms-request-id and x-ms-correlation-request-id
#   raw                   latin-1 text to send verbatim instead of all the above
#   interim               answers to send before it (1xx)
#   delay, split, pause   seconds before it; bytes per TLS record; seconds before each of these pieces
#   cut                   sends only the first N bytes (negative: all but the last N)
#   after_head            true: answers once the head of the request has arrived, and does not read the body
#   do_before, do_after   lines for the control listener ("PUT /certificate/main?name=expired")
#   then                  "keep"; "close" (close_notify, FIN; the default after Connection: close), "abort" (FIN without
#                         close_notify), "reset" (RST), "stall" (nothing more, until the client goes)
# The scenario of a listener (PUT /scenario/@main) has one list, connect: what the next connections get instead of
# service, an answer each; null: that one is served, as all are after the list. before_handshake: true acts before TLS.
#
# Header values and bodies may hold {self} (https://host:port that was called), {host}, {port}, {forbidden} and
# {forbidden_tls} (ports), {async} and {location} (this operation's polling URLs), {async:N} (padded to N bytes),
# {signed_async} and {signed_location} (3.2 KB), {new_async} and {new_location} (URLs of their own from now on),
# {operation} and {operation_path}, {primary}, {secondary} and {keys} (as JSON), {keys_before} (the last regeneration),
# {name} (of the endpoint), {scoring_uri}, {guid}, {pad:N}, {date} and {date+5}.

LISTS = ("post", "poll", "poll_async", "poll_location", "list", "get", "score")
MEMBERS = {*LISTS, "execute", "tokens", "base", "kind", "properties", "stale_for", "stale_lists", "accept_after",
           "old_accepted"}
ANSWER_MEMBERS = {"status", "reason", "version", "headers", "body", "framing", "chunk", "bare", "raw", "interim",
                  "delay", "split", "pause", "cut", "after_head", "do_before", "do_after", "then", "before_handshake"}

NOW = ["Retry-After", "0"]
ASYNC = ["Azure-AsyncOperation", "{async}"]
LOCATION = ["Location", "{location}"]


def accepted(*headers, **more):
    return {"status": 202, "headers": list(headers), "body": "", **more}


def state(status, percent=None, **more):
    body = {"id": "{operation_path}", "name": "{operation}", "startTime": "2026-03-03T20:17:59.3874592+00:00",
            "endTime": "0001-01-01T00:00:00+00:00", "percentComplete": percent, "status": status}
    if percent is None:
        del body["percentComplete"]
    return {"status": 200, "headers": [NOW], "body": body, **more}


def error(status, code, message, *headers, **more):
    return {"status": status, "headers": list(headers), "body": {"error": {"code": code, "message": message}}, **more}


RUNNING = state("Updating", 0.0)
HALF = state("Updating", 50.0)
DONE = state("Succeeded", 100.0)
FAILURE = {"code": "KeyRegenerationFailed", "message": "The key store is not available.", "target": "keyStore",
           "details": [{"code": "Inner", "message": "inner", "target": None, "details": [], "additionalInfo": None}],
           "additionalInfo": [{"type": "TraceId", "info": {"traceId": "0af7651916cd43dd"}}]}
NOT_FOUND = {"status": 404, "body": {"error": {
    "code": "NotFound", "message": "The operation was not found.", "target": None,
    "details": [{"code": "OperationNotFound", "message": "Operation {operation} was not found."}]}}}
BOTH = accepted(ASYNC, LOCATION, NOW)
# The answers to get. They have the size, and the members, of the service's own.
ENDPOINT = {
    "id": "/subscriptions/x/resourceGroups/x/providers/Microsoft.MachineLearningServices/workspaces/x/{name}",
    "name": "{name}", "type": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints", "location": "eastus",
    "tags": {}, "kind": "Managed", "identity": {"type": "SystemAssigned", "principalId": "{guid}", "tenantId": "{guid}"},
    "systemData": {"createdBy": "somebody", "createdAt": "2026-03-03T20:17:59.3874592Z", "lastModifiedBy": "somebody"},
    "properties": {
        "authMode": "Key", "provisioningState": "Succeeded", "scoringUri": "{scoring_uri}",
        "swaggerUri": "{scoring_uri}/swagger.json", "description": "{pad:600}", "compute": None, "keys": None,
        "traffic": {"blue": 90, "green": 10}, "mirrorTraffic": {}, "publicNetworkAccess": "Enabled",
        "properties": {"azureml.onlineendpointid": "{guid}", "createdBy": "{guid}", "AzureAsyncOperationUri":
                       "https://management.azure.com/subscriptions/x/providers/Microsoft.MachineLearningServices"
                       "/locations/eastus/mfeOperationsStatus/oe:{guid}:{guid}?api-version=2022-02-01-preview"}}}
# The defaults of a scenario.
DEFAULT = {"post": [{"status": 200}], "poll": [DONE], "list": [{"status": 200, "body": "{keys}"}],
           "get": [{"status": 200, "body": ENDPOINT}], "score": [{"status": 200, "body": {"result": [1.0]}}],
           "kind": "online", "stale_for": 0, "stale_lists": 0, "accept_after": 0, "old_accepted": False}

# A head of some 8 KB with 22 headers, as the service has sent it since 2024.
SIGNED = {"status": 202, "bare": True, "framing": "chunked", "body": "null", "headers": [
    ["Cache-Control", "no-cache"], ["Pragma", "no-cache"], ["Transfer-Encoding", "chunked"],
    ["Content-Type", "application/json; charset=utf-8"], ["Expires", "-1"], ["Location", "{signed_location}"],
    ["Vary", "Accept-Encoding"], ["Request-Context", "appId=cid-v1:2d2e8e63-272e-4b3c-8598-4ee570a0e70d"],
    ["Azure-AsyncOperation", "{signed_async}"], ["x-ms-response-type", "standard"],
    ["x-ms-async-operation-timeout", "PT30M"], ["x-request-time", "0.186"], ["Azure-AsyncNotification", "Disabled"],
    ["Strict-Transport-Security", "max-age=31536000; includeSubDomains"], ["X-Content-Type-Options", "nosniff"],
    ["x-aml-cluster", "vienna-eastus-01"], ["x-ms-ratelimit-remaining-subscription-writes", "199"],
    ["x-ms-request-id", "{guid}"], ["x-ms-correlation-request-id", "{guid}"],
    ["x-ms-routing-request-id", "EASTUS:20260303T201759Z:{guid}"],
    ["X-MSEdge-Ref", "Ref A: {pad:32} Ref B: {pad:16} Ref C: 2026-03-03T20:17:59Z {pad:1100}"], ["Date", "{date}"]]}


def then_done(post, *polls, **more):
    return {"post": [post], "poll": [*polls, DONE], **more}


def refusal(status, code, *headers, **more):
    return {"post": [error(status, code, f"The stand-in service answers {status}.", *headers, **more)]}


def hostile(url):
    """The preferred polling URL points to another host. The Location header is correct, but must not be used."""
    return then_done(accepted(["Azure-AsyncOperation", url], LOCATION, NOW))


def one_poll(answer, **more):
    return {"post": [BOTH], "poll": [RUNNING, answer], **more}


SCENARIOS = {
    # Answers that end an operation.
    "ok-200": {"post": [{"status": 200}]},
    "ok-201": {"post": [{"status": 201, "body": "null"}]},
    "ok-204": {"post": [{"status": 204}]},
    "ok-200-location": {"post": [{"status": 200, "headers": [LOCATION]}], "poll": [error(500, "NotAPoll", "no")]},
    "ok-200-async": then_done({"status": 200, "headers": [ASYNC, NOW]}, RUNNING),
    "ok-201-operation-location": then_done(
        {"status": 201, "headers": [["Operation-Location", "{async}"], NOW]}, RUNNING),

    # Long-running operations that succeed.
    "three-polls": {"post": [BOTH], "poll": [RUNNING, HALF, DONE]},
    "both-headers": then_done(BOTH),
    "async-only": then_done(accepted(ASYNC, NOW), RUNNING),
    "location-only": {"post": [accepted(LOCATION, NOW)], "poll": [accepted(NOW), accepted(NOW), {"status": 200}]},
    "location-204": {"post": [accepted(LOCATION, NOW)], "poll": [accepted(NOW, body="null"), {"status": 204}]},
    "location-status": then_done(accepted(LOCATION, NOW), RUNNING),
    "location-provisioning-state": {"post": [accepted(LOCATION, NOW)], "poll": [
        {"status": 200, "headers": [NOW], "body": {"properties": {"provisioningState": "Updating"}}},
        {"status": 200, "body": {"properties": {"provisioningState": "Succeeded"}}}]},
    "operation-location": then_done(accepted(["Operation-Location", "{async}"], NOW), RUNNING),
    "async-202-null": then_done(BOTH, accepted(NOW, body="null"), accepted(NOW)),
    "lower-case": then_done(accepted(["azure-asyncoperation", "{async}"], ["retry-after", "0"]), state("sUCCEEDED")),
    "early-404": then_done(BOTH, {**NOT_FOUND, "headers": [NOW]}, {**NOT_FOUND, "headers": [NOW]}, RUNNING),
    "signed": {"post": [SIGNED], "poll": [
        {**RUNNING, "framing": "chunked", "headers": []}, {**DONE, "framing": "chunked", "headers": []}]},
    "signed-now": {"post": [{**SIGNED, "headers": [*SIGNED["headers"], NOW]}], "poll": [
        {**RUNNING, "framing": "chunked", "chunk": 7}, {**DONE, "framing": "chunked", "chunk": 7}]},
    "adopt-url": then_done(BOTH, state("Updating", 10.0, headers=[["Azure-AsyncOperation", "{new_async}"], NOW]), HALF),
    "retry-after": {"post": [accepted(ASYNC, ["Retry-After", "2"])], "poll": [
        {**RUNNING, "headers": [["Retry-After", "1"]]}, {**HALF, "headers": [["Retry-After", "1"]]}, DONE]},
    "retry-after-date": then_done(accepted(ASYNC, ["Retry-After", "{date+2}"])),
    "retry-after-old-date": then_done(accepted(ASYNC, ["Date", "{date-86400}"], ["Retry-After", "{date-86398}"])),
    "close-each": {"post": [accepted(ASYNC, LOCATION, ["Retry-After", "1"], ["Connection", "close"])], "poll": [
        {**RUNNING, "headers": [["Retry-After", "1"], ["Connection", "close"]]},
        {**HALF, "headers": [["Retry-After", "1"], ["Connection", "close"]]},
        {**DONE, "headers": [["Connection", "close"]]}]},
    "close-delimited": then_done(BOTH, {**RUNNING, "framing": "close"}),
    "reused-close": then_done({**BOTH, "then": "close"}, RUNNING),
    "reused-reset": then_done({**BOTH, "then": "reset"}, RUNNING),
    "interim-100": then_done({**BOTH, "interim": [{"status": 100}, {"status": 103, "headers": [
        ["Link", "</style>; rel=preload"], ["Retry-After", "600"]]}]}),
    "slow-bytes": then_done({**BOTH, "split": 1, "pause": 0.002}, {**RUNNING, "split": 1, "pause": 0.002}),
    "poll-503": then_done(BOTH, error(503, "ServerBusy", "busy", NOW), RUNNING),
    "poll-429": then_done(BOTH, error(429, "TooManyRequests", "slower", ["Retry-After", "1"])),
    "poll-reset": then_done(BOTH, {"cut": 0, "then": "reset"}, {"cut": 40, "then": "abort"}),
    "poll-cut-off": then_done(BOTH, {**DONE, "cut": -1, "then": "close"}),
    "close-delimited-abort": then_done(BOTH, {**DONE, "framing": "close", "then": "abort"}),
    "forever": {"post": [accepted(ASYNC, LOCATION, ["Retry-After", "1"])],
                "poll": [{**RUNNING, "headers": [["Retry-After", "1"]]}], "execute": "never"},

    # Accepted, but then something goes wrong.
    "no-url": {"post": [accepted()]},
    "recorded-2022": {"post": [accepted(LOCATION, body="null")], "poll": [NOT_FOUND]},
    "long-url": {"post": [accepted(["Azure-AsyncOperation", "{async:9000}"], NOW)]},
    "long-async-short-location": then_done(accepted(["Azure-AsyncOperation", "{async:9000}"], LOCATION, NOW)),
    "failed": one_poll({"status": 200, "body": {"error": FAILURE, "status": "Failed"}}, execute="never"),
    "canceled": one_poll({"status": 200, "body": {"status": "Canceled", "error": None}}, execute="never"),
    "null-status": one_poll(state(None)),
    "no-status": one_poll({"status": 200, "body": {"name": "{operation}", "percentComplete": 100.0}}),
    "not-json": one_poll({"status": 200, "body": "<html><body>Succeeded</body></html>"}),
    "gzip-poll": one_poll({**DONE, "headers": [["Content-Encoding", "gzip"]]}),  # readable, in spite of its label
    "cut-body": one_poll({"status": 200, "body": {"status": "Succeeded", "note": "{pad:20480}"}}),
    "cut-body-failed": one_poll({"status": 200, "body": {"status": "Failed", "note": "{pad:20480}"}}, execute="never"),
    "many-tokens": one_poll({"status": 200, "body": {"status": "Succeeded", "list": [0] * 600}}),
    "poll-403": one_poll(error(403, "AuthorizationFailed", "not yours")),
    "poll-redirect": one_poll({"status": 302, "headers": [["Location", "https://{host}:{forbidden_tls}/"]]}),
    "stall-poll": one_poll({"cut": 0, "then": "stall"}),
    "expire-while-polling": {"post": [BOTH], "poll": [DONE], "tokens": {"poll": []}},
    # These two change the listener for all tests: the test must restore it.
    "certificate-turns-bad": then_done(accepted(ASYNC, NOW, ["Connection", "close"],
                                                do_before=["PUT /certificate/main?name=expired"])),
    "goes-down": then_done({**BOTH, "do_after": ["PUT /listener/main?state=down"]}),

    # Polling URLs that must not get the token. In other-host, only the host differs from the one that was called.
    "other-host": hostile("https://127.0.0.2:{port}/subscriptions?x=1"),
    "other-port": hostile("https://{host}:{forbidden_tls}/subscriptions?x=1"),
    "plain-http": hostile("http://{host}:{forbidden}/subscriptions?x=1"),
    "userinfo": hostile("https://{host}:{port}@127.0.0.1:{forbidden_tls}/subscriptions?x=1"),
    "userinfo-same-host": hostile("https://user:password@{host}:{port}/subscriptions?x=1"),
    "backslash": hostile("https://127.0.0.1:{forbidden_tls}\\@{host}:{port}/subscriptions?x=1"),
    "backslash-after-host": hostile("https://{host}:{port}\\@127.0.0.1:{forbidden_tls}/subscriptions?x=1"),
    "relative-url": hostile("/subscriptions/x?x=1"),
    "foreign-location": then_done(accepted(ASYNC, ["Location", "https://{host}:{forbidden_tls}/"], NOW)),
    "foreign-location-only": {"post": [accepted(["Location", "https://{host}:{forbidden_tls}/"], NOW)]},
    "adopt-foreign": then_done(BOTH, {**RUNNING, "headers": [
        ["Azure-AsyncOperation", "https://{host}:{forbidden_tls}/subscriptions?x=1"], NOW]}),

    # Error answers to the POST.
    "http-400": {"post": [{"status": 400, "body": {"error": FAILURE}}]},
    "http-403": refusal(403, "AuthorizationFailed"),
    "http-404": refusal(404, "ResourceNotFound"),
    "http-408": refusal(408, "RequestTimeout"),
    "http-409": refusal(409, "Conflict"),
    "http-429": {"post": [error(429, "TooManyRequests", "slower", ["Retry-After", "1"]), BOTH], "poll": [DONE]},
    "http-429-forever": refusal(429, "TooManyRequests", ["Retry-After", "1"]),
    "http-500": refusal(500, "InternalServerError"),
    "http-500-executed": {**refusal(500, "InternalServerError"), "execute": "post"},
    "http-500-then-409": {"post": [error(500, "InternalServerError", "?"), error(409, "Conflict", "busy")]},
    "http-502": refusal(502, "BadGateway"),
    "http-503": refusal(503, "ServiceUnavailable"),
    "http-503-retry": {"post": [error(503, "ServerBusy", "busy", ["Retry-After", "1"]), {"status": 200}]},
    "http-504": refusal(504, "GatewayTimeout"),
    "redirect-307": {"post": [{"status": 307, "headers": [["Location", "https://{host}:{forbidden_tls}/"]]}]},
    "unauthorized": {"tokens": []},
    "status-101": {"post": [{"status": 101, "headers": [["Connection", "Upgrade"], ["Upgrade", "h2c"]]}]},
    "status-206": {"post": [{"status": 206, "body": "null"}]},

    # The connection is lost during the POST.
    "reset-after-post": {"post": [{"cut": 0, "then": "reset"}]},
    "abort-after-post": {"post": [{"cut": 0, "then": "abort"}]},
    "close-after-post": {"post": [{"cut": 0, "then": "close"}]},
    "stall-after-post": {"post": [{"cut": 0, "then": "stall"}]},
    "answer-then-reset": {"post": [{"status": 200, "then": "reset"}]},
    "early-answer-then-reset": {"post": [{"status": 200, "after_head": True, "then": "reset"}], "execute": "never"},
    "half-head": {"post": [{"status": 200, "cut": 60, "then": "close"}]},
    "half-body": {"post": [{"status": 200, "body": "null", "cut": -2, "then": "close"}]},
    "not-http": {"post": [{"raw": "SSH-2.0-OpenSSH_9.2\r\n", "then": "close"}]},

    # Serverless endpoints: regenerateKeys returns both keys.
    "serverless": {"kind": "serverless", "post": [{"status": 200, "body": "{keys}"}]},
    "serverless-202": {"kind": "serverless", "post": [accepted(LOCATION, NOW)], "execute": "success",
                       "poll": [accepted(NOW), {"status": 200, "body": "{keys}"}]},

    # listKeys; the keys are the current ones unless stated otherwise.
    "list-null": {"list": [{"status": 200, "body": {"primaryKey": None, "secondaryKey": None}}]},
    "list-one-null": {"list": [{"status": 200, "body": {"primaryKey": "{primary}", "secondaryKey": None}}]},
    "list-escaped": {"list": [{"status": 200, "body":
        '{ "secondaryKey" : "esc\\u001b[31m\\r\\n\\u0085" ,\r\n'
        ' "primaryKey" : "q\\"b\\\\s\\/\\u00e9\\ud83d\\ude00\\t" }'}]},
    "list-403": {"list": [error(403, "AuthorizationFailed", "listKeys is not allowed")]},
}
