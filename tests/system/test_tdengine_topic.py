# SPDX-License-Identifier: Apache-2.0
"""Quick increments that read the server's log of changes through a topic: what only the log shows, a log with a gap, a
topic that was lost, and topics as a source's owner meets them."""
import subprocess
import time

import pytest

import pgcluster
import tdserver
from test_standin import Talk, trouble
from test_tdengine_incremental import DAY, START, Told, dump, fill, increment, restored, wait_for_leaders

PATIENCE = 240  # seconds: the server drops its log when it comes to it
LOST = "a topic of ours was lost, and made anew"
GAP = "the server's log of changes no longer reaches back to the base"


@pytest.fixture(scope="module")
def server():
    if tdserver.missing():
        pytest.skip(tdserver.missing())
    made = tdserver.Server()
    yield made
    made.remove()


@pytest.fixture
def holdfast(server, tmp_path):
    yield tdserver.Holdfast(tmp_path, server, pgcluster.PROGRAM, "topic = on\nscan_below = 0s\nrecent = 0s\n")
    server.drop_all()


def make(server, holdfast, options=""):
    """A market whose first backup has seen no rows: every day is a slice of its own. Then a full of its rows."""
    server.sql(f"CREATE DATABASE market VGROUPS 2 BUFFER 8 KEEP 36500d DURATION 1d {options}")
    server.sql("CREATE STABLE market.ticks (ts TIMESTAMP, price DOUBLE, note VARCHAR(20), flag BOOL, at TIMESTAMP, "
               "size BIGINT UNSIGNED) TAGS (symbol NCHAR(10))")
    server.sql("CREATE TABLE market.plain (ts TIMESTAMP, v INT)")
    wait_for_leaders(server)
    holdfast.backup()
    fill(server)
    with Told(server):
        server.sql(f"INSERT INTO market.plain VALUES ({START + 2}, 3)")
    return increment(holdfast, "--mode", "scan")


def topics(server):
    return [name for [name] in server.sql("SHOW TOPICS")]


def quick(server, holdfast, *statements):
    with Told(server):
        for statement in statements:
            server.sql(statement)
    return increment(holdfast, "--mode", "quick")


def test_an_update_that_no_sum_shows_is_seen(server, holdfast):
    make(server, holdfast)
    [topic] = topics(server)
    assert topic.startswith("holdfast_market_market_")
    old = START + 3 * DAY
    made = quick(server, holdfast, "ALTER TABLE market.t1 SET TAG symbol = 'x'",
                 f"INSERT INTO market.t1 (ts, note) VALUES ({old + 1}, 'new')",
                 f"INSERT INTO market.t2 (ts, price) VALUES ({old + 2}, 3.75) ({old + DAY + 2}, 2.75)")
    assert made["evidence"]["used"][-1] == "topic" and made["evidence"]["log"] == {"read": True, "since_scan": True}
    [unseen] = made["evidence"]["cannot_see"]
    assert "the server's log left out" in unseen
    assert restored(server, holdfast, made) == dump(server, "market")
    # The group went with the increment: the next one has a new one, and so what followed the changed tag.
    assert server.sql("SELECT * FROM information_schema.ins_subscriptions") == []
    again = quick(server, holdfast, f"INSERT INTO market.t1 (ts, note) VALUES ({old + 1}, 'newer')")
    assert again["evidence"]["log"] == {"read": True, "since_scan": True}
    assert restored(server, holdfast, again) == dump(server, "market")


def test_late_rows_deletes_and_tables_made_again(server, holdfast):
    make(server, holdfast)
    made = quick(server, holdfast, f"INSERT INTO market.t3 (ts, note) VALUES ({START + 5 * DAY + 99}, 'late')",
                 f"DELETE FROM market.t4 WHERE ts >= {START + 6 * DAY} AND ts < {START + 8 * DAY}",
                 f"INSERT INTO market.t5 (ts, note) VALUES ({START + 6 * DAY + 50}, 'instead')",
                 "DROP TABLE market.t6", f"INSERT INTO market.t6 USING market.ticks TAGS ('again') (ts, note) VALUES "
                 f"({START + 9 * DAY}, 'again')", f"INSERT INTO market.plain VALUES ({START + 1}, 7)")
    assert made["evidence"]["log"]["read"]
    assert restored(server, holdfast, made) == dump(server, "market")


def test_a_topic_and_the_server_s_files_together(server, holdfast):
    """Both kinds of evidence are used and said; what files show is complete, so nothing is left that could not be seen."""
    if not server.real:
        pytest.skip("the stand-in has no files")
    holdfast.config.write_text(holdfast.config.read_text() + f"data_directory = {server.root / 'data'}\n")
    make(server, holdfast)
    for text in ("one", "two"):
        made = quick(server, holdfast, f"INSERT INTO market.t1 (ts, note) VALUES ({START + 3 * DAY + 1}, '{text}')",
                     f"DELETE FROM market.t4 WHERE ts = {START + 6 * DAY + 4}")
        assert made["evidence"]["used"][-2:] == ["topic", "files"] and made["evidence"]["log"]["read"]
        assert made["evidence"]["cannot_see"] == []
        assert restored(server, holdfast, made) == dump(server, "market")


