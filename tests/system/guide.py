# SPDX-License-Identifier: Apache-2.0
"""What the tests of the guide (docs/guide) share. Its commands are run, top to bottom, page by page.

Kinds of blocks:

  ```sh         commands; all of a page run in order in one shell that ends at the first failure
  ```ini        lines of the configuration; they are put into the sandbox's before the next commands
  ```text       output, or a picture: not run
  ```sh system  commands that need root, systemd or another machine: `sh -n`, and every holdfast command and option in
                them must exist

Pages are shared out among test_guide_*.py, see share(): a file's tests stay in one process, with the servers that they share.

A page may begin with <!-- starts from: NAME -->, what its reader has already: see Sandbox.start(). Paths of the guide lie in a
sandbox, see Sandbox.place(); the servers are private ones, TDengine's a stand-in where there is no real one.
"""
import os
import pathlib
import re
import shutil
import socket
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
# Those of the guide's shell.
VARIABLES = "BACKUP API TOKEN JOB"


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


def start_of(page):
    """What the page's reader has already, or None."""
    found = re.match(r"<!-- starts from: (\w+) -->\n", page.read_text(encoding="utf-8"))
    return found and found.group(1)


def share(page):
    """Which of the files test_guide_*.py runs a page: those that bring servers back take as long as all others."""
    return "recovery" if page.stem in ("point-in-time", "dropped-table", "bare-machine", "new-server") else "pages"


def pages_of(wanted):
    """The pages of a share that have commands."""
    return [page for page in PAGES if share(page) == wanted and any(kind == "sh" for kind, _, _ in blocks(page))]


def free_port():
    """One that no other process of these tests takes, and no client gets for a connection: it is free until the service has it,
    and again when the service is started anew."""
    first = 10000 + os.getpid() % 20000
    for port in range(first, first + 1000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"{first} and the thousand behind it are taken")


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


class DebianCluster(PhysicalCluster):
    """Its configuration lies outside of its data directory, as Debian has it, and everything is said there: a server that is put in
    the place of the data directory starts with the same words."""

    def __init__(self):
        super().__init__()
        self.stop("fast")
        self.etc = self.root / "etc"
        self.etc.mkdir()
        for file in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf"):
            shutil.move(self.data / file, self.etc / file)
        # In its files, so that the servers that are restored from it do not wait for the disk either.
        said = [*self.settings, f"data_directory={self.data}", f"hba_file={self.etc}/pg_hba.conf",
                f"ident_file={self.etc}/pg_ident.conf", f"external_pid_file={self.root}/pid"]
        with open(self.etc / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.writelines("{} = '{}'\n".format(*setting.split("=", 1)) for setting in said)
        self.settings = [f"config_file={self.etc}/postgresql.conf"]
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "postgres", str(self.root)], check=True)
        self.start()

    def systemctl(self):
        """The program of that name, as far as the guide asks it."""
        control = f'"{self.bin}/pg_ctl" -D "{self.data}" -w'
        return ('#!/bin/sh\n[ "$2" = postgresql ] || exit 2\ncase "$1" in stop | restart) ' + control + ' -m fast stop ;; esac\n'
                f'case "$1" in start | restart) ' + control + f' -o "-c {self.settings[0]}" -l "{self.root}/log" start ;; esac\n')


class Servers(dict):
    """"postgresql", and "tdengine" once a page has asked for it."""

    def __init__(self):
        super().__init__(postgresql=DebianCluster())

    def remove(self):
        for server in self.values():
            server.remove()


