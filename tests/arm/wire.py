# wire.py - bytes: a connection with TLS in memory, which gives control over every record and every kind of close; the
# checks of a request; and an answer of scenarios.py as the bytes to send. Nothing here knows endpoints.

import http
import json
import re
import socket
import ssl
import struct
import time
import urllib.parse

HEAD_MAX = 65536
BODY_MAX = 1 << 20
IDLE_S = 300        # a connection without any data for this long is closed
LINGER_S = 2        # seconds of reading after our close: unread bytes would turn it into an RST

GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
# Every request to an endpoint has each of these exactly once.
REQUIRED = [
    ("Authorization", r"Bearer [A-Za-z0-9._~+/-]+=*"),
    ("Accept-Encoding", r"identity"),
    ("User-Agent", r"rekey/[!-~]+( [ -~]*)?"),
    ("x-ms-client-request-id", GUID),
]


class Ended(Exception):
    """The client ended the connection; str() says how."""


class Connection:
    """One accepted connection: bytes in and out, plain until start_tls."""

    def __init__(self, sock, number):
        sock.settimeout(IDLE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.number, self.tls, self.buffer = sock, number, None, b""
        self.finished = False    # the client's FIN has arrived
        self.cut = False         # the listener went down

    def start_tls(self, context):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.pump(self.tls.do_handshake)

    def pump(self, call, *args):
        """Runs a TLS call, moving bytes between memory and the socket until it is done."""
        while True:
            try:
                return call(*args)
            except ssl.SSLWantReadError:
                self.flush()
                data = self.sock.recv(65536)
                self.incoming.write(data) if data else self.incoming.write_eof()
                self.finished = not data
            finally:
                self.flush()    # also sends an alert

    def flush(self):
        data = self.outgoing.read()
        if data:
            self.sock.sendall(data)

    def receive(self):
        """Returns at least one byte; raises Ended at the end."""
        try:
            data = self.pump(self.tls.read, 65536) if self.tls else self.sock.recv(65536)
        except OSError as error:
            raise Ended(describe(error)) from error
        if not data:
            # Python makes OpenSSL treat a FIN as an orderly end. That is useful here: the session can still be resumed.
            raise Ended("fin without close_notify" if self.finished else "close_notify" if self.tls else "fin")
        return data

    def receive_until(self, mark, limit):
        """The bytes up to the end of mark, or None if mark does not come within limit."""
        while mark not in self.buffer:
            if len(self.buffer) > limit:
                return None
            self.buffer += self.receive()
        data, _, self.buffer = self.buffer.partition(mark)
        return data + mark

    def receive_exactly(self, size):
        while len(self.buffer) < size:
            self.buffer += self.receive()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def send(self, data):
        """Sends the data in at least one TLS record of its own; a record holds 16 KB."""
        while data:
            sent = self.pump(self.tls.write, data) if self.tls else self.sock.send(data)
            data = data[sent:]

    def stall(self):
        self.sock.settimeout(None)
        while True:
            self.receive()

    def end(self, how):
        """how: close, abort, reset, or gone if the client ended the connection first."""
        try:
            if self.tls:
                try:
                    self.tls.unwrap()    # otherwise OpenSSL would forget the session, and it could not be resumed
                except ssl.SSLError:
                    pass
                if how in ("close", "gone"):
                    self.flush()
            if how == "reset":
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                self.sock.shutdown(socket.SHUT_WR)
            if how in ("close", "abort"):
                until = time.monotonic() + LINGER_S
                self.sock.settimeout(LINGER_S)
                while self.sock.recv(65536) and time.monotonic() < until:
                    pass
        except OSError:
            pass
        self.sock.close()


def describe(error):
    if isinstance(error, ssl.SSLEOFError):
        return "fin in the handshake"
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).lower().replace("_", " ")
    if isinstance(error, ConnectionResetError):
        return "reset"
    return "timeout" if isinstance(error, TimeoutError) else str(error)


# Requests: the checks of a strict front end. Each function adds to request["faults"].

def only(request, name):
    """The value of a header that came exactly once, else None."""
    values = [value for each, value in request["headers"] if each.lower() == name.lower()]
    return values[0] if len(values) == 1 else None


def parse_head(head, request):
    request.update(method="", target="", headers=[])
    lines = head.removesuffix(b"\r\n\r\n").decode("latin-1").split("\r\n")
    start = re.fullmatch(r"([A-Z]+) (/[!-~]*) HTTP/1\.1", lines[0])
    if not start or "#" in lines[0]:
        request["faults"].append(f"request line: {lines[0][:200]!r}")
        return
    request.update(method=start[1], target=start[2])
    for line in lines[1:]:
        field = re.fullmatch(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\t -~]*[\x21-\x7e])?)?[ \t]*", line)
        if field:
            request["headers"].append([field[1], field[2] or ""])
        else:
            request["faults"].append(f"header line: {line.partition(':')[0][:200]!r}")


