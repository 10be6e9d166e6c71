"""The compile commands of a build tree, one for each file of ours.

The sanitizer builds compile several files as one (cmake/rooms.cmake). Such an entry is replaced by one for each of its files, with the
same options. The object stays that of all of them.
"""

import json
import pathlib
import re

TOGETHER = re.compile(r"/Unity/unity_\d+_cxx\.cxx$")
MEMBER = re.compile(r'^#include "([^"]+)"$', re.MULTILINE)


def members(entry):
    """Returns the files that the entry compiles together; empty if it compiles one."""
    if not TOGETHER.search(entry["file"]):
        return []
    return MEMBER.findall(pathlib.Path(entry["file"]).read_text())


def read_commands(build):
    """Returns the entries of BUILD/compile_commands.json."""
    entries = []
    for entry in json.loads((pathlib.Path(build) / "compile_commands.json").read_text()):
        files = members(entry)
        entries += [{**entry, "file": file, "command": entry["command"].replace(f" -c {entry['file']}", f" -c {file}")}
                    for file in files] or [entry]
    return entries
