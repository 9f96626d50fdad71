# SPDX-License-Identifier: Apache-2.0
"""The REST interface of a real service with real PostgreSQL jobs. Every answer is held against docs/openapi.yaml."""
import concurrent.futures
import datetime
import os
import random
import re
import socket
import sqlite3
import ssl
import string
import subprocess
import threading

import pytest

import pgcluster
from pgcluster import PROGRAM, Holdfast, wait_until
from physical import as_server_user
from rest import DOCUMENT, PREFIX, ROOT, Rest, UnixConnection, operations, resolve

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="the program is not built")

ROLES = ["viewer", "operator", "admin"]


@pytest.fixture(scope="module")
def rest(cluster, tmp_path_factory):
    """A service on a source of two tables, with a backup; below `roots` restores may write."""
    directory = tmp_path_factory.mktemp("rest")
    name = "t_" + "".join(random.choices(string.ascii_lowercase, k=8))
    cluster.create(name)
    cluster.sql(name, "CREATE TABLE trades AS SELECT generate_series(1, 1000) AS id")
    (directory / "roots").mkdir()
    holdfast = Holdfast(directory, cluster, extra=(
        f"databases = {name}\n[schedule nightly]\ncommand = cleanup\ncron = @daily\n"), server=(
        f"listen = 127.0.0.1:0,unix:{directory}/socket\nrestore_roots = {directory}/roots\n"))
    made = Rest(holdfast).start()
    made.database = name
    made.backup = made.job("backup/postgresql/full", {})["result"]["id"]
    yield made
    made.stop()
    for other in cluster.databases():
        if other.startswith(name):
            cluster.drop(other)


# --- the document -----------------------------------------------------------------------------------------------------

def test_the_document_has_the_routes():
    text = (ROOT / "src/service/routes.c").read_text()
    routes = {(method, (PREFIX if api else "") + path, (role.lower() if role != "NONE" else None))
              for method, api, path, role in re.findall(r'\{"(\w+)", (API )?"([^"]+)", ROLE_(\w+),', text)}
    documented = {(method, path, operation.get("x-role")) for method, path, operation in operations()}
    assert routes == documented


@pytest.mark.parametrize("words,name", [
    (words, "".join(word.capitalize() for word in words.split())) for words in (
        "backup postgresql full", "backup postgresql incremental", "backup tdengine full",
        "backup tdengine incremental", "restore postgresql full", "restore postgresql pitr",
        "restore tdengine full", "restore tdengine pitr", "cleanup", "drill", "pin")])
def test_the_document_has_the_options(words, name):
    told = subprocess.run([str(PROGRAM), *words.split(), "--help"], stdout=subprocess.PIPE, check=True).stdout.decode()
    told = told[told.index("options:"):told.index("common options:")]
    options = {option.replace("-", "_") for option in re.findall(r"^ +(?:-\w, )?--([\w-]+)", told, re.MULTILINE)}
    assert options == set(DOCUMENT["components"]["schemas"][name]["properties"])


def test_open_paths(rest):
    assert rest.get("/", role=None)["documentation"] == "/openapi.yaml"
    assert rest.get("/healthz", role=None) == {"status": "ok"}
    served = rest.call("GET", "/openapi.yaml", role=None)
    assert served.body == (ROOT / "docs/openapi.yaml").read_bytes()
    assert rest.call("HEAD", "/healthz", role=None, documented=False).status == 200


def test_no_other_site_may_ask(rest):
    """CORS is off: a page of another site gets no leave to read an answer, nor to ask with a token."""
    origin = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    asked = rest.call("OPTIONS", "backups", role=None, headers=origin, documented=False)
    assert asked.status == 405, asked
    for answer in (asked, rest.call("GET", "/healthz", role=None, headers=origin), rest.call("GET", "backups", headers=origin)):
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")], answer


# --- who may what -----------------------------------------------------------------------------------------------------

