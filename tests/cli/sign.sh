# hatchery sign: PEM, DER, standard input; refusals in one line; what comes out verifies up to the root.
tests=$(realpath "$(dirname "$0")/..")
source "$(dirname "$0")/lib.sh"
"$hatchery" init data > /dev/null
sign() { "$hatchery" sign --data data --profile device "$@"; }
verify() { openssl verify -x509_strict -CAfile data/ca/root.crt -untrusted data/ca/issuing.crt -purpose sslclient "$1"; }
make_csr one /CN=SN-0001/serialNumber=SN-0001

# To standard output: the certificate, then its chain without the root.
run 0 sign --csr one.csr
equal "$err" "" "stderr"
cp out one.crt
run 0 verify one.crt
equal "$(grep -c 'BEGIN CERTIFICATE' one.crt)" 2 "certificates"
equal "$(openssl x509 -in one.crt -noout -pubkey)" "$(openssl pkey -in one.key -pubout)" "key"
equal "$(openssl x509 -in one.crt -noout -subject -nameopt RFC2253)" "subject=serialNumber=SN-0001,CN=SN-0001" "subject"
equal "$(sed -n '/BEGIN/,$p' one.crt | awk '/BEGIN/{n++} n==2')" "$(cat data/ca/issuing.crt)" "chain"

# DER, DER and PEM from standard input, the data directory from the environment.
openssl req -in one.csr -outform DER -out one.der
run 0 sign --csr one.der
cp out some.crt
run 0 verify some.crt
input=one.csr run 0 sign --csr -
cp out some.crt
run 0 verify some.crt
input=one.der HATCHERY_DATA=data run 0 "$hatchery" sign --profile device --csr -
cp out some.crt
run 0 verify some.crt

# Into a file, whole, never over another without --force.
run 0 sign --csr one.csr --out new.crt
equal "$out" "" "stdout with --out"
run 0 verify new.crt
before=$(cat new.crt)
run 1 sign --csr one.csr --out new.crt
refused "new.crt exists and is not overwritten; --force replaces it"
equal "$(cat new.crt)" "$before" "file after a refusal"
run 0 sign --csr one.csr --out new.crt --force
[ "$(cat new.crt)" != "$before" ] || die "--force did not replace the file"
equal "$(find . -maxdepth 1 -name 'new.crt*')" "./new.crt" "temporary files left"

# As JSON.
run 0 sign --csr one.csr --json
cp out one.json
json one.json certificatePem > leaf.pem
json one.json chain > chain.pem
equal "$(json one.json certificateId)" "$(openssl x509 -in leaf.pem -outform DER | sha256sum | cut -d' ' -f1)" "id"
equal "$(json one.json serialNumber)" \
    "$(openssl x509 -in leaf.pem -noout -serial | cut -d= -f2 | tr A-F a-f)" "serial number"
equal "$(grep -c BEGIN leaf.pem chain.pem | tr '\n' ' ')" "leaf.pem:1 chain.pem:1 " "certificates in the JSON"
run 0 openssl verify -CAfile data/ca/root.crt -untrusted chain.pem leaf.pem

# Refusals: exit code 1, one line, nothing signed.
signed=$("$hatchery" ledger export --data data | grep -c '"kind":"issued"')
refuses() { # refuses WHERE FILE [options]
    local where=$1 file=$2
    shift 2
    run 1 sign --csr "$file" "$@"
    equal "$out" "" "stdout of a refusal"
    contains "$err" "hatchery: $where" "stderr of $file"
    equal "$(wc -l < err)" 1 "lines on stderr of $file"
}
echo 'no request' > garbage
refuses CSR garbage
head -c 100 one.der > cut.der
refuses CSR cut.der
python3 - <<'PY'
der = bytearray(open('one.der', 'rb').read())
der[-1] ^= 1
open('forged.der', 'wb').write(der)
PY
refuses CSR.signature forged.der
openssl req -new -newkey rsa:1024 -nodes -keyout weak.key -subj /CN=weak -out weak.csr 2> /dev/null
refuses CSR.key weak.csr
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit -nodes -keyout explicit.key \
    -subj /CN=explicit -out explicit.csr 2> /dev/null
refuses CSR explicit.csr
make_csr ca /CN=ca -addext basicConstraints=critical,CA:TRUE
refuses CSR ca.csr
make_csr title /CN=x/title=boss
refuses CSR.subject title.csr
equal "$("$hatchery" ledger export --data data | grep -c '"kind":"issued"')" "$signed" "certificates after refusals"
[ "$("$hatchery" ledger export --data data | grep -c '"kind":"refused"')" -gt 0 ] || die "refusals leave no rows"
run 1 "$hatchery" sign --data data --profile nosuch --csr one.csr
refused 'no profile "nosuch", expected one of claim, device, idevid, ocsp, server, station, sub-ca, verification'

# Debian's weak keys of 2008, by openssl-blacklist's lists.
weak=$tests/data/ca/csr_rsa_debian_2008.pem
run 0 sign --csr "$weak"
mkdir data/weak-keys
echo 8df20e6961a16398b85a > data/weak-keys/blacklist.RSA-2048
refuses CSR.key "$weak"
contains "$err" "CVE-2008-0166" "stderr of a listed key"
run 0 sign --csr one.csr
echo nonsense >> data/weak-keys/blacklist.RSA-2048
run 2 sign --csr one.csr
contains "$err" "blacklist.RSA-2048:2: expected 20 hexadecimal digits" "stderr of a damaged list"
rm -r data/weak-keys

# Could not run: exit code 2.
run 2 sign --csr missing.csr
refused "cannot read missing.csr: No such file or directory"
run 2 "$hatchery" sign --data nowhere --profile device --csr one.csr
refused "$work/nowhere is no data directory: it has no hatchery.toml; hatchery init makes one"
HATCHERY_PASSPHRASE=wrong run 2 sign --csr one.csr
equal "$out" "" "stdout with a wrong passphrase"
contains "$err" "hatchery: $work/data/ca/issuing.key: " "stderr with a wrong passphrase"
run 2 sign --csr one.csr --out nowhere/x.crt
contains "$err" "cannot write nowhere/x.crt: No such file or directory" "stderr"
run 2 "$hatchery" sign --csr one.csr
contains "$err" "hatchery: --profile is required; see hatchery sign --help" "usage error"

# One serial number, one certificate, where the profile says so.
sed 's/^one_per_device = false/one_per_device = true/' data/profiles/device.toml > data/profiles/once.toml
make_csr twice /CN=SN-0002/serialNumber=SN-0002
run 0 "$hatchery" sign --data data --profile once --csr twice.csr
make_csr clone /CN=SN-0002/serialNumber=SN-0002
run 1 "$hatchery" sign --data data --profile once --csr clone.csr
equal "$(wc -l < err)" 1 "lines on stderr of a clone"
contains "$err" "SN-0002" "stderr of a clone"

# A verification certificate for register-ca-certificate.
code=$(printf 'code' | sha256sum | cut -d' ' -f1)
run 0 "$hatchery" ca verification-cert --data data --code "$code" --out verification.crt
equal "$(openssl x509 -in verification.crt -noout -subject -nameopt RFC2253)" "subject=CN=$code" "verification subject"
run 0 openssl verify -partial_chain -CAfile data/ca/issuing.crt verification.crt
run 1 "$hatchery" ca verification-cert --data data --code 'not a code'
equal "$(wc -l < err)" 1 "lines on stderr of a wrong code"
