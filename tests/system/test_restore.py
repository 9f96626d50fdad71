# SPDX-License-Identifier: Apache-2.0
"""Logical restores of PostgreSQL: whole databases and single tables, on real servers."""
import os
import pathlib
import random
import shutil
import signal
import time

import psycopg2
import pytest

from pgcluster import Holdfast, dbname, wait_until

HERE = pathlib.Path(__file__).parent


def load(cluster, database, name):
    cluster.client("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(HERE / name), "-d",
                   dbname(database))


def temporary(cluster):
    return [name for name in cluster.databases() if name.startswith("holdfast_")]


def assert_same(cluster, one, other):
    assert cluster.schema(one) == cluster.schema(other)
    assert cluster.hashes(one) == cluster.hashes(other)


# --- whole databases ---------------------------------------------------------------------------------------------


def test_every_type_and_object_kind_comes_back(cluster, database, holdfast):
    load(cluster, database, "everything.sql")
    backup = holdfast.backup()
    copy = database + "_copy"
    result = holdfast.restore(backup, "--to-database", copy, "--json").json
    assert_same(cluster, database, copy)
    assert cluster.value(copy, "SELECT lo_get(4242)").tobytes() == b"\xde\xad\xbe\xef\x00"
    assert cluster.value(copy, "SELECT last_value FROM app.tickets") == cluster.value(
        database, "SELECT last_value FROM app.tickets")
    assert result["summary"]["rows"] == sum(
        rows for (_, table), (rows, _) in cluster.hashes(copy).items() if "summary" not in table)
    assert any("app.nothing_in_it" in warning for warning in result["warnings"])
    assert temporary(cluster) == []


def test_hostile_names(cluster, database, holdfast):
    load(cluster, database, "hostile.sql")
    backup = holdfast.backup()
    copy = database + """_ -x 'q' "d" a=b\\ 表"""
    holdfast.restore(backup, "--to-database", copy.replace("\\", "\\\\").replace("=", "\\="))
    assert copy in cluster.databases()
    assert_same(cluster, database, copy)
    assert not pathlib.Path("/tmp/broken-out").exists()


def test_a_database_with_a_hostile_name_replaces_itself(cluster, database, tmp_path):
    name = database + """_ 'q' "d" a=b\\c"""
    cluster.create(name)
    cluster.sql(name, "CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2)")
    holdfast = Holdfast(tmp_path, cluster)
    backup = holdfast.backup("--databases", name.replace("\\", "\\\\"))
    cluster.sql(name, "DROP TABLE t")
    holdfast.restore(backup, "--replace")
    assert cluster.value(name, "SELECT count(*) FROM t") == 2


def test_an_empty_database(cluster, database, holdfast):
    backup = holdfast.backup()
    copy = database + "_copy"
    holdfast.restore(backup, "--to-database", copy)
    assert_same(cluster, database, copy)


def test_what_belongs_to_the_database_itself(cluster, database, holdfast):
    role = database + "_role"
    cluster.sql("postgres", f"""
        CREATE ROLE {role};
        ALTER DATABASE {database} SET search_path = "$user", 'a, b', public;
        ALTER DATABASE {database} SET work_mem = '7MB';
        ALTER ROLE {role} IN DATABASE {database} SET statement_timeout = '5s';
        ALTER DATABASE {database} OWNER TO {role};
        ALTER DATABASE {database} CONNECTION LIMIT 17;
        COMMENT ON DATABASE {database} IS 'it''s mine';
        REVOKE CONNECT ON DATABASE {database} FROM PUBLIC;
        GRANT CREATE ON DATABASE {database} TO {role} WITH GRANT OPTION""")
    backup = holdfast.backup()
    copy = database + "_copy"
    holdfast.restore(backup, "--to-database", copy)
    facts = """SELECT pg_get_userbyid(datdba), datconnlimit, datacl::text, encoding, datcollate,
        shobj_description(oid, 'pg_database'), (SELECT array_agg(setrole::regrole || ':' ||
        setconfig::text ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid)
        FROM pg_database d WHERE datname = %s"""
    try:
        assert cluster.sql("postgres", facts, [copy]) == cluster.sql("postgres", facts, [database])
    finally:
        cluster.drop(copy)
        cluster.sql("postgres", f"DROP DATABASE {database}")
        cluster.sql("postgres", f"DROP ROLE {role}")