def test_tokens_and_roles(rest):
    for method, path, operation in operations():
        if "x-role" not in operation:
            continue
        path = re.sub(r"\{\w+\}", "main", path)
        for role in ROLES:
            # A parameter that there is not: who gets so far may.
            answer = rest.call(method, f"{path}?nonsense=1", role=role)
            allowed = ROLES.index(role) >= ROLES.index(operation["x-role"])
            expected = (200 if path == "/metrics" else 400) if allowed else 403
            assert answer.status == expected, (role, method, path, answer)
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eA=="}, {"Authorization": "Bearer "}):
        answer = rest.call("GET", "jobs", role=None, headers=headers)
        assert answer.status == 401 and "WWW-Authenticate" in answer.headers
    assert rest.call("GET", "nowhere", documented=False).status == 404
    answer = rest.call("PUT", "jobs", documented=False)
    assert answer.status == 405 and answer.headers["Allow"] == "GET"


def test_a_token_that_is_revoked(rest):
    token = rest.holdfast.ok("token", "add", "gone", "--role", "viewer").out.split()[-1]
    headers = {"Authorization": f"Bearer {token}"}
    assert rest.call("GET", "jobs", role=None, headers=headers).status == 200
    rest.holdfast.ok("token", "revoke", "gone")
    assert rest.call("GET", "jobs", role=None, headers=headers).status == 401
    rest.holdfast.fails(1, "token", "revoke", "gone")
    state = rest.holdfast.directory / "state"
    assert (state / "tokens.json").stat().st_mode & 0o777 == 0o600
    for path in state.rglob("*"):
        assert not path.is_file() or token.encode() not in path.read_bytes(), path
    assert token not in rest.log.read_text()


def test_the_unix_socket(rest):
    path = rest.holdfast.directory / "socket"
    answer = rest.call("GET", "jobs", role=None, connection=UnixConnection(path))
    assert answer.status == 200
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    rest.holdfast.directory.chmod(0o755)
    program = ("import http.client, socket, sys\n"
               "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
               "s.sendall(b'GET /api/backup-recovery/jobs HTTP/1.0\\r\\n\\r\\n'); print(s.recv(100).split()[1].decode())\n")
    # The way there must be open to others; where it is not, they do not come so far anyway.
    result = subprocess.run(as_server_user(["/usr/bin/python3", "-c", program, str(path)]), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, cwd="/")
    assert result.stdout.strip() == b"403" or b"PermissionError" in result.stderr, result


# --- backups, jobs ----------------------------------------------------------------------------------------------------

def test_backups(rest):
    second = rest.job("backup/postgresql/full", {"source": "main", "jobs": 1})["result"]["id"]
    page = rest.get("backups?limit=1&source=main")
    ids = [page["items"][0]["id"]]
    while page["next"] is not None:
        page = rest.get(f"backups?limit=1&source=main&cursor={page['next']}")
        ids += [item["id"] for item in page["items"]]
    assert ids == [item["id"] for item in rest.get("backups")["items"]]
    assert set(ids) == {rest.backup, second}
    assert rest.get("backups?engine=tdengine")["items"] == []
    assert rest.call("GET", "backups?typ=full").json["hint"] == "did you mean type?"
    assert rest.call("GET", "backups?type=half").status == 400
    assert rest.call("GET", "backups?since=yesterday").status == 400
    whole = rest.get(f"backups/{second}")
    assert [(table["name"], table["rows"]) for table in whole["tables"]] == [("public.trades", 1000)]
    assert rest.get(f"backups/{second[-4:]}")["id"] == second
    assert rest.get(f"backups/{second}/report")["backup"]["id"] == second
    for path in ("backups/nonsense", "backups/nonsense/report", "integrity/verify/nonsense", "jobs/nonsense"):
        assert rest.call("GET", path).json["code"] == "not-found"


def test_etag(rest):
    first = rest.call("GET", "backups")
    tag = first.headers["ETag"]
    assert rest.call("GET", "backups", headers={"If-None-Match": tag}).status == 304
    assert rest.call("GET", "backups", headers={"If-None-Match": '"other"'}).status == 200
    for path in (f"backups/{rest.backup}", f"backups/{rest.backup}/report", "jobs", "recoveries", "scheduler/jobs"):
        assert rest.call("GET", path, headers={"If-None-Match": "*"}).status in (200, 304)


def test_pins(rest):
    path = f"backups/{rest.backup}/pin"
    assert rest.call("POST", path, {"note": "a test"}).json == {"backup": rest.backup, "pinned": True, "changed": True}
    assert rest.get("backups?status=pinned")["items"][0]["id"] == rest.backup
    assert rest.call("POST", path, {"nope": "a test"}).status == 400
    assert rest.call("DELETE", path, role="operator").status == 403
    assert rest.call("DELETE", path).json["changed"]


