# SPDX-License-Identifier: Apache-2.0
"""The command line as far as it needs no database server: words, help, exit statuses, init, check, lists, cleanup."""
import json
import os
import socket
import subprocess

import pytest

import pgcluster


class Cli:
    """The program in a home of its own."""

    def __init__(self, home):
        self.home = home
        self.config = home / "holdfast.conf"
        self.repository = home / "repository"
        self.environment = {
            **{name: value for name, value in os.environ.items()
               if not name.startswith(("PG", "XDG_", "HOLDFAST"))},
            "HOME": str(home), "HOLDFAST_CONFIG": str(self.config),
            "XDG_STATE_HOME": str(home / "state"), "XDG_RUNTIME_DIR": str(home / "run"),
        }

    def run(self, *words, status=0, **more):
        result = subprocess.run([str(pgcluster.PROGRAM), *map(str, words)], env=self.environment, text=True,
                                cwd=self.home, capture_output=True, timeout=60, check=False, **more)
        assert result.returncode == status, (words, result.stdout, result.stderr)
        return result

    def json(self, *words, status=0):
        return json.loads(self.run(*words, "--json", status=status).stdout)

    def init(self, sources=""):
        """init, then directories below this home, so that nothing of the machine is touched, and the sources."""
        self.run("init", "--repository", self.repository)
        text = self.config.read_text()
        for key in ("state_directory", "runtime_directory"):
            assert f"#{key} = \n" in text
            text = text.replace(f"#{key} = \n", f"{key} = {self.home}/{key}\n")
        self.config.write_text(text + sources)


@pytest.fixture
def cli(tmp_path):
    if not pgcluster.PROGRAM.exists():
        pytest.skip(f"{pgcluster.PROGRAM} is not built")
    return Cli(tmp_path)


def source(name="market", port=1, more=""):
    return f"\n[source {name}]\nengine = postgresql\nconninfo = host=127.0.0.1 port={port} user=x\n{more}"


def commands(cli):
    lines = cli.run("--help").stdout.splitlines()
    return [line.split("  ")[1].split(" [")[0].split(" B")[0] for line in lines if line.startswith("  ")]


def test_help_of_every_command(cli):
    words = commands(cli)
    assert "backup postgresql full" in words and "catalog rebuild" in words
    for command in words:
        text = cli.run(*command.split(), "--help").stdout
        assert text == cli.run("help", *command.split()).stdout
        lower = " ".join(word for word in command.split() if not word.isupper())
        assert "holdfast " + lower in text.split("example:\n")[1]
        assert "--json" in text and "--config" in text
    assert "backup postgresql full" in cli.run("backup", "--help").stdout
    assert "restore" not in cli.run("help", "backup").stdout
    assert cli.run("--version").stdout.startswith("holdfast ")


@pytest.mark.parametrize("words, message, hint", [
    ([], "no command was given", "holdfast --help"),
    (["bakup"], 'there is no command "bakup"', "did you mean holdfast backup?"),
    (["backup", "postgresql"], "not a whole command", "goes on with: full, incremental"),
    (["list", "backups", "--sorce", "x"], "unknown option --sorce", "did you mean --source?"),
    (["--jsno", "list", "backups"], "unknown option --jsno", "did you mean --json?"),
    (["show"], "holdfast show needs BACKUP", "holdfast show --help"),
    (["show", "a", "b"], '"b" is one argument too many', "holdfast show --help"),
    (["verify"], "which backup shall be verified?", "--all"),
    (["verify", "x", "--all"], "not both", "--all"),
    (["restore", "postgresql", "full"], "which backup shall be restored?", "--backup-id"),
    (["backup", "postgresql", "full", "--jobs", "-1"], "--jobs must be from 1 to 128", None),
    (["restore", "postgresql", "full", "--backup-id", "x", "--tolerance", "much"], "--tolerance: ", None),
    (["init"], "where backups shall be kept", "--repository"),
    (["list", "backups"], "there is no configuration", "holdfast init"),
])
def test_usage(cli, words, message, hint):
    errors = cli.run(*words, status=2).stderr
    assert errors.startswith("holdfast: ") and message in errors
    if hint is not None:
        assert f"hint: {hint}" in errors or hint in errors.split("hint: ")[1]


