#!/usr/bin/env bash
# Jobs with clients that others wrote: every operation by the AWS CLI; then jobs.py: mosquitto_sub is told of jobs, Paho does them
# without a subscription, boto3's iot-jobs-data signed, curl with a device's certificate, AWS's device SDK with its jobs client.
source "$(dirname "$0")/lib.sh" "$1"

npm_modules aws-iot-device-sdk-v2
"$bin/hatchery" init "$data" > /dev/null
serve
arn=arn:aws:iot:$AWS_DEFAULT_REGION:$HATCHERY_ACCOUNT

say "the AWS CLI: a job from its creation to its deletion"
iot create-thing --thing-name valve-1 > /dev/null
iot create-job --job-id j1 --targets "$arn:thing/valve-1" --document '{"operation":"reboot"}' --description first --target-selection CONTINUOUS \
    --timeout-config inProgressTimeoutInMinutes=10 --job-executions-retry-config 'criteriaList=[{failureType=FAILED,numberOfRetries=1}]' \
    --job-executions-rollout-config maximumPerMinute=50 > "$work/created"
equal "$(jq -c . "$work/created")" '{"jobArn":"'"$arn"':job/j1","jobId":"j1","description":"first"}' "create-job"
rolled_out() { [ "$(iot list-job-executions-for-job --job-id j1 | jq -r '.executionSummaries[].thingArn')" = "$arn:thing/valve-1" ]; }
await rolled_out
equal "$(iot get-job-document --job-id j1 | jq -r .document)" '{"operation":"reboot"}' "get-job-document"
iot update-job --job-id j1 --description second --timeout-config inProgressTimeoutInMinutes=20
iot create-thing-group --thing-group-name pumps > /dev/null
iot associate-targets-with-job --job-id j1 --targets "$arn:thinggroup/pumps" --comment more > /dev/null
iot describe-job --job-id j1 > "$work/described"
equal "$(jq -c '.job | [.status, .targetSelection, .description, .comment, .timeoutConfig.inProgressTimeoutInMinutes, .targets, .jobProcessDetails.numberOfQueuedThings]' "$work/described")" \
    '["IN_PROGRESS","CONTINUOUS","second","more",20,["'"$arn"':thing/valve-1","'"$arn"':thinggroup/pumps"],1]' "describe-job"
equal "$(iot list-job-executions-for-thing --thing-name valve-1 --status QUEUED | jq -c '[.executionSummaries[] | [.jobId, .jobExecutionSummary.status]]')" \
    '[["j1","QUEUED"]]' "list-job-executions-for-thing"
iot cancel-job-execution --job-id j1 --thing-name valve-1 --expected-version 1
equal "$(iot describe-job-execution --job-id j1 --thing-name valve-1 | jq -c '.execution | [.status, .versionNumber, .thingArn]')" \
    '["CANCELED",2,"'"$arn"':thing/valve-1"]' "describe-job-execution"
contains "$(iot_fails delete-job --job-id j1)" InvalidStateTransitionException "deleting a job that goes on"
iot delete-job-execution --job-id j1 --thing-name valve-1 --execution-number 1
equal "$(iot cancel-job --job-id j1 --reason-code NOT_NEEDED | jq -r .jobId)" j1 "cancel-job"
equal "$(iot list-jobs --status CANCELED | jq -c '[.jobs[] | [.jobId, .status]]')" '[["j1","CANCELED"]]' "list-jobs"
iot delete-job --job-id j1
contains "$(iot_fails describe-job --job-id j1)" ResourceNotFoundException "a deleted job"

/usr/bin/python3 "$(dirname "$0")/jobs.py" "$work" "$modules" || die "jobs.py"
stop_server
