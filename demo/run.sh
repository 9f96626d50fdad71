#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The demo: a made-up market database is backed up, broken and brought back, every command shown before it runs; first
# on PostgreSQL, then on TDengine (tdengine.sh).
#
# It works on a PostgreSQL cluster of its own, in a temporary directory and behind a unix socket in it, and on a TDengine
# server of its own; no other server is touched. At the end, at a failure or at Ctrl-C everything is stopped and removed.
# With --serve the service runs at the end, until Ctrl-C.

set -eu
cd "$(dirname "$0")/.."
root=$PWD
serve=
case ${1-} in
'') ;;
--serve) serve=yes ;;
*)
    echo "demo: \"$1\" is no option; there is --serve" >&2
    exit 2
    ;;
esac
bin=/usr/lib/postgresql/15/bin
owner=postgres # who runs the cluster when root starts the demo: the server refuses to run as root

[ -x build/holdfast ] || {
    echo "demo: build/holdfast is missing; run: ./run demo" >&2
    exit 1
}

if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then
    bold=$(printf '\033[1m') green=$(printf '\033[32m') plain=$(printf '\033[0m')
else
    bold='' green='' plain=''
fi

# A heading with a sentence or two, before the commands that it explains.
tell() {
    printf '\n%s%s%s\n' "$bold" "$1" "$plain"
    shift
    for line in "$@"; do
        printf '%s\n' "$line"
    done
}

show() {
    printf '\n%s$ %s%s\n' "$green" "$1" "$plain"
}

# Shows a command line, then runs it; the demo ends when it fails.
run() {
    show "$1"
    doing=$1
    eval "$1"
    doing=
}

# The same as the account that runs the server: where its archive_command and restore_command run too.
run_as_owner() {
    show "$1"
    doing=$1
    as_owner env HOLDFAST_CONFIG="$physical/holdfast.conf" sh -c "$1"
    doing=
}

# --- a place of our own, removed whatever happens -------------------------------------------------

# A unix socket's path has 107 bytes at most.
place=${TMPDIR:-/tmp}
[ "${#place}" -le 60 ] || place=/tmp
work=$(mktemp -d "$place/holdfast-demo.XXXXXX")
started=
tdengine=
doing=

clean_up() {
    status=$?
    trap - EXIT
    trap '' INT TERM HUP
    cd "$root"
    [ "$status" -eq 0 ] || [ -z "$doing" ] || printf '\ndemo: stopped (exit status %s) in: %s\n' "$status" "$doing" >&2
    [ ! -e "$work/server/restored/postmaster.pid" ] ||
        as_owner "$bin/pg_ctl" -D "$work/server/restored" -m immediate -w stop >/dev/null 2>&1 || true
    [ -z "$started" ] || as_owner "$bin/pg_ctl" -D "$work/server/data" -m immediate -w stop >/dev/null 2>&1 || true
    [ -z "$tdengine" ] || kill "$tdengine" 2>/dev/null || true
    [ -z "$tdengine" ] || wait "$tdengine" || true
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

as_owner() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && exec setpriv --reuid="$owner" --regid="$owner" --init-groups "$@")
    else
        "$@"
    fi
}

start_cluster() {
    chmod 711 "$work"
    mkdir -m 700 "$work/server"
    [ "$(id -u)" -ne 0 ] || chown "$owner" "$work/server"
    as_owner "$bin/initdb" -D "$work/server/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
        >"$work/initdb.log" 2>&1 || {
        cat "$work/initdb.log" >&2
        return 1
    }
    started=yes
    # Nothing in this cluster outlives the demo, so it need not wait for the disk.
    as_owner "$bin/pg_ctl" -D "$work/server/data" -l "$work/server/log" -w -o "-c listen_addresses='' \
        -c unix_socket_directories='$work/server' -c port=$PGPORT -c fsync=off -c shared_buffers=128MB \
        -c max_wal_size=2GB" start >/dev/null || {
        cat "$work/server/log" >&2
        return 1
    }
}

# --- the demo -------------------------------------------------------------------------------------

begun=$(date +%s)

# Nothing of the user's own PostgreSQL or Holdfast settings may reach in here.
for name in $(env | sed -n 's/^\(PG[A-Z]*\)=.*/\1/p'); do
    unset "$name"