def test_errors_as_json(cli):
    error = json.loads(cli.run("list", "backups", "--json", status=2).stderr)["error"]
    assert error["code"] == "configuration"
    assert "there is no configuration" in error["message"] and "holdfast init" in error["hint"]


def test_init_twice(cli):
    first = cli.json("init", "--repository", cli.repository)
    assert first["configuration_created"] and first["repository_created"]
    assert cli.config.stat().st_mode & 0o777 == 0o600
    before = cli.config.read_bytes(), (cli.repository / "repository.json").read_bytes()
    again = cli.json("init")
    assert not again["configuration_created"] and not again["repository_created"]
    assert before == (cli.config.read_bytes(), (cli.repository / "repository.json").read_bytes())
    assert "nothing was changed" in cli.run("init").stdout


def test_init_makes_what_is_missing(cli):
    cli.config.write_text(f"[repository]\npath = {cli.repository}\ncompression = gzip:2\n")
    cli.config.chmod(0o600)
    made = cli.json("init")
    assert not made["configuration_created"] and made["repository_created"]
    assert "names the repository" in cli.run("init", "--repository", cli.home / "other", status=2).stderr
    assert not (cli.home / "other").exists()


def test_init_refuses_what_is_no_repository(cli):
    cli.repository.mkdir()
    (cli.repository / "photo.jpg").write_text("precious")
    cli.run("init", "--repository", cli.repository, status=1)
    assert not cli.config.exists()
    assert [entry.name for entry in cli.repository.iterdir()] == ["photo.jpg"]


def test_init_writes_nothing_that_it_cannot_read_back(cli):
    for words in (["--repository", f"{cli.repository} "], ["--repository", f"{cli.repository}\nx"],
                  ["--repository", cli.repository, "--encryption", "command=printf 'a\nb'"]):
        said = cli.run("init", *words, status=2)
        assert "cannot stand in the configuration" in said.stderr
        assert not cli.config.exists() and not cli.repository.exists()
    cli.run("init", "--repository", cli.repository, "--encryption", "command=false", status=2)
    assert not cli.repository.exists()


def test_init_promises_no_encryption_that_it_cannot_keep(cli):
    cli.config.write_text(f"[repository]\npath = {cli.repository}\nkey = key-file=/no/such/key\n")
    cli.config.chmod(0o600)
    assert "/no/such/key" in cli.run("init", status=2).stderr
    assert not cli.repository.exists()


@pytest.mark.parametrize("text, message", [
    ("[repositry]\n", "1: unknown section [repositry]\nhint: did you mean [repository]?"),
    ("[general]\nlog_levl = info\n", '2: unknown key "log_levl" in [general]\nhint: did you mean log_level?'),
    ("[general]\n[general]\n", "2: [general] was given in line 1 already"),
    ("[repository]\npath = /a\npath = /b\n", '3: key "path" was given in line 2 already'),
    ("[source a]\nengine = tdengine\nmethod = logical\n", 'key "method" is for sources with engine = postgresql'),
    ("[repository]\nhunter2\n", "2: neither [section], key = value nor # comment"),
])
def test_configuration_errors(cli, text, message):
    cli.config.write_text(text)
    cli.config.chmod(0o600)
    errors = cli.run("list", "backups", status=2).stderr
    assert message in errors and str(cli.config) in errors
    assert "hunter2" not in errors


def test_configuration_that_everyone_can_read(cli):
    cli.init()
    cli.config.chmod(0o644)
    errors = cli.run("list", "backups", status=2).stderr
    assert f"hint: chmod 640 {cli.config}" in errors


def test_empty_repository(cli):
    cli.init()
    assert cli.json("list", "backups") == []
    assert cli.json("list", "recoveries") == []
    [own] = cli.json("verify", "--all")
    assert (own["archive"], own["result"], own["objects"], own["damage"]) == ("repository", "good", 1, [])
    assert cli.run("list", "backups").stdout == "no backups\n"
    assert cli.json("catalog", "rebuild") == {"backups": 0}
    assert cli.json("cleanup")["interrupted_backups"] == 0
    for words in (["show", "x"], ["verify", "x"], ["delete", "x"],
                  ["restore", "postgresql", "full", "--backup-id", "x"]):
        assert 'there is no backup' in cli.run(*words, status=1).stderr
    assert "is none of good, damaged, pinned" in cli.run("list", "backups", "--status", "bad", status=2).stderr
    cli.run("list", "backups", "--since", "yesterday", status=2)