def test_verify(rest):
    made = rest.holdfast.backup()
    answer = rest.call("GET", f"integrity/verify/{made}?run=true&wait=120")
    assert answer.status == 200 and answer.json["operation"] == "verify", answer
    report = rest.get(f"integrity/verify/{made}", role="viewer")
    assert report["backup"] == made and report["result"] == "good"
    assert rest.call("GET", f"integrity/verify/{made}?run=true", role="viewer").status == 403
    assert rest.call("GET", f"integrity/verify/{made}?run=maybe").status == 400


def test_busy_cancel_and_idempotency(rest):
    # Waiting jobs are started once a second: the second request finds the first one.
    headers = {"Idempotency-Key": "once"}
    first = rest.call("POST", "backup/postgresql/full", {}, headers=headers)
    assert first.status == 202 and first.json["state"] in ("queued", "running")
    assert first.headers["Location"] == f"{PREFIX}/jobs/{first.json['id']}"
    again = rest.call("POST", "backup/postgresql/full", {}, headers=headers)
    assert again.json["id"] == first.json["id"] and again.headers["Idempotency-Replayed"] == "true"
    other = rest.call("POST", "backup/postgresql/full", {"jobs": 1}, headers=headers)
    assert other.status == 422
    cancelled = rest.call("POST", f"jobs/{first.json['id']}/cancel?wait=120")
    assert cancelled.status == 200
    state = cancelled.json["state"]
    assert state in ("cancelled", "succeeded")  # it may have been quicker
    assert rest.call("POST", f"jobs/{first.json['id']}/cancel").status == 409
    assert rest.call("POST", "jobs/nonsense/cancel").status == 404
    assert rest.call("POST", "backup/postgresql/full", {}, headers=headers).json["id"] == first.json["id"]
    assert rest.call("POST", "cleanup/old-backups", {}, headers={"Idempotency-Key": "x" * 201}).status == 400


def test_busy_names_the_job(rest):
    """A job that waits for its next attempt, put into the catalog by hand, is in the way for as long as the test wants."""
    (catalog,) = (rest.holdfast.directory / "state").glob("catalog-*.sqlite")
    far = 4102444800000000
    with sqlite3.connect(catalog, timeout=60) as connection:
        connection.execute("INSERT INTO job (id, operation, source, state, command, queued, not_before, started, ended)"
                           " VALUES ('in-the-way', 'drill', 'main', 'queued', '[\"drill\",\"main\"]', ?, ?, 0, 0)",
                           (1, far))
    connection.close()
    answer = rest.call("POST", "drill/main", {})
    assert answer.status == 409 and answer.json["job"] == "in-the-way" and answer.json["code"] == "busy"
    assert rest.get("jobs?state=active")["items"][0]["next_attempt"] is not None
    answer = rest.call("POST", "jobs/in-the-way/cancel")
    assert answer.status == 200 and answer.json["state"] == "cancelled"
    assert rest.call("POST", "drill/nowhere", {}).status == 404


def test_jobs_and_schedule(rest):
    jobs = rest.get("jobs?limit=1")
    assert jobs["next"] == jobs["items"][0]["id"]
    assert rest.get(f"jobs?cursor={jobs['next']}")["items"][0]["id"] != jobs["next"]
    job = rest.get(f"jobs/{jobs['next']}")
    assert job["origin"] == "rest test-admin"
    assert rest.call("POST", "scheduler/stop").json["state"] == "stopped"
    listed = rest.get("scheduler/jobs")
    assert listed["state"] == "stopped" and all(item["next_run"] is None for item in listed["items"])
    assert rest.holdfast.ok("scheduler", "status", "--json").json["paused"]
    assert rest.call("POST", "scheduler/start").json == {"state": "running", "changed": True}
    cleaned = rest.job("cleanup/old-backups", {"dry_run": True, "source": ["main"]})
    assert cleaned["result"]["dry_run"] is True and cleaned["command"] == ["cleanup", "--dry-run", "--source=main"]
    assert rest.get("recovery/objectives")["items"][0]["source"] == "main"
    assert rest.call("GET", "recovery/objectives?source=nowhere").status == 404


