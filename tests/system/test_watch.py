# SPDX-License-Identifier: Apache-2.0
"""What the service tells: events, metrics, messages to webhooks, mail servers and commands; and systemd."""
import base64
import contextlib
import email
import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading

import pytest

from pgcluster import PROGRAM, ROOT, remove_tree, wait_until
from test_service import Service, one_job, prepare, schedule

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="the program is not built")

SECRET = "a secret of the tests"


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket, where whoever runs the service needs no token."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Watched(Service):
    def __init__(self, holdfast, environment=None):
        super().__init__(holdfast, environment)
        self.folder = tempfile.mkdtemp(prefix="hf-w-", dir="/tmp")
        self.socket = f"{self.folder}/s"
        text = holdfast.config.read_text()
        assert "listen = 127.0.0.1:0\n" in text
        holdfast.config.write_text(text.replace("listen = 127.0.0.1:0\n", f"listen = unix:{self.socket}\n"))

    def configure(self, text):
        with self.holdfast.config.open("a") as file:
            file.write(text)

    def start(self):
        before = self.started()
        super().start()
        # Said when all addresses are open, and signals are waited for.
        assert wait_until(lambda: self.started() > before, 60), self.log.read_text()
        return self

    def started(self):
        return self.log.read_text().count("the service runs") if self.log.exists() else 0

    def open(self, path, **headers):
        connection = Connection(self.socket)
        connection.request("GET", path, headers={key.replace("_", "-"): value for key, value in headers.items()})
        return connection.getresponse()

    def metrics(self):
        response = self.open("/metrics")
        assert response.status == 200
        assert response.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
        return parse_metrics(response.read().decode())


@pytest.fixture
def watched(holdfast):
    made = Watched(holdfast)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.terminate()
    remove_tree(made.folder)


# --- metrics ------------------------------------------------------------------------------------------------------

LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
LINE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')


class Metrics(dict):
    """(name, labels) to value, and the names with their types and helps."""

    def __init__(self):
        super().__init__()
        self.types = {}
        self.helps = {}

    def value(self, metric, **labels):
        return self[metric, tuple(sorted(labels.items()))]


def parse_metrics(text):
    """A strict reader of the format's version 0.0.4, by its specification: what it does not know is an error."""
    metrics = Metrics()
    current = None
    done = set()
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# "):
            _, kind, name, rest = line.split(" ", 3)
            assert kind in ("HELP", "TYPE"), line
            table = metrics.helps if kind == "HELP" else metrics.types
            assert name not in table, f"{name} twice"
            table[name] = rest
            if name != current:
                done.add(current)
                current = name
            assert name not in done, f"the lines of {name} do not stand together"
            continue
        match = LINE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        assert name == current and name in metrics.types, f"{line}: without TYPE, or not below it"
        found = []
        while labels:
            label = LABEL.match(labels)
            assert label, line
            found.append(label.groups())
            labels = labels[label.end():]
        key = name, tuple(sorted(found))
        assert key not in metrics, f"{line}: twice"
        metrics[key] = float(value)
    assert set(metrics.helps) == set(metrics.types)
    assert set(metrics.types.values()) <= {"gauge", "counter"}
    return metrics


def documented_names():
    text = (ROOT / "docs" / "monitoring" / "metrics.md").read_text()
    return re.findall(r"^\| `(holdfast_[a-z0-9_]+)`", text, re.MULTILINE)


