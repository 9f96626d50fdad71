#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Tries a package as a stranger would: try.sh PACKAGE.deb, as root. In a fresh Debian made by debootstrap, with PostgreSQL:
# install, configure, archive WAL, back up, restore, upgrade, purge. The first thing that is not as it should be ends it.

set -eu
package=$(realpath "$1")
suite=bookworm
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
place=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-try-XXXXXX")
fresh=$place/root
log=$place/log
begun=$(date +%s)

[ "$(id -u)" -eq 0 ] || {
    echo "packaging/try.sh: debootstrap and chroot need root" >&2
    exit 1
}

clean() {
    status=$?
    [ "$status" -eq 0 ] || tail -n 40 "$log" >&2
    [ ! -x "$fresh/usr/bin/pg_ctlcluster" ] || chroot "$fresh" pg_ctlcluster 15 main stop -m immediate >/dev/null 2>&1 || true
    umount "$fresh/dev/shm" "$fresh/proc" 2>/dev/null || true
    rm -rf --one-file-system "$place"
    exit "$status"
}
trap clean EXIT
trap 'exit 130' INT TERM HUP

tell() {
    printf '%4s s  %s\n' "$(($(date +%s) - begun))" "$*"
}

# A command in the fresh Debian; what it says goes to the log.
inside() {
    printf '$ %s\n' "$*" >>"$log"
    chroot "$fresh" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} "$@" >>"$log" 2>&1 </dev/null
}

as_postgres() {
    inside su -s /bin/sh postgres -c "$1"
}

# must WHAT COMMAND...: the command succeeds.
must() {
    what=$1
    shift
    if "$@"; then
        tell "$what"
    else
        tell "FAILED: $what"
        exit 1
    fi
}

must_not() {
    what=$1
    shift
    if "$@"; then
        tell "FAILED: $what"
        exit 1
    fi
    tell "$what"
}

owner_is() {
    # Names are those of the fresh Debian.
    found=$(chroot "$fresh" stat -c '%U:%G %a' "$1")
    printf '%s is %s\n' "$1" "$found" >>"$log"
    [ "$found" = "$2" ]
}

must "a fresh Debian" debootstrap --variant=minbase "$suite" "$fresh" "$mirror" >>"$log" 2>&1
mount -t proc proc "$fresh/proc"
mkdir -p "$fresh/dev/shm"
mount -t tmpfs tmpfs "$fresh/dev/shm"
must "PostgreSQL in it" inside apt-get install -q -y --no-install-recommends postgresql
cp "$package" "$fresh/tmp/holdfast.deb"
begun=$(date +%s)
must "installed" inside apt-get install -q -y --no-install-recommends /tmp/holdfast.deb
inside pg_ctlcluster 15 main start || true

must "init" inside holdfast init --repository /srv/backup/holdfast
must "the configuration is for root and the group" owner_is /etc/holdfast/holdfast.conf "root:holdfast 640"
must "the repository is the server's account's" owner_is /srv/backup/holdfast "postgres:holdfast 700"
printf '[source main]\nengine = postgresql\nconninfo = host=/var/run/postgresql user=postgres dbname=postgres\n' \
    >>"$fresh/etc/holdfast/holdfast.conf"
as_postgres "psql -qc \"ALTER SYSTEM SET archive_mode = on\" -c \"ALTER SYSTEM SET archive_command = 'holdfast wal push %p'\""
inside pg_ctlcluster 15 main restart
as_postgres "psql -qc 'CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 1000) g'"
must "check, as the server's account" as_postgres "holdfast check main"
must "the first backup" as_postgres "holdfast backup postgresql full"
must "verified by root, who leaves nothing that is in the way" inside holdfast verify --all
must_not "nothing in the repository is root's" sh -c "find '$fresh/srv/backup/holdfast' -uid 0 | grep -q ."
must_not "nothing in the state directory is root's" sh -c "find '$fresh/var/lib/holdfast' -mindepth 1 -uid 0 | grep -q ."
as_postgres "psql -qc 'DROP TABLE orders' -c 'SELECT pg_switch_wal()'"
must "a restore" as_postgres "holdfast restore postgresql pitr --target-latest --start --target-directory /var/lib/postgresql/restored"
must "the service as the unit would run it" as_postgres "holdfast scheduler start --config /etc/holdfast/holdfast.conf &&
    holdfast scheduler status && holdfast scheduler stop --shutdown"
must "a manual page" test -s "$fresh/usr/share/man/man1/holdfast.1.gz" -o ! -d "$fresh/usr/share/man/man1"
must "completion" test -s "$fresh/usr/share/bash-completion/completions/holdfast"

# The same again with a larger version.
dpkg-deb -R "$package" "$place/next"
sed -i 's/^Version: .*/&+next/' "$place/next/DEBIAN/control"
dpkg-deb --root-owner-group -b "$place/next" "$fresh/tmp/next.deb" >>"$log"
echo '# mine' >>"$fresh/etc/holdfast/holdfast.conf"
must "upgraded" inside dpkg -i /tmp/next.deb
must "the configuration is as it was" grep -qx '# mine' "$fresh/etc/holdfast/holdfast.conf"
must "owners are as they were" owner_is /etc/holdfast "root:holdfast 2750"
must "another backup" as_postgres "holdfast backup postgresql incremental"

must "removed" inside dpkg -r holdfast
must "the configuration stays" test -f "$fresh/etc/holdfast/holdfast.conf"
must "purged" inside dpkg -P holdfast
must_not "no configuration is left" test -e "$fresh/etc/holdfast"
must_not "no state is left" test -e "$fresh/var/lib/holdfast"
must "the backups are left" sh -c "ls '$fresh'/srv/backup/holdfast/backups/*/SHA256SUMS >/dev/null"
echo "the package is good"