def test_encodings_and_locales(cluster, database, tmp_path):
    cluster.sql("postgres", f"CREATE DATABASE {database}_latin TEMPLATE template0 ENCODING 'LATIN1' "
                            "LC_COLLATE 'C' LC_CTYPE 'C'")
    cluster.sql(f"{database}_latin", "CREATE TABLE t AS SELECT 'é' AS t")
    names = [f"{database}_latin"]
    if cluster.value("postgres", "SHOW server_version_num") >= "150000":
        cluster.sql("postgres", f"CREATE DATABASE {database}_icu TEMPLATE template0 "
                                "LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'")
        cluster.sql(f"{database}_icu", "CREATE TABLE t AS SELECT 'ä' AS t; CREATE INDEX ON t (t)")
        names.append(f"{database}_icu")
    holdfast = Holdfast(tmp_path, cluster, extra=f"databases = {','.join(names)}\n")
    backup = holdfast.backup()
    facts = "SELECT to_jsonb(d) - 'oid' - 'datname' - 'datfrozenxid' - 'datminmxid' " \
            "FROM pg_database d WHERE datname = %s"
    for name in names:
        holdfast.restore(backup, "--databases", name, "--to-database", name + "_copy")
        assert_same(cluster, name, name + "_copy")
        assert cluster.sql("postgres", facts, [name]) == cluster.sql("postgres", facts,
                                                                     [name + "_copy"])


