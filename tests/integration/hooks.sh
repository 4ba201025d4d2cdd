#!/usr/bin/env bash
# One rule (a serial number begins with 123456) as every kind of hook: the same device sees the same result, and the operator
# reads why. Then a hook that calls back into the control plane, one that hangs while others want it, a single-use
# serial number, and kill -9 of the server between the hook's yes and the commit.
source "$(dirname "$0")/lib.sh" "$1"
examples=$top/hooks/examples

"$bin/hatchery" init "$data" > /dev/null
sed -i 's/^#\? *device_key *=.*/device_key = "p256"/' "$data/hatchery.toml"
mkfifo "$work/port"
tail -f /dev/null --pid=$$ | /usr/bin/python3 "$top/tests/data/hooks/http_hook.py" "$work/port" &
background+=($!)
read -r http_port < "$work/port"
cat > "$work/killer.sh" <<'EOF'
#!/bin/sh
# Says yes, unless the file $1 is there: then ends the server at once, before it can commit what another hook allowed.
while read -r line; do
    if [ -e "$1" ]; then kill -9 "$PPID"; exit; fi
    id=${line#*:\"}
    printf '{"requestId":"%s","allowProvisioning":true}\n' "${id%%\"*}"
done
EOF
chmod +x "$work/killer.sh"
cat >> "$data/hatchery.toml" <<EOF

[hooks.Python]
kind = "lambda"
handler = "$examples/serial_prefix.py:handler"
[hooks.Node]
kind = "lambda"
handler = "$examples/serial_prefix.mjs:handler"
[hooks.Command]
kind = "command"
command = ["/usr/bin/python3", "$examples/serial_prefix_command.py"]
[hooks.Chain]
kind = "chain"
hooks = ["Rules", "Library"]
[hooks.Http]
kind = "http"
url = "http://127.0.0.1:$http_port/2015-03-31/functions/f/invocations"
[hooks.Library]
kind = "library"
library = "$bin/serial_prefix.so"
configuration = "123456"
[hooks.Rules]
kind = "rules"
rules = "$examples/serial_prefix.toml"
[hooks.List]
kind = "allow-list"
list = "factory"
[hooks.Yes]
kind = "command"
command = ["$work/killer.sh", "$work/kill"]
[hooks.Once]
kind = "chain"
hooks = ["List", "Yes"]
[hooks.CallsBack]
kind = "lambda"
handler = "$top/tests/data/hooks/calls_back.py:handler"
interpreter = "/usr/bin/python3"
environment = { CONTROL_PLANE = "$work/control_plane.json", PYTHONDONTWRITEBYTECODE = "1" }
[hooks.Hang]
kind = "command"
command = ["$top/tests/data/hooks/hang.sh", "/dev/null"]
workers = 1
queue = 0
EOF
"$bin/hatchery" allow add --list factory --prefix 123456-A --data "$data" > /dev/null
"$bin/hatchery" allow add --list factory 123456-ONCE --data "$data" > /dev/null
serve
tutorial_registry
claim_certificate claims '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}'
jq -n --arg endpoint "$HATCHERY_ENDPOINT" --arg id "$AWS_ACCESS_KEY_ID" --arg secret "$AWS_SECRET_ACCESS_KEY" \
    --arg region "$AWS_DEFAULT_REGION" '$ARGS.named' > "$work/control_plane.json"
kinds=(Python Node Command Http Library Rules Chain List Once CallsBack Hang)
for kind in "${kinds[@]}"; do
    # Our HTTP server answers with overrides, which a template has to declare.
    body=$(jq -c '.Parameters += {"Path":{"Type":"String","Default":""},"Type":{"Type":"String","Default":""},
        "Bearer":{"Type":"String","Default":""},"Signed":{"Type":"String","Default":""},
        "Connections":{"Type":"String","Default":""}}' "$(document claim-template.json | sed 's,file://,,')")
    fleet_template "$kind" "$kind" "$body"
done
device() { # device TEMPLATE SERIAL [options of fleet...]
    local template=$1 serial=$2
    shift 2
    "$bin/fleet" claim --template "$template" --claim-cert "$work/claim.pem" --claim-key "$work/claim.key" \
        --serial "$serial" --retries 0 "$@" > "$work/fleet.txt" 2>&1
}

say "the same devices, the same results, whatever decides"
number=0
for kind in "${kinds[@]:0:8}"; do
    number=$((number + 1))
    device "$kind" "123456-A$number" --out "$work/$kind.jsonl" || die "$kind refused a good device: $(cat "$work/fleet.txt")"
    equal "$(jq -r .outcome "$work/$kind.jsonl")" provisioned "the good device, decided by $kind"
    device "$kind" "999999-$number" --expect-refused "999999-$number" --out "$work/$kind.bad.jsonl" ||
        die "$kind and the bad device: $(cat "$work/fleet.txt")"
    contains "$(cat "$work/$kind.bad.jsonl")" AccessDenied "what the bad device was told, decided by $kind"
    line=$(grep -F "decided hook=$kind outcome=refuse" "$work/serve.log" | tail -1)
    contains "$line" "serial=999999-$number" "the operator's line of $kind"
    [ "$kind" = List ] && reason="is not on the list factory" || reason="unknown serial number"
    contains "$line" "$reason" "the reason of $kind"
done
equal "$(grep -c 'outcome=error' "$work/serve.log")" 0 "hooks that failed"
contains "$(grep worker_stderr "$work/serve.log")" 'unknown serial number 999999-1' "what the handler printed"

say "a hook that writes to the control plane while its device waits"
device CallsBack 123456-B1 || die "refused: $(cat "$work/fleet.txt")"
equal "$(iot describe-thing --thing-name seen-123456-B1 | jq -r .thingName)" seen-123456-B1 "what the hook made"

# One at work and none in line, so that a second one beside it is refused at once. That more of them than the gateway has threads
# hold up nobody, FlowThreads' own tests show.
say "a hook that hangs holds up its own devices alone, and not without bound"
decisions() { grep -c "decided hook=Hang .*$1" "$work/serve.log" || true; }
refused_at_once() { [ "$(decisions 'the hook is busy: 0 requests wait')" -ge 1 ]; }
hang() { # hang ROUND: ten devices at once
    "$bin/fleet" claim --devices 10 --concurrency 10 --retries 0 --template Hang --claim-cert "$work/claim.pem" \
        --claim-key "$work/claim.key" --serial-prefix "123456-H$1" --serial-start 1 --serial-digits 4 --out "$work/hang$1.jsonl" \
        > "$work/hang.txt" 2>&1 || true
}
rounds=0
until refused_at_once; do  # however slow this machine is: two of them meet in some round
    rounds=$((rounds + 1))
    [ $rounds -le 20 ] || die "no two of ten devices at the hook at once, in 20 rounds"
    hang $rounds &
    hanging=$!
    until refused_at_once || ! kill -0 $hanging 2> /dev/null; do sleep 0.05; done
    device Command "123456-C$rounds" || die "held up by another hook: $(cat "$work/fleet.txt")"
    wait $hanging
done
equal "$(cat "$work"/hang*.jsonl | jq -r .outcome | sort | uniq -c | tr -s ' ')" " $((rounds * 10)) refused" "what became of them"
equal "$(cat "$work"/hang*.jsonl | grep -c AccessDenied)" $((rounds * 10)) "AWS's error for all of them"
equal "$(decisions '')" $((rounds * 10)) "lines for the operator"

say "a serial number registers once"
equal "$("$bin/hatchery" allow list --list factory --prefix 123456-A8 --data "$data" | grep -c '^used')" 1 "the used number"
device List 123456-A8 --expect-refused 123456-A8 || die "used twice: $(cat "$work/fleet.txt")"
contains "$(grep 'decided hook=List' "$work/serve.log" | tail -1)" "was used by certificate" "the reason of a second use"

say "kill -9 between the hook's yes and the commit: neither lost nor used twice"
touch "$work/kill"
device Once 123456-ONCE > /dev/null || true
wait "$server" 2> /dev/null || true
server=
rm "$work/kill"
contains "$("$bin/hatchery" allow list --list factory --prefix 123456-ONCE --data "$data")" "unused  123456-ONCE" "after the kill"
serve
contains "$(iot_fails describe-thing --thing-name claimed-123456-ONCE)" ResourceNotFoundException "thing after the kill"
device Once 123456-ONCE || die "lost: $(cat "$work/fleet.txt")"
used=$("$bin/hatchery" allow list --list factory --prefix 123456-ONCE --data "$data" | tail -1)
principal=$(iot list-thing-principals --thing-name claimed-123456-ONCE | jq -r '.principals[0]')
contains "$used" "used    123456-ONCE  by ${principal##*/}" "who used it"
device Once 123456-ONCE --expect-refused 123456-ONCE || die "used twice after the kill: $(cat "$work/fleet.txt")"

say "kill -9 in the middle of 400: a number is used by exactly the certificate that it provisioned"
seq -f '123456-M%04g' 1 400 > "$work/many.txt"
"$bin/hatchery" allow import "$work/many.txt" --list factory --data "$data" > /dev/null
"$bin/fleet" claim --devices 400 --concurrency 16 --retries 0 --template List --claim-cert "$work/claim.pem" \
    --claim-key "$work/claim.key" --serial-prefix 123456-M --serial-start 1 --serial-digits 4 --out "$work/many.jsonl" \
    > "$work/fleet.txt" 2>&1 &
fleet=$!
enough() { [ "$(cat "$work/many.jsonl" 2> /dev/null | grep -c '"provisioned"')" -ge 50 ]; }
await enough
kill -9 "$server"
wait "$server" 2> /dev/null || true
server=
wait $fleet 2> /dev/null || true
sql() { sqlite3 "$data/hatchery.db" "$1"; }
equal "$(sql "SELECT count(*) FROM allowed_serials a WHERE a.state = 1 AND NOT EXISTS (
    SELECT 1 FROM certificates c JOIN thing_principals p ON p.certificate = c.key JOIN things t ON t.key = p.thing
    WHERE c.id = a.certificate AND t.name = 'claimed-' || a.serial)")" 0 "numbers that were lost"
equal "$(sql "SELECT count(*) FROM things t JOIN thing_principals p ON p.thing = t.key JOIN certificates c
    ON c.key = p.certificate WHERE t.name LIKE 'claimed-123456-M%' AND NOT EXISTS (SELECT 1 FROM allowed_serials a
    WHERE a.certificate = c.id AND 'claimed-' || a.serial = t.name AND a.state = 1)")" 0 "things without their number"
told=$(jq -r 'select(.outcome == "provisioned") | .thing' "$work/many.jsonl" | wc -l)
[ "$(sql "SELECT count(*) FROM allowed_serials WHERE state = 1 AND serial LIKE '123456-M%'")" -ge "$told" ] || die "told, but not used"
