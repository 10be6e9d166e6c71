#!/usr/bin/env python3
"""Where the classes and functions of a C++ file begin and end, without a compiler.

It knows as much of the grammar as this tree uses: comments, literals, preprocessor lines, braces, and what stands before
an opening brace. That is enough to count lines, and it reads the whole tree in two seconds.
"""

import collections
import re
from typing import NamedTuple

LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^()\\ ]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])*\''
    r"|^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.DOTALL | re.MULTILINE)
CLASS = re.compile(r"\b(?:class|struct|union)\s+(?:\[\[[^\]]*\]\]\s*|[A-Z][A-Z_]+\s+|alignas\([^)]*\)\s*)*"
                   r"((?:\w+(?:<[^<>{}]*>)?\s*::\s*)*\w+)(?:\s*<[^{}]*?>)?\s*(?:final\b)?\s*(?::(?!:).*)?$", re.DOTALL)
FUNCTION_NAME = re.compile(r"((?:\w+(?:<[^<>()]*>)?\s*::\s*)*(?:~?\w+|operator\s*(?:\(\s*\)|[^\s\w(]+|\s+\w[\w:<>&* ]*)))\s*$")
NOT_FUNCTIONS = {"if", "for", "while", "switch", "catch", "return", "sizeof", "decltype", "alignas", "requires", "noexcept"}


class Function(NamedTuple):
    name: str         # qualified with the classes around it: "Server::Thread::end"
    first: int        # the line where its declaration begins
    last: int         # the line of its closing brace
    is_inside: bool   # defined within its class

    @property
    def lines(self):
        return self.last - self.first + 1


class Class(NamedTuple):
    name: str         # qualified with the classes around it
    first: int
    last: int
    is_local: bool    # in an unnamed namespace or a function

    @property
    def lines(self):
        return self.last - self.first + 1


def blank(text):
    """The text without comments, literals and preprocessor lines; every line keeps its place."""
    def empty(match):
        found = match.group(0)
        spaces = re.sub(r"[^\n]", " ", found)
        return f'""{spaces[2:]}' if found[0] in "\"'R" else spaces
    return LITERAL.sub(empty, text)


def outer_parenthesis(head):
    """The index of the "(" that opens the parameter list: the first one outside of template arguments. -1: none."""
    angle = 0
    for index, character in enumerate(head):
        if character == "<" and not head[:index].rstrip().endswith(("operator", "operator<")):
            angle += 1
        elif character == ">" and angle > 0 and head[index - 1] != "-":
            angle -= 1
        elif character == "(" and angle == 0:
            if head[:index].rstrip().endswith(("decltype", "noexcept", "alignas", "explicit")):
                continue
            return index
    return -1


def function_of(head):
    """The name of the function whose body follows `head`; None: it is no function."""
    # A requires-clause and template parameters come before the name; attributes and macros do no harm.
    head = re.sub(r"^\s*template\s*<[^{}]*?>\s*(?=[\w\[:~])(?!.*\btemplate\b)", "", head, flags=re.DOTALL)
    head = re.sub(r"\[\[.*?\]\]", "", head, flags=re.DOTALL)
    head = re.sub(r"\b(?:public|private|protected)\s*:", "", head)
    head = re.sub(r"\brequires\s*\(.*?\)\s*(?=\w)", "", head, flags=re.DOTALL)
    at = outer_parenthesis(head)
    if at < 0:
        return None
    before = head[:at]
    call = re.search(r"operator\s*$", before)
    if call:
        return FUNCTION_NAME.search(before[:call.start()] + "operator()").group(1).replace(" ", "")
    if re.search(r"(?<![=!<>])=(?!=)", before) and "operator" not in before:
        return None
    match = FUNCTION_NAME.search(before)
    if not match or match.group(1) in NOT_FUNCTIONS or not re.match(r"[\w~]", match.group(1)):
        return None
    return re.sub(r"\s+", "", re.sub(r"<[^<>]*>", "", match.group(1)))


