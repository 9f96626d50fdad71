# SPDX-License-Identifier: Apache-2.0
"""The guide (docs/guide) does what it says: its commands are run, top to bottom, page by page.

Kinds of blocks:

  ```sh         commands; all of a page run in order in one shell that ends at the first failure
  ```ini        lines of the configuration; they are put into the sandbox's before the next commands
  ```text       output, or a picture: not run
  ```sh system  commands that need root, systemd or another machine: `sh -n`, and every holdfast command and option in
                them must exist

A page may begin with <!-- starts from: NAME -->, what its reader has already: see Sandbox.start(). Paths of the guide lie in a
sandbox, see Sandbox.place(); the servers are private ones, TDengine's a stand-in where there is no real one.
"""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import tdserver
from conftest import missing
from physical import PhysicalCluster, as_server_user
from pgcluster import PROGRAM

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guide"
PAGES = sorted(GUIDE.rglob("*.md"))
SHOP = """
    CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
    INSERT INTO customers SELECT i, 'customer ' || i FROM generate_series(1, 100) AS i;
    CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers, placed timestamptz DEFAULT now(), total numeric);
    INSERT INTO orders SELECT i, 1 + i % 100, now(), i % 97 FROM generate_series(1, 1000) AS i;
"""
CONFIG = {
    "physical": "[source shop]\nengine = postgresql\nmethod = physical\n",
    "logical": "[source shop]\nengine = postgresql\nmethod = logical\ndatabases = shop\n",
    "tdengine": "[source market]\nengine = tdengine\nurl = ws://localhost:6041\n",
}


def blocks(page):
    """(kind, text, line) of every fenced block."""
    found, kind, lines, begun = [], None, [], 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = re.match(r" *```(.*)$", line)
        if fence and kind is None:
            kind, lines, begun = fence.group(1).strip(), [], number
        elif fence:
            found.append((kind, "\n".join(lines) + "\n", begun))
            kind = None
        elif kind is not None:
            lines.append(line)
    assert kind is None, f"{page}: the block of line {begun} has no end"
    return found


def name(page):
    return str(page.relative_to(GUIDE))


# --- the sandbox --------------------------------------------------------------------------------------------------


class Market:
    """TDengine with a database market, made when the first page asks for it."""

    def __init__(self):
        self.server = tdserver.Server()
        self.server.sql("CREATE DATABASE market KEEP 36500")
        self.server.sql("CREATE STABLE ticks (ts TIMESTAMP, price DOUBLE) TAGS (symbol VARCHAR(8))", "market")
        for symbol in ("aaa", "bbb"):
            self.server.sql(f"CREATE TABLE t_{symbol} USING ticks TAGS ('{symbol}')", "market")
            rows = " ".join(f"('2026-11-22 10:{i // 60:02}:{i % 60:02}', {i})" for i in range(100))
            self.server.sql(f"INSERT INTO t_{symbol} VALUES {rows}", "market")

    def remove(self):
        self.server.remove()


@pytest.fixture(scope="module")
def servers():
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    made = {"postgresql": PhysicalCluster()}
    yield made
    for server in made.values():
        server.remove()