def decode_segment(segment, faults):
    """A path segment after percent-decoding."""
    if not re.fullmatch(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*", segment):
        faults.append(f"path segment: {segment!r}")
    text = urllib.parse.unquote_to_bytes(segment).decode("utf-8", "backslashreplace")
    if text in (".", "..") or re.search(r"[/\\\x00-\x1f\x7f]", text):
        faults.append(f"path segment: {segment!r}")
    return text


def check_headers(request, hosts, required=REQUIRED):
    faults = request["faults"]
    host = only(request, "Host")
    if host is None or host.lower() not in hosts:
        faults.append(f"Host: {host!r}, not one of {hosts}")
    for name, pattern in required:
        value = only(request, name)
        if value is None or not re.fullmatch(pattern, value):
            faults.append(f"{name}: missing, repeated or malformed")
    faults += [f"{name}: not expected" for name, _ in request["headers"]
               if name.lower() in ("transfer-encoding", "expect", "cookie", "te", "upgrade", "content-encoding")]
    length = only(request, "Content-Length")
    if request["method"] == "POST":
        if length is None or not re.fullmatch(r"0|[1-9]\d{0,6}", length) or int(length) > BODY_MAX:
            faults.append(f"Content-Length: {length!r}")
    elif any(name.lower() in ("content-length", "content-type") for name, _ in request["headers"]):
        faults.append("a body on a GET")


def read_body(connection, request):
    """Reads the bytes that Content-Length announces."""
    length = only(request, "Content-Length") or "0"
    body = b""
    if re.fullmatch(r"\d{1,7}", length) and int(length) <= BODY_MAX:
        body = connection.receive_exactly(int(length))
    if connection.buffer:
        request["faults"].append(f"{len(connection.buffer)} bytes after the request")
    return body


def check_body(request, body):
    """Returns (key type, key value) of a valid regenerate request."""
    faults = request["faults"]
    if request["kind"] == "list" and body:
        faults.append("a body on listKeys")
    if request["kind"] != "post":
        return None
    if only(request, "Content-Type") != "application/json":
        faults.append(f"Content-Type: {only(request, 'Content-Type')!r}")
    try:
        pairs = json.loads(body.decode("utf-8"), object_pairs_hook=lambda pairs: pairs)
        names = sorted(name for name, _ in pairs)
        wanted = dict(pairs)
        if names not in (["keyType"], ["keyType", "keyValue"]) or not body.startswith(b"{"):
            raise ValueError(f"members {names}")
        if wanted["keyType"] not in ("Primary", "Secondary"):
            raise ValueError(f"keyType {wanted['keyType']!r}")
        if not isinstance(wanted.get("keyValue"), (str, type(None))):
            raise ValueError("keyValue is neither a string nor null")
        return wanted["keyType"], wanted.get("keyValue")
    except (ValueError, TypeError) as error:
        faults.append(f"body: {error}")
        return None


def render(answer, fill):
    """The headers and the bytes of an answer."""
    if "raw" in answer:
        return [], fill(answer["raw"]).encode("latin-1")
    status = answer.get("status", 200)
    body = fill(answer.get("body", ""))
    body = (body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))).encode()
    framing = answer.get("framing", "none" if status < 200 or status in (204, 304) else "length")
    headers = [[name, fill(value)] for name, value in answer.get("headers", ())]
    more = []
    if not answer.get("bare"):
        more += [["Content-Type", "application/json; charset=utf-8"]] if body else []
        more += [["Date", fill("{date}")], ["x-ms-request-id", fill("{guid}")],
                 ["x-ms-correlation-request-id", fill("{guid}")]]
    if framing == "length":
        more.append(["Content-Length", str(len(body))])
    if framing == "chunked":
        more.append(["Transfer-Encoding", "chunked"])
        size = answer.get("chunk", 1000)
        pieces = [body[start:start + size] for start in range(0, len(body), size)] + [b""]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    given = {name.lower() for name, _ in headers}
    headers += [header for header in more if header[0].lower() not in given]
    reasons = {each.value: each.phrase for each in http.HTTPStatus}
    start = f"{answer.get('version', 'HTTP/1.1')} {status} {answer.get('reason', reasons.get(status, ''))}"
    head = "\r\n".join([start, *(f"{name}: {value}" for name, value in headers), "", ""])
    return headers, head.encode("latin-1") + (b"" if framing == "none" else body)
