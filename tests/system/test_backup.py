# SPDX-License-Identifier: Apache-2.0
"""Logical backups of a real server: what is in them, and what is left when they go wrong."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time

import pytest

import pgcluster

BIG = ("CREATE TABLE big AS SELECT n AS id, md5(n::text) AS a, md5((n * 7)::text) AS b "
       "FROM generate_series(1, {rows}) n; ALTER TABLE big ADD PRIMARY KEY (id);")


def fill(cluster, database, rows=300_000):
    """Two tables, copied from a database that is made once: copying files is faster than inserting rows."""
    template = f"filled_{rows}"
    if template not in cluster.databases():
        cluster.create(template)
        cluster.sql(template, BIG.format(rows=rows))
        cluster.sql(template, "CREATE TABLE small (id int PRIMARY KEY, t text); "
                              "INSERT INTO small SELECT n, 'row ' || n FROM generate_series(1, 1000) n")
    cluster.drop(database)
    cluster.sql("postgres", f'CREATE DATABASE "{database}" TEMPLATE "{template}" STRATEGY file_copy')


def show(holdfast, backup):
    return holdfast.ok("show", backup, "--json").json


def rows_of(holdfast, backup):
    return {table["name"]: table.get("rows") for table in show(holdfast, backup)["tables"]}


def objects(holdfast, backup):
    folder = holdfast.repository / "backups" / backup
    return sorted(path for path in folder.rglob("*") if path.is_file())


def assert_nothing_half_done(holdfast, known):
    """Only whole backups are seen; what an interrupted run left is swept; all that is left is good."""
    assert sorted(row["id"] for row in holdfast.ok("list", "backups", "--json").json) == known
    with open(holdfast.config, "a") as config:
        if "[retention]" not in holdfast.config.read_text():
            config.write("\n[retention]\ngrace = 0s\n")
    holdfast.ok("cleanup")
    folder = holdfast.repository / "backups"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sorted({path.relative_to(folder).parts[0] for path in files}) == known
    assert not [path for path in holdfast.repository.rglob(".tmp-*")]
    leases = holdfast.repository / "leases"
    assert not leases.exists() or not list(leases.iterdir())
    if known:
        holdfast.ok("verify", "--all")


def wait_for_session(cluster, pattern, seconds=60):
    """Waits until a session of a backup does what the pattern says."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if cluster.value("postgres", "SELECT count(*) FROM pg_stat_activity WHERE query ~* %s AND state = 'active' AND pid <> "
                         "pg_backend_pid()", [pattern]):
            return
        time.sleep(0.005)
    raise AssertionError(f"no session ran {pattern}")


def wait_for_small_tables(holdfast):
    """Waits until no program of the backup wants a lock of a small table any more: one that came later would wait behind
    those that the test makes wait for the backup, and give up."""
    folder = holdfast.repository / "backups"
    assert pgcluster.wait_until(lambda: all(list(folder.glob(f"*/data/*/{name}.dump.*")) for name in ("rest", "schema")))


# --- what is in a backup ----------------------------------------------------------------------------------------------


def test_counts_and_open_formats(cluster, database, holdfast):
    fill(cluster, database)
    backup = holdfast.backup()
    assert rows_of(holdfast, backup) == {"public.big": 300_000, "public.small": 1000}
    folder = holdfast.repository / "backups" / backup
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["format_version"] == 1 and manifest["partial"] is False
    assert "public" not in (folder / "manifest.json").read_text(), "the clear manifest names no tables"
    details = json.loads(subprocess.check_output(["zstd", "-dcq", str(folder / "details.json.zst")]))
    assert details["server"]["system_identifier"] == str(
        cluster.value("postgres", "SELECT system_identifier FROM pg_control_system()"))
    (entry,) = details["databases"]
    plain = subprocess.check_output(["zstd", "-dcq", str(folder / entry["rest_archive"])])
    listing = subprocess.run([str(cluster.bin / "pg_restore"), "-l"], input=plain, check=True,
                             stdout=subprocess.PIPE).stdout.decode()
    assert "TABLE DATA public small" in listing and "TABLE DATA public big" not in listing


@pytest.mark.parametrize("codec, reader", [("zstd:3", ["zstd", "-dcq"]), ("gzip:1", ["gzip", "-dc"]),
                                           ("lz4", ["lz4", "-dc"]), ("none", ["cat"])])
