# hatchery hook and hatchery allow: list, try, check; lists in, lists out.
here=$(realpath "$(dirname "$0")")
source "$here/lib.sh"
"$hatchery" init data > /dev/null
export HATCHERY_DATA=data
examples=$here/../../hooks/examples
cat >> data/hatchery.toml <<EOF
[hooks.Prefix]
kind = "rules"
rules = "$examples/serial_prefix.toml"
[hooks.List]
kind = "allow-list"
list = "factory"
[hooks.Python]
kind = "lambda"
handler = "$examples/serial_prefix.py:handler"
interpreter = "/usr/bin/python3"
EOF

run 0 "$hatchery" hook list
contains "$out" "List  allow-list  5000 ms  list factory" "hook list"
run 0 "$hatchery" hook list --json
equal "$(python3 -c 'import json; print(sorted(h["kind"] for h in json.load(open("out"))))')" \
    "['allow-list', 'lambda', 'rules']" "kinds in the JSON"

# Decision, overrides, duration, log; the exit code is the answer.
run 0 "$hatchery" hook test Prefix --serial 1234567
contains "$out" "decision: allow" "an allowed device"
contains "$out" "duration: " "an allowed device"
run 1 "$hatchery" hook test Python --serial 999999
contains "$out" "decision: refuse" "a refused device"
contains "$out" "reason: unknown serial number" "a refused device"
contains "$out" 'line="unknown serial number 999999"' "the handler's log"
echo '{"clientId":"d","parameters":{"SerialNumber":"1234567"}}' > event.json
run 0 "$hatchery" hook test arn:aws:lambda:us-east-1:123456789012:function:Python --event event.json --json
equal "$(json out decision)" allow "decision in the JSON"
run 2 "$hatchery" hook test Nosuch --serial 1
refused "no hook named Nosuch"
run 2 "$hatchery" hook test Prefix
refused "expected either --event or --serial"
echo '[]' > event.json
run 2 "$hatchery" hook test Prefix --event event.json
contains "$err" "expected the event to be a JSON object" "a wrong event"

# Rules files are checked like templates.
run 0 "$hatchery" hook check "$examples/serial_prefix.toml"
equal "$out" "" "findings of a good file"
printf '[[rule]]\nallow = true\nwhen = { parameter = "S", prefx = "1" }\n' > bad.toml
run 1 "$hatchery" hook check bad.toml
contains "$out" 'bad.toml:3:27: error: unknown key: expected one of ' "a finding"
contains "$out" 'found "prefx"; did you mean prefix?' "a finding"
contains "$out" "                              ^" "its caret"

# Lists.
run 1 "$hatchery" hook test List --serial SN-1
contains "$out" "reason: SerialNumber SN-1 is not on the list factory" "an empty list"
run 0 "$hatchery" allow add --list factory SN-1 SN-2 --prefix AB- --range R-01..R-20
equal "$out" "2 added, 2 prefixes and ranges" "allow add"
run 0 "$hatchery" hook test List --serial SN-1
contains "$out" "would use up: SN-1 of the list factory" "a single-use number"
run 0 "$hatchery" hook test List --serial R-07
run 1 "$hatchery" hook test List --serial R-21
run 0 "$hatchery" allow block --list factory SN-1
run 1 "$hatchery" hook test List --serial SN-1
contains "$out" "reason: SerialNumber SN-1 is blocked" "a blocked number"
run 0 "$hatchery" allow list
equal "$out" "factory  1 unused, 0 used, 1 blocked, 2 prefixes and ranges" "allow list"
run 0 "$hatchery" allow list --list factory
contains "$out" "blocked SN-1" "entries"
contains "$out" "range   R-01..R-20" "patterns"
run 0 "$hatchery" allow add --list factory SN-3 --not-after 2020-01-01
run 1 "$hatchery" hook test List --serial SN-3
contains "$out" "may not register after 2020-01-01T00:00:00Z" "a late device"
run 1 "$hatchery" allow add --list factory SN-4 --not-after yesterday
refused 'expected a time such as 2026-11-22 or 2026-11-22T19:59:35Z, found "yesterday"'
run 1 "$hatchery" allow remove --list factory SN-9
refused "serial number SN-9 has no entry in list factory"
run 0 "$hatchery" allow reset --list factory SN-1
run 0 "$hatchery" hook test List --serial SN-1

# What is exported can be imported again, and is the same.
run 0 "$hatchery" allow export --list factory
cp out first.csv
run 0 "$hatchery" allow import first.csv --list copy
run 0 "$hatchery" allow export --list copy
equal "$(cat out)" "$(cat first.csv)" "the copy"
printf 'state,serial_number\nblocked,"a,""b"\nunused,c\n' > columns.csv
run 0 "$hatchery" allow import columns.csv --list columns
run 0 "$hatchery" allow list --list columns
equal "$out" "$(printf 'blocked a,"b\nunused  c')" "columns in another order"
printf 'serial_number,state\nx,gone\n' > wrong.csv
run 1 "$hatchery" allow import wrong.csv --list columns
refused 'wrong.csv: line 2: expected unused, used or blocked, found "gone"'
seq -f 'SN-%06g' 1 250000 > many.txt
run 0 "$hatchery" allow import many.txt --list many
equal "$out" "250000 added" "a large import"
contains "$err" " rows (" "its progress"
run 0 "$hatchery" allow import many.txt --list many --quiet
equal "$out$err" "0 added, 250000 there already (--replace changes them)" "the same import again"
