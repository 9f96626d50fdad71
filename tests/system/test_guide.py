# SPDX-License-Identifier: Apache-2.0
"""What can be said of the guide (docs/guide) without running it; test_guide_*.py run its commands."""
import re
import subprocess

import pytest

from guide import GUIDE, PAGES, ROOT, blocks, name, pages_of
from pgcluster import PROGRAM

README = ROOT / "README.md"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_kinds(page):
    for kind, text, line in blocks(page):
        assert kind in ("sh", "ini", "text", "sh system"), f"line {line}: a block of kind {kind!r}"
        if kind.startswith("sh"):
            subprocess.run(["bash", "-n"], input=text.encode(), check=True)


def heading_names(page):
    """What a link may have behind its #."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page):
    for target, part in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            other = page.parent / target if target else page
            assert other.exists(), f"there is no {target}"
            assert not part or part in heading_names(other), f"{target} has no heading {part}"


def commands():
    """"backup postgresql full" -> its options."""
    text = subprocess.run([PROGRAM, "--help"], check=True, capture_output=True, text=True).stdout
    found = {}
    for line in re.findall(r"^  (\w[\w -]*?)(?: [A-Z|\[-].*?)?  ", text, re.M):
        done = subprocess.run([PROGRAM, *line.split(), "--help"], check=True, capture_output=True, text=True)
        found[line] = set(re.findall(r"(?<![\w-])(--?[a-z][\w-]*)", done.stdout.split("example:")[0]))
    return found


def test_every_command_and_option_exists():
    """In all kinds of blocks, and in `holdfast …` in the text; of the README too, whose blocks have no kind."""
    known = commands()
    assert len(known) > 30, known
    for page in [*PAGES, README]:
        parts = [text for kind, text, _ in blocks(page) if kind.startswith("sh") or (page == README and not kind)]
        parts += re.findall(r"`(holdfast [^`]+)`", page.read_text(encoding="utf-8"))
        for part in parts:
            for line in re.sub(r"\\\n", " ", part).splitlines():
                for call in re.findall(r"(?:^|[|;&(' ]|sudo )holdfast ((?:-?-?[\w$.,/{}*'\"=:%-]+ ?)+)", line.split("#")[0]):
                    check_call(known, call.split(), f"{page.name}: holdfast {call}")


def check_call(known, words, where):
    if words[0].startswith("-") or words[0].isupper():
        return
    found = next((" ".join(words[:n]) for n in (3, 2, 1) if " ".join(words[:n]) in known), None)
    if found is None:
        # "holdfast restore …"
        assert any(command.startswith(" ".join(words)) for command in known), where
        return
    for word in words:
        if re.match(r"--?[a-z]", word):
            assert word.split("=")[0] in known[found], f"{where}: {word}"


def error_codes():
    """Of the error table."""
    text = (ROOT / "src" / "base" / "error.c").read_text(encoding="utf-8")
    return re.findall(r'\{ERROR_\w+, "([\w-]+)", (\d), (\d+), "', text)


@pytest.mark.parametrize("page", ["troubleshooting.md", "zh/troubleshooting.md"])
def test_every_error_code_has_an_entry(page):
    text = (GUIDE / page).read_text(encoding="utf-8")
    codes = error_codes()
    assert len(codes) > 20
    for code, status, _ in codes:
        assert re.search(rf"^### `{code}` \(exit (status )?{status}\)|^### `{code}`.*{status}", text, re.M), code
    for code in re.findall(r"^### `([\w-]+)`", text, re.M):
        assert code in [known for known, _, _ in codes], f"{code} is no error code"


def test_every_page_is_in_the_index():
    index = (GUIDE / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert page.name == "README.md" or f"({name(page)})" in index, name(page)


def test_every_command_is_run_by_one_file():
    files = [path.stem.removeprefix("test_guide_") for path in (ROOT / "tests" / "system").glob("test_guide_*.py")]
    run = [page for file in files for page in pages_of(file)]
    assert sorted(run) == [page for page in PAGES if any(kind == "sh" for kind, _, _ in blocks(page))]
