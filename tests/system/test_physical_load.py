# SPDX-License-Identifier: Apache-2.0
"""Physical backups of a PostgreSQL server that is being worked on: by everything that changes files, and of very many files."""
import json
import os
import pathlib
import resource
import subprocess
import threading

import pytest

from physical import archive_now, fill
from restored import Restored
from test_physical_backup import both_ways

DDL = """
CREATE TABLE churn (id serial PRIMARY KEY, text text);
INSERT INTO churn (text) SELECT repeat('x', 100) FROM generate_series(1, 3000);
CREATE INDEX ON churn (text); TRUNCATE churn;
INSERT INTO churn (text) SELECT md5(g::text) FROM generate_series(1, 3000) g;
VACUUM FULL churn; CREATE DATABASE fleeting; DROP DATABASE fleeting;
CREATE TABLESPACE fleeting LOCATION '';
CREATE TABLE moved TABLESPACE fleeting AS SELECT * FROM churn; DROP TABLE moved; DROP TABLESPACE fleeting;
CREATE TEMPORARY TABLE own AS SELECT * FROM churn;
UPDATE trades SET text = md5(random()::text) WHERE id % 7 = 0; VACUUM trades;
DROP TABLE IF EXISTS kept; ALTER TABLE churn RENAME TO kept;
"""
TRANSFERS = b"""
\\set a random(1, 1000)
\\set b random(1, 1000)
BEGIN;
UPDATE accounts SET amount = amount - 1 WHERE id = :a;
UPDATE accounts SET amount = amount + 1 WHERE id = :b;
COMMIT;
"""
# The rows of every table, counted and hashed.
STATE = """
SELECT string_agg(format('%s %s', name, (xpath('/row/c/text()', query_to_xml(format(
    'SELECT count(*) || '' '' || coalesce(sum(hashtext(t::text)), 0) AS c FROM %s t', name), false, true, '')))[1]), ', ' ORDER BY name)
  FROM (SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace) x
"""


class Load:
    """Definitions that change all the time, and transactions between two accounts each. Stands still for a snapshot."""

    def __init__(self, cluster):
        self.cluster, self.rounds = cluster, 0
        self.between, self.ended = threading.Lock(), threading.Event()
        self.thread = threading.Thread(target=self.define)

    def __enter__(self):
        self.mover = subprocess.Popen([str(self.cluster.bin / "pgbench"), "-n", "-T", "600", "-c", "2", "-f", "-", "postgres"],
                                      env=self.cluster.environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
        self.mover.stdin.write(TRANSFERS)
        self.mover.stdin.close()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.mover.terminate()
        self.mover.wait()

    def define(self):
        while not self.ended.is_set():
            with self.between:
                self.cluster.psql(DDL)
            self.rounds += 1

    def snapshot(self, name):
        """What there is at a named point of the WAL."""
        script = (f"BEGIN; LOCK TABLE accounts, trades IN EXCLUSIVE MODE;\n{STATE};\n"
                  f"SELECT pg_create_restore_point('{name}'); COMMIT;")
        with self.between:
            done = subprocess.run([str(self.cluster.bin / "psql"), "-X", "-At", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres"],
                                  env=self.cluster.environment, input=script.encode(), stdout=subprocess.PIPE, check=True)
        return done.stdout.decode().splitlines()[0]


@both_ways
def test_under_load(server, site, closing, access):
    fill(server, 50000)
    server.set("allow_in_place_tablespaces", "on")  # replaying them needs it too
    server.psql("CREATE TABLE accounts AS SELECT g AS id, 100 AS amount FROM generate_series(1, 1000) g")
    with Load(server) as load:
        backups = [site.backup("full", "--access", access)]
        backups += [site.backup("incremental", "--access", access) for _ in range(2)]
        snapshots = [load.snapshot("first")]
        while load.rounds < 2:
            assert load.thread.is_alive()
        snapshots.append(load.snapshot("second"))
    archive_now(site)
    assert snapshots[0] != snapshots[1]
    for backup in backups:
        assert backup["page_checksum_failures"] == []
    for backup, point, state in ((backups[0], "second", snapshots[1]), (backups[2], "first", snapshots[0])):
        restored = closing(Restored(site))
        restored.pitr("--backup-id", backup["id"], "--target-name", point, "--target-action", "promote")
        restored.verify().promoted()
        assert restored.value(STATE) == state
        assert restored.value("SELECT sum(amount) FROM accounts") == "100000"
        restored.amcheck()
        restored.remove()


@pytest.mark.skipif("HOLDFAST_LONG_TESTS" not in os.environ, reason="takes many minutes: HOLDFAST_LONG_TESTS=1")
def test_a_million_small_files(server, site, closing):
    """Memory stays bounded, in backup and restore."""
    folder = pathlib.Path(server.data) / "base" / "1"
    for number in range(1_000_000):
        (folder / f"small_{number}").write_bytes(b"small file %d\n" % number)
    subprocess.run(["chown", "-R", "postgres:", str(folder)], check=True)
    full = json.loads(measured(site.command("backup", "postgresql", "full", "--json")))
    increment = json.loads(measured(site.command("backup", "postgresql", "incremental", "--json")))
    # Not here: what this program takes is counted as its children's.
    lines = subprocess.run(f"zstd -dc {site.path(increment)}/details-files.jsonl.zst | wc -l", shell=True, check=True,
                           stdout=subprocess.PIPE)
    assert int(lines.stdout) > 1_000_000 and increment["base"] == full["id"]
    restored = closing(Restored(site))
    measured(site.command("restore", "postgresql", "full", "--backup-id", increment["id"], "--target-directory", str(restored.data)))
    for number in (0, 499_999, 999_999):
        assert (restored.data / "base" / "1" / f"small_{number}").read_bytes() == b"small file %d\n" % number


def measured(command):
    """Its output. It may take 300 MB."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/")
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    peak = max(usage.ru_maxrss, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    print(f"{command[command.index('--') + 2] if '--' in command else command[1]}: {peak // 1024} MB at most")
    assert process.returncode == 0 and peak < 300 * 1024
    return output
