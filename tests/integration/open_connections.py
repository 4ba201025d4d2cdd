"""Changes under open connections, by Paho with MQTT 3.1.1 and 5; see open_connections.sh.

  open_connections.py FOLDER
"""
import json
import os
import queue
import socket
import ssl
import sys
import threading
import time

import boto3
import paho.mqtt.client as mqtt

folder = sys.argv[1]
LIMIT = 60  # seconds that anything may take
iot = boto3.client("iot", endpoint_url=os.environ["HATCHERY_ENDPOINT"])
EVERYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}'
iot.create_policy(policyName="everything", policyDocument=EVERYTHING)


def certificate(name):
    """A registered certificate with the policy; its files are FOLDER/NAME.pem and .key."""
    made = iot.create_keys_and_certificate(setAsActive=True)
    iot.attach_policy(policyName="everything", target=made["certificateArn"])
    for suffix, text in ((".pem", made["certificatePem"]), (".key", made["keyPair"]["PrivateKey"])):
        with open(os.path.join(folder, name + suffix), "w", encoding="ascii") as file:
            file.write(text)
    return made


class Device:
    """A connection; never comes back by itself."""

    def __init__(self, name, client_id, version, will=None, is_clean=True):
        self.ended, self.acknowledged, self.messages, self.granted = (queue.Queue() for _ in range(4))
        connected = threading.Event()
        is_v5 = version == 5
        session = {} if is_v5 else {"clean_session": is_clean}
        self.client = mqtt.Client(client_id=client_id, protocol=mqtt.MQTTv5 if is_v5 else mqtt.MQTTv311,
                                  reconnect_on_failure=False, **session)
        if will:
            self.client.will_set(will, "gone", qos=1)
        self.client.tls_set(os.environ["HATCHERY_SERVER_CA"], f"{folder}/{name}.pem", f"{folder}/{name}.key",
                            tls_version=ssl.PROTOCOL_TLS_CLIENT)
        self.client.on_connect = lambda *_: connected.set()
        self.client.on_disconnect = lambda _client, _data, code, *_: self.ended.put(code)
        self.client.on_publish = lambda _client, _data, message: self.acknowledged.put(message)
        self.client.on_message = lambda _client, _data, message: self.messages.put(message)
        self.client.on_subscribe = lambda _client, _data, _message, codes, *_: self.granted.put(codes)
        self.client.connect(os.environ["HATCHERY_MQTT_HOST"], int(os.environ["HATCHERY_MQTT_PORT"]))
        self.client.loop_start()
        assert connected.wait(LIMIT), client_id + " is not connected"

    def publish(self, topic):
        self.client.publish(topic, "x", qos=1)

    def works(self, topic):
        self.publish(topic)
        self.acknowledged.get(timeout=LIMIT)

    def subscribe(self, topic):
        self.client.subscribe(topic, 1)
        self.granted.get(timeout=LIMIT)

    def expect_end(self, what):
        try:
            self.ended.get(timeout=LIMIT)
        except queue.Empty:
            sys.exit(f"{what}: the connection goes on")

    def drop(self):
        """As a device whose power fails."""
        self.client.socket().shutdown(socket.SHUT_RDWR)
        self.ended.get(timeout=LIMIT)

    def expect_message(self, topic, payload):
        message = self.messages.get(timeout=LIMIT)
        found = (message.topic, message.payload.decode())
        assert found == (topic, payload), f"expected {topic} {payload}, found {found}"

    def close(self):
        self.client.disconnect()
        self.ended.get(timeout=LIMIT)


for status in ("INACTIVE", "REVOKED"):
    made = {version: certificate(f"{status}{version}") for version in (4, 5)}
    devices = {version: Device(f"{status}{version}", f"{status}{version}", version) for version in (4, 5)}
    for version, device in devices.items():
        device.works("t")
        iot.update_certificate(certificateId=made[version]["certificateId"], newStatus=status)
        device.expect_end(f"{status}, MQTT {version}")  # without a packet of its own
    print(f"-- {status}: disconnected")

made = {version: certificate(f"detached{version}") for version in (4, 5)}
for version in (4, 5):
    device = Device(f"detached{version}", f"detached{version}", version)
    device.works("t")
    iot.detach_policy(policyName="everything", target=made[version]["certificateArn"])
    if version == 4:
        device.publish("t")
        device.expect_end("detached, 3.1.1")
        assert device.acknowledged.empty(), "a denied publish was acknowledged"
    else:
        device.client.publish("t", "x", qos=0)
        device.expect_end("detached, 5")
