# SPDX-License-Identifier: Apache-2.0
"""Encrypted repositories with real servers: nothing of the user's is in the clear, a stranger can decode it from the documentation, keys
come and go, and everything that works on a plain repository works here."""
import base64
import contextlib
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess

import pytest

import unseal
from conftest import missing
from physical import SUM, PhysicalCluster, Site, archive_now, as_server_user, program_of
from pgcluster import PROGRAM, ROOT, wait_until
from restored import Restored

SECRET_TABLE = "zanzibar_accounts"
SECRET_TEXT = "a secret sentence that must not be seen"
KEY = bytes(range(40))


@pytest.fixture
def server(closing):
    if missing() is not None:
        pytest.skip(missing())
    made = closing(PhysicalCluster())
    made.psql("CREATE DATABASE zanzibar")
    made.psql(f"CREATE TABLE {SECRET_TABLE} AS SELECT g AS id, '{SECRET_TEXT} ' || g AS text "
              "FROM generate_series(1, 5000) g", database="zanzibar")
    return made


@pytest.fixture
def site(server):
    return Site(server, key=KEY)


def write_key(site, name, content, mode=0o600):
    path = site.directory / name
    path.write_bytes(content)
    path.chmod(mode)
    if os.geteuid() == 0:
        shutil.chown(path, "postgres", "postgres")
    return path


def give(path):
    if os.geteuid() == 0:
        shutil.chown(path, "postgres", "postgres")


def full(site, *arguments):
    return site.ok("backup", "postgresql", "full", "--json", *arguments).json["id"]


def files_with(directory, *words):
    """Files that hold one of the words."""
    return [path for path in pathlib.Path(directory).rglob("*") if path.is_file()
            for word in words if word.encode() in path.read_bytes() or word in str(path)]


def test_golden_vectors_open_by_the_documentation_alone(tmp_path):
    """Those that the C code is tested with are what this decoder makes."""
    directory = ROOT / "tests" / "golden" / "seal"
    document = json.loads((directory / "vectors.json").read_text())
    keys = {document["generation"]: bytes.fromhex(document["data_key"])}
    for vector in document["objects"]:
        stored = (directory / vector["file"]).read_bytes()
        plain = unseal.unseal(stored, vector["name"], document["repository"], keys)
        assert plain == unseal.pattern(vector["plain_length"])
        for changed in (stored[:-1], stored + b"x", stored[:40] + b"x" + stored[41:], stored[:-1] + b"\0\0"):
            with pytest.raises(unseal.Refused):
                unseal.unseal(changed, vector["name"], document["repository"], keys)


def test_nothing_is_in_the_clear_and_a_stranger_reads_it(server, site):
    physical = full(site)
    config = site.config.read_text()
    site.config.write_text(config.replace("engine = postgresql\n", "engine = postgresql\nmethod = logical\n"))
    logical = full(site)
    site.config.write_text(config)
    archive_now(site)
    site.ok("verify", "--all")

    # Neither in the repository nor in the catalog, job logs and what else is kept.
    assert files_with(site.repository, SECRET_TABLE, "secret sentence", "zanzibar") == []
    assert files_with(site.directory / "state", SECRET_TABLE, "secret sentence", "zanzibar") == []
    assert files_with(site.directory / "state", KEY.hex()) == []

    decoder = unseal.Repository(site.repository, secret=KEY)
    zstd = lambda stored: subprocess.run(["zstd", "-dc"], input=stored, stdout=subprocess.PIPE, check=True).stdout
    details = json.loads(zstd(decoder.read(f"backups/{physical}/details.json.zst")))
    assert "zanzibar" in [database["name"] for database in details["databases"]]
    for pack in details["packs"]:
        if pack["alive"]:
            assert decoder.read(f"pool/{pack['sha256'][:2]}/{pack['sha256']}").startswith(b"HFPACK\r\n")
    tables = zstd(decoder.read(f"backups/{logical}/details-tables.jsonl.zst")).decode()
    assert SECRET_TABLE in tables
    rows = b"".join(zstd(decoder.read(str(path.relative_to(site.repository))))
                    for path in (site.repository / "backups" / logical).glob("data/*/*.dump.zst"))
    assert SECRET_TEXT.encode() in rows
    (segment, *_) = sorted(site.repository.glob("wal/*/*/*/*/*"))
    name = str(segment.relative_to(site.repository))
    assert len(zstd(decoder.read(name))) == 16 << 20

    # Checksums need no key.
    for backup in physical, logical:
        subprocess.run(["sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS"], check=True,
                       cwd=site.repository / "backups" / backup)


