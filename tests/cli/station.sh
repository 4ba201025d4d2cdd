# hatchery station: a key and a certificate for a factory station; stop refuses it from then on.
source "$(dirname "$0")/lib.sh"
"$hatchery" init data > /dev/null
export HATCHERY_DATA=data
sed 's/^name = .*/name = "sensor"/' data/profiles/device.toml > data/profiles/sensor.toml

run 0 "$hatchery" station list
equal "$out" "" "stations of a new directory"
run 0 "$hatchery" station add line-1 --profiles device,sensor --out-cert line-1.crt --out-key line-1.key
equal "$(mode line-1.key)" 600 "mode of the station's key"
run 0 openssl verify -x509_strict -CAfile data/ca/root.crt -untrusted line-1.crt -purpose sslclient line-1.crt
equal "$(openssl x509 -in line-1.crt -noout -subject -nameopt RFC2253)" "subject=CN=line-1" "subject"
equal "$(openssl pkey -in line-1.key -pubout)" "$(openssl x509 -in line-1.crt -noout -pubkey)" "key"
id=$(openssl x509 -in line-1.crt -outform DER | sha256sum | cut -d' ' -f1)
run 0 "$hatchery" station list
equal "$out" "line-1  enabled  device,sensor  $id" "station list"

# Encrypted on request.
echo secret > phrase
run 0 "$hatchery" station add line-2 --out-cert line-2.crt --out-key line-2.key --station-passphrase-file phrase
equal "$(head -1 line-2.key)" "-----BEGIN ENCRYPTED PRIVATE KEY-----" "first line of the key"
run 0 openssl pkey -in line-2.key -passin pass:secret -noout

# Refusals leave neither files nor stations nor signatures.
signed=$("$hatchery" ledger verify)
run 1 "$hatchery" station add line-1 --out-cert again.crt --out-key again.key
refused "station line-1 exists"
run 1 "$hatchery" station add line-3 --profiles nosuch --out-cert again.crt --out-key again.key
contains "$err" 'no profile "nosuch"' "stderr"
run 1 "$hatchery" station add 'line 3' --out-cert again.crt --out-key again.key
refused 'NAME: expected 1 to 64 of a-z A-Z 0-9 - _ ., found "line 3"'
run 1 "$hatchery" station add line-3 --out-cert line-1.crt --out-key again.key
refused "line-1.crt exists and is not overwritten"
[ ! -e again.crt ] && [ ! -e again.key ] || die "a refused station left files"
equal "$("$hatchery" ledger verify)" "$signed" "ledger after refusals"

# Over HTTPS, while serve runs; stopped, it is refused.
make_csr one /CN=SN-0001/serialNumber=SN-0001
serve
url=https://localhost:$(json ready.json https)
ask() { curl -sS --cacert data/ca/root.crt --cert line-1.crt --key line-1.key -o answer -w '%{http_code}' --data-binary @one.csr "$@"; }
equal "$(ask -H 'Content-Type: application/x-pem-file' "$url/")" 200 "signing by a station"
run 0 openssl verify -CAfile data/ca/root.crt -untrusted data/ca/issuing.crt answer
run 0 "$hatchery" station stop line-1
status=$(ask "$url/" || true)
[ "$status" = 401 ] || [ "$status" = 403 ] || die "a stopped station got $status: $(cat answer)"
stop TERM
run 0 "$hatchery" station list
contains "$out" "line-1  stopped  device,sensor  $id" "station list"
run 1 "$hatchery" station stop nosuch
equal "$(wc -l < err)" 1 "lines on stderr"
run 0 "$hatchery" station list --json
equal "$(python3 -c 'import json; print([s["enabled"] for s in json.load(open("out")) if s["name"] == "line-1"])')" \
    "[False]" "station in the JSON"
