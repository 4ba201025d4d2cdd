# The issuing CA's key in an HSM (SoftHSM2): its key file is one line with the PKCS#11 URI, and everything signs as before.
source "$(dirname "$0")/lib.sh"

module=/usr/lib/softhsm/libsofthsm2.so
mkdir tokens
printf 'directories.tokendir = %s\nobjectstore.backend = file\n' "$work/tokens" > softhsm2.conf
export SOFTHSM2_CONF=$work/softhsm2.conf
softhsm2-util --init-token --free --label factory --pin 4321 --so-pin 123456 > /dev/null

run 0 "$hatchery" init data
openssl pkcs8 -topk8 -nocrypt -in data/ca/issuing.key -passin "pass:$HATCHERY_PASSPHRASE" -out moved.p8
softhsm2-util --import moved.p8 --token factory --label issuing --id 01 --pin 4321 > /dev/null
rm moved.p8
echo "pkcs11:token=factory;object=issuing?module-path=$module" > data/ca/issuing.key
make_csr one /CN=one

# The PIN is the passphrase, or HATCHERY_HSM_PIN; a wrong one is said so and not quoted.
run 2 "$hatchery" sign --data data --profile device --csr one.csr
contains "$err" 'HSM: cannot log in to the token "factory": the PIN is wrong' "a wrong PIN"
[[ "$err" != *"$HATCHERY_PASSPHRASE"* ]] || die "the PIN is in the message"
export HATCHERY_HSM_PIN=4321
run 0 "$hatchery" sign --data data --profile device --csr one.csr --out one.pem
run 0 openssl verify -x509_strict -CAfile data/ca/root.crt -untrusted data/ca/issuing.crt one.pem

echo "pkcs11:token=nosuch;object=issuing?module-path=$module" > data/ca/issuing.key
run 2 "$hatchery" sign --data data --profile device --csr one.csr
contains "$err" 'HSM: there is no token "nosuch"' "a missing token"
echo "pkcs11:token=factory;object=issuing?module-path=$module&pin-value=4321" > data/ca/issuing.key
run 2 "$hatchery" sign --data data --profile device --csr one.csr
[[ "$err" != *4321* ]] || die "the PIN is in the message"