def test_every_codec_is_read_by_its_own_tool_and_restored(cluster, database, holdfast, codec, reader):
    fill(cluster, database, 20_000)
    backup = holdfast.backup("--compression", codec)
    holdfast.ok("verify", backup)
    for archive in objects(holdfast, backup):
        if ".dump" in archive.name:
            plain = subprocess.check_output([*reader, str(archive)], stderr=subprocess.DEVNULL)
            subprocess.run([str(cluster.bin / "pg_restore"), "-f", "/dev/null"], input=plain, check=True)
    holdfast.restore(backup, "--to-database", database + "_copy")
    assert cluster.hashes(database) == cluster.hashes(database + "_copy")


def test_five_million_rows_in_one_table(cluster, database, holdfast):
    cluster.sql(database, "CREATE TABLE wide AS SELECT n AS id, (n * 31 % 1000)::float8 AS v "
                          "FROM generate_series(1, 5000000) n")
    backup = holdfast.backup()
    assert rows_of(holdfast, backup) == {"public.wide": 5_000_000}
    holdfast.restore(backup, "--to-database", database + "_copy")
    same = "SELECT count(*), sum(id), sum(v) FROM wide"
    assert cluster.sql(database, same) == cluster.sql(database + "_copy", same)


def test_an_empty_database_and_a_hostile_source(cluster, database, holdfast):
    backup = holdfast.backup()
    assert rows_of(holdfast, backup) == {}
    holdfast.ok("verify", backup)


def test_fewer_databases_make_a_partial_backup(cluster, database, tmp_path):
    other = database + "_other"
    cluster.create(other)
    holdfast = pgcluster.Holdfast(tmp_path, cluster, extra=f"databases = {database},{other}\n")
    whole, part = holdfast.backup(), holdfast.backup("--databases", other)
    partial = {row["id"]: row["partial"] for row in holdfast.ok("list", "backups", "--json").json}
    assert partial == {whole: False, part: True}


# --- a server that lives on while it is backed up ------------------------------------------------------------------------


def test_concurrent_writes_are_in_or_out_as_a_whole(cluster, database, holdfast):
    """Each transaction writes to both tables: a snapshot shows as many rows in one as in the other."""
    fill(cluster, database, 200_000)
    cluster.sql(database, "CREATE TABLE debit (n serial, t text); CREATE TABLE credit (n serial, t text)")
    stop = threading.Event()
    written = []

    def write():
        connection = cluster.connect(database)
        connection.autocommit = False
        while not stop.is_set():
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO debit (t) VALUES ('x'); INSERT INTO credit (t) VALUES ('x'); "
                               "UPDATE big SET a = 'changed' WHERE id = %s", [len(written) % 1000 + 1])
            connection.commit()
            written.append(1)
        connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        while len(written) < 20:
            time.sleep(0.01)
        at_start = len(written)
        backup = holdfast.backup()
        at_end = len(written)
    finally:
        stop.set()
        thread.join()
    rows = rows_of(holdfast, backup)
    assert rows["public.debit"] == rows["public.credit"]
    assert at_start <= rows["public.debit"] <= at_end and at_end > at_start
    holdfast.restore(backup, "--to-database", database + "_copy")
    assert cluster.value(database + "_copy", "SELECT count(*) FROM debit") == rows["public.debit"]


def test_truncate_and_drop_wait_for_the_end_of_the_backup(cluster, database, holdfast):
    """TRUNCATE is not hidden from older snapshots: without the locks the rows would be missing silently."""
    fill(cluster, database, 1_200_000)
    running = holdfast.start("backup", "postgresql", "full")
    wait_for_session(cluster, "COPY public.big")
    wait_for_small_tables(holdfast)
    waiting = threading.Thread(target=lambda: cluster.sql(database, "TRUNCATE small; DROP TABLE big"))
    waiting.start()
    assert running.wait(120) == 0
    waiting.join()
    (backup,) = holdfast.backups()
    assert rows_of(holdfast, backup) == {"public.big": 1_200_000, "public.small": 1000}
    assert cluster.value(database, "SELECT count(*) FROM small") == 0
    holdfast.restore(backup, "--to-database", database + "_copy")


# --- what goes wrong ------------------------------------------------------------------------------------------------------


def test_sessions_that_are_cut(cluster, database, holdfast):
    fill(cluster, database, 1_200_000)
    running = holdfast.start("backup", "postgresql", "full")
    wait_for_session(cluster, "COPY public.big")
    cluster.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
    assert running.wait(60) == 5
    assert_nothing_half_done(holdfast, [])


