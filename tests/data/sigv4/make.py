#!/usr/bin/python3
"""Writes cases.json: requests signed by botocore itself (Debian's awscli brings it), at a fixed time.

Run by hand with Debian's Python: /usr/bin/python3 make.py > cases.json
"""
import datetime
import hashlib
import json
import sys
import urllib.parse

import awscli
import awscli.clidriver  # makes its botocore importable

import botocore.auth as auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY = "AKIDEXAMPLE000000000"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = datetime.datetime(2026, 11, 22, 19, 30, 4)
HOST = "127.0.0.1:18500"
POLICY = '{"policyDocument": "{}"}'
ARN = "arn:aws:iot:us-east-1:123456789012:cert/" + "ab" * 32

class FrozenDatetime(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return NOW

class FrozenModule:
    datetime = FrozenDatetime

def quote(text):
    return urllib.parse.quote(text, safe="-_.~")

def signed(name, method, target, service="iot", body=None, headers=None, expires=None):
    request = AWSRequest(method=method, url="http://" + HOST + target, data=body, headers=headers or {})
    credentials = Credentials(KEY, SECRET)
    if expires is None:
        auth.SigV4Auth(credentials, service, "us-east-1").add_auth(request)
    else:
        auth.SigV4QueryAuth(credentials, service, "us-east-1", expires=expires).add_auth(request)
    parts = urllib.parse.urlsplit(request.url)
    fields = [["Host", HOST]] + [[key, value] for key, value in request.headers.items()]
    return {
        "name": name,
        "method": method,
        "target": parts.path + ("?" + parts.query if parts.query else ""),
        "headers": fields,
        "body": body or "",
    }

def main():
    auth.datetime = FrozenModule
    json_type = {"Content-Type": "application/json"}
    cases = [
        signed("get without a body", "GET", "/registrationcode"),
        signed("older clients sign execute-api", "GET", "/registrationcode", service="execute-api"),
        signed("json body", "POST", "/things/t1", body='{"thingTypeName": "AnyType"}', headers=json_type),
        signed("post without a body", "POST", "/keys-and-certificate?setAsActive=true"),
        signed("arn as one segment is encoded twice", "POST", "/attached-policies/" + quote(ARN)),
        signed("space, equals and at sign", "PUT", "/target-policies/a%20b%3Dc%40d", body="{}", headers=json_type),
        signed("encoded query value", "GET", "/endpoint?endpointType=iot%3AData-ATS"),
        signed("query out of order", "GET", "/things?maxResults=5&attributeValue=12&attributeName=serialNumber"),
        signed("empty query value", "GET", "/things?nextToken=&maxResults=5"),
        signed("signed header input", "PUT", "/things/t1/principals", headers={"x-amzn-principal": ARN}),
        signed("header with runs of spaces", "GET", "/policy-principals", headers={"x-amzn-iot-policy": "a   b"}),
        signed("stated body digest", "POST", "/policies/p", body=POLICY,
               headers={**json_type, "X-Amz-Content-SHA256": hashlib.sha256(POLICY.encode()).hexdigest()}),
        signed("data plane", "POST", "/topics/a%2Fb?qos=1", service="iotdata", body="hello"),
        signed("jobs data plane", "PUT", "/things/t1/jobs/%24next", service="iot-jobs-data", body="{}",
               headers=json_type),
        signed("dot segments are removed before signing", "GET", "/things/../policies/./p"),
        signed("presigned", "GET", "/things/t1", expires=300),
        signed("presigned with a query", "GET", "/things?attributeName=a%20b", expires=604800),
    ]
    json.dump({"made_by": "botocore of awscli " + awscli.__version__ + " (Debian 12), tests/data/sigv4/make.py",
               "access_key": KEY, "secret": SECRET, "now": int(NOW.replace(tzinfo=datetime.timezone.utc).timestamp()),
               "cases": cases}, sys.stdout, indent=1)
    print()

main()
