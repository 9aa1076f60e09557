#!/usr/bin/env bash
# Sets up what make needs, once: two Python environments, the npm packages, the contracts' build and the screens.
# A stamp (the hash of what it was made from) lets a second run install nothing.
# Usage: scripts/setup.sh [app|contracts|halmos|slither|node|abi|wallet|browser]...
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build/stamps build/log

die() { printf '\n%s\n' "$*" >&2; exit 1; }

# step NAME "what it does" SECONDS-EXPECTED FILES... -- COMMAND: runs COMMAND when FILES changed since the last time.
step() {
  local name=$1 says=$2 takes=$3; shift 3
  local inputs=(); while [[ $1 != -- ]]; do inputs+=("$1"); shift; done; shift
  local stamp="build/stamps/$name" want
  want=$(cat "${inputs[@]}" | cat - <(printf '%s' "$*") | sha256sum | cut -d' ' -f1)
  [[ -f $stamp && $(cat "$stamp") == "$want" ]] && return 0
  run "$name" "$says" "$takes" "$@" || return 1
  printf '%s' "$want" >"$stamp"
}

# run NAME "what" SECONDS COMMAND: shows that it lives (seconds gone of the seconds it usually takes).
run() {
  local name=$1 says=$2 takes=$3; shift 3
  local log="build/log/setup-$name.log" start=$SECONDS pid
  "$@" >"$log" 2>&1 & pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    [[ -t 2 ]] && printf '\r  %-46s %3ds of about %ds ' "$says" $((SECONDS - start)) "$takes" >&2
    sleep 0.5
  done
  [[ -t 2 ]] && printf '\r' >&2
  if wait "$pid"; then
    printf '  %-46s %3ds                     \n' "$says" $((SECONDS - start)) >&2
  else
    tail -n 20 "$log" >&2
    die "Set-up failed: $says. The whole output is in $log."
  fi
}

need_python() {
  command -v "${PYTHON:-python3}" >/dev/null || die "Python 3.11 is needed: no '${PYTHON:-python3}' was found (set PYTHON=/path/to/python3.11)."
  "${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
    die "Python 3.11 is needed; '${PYTHON:-python3}' is $("${PYTHON:-python3}" -V 2>&1 | cut -d' ' -f2) (set PYTHON=/path/to/python3.11)."
  "${PYTHON:-python3}" -c 'import venv, ensurepip' 2>/dev/null || die "Python's venv module is needed (Debian: apt-get install python3-venv)."
}

need_node() {
  command -v node >/dev/null || die "Node 20 is needed: no 'node' was found."
  [[ $(node -p 'process.versions.node.split(".")[0]') -ge 20 ]] || die "Node 20 or newer is needed; this is $(node --version)."
  command -v npm >/dev/null || die "npm is needed: it comes with Node 20."
}

environment() { # FOLDER LOCK
  "${PYTHON:-python3}" -m venv --clear "$1" &&
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$2"
}

app() { need_python
  step app "application environment (web3, FastAPI)" 60 requirements/app.txt -- application_environment; }
application_environment() {
  environment .venv requirements/app.txt && .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .; }
contracts() { need_python
  step contracts "contracts environment (Brownie, py-solc-x)" 45 requirements/contracts.txt -- environment .venv-contracts requirements/contracts.txt; }
halmos() { need_python
  step halmos "symbolic prover (halmos)" 40 requirements/halmos.txt -- environment .venv-halmos requirements/halmos.txt; }
slither() { need_python
  step slither "static analysis (Slither)" 40 requirements/slither.txt -- environment .venv-slither requirements/slither.txt; }
node_packages() { need_node
  step node "node packages (Ganache, Anvil, forge, solc)" 25 package-lock.json -- npm ci --no-fund --no-audit --loglevel=error; }
abi() {
  step abi "contracts compiled by Brownie through py-solc-x" 20 brownie-config.yaml $(find contracts -name '*.sol' | sort) -- scripts/brownie compile; }
wallet() {
  step wallet "screens built by Vite" 15 package-lock.json $(find wallet -type f -not -path '*/dist/*' -not -path '*/node_modules/*' | sort) -- npm run --silent build; }
browser() {
  command -v chromium >/dev/null || [[ -n ${MOA_CHROMIUM:-} ]] && return 0
  [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null ||
    die "The browser tests need Chromium: install Debian's 'chromium', or set MOA_CHROMIUM to its path."
  run browser "Debian's Chromium, for the browser tests" 60 bash -c \
    'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk'; }

# The three environments do not depend on each other; in a terminal they take turns, so that the lines stay readable.
for part in "$@"; do
  case $part in
    app | contracts | halmos | slither | abi | wallet | browser) "$part" ;;
    node) node_packages ;;
    *) die "setup.sh: no part named '$part'." ;;
  esac
done
