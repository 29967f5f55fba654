#!/usr/bin/env bash
# buf lint and buf breaking over proto/, where buf is present; a line saying "skipped" where not.
# Needs no network: google/rpc/*.proto, which the contract imports, is copied from the installed
# googleapis-common-protos into a temporary workspace beside the contract.
set -euo pipefail
cd "$(dirname "$0")/../.."

if command -v buf >/dev/null; then
    buf=(buf)
elif command -v npx >/dev/null && npx --no-install @bufbuild/buf --version >/dev/null 2>&1; then
    buf=(npx --no-install @bufbuild/buf)
else
    echo "proto: skipped: buf not found"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
site_packages=$("${PY:-python3}" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

# Turns a copy of proto/ at $1/proto into a workspace that also holds what it imports.
workspace() {
    mkdir -p "$1/include/google/rpc"
    cp "$site_packages"/google/rpc/*.proto "$1/include/google/rpc/"
    sed 's|^  - path: \.$|  - path: proto\n  - path: include|' proto/buf.yaml >"$1/buf.yaml"
    rm -f "$1/proto/buf.yaml"
}

mkdir "$work/now"
cp -R proto "$work/now/proto"
workspace "$work/now"
"${buf[@]}" lint "$work/now/proto"
echo "proto: buf lint passed"

# The last release is what clients were built for; before the first one, the commit before this.
base=$(git describe --tags --abbrev=0 2>/dev/null || git rev-parse --verify --quiet 'HEAD~1' 2>/dev/null || true)
if [ -n "$base" ] && git cat-file -e "$base:proto/buf.yaml" 2>/dev/null; then
    mkdir "$work/base"
    git archive "$base" proto | tar -x -C "$work/base"
    workspace "$work/base"
    "${buf[@]}" breaking "$work/now/proto" --against "$work/base/proto"
    echo "proto: buf breaking passed against $(git rev-parse --short "$base")"
else
    echo "proto: buf breaking skipped: no earlier contract"
fi
