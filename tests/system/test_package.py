# SPDX-License-Identifier: Apache-2.0
"""What is installed, and the scripts of the Debian package with everything that they touch moved into a scratch root.
The package itself is tried by "./run package try"."""
import os
import re
import shutil
import subprocess

import pytest

from pgcluster import PROGRAM, ROOT

DEBIAN = ROOT / "debian"


def test_version_has_one_place():
    version = re.search(r"^  version: '(.*)',", (ROOT / "meson.build").read_text(), re.M).group(1)
    said = subprocess.run([PROGRAM, "--version"], check=True, stdout=subprocess.PIPE).stdout.decode()
    assert said == f"holdfast {version}\n"
    assert (DEBIAN / "changelog").read_text().startswith("holdfast (@VERSION@-1) ")


def test_the_package_is_built_with_what_the_build_needs():
    needed = re.findall(r"^build,\S* +(lib\S+-dev) ", (ROOT / "run").read_text(), re.M)
    control = (DEBIAN / "control").read_text()
    assert "libpq-dev" in needed
    for package in needed:
        assert package == "libc6-dev" or f" {package},\n" in control, package


@pytest.mark.skipif(shutil.which("meson") is None, reason="meson is not installed")
def test_everything_is_installed(tmp_path):
    if not (ROOT / "build" / "build.ninja").exists():
        pytest.skip("there is no build directory")
    subprocess.run(["meson", "install", "-C", str(ROOT / "build"), "--no-rebuild", "--quiet", "--destdir", str(tmp_path)],
                   check=True, stdout=subprocess.DEVNULL)
    prefix = tmp_path / "usr" / "local"
    for name in ("bin/holdfast", "libexec/holdfast/holdfast-program", "lib/systemd/system/holdfast.service",
                 "lib/tmpfiles.d/holdfast.conf", "share/bash-completion/completions/holdfast",
                 "share/doc/holdfast/formats.md", "share/doc/holdfast/README.md"):
        assert (prefix / name).exists(), name
    assert os.access(prefix / "bin/holdfast", os.X_OK)
    unit = (prefix / "lib/systemd/system/holdfast.service").read_text()
    assert "ExecStart=/usr/local/bin/holdfast serve" in unit
    if shutil.which("scdoc") is not None:
        for name in ("man1/holdfast.1", "man1/holdfast-wal.1", "man5/holdfast.conf.5", "man7/holdfast-formats.7"):
            assert (prefix / "share" / "man" / name).exists(), name


def test_scripts_are_shell():
    for path in [*DEBIAN.glob("*.post*"), *(ROOT / "packaging").glob("*.sh"), ROOT / "run"]:
        subprocess.run(["sh", "-n", str(path)], check=True)


class Scripts:
    """The maintainer scripts in a root of their own, with programs that only note what they were asked."""

    def __init__(self, root, users=()):
        self.root, self.users = root, set(users)
        self.tools = root / "tools"
        self.said = root / "said"
        self.tools.mkdir()
        for tool in ("adduser", "addgroup", "chown", "getent", "install"):
            path = self.tools / tool
            known = " ".join(self.users)
            path.write_text(f'#!/bin/sh\necho "{tool} $*" >>"{self.said}"\n' + (
                f'case " {known} " in *" $2 "*) exit 0 ;; esac; exit 2\n' if tool == "getent" else ""))
            path.chmod(0o755)
        for folder in ("etc/holdfast", "var/lib/holdfast"):
            (root / folder).mkdir(parents=True)

    def run(self, script, *arguments):
        text = (DEBIAN / f"holdfast.{script}").read_text().replace("#DEBHELPER#\n", "")
        text = re.sub(r"(?<![\w/}])/(etc|var|run)/", rf"{self.root}/\1/", text)
        # To the script everything there is root's, whoever runs the test.
        text = re.sub(r"\$\(stat -c %U [^)]*\)", "root", text)
        self.said.write_text("")
        subprocess.run(["sh", "-c", text, script, *arguments], check=True,
                       env={"PATH": f"{self.tools}:/usr/bin:/bin"})
        return [line.replace(str(self.root), "") for line in self.said.read_text().splitlines()]

    def dropin(self):
        return self.root / "etc/systemd/system/holdfast.service.d/account.conf"


def test_beside_postgresql_its_account_does_the_work(tmp_path):
    scripts = Scripts(tmp_path, users=["postgres"])
    said = scripts.run("postinst", "configure", "")
    assert any(line.startswith("adduser --quiet --system --ingroup holdfast") for line in said)
    assert "adduser --quiet postgres holdfast" in said
    assert "chown postgres:holdfast /var/lib/holdfast" in said
    assert "User=postgres\n" in scripts.dropin().read_text()
    assert f"\nd {tmp_path}/run/holdfast 2770 postgres holdfast -\n" in (tmp_path / "etc/tmpfiles.d/holdfast.conf").read_text()
    assert (tmp_path / "etc/holdfast").stat().st_mode & 0o7777 == 0o2750


def test_alone_the_user_holdfast_does_it(tmp_path):
    scripts = Scripts(tmp_path)
    said = scripts.run("postinst", "configure", "")
    assert "chown holdfast:holdfast /var/lib/holdfast" in said
    assert not any("postgres" in line and not line.startswith("getent") for line in said)
    assert not scripts.dropin().exists()


def test_an_upgrade_leaves_what_the_administrator_has_changed(tmp_path):
    scripts = Scripts(tmp_path, users=["postgres", "holdfast"])
    (tmp_path / "etc/holdfast").chmod(0o700)
    said = scripts.run("postinst", "configure", "0.0.1-1")
    assert not any(line.startswith(("chown", "adduser --quiet --system")) for line in said)
    assert not scripts.dropin().exists()
    assert (tmp_path / "etc/holdfast").stat().st_mode & 0o7777 == 0o700


def test_purging_leaves_nothing_but_backups(tmp_path):
    scripts = Scripts(tmp_path, users=["postgres"])
    scripts.run("postinst", "configure", "")
    state = tmp_path / "var/lib/holdfast"
    for name in ("scratch/x", "spool/main/1", "repository/backups/b/SHA256SUMS"):
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_text("")
    (state / "repository/repository.json").write_text("{}")
    (state / "catalog-1.sqlite").write_text("")
    (tmp_path / "etc/holdfast/holdfast.conf").write_text("")
    scripts.run("postrm", "remove")
    assert (tmp_path / "etc/holdfast/holdfast.conf").exists()
    scripts.run("postrm", "purge")
    assert not (tmp_path / "etc/holdfast").exists()
    assert not scripts.dropin().parent.exists()
    assert not (tmp_path / "etc/tmpfiles.d/holdfast.conf").exists()
    assert [path.name for path in state.iterdir()] == ["repository"]
    assert (state / "repository/backups/b/SHA256SUMS").exists()
