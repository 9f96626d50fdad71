# SPDX-License-Identifier: Apache-2.0
"""What the tests of physical backups share: a server that archives its WAL with the program under test, which runs as the server's user;
and a way to bring a backup up that has nothing to do with the product's own restore."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

from pgcluster import PROGRAM, Cluster, Result, wait_until

# Of the rows of the table that fill() makes.
SUM = "SELECT count(*) || ' ' || coalesce(sum(hashtext(t::text)), 0) FROM trades t"
UNPACK = PROGRAM.parent / "tests" / "unit" / "unpack-physical"


def as_server_user(command):
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


class PhysicalCluster(Cluster):
    """Checksums on, archive_mode on; archive_command comes with the Site."""

    def __init__(self, settings=(), initdb=("-k",)):
        super().__init__(settings=["archive_mode=on", "autovacuum=off", "wal_level=replica", *settings],
                         initdb=initdb)

    def set(self, name, value):
        self.sql("postgres", f"ALTER SYSTEM SET {name} = %s", (value,))
        self.sql("postgres", "SELECT pg_reload_conf()")

    def psql(self, text, database="postgres"):
        """Statements one by one, each in a transaction of its own."""
        self.client("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, input=text.encode())


class Site:
    """A repository and a configuration that the server's user may use."""

    def __init__(self, cluster, extra="", source="main", archive=True, key=None):
        """`key` is the content of a key file: the repository is encrypted then."""
        self.cluster = cluster
        self.directory = cluster.root / f"site-{source}"
        self.directory.mkdir()
        self.repository = self.directory / "repo"
        self.config = self.directory / "holdfast.conf"
        self.config.write_text(
            f"[general]\nstate_directory = {self.directory}/state\n"
            f"runtime_directory = {self.directory}/run\n"
            f"[repository]\npath = {self.repository}\n"
            f"[source {source}]\nengine = postgresql\njobs = 2\n"
            f"conninfo = {cluster.conninfo}\n{extra}")
        self.config.chmod(0o600)
        self.key_file = self.directory / "key"
        if key is not None:
            self.key_file.write_bytes(key)
            self.key_file.chmod(0o600)
        if os.geteuid() == 0:
            for path in (self.directory, self.config, self.key_file):
                if path.exists():
                    shutil.chown(path, "postgres", "postgres")
        self.ok("init", *([] if key is None else ["--encryption", f"key-file={self.key_file}"]))
        if archive:
            cluster.set("archive_command", f"{PROGRAM} wal push %p --source {source} --config {self.config}")

    def command(self, *arguments):
        return as_server_user([str(PROGRAM), *arguments, "--config", str(self.config)])

    def run(self, *arguments, timeout=180):
        return Result(subprocess.run(self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     stdin=subprocess.DEVNULL, timeout=timeout, cwd="/"))

    def ok(self, *arguments, **options):
        result = self.run(*arguments, **options)
        assert result.status == 0, result
        return result

    def fails(self, status, *arguments, **options):
        result = self.run(*arguments, **options)
        assert result.status == status, result
        return result

    def start(self, *arguments):
        return subprocess.Popen(self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                stdin=subprocess.DEVNULL, cwd="/")

    def backups(self):
        folder = self.repository / "backups"
        return sorted(path.name for path in folder.iterdir()
                      if (path / "SHA256SUMS").exists()) if folder.exists() else []

    def backup(self, kind="full", *arguments):
        """The manifest of a new backup."""
        manifest = self.ok("backup", "postgresql", kind, *arguments, "--json").json
        assert manifest["id"] in self.backups()
        return manifest

    def path(self, backup):
        return self.repository / "backups" / backup["id"]

    def plain(self, backup, stem):
        return subprocess.run(["zstd", "-dc", str(self.path(backup) / f"{stem}.zst")], check=True,
                              stdout=subprocess.PIPE).stdout.decode()

    def files(self, backup):
        """path -> line of details-files.jsonl."""
        lines = [json.loads(line) for line in self.plain(backup, "details-files.jsonl").splitlines()]
        return {line["path"]: line for line in lines}

    def details(self, backup):
        return json.loads(self.plain(backup, "details.json"))

    def check_sums(self, backup):
        done = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=self.path(backup))
        assert done.returncode == 0


def fill(cluster, rows=20000):
    """The table that most tests look at."""
    cluster.psql(f"CREATE TABLE trades AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, {rows}) g;"
                 "ALTER TABLE trades ADD PRIMARY KEY (id);")


def archive_now(site):
    """Everything up to here comes into the archive."""
    segment = site.cluster.value("postgres", "SELECT pg_walfile_name(pg_switch_wal())")
    assert wait_until(lambda: list(site.repository.glob(f"wal/*/*/*/*/{segment}"))), segment


