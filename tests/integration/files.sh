#!/usr/bin/env bash
# Files kept for devices, and short-lived links to them: whole or not at all, and nobody gets more than his link says.
source "$(dirname "$0")/lib.sh" "$1"
cd "$work"
"$bin/hatchery" init "$data" > /dev/null
sed -i 's/^max_megabytes = .*/max_megabytes = 8/' "$data/hatchery.toml"
file() { "$bin/hatchery" file "$@" --data "$data"; }
fails() { # fails EXIT-CODE TEXT command…
    local code=0 text
    text=$("${@:3}" 2>&1 > /dev/null) || code=$?
    equal "$code" "$1" "exit code of ${*:3}: $text"
    contains "$text" "$2" "${*:3}"
}

say "put, list, remove; the server is not there yet"
head -c 3000001 /dev/urandom > pump.bin
sum=$(sha256sum pump.bin | cut -d' ' -f1)
equal "$(file put pump.bin --name firmware/pump.bin | cut -f1-3)" "$(printf 'firmware/pump.bin\t3000001\t%s' "$sum")" "put"
equal "$(printf 'from a pipe' | file put - --name piped --json | jq -c '[.name, .size]')" '["piped",11]' "put by standard input"
equal "$(file list --json | jq -r .name | xargs)" "firmware/pump.bin piped" "list"
file remove piped
fails 1 "file piped does not exist" file remove piped
fails 1 "expected a file name of 1 to 512 characters" file put pump.bin --name ../../etc/passwd
fails 1 "expected --name" file put - < /dev/null
fails 2 "cannot read nothing" file put nothing
fails 2 "Is a directory" file put "$data" --name folder
truncate -s 9M large
fails 1 "expected a file of at most 8388608 bytes, found 9437184" file put large
fails 1 "expected a file of at most 8388608 bytes" bash -c "head -c 9000000 /dev/zero | '$bin/hatchery' file put - --name large --data '$data'"

say "a put that is killed leaves nothing; the next one goes on"
mkfifo input
"$bin/hatchery" file put input --name firmware/pump.bin --data "$data" > /dev/null 2>&1 &
put=$!
exec 7> input
head -c 500000 pump.bin >&7
has_part() { [ -s "$data/files/.incoming" ]; }
await has_part
kill -9 $put
wait $put 2> /dev/null || true
exec 7>&-
equal "$(file list | wc -l)" 1 "files after the kill"
printf other > other && file put other > /dev/null
equal "$(find "$data/files" -type f ! -name .lock | wc -l)" 2 "contents on the disk"

say "links: to everybody who has one, without a certificate, for a while"
serve
url=https://localhost:$HATCHERY_HTTPS_PORT
get() { curl -s --cacert "$HATCHERY_SERVER_CA" --path-as-is -o answer -D headers -w '%{http_code}' "$@"; }
link=$(file link firmware/pump.bin --expires 3600)
contains "$link" "$url/files/firmware/pump.bin?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=HATCHERY%2F" "the link"
equal "$(get "$link")" 200 "download: $(head -c 300 answer)"
cmp answer pump.bin || die "another content came"
contains "$(tr -d '\r' < headers)" "ETag: \"$sum\"" "headers"
fails 1 "file nothing does not exist" file link nothing

say "a download that broke off goes on; ranges"
head -c 1000000 pump.bin > half
curl -s --cacert "$HATCHERY_SERVER_CA" -C - -o half "$link"
cmp half pump.bin || die "the download that went on"
equal "$(get -r 10-19 "$link")" 206 "a range"
cmp answer <(tail -c +11 pump.bin | head -c 10) || die "another range came"
equal "$(get -r 3000001- "$link")" 416 "a range behind the end"
equal "$(get -H 'Range: bytes=5-' -H 'If-Range: "another"' "$link")" 200 "a range of another content"