def test_metrics(watched, cluster, database):
    """Values of a backup; every name is documented, and every documented name is there."""
    holdfast = watched.holdfast
    cluster.sql(database, "CREATE TABLE t AS SELECT * FROM generate_series(1, 7) AS a")
    watched.start()
    before = watched.metrics()
    names = documented_names()
    assert len(names) == len(set(names))
    assert set(before.types) == set(names)
    assert all(name.startswith("holdfast_") for name in names)
    (version,) = [labels for name, labels in before if name == "holdfast_build_info"]
    assert version == (("version", holdfast.run("--version").out.split()[1]),)
    holdfast.backup()
    kind = {"source": "main", "engine": "postgresql", "type": "full"}
    assert wait_until(lambda: ("holdfast_backup_last_rows", tuple(sorted(kind.items()))) in watched.metrics(), 90)
    metrics = watched.metrics()
    assert metrics.value("holdfast_backup_last_rows", **kind) == 7
    assert metrics.value("holdfast_backups", source="main", state="good") == 1
    assert metrics.value("holdfast_backups", source="main", state="damaged") == 0
    assert metrics.value("holdfast_jobs", state="succeeded") >= 1
    assert metrics.value("holdfast_job_last_success", operation="backup postgresql full", source="main") == 1
    assert metrics.value("holdfast_objective_state", source="main", objective="proof") == 0
    assert metrics.value("holdfast_verify_last_success", source="main") == 1
    assert metrics.value("holdfast_repository_free_bytes") > 0
    assert metrics.value("holdfast_look_success") == 1
    assert 0 <= metrics.value("holdfast_recoverable_age_seconds", source="main")
    assert not [labels for name, labels in metrics if name == "holdfast_wal_lag_seconds"]  # it is logical


def rules():
    return ROOT / "docs" / "monitoring" / "holdfast-alerts.yaml"


def test_alert_rules_use_documented_names():
    used = set(re.findall(r"\bholdfast_[a-z0-9_]+", rules().read_text()))
    assert used and used <= set(documented_names())


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool (Debian package prometheus)")
def test_alert_rules_by_promtool(watched):
    subprocess.run(["promtool", "check", "rules", str(rules())], check=True, stdout=subprocess.DEVNULL)
    watched.start()
    subprocess.run(["promtool", "check", "metrics"], check=True, input=watched.open("/metrics").read())


# --- events -------------------------------------------------------------------------------------------------------

def read_event(stream):
    """The next event: id, type, data. Comments are passed over."""
    fields = {}
    while True:
        line = stream.readline().decode()
        assert line.endswith("\n"), "the stream has ended"
        if line == "\n" and fields:
            return int(fields["id"]), fields["event"], json.loads(fields["data"])
        if line != "\n" and not line.startswith(":"):
            name, value = line[:-1].split(": ", 1)
            assert name in ("id", "event", "data") and name not in fields
            fields[name] = value


def states_of(stream, until):
    """Ids and states of the events of a job, up to the one in this state."""
    found = []
    while not found or found[-1][1] != until:
        number, kind, data = read_event(stream)
        assert not found or number > found[-1][0]
        if kind == "job":
            found.append((number, data["state"]))
    return found


def test_events(watched, cluster, database):
    """A stream sees a job through its states; after a restart they are replayed, and ids go on rising."""
    holdfast = watched.holdfast
    schedule(holdfast, "often", "backup postgresql full", "0 0 1 1 *", misfire_grace="9000d")
    prepare(watched, days=400)
    watched.start()
    one_job(holdfast, "succeeded")
    stream = watched.open("/api/backup-recovery/events", Last_Event_ID="0")
    assert stream.status == 200 and stream.getheader("Content-Type") == "text/event-stream"
    seen = states_of(stream, "succeeded")
    assert [state for _, state in seen][0] == "queued" and len(seen) >= 2
    stream.close()
    assert watched.terminate() == 0
    watched.start()
    replayed = watched.open("/api/backup-recovery/events", Last_Event_ID=str(seen[0][0]))
    assert states_of(replayed, "succeeded") == seen[1:]
    holdfast.fails(1, "delete", "20200101T000000Z-main-full-aaaa")
    live = watched.open("/api/backup-recovery/events")
    holdfast.ok("backup", "postgresql", "full")
    (number, state) = states_of(live, "succeeded")[-1]
    assert state == "succeeded" and number > seen[-1][0]
    response = watched.open("/api/backup-recovery/events", Last_Event_ID="x")
    assert response.status == 400 and json.loads(response.read())["code"] == "usage"


