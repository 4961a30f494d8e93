# SPDX-License-Identifier: Apache-2.0
"""Keeps what was measured, and puts it between the markers of a document."""

import json
import sys


def earlier(path, told=None):
    """The results that earlier runs left in a file; none without a path, or without the file.

    Those that cannot be told any more, as `told` would at the end, end the run with exit status 2:
    better before it measures than after.
    """
    if path is None or not path.exists():
        return {}
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        if told and results:
            told(results)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        print(f"bench: {path} is of an earlier version, or damaged: remove it, or give another "
              f"file ({error!r})", file=sys.stderr)
        sys.exit(2)
    return results


def keep(path, results):
    """Leaves results for the next run; nothing without a path."""
    if path is not None:
        path.write_text(json.dumps(results, indent=1), encoding="utf-8")


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
