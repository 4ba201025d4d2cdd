#!/usr/bin/env bash
# Tutorials that were written for AWS IoT, step by step with the AWS CLI: a honeypot that reports to its tenant's topic, gets jobs,
# and exchanges its certificate for one that a job brings by short-lived links; the clean-up in the end; a thing in one command.
# (What they say about S3, mail and substitutions is in rules.sh, about AWS's device SDK in jobs.sh, about a shared certificate in
# open_connections.sh, about audits in audit.sh, about files for Arduinos in tests/cli/thing.sh.)
source "$(dirname "$0")/lib.sh" "$1"
cd "$work"
"$bin/hatchery" init "$data" > /dev/null
serve
arn=arn:aws:iot:$AWS_DEFAULT_REGION:$HATCHERY_ACCOUNT
device=iot-webinar-device
policy() { # policy TOPICS [STATEMENT]: the tutorial's document
    printf '{"Version":"2012-10-17","Statement":[
      {"Effect":"Allow","Action":["iot:Connect"],"Resource":"%s:client/${iot:Connection.Thing.ThingName}"},
      {"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":[%s]}%s]}' "$arn" "$1" "${2:-}"
}
audit_topic="\"$arn:topic/\${iot:Connection.Thing.Attributes[Owner]}/\${iot:Connection.Thing.ThingName}/audit\""
jobs='$aws/things/${iot:Connection.Thing.ThingName}/jobs/*'
certificate() { # certificate NAME: NAME.pem, NAME.key, NAME.pub, NAME.json, ACTIVE and the device's
    iot create-keys-and-certificate --set-as-active --certificate-pem-outfile "$1.pem" --private-key-outfile "$1.key" \
        --public-key-outfile "$1.pub" > "$1.json"
    iot attach-thing-principal --thing-name $device --principal "$(jq -r .certificateArn "$1.json")"
}
connects() { device_publish "$1" $device abcde-12345/$device/audit '{"message":"scan"}' 2> /dev/null; }
ask() { # ask REST JSON: the device asks below its jobs topics
    device_publish "$1" $device "\$aws/things/$device/jobs/$2" "$3"
}

say "device creation: type, group, owner, certificate; without a policy it may not connect"
iot create-thing-type --thing-type-name iot-webinar-type > /dev/null
iot create-thing-group --thing-group-name iot-webinar-group > /dev/null
iot create-thing --thing-name $device --thing-type-name iot-webinar-type --attribute-payload '{"attributes":{"Owner":"abcde-12345"}}' > /dev/null
iot add-thing-to-thing-group --thing-name $device --thing-group-name iot-webinar-group
certificate first
equal "$(cat first.pub)" "$(openssl pkey -in first.key -pubout)" "the public key"
connects first && die "a device without a policy was let in"

say "policy with variables of the thing: its own tenant's topic and no other"
iot create-policy --policy-name iot-webinar-policy --policy-document "$(policy "$audit_topic")" > /dev/null
iot attach-policy --policy-name iot-webinar-policy --target "$(jq -r .certificateArn first.json)"
iot create-topic-rule --rule-name IotWebinarRule --topic-rule-payload \
    "{\"sql\":\"SELECT message as msg, topic(1) as tenant_id FROM '+/+/audit'\",\"actions\":[{\"cloudwatchLogs\":{\"roleArn\":\"r\",\"logGroupName\":\"audits\"}}]}"
loaded() { grep -q 'rules_loaded count=1' serve.log; }
await loaded
connects first || die "the device's report was refused"
audited() { [ -s "$data/rules/audits" ]; }
await audited
equal "$(sort -u "$data/rules/audits")" '{"msg":"scan","tenant_id":"abcde-12345"}' "the audit"
device_publish first $device other/$device/audit '{}' 2> /dev/null && die "another tenant's topic was open"
device_publish first another abcde-12345/$device/audit '{}' 2> /dev/null && die "another client id was let in"

say "policy update for jobs; a simple job from a local file, and its deletion"
iot create-policy-version --policy-name iot-webinar-policy --set-as-default --policy-document "$(policy "$audit_topic,\"$arn:topic/$jobs\"" \
    ",{\"Effect\":\"Allow\",\"Action\":[\"iot:Subscribe\"],\"Resource\":\"$arn:topicfilter/$jobs\"}")" > /dev/null
