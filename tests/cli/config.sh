# hatchery.toml: an unknown key, a wrong value and an unsafe address are errors with their place, for every command.
source "$(dirname "$0")/lib.sh"
"$hatchery" init data > /dev/null
cp data/hatchery.toml good.toml
toml=$work/data/hatchery.toml

line() { grep -n "$1" data/hatchery.toml | head -1 | cut -d: -f1; }

sed 's/^first_connect = /first_conect = /' good.toml > data/hatchery.toml
for command in "serve data" "env data" "ledger verify --data data" "sign --data data --profile device --csr -"; do
    # shellcheck disable=SC2086
    run 2 "$hatchery" $command
    refused "$toml:$(line first_conect):1: unknown key \"first_conect\" in [mqtt], expected one of host, port, \
first_connect, max_packet_bytes, alpn_port"
done

sed '/^\[control_plane\]/,/^\[mqtt\]/ s/^host = .*/host = "0.0.0.0"/' good.toml > data/hatchery.toml
run 2 "$hatchery" serve data
refused "$toml:$(line '^host = "0.0.0.0"'):8: host: expected a loopback address while tls = false, found \"0.0.0.0\"; \
set tls = true to serve other machines"

{ cat good.toml; printf '[hooks.H]\nkind = "magic"\n'; } > data/hatchery.toml
run 2 "$hatchery" serve data --port-base 0
contains "$(tail -1 err)" "hatchery: $toml: hooks.H.kind: " "an unknown kind of hook"

cp good.toml data/hatchery.toml
echo 'keys = 1' >> data/profiles/device.toml
make_csr one /CN=x
run 2 "$hatchery" sign --data data --profile device --csr one.csr
contains "$err" "hatchery: $work/data/profiles/device.toml:" "a broken profile"
