# SPDX-License-Identifier: Apache-2.0
"""Manual pages and completion: everything that the program's help knows is in them."""
import re
import shutil
import subprocess

import pytest

from pgcluster import PROGRAM, ROOT

MANUAL = ROOT / "build" / "docs" / "man"
COMPLETION = MANUAL / "holdfast"

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="the program is not built")


def helped(*words):
    return subprocess.run([PROGRAM, *words, "--help"], check=True, stdout=subprocess.PIPE).stdout.decode()


def commands():
    """Words of every command, as the overview lists them."""
    lines = [line[2:] for line in helped().splitlines() if line.startswith("  ")]
    found = []
    for line in lines:
        words = []
        for word in re.split(r"  +", line)[0].split():
            if not re.fullmatch("[a-z]+", word):
                break
            words.append(word)
        found.append(" ".join(words))
    return found


def options(words):
    return re.findall(r"^  (?:-\w,|   ) (--[a-z-]+)", helped(*words.split()), re.M)


@pytest.fixture(scope="module")
def pages():
    """Text of every page by its name, after a look for warnings."""
    if shutil.which("scdoc") is None:
        pytest.skip("scdoc is not installed: no pages were made")
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    found = {}
    for path in sorted(MANUAL.glob("*.[157]")):
        # Wide enough that no option is broken; without colours and hyphens.
        done = subprocess.run(["man", "--warnings", "--no-hyphenation", "-E", "UTF-8", "-P", "cat", "-l", str(path)],
                              capture_output=True, env={"MANWIDTH": "200", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8",
                                                        "GROFF_NO_SGR": "1"})
        assert done.returncode == 0 and done.stderr == b"", (path, done.stderr)
        found[path.name] = re.sub(".\b", "", done.stdout.decode())
    return found


def test_there_are_all_commands():
    assert {"init", "backup postgresql full", "wal push", "job log", "parquet cat"} <= set(commands())


def test_every_command_has_a_page_with_every_option(pages):
    overview = pages["holdfast.1"]
    for command in commands():
        page = pages[f"holdfast-{command.split()[0]}.1"]
        assert f"holdfast {command}" in page
        assert f"holdfast {command}" in overview
        found = options(command)
        assert "--json" in found
        for option in found:
            assert re.search(rf"^ +(-\w, )?{option}( |$)", page, re.M), (command, option)


def test_the_configuration_is_explained(pages, tmp_path):
    config = tmp_path / "holdfast.conf"
    subprocess.run([PROGRAM, "init", "--repository", tmp_path / "repo", "--config", config], check=True,
                   stdout=subprocess.DEVNULL)
    page = pages["holdfast.conf.5"]
    keys = re.findall(r"^#?([a-z_]+) =", config.read_text(), re.M)
    assert len(keys) > 40
    for key in keys:
        assert re.search(rf"^ +{key} \(", page, re.M), key
    for section in re.findall(r"^#?\[(\w+)", config.read_text(), re.M):
        assert f"[{section}" in page


def test_errors_and_formats(pages):
    assert re.search(r"^ +no-space \(1\)", pages["holdfast.1"], re.M)
    assert re.search(r"^ +damaged \(3\)", pages["holdfast.1"], re.M)
    assert "SHA256SUMS" in pages["holdfast-formats.7"]


def complete(*words, before=""):
    """What bash offers for the last of the words."""
    script = f"""{before}
        source '{COMPLETION}'
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _holdfast
        printf '%s\\n' "${{COMPREPLY[@]}}"
        """
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", "holdfast", *words], check=True, capture_output=True,
                          env={"PATH": f"{PROGRAM.parent}:/usr/bin:/bin", "HOME": "/nonexistent"})
    assert done.stderr == b""
    return done.stdout.decode().split()


def test_bash_takes_the_completion():
    bound = subprocess.run(["bash", "--norc", "-c", f"source '{COMPLETION}'; complete -p holdfast"], check=True,
                           stdout=subprocess.PIPE).stdout
    assert bound == b"complete -F _holdfast holdfast\n"


def test_completion_of_commands_and_options():
    known = commands()
    assert set(complete("")) == {command.split()[0] for command in known} | {"help"}
    assert complete("backup", "") == ["postgresql", "tdengine"]
    assert complete("backup", "postgresql", "i") == ["incremental"]
    for command in known:
        assert set(complete(*command.split(), "--")) == set(options(command)), command
    assert complete("restore", "postgresql", "pitr", "--target-ti") == ["--target-time", "--target-timeline"]
    assert complete("--") == ["--help", "--version"]


def test_completion_of_values(tmp_path):
    config = tmp_path / "holdfast.conf"
    config.write_text(f"[general]\nstate_directory={tmp_path}/state\nruntime_directory={tmp_path}/run\n"
                      f"[repository]\npath={tmp_path}/repo\n[source shop]\nengine=postgresql\n"
                      "[source market]\nengine=tdengine\n")
    config.chmod(0o600)
    subprocess.run([PROGRAM, "init", "--config", config], check=True, stdout=subprocess.DEVNULL)
    named = ("--config", str(config))
    assert complete(*named, "check", "") == ["shop", "market"]
    assert complete("backup", "postgresql", "full", *named, "--source", "s") == ["shop"]
    assert complete("backup", "postgresql", "full", *named, "--source", "=", "m") == ["market"]
    assert complete("restore", "tdengine", "full", "--start", "x", *named, "--to-source", "") == ["shop", "market"]
    assert complete("init", "--repository", f"{tmp_path}/ho") == [str(config)]
    assert complete("key", "add", "k") == ["key-file="]
    lists = """holdfast() { printf '[\\n  {\\n    "id": "one",\\n    "objects": [{"id": "no"}]\\n  }\\n]\\n'; }"""
    assert complete("show", "", before=lists) == ["one"]
    assert complete("job", "log", "o", before=lists) == ["one"]
    assert complete("show", *named, "") == []
