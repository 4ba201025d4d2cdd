# hatchery profile: every mistake of a file in one run, with its place; list and show.
source "$(dirname "$0")/lib.sh"

# Shipped ones are good, and can be had without a data directory.
for name in device idevid claim verification server station sub-ca ocsp; do
    run 0 "$hatchery" profile show "$name" --data nowhere
    cp out "$name.toml"
done
run 0 "$hatchery" profile check ./*.toml
equal "$out$err" "" "output about good files"

cat > line-7.toml << 'END'
name = "line 7"
keys = ["p256", "rsa1024"]
validity = "ten years"
key_usage = ["digitalSignature"]
crl_urls = ["ftp://example.com/list.crl"]
colour = "red"
[subject]
CN = { pattern = "[0-9" }
C = { fixed = "DEU" }
serialNumber = { default = "7", pattern = "SN-.*" }
END
run 1 "$hatchery" profile check device.toml line-7.toml
equal "$out" "" "stdout of a check"
equal "$err" "line-7.toml:1:8: error: name: expected at most 64 of a-z, 0-9, - and _
line-7.toml:2:8: error: keys: expected a key kind (rsa2048, rsa3072, rsa4096, p256, p384, ed25519), found \"rsa1024\"
line-7.toml:3:12: error: validity: expected a duration such as \"1h\", \"30d\" or \"10y\" of at most 200y, found \"ten years\"
line-7.toml:5:12: error: crl_urls: expected a URL that starts with http://, https:// or {status_url}, found \"ftp://example.com/list.crl\"
$(grep '^line-7.toml:6:1: error: unknown key "colour", expected one of name, keys,' err)
line-7.toml:8:18: error: pattern: $(sed -n 's/^line-7.toml:8:18: error: pattern: //p' err)
line-7.toml:9:15: error: fixed: expected a country code of two letters, found \"DEU\"
line-7.toml:10:28: error: default: \"7\" does not match SN-.*
hatchery: 8 mistakes" "every mistake"
run 1 "$hatchery" profile check --json line-7.toml
equal "$(jq -r '.[2].where' out)" "line-7.toml:3:12" "JSON"
echo 'name = "x"' > short.toml
run 1 "$hatchery" profile check short.toml
contains "$err" 'short.toml:1:1: error: missing key "validity"' "what is missing"
printf 'name = "p\n' > broken.toml
run 1 "$hatchery" profile check broken.toml
contains "$err" "broken.toml:1:" "the place of a syntax error"
run 2 "$hatchery" profile check missing.toml
refused "cannot read missing.toml: No such file or directory"

# The profiles of a data directory, as they are there.
run 0 "$hatchery" init data
sed -i 's/^validity = .*/validity = "25y"/' data/profiles/device.toml
run 0 "$hatchery" profile list --data data
contains "$out" $'device\t9125d\tdigitalSignature\tclientAuth' "list"
contains "$out" $'idevid\tunlimited\tdigitalSignature\t-' "list"
run 0 "$hatchery" profile list --json --data data
equal "$(jq -r 'map(select(.ca))[].name' out)" "sub-ca" "the CA profile"
run 0 "$hatchery" profile show device --data data
equal "$out" "$(cat data/profiles/device.toml)" "show"
run 1 "$hatchery" profile show nosuch --data data
contains "$err" 'no profile "nosuch", expected one of claim, device, idevid' "an unknown name"
