#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The layering check: the rules of the house that no compiler enforces.

usage: layers.py [SRC]      check a source tree (default: src beside this directory); exit 1 when a rule is broken
       layers.py --self-test    break every rule in a scratch tree and see that the check finds it

The rules:
  - a folder includes only from folders above it in LAYERS, and from itself; the engines do not know each other;
  - includes of our own headers are written from src: "base/error.h";
  - no circles between files;
  - below the command line and the service nothing prints, exits or reads the command line;
  - a file has at most 800 lines (a warning), never more than 900;
  - a .c file has a header of the same name, or includes the one of its folder that declares its functions.
"""

import contextlib
import io
import pathlib
import re
import sys
import tempfile

LAYERS = [
    "base", "config", "codec", "store", "parquet", "repo", "pool", "catalog", "engine",
    "postgres", "tdengine", "operation", "service", "cli",
]
STRANGERS = [{"postgres", "tdengine"}]
MAY_PRINT = {"cli", "service"}
MAY_PRINT_FILES = {"main.c", "front.c", "base/log.c"}
ROOT_FILES = {"main.c", "front.c"}
LINES_WARNED = 800
LINES_ALLOWED = 900

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
COMMENT_OR_LITERAL = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
PRINTS = re.compile(
    r"\b(printf|vprintf|puts|putchar|perror|exit|g_print|g_printerr|g_option_context_new|getopt(?:_long)?)"
    r"\s*\(|\b(?:v?fprintf|dprintf)\s*\(\s*(stdout|stderr|STDOUT_FILENO|STDERR_FILENO)\b"
    r"|\b(?:fputs|fputc|putc|fwrite)\s*\([^;]*\b(?:stdout|stderr)\b")


def without_comments(text):
    """The code alone, line numbers kept: comments become blanks, literals become empty ones."""
    def blank(match):
        piece = match.group(0)
        if piece[0] == "/":
            return re.sub(r"[^\n]", " ", piece)
        return piece[0] + piece[-1]
    return COMMENT_OR_LITERAL.sub(blank, text)


class Check:
    def __init__(self, root):
        self.root = root
        self.broken = []
        self.warnings = []
        self.includes = {}
        paths = sorted(p for p in root.rglob("*") if p.suffix in (".c", ".h"))
        self.files = {p.relative_to(root).as_posix(): p.read_text(encoding="utf-8") for p in paths}

    def broke(self, name, text):
        self.broken.append(f"{name}: {text}")

    def run(self):
        for name, text in self.files.items():
            self.check_place(name)
            self.check_includes(name, text)
            self.check_printing(name, text)
            self.check_length(name, text)
            self.check_header(name)
        self.check_circles()
        return self

    def check_place(self, name):
        folder = name.split("/")[0]
        if "/" not in name:
            if name not in ROOT_FILES:
                self.broke(name, f"only {' and '.join(sorted(ROOT_FILES))} stand directly in src")
        elif folder not in LAYERS:
            self.broke(name, f'folder "{folder}" is not in the list of layers')

    def check_includes(self, name, text):
        folder = name.split("/")[0] if "/" in name else None
        found = self.includes.setdefault(name, [])
        for included in INCLUDE.findall(text):
            if included not in self.files:
                self.broke(name, f'includes "{included}", which is no file under src: write it from src')
                continue
            found.append(included)
            other = included.split("/")[0]
            if folder is None or folder not in LAYERS or other not in LAYERS or folder == other:
                continue
            if LAYERS.index(other) > LAYERS.index(folder):
                self.broke(name, f'includes "{included}": {folder} stands above {other}')
            elif {folder, other} in STRANGERS:
                self.broke(name, f'includes "{included}": {folder} and {other} do not know each other')

    def check_printing(self, name, text):
        if name in MAY_PRINT_FILES or name.split("/")[0] in MAY_PRINT:
            return
        for number, line in enumerate(without_comments(text).splitlines(), 1):
            match = PRINTS.search(line)
            if match:
                self.broke(f"{name}:{number}", f"library code prints or exits: {match.group(0)}")

    def check_length(self, name, text):
        lines = text.count("\n")
        if lines > LINES_ALLOWED:
            self.broke(name, f"{lines} lines; {LINES_WARNED} are enough")
        elif lines > LINES_WARNED:
            self.warnings.append(f"{name}: {lines} lines; {LINES_WARNED} are enough")

    def check_header(self, name):
        if not name.endswith(".c") or name in ROOT_FILES or name[:-2] + ".h" in self.files:
            return
        if not any(included.split("/")[0] == name.split("/")[0] for included in self.includes[name]):
            self.broke(name, "has no header of the same name, and includes none of its folder")

    def check_circles(self):
        done = set()
        path = []

        def visit(name):
            if name in path:
                circle = path[path.index(name):] + [name]
                self.broke(name, "circle of includes: " + " -> ".join(circle))
                return
            if name in done:
                return
            path.append(name)
            for included in self.includes.get(name, []):
                visit(included)
            path.pop()
            done.add(name)

        for name in sorted(self.files):
            visit(name)


# A tree that keeps every rule, and for each rule a file that breaks it with the words to be found.
GOOD = {
    "main.c": '#include "cli/command.h"\nint main(void)\n{\n    printf("x");\n    return 0;\n}\n',
    "base/error.h": "/* printf( in a comment is no printing */\n",
    "base/error.c": '#include "base/error.h"\nconst char *a = "printf(";\nconst char b = \'"\';\n',
    "base/log.h": "\n",
    "base/log.c": '#include "base/log.h"\nvoid f(void)\n{\n    fprintf(stderr, "x");\n}\n',
    "cli/command.h": '#include "base/error.h"\n',
    "cli/command.c": '#include "cli/command.h"\nvoid g(void)\n{\n    g_print("x");\n}\n',
    "store/driver.h": "\n",
    "store/memory.c": '#include "store/driver.h"\n',
    "cli/cmd-init.c": '#include "cli/commands.h"\n',
    "cli/commands.h": "\n",
    "base/log-line.c": '#include "base/log.h"\n',
    "postgres/dump.h": '#include "base/error.h"\n#include <stdio.h>\n',
    "tdengine/slice.h": "\n",
}
BAD = [
    ({"base/upward.h": '#include "cli/command.h"\n'}, "base stands above cli"),
    ({"operation/up.h": '#include "cli/command.h"\n'}, "operation stands above cli"),
    ({"tdengine/x.h": '#include "postgres/dump.h"\n'}, "do not know each other"),
    ({"postgres/x.h": '#include "tdengine/slice.h"\n'}, "postgres stands above tdengine"),
    ({"postgres/x.h": '#include "dump.h"\n'}, "write it from src"),
    ({"base/a.h": '#include "base/b.h"\n', "base/b.h": '#include "base/a.h"\n'}, "circle of includes"),
    ({"base/p.h": "\n", "base/p.c": 'void p(void)\n{\n    printf("x");\n}\n'}, "base/p.c:3: library code prints"),
    ({"base/q.h": "\n", "base/q.c": 'void q(void)\n{\n    fprintf(stdout, "x");\n}\n'}, "library code prints"),
    ({"repo/r.h": "\n", "repo/r.c": "void r(void)\n{\n    exit(1);\n}\n"}, "library code prints or exits"),
    ({"operation/s.h": "\n", "operation/s.c": 'void s(void)\n{\n    fputs("x", stderr);\n}\n'}, "library code prints"),
    ({"base/long.h": "\n" * (LINES_ALLOWED + 1)}, f"{LINES_ALLOWED + 1} lines"),
    ({"base/alone.c": "\n"}, "no header of the same name"),
    ({"store/posix.c": "\n"}, "no header of the same name"),
    ({"store/posix.c": '#include "base/log.h"\n'}, "no header of the same name"),
    ({"utils/u.h": "\n"}, "not in the list of layers"),
    ({"stray.h": "\n"}, f"only {' and '.join(sorted(ROOT_FILES))} stand directly in src"),
]


def check_tree(files):
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return Check(root).run()


def self_test():
    failures = [f"a good tree: {text}" for text in check_tree(GOOD).broken]
    for files, expected in BAD:
        broken = check_tree({**GOOD, **files}).broken
        if not any(expected in text for text in broken):
            failures.append(f'{", ".join(files)}: expected "{expected}", found {broken}')
        elif len(broken) != 1:
            failures.append(f'{", ".join(files)}: more than one finding: {broken}')
    long_file = check_tree({**GOOD, "base/long.h": "\n" * (LINES_WARNED + 1)})
    if long_file.broken or len(long_file.warnings) != 1:
        failures.append("a file just too long: expected a warning and nothing else")
    with contextlib.redirect_stdout(io.StringIO()):
        if main(["layers.py", "/nonexistent"]) == 0:
            failures.append("a tree without files passed")
    for text in failures:
        print(text)
    print(f"layers.py --self-test: {len(BAD) + 3} trees, {len(failures)} failures")
    return 1 if failures else 0


def main(arguments):
    if arguments[1:] == ["--self-test"]:
        return self_test()
    root = pathlib.Path(arguments[1]) if len(arguments) > 1 else pathlib.Path(__file__).parent.parent / "src"
    check = Check(root).run()
    for text in check.warnings:
        print(f"warning: {text}")
    for text in check.broken:
        print(text)
    print(f"layers.py: {len(check.files)} files, {len(check.broken)} broken rules")
    return 1 if check.broken or not check.files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
