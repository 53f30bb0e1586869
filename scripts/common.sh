# shellcheck shell=bash
# Sourced by scripts/run and scripts/test, from the repository root: a virtual environment that
# holds kernelgan-fast and is kept in step with the sources.

# What pyproject.toml asks for to build, and the tools for it where the system has none.
readonly BUILD_TOOLS=(cmake ninja 'pybind11>=2.13' 'scikit-build-core>=0.11')

die() {
  printf 'kernelgan-fast: %s\n' "$@" >&2
  exit 3
}

# Prints the first interpreter that is new enough; $PYTHON, when set, is the only candidate.
find_python() {
  local candidate candidates=(python3 python3.14 python3.13 python3.12 python3.11 python3.10 python)
  [[ -z ${PYTHON:-} ]] || candidates=("$PYTHON")
  for candidate in "${candidates[@]}"; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  die "Python 3.10 or newer is needed; none of these is one: ${candidates[*]}" \
    'Install it, or say where it is: PYTHON=/path/to/python3.12'
}

need_compiler() {
  local candidate candidates=(c++ g++ clang++)
  [[ -z ${CXX:-} ]] || candidates=("$CXX")
  for candidate in "${candidates[@]}"; do
    command -v "$candidate" >/dev/null && return
  done
  die "a C++17 compiler is needed; none of these was found: ${candidates[*]}" \
    'Install one (Debian, Ubuntu: apt install g++; macOS: xcode-select --install), or name it in CXX.'
}

# quietly <log> <command>...: shows what the command said only if it fails.
quietly() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 </dev/null && return
  tail -n 40 "$log" >&2
  die "failed: $*" "All of its output is in $PWD/$log"
}

make_venv() {
  local venv=$1 python
  python=$(find_python)
  "$python" -m venv "$venv" >/dev/null 2>&1 ||
    die "$python could not make a virtual environment in $PWD/$venv" \
      'Install its venv module (Debian, Ubuntu: apt install python3-venv) and see that the folder is writable.'
}

# A fingerprint of files and folders, and of where they are: a moved environment must be renewed.
fingerprint() {
  {
    printf '%s\n' "$PWD"
    # Caches and what was built by hand are not sources.
    find "$@" -name '.*' -prune -o -type f ! -name '*.pyc' ! -name '*.so' -exec cksum {} + | sort
  } | cksum
}

# update_venv <venv> <fingerprint> <pip install arguments>...: installs unless it has been done.
update_venv() {
  local venv=$1 stamp=$1/kernelgan-fast.installed log=$1/install.log print=$2
  shift 2
  [[ -f $stamp && $(<"$stamp") == "$print" ]] && return
  need_compiler
  if [[ -f $stamp ]]; then
    printf 'kernelgan-fast: the sources have changed, updating %s ...\n' "$venv" >&2
  else
    printf 'kernelgan-fast: installing into %s, which takes minutes ...\n' "$venv" >&2
  fi
  "$venv/bin/python" -m pip --version >/dev/null 2>&1 || make_venv "$venv"
  rm -f "$stamp"

  local pip=("$venv/bin/python" -m pip install --disable-pip-version-check)
  # A torch that is there already is kept, whichever it is.
  "$venv/bin/python" -c 'from importlib.util import find_spec as f; exit(f("torch") is None)' ||
    quietly "$log" "${pip[@]}" --constraint constraints.txt torch
  quietly "$log" "${pip[@]}" "${BUILD_TOOLS[@]}"
  # Without isolation the build folder stays valid, so that only what changed is compiled.
  quietly "$log" "${pip[@]}" --no-build-isolation "$@"
  printf '%s' "$print" >"$stamp"
}
