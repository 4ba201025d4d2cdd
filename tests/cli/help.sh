# Every command explains itself with an example; wrong usage is one line and exit code 2.
source "$(dirname "$0")/lib.sh"
unset HATCHERY_PASSPHRASE
run 0 "$hatchery" --version
[[ "$out" =~ ^hatchery\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || die "version: $out"
while read -r command; do
    # shellcheck disable=SC2086
    run 0 "$hatchery" $command --help
    contains "$out" "Example:" "help of hatchery $command"
    contains "$out" "hatchery ${command:-init}" "help of hatchery $command"
    equal "$err" "" "stderr of help"
done << 'COMMANDS'

init
serve
status
env
sign
station
station add
station list
station stop
key
key create
key list
key disable
key enable
key rotate
register
thing
thing create
thing delete
thing key
thing apply
policy
policy test
policy lint
profile
profile check
profile list
profile show
ca
ca verification-cert
ledger
ledger verify
audit
why
hook
hook list
hook test
hook check
allow
allow add
allow remove
allow block
allow reset
allow list
allow import
allow export
file
file put
file list
file link
file remove
rotate
template
template validate
template explain
COMMANDS
for wrong in "" "nosuch" "sign" "station" "serve --nosuch" "key disable"; do
    # shellcheck disable=SC2086
    run 2 "$hatchery" $wrong
    equal "$out" "" "stdout of wrong usage"
    equal "$(wc -l < err)" 1 "lines on stderr of hatchery $wrong"
    contains "$err" "--help" "stderr of hatchery $wrong"
done
