# SPDX-License-Identifier: Apache-2.0
"""A TDengine server of the tests' own: a private taosd with its taosadapter where they are on the PATH, else
the stand-in (tests/standin). Which of the two it is, is printed.

The stand-in is a program that prints its URL on its first line and ends with its standard input.
"""
import base64
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
STANDIN = ROOT / "tests" / "standin" / "server.py"

TAOS_CFG = """fqdn localhost
firstEp localhost:{port}
serverPort {port}
dataDir {root}/data
logDir {root}/log
tempDir {root}/tmp
supportVnodes 64
monitor 0
audit 0
telemetryReporting 0
crashReporting 0
enableCoreFile 0
minimalDataDirGB 0.1
minimalLogDirGB 0.1
minimalTmpDirGB 0.1
"""

ADAPTER_TOML = """debug = false
taosConfigDir = "{root}/cfg"
port = {http}
[log]
path = "{root}/log"
level = "warning"
[monitor]
disable = true
[uploadKeeper]
enable = false
"""

CONFLICT = 0x3d3  # "Conflict transaction not completed"


def missing():
    """Why there is no server to test with, or None."""
    if real() or STANDIN.exists():
        return None
    return "neither taosd and taosadapter on the PATH nor a stand-in"


def real():
    """Whether a real server is to be had: HOLDFAST_TDENGINE=standin chooses the stand-in all the same."""
    if os.environ.get("HOLDFAST_TDENGINE") == "standin":
        return False
    return shutil.which("taosd") is not None and shutil.which("taosadapter") is not None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class SqlError(Exception):
    def __init__(self, code, text, statement):
        super().__init__(f"{code}: {text}: {statement[:200]}")
        self.code = code


class Server:
    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="hf-td-", dir="/tmp"))
        self.processes = []
        self.real = real()
        if self.real:
            self.start_real()
        else:
            self.start_standin()
        print(f"TDengine tests run against {'a real server' if self.real else 'the stand-in'} at {self.url}",
              file=sys.stderr)

    def start_real(self):
        self.port, self.http = free_port(), free_port()
        for folder in ("cfg", "data", "log", "tmp"):
            (self.root / folder).mkdir()
        (self.root / "cfg" / "taos.cfg").write_text(TAOS_CFG.format(root=self.root, port=self.port))
        adapter = self.root / "cfg" / "taosadapter.toml"
        adapter.write_text(ADAPTER_TOML.format(root=self.root, http=self.http))
        self.url = f"http://127.0.0.1:{self.http}"
        self.spawn_taosd()
        self.spawn("taosadapter", "-c", str(adapter))
        self.wait()

    def spawn_taosd(self):
        self.taosd = self.spawn("taosd", "-c", str(self.root / "cfg"))

    def kill_taosd(self):
        """SIGKILL: what was acknowledged stands in its log."""
        self.processes.remove(self.taosd)
        self.taosd.kill()
        self.taosd.wait()

    def start_standin(self):
        process = self.spawn(sys.executable, str(STANDIN), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.url = process.stdout.readline().decode().strip().replace("ws://", "http://")

    def spawn(self, *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
        process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        self.processes.append(process)
        return process

    def wait(self):
        """Until the data node is ready: before that databases cannot be made."""
        for _ in range(1200):
            try:
                if self.ask("SELECT status FROM information_schema.ins_dnodes", None) == [["ready"]]:
                    return
            except (OSError, SqlError):
                pass
            if any(process.poll() is not None for process in self.processes):
                raise RuntimeError(f"the server ended; its log is in {self.root}/log")
            time.sleep(0.1)
        raise RuntimeError("the server does not answer")

    def sql(self, statement, database=None):
        """The rows of one statement, through REST. Bytes are sent as they are. A change of the cluster that is still
        under way, a killed client's it may be, is waited for."""
        for _ in range(600):
            try:
                return self.ask(statement, database)
            except SqlError as problem:
                if problem.code != CONFLICT:
                    raise
                time.sleep(0.1)
        return self.ask(statement, database)

    def ask(self, statement, database):
        body = statement if isinstance(statement, bytes) else statement.encode()
        request = urllib.request.Request(f"{self.url}/rest/sql" + (f"/{database}" if database else ""), data=body)
        request.add_header("Authorization", "Basic " + base64.b64encode(b"root:taosdata").decode())
        with urllib.request.urlopen(request, timeout=60) as reply:
            answer = json.loads(reply.read())
        if answer["code"] != 0:
            raise SqlError(answer["code"], answer.get("desc"), str(statement))
        return answer.get("data", [])

    def drop_all(self):
        for [topic] in self.sql("SHOW TOPICS"):
            self.sql(f"DROP TOPIC IF EXISTS `{topic}`")
        for [name, *_] in self.sql("SELECT name FROM information_schema.ins_databases"):
            if name not in ("information_schema", "performance_schema"):
                self.sql(f"DROP DATABASE IF EXISTS `{name}`")

    def remove(self):
        """Its data goes too: there is nothing that an orderly end, which takes a server many seconds, would save."""
        for process in reversed(self.processes):
            process.kill()
            process.wait()
        self.processes.clear()
        shutil.rmtree(self.root, ignore_errors=True)


class Holdfast:
    """The program, with a configuration and a repository of its own."""

    def __init__(self, root, server, program, extra=""):
        root.mkdir(exist_ok=True)
        self.root, self.program = root, program
        self.repository = root / "repository"
        self.config = root / "holdfast.conf"
        self.config.write_text(f"[general]\nstate_directory = {root}/state\nruntime_directory = {root}/run\n"
                               f"[repository]\npath = {self.repository}\n"
                               f"[source market]\nengine = tdengine\nurl = {server.url}\n{extra}")
        self.config.chmod(0o600)
        self.run("init")

    def run(self, *arguments, status=0):
        done = subprocess.run([self.program, *arguments, "--config", str(self.config)], capture_output=True, timeout=300)
        assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def backup(self, *arguments):
        """Makes a full backup; its manifest."""
        return json.loads(self.run("backup", "tdengine", "full", "--json", *arguments).stdout)

    def folder(self, manifest):
        return self.repository / "backups" / manifest["id"]

    def details(self, manifest):
        return json.loads(subprocess.check_output(["zstd", "-dcq", self.folder(manifest) / "details.json.zst"]))

    def slices(self, manifest):
        lines = subprocess.check_output(["zstd", "-dcq", self.folder(manifest) / "details-slices.jsonl.zst"])
        return [json.loads(line) for line in lines.splitlines()]

    def cat(self, reference):
        """The rows of a pool object."""
        name = reference["sha256"]
        text = subprocess.check_output([self.program, "parquet", "cat", "--json",
                                        str(self.repository / "pool" / name[:2] / name)])
        return [json.loads(line) for line in text.splitlines()]

    def rows(self, manifest, table):
        """All rows of a super or normal table in a backup, in the order of its slices."""
        return [row for one in self.slices(manifest) if one["table"] == table for row in self.cat(one["data"])]

    def tags(self, manifest, table):
        [found] = [one for one in self.details(manifest)["tables"] if one["name"] == table]
        return [row for reference in found["tag_objects"] for row in self.cat(reference)]

    def begin(self, *arguments):
        """Starts a full backup and returns when the first rows were read. With --rate it has read a part only."""
        process = subprocess.Popen([self.program, "backup", "tdengine", "full", "--json", *arguments,
                                    "--config", str(self.config)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for line in process.stderr:
            progress = json.loads(line).get("progress", {})
            if progress.get("phase") == "reading" and progress["rows_done"] > 0:
                return process
        raise AssertionError(f"the backup ended before it read: {process.wait()}")
