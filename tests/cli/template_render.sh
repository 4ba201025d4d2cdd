# hatchery template render and diff: the records for one device, from a certificate, a CSR or parameters.
source "$(dirname "$0")/lib.sh"
unset HATCHERY_PASSPHRASE
cat > jitp.json << 'JSON'
{
  "Parameters": {
    "AWS::IoT::Certificate::SerialNumber": {"Type": "String"},
    "AWS::IoT::Certificate::CommonName": {"Type": "String", "Default": "unnamed"},
    "AWS::IoT::Certificate::OrganizationalUnit": {"Type": "String", "Default": "stock"}
  },
  "Resources": {
    "thing": {"Type": "AWS::IoT::Thing", "Properties": {
      "ThingName": {"Ref": "AWS::IoT::Certificate::SerialNumber"},
      "ThingGroups": [{"Ref": "AWS::IoT::Certificate::OrganizationalUnit"}],
      "AttributePayload": {"model": {"Ref": "AWS::IoT::Certificate::CommonName"}}},
      "OverrideSettings": {"AttributePayload": "MERGE"}},
    "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {
      "CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}}},
    "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "meters"}}
  }
}
JSON
certificate() { # certificate NAME SERIAL SUBJECT [req options...]
    local name=$1 serial=$2 subject=$3
    shift 3
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$name.key" -set_serial "$serial" \
        -days 1 -subj "$subject" -out "$name.pem" "$@" 2> /dev/null
}
certificate device 0x921285cbb7a5e086 /CN=HW-1/OU=hall-1/OU=hall-2
id=$(openssl x509 -in device.pem -outform DER | sha256sum | cut -d' ' -f1)

# The serial number in decimal, the first of two units, the certificate's id; golden.
run 0 "$hatchery" template render jitp.json --cert device.pem
equal "$out" "certificate:
  logicalName: certificate
  certificateId: $id
  status: ACTIVE
thing:
  logicalName: thing
  thingName: 10525622389124227206
  attributes:
    model: HW-1
  thingGroups:
    - hall-1
  overrideSettings:
    AttributePayload: MERGE
policies:
  policy:
    policyName: meters" "render"
run 0 "$hatchery" template render jitp.json --cert device.pem --json
equal "$(json out thing)" "{'logicalName': 'thing', 'thingName': '10525622389124227206', 'attributes': {'model': 'HW-1'}, 'thingGroups': ['hall-1'], 'overrideSettings': {'AttributePayload': 'MERGE'}}" "json"

# The subject's serialNumber, when there is one, unless told otherwise.
certificate numbered 77 /CN=HW-1/serialNumber=SN-9
run 0 "$hatchery" template render jitp.json --cert numbered.pem
contains "$out" "thingName: SN-9" "auto"
run 0 "$hatchery" template render jitp.json --cert numbered.pem --serial-number-source certificate
contains "$out" "thingName: 77" "certificate"
run 1 "$hatchery" template render jitp.json --cert device.pem --serial-number-source subject
refused "jitp.json#/Parameters/AWS::IoT::Certificate::SerialNumber: Cannot resolve reference value: AWS::IoT::Certificate::SerialNumber"

# Every string type of X.520 becomes UTF-8: T61 and BMP as OpenSSL's old mask makes them, multi-valued RDNs.
cat > text.json << 'JSON'
{
  "Parameters": {"AWS::IoT::Certificate::CommonName": {"Type": "String"}, "AWS::IoT::Certificate::Organization": {"Type": "String"}},
  "Resources": {"certificate": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}}}},
  "DeviceConfiguration": {"cn": {"Ref": "AWS::IoT::Certificate::CommonName"}, "o": {"Ref": "AWS::IoT::Certificate::Organization"}}
}
JSON
for mask in default nombstr utf8only MASK:0x800; do
    printf '[req]\nstring_mask = %s\nprompt = no\nutf8 = yes\ndistinguished_name = dn\n[dn]\nCN = Gerät 7\nO = Müller + Söhne\n' "$mask" > req.cnf
    certificate "text" 1 / -config req.cnf -subj '/O=Müller\+Söhne+CN=Gerät 7' -utf8 -multivalue-rdn || die "no certificate with $mask"
    types="${types:-} $(openssl asn1parse -in text.pem | grep -oE 'T61STRING|BMPSTRING|UTF8STRING|PRINTABLESTRING' | sort -u | tr '\n' ',')"
    run 0 "$hatchery" template render text.json --cert text.pem --type claim
    contains "$out" "cn: Gerät 7" "$mask"
    contains "$out" 'o: Müller\+Söhne' "$mask"
done
for type in T61STRING BMPSTRING UTF8STRING; do contains "$types" $type "string types that were tried"; done

# Every parameter from every string type; of a repeated attribute, and of one inside a multi-valued RDN, the first.
python3 - << 'PY'
import json
names = ["Country", "StateName", "Organization", "OrganizationalUnit", "DistinguishedNameQualifier", "CommonName", "SerialNumber"]
names = {name: "AWS::IoT::Certificate::" + name for name in names}
json.dump({"Parameters": {name: {"Type": "String"} for name in names.values()},
           "Resources": {"certificate": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}}}},
           "DeviceConfiguration": {short: {"Ref": name} for short, name in names.items()}}, open("all.json", "w"))
