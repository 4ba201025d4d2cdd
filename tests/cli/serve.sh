# hatchery serve: ready when every front accepts, one server a directory, a clean stop on every signal.
source "$(dirname "$0")/lib.sh"
"$hatchery" init data > /dev/null
echo stale > ready.json
echo '{"mqtt":1,"https":2,"controlPlane":3}' > data/run/ports.json
rm ready.json

serve
equal "$(json ready.json pid)" "$server" "pid in the ready file"
equal "$(cat data/run/ports.json)" "$(cat ready.json)" "ports.json"
equal "$(json ready.json endpoint)" "http://127.0.0.1:$(json ready.json controlPlane)" "endpoint"
for front in mqtt https controlPlane; do
    (exec 3<> "/dev/tcp/127.0.0.1/$(json ready.json $front)") || die "$front does not accept"
done
# TLS fronts show the server's certificate, which the root vouches for.
for front in mqtt https; do
    openssl s_client -connect "127.0.0.1:$(json ready.json $front)" -CAfile data/ca/root.crt -verify_return_error \
        -verify_hostname localhost < /dev/null > tls.txt 2>&1 || true
    contains "$(cat tls.txt)" "Verify return code: 0 (ok)" "TLS of $front"
done

# A second server on this directory is refused; the first goes on.
run 2 "$hatchery" serve data --port-base 0
refused "a server runs on $work/data already"
kill -0 "$server"

# Commands work beside it, on the same records.
make_csr one /CN=SN-0001
run 0 "$hatchery" sign --data data --profile device --csr one.csr
run 0 "$hatchery" env data
contains "$out" "export HATCHERY_MQTT_PORT='$(json ready.json mqtt)'" "env with a running server"
contains "$out" "export HATCHERY_ENDPOINT='$(json ready.json endpoint)'" "env with a running server"

# The broker's socket and everything in run/ is private.
equal "$(mode data/run)" 700 "mode of run/"

# The signals that serve blocks, to wait for them, end its children all the same: here the broker, which is started again.
kill -TERM "$(pgrep -P "$server" -x mosquitto)"
wait_for 'the end of the broker' grep -q broker_ended serve.log

stop TERM
[ ! -e ready.json ] && [ ! -e data/run/ports.json ] || die "a stopped server still announces itself"
equal "$(cat serve.out)" "" "stdout of serve"
contains "$(cat serve.log)" "stopping signal=SIGTERM" "log"
contains "$(tail -1 serve.log)" "serve: stopped" "last line of the log"
run 0 "$hatchery" env data
contains "$out" "export HATCHERY_MQTT_PORT='8883'" "env without a server"
if pgrep -f "$work/data/run" > /dev/null; then die "a child outlived the server: $(pgrep -af "$work/data/run")"; fi

# Again, with SIGINT, in JSON: every line of the log is one object.
sed -i 's/^format = "text"/format = "json"/' data/hatchery.toml
serve
stop INT
python3 - <<'PY' || die "a line of the log is no JSON event: $(cat serve.log)"
import json
lines = [json.loads(line) for line in open('serve.log')]
assert all({'time', 'level', 'logger', 'message'} <= line.keys() for line in lines), lines
assert any(line['message'].startswith('ready mqtt=') for line in lines), lines
assert lines[-1]['message'] == 'stopped', lines
PY

# After a kill -9 the next start finds no lock in its way.
serve
kill -KILL "$server"
wait "$server" 2> /dev/null || true
rm -f ready.json
run 0 "$hatchery" env data
contains "$out" "export HATCHERY_MQTT_PORT='8883'" "env after a kill"
serve
stop TERM

# A port that is taken, a wrong passphrase, a missing broker: one line, exit code 2, nothing left behind.
python3 -c 'import signal, socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print(s.getsockname()[1], flush=True)
signal.pause()' > port &
children+=($!)
wait_for 'a taken port' test -s port
sed -i "/^\[control_plane\]/,/^\[mqtt\]/ s/^port = .*/port = $(cat port)/" data/hatchery.toml
sed -i '/^\[mqtt\]/,/^\[broker\]/ s/^port = .*/port = 0/' data/hatchery.toml
run 2 "$hatchery" serve data --ready-file ready.json
contains "$(tail -1 err)" "$(cat port)" "stderr with a taken port"
[ ! -e ready.json ] || die "a server that did not start announces itself"
HATCHERY_PASSPHRASE=wrong run 2 "$hatchery" serve data --port-base 0
contains "$err" "hatchery: $work/data/" "stderr with a wrong passphrase"
sed -i 's/^executable = .*/executable = "no-such-broker"/' data/hatchery.toml
run 2 "$hatchery" serve data --port-base 0
contains "$(tail -1 err)" "hatchery: no no-such-broker in PATH, /usr/sbin or /usr/local/sbin" "stderr without a broker"
run 2 "$hatchery" serve data --port-base 65534
contains "$err" "--port-base" "usage error"
