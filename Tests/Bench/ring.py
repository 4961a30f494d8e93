# SPDX-License-Identifier: Apache-2.0
"""Whether the kernel brings FUSE requests by io_uring: a setting of the machine, off where nobody
set it. Mounts keep what they began with; who does not ask for it never gets it."""

import contextlib
import pathlib

SETTING = pathlib.Path("/sys/module/fuse/parameters/enable_uring")


@contextlib.contextmanager
def offered():
    """Has the kernel offer it, and puts the setting back; yields whether it could be had."""
    try:
        before = SETTING.read_text(encoding="ascii")
        SETTING.write_text("Y", encoding="ascii")
    except OSError:
        # A kernel before Linux 6.14, or not root.
        yield False
        return
    try:
        yield True
    finally:
        SETTING.write_text(before, encoding="ascii")
