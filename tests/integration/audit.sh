#!/usr/bin/env bash
# Audits as a user of AWS IoT Device Defender runs them, with the AWS CLI; the command; the webhook.
source "$(dirname "$0")/lib.sh" "$1"

"$bin/hatchery" init "$data" > /dev/null
# A webhook that writes what it is told into a file.
/usr/bin/python3 -u -c '
import http.server, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open(sys.argv[1], "a") as file: file.write(body + "\n")
        self.send_response(204); self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
print(server.server_port)
server.serve_forever()' "$work/told" > "$work/port" &
background+=($!)
await test -s "$work/port"
sed -i "s|^webhook = .*|webhook = \"http://127.0.0.1:$(cat "$work/port")/hook\"|" "$data/hatchery.toml"
serve

say "nothing is enabled at first, and a task says so"
equal "$(iot describe-account-audit-configuration | jq '[.auditCheckConfigurations[].enabled] | any')" false "enabled checks"
contains "$(iot_fails start-on-demand-audit-task --target-check-names IOT_POLICY_OVERLY_PERMISSIVE_CHECK)" \
    "not enabled" "a check that is not enabled"
checks=(IOT_POLICY_OVERLY_PERMISSIVE_CHECK DEVICE_CERTIFICATE_EXPIRING_CHECK DEVICE_CERTIFICATE_SHARED_CHECK CONFLICTING_CLIENT_IDS_CHECK)
iot update-account-audit-configuration --audit-check-configurations \
    "$(printf '"%s":{"enabled":true},' "${checks[@]}" | sed 's/^/{/; s/,$/}/')"

say "an audit on demand"
iot create-policy --policy-name wide --policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:Connect","iot:Publish"],"Resource":"*"}]}' > /dev/null
audit() {
    task=$(iot start-on-demand-audit-task --target-check-names "$@" | jq -r .taskId)
    await bash -c "aws --endpoint-url '$HATCHERY_ENDPOINT' --output json iot describe-audit-task --task-id $task | jq -e '.taskStatus == \"COMPLETED\"' > /dev/null"
}
audit IOT_POLICY_OVERLY_PERMISSIVE_CHECK DEVICE_CERTIFICATE_EXPIRING_CHECK
status=$(iot describe-audit-task --task-id "$task")
equal "$(jq -c '[.taskStatistics.totalChecks, .taskStatistics.compliantChecks, .taskStatistics.nonCompliantChecks]' <<< "$status")" \
    '[2,1,1]' "statistics"
finding=$(iot list-audit-findings --task-id "$task" | jq -c '.findings[0]')
equal "$(jq -r '.severity + " " + .reasonForNonComplianceCode + " " +
    .nonCompliantResource.resourceIdentifier.policyVersionIdentifier.policyName' <<< "$finding")" \
    "CRITICAL ALLOWS_BROAD_ACCESS_TO_IOT_DATA_PLANE_ACTIONS wide" "the finding"
equal "$(iot describe-audit-finding --finding-id "$(jq -r .findingId <<< "$finding")" | jq -r .finding.taskId)" "$task" "the finding by its id"
await grep -q "$task" "$work/told"
equal "$(grep "$task" "$work/told" | jq -r '.taskStatus')" COMPLETED "what the webhook was told"

say "the command: a table, and exit code 1"
code=0
table=$("$bin/hatchery" audit --check IOT_POLICY_OVERLY_PERMISSIVE_CHECK --data "$data") || code=$?
equal "$code" 1 "exit code with a finding"
contains "$table" "CRITICAL IOT_POLICY_OVERLY_PERMISSIVE_CHECK  wide:1  statement 1:" "the table"
contains "$table" "1 checks, 1 findings" "its last line"

say "suppressed, it no longer counts"
iot create-audit-suppression --check-name IOT_POLICY_OVERLY_PERMISSIVE_CHECK --suppress-indefinitely \
    --resource-identifier 'policyVersionIdentifier={policyName=wide,policyVersionId=1}' --client-request-token t1
"$bin/hatchery" audit --check IOT_POLICY_OVERLY_PERMISSIVE_CHECK --data "$data" > "$work/clean" || die "exit code of a clean audit"
contains "$(cat "$work/clean")" "0 findings, 1 suppressed" "a clean audit"

say "a schedule"
iot create-scheduled-audit --scheduled-audit-name nightly --frequency DAILY --target-check-names "${checks[@]}" > /dev/null
equal "$(iot describe-scheduled-audit --scheduled-audit-name nightly | jq -c '[.frequency, (.targetCheckNames | length)]')" '["DAILY",4]' "the schedule"
stop_server
