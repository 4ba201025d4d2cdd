# hatchery env and hatchery key: exports that a shell can take whatever the folder is called; access keys.
source "$(dirname "$0")/lib.sh"
folder="it's \$HOME; \"here\""
run 0 "$hatchery" init "$folder" --json
cp out init.json

run 0 "$hatchery" env "$folder"
equal "$(grep -vc '^export [A-Z_]*=' out || true)" 0 "lines that are no export"
(
    eval "$(cat out)"
    equal "$HATCHERY_SERVER_CA" "$work/$folder/ca/root.crt" "HATCHERY_SERVER_CA"
    equal "$AWS_SECRET_ACCESS_KEY" "$(json init.json AWS_SECRET_ACCESS_KEY)" "AWS_SECRET_ACCESS_KEY"
    equal "$AWS_ACCESS_KEY_ID" "$(json init.json AWS_ACCESS_KEY_ID)" "AWS_ACCESS_KEY_ID"
    equal "$HATCHERY_ACCOUNT $AWS_DEFAULT_REGION" "123456789012 us-east-1" "account and region"
)
run 0 "$hatchery" env "$folder" --json
equal "$(cat out)" "$(cat init.json)" "env --json and init --json"
HATCHERY_PASSPHRASE=wrong run 2 "$hatchery" env "$folder"
equal "$out" "" "stdout with a wrong passphrase"
contains "$err" "keys/wrap.sealed: " "stderr with a wrong passphrase"
equal "$(wc -l < err)" 1 "lines on stderr"

# A second key; the first, disabled, gives way to it; a read-only key is not what env hands out.
export HATCHERY_DATA=$folder
first=$(json init.json AWS_ACCESS_KEY_ID)
run 0 "$hatchery" key add --role read-only --json
cp out reader.json
run 0 "$hatchery" key disable "$first"
run 1 "$hatchery" env
refused "no enabled admin access key; hatchery key add makes one"
run 0 "$hatchery" key add
second=$(sed -n "s/^export AWS_ACCESS_KEY_ID='\(.*\)'/\1/p" out)
run 0 "$hatchery" env
contains "$out" "export AWS_ACCESS_KEY_ID='$second'" "env after a new key"
run 0 "$hatchery" key list
equal "$(awk '{print $1, $2, $3}' out | LC_ALL=C sort)" \
    "$(printf '%s admin disabled\n%s admin enabled\n%s read-only enabled\n' "$first" "$second" \
        "$(json reader.json AWS_ACCESS_KEY_ID)" | LC_ALL=C sort)" "key list"
run 0 "$hatchery" key list --json
equal "$(python3 -c 'import json; print(len(json.load(open("out"))))')" 3 "keys in the JSON"
run 1 "$hatchery" key disable AKIANOSUCHKEY
equal "$(wc -l < err)" 1 "lines on stderr"
run 0 "$hatchery" key enable "$first"
run 0 "$hatchery" key rotate "$(json reader.json AWS_ACCESS_KEY_ID)" --json
run 0 "$hatchery" key list
equal "$(awk '{print $2, $3}' out | LC_ALL=C sort | uniq -c | awk '{print $1, $2, $3}')" \
    "$(printf '2 admin enabled\n1 read-only disabled\n1 read-only enabled')" "keys after a rotation"
run 0 "$hatchery" key rotate --keep "$second"
run 0 "$hatchery" key list
equal "$(grep -c 'admin  enabled' out)" 3 "admin keys after a rotation that keeps the old one"
run 1 "$hatchery" key rotate AKIANOSUCHKEY
run 0 "$hatchery" key create --role factory
run 2 "$hatchery" key create --role king
contains "$err" "king" "usage error"

# What is asked for goes before the environment, in every command.
for command in "key list" "hook list" "profile list" "allow list" "ca list" "station list" "ledger verify"; do
    # shellcheck disable=SC2086
    HATCHERY_DATA=$work/nowhere run 0 "$hatchery" $command --data "$folder"
    HATCHERY_DATA=$work/nowhere run 2 "$hatchery" $command
    contains "$err" "$work/nowhere is no data directory" "$command in a folder that is none"
done