PY
for mask in 0x2:PRINTABLESTRING 0x4:T61STRING 0x800:BMPSTRING 0x2000:UTF8STRING; do
    printf '[req]\nstring_mask = MASK:%s\nprompt = no\ndistinguished_name = dn\n[dn]\nCN = unused\n' "${mask%:*}" > req.cnf
    certificate all 77 '/C=DE/ST=Bayern/O=First/O=Second/OU=hall-1+OU=hall-2/dnQualifier=AnyType/CN=HW-1' -config req.cnf -multivalue-rdn
    [ "$(openssl asn1parse -in all.pem | grep -c "${mask#*:}")" -ge 7 ] || die "a certificate of ${mask#*:}"
    run 0 "$hatchery" template render all.json --cert all.pem --type claim --json
    equal "$(json out deviceConfiguration)" "{'CommonName': 'HW-1', 'Country': 'DE', 'DistinguishedNameQualifier': 'AnyType', 'Organization': 'First', 'OrganizationalUnit': 'hall-1', 'SerialNumber': '77', 'StateName': 'Bayern'}" "${mask#*:}"
done

# A CSR gives the subject; what only a certificate has is asked for. Parameters by name and by file.
make_csr device2 /CN=HW-2/OU=hall-9
run 1 "$hatchery" template render jitp.json --csr device2.csr
contains "$err" "Cannot resolve reference value: AWS::IoT::Certificate::SerialNumber" "CSR without serial number"
run 0 "$hatchery" template render jitp.json --csr device2.csr --params AWS::IoT::Certificate::SerialNumber=5
contains "$out" "thingName: 5" "CSR"
contains "$out" "model: HW-2" "CSR"
contains "$out" "certificateId: 0000000000000000000000000000000000000000000000000000000000000000" "stand-in id"
echo '{"AWS::IoT::Certificate::SerialNumber": "6", "AWS::IoT::Certificate::OrganizationalUnit": ""}' > params.json
run 0 "$hatchery" template render jitp.json --params-file params.json
contains "$out" "    - stock" "an empty parameter means the Default"
cat > bulk.json << 'JSON'
{"Parameters": {"Name": {"Type": "String"}, "CSR": {"Type": "String"}},
 "Resources": {"t": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"}}},
               "c": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateSigningRequest": {"Ref": "CSR"}, "Status": "INACTIVE"}}}}
JSON
run 0 "$hatchery" template render bulk.json --params Name=n CSR=@device2.csr
contains "$out" "status: INACTIVE" "bulk"
contains "$out" 'certificateSigningRequest: "-----BEGIN CERTIFICATE REQUEST-----\n' "bulk"

# A device that would be refused, a template that would be, what cannot run.
certificate space 1 '/CN=HW 1'
run 1 "$hatchery" template render jitp.json --cert space.pem
refused 'jitp.json#/Resources/thing/Properties/AttributePayload/model: expected an attribute value of 0-800 characters [a-zA-Z0-9_.,@/:#=[]-], found "HW 1"'
sed 's/"Ref": "AWS::IoT::Certificate::Id"/"Ref": "Id"/' jitp.json > broken.json
run 1 "$hatchery" template render broken.json --cert device.pem
contains "$err" 'hatchery: broken.json:14:32: Cannot resolve reference value: Id; ' "broken template"
run 2 "$hatchery" template render missing.json --cert device.pem
run 2 "$hatchery" template render jitp.json --cert missing.pem
run 1 "$hatchery" template render jitp.json --cert jitp.json
run 2 "$hatchery" template render jitp.json --cert device.pem --csr device2.csr
run 1 "$hatchery" template render jitp.json --params novalue
refused '--params: expected NAME=VALUE, found novalue'

# What a new version changes for this device: nothing, three things, a refusal.
run 0 "$hatchery" template diff jitp.json jitp.json --cert device.pem
equal "$out" "" "no change"
python3 - << 'PY'
import json
new = json.load(open("jitp.json"))
resources = new["Resources"]
resources["thing"]["Properties"]["ThingTypeName"] = "Meter"
resources["thing"]["Properties"]["AttributePayload"] = {"kind": {"Ref": "AWS::IoT::Certificate::CommonName"}}
resources["policy"]["Properties"]["PolicyName"] = "meters-v2"
json.dump(new, open("new.json", "w"))
PY
run 1 "$hatchery" template diff jitp.json new.json --cert device.pem
equal "$(sort out)" '+ /thing/attributes/kind: "HW-1"
+ /thing/thingTypeName: "Meter"
- /thing/attributes/model: "HW-1"
~ /policies/policy/policyName: "meters" -> "meters-v2"' "diff"
run 1 "$hatchery" template diff jitp.json new.json --cert device.pem --json
python3 -m json.tool out > /dev/null
run 1 "$hatchery" template diff jitp.json broken.json --cert device.pem
run 2 "$hatchery" template diff broken.json jitp.json --cert device.pem
