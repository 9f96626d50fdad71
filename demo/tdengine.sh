# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The TDengine half of the demo; run.sh reads it, after the PostgreSQL half.

tell "And TDengine: ticks and minute bars" \
    "A private server, only for this demo, on 127.0.0.1; where none is installed, a stand-in that keeps rows in memory."
mkfifo "$work/tdengine.in" "$work/tdengine.out"
/usr/bin/python3 demo/tdengine.py serve <"$work/tdengine.in" >"$work/tdengine.out" 2>"$work/tdengine.log" &
tdengine=$!
exec 8>"$work/tdengine.in" 9<"$work/tdengine.out"
doing="starting TDengine"
read -r TD <&9 && read -r kind <&9 || {
    cat "$work/tdengine.log" >&2
    exit 1
}
doing=
export TD
printf '%s\n' "This one is $kind. The setting TD is its URL."
td_sql() {
    /usr/bin/python3 demo/tdengine.py sql "$TD" "$1"
}
run "/usr/bin/python3 demo/tdengine.py fill \$TD"

tell "16. A configuration, and is everything there?"
export HOLDFAST_CONFIG="$work/tdengine.conf"
show "cat >\$HOLDFAST_CONFIG"
(umask 077 && cat <<END | tee "$HOLDFAST_CONFIG"
[general]
state_directory = $work/td-state
runtime_directory = $work/td-run

[repository]
path = $work/td-repository

[source ticks]
engine = tdengine
url = $TD
END
)
run 'holdfast init'
run 'holdfast check ticks'

tell "17. A full backup" \
    "Schema, exact tags, and all rows as Parquet: few large files, each with a count and a fingerprint per child table."
run 'holdfast backup tdengine full'
run 'holdfast list backups'
backup=$(holdfast list backups --json | sed -n 's/.*"id" *: *"\([^"]*\)".*/\1/p' | head -n 1)
[ -n "$backup" ] || {
    echo "demo: no TDengine backup is listed" >&2
    exit 1
}
run "holdfast verify $backup"

tell "18. A query on the Parquet files" \
    "Any program that reads Parquet can: this one is the tool's own. First rows, then the volume by instrument."
slice=$(zstd -dcq "$work/td-repository/backups/$backup/details-slices.jsonl.zst" | grep '"table": *"bars_1m"' |
    sed -n 's/.*"data": *{[^}]*"sha256": *"\([0-9a-f]*\)".*/\1/p' | head -n 1)
file=$(find "$work/td-repository/pool" -name "${slice:-none}")
[ -n "$file" ] || {
    echo "demo: no slice of the bars is found" >&2
    exit 1
}
run "holdfast parquet cat $file --limit 3"
by_table="awk -F, 'NR > 1 { sum[\$1] += \$2 } END { for (t in sum) print sum[t], t }'"
run "holdfast parquet cat $file --columns tbname,volume | $by_table | sort -rn | head -n 3"

tell "19. An accident" \
    "What is in the tables, told by the server; then the ticks are dropped, with all their child tables."
sums='SELECT COUNT(*), SUM(volume), SUM(trade), MIN(price), MAX(price) FROM market_data.ticks'
tables="SELECT COUNT(*) FROM information_schema.ins_tables WHERE db_name = 'market_data' AND stable_name = 'ticks'"
show "SQL: $sums"
td_sql "$sums" | tee "$work/ticks.before"
td_sql "$tables" | tee "$work/tables.before"
show "SQL: DROP STABLE market_data.ticks"
td_sql 'DROP STABLE market_data.ticks' >"$work/dropped"

tell "20. The ticks come back" \
    "The plan, then the restore. Every child table is counted; with --deep everything is read back, and the fingerprint" \
    "of each is compared with the one of the backup. The bars are not touched."
run "holdfast restore tdengine full --backup-id $backup --tables ticks --dry-run"
run "holdfast restore tdengine full --backup-id $backup --tables ticks --deep"

tell "21. Is it the same?" "The server says so."
show "SQL: $sums"
td_sql "$sums" | tee "$work/ticks.after"
td_sql "$tables" | tee "$work/tables.after"
run "diff $work/ticks.before $work/ticks.after && diff $work/tables.before $work/tables.after && echo the same"