def test_a_lost_topic_is_made_again_and_means_a_scan(server, holdfast):
    base = make(server, holdfast)
    [topic] = topics(server)
    server.sql(f"DROP TOPIC `{topic}`")
    made = quick(server, holdfast, f"INSERT INTO market.t1 (ts, note) VALUES ({START + 1}, 'new')")
    assert LOST in str(made["warnings"]) and made["evidence"]["log"] == {
        "read": False, "since_scan": False, "reason": LOST}
    assert topics(server) == [topic]
    server.sql(f"DROP TOPIC `{topic}`")
    made = increment(holdfast, "--since", base["id"])
    assert (made["evidence"]["used"], made["evidence"]["reason"]) == (["scan"], LOST)
    assert restored(server, holdfast, made) == dump(server, "market")


def test_a_log_that_begins_after_the_base_means_a_scan(server, holdfast):
    base = make(server, holdfast, "WAL_RETENTION_PERIOD 1")
    until = time.monotonic() + PATIENCE
    for number in range(10000):
        # A real server drops a part of its log when a newer one was begun and the older is in the files.
        for row in range(20):
            for table in range(8):
                server.sql(f"INSERT INTO market.t{table} (ts, note) VALUES ({START + row}, 'n{number}')")
        server.sql("FLUSH DATABASE market")
        made = increment(holdfast, "--since", base["id"], "--mode", "auto")
        if made["evidence"].get("reason") == GAP:
            break
        assert time.monotonic() < until, made["evidence"]
    assert made["evidence"]["used"] == ["scan"]
    assert restored(server, holdfast, made) == dump(server, "market")


def test_a_server_without_a_log_is_backed_up_all_the_same(server, holdfast):
    make(server, holdfast, "WAL_RETENTION_PERIOD 0")
    assert topics(server) == []
    made = quick(server, holdfast, f"INSERT INTO market.t1 (ts, price) VALUES ({START + 1}, 100)")
    assert made["evidence"]["log"]["reason"] == "there is no topic" and "refuses a topic" in str(made["warnings"])
    assert restored(server, holdfast, made) == dump(server, "market")


def test_without_consumers_everything_else_works(server, holdfast):
    if server.real:
        pytest.skip("a real server lets everybody subscribe who may")
    make(server, holdfast)
    try:
        trouble(server.url, refuse_consumers=True)
        base = quick(server, holdfast, f"INSERT INTO market.t1 (ts, price) VALUES ({START + 1}, 100)")
        reason = "the server's log of changes could not be read"
        assert base["evidence"]["log"] == {"read": False, "since_scan": False, "reason": reason}
        assert reason in str(base["warnings"]) and "topic" not in base["evidence"]["used"]
        assert len(base["evidence"]["cannot_see"]) == 2
        assert restored(server, holdfast, base) == dump(server, "market")
        with Told(server):
            server.sql(f"INSERT INTO market.t1 (ts, note) VALUES ({START + 1}, 'new')")
        made = increment(holdfast, "--mode", "auto")
        assert (made["evidence"]["used"], made["evidence"]["reason"]) == (["scan"], reason)
        assert restored(server, holdfast, made) == dump(server, "market")
    finally:
        trouble(server.url)


def test_killed_while_the_log_is_read(server, holdfast):
    """What is left is a reader of which the server does not know yet that it is gone: the next increment has its own."""
    make(server, holdfast)
    killed = 0
    for number in range(12):
        with Told(server):
            server.sql(f"INSERT INTO market.t1 (ts, note) VALUES ({START + 1}, 'n{number}')")
        running = subprocess.Popen([holdfast.program, "backup", "tdengine", "incremental", "--mode", "quick", "--config",
                                    str(holdfast.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while running.poll() is None:
            if server.sql("SELECT * FROM information_schema.ins_subscriptions"):
                running.kill()
        killed += running.wait() == -9
        if killed == 2:
            break
    if killed == 0 and not server.real:
        pytest.skip("the stand-in was quicker than the signal")
    assert killed > 0
    made = increment(holdfast, "--mode", "quick")
    assert made["evidence"]["log"] == {"read": True, "since_scan": True}
    assert restored(server, holdfast, made) == dump(server, "market")


def test_check_lists_topics_and_drops_them(server, holdfast):
    make(server, holdfast)
    [topic] = topics(server)
    told = holdfast.run("check", "market").stdout.decode()
    assert topic in told and "cannot be dropped" in told and "--drop-topics" in told
    with pytest.raises(tdserver.SqlError):
        server.sql("DROP DATABASE market")
    assert "dropped; the next backup makes it again" in holdfast.run("check", "market", "--drop-topics").stdout.decode()
    assert topics(server) == []
    server.sql("DROP DATABASE market")


def test_a_restore_waits_for_a_reader_that_is_gone(server, holdfast):
    """The server keeps a topic for half a minute behind a reader that was killed."""
    full = make(server, holdfast)
    [topic] = topics(server)
    reader = Talk(server.url, "/rest/tmq")
    reader.must("subscribe", user="root", password="taosdata", group_id="holdfast_gone", client_id="c", topics=[topic],
                offset_reset="earliest", auto_commit="false")
    with pytest.raises(tdserver.SqlError) as refused:
        server.sql(f"DROP TOPIC {topic}")
    assert refused.value.code == 1003
    restore = subprocess.Popen([holdfast.program, "restore", "tdengine", "full", "--backup-id", full["id"], "--replace",
                                "--config", str(holdfast.config)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    time.sleep(2)
    reader.socket.close()
    reader.file.close()
    said = restore.communicate(timeout=240)[0].decode()
    assert restore.returncode == 0, said
    assert topics(server) == []