def test_a_database_that_is_dropped_meanwhile(cluster, database, holdfast):
    fill(cluster, database, 1_200_000)
    running = holdfast.start("backup", "postgresql", "full")
    wait_for_session(cluster, "COPY public.big")
    cluster.drop(database)
    assert running.wait(60) == 1
    assert_nothing_half_done(holdfast, [])


def test_a_server_that_crashes_and_one_that_is_not_there(second_cluster, tmp_path):
    second_cluster.create("market")
    fill(second_cluster, "market", 1_200_000)
    holdfast = pgcluster.Holdfast(tmp_path, second_cluster)
    running = holdfast.start("backup", "postgresql", "full")
    wait_for_session(second_cluster, "COPY public.big")
    second_cluster.stop("immediate")
    assert running.wait(60) == 5
    result = holdfast.fails(5, "backup", "postgresql", "full")
    assert "cannot connect" in result.err and "hint:" in result.err
    holdfast.fails(5, "check")
    assert_nothing_half_done(holdfast, [])


def test_a_database_that_does_not_exist(cluster, database, tmp_path):
    holdfast = pgcluster.Holdfast(tmp_path, cluster, extra=f"databases = {database}x\n")
    result = holdfast.fails(1, "backup", "postgresql", "full")
    assert f"did you mean {database}?" in result.err


def test_a_role_that_may_not_read(cluster, database, tmp_path):
    fill(cluster, database, 100)
    cluster.sql("postgres", "DROP ROLE IF EXISTS hf_weak; CREATE ROLE hf_weak LOGIN")
    holdfast = pgcluster.Holdfast(tmp_path, cluster, extra=f"databases = {database}\n")
    text = holdfast.config.read_text().replace("user=postgres", "user=hf_weak")
    holdfast.config.write_text(text)
    try:
        result = holdfast.fails(1, "backup", "postgresql", "full")
        assert "permission denied" in result.err and "pg_read_all_data" in result.err
        holdfast.fails(1, "check")
        cluster.sql("postgres", "GRANT pg_read_all_data TO hf_weak")
        holdfast.backup()
        cluster.sql(database, "ALTER TABLE small ENABLE ROW LEVEL SECURITY")
        result = holdfast.fails(1, "backup", "postgresql", "full")
        assert "row-level security" in result.err, "rows that a policy hides must not be missing silently"
    finally:
        cluster.sql("postgres", "DROP ROLE hf_weak")


def test_a_pg_dump_older_than_the_server(cluster, database, holdfast, tmp_path):
    folder = tmp_path / "old"
    folder.mkdir()
    for name in ("pg_dump", "pg_dumpall"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 12.9'\n")
        program.chmod(0o755)
    environment = dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}")
    done = subprocess.run(holdfast.command("backup", "postgresql", "full", "--json"), env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert json.loads(done.stderr.splitlines()[-1])["error"]["code"] == "client-version"
    assert b"postgresql-client-" in done.stderr
    assert holdfast.backups() == []


def test_a_full_disk(cluster, database, tmp_path):
    fill(cluster, database, 400_000)
    mount = tmp_path / "small"
    mount.mkdir()
    if os.geteuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(mount)], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("cannot mount a small file system here")
    try:
        holdfast = pgcluster.Holdfast(tmp_path, cluster, extra=f"databases = {database}\n")
        shutil.rmtree(holdfast.repository)
        holdfast.config.write_text(holdfast.config.read_text().replace(str(holdfast.repository), str(mount / "repo")))
        holdfast.repository = mount / "repo"
        holdfast.ok("init")
        result = holdfast.fails(1, "backup", "postgresql", "full")
        assert "no space left" in result.err and "hint:" in result.err
        assert_nothing_half_done(holdfast, [])
        cluster.sql(database, "DROP TABLE big")
        assert_nothing_half_done(holdfast, [holdfast.backup()])
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_killed_at_twenty_points(cluster, database, holdfast):
    fill(cluster, database, 150_000)
    first = time.monotonic()
    known = [holdfast.backup()]
    duration = time.monotonic() - first
    for point in range(20):
        running = holdfast.start("backup", "postgresql", "full")
        time.sleep(duration * (point + 0.5) / 20)
        running.kill()
        running.wait()
        known = holdfast.backups()
        listed = [row["id"] for row in holdfast.ok("list", "backups", "--json").json]
        assert sorted(listed) == known
    known = sorted([*known, holdfast.backup()])
    assert_nothing_half_done(holdfast, known)
    holdfast.restore(known[-1], "--to-database", database + "_copy")


