#!/bin/sh
# Makes the golden data of this folder again, with the openssl command (3.0) and, for what it
# refuses to make, a few lines of Python. The tests read the committed files; nothing runs this.
# The private keys are throw-away keys for these files.
set -eu
cd "$(dirname "$0")"
days=36500
config=$(mktemp)
trap 'rm -f "$config"' EXIT

# request NAME KEY SUBJECT [openssl req options]: NAME.pem
request() {
    name=$1 key=$2 subject=$3
    shift 3
    openssl req -new -config "$config" -key "$key" -subj "$subject" "$@" -out "$name.pem"
}
printf '[req]\ndistinguished_name=dn\nstring_mask=utf8only\n[dn]\n' >"$config"

# Keys in every form that people have.
openssl ecparam -name prime256v1 -genkey -out key_sec1_p256.pem # with an EC PARAMETERS block before
openssl genrsa -traditional -out key_pkcs1_rsa2048.pem 2048
openssl genpkey -algorithm ed25519 -out key_pkcs8_ed25519.pem
openssl pkcs8 -topk8 -in key_sec1_p256.pem -passout pass:correct -v2 aes-256-cbc -out key_pkcs8_encrypted.pem
openssl pkcs8 -topk8 -in key_sec1_p256.pem -passout pass:correct -scrypt -out key_pkcs8_scrypt.pem
openssl rsa -traditional -in key_pkcs1_rsa2048.pem -aes128 -passout pass:correct -out key_pkcs1_encrypted.pem
openssl ecparam -name prime256v1 -param_enc explicit -genkey -noout -out key_explicit_p256.pem
openssl ecparam -name secp256k1 -genkey -noout -out key_secp256k1.pem
openssl genrsa -traditional -out key_rsa1024.pem 1024
openssl dsaparam -genkey -noout -out key_dsa.pem 2048

# Good requests.
request csr_p256 key_sec1_p256.pem "/O=Example/OU=Sensors/CN=Model 7/serialNumber=SN-0001"
openssl req -in csr_p256.pem -outform DER -out csr_p256.der
request csr_rsa2048 key_pkcs1_rsa2048.pem "/CN=Model 7"
request csr_ed25519 key_pkcs8_ed25519.pem "/CN=Model 7"
request csr_new_label key_sec1_p256.pem "/CN=Model 7" -newhdr
request csr_alt_names key_sec1_p256.pem "/CN=srv" \
    -addext "subjectAltName=DNS:one.example.com,DNS:*.example.com,IP:192.0.2.7,IP:2001:db8::1"
request csr_harmless key_sec1_p256.pem "/CN=Model 7" -addext "basicConstraints=CA:FALSE" \
    -addext "keyUsage=digitalSignature" -addext "extendedKeyUsage=clientAuth" -addext "subjectKeyIdentifier=hash"

# Requests that must be refused; the name says why.
request csr_rsa1024 key_rsa1024.pem "/CN=x"
request csr_explicit_curve key_explicit_p256.pem "/CN=x"
request csr_secp256k1 key_secp256k1.pem "/CN=x"
request csr_dsa key_dsa.pem "/CN=x"
request csr_ca_true key_sec1_p256.pem "/CN=x" -addext "basicConstraints=critical,CA:TRUE"
request csr_key_cert_sign key_sec1_p256.pem "/CN=x" -addext "keyUsage=digitalSignature,keyCertSign"
request csr_code_signing key_sec1_p256.pem "/CN=x" -addext "extendedKeyUsage=codeSigning"
request csr_unknown_extension key_sec1_p256.pem "/CN=x" -addext "1.2.3.4.5=ASN1:UTF8String:hello"
request csr_directory_name key_sec1_p256.pem "/CN=x" -addext "subjectAltName=otherName:1.2.3.4;UTF8:who"
request csr_title key_sec1_p256.pem "/CN=x/title=Dr"
request csr_two_common_names key_sec1_p256.pem "/CN=x/CN=y"
request csr_two_units key_sec1_p256.pem "/OU=x/OU=y/CN=z"
request csr_no_subject key_sec1_p256.pem "/"
{ openssl req -in csr_p256.pem -outform DER; printf 'x'; } >csr_trailing_garbage.der
openssl req -in csr_p256.pem -outform DER | head -c 100 >csr_cut.der
python3 make_requests.py

# A root with basicConstraints only (no keyUsage, as the just-in-time provisioning tutorials make it)
# and the X.509 version 1 leaf of a tutorial device.
printf '[req]\ndistinguished_name=dn\nx509_extensions=v3\n[dn]\n[v3]\nbasicConstraints=critical,CA:TRUE\n' >"$config"
openssl req -x509 -config "$config" -key key_pkcs1_rsa2048.pem -subj "/O=Example/CN=Tutorial Root" \
    -days $days -set_serial 1 -out cert_tutorial_root.pem
printf '[req]\ndistinguished_name=dn\nstring_mask=utf8only\n[dn]\n' >"$config"
request leaf key_pkcs1_rsa2048.pem "/CN=HWMODEL-1/O=Example/OU=Devices/dnQualifier=q7"
sign() { # sign NAME [openssl x509 options]: the leaf request under the tutorial root
    name=$1
    shift
    openssl x509 -req -in leaf.pem -CA cert_tutorial_root.pem -CAkey key_pkcs1_rsa2048.pem -days $days "$@" -out "$name.pem"
}
sign cert_v1_leaf -set_serial 0x921285cbb7a5e086
sign cert_negative_serial -set_serial -5
sign cert_oversized_serial -set_serial 0x0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
sign cert_sha1 -sha1 -set_serial 7
openssl req -x509 -config "$config" -key key_rsa1024.pem -subj "/CN=weak" -days $days -set_serial 8 -out cert_rsa1024.pem
openssl req -x509 -config "$config" -key key_explicit_p256.pem -subj "/CN=explicit" -days $days -set_serial 9 -out cert_explicit_curve.pem
openssl x509 -in cert_v1_leaf.pem -outform DER -out cert_v1_leaf.der
{ openssl x509 -in cert_v1_leaf.pem -outform DER; printf 'xy'; } >cert_trailing_garbage.der
cat cert_v1_leaf.pem cert_tutorial_root.pem >cert_bundle.pem

# String types of names: T61String (Latin-1 in practice), BMPString, UTF8String.
for type in t61:0x4 bmp:0x800 utf8:0x2000; do
    printf '[req]\ndistinguished_name=dn\nstring_mask=MASK:%s\nutf8=yes\n[dn]\n' "${type#*:}" >"$config"
    openssl req -x509 -utf8 -config "$config" -key key_sec1_p256.pem -subj "/O=Müller/CN=Gerät" -days $days \
        -set_serial 10 -out "cert_name_${type%:*}.pem"
done
printf '[req]\ndistinguished_name=dn\n[dn]\n' >"$config"
openssl req -x509 -config "$config" -key key_sec1_p256.pem -multivalue-rdn -days $days -set_serial 11 \
    -subj '/C=DE/O=A, B \+ C/OU=#x/CN=a+serialNumber=7' -out cert_name_escaped.pem
openssl req -x509 -config "$config" -key key_sec1_p256.pem -subj "/CN=names" -days $days -set_serial 12 \
    -addext "subjectAltName=DNS:one.example.com,IP:192.0.2.7,IP:2001:db8::1,email:a@example.com,URI:urn:dev:7,otherName:1.2.3.4;UTF8:who" \
    -out cert_alt_names.pem
rm -f leaf.pem
