# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL cluster of our own for benchmarks: in a directory, behind a unix socket there, never a running one."""

import os
import pathlib
import pwd
import subprocess

BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
PORT = "5499"
SETTINGS = {
    "listen_addresses": "''",
    "shared_buffers": "512MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "autovacuum": "off",
}


def as_owner(command):
    """The server refuses to run as root: root drops to the user postgres."""
    if os.getuid() != 0:
        return [str(word) for word in command]
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *map(str, command)]


class Cluster:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        self.environment.update(PGHOST=str(self.directory), PGPORT=PORT, PGUSER="postgres",
                                PATH=f"{BIN}:{os.environ['PATH']}")

    def create(self):
        self.directory.mkdir(mode=0o700)
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self._owner_runs([BIN / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                          "--locale=C.UTF-8"])

    def start(self):
        settings = {**SETTINGS, "unix_socket_directories": f"'{self.directory}'", "port": PORT}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._owner_runs([BIN / "pg_ctl", "-D", self.data, "-l", self.directory / "log", "-w", "-t", "300",
                          "-o", options, "start"])

    def stop(self):
        self._owner_runs([BIN / "pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop"])

    def _owner_runs(self, command):
        subprocess.run(as_owner(command), cwd="/", env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def processor_time(self):
        """Seconds that the server and its processes have taken, those that have ended included."""
        server = (self.data / "postmaster.pid").read_text(encoding="ascii").split()[0]
        ticks = 0
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if server in (entry.name, fields[1]):
                ticks += sum(int(field) for field in fields[11:15])
        return ticks / os.sysconf("SC_CLK_TCK")

    def sql(self, database, statement):
        """Runs one statement; returns what psql prints, fields divided by "|"."""
        command = ["psql", "-X", "-At", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def psql_file(self, database, path, **variables):
        """Starts psql on a file and returns the process."""
        command = ["psql", "-X", "-At", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", str(path)]
        for name, value in variables.items():
            command += ["-v", f"{name}={value}"]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True)
