# EST (RFC 7030) with curl and openssl, as the RFC's examples do; and renewal to the device's first connect.
source "$(dirname "$0")/lib.sh"
cd "$work"
"$bin/hatchery" init "$data" > /dev/null
openssl req -x509 -newkey rsa:2048 -nodes -keyout operator.key -out operator.crt -subj /CN=operator -days 30 2> /dev/null
cp operator.crt "$data/"
sed -i 's/^escrow = .*/escrow = "operator.crt"/' "$data/hatchery.toml"
sed -i 's/^one_per_device = .*/one_per_device = true/' "$data/profiles/device.toml"
sed 's/^name = "device"/name = "drawer"/; s/^validity = .*/validity = "2s"/; s/^backdate = .*/backdate = "0s"/' \
    "$data/profiles/device.toml" > "$data/profiles/drawer.toml"
sed 's/^name = "drawer"/name = "gone"/' "$data/profiles/drawer.toml" > "$data/profiles/gone.toml"
sed -i '0,/^validity/s/^validity/renew_after_expiry = "30d"\nvalidity/' "$data/profiles/drawer.toml"
"$bin/hatchery" station add line-1 --profiles device,drawer,gone --out-cert station.crt --out-key station.key --data "$data"
root=$data/ca/root.crt
serve
est=https://localhost:$HATCHERY_HTTPS_PORT/.well-known/est
ask() { curl -sS --cacert "$root" -o answer -D headers -w '%{http_code}' "$@"; }
as_station() { ask --cert station.crt --key station.key "$@"; }
as_device() { ask --cert "$1.crt" --key "$1.key" "${@:2}"; }
request() { # request NAME SUBJECT: NAME.key, NAME.p10 (base64 of DER)
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -subj "$2" -outform DER \
        -out "$1.der" 2> /dev/null
    openssl base64 -in "$1.der" -out "$1.p10"
}
enroll=(-H 'Content-Type: application/pkcs10' -H 'Content-Transfer-Encoding: base64')
answer_to() { openssl base64 -d -in answer | openssl pkcs7 -inform DER -print_certs | sed '/^subject\|^issuer\|^$/d' > "$1"; }
why() { python3 -c 'import json; print(json.load(open("answer"))["code"])'; }

say "4.1 cacerts: no credentials needed"
equal "$(ask "$est/cacerts")" 200 "cacerts"
contains "$(cat headers)" "application/pkcs7-mime" "type"
answer_to cacerts.pem
equal "$(grep -c BEGIN cacerts.pem)" 2 "CA certificates"
openssl verify -CAfile cacerts.pem "$data/ca/issuing.crt" > /dev/null
contains "$(openssl base64 -d -in answer | certtool --p7-info --inder 2>&1)" "BEGIN CERTIFICATE" "GnuTLS reads it"

say "4.5 csrattrs"
equal "$(ask "$est/csrattrs")" 200 "csrattrs"
contains "$(openssl base64 -d -in answer | openssl asn1parse -inform DER)" ":serialNumber" "csrattrs"
contains "$(openssl base64 -d -in answer | openssl asn1parse -inform DER)" ":prime256v1" "csrattrs"

say "4.2.1 simpleenroll by a station"
request dev-1 /CN=dev-1/serialNumber=SN-1
equal "$(as_station "${enroll[@]}" --data-binary @dev-1.p10 "$est/simpleenroll")" 200 "simpleenroll: $(cat answer)"
contains "$(cat headers)" "smime-type=certs-only" "type"
answer_to dev-1.crt
openssl verify -x509_strict -CAfile cacerts.pem dev-1.crt > /dev/null || die "the certificate does not verify"
equal "$(openssl pkey -in dev-1.key -pubout)" "$(openssl x509 -in dev-1.crt -noout -pubkey)" "key"
cp dev-1.crt first.crt
equal "$(as_station "${enroll[@]}" --data-binary @dev-1.p10 "$est/simpleenroll")" 200 "the same again"
answer_to dev-1.crt
cmp first.crt dev-1.crt || die "a repeated request got another certificate"

