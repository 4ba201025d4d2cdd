"""Devices that do jobs, by clients that others wrote. jobs.py WORK-FOLDER NODE-MODULES-FOLDER; the server's environment is set,
the thing group "pumps" is there."""
import json
import os
import pathlib
import queue
import ssl
import subprocess
import sys
import threading
import time

import boto3
import paho.mqtt.client as mqtt

work, modules = pathlib.Path(sys.argv[1]), sys.argv[2]
HOST, PORT, CA = os.environ["HATCHERY_MQTT_HOST"], os.environ["HATCHERY_MQTT_PORT"], os.environ["HATCHERY_SERVER_CA"]
iot = boto3.client("iot", endpoint_url=os.environ["HATCHERY_ENDPOINT"])
data = boto3.client("iot-jobs-data", endpoint_url=os.environ["HATCHERY_ENDPOINT"])
ARN = "arn:aws:iot:%s:%s:" % (os.environ["AWS_DEFAULT_REGION"], os.environ["HATCHERY_ACCOUNT"])
PATIENCE = 60  # seconds, for what takes less than one on an idle machine


def say(text):
    print("--", text, file=sys.stderr)


def equal(found, expected):
    assert found == expected, "expected %r, found %r" % (expected, found)


def until(ask, expected):
    deadline = time.monotonic() + PATIENCE
    while (found := ask()) != expected:
        assert time.monotonic() < deadline, "waited in vain for %r, found %r" % (expected, found)
        time.sleep(0.05)


