# SPDX-License-Identifier: Apache-2.0
"""holdfast parquet show and cat, on files of other writers; and the comparison with other implementations of Parquet."""
import csv
import io
import json
import os
import pathlib
import shutil
import subprocess

import pytest

import tdserver

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = ROOT / "build/holdfast"
JUDGE = ROOT / "build/tests/unit/parquet-judge"
FILES = ROOT / "tests/fuzz/corpus/fuzz-parquet"
ARROW = FILES / "arrow-UNCOMPRESSED-V2-dictionary-some-9.parquet"


def run(*arguments):
    return subprocess.run([PROGRAM, "parquet", *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture(autouse=True)
def program():
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is not built")


@pytest.fixture
def market(tmp_path):
    """A source of TDengine with a few rows."""
    if tdserver.missing():
        pytest.skip(tdserver.missing())
    server = tdserver.Server()
    server.sql("CREATE DATABASE market VGROUPS 1 BUFFER 8 KEEP 36500d")
    server.sql("CREATE STABLE market.ticks (ts TIMESTAMP, price DOUBLE) TAGS (symbol NCHAR(10))")
    server.sql("INSERT INTO market.t0 USING market.ticks TAGS ('a') VALUES (1700000000000, 7) (1700000001000, -2.5) "
               "(1700000002000, NULL)")
    yield tdserver.Holdfast(tmp_path, server, PROGRAM)
    server.remove()


def test_show():
    shown = run("show", ARROW)
    assert shown.returncode == 0
    assert "9 rows in 1 row group, " in shown.stdout
    assert "sensor-00000007" in shown.stdout
    document = json.loads(run("show", ARROW, "--json").stdout)
    assert document["rows"] == 9
    assert [column["name"] for column in document["schema"]][:2] == ["bool", "int8"]
    assert document["row_groups"][0]["columns"][4]["nulls"] == 3


def test_show_of_our_own_file(market):
    """What a backup says of its rows: how they are sorted, encoded and bounded, and which backup wrote them."""
    backup = market.backup()
    [path] = [one for one in market.repository.glob("pool/*/*") if "price" in run("show", one).stdout]
    shown = run("show", path).stdout
    assert "each sorted by tbname, ts" in shown and "TIMESTAMP(ms, UTC)" in shown and "holdfast version" in shown
    assert backup["id"] in shown
    [group] = json.loads(run("show", path, "--json").stdout)["row_groups"]
    assert [one["column"] for one in group["sorting"]] == ["tbname", "ts"]
    columns = {one["column"]: one for one in group["columns"]}
    assert (columns["price"]["min"], columns["price"]["max"], columns["price"]["nulls"]) == ("-2.5", "7", 1)
    assert columns["tbname"]["encodings"] and all(one["page_index"] for one in group["columns"])


def test_long_metadata_is_cut():
    long = [line for line in run("show", ARROW).stdout.splitlines() if line.startswith("ARROW:schema = ")]
    assert len(long) == 1 and len(long[0]) < 300 and "bytes; --json has them all" in long[0]
    [value] = json.loads(run("show", ARROW, "--json").stdout)["metadata"].values()
    assert len(value) > 400


def test_cat_json():
    rows = [json.loads(line) for line in run("cat", ARROW, "--json").stdout.splitlines()]
    assert len(rows) == 9
    assert rows[0]["sorted"] is None
    assert rows[1]["sorted"] == "sensor-00000001"
    assert rows[3]["uint64"] == 3 * 0x9E3779B97F4A7C15 % 2**64
    assert rows[3]["binary"] == "03ff00"
    assert rows[7]["double"] == 1.0


def test_cat_csv():
    cut = run("cat", ARROW, "--columns", "int32,utf8", "--limit", "3", "--csv")
    rows = list(csv.reader(io.StringIO(cut.stdout)))
    assert rows == [["int32", "utf8"], ["", ""], ["829348951", "name-31é"], ["1658697902", "name-62é"]]


def test_cat_refuses_what_is_no_number_of_rows():
    refused = run("cat", ARROW, "--limit", "-5")
    assert refused.returncode == 2 and "--limit: -5" in refused.stderr and refused.stdout == ""
    assert run("cat", ARROW, "--limit", "0", "--json").stdout == ""


def test_every_file_of_the_corpus_is_read():
    for path in sorted(FILES.glob("*.parquet")):
        result = run("cat", path, "--json")
        assert result.returncode == 0, result.stderr
        assert len(result.stdout.splitlines()) == json.loads(run("show", path, "--json").stdout)["rows"]


def test_errors(tmp_path):
    wrong = run("cat", ARROW, "--columns", "int33")
    assert wrong.returncode == 2
    assert "did you mean int32?" in wrong.stderr
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in run("cat", tmp_path / "pipe").stderr
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(ARROW.read_bytes()[:-9])
    assert run("show", cut).returncode == 3
    assert run("show", tmp_path / "none.parquet").returncode == 1
    damaged = bytearray((FILES / "ours-dictionary.parquet").read_bytes())
    damaged[60] ^= 4
    cut.write_bytes(damaged)
    result = run("cat", cut)
    assert result.returncode == 3
    assert "column float, page" in result.stderr


def test_other_implementations_agree():
    """DuckDB, hyparquet and parquet-wasm read our files, and we read theirs: every value compared."""
    if not JUDGE.exists():
        pytest.skip(f"{JUDGE} is not built")
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    result = subprocess.run([ROOT / "tests/judges/parquet/run.sh", JUDGE], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
