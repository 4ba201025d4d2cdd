# Shared by the integration scripts: a data directory, a running server, the AWS CLI pointed at it, checks with messages.
# Usage: source lib.sh BINARY-DIR; the script's temporary folder is $work, the data directory $data.
set -euo pipefail
bin=$(realpath "$1")
top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
tutorial=$top/tools/tutorial
work=$(mktemp -d)
data=$work/data
export HATCHERY_PASSPHRASE=integration-passphrase AWS_MAX_ATTEMPTS=1 AWS_PAGER='' AWS_CONFIG_FILE=/dev/null
server=

say() { printf '%s\n' "-- $*" >&2; }
die() {
    printf 'FAILED: %s\n' "$*" >&2
    [ -f "$work/serve.log" ] && tail -n 40 "$work/serve.log" >&2
    exit 1
}
equal() { [ "$1" = "$2" ] || die "$3: expected '$2', found '$1'"; }
contains() { [[ "$1" == *"$2"* ]] || die "$3: expected to contain '$2', found '$1'"; }

# Every process below process $1, also of background jobs that wait for a client of theirs.
descendants() {
    local child
    for child in $(pgrep -P "$1"); do
        echo "$child"
        descendants "$child"
    done
}
cleanup() {
    local code=$? left
    set +e
    if [ -n "$server" ]; then kill "$server" 2> /dev/null && wait "$server" 2> /dev/null; fi
    left=$(descendants $$)
    kill "${background[@]}" $left 2> /dev/null
    if [ $code -eq 0 ]; then rm -rf "$work"; else echo "kept: $work" >&2; fi
    exit $code
}
background=()
trap cleanup EXIT

# Waits until the command succeeds, 60 seconds at most.
await() {
    local deadline=$((SECONDS + 60))
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || die "waited in vain for: $*"
        sleep 0.05
    done
}

serve() { try_serve || die "serve ended at once"; }
try_serve() {
    rm -f "$work/ready.json"
    "$bin/hatchery" serve "$data" --port-base 0 --ready-file "$work/ready.json" >> "$work/serve.log" 2>&1 &
    server=$!
    local deadline=$((SECONDS + 60))
    until [ -s "$work/ready.json" ]; do
        kill -0 "$server" 2> /dev/null || { server=; return 1; }
        [ $SECONDS -lt $deadline ] || die "serve did not become ready"
        sleep 0.05
    done
    eval "$("$bin/hatchery" env "$data")"
}
# Of the broker that serve runs itself, where its log says it is.
broker_socket() { sed -n 's/.*listening .*upstream=unix:\([^ ]*\).*/\1/p' "$work/serve.log" | tail -1; }
stop_server() {
    kill -TERM "$server"
    local code=0
    wait "$server" || code=$?
    server=
    equal "$code" 0 "exit code of serve after SIGTERM"
}

iot() { aws --endpoint-url "$HATCHERY_ENDPOINT" --output json iot "$@"; }
# An `aws iot` call that must fail: prints the error's text.
iot_fails() {
    local text
    if text=$(iot "$@" 2>&1); then die "aws iot $1 should have failed"; fi
    printf '%s' "$text"
}
# A document of the tutorial with this account and region.
document() {
    sed -e "s/@REGION@/$AWS_DEFAULT_REGION/g" -e "s/@ACCOUNT@/$HATCHERY_ACCOUNT/g" "$tutorial/$1" > "$work/$1"
    printf 'file://%s' "$work/$1"
}

# Types, groups, the device policy and the JITP template of the tutorial.
tutorial_registry() {
    iot create-thing-type --thing-type-name AnyType > /dev/null
    iot create-thing-group --thing-group-name AnyCompany > /dev/null
    for group in Dev Prod unclaimed; do
        iot create-thing-group --thing-group-name $group --parent-group-name AnyCompany > /dev/null
    done
    iot create-billing-group --billing-group-name AnyCompany > /dev/null
    iot create-policy --policy-name AnyTypeThing-policy --policy-document "$(document device-policy.json)" > /dev/null
    iot create-provisioning-template --template-name jitp-provisioning-template --enabled --type JITP \
        --provisioning-role-arn "arn:aws:iam::$HATCHERY_ACCOUNT:role/iot-core-provisioning-role" \
        --template-body "$(document jitp-template.json)" > /dev/null
}

# register_ca NAME CERTIFICATE KEY [more options of register-ca-certificate]: verification certificate and registration.
register_ca() {
    local certificate=$1 key=$2 code
    shift 2
    code=$(iot get-registration-code | jq -r .registrationCode)
    openssl req -new -newkey rsa:2048 -nodes -keyout "$work/verification.key" -subj "/CN=$code" \
        -out "$work/verification.csr" 2> /dev/null
    openssl x509 -req -in "$work/verification.csr" -CA "$certificate" -CAkey "$key" -CAcreateserial \
        -out "$work/verification.pem" -days 500 -sha256 2> /dev/null
    iot register-ca-certificate --ca-certificate "file://$certificate" \
        --verification-cert "file://$work/verification.pem" "$@"
}

