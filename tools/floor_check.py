#!/usr/bin/env python3
"""The floor check: every #include goes downward, and no room's header includes a third-party header.

Usage: floor_check.py [ROOT]. Reads ROOT/src/FLOORS and every source under src and include. Prints one
line per violation, "file:line: problem; remedy", and exits 1 if there is any.

The rules:
  * src/ROOM may include its own room and rooms on lower floors, never another room of its own floor;
  * a room marked "no I/O" or "knows no socket" in FLOORS includes neither net, session nor a socket header;
  * include/fanfare includes only the standard library and itself;
  * a third-party header in a room's header is an error: it belongs in the .cc file;
  * the DEPENDS and USES of a room's CMakeLists.txt follow the same floors;
  * DEPENDS names exactly the rooms that the room's headers include, and USES those that only its other files include.
"""

import pathlib
import re
import sys
from typing import NamedTuple

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
STATEMENT = re.compile(r"\bfanfare_room\(([^)]*)\)")
STATED = re.compile(r"\b(DEPENDS|USES)((?:\s+[a-z]+\b)+)")
SYSTEM_FOLDERS = ("sys/", "netinet/", "arpa/", "linux/", "net/")
# arpa/inet.h is not listed: parsing an address needs no socket.
SOCKET_HEADERS = ("sys/socket.h", "sys/epoll.h", "sys/un.h", "netinet/", "netdb.h", "poll.h", "liburing.h")
# Third-party headers without a folder in their name, which look like system headers.
THIRD_PARTY_FILES = {"zlib.h", "libdeflate.h", "llhttp.h", "liburing.h", "secp256k1.h", "secp256k1_recovery.h"}
NEVER_EACH_OTHER = {"eth", "streams", "canvas"}


class Room(NamedTuple):
    floor: int
    without_sockets: bool


class Problem(NamedTuple):
    file: pathlib.Path
    line: int
    text: str


def read_floors(path):
    """Returns the table of rooms by name. A malformed line raises ValueError with its line number."""
    rooms = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = re.match(r"F(\d+)\s+([a-z]+)\s+(.*)", line)
        if not match:
            raise ValueError(f"{path}:{number}: expected 'F<number> room description'")
        floor, name, description = match.groups()
        if name in rooms:
            raise ValueError(f"{path}:{number}: room '{name}' stands twice")
        rooms[name] = Room(int(floor), "no I/O" in description or "knows no socket" in description)
    return rooms


def includes_of(path):
    """Yields (line number, "<" or '"', included name) for every #include of a file."""
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def is_third_party(name):
    """True for a header in angle brackets that is part of neither C++, C nor the system."""
    if name in THIRD_PARTY_FILES:
        return True
    return "/" in name and not name.startswith(SYSTEM_FOLDERS)


def is_test_file(path):
    return path.stem.endswith(("_test", "_testing", "_for_tests")) or path.stem.startswith("test_")


def downward(rooms, here, there):
    """The reason why room `here` may not use room `there`, or None."""
    if here == there:
        return None
    if here in NEVER_EACH_OTHER and there in NEVER_EACH_OTHER:
        return f"{here} and {there} never know each other; meet in gateway"
    if rooms[there].floor > rooms[here].floor:
        return (f"{here} (F{rooms[here].floor}) reaches up to {there} (F{rooms[there].floor}); "
                "take what is needed as an argument or move it down")
    if rooms[there].floor == rooms[here].floor:
        return (f"{here} and {there} stand on the same floor F{rooms[here].floor}; "
                "move what both need to a lower room")
    return None


def check_room_file(rooms, name, path):
    room = rooms[name]
    for line, bracket, included in includes_of(path):
        if bracket == "<":
            if room.without_sockets and included.startswith(SOCKET_HEADERS):
                yield Problem(path, line, f"{name} knows no socket, but includes <{included}>; "
                                          "take bytes, time and output as arguments")
            if path.suffix == ".h" and not is_test_file(path) and is_third_party(included):
                yield Problem(path, line, f"<{included}> in a header shows a dependency to every user of the room; "
                                          "include it in the .cc file and hide its types")
            continue
        first = included.split("/")[0]
        if first == "fanfare":
            continue
        if "/" not in included or first not in rooms:
            yield Problem(path, line, f'"{included}" names no room of src/FLOORS; write "room/file.h"')
            continue
        why = downward(rooms, name, first)
        if why is None and room.without_sockets and first in ("net", "session"):
            why = f"{name} knows no socket, but includes {first}; take bytes, time and output as arguments"
        if why:
            yield Problem(path, line, why)


