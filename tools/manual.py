#!/usr/bin/env python3
"""Makes the manual pages and the shell completions out of the program's own help. Usage: manual.py PROGRAM OUTPUT_FOLDER

Writes man/fanfare.1 and one page for each command, bash/fanfare and zsh/_fanfare."""

import pathlib
import re
import subprocess
import sys


def split_entry(line):
    """A term that fills its column is followed by one space only."""
    term, _, description = line.partition("  ")
    if not description and (long := re.fullmatch(r"(-\S+ [A-Z][A-Z_-]*(?: \.\.\.)?) (.+)", line)):
        term, description = long.groups()
    return term, description.strip()


class Help:
    """The parts of one help text: the sentence that it begins with, its usage, and sections of (name, entries, text)."""

    def __init__(self, text):
        self.usage = ""
        self.summary = []
        self.sections = []  # [title, [[term, description], ...], [paragraph lines]]
        for line in text.rstrip().split("\n"):
            self.add(line)

    def add(self, line):
        if line.startswith("Usage: "):
            self.usage = line.removeprefix("Usage: ")
        elif not self.usage:
            self.summary.append(line.strip())
        elif line and not line.startswith(" ") and line.endswith(":"):
            self.sections.append([line.removesuffix(":"), [], []])
        elif line.startswith("  fanfare ") and self.sections:
            self.sections[-1][1].append([line.strip(), ""])
        elif line.startswith("      ") and self.sections and self.sections[-1][1]:
            entry = self.sections[-1][1][-1]
            entry[1] = f"{entry[1]} {line.strip()}".strip()
        elif line.startswith("  ") and self.sections:
            self.sections[-1][1].append(list(split_entry(line.strip())))
        elif line.strip():
            if not self.sections or self.sections[-1][0]:
                self.sections.append(["", [], []])
            self.sections[-1][2].append(line.strip())

    def commands(self):
        return [(term, text) for title, entries, _ in self.sections if title == "Subcommands" for term, text in entries]

    def flags(self):
        """(flag, description, whether it takes a value)."""
        found = []
        for title, entries, _ in self.sections:
            if title in ("Subcommands", "Positionals", "Examples"):
                continue
            for term, text in entries:
                names, _, value = term.partition(" ")
                for name in names.split(","):
                    if name.startswith("-"):
                        found.append((name, text, bool(value.strip()) and not value.startswith("Excludes")))
        return found


def help_of(program, *command):
    run = subprocess.run([program, *command, "--help"], capture_output=True, text=True, check=True)
    return Help(run.stdout)


def walk(program, command=()):
    """Yields (command, its help) for the program and every command below."""
    text = help_of(program, *command)
    yield command, text
    for name, _ in text.commands():
        yield from walk(program, (*command, name))


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def page(command, text, version):
    name = "-".join(("fanfare", *command))
    summary = " ".join(line for line in text.summary if line)
    lines = [f'.TH {name.upper()} 1 "" "fanfare {version}" "User Commands"', ".SH NAME", f"{roff(name)} \\- {roff(summary)}",
             ".SH SYNOPSIS", f".B {roff(text.usage)}"]
    for title, entries, paragraphs in text.sections:
        if title:
            lines.append(f'.SH "{roff(title.upper())}"')
        elif paragraphs:
            lines.append(".PP")
        for term, description in entries:
            lines += [".TP", f".B {roff(term)}", roff(description)]
        lines += [roff(line) for line in paragraphs]
    if not command:
        lines += [".SH FILES", ".TP", ".B /etc/fanfare/fanfare.yaml", "The configuration of the service.", ".TP",
                  ".B /etc/default/fanfare", "Variables of the service.", ".TP", ".B /var/lib/fanfare",
                  "What is kept on disk."]
    others = [f"fanfare-{term}" for term, _ in text.commands()] or ["fanfare"]
    lines += [".SH SEE ALSO", ", ".join(f"{roff(other)}(1)" for other in others)]
    return "\n".join(lines) + "\n"


def bash(pages):
    cases = []
    for command, text in pages:
        words = [name for name, _ in text.commands()] + [flag for flag, _, _ in text.flags()]
        cases.append(f'    "{" ".join(command)}") words="{" ".join(words)}" ;;')
    commands = " ".join(f'"{" ".join(command)}"' for command, _ in pages if command)
    return f"""# bash completion for fanfare
_fanfare() {{
  local word path="" words=""
  COMPREPLY=()
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    local known
    for known in {commands}; do
      if [[ "${{path:+$path }}$word" == "$known" ]]; then path=$known; break; fi
    done
  done
  case "$path" in
{chr(10).join(cases)}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}")
  if [[ ${{#COMPREPLY[@]}} -eq 0 ]]; then mapfile -t COMPREPLY < <(compgen -f -- "${{COMP_WORDS[COMP_CWORD]}}"); fi
}}
complete -o filenames -F _fanfare fanfare
"""


def zsh(pages):
    def quoted(text):
        return text.replace("'", "'\\''").replace("[", "(").replace("]", ")").replace(":", "\\:")

    cases = []
    for command, text in pages:
        flags = [f"'{flag}[{quoted(description)}]{':value:_files' if value else ''}'" for flag, description, value in text.flags()]
        names = [f"'{name}:{quoted(description)}'" for name, description in text.commands()]
        body = ""
        if names:
            body = f"      local -a commands=({' '.join(names)})\n      _describe command commands\n"
        cases.append(f"    '{' '.join(command)}')\n{body}      _arguments {' '.join(flags)} '*:file:_files'\n      ;;")
    known = " ".join(f"'{' '.join(command)}'" for command, _ in pages if command)
    return f"""#compdef fanfare
_fanfare() {{
  local path_="" word
  for word in "${{words[@]:1:$((CURRENT - 2))}}"; do
    local each
    for each in {known}; do
      if [[ "${{path_:+$path_ }}$word" == "$each" ]]; then path_=$each; fi
    done
  done
  case "$path_" in
{chr(10).join(cases)}
  esac
}}
_fanfare "$@"
"""


def main(program, folder):
    folder = pathlib.Path(folder)
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    pages = list(walk(program))
    files = {f"man/{'-'.join(('fanfare', *command))}.1": page(command, text, version) for command, text in pages}
    files |= {"bash/fanfare": bash(pages), "zsh/_fanfare": zsh(pages)}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
