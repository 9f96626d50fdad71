#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes a source tarball and a Debian package of it in dist/: build.sh [try]. With "try" the package is then installed,
# used, upgraded and purged in a fresh Debian (packaging/try.sh). Called by "./run package".

set -eu
cd "$(dirname "$0")/.."
root=$PWD
version=$(sed -n "s/^  version: '\(.*\)',/\1/p" meson.build)
name=holdfast-$version
dist=$root/dist
work=$dist/work

rm -rf "$work"
mkdir -p "$work"

# What is in the repository, or lies ready to go there; of an unpacked tarball everything but what was built.
list_sources() {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -z --cached --others --exclude-standard
    else
        find . -path './build*' -prune -o -path ./dist -prune -o -name node_modules -prune -o -type f -printf '%P\0'
    fi
}

list_sources | sort -zu >"$work/files"
tar --no-recursion --null --transform "s|^|$name/|" --owner=0 --group=0 --numeric-owner -czf "$dist/$name.tar.gz" \
    --files-from="$work/files"
echo "made dist/$name.tar.gz"

tar -C "$work" -xzf "$dist/$name.tar.gz"
cp "$dist/$name.tar.gz" "$work/holdfast_$version.orig.tar.gz"
cd "$work/$name"
sed -i "s/@VERSION@/$version/" debian/changelog
dpkg-buildpackage --no-sign --build=binary >"$dist/build.log" 2>&1 || {
    tail -n 60 "$dist/build.log" >&2
    echo "packaging: dpkg-buildpackage failed; all of it is in dist/build.log" >&2
    exit 1
}
cd "$root"
rm -f "$dist"/*.deb
mv "$work"/*.deb "$dist"/
rm -rf "$work"
for package in "$dist"/*.deb; do
    echo "made ${package#"$root/"}"
done
# Who hands the package on puts an address of his own into debian/control.
lintian --allow-root --fail-on error --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog "$dist"/holdfast_"$version"-*.deb

[ "${1-}" != try ] || exec packaging/try.sh "$dist"/holdfast_"$version"-*.deb
