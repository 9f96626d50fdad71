# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL cluster of the tests' own, on a unix socket in a short path; and the program under test.

Made with initdb, never a running one. As root everything of the server runs as the user postgres.
"""
import glob
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time

import psycopg2

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("HOLDFAST", ROOT / "build" / "holdfast"))


def newest_bin():
    """The directory of the newest server programs, or None."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    found.sort(key=lambda path: int(path.split("/")[4]))
    return pathlib.Path(found[-1]).parent if found else None


class Cluster:
    """One server. Superuser: postgres, trusted on the socket."""

    def __init__(self, encoding="UTF8", locale="C.UTF-8", settings=(), initdb=()):
        self.bin = newest_bin()
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="hf-pg-", dir="/tmp"))
        self.data = self.root / "data"
        self.port = random.randint(20000, 60000)
        self.settings = ["fsync=off", "listen_addresses=", f"unix_socket_directories={self.root}",
                         f"port={self.port}", "max_connections=60", *settings]
        if os.geteuid() == 0:
            shutil.chown(self.root, "postgres")
        self.root.chmod(0o755)
        self.run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", encoding,
                 f"--locale={locale}", "-N", *initdb)
        self.start()

    def run(self, program, *arguments):
        command = [str(self.bin / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def start(self):
        options = " ".join(f"-c '{setting}'" for setting in self.settings)
        self.run("pg_ctl", "-D", str(self.data), "-o", options, "-l", str(self.root / "log"), "-w",
                 "start")

    def stop(self, mode="immediate"):
        self.run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def remove(self):
        if (self.data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def conninfo(self):
        return f"host={self.root} port={self.port} user=postgres"

    @property
    def environment(self):
        return dict(os.environ, PGHOST=str(self.root), PGPORT=str(self.port), PGUSER="postgres",
                    LC_ALL="C.UTF-8")

    def connect(self, database="postgres"):
        connection = psycopg2.connect(host=str(self.root), port=self.port, user="postgres",
                                      dbname=database)
        connection.autocommit = True
        return connection

    def sql(self, database, text, parameters=None):
        """Runs SQL; the rows of the last statement, or None."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(text, parameters)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def value(self, database, text, parameters=None):
        return self.sql(database, text, parameters)[0][0]

    def databases(self):
        return [row[0] for row in self.sql("postgres", "SELECT datname FROM pg_database "
                                           "WHERE NOT datistemplate ORDER BY 1")]

    def create(self, name):
        self.sql("postgres", 'CREATE DATABASE "%s" TEMPLATE template0' % name.replace('"', '""'))

    def drop(self, name):
        self.sql("postgres", 'DROP DATABASE IF EXISTS "%s" WITH (FORCE)' % name.replace('"', '""'))

    def client(self, program, *arguments, **options):
        """A client program; what it printed."""
        done = subprocess.run([str(self.bin / program), *arguments], env=self.environment,
                              check=True, stdout=subprocess.PIPE, **options)
        return done.stdout.decode("utf-8", "surrogateescape")

    def schema(self, database):
        """pg_dump --schema-only, without what differs from run to run and without owners' order."""
        text = self.client("pg_dump", "--schema-only", "-d", dbname(database))
        return "\n".join(line for line in text.splitlines()
                         if not line.startswith(("\\restrict", "\\unrestrict", "-- Dumped")))

    def everything(self):
        """pg_dumpall: all there is."""
        text = self.client("pg_dumpall")
        return "\n".join(line for line in text.splitlines()
                         if not line.startswith(("\\restrict", "\\unrestrict", "-- Dumped",
                                                 "-- Started", "-- Completed")))

    def hashes(self, database):
        """(schema, table) -> (rows, hash of the content) of every ordinary table and materialised view."""
        found = {}
        connection = self.connect(database)
        with connection.cursor() as cursor:
            cursor.execute("SET search_path = ''; SET extra_float_digits = 3")
            cursor.execute(
                "SELECT n.nspname, c.relname, format('%I.%I', n.nspname, c.relname) "
                "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE c.relkind IN ('r', 'm') AND c.relispopulated AND n.nspname NOT IN ('pg_catalog', "
                "'information_schema') AND n.nspname !~ '^pg_toast' ORDER BY 1, 2")
            for schema, table, name in cursor.fetchall():
                cursor.execute(f"SELECT count(*), md5(coalesce(string_agg(t::text, E'\\n' "
                               f"ORDER BY t::text COLLATE \"C\"), '')) FROM ONLY {name} t")
                found[schema, table] = cursor.fetchone()
        connection.close()
        return found

    def table_oids(self, database):
        """(schema, table) -> oid: tells whether a table is the same one as before."""
        return {(row[0], row[1]): row[2] for row in self.sql(
            database, "SELECT n.nspname, c.relname, c.oid FROM pg_class c JOIN pg_namespace n "
            "ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')")}


def dbname(database):
    """A connection string for a database of any name."""
    return "dbname='%s'" % database.replace("\\", "\\\\").replace("'", "\\'")


class Result:
    def __init__(self, done):
        self.status = done.returncode
        self.out = done.stdout.decode("utf-8", "replace")
        self.err = done.stderr.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.status}\n{self.out}\n{self.err}"


class Holdfast:
    """The program, with a configuration and a repository of its own."""

    def __init__(self, directory, cluster, extra="", server="listen = 127.0.0.1:0\n"):
        self.directory = pathlib.Path(directory)
        self.cluster = cluster
        self.repository = self.directory / "repo"
        self.config = self.directory / "holdfast.conf"
        self.config.write_text(
            f"[general]\nstate_directory = {self.directory}/state\n"
            f"runtime_directory = {self.directory}/run\n"
            f"[repository]\npath = {self.repository}\n"
            f"[server]\n{server}"
            f"[source main]\nengine = postgresql\nmethod = logical\njobs = 2\n"
            f"conninfo = {cluster.conninfo}\n{extra}")
        self.config.chmod(0o600)
        self.ok("init")

    def command(self, *arguments):
        return [str(PROGRAM), *arguments, "--config", str(self.config)]

    def run(self, *arguments, timeout=120):
        return Result(subprocess.run(self.command(*arguments), stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                     timeout=timeout))

    def ok(self, *arguments, **options):
        result = self.run(*arguments, **options)
        assert result.status == 0, result
        return result

    def fails(self, status, *arguments, **options):
        result = self.run(*arguments, **options)
        assert result.status == status, result
        return result

    def start(self, *arguments):
        return subprocess.Popen(self.command(*arguments), stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def backups(self):
        folder = self.repository / "backups"
        return sorted(path.name for path in folder.iterdir()
                      if (path / "SHA256SUMS").exists()) if folder.exists() else []

    def backup(self, *arguments):
        """A full backup; its id."""
        before = set(self.backups())
        self.ok("backup", "postgresql", "full", *arguments)
        (made,) = set(self.backups()) - before
        return made

    def restore(self, backup, *arguments):
        return self.ok("restore", "postgresql", "full", "--backup-id", backup, *arguments)

    def restore_fails(self, status, backup, *arguments):
        return self.fails(status, "restore", "postgresql", "full", "--backup-id", backup,
                          *arguments)


def remove_tree(path):
    """A directory into which somebody may still be writing: a server's archiver, a job that comes to its end."""
    def is_gone():
        shutil.rmtree(path, ignore_errors=True)
        return not os.path.exists(path)
    assert wait_until(is_gone), path


def wait_until(condition, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False
