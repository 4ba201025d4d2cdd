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

# A new issuing CA whose key is made inside the token and cannot be read; the one before it goes on.
echo "pkcs11:token=factory;object=issuing?module-path=$module" > data/ca/issuing.key
place="pkcs11:token=factory;object=issuing-2?module-path=$module"
run 1 "$hatchery" ca rotate --data data --name 'Issuing 2' --key-kind ed25519 --hsm "$place"
contains "$err" "HSM: expected a key of RSA, P-256 or P-384" "a kind that no HSM makes"
run 1 "$hatchery" ca rotate --data data --name 'Issuing 2' --hsm "pkcs11:token=factory;object=issuing?module-path=$module"
contains "$err" "HSM: there is a key of this name" "a label that is taken"
run 1 "$hatchery" ca rotate --data data --name 'Issuing 2' --hsm nonsense
[ ! -e data/ca/pending.key ] || die "a refusal left a pending key"
run 0 "$hatchery" ca rotate --data data --name 'Issuing 2' --key-kind p256 --hsm "$place"
equal "$(cat data/ca/issuing.key)" "$place" "the new CA's key file"
equal "$(mode data/ca/issuing.key)" 600 "its mode"
run 0 "$hatchery" sign --data data --profile device --csr one.csr --out two.pem
run 0 openssl verify -x509_strict -CAfile data/ca/root.crt -untrusted data/ca/issuing.crt two.pem
run 0 "$hatchery" ca list --data data
equal "$(cut -d' ' -f1 out | tr '\n' ' ')" "root issuing earlier " "roles"
p11tool --provider "$module" --login --set-pin 4321 --list-privkeys 'pkcs11:token=factory' > objects 2> /dev/null
contains "$(grep -A1 'Label: issuing-2' objects)" "CKA_NEVER_EXTRACTABLE; CKA_SENSITIVE" "the new key in the token"

# A root that is made in the token before witnesses, signs its transcript, and then a CA.
ceremony_script > script
run 0 "$hatchery" ca ceremony seven --script script --hsm "pkcs11:token=factory;object=root?module-path=$module"
openssl x509 -in seven/ca/root.crt -noout -pubkey > root.pub
run 0 openssl dgst -sha384 -verify root.pub -signature seven/ceremony.txt.sig seven/ceremony.txt
contains "$(cat seven/ceremony.txt)" "was made in the HSM and cannot be read" "the transcript"
run 0 "$hatchery" ca csr --data data --name 'Issuing 3' --out three.csr --hsm "pkcs11:token=factory;object=issuing-3?module-path=$module"
run 0 "$hatchery" ca csr --data data --name 'Issuing 3' --out again.csr # keeps the key
run 0 "$hatchery" sign --data seven --ca root --profile sub-ca --csr again.csr --out three.crt
run 0 "$hatchery" ca install --data data --certificate three.crt --chain seven/ca/root.crt
run 0 "$hatchery" sign --data data --profile device --csr one.csr --out three.pem
run 0 openssl verify -x509_strict -CAfile seven/ca/root.crt -untrusted three.pem three.pem
