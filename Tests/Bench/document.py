# SPDX-License-Identifier: Apache-2.0
"""Puts what was measured between the markers of a document."""

import sys


def write(path, name, text):
    """Replaces what stands between the two markers of `name`; prints it too.

    Without a path it is printed only. A document without the markers is left alone, and ends the run.
    """
    print(text, flush=True)
    if path is None:
        return
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    whole = path.read_text(encoding="utf-8") if path.exists() else f"{begin}\n{end}\n"
    head, found, rest = whole.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        sys.exit(f"bench: {path} has not the markers {begin} and {end}")
    path.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")