@pytest.fixture(scope="module", name="servers")
def guide_servers():
    """For the pages of one file."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    made = Servers()
    yield made
    made.remove()


class Sandbox:
    """A page's own directory, database and environment."""

    def __init__(self, servers, page):
        self.servers, self.cluster = servers, servers["postgresql"]
        self.directory = self.cluster.root / re.sub(r"\W", "", name(page))[:12]
        self.config = self.directory / "etc" / "holdfast.conf"
        for folder in ("etc", "srv", "mnt", "home", "state", "run", "bin"):
            (self.directory / folder).mkdir(parents=True)
        # Here one account is everybody.
        for tool, text in (("sudo", '#!/bin/sh\nexec "$@"\n'), ("systemctl", self.cluster.systemctl())):
            path = self.directory / "bin" / tool
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755)
        self.home = self.directory / "home"
        self.environment = {
            **self.cluster.environment, "HOLDFAST_CONFIG": str(self.config), "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.directory / "state"), "XDG_RUNTIME_DIR": str(self.directory / "run"), "TZ": "UTC",
            "PATH": f"{self.directory}/bin:{PROGRAM.parent}:{self.cluster.bin}:{os.environ['PATH']}"}
        self.address = f"127.0.0.1:{free_port()}"
        self.cluster.set("archive_command", "true")
        for other in self.cluster.databases():
            if other != "postgres":
                self.cluster.drop(other)
        # Else the page makes it.
        if start_of(page) is not None:
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
        text = text.replace("127.0.0.1:8714", self.address).replace("/run/holdfast", str(self.directory / "run"))
        text = text.replace("/etc/holdfast", str(self.config.parent)).replace("/var/run/postgresql", str(self.cluster.root))
        text = text.replace("/var/lib/postgresql/15/main", str(self.cluster.data)).replace("/etc/postgresql/15/main", str(self.cluster.etc))
        text = text.replace("/var/lib/postgresql/", f"{self.home}/").replace("/usr/lib/postgresql/15/bin", str(self.cluster.bin))
        text = text.replace("install -d -o postgres", "install -d").replace("chown -R postgres:", 'chown -R "$(id -un)":')
        text = re.sub(r"(?<![\w.-])/(srv|mnt)/", rf"{self.directory}/\1/", text)
        return text.replace("'holdfast wal push %p", f"'{PROGRAM} wal push %p --config {self.config}")

    def run(self, script):
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "postgres:postgres", str(self.directory)], check=True)
        words = ["env", "-i", *[f"{key}={value}" for key, value in self.environment.items()], "bash", "-eu", "-o", "pipefail"]
        done = subprocess.run(as_server_user(words), input=script.encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120, cwd=self.home)
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def ok(self, script):
        status, output = self.run(script)
        for log in self.directory.glob("srv/pg/log") if status != 0 else ():
            output += log.read_text(encoding="utf-8")
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
        the backup, behind a physical one the logical that the same page makes; "configured": the first of these without a
        backup."""
        if what is None:
            return
        kind = "physical" if what == "configured" else what
        self.ok(self.place("holdfast init --repository /srv/backup/holdfast\n"))
        self.configure(CONFIG[kind] + ("conninfo = host=/var/run/postgresql user=postgres\n" if kind != "tdengine" else ""))
        self.configure("[server]\nlisten = 127.0.0.1:8714\n")
        if kind == "physical":
            self.cluster.set("archive_command", f"{PROGRAM} wal push %p --config {self.config}")
        if what != "configured":
            self.ok(f"holdfast backup {'tdengine' if kind == 'tdengine' else 'postgresql'} full\n")
        if what == "physical":
            self.ok("holdfast backup postgresql full --method logical\n")

    def remove(self):
        """A service that the page has started ends; so does a server."""
        self.run("holdfast scheduler stop --shutdown || true\n")
        for pid in self.directory.glob("srv/**/postmaster.pid"):
            self.run(f"pg_ctl -D {pid.parent} -m immediate stop\n")
        self.cluster.set("archive_command", "true")
        for directory in (self.directory, self.cluster.data.with_suffix(".old")):
            shutil.rmtree(directory, ignore_errors=True)

    def run_page(self, page):
        """All of its commands; the VARIABLES live on over lines of the configuration."""
        self.start(start_of(page))
        script = []
        for kind, text, line in blocks(page):
            if kind == "ini":
                if script:
                    self.ok("".join(script) + f"declare -p {VARIABLES} > {self.directory}/variables 2>/dev/null || true\n")
                    script = [f". {self.directory}/variables\n"]
                self.configure(text)
            elif kind == "sh":
                script.append(f"echo '--- line {line}'\n" + self.place(text))
        self.ok("".join(script))


def run_page(servers, page):
    sandbox = Sandbox(servers, page)
    try:
        sandbox.run_page(page)
    finally:
        sandbox.remove()
