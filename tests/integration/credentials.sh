#!/usr/bin/env bash
# Each front refuses every credential of every other front (step-ca #2491), and a certificate without its key is no proof
# on any path (openremote/openremote#1703).
source "$(dirname "$0")/lib.sh" "$1"
cd "$work"
"$bin/hatchery" init "$data" > /dev/null
root=$data/ca/root.crt
"$bin/hatchery" station add line-1 --out-cert station.crt --out-key station.key --data "$data"
request() { openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -subj "$2" -out "$1.csr" 2> /dev/null; }
for profile in device claim; do
    request $profile "/CN=$profile/serialNumber=SN-$profile"
    "$bin/hatchery" sign --data "$data" --profile $profile --csr $profile.csr --out $profile.crt
done
cp "$data/server/server.crt" server.crt
openssl pkey -in "$data/server/server.key" -passin "pass:$HATCHERY_PASSPHRASE" -out server.key
request next /CN=somebody/serialNumber=SN-NEXT
jq -n --rawfile csr next.csr '{certificateSigningRequest: $csr}' > next.json
serve
https=https://localhost:$HATCHERY_HTTPS_PORT
for certificate in device claim; do
    arn=$(iot register-certificate-without-ca --certificate-pem file://$certificate.crt --status ACTIVE --query certificateArn --output text)
    [ $certificate = device ] || continue
    iot create-policy --policy-name all --policy-document \
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}' > /dev/null
    iot attach-policy --policy-name all --target "$arn"
done
issued() { "$bin/hatchery" ledger export --data "$data" | grep -c '"kind":"issued"'; }
before=$(issued)
enroll() { # enroll PATH [curl options]: the status; "000" if there was no connection
    curl -s --cacert "$root" -o answer -w '%{http_code}' --data-binary "@${body:-next.csr}" "${@:2}" "$https$1" || true
}
publish() { # publish [options of mosquitto_pub]
    timeout 20 mosquitto_pub -h localhost -p "$HATCHERY_MQTT_PORT" --cafile "$root" -i client -q 1 -t t -m x "$@" 2> /dev/null
}
identity() { printf -- '--cert %s.crt --key %s.key' "$1" "${2:-$1}"; }

say "the factory line: no certificate of another front signs, no password, no access key"
paths="/ /v1/certificates /.well-known/est/simpleenroll /.well-known/est/serverkeygen /.well-known/est/simplereenroll"
for path in $paths; do
    body=$([ $path = /v1/certificates ] && echo next.json || echo next.csr)
    equal "$(enroll $path)" 401 "$path without a certificate"
    equal "$(enroll $path -u "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY")" 401 "$path with an access key as a password"
    equal "$(enroll $path --aws-sigv4 aws:amz:us-east-1:iot -u "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY")" 401 "$path with SigV4"
    for who in claim server device; do
        # A device may ask for its own next certificate, not for somebody else's.
        expected=403
        case "$who $path" in "device /" | "device /v1/certificates" | "device /.well-known/est/simplereenroll") expected=400 ;; esac
        equal "$(enroll $path $(identity $who))" $expected "$path with the certificate of a $who: $(cat answer)"
    done
done
body=next.csr
equal "$(enroll /.well-known/est/simplereenroll $(identity station))" 403 "a station that re-enrols as a device"

say "the gateway: a station, the server's own certificate and an access key are no device"
publish $(identity device) || die "the device itself cannot publish"
for who in station server; do
    ! publish $(identity $who) || die "a $who published"
done
! publish -u "$AWS_ACCESS_KEY_ID" -P "$AWS_SECRET_ACCESS_KEY" || die "an access key published"

say "the control plane: certificates say nothing, only a signature does"
control() { curl -s -o answer -w '%{http_code}' "$@" "$HATCHERY_ENDPOINT/things"; }
equal "$(control)" 403 "no signature"
equal "$(control -u "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY")" 403 "an access key as a password"
equal "$(control -H "X-Client-Certificate: $(base64 -w0 station.crt)")" 403 "a certificate in a header"
equal "$(control --aws-sigv4 aws:amz:us-east-1:iot -u "$AWS_ACCESS_KEY_ID:$(base64 -w0 < station.key | head -c 40)")" 403 "another secret"

say "another's certificate with a key of one's own: the handshake fails, with TLS 1.2 and 1.3"
python3 - << 'PYTHON'
import base64
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

def tlv(tag, *parts):
    content = b"".join(parts)
    length = bytes([len(content)]) if len(content) < 128 else b"\x81" + bytes([len(content)])
    return bytes([tag]) + length + content

# A key file whose public half is the victim's, so that no client library notices, over a private half of our own.
for name in ("station", "device", "claim"):
    victim = x509.load_pem_x509_certificate(open(name + ".crt", "rb").read()).public_key()
    point = victim.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    own = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32, "big")
    der = tlv(0x30, tlv(2, b"\1"), tlv(4, own), tlv(0xa0, bytes.fromhex("06082a8648ce3d030107")), tlv(0xa1, tlv(3, b"\0" + point)))
    open(name + "-stolen.key", "wb").write(b"-----BEGIN EC PRIVATE KEY-----\n" + base64.encodebytes(der) + b"-----END EC PRIVATE KEY-----\n")
PYTHON
request own /CN=device/serialNumber=SN-device
for version in 1.2 1.3; do
    tls="--tlsv$version --tls-max $version"
    for path in / /.well-known/est/simpleenroll; do
        equal "$(enroll $path $tls $(identity station station-stolen))" 000 "$path with a stolen station certificate, TLS $version"
    done
    body=own.csr
    for path in / /.well-known/est/simplereenroll; do
        equal "$(enroll $path $tls $(identity device device-stolen))" 000 "$path with a stolen device certificate, TLS $version"
    done
    body=next.csr
    for who in device claim; do
        ! publish --tls-version "tlsv$version" $(identity $who $who-stolen) || die "a stolen certificate of a $who published, TLS $version"
    done
done
equal "$(issued)" "$before" "certificates in the ledger: nothing of all this was signed"
equal "$(iot list-things --query 'length(things)' --output text)" 0 "things"
body=own.csr
equal "$(enroll /.well-known/est/simplereenroll $(identity device))" 200 "the device itself renews: $(cat answer)"
stop_server
