# hatchery ca: offline root, an issuing CA under it, rollover with both CAs live, and a ceremony with a signed transcript.
source "$(dirname "$0")/lib.sh"
"$hatchery" init data > /dev/null
export HATCHERY_DATA=data

run 0 "$hatchery" ca list
equal "$(cut -d' ' -f1 out | tr '\n' ' ')" "root issuing " "roles"
run 0 "$hatchery" ca list --json
equal "$(python3 -c 'import json; print([(ca["role"], ca["key"]) for ca in json.load(open("out"))])')" \
    "[('root', True), ('issuing', True)]" "JSON"
run 0 "$hatchery" ca show issuing
contains "$out" "$(openssl x509 -in data/ca/issuing.crt)" "the certificate"
contains "$out" "id             $(openssl x509 -in data/ca/issuing.crt -outform DER | sha256sum | cut -d' ' -f1)" "the id"
run 1 "$hatchery" ca show nosuch
refused 'no CA "nosuch"; see hatchery ca list'

make_csr old /CN=old/serialNumber=OLD
run 0 "$hatchery" sign --profile device --csr old.csr --out old.crt

# A new issuing CA under an offline root of its own: request here, answer there, install here.
run 0 "$hatchery" ca init offline --name 'Plant Root' --years 30
equal "$(openssl x509 -in offline/ca/root.crt -noout -subject -nameopt RFC2253)" "subject=CN=Plant Root" "the offline root"
run 1 "$hatchery" ca init offline --name 'Plant Root'
run 0 "$hatchery" ca csr --name 'Plant Issuing 2' --out issuing2.csr
run 0 openssl req -in issuing2.csr -noout -verify
run 0 "$hatchery" sign --data offline --ca root --profile sub-ca --csr issuing2.csr --out issuing2.crt
run 0 "$hatchery" ledger verify --data offline
equal "$out" "ledger: 1 entries, chain unbroken" "the offline root's ledger"

# What does not fit is refused and changes nothing.
before=$(sha256sum data/ca/*)
run 1 "$hatchery" ca install --certificate old.crt --chain offline/ca/root.crt
run 1 "$hatchery" ca install --certificate issuing2.crt
contains "$err" 'expected the certificate of the CA that signed it, "CN=Plant Root", in --chain' "no chain"
equal "$(sha256sum data/ca/*)" "$before" "files after refusals"

run 0 "$hatchery" ca install --certificate issuing2.crt --chain offline/ca/root.crt
run 0 "$hatchery" ca list
equal "$(cut -d' ' -f1 out | tr '\n' ' ')" "root issuing earlier " "roles after the installation"
make_csr new /CN=new/serialNumber=NEW
run 0 "$hatchery" sign --profile device --csr new.csr --out new.crt
run 0 openssl verify -x509_strict -CAfile offline/ca/root.crt -untrusted new.crt new.crt
cat data/ca/earlier/*.crt > earlier.crt
run 0 openssl verify -x509_strict -CAfile data/ca/root.crt -untrusted earlier.crt old.crt
run 0 certtool --verify --load-ca-certificate offline/ca/root.crt --infile new.crt

# rotate: the same in one, by a root that is here. Both CAs stay live: certificates of each can be revoked, and both
# publish their lists and answer for them.
run 0 "$hatchery" ca rotate --name 'Hatchery Issuing 3'
run 0 "$hatchery" ca list
equal "$(cut -d' ' -f1 out | tr '\n' ' ')" "root issuing earlier earlier " "roles after the rotation"
run 0 "$hatchery" revoke OLD --reason superseded
make_csr third /CN=third/serialNumber=THIRD
run 0 "$hatchery" sign --profile device --csr third.csr --out third.crt
run 0 openssl verify -x509_strict -CAfile data/ca/root.crt -untrusted third.crt third.crt
serve
status=http://localhost:$(json ready.json status)
state() { # state CERTIFICATE ISSUER ROOT
    openssl ocsp -issuer "$2" -cert "$1" -url "$status/ocsp" -CAfile "$3" -verify_other "$2" 2>&1
}
issuer_of_old=$(grep -l "$(openssl x509 -in earlier.crt | sed -n 2p)" data/ca/earlier/*.crt | head -1)
for file in data/ca/earlier/*.crt; do
    openssl verify -partial_chain -CAfile "$file" old.crt > /dev/null 2>&1 && issuer_of_old=$file
done
openssl x509 -in old.crt -out old.pem
openssl x509 -in third.crt -out third.pem
contains "$(state old.pem "$issuer_of_old" data/ca/root.crt)" "old.pem: revoked" "OCSP of an earlier CA"
contains "$(state third.pem data/ca/issuing.crt data/ca/root.crt)" "third.pem: good" "OCSP of the present CA"
stop TERM

# The verification certificate of the present CA.
run 0 "$hatchery" ca verification-cert --code "$(printf 'ab%.0s' {1..32})" --out verification.pem
run 0 openssl verify -partial_chain -CAfile data/ca/issuing.crt verification.pem

# An issuing CA under somebody else's root, which knows nothing of us.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout their.key -out their.crt -days 3650 \
    -subj '/O=Somebody/CN=Their Root' -addext keyUsage=critical,keyCertSign,cRLSign 2> /dev/null
run 0 "$hatchery" ca csr --name 'Plant under Theirs' --out theirs.csr
printf '%s\n' basicConstraints=critical,CA:TRUE,pathlen:0 keyUsage=critical,keyCertSign,cRLSign \
    subjectKeyIdentifier=hash authorityKeyIdentifier=keyid > extensions
openssl x509 -req -in theirs.csr -CA their.crt -CAkey their.key -days 1825 -extfile extensions -out theirs.crt 2> /dev/null
run 0 "$hatchery" ca install --certificate theirs.crt --chain their.crt
make_csr fourth /CN=fourth/serialNumber=FOURTH
run 0 "$hatchery" sign --profile device --csr fourth.csr --out fourth.crt
run 0 openssl verify -x509_strict -CAfile their.crt -untrusted fourth.crt fourth.crt
run 0 certtool --verify --load-ca-certificate their.crt --infile fourth.crt

# A ceremony by script; its transcript carries the root's signature.
ceremony_script > script
sed '/^witnesses/d' script > incomplete
run 1 "$hatchery" ca ceremony never --script incomplete
refused 'the script does not answer "witnesses"'
sed 's/^offline: yes/offline: no/' script > online
run 1 "$hatchery" ca ceremony never --script online
[ ! -e never ] || die "a ceremony that failed left a directory"
run 0 "$hatchery" ca ceremony seven --script script
openssl x509 -in seven/ca/root.crt -noout -pubkey > root.pub
run 0 openssl dgst -sha384 -verify root.pub -signature seven/ceremony.txt.sig seven/ceremony.txt
contains "$(cat seven/ceremony.txt)" "[witnesses] Who witnesses it?  ->  B. Witness, C. Witness" "the transcript"
contains "$(cat seven/ceremony.txt)" "$(openssl x509 -in seven/ca/root.crt -outform DER | sha256sum | cut -d' ' -f1)" "the transcript"
grep -q 'correct horse' seven/ceremony.txt && die "the passphrase is in the transcript"
sed 's/C. Witness/D. Witness/' seven/ceremony.txt > changed.txt
run 1 openssl dgst -sha384 -verify root.pub -signature seven/ceremony.txt.sig changed.txt
# By prompts, the same.
sed -n 's/^[a-z-]*: //p' script > answers
input=answers run 0 "$hatchery" ca ceremony eight
contains "$(cat eight/ceremony.txt)" "Plant 7 Root" "the transcript of prompts"