class Sandbox:
    """A page's own directory, database and environment."""

    def __init__(self, servers, page):
        self.servers, self.cluster = servers, servers["postgresql"]
        self.directory = self.cluster.root / re.sub(r"\W", "", name(page))[:12]
        self.config = self.directory / "etc" / "holdfast.conf"
        for folder in ("etc", "srv", "mnt", "root", "state", "run"):
            (self.directory / folder).mkdir(parents=True)
        self.environment = {
            **self.cluster.environment, "HOLDFAST_CONFIG": str(self.config), "HOME": str(self.directory / "root"),
            "XDG_STATE_HOME": str(self.directory / "state"), "XDG_RUNTIME_DIR": str(self.directory / "run"), "TZ": "UTC",
            "PATH": f"{PROGRAM.parent}:{self.cluster.bin}:{os.environ['PATH']}"}
        self.cluster.set("archive_command", "true")
        for other in self.cluster.databases():
            if other != "postgres":
                self.cluster.drop(other)
        self.cluster.create("shop")
        self.cluster.psql(SHOP, "shop")

    def place(self, text):
        """The guide's places in the sandbox."""
        if "localhost:6041" in text and "tdengine" not in self.servers:
            self.servers["tdengine"] = Market()
        if "localhost:6041" in text:
            # Every page begins with the one database.
            for [other] in self.servers["tdengine"].server.sql("SELECT name FROM information_schema.ins_databases"):
                if other not in ("market", "information_schema", "performance_schema"):
                    self.servers["tdengine"].server.sql(f"DROP DATABASE `{other}`")
            text = text.replace("ws://localhost:6041", self.servers["tdengine"].server.url.replace("http", "ws"))
        text = text.replace("/etc/holdfast", str(self.config.parent)).replace("/var/run/postgresql", str(self.cluster.root))
        text = re.sub(r"(?<![\w.-])/(srv|mnt|root)/", rf"{self.directory}/\1/", text)
        return text.replace("'holdfast wal push %p", f"'{PROGRAM} wal push %p --config {self.config}")

    def run(self, script):
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "postgres:postgres", str(self.directory)], check=True)
        words = ["env", "-i", *[f"{key}={value}" for key, value in self.environment.items()], "bash", "-eu", "-o", "pipefail"]
        done = subprocess.run(as_server_user(words), input=script.encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120, cwd="/")
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def ok(self, script):
        status, output = self.run(script)
        assert status == 0, f"exit {status}\n{script}\n{output}"

    def configure(self, text):
        """Puts lines into their sections; a key that is there is replaced."""
        lines = self.config.read_text(encoding="utf-8").splitlines() if self.config.exists() else []
        section = None
        for line in self.place(text).splitlines():
            if line.startswith("["):
                section = line.strip()
                if section not in lines:
                    lines += ["", section]
            elif line.strip() and not line.startswith("#"):
                start = lines.index(section) + 1
                end = next((i for i in range(start, len(lines)) if lines[i].startswith("[")), len(lines))
                key = line.split("=")[0].strip()
                lines[start:end] = [line] + [old for old in lines[start:end] if old.split("=")[0].strip() != key]
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.config.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(self.config, "postgres", "postgres")

    def start(self, what):
        """What a page takes for granted: "physical", "logical" or "tdengine": the configuration of that first backup, and
        the backup; "configured": the first of these without a backup."""
        if what is None:
            return
        kind = "physical" if what == "configured" else what
        self.ok(self.place("holdfast init --repository /srv/backup/holdfast\n"))
        self.configure(CONFIG[kind] + ("conninfo = host=/var/run/postgresql user=postgres\n" if kind != "tdengine" else ""))
        if kind == "physical":
            self.cluster.set("archive_command", f"{PROGRAM} wal push %p --config {self.config}")
        if what != "configured":
            self.ok(f"holdfast backup {'tdengine' if kind == 'tdengine' else 'postgresql'} full\n")

    def remove(self):
        """A service that the page has started ends; so does a server."""
        self.run("holdfast scheduler stop --shutdown || true\n")
        for pid in self.directory.glob("srv/**/postmaster.pid"):
            self.run(f"pg_ctl -D {pid.parent} -m immediate stop\n")
        self.cluster.set("archive_command", "true")
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture
def sandbox(servers, request):
    made = Sandbox(servers, request.param)
    yield made
    made.remove()


def with_commands():
    return [page for page in PAGES if any(kind == "sh" for kind, _, _ in blocks(page))]


@pytest.mark.parametrize(("sandbox", "page"), [(page, page) for page in with_commands()],
                         ids=[name(page) for page in with_commands()], indirect=["sandbox"])
def test_commands_of_a_page(sandbox, page):
    start = re.match(r"<!-- starts from: (\w+) -->\n", page.read_text(encoding="utf-8"))
    sandbox.start(start and start.group(1))
    # The shell's variables live on from block to block.
    script = []
    for kind, text, line in blocks(page):
        if kind == "ini":
            step = sandbox.directory / f"line-{line}.ini"
            step.write_text(text, encoding="utf-8")
            if script:
                sandbox.ok("".join(script) + f"declare -p BACKUP > {sandbox.directory}/variables 2>/dev/null || true\n")
                script = [f". {sandbox.directory}/variables\n"]
            sandbox.configure(text)
        elif kind == "sh":
            script.append(f"echo '--- line {line}'\n" + sandbox.place(text))
    sandbox.ok("".join(script))


# --- what is not run ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_kinds_and_links(page):
    for kind, text, line in blocks(page):
        assert kind in ("sh", "ini", "text", "sh system"), f"line {line}: a block of kind {kind!r}"
        if kind.startswith("sh"):
            subprocess.run(["bash", "-n"], input=text.encode(), check=True)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), f"there is no {target}"


def commands():
    """"backup postgresql full" -> its options."""
    text = subprocess.run([PROGRAM, "--help"], check=True, capture_output=True, text=True).stdout
    found = {}
    for line in re.findall(r"^  (\w[\w -]*?)(?: [A-Z|\[-].*?)?  ", text, re.M):
        done = subprocess.run([PROGRAM, *line.split(), "--help"], check=True, capture_output=True, text=True)
        found[line] = set(re.findall(r"(?<![\w-])(--?[a-z][\w-]*)", done.stdout.split("example:")[0]))
    return found


def test_every_command_and_option_exists():
    """In all kinds of blocks, and in `holdfast …` in the text."""
    known = commands()
    assert len(known) > 30, known
    for page in PAGES:
        parts = [text for kind, text, _ in blocks(page) if kind.startswith("sh")]
        parts += re.findall(r"`(holdfast [^`]+)`", page.read_text(encoding="utf-8"))
        for part in parts:
            for line in re.sub(r"\\\n", " ", part).splitlines():
                for call in re.findall(r"(?:^|[|;&(' ]|sudo )holdfast ((?:-?-?[\w$.,/{}*'\"=:%-]+ ?)+)", line.split("#")[0]):
                    check_call(known, call.split(), f"{name(page)}: holdfast {call}")


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