def test_two_at_once(cluster, database, holdfast):
    fill(cluster, database, 1000)
    holder = cluster.connect(database)
    holder.autocommit = False
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLE small IN ACCESS EXCLUSIVE MODE")
    running = holdfast.start("backup", "postgresql", "full")
    wait_for_session(cluster, "pg_table_size")
    result = holdfast.fails(4, "backup", "postgresql", "full")
    assert "busy" in result.err
    holder.rollback()
    holder.close()
    assert running.wait(120) == 0
    assert_nothing_half_done(holdfast, holdfast.backups())


def test_interrupted_by_the_user(cluster, database, holdfast):
    fill(cluster, database, 1_200_000)
    running = holdfast.start("backup", "postgresql", "full")
    wait_for_session(cluster, "COPY public.big")
    running.terminate()
    assert running.wait(30) == 1
    folder = holdfast.repository / "backups"
    assert not folder.exists() or not list(folder.iterdir()), "a stopped run takes back what it wrote"
    assert_nothing_half_done(holdfast, [])


# --- damage -----------------------------------------------------------------------------------------------------------------


def flip(path):
    mode = path.stat().st_mode
    path.chmod(0o600)
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0x10]))
    path.chmod(mode)


def test_a_flipped_byte_in_every_object(cluster, database, holdfast):
    fill(cluster, database, 50_000)
    backup = holdfast.backup()
    before = cluster.databases()
    for path in objects(holdfast, backup):
        flip(path)
        result = holdfast.fails(3, "verify", backup)
        if path.name != "SHA256SUMS":
            assert path.name in result.out + result.err, path
        restored = holdfast.run("restore", "postgresql", "full", "--backup-id", backup, "--globals",
                                "--to-database", database + "_copy")
        assert restored.status == 3, (path, restored)
        assert cluster.databases() == before
        flip(path)
    holdfast.ok("verify", backup)


def test_missing_cut_and_swapped_objects(cluster, database, holdfast):
    fill(cluster, database, 50_000)
    backup = holdfast.backup()
    folder = holdfast.repository / "backups" / backup
    archives = [path for path in objects(holdfast, backup) if ".dump" in path.name]
    saved = [path.read_bytes() for path in archives]

    def put(path, content):
        path.chmod(0o600)
        path.write_bytes(content)

    for index, path in enumerate(archives):
        put(path, saved[index][:-1])
        holdfast.fails(3, "verify", backup)
        put(path, saved[index - 1])
        holdfast.fails(3, "verify", backup)
        path.unlink()
        holdfast.fails(3, "verify", backup)
        path.write_bytes(saved[index])
    holdfast.ok("verify", backup)
    sums = folder / "SHA256SUMS"
    lines = sums.read_text().splitlines(keepends=True)
    put(sums, "".join(lines[:-1]).encode())
    assert "SHA256SUMS" in holdfast.fails(3, "verify", backup).out
    assert holdfast.ok("list", "backups", "--status", "damaged", "--json").json[0]["id"] == backup


def test_a_manifest_of_a_newer_version(cluster, database, holdfast):
    good, newer = holdfast.backup(), holdfast.backup()
    folder = holdfast.repository / "backups" / newer
    manifest, sums = folder / "manifest.json", folder / "SHA256SUMS"
    text = re.sub(r'"format_version": 1\b', '"format_version": 99', manifest.read_text(), count=1)
    for path in (manifest, sums):
        path.chmod(0o600)
    manifest.write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    sums.write_text(re.sub(r"[0-9a-f]{64}(  manifest\.json)", digest + r"\1", sums.read_text()))
    for command in (["show", newer], ["verify", newer],
                    ["restore", "postgresql", "full", "--backup-id", newer, "--to-database", "x"]):
        result = holdfast.fails(1, *command)
        assert "newer" in result.err and "99" in result.err
    holdfast.ok("verify", good)
    holdfast.ok("catalog", "rebuild")
    assert {row["id"] for row in holdfast.ok("list", "backups", "--json").json} == {good, newer}


