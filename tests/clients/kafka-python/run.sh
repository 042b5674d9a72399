#!/bin/sh
# kafka-python 3.0.12's own integration tests against a running cluster: run.sh BOOTSTRAP OUTDIR
#
# The tests come with its sdist, fetched by pip once, and run in a virtual environment of their own in WORK (python3 >= 3.9 with venv,
# pip and setuptools).
# Environment:
#   WORK    where that is kept (${TMPDIR:-/tmp}/suites-work)
#   CASES   a file with the names of the tests to run, one a line; without it all but those that need a broker that they start themselves
#   PYTHON  the interpreter (python3)
# OUTDIR/results.txt: `pass|fail NAME` for every test that ran; OUTDIR/raw.txt: what pytest printed.
set -eu
BOOT=$1; mkdir -p "$2"; OUT=$(cd "$2" && pwd)
[ -z "${CASES:-}" ] || CASES=$(realpath "$CASES")
P=${PYTHON:-python3}; V=3.0.12; W=${WORK:-${TMPDIR:-/tmp}/suites-work}/kafka-python-$V
if [ ! -f "$W/made" ]; then
  rm -rf "$W"; mkdir -p "$W"
  # with PYTHON's own packages, so that only what it lacks is fetched
  "$P" -m venv --without-pip "$W/venv"
  "$P" -c 'import site; print(*(f"import site; site.addsitedir({path!r})" for path in site.getsitepackages()), sep="\n")' \
    >"$(echo "$W"/venv/lib/python3*/site-packages)/other.pth"
  "$P" -m pip -q --disable-pip-version-check --python "$W/venv/bin/python" install kafka-python==$V pytest pytest-timeout pytest-mock lz4 zstandard python-snappy
  "$P" -m pip -q --disable-pip-version-check download --no-deps --no-build-isolation --no-binary :all: -d "$W" kafka-python==$V
  tar xzf "$W"/kafka_python-$V.tar.gz -C "$W" --strip-components=1
  # two things that the sdist lacks: the package marker, and the module that starts brokers or stands for an external one
  touch "$W/test/__init__.py"
  printf '%s\n' 'class SpawnedService: pass' 'class ExternalService:' '    def __init__(self, host, port): pass' \
    '    def open(self): pass' '    def stop(self): pass' '    close = stop' >"$W/test/service.py"
  touch "$W/made"
fi
cd "$W"
set -- test/integration --ignore test/integration/test_ssl_integration.py
if [ -n "${CASES:-}" ]; then
  set --
  while IFS= read -r case; do set -- "$@" "test/integration/$case"; done <"$CASES"
fi
KAFKA_ROOT=$W KAFKA_URI=kafka://$BOOT KAFKA_VERSION=4.3.1 venv/bin/python -m pytest "$@" -q -rA \
  --timeout=120 --timeout-method=signal -p no:cacheprovider --show-capture=no --durations=15 >"$OUT/raw.txt" 2>&1 || true
sed -nE 's/^(PASSED|FAILED|ERROR) (test[^ ]*\.py::.*)/\1 \2/p' "$OUT/raw.txt" | sed -E 's/ - .*//
  s/^PASSED/pass/; s/^(FAILED|ERROR)/fail/; s,test/integration/,,' | sort -u >"$OUT/results.txt"
