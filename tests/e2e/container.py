"""Containers for the tests of the image and of the pod: the content of an OCI archive, run by runc
as a container engine would run it, in the network of this machine."""

import hashlib
import io
import itertools
import json
import shutil
import subprocess
import tarfile

import pytest
from conftest import ROOT

NUMBERS = itertools.count()
# What an engine gives to each container.
ENGINE = ["/etc/hosts", "/etc/resolv.conf"]


class Archive:
    """An OCI archive. Checks that each blob has its digest."""

    def __init__(self, path):
        with tarfile.open(path) as archive:
            self.files = {
                each.name: archive.extractfile(each).read() for each in archive if each.isfile()
            }
        for name, data in self.files.items():
            if name.startswith("blobs/sha256/"):
                assert hashlib.sha256(data).hexdigest() == name.rpartition("/")[2]
        (self.tag,) = json.loads(self.files["index.json"])["manifests"]
        self.index = self.json(self.tag)
        self.platforms = {
            "/".join(
                each["platform"].get(name, "") for name in ("os", "architecture", "variant")
            ).rstrip("/"): each
            for each in self.index["manifests"]
        }

    def blob(self, descriptor):
        data = self.files[f"blobs/{descriptor['digest'].replace(':', '/')}"]
        assert len(data) == descriptor["size"]
        return data

    def json(self, descriptor):
        return json.loads(self.blob(descriptor))

    def image(self, platform):
        """The configuration, and the layers as open tar files."""
        manifest = self.json(self.platforms[platform])
        layers = [
            tarfile.open(fileobj=io.BytesIO(self.blob(each)), mode="r:gz")
            for each in manifest["layers"]
        ]
        return self.json(manifest["config"]), layers

    def unpack(self, platform, folder):
        """Makes the root directory. Returns the configuration."""
        config, layers = self.image(platform)
        for layer in layers:
            layer.extractall(folder, numeric_owner=True)
        return config["config"]


class Container:
    """A running container. mounts: (source; destination; whether it is read-only). prefix: the
    program that traces it."""

    def __init__(
        self,
        folder,
        root,
        arguments,
        *,
        user,
        env=(),
        mounts=(),
        groups=(),
        memory=None,
        read_only=True,
        prefix=(),
    ):
        self.name, self.folder = f"rekey-test-{id(folder):x}-{next(NUMBERS)}", folder
        bundle = folder / self.name
        bundle.mkdir()
        spec = {
            "ociVersion": "1.0.0",
            "root": {"path": str(root), "readonly": read_only},
            "process": {
                "user": {"uid": user, "gid": user, "additionalGids": list(groups)},
                "args": [str(each) for each in arguments],
                "env": [f"{name}={value}" for name, value in dict(env).items()],
                "cwd": "/",
                "capabilities": {},
                "noNewPrivileges": True,
            },
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {
                    "destination": "/dev",
                    "type": "tmpfs",
                    "source": "tmpfs",
                    "options": ["nosuid", "mode=755"],
                },
                *(self.mount(each, each, True) for each in ENGINE),
                *(self.mount(*each) for each in mounts),
            ],
            "linux": {
                "namespaces": [{"type": each} for each in ("pid", "ipc", "uts", "mount")],
                "resources": {"memory": {"limit": memory}} if memory else {},
            },
        }
        (bundle / "config.json").write_text(json.dumps(spec))
        self.process = subprocess.Popen(
            [*prefix, "runc", "--root", folder / "runc", "run", "--bundle", bundle, self.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def mount(self, source, destination, read_only):
        options = ["bind", "nosuid", "nodev", *(["ro"] if read_only else ["rw"])]
        return {
            "destination": str(destination),
            "type": "bind",
            "source": str(source),
            "options": options,
        }

    def kill(self):
        subprocess.run(
            ["runc", "--root", self.folder / "runc", "kill", self.name, "KILL"], check=True
        )

    def end(self, seconds=120):
        """Waits for the end. Returns the exit code and the output."""
        text = self.process.communicate(timeout=seconds)[0]
        shutil.rmtree(self.folder / self.name)
        return self.process.returncode, text


def need(archive, folder):
    """Skips the test if there is no image, or if runc cannot run it. Returns the archive."""
    if not archive:
        pytest.skip("there is no image: `make check-install` makes it")
    if shutil.which("runc") is None:
        pytest.skip("there is no runc")
    image = Archive(ROOT / archive)
    root = folder / "root"
    image.unpack("linux/amd64", root)
    code, text = Container(folder, root, ["/usr/bin/rekey", "--version"], user=65532).end()
    if code != 0:
        pytest.skip(f"runc cannot run a container here: {text.strip()[-300:]}")
    return image
