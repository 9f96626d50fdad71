# SPDX-License-Identifier: Apache-2.0
"""Cleanup, pins and objectives on real servers: what goes, what stays, what a run at the same time or a kill -9 does, and whether all
that is left restores."""
import json
import os
import random
import re
import signal
import subprocess
import time

import pytest

from pgcluster import remove_tree
from physical import SUM, Site, archive_now, kill_program
from restored import Restored


def make_site(server, retention):
    return Site(server, extra=f"[retention]\n{retention}")


DAY = 86400


def age(paths, days):
    """Makes objects look as old as that to the store."""
    then = time.time() - days * DAY
    for path in paths:
        os.utime(path, (then, then))


def segments(site):
    return sorted(path for path in site.repository.glob("wal/*/*/*/*/*") if len(path.name) == 24)


def needed_from(site, backup):
    """The segments from the start of a backup on."""
    first = int(backup["start_lsn"].split("/")[1], 16) // backup["segment_size"]
    return [path for path in segments(site) if int(path.name[16:], 16) >= first]


def records(site, kind):
    found = [json.loads(path.read_text()) for path in site.repository.glob(f"records/*-{kind}-*.json")]
    return sorted(found, key=lambda record: record["time"])


def restores(site, backup, expected):
    """The backup comes up, judged by pg_verifybackup, and holds what it held."""
    restored = Restored(site)
    try:
        restored.full({"id": backup})
        restored.verify().promoted()
        assert restored.value(SUM) == expected
    finally:
        restored.remove()


# --- what goes and what stays ----------------------------------------------------------------------------------------


def test_backups_and_wal_go_by_the_rules(server, closing):
    site = make_site(server, "keep_days = 0\nkeep_full = 1\ngrace = 0s\n")
    server.psql("CREATE TABLE trades AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 5000) g;")
    first = site.backup()
    middle = site.backup()
    server.psql("DELETE FROM trades WHERE id < 100")
    expected = server.value("postgres", SUM)
    last = site.backup()
    site.ok("pin", first["id"], "--note", "for the test")
    archive_now(site)
    age(segments(site), 3)
    before, needed = segments(site), needed_from(site, first)
    plan = site.ok("cleanup", "--dry-run", "--json").json
    assert {entry["id"]: entry["action"] for entry in plan["backups"]} == {
        first["id"]: "keep", middle["id"]: "delete", last["id"]: "keep"}
    assert plan["folder_bytes"] > 0 and plan["pool_bytes"] > 0
    assert len(site.backups()) == 3 and segments(site) == before
    text = site.ok("cleanup").out
    assert middle["id"] in text and "no rule keeps it" in text
    assert set(site.backups()) == {first["id"], last["id"]} and segments(site) == needed
    site.fails(1, "delete", first["id"])
    site.ok("unpin", first["id"])
    done = site.ok("cleanup", "--json").json
    assert done["deleted"] == 1 and done["wal"][0]["files"] > 0 and done["pool"]["deleted"] > 0
    assert site.backups() == [last["id"]]
    assert segments(site) == needed_from(site, last)
    assert [(record["backup"], record["reason"]) for record in records(site, "delete")] == [
        (middle["id"], "no rule keeps it"), (first["id"], "no rule keeps it")]
    assert [record["state"] for record in records(site, "cleanup")] == ["planned", "done"] * 2
    site.check_sums(last)
    restores(site, last["id"], expected)
    # Any moment behind it as well.
    restored = closing(Restored(site))
    restored.pitr("--target-latest")
    restored.promoted()
    assert restored.value(SUM) == expected


def archive_some(site, segments_wanted):
    for _ in range(segments_wanted):
        site.cluster.psql("CREATE TABLE x(); DROP TABLE x;")
        archive_now(site)


def test_wal_days_leave_what_backups_need_for_themselves(server):
    site = make_site(server, "keep_days = 0\nkeep_full = 3\nwal_days = 0\n")
    server.psql("CREATE TABLE trades AS SELECT g AS id FROM generate_series(1, 1000) g;")
    expected = server.value("postgres", SUM)
    first = site.backup()
    archive_some(site, 3)
    site.backup()
    age(segments(site), 3)
    files = site.ok("cleanup", "--json").json["wal"][0]["files"]
    assert files >= 2
    assert len(site.backups()) == 2
    site.check_sums(first)
    restores(site, first["id"], expected)
    assert site.ok("cleanup", "--json").json["wal"][0]["files"] == 0


