# hatchery init: everything is there, private, encrypted; nothing is ever overwritten.
source "$(dirname "$0")/lib.sh"

run 0 "$hatchery" init data --name localhost --name 127.0.0.1 --name factory.example
contains "$out" "hatchery serve $work/data" "next steps"
equal "$err" "" "stderr"

# The layout, and who may read it.
equal "$(cd data && find . -type f | LC_ALL=C sort | tr '\n' ' ')" \
    "./ca/issuing.crt ./ca/issuing.key ./ca/root.crt ./ca/root.key ./hatchery.db ./hatchery.toml ./keys/wrap.sealed \
./profiles/claim.toml ./profiles/device.toml ./profiles/idevid.toml ./profiles/ocsp.toml ./profiles/server.toml \
./profiles/station.toml ./profiles/sub-ca.toml \
./profiles/verification.toml ./server/server.crt ./server/server.key " "files"
for file in ca/root.key ca/issuing.key server/server.key keys/wrap.sealed hatchery.db hatchery.toml; do
    equal "$(mode "data/$file")" 600 "mode of $file"
done
for folder in . ca server keys profiles run; do equal "$(mode "data/$folder")" 700 "mode of $folder"; done
equal "$(find . -maxdepth 1 -name '.*init*')" "" "temporary folders left"

# Keys are encrypted with this passphrase and no other, and belong to their certificates.
for key in ca/root ca/issuing server/server; do
    equal "$(head -1 "data/$key.key")" "-----BEGIN ENCRYPTED PRIVATE KEY-----" "first line of $key.key"
    run 1 openssl pkey -in "data/$key.key" -passin pass:wrong -noout
    equal "$(openssl pkey -in "data/$key.key" -passin "pass:$HATCHERY_PASSPHRASE" -pubout)" \
        "$(openssl x509 -in "data/$key.crt" -noout -pubkey)" "public key of $key"
done

# The chain: root, issuing CA below it, server certificate with its names.
run 0 openssl verify -x509_strict -CAfile data/ca/root.crt data/ca/issuing.crt
run 0 openssl verify -x509_strict -CAfile data/ca/root.crt -untrusted data/ca/issuing.crt -purpose sslserver \
    -verify_hostname factory.example data/server/server.crt
run 0 openssl verify -CAfile data/ca/root.crt -untrusted data/ca/issuing.crt -verify_ip 127.0.0.1 data/server/server.crt
equal "$(grep -c 'BEGIN CERTIFICATE' data/server/server.crt)" 2 "certificates in server.crt"
run 0 openssl x509 -in data/ca/root.crt -noout -ext basicConstraints,keyUsage
contains "$out" "CA:TRUE" "root"
contains "$out" "Certificate Sign, CRL Sign" "root"
years() {
    local end start
    end=$(date -d "$(openssl x509 -in "$1" -noout -enddate | cut -d= -f2)" +%s)
    start=$(date -d "$(openssl x509 -in "$1" -noout -startdate | cut -d= -f2)" +%s)
    echo $(((end - start) / 31536000))
}
equal "$(years data/ca/root.crt)" 20 "years of the root"
equal "$(years data/ca/issuing.crt)" 10 "years of the issuing CA"

# What was signed is in the ledger: the issuing CA and the server's certificate.
run 0 "$hatchery" ledger verify --data data
equal "$out" "ledger: 2 entries, chain unbroken" "ledger"

# Never overwrites.
before=$(cd data && find . -type f -exec sha256sum {} + | LC_ALL=C sort)
run 1 "$hatchery" init data
contains "$err" "hatchery: data is not empty (" "stderr"
equal "$(wc -l < err)" 1 "lines on stderr"
equal "$(cd data && find . -type f -exec sha256sum {} + | LC_ALL=C sort)" "$before" "files after the refusal"
mkdir notes && touch notes/mine.txt
run 1 "$hatchery" init notes
refused "notes is not empty (mine.txt): expected a new or empty directory, nothing is overwritten"
run 1 "$hatchery" init notes/mine.txt
refused "notes/mine.txt exists and is no directory"

# An existing empty folder is filled; --json says what clients need.
mkdir empty
run 0 "$hatchery" init empty --json --account 000000000042 --region eu-central-1 --key-kind rsa2048 --name 192.0.2.7
cp out init.json
equal "$(python3 -c 'import json; print(*json.load(open("init.json")))')" \
    "HATCHERY_ENDPOINT HATCHERY_MQTT_HOST HATCHERY_MQTT_PORT HATCHERY_HTTPS_PORT HATCHERY_SERVER_CA AWS_ACCESS_KEY_ID \
AWS_SECRET_ACCESS_KEY AWS_DEFAULT_REGION HATCHERY_ACCOUNT" "keys of --json"
equal "$(json init.json HATCHERY_ENDPOINT)" "http://127.0.0.1:8180" "endpoint"
equal "$(json init.json HATCHERY_MQTT_HOST)" "192.0.2.7" "MQTT host"
equal "$(json init.json HATCHERY_MQTT_PORT)" "8883" "MQTT port"
equal "$(json init.json HATCHERY_HTTPS_PORT)" "8443" "HTTPS port"
equal "$(json init.json HATCHERY_SERVER_CA)" "$work/empty/ca/root.crt" "server CA"
equal "$(json init.json AWS_DEFAULT_REGION)" "eu-central-1" "region"
equal "$(json init.json HATCHERY_ACCOUNT)" "000000000042" "account"
[[ "$(json init.json AWS_ACCESS_KEY_ID)" =~ ^AKIA[A-Z2-7]{16}$ ]] || die "access key id: $(cat init.json)"
[[ "$(json init.json AWS_SECRET_ACCESS_KEY)" =~ ^[A-Za-z0-9+/]{40}$ ]] || die "secret access key"
contains "$(openssl x509 -in empty/ca/root.crt -noout -text)" "Public-Key: (2048 bit)" "key kind"
equal "$(mode empty)" 700 "mode of a folder that existed"
# The secret is not kept in the clear.
if grep -rqaF "$(json init.json AWS_SECRET_ACCESS_KEY)" empty; then die "the secret access key is on disk"; fi

# Wrong options leave nothing behind.
run 1 "$hatchery" init other --account 42
refused '--account: expected 12 digits, found "42"'
run 1 "$hatchery" init other --name 'a b'
refused '--name: expected a host name or an IP address, found "a b"'
run 2 "$hatchery" init
contains "$err" "see hatchery init --help" "usage error"
equal "$(wc -l < err)" 1 "lines of a usage error"
[ ! -e other ] || die "a refused init made its folder"

# The passphrase: a file beats the environment; without either and without a terminal it is an error.
printf 'from a file\r\nnot this\n' > phrase
run 0 "$hatchery" init filed --passphrase-file phrase
run 0 openssl pkey -in filed/ca/root.key -passin 'pass:from a file' -noout
unset HATCHERY_PASSPHRASE
run 2 setsid -w "$hatchery" init other
refused "no passphrase: expected --passphrase-file, HATCHERY_PASSPHRASE, or a terminal to ask on"
run 2 "$hatchery" init other --passphrase-file /dev/null
refused "/dev/null: expected a passphrase on the first line"
[ ! -e other ] || die "an init without a passphrase made its folder"