def stated_rooms(path):
    """Returns room -> (line number, "DEPENDS" or "USES") as a room's CMakeLists.txt states them."""
    found, text = {}, path.read_text()
    for statement in STATEMENT.finditer(text):
        for match in STATED.finditer(text, statement.start(1), statement.end(1)):
            line = text.count("\n", 0, match.start(2)) + 1
            for room in match.group(2).split():
                found[room] = (line, match.group(1))
    return found


def included_rooms(rooms, name, folder):
    """Returns room -> (file, line number, "DEPENDS" or "USES") of the include that needs the most."""
    found = {}
    for path in sources_under(folder):
        keyword = "DEPENDS" if path.suffix == ".h" and not is_test_file(path) else "USES"
        for line, bracket, included in includes_of(path):
            first = included.split("/")[0]
            if bracket == '"' and "/" in included and first in rooms and first != name:
                if first not in found or (keyword == "DEPENDS" and found[first][2] == "USES"):
                    found[first] = (path, line, keyword)
    return found


def check_room_cmake(rooms, name, path):
    stated, included = stated_rooms(path), included_rooms(rooms, name, path.parent)
    for there, (line, keyword) in stated.items():
        why = f"'{there}' is no room of src/FLOORS" if there not in rooms else downward(rooms, name, there)
        if why:
            yield Problem(path, line, f"{keyword}: {why}")
        elif there not in included:
            yield Problem(path, line, f"{keyword}: no file of {name} includes a header of {there}; remove it")
        elif keyword == "DEPENDS" and included[there][2] == "USES":
            yield Problem(path, line, f"DEPENDS: no header of {name} includes {there}; move it to USES")
    for there, (file, line, keyword) in included.items():
        if there not in stated:
            yield Problem(file, line, f"{there} is not stated; add it to {keyword} of src/{name}/CMakeLists.txt")
        elif keyword == "DEPENDS" and stated[there][1] == "USES":
            yield Problem(file, line, f"a header includes {there}; move it from USES to DEPENDS in src/{name}/CMakeLists.txt")


def check_public_header(path):
    for line, bracket, included in includes_of(path):
        if bracket == '"' and not included.startswith("fanfare/"):
            yield Problem(path, line, f'the public API includes "{included}"; only "fanfare/..." may be seen there')
        if bracket == "<" and (is_third_party(included)):
            yield Problem(path, line, f"the public API includes <{included}>; no dependency's header leaks into it")


def sources_under(folder):
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.rglob("*") if path.suffix in (".h", ".cc"))


def check(root):
    """Returns every violation under root, in file order."""
    rooms = read_floors(root / "src" / "FLOORS")
    problems = []
    for folder in sorted(path for path in (root / "src").iterdir() if path.is_dir()):
        if folder.name not in rooms:
            problems.append(Problem(folder, 0, "this room has no line in src/FLOORS; give it a floor"))
            continue
        for path in sources_under(folder):
            problems.extend(check_room_file(rooms, folder.name, path))
        if (folder / "CMakeLists.txt").is_file():
            problems.extend(check_room_cmake(rooms, folder.name, folder / "CMakeLists.txt"))
    for path in sources_under(root / "include"):
        problems.extend(check_public_header(path))
    return problems


def main(arguments):
    root = pathlib.Path(arguments[1] if len(arguments) > 1 else ".")
    try:
        problems = check(root)
    except ValueError as error:
        print(error)
        return 1
    for problem in problems:
        print(f"{problem.file.relative_to(root)}:{problem.line}: error: {problem.text}")
    print(f"floor check: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
