# SPDX-License-Identifier: Apache-2.0
"""A server on a directory that `holdfast restore postgresql … --target-directory` has written, as a user would start it."""
import os
import pathlib
import shutil
import subprocess
import tempfile

from pgcluster import wait_until
from physical import as_server_user


class Restored:
    def __init__(self, site):
        self.site = site
        self.bin = site.cluster.bin
        self.port = site.cluster.port
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="hf-re-", dir="/tmp"))
        self.data = self.root / "data"
        if os.geteuid() == 0:
            shutil.chown(self.root, "postgres", "postgres")

    def full(self, backup, *arguments, status=0):
        return self.site.fails(status, "restore", "postgresql", "full", "--backup-id", backup["id"],
                               "--target-directory", str(self.data), *arguments)

    def pitr(self, *arguments, status=0):
        return self.site.fails(status, "restore", "postgresql", "pitr", "--target-directory",
                               str(self.data), *arguments)

    def verify(self):
        """PostgreSQL's own judge of the files and of the WAL that they need."""
        done = subprocess.run(as_server_user([str(self.bin / "pg_verifybackup"), str(self.data)]), cwd="/",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout.decode()
        return self

    def pg_ctl(self, action, *arguments, check=True):
        command = [str(self.bin / "pg_ctl"), "-D", str(self.data), "-l", str(self.root / "log"), action,
                   *arguments]
        done = subprocess.run(as_server_user(command), cwd="/", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        assert not check or done.returncode == 0, done.stdout.decode() + self.log()
        return done.returncode

    def log(self):
        log = self.root / "log"
        return log.read_text() if log.exists() else ""

    def start(self, check=True, archive=False):
        options = f"-c unix_socket_directories={self.root} -c port={self.port} -c listen_addresses= -c fsync=off"
        options += f" -c archive_mode={'on' if archive else 'off'}"
        return self.pg_ctl("start", "-w", "-t", "60", "-o", options, check=check)

    def promoted(self, seconds=90):
        """Started, recovered, promoted."""
        self.start()
        return self.wait(lambda: not self.value("SELECT pg_is_in_recovery()"), seconds)

    def paused(self, seconds=90):
        self.start()
        return self.wait(lambda: self.value("SELECT pg_is_wal_replay_paused()"), seconds)

    def wait(self, condition, seconds):
        assert wait_until(condition, seconds), self.log()
        return self

    def stop(self, mode="fast"):
        self.pg_ctl("stop", "-w", "-m", mode)

    @property
    def environment(self):
        return dict(os.environ, PGHOST=str(self.root), PGPORT=str(self.port), PGUSER="postgres")

    def value(self, text, database="postgres"):
        command = [str(self.bin / "psql"), "-X", "-At", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-c",
                   text]
        done = subprocess.run(command, env=self.environment, check=True, stdout=subprocess.PIPE)
        text = done.stdout.decode().strip()
        return {"t": True, "f": False}.get(text, text)

    def amcheck(self):
        subprocess.run([str(self.bin / "pg_amcheck"), "--all", "--install-missing"], env=self.environment,
                       check=True, stdout=subprocess.DEVNULL)

    def remove(self):
        if (self.data / "postmaster.pid").exists():
            self.pg_ctl("stop", "-w", "-m", "immediate", check=False)
        shutil.rmtree(self.root, ignore_errors=True)