def test_changes_are_on_record(rest):
    rest.call("POST", "scheduler/start", role="operator")
    (catalog,) = (rest.holdfast.directory / "state").glob("catalog-*.sqlite")
    connection = sqlite3.connect(catalog, timeout=60)
    rows = connection.execute("SELECT who, address, method, path, status, job FROM audit ORDER BY id").fetchall()
    connection.close()
    assert rows[-1] == ("test-operator", "127.0.0.1", "POST", f"{PREFIX}/scheduler/start", 200, None)
    assert any(row[3] == f"{PREFIX}/backup/postgresql/full" and row[5] is not None for row in rows)


# --- restores ---------------------------------------------------------------------------------------------------------

def test_restore(rest, cluster):
    copy = f"{rest.database}_copy"
    asked = {"backup_id": rest.backup, "to_database": copy}
    planned = rest.job("recovery/postgresql/full", {**asked, "dry_run": True})
    assert planned["result"]["dry_run"] is True and copy not in cluster.databases()
    done = rest.job("recovery/postgresql/full", asked)
    assert done["source"] == "main"
    assert cluster.sql(copy, "SELECT count(*) FROM trades")[0][0] == 1000
    refused = rest.call("POST", "recovery/postgresql/full", asked)
    assert refused.status == 422 and copy in refused.json["detail"], refused
    assert rest.get("recoveries")["items"][0]["result"] == "failed"
    page = rest.get("recoveries?limit=1")
    assert rest.get(f"recoveries?limit=1&cursor={page['next']}")["items"] != page["items"]
    assert rest.call("GET", "recoveries?cursor=nonsense").status == 400


def test_restores_that_are_refused(rest):
    directory = rest.holdfast.directory
    (directory / "roots" / "out").symlink_to(directory)
    path = "recovery/postgresql/full"
    assert rest.call("POST", path, {"backup_id": rest.backup}).json["hint"].startswith("name target_directory")
    for target in (f"{directory}/elsewhere", f"{directory}/roots", f"{directory}/roots/../elsewhere",
                   f"{directory}/roots/out/x", "relative", f"{directory}/roots/a/../../x", "/"):
        answer = rest.call("POST", path, {"backup_id": rest.backup, "target_directory": target})
        assert answer.status == 422 and "restore_roots" in answer.json["hint"], (target, answer)
    assert rest.call("POST", path, {"backup_id": "nonsense", "to_database": "x"}).status == 404
    assert rest.call("POST", path, {"backup_id": rest.backup, "to_databse": "x"}).json["hint"] == "did you mean to_database?"
    assert rest.call("POST", path, {"backup_id": rest.backup, "to_database": "x", "tables": 1}).status == 400
    assert rest.call("POST", "recovery/postgresql/pitr", {"source": "nowhere", "to_database": "x"}).status == 404
    assert rest.call("POST", "recovery/tdengine/pitr", {"target_time": "2020-01-01", "to_database": "x"}).status >= 400
    assert rest.call("POST", "backup/tdengine/full", {}).status == 404


# --- what is wrong with a request -------------------------------------------------------------------------------------

def test_malformed_json(rest):
    for body in ("{", "[]", "1", "null", '{"a":1,"a":2}', '{"source": "\\u0000"}', b"\xff\xfe", '"x"', "[" * 5000,
                 '{"jobs": "two"}', '{"jobs": 1e99}', '{"nice": 1}', '{"databases": [1]}', '{"source": "--help"}'):
        answer = rest.call("POST", "backup/postgresql/full", body)
        assert answer.status in (400, 404), (body, answer)
        assert answer.headers["Content-Type"] == "application/problem+json"
    answer = rest.call("POST", "backup/postgresql/full", '{"source": "' + "x" * 70000 + '"}')
    assert answer.status == 413