def test_repository_without_configuration(cli):
    cli.init()
    cli.config.unlink()
    assert cli.json("list", "backups", "--repository", cli.repository) == []
    assert "is not there" in cli.run("list", "backups", "--repository", cli.home / "none", status=5).stderr


def test_missing_repository(cli):
    cli.init()
    cli.repository.rename(cli.home / "away")
    cli.run("list", "backups", status=5)
    cli.run("backup", "postgresql", "full", status=5)
    facts = {fact["subject"]: fact for fact in cli.json("check", status=5)}
    assert facts["repository"]["state"] == "unreachable"


def test_check(cli):
    cli.init()
    facts = {fact["subject"]: fact for fact in cli.json("check")}
    assert facts["repository writable"]["state"] == "ok"
    assert facts["sources"]["state"] == "warning"
    assert sorted(path.name for path in cli.repository.iterdir()) == ["repository.json"]
    assert "there is no source" in cli.run("check", "nowhere", status=1).stderr


def test_check_of_a_server_that_is_away(cli):
    with socket.socket() as listener:  # bound, not listening: nothing answers there
        listener.bind(("127.0.0.1", 0))
        cli.init(source(port=listener.getsockname()[1], more="method = logical\n"))
        facts = cli.json("check", "market", status=5)
    assert any(fact["source"] == "market" and fact["state"] == "unreachable" and fact["hint"] for fact in facts)


def test_which_source(cli):
    cli.init(source("market") + source("news"))
    assert "several sources fit: market, news" in cli.run("backup", "postgresql", "full", status=2).stderr
    errors = cli.run("backup", "postgresql", "full", "--source", "markt", status=1).stderr
    assert "did you mean market?" in errors
    errors = cli.run("backup", "postgresql", "full", "--source", "market", status=5).stderr
    assert "cannot connect" in errors


def test_interrupted_backup_is_no_backup(cli):
    cli.init()
    remains = cli.repository / "backups" / "20200101T000000Z-market-full-abcd" / "data"
    remains.mkdir(parents=True)
    (remains / "x.zst").write_bytes(b"half")
    old = 1_500_000_000
    os.utime(remains / "x.zst", (old, old))
    assert cli.json("list", "backups") == []
    assert cli.json("cleanup", "--dry-run")["interrupted_backups"] == 1
    assert remains.exists()
    assert cli.json("cleanup")["interrupted_backups"] == 1
    assert not remains.exists()


def test_standard_output_that_is_full(cli):
    cli.init()
    with open("/dev/full", "w", encoding="utf-8") as full:
        run = subprocess.run([str(pgcluster.PROGRAM), "list", "backups"], env=cli.environment, stdout=full,
                             stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert run.returncode == 1 and "standard output" in run.stderr


def test_reader_that_leaves(cli):
    cli.init()
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run([str(pgcluster.PROGRAM), "list", "backups"], env=cli.environment, stdout=write,
                         stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    os.close(write)
    assert (run.returncode, run.stderr) == (0, "")


def test_damaged_catalog_is_made_anew(cli):
    cli.init()
    cli.run("list", "backups")
    state = cli.home / "state_directory"
    catalog = next(state.glob("catalog-*.sqlite"))
    catalog.write_bytes(b"x" * 8192)
    result = cli.run("list", "backups")
    assert result.stdout == "no backups\n" and "is no usable catalog" in result.stderr
    assert next(state.glob("catalog-*.damaged-*")).exists()


def test_state_directory_that_cannot_be_written(cli):
    cli.init()
    (cli.home / "state_directory").write_text("a file in its place")
    result = cli.run("list", "backups")
    assert result.stdout == "no backups\n" and "working without a catalog" in result.stderr


def test_a_password_file_that_others_may_read(cli):
    password = cli.home / "password"
    password.write_text("secret")
    cli.init(f"[source ticks]\nengine = tdengine\nurl = ws://localhost:6041\npassword_file = {password}\n")
    password.chmod(0o644)
    errors = cli.run("list", "backups", status=2).stderr
    assert f"{password}" in errors and "chmod" in errors and "secret" not in errors
    password.chmod(0o600)
    cli.run("list", "backups")
