# oci.py - writes the container image as one OCI archive, with an index of all platforms; `make image` calls it.
#
#     oci.py OUTPUT --version V --time SECONDS --anchors-version V [--file PATH=FILE]... --command PLATFORM=FILE...
#
# An image is tar, JSON and SHA-256 (the OCI image specification, version 1.0), and has one layer here: the files, the
# same for each platform, and the static command. No daemon is used, and no tool that would include the time of day or
# the machine's users: the bytes depend only on the arguments, the files and zlib.

import argparse
import gzip
import hashlib
import io
import json
import tarfile
import time

USER = 65532           # "nonroot" by convention; no name is needed
STATE = "var/lib/rekey"
# Mount points for what every process has. They exist in the image, because some engines cannot create them in a
# read-only one.
MOUNTS = ("dev", "proc", "sys")


def add(archive, name, data, seconds, mode=0o644, owner=0):
    """Adds a file; with data None, a directory."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = tarfile.DIRTYPE if data is None else tarfile.REGTYPE, mode, seconds
    info.uid = info.gid = owner
    info.size = len(data or b"")
    archive.addfile(info, io.BytesIO(data or b""))


def layer(files, seconds):
    """The tar of the root directory, of {path: (content, mode)}."""
    folders = {*MOUNTS, STATE}
    for path in [*files, STATE]:
        parts = path.split("/")[:-1]
        folders |= {"/".join(parts[:n + 1]) for n in range(len(parts))}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(folders | set(files)):
            if path in files:
                add(archive, path, files[path][0], seconds, files[path][1])
            elif path == STATE:    # a new volume that is mounted there gets its owner from it
                add(archive, path, None, seconds, 0o700, USER)
            else:
                add(archive, path, None, seconds, 0o755)
    return buffer.getvalue()


class Layout:
    """The blobs of the archive."""

    def __init__(self):
        self.blobs = {}

    def blob(self, data, kind, **more):
        """Adds a blob. Returns its descriptor."""
        digest = hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data), **more}

    def json(self, value, kind, **more):
        return self.blob(to_json(value), kind, **more)


def to_json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def image(layout, platform, files, labels, seconds):
    """Adds the manifest of one platform. Returns its descriptor."""
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    tar = layer(files, seconds)
    config = {
        "created": created, **platform, "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}"]},
        "config": {"User": f"{USER}:{USER}", "Entrypoint": ["/usr/bin/rekey"], "Cmd": ["help"], "Labels": labels},
        "history": [{"created": created, "created_by": "make image"}]}
    manifest = {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "annotations": labels,
        "config": layout.json(config, "config.v1+json"),
        "layers": [layout.blob(gzip.compress(tar, 9, mtime=0), "layer.v1.tar+gzip")]}
    return layout.json(manifest, "manifest.v1+json", platform=platform)


def read(name):
    with open(name, "rb") as file:
        return file.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("output")
    parser.add_argument("--version", required=True)
    parser.add_argument("--time", type=int, required=True)
    parser.add_argument("--anchors-version", required=True)
    parser.add_argument("--file", action="append", default=[])
    parser.add_argument("--command", action="append", required=True)
    options = parser.parse_args()

    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(options.time))
    labels = {
        "org.opencontainers.image.title": "rekey",
        "org.opencontainers.image.description": "Rotates the keys of Azure Machine Learning endpoints",
        "org.opencontainers.image.version": options.version,
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.licenses": "MIT AND Apache-2.0 AND BSD-2-Clause AND MPL-2.0",
        "rekey.ca-certificates": options.anchors_version}
    common = {path: (read(file), 0o644) for path, file in (each.split("=", 1) for each in options.file)}
    layout, images, lines = Layout(), [], []
    for each in options.command:
        name, file = each.split("=", 1)
        system, architecture, *variant = name.split("/")
        platform = {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        descriptor = image(layout, platform, {**common, "usr/bin/rekey": (read(file), 0o755)}, labels, options.time)
        images.append(descriptor)
        manifest = json.loads(layout.blobs[descriptor["digest"][7:]])
        size = descriptor["size"] + manifest["config"]["size"] + sum(part["size"] for part in manifest["layers"])
        lines.append(f"{name:13} {size:8,} bytes  {descriptor['digest']}")

    # index.json names one image, by its tag; that image is itself an index, so that tools copy all platforms at once.
    kind = "index.v1+json"
    index = {"schemaVersion": 2, "mediaType": f"application/vnd.oci.image.{kind}", "manifests": images, "annotations": labels}
    descriptor = layout.json(index, kind, annotations={"org.opencontainers.image.ref.name": options.version})
    top = {"schemaVersion": 2, "mediaType": f"application/vnd.oci.image.{kind}", "manifests": [descriptor]}
    with tarfile.open(options.output, "w", format=tarfile.USTAR_FORMAT) as archive:
        add(archive, "oci-layout", to_json({"imageLayoutVersion": "1.0.0"}), options.time)
        add(archive, "index.json", to_json(top), options.time)
        for folder in ("blobs", "blobs/sha256"):
            add(archive, folder, None, options.time, 0o755)
        for digest in sorted(layout.blobs):
            add(archive, f"blobs/sha256/{digest}", layout.blobs[digest], options.time)
    print(*lines, f"{'index':13} {'':8}        {descriptor['digest']}", options.output, sep="\n")


main()
