"""Claims by Paho, as devices in the field make them; see claim_edges.sh.

  claim_edges.py wire|trusted|alone|unactivated FOLDER    FOLDER has claim.pem, claim.key and serve.log
"""
import json
import os
import queue
import ssl
import sys
import threading
import time

import boto3
import cbor2
import paho.mqtt.client as mqtt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

what, folder = sys.argv[1:]
LIMIT = 60  # seconds that anything may take
CREATE, FROM_CSR, REGISTER = ("$aws/certificates/create", "$aws/certificates/create-from-csr",
                              "$aws/provisioning-templates/Claims/provision")
FORMS = {"json": (lambda value: json.dumps(value).encode(), json.loads), "cbor": (cbor2.dumps, cbor2.loads)}


class Claimant:
    def __init__(self, client_id, certificate="claim"):
        connected = threading.Event()
        self.granted, self.answers, self.ended = queue.Queue(), queue.Queue(), queue.Queue()
        self.client = mqtt.Client(client_id=client_id, protocol=mqtt.MQTTv311, reconnect_on_failure=False)
        self.client.tls_set(os.environ["HATCHERY_SERVER_CA"], f"{folder}/{certificate}.pem", f"{folder}/{certificate}.key",
                            tls_version=ssl.PROTOCOL_TLS_CLIENT)
        self.client.on_connect = lambda *_: connected.set()
        self.client.on_disconnect = lambda *_: self.ended.put(True)
        self.client.on_subscribe = lambda *_: self.granted.put(True)
        self.client.on_message = lambda _client, _data, message: self.answers.put(message)
        self.client.connect(os.environ["HATCHERY_MQTT_HOST"], int(os.environ["HATCHERY_MQTT_PORT"]))
        self.client.loop_start()
        assert connected.wait(LIMIT), client_id + " is not connected"

    def subscribe(self, *topics):
        self.client.subscribe([(topic, 1) for topic in topics])

    def answer(self, topic, form):
        """The next answer, which must be on `topic`."""
        message = self.answers.get(timeout=LIMIT)
        assert message.topic == topic, f"expected an answer on {topic}, found {message.topic} {message.payload}"
        return FORMS[form][1](message.payload)

    def ask(self, topic, form, value, outcomes=("accepted", "rejected")):
        """Publishes right behind SUBSCRIBE, as some devices do: before SUBACK."""
        whole = f"{topic}/{form}"
        self.subscribe(*(f"{whole}/{outcome}" for outcome in outcomes))
        self.client.publish(whole, FORMS[form][0](value), qos=1)
        return self.answer(whole + "/accepted", form)

    def register(self, form, created, serial, **more):
        return self.ask(REGISTER, form, {"certificateOwnershipToken": created["certificateOwnershipToken"],
                                         "parameters": {"SerialNumber": serial}}, **more)


def expect(found, expected, about):
    if found != expected:
        sys.exit(f"{about}: expected {expected!r}, found {found!r}")


def csr():
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def is_logged(words):
    with open(f"{folder}/serve.log", encoding="utf-8") as file:
        return words in file.read()


def wire():
    for form in FORMS:
        device = Claimant("by-" + form)
        created = device.ask(CREATE, form, {})
        expect(sorted(created), ["certificateId", "certificateOwnershipToken", "certificatePem", "privateKey"],
               f"members of {form}")
        expect(device.register(form, created, form + "-KEYS"),
               {"deviceConfiguration": {}, "thingName": f"claimed-{form}-KEYS"}, f"RegisterThing by {form}")
        created = device.ask(FROM_CSR, form, {"certificateSigningRequest": csr()})
        expect(sorted(created), ["certificateId", "certificateOwnershipToken", "certificatePem"], f"members of {form}")
        expect(device.register(form, created, form + "-CSR")["thingName"], f"claimed-{form}-CSR", f"RegisterThing by {form}")
        device.client.publish(f"{REGISTER}/{form}", FORMS[form][0]({"certificateOwnershipToken": "no such"}), qos=1)
        refusal = device.answer(f"{REGISTER}/{form}/rejected", form)
        expect((refusal["statusCode"], refusal["errorCode"], type(refusal["errorMessage"])),
               (400, "InvalidCertificateOwnershipToken", str), f"a refusal by {form}")
        print(f"-- {form}: keys, a request of the device's own, a refusal; each asked before SUBACK")

    device = Claimant("deaf")
    device.client.publish(CREATE + "/json", "{}", qos=1)
    dropped = f"reply on '{CREATE}/json/accepted' dropped: no subscription"
    deadline = time.monotonic() + LIMIT
    while not is_logged(dropped):  # so the certificate was made
        assert time.monotonic() < deadline, "no line about the answer that nobody wants"
        time.sleep(0.05)
    created = device.ask(CREATE, "json", {})  # the answer to this one, and no other
    device.client.publish(REGISTER + "/json", json.dumps({"certificateOwnershipToken": "no such"}), qos=1)  # refused, unheard
    registered = device.register("json", created, "DEAF", outcomes=("accepted",))  # some never subscribe to rejected
    expect(registered["thingName"], "claimed-DEAF", "after a refusal that was not heard")
    print("-- without a subscription: no answer, and the connection goes on")


def trusted():
    """A trusted user's claim: good for its template alone, and no certificate of the account."""
    iot = boto3.client("iot", endpoint_url=os.environ["HATCHERY_ENDPOINT"])
    known = len(iot.list_certificates(pageSize=250)["certificates"])
    claim = iot.create_provisioning_claim(templateName="Claims")
    expect(len(iot.list_certificates(pageSize=250)["certificates"]), known, "certificates with a trusted user's claim")
    for suffix, text in ((".pem", claim["certificatePem"]), (".key", claim["keyPair"]["PrivateKey"])):
        with open(f"{folder}/trusted{suffix}", "w", encoding="ascii") as file:
            file.write(text)
    device = Claimant("trusted", "trusted")
    created = device.ask(CREATE, "json", {})
    expect(device.register("json", created, "TRUSTED")["thingName"], "claimed-TRUSTED", "RegisterThing by a trusted claim")
    device.client.publish(REGISTER.replace("Claims", "Others") + "/json", "{}", qos=1)
    device.ended.get(timeout=LIMIT)
    print("-- a trusted user's claim: its own template, and no other")


def alone():
    device = Claimant("alone")
    created = device.ask(CREATE, "json", {})
    expect(device.register("json", created, "ALONE")["thingName"], "claimed-ALONE", "RegisterThing without a broker")
    for suffix, member in ((".pem", "certificatePem"), (".key", "privateKey")):
        with open(f"{folder}/own{suffix}", "w", encoding="ascii") as file:
            file.write(created[member])


def unactivated():
    created = Claimant("unactivated").ask(CREATE, "json", {})
    with open(f"{folder}/unactivated", "w", encoding="ascii") as file:
        file.write(created["certificateId"])


{"wire": wire, "trusted": trusted, "alone": alone, "unactivated": unactivated}[what]()