def test_physical_restores(server, site, closing):
    """A full, an incremental, to a time, and tables out of it: all through the seal."""
    restored = closing(Restored(site))
    first = full(site)
    server.psql("CREATE TABLE trades AS SELECT g AS id FROM generate_series(1, 3000) g")
    second = site.ok("backup", "postgresql", "incremental", "--json").json
    assert second["type"] == "incremental" and second["base"] == first
    wanted = server.value("postgres", SUM)
    archive_now(site)
    site.ok("restore", "postgresql", "pitr", "--target-latest", "--target-directory", str(restored.data))
    restored.promoted()
    assert restored.value(SUM) == wanted
    server.psql("CREATE DATABASE copy")
    site.ok("restore", "postgresql", "full", "--backup-id", second["id"], "--tables", "postgres.public.trades",
            "--to-database", "postgres=copy")
    assert server.value("copy", SUM) == wanted
    # The records of restores are in the clear: they name no table.
    assert files_with(site.repository / "records", "trades") == []


def test_wrong_missing_and_open_keys(server, site):
    before = sorted(site.repository.rglob("*"))
    good = site.key_file.read_bytes()
    for content, mode, words in ((bytes(40), 0o600, "does not open"), (b"short", 0o600, "32 bytes"),
                                 (good, 0o644, "chmod"), (None, 0, str(site.key_file))):
        site.key_file.unlink(missing_ok=True)
        if content is not None:
            write_key(site, "key", content, mode)
        for command in (["backup", "postgresql", "full"], ["key", "rotate"], ["wal", "list"]):
            assert words in site.fails(2, *command).err
    assert sorted(site.repository.rglob("*")) == before
    write_key(site, "key", good)
    full(site)
    # Lists and checksums want none.
    site.key_file.unlink()
    (backup,) = site.ok("list", "backups", "--json").json
    bare = lambda *arguments: subprocess.run(
        as_server_user([str(PROGRAM), *arguments, "--repository", str(site.repository)]), cwd="/",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    done = bare("verify", backup["id"])
    assert done.returncode == 0 and "no key was named" in done.stderr
    done = bare("verify", "--all")
    assert done.returncode == 0 and "archived WAL is not checked" in done.stderr
    done = bare("show", backup["id"])
    assert done.returncode == 0 and "no key was named" in done.stderr
    site.ok("cleanup")


def cached_key(site):
    """Where the unlocked key is: never on a disk."""
    identity = json.loads((site.repository / "repository.json").read_text())["id"]
    on_disk = subprocess.run(["stat", "-f", "-c", "%T", str(site.directory)], check=True, capture_output=True,
                             text=True).stdout.strip() not in ("tmpfs", "ramfs")
    owner = (site.repository / "repository.json").stat().st_uid
    place = pathlib.Path(f"/dev/shm/holdfast-{owner}") if on_disk else site.directory / "run" / "keys"
    assert not on_disk or not list((site.directory / "run").glob("keys/*"))
    return place / identity


def fetch_together(server, site, cached):
    """Gets that start at once, as prefetching ones do, and find the key neither unlocked nor in each other's way."""
    segments = sorted(path.name for path in site.repository.glob("wal/*/*/*/*/*") if len(path.name) == 24)[-2:]
    expected = {name: (server.data / "pg_wal" / name).read_bytes() for name in segments}
    cached.unlink()
    running = [(name, site.directory / f"together-{number}-{name}") for number in range(4) for name in segments]
    running = [(name, target, site.start("wal", "get", name, str(target), "--source", "main"))
               for name, target in running]
    for name, target, process in running:
        said = process.communicate(timeout=120)[0]
        assert process.returncode == 0, said
        assert target.read_bytes() == expected[name]
    assert cached.exists()


def test_wal_reaches_the_key_once_a_boot(server, site):
    """A passphrase that is gone again: what was pushed first has left the key where only pushes and gets look."""
    phrase = write_key(site, "phrase", b"correct horse battery staple\n")
    slot = site.ok("key", "add", f"passphrase-file={phrase}", "--json").json["id"]
    assert {entry["form"] for entry in site.ok("key", "list", "--json").json} == {"key-file", "passphrase-file"}
    archive_now(site)
    assert not cached_key(site).exists()  # a key file needs no scrypt
    site.config.write_text(site.config.read_text().replace(f"key-file={site.key_file}", f"passphrase-file={phrase}"))
    archive_now(site)
    server.psql("INSERT INTO zanzibar_accounts VALUES (0, 'more')", database="zanzibar")
    archive_now(site)
    cached = cached_key(site)
    fetch_together(server, site, cached)
    assert cached.stat().st_mode & 0o777 == 0o600 and cached.parent.stat().st_mode & 0o777 == 0o700
    hidden = phrase.with_name("hidden")
    phrase.rename(hidden)
    archive_now(site)
    site.fails(2, "backup", "postgresql", "full")
    segment = sorted(path.name for path in site.repository.glob("wal/*/*/*/*/*") if len(path.name) == 24)[-1]
    target = site.directory / "fetched"
    site.ok("wal", "get", segment, str(target), "--source", "main")
    assert target.stat().st_size == 16 << 20
    # A key of another boot, or one that others may read, is none.
    kept = cached.read_bytes()
    for spoil in (lambda: cached.write_bytes(b"0" * 36 + kept[36:]), lambda: cached.chmod(0o640),
                  lambda: cached.write_bytes(kept[:-1])):
        spoil()
        site.fails(126, "wal", "get", segment, str(target), "--source", "main")
        assert not cached.exists()
        cached.write_bytes(kept)
        cached.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(cached, "postgres", "postgres")
    hidden.rename(phrase)
    # Removing a slot takes the unlocked key along.
    said = site.ok("key", "remove", slot)
    assert "still read" in said.out and "opens nothing now" in said.err
    assert not cached.exists()
    site.fails(126, "wal", "get", segment, str(target), "--source", "main")


def test_keys_come_and_go(server, site):
    first = full(site)
    (slot,) = site.ok("key", "list", "--json").json
    assert slot["form"] == "key-file" and slot["kdf"] == "hkdf-sha256"
    site.fails(1, "key", "remove", slot["id"])
    second = site.ok("key", "add", f"command=cat {write_key(site, 'vault', b'spoken by a vault')}", "--json").json["id"]
    assert second != slot["id"]
    assert site.ok("key", "rotate", "--json").json == {"generation": 2}
    later = full(site)
    site.ok("verify", "--all")
    decoder = unseal.Repository(site.repository, secret=b"spoken by a vault")
    assert sorted(decoder.data_keys) == [1, 2]
    for backup in first, later:
        assert decoder.read(f"backups/{backup}/details.json.zst")
    # The code on paper opens it without any slot.
    code = site.ok("key", "export", "--json").json["recovery_code"]
    assert code in site.ok("key", "export").out
    assert unseal.Repository(site.repository, master=unseal.recovery_master(code)).data_keys == decoder.data_keys
    paper = write_key(site, "paper", code.lower().encode())
    site.ok("key", "remove", slot["id"], "--key", f"key-file={paper}")
    site.fails(2, "show", later)
    shown = site.ok("show", later, "--key", f"key-file={paper}", "--json").json
    assert shown["tables"]
    site.fails(1, "key", "remove", second, "--key", f"key-file={paper}")
    site.fails(1, "key", "remove", "nosuchslot", "--key", f"key-file={paper}")


def test_export(server, site, closing):
    physical = full(site)
    directory = site.directory / "plain"
    site.ok("export", physical, "--to", str(directory))
    subprocess.run(as_server_user([str(server.bin / "pg_verifybackup"), str(directory)]), check=True, cwd="/",
                   stdout=subprocess.DEVNULL)
    site.config.write_text(site.config.read_text().replace("engine = postgresql\n",
                                                           "engine = postgresql\nmethod = logical\n"))
    logical = full(site)
    directory = site.directory / "files"
    site.ok("export", logical, "--to", str(directory))
    assert json.loads((directory / "manifest.json").read_text())["id"] == logical
    assert SECRET_TABLE in (directory / "details-tables.jsonl").read_text()
    for archive in directory.glob("data/*/*.dump"):
        subprocess.run([str(server.bin / "pg_restore"), "-l", str(archive)], check=True, stdout=subprocess.DEVNULL)
    site.fails(1, "export", logical, "--to", str(directory))
    # A damaged object leaves nothing behind.
    victim = next((site.repository / "backups" / logical).glob("data/*/*.dump.zst"))
    stored = bytearray(victim.read_bytes())
    stored[len(stored) // 2] ^= 1
    victim.chmod(0o600)
    victim.write_bytes(stored)
    site.fails(3, "export", logical, "--to", str(site.directory / "none"))
    assert not list(site.directory.glob("none*"))


def test_exports_get_out_of_each_other_s_way(server, site):
    """An empty directory is taken as it is, known by a link or not; of two that export into one, one does."""
    site.config.write_text(site.config.read_text().replace("engine = postgresql\n",
                                                           "engine = postgresql\nmethod = logical\n"))
    logical = full(site)
    plain, link = site.directory / "place", site.directory / "link"
    plain.mkdir()
    give(plain)
    link.symlink_to(plain)
    files = site.ok("export", logical, "--to", str(link), "--json").json["files"]

    def count(directory):
        return len([path for path in directory.rglob("*") if path.is_file()])

    assert count(plain) == files > 3 and link.is_symlink()
    for turn in range(4):
        target = site.directory / f"race{turn}"
        running = [site.start("export", logical, "--to", str(target)) for _ in range(2)]
        said = [process.communicate(timeout=120)[0].decode() for process in running]
        ended = sorted(process.returncode for process in running)
        assert ended in ([0, 1], [1, 1]), said
        assert count(target) == files if ended[0] == 0 else not target.exists(), said
    # What a killed one leaves is not taken for an export, and nothing is removed that may be in use.
    left = site.directory / "left"
    (left / ".holdfast-export").mkdir(parents=True)
    give(left)
    give(left / ".holdfast-export")
    assert "has not ended" in site.fails(1, "export", logical, "--to", str(left)).err
    assert (left / ".holdfast-export").exists()


def test_two_that_make_one_repository(server, site):
    """One of them makes it, with its keys."""
    for turn in range(5):
        repository = site.directory / f"twice{turn}"
        configs = [site.directory / f"twice{turn}-{which}.conf" for which in range(2)]
        running = [subprocess.Popen(as_server_user([PROGRAM, "init", "--config", str(config), "--repository", str(repository),
                                                    "--encryption", f"key-file={write_key(site, f'key{turn}', b'k' * 40)}"]),
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/") for config in configs]
        said = [process.communicate(timeout=120)[0].decode() for process in running]
        assert 0 in [process.returncode for process in running], said
        names = sorted(path.name for path in (repository / "keys").iterdir())
        assert len(names) == 2 and names[0] == "data-000001.json" or names[1] == "data-000001.json", (names, said)
        site.ok("list", "backups", "--repository", str(repository), "--key", f"key-file={site.directory / f'key{turn}'}")


def generation(path):
    """Of the data key that a stored object is sealed by; it may be gone."""
    try:
        return struct.unpack_from("<I", path.read_bytes(), 20)[0]
    except FileNotFoundError:
        return None


def test_a_new_data_key_while_wal_is_received(server, site):
    server.psql("CREATE TABLE running (id int)")
    receiver = site.start("wal", "receive", "main", "--verbose")
    try:
        assert wait_until(lambda: server.value("postgres", "SELECT count(*) FROM pg_stat_replication") == 1
                          or receiver.poll() is not None) and receiver.poll() is None, receiver.stdout.read()
        site.ok("key", "rotate")
        for _ in range(2):
            server.psql("INSERT INTO running SELECT generate_series(1, 1000)")
            archive_now(site)
        server.psql("INSERT INTO running SELECT generate_series(1, 1000)")
        # Its pieces, too, are sealed by the new key, and segments that others have sealed by it do not end it.
        assert wait_until(lambda: 2 in [generation(path) for path in site.repository.glob("wal/*/*/*/*/*.part")])
        assert receiver.poll() is None
        site.ok("verify", "--all")
    finally:
        # Not runuser in front of it, which hands its status on.
        with contextlib.suppress(ProcessLookupError):
            os.kill(program_of(receiver), signal.SIGTERM)
    said = receiver.communicate(timeout=60)[0].decode()
    assert receiver.returncode == 0, said


def test_swapped_objects_are_refused_though_checksums_agree(server, site):
    """Whoever may write the repository can make SHA256SUMS agree with anything; the seal tells all the same."""
    config = site.config.read_text()
    site.config.write_text(config.replace("engine = postgresql\n", "engine = postgresql\nmethod = logical\n"))
    first, second = full(site), full(site)
    one, other = (site.repository / "backups" / backup for backup in (first, second))
    forged = {}
    for path in one.rglob("details.json.zst"):
        target = other / path.relative_to(one)
        target.chmod(0o600)
        target.write_bytes(path.read_bytes())
        old = json.loads((other / "manifest.json").read_text())
        new = json.loads((one / "manifest.json").read_text())
        for entry in old["objects"]:
            if entry["path"] == "details.json.zst":
                forged = next(found for found in new["objects"] if found["path"] == "details.json.zst")
                entry.update(forged)
        (other / "manifest.json").chmod(0o600)
        (other / "manifest.json").write_text(json.dumps(old))
    lines = []
    for line in (other / "SHA256SUMS").read_text().splitlines():
        path = line[66:]
        if path in ("details.json.zst", "manifest.json"):
            digest = subprocess.run(["sha256sum", str(other / path)], stdout=subprocess.PIPE, text=True).stdout[:64]
            line = f"{digest}  {path}"
        lines.append(line + "\n")
    (other / "SHA256SUMS").chmod(0o600)
    (other / "SHA256SUMS").write_text("".join(lines))
    result = site.fails(3, "show", second)
    assert "does not open" in result.err
    site.ok("show", first)


def test_reports_name_tables_where_the_key_is(server, site):
    """What a drill, a restore and a verify counted goes into their records sealed, and comes out with the key alone."""
    logical = site.ok("backup", "postgresql", "full", "--method", "logical", "--json").json["id"]
    site.ok("restore", "postgresql", "full", "--backup-id", logical, "--databases", "zanzibar", "--to-database", "again")
    site.ok("drill", "main", "--backup-id", logical)
    site.ok("verify", logical, "--deep")
    assert files_with(site.repository / "records", SECRET_TABLE, "zanzibar", "again") == []
    assert files_with(site.directory / "state", SECRET_TABLE, "zanzibar") == []

    line = f"zanzibar.public.{SECRET_TABLE}: expected 5000 rows, found 5000 rows"
    text = site.ok("report", logical).out
    assert text.count(line) == 2 and "sealed part" not in text
    report = site.ok("report", logical, "--json").json
    [restore], [drill] = report["restores"], report["drills"]
    wanted = {"table": f"zanzibar.public.{SECRET_TABLE}", "expected": 5000, "found": 5000}
    assert wanted in restore["summary"]["checked"]
    assert wanted in [{key: one[key] for key in wanted} for one in drill["summary"]["tables"]]
    assert {one["table"] for one in report["verifications"][0]["tables"]} >= {wanted["table"]}
    assert {one["sealed_part"] for one in report["restores"] + report["drills"] + report["verifications"]} == {"opened"}
    assert {one["record_checksum"] for one in report["restores"] + report["drills"]} == {"good"}
    assert site.ok("list", "recoveries", "--json").json[0]["options"]["to_database"] == "again"

    # Without a key what stands in the clear; with a wrong one a clear error.
    def bare(*arguments, status=0):
        done = subprocess.run(as_server_user([str(PROGRAM), *arguments, "--repository", str(site.repository)]), cwd="/",
                              stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert done.returncode == status
        return done.stdout.decode()

    text = bare("report", logical)
    assert SECRET_TABLE not in text and "where the key is named" in text
    [listed] = json.loads(bare("list", "recoveries", "--json"))
    assert listed["sealed_part"] == "closed" and "sealed" not in listed and SECRET_TABLE not in json.dumps(listed)
    assert listed["summary"]["checked"] == len(restore["summary"]["checked"])
    wrong = write_key(site, "wrong", bytes(reversed(KEY)))
    bare("report", logical, "--key", f"key-file={wrong}", status=2)

    # By the documentation alone.
    [path] = (site.repository / "records").glob("*-drill-*")
    stored = base64.b64decode(json.loads(path.read_text())["sealed"])
    decoder = unseal.Repository(site.repository, secret=KEY)
    plain = unseal.unseal(stored, f"records/{path.name}", decoder.id, decoder.data_keys)
    whole = json.loads(subprocess.run(["zstd", "-dc"], input=plain, stdout=subprocess.PIPE, check=True).stdout)
    assert whole["summary"]["tables"] == drill["summary"]["tables"]


def test_plain_repositories_stay_plain(server, tmp_path):
    site = Site(server, archive=False)
    key = write_key(site, "later", KEY)
    assert "copy" in site.fails(1, "init", "--encryption", f"key-file={key}").err
    assert "key" not in [line.split(" ")[0] for line in site.config.read_text().splitlines()]
    site.fails(1, "key", "list")
    site.config.write_text(site.config.read_text().replace("[repository]\n", f"[repository]\nkey = key-file={key}\n"))
    assert "not encrypted" in site.fails(2, "list", "backups").err


def test_a_bare_machine_names_the_key(server, site, closing):
    """No configuration: the restored server's restore_command names repository and key."""
    restored = closing(Restored(site))
    full(site)
    server.psql("CREATE TABLE trades AS SELECT g AS id FROM generate_series(1, 3000) g")
    wanted = server.value("postgres", SUM)
    archive_now(site)
    command = [str(PROGRAM), "restore", "postgresql", "pitr", "--source", "main", "--target-latest", "--target-directory",
               str(restored.data), "--repository", str(site.repository), "--key", f"key-file={site.key_file}"]
    environment = dict(os.environ, XDG_RUNTIME_DIR=str(site.directory / "runtime"))
    subprocess.run(as_server_user(command), check=True, cwd="/", env=environment, stdout=subprocess.DEVNULL)
    restored.promoted()
    assert restored.value(SUM) == wanted
