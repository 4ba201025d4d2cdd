# Over-production is refused: a station's quota, time window and serial numbers, offline rules too.
source "$(dirname "$0")/lib.sh"
"$hatchery" init data > /dev/null
export HATCHERY_DATA=data
add() { "$hatchery" station add "$1" --out-cert "$1.crt" --out-key "$1.key" "${@:2}"; }

run 1 add bad --from 2026-13-01
contains "$err" "--from: expected a UTC day or time such as 2026-11-22" "a wrong day"
run 1 add bad --per 1d
contains "$err" "--per: expected --quota with it" "a period without a quota"
run 0 add few --quota 2 --serials 'SN-2*,0001..0003'
run 0 add early --from 2090-01-01
run 0 add late --until 2001-01-01T00:00:00Z
run 0 add daily --quota 1 --per 1s
run 0 add free
run 0 "$hatchery" station list
contains "$out" "few  enabled  device  " "the list"
contains "$(grep '^few' out)" "  0/2" "the quota in the list"

serve
url=https://localhost:$(json ready.json https)/v1/certificates
order() { # order STATION SERIAL: the status; the answer's code in $code
    [ -e "$2.csr" ] || make_csr "$2" "/CN=$2/serialNumber=$2"
    python3 -c 'import json, sys; json.dump({"certificateSigningRequest": open(sys.argv[1]).read()}, open("order.json", "w"))' "$2.csr"
    status=$(curl -sS --cacert data/ca/root.crt --cert "$1.crt" --key "$1.key" -o answer -w '%{http_code}' \
        --data-binary @order.json "$url")
    code=$(python3 -c 'import json; print(json.load(open("answer")).get("code", ""))')
}
expect() { # expect STATION SERIAL STATUS CODE
    order "$1" "$2"
    equal "$status $code" "$3 $4" "$1 asks for $2: $(cat answer)"
}
expect early SN-1 403 OutsideTimeWindow
expect late SN-1 403 OutsideTimeWindow
expect few SN-1 403 SerialNumberNotAllowed
expect few 0004 403 SerialNumberNotAllowed
expect few SN-20 201 ''
expect few SN-20 200 ''
expect few 0002 201 ''
expect few SN-21 429 QuotaExhausted
contains "$(cat answer)" "has used its quota of 2 certificates" "the message"
expect free SN-1 201 ''
expect daily SN-30 201 ''
# Another device each time: asking for one again and again is throttled.
device=30
anew() { device=$((device + 1)); order daily SN-D$device && [ "$status" = 201 ]; }
wait_for "the next period" anew

# Counted by the ledger, not by the process: a restart does not fill the quota up again, and repeats stay repeats.
stop TERM
rm -f ready.json
serve
url=https://localhost:$(json ready.json https)/v1/certificates
expect few SN-21 429 QuotaExhausted
expect few SN-20 200 ''
run 0 "$hatchery" station list
contains "$(grep '^few' out)" "  2/2" "the quota in the list"
run 0 "$hatchery" station list --json
equal "$(python3 -c 'import json; print([(s["used"], s["quota"], s["serialNumbers"]) for s in json.load(open("out")) if s["name"] == "few"])')" \
    "[(2, 2, ['SN-2*', '0001..0003'])]" "JSON"

# A station's certificate that is revoked, or the station stopped: refused from the next request on.
run 0 "$hatchery" station stop daily
order daily SN-32
equal "$status" 403 "a stopped station"
run 0 "$hatchery" revoke free.crt --reason keyCompromise
order free SN-33
equal "$status" 403 "a revoked station"
contains "$(cat answer)" "revoked: keyCompromise" "the message"
run 0 "$hatchery" ledger verify
stop TERM