def test_what_wal_goes_is_told_without_what_stays(server):
    """A range ends where a segment stays."""
    site = make_site(server, "keep_days = 0\nkeep_full = 3\nwal_days = 0\n")
    archive_some(site, 2)
    middle = site.backup()
    archive_some(site, 2)
    site.backup()
    age(segments(site), 3)
    plan = site.ok("cleanup", "--dry-run", "--json").json["wal"][0]
    told = [re.search(r": (\w+)\S* to (\w+)\S* \((\d+) file", one).groups() for one in plan["ranges"]]
    assert sum(int(count) for _, _, count in told) == plan["files"]
    named = {line.rsplit("/", 1)[1][:24] for line in (site.path(middle) / "SHA256SUMS").read_text().splitlines() if "/wal/" in line}
    assert named and len(told) > 1
    assert not any(first <= name <= last for first, last, _ in told for name in named)


def test_it_refuses(server):
    site = make_site(server, "keep_days = 0\nkeep_full = 1\n")
    server.psql("CREATE TABLE trades AS SELECT g AS id FROM generate_series(1, 10) g;")
    first, middle, last = site.backup(), site.backup(), site.backup()
    half = site.fails(1, "cleanup")
    assert "2 of all 3" in half.err and "--yes" in half.err
    manifest = site.path(middle) / "manifest.json"
    manifest.rename(site.directory / "manifest.json")
    unreadable = site.fails(1, "cleanup", "--yes")
    assert middle["id"] in unreadable.err and "--unreadable" in unreadable.err
    site.fails(1, "cleanup", "--unreadable", "nothing")
    assert len(site.backups()) == 3
    site.ok("cleanup", "--unreadable", middle["id"])
    assert set(site.backups()) == {middle["id"], last["id"]}
    assert first["id"] not in site.ok("list", "backups").out


# --- at the same time ------------------------------------------------------------------------------------------------


def pause(process):
    """Stops a program for a moment, so that cleanups see it at every point."""
    if process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        time.sleep(random.choice([0, 0.05, 0.3]))
        process.send_signal(signal.SIGCONT)


def test_beside_backup_restore_and_verify(server, closing):
    """Every run of the others ends well, and what they used or made is whole."""
    site = make_site(server, "keep_days = 0\nkeep_full = 1\ngrace = 0s\n")
    server.psql("CREATE TABLE trades AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 20000) g;")
    expected = server.value("postgres", SUM)
    for turn in range(3):
        base = site.backup()
        age(segments(site), 3)
        target = Restored(site)
        closing(target)
        others = [site.start("backup", "postgresql", "full"),
                  site.start("backup", "postgresql", "incremental"),
                  site.start("verify", base["id"]),
                  site.start("restore", "postgresql", "full", "--backup-id", base["id"], "--target-directory",
                             str(target.data))]
        while any(other.poll() is None for other in others):
            cleaned = site.run("cleanup", "--yes")
            assert cleaned.status == 0, cleaned
            pause(random.choice(others))
        failed = [other.stdout.read().decode() for other in others if other.wait() != 0]
        assert failed == [], "\n".join(failed)
        if turn == 2:
            target.verify().promoted()
            assert target.value(SUM) == expected
    site.ok("verify", "--all")
    for backup in site.backups():
        site.check_sums({"id": backup})
    restores(site, site.backups()[-1], expected)


def test_killed_at_any_point(server):
    """Whatever is listed afterwards is whole, and the next cleanup ends what was begun."""
    site = make_site(server, "keep_days = 0\nkeep_full = 1\ngrace = 0s\n")
    server.psql("CREATE TABLE trades AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 5000) g;")
    expected = server.value("postgres", SUM)
    for _ in range(4):
        last = site.backup()
    age(segments(site), 3)
    saved = site.directory / "saved"
    subprocess.run(["cp", "-a", str(site.repository), str(saved)], check=True)
    begun = time.monotonic()
    site.ok("cleanup", "--yes")
    took = time.monotonic() - begun
    for turn in range(6):
        remove_tree(site.repository)
        subprocess.run(["cp", "-a", str(saved), str(site.repository)], check=True)
        running = site.start("cleanup", "--yes")
        time.sleep(random.uniform(0, took))
        kill_program(running)
        running.wait()
        running.stdout.close()
        for backup in site.backups():
            site.check_sums({"id": backup})
        site.ok("cleanup", "--yes")
        assert site.backups() == [last["id"]]
        site.check_sums(last)
        if turn == 5:
            restores(site, last["id"], expected)
    folders = [path.name for path in (site.repository / "backups").iterdir()]
    assert folders == [last["id"]]


# --- objectives ------------------------------------------------------------------------------------------------------


def test_objectives(server, closing):
    site = make_site(server, "keep_days = 30\n")
    missed = site.fails(6, "objectives", "--json").json[0]
    assert missed["state"] == "missed" and missed["rpo"]["newest"] is None
    assert {finding["command"] for finding in missed["findings"]} == {
        "holdfast backup postgresql full --source main"}
    server.psql("CREATE TABLE trades AS SELECT g AS id FROM generate_series(1, 1000) g;")
    backup = site.backup()
    # An idle server has a checkpoint in its WAL that is archived by nobody.
    server.psql("CHECKPOINT")
    now = site.ok("objectives", "--json").json[0]
    assert now["state"] == "at risk" and now["rpo"]["state"] == "ok" and now["rpo"]["complete"]
    assert now["last"]["backup"]["id"] == backup["id"] and now["last"]["verify"]["result"] == "good"
    assert {finding["objective"] for finding in now["findings"]} == {"rto"}
    server.psql("INSERT INTO trades VALUES (0)")
    assert not site.ok("objectives", "--json").json[0]["rpo"]["complete"]
    archive_now(site)
    site.ok("verify", backup["id"])
    closing(Restored(site)).full(backup)
    good = site.ok("objectives", "--json").json[0]
    assert good["state"] == "ok" and good["findings"] == [], good
    assert good["rto"]["measured_by"] == "restore" and good["rto"]["expected_seconds"] > 0
    server.stop("fast")
    unknown = site.run("objectives", "--json").json[0]
    assert any("could not be asked" in finding["reason"] for finding in unknown["findings"])


def site_with_wal(server):
    """A backup, and three segments behind it."""
    site = make_site(server, "keep_days = 30\n")
    server.psql("CREATE TABLE trades AS SELECT g AS id FROM generate_series(1, 1000) g;")
    site.backup()
    for _ in range(3):
        server.psql("INSERT INTO trades VALUES (0)")
        archive_now(site)
    return site


def test_objectives_see_a_hole(server):
    site = site_with_wal(server)
    segments(site)[-2].unlink()
    server.psql("INSERT INTO trades VALUES (0)")
    site.backup()
    now = site.ok("objectives", "--json").json[0]
    assert len(now["rpo"]["gaps"]) == 1
    assert any("can be recovered" in finding["reason"] for finding in now["findings"])


@pytest.mark.parametrize("how", ("flipped", "removed"))
def test_objectives_see_what_nothing_leads_over(server, how):
    """A segment behind the newest backup that is gone, or that verify has found damaged: what lies behind it is lost."""
    site = site_with_wal(server)
    assert site.run("objectives", "--json").json[0]["rpo"]["gaps"] == []
    victim = segments(site)[-2]
    if how == "removed":
        victim.unlink()
    else:
        stored = bytearray(victim.read_bytes())
        stored[len(stored) // 2] ^= 1
        victim.chmod(0o600)
        victim.write_bytes(stored)
        site.fails(3, "verify", "--all")
    now = site.run("objectives", "--json").json[0]
    assert now["rpo"]["state"] == "at risk" and not now["rpo"]["complete"] and len(now["rpo"]["gaps"]) == 1, now
    lost = [finding for finding in now["findings"] if victim.name[:24] in finding["reason"]]
    assert {"holdfast backup postgresql full --source main"} == {finding["command"] for finding in lost} and lost
    # What is told to mend it does.
    site.backup()
    again = site.run("objectives", "--json").json[0]
    assert again["rpo"]["complete"] and not any("no moment after" in finding["reason"] and "verify" not in finding["reason"]
                                                for finding in again["findings"]), again
    if how == "flipped":
        (proof,) = [finding for finding in again["findings"] if finding["objective"] == "proof"]
        assert "does not need it" in proof["reason"] and "verify --all" in proof["command"]
        # Written again, the archive is whole.
        victim.unlink()
        site.ok("verify", "--all")
        assert not [finding for finding in site.run("objectives", "--json").json[0]["findings"] if finding["objective"] == "proof"]