print("-- a detached policy: the next packet ends the connection")

for name in ("watcher", "mortal", "sleeper"):
    certificate(name)
watcher = Device("watcher", "watcher", 5)
watcher.subscribe("last/#")
Device("mortal", "mortal", 4, will="last/dropped").drop()
watcher.expect_message("last/dropped", "gone")
Device("mortal", "mortal", 4, will="last/left").close()  # says DISCONNECT: no will
sleeper = Device("sleeper", "sleeper", 4, is_clean=False)
sleeper.subscribe("later/#")
sleeper.close()
watcher.works("later/1")
Device("mortal", "mortal", 5, will="last/dropped-too").drop()
watcher.expect_message("last/dropped-too", "gone")
Device("sleeper", "sleeper", 4, is_clean=False).expect_message("later/1", "x")
print("-- a will comes of a dropped connection alone; a session goes on where it was left")

names = ["worker-1", "worker-2", "sender"]
for name in names:
    certificate(name)
one, two, sender = (Device(name, name, version) for name, version in zip(names, (4, 5, 4)))
for worker in (one, two):
    worker.subscribe("$share/workers/jobs/#")
for number in range(20):
    sender.works(f"jobs/{number}")
taken = {}
deadline = time.monotonic() + LIMIT
while sum(len(topics) for topics in taken.values()) < 20 and time.monotonic() < deadline:
    for worker in (one, two):
        while not worker.messages.empty():
            taken.setdefault(worker, []).append(worker.messages.get().topic)
    time.sleep(0.01)
assert sorted(taken.get(one, []) + taken.get(two, [])) == sorted(f"jobs/{number}" for number in range(20)), taken
assert len(taken) == 2, "one of two subscribers of a group got nothing"
for device in (one, two, sender):
    device.close()
print("-- a shared subscription: every message to one of the two")

shared, twin = certificate("shared"), certificate("twin")
open_ones = [Device("shared", "device-a", 4), Device("shared", "device-b", 5)]
older = Device("shared", "fought-for", 4)
newer = Device("twin", "fought-for", 4)
older.expect_end("taken over")
newer.works("t")
checks = ["DEVICE_CERTIFICATE_SHARED_CHECK", "CONFLICTING_CLIENT_IDS_CHECK"]
iot.update_account_audit_configuration(auditCheckConfigurations={check: {"enabled": True} for check in checks})


def findings():
    task = iot.start_on_demand_audit_task(targetCheckNames=checks)["taskId"]
    while iot.describe_audit_task(taskId=task)["taskStatus"] == "IN_PROGRESS":
        time.sleep(0.05)
    return iot.list_audit_findings(taskId=task)["findings"]


def related(found):
    return sum(len(finding["relatedResources"]) for finding in found)


deadline = time.monotonic() + LIMIT
found = findings()  # what was seen is written within about a second, maybe between the two checks of an audit
while related(found) < 5 and time.monotonic() < deadline:
    found = findings()
by_check = {finding["checkName"]: finding for finding in found}
assert set(by_check) == set(checks) and len(found) == 2, json.dumps(found, default=str)
finding = by_check["DEVICE_CERTIFICATE_SHARED_CHECK"]
assert finding["reasonForNonComplianceCode"] == "CERTIFICATE_SHARED_BY_MULTIPLE_DEVICES", finding
assert finding["nonCompliantResource"]["resourceIdentifier"] == {"deviceCertificateId": shared["certificateId"]}, finding
clients = {resource["resourceIdentifier"]["clientId"] for resource in finding["relatedResources"]}
assert clients == {"device-a", "device-b", "fought-for"}, clients
finding = by_check["CONFLICTING_CLIENT_IDS_CHECK"]
assert finding["reasonForNonComplianceCode"] == "DUPLICATE_CLIENT_ID_ACROSS_CONNECTIONS", finding
assert finding["nonCompliantResource"]["resourceIdentifier"] == {"clientId": "fought-for"}, finding
holders = {resource["resourceIdentifier"]["deviceCertificateId"] for resource in finding["relatedResources"]}
assert holders == {shared["certificateId"], twin["certificateId"]}, holders
print("-- audits find the shared certificate and the client id that two certificates fight for")