def test_an_existing_database_is_refused_and_replaced_only_on_request(cluster, database, holdfast):
    cluster.sql(database, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i")
    backup = holdfast.backup()
    cluster.sql(database, "TRUNCATE t; CREATE TABLE later ()")
    result = holdfast.restore_fails(1, backup)
    assert database in result.err and "--replace" in result.err
    assert cluster.value(database, "SELECT count(*) FROM t") == 0
    holdfast.restore(backup, "--replace")
    assert cluster.value(database, "SELECT count(*) FROM t") == 1000
    assert cluster.value(database, "SELECT to_regclass('later')") is None
    assert temporary(cluster) == []


def test_replacing_ends_the_sessions_of_the_old_database(cluster, database, holdfast):
    cluster.sql(database, "CREATE TABLE t AS SELECT 1 AS i")
    backup = holdfast.backup()
    idle = cluster.connect(database)
    cursor = idle.cursor()
    plan = holdfast.restore(backup, "--replace", "--dry-run", "--json").json
    assert plan["summary"]["databases"][0]["sessions"] == 1
    cursor.execute("SELECT 1")
    holdfast.restore(backup, "--replace")
    with pytest.raises(psycopg2.Error):
        cursor.execute("SELECT 1")
    assert cluster.value(database, "SELECT count(*) FROM t") == 1


def test_a_failing_restore_leaves_the_old_database(cluster, database, holdfast):
    cluster.sql(database, "CREATE TABLE t (i int CHECK (i > 0)); INSERT INTO t VALUES (1)")
    cluster.sql(database, "CREATE FUNCTION public.f(int) RETURNS boolean LANGUAGE sql AS "
                          "'SELECT true'; CREATE TABLE c (i int CHECK (public.f(i))); "
                          "INSERT INTO c VALUES (1); CREATE OR REPLACE FUNCTION public.f(int) "
                          "RETURNS boolean LANGUAGE sql AS 'SELECT false'")
    backup = holdfast.backup()
    cluster.sql(database, "UPDATE t SET i = 2")
    oid = cluster.value("postgres", "SELECT oid FROM pg_database WHERE datname = %s", [database])
    result = holdfast.restore_fails(1, backup, "--replace")
    assert "violates check constraint" in result.err
    assert cluster.value("postgres", "SELECT oid FROM pg_database WHERE datname = %s",
                         [database]) == oid
    assert cluster.value(database, "SELECT i FROM t") == 2
    assert temporary(cluster) == []


def test_several_databases_under_new_names(cluster, database, tmp_path):
    other = database + "_other"
    cluster.create(other)
    cluster.sql(database, "CREATE TABLE one AS SELECT 1 AS i")
    cluster.sql(other, "CREATE TABLE two AS SELECT 2 AS i")
    holdfast = Holdfast(tmp_path, cluster, extra=f"databases = {database},{other}\n")
    backup = holdfast.backup()
    holdfast.restore_fails(2, backup, "--to-database", database + "_x")
    holdfast.restore_fails(1, backup, "--databases", database[:-1])
    holdfast.restore(backup, "--to-database",
                     f"{database}={database}_1,{other}={database}_2")
    assert cluster.value(database + "_1", "SELECT i FROM one") == 1
    assert cluster.value(database + "_2", "SELECT i FROM two") == 2
    holdfast.restore(backup, "--databases", other, "--to-database", database + "_3")
    assert cluster.value(database + "_3", "SELECT i FROM two") == 2


def test_tables_without_rows_can_be_a_failure(cluster, database, holdfast):
    cluster.sql(database, "CREATE TABLE t AS SELECT generate_series(1, 100) AS i; "
                          "CREATE TABLE bare (i int)")
    backup = holdfast.backup()
    result = holdfast.restore_fails(3, backup, "--to-database", database + "_copy",
                                    "--require-rows")
    assert "public.bare" in result.err
    assert database + "_copy" not in cluster.databases()
    assert temporary(cluster) == []


# --- another server ----------------------------------------------------------------------------------------------


def add_source(holdfast, name, cluster, user="postgres"):
    with open(holdfast.config, "a", encoding="utf-8") as config:
        config.write(f"[source {name}]\nengine = postgresql\nmethod = logical\n"
                     f"conninfo = {cluster.conninfo} user={user}\n")


def test_chosen_tables_need_their_own_roles_only(cluster, second_cluster, database, holdfast):
    owner, reader = database + "_owner", database + "_R o"
    cluster.sql("postgres", f'CREATE ROLE {owner}; CREATE ROLE "{reader}"')
    try:
        cluster.sql(database, f"""CREATE TABLE plain AS SELECT 1 AS i; CREATE TABLE owned AS SELECT 2 AS i;
            CREATE TABLE granted AS SELECT 3 AS i; ALTER TABLE owned OWNER TO {owner};
            GRANT SELECT ON granted TO "{reader}"; CREATE TABLE policed AS SELECT 4 AS i;
            CREATE POLICY p ON policed TO {owner}, "{reader}" USING (i > 3)""")
        backup = holdfast.backup()
        add_source(holdfast, "second", second_cluster)
        holdfast.restore(backup, "--to-source", "second", "--tables", "public.plain")
        for table, named in (("owned", {owner}), ("granted", {reader}), ("policed", {owner, reader})):
            result = holdfast.restore_fails(1, backup, "--to-source", "second", "--tables", f"public.{table}")
            assert {role for role in (owner, reader) if role in result.err} == named, result
        assert second_cluster.value(database, "SELECT count(*) FROM pg_class WHERE relnamespace = "
                                              "'public'::regnamespace") == 1
    finally:
        cluster.drop(database)
        cluster.sql("postgres", f'DROP ROLE {owner}; DROP ROLE "{reader}"')


def test_an_ordinary_role_restores(cluster, second_cluster, database, holdfast):
    owner = database + "_owner"
    cluster.sql("postgres", f"CREATE ROLE {owner}")
    try:
        cluster.sql(database, f"""ALTER DATABASE {database} OWNER TO {owner}; SET ROLE {owner};
            CREATE SCHEMA s; CREATE TABLE s.big AS SELECT i, repeat(md5(i::text), 4) AS t
                FROM generate_series(1, 60000) i;
            CREATE TABLE s.small (i int GENERATED ALWAYS AS IDENTITY, p text UNIQUE);
            INSERT INTO s.small (p) VALUES ('a'); GRANT SELECT ON s.big TO PUBLIC""")
        backup = holdfast.backup()
        second_cluster.sql("postgres", f"CREATE ROLE worker LOGIN CREATEDB; CREATE ROLE {owner}")
        add_source(holdfast, "second", second_cluster, "worker")

        result = holdfast.restore_fails(1, backup, "--to-source", "second")
        assert owner in result.err and "--no-owner" in result.err
        assert second_cluster.databases() == ["postgres"]
        holdfast.restore(backup, "--to-source", "second", "--no-owner")
        assert second_cluster.hashes(database) == cluster.hashes(database)
        assert second_cluster.value(database, "SELECT relowner::regrole::text FROM pg_class "
                                              "WHERE relname = 'big'") == "worker"
        second_cluster.sql("postgres", f"GRANT {owner} TO worker")
        holdfast.restore(backup, "--to-source", "second", "--replace")
        assert second_cluster.hashes(database) == cluster.hashes(database)
        assert second_cluster.value(database, "SELECT relowner::regrole::text FROM pg_class "
                                              "WHERE relname = 'big'") == owner

        cluster.sql(database, "CREATE EXTENSION pageinspect")
        result = holdfast.restore_fails(1, holdfast.backup("--source", "main"), "--to-source", "second",
                                        "--replace")
        assert "only a superuser may create extension pageinspect" in result.err
        assert second_cluster.hashes(database) == cluster.hashes(database)
    finally:
        cluster.drop(database)
        cluster.sql("postgres", f"DROP ROLE {owner}")


def test_missing_roles_are_named_and_come_with_globals(cluster, second_cluster, database, holdfast):
    role, odd = database + "_role", database + '_o"d;\nname'
    quoted = odd.replace('"', '""')
    cluster.sql("postgres", f"""CREATE ROLE {role} LOGIN PASSWORD 'secret-word';
        CREATE ROLE "{quoted}"; GRANT {role} TO "{quoted}" """)
    try:
        cluster.sql(database, f"""CREATE TABLE t (i int); INSERT INTO t VALUES (1);
            ALTER TABLE t OWNER TO {role}; GRANT SELECT ON t TO "{quoted}" """)
        backup = holdfast.backup()
        add_source(holdfast, "second", second_cluster)
        result = holdfast.restore_fails(1, backup, "--to-source", "second")
        assert role in result.err and "--globals" in result.err
        assert second_cluster.databases() == ["postgres"]

        holdfast.restore(backup, "--to-source", "second", "--no-owner")
        assert second_cluster.value(database, "SELECT relowner::regrole::text FROM pg_class "
                                    "WHERE relname = 't'") == "postgres"
        holdfast.restore(backup, "--to-source", "second", "--globals", "--replace")
        assert second_cluster.hashes(database) == cluster.hashes(database)
        acl = "SELECT relowner::regrole::text, relacl::text FROM pg_class WHERE relname = 't'"
        assert second_cluster.sql(database, acl) == cluster.sql(database, acl)
        password = "SELECT rolpassword FROM pg_authid WHERE rolname = %s"
        assert second_cluster.value("postgres", password, [role]) == cluster.value(
            "postgres", password, [role])
        # Again: everything is there, and is left alone.
        second_cluster.sql("postgres", f"ALTER ROLE {role} NOLOGIN")
        holdfast.restore(backup, "--to-source", "second", "--globals", "--replace")
        assert not second_cluster.value(
            "postgres", "SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [role])
    finally:
        cluster.drop(database)
        cluster.sql("postgres", f'DROP ROLE "{quoted}"; DROP ROLE {role}')


def test_everything_into_a_fresh_server(cluster, second_cluster, database, tmp_path):
    """initdb's own empty database is no obstacle."""
    cluster.sql(database, "CREATE TABLE t AS SELECT generate_series(1, 10) AS i")
    holdfast = Holdfast(tmp_path, cluster, extra="[source second]\nengine = postgresql\n"
                        f"method = logical\nconninfo = {second_cluster.conninfo}\n")
    backup = holdfast.backup("--source", "main")
    holdfast.restore(backup, "--to-source", "second", "--globals")
    assert second_cluster.databases() == cluster.databases()
    assert second_cluster.hashes(database) == cluster.hashes(database)


def test_a_missing_tablespace_is_told_before_anything_happens(
        cluster, second_cluster, database, holdfast):
    place = cluster.root / "space"
    os.mkdir(place)
    if os.geteuid() == 0:
        shutil.chown(place, "postgres")
    space = database + "_space"
    cluster.sql("postgres", f"CREATE TABLESPACE {space} LOCATION '{place}'")
    try:
        cluster.sql(database, f"CREATE TABLE t (i int) TABLESPACE {space}")
        backup = holdfast.backup()
        with open(holdfast.config, "a", encoding="utf-8") as config:
            config.write(f"[source second]\nengine = postgresql\nmethod = logical\n"
                         f"conninfo = {second_cluster.conninfo}\n")
        result = holdfast.restore_fails(1, backup, "--to-source", "second")
        assert space in result.err
        assert second_cluster.databases() == ["postgres"]
    finally:
        cluster.drop(database)
        cluster.sql("postgres", f"DROP TABLESPACE {space}")


def test_a_server_that_is_not_there_is_exit_5(cluster, database, holdfast, tmp_path):
    cluster.sql(database, "CREATE TABLE t AS SELECT 1 AS i")
    backup = holdfast.backup()
    with open(holdfast.config, "a", encoding="utf-8") as config:
        config.write("[source gone]\nengine = postgresql\nmethod = logical\n"
                     f"conninfo = host={tmp_path} port=1\n")
    holdfast.restore_fails(5, backup, "--to-source", "gone")


# --- dry runs, damage, kills -------------------------------------------------------------------------------------


def test_a_dry_run_changes_nothing(cluster, database, holdfast):
    load(cluster, database, "everything.sql")
    backup = holdfast.backup()
    before = cluster.everything()
    for arguments in (["--replace"], ["--to-database", database + "_copy"],
                      ["--tables", "app.parent*,app.heir,app.child,app.summary", "--replace"],
                      ["--tables", "app.*", "--to-database", database + "_copy", "--globals"]):
        result = holdfast.restore(backup, "--dry-run", "--json", *arguments).json
        assert result["dry_run"] and result["steps"]
    assert cluster.everything() == before
    assert temporary(cluster) == []


def test_a_damaged_object_is_found_before_anything_is_changed(cluster, database, holdfast):
    cluster.sql(database, "CREATE TABLE t AS SELECT generate_series(1, 5000) AS i")
    backup = holdfast.backup()
    folder = holdfast.repository / "backups" / backup
    data = sorted(path for path in (folder / "data").rglob("*") if path.is_file()
                  and "globals" not in path.name)
    assert data
    before = cluster.everything()
    for path in data:
        whole = path.read_bytes()
        broken = bytearray(whole)
        broken[len(broken) // 2] ^= 0x40
        path.chmod(0o600)
        path.write_bytes(bytes(broken))
        result = holdfast.restore_fails(3, backup, "--replace")
        assert path.name in result.err
        path.write_bytes(whole)
    assert cluster.everything() == before
    holdfast.restore(backup, "--replace")


def test_damage_that_only_loading_finds_leaves_the_old_database(cluster, database, tmp_path):
    """The rows of a big table are proved while they are loaded: whatever the server says about broken ones,
    damage is what is told, and nothing has changed."""
    cluster.sql(database, "CREATE TABLE big AS SELECT i, repeat(md5(i::text), 4) AS t FROM generate_series(1, 40000) i")
    for codec in ("zstd:1", "none"):
        (tmp_path / codec[:4]).mkdir()
        holdfast = Holdfast(tmp_path / codec[:4], cluster, extra=f"databases = {database}\n")
        text = holdfast.config.read_text(encoding="utf-8")
        holdfast.config.write_text(text.replace("[server]", f"compression = {codec}\n[server]", 1), encoding="utf-8")
        backup = holdfast.backup()
        data = (holdfast.repository / "backups" / backup / "data").rglob("*")
        big = max((path for path in data if path.is_file()), key=lambda path: path.stat().st_size)
        before = cluster.everything()
        whole = big.read_bytes()
        big.chmod(0o600)
        # A tab in the middle of a row becomes a letter, or the compressed stream breaks.
        place = whole.index(b"\t", len(whole) // 2)
        big.write_bytes(whole[:place] + b"x" + whole[place + 1:])
        for arguments in (["--replace"], ["--replace", "--dry-run"]):
            result = holdfast.restore_fails(3, backup, *arguments)
            assert big.name in result.err and "holdfast verify" in result.err
        big.write_bytes(whole[:-1])
        result = holdfast.restore_fails(3, backup, "--replace")
        assert big.name in result.err and "bytes" in result.err
        assert cluster.everything() == before
        big.write_bytes(whole)
        holdfast.restore(backup, "--replace")


def test_a_missing_extension_is_named_before_anything_is_done(cluster, database, holdfast):
    folder = pathlib.Path(cluster.value(database, "SELECT setting FROM pg_config WHERE name = 'SHAREDIR'")) / "extension"
    if not os.access(folder, os.W_OK):
        pytest.skip("extensions cannot be made here")
    name = "holdfast_test_extension"
    files = {f"{name}.control": "default_version = '1.0'\nrelocatable = true\n",
             f"{name}--1.0.sql": "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';\n"}
    try:
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        cluster.sql(database, f"CREATE EXTENSION {name}; CREATE TABLE t AS SELECT one() AS i")
        backup = holdfast.backup()
    finally:
        for file in files:
            (folder / file).unlink(missing_ok=True)
    before = cluster.everything()
    for arguments in (["--dry-run"], []):
        result = holdfast.restore_fails(1, backup, "--to-database", database + "_copy", *arguments)
        assert f"extension {name} of database {database} is not available" in result.err
        assert "hint: install its package" in result.err
    assert cluster.everything() == before
    assert temporary(cluster) == []
    # What does not need it can be had all the same.
    holdfast.restore(backup, "--tables", "public.t", "--to-database", database + "_copy")
    assert cluster.value(database + "_copy", "SELECT i FROM t") == 1


def big_tables(cluster, database):
    cluster.sql(database, """
        CREATE TABLE a AS SELECT i, repeat(md5(i::text), 4) AS t FROM generate_series(1, 60000) i;
        CREATE TABLE b AS SELECT * FROM a;
        CREATE INDEX ON a (t); CREATE INDEX ON b (t); ALTER TABLE a ADD PRIMARY KEY (i);
        ALTER TABLE b ADD FOREIGN KEY (i) REFERENCES a (i)""")


def test_a_big_table_is_loaded_without_pg_restore(cluster, database, tmp_path):
    """Rows that are in the table frozen did not come in through pg_restore."""
    name = database + "_latin"
    cluster.sql("postgres", f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' "
                            "LC_COLLATE 'C' LC_CTYPE 'C'")
    cluster.sql(name, """
        CREATE SCHEMA "the s";
        CREATE TABLE "the s"."t ""1\\" (i bigint GENERATED ALWAYS AS IDENTITY, t text, d xml, v interval, b bytea,
            n numeric[], g bigint GENERATED ALWAYS AS (length(t)) STORED);
        INSERT INTO "the s"."t ""1\\" (t, d, v, b, n)
            SELECT CASE i % 4 WHEN 0 THEN E'\\\\.\n' WHEN 1 THEN NULL ELSE repeat('é\t' || i, 30) END,
                xmlparse(content 'é<b/>' || i), i * interval '-1 month 3 days -2 seconds', sha256(i::text::bytea),
                ARRAY[i, NULL, 'NaN'::numeric] FROM generate_series(1, 30000) i;
        CREATE TABLE inherits () INHERITS ("the s"."t ""1\\");
        INSERT INTO inherits (i, t) VALUES (1, 'below');
        CREATE TABLE "the s"."é" AS SELECT repeat('é', 500) AS t FROM generate_series(1, 20000)""")
    holdfast = Holdfast(tmp_path, cluster, extra=f"databases = {name}\n")
    backup = holdfast.backup()
    copy = name + "_copy"
    holdfast.restore(backup, "--to-database", copy)
    assert_same(cluster, name, copy)
    facts = """SELECT last_value FROM "the s"."t ""1\\_i_seq" """
    assert cluster.value(copy, facts) == cluster.value(name, facts) == 30000
    cluster.sql(copy, "CREATE EXTENSION pageinspect")
    assert cluster.value(copy, """SELECT bool_and(t_infomask & 768 = 768) FROM heap_page_items(
        get_raw_page(E'"the s"."t ""1\\\\"', 0))""")


def test_killed_at_any_moment_the_old_database_stays(cluster, database, holdfast):
    big_tables(cluster, database)
    backup = holdfast.backup()
    cluster.sql(database, "CREATE TABLE later AS SELECT 1 AS i")
    before = cluster.hashes(database)
    start = time.monotonic()
    holdfast.restore(backup, "--to-database", database + "_whole")
    whole = time.monotonic() - start
    for point in range(20):
        child = holdfast.start("restore", "postgresql", "full", "--backup-id", backup, "--replace")
        time.sleep(whole * (point + 0.5) / 20)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert database in cluster.databases()
        found = cluster.hashes(database)
        # Either nothing has happened, or (a kill behind the rename) all of it.
        assert found == before or ("public", "later") not in found
        if found != before:
            cluster.sql(database, "CREATE TABLE later AS SELECT 1 AS i")
    holdfast.restore(backup, "--to-database", database + "_next")
    assert temporary(cluster) == []
    assert cluster.hashes(database + "_next") == cluster.hashes(database + "_whole")


def test_killed_while_merging_tables_the_old_tables_stay(cluster, database, holdfast):
    big_tables(cluster, database)
    backup = holdfast.backup()
    whole = cluster.hashes(database)
    cluster.sql(database, "DELETE FROM b WHERE i % 2 = 0")
    before, oids = cluster.hashes(database), cluster.table_oids(database)
    arguments = ["restore", "postgresql", "full", "--backup-id", backup, "--tables", "public.b",
                 "--replace"]
    for _ in range(8):
        child = holdfast.start(*arguments)
        time.sleep(random.uniform(0.02, 0.5))
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert wait_until(lambda: cluster.value(
            "postgres", "SELECT count(*) FROM pg_stat_activity WHERE datname = %s "
            "AND application_name <> ''", [database]) == 0)
        # Nothing has happened, or (a kill behind the commit) all of it.
        if cluster.table_oids(database) != oids:
            assert cluster.hashes(database) == whole
            cluster.sql(database, "DELETE FROM b WHERE i % 2 = 0")
            oids = cluster.table_oids(database)
        assert cluster.hashes(database) == before
    holdfast.ok(*arguments)
    assert cluster.hashes(database) == whole


def test_a_restore_that_runs_is_no_leftover(cluster, database, holdfast):
    cluster.sql(database, "CREATE TABLE t AS SELECT generate_series(1, 300000) AS i")
    backup = holdfast.backup()
    child = holdfast.start("restore", "postgresql", "full", "--backup-id", backup, "--to-database",
                           database + "_slow")
    assert wait_until(lambda: temporary(cluster) != [] or child.poll() is not None)
    holdfast.restore(backup, "--to-database", database + "_fast")
    assert child.wait() == 0
    assert cluster.hashes(database + "_slow") == cluster.hashes(database + "_fast")


@pytest.mark.parametrize("rows", [1, 60000], ids=["pg_restore", "own loading"])
def test_a_cut_connection_is_an_error_and_leaves_nothing(cluster, database, holdfast, rows):
    """A row that is long in coming in, in the restore's own database only, holds the loading for the cut."""
    cluster.sql(database, f"""
        CREATE FUNCTION waits(i int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
            IF current_database() ~ '^holdfast_' THEN PERFORM pg_sleep(600); END IF;
            RETURN true; END $$;
        CREATE TABLE a (i int CHECK (public.waits(i)), t text);
        INSERT INTO a SELECT i, repeat(md5(i::text), 4) FROM generate_series(1, {rows}) i""")
    backup = holdfast.backup()
    before = cluster.hashes(database)
    child = holdfast.start("restore", "postgresql", "full", "--backup-id", backup, "--replace")
    cut = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname ~ '^holdfast_' AND wait_event = 'PgSleep'"""
    assert wait_until(lambda: cluster.value("postgres", cut) > 0)
    assert child.wait() in (1, 5)
    assert cluster.hashes(database) == before
    assert temporary(cluster) == []


# --- tables ------------------------------------------------------------------------------------------------------


def test_a_dropped_table_comes_back_alone(cluster, database, holdfast):
    load(cluster, database, "everything.sql")
    backup = holdfast.backup()
    schema, hashes = cluster.schema(database), cluster.hashes(database)
    others = cluster.table_oids(database)
    cluster.sql(database, "DROP TABLE app.child")
    del others["app", "child"]
    holdfast.restore(backup, "--tables", "app.child")
    assert cluster.hashes(database) == hashes
    assert sorted(cluster.schema(database).splitlines()) == sorted(schema.splitlines())
    now = cluster.table_oids(database)
    del now["app", "child"]
    assert now == others


def test_a_table_that_exists_is_refused_or_replaced_alone(cluster, database, holdfast):
    cluster.sql(database, """
        CREATE TABLE a (i serial PRIMARY KEY, t text); INSERT INTO a (t) SELECT 'x' FROM
        generate_series(1, 50); CREATE TABLE b AS SELECT * FROM a""")
    backup = holdfast.backup()
    cluster.sql(database, "DELETE FROM a WHERE i > 5; DELETE FROM b; CREATE TABLE later ()")
    result = holdfast.restore_fails(1, backup, "--tables", "public.a")
    assert "public.a" in result.err and "--replace" in result.err
    holdfast.restore(backup, "--tables", "public.a", "--replace")
    assert cluster.value(database, "SELECT count(*) FROM a") == 50
    assert cluster.value(database, "SELECT count(*) FROM b") == 0
    assert cluster.value(database, "SELECT nextval('a_i_seq')") == 51
    assert cluster.value(database, "SELECT to_regclass('later')") is not None


def test_what_depends_on_a_replaced_table_is_named(cluster, database, holdfast):
    cluster.sql(database, """
        CREATE TABLE a (i int PRIMARY KEY); INSERT INTO a VALUES (1);
        CREATE TABLE b (i int REFERENCES a); INSERT INTO b VALUES (1);
        CREATE VIEW v AS SELECT * FROM a""")
    backup = holdfast.backup()
    before, oids = cluster.everything(), cluster.table_oids(database)
    result = holdfast.restore_fails(1, backup, "--tables", "public.a", "--replace", "--json")
    problems = " ".join(result.json["problems"])
    assert "b_i_fkey" in problems and "view" in problems and "v" in problems
    assert cluster.everything() == before and cluster.table_oids(database) == oids
    holdfast.restore(backup, "--tables", "public.a,public.b,public.v", "--replace")
    assert cluster.everything() == before
    assert cluster.table_oids(database) != oids


def test_a_foreign_key_to_a_table_that_is_nowhere_is_left_out(cluster, database, holdfast):
    cluster.sql(database, """
        CREATE TABLE a (i int PRIMARY KEY); INSERT INTO a VALUES (1);
        CREATE TABLE b (i int REFERENCES a, self int UNIQUE REFERENCES b (self));
        INSERT INTO b VALUES (1, 1)""")
    backup = holdfast.backup()
    copy = database + "_copy"
    result = holdfast.restore(backup, "--tables", "public.b", "--to-database", copy, "--json").json
    assert any("b_i_fkey" in warning for warning in result["warnings"])
    keys = "SELECT array_agg(conname::text ORDER BY 1) FROM pg_constraint WHERE contype = 'f'"
    assert cluster.value(copy, keys) == ["b_self_fkey"]
    # Where the table is, the key comes.
    cluster.sql(database, "DROP TABLE b")
    holdfast.restore(backup, "--tables", "public.b")
    assert cluster.value(database, keys) == ["b_i_fkey", "b_self_fkey"]


def test_tables_bring_what_they_need_into_a_fresh_database(cluster, database, holdfast):
    load(cluster, database, "everything.sql")
    backup = holdfast.backup()
    hashes = cluster.hashes(database)
    for number, tables in enumerate(["app.every_type", "app.parent", "app.heir", "app.trades",
                                     "app.child,app.parent", "app.summary,app.parent,app.heir",
                                     "app.trades_2026", "app.remote", "app.parents", "app.*"]):
        copy = f"{database}_{number}"
        holdfast.restore(backup, "--tables", tables, "--to-database", copy)
        found = cluster.hashes(copy)
        for name in tables.split(","):
            table = tuple(name.split("."))
            if table in hashes:
                assert found[table] == hashes[table], tables
        cluster.client("psql", "-X", "-c", "SELECT 1", "-d", dbname(copy))
    trades = {name: value for name, value in cluster.hashes(f"{database}_3").items()}
    assert trades == {name: value for name, value in hashes.items() if "trades" in name[1]}
    assert cluster.value(f"{database}_1", "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") == 1
    assert cluster.value(f"{database}_1", "SELECT count(*) FROM pg_policy") == 1
    assert cluster.value(f"{database}_1", "SELECT count(*) FROM pg_statistic_ext") == 1
    assert cluster.value(f"{database}_1", "SELECT last_value FROM app.parent_k_seq") == 104
    assert cluster.value(f"{database}_0", "SELECT last_value FROM app.tickets") == cluster.value(
        database, "SELECT last_value FROM app.tickets")
    # All tables at once is the whole database, but for what no table needs.
    assert cluster.hashes(f"{database}_9") == hashes


def test_plain_inheritance(cluster, database, holdfast):
    """A table brings its own rows, neither its heirs nor theirs; an heir brings the definition of what it inherits from."""
    cluster.sql(database, "CREATE TABLE base (id int); CREATE TABLE heir (more int) INHERITS (base);"
                          "INSERT INTO base VALUES (1), (2); INSERT INTO heir VALUES (3, 4)")
    backup = holdfast.backup()
    for name, rows in (("base", 2), ("heir", 1)):
        copy = f"{database}_{name}"
        result = holdfast.restore(backup, "--databases", database, "--to-database", copy, "--tables",
                                  f"public.{name}", "--json")
        assert result.json["summary"]["rows"] == rows
        assert cluster.value(copy, f"SELECT count(*) FROM {name}") == rows
        assert cluster.value(copy, "SELECT count(*) FROM ONLY base") == (2 if name == "base" else 0)
        told = any("base comes without its rows" in warning for warning in result.json["warnings"])
        assert told == (name == "heir")
    assert cluster.value(f"{database}_base", "SELECT to_regclass('heir') IS NULL")


def test_a_partition_comes_back_into_its_table(cluster, database, holdfast):
    load(cluster, database, "everything.sql")
    backup = holdfast.backup()
    schema, hashes = cluster.schema(database), cluster.hashes(database)
    cluster.sql(database, "DROP TABLE app.trades_2026")
    holdfast.restore(backup, "--tables", "app.trades_2026")
    assert cluster.hashes(database) == hashes
    assert sorted(cluster.schema(database).splitlines()) == sorted(schema.splitlines())
    # A partitioned table is replaced with all its partitions; one that came later is named.
    cluster.sql(database, "CREATE TABLE app.trades_2027 PARTITION OF app.trades FOR VALUES FROM "
                          "('2027-01-01') TO ('2028-01-01')")
    result = holdfast.restore(backup, "--tables", "app.trades", "--replace", "--json").json
    assert any("trades_2027" in warning for warning in result["warnings"])
    assert cluster.hashes(database) == hashes


def test_hostile_tables_one_by_one(cluster, database, holdfast):
    load(cluster, database, "hostile.sql")
    backup = holdfast.backup()
    before = cluster.hashes(database)
    schema = cluster.schema(database)
    assert len(before) == 10
    for schema_name, table in before:
        def escape(name):
            return "".join("\\" + c if c in "\\.*,\"" else c for c in name)
        pattern = f"{escape(schema_name)}.{escape(table)}"
        cluster.sql(database, 'DELETE FROM "%s"."%s"' % (schema_name, table.replace('"', '""')))
        holdfast.restore(backup, "--tables", pattern, "--replace")
        assert cluster.hashes(database) == before, pattern
    assert sorted(cluster.schema(database).splitlines()) == sorted(schema.splitlines())
    copy = database + "_copy"
    holdfast.restore(backup, "--tables", '"semi;colon".*', "--to-database", copy)
    assert set(cluster.hashes(copy)) == {name for name in before if name[0] == "semi;colon"}
    assert not pathlib.Path("/tmp/broken-out").exists()


def test_a_failing_merge_changes_nothing(cluster, database, holdfast):
    cluster.sql(database, """
        CREATE TABLE a (i int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 10);
        CREATE TABLE b (i int REFERENCES a); INSERT INTO b SELECT generate_series(1, 10)""")
    backup = holdfast.backup()
    cluster.sql(database, "DELETE FROM b WHERE i = 10; DELETE FROM a WHERE i = 10")
    before, oids = cluster.everything(), cluster.table_oids(database)
    result = holdfast.restore_fails(1, backup, "--tables", "public.b", "--replace")
    assert "b_i_fkey" in result.err
    assert cluster.everything() == before and cluster.table_oids(database) == oids


def test_patterns_that_fit_nothing(cluster, database, holdfast):
    cluster.sql(database, "CREATE TABLE a (i int)")
    backup = holdfast.backup()
    before = cluster.everything()
    holdfast.restore_fails(2, backup, "--tables", "public.a,public.nope", "--replace")
    holdfast.restore_fails(2, backup, "--tables", "a", "--replace")
    assert cluster.everything() == before


def test_types_of_the_target_are_used_where_they_are(cluster, database, holdfast):
    cluster.sql(database, """
        CREATE TYPE mood AS ENUM ('a', 'b'); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS
        'SELECT 1'; CREATE TABLE t (m mood, i int DEFAULT f()); INSERT INTO t VALUES ('a')""")
    backup = holdfast.backup()
    copy = database + "_copy"
    cluster.create(copy)
    cluster.sql(copy, "CREATE TYPE mood AS ENUM ('a', 'b', 'c')")
    holdfast.restore(backup, "--tables", "public.t", "--to-database", copy)
    assert cluster.hashes(copy) == cluster.hashes(database)
    assert cluster.value(copy, "SELECT enum_range(NULL::mood)::text") == "{a,b,c}"
