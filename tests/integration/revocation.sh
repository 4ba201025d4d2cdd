# Revocation as clients see it: the gateway's next packet, CRLs and OCSP by three implementations that share no code.
source "$(dirname "$0")/lib.sh"
cd "$work"
"$bin/hatchery" init "$data" > /dev/null
# Profiles name the status front by its URL, which must be there from the first certificate on.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -i "/^\[status\]/,/^url = / s#^url = .*#url = \"http://localhost:$port\"#" "$data/hatchery.toml"
root=$data/ca/root.crt issuing=$data/ca/issuing.crt

device() { # device NAME: key, certificate with chain, leaf alone
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" \
        -subj "/CN=$1/serialNumber=$1" -out "$1.csr" 2> /dev/null
    "$bin/hatchery" sign --data "$data" --profile device --csr "$1.csr" --out "$1.crt"
    openssl x509 -in "$1.crt" -out "$1.pem"
}
for name in good lost held; do device $name; done
serial() { openssl x509 -in "$1.pem" -noout -serial | cut -d= -f2; }
shard() { echo $((16#$(serial "$1" | tail -c 3) % 16)); }

say "the certificate names its shard's list, OCSP and its issuer"
ca=$(openssl x509 -in good.pem -noout -text | sed -n "s#.*URI:http://localhost:$port/crl/\([0-9a-f]*\)/.*#\1#p")
contains "$(openssl x509 -in good.pem -noout -text)" "URI:http://localhost:$port/crl/$ca/$(shard good).crl" "CRL URL"
contains "$(openssl x509 -in good.pem -noout -ocsp_uri)" "http://localhost:$port/ocsp" "OCSP URL"

serve
status=http://localhost:$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["status"])' "$work/ready.json")
fetch() { curl -sSf "$status/crl/$ca/$1.crl" -o "$1.der" && openssl crl -inform DER -in "$1.der" -out "$1.crl"; }
curl -sSf "$status/ca/$ca.crt" -o served.der
equal "$(openssl x509 -inform DER -in served.der)" "$(openssl x509 -in "$issuing")" "the served CA certificate"

say "before: nobody is revoked"
ocsp() { openssl ocsp -issuer "$issuing" -cert "$1.pem" -url "$status/ocsp" -CAfile "$root" -verify_other "$issuing" "${@:2}" 2>&1; }
contains "$(ocsp good)" "good.pem: good" "OCSP by openssl"
contains "$(ocsp good)" "Response verify OK" "OCSP by openssl"

say "revoke: exit codes and words"
"$bin/hatchery" revoke lost --reason keyCompromise --data "$data" > revoked.txt
equal "$(cat revoked.txt)" "revoked $(serial lost | tr A-F a-f) keyCompromise" "what revoke says"
"$bin/hatchery" revoke held.pem --reason certificateHold --data "$data" > /dev/null
code=0; "$bin/hatchery" revoke lost --data "$data" 2> refusal.txt || code=$?
equal "$code" 1 "revoking twice"
contains "$(cat refusal.txt)" "is revoked already: keyCompromise" "revoking twice"

say "the lists follow by themselves; openssl and GnuTLS accept them"
number() { openssl crl -in "$1.crl" -noout -crlnumber | cut -d= -f2; }
lists_it() { fetch "$(shard "$1")" && openssl crl -in "$(shard "$1").crl" -noout -text | grep -q "$(serial "$1")"; }
await lists_it lost
await lists_it held
for name in lost held; do
    list=$(shard $name)
    contains "$(openssl crl -in "$list.crl" -noout -CAfile "$issuing" 2>&1)" "verify OK" "the list's signature"
    text=$(openssl crl -in "$list.crl" -noout -text)
    contains "$text" "X509v3 Issuing Distribution Point: critical" "IDP"
    contains "$text" "/crl/$ca/$list.crl" "IDP names the URL of the certificates"
    certtool --verify-crl --load-ca-certificate "$issuing" --infile "$list.crl" > crl.txt || die "$(cat crl.txt)"
    contains "$(cat crl.txt)" "Verified" "GnuTLS"
done
# A sharded list has the certificate's own URL in its scope: openssl uses it for exactly these.
cat "$root" "$issuing" > chain.pem
check() { openssl verify -crl_check -CAfile chain.pem -CRLfile "$(shard "$1").crl" "$1.pem" 2>&1 || true; }
fetch "$(shard good)"
contains "$(check lost)" "certificate revoked" "openssl verify -crl_check"
contains "$(check good)" "good.pem: OK" "openssl verify -crl_check"
curl -sSf "$status/crl/$ca.crl" | openssl crl -inform DER -out all.crl
contains "$(openssl crl -in all.crl -noout -text)" "$(serial lost)" "the list of all shards"

say "OCSP: POST and GET, nonce, reasons, unknown serial numbers, by openssl and by GnuTLS"
contains "$(ocsp lost)" "lost.pem: revoked" "OCSP"
contains "$(ocsp lost)" "Reason: keyCompromise" "OCSP"
contains "$(ocsp held)" "Reason: certificateHold" "OCSP"
contains "$(openssl ocsp -issuer "$issuing" -serial 0x1234567890 -url "$status/ocsp" -CAfile "$root" \
    -verify_other "$issuing" 2>&1)" "0x1234567890: unknown" "a serial number that was never issued"
[[ "$(ocsp good)" != *"WARNING: no nonce"* ]] || die "the nonce did not come back"
openssl ocsp -issuer "$issuing" -cert good.pem -no_nonce -reqout request.der 2> /dev/null
encoded=$(base64 -w0 request.der | sed 's/+/%2B/g; s#/#%2F#g; s/=/%3D/g')
curl -sSf "$status/ocsp/$encoded" -o answer.der
curl -sSf "$status/ocsp/$encoded" -o again.der
cmp answer.der again.der || die "an answer without a nonce is kept, not signed again"
contains "$(openssl ocsp -respin answer.der -issuer "$issuing" -cert good.pem -CAfile "$root" -no_nonce \
    -verify_other "$issuing" 2>&1)" "good.pem: good" "OCSP by GET"
ocsptool --ask="$status/ocsp" --load-issuer "$issuing" --load-cert lost.pem --outfile gnutls.pem > gnutls.log 2>&1 || true
ocsptool --verify-response --load-trust "$issuing" --infile answer.der --inder > trust.out 2>&1 || die "$(cat trust.out)"
contains "$(cat trust.out)" "Success" "OCSP verified by GnuTLS"
contains "$(cat gnutls.log)" "Certificate Status: revoked" "a question by GnuTLS"
equal "$(curl -s -o /dev/null -w '%{http_code}' --data-binary 'rubbish' "$status/ocsp")" 200 "a malformed request is answered"

say "release: off the list; the number never goes back, whatever the backup"
before=$(number "$(shard held)")
"$bin/hatchery" revoke held --release --data "$data" > /dev/null
off_it() { ! lists_it held; }
await off_it
after=$(number "$(shard held)")
[ $((after)) -gt $((before)) ] || die "CRL number $before became $after"
contains "$(ocsp held)" "held.pem: good" "OCSP after the release"
[ "$("$bin/hatchery" ledger search held --data "$data" | grep -c '"kind":"held"\|"kind":"released"')" = 2 ] || die "ledger"

say "a key that was compromised is not certified again"
code=0; "$bin/hatchery" sign --data "$data" --profile device --csr lost.csr 2> refusal.txt || code=$?
equal "$code" 1 "signing a compromised key"
contains "$(cat refusal.txt)" "the key is blocked or was revoked for compromise" "the refusal"

say "the gateway cuts off a device that is revoked while it publishes"
"$bin/hatchery" ca verification-cert --code "$(iot get-registration-code --query registrationCode --output text)" \
    --data "$data" --out verification.pem
cat > template.json <<'JSON'
{"Parameters": {"AWS::IoT::Certificate::CommonName": {"Type": "String"}, "AWS::IoT::Certificate::Id": {"Type": "String"}},
 "Resources": {"thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "AWS::IoT::Certificate::CommonName"}}},
  "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "ACTIVE"}},
  "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "all"}}}}
JSON
iot create-policy --policy-name all \
    --policy-document '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}' > /dev/null
iot create-provisioning-template --template-name first --type JITP --enabled --template-body file://template.json \
    --provisioning-role-arn arn:aws:iam::123456789012:role/any > /dev/null
iot register-ca-certificate --ca-certificate "file://$issuing" --verification-cert file://verification.pem --set-as-active \
    --allow-auto-registration --registration-config templateName=first > /dev/null
publish() { # a line of standard input = a message
    mosquitto_pub -h localhost -p "$HATCHERY_MQTT_PORT" --cafile "$root" --cert "$1.crt" --key "$1.key" -i "$1" -q 1 \
        -t "of/$1" "${@:2}"
}
publish good -m once || die "the first connect of a good device"
publish held -m once || die "a released device connects"
code=0; publish lost -m once 2> /dev/null || code=$?
[ $code -ne 0 ] || die "a device that was revoked before its first connect got in"
mkfifo lines
publish good -l < lines > publisher.log 2>&1 &
publisher=$!
background+=("$publisher")
exec 3> lines
echo one >&3
"$bin/hatchery" revoke good --data "$data" > /dev/null
# mosquitto_pub comes back by itself: the connection was cut when its next attempt is refused.
cut_off() { echo more >&3 && grep -q 'client=good .*certificate is REVOKED' "$work/serve.log"; }
await cut_off
kill "$publisher" $(descendants "$publisher")  # mosquitto_pub is the shell's child, and would try for ever
background=()
exec 3>&-
code=0; publish good -m again 2> /dev/null || code=$?
[ $code -ne 0 ] || die "a revoked device connected again"

say "REVOKED by the control plane is on the list too"
held_id=$(openssl x509 -in held.pem -outform DER | sha256sum | cut -d' ' -f1)
iot update-certificate --certificate-id "$held_id" --new-status REVOKED
await lists_it held
"$bin/hatchery" ledger verify --data "$data" > /dev/null
stop_server
