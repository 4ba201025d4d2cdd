#!/usr/bin/env python3
"""Does as each request says (parameter Fault), for many at once. What it does wrong, it may do to that request alone."""
import json, os, sys, time

earlier = []
for line in sys.stdin:
    event = json.loads(line)
    fault = event["parameters"].get("Fault", "")
    answer = {
        "requestId": event["requestId"],
        "allowProvisioning": True,
        "parameterOverrides": {"Echo": event["parameters"]["SerialNumber"]},
    }
    text = json.dumps(answer) + "\n"
    if fault == "hang":
        time.sleep(1000)
    elif fault == "crash":
        os._exit(3)
    elif fault == "garbage":
        text = "Traceback (most recent call last):\n"
    elif fault == "oversized":
        text = "x" * 200000 + "\n"
    elif fault == "closed":
        os.close(1)
        time.sleep(1000)
    elif fault == "flood":
        sys.stderr.write("noise " * 20 + "\n" + "y" * 300000 + "\n")
        sys.stderr.flush()
    elif fault == "fork":
        if os.fork() == 0:  # a second process answers too, and stays with the pipes
            os.write(1, text.encode())
            time.sleep(1000)
    elif fault == "late":  # all that it ever said, once more, behind the answer and in pieces
        os.write(1, text.encode())
        text = "".join(earlier[-8:])
    elif fault == "wrong":  # answers to others first
        text = "".join(earlier[-8:]) + text
    elif fault == "foreign":
        answer["requestId"] = "00000000-0000-4000-8000-000000000000"
        text = json.dumps(answer) + "\n"
    earlier.append(json.dumps(answer) + "\n")
    os.write(1, text.encode())
