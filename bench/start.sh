#!/usr/bin/env bash
# From nothing to the first answer: bench/start.sh FOLDER_WITH_DOCUMENTS. Clones this checkout's HEAD into a temporary
# folder with a data folder of its own, runs `make up` twice, and prints the seconds. Needs bc, curl, git and setsid (util-linux).
set -euo pipefail
documents=$(cd "${1:?a folder with documents}" && pwd)
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
chmod 711 "$scratch"
export KYUJANG_HOME=$scratch/home KYUJANG_PORT=${KYUJANG_PORT:-8123}
url=http://127.0.0.1:$KYUJANG_PORT
git clone -q "$checkout" "$scratch/clone"
cd "$scratch/clone"

say() { printf '%-52s %6.1f s\n' "$1" "$(bc <<<"$(date +%s.%N) - $2")"; }

up() {
  local started
  started=$(date +%s.%N)
  setsid make up >"$scratch/up.log" 2>&1 &
  make=$!
  until curl -sf "$url/readyz" >/dev/null; do
    kill -0 "$make" 2>/dev/null || { tail -20 "$scratch/up.log"; exit 1; }
    sleep 0.3
  done
  say "$1" "$started"
}

down() {
  kill -TERM -- "-$make"
  wait "$make" || true
}

ask() {
  local started
  started=$(date +%s.%N)
  curl -sf -H 'Content-Type: application/json' -d "$2" "$url/query" >"$scratch/answer.json"
  say "$1" "$started"
}

up "first make up, installs included, until ready"
grep -E '^ +(installed|starting|ready|up to date)|^\[' "$scratch/up.log" | sed 's/ …//'
started=$(date +%s.%N)
curl -sf -F "file=@examples/returns-policy.md" "$url/ingest?wait=60" >/dev/null
say "one small document until searchable" "$started"
ask "first answer" '{"input": "How long do I have to return an item?"}'
started=$(date +%s.%N)
.venv/bin/python -m ingest add --url "$url" "$documents" || true
say "all documents of the folder until searchable" "$started"
ask "an answer in English, 5 chunks" '{"input": "What does path operation mean?"}'
ask "an answer in Korean, 5 chunks" '{"input": "경로 처리 함수란 무엇인가요?"}'
down
up "second make up until ready"
down
rm -rf "$scratch"
