#!/usr/bin/env python3
"""Writes cases.json: GET links presigned by botocore itself (as boto3 does it for S3), at fixed times.

Run by hand where boto3 is: python3 make.py > cases.json
"""
import datetime
import json
import unittest.mock
import urllib.parse

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

EXAMPLE_KEY = "AKIAIOSFODNN7EXAMPLE"
EXAMPLE_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

def link(name, host, path, date, expires, region="us-east-1", key=EXAMPLE_KEY, secret=EXAMPLE_SECRET):
    now = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ")
    request = AWSRequest("GET", "https://" + host + path)
    with unittest.mock.patch("botocore.auth.get_current_datetime", lambda *_: now):
        auth.S3SigV4QueryAuth(Credentials(key, secret), "s3", region, expires=expires).add_auth(request)
    return {"name": name, "host": host, "path": path, "signedAt": int(now.replace(tzinfo=datetime.timezone.utc).timestamp()),
            "expires": expires, "region": region, "key": key, "secret": secret, "query": urllib.parse.urlsplit(request.url).query}

print(json.dumps([
    # Published in the S3 API Reference, "Authenticating Requests: Using Query Parameters":
    # the signature is aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404.
    link("published", "examplebucket.s3.amazonaws.com", "/test.txt", "20130524T000000Z", 86400),
    link("port", "localhost:8443", "/files/firmware/pump-2.4.bin", "20261126T010203Z", 60, key="HATCHERY"),
    link("longest", "plant.example", "/files/a", "20000229T235959Z", 604800, region="eu-central-1", secret="x"),
    link("unreserved", "127.0.0.1:1", "/files/~a-b_c.d/E/0", "20991231T000000Z", 1, secret="s" * 100),
], indent=1))