def allow(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": actions, "Resource": [ARN + r for r in resources]} for actions, resources in statements]})


certificates = {}


def device(name):
    """A thing with a certificate: NAME.pem and NAME.key in the work folder."""
    iot.create_thing(thingName=name)
    made = iot.create_keys_and_certificate(setAsActive=True)
    (work / (name + ".pem")).write_text(made["certificatePem"])
    (work / (name + ".key")).write_text(made["keyPair"]["PrivateKey"])
    iot.attach_policy(policyName="jobs", target=made["certificateArn"])
    iot.attach_thing_principal(thingName=name, principal=made["certificateArn"])
    certificates[name] = made["certificateArn"]


def create(job, target, document="{}", **more):
    iot.create_job(jobId=job, targets=target if isinstance(target, list) else [ARN + target], document=document, **more)


def job_is(job):
    return iot.describe_job(jobId=job)["job"]["status"]


class Pump:
    """A device by Paho that subscribes to nothing: answers come straight to whoever asked."""

    def __init__(self, name):
        self.base = "$aws/things/%s/jobs/" % name
        self.answers = queue.Queue()
        connected = threading.Event()
        self.client = mqtt.Client(client_id=name, protocol=mqtt.MQTTv311)
        self.client.tls_set(CA, str(work / (name + ".pem")), str(work / (name + ".key")), tls_version=ssl.PROTOCOL_TLS_CLIENT)
        self.client.on_connect = lambda *_: connected.set()
        self.client.on_message = lambda _c, _d, m: self.answers.put((m.topic, json.loads(m.payload)))
        self.client.on_disconnect = lambda *_: self.answers.put(("closed", None))
        self.client.connect(HOST, int(PORT))
        self.client.loop_start()
        assert connected.wait(PATIENCE), "not connected"

    def ask(self, rest, request, outcome="accepted"):
        self.client.publish(self.base + rest, json.dumps(request), qos=1)
        topic, answer = self.answers.get(timeout=PATIENCE)
        equal(topic, self.base + rest + "/" + outcome)
        return answer

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


OWN = "things/${iot:Connection.Thing.ThingName}/jobs/*"
iot.create_policy(policyName="jobs", policyDocument=allow(
    (["iot:Connect"], ["client/${iot:Connection.Thing.ThingName}"]),
    (["iot:Publish", "iot:Receive"], ["topic/$aws/" + OWN]),
    (["iot:Subscribe"], ["topicfilter/$aws/" + OWN])))
device("pump-1")
device("pump-2")
iot.add_thing_to_thing_group(thingGroupName="pumps", thingName="pump-1")

say("mosquitto_sub is told of a job to its group, and of one less")
told = queue.Queue()
listener = subprocess.Popen(
    ["stdbuf", "-oL", "mosquitto_sub", "-h", HOST, "-p", PORT, "--cafile", CA, "--cert", work / "pump-1.pem", "--key", work / "pump-1.key",
     "-i", "pump-1", "-q", "1", "-d", "-F", "told %t %p", "-t", "$aws/things/pump-1/jobs/notify", "-t", "$aws/things/pump-1/jobs/notify-next"],
    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
threading.Thread(target=lambda: [told.put(line) for line in listener.stdout], daemon=True).start()


def next_told(beginning):
    while not (line := told.get(timeout=PATIENCE)).startswith(beginning):
        pass
    return line[len(beginning):].strip()


next_told("Subscribed")
create("n1", "thinggroup/pumps", '{"operation":"reboot"}')
listed = json.loads(next_told("told $aws/things/pump-1/jobs/notify "))
equal(listed["jobs"]["QUEUED"][0]["jobId"], "n1")
next_one = json.loads(next_told("told $aws/things/pump-1/jobs/notify-next "))["execution"]
equal([next_one[m] for m in ("jobId", "status", "jobDocument", "versionNumber")], ["n1", "QUEUED", {"operation": "reboot"}, 1])
iot.cancel_job(jobId="n1")
equal(json.loads(next_told("told $aws/things/pump-1/jobs/notify "))["jobs"], {})
equal("execution" in json.loads(next_told("told $aws/things/pump-1/jobs/notify-next ")), False)
equal(iot.describe_job(jobId="n1")["job"]["jobProcessDetails"]["numberOfCanceledThings"], 1)
listener.kill()  # its handler of SIGTERM takes a lock that the thread it interrupts may hold
listener.wait()

say("Paho does a job without a subscription; expectedVersion, and what is refused")
create("p1", "thing/pump-1", '{"a":[1,2]}')
pump = Pump("pump-1")
pending = pump.ask("get", {"clientToken": "c1"})
equal((pending["clientToken"], pending["queuedJobs"][0]["jobId"], pending["inProgressJobs"]), ("c1", "p1", []))
equal(pump.ask("$next/get", {})["execution"]["jobDocument"], {"a": [1, 2]})
started = pump.ask("start-next", {"statusDetails": {"step": "1"}, "stepTimeoutInMinutes": 7})["execution"]
equal((started["status"], started["statusDetails"], started["versionNumber"]), ("IN_PROGRESS", {"step": "1"}, 2))
refused = pump.ask("p1/update", {"status": "IN_PROGRESS", "expectedVersion": 1}, "rejected")
equal((refused["code"], refused["executionState"]["versionNumber"]), ("VersionMismatch", 2))
state = pump.ask("p1/update", {"status": "SUCCEEDED", "expectedVersion": 2, "includeJobExecutionState": True})["executionState"]
equal(state, {"status": "SUCCEEDED", "statusDetails": {"step": "1"}, "versionNumber": 3})
equal(pump.ask("p1/update", {"status": "FAILED"}, "rejected")["code"], "InvalidStateTransition")
equal(pump.ask("p1/get", {}, "rejected")["code"], "TerminalStateReached")
equal(pump.ask("nonsense", {}, "rejected")["code"], "InvalidTopic")
equal(job_is("p1"), "COMPLETED")
equal(iot.describe_job_execution(jobId="p1", thingName="pump-1")["execution"]["statusDetails"], {"detailsMap": {"step": "1"}})

say("what fails is tried again, once; then too many have failed")
create("r1", [ARN + "thing/pump-1", ARN + "thing/pump-2"],
       jobExecutionsRetryConfig={"criteriaList": [{"failureType": "FAILED", "numberOfRetries": 1}]},
       abortConfig={"criteriaList": [{"failureType": "FAILED", "action": "CANCEL", "thresholdPercentage": 100,
                                      "minNumberOfExecutedThings": 1}]})
for attempt in (1, 2):
    equal(pump.ask("start-next", {})["execution"]["executionNumber"], attempt)
    pump.ask("r1/update", {"status": "FAILED"})
until(lambda: job_is("r1"), "CANCELED")
aborted = iot.describe_job(jobId="r1")["job"]
equal((aborted["reasonCode"], aborted["jobProcessDetails"]["numberOfFailedThings"]), ("ABORT_CRITERIA_MET", 1))
tries = iot.list_job_executions_for_thing(thingName="pump-1", jobId="r1")["executionSummaries"]
equal([(t["jobExecutionSummary"]["executionNumber"], t["jobExecutionSummary"]["status"]) for t in tries], [(2, "FAILED"), (1, "FAILED")])

say("somebody else's jobs are refused by the policy")
pump.client.publish("$aws/things/pump-2/jobs/get", "{}", qos=1)
equal(pump.answers.get(timeout=PATIENCE)[0], "closed")
pump.close()

say("AWS's device SDK: starts, reports, and is told what is next when it has nothing to do")
create("sdk-1", "thing/pump-2", '{"last":false}')
sdk = subprocess.Popen(["node", modules + "/devices.js", "jobs", work / "pump-2.pem", work / "pump-2.key", "pump-2"],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
heard = []
for line in sdk.stderr:
    heard.append(line)
    if line == "idle\n":
        break
create("sdk-2", "thing/pump-2", '{"last":true}')
output, errors = sdk.communicate(timeout=PATIENCE)
equal((sdk.returncode, errors if sdk.returncode else ""), (0, ""))
equal([(d["jobId"], d["status"], d["document"]) for d in json.loads(output)["done"]],
      [("sdk-1", "IN_PROGRESS", {"last": False}), ("sdk-2", "IN_PROGRESS", {"last": True})])
equal((job_is("sdk-1"), job_is("sdk-2")), ("COMPLETED", "COMPLETED"))
equal(iot.describe_job_execution(jobId="sdk-1", thingName="pump-2")["execution"]["statusDetails"], {"detailsMap": {"by": "sdk"}})

say("boto3's iot-jobs-data; CONTINUOUS follows who joins and leaves")
create("c1", "thinggroup/pumps", targetSelection="CONTINUOUS")
iot.add_thing_to_thing_group(thingGroupName="pumps", thingName="pump-2")
until(lambda: [j["jobId"] for j in data.get_pending_job_executions(thingName="pump-2")["queuedJobs"]], ["c1"])
described = data.describe_job_execution(thingName="pump-2", jobId="$next")["execution"]
equal((described["jobDocument"], described["status"]), ("{}", "QUEUED"))
started = data.start_next_pending_job_execution(thingName="pump-2", statusDetails={"a": "b"}, stepTimeoutInMinutes=9)["execution"]
equal((started["status"], 0 < started["approximateSecondsBeforeTimedOut"] <= 540), ("IN_PROGRESS", True))
try:
    data.update_job_execution(thingName="pump-2", jobId="c1", status="SUCCEEDED", expectedVersion=9)
    raise SystemExit("an old version was accepted")
except data.exceptions.InvalidStateTransitionException:
    pass
updated = data.update_job_execution(thingName="pump-2", jobId="c1", status="SUCCEEDED", expectedVersion=2,
                                    includeJobExecutionState=True, includeJobDocument=True)
equal((updated["executionState"]["versionNumber"], updated["jobDocument"]), (3, "{}"))
try:
    data.describe_job_execution(thingName="pump-2", jobId="c1")
    raise SystemExit("a terminal execution was described")
except data.exceptions.TerminalStateException:
    pass
iot.remove_thing_from_thing_group(thingGroupName="pumps", thingName="pump-1")
until(lambda: iot.describe_job_execution(jobId="c1", thingName="pump-1")["execution"]["status"], "REMOVED")
equal(job_is("c1"), "IN_PROGRESS")

say("curl with the device's certificate on the HTTPS port; its policy names the thing")
create("h1", "thing/pump-2", '{"over":"https"}')


def https(method, path, *body):
    answer = subprocess.run(
        ["curl", "-s", "-m", str(PATIENCE), "--cacert", CA, "--cert", work / "pump-2.pem", "--key", work / "pump-2.key", "-X", method,
         "-w", "\n%{http_code}", "https://%s:%s/things/%s" % (HOST, os.environ["HATCHERY_HTTPS_PORT"], path)]
        + [word for text in body for word in ("-d", text)], stdout=subprocess.PIPE, check=True, text=True).stdout
    text, status = answer.rsplit("\n", 1)
    return int(status), json.loads(text)


equal(https("GET", "pump-2/jobs"), (403, {"message": "Forbidden"}))
iot.create_policy(policyName="https-jobs", policyDocument=allow(
    (["iot:GetPendingJobExecutions", "iot:DescribeJobExecution", "iot:StartNextPendingJobExecution", "iot:UpdateJobExecution"],
     ["thing/pump-2"])))
iot.attach_policy(policyName="https-jobs", target=certificates["pump-2"])
equal(https("GET", "pump-2/jobs")[1]["queuedJobs"][0]["jobId"], "h1")
equal(https("PUT", "pump-2/jobs/%24next", "{}")[1]["execution"]["jobDocument"], '{"over":"https"}')
equal(https("POST", "pump-2/jobs/h1", '{"status":"SUCCEEDED"}'), (200, {}))
equal(https("GET", "pump-2/jobs/h1")[0], 410)
equal(https("GET", "pump-1/jobs"), (403, {"message": "Forbidden"}))
equal([j["jobId"] for j in iot.list_jobs(status="COMPLETED")["jobs"]], ["h1", "sdk-2", "sdk-1", "p1"])
