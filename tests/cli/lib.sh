# Shared by the command line's tests. Usage: source lib.sh; the binary is $hatchery, the script's temporary folder
# $work (and the current folder), removed at the end together with every child in ${children[@]}.
set -euo pipefail
hatchery=$(realpath "$1")
work=$(mktemp -d)
cd "$work"
export HATCHERY_PASSPHRASE='correct horse' PATH="$PATH:/usr/sbin"
unset HATCHERY_DATA
children=()

cleanup() {
    local code=$?
    for child in "${children[@]}"; do
        kill -KILL "$child" 2> /dev/null || true
        wait "$child" 2> /dev/null || true
    done
    cd /
    if [ $code -eq 0 ]; then rm -rf "$work"; else echo "kept: $work" >&2; fi
}
trap cleanup EXIT

die() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}
equal() { [ "$1" = "$2" ] || die "$3: expected '$2', found '$1'"; }
contains() { [[ "$1" == *"$2"* ]] || die "$3: expected to contain '$2', found '$1'"; }

# run CODE COMMAND...: runs it with stdout in $out and stderr in $err (and in the files out, err), checks its exit code.
run() {
    local expected=$1 code=0
    shift
    "$@" > "$work/out" 2> "$work/err" < "${input:-/dev/null}" || code=$?
    out=$(cat "$work/out")
    err=$(cat "$work/err")
    [ "$code" -eq "$expected" ] || die "exit code $code, expected $expected: $* (stderr: $err)"
}
# The last command was refused: nothing on stdout, one line on stderr, exactly this.
refused() {
    equal "$out" "" "stdout of a refusal"
    equal "$err" "hatchery: $1" "stderr"
}
mode() { stat -c %a "$1"; }

make_csr() { # make_csr NAME SUBJECT [req options...]: NAME.key, NAME.csr
    local name=$1 subject=$2
    shift 2
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$name.key" -subj "$subject" \
        -out "$name.csr" "$@" 2> /dev/null
}

ceremony_script() { # every answer of `hatchery ca ceremony`
    printf '%s\n' '# agreed on beforehand' 'purpose: root of plant 7' 'officer: A. Officer' 'witnesses: B. Witness, C. Witness' \
        'offline: yes' 'root-name: Plant 7 Root' 'key-kind: p384' 'years: 30' 'fingerprint-noted: yes'
}

# wait_for DESCRIPTION COMMAND...: until it succeeds, 60 seconds at most.
wait_for() {
    local what=$1 deadline=$((SECONDS + 60))
    shift
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || die "waited in vain for $what: $(cat serve.log 2> /dev/null)"
        sleep 0.02
    done
}
# serve ARGUMENTS...: starts a server on ./data, any free ports; waits for ready.json. Its pid is $server.
serve() {
    "$hatchery" serve data --port-base 0 --ready-file ready.json "$@" > serve.out 2> serve.log < /dev/null &
    server=$!
    children+=("$server")
    wait_for 'the server' ready_or_dead
    [ -s ready.json ] || die "serve ended: $(cat serve.log)"
}
ready_or_dead() { [ -s ready.json ] || ! kill -0 "$server" 2> /dev/null; }
# stop SIGNAL: ends the server, whose exit code must be 0.
stop() {
    local code=0
    kill "-$1" "$server"
    wait "$server" || code=$?
    equal "$code" 0 "exit code of serve after $1 ($(cat serve.log))"
}
json() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }
