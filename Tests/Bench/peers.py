# SPDX-License-Identifier: Apache-2.0
"""What Cairn is measured beside: each a context that mounts, and takes everything away again.

A filesystem has a `name`, the `program` that must be there, a `mount_point`, the `directory` that is
measured, and `remount`: a shell command that unmounts and mounts it again, or None.
"""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys

# One start or end of a filesystem; a hang is a failure.
LIMIT = 120


def call(*command, **options):
    """Runs a program; its failure ends the benchmark."""
    options.setdefault("timeout", LIMIT)
    return subprocess.run([str(part) for part in command], check=True, **options)


class Filesystem:
    """The parts all have."""

    name = ""
    program = None
    # Where the program comes from, if not from Debian's package of that name.
    hint = None

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.mount_point = self.folder / self.name
        self.remount = None

    @property
    def directory(self):
        return self.mount_point

    def __enter__(self):
        self.mount_point.mkdir()
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        """Mounts it on the mount point, which is there."""

    def __exit__(self, *_):
        if os.path.ismount(self.mount_point):
            subprocess.run(["fusermount3", "-u", "-z", str(self.mount_point)], check=False)

    def memory(self):
        """The most bytes its process had, where it tells."""
        return None


class Plain(Filesystem):
    """The disk the others rest on."""

    name = "plain"

    def __exit__(self, *_):
        shutil.rmtree(self.mount_point, ignore_errors=True)


class Mounted(Filesystem):
    """A peer: encrypted, local, by FUSE, over a folder of its own."""

    def __init__(self, folder):
        super().__init__(folder)
        self.cipher = self.folder / f"{self.name}-cipher"
        self.secret = self.folder / f"{self.name}-secret"

    def start(self):
        self.cipher.mkdir()
        self.secret.write_text("bench\n", encoding="utf-8")
        self.create()
        mount = self.mounting()
        self.remount = f"fusermount3 -u {shlex.quote(str(self.mount_point))} && {mount}"
        call("sh", "-c", mount, stdout=subprocess.DEVNULL)

    def create(self):
        """Makes an empty one in `cipher`, where mounting does not."""

    def mounting(self):
        """The shell command that mounts it, and returns when it is mounted."""
        raise NotImplementedError

    def quoted(self, words):
        """A shell command with the three paths in it."""
        return words.format(
            secret=shlex.quote(str(self.secret)), cipher=shlex.quote(str(self.cipher)),
            at=shlex.quote(str(self.mount_point)))


class Gocryptfs(Mounted):
    name = program = "gocryptfs"

    def create(self):
        call("gocryptfs", "-init", "-q", "-scryptn", "10", "-passfile", self.secret, self.cipher)

    def mounting(self):
        return self.quoted("gocryptfs -q -passfile {secret} {cipher} {at}")


