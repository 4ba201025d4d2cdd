"""A claim by Paho, as Debian ships it: CreateCertificateFromCsr and RegisterThing.

  claim_paho.py VERSION CERT KEY TEMPLATE SERIAL CSR    VERSION 4 or 5; prints the thing's name, or the code of the refusal
"""
import json
import os
import queue
import ssl
import sys
import threading

import paho.mqtt.client as mqtt

version, certificate, key, template, serial, csr = sys.argv[1:]
connected = threading.Event()
granted: queue.Queue = queue.Queue()
answers: queue.Queue = queue.Queue()
client = mqtt.Client(client_id="fleet-device", protocol=mqtt.MQTTv5 if version == "5" else mqtt.MQTTv311)
client.tls_set(os.environ["HATCHERY_SERVER_CA"], certificate, key, tls_version=ssl.PROTOCOL_TLS_CLIENT)
client.on_connect = lambda *_: connected.set()
client.on_subscribe = lambda *_: granted.put(True)
client.on_message = lambda _client, _data, message: answers.put(message)
client.connect(os.environ["HATCHERY_MQTT_HOST"], int(os.environ["HATCHERY_MQTT_PORT"]))
client.loop_start()
assert connected.wait(30), "not connected"


def ask(topic, request):
    client.subscribe([(topic + "/accepted", 1), (topic + "/rejected", 1)])
    granted.get(timeout=30)
    client.publish(topic, json.dumps(request), qos=1).wait_for_publish()
    answer = answers.get(timeout=30)
    content = json.loads(answer.payload)
    if answer.topic.endswith("/rejected"):
        print(content["statusCode"])
        sys.exit(0)
    return content


with open(csr, encoding="ascii") as file:
    created = ask("$aws/certificates/create-from-csr/json", {"certificateSigningRequest": file.read()})
registered = ask(f"$aws/provisioning-templates/{template}/provision/json",
                 {"certificateOwnershipToken": created["certificateOwnershipToken"],
                  "parameters": {"SerialNumber": serial}})
print(registered["thingName"])
client.disconnect()
client.loop_stop()