def test_wrong_values(rest):
    """What a command would refuse is refused at once, in its words, and makes no job."""
    before = rest.get("jobs?limit=1")["items"][0]["id"]
    for path, body, status, said in [
            ("backup/postgresql/full", {"rate": "abc"}, 400, "--rate"),
            ("backup/postgresql/full", {"method": "other"}, 400, "--method"),
            ("backup/postgresql/full", {"access": "other"}, 400, "--access"),
            ("backup/postgresql/full", {"compression": "zstd:99"}, 400, "--compression"),
            ("backup/postgresql/full", {"jobs": 1000}, 400, "--jobs"),
            ("backup/postgresql/full", {"databases": ["a,,b"]}, 400, "--databases"),
            ("backup/postgresql/full", {"databases": "a", "method": "physical"}, 400, "whole server"),
            ("backup/postgresql/full", {"mode": "scan"}, 400, "mode"),
            ("backup/postgresql/incremental", {"rate": "-1"}, 400, "--rate"),
            ("backup/postgresql/full", {"source": "nowhere"}, 404, "nowhere"),
            ("cleanup/old-backups", {"source": ["nowhere"]}, 404, "nowhere"),
            ("cleanup/old-backups", {"unreadable": [""]}, 400, "--unreadable"),
            ("drill/main", {"target_time": "noon"}, 400, "--target-time"),
            ("drill/main", {"jobs": -1}, 400, "--jobs"),
            ("drill/main", {"backup_id": "nonsense"}, 404, "nonsense")]:
        answer = rest.call("POST", path, body)
        assert answer.status == status and said in answer.json["detail"], (path, body, answer)
    assert rest.get("jobs?limit=1")["items"][0]["id"] == before


