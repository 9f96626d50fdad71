#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Every test, in one run: build, layering check, unit tests (plain, with address and undefined behaviour
# sanitizers, with the thread sanitizer), short fuzz runs, system tests. Called by "./run test", which has
# installed what is needed.
#
# The sanitizers make the compiler see uninitialised variables where there are none, so only the plain build
# takes warnings for errors.
#
# Each part leaves a file that a program can read (meson's testlog, JUnit XML, a list of steps) in build-results/;
# tests/summary.py adds them up, prints what was skipped and why, and decides the exit status.

set -u
cd "$(dirname "$0")/.." || exit

results=build-results
steps=$results/steps.tsv
fuzz_seconds=${FUZZ_SECONDS:-10}
# So many fuzzers, and system tests, go side by side: each by itself mostly waits or uses one core.
lanes=$(nproc)
[ "$lanes" -le 4 ] || lanes=4
python=/usr/bin/python3
export PYTHONDONTWRITEBYTECODE=1 G_SLICE=always-malloc

heading() {
    printf '\n== %s\n' "$*"
}

# One line for the summary: pass, fail or skip; a name; a reason.
record() {
    printf '%s\t%s\t%s\n' "$1" "$2" "${3-}" >>"$steps"
}

# Runs a command as one test named $1.
step() {
    name=$1
    shift
    if "$@"; then
        record pass "$name"
    else
        record fail "$name" "exit status $?: $*"
        return 1
    fi
}

# Builds $2 ("all") in the directory $1, with the meson options that follow; only a failure is a line in the summary.
build() {
    directory=$1
    target=$2
    shift 2
    if [ ! -f "$directory/build.ninja" ] && ! meson setup "$directory" "$@" >"$results/$directory.log" 2>&1; then
        cat "$results/$directory.log"
        record fail "configure $directory" "meson setup failed"
        return 1
    fi
    ninja -C "$directory" "$target" >"$results/$directory.log" 2>&1 || {
        cat "$results/$directory.log"
        record fail "build $directory" "ninja failed"
        return 1
    }
}

# Runs the unit tests of the build directory $1, through the command that follows (if any), and keeps meson's records.
unit() {
    directory=$1
    shift
    rm -f "$directory"/meson-logs/testlog.json "$directory"/meson-logs/testlog.junit.xml
    "$@" meson test -C "$directory" --no-rebuild --print-errorlogs || true
    for log in testlog.json testlog.junit.xml; do
        cp "$directory/meson-logs/$log" "$results/$directory.$log" ||
            record fail "unit tests of $directory" "meson left no $log"
    done
}

layers() {
    heading "layers"
    step "layers: the check finds what it should" "$python" tests/layers.py --self-test
    step "layers: src" "$python" tests/layers.py
}

unit_plain() {
    heading "unit tests"
    build build all --buildtype=debugoptimized && unit build
}

unit_address() {
    heading "unit tests, address and undefined behaviour sanitizers"
    build build-address all --buildtype=debugoptimized -Dwerror=false -Db_sanitize=address,undefined || return
    ASAN_OPTIONS=detect_leaks=1:halt_on_error=1:abort_on_error=1:detect_stack_use_after_return=1 \
        UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 unit build-address
}

# The thread sanitizer of Debian 12 cannot start where the kernel spreads addresses too widely; setarch -R asks for
# fixed ones, which a container may forbid.
thread_sanitizer_prefix() {
    probe=$results/thread-probe
    printf 'int main(void) { return 0; }\n' >"$probe.c"
    gcc -fsanitize=thread -o "$probe" "$probe.c" || return 1
    for prefix in "env" "setarch -R"; do
        if $prefix "$probe" 2>/dev/null; then
            printf '%s\n' "$prefix"
            return 0
        fi
    done
    return 1
}

unit_thread() {
    heading "unit tests, thread sanitizer"
    prefix=$(thread_sanitizer_prefix) || {
        record skip "unit tests with the thread sanitizer" "its runtime does not start on this machine"
        return
    }
    build build-thread all --buildtype=debugoptimized -Dwerror=false -Db_sanitize=thread || return
    # shellcheck disable=SC2086 # the prefix is two words
    TSAN_OPTIONS=halt_on_error=1:ignore_noninstrumented_modules=1:second_deadlock_stack=1 \
        unit build-thread $prefix
}

# Each fuzzer starts from its corpus in tests/fuzz/corpus/NAME and runs for a few seconds.
fuzz_one() {
    fuzzer=$1
    name=${fuzzer##*/}
    corpus=$results/corpus-$name
    log=$results/$name.log
    seconds=$fuzz_seconds
    # The largest format that comes from outside.
    [ "$name" != fuzz-parquet ] || seconds=$((fuzz_seconds * 6))
    mkdir -p "$corpus"
    [ ! -d "tests/fuzz/corpus/$name" ] || cp "tests/fuzz/corpus/$name"/* "$corpus"/
    "$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=65536 -print_funcs=0 \
        -print_final_stats=1 -artifact_prefix="$results/$name-" "$corpus" >"$log" 2>&1 || {
        tail -n 60 "$log"
        return 1
    }
    printf '%s: %s inputs tried\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
}

# Runs those fuzzers that no other lane has taken.
fuzz_lane() {
    for fuzzer in build-fuzz/tests/fuzz/*; do
        if [ ! -f "$fuzzer" ] || [ ! -x "$fuzzer" ] || ! mkdir "$results/taken-${fuzzer##*/}" 2>/dev/null; then
            continue
        fi
        step "fuzz: ${fuzzer##*/}" fuzz_one "$fuzzer"
    done
}

fuzz() {
    heading "fuzzers, $fuzz_seconds s each, a minute for Parquet"
    ls tests/fuzz/*.c >/dev/null 2>&1 || {
        record skip "fuzzers" "there are none"
        return
    }
    CC=clang-14 build build-fuzz fuzzers --buildtype=debugoptimized -Dwerror=false -Dfuzzers=true \
        -Db_lundef=false -Db_sanitize=address,undefined -Dc_args=-fsanitize=fuzzer-no-link || return
    lane=0
    while [ "$lane" -lt "$lanes" ]; do
        fuzz_lane &
        lane=$((lane + 1))
    done
    wait
    ls -d "$results"/taken-* >/dev/null 2>&1 || record fail "fuzzers" "none was built"
    rmdir "$results"/taken-* 2>/dev/null
}

system() {
    heading "system tests"
    ls tests/system/test_*.py >/dev/null 2>&1 || {
        record skip "system tests" "there are none"
        return
    }
    [ -x build/holdfast ] || {
        record fail "system tests" "there is no build/holdfast"
        return
    }
    # A file's tests stay in one process, with the servers that they share; no two processes share anything.
    side_by_side=
    ! "$python" -c 'import xdist' 2>/dev/null || side_by_side="-n $lanes --dist loadfile"
    # shellcheck disable=SC2086 # options are words
    "$python" -m pytest tests/system -p no:cacheprovider -q -rs --durations=10 $side_by_side \
        --junitxml="$results/system.xml" || true
    [ -s "$results/system.xml" ] || record fail "system tests" "pytest left no system.xml"
}

rm -rf "$results"
mkdir -p "$results" || exit 1
: >"$steps" || exit 1

layers
unit_plain
unit_address
unit_thread
fuzz
system

heading "summary"
exec "$python" tests/summary.py "$results"
