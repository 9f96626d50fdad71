# SPDX-License-Identifier: Apache-2.0
"""The service: jobs by schedule against a real server, and what becomes of them when things are killed."""
import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess

import pytest

from pgcluster import PROGRAM, ROOT, wait_until

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="the program is not built")


class Service:
    """`holdfast serve` in the foreground of the test."""

    def __init__(self, holdfast, environment=None):
        self.holdfast = holdfast
        self.log = holdfast.directory / "serve.log"
        self.process = None
        self.environment = environment
        self.wrapper = []

    def start(self):
        self.process = subprocess.Popen(
            [*self.wrapper, *self.holdfast.command("serve")], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            stderr=self.log.open("ab"), env=dict(os.environ, **(self.environment or {})))
        assert wait_until(lambda: self.status()["service"]), self.log.read_text()
        return self

    def status(self):
        return self.holdfast.ok("scheduler", "status", "--json").json

    def kill(self):
        self.process.kill()
        self.process.wait()

    def terminate(self):
        self.process.terminate()
        return self.process.wait(timeout=90)

    def said(self, text):
        return wait_until(lambda: text in self.log.read_text())


@pytest.fixture
def service(holdfast):
    made = Service(holdfast)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.terminate()
    for job in jobs(holdfast, "--state", "active"):
        holdfast.run("job", "cancel", job["id"])
    assert wait_until(lambda: not runners(holdfast))