done
export PGHOST="$work/server" PGPORT=5499 PGUSER=postgres
export PAGER=cat PSQL_PAGER=cat # nothing waits for a key
export HOLDFAST_CONFIG="$work/holdfast.conf"
programs=$root/build
# Root's home is closed to the account of the server, which runs the program, too.
as_owner test -x "$programs/holdfast" || {
    programs=$work/programs
    mkdir -m 755 "$programs"
    cp "$root/build/holdfast" "$root/build/holdfast-program" "$programs"
    chmod 755 "$programs"/*
    chmod 711 "$work"
}
export PATH="$programs:$bin:$PATH"

tell "A PostgreSQL cluster, only for this demo" \
    "It lives in $work/server, listens on a unix socket there, and goes away with the demo." \
    "The settings PGHOST, PGPORT, PGUSER and HOLDFAST_CONFIG point at it."
start_cluster
run 'createdb market'

tell "Some 200 MB of market data" \
    "Daily bars, partitioned trades, news with jsonb and text search, views, functions, triggers, large objects."
run 'psql -X -q -v ON_ERROR_STOP=1 -f demo/market.sql market'
run "psql -X -At -c \"select pg_size_pretty(pg_database_size('market'))\" market"

tell "1. A configuration and a repository" \
    "Without a configuration, init writes one that explains every key. This one is short, and keeps everything" \
    "inside the demo's directory; init makes the repository that it names."
show "cat >\$HOLDFAST_CONFIG"
(umask 077 && cat <<END | tee "$HOLDFAST_CONFIG"
[general]
state_directory = $work/state
runtime_directory = $work/run

[repository]
path = $work/repository

[source market]
engine = postgresql
conninfo = host=$PGHOST port=$PGPORT user=$PGUSER
databases = market
method = logical
END
)
run 'holdfast init'

tell "2. Is everything there that a backup needs?" \
    "One line per fact; what is wrong comes with a hint."
run 'holdfast check market'

tell "3. A full backup" \
    "pg_dump archives from one snapshot, compressed with zstd, every row counted in that same snapshot."
run 'holdfast backup postgresql full'
run 'holdfast list backups'
backup=$(holdfast list backups --json | sed -n 's/.*"id" *: *"\([^"]*\)".*/\1/p' | head -n 1)
[ -n "$backup" ] || {
    echo "demo: no backup is listed" >&2
    exit 1
}

tell "4. Is it whole?" \
    "verify reads every object again: presence, size, SHA-256, and the archives' own structure."
run "holdfast verify $backup"

tell "5. An accident" \
    "A table with 60,000 orders is dropped, as happens on a Friday afternoon."
orders='\"Back Office\".\"Orders & Fills\"'
run "psql -X -c \"drop table $orders\" market"

tell "6. That table comes back" \
    "First a dry run: it checks everything that could fail and changes nothing. Then the restore itself," \
    "into the live database; the other tables are not touched. Rows are counted and compared with the backup."
run "holdfast restore postgresql full --backup-id $backup --tables 'Back Office.Orders & Fills' --dry-run"
run "holdfast restore postgresql full --backup-id $backup --tables 'Back Office.Orders & Fills'"
run "psql -X -c \"select count(*) from $orders\" market"

tell "7. The whole database, beside the old one"
run "holdfast restore postgresql full --backup-id $backup --to-database market_copy"

tell "8. Are they the same?" \
    "Not Holdfast but PostgreSQL says so: for every table the rows and a hash over all of them, in both databases;" \
    "then the whole schema, as pg_dump prints it."
for database in market market_copy; do
    run "psql -X -At -q -v ON_ERROR_STOP=1 -f demo/fingerprint.sql $database >$work/$database.rows"
    # Newer versions of pg_dump fence the dump with a random key.
    run "pg_dump --schema-only $database | grep -v 'restrict ' >$work/$database.schema"
done
doing="comparing market with market_copy"
paste -d '|' "$work/market.rows" "$work/market_copy.rows" | awk -F'|' '
    BEGIN { printf "\n%-42s %10s  %-16s  %s\n", "table", "rows", "hash", "market_copy" }
    {
        same = ($1 == $4 && $2 == $5 && $3 == $6)
        different += !same
        printf "%-42s %10s  %-16s  %s\n", $1, $2, $3, same ? "same" : "DIFFERENT: " $4 " " $5 " " $6
    }
    END {
        printf "%d compared, %d different\n", NR, different
        exit NR == 0 || different > 0
    }'
run "diff $work/market.schema $work/market_copy.schema && echo the schemas are the same"

tell "9. What the backup knows about itself" \
    "And without Holdfast: coreutils check it, plain zstd and pg_restore read it."
run "holdfast show $backup"
run "(cd $work/repository/backups/$backup && sha256sum --quiet -c SHA256SUMS) && echo every object is as recorded"
archive=$(find "$work/repository/backups/$backup/data" -name '*.zst' -size +64k | sort | head -n 1)
[ -z "$archive" ] || run "zstd -dcq $archive | pg_restore -l | sed -n '/^; Selected/,\$p' | head -n 8"

tell "10. Any moment: a physical backup and the WAL archive" \
    "The server hands every piece of its log (WAL) to holdfast. The repository is the server's own account's."
physical="$work/server/physical"
mkdir "$physical"
show "cat >$physical/holdfast.conf"
(umask 077 && cat <<END | tee "$physical/holdfast.conf"
[general]
state_directory = $physical/state
runtime_directory = $physical/run

[repository]
path = $physical/repository

[source market]
engine = postgresql
conninfo = host=$PGHOST port=$PGPORT user=$PGUSER
END
)
[ "$(id -u)" -ne 0 ] || chown -R "$owner" "$physical"
run_as_owner 'holdfast init'
push="$programs/holdfast wal push %p --config $physical/holdfast.conf"
run "psql -X -c \"alter system set archive_mode = on\" -c \"alter system set archive_command = '$push'\""
run_as_owner "pg_ctl -D $work/server/data -l $work/server/log -w -s restart"
run_as_owner 'holdfast backup postgresql full'

tell "11. Changes, and an incremental" \
    "Only extents that differ are stored; the backup is complete all the same, and depends on no other."
run "psql -X -c \"insert into $orders select * from $orders limit 0\" -c \"create table public.audit as select * from generate_series(1, 100000) id\" market"
run_as_owner 'holdfast backup postgresql incremental'
run_as_owner 'holdfast list backups'

tell "12. Oops, deleted" \
    "A thousand orders go, at a moment that we know; life goes on."
sleep 2
oops=$(psql -X -At -c "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')")
sleep 1
some="select ctid from $orders order by md5(ctid::text) limit 1000"
run "psql -X -At -q -c \"delete from $orders t where ctid = any (array($some)) returning to_json(t)\" market >$work/deleted"
run 'psql -X -c "insert into public.audit values (0)" market'
segment=$(psql -X -At -c 'select pg_walfile_name(pg_switch_wal())')
until find "$physical/repository/wal" -name "$segment" | grep -q .; do
    sleep 0.2
done

tell "13. Back to one second before" \
    "Into a directory of its own, beside the live server. The plan first: which backup, how much, how far."
target="$(date -u -d "$oops UTC - 1 second" '+%Y-%m-%dT%H:%M:%SZ')"
pitr="holdfast restore postgresql pitr --target-time $target --target-action promote --target-directory $work/server/restored"
run_as_owner "$pitr --dry-run"
run_as_owner "$pitr"
run_as_owner "pg_verifybackup $work/server/restored"
run_as_owner "pg_ctl -D $work/server/restored -l $work/server/restored.log -w -s start \
    -o \"-c listen_addresses='' -c unix_socket_directories=$work/server -c port=5498 -c archive_mode=off\""
until [ "$(psql -X -At -p 5498 -c 'select pg_is_in_recovery()')" = f ]; do
    sleep 0.2
done

tell "14. Exactly those rows are back" \
    "What the restored server has and the live one has not, beside what the delete returned."
for port in 5499 5498; do
    run "psql -X -At -q -p $port -c \"select to_json(t) from $orders t\" market | LC_ALL=C sort >$work/orders.$port"
done
run "LC_ALL=C comm -13 $work/orders.5499 $work/orders.5498 >$work/back"
run "LC_ALL=C sort $work/deleted | diff - $work/back && echo \"$(wc -l <"$work/deleted") orders were deleted, the same \$(wc -l <$work/back) are back\""

tell "15. Who restored what" \
    "Every restore, dry or not, leaves a record in its repository: those of the logical backup, then the other."
run 'holdfast list recoveries'
run_as_owner 'holdfast list recoveries'

. demo/tdengine.sh

[ -z "$serve" ] || . demo/serve.sh

tell "Done in $(($(date +%s) - begun)) seconds." \
    "The servers and the repositories are removed now. Your own database in five minutes: see README.md."
