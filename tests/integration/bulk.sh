# Bulk registration that is killed again and again, by command and by the control plane, ends with exactly the right registry.
source "$(dirname "$0")/lib.sh"
cd "$work"
count=${BULK:-1200}
"$bin/hatchery" init "$data" > /dev/null
mkdir "$data/factory"
sed -i 's|^buckets = .*|buckets = { factory = "factory" }|' "$data/hatchery.toml"
cat > bulk.json << 'JSON'
{"Parameters": {"Name": {"Type": "String"}, "CSR": {"Type": "String"}, "Group": {"Type": "String", "Default": "unclaimed"}},
 "Resources": {
   "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"}, "ThingTypeName": "AnyType", "ThingGroups": [{"Ref": "Group"}],
     "AttributePayload": {"origin": "bulk"}}},
   "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateSigningRequest": {"Ref": "CSR"}, "Status": "ACTIVE"}},
   "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "AnyTypeThing-policy"}}}}
JSON
serve
tutorial_registry

say "making $count requests, twice"
python3 - "$count" << 'PYTHON'
import json, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
for prefix in "ab":
    with open(prefix + ".jsonl", "w") as out:
        for number in range(int(sys.argv[1])):
            name = "%s-%06d" % (prefix, number)
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
            csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
            line = {"Name": name, "CSR": csr.public_bytes(serialization.Encoding.PEM).decode(), "Group": ["Dev", ""][number % 2]}
            if number % 500 == 3:
                line["Group"] = "nowhere"
            out.write(json.dumps(line) + "\n")
PYTHON
refused=$(grep -c nowhere a.jsonl)
good=$((count - refused))
# lines_done: how many lines of all tasks are done.
lines_done() { python3 -c 'import sqlite3, sys; print(sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True).execute("SELECT count(*) FROM registered_lines").fetchone()[0])' "$data/hatchery.db"; }
more_than() { [ "$(lines_done)" -gt "$1" ]; }
# registry PREFIX: the things of that prefix are exactly right.
registry() {
    python3 - "$data/hatchery.db" "$1" "$good" << 'PYTHON'
import sqlite3, sys
db = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True)
prefix, good = sys.argv[2], int(sys.argv[3])
things = db.execute("SELECT key, name FROM things WHERE name LIKE ? ORDER BY name", (prefix + "-%",)).fetchall()
assert len(things) == good, (len(things), good)
assert not any(int(name[2:]) % 500 == 3 for _, name in things), "a refused device has a thing"
principals = db.execute("SELECT p.thing, count(*), min(c.status), max(c.status) FROM thing_principals p JOIN certificates c ON c.key = p.certificate "
                        "JOIN things t ON t.key = p.thing WHERE t.name LIKE ? GROUP BY p.thing", (prefix + "-%",)).fetchall()
assert len(principals) == good and all(row[1:] == (1, 0, 0) for row in principals), "not one ACTIVE certificate a thing"
for table, what in (("thing_group_members m", "m.thing = t.key"), ("thing_principals p JOIN certificate_policies a", "p.thing = t.key AND a.certificate = p.certificate")):
    found = db.execute("SELECT count(*) FROM things t JOIN %s ON %s WHERE t.name LIKE ?" % (table, what), (prefix + "-%",)).fetchone()[0]
    assert found == good, (table, found)
loose = db.execute("SELECT count(*) FROM certificates c WHERE NOT EXISTS (SELECT 1 FROM thing_principals p WHERE p.certificate = c.key)").fetchone()[0]
assert loose == 0, "%d certificates of nobody" % loose
PYTHON
}
# outcomes FILE...: every line once, in order; certificates that belong to the things.
outcomes() {
    python3 - "$count" "$refused" "$@" << 'PYTHON'
import json, sys
rows = [json.loads(line) for name in sys.argv[3:] for line in open(name)]
rows.sort(key=lambda row: row["lineNumber"])
assert [row["lineNumber"] for row in rows] == list(range(1, int(sys.argv[1]) + 1)), "not every line once"
errors = [row for row in rows if "errorMessage" in row]
assert len(errors) == int(sys.argv[2]), len(errors)
assert all("thing group nowhere does not exist" in row["errorMessage"] for row in errors)
assert len({row["response"]["CertificatePem"] for row in rows if "response" in row}) == len(rows) - len(errors)
assert all(set(row["response"]["ResourceArns"]) == {"thing", "certificate", "policy"} for row in rows if "response" in row)
PYTHON
}