def test_the_catalog_is_only_an_index(cluster, database, holdfast):
    fill(cluster, database, 100)
    backups = [holdfast.backup(), holdfast.backup()]
    holdfast.ok("verify", backups[0])
    holdfast.restore(backups[0], "--to-database", database + "_copy")
    listed, recoveries = holdfast.ok("list", "backups", "--json").out, holdfast.ok("list", "recoveries", "--json").out
    (catalog,) = pathlib.Path(holdfast.directory / "state").glob("*.sqlite")
    catalog.unlink()
    assert holdfast.ok("list", "backups", "--json").out == listed
    catalog.write_bytes(b"this is no database" * 1000)
    assert holdfast.ok("list", "backups", "--json").out == listed
    holdfast.ok("catalog", "rebuild")
    assert holdfast.ok("list", "backups", "--json").out == listed
    assert holdfast.ok("list", "recoveries", "--json").out == recoveries
    bare = subprocess.run([str(pgcluster.PROGRAM), "list", "backups", "--json", "--repository",
                           str(holdfast.repository)], stdout=subprocess.PIPE, check=True,
                          env=dict(os.environ, HOME=str(holdfast.directory), HOLDFAST_CONFIG="/nowhere"))
    assert bare.stdout.decode() == listed


def test_no_password_is_ever_shown(cluster, database, tmp_path):
    """It may stand in conninfo; it must not come out anywhere, nor be in the arguments of a child."""
    fill(cluster, database, 200_000)
    secret = "s3cr3t-pass'word"
    holdfast = pgcluster.Holdfast(tmp_path, cluster, extra=f"databases = {database}\n")
    escaped = secret.replace("'", "\\'")
    holdfast.config.write_text(holdfast.config.read_text().replace(
        "user=postgres", f"user=postgres password='{escaped}'"))
    running = holdfast.start("backup", "postgresql", "full")
    seen = []
    while running.poll() is None:
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(path.read_bytes())
            except OSError:
                continue
    assert running.returncode == 0
    assert any(b"pg_dump" in line for line in seen)
    assert not any(b"s3cr3t" in line for line in seen)
    holdfast.config.write_text(holdfast.config.read_text().replace("port=", "port=1"))
    result = holdfast.run("backup", "postgresql", "full", "--verbose")
    assert result.status == 5 and "s3cr3t" not in result.out + result.err
    for path in [*holdfast.repository.rglob("*"), *(tmp_path / "state").rglob("*")]:
        assert not path.is_file() or b"s3cr3t" not in path.read_bytes()


# --- counts that do not agree -------------------------------------------------------------------------------------------------


def rewrite(holdfast, backup, name, change):
    """Changes an object of a backup and makes all checksums agree with it again."""
    folder = holdfast.repository / "backups" / backup
    plain = subprocess.check_output(["zstd", "-dcq", str(folder / name)])
    stored = subprocess.run(["zstd", "-qc"], input=change(plain), check=True, stdout=subprocess.PIPE).stdout
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["objects"]:
        if entry["path"] == name:
            entry.update(size=len(stored), plain_size=len(change(plain)), sha256=hashlib.sha256(stored).hexdigest())
    new = {name: stored, "manifest.json": json.dumps(manifest).encode()}
    sums = (folder / "SHA256SUMS").read_text()
    for path, content in new.items():
        sums = re.sub(r"[0-9a-f]{64}(  " + re.escape(path) + r")\n", hashlib.sha256(content).hexdigest() + r"\1\n", sums)
    for path, content in {**new, "SHA256SUMS": sums.encode()}.items():
        (folder / path).chmod(0o600)
        (folder / path).write_bytes(content)


def test_rows_that_differ_are_told(cluster, database, holdfast):
    fill(cluster, database, 20_000)
    backup = holdfast.backup()
    rewrite(holdfast, backup, "details-tables.jsonl.zst", lambda text: text.replace(b'"rows":1000,', b'"rows":1020,'))
    holdfast.ok("verify", backup)
    copy = database + "_copy"
    for options in ([], ["--tolerance", "1%"]):
        result = holdfast.restore_fails(3, backup, "--to-database", copy, *options)
        assert "public.small has 1000 rows instead of 1020" in result.err
        assert copy not in cluster.databases()
    holdfast.restore(backup, "--to-database", copy, "--tolerance", "5%")
    assert cluster.value(copy, "SELECT count(*) FROM small") == 1000
    cluster.sql(copy, "DROP TABLE small")
    holdfast.restore_fails(3, backup, "--to-database", copy, "--tables", "public.small")
    assert cluster.value(copy, "SELECT to_regclass('public.small')") is None
    records = holdfast.ok("list", "recoveries", "--json").json
    assert [record["result"] for record in records] == ["failed", "succeeded", "failed", "failed"]


def test_options_of_physical_backups_are_refused(holdfast):
    """What would do nothing is no option of a logical backup."""
    for words in (["--rate", "10M"], ["--access", "stream"], ["--nice"]):
        refused = holdfast.run("backup", "postgresql", "full", *words)
        assert refused.status == 2 and f"{words[0]} is for physical backups" in refused.err