def test_malformed_http(rest):
    token = rest.token("admin")
    chunked = ("POST /api/backup-recovery/cleanup/old-backups HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
               f"Authorization: Bearer {token}\r\n\r\n").encode()
    none, own = (0, False), (400, True)  # the status, and whether the answer is ours: the library's own has no type
    cases = [
        (b"", none), (b"\r\n\r\n", none), (b"GET\r\n\r\n", none, (400, False)), (b"\x00" * 100, none, (400, False)),
        (b"\x16\x03\x01\x02\x00", none), (chunked + b"5\r\nab", none), (b"GET / HTTP/9.9\r\n\r\n", (505, False)),
        (b"GET " + b"/" * 40000 + b" HTTP/1.1\r\n\r\n", (414, False)),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n", (431, False)),
        (b"GET / HTTP/1.1\r\n\r\n", (400, False)), (b"GET / HTTP/1.1\r\nHost: x\r\nbroken\r\n\r\n", (400, False)),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", (400, False)),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n", (413, False)),
        (chunked + b"zz\r\n", (400, False)), (chunked + b"f" * 20 + b"\r\n", (413, False)),
        (chunked + b"10000\r\n" + b"x" * 65536 + b"\r\n10000\r\n" + b"x" * 65536 + b"\r\n0\r\n\r\n", (413, True)),
        (b"POST /api/backup-recovery/cleanup/old-backups HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n"
         b"Authorization: Bearer " + token.encode() + b"\r\n\r\n", (413, True)),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 70 + b"\r\n", own),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", own),
        (b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", own), (b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", own),
        (b"GET /a?b=%ff HTTP/1.1\r\nHost: x\r\n\r\n", own), (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", (405, True))]
    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:  # some are silent until their time is over
        answers = list(pool.map(rest.raw, [data for data, *_ in cases]))
    for (data, *expected), answer in zip(cases, answers):
        status = int(answer.split()[1]) if answer else 0
        typed = b"\r\nContent-Type: application/problem+json\r\n" in answer
        # A connection that is closed with bytes unread may take the answer with it.
        assert (status, typed) in expected or (len(data) > 4000 and not answer), (data[:60], answer)
        assert status == 0 or typed or b"\r\nConnection: close\r\n" in answer, answer
    assert rest.get("/healthz", role=None) == {"status": "ok"}


def test_slow_clients(rest):
    """Many that begin a request and do not go on keep nobody else out."""
    sockets = []
    try:
        for index in range(500):
            sockets.append(socket.create_connection(rest.address, timeout=60))
            sockets[-1].sendall(b"GET /api/backup-recovery/jobs HTTP/1.1\r\nHost: x\r\nX-Slow" if index % 2 else b"G")
        assert rest.get("/healthz", role=None) == {"status": "ok"}
        assert "items" in rest.get("jobs")
    finally:
        for each in sockets:
            each.close()


def test_waiting_clients_hold_no_thread(rest):
    """More that wait for a job than there are threads."""
    (catalog,) = (rest.holdfast.directory / "state").glob("catalog-*.sqlite")
    far = 4102444800000000
    with sqlite3.connect(catalog, timeout=60) as connection:
        connection.execute("INSERT INTO job (id, operation, source, state, command, queued, not_before, started, ended)"
                           " VALUES ('far-away', 'verify', 'main', 'queued', ?, ?, ?, 0, 0)",
                           (f'["verify","{rest.backup}"]', 1, far))
    connection.close()
    token = rest.token("admin")
    sockets = []
    for _ in range(40):
        sockets.append(socket.create_connection(rest.address, timeout=60))
        sockets[-1].sendall((f"GET {PREFIX}/integrity/verify/{rest.backup}?run=true&wait=200 HTTP/1.0\r\n"
                             f"Authorization: Bearer {token}\r\n\r\n").encode())
    assert "items" in rest.get("backups")
    assert rest.call("POST", "jobs/far-away/cancel").status == 200
    for each in sockets:
        assert each.recv(100).startswith(b"HTTP/1."), "the end of the job answers those who wait"
        each.close()


def test_a_page_behind_what_is_gone(rest):
    """It would look like the end of the list."""
    for path in ("backups", "jobs", "recoveries"):
        answer = rest.call("GET", f"{path}?cursor=20260101T000000Z-main-full-gone")
        assert answer.status == 400 and "cursor" in answer.json["detail"], answer


def test_fields_that_there_are_not(rest):
    for path in ("scheduler/stop", "scheduler/start", "jobs/nonsense/cancel"):
        assert rest.call("POST", path, {"shutdown": True}).status == 400
        assert rest.call("POST", path.replace("nonsense", "nowhere"), {}).status in (200, 404)


def test_a_service_that_stops_answers_who_waits(cluster, tmp_path):
    name = "t_" + "".join(random.choices(string.ascii_lowercase, k=8))
    cluster.create(name)
    cluster.sql(name, "CREATE TABLE blocked (a int)")
    stopping = Rest(Holdfast(tmp_path, cluster, extra=f"databases = {name}\n", server="listen = 127.0.0.1:0\n")).start()
    blocker = cluster.connect(name)
    blocker.autocommit = False
    blocker.cursor().execute("LOCK TABLE blocked IN ACCESS EXCLUSIVE MODE")
    answers = []
    stopping.token("admin")
    waiting = threading.Thread(target=lambda: answers.append(stopping.call("POST", "backup/postgresql/full?wait=80", {})))
    try:
        waiting.start()
        assert wait_until(lambda: stopping.holdfast.ok("job", "list", "--state", "running", "--json").json)
        stopping.stop()
        waiting.join(60)
        assert answers and answers[0].status == 202 and answers[0].json["state"] == "running", answers
    finally:
        blocker.close()
        stopping.stop()
        assert wait_until(lambda: not stopping.holdfast.ok("job", "list", "--state", "active", "--json").json)
        cluster.drop(name)


def test_a_catalog_that_is_deleted(cluster, tmp_path):
    """It may be at any time; the service makes it anew, and goes on making backups."""
    name = "t_" + "".join(random.choices(string.ascii_lowercase, k=8))
    cluster.create(name)
    service = Rest(Holdfast(tmp_path, cluster, extra=f"databases = {name}\n", server="listen = 127.0.0.1:0\n")).start()
    try:
        first = service.job("backup/postgresql/full", {})["result"]["id"]
        for path in (tmp_path / "state").glob("catalog-*"):
            path.unlink()
        second = service.job("backup/postgresql/full", {})["result"]["id"]
        assert {item["id"] for item in service.get("backups")["items"]} == {first, second}
        assert len(service.get("jobs")["items"]) == 1
    finally:
        service.stop()
        cluster.drop(name)


def test_a_repository_that_is_away(cluster, tmp_path):
    """The job says so, and its log says why it did not begin."""
    name = "t_" + "".join(random.choices(string.ascii_lowercase, k=8))
    cluster.create(name)
    service = Rest(Holdfast(tmp_path, cluster, extra=f"databases = {name}\n", server="listen = 127.0.0.1:0\n")).start()
    repository = service.holdfast.repository
    away = repository.with_name("away")
    try:
        repository.rename(away)
        job = service.job("backup/postgresql/full", {}, state="failed")
        assert job["error"]["code"] == "unreachable" and "holdfast job log" in job["error"]["message"], job
        log = tmp_path / "state" / "jobs" / f"{job['id']}.log"
        assert str(repository) in log.read_text()
        away.rename(repository)
        service.job("backup/postgresql/full", {})
    finally:
        service.stop()
        cluster.drop(name)


def test_a_locked_catalog(rest):
    (catalog,) = (rest.holdfast.directory / "state").glob("catalog-*.sqlite")
    connection = sqlite3.connect(catalog, timeout=60, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(rest.call("GET", "backups")))
    thread.start()
    try:
        assert rest.get("/healthz", role=None) == {"status": "ok"}
        thread.join(90)
    finally:
        connection.execute("ROLLBACK")
        connection.close()
    assert answers and answers[0].status == 503 and "Retry-After" in answers[0].headers, answers
    assert "items" in rest.get("backups")


# --- TLS, exposure ----------------------------------------------------------------------------------------------------

def certificate(directory, name):
    """A certificate of its own for 127.0.0.1: paths of it and of its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.utcnow()
    made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30)).sign(key, hashes.SHA256()))
    (directory / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    (directory / "key.pem").chmod(0o600)
    return made.serial_number


def served_serial(rest):
    from cryptography import x509
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(rest.address, timeout=60) as plain:
        with context.wrap_socket(plain) as secure:
            return x509.load_der_x509_certificate(secure.getpeercert(True)).serial_number


def test_beyond_loopback(cluster, tmp_path):
    """Neither without a certificate nor without a token; the certificate is replaced while the service runs."""
    holdfast = Holdfast(tmp_path, cluster, server="listen = 0.0.0.0:0\n")
    assert "tls_certificate" in holdfast.fails(2, "serve").err
    first = certificate(tmp_path, "first")
    text = holdfast.config.read_text().replace(
        "listen = 0.0.0.0:0\n", f"listen = 0.0.0.0:0\ntls_certificate = {tmp_path}/cert.pem\ntls_key = {tmp_path}/key.pem\n")
    holdfast.config.write_text(text)
    assert "token" in holdfast.fails(2, "serve").err
    rest = Rest(holdfast)
    rest.token("viewer")
    rest.start()
    try:
        rest.context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        rest.context.check_hostname = False
        assert rest.get("jobs", role="viewer")["items"] == []
        assert served_serial(rest) == first
        assert rest.raw(b"GET / HTTP/1.0\r\n\r\n")[:5] != b"HTTP/"
        second = certificate(tmp_path, "second")
        rest.reload("read again")
        assert served_serial(rest) == second
        (tmp_path / "cert.pem").write_text("no certificate")
        rest.reload("the old one stays")
        assert served_serial(rest) == second
    finally:
        rest.stop()


# --- the rest of the document -----------------------------------------------------------------------------------------

def test_too_many_failures(rest):
    """Last but one: whoever comes from here without a token is kept out for a minute; a valid one is not."""
    assert wait_until(lambda: rest.call("GET", "jobs", role=None).status == 429, 60)
    answer = rest.call("GET", "jobs", role=None, headers={"Authorization": "Bearer nonsense"})
    assert answer.status == 429 and 0 < int(answer.headers["Retry-After"]) <= 60
    assert rest.call("GET", "jobs").status == 200


def test_what_is_documented_comes(rest):
    """After all others: each kind of answer, each way to succeed, each field of an answer was there."""
    successes = {(method, path, int(status)) for method, path, operation in operations()
                 for status in operation["responses"] if status == "200" and "drill" not in path and "events" not in path
                 and "tdengine" not in path and "incremental" not in path and "pitr" not in path}
    assert not successes - rest.seen
    documented = set(DOCUMENT["components"]["responses"]) - {"Failed"}
    assert not documented - rest.responses
    answers = {name for name, schema in DOCUMENT["components"]["schemas"].items()
               if schema.get("required") and "The options of" not in schema.get("description", "")}
    fields = {(name, key) for name in answers for key in resolve(DOCUMENT["components"]["schemas"][name])["properties"]}
    # The first answers of each operation are direct; lists are named by their items.
    assert fields <= rest.fields, sorted(fields - rest.fields)
