#!/usr/bin/env python3
"""The sizes of the code: functions, files, classes, repeated lines, converters. Usage: stats.py [ROOT].

Counts src, apps and include without tests. A class is counted over all files that define its members. A repeated block is a run of
at least eight lines that stands in two places, without regard to spaces and comments. A converter is a function that is
called to_... or from_..., such as to_engine() between the public options and those of a room.
"""

import collections
import pathlib
import statistics
import sys

import structure
import style_check

BLOCK_LINES = 8


def repeated_lines(files):
    """Returns how many lines stand in blocks that occur more than once."""
    places = collections.defaultdict(list)
    for path, text in files:
        lines = [(number, "".join(line.split())) for number, line in enumerate(structure.blank(text).splitlines(), 1)]
        lines = [(number, line) for number, line in lines if line not in ("", "{", "}", "};", "});")]
        for begin in range(len(lines) - BLOCK_LINES + 1):
            block = lines[begin:begin + BLOCK_LINES]
            places[tuple(line for _, line in block)].append([(path, number) for number, _ in block])
    return len({line for found in places.values() if len(found) > 1 for block in found for line in block})


def figures(root):
    """Returns (label, text) of each figure."""
    files = style_check.counted_files(root)
    functions = [(function, path) for path, text in files for function in structure.parse(text)[1]]
    classes = structure.count_classes(files)
    lengths = {path: len(text.splitlines()) for path, text in files}

    def summary(label, sizes, limit):
        name, longest = max(sizes, key=lambda item: item[1])
        over = sum(size > limit for _, size in sizes)
        median = statistics.median(size for _, size in sizes)
        return label, f"{len(sizes)}, median {median:g} lines, longest {longest} ({name}), {over} over {limit}"

    converters = [function for function, _ in functions if function.name.rpartition("::")[2].startswith(("to_", "from_"))]
    return [
        summary("functions", [(f"{path}:{function.name}", function.lines) for function, path in functions],
                style_check.FUNCTION_LINES_MAX),
        summary("files", list(lengths.items()), style_check.LINES_NAMED),
        summary("classes", [("/".join(key), size) for key, size in classes.items()], style_check.CLASS_LINES_MAX),
        ("lines", str(sum(lengths.values()))),
        ("repeated lines", str(repeated_lines(files))),
        ("converters", str(len(converters))),
    ]


def main(arguments):
    for label, text in figures(pathlib.Path(arguments[1] if len(arguments) > 1 else ".")):
        print(f"{label + ':':16}{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