say "changed, expired, hostile"
refused() { # refused STATUS TEXT curl-arguments…
    equal "$(get "${@:3}")" "$1" "${*:3}: $(cat answer)"
    contains "$(cat answer)" "$2" "${*:3}"
}
refused 403 "expected a presigned link" "$url/files/firmware/pump.bin"
refused 403 "the link was changed" "${link/pump.bin/othr.bin}"
refused 403 "the link was changed" "${link/Expires=3600/Expires=7200}"
refused 403 "the link was changed" "$link&x=y"
refused 403 "the link was changed" "${link/firmware/.\/firmware}"
refused 405 "expected GET" -X POST "$link"
refused 413 "at most 128 KiB" --data-binary @pump.bin "$link"
for path in /files/../hatchery.toml /files/%2e%2e/hatchery.toml /files//etc/passwd /files/ "/files/$sum"; do
    refused 403 "expected a presigned link" "$url$path"
    refused 403 "the link was changed" "$url$path?${link#*\?}"
done
short=$(file link firmware/pump.bin --expires 1)
expired() { [ "$(get "$short")" = 403 ]; }
await expired
refused 403 "the link expired at" "$short"

say "the name leads to the content that it has now"
file put other --name firmware/pump.bin > /dev/null
equal "$(get "$link")" 200 "the link, to another content"
equal "$(cat answer)" other "the new content"
file remove firmware/pump.bin
refused 404 "file firmware/pump.bin does not exist" "$link"
equal "$(find "$data/files" -type f -name "$sum" | wc -l)" 0 "contents that nobody needs"

say "many at once, each whole"
file put pump.bin > /dev/null
link=$(file link pump.bin)
for i in $(seq 24); do printf 'url = "%s"\noutput = "many.%s"\n' "$link" "$i"; done > many
curl --no-progress-meter --cacert "$HATCHERY_SERVER_CA" --parallel --parallel-max 24 --retry 20 --retry-delay 1 --fail --config many || die "downloads"
equal "$(sha256sum many.* | cut -d' ' -f1 | sort -u)" "$sum" "downloads"

say "job documents: from a file, and with links in them"
iot create-thing --thing-name pump-1 > /dev/null
s3=https://s3.us-east-1.amazonaws.com
printf '{"url":"${aws:iot:s3-presigned-url:%s/firmware/pump.bin}"}' $s3 > update.json
file put update.json --name jobs/update.json > /dev/null
job() { # job ID SOURCE
    iot create-job --job-id "$1" --targets "arn:aws:iot:$AWS_DEFAULT_REGION:$HATCHERY_ACCOUNT:thing/pump-1" --document-source "$2" \
        --presigned-url-config "roleArn=arn:aws:iam::$HATCHERY_ACCOUNT:role/any-role,expiresInSec=60" 2>&1
}
contains "$(job typo $s3/jobs/nothing.json || true)" "file jobs/nothing.json does not exist" "a document that is not there"
contains "$(job large pump.bin || true)" "expected a file of at most 32768 bytes" "a document that is too large"
contains "$(job early $s3/jobs/update.json || true)" "in place of $s3/firmware/pump.bin: file firmware/pump.bin does not exist" "a placeholder of no file"
file put pump.bin --name firmware/pump.bin > /dev/null
job update $s3/jobs/update.json > /dev/null
file remove jobs/update.json # the job has its copy
file remove firmware/pump.bin # and its link leads nowhere then
equal "$(iot describe-job --job-id update --query documentSource --output text)" $s3/jobs/update.json "documentSource"
equal "$(iot get-job-document --job-id update | jq -r .document)" "$(cat update.json)" "GetJobDocument"
document() { aws --endpoint-url "$HATCHERY_ENDPOINT" --output json iot-jobs-data "$@" --thing-name pump-1 | jq -r .execution.jobDocument; }
first=$(document start-next-pending-job-execution | jq -r .url)
contains "$first" "$url/files/firmware/pump.bin?X-Amz-Algorithm=" "the link in the document"
contains "$first" "&X-Amz-Expires=60&" "the link in the document"
refused 404 "file firmware/pump.bin does not exist" "$first"
file put pump.bin --name firmware/pump.bin > /dev/null
equal "$(get "$(document describe-job-execution --job-id update | jq -r .url)")" 200 "the file"
cmp answer pump.bin || die "the job's file"
! grep -q "${link##*Signature=}" serve.log || die "a signature is in the log"
stop_server
