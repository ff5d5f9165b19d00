"""Published test vectors, which are not part of this project: `make vectors` with checkouts of
them.

WYCHEPROOF_DIR: C2SP/wycheproof, signatures with RSA (PKCS#1 v1.5 and PSS) and ECDSA; verify.c
passes them to mbedTLS. Signatures with a hash or a curve that rekey does not support are left out.

LIMBO_DIR: C2SP/x509-limbo, chains of certificates (limbo.json; `python3 -m limbo compile` makes
it). A server presents each to the command, with the device's clock at the time of the case. It does
not have the certificate's key: if the command complains about that, it has accepted the chain.
Cases for clients' certificates are left out, and so are hosts that no URL can have.

NIST's PKITS is not among them: its certificates have no subjectAltName, so that all are refused.

Differences from the suite must be in expected.txt, with the reason. Other differences are failures,
and so is a row of expected.txt that is no longer needed. A suite whose variable is not set is
skipped, with a message."""

import argparse
import base64
import concurrent.futures
import datetime
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

import hostile  # noqa: E402
from chains import NULL, bits, integer, oid, sequence  # noqa: E402
from conftest import GROUP, SUBSCRIPTION, WORKSPACE  # noqa: E402

AGREED, ACCEPTED, REFUSED, OTHER = "agreed", "accepted", "refused", "other"

# ---- Wycheproof ----------------------------------------------------------------------------------

KINDS = {
    "EcdsaVerify": "ecdsa",
    "RsassaPkcs1Verify": "pkcs1",
    "RsassaPkcs1Generate": "pkcs1",
    "RsassaPssVerify": "pss",
    "RsassaPssWithParametersVerify": "pss",
}
HASHES = ("SHA-256", "SHA-384", "SHA-512")
CURVES = ("secp256r1", "secp384r1", "secp521r1")


def rsa_key(group):
    """The RSA key of a group, whatever the group calls it, without parameters."""
    of = group.get("publicKey") or group["privateKey"]
    number = sequence(*(integer(int(of[each], 16)) for each in ("modulus", "publicExponent")))
    return sequence(sequence(oid("1.2.840.113549.1.1.1"), NULL), bits(number)).hex()


def signatures(directory):
    """(label, the suite's verdict, a line for verify.c) for each signature that rekey could
    encounter."""
    for path in sorted((directory / "testvectors_v1").glob("*.json")):
        for group in json.loads(path.read_text())["testGroups"]:
            kind, digest = KINDS.get(group["type"]), group.get("sha")
            mask = group.get("mgfSha", digest)
            if kind is None or digest not in HASHES or mask not in HASHES:
                continue
            if kind == "ecdsa" and group["publicKey"]["curve"] not in CURVES:
                continue
            key = group["publicKeyDer"] if kind == "ecdsa" else rsa_key(group)
            start = f"{kind} {digest} {mask} {group.get('sLen', 0)} x{key}"
            for case in group["tests"]:
                flags = ",".join(case["flags"])
                label = f"{path.stem}/{case['tcId']} {digest}/{mask} {flags}: {case['comment']}"
                yield label, case["result"], f"{start} x{case['msg']} x{case['sig']}\n"


def wycheproof(directory, options):
    cases = list(signatures(directory))
    lines = "".join(line for _, _, line in cases)
    run = subprocess.run([options.verify], input=lines, capture_output=True, text=True, timeout=900)
    said = run.stdout.split()
    if run.returncode != 0 or len(said) != len(cases):
        label = cases[len(said) - 1][0] if said else "the first"
        sys.exit(f"verify.c ended with {run.returncode} at {label}: {run.stderr}")
    for (label, wanted, _), verdict in zip(cases, said):
        if wanted in ("acceptable", verdict):
            yield label, AGREED
        else:
            yield label, ACCEPTED if verdict == "valid" else REFUSED


# ---- x509-limbo ----------------------------------------------------------------------------------

PROOF = "did not prove that it has this certificate's private key"