printf '{"operation":"local-scan"}' > job-local-scan.json
# next_job CERTIFICATE: what the device is told to do next, once: the second subscriber of the name would end the first.
next_job() {
    timeout 60 stdbuf -oL mosquitto_sub -h "$HATCHERY_MQTT_HOST" -p "$HATCHERY_MQTT_PORT" --cafile "$HATCHERY_SERVER_CA" --cert "$1.pem" \
        --key "$1.key" -i $device -q 1 -C 1 -t "\$aws/things/$device/jobs/notify-next" -d > told 2>&1 &
    listener=$!
    await grep -q Subscribed told
}
heard() { # waits for it: the message is in the file next
    wait $listener || die "nothing was told: $(cat told)"
    grep '^{"execution' told > next
}
next_job first
iot create-job --job-id local-scan-job-01 --targets "$arn:thing/$device" --document file://job-local-scan.json \
    --description "example status job" --target-selection SNAPSHOT > /dev/null
heard
equal "$(jq -c '[.execution.jobId, .execution.jobDocument.operation, .execution.status]' next)" '["local-scan-job-01","local-scan","QUEUED"]' "the job"
ask first start-next '{}'
ask first local-scan-job-01/update '{"status":"SUCCEEDED"}'
equal "$(iot describe-job-execution --job-id local-scan-job-01 --thing-name $device --query execution.status --output text)" SUCCEEDED "the execution"
iot delete-job --job-id local-scan-job-01

say "rotation by a job that brings the next certificate and key by short-lived links"
certificate second
iot attach-policy --policy-name iot-webinar-policy --target "$(jq -r .certificateArn second.json)"
bucket=https://iot-webinar-audits.s3.eu-west-1.amazonaws.com # the bucket is the name's first part
"$bin/hatchery" file put second.pem --name iot-webinar-audits/jobs/certs/certificate.pem.crt --data "$data" > /dev/null
"$bin/hatchery" file put second.key --name iot-webinar-audits/jobs/certs/private.pem.key --data "$data" > /dev/null
printf '{"operation":"rotate-cert","certificate":"${aws:iot:s3-presigned-url:%s/jobs/certs/certificate.pem.crt}","key":"${aws:iot:s3-presigned-url:%s/jobs/certs/private.pem.key}"}' \
    $bucket $bucket > job-rotate-cert.json
next_job first
iot create-job --job-id rotate-job-01 --targets "$arn:thinggroup/iot-webinar-group" --document file://job-rotate-cert.json \
    --description "example cert rotation job" --target-selection SNAPSHOT \
    --presigned-url-config "roleArn=arn:aws:iam::$HATCHERY_ACCOUNT:role/iot-webinar-signedurls-role,expiresInSec=300" > /dev/null
heard
for part in certificate key; do
    curl -sSf --cacert "$HATCHERY_SERVER_CA" -o "rotated.${part/certificate/pem}" "$(jq -r ".execution.jobDocument.$part" next)"
done
cmp rotated.pem second.pem && cmp rotated.key second.key || die "the links led to something else"
ask first start-next '{}'
connects rotated || die "the device cannot connect with its next certificate"
ask rotated rotate-job-01/update '{"status":"SUCCEEDED"}'
equal "$(iot describe-job --job-id rotate-job-01 --query job.status --output text)" COMPLETED "the rotation"

say "the old certificate deactivated, then the new one too"
set_status() { iot update-certificate --certificate-id "$(jq -r .certificateId "$1.json")" --new-status "$2"; }
set_status first INACTIVE
connects first && die "the deactivated certificate connects"
connects rotated || die "the new certificate does not connect"
set_status second INACTIVE
connects rotated && die "the second deactivated certificate connects"

say "a thing in one command, and what its sketch needs"
id=$("$bin/hatchery" thing create poolcontroller1 --policy iot-webinar-policy --out pool --data "$data")
equal "$(iot describe-certificate --certificate-id "$id" --query certificateDescription.certificatePem --output text)" \
    "$(openssl x509 -in pool/poolcontroller1.crt)" "its certificate"
equal "$(iot describe-endpoint --output text)" "$HATCHERY_MQTT_HOST" "the endpoint"
"$bin/hatchery" thing delete poolcontroller1 --data "$data" > /dev/null

say "cleaning up, in the tutorial's order"
iot deprecate-thing-type --thing-type-name iot-webinar-type
contains "$(iot_fails delete-thing-type --thing-type-name iot-webinar-type)" InvalidRequestException "a type that was deprecated just now"
for name in first second; do
    iot detach-thing-principal --thing-name $device --principal "$(jq -r .certificateArn $name.json)"
    iot delete-certificate --force-delete --certificate-id "$(jq -r .certificateId $name.json)"
done
iot delete-thing --thing-name $device
iot delete-thing-group --thing-group-name iot-webinar-group
contains "$(iot_fails delete-policy --policy-name iot-webinar-policy)" DeleteConflictException "a policy with versions"
iot delete-policy-version --policy-name iot-webinar-policy --policy-version-id 1
iot delete-policy --policy-name iot-webinar-policy
iot delete-topic-rule --rule-name IotWebinarRule
iot delete-job --job-id rotate-job-01
stop_server