# new_ca PATH-PREFIX SUBJECT [days]: a root CA as the tutorial makes it, PREFIX.pem and PREFIX.key.
new_ca() {
    openssl genrsa -out "$1.key" 2048 2> /dev/null
    openssl req -x509 -new -sha256 -key "$1.key" -days "${3:-3650}" -subj "$2" \
        -addext basicConstraints=critical,CA:TRUE -out "$1.pem" 2> /dev/null
}

# The tutorial's own CA, $work/rootCA.pem, registered for JITP.
tutorial_ca() {
    new_ca "$work/rootCA" "/O=AnyCompany/CN=IoT Devices Root CA"
    register_ca "$work/rootCA.pem" "$work/rootCA.key" --set-as-active --allow-auto-registration \
        --registration-config templateName=jitp-provisioning-template > /dev/null
}
# A factory: the station line-1 ($work/station.pem, .key), whose issuing CA is registered for JITP.
tutorial_factory() {
    "$bin/hatchery" station add line-1 --profiles device --out-cert "$work/station.pem" --out-key "$work/station.key" --data "$data" > /dev/null
    "$bin/hatchery" ca verification-cert --code "$(iot get-registration-code | jq -r .registrationCode)" --data "$data" --out "$work/verification.pem"
    iot register-ca-certificate --ca-certificate "file://$data/ca/issuing.crt" --verification-cert "file://$work/verification.pem" \
        --set-as-active --allow-auto-registration --registration-config templateName=jitp-provisioning-template > /dev/null
}
# claim_certificate POLICY DOCUMENT: $work/claim.pem and .key with that policy; the answer to its creation is in $claim.
claim_certificate() {
    claim=$(iot create-keys-and-certificate --set-as-active --public-key-outfile "$work/claim.public" \
        --private-key-outfile "$work/claim.key" --certificate-pem-outfile "$work/claim.pem")
    iot create-policy --policy-name "$1" --policy-document "$2" > /dev/null
    iot attach-policy --policy-name "$1" --target "$(jq -r .certificateArn <<< "$claim")"
}
# fleet_template NAME HOOK BODY: a template for claims.
fleet_template() {
    iot create-provisioning-template --template-name "$1" --enabled \
        --provisioning-role-arn "arn:aws:iam::$HATCHERY_ACCOUNT:role/iot-core-provisioning-role" \
        --pre-provisioning-hook "payloadVersion=2020-04-01,targetArn=arn:aws:lambda:$AWS_DEFAULT_REGION:$HATCHERY_ACCOUNT:function:$2" \
        --template-body "$3" > /dev/null
}
# The claim tutorial's template with its hook, and a claim certificate.
tutorial_claim() {
    fleet_template FleetProvisioningTemplate FleetProvisioningHook "$(document claim-template.json)"
    claim_certificate fleet-provisioning_Policy "$(document claim-policy.json)"
}

# own_broker [lines of its configuration]: a mosquitto that is not hatchery's child, on $port; its process is $broker.
own_broker() {
    mosquitto=$(command -v mosquitto || echo /usr/sbin/mosquitto)
    for _ in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 20000))
        printf '%s\n' "listener $port 127.0.0.1" 'allow_anonymous true' "$@" > "$work/broker.conf"
        "$mosquitto" -c "$work/broker.conf" 2> "$work/broker.log" &
        broker=$!
        for _ in $(seq 100); do
            mosquitto_pub -h 127.0.0.1 -p $port -t up -m up 2> /dev/null && break 2
            kill -0 $broker 2> /dev/null || break
            sleep 0.05
        done
    done
    background+=($broker)
}
use_own_broker() { sed -i "s|^#\? *upstream *=.*|upstream = \"127.0.0.1:$port\"|" "$data/hatchery.toml"; }

# npm_modules PACKAGE: the scripts of sdk/ in $modules, with the npm packages they need.
npm_modules() {
    modules=$bin/sdk
    mkdir -p "$modules"
    cp "$top"/tests/integration/sdk/* "$modules/"
    [ -d "$modules/node_modules/$1" ] ||
        (cd "$modules" && npm install --no-audit --no-fund --no-package-lock > npm.log 2>&1) || die "npm: $(tail -3 "$modules/npm.log")"
}

# new_device PATH-PREFIX CA-PREFIX SUBJECT SERIAL: a version 1 certificate without extensions, as the tutorial's signer makes it.
new_device() {
    openssl req -new -newkey rsa:2048 -nodes -keyout "$1.key" -subj "$3" -out "$1.csr" 2> /dev/null
    openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -set_serial "$4" -days 365 -sha256 -out "$1.pem" 2> /dev/null
}

# device_publish PATH-PREFIX CLIENT-ID TOPIC PAYLOAD: mosquitto_pub over mutual TLS, QoS 1.
device_publish() {
    timeout 30 mosquitto_pub -h "$HATCHERY_MQTT_HOST" -p "$HATCHERY_MQTT_PORT" --cafile "$HATCHERY_SERVER_CA" \
        --cert "$1.pem" --key "$1.key" -i "$2" -q 1 -t "$3" -m "$4"
}
