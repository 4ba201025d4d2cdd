# Private keys and passphrases stay where they belong: not a byte of them in logs, output, errors, the store or a core dump.
source "$(dirname "$0")/lib.sh"
run 0 "$hatchery" init data
sed -i '/^\[log\]/,/^\[/ s/^level = .*/level = "debug"/' data/hatchery.toml
export HATCHERY_DATA=data

# What must not be found: each private key as its number, in DER, hex and base64, and the passphrase.
for key in data/ca/root.key data/ca/issuing.key data/server/server.key; do
    openssl pkey -in "$key" -passin "pass:$HATCHERY_PASSPHRASE" -outform DER -out "plain-$(basename "$key").der"
done
serve
"$hatchery" station add line-1 --profiles device --out-cert station.crt --out-key station.key
openssl pkey -in station.key -outform DER -out plain-station.der
https=$(json ready.json https)
make_csr dev /CN=dev-1/serialNumber=SN-1
openssl req -in dev.csr -outform DER | openssl base64 > dev.p10
station() { curl -sS --cacert data/ca/root.crt --cert station.crt --key station.key "$@"; }
est=https://localhost:$https/.well-known/est
# serverkeygen: the server makes a key, and must forget it.
station -H 'Content-Type: application/pkcs10' -H 'Content-Transfer-Encoding: base64' --data-binary @dev.p10 \
    -D headers -o answer "$est/serverkeygen"
python3 - << 'PY'
import email
kind = [line for line in open("headers").read().splitlines() if line.lower().startswith("content-type")][0]
key, _ = email.message_from_string(kind + "\n\n" + open("answer", newline="").read()).get_payload()
open("plain-generated.der", "wb").write(key.get_payload(decode=True))
PY
# A key where a request belongs, a damaged key file, a wrong passphrase: errors that could quote them.
station --data-binary @station.key -o refusal "https://localhost:$https/" || true
run 1 "$hatchery" sign --profile device --csr station.key
cat out err refusal >> said
sed '3s/./!/' data/ca/issuing.key > damaged.key
cp -r data damaged
mv damaged.key damaged/ca/issuing.key
run 2 "$hatchery" sign --data damaged --profile device --csr dev.csr
cat out err >> said
HATCHERY_PASSPHRASE='wrong canary' run 2 "$hatchery" sign --profile device --csr dev.csr
cat out err >> said
run 0 "$hatchery" ledger export
cat out err >> said
stop TERM
cat serve.out serve.log >> said

python3 - << 'PY'
import base64, os, re, subprocess, sys
secrets = {"the passphrase": os.environ["HATCHERY_PASSPHRASE"].encode(), "a wrong passphrase": b"wrong canary"}
for name in sorted(os.listdir(".")):
    if not name.startswith("plain-"):
        continue
    text = subprocess.run(["openssl", "pkey", "-inform", "DER", "-in", name, "-noout", "-text"],
                          capture_output=True, text=True, check=True).stdout
    number = bytes.fromhex(re.sub(r"[^0-9a-f]", "", re.search(r"priv:\n((?:\s+[0-9a-f:]+\n)+)", text)[1]))[-32:]
    limbs = number[::-1]
    secrets[name + " as a number"] = number
    secrets[name + " as OpenSSL keeps it"] = limbs
    secrets[name + " in hex"] = number.hex().encode()
    der = open(name, "rb").read()
    at = der.index(number)
    for shift in range(3):  # base64 of any alignment
        inside = base64.b64encode(der[at + shift:at + 30 + shift])[:36]
        secrets[f"{name} in base64 {shift}"] = inside
places = ["said"] + [os.path.join(folder, file) for folder, _, files in os.walk("data") for file in files]
assert any(place.endswith("hatchery.db") for place in places), places
assert len(secrets) > 25 and len(open("said", "rb").read()) > 1000, "nothing to look for, or in"
for place in places:
    if not os.path.isfile(place):
        continue
    content = open(place, "rb").read()
    for name, secret in secrets.items():
        assert secret not in content, f"{name} is in {place}"
PY
for file in data/ca/*.key data/server/*.key data/keys/*; do
    equal "$(mode "$file")" 600 "mode of $file"
done

# A crash leaves no core file, however much of one the shell allows.
python3 - "$hatchery" << 'PY'
import os, resource, signal, subprocess, sys, time
most = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (most, most))
if os.path.exists("ready.json"):
    os.remove("ready.json")
server = subprocess.Popen([sys.argv[1], "serve", "data", "--port-base", "0", "--ready-file", "ready.json"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
deadline = time.monotonic() + 60
while not os.path.exists("ready.json"):
    assert server.poll() is None and time.monotonic() < deadline, "the server did not start"
    time.sleep(0.02)
os.kill(server.pid, signal.SIGABRT)
_, status = os.waitpid(server.pid, 0)
assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGABRT, status
assert not os.WCOREDUMP(status), "the server dumped core"
PY
