#!/usr/bin/env python3
"""A worker of the kind "command": one event a line in, one answer a line out, with the event's requestId."""
import json
import sys

for line in sys.stdin:
    event = json.loads(line)
    answer = {"requestId": event["requestId"], "allowProvisioning": False, "reason": "unknown serial number"}
    if event["parameters"].get("SerialNumber", "").startswith("123456"):
        answer = {"requestId": event["requestId"], "allowProvisioning": True}
    print(json.dumps(answer), flush=True)
