# SPDX-License-Identifier: Apache-2.0
#
# What scale.py measured, as a table beside its limits, and as a picture.
"""Table and plot of how cost grows."""

import math


# The start of `find` takes longer than a thousand entries, so it is judged from here on.
FIND_JUDGED_FROM = 100_000
# Part, value, its words, the most (or, of a rate, the least) that it may be at every size.
# "most" and "least" are what the value is held against. Times are of a machine that has nothing
# else to do.
LIMITS = [
    (("tree", "directory", "sparse", "pad"), "mount_s", "mount", "s", "most", 1),
    (("tree", "directory", "sparse", "pad"), "mount_recovered_s", "mount on another machine", "s",
     "most", 1),
    (("tree",), "list_first_ms", "first `ls` of a directory of 100, from the store", "ms",
     "most", 50),
    (("tree", "directory"), "find_warm", "`find`, warm", "entries/s", "least", 100_000),
    (("tree", "directory", "sparse", "pad"), "memory_mib", "memory (VmHWM)", "MiB", "most", 300),
    (("tree", "directory", "sparse", "pad"), "publish_s", "one change, published", "s", "most", 1),
    (("tree", "directory", "sparse", "pad"), "publish_bytes", "its new chunks", "bytes", "most",
     1 << 20),
    (("tree", "directory"), "database_bytes", "database beyond inline bytes", "bytes/file", "most",
     400),
]
# What has no limit, and is told.
TOLD = [
    (("tree", "directory", "sparse", "pad"), "create", "created, written, saved", "a second"),
    (("tree", "directory", "pad"), "create_late", "the same, of the last tenth", "a second"),
    (("tree", "directory"), "lookup_us", "`lstat` of a name not yet known to the kernel", "µs"),
    (("tree", "directory"), "find_cold", "`find` after a mount", "entries/s"),
    (("tree", "directory"), "find_recovered", "`find` on another machine", "entries/s"),
    (("directory",), "list_begin_ms", "the first name of it, from the store", "ms"),
    (("pad",), "save_ms", "a save brought to the store, the command included", "ms"),
    (("pad",), "save_late_ms", "the same, of the last tenth", "ms"),
    (("pad",), "counter", "steps of its counter", ""),
    (("tree",), "list_directories_ms", "first `ls` of all directories", "ms"),
    (("tree",), "list_worst_ms", "the slowest of 21 first `ls`", "ms"),
    (("directory",), "list_first_ms", "first `ls` of it, from the store", "ms"),
    (("sparse", "pad"), "read_us", "4 KiB, or the pad, on another machine", "µs"),
    (("tree", "directory", "sparse"), "publish_all_s", "all of it brought to the store", "s"),
]


def digits(value):
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def sizes(results):
    return sorted({int(size) for part in results.values() for size in part})


def row(results, part, key, all_sizes):
    return [results.get(part, {}).get(str(size), {}).get(key) for size in all_sizes]


def told(results):
    """The table, and what misses its limit, in words."""
    all_sizes = sizes(results)
    heads = " | ".join(f"{size:,}".replace(",", " ") for size in all_sizes)
    lines = [f"| | | limit | {heads} |", "|---|---|---:|" + "---:|" * len(all_sizes)]
    missed = []
    for parts, key, words, unit, sense, limit in LIMITS:
        sign = "≤" if sense == "most" else "≥"
        for part in (part for part in parts if part in results):
            cells = []
            for size, value in zip(all_sizes, row(results, part, key, all_sizes)):
                judged = key != "find_warm" or size >= FIND_JUDGED_FROM
                misses = value is not None and judged and (
                    value > limit if sense == "most" else value < limit)
                cells.append(digits(value) + (" **" if misses else ""))
                if misses:
                    missed.append(
                        f"{part} of {size}: {words} is {digits(value)} {unit}, not {sign} {limit}")
            lines.append(f"| {part} | {words}, {unit} | {sign} {digits(limit)} | "
                         f"{' | '.join(cells)} |")
    for parts, key, words, unit in TOLD:
        unit = f", {unit}" if unit else ""
        for part in (part for part in parts if part in results):
            cells = [digits(value) for value in row(results, part, key, all_sizes)]
            lines.append(f"| {part} | {words}{unit} | | {' | '.join(cells)} |")
    loads = [one["load"] for part in results.values() for one in part.values()]
    lines += ["", f"Load of the machine at each one's begin: {min(loads):.0f} to {max(loads):.0f}. "
              "Two asterisks mark what misses its limit (`find` is judged from "
              f"{FIND_JUDGED_FROM:,} files on).".replace(",", " ")]
    return "\n".join(lines), missed


