"""A device by Paho, as Debian ships it: connects with VERSION (4 or 5), subscribes, publishes, receives its own message.

  paho_device.py VERSION CERT KEY CLIENT-ID TOPIC
"""
import os
import ssl
import sys
import threading

import paho.mqtt.client as mqtt

version, certificate, key, client_id, topic = sys.argv[1:]
received = threading.Event()
connected = threading.Event()
subscribed = threading.Event()
protocol = mqtt.MQTTv5 if version == "5" else mqtt.MQTTv311
client = mqtt.Client(client_id=client_id, protocol=protocol)
client.tls_set(os.environ["HATCHERY_SERVER_CA"], certificate, key, tls_version=ssl.PROTOCOL_TLS_CLIENT)
client.on_connect = lambda *_: connected.set()
client.on_subscribe = lambda *_: subscribed.set()
client.on_message = lambda _client, _data, message: received.set() if message.payload == b"paho" else None
client.connect(os.environ["HATCHERY_MQTT_HOST"], int(os.environ["HATCHERY_MQTT_PORT"]))
client.loop_start()
assert connected.wait(30), "not connected"
client.subscribe(topic, qos=1)
assert subscribed.wait(30), "not subscribed"
client.publish(topic, "paho", qos=1).wait_for_publish()
assert received.wait(30), "own message not received"
client.disconnect()
client.loop_stop()