def program_of(process):
    """The program's own id: it runs below runuser where the tests are root's, unless that has not forked yet."""
    if os.geteuid() != 0:
        return process.pid
    return int((subprocess.run(["pgrep", "-P", str(process.pid)], stdout=subprocess.PIPE).stdout.split() or [process.pid])[0])


def kill_program(process):
    """The program itself. runuser is held meanwhile: looked at just before it forks, it would be killed alone, and the program would
    go on."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        os.kill(program_of(process), signal.SIGKILL)
    except ProcessLookupError:
        pass
    os.kill(process.pid, signal.SIGCONT)


def wait_for_copying(value, running):
    """Until a local backup that runs copies files: its session has asked for the tablespaces then, as the last thing before it.
    `value` asks the server."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_tablespace_location(oid)%' AND state = 'idle'"

    def copying():
        assert running.poll() is None, running.communicate()[0]
        return int(value(sql)) > 0
    assert wait_until(copying)


class Revived:
    """A server on the unpacked files of a backup, recovered to the backup's own state."""

    def __init__(self, site, backup, settings=()):
        self.source = site.cluster
        self.root = pathlib.Path(str(site.cluster.root) + "-" + backup["id"][-4:])
        self.data = self.root / "data"
        self.root.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.root, "postgres", "postgres")
        subprocess.run(as_server_user([str(UNPACK), str(site.repository), backup["id"], str(self.data),
                                       str(self.root / "spaces")]), check=True, cwd="/")
        self.port = site.cluster.port
        fetch = f"{PROGRAM} wal get %f %p --config {site.config}"
        options = {"unix_socket_directories": self.root, "port": self.port, "listen_addresses": "",
                   "archive_mode": "off", "fsync": "off", "restore_command": fetch,
                   "recovery_target": "immediate", "recovery_target_action": "promote",
                   **dict(setting.split("=", 1) for setting in settings)}
        # "immediate" needs a record to stop at; a backup from a standby may end with its segment.
        if int(backup["stop_lsn"].split("/")[1], 16) % backup["segment_size"] == 0:
            del options["recovery_target"], options["recovery_target_action"]
        with open(self.data / "postgresql.auto.conf", "a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in options.items())
        (self.data / "recovery.signal").touch()
        self.pg_ctl("start")
        self.wait_promoted()

    def pg_ctl(self, action, *arguments):
        command = [str(self.source.bin / "pg_ctl"), "-D", str(self.data), "-l", str(self.root / "log"), "-w",
                   action, *arguments]
        done = subprocess.run(as_server_user(command), cwd="/", stdout=subprocess.PIPE)
        if done.returncode != 0:
            log = self.root / "log"
            raise AssertionError(done.stdout.decode() + (log.read_text() if log.exists() else ""))

    def wait_promoted(self):
        assert wait_until(lambda: not self.value("SELECT pg_is_in_recovery()")), (self.root / "log").read_text()

    @property
    def environment(self):
        return dict(os.environ, PGHOST=str(self.root), PGPORT=str(self.port), PGUSER="postgres")

    def value(self, text, database="postgres"):
        command = [str(self.source.bin / "psql"), "-X", "-At", "-q", "-v", "ON_ERROR_STOP=1", "-d", database,
                   "-c", text]
        done = subprocess.run(command, env=self.environment, check=True, stdout=subprocess.PIPE)
        text = done.stdout.decode().strip()
        return {"t": True, "f": False}.get(text, text)

    def check(self):
        """Every relation of every database, by PostgreSQL's own judges."""
        self.value("CREATE EXTENSION IF NOT EXISTS amcheck")
        subprocess.run([str(self.source.bin / "pg_amcheck"), "--all", "--install-missing"],
                       env=self.environment, check=True, stdout=subprocess.DEVNULL)
        self.pg_ctl("stop")
        subprocess.run(as_server_user([str(self.source.bin / "pg_checksums"), "--check", "-D", str(self.data)]),
                       check=True, stdout=subprocess.DEVNULL, cwd="/")
        self.pg_ctl("start")

    def remove(self):
        if (self.data / "postmaster.pid").exists():
            self.pg_ctl("stop", "-m", "immediate")
        shutil.rmtree(self.root, ignore_errors=True)


def wake(process, workers):
    """Goes on with what was stopped, to its end. runuser stops with what it runs, a moment later, and has to be woken too."""
    while True:
        for pid in (*workers, process.pid):
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        try:
            return process.communicate(timeout=0.2)
        except subprocess.TimeoutExpired:
            pass
