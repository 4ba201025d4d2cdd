# What a person reads: each broken template of tests/data/templates/diagnostics beside the whole output for it, NAME.out.
# HATCHERY_UPDATE_GOLDEN=1 writes the files anew; read the difference before committing it.
script=$(realpath "$0")
source "$(dirname "$0")/lib.sh"
unset HATCHERY_PASSPHRASE
data=$(realpath "$(dirname "$script")/../data/templates/diagnostics")
cp "$data"/*.json .
count=0
for file in *.json; do
    kind=${file%%_*}
    code=0
    "$hatchery" template validate --warnings --type "$kind" "$file" > "${file%.json}.out" 2>&1 || code=$?
    [ $code -le 1 ] || die "$file: exit code $code"
    if [ -n "${HATCHERY_UPDATE_GOLDEN:-}" ]; then cp "${file%.json}.out" "$data/"; fi
    diff -u "$data/${file%.json}.out" "${file%.json}.out" || die "$file"
    count=$((count + 1))
done
[ $count -ge 15 ] || die "only $count files"

# Every code that was given is explained.
for code in $(grep -ohE '\[T[0-9]{3}\]$' ./*.out | tr -d '[]' | sort -u); do
    run 0 "$hatchery" template explain "$code"
    contains "$out" "$code: " "explain $code"
done
