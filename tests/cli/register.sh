# hatchery register: a file of devices by a template; refusals by line; a second run changes nothing.
source "$(dirname "$0")/lib.sh"
"$hatchery" init data > /dev/null
export HATCHERY_DATA=$work/data
cat > bulk.json << 'JSON'
{"Parameters": {"Name": {"Type": "String"}, "CSR": {"Type": "String"}},
 "Resources": {
   "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"}}},
   "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateSigningRequest": {"Ref": "CSR"}}},
   "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "own", "PolicyDocument":
     {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}]}}}}}
JSON
make_csr d1 /CN=d1
make_csr d2 /CN=d2
line() { python3 -c 'import json, sys; print(json.dumps({"Name": sys.argv[1], "CSR": open(sys.argv[2]).read()}))' "$@"; }
{
    line d1 d1.csr
    line 'not a name' d2.csr
    echo '{"Name": "d3", "CSR": "rubbish"}'
    line d2 d2.csr
} > devices.jsonl

run 1 "$hatchery" register --template bulk.json --file devices.jsonl --out done.jsonl
equal "$out" "" "stdout with --out"
equal "$err" "2 registered, 2 refused; 0 of them by an earlier run
hatchery: 2 devices were refused" "stderr"
python3 - << 'PY'
import json
rows = [json.loads(line) for line in open("done.jsonl")]
assert [row["lineNumber"] for row in rows] == [1, 2, 3, 4]
assert rows[0]["offset"] == 0 and rows[1]["offset"] == len(open("devices.jsonl").readline())
assert rows[0]["response"]["ResourceArns"]["thing"].endswith(":thing/d1")
assert rows[3]["response"]["CertificatePem"].startswith("-----BEGIN CERTIFICATE-----")
assert rows[1]["errorMessage"].startswith("/Resources/thing/Properties/ThingName: expected a thing name"), rows[1]
assert rows[2]["errorMessage"].startswith("/Resources/certificate/Properties/CertificateSigningRequest: "), rows[2]
open("d1.pem", "w").write(rows[0]["response"]["CertificatePem"])
PY
openssl verify -CAfile data/ca/root.crt -untrusted data/ca/issuing.crt d1.pem > /dev/null
equal "$(openssl x509 -in d1.pem -noout -pubkey)" "$(openssl req -in d1.csr -noout -pubkey)" "the key of the certificate"

# Again: the same lines, nothing issued.
before=$("$hatchery" ledger verify)
run 1 "$hatchery" register --template bulk.json --file devices.jsonl
equal "$out" "$(cat done.jsonl)" "the second run's lines"
contains "$err" "2 registered, 2 refused; 4 of them by an earlier run" "the second run"
equal "$("$hatchery" ledger verify)" "$before" "the ledger"

# A corrected file is another run; what was registered with equal values is no conflict.
sed -i 's/"not a name"/"d4"/; 3d' devices.jsonl
run 0 "$hatchery" register --template bulk.json --file devices.jsonl --out done.jsonl --threads 1
contains "$err" "3 registered, 0 refused; 0 of them by an earlier run" "the corrected file"

# What cannot run, and a template that is refused.
run 2 "$hatchery" register --template bulk.json --file missing.jsonl
equal "$err" "hatchery: cannot read missing.jsonl: No such file or directory" "a missing file"
run 2 "$hatchery" register --template missing.json --file devices.jsonl
echo '{"Resources": {"thing": {"Type": "AWS::IoT::Thing", "Properties": {}}}}' > broken.json
run 1 "$hatchery" register --template broken.json --file devices.jsonl
contains "$err" "hatchery: /Resources/thing (1:16): Invalid registration template. expected a property ThingName" "a broken template"
run 2 "$hatchery" register --template bulk.json --file devices.jsonl --out /nowhere/done.jsonl
