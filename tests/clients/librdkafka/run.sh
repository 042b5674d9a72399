#!/bin/sh
# librdkafka 2.15.1's own test-runner against a running cluster: run.sh BOOTSTRAP OUTDIR
#
# Runner and tests come with the npm package @confluentinc/kafka-javascript 1.10.1, are fetched by npm and built once in WORK (two minutes on two cores).
# Needs npm, gcc, g++, make, and the headers of OpenSSL, zlib and zstd (without zstd 0171 fails).
# Environment:
#   WORK        where the build is kept (${TMPDIR:-/tmp}/suites-work)
#   CASES       a file with the names of the tests to run, one a line; without it all that need a broker
#   KAFKA_LIBS  a folder with Apache Kafka's jars: 0109, 0115 and 0119 call kafka-topics.sh and kafka-acls.sh
#   JOBS        tests at a time (4); QUICK=1: the runner's quick mode; PROTO=consumer: KIP-848 groups where a test allows either
# OUTDIR/results.txt: `pass|fail|skip NAME` for every test that ran; OUTDIR/logs: what each one printed. Use a fresh cluster: 0045 counts topics by pattern.
set -eu
BOOT=$1; mkdir -p "$2"; OUT=$(cd "$2" && pwd); mkdir -p "$OUT/logs"; rm -f "$OUT"/logs/*
[ -z "${CASES:-}" ] || CASES=$(realpath "$CASES")
V=1.10.1; W=${WORK:-${TMPDIR:-/tmp}/suites-work}/librdkafka-$V
if [ ! -d "$W" ]; then
  rm -rf "$W.tmp"; mkdir -p "$W.tmp"; cd "$W.tmp"
  npm pack --silent @confluentinc/kafka-javascript@$V >/dev/null
  tar xzf confluentinc-kafka-javascript-$V.tgz --strip-components=3 package/deps/librdkafka
  { ./configure --disable-gssapi && make -j"$(nproc)" libs && make -j"$(nproc)" -C tests test-runner; } >build.log 2>&1 || { tail -30 build.log; exit 1; }
  mkdir bin
  for c in topics:TopicCommand acls:AclCommand; do
    printf '#!/bin/sh\nexec java -cp "$KAFKA_LIBS/*" org.apache.kafka.tools.%s "$@"\n' "${c#*:}" >"bin/kafka-${c%:*}.sh"
  done
  chmod +x bin/*; mv "$W.tmp" "$W"
fi
cd "$W/tests"
printf '%s\n' "metadata.broker.list=$BOOT" test.topic.random=true test.timeout.multiplier=2 >"$OUT/test.conf"
export RDKAFKA_TEST_CONF="$OUT/test.conf" TEST_KAFKA_VERSION=4.3.1 LD_LIBRARY_PATH=../src:../src-cpp
export BROKERS="$BOOT" OUT QUICK="${QUICK:-}"
[ -z "${KAFKA_LIBS:-}" ] || export KAFKA_LIBS KAFKA_PATH="$W"
[ -z "${PROTO:-}" ] || export TEST_CONSUMER_GROUP_PROTOCOL="$PROTO"
# The runner selects by number (0045 is three tests) and says how each test ended. One process a number.
if [ -n "${CASES:-}" ]; then
  cut -c1-4 "$CASES" | sort -u
else
  sed -nE 's/^ *_TEST\(([0-9]{4})_[0-9a-z_]+, *([A-Z_0-9| ]*).*/\1 \2/p' test.c | grep -v 'LOCAL\|MANUAL' | cut -d' ' -f1 | sort -u
fi | xargs -P "${JOBS:-4}" -I{} sh -c 'timeout -k 5 900 ./test-runner -L -p1 ${QUICK:+-Q} {} >"$OUT/logs/{}.txt" 2>&1' || true
cat "$OUT"/logs/*.txt | sed -nE 's/.*=== (Running test|Test) ([0-9a-z_]+)( (PASSED|FAILED|SKIPPED))? ===.*/\2 \4/p' |
  awk '{r[$1]=$2} END{for(n in r) print (r[n]=="PASSED"?"pass":r[n]=="SKIPPED"?"skip":"fail"), n}' | sort -k2 >"$OUT/results.txt"