def test_two_hundred_streams(watched):
    """All of them are told of a job, and the service stays small."""
    watched.start()
    streams = [watched.open("/api/backup-recovery/events") for _ in range(200)]
    try:
        assert all(stream.status == 200 for stream in streams)
        assert watched.metrics().value("holdfast_event_streams") == 200
        watched.holdfast.ok("cleanup")
        for stream in streams:
            while b"cleanup" not in stream.readline():
                pass
        with open(f"/proc/{watched.process.pid}/status", encoding="ascii") as file:
            (memory,) = [int(line.split()[1]) for line in file if line.startswith("VmRSS")]
        assert memory < 50 * 1024
    finally:
        for stream in streams:
            stream.close()


# --- webhooks -----------------------------------------------------------------------------------------------------

class Hook(http.server.ThreadingHTTPServer):
    """A webhook that keeps what it gets, and answers with the next of its statuses; None: never."""
    daemon_threads = True

    def __init__(self, statuses=()):
        self.messages = []
        self.statuses = list(statuses)
        self.ended = threading.Event()
        super().__init__(("127.0.0.1", 0), HookHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook?token=hidden"

    def remove(self):
        self.ended.set()
        self.shutdown()
        self.server_close()


class HookHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.server.messages.append((self.headers, body))
        if status is None:
            self.server.ended.wait(300)
            return
        self.send_response(status)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(b"noted")

    def log_message(self, *arguments):
        pass


def private(directory, name, text):
    path = pathlib.Path(directory) / name
    path.write_text(text)
    path.chmod(0o600)
    return path


def check_signature(headers, body):
    signed = headers["X-Holdfast-Timestamp"].encode() + b"." + body
    expected = "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(headers["X-Holdfast-Signature"], expected)


def test_notify_test(holdfast, closing, tmp_path):
    """Every answer of a webhook becomes an exit status; no message of ours shows its URL."""
    hook = closing(Hook([200, 404, 503]))
    secret = private(tmp_path, "secret", SECRET + "\n")
    with holdfast.config.open("a") as file:
        file.write(f"[notify hook]\ntype = webhook\nurl = {hook.url}\nsecret_file = {secret}\n"
                   "[notify away]\ntype = webhook\nurl = http://127.0.0.1:1/x?token=hidden\n")
    result = holdfast.ok("notify", "test", "hook", "--json")
    assert result.json == {"name": "hook", "answer": "HTTP status 200: noted"}
    (headers, body), = hook.messages
    check_signature(headers, body)
    message = json.loads(body)
    assert message["test"] is True and headers["X-Holdfast-Event"] == message["event"]
    assert headers["X-Holdfast-Delivery"] == message["id"]
    results = [holdfast.fails(1, "notify", "test", "hook"), holdfast.fails(5, "notify", "test", "hook"),
               holdfast.fails(5, "notify", "test", "away"), holdfast.fails(1, "notify", "test", "hok")]
    assert "did you mean hook" in results[3].err
    assert "type" in holdfast.fails(1, "notify", "test", "elsewhere-and-far").err
    assert not any("hidden" in result.err + result.out for result in results)
    secret.chmod(0o644)
    assert "chmod" in holdfast.run("notify", "test", "hook").err


def test_failure_is_told_once(watched, closing, tmp_path):
    """A job fails twice: one message each, to a webhook that works at its second try and to a command, while another
    webhook hangs; and the service ends in time all the same."""
    holdfast = watched.holdfast
    works, hangs = closing(Hook([500])), closing(Hook([None] * 10))
    secret = private(tmp_path, "secret", SECRET)
    told = tmp_path / "told"
    holdfast.config.write_text(holdfast.config.read_text().replace(str(watched.holdfast.cluster.root), "/nowhere"))
    watched.configure(
        f"[notify hangs]\ntype = webhook\nurl = {hangs.url}\non = failure\ntimeout = 10m\n"
        f"[notify works]\ntype = webhook\nurl = {works.url}\non = failure\nsecret_file = {secret}\n"
        f"[notify command]\ntype = command\ncommand = sh -c \"cat >> {told}\"\non = failure\n")
    schedule(holdfast, "often", "backup postgresql full", "0 0 1 1 *", misfire_grace="9000d", retries="0")
    prepare(watched, days=400)
    watched.start()
    job = one_job(holdfast, "failed")
    assert wait_until(lambda: len(works.messages) == 2, 60)
    assert wait_until(lambda: told.exists() and told.read_text().endswith("\n"), 60)
    assert wait_until(lambda: len(hangs.messages) == 1, 60)
    for headers, body in works.messages:
        check_signature(headers, body)
    first, second = (json.loads(body) for _, body in works.messages)
    assert first == second and first["event"] == "failure" and first["source"] == "main"
    assert first["details"]["id"] == job["id"] and job["id"] in first["text"]
    assert json.loads(told.read_text())["id"] == first["id"]

    # The same failure again, run by hand this time, is no news; and what hangs is not lost.
    holdfast.fails(5, "backup", "postgresql", "full")
    assert wait_until(lambda: watched.metrics().value("holdfast_jobs", state="failed") == 2, 60)
    stream = watched.open("/api/backup-recovery/events", Last_Event_ID="0")
    states_of(stream, "failed")
    states_of(stream, "failed")
    metrics = watched.metrics()
    assert metrics.value("holdfast_notifications_total", name="works", result="sent") == 1
    assert metrics.value("holdfast_notifications_waiting", name="hangs") == 1
    assert len(told.read_text().splitlines()) == 1
    assert watched.terminate() == 0
    watched.start()
    assert wait_until(lambda: len(hangs.messages) == 2, 60)
    assert len(works.messages) == 2


def test_objective_missed_and_met(watched, tmp_path):
    told = tmp_path / "told"
    watched.configure(f"rpo = 1000d\nrto = 1000d\n[notify command]\ntype = command\n"
                      f"command = sh -c \"cat >> {told}\"\non = objective-missed,objective-met,success\n")

    def events():
        return [json.loads(line)["event"] for line in told.read_text().splitlines()] if told.exists() else []
    watched.start()
    assert wait_until(lambda: events() == ["objective-missed"], 60), events()
    watched.holdfast.backup()
    assert wait_until(lambda: set(events()) == {"objective-missed", "success", "objective-met"}, 90), events()
    assert [event for event in events() if event != "success"] == ["objective-missed", "objective-met"]


def test_reload_checks_targets(watched):
    """A configuration whose target cannot be used is not taken over; one that can changes the log level as well."""
    watched.start()
    good = watched.holdfast.config.read_text()
    watched.holdfast.config.write_text(good + "[notify n]\ntype = webhook\n")
    watched.process.send_signal(signal.SIGHUP)
    assert watched.said("the old one stays")
    assert "needs a url" in watched.log.read_text()
    assert "holdfast_notifications_waiting" not in {name for name, _ in watched.metrics()}
    watched.holdfast.config.write_text(
        good.replace("[general]\n", "[general]\nlog_level = debug\n") +
        "[notify n]\ntype = command\ncommand = true\non = objective-missed,failure\n")
    watched.process.send_signal(signal.SIGHUP)
    assert wait_until(lambda: ("holdfast_notifications_waiting", (("name", "n"),)) in watched.metrics())


def test_check_looks_at_the_service(watched, tmp_path):
    """What a service would refuse is told by check, and not taken over by a reload."""
    watched.start()
    good = watched.holdfast.config.read_text()
    server = "[server]\n"

    def told(status):
        facts = watched.holdfast.run("check", "--json")
        assert facts.status == status, facts
        return {fact["subject"]: fact for fact in facts.json}["service"]

    assert told(0)["text"] == "0 entries in the schedule for these sources, 0 [notify]"
    for bad, said in [
            (good + "[notify n]\ntype = webhook\n", "needs a url"),
            (good + "[notify n]\ntype = webhook\nurl = https://x\ncommand = x\n", 'the key "command"'),
            (good + "[notify n]\ntype = email\nurl = smtp://x\nfrom = a@b\nto = a@b\nuser = u\n", "password_file"),
            (good + f"[notify n]\ntype = webhook\nurl = https://x\nsecret_file = {tmp_path}/none\n", f"{tmp_path}/none"),
            (good + "[schedule s]\ncommand = backup postgresql full --rate fast\ncron = @daily\n", "--rate"),
            (good + "[schedule s]\ncommand = cleanup\nsource = main\ncron = @daily\n", "takes no source"),
            (good.replace(server, f"{server}tls_certificate = {tmp_path}/cert.pem\n"), "no tls_key"),
            (good.replace(server, f"{server}tls_key = {tmp_path}/key.pem\n"), "no tls_certificate")]:
        watched.holdfast.config.write_text(bad)
        fact = told(1)
        assert fact["state"] == "failed" and said in fact["text"], fact
        before = watched.log.read_text().count("the old one stays")
        watched.process.send_signal(signal.SIGHUP)
        assert wait_until(lambda: watched.log.read_text().count("the old one stays") > before, 60)
    watched.holdfast.config.write_text(
        good.replace(f"listen = unix:{watched.socket}", "listen = 0.0.0.0:0"))
    assert "reached by other hosts" in told(1)["text"]
    watched.holdfast.config.write_text(good + "[notify n]\ntype = command\ncommand = true\n")
    assert told(0)["text"] == "0 entries in the schedule for these sources, 1 [notify]"


# --- e-mail -------------------------------------------------------------------------------------------------------

class MailServer:
    """An SMTP server that wants STARTTLS and a login, by RFC 5321; one message a connection."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.make_certificate()
        self.mails = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def remove(self):
        self.listener.close()

    def make_certificate(self):
        import datetime
        import ipaddress
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
        now = datetime.datetime.utcnow()
        certificate = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .sign(key, hashes.SHA256()))
        self.certificate = self.directory / "mail.pem"
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (self.directory / "mail.key").write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(60)
            with contextlib.suppress(OSError):
                self.talk(connection)
            connection.close()

    def talk(self, connection):
        file = connection.makefile("rwb", buffering=0)
        secure = False
        login = None
        rcpt = []

        def say(text):
            file.write(text.encode() + b"\r\n")
        say("220 test")
        while True:
            line = file.readline().decode().rstrip("\r\n")
            verb = line.upper().split(" ")[0]
            if verb == "EHLO":
                say("250-test\r\n250 AUTH PLAIN" if secure else "250-test\r\n250 STARTTLS")
            elif verb == "STARTTLS":
                say("220 go")
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.certificate, self.directory / "mail.key")
                connection = context.wrap_socket(connection, server_side=True)
                file = connection.makefile("rwb", buffering=0)
                secure = True
            elif verb == "AUTH":
                words = line.split(" ")
                if len(words) == 2:
                    say("334 ")
                    words.append(file.readline().decode().strip())
                login = base64.b64decode(words[2]).split(b"\0")[1:]
                say("235 ok" if login == [b"user", b"mail password"] else "535 no")
            elif verb == "RCPT":
                rcpt.append(line[len("RCPT TO:"):].strip("<>"))
                say("550 nobody" if "nobody" in line else "250 ok")
            elif verb == "DATA":
                say("354 go on")
                data = b""
                while not data.endswith(b"\r\n.\r\n"):
                    data += file.readline()
                self.mails.append((secure, login, rcpt, data[:-5]))
                say("250 taken")
            elif verb in ("QUIT", ""):
                return
            else:
                say("250 ok")


def test_email(holdfast, closing, tmp_path):
    server = closing(MailServer(tmp_path))
    password = private(tmp_path, "password", "mail password\n")
    base = holdfast.config.read_text()

    def configure(**keys):
        keys = {"url": f"smtp://127.0.0.1:{server.port}", "from": "holdfast@example.org",
                "to": "a@example.org, b@example.org", "user": "user", "password_file": password,
                "ca_file": server.certificate, **keys}
        holdfast.config.write_text(base + "[notify mail]\ntype = email\n" + "".join(
            f"{key} = {value}\n" for key, value in keys.items() if value))
    configure()
    assert "2 recipients" in holdfast.ok("notify", "test", "mail").out
    ((secure, login, rcpt, data),) = server.mails
    assert secure and login == [b"user", b"mail password"] and rcpt == ["a@example.org", "b@example.org"]
    mail = email.message_from_bytes(data)
    assert mail["From"] == "<holdfast@example.org>" and mail["To"] == "a@example.org, b@example.org"
    assert "test" in mail["Subject"] and mail["Auto-Submitted"] == "auto-generated"
    assert "They do." in mail.get_payload(decode=True).decode()
    configure(to="nobody@example.org")
    assert "refuses" in holdfast.fails(1, "notify", "test", "mail").err
    password.write_text("wrong\n")
    configure()
    assert "not accepted" in holdfast.fails(1, "notify", "test", "mail").err
    configure(ca_file=None)
    assert "certificate" in holdfast.fails(1, "notify", "test", "mail").err
    configure(url="smtp://127.0.0.1:1")
    holdfast.fails(5, "notify", "test", "mail")
    configure(tls="off")
    assert "in the clear" in holdfast.fails(2, "notify", "test", "mail").err
    assert len(server.mails) == 1


# --- full disk ----------------------------------------------------------------------------------------------------

@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system can only be mounted as root")
def test_full_state_directory(watched, tmp_path):
    """Without room for its catalog the service says so and lives; with room again it tells what happened."""
    state = tmp_path / "small"
    state.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(state)]).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    told = tmp_path / "told"
    try:
        holdfast = watched.holdfast
        text = holdfast.config.read_text()
        holdfast.config.write_text(text.replace(f"state_directory = {tmp_path}/state", f"state_directory = {state}"))
        watched.configure(f"[notify n]\ntype = command\ncommand = sh -c \"cat >> {told}\"\non = success\n")
        watched.start()
        with (state / "filler").open("wb", buffering=0) as filler:
            with contextlib.suppress(OSError):
                while True:
                    filler.write(b"x" * 4096)
        schedule(holdfast, "yearly", "cleanup", "0 0 1 1 *")
        watched.process.send_signal(signal.SIGHUP)
        assert watched.said("the old one stays"), watched.log.read_text()
        assert "disk is full" in watched.log.read_text()
        assert watched.metrics().value("holdfast_build_info", version=holdfast.run("--version").out.split()[1]) == 1
        (state / "filler").unlink()
        watched.process.send_signal(signal.SIGHUP)
        assert watched.said("1 entries in the schedule"), watched.log.read_text()
        holdfast.ok("cleanup")
        assert wait_until(lambda: told.exists() and "cleanup succeeded" in told.read_text(), 60)
        assert watched.terminate() == 0
    finally:
        if watched.process is not None and watched.process.poll() is None:
            watched.terminate()
        subprocess.run(["umount", str(state)], check=True)


# --- systemd ------------------------------------------------------------------------------------------------------

def test_systemd_is_told(holdfast):
    address = f"/tmp/hf-notify-w{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(60)
        try:
            service = Watched(holdfast, {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "60000000"}).start()
            said = {listener.recv(4096).decode() for _ in range(3)}
            assert said == {"READY=1", "WATCHDOG=1", "STATUS=0 running jobs, next by schedule: never"}
            assert service.terminate() == 0
        finally:
            os.unlink(address)
            remove_tree(service.folder)