def scheme_for(key):
    """A signature scheme that fits the leaf's key."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return {256: 0x0403, 384: 0x0503, 521: 0x0603}.get(key.curve.key_size, 0x0403)
    return 0x0804


class Proxied(hostile.Tls13):
    """Behind a proxy that connects to any host."""

    def connect(self):
        while b"\r\n\r\n" not in self.input:
            self.input += self.connection.recv(65536) or b"\r\n\r\n"
        self.input = b""
        self.raw(b"HTTP/1.1 200 Connected\r\n\r\n")


def der(pem):
    return x509.load_pem_x509_certificate(pem.encode()).public_bytes(serialization.Encoding.DER)


def present(case, options):
    """The exit code and the message, or None if the command cannot be asked."""
    name = case["expected_peer_name"]
    host = f"[{name['value']}]" if ":" in name["value"] else name["value"]
    try:
        pems = [case["peer_certificate"], *case["untrusted_intermediates"]]
        ders = [der(pem) for pem in pems]
        scheme = scheme_for(x509.load_der_x509_certificate(ders[0]).public_key())
    except ValueError:
        scheme = 0x0403
        ders = [pem_bytes(pem) for pem in pems]
    steps = [
        *("connect", "client_hello", "hello", "encrypted", "certificate"),
        lambda server: server.verify(scheme=scheme, signature=lambda right: b"\1" * len(right)),
        "close",
    ]
    listener = hostile.Listener(Proxied, steps, ders, ec.generate_private_key(ec.SECP256R1()))
    shift = 0
    if case["validation_time"]:
        at = datetime.datetime.fromisoformat(case["validation_time"])
        if "::validity::" in case["id"]:  # exact to a second, so begin early in one
            time.sleep(1 - time.time() % 1)
        shift = int(at.timestamp()) - int(time.time())
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "ca.pem").write_text("\n".join(case["trusted_certs"]))
        try:
            run = subprocess.run(
                [
                    *(options.rekey, "regenerate", "--management-url", f"https://{host}"),
                    *("--proxy", f"http://127.0.0.1:{listener.port}", "--ca-file", "ca.pem"),
                    *("--subscription", SUBSCRIPTION, "-g", GROUP, "-w", WORKSPACE, "-n", "n"),
                    *("--key-type", "primary", "--timeout", "5"),
                ],
                cwd=folder,
                env={
                    "AZURE_ACCESS_TOKEN": "token",
                    "LD_PRELOAD": str(options.clock),
                    "CLOCK_SHIFT": str(shift),
                },
                capture_output=True,
                text=True,
                timeout=60,
            )
        finally:
            listener.close()
    if run.returncode == 2 and "--management-url" in run.stderr:
        return None
    return run.returncode, run.stderr


def pem_bytes(pem):
    """The PEM of a certificate that the library cannot read."""
    return base64.b64decode("".join(pem.split("-----")[2].split()))


def limbo(directory, options):
    cases = [
        case
        for case in json.loads((directory / "limbo.json").read_text())["testcases"]
        if case["validation_kind"] == "SERVER" and case["expected_peer_name"]
    ]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda case: present(case, options), cases)
        for case, result in zip(cases, results):
            if result is None:
                continue
            code, said = result
            took, label = PROOF in said, f"{case['id']} exit {code}: {said.splitlines()[0]}"
            if code not in (11, 15):  # not trusted, or a limit of memory
                yield label, OTHER
            elif took == (case["expected_result"] == "SUCCESS"):
                yield label, AGREED
            else:
                yield label, ACCEPTED if took else REFUSED


# ---- the comparison ------------------------------------------------------------------------------


def expectations(suite):
    """[verdict, pattern] of each row of expected.txt for this suite."""
    for line in (ROOT / "tests/vectors/expected.txt").read_text().splitlines():
        fields = line.split(None, 2)  # a comment is not a suite
        if fields and fields[0] == suite:
            yield fields[1], fields[2].strip()


def compare(suite, results):
    """Prints the numbers; returns true if there are no unexpected differences."""
    rows = {row: 0 for row in expectations(suite)}
    counts, surprises = dict.fromkeys((AGREED, ACCEPTED, REFUSED, OTHER), 0), []
    for label, verdict in results:
        counts[verdict] += 1
        if verdict == AGREED:
            continue
        row = next(
            (row for row in rows if row[0] == verdict and fnmatch.fnmatchcase(label, row[1])), None
        )
        if row:
            rows[row] += 1
        else:
            surprises.append(f"{verdict} {label}")
    print(
        f"{suite}: {sum(counts.values())} tried, {counts[AGREED]} agreed,"
        f" {counts[ACCEPTED]} accepted-but-should-not, {counts[REFUSED]} refused-but-should-not,"
        f" {counts[OTHER]} ended in another way, {len(surprises)} of them not expected"
    )
    for each in surprises:
        print(f"  not expected: {each}")
    stale = [row for row, hits in rows.items() if hits == 0]
    for verdict, pattern in stale:
        print(f"  of no use in expected.txt: {suite} {verdict} {pattern}")
    return sum(counts.values()) > 0 and not surprises and not stale


def main():
    parser = argparse.ArgumentParser(description="Compares rekey with published test vectors.")
    parser.add_argument("--verify", required=True, help="the program of verify.c")
    parser.add_argument("--rekey", type=Path, required=True, help="a command without a build time")
    parser.add_argument("--clock", type=Path, required=True, help="clock.so")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # the suites have odd values on purpose
    options.rekey, options.clock = options.rekey.resolve(), options.clock.resolve()
    right = True
    for suite, variable, results in (
        ("wycheproof", "WYCHEPROOF_DIR", wycheproof),
        ("limbo", "LIMBO_DIR", limbo),
    ):
        directory = os.environ.get(variable)
        if directory:
            right &= compare(suite, results(Path(directory), options))
        else:
            print(f"{suite}: SKIPPED, as {variable} is not set")
    sys.exit(not right)


if __name__ == "__main__":
    main()
