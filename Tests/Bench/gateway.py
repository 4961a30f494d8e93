# SPDX-License-Identifier: Apache-2.0
"""What is measured on the S3 server of `Tests/Ceph/rgw run`, which the environment names."""

import os
import subprocess
import sys
import uuid


def run(command, limit, **options):
    """Runs a program to its end, within seconds; its failure is ours, with what it said."""
    try:
        return subprocess.run(command, check=True, timeout=limit, capture_output=True, **options)
    except subprocess.CalledProcessError as failure:
        sys.stderr.buffer.write(failure.stderr)
        raise


class Volume:
    """A new volume on the server, mounted, and the machines (state folders) that have it in turn.

    Below `work` the mount point is `m`, whatever machine mounts.
    """

    # Where its objects are, and the longest run of the command, in seconds.
    bucket = None
    limit = None

    def __init__(self, work, binary):
        self.work, self.binary, self.state = work, binary, 0
        self.url = f"s3://{self.bucket}/{uuid.uuid4()}?endpoint={os.environ['CAIRN_RGW_ENDPOINT']}"
        self.phrase = self.command("init", "v", "--store", self.url).stdout
        self.mount()

    def command(self, *words, text=None):
        environment = {**os.environ, "CAIRN_STATE": str(self.work / f"state{self.state}")}
        return run([self.binary, *words], self.limit, env=environment, input=text)

    def mount(self):
        (self.work / "m").mkdir(exist_ok=True)
        self.command("mount", "v", str(self.work / "m"))
        self.root = self.work / "m" / "files"

    def stop(self):
        self.command("unmount", "v")

    def forget(self):
        """Goes on as another machine, which has the phrase and nothing else."""
        self.stop()
        self.state += 1
        self.command("recover", "v", "--store", self.url, text=self.phrase)
        self.mount()
