# hatchery status: whether it can sign and write, with and without a server; an HSM that went away and came back.
source "$(dirname "$0")/lib.sh"
module=/usr/lib/softhsm/libsofthsm2.so
mkdir tokens
printf 'directories.tokendir = %s\nobjectstore.backend = file\n' "$work/tokens" > softhsm2.conf
export SOFTHSM2_CONF=$work/softhsm2.conf HATCHERY_HSM_PIN=4321
softhsm2-util --init-token --free --label factory --pin 4321 --so-pin 123456 > /dev/null
"$hatchery" init data > /dev/null
export HATCHERY_DATA=data
"$hatchery" station add few --quota 3 --out-cert few.crt --out-key few.key
"$hatchery" station add idle --out-cert idle.crt --out-key idle.key
"$hatchery" station stop idle
line() { grep "^$1  *" out | sed "s/^$1  *//"; }

# Without a server: the store is tried here, the key only if there is a passphrase.
HATCHERY_PASSPHRASE='' run 0 env -u HATCHERY_PASSPHRASE "$hatchery" status
equal "$(line server)" "not running" "server"
equal "$(line store)" ok "store"
equal "$(line signingKey)" "not tried: no passphrase was given" "key"
equal "$(line revocationLists)" "not published yet" "lists"
equal "$(line 'station few')" "enabled, 0 certificates of 3" "a station"
equal "$(line 'station idle')" "stopped, 0 certificates" "a stopped station"
contains "$(line issuingCa)" ", key in a file" "the CA"
run 0 "$hatchery" status
equal "$(line signingKey)" ok "key"
run 1 env HATCHERY_PASSPHRASE=wrong "$hatchery" status
contains "$(line signingKey)" "failing: " "a wrong passphrase"
contains "$err" "hatchery: signingKey: " "stderr"
run 0 "$hatchery" status --json
equal "$(json out store)" ok "JSON"

# The CA's key in an HSM, and a server that signs with it.
openssl pkcs8 -topk8 -nocrypt -in data/ca/issuing.key -passin "pass:$HATCHERY_PASSPHRASE" -out moved.p8
softhsm2-util --import moved.p8 --token factory --label issuing --id 01 --pin 4321 > /dev/null
rm moved.p8
echo "pkcs11:token=factory;object=issuing?module-path=$module" > data/ca/issuing.key
serve
run 0 "$hatchery" status
equal "$(line server)" running "server"
equal "$(line signingKey)" ok "key"
contains "$(line issuingCa)" ", key in an HSM" "the CA"
[[ "$(line hsm:factory)" =~ ^ok:\ [1-9][0-9]*\ sessions,\ opened\ again\ 0\ times$ ]] || die "the HSM: $(line hsm:factory)"
contains "$(line revocationLists)" "good until" "lists"

ask() {
    make_csr "$1" "/CN=$1/serialNumber=$1"
    curl -sS --cacert data/ca/root.crt --cert few.crt --key few.key -o answer -w '%{http_code}' --data-binary @"$1.csr" \
        "https://localhost:$(json ready.json https)/"
}
equal "$(ask one)" 200 "signing by the HSM"

# The token is gone: refused as unavailable, and said so; it is back: no restart, no log-in by hand. The failed signature was recorded
# before it failed, so it counts.
mv tokens gone
mkdir tokens
looks() { "$hatchery" status > out 2> err || true; }
fails() { looks && [[ "$(line signingKey)" == "failing: HSM: "* ]]; }
wait_for "the HSM to be missed" fails
equal "$(ask two)" 503 "signing without the HSM: $(cat answer)"
rmdir tokens 2> /dev/null || rm -r tokens
mv gone tokens
works() { looks && [ "$(line signingKey)" = ok ]; }
wait_for "the HSM to be back" works
equal "$(ask two)" 200 "signing by the HSM again: $(cat answer)"
[[ "$(line hsm:factory)" != *"again 0 times" ]] || die "the HSM was not opened again: $(line hsm:factory)"
stop TERM