def runners(holdfast):
    """Process ids of the runners of this test, and of their operations."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            if str(holdfast.config).encode() in words and b"serve" in words and b"--run-job" in words:
                found.append(int(entry))
    return found


def jobs(holdfast, *arguments):
    return holdfast.ok("job", "list", "--json", *arguments).json


def schedule(holdfast, name, command, cron="* * * * *", **keys):
    with holdfast.config.open("a") as file:
        file.write(f"[schedule {name}]\ncommand = {command}\ncron = {cron}\n")
        for key, value in keys.items():
            file.write(f"{key} = {value}\n")


def make_due(holdfast, days=0):
    """As if every schedule had run for the last time two minutes (and days) ago: the next tick makes up for it."""
    (path,) = (holdfast.directory / "state").glob("catalog-*.sqlite")
    connection = sqlite3.connect(path, timeout=60)
    with connection:
        connection.execute("UPDATE schedule SET last_due = last_due - ?",
                           ((days * 86400 + 120) * 1000000,))
    connection.close()


def prepare(service, days=0):
    """A service that has seen its schedule, and finds all of it due when it starts again."""
    service.start()
    service.terminate()
    make_due(service.holdfast, days)


def block(cluster, database):
    """An open transaction that lets no backup of the database get on; close it to go on."""
    cluster.sql(database, "CREATE TABLE IF NOT EXISTS blocked (a int)")
    connection = cluster.connect(database)
    connection.autocommit = False
    connection.cursor().execute("LOCK TABLE blocked IN ACCESS EXCLUSIVE MODE")
    return connection


def one_job(holdfast, state):
    """Waits for the only job to be in that state."""
    def look():
        found = jobs(holdfast)
        return found and found[0]["state"] == state
    assert wait_until(look, 60), jobs(holdfast)
    (job,) = jobs(holdfast)
    return job


def test_scheduled_backup(service, cluster, database):
    holdfast = service.holdfast
    cluster.sql(database, "CREATE TABLE t AS SELECT 1 AS a")
    schedule(holdfast, "often", "backup postgresql full", "0 0 1 1 *", misfire_grace="9000d")
    prepare(service, days=400)
    service.start()
    job = one_job(holdfast, "succeeded")
    assert job["operation"] == "backup postgresql full" and job["source"] == "main"
    assert job["origin"] == "schedule often" and job["attempt"] == 1
    assert len(holdfast.backups()) == 1
    shown = holdfast.ok("job", "show", job["id"][-4:], "--json").json
    assert shown["result"]["id"] == holdfast.backups()[0] if "id" in shown["result"] else shown["result"]
    log = holdfast.ok("job", "log", "-f", job["id"]).out
    assert "attempt 1" in log and "info: succeeded" in log
    (item,) = holdfast.ok("scheduler", "jobs", "--json").json
    assert item["name"] == "often" and item["source"] == "main"
    assert item["last_state"] == "succeeded" and item["last_job"] == job["id"] and item["next_run"]
    holdfast.fails(1, "job", "cancel", job["id"])


def test_one_service_for_a_catalog(service):
    service.start()
    service.holdfast.fails(4, "serve")
    assert service.terminate() == 0
    assert not service.status()["service"]


def test_ended_as_soon_as_it_is_there(service):
    state = service.holdfast.directory / "state"
    for _ in range(5):
        process = subprocess.Popen(service.holdfast.command("serve"), stdin=subprocess.DEVNULL)
        while process.poll() is None and not list(state.glob("service-*.run")):
            pass
        process.terminate()
        assert process.wait(timeout=90) == 0
        assert not list(state.glob("service-*.run"))


def test_killed_service_finds_its_job(service, cluster, database):
    """The job outlives the service; the next one counts it as running and starts no other."""
    holdfast = service.holdfast
    schedule(holdfast, "often", "backup postgresql full")
    prepare(service)
    blocker = block(cluster, database)
    service.start()
    job = one_job(holdfast, "running")
    service.kill()
    assert jobs(holdfast)[0]["state"] == "running"
    make_due(holdfast)
    service.start()
    assert service.said("is running already")
    assert service.status()["running_jobs"] == 1
    holdfast.ok("scheduler", "stop")
    blocker.close()
    assert one_job(holdfast, "succeeded")["id"] == job["id"]
    assert len(holdfast.backups()) == 1


def test_killed_runner(service, cluster, database):
    """A job whose process is killed is lost, and its operation ends with it."""
    holdfast = service.holdfast
    schedule(holdfast, "often", "backup postgresql full", "0 0 1 1 *", misfire_grace="9000d")
    prepare(service, days=400)
    blocker = block(cluster, database)
    service.start()
    one_job(holdfast, "running")
    (runner,) = runners(holdfast)
    os.kill(runner, signal.SIGKILL)
    job = one_job(holdfast, "lost")

    def message():
        error = holdfast.ok("job", "show", job["id"], "--json").json["error"]
        return error["message"] if error else ""
    assert wait_until(lambda: "killed by signal 9" in message()), message()
    blocker.close()
    assert holdfast.backups() == []
    assert wait_until(lambda: holdfast.run("backup", "postgresql", "full").status == 0)


def test_cancel(service, cluster, database):
    holdfast = service.holdfast
    schedule(holdfast, "often", "backup postgresql full")
    prepare(service)
    blocker = block(cluster, database)
    service.start()
    job = one_job(holdfast, "running")
    holdfast.ok("scheduler", "stop")
    holdfast.ok("job", "cancel", job["id"])
    assert wait_until(lambda: jobs(holdfast)[0]["state"] == "cancelled"), jobs(holdfast)
    blocker.close()
    assert holdfast.backups() == []
    assert not list((holdfast.directory / "run" / "jobs").glob("*.cancel"))


def test_time_limit(service, cluster, database):
    holdfast = service.holdfast
    schedule(holdfast, "often", "backup postgresql full", time_limit="1s")
    prepare(service)
    blocker = block(cluster, database)
    service.start()
    assert wait_until(lambda: any(job["state"] == "failed" for job in jobs(holdfast)))
    (failed, *_) = [job for job in jobs(holdfast) if job["state"] == "failed"]
    assert failed["error"]["code"] == "timeout"
    holdfast.ok("scheduler", "stop")
    blocker.close()


def test_retry(service, cluster, database):
    """A server that is away: the job waits for its next attempt."""
    holdfast = service.holdfast
    text = holdfast.config.read_text().replace(str(cluster.root), "/nonexistent")
    holdfast.config.write_text(text)
    schedule(holdfast, "often", "backup postgresql full", retries="1", retry_after="1s")
    prepare(service)
    service.start()
    assert wait_until(lambda: any(job["state"] == "failed" for job in jobs(holdfast)))
    (failed, *_) = [job for job in jobs(holdfast) if job["state"] == "failed"]
    assert failed["attempt"] == failed["attempts"] == 2
    assert failed["error"]["code"] == "unreachable"


def test_locked_catalog(service, cluster, database):
    """While a command writes to the catalog the service waits for it, and goes on."""
    holdfast = service.holdfast
    schedule(holdfast, "often", "backup postgresql full")
    prepare(service)
    (path,) = (holdfast.directory / "state").glob("catalog-*.sqlite")
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    service.start()
    assert jobs(holdfast) == []
    connection.execute("COMMIT")
    connection.close()
    assert wait_until(lambda: any(job["state"] == "succeeded" for job in jobs(holdfast)))


def test_reload(service):
    holdfast = service.holdfast
    service.start()
    assert service.status()["items"] == []
    good = holdfast.config.read_text()
    holdfast.config.write_text(good + "[schedule broken]\ncommand = cleanup\ncron = 99 * * * *\n")
    service.process.send_signal(signal.SIGHUP)
    assert service.said("the old one stays")
    holdfast.config.write_text(good + "[schedule none]\ncommand = cleanup nowhere\n"
                               "source = main\ncron = @daily\n")
    service.process.send_signal(signal.SIGHUP)
    assert service.said("takes no source")
    holdfast.config.write_text(good + "[schedule new]\ncommand = cleanup\ncron = @daily\n")
    service.process.send_signal(signal.SIGHUP)
    assert service.said("1 entries in the schedule")
    assert service.process.poll() is None


def test_start_stop(holdfast):
    """In the background, paused over a restart, and ended. The configuration may be named relatively."""
    try:
        subprocess.run([str(PROGRAM), "scheduler", "start", "--config", holdfast.config.name], check=True,
                       cwd=holdfast.directory, stdout=subprocess.DEVNULL)
        assert holdfast.ok("scheduler", "status", "--json").json["state"] == "running"
        assert not holdfast.ok("scheduler", "start", "--json").json["changed"]
        holdfast.ok("scheduler", "stop")
        status = holdfast.ok("scheduler", "status", "--json").json
        assert status["state"] == "stopped" and status["service"] and status["paused"]
    finally:
        holdfast.ok("scheduler", "stop", "--shutdown")
    status = holdfast.ok("scheduler", "status", "--json").json
    assert not status["service"] and status["paused"]


def next_state(listener):
    """What systemd is told next; lines of status come in between."""
    while True:
        said = listener.recv(4096)
        if not said.startswith(b"STATUS="):
            return said


def test_notify(holdfast, tmp_path):
    """systemd is told when the service is ready, reloads and stops."""
    address = f"/tmp/hf-notify-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(30)
        try:
            service = Service(holdfast, {"NOTIFY_SOCKET": address}).start()
            assert next_state(listener) == b"READY=1"
            service.process.send_signal(signal.SIGHUP)
            assert next_state(listener).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert next_state(listener) == b"READY=1"
            assert service.terminate() == 0
            assert next_state(listener) == b"STOPPING=1"
        finally:
            os.unlink(address)


@pytest.mark.skipif(os.geteuid() != 0, reason="another journal can only be put into place as root")
def test_journal(holdfast, tmp_path):
    """Under the journal messages go to its socket, with fields. The service sees another /run, with a socket of ours."""
    run = tmp_path / "journal"
    (run / "systemd/journal").mkdir(parents=True)
    wrapper = ["unshare", "--mount", "sh", "-c", f"mount --bind {run} /run && exec \"$@\"", "sh"]
    if subprocess.run([*wrapper, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no mount name space can be made here")
    schedule(holdfast, "often", "cleanup", "0 0 1 1 *", misfire_grace="9000d")
    service = Service(holdfast)
    prepare(service, days=400)
    log = os.stat(service.log)
    service.environment = {"JOURNAL_STREAM": f"{log.st_dev}:{log.st_ino}"}
    service.wrapper = wrapper
    before = service.log.read_text()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        with contextlib.chdir(run / "systemd/journal"):  # a path of a socket must be short
            listener.bind("socket")
        listener.settimeout(60)
        try:
            service.start()
            while True:
                fields = dict(line.split("=", 1) for line in listener.recv(65536).decode().splitlines())
                if fields.get("HOLDFAST_STATE") is not None:
                    break
        finally:
            service.terminate()
    (job,) = jobs(holdfast)
    assert fields == {"PRIORITY": "6", "SYSLOG_IDENTIFIER": "holdfast", "HOLDFAST_JOB": job["id"],
                      "HOLDFAST_OPERATION": "cleanup", "HOLDFAST_STATE": "succeeded",
                      "MESSAGE": f"job {job['id']} (cleanup) succeeded"}
    assert service.log.read_text() == before


def test_the_end_of_the_demo(holdfast):
    """`./run demo --serve`, from where the service begins: every line that it prints for another terminal works."""
    holdfast.config.write_text(holdfast.config.read_text().replace("[server]\nlisten = 127.0.0.1:0\n", ""))
    script = ("doing=; tell() { printf '%s\\n' \"$@\"; }; show() { printf '$ %s\\n' \"$1\"; }; "
              "work=$1 TD=ws://127.0.0.1:1; . demo/serve.sh; echo ended")
    environment = dict(os.environ, PATH=f"{PROGRAM.parent}:{os.environ['PATH']}")
    output = holdfast.directory / "said"
    process = subprocess.Popen(["sh", "-eu", "-c", script, "sh", str(holdfast.directory)], cwd=ROOT,
                               stdout=output.open("wb"), stderr=subprocess.STDOUT, env=environment, start_new_session=True)
    try:
        assert wait_until(lambda: "the service runs: 3 entries" in output.read_text(), 60), output.read_text()
        lines = [line.strip() for line in output.read_text().splitlines() if line.startswith("  ")]
        api, *commands = lines
        assert len(commands) == 6 and all(command.startswith("curl ") for command in commands), lines
        for command in commands:
            if "/events" in command:
                command = command.replace("curl -sN", "curl -sN --max-time 1")
            done = subprocess.run(["sh", "-c", f"{api}\n{command}"], stdout=subprocess.PIPE, check=False)
            if "openapi" in command:
                assert b"openapi: 3.1.0" in done.stdout
            elif "/events" not in command:
                answer = json.loads(done.stdout)
                # The schedule may have begun the same backup just before.
                assert "items" in answer or answer.get("state") == "succeeded" or answer["code"] == "busy", (command, answer)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)
        for job in jobs(holdfast, "--state", "active"):
            holdfast.run("job", "cancel", job["id"])
        assert wait_until(lambda: not runners(holdfast))
    assert process.returncode == 0 and output.read_text().endswith("ended\n"), output.read_text()


def test_init_writes_the_default_schedules(tmp_path):
    config = tmp_path / "holdfast.conf"
    subprocess.run([str(PROGRAM), "init", "--repository", str(tmp_path / "repo"), "--config", str(config)],
                   check=True, stdout=subprocess.DEVNULL)
    text = config.read_text().replace("#state_directory = ", f"state_directory = {tmp_path}/state")
    config.write_text(text.replace("#runtime_directory = ", f"runtime_directory = {tmp_path}/run"))
    done = subprocess.run([str(PROGRAM), "scheduler", "jobs", "--json", "--config", str(config)],
                          check=True, stdout=subprocess.PIPE)
    assert [item["name"] for item in json.loads(done.stdout)] == ["cleanup"]
    for line in ("cron = 0 2 * * *", "cron = 0 0-1,3-23 * * *", "cron = 0 3 * * *", "cron = 0 4 * * *"):
        assert f"\n{line}\n" in text