def begins_initializer(head):
    """Whether the brace after `head` initializes a member in a constructor's list: `A::A() : b_{...}`."""
    at = outer_parenthesis(head)
    if at < 0 or not re.search(r"\)\s*(?:noexcept\s*)?:(?!:)", head[at:], re.DOTALL):
        return False
    return bool(re.search(r"[\w>]\s*$", head))


def parse(text):
    """Returns (classes, functions) of a file, in the order in which they end."""
    clean = blank(text)
    classes, functions = [], []
    stack = []            # (kind, name, line): kind is "namespace", "unnamed", "class", "function" or "other"
    head_from = 0         # where the current declaration begins
    parentheses = 0
    line = 1
    skip_until = 0
    index = 0
    for index, character in enumerate(clean):
        if character == "\n":
            line += 1
        if index < skip_until:
            continue
        if character == "(":
            parentheses += 1
        elif character == ")":
            parentheses -= 1
        elif character == ";" and parentheses <= 0:
            head_from = index + 1
        elif character == "{":
            head = clean[head_from:index]
            scope = stack[-1][0] if stack else "namespace"
            if scope in ("function", "other", "initializer") or parentheses > 0:
                kind, name = "other", ""
                local = CLASS.search(head) if parentheses <= 0 and scope == "function" else None
                if local and "(" not in head[:local.start()].replace("alignas(", ""):
                    kind, name = "class", re.sub(r"\s|<[^<>]*>", "", local.group(1))
            elif re.search(r"\bnamespace\b[\w\s:]*$", head):
                kind, name = ("namespace" if re.search(r"namespace\s+\w", head) else "unnamed"), ""
            elif begins_initializer(head):
                kind, name = "initializer", ""
            elif re.search(r"\benum\b", head) or re.search(r'\bextern\s*""\s*$', head):
                kind, name = ("namespace", "") if "extern" in head else ("other", "")
            elif (function := function_of(head)) and not re.search(r"(?<![=!<>])=\s*$", head):
                kind, name = "function", function
            elif match := CLASS.search(head):
                kind, name = "class", re.sub(r"\s|<[^<>]*>", "", match.group(1))
            else:
                kind, name = "other", ""
            stripped = re.sub(r"^(?:\s*(?:public|private|protected)\s*:)?\s*", "", head)
            start = line - stripped.count("\n")
            stack.append((kind, name, start, parentheses, head_from))
            parentheses = 0
            if kind != "initializer":
                head_from = index + 1
        elif character == "}" and stack:
            kind, name, start, parentheses, old_head = stack.pop()
            outer = [item[1] for item in stack if item[0] == "class"]
            qualified = "::".join([*outer, name])
            if kind == "class":
                local = any(item[0] in ("unnamed", "function") for item in stack)
                classes.append(Class(qualified, start, line, local))
            elif kind == "function":
                inside = bool(stack) and stack[-1][0] == "class"
                functions.append(Function(qualified, start, line, inside))
            head_from = old_head if kind == "initializer" else index + 1
    return classes, functions


def count_classes(files):
    """Returns (room or file, class name) -> lines, over all files that define the class or its members.

    `files`: (path, text) pairs. A class in an unnamed namespace belongs to its file, any other to its folder. The members of
    a class of include/ may be defined in any folder.
    """
    parsed = [(path, *parse(text)) for path, text in files]
    lines = collections.Counter()
    local_names = collections.defaultdict(set)
    for path, classes, _ in parsed:
        folder = path.rpartition("/")[0]
        for found in classes:
            lines[(path if found.is_local else folder, found.name)] += found.lines
            if found.is_local:
                local_names[path].add(found.name)
    for path, _, functions in parsed:
        folder = path.rpartition("/")[0]
        for function in functions:
            owner = function.name.rpartition("::")[0]
            if owner and not function.is_inside:
                keys = [(path, owner)] if owner in local_names[path] else [(folder, owner), ("include/fanfare", owner)]
                known = next((key for key in keys if key in lines), None)
                if known:
                    lines[known] += function.lines
    return lines