say "by command, beside the running server; kill -9 four times"
register() { "$bin/hatchery" register --data "$data" --template bulk.json --file a.jsonl --out a.out 2> a.err; }
for round in 1 2 3 4; do
    have=$(lines_done)
    register &
    child=$!
    until more_than $((have + count / 20)) || ! kill -0 $child 2> /dev/null; do sleep 0.01; done
    kill -KILL $child 2> /dev/null || true
    wait $child 2> /dev/null || true
done
code=0
register || code=$?
equal $code 1 "exit code with refused devices"
contains "$(cat a.err)" "$good registered, $refused refused" "the last run"
registry a
outcomes a.out
cp a.out first.out
register || code=$?
cmp first.out a.out || die "a run that had nothing to do says something else"
registry a

say "by the control plane: one at a time, killed and started again"
cp b.jsonl "$data/factory/"
role=arn:aws:iam::$HATCHERY_ACCOUNT:role/iot-core-provisioning-role
start() { iot start-thing-registration-task --template-body file://bulk.json --input-file-bucket factory --input-file-key "$1" --role-arn "$role"; }
contains "$(iot_fails start-thing-registration-task --template-body file://bulk.json --input-file-bucket factory --input-file-key ../hatchery.toml --role-arn "$role")" InvalidRequestException "a key that leaves its folder"
contains "$(iot_fails start-thing-registration-task --template-body '{}' --input-file-bucket factory --input-file-key b.jsonl --role-arn "$role")" InvalidRequestException "a broken template"
have=$(lines_done)
task=$(start b.jsonl | jq -r .taskId)
until more_than "$have"; do sleep 0.01; done
kill -KILL "$server"
wait "$server" 2> /dev/null || true
server=
serve
task_is() { [ "$(iot describe-thing-registration-task --task-id "$task" | jq -r .status)" = "$1" ]; }
await task_is Completed
described=$(iot describe-thing-registration-task --task-id "$task")
equal "$(jq -r '"\(.successCount) \(.failureCount) \(.percentageProgress) \(.inputFileBucket) \(.inputFileKey)"' <<< "$described")" "$good $refused 100 factory b.jsonl" "the task"
registry b
for type in RESULTS ERRORS; do
    for link in $(iot list-thing-registration-task-reports --task-id "$task" --report-type $type | jq -r '.resourceLinks[]'); do
        curl -sSf "$link" >> "b.$type"
    done
done
outcomes b.RESULTS b.ERRORS
code=$(curl -s -o /dev/null -w '%{http_code}' "${link%signature=*}signature=00")
equal "$code" 403 "a link with another signature"
equal "$(iot list-thing-registration-tasks --status Completed | jq -c .taskIds)" "[\"$task\"]" "the list"
equal "$(iot list-thing-registration-tasks --status Failed | jq -c .taskIds)" "[]" "the list of others"

say "a task is stopped, and there is one at a time"
# Enough lines that it is still going on when the second one is asked for.
python3 -c 'import json
for n in range(1000000): print(json.dumps({"Name": "c-%07d" % n}))' > "$data/factory/c.jsonl"
thing='{"Parameters": {"Name": {"Type": "String"}}, "Resources": {"thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"}}}}}'
task=$(iot start-thing-registration-task --template-body "$thing" --input-file-bucket factory --input-file-key c.jsonl --role-arn "$role" | jq -r .taskId)
contains "$(iot_fails start-thing-registration-task --template-body "$thing" --input-file-bucket factory --input-file-key c.jsonl --role-arn "$role")" "one runs at a time" "a second task"
iot stop-thing-registration-task --task-id "$task"
await task_is Cancelled
[ "$(iot describe-thing-registration-task --task-id "$task" | jq .percentageProgress)" -lt 100 ] || die "the task was not stopped"
contains "$(iot_fails describe-thing-registration-task --task-id nothing)" ResourceNotFoundException "an unknown task"
stop_server
