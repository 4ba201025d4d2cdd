"""Asks the control plane while its device's RegisterThing waits, and writes there: no lock may be held over a hook."""
import json
import os
import urllib.request

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def control_plane(method, path, body=None):
    with open(os.environ["CONTROL_PLANE"], encoding="utf-8") as file:
        place = json.load(file)
    request = AWSRequest(method, place["endpoint"] + path, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(place["id"], place["secret"]), "iot", place["region"]).add_auth(request)
    made = urllib.request.Request(request.url, data=body, headers=dict(request.headers), method=method)
    with urllib.request.urlopen(made, timeout=4) as response:
        return json.load(response)


def handler(event, context):
    control_plane("POST", "/things/seen-" + event["parameters"]["SerialNumber"], b"{}")
    found = control_plane("GET", "/certificates/" + event["certificateId"])
    return {"allowProvisioning": found["certificateDescription"]["status"] == "PENDING_ACTIVATION"}
