# shellcheck shell=bash
# What scripts/demo and scripts/test share. Sourced, from the root of the tree.

say() { printf '== %s\n' "$*" >&2; }

# Installs what scripts/packages lists (and the packages named) and is not there yet. Needs root or sudo only when something is missing.
install_packages() {
  local wanted missing=() p
  wanted="$(sed 's/#.*//' scripts/packages) $*"
  for p in $wanted; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
  done
  [ "${#missing[@]}" -eq 0 ] && return 0
  say "installing: ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "not root and no sudo; install: ${missing[*]}" >&2; return 1; }
    as_root=(sudo)
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq </dev/null
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" </dev/null >/dev/null
}

# build PRESET [TARGET..]: configures once, builds.
build() {
  local preset=$1 begin=$SECONDS
  shift
  say "building ($preset)"
  cmake --preset "$preset" >"build-$preset.log" 2>&1 || { cat "build-$preset.log" >&2; rm -f "build-$preset.log"; return 1; }
  rm -f "build-$preset.log"
  cmake --build --preset "$preset" --parallel "$(nproc)" -- ${1:+"$@"} >&2
  say "built in $((SECONDS - begin)) s"
}