# The picture: panels beside each other, sizes from left to right, both axes logarithmic.
PANELS = [
    ("create", "created a second", lambda one: one.get("create"), ("tree", "directory")),
    ("lookup", "µs for an lstat after a mount", lambda one: one.get("lookup_us"),
     ("tree", "directory")),
    ("publish", "s until one change is published", lambda one: one.get("publish_s"),
     ("tree", "directory", "sparse", "pad")),
    ("memory", "MiB at most", lambda one: one.get("memory_mib"),
     ("tree", "directory", "sparse", "pad")),
]
COLOURS = {"tree": "#1b6ca8", "directory": "#c1440e", "sparse": "#3d8b37", "pad": "#7b4fa3"}
WIDTH, HEIGHT, LEFT, TOP, GAP = 250, 190, 56, 44, 66


def decades(low, high):
    """Whole powers of ten around both."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return first, max(last, first + 1)


def power(exponent):
    value = 10 ** exponent
    return f"{value:,}".replace(",", " ") if exponent >= 0 else f"{value:g}"


def text(x, y, words, anchor="middle", size=11, colour="#333"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="{colour}">{words}</text>')


def panel(results, number, all_sizes):
    title, unit, value, parts = PANELS[number]
    x0, y0 = LEFT + number * (WIDTH + GAP), TOP
    lines = {part: [(size, value(results[part][str(size)])) for size in all_sizes
                    if str(size) in results[part] and value(results[part][str(size)])]
             for part in parts if part in results}
    values = [y for points in lines.values() for _, y in points]
    out = [text(x0 + WIDTH / 2, y0 - 22, title, size=14, colour="#111"),
           text(x0 + WIDTH / 2, y0 - 7, unit)]
    if not values:
        return out
    left, right = decades(all_sizes[0], all_sizes[-1])
    bottom, top = decades(min(values), max(values))
    across = lambda size: x0 + (math.log10(size) - left) / (right - left) * WIDTH
    upward = lambda y: y0 + HEIGHT - (math.log10(y) - bottom) / (top - bottom) * HEIGHT
    for exponent in range(bottom, top + 1):
        y = upward(10.0 ** exponent)
        out.append(f'<line x1="{x0}" y1="{y:.1f}" x2="{x0 + WIDTH}" y2="{y:.1f}" stroke="#ddd"/>')
        out.append(text(x0 - 5, y + 4, power(exponent), "end"))
    for exponent in range(left, right + 1):
        x = across(10.0 ** exponent)
        out.append(f'<line x1="{x:.1f}" y1="{y0}" x2="{x:.1f}" y2="{y0 + HEIGHT}" stroke="#eee"/>')
        out.append(text(x, y0 + HEIGHT + 16, power(exponent)))
    for part, points in lines.items():
        path = " ".join(f"{across(size):.1f},{upward(y):.1f}" for size, y in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[part]}" '
                   'stroke-width="2"/>')
        out += [f'<circle cx="{across(size):.1f}" cy="{upward(y):.1f}" r="3" '
                f'fill="{COLOURS[part]}"><title>{part}, {size}: {digits(y)}</title></circle>'
                for size, y in points]
    return out


def plot(results):
    """The picture as SVG, on a white ground, so that it can be read on a dark page too."""
    all_sizes = sizes(results)
    width = LEFT + len(PANELS) * WIDTH + (len(PANELS) - 1) * GAP + 40
    height = TOP + HEIGHT + 60
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
           f'width="{width}" height="{height}" font-family="sans-serif">',
           "<!-- Written by Tests/Bench/scale.py. -->",
           "<title>How cost grows with the number of files</title>",
           f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for number in range(len(PANELS)):
        out += panel(results, number, all_sizes)
    x = LEFT
    for part, colour in COLOURS.items():
        y = TOP + HEIGHT + 42
        out.append(f'<line x1="{x}" y1="{y - 4}" x2="{x + 24}" y2="{y - 4}" stroke="{colour}" '
                   'stroke-width="2"/>')
        out.append(text(x + 30, y, part, "start"))
        x += 120
    out.append(text(width - 40, TOP + HEIGHT + 42, "files from left to right; both axes "
                    "logarithmic", "end"))
    return "\n".join(out + ["</svg>", ""])
