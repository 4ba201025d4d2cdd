# hatchery thing: create with every form of file and with escrow, delete in the right order, apply a file.
source "$(dirname "$0")/lib.sh"
"$hatchery" init data > /dev/null
export HATCHERY_DATA=$work/data
# What create names must exist: a template makes the policy; `thing apply` needs types and groups, which only the API makes.
cat > setup.json << 'JSON'
{"Resources": {"policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "meters", "PolicyDocument":
  {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}"}]}}}}}
JSON
echo '{}' > one.jsonl
run 0 "$hatchery" register --template setup.json --file one.jsonl
sql() { python3 -c 'import sqlite3, sys; print(*("|".join(map(str, row)) for row in sqlite3.connect("data/hatchery.db").execute(sys.argv[1])), sep="\n")' "$1"; }

openssl req -x509 -newkey rsa:2048 -nodes -keyout operator.key -out operator.crt -subj /CN=operator -days 30 2> /dev/null
printf 'a passphrase\n' > p12.pass
run 0 "$hatchery" thing create meter-1 --policy meters --attribute site=bonn --out device --form header,p12,nvs \
    --p12-passphrase-file p12.pass --escrow operator.crt
id=$out
equal "$(ls device | tr '\n' ' ')" "meter-1.crt meter-1.h meter-1.json meter-1.key meter-1.nvs.csv meter-1.p12 server-ca.crt " "files"
for file in meter-1.key meter-1.h meter-1.p12; do equal "$(mode device/$file)" 600 "mode of $file"; done
equal "$(openssl x509 -in device/meter-1.crt -outform DER | sha256sum | cut -d' ' -f1)" "$id" "certificate id"
equal "$(openssl x509 -in device/meter-1.crt -noout -pubkey)" "$(openssl pkey -in device/meter-1.key -pubout)" "key and certificate"
openssl verify -CAfile data/ca/root.crt -untrusted data/ca/issuing.crt device/meter-1.crt > /dev/null
equal "$(json device/meter-1.json thingName) $(json device/meter-1.json certificateId)" "meter-1 $id" "json"
equal "$(openssl pkcs12 -in device/meter-1.p12 -passin file:p12.pass -nodes -nocerts 2> /dev/null | openssl pkey)" "$(openssl pkey -in device/meter-1.key)" "p12"
equal "$(openssl pkcs12 -in device/meter-1.p12 -passin file:p12.pass -nokeys | grep -c BEGIN)" 2 "certificates in the p12"
# The C header is C, and holds the same texts.
printf '#include "device/meter-1.h"\n#include <stdio.h>\nint main(void) { fputs(HATCHERY_PRIVATE_KEY, stdout); return sizeof HATCHERY_SERVER_CA + sizeof HATCHERY_CERTIFICATE == HATCHERY_PORT; }\n' > show.c
${CC:-cc} -Wall -Wextra -Werror -Wno-pragma-once-outside-header show.c -o show
equal "$(./show)" "$(cat device/meter-1.key)" "the key in the header"
equal "$(sed -n 3p device/meter-1.nvs.csv)" "thing_name,data,string,meter-1" "nvs"
equal "$(cut -d, -f4 device/meter-1.nvs.csv | grep -c '\.crt\|\.key')" 3 "files that nvs names"

# The registry: one ACTIVE (0) certificate with the policy, attached to the thing.
equal "$(sql "SELECT t.name, c.status, p.name FROM things t JOIN thing_principals tp ON tp.thing = t.key JOIN certificates c ON c.key = tp.certificate
    JOIN certificate_policies cp ON cp.certificate = c.key JOIN policies p ON p.key = cp.policy")" "meter-1|0|meters" "registry"

# Escrow: the openssl command line opens it with the operator's key; nobody else does; no key stands in the database.
run 0 "$hatchery" thing key meter-1
printf '%s\n' "$out" > key.cms
openssl cms -decrypt -inform PEM -in key.cms -inkey operator.key -recip operator.crt -out key.back
cmp key.back device/meter-1.key || die "another key came back"
contains "$(openssl cms -cmsout -print -inform PEM -in key.cms)" rsaesOaep "key transport"
openssl genrsa -out other.key 2048 2> /dev/null
openssl cms -decrypt -inform PEM -in key.cms -inkey other.key > other.out 2> /dev/null && cmp -s other.out device/meter-1.key && die "another key opens it"
grep -aq "$(sed -n 2p device/meter-1.key)" data/hatchery.db* && die "the key is in the database"
run 0 "$hatchery" thing key "$id"
# To an EC public key without a certificate.
openssl ecparam -name prime256v1 -genkey -noout -out operator-ec.key
openssl pkey -in operator-ec.key -pubout -out operator-ec.pub
run 0 "$hatchery" thing create meter-2 --key rsa2048 --out device --escrow operator-ec.pub
run 0 "$hatchery" thing key meter-2
printf '%s\n' "$out" > key.cms
openssl cms -decrypt -inform PEM -in key.cms -inkey operator-ec.key -out key.back
cmp key.back device/meter-2.key || die "another key came back by EC"

# Refusals leave nothing behind: no file, no certificate.
count=$(sql 'SELECT count(*) FROM issued')
run 1 "$hatchery" thing create meter-1 --out again
refused "thing meter-1 exists already"
run 1 "$hatchery" thing create meter-3 --policy nothing --out again
refused "policy nothing does not exist"
run 1 "$hatchery" thing create meter-3 --escrow p12.pass --out again
refused "p12.pass: expected a certificate or a public key, PEM, found something else"
run 1 "$hatchery" thing create 'meter 3' --out again
equal "$(sql 'SELECT count(*) FROM issued')" "$count" "issued certificates"
[ -z "$(ls again 2> /dev/null)" ] || die "files of a refused thing: $(ls again)"
run 1 "$hatchery" thing create meter-9 --policy meters --out device --attribute wrong
run 2 "$hatchery" thing create meter-9 --out device --form p12
run 1 "$hatchery" thing key nothing

# Delete: certificate, attachments, escrow and thing are gone; the ledger stays.
run 0 "$hatchery" thing delete meter-1
equal "$out" "deleted certificate $id
deleted thing meter-1" "delete"
equal "$(sql 'SELECT name FROM things')" "meter-2" "things"
equal "$(sql 'SELECT count(*) FROM certificate_policies') $(sql 'SELECT count(*) FROM escrowed_keys') $(sql 'SELECT count(*) FROM certificates')" "0 1 1" "the rest"
run 1 "$hatchery" thing delete meter-1
refused "thing meter-1 does not exist"
run 0 "$hatchery" ledger verify

# Apply: the plan, the change, nothing the second time.
cat > things.yaml << 'YAML'
things:
  meter-2:
    attributes: {site: bonn, floor: 3}
  pump-1:
YAML
run 0 "$hatchery" thing apply things.yaml --plan
equal "$out" "~ thing meter-2: attributes {} -> {floor=3, site=bonn}
+ thing pump-1" "plan"
equal "$(sql 'SELECT count(*) FROM things')" 1 "things after a plan"
run 0 "$hatchery" thing apply things.yaml
equal "$(sql 'SELECT name FROM things ORDER BY name' | tr '\n' ' ')" "meter-2 pump-1 " "things"
run 0 "$hatchery" thing apply things.yaml
equal "$out" "nothing to do" "the second time"
printf 'things:\n  pump-1:\n    typ: Meter\n' > wrong.yaml
run 1 "$hatchery" thing apply wrong.yaml
refused "wrong.yaml:3:10: expected type, attributes, groups or billingGroup instead of typ"
printf 'things:\n  pump-2:\n  pump-1:\n    groups: [nowhere]\n' > missing.yaml
run 1 "$hatchery" thing apply missing.yaml
contains "$err" "thing group nowhere does not exist" "a missing group"
equal "$(sql "SELECT count(*) FROM things WHERE name = 'pump-2'")" 0 "nothing of a file that was refused"