say "refusals, each by its code"
request second /CN=dev-1/serialNumber=SN-1
equal "$(as_station "${enroll[@]}" --data-binary @second.p10 "$est/simpleenroll")" 409 "a second certificate"
equal "$(why)" DeviceHasCertificate "code"
openssl req -new -key dev-1.key -subj /CN=clone/serialNumber=SN-2 -outform DER | openssl base64 > clone.p10
equal "$(as_station "${enroll[@]}" --data-binary @clone.p10 "$est/simpleenroll")" 409 "a cloned key"
equal "$(why)" KeyInUse "code"
equal "$(ask "${enroll[@]}" --data-binary @second.p10 "$est/simpleenroll")" 401 "without a certificate"
equal "$(as_device dev-1 "${enroll[@]}" --data-binary @second.p10 "$est/simpleenroll")" 403 "enrolling with a device's certificate"
equal "$(as_station "${enroll[@]}" --data-binary @second.p10 "$est/simplereenroll")" 403 "re-enrolling with a station's"
equal "$(as_station "${enroll[@]}" --data-binary @second.p10 "$est/server/simpleenroll")" 403 "a profile of others"
equal "$(as_station "${enroll[@]}" --data-binary 'rubbish' "$est/simpleenroll")" 400 "rubbish"
equal "$(as_station "$est/simpleenroll")" 405 "GET"
equal "$(as_station "${enroll[@]}" --data-binary @second.p10 "$est/nothing")" 404 "another operation"

say "4.4 serverkeygen: key and certificate belong together"
request gen /CN=gen-1/serialNumber=SN-GEN
equal "$(as_station "${enroll[@]}" --data-binary @gen.p10 "$est/serverkeygen")" 200 "serverkeygen: $(cat answer)"
python3 - << 'PYTHON'
import email, base64
headers = open("headers").read()
content_type = [line for line in headers.splitlines() if line.lower().startswith("content-type")][0]
message = email.message_from_string(content_type + "\n\n" + open("answer", newline="").read())
key, certificate = message.get_payload()
assert key.get_content_type() == "application/pkcs8", key.get_content_type()
open("gen.key.der", "wb").write(key.get_payload(decode=True))
open("answer", "wb").write(base64.encodebytes(certificate.get_payload(decode=True)))
PYTHON
answer_to gen.crt
openssl pkey -inform DER -in gen.key.der -out gen.key
equal "$(openssl pkey -in gen.key -pubout)" "$(openssl x509 -in gen.crt -noout -pubkey)" "generated key"
equal "$(openssl x509 -in gen.crt -noout -subject -nameopt RFC2253)" "subject=serialNumber=SN-GEN,CN=gen-1" "subject"

say "keys that the server makes are in escrow for the operator, who asked for it"
in_escrow() { "$bin/hatchery" thing key "$1" --data "$data" | openssl cms -decrypt -inform PEM -inkey operator.key | openssl pkey; }
equal "$(in_escrow "$(openssl x509 -in gen.crt -outform DER | sha256sum | cut -d' ' -f1)")" "$(openssl pkey -in gen.key)" "the generated key"
id=$(iot create-keys-and-certificate --private-key-outfile made.key --query certificateId --output text)
equal "$(in_escrow "$id")" "$(openssl pkey -in made.key)" "the key of CreateKeysAndCertificate"
iot delete-certificate --certificate-id "$id"
"$bin/hatchery" thing key "$id" --data "$data" 2> /dev/null && die "the key of a deleted certificate is still there"

say "4.2.2 simplereenroll: the present certificate until the next one connects"
iot create-thing --thing-name dev-1 > /dev/null
iot create-policy --policy-name all \
    --policy-document '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}' > /dev/null
