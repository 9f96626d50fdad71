# SPDX-License-Identifier: Apache-2.0
"""Ways to a TDengine server: the vendor's library beside WebSocket, TLS, what cannot be reached or is refused."""
import asyncio
import pathlib
import shutil
import ssl
import subprocess
import threading

import pytest

import pgcluster
import tdserver


def vendor_library():
    """libtaos.so of the server that is on the PATH, or None."""
    server = shutil.which("taosd")
    if server is None:
        return None
    for folder in (pathlib.Path(server).resolve().parents[1] / "lib", pathlib.Path(server).resolve().parents[1] / "driver",
                   pathlib.Path("/usr/lib"), pathlib.Path("/usr/lib64")):
        if (folder / "libtaos.so").exists():
            return folder / "libtaos.so"
    return None


@pytest.fixture(scope="module")
def server():
    if tdserver.missing():
        pytest.skip(tdserver.missing())
    made = tdserver.Server()
    made.sql("CREATE DATABASE market VGROUPS 2 BUFFER 8 KEEP 36500d DURATION 10d")
    made.sql("CREATE STABLE market.ticks (ts TIMESTAMP, price DOUBLE, size INT, note VARCHAR(20)) "
             "TAGS (symbol NCHAR(10), kind TINYINT)")
    for table in range(20):
        rows = " ".join(f"({1700000000000 + day * 86400000 + table}, {table + day / 4}, "
                        f"{'NULL' if day % 5 == 0 else day}, 'n{day}')" for day in range(0, 40))
        made.sql(f"INSERT INTO market.t{table} USING market.ticks TAGS ('号{table}', {table % 7}) VALUES {rows}")
    yield made
    made.remove()


def facts(holdfast, status=0):
    return holdfast.run("check", "market", "--json", status=status).stdout.decode()


def content(holdfast, manifest):
    """Rows and tags of a backup, in an order of their own."""
    return (sorted(holdfast.rows(manifest, "ticks"), key=lambda row: (row["tbname"], row["ts"])),
            sorted(holdfast.tags(manifest, "ticks"), key=lambda row: row["tbname"]))


@pytest.mark.skipif(not tdserver.real(), reason="the stand-in speaks WebSocket only")
@pytest.mark.skipif(vendor_library() is None, reason="no libtaos.so beside taosd")
def test_native_reads_and_writes_the_same(server, tmp_path):
    holdfast = tdserver.Holdfast(tmp_path, server, pgcluster.PROGRAM)
    plain = holdfast.config.read_text()
    assert "by websocket" in facts(holdfast)
    first = holdfast.backup()
    holdfast.config.write_text(plain + f"library = {vendor_library()}\n")
    told = facts(holdfast)
    assert "by native" in told, told
    assert content(holdfast, holdfast.backup()) == content(holdfast, first)
    # --deep: what was written and read natively has the fingerprints of what WebSocket brought.
    holdfast.run("restore", "tdengine", "full", "--backup-id", first["id"], "--to-database", "copied", "--deep")
    assert server.sql("SELECT count(*), sum(size) FROM copied.ticks") == server.sql(
        "SELECT count(*), sum(size) FROM market.ticks")
    server.sql("DROP DATABASE copied")


def test_library_that_cannot_be_used(server, tmp_path):
    """WebSocket takes over, and check says why."""
    holdfast = tdserver.Holdfast(tmp_path, server, pgcluster.PROGRAM, "library = /nonexistent/libtaos.so\n")
    told = facts(holdfast)
    assert "/nonexistent/libtaos.so cannot be loaded" in told and "by websocket" in told
    assert holdfast.backup()["row_count"] == 800


def test_refused_and_unreachable(server, tmp_path):
    password = tmp_path / "password"
    password.write_text("wr0ng-password\n")
    password.chmod(0o600)
    holdfast = tdserver.Holdfast(tmp_path / "refused", server, pgcluster.PROGRAM, f"password_file = {password}\n")
    done = holdfast.run("backup", "tdengine", "full", status=1)
    assert b"refuses the login" in done.stderr and b"wr0ng" not in done.stderr + done.stdout
    nowhere = tdserver.Holdfast(tmp_path / "nowhere", server, pgcluster.PROGRAM)
    nowhere.config.write_text(nowhere.config.read_text().replace(server.url, f"ws://127.0.0.1:{tdserver.free_port()}"))
    assert b"cannot connect" in nowhere.run("backup", "tdengine", "full", status=5).stderr


class Tls:
    """TLS in front of a server's HTTP port, for the name localhost."""

    def __init__(self, root, server):
        self.authority = root / "authority.pem"
        self.make_certificates(root)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(root / "server.pem", root / "server.key")
        self.behind = int(server.url.rpartition(":")[2])
        self.port = tdserver.free_port()
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(ready,), daemon=True)
        self.thread.start()
        assert ready.wait(30)

    @staticmethod
    def make_certificates(root):
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=root, check=True, capture_output=True)
        (root / "names").write_text("subjectAltName=DNS:localhost\n")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "authority.key", "-out", "authority.pem",
                "-days", "2", "-subj", "/CN=authority")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj",
                "/CN=localhost")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "authority.pem", "-CAkey", "authority.key",
                "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem")

    def run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", self.port, ssl=self.context))
        ready.set()
        self.loop.run_forever()

    @staticmethod
    async def pump(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except (OSError, ssl.SSLError):
            pass
        writer.close()

    async def serve(self, reader, writer):
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.behind)
        await asyncio.gather(self.pump(reader, inner_writer), self.pump(inner_reader, writer))

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(30)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make certificates")
def test_tls(server, tmp_path):
    front = Tls(tmp_path, server)
    try:
        def through(name, host, extra=""):
            made = tdserver.Holdfast(tmp_path / name, server, pgcluster.PROGRAM, extra)
            made.config.write_text(made.config.read_text().replace(server.url, f"wss://{host}:{front.port}"))
            return made
        trusted = f"ca_file = {front.authority}\n"
        assert through("good", "localhost", trusted).backup()["row_count"] == 800
        for name, host, extra in (("unknown", "localhost", ""), ("other-name", "127.0.0.1", trusted)):
            done = through(name, host, extra).run("backup", "tdengine", "full", status=1)
            assert b"certificate" in done.stderr
    finally:
        front.stop()