class Securefs(Mounted):
    """Its default format, which stores a file as a file."""

    name = program = "securefs"

    def create(self):
        call("securefs", "create", "--keyfile", self.secret, "-r", "1", self.cipher,
             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def mounting(self):
        return self.quoted(
            "securefs mount -b --log /dev/null --keyfile {secret} {cipher} {at} 2>/dev/null && "
            "for i in $(seq 100); do mountpoint -q {at} && exit 0; sleep 0.05; done; exit 1")


class Encfs(Mounted):
    name = program = "encfs"

    def mounting(self):
        return self.quoted("encfs --standard --stdinpass {cipher} {at} < {secret}")


class Cryfs(Mounted):
    name = program = "cryfs"

    def mounting(self):
        return self.quoted(
            "CRYFS_FRONTEND=noninteractive CRYFS_NO_UPDATE_CHECK=true "
            "CRYFS_LOCAL_STATE_DIR={cipher}-state cryfs {cipher} {at} < {secret}")


class RcloneCrypt(Mounted):
    """rclone's crypt over a folder, with the cache that lets programs write anywhere."""

    name = "rclone"
    program = "rclone"

    def create(self):
        obscured = call("rclone", "obscure", "bench", capture_output=True, text=True).stdout
        self.secret.write_text(
            f"[crypt]\ntype = crypt\nremote = {self.cipher}\npassword = {obscured}",
            encoding="utf-8")

    def mounting(self):
        return self.quoted(
            "rclone mount crypt: {at} --config {secret} --daemon --vfs-cache-mode full "
            "--cache-dir {cipher}-cache --vfs-write-back 1s")


class Passthrough(Mounted):
    """libfuse's example that hands everything on, over a directory in memory: no disk, no cipher,
    nothing kept. What it takes is the kernel's, the library's and the machine's share of a row."""

    name = "passthrough"
    program = "passthrough_ll"
    hint = "an example in libfuse's sources, to be built and put into PATH"

    def __init__(self, folder):
        super().__init__(folder)
        self.cipher = pathlib.Path("/dev/shm") / f"{self.folder.name}-{self.name}"

    def mounting(self):
        return self.quoted(
            "passthrough_ll -o source={cipher},timeout=86400,cache=always,writeback {at}")

    def __exit__(self, *_):
        super().__exit__()
        shutil.rmtree(self.cipher, ignore_errors=True)


class Cairn(Filesystem):
    """A new volume on a folder store on the same disk."""

    name = "cairn"
    # Mount options, as after the mount point.
    options = ""

    def __init__(self, folder, binary):
        super().__init__(folder)
        self.binary = binary
        self.state = self.folder / f"{self.name}-state"
        self.store = self.folder / f"{self.name}-store"
        self.environment = dict(os.environ, CAIRN_STATE=str(self.state))
        cairn = f"CAIRN_STATE={shlex.quote(str(self.state))} {shlex.quote(str(binary))}"
        at = shlex.quote(str(self.mount_point))
        self.drain = f"{cairn} sync bench"
        # `cairn unmount` waits for the store: what is read cold after it comes from there or from
        # the local cache, as after any mount. The peak of each daemon is noted before it ends.
        self.peaks = self.folder / f"{self.name}-peaks"
        note = f"{cairn} status bench --json >> {shlex.quote(str(self.peaks))}"
        self.remount = f"{note}; {cairn} unmount {at} && {cairn} mount bench {at} {self.options}"

    def run(self, *arguments, **options):
        return call(self.binary, *arguments, env=self.environment, **options)

    def start(self):
        self.peaks.touch()
        self.run("init", "bench", "--store", self.store,
                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.run("mount", "bench", self.mount_point, *self.options.split())

    def __exit__(self, *_):
        subprocess.run([str(self.binary), "unmount", "bench", "--now"], env=self.environment,
                       check=False, stderr=subprocess.DEVNULL, timeout=LIMIT)

    @property
    def directory(self):
        return self.mount_point / "files"

    def memory(self):
        with open(self.peaks, "a", encoding="utf-8") as peaks:
            self.run("status", "bench", "--json", stdout=peaks)
        lines = self.peaks.read_text(encoding="utf-8").splitlines()
        values = [int(line.split(":")[1].strip(" ,")) for line in lines if "peakMemory" in line]
        return max(values, default=None)


class ByDevice(Cairn):
    """Cairn as on a kernel that does not bring requests by io_uring."""

    name = "device"
    options = "-o no_io_uring"


# What can be asked for with --peers, by name. The targets are held against the better of USUAL.
PEERS = {kind.name: kind for kind in (
    Gocryptfs, Securefs, RcloneCrypt, Encfs, Cryfs, Passthrough)}
USUAL = ("gocryptfs", "securefs")
KNOWN = (*PEERS, ByDevice.name)
# As the head of a column.
TITLES = {Cairn.name: "Cairn", Plain.name: "disk", ByDevice.name: "by the device"}


def chosen(options, parser):
    """The peers that are asked for and installed; says which column is left out, and why."""
    names = [name for name in options.peers.split(",") if name]
    if unknown := [name for name in names if name not in KNOWN]:
        parser.error(f"there is no peer {unknown[0]}: the peers are {', '.join(KNOWN)}")
    missing = [name for name in names if name in PEERS and not shutil.which(PEERS[name].program)]
    for name in missing:
        hint = PEERS[name].hint or f"Debian: apt install {PEERS[name].program}"
        print(f"bench: {name} is not installed ({hint}); its column is left out", file=sys.stderr)
    names = [name for name in names if name not in missing]
    if not any(name in USUAL for name in names):
        parser.error(f"nothing to hold the targets against: install {' or '.join(USUAL)}")
    return names


def beside_each_other(binary, names):
    """Cairn, the peers of these names and the plain disk: for each, what makes it in a folder."""
    return {Cairn.name: lambda at: Cairn(at, binary),
            **{name: PEERS.get(name) or (lambda at: ByDevice(at, binary)) for name in names},
            Plain.name: Plain}