arn=$(iot register-certificate-without-ca --certificate-pem file://dev-1.crt --status ACTIVE --query certificateArn --output text)
iot attach-policy --policy-name all --target "$arn"
iot attach-thing-principal --thing-name dev-1 --principal "$arn"
publish() { mosquitto_pub -h localhost -p "$HATCHERY_MQTT_PORT" --cafile "$root" --cert "$1.crt" --key "$1.key" -i dev-1 -q 1 -t t -m x; }
state() { iot describe-certificate --certificate-id "$(openssl x509 -in "$1.crt" -outform DER | sha256sum | cut -d' ' -f1)" \
    --query certificateDescription.status --output text; }
publish dev-1 || die "dev-1 cannot publish"
request next /CN=dev-1/serialNumber=SN-1
equal "$(as_device dev-1 "${enroll[@]}" --data-binary @next.p10 "$est/simplereenroll")" 200 "simplereenroll: $(cat answer)"
answer_to next.crt
equal "$(as_device dev-1 "${enroll[@]}" --data-binary @next.p10 "$est/simplereenroll")" 200 "the same again"
answer_to again.crt
cmp next.crt again.crt || die "a repeated renewal got another certificate"
request other /CN=somebody/serialNumber=SN-1
equal "$(as_device dev-1 "${enroll[@]}" --data-binary @other.p10 "$est/simplereenroll")" 400 "another subject"
publish dev-1 || die "the present certificate was retired too early"
equal "$(state dev-1)" ACTIVE "the present certificate"
publish next || die "the renewed certificate cannot publish"
equal "$(state next)" ACTIVE "the renewed certificate"
equal "$(state dev-1)" REVOKED "the superseded certificate"
contains "$("$bin/hatchery" ledger search "$(openssl x509 -in dev-1.crt -noout -serial | cut -d= -f2)" --data "$data")" \
    '"detail":"superseded"' "the ledger"
equal "$(as_device dev-1 "${enroll[@]}" --data-binary @next.p10 "$est/simplereenroll")" 403 "renewing with a superseded certificate"
equal "$(iot list-thing-principals --thing-name dev-1 --query 'length(principals)' --output text)" 1 "principals: the superseded one is detached"

say "after a year in the drawer: where the profile says so"
for name in drawer gone; do
    request $name "/CN=$name/serialNumber=$name"
    equal "$(as_station "${enroll[@]}" --data-binary @$name.p10 "$est/$name/simpleenroll")" 200 "$name: $(cat answer)"
    answer_to $name.crt
    request $name-2 "/CN=$name/serialNumber=$name"
done
# notAfter includes its last second.
ends=$(date -d "$(openssl x509 -in gone.crt -noout -enddate | cut -d= -f2)" +%s)
expired() { [ "$(date +%s)" -gt "$ends" ]; }
await expired
equal "$(as_device drawer "${enroll[@]}" --data-binary @drawer-2.p10 "$est/simplereenroll")" 200 "after its end: $(cat answer)"
equal "$(as_device gone "${enroll[@]}" --data-binary @gone-2.p10 "$est/simplereenroll")" 403 "after its end, not allowed"
contains "$(cat answer)" "longer ago than profile" "the refusal"

say "the JSON endpoint renews, too"
openssl req -inform DER -in drawer-2.der -out drawer-2.csr
jq -n --rawfile csr drawer-2.csr '{certificateSigningRequest: $csr}' > order.json
equal "$(as_device drawer -H 'Content-Type: application/json' --data-binary @order.json \
    "https://localhost:$HATCHERY_HTTPS_PORT/v1/certificates")" 200 "the same renewal by JSON: $(cat answer)"
contains "$(cat answer)" '"certificateId"' "JSON"
"$bin/hatchery" ledger verify --data "$data" > /dev/null
[ "$("$bin/hatchery" ledger export --data "$data" | grep -c '"kind":"refused"')" -ge 4 ] || die "refusals are no rows"
stop_server
