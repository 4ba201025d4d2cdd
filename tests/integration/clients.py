#!/usr/bin/python3
"""Sixteen clients of the control plane that meet on a dozen names, and what must hold afterwards.

clients.py work STEPS ACKNOWLEDGED  each client does so many random operations; a thing that the server said it
                                    made, and that nobody deletes, leaves its name in the file ACKNOWLEDGED.
                                    Ends quietly when the server goes away.
clients.py check ACKNOWLEDGED       every reverse look-up agrees with its other direction, nothing refers to what
                                    is not there, the search index says what the things say, every acknowledged
                                    thing is there
"""
import os
import random
import subprocess
import sys
import tempfile
import threading

import boto3
import botocore.config
import botocore.exceptions

URL, ACCOUNT = os.environ["HATCHERY_ENDPOINT"], os.environ["HATCHERY_ACCOUNT"]
ARN = "arn:aws:iot:%s:%s:" % (os.environ["AWS_DEFAULT_REGION"], ACCOUNT)
CLIENTS, NAMES = 16, 12
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}'
GONE = (botocore.exceptions.EndpointConnectionError, botocore.exceptions.ConnectionClosedError,
        botocore.exceptions.HTTPClientError)
# What these operations may meet when others are at the same names.
EXPECTED = {"ResourceNotFoundException", "ResourceAlreadyExistsException", "InvalidRequestException",
            "DeleteConflictException", "LimitExceededException", "VersionsLimitExceededException"}

config = botocore.config.Config(retries={"max_attempts": 0}, max_pool_connections=CLIENTS)
iot = boto3.client("iot", endpoint_url=URL, config=config)
problems = []


def pages(call, member, **arguments):
    """All items of a list, page by page."""
    token, size = ("marker", "pageSize") if call.__name__ in (
        "list_certificates", "list_policies", "list_attached_policies", "list_targets_for_policy") else (
            "nextToken", "maxResults")
    items, more = [], {}
    while True:
        answer = call(**arguments, **{size: 7}, **more)
        items += answer[member]
        following = answer.get("nextMarker" if token == "marker" else "nextToken")
        if following is None:
            return items
        more = {token: following}


def certificates():
    return [c["certificateArn"] for c in pages(iot.list_certificates, "certificates")]


class Client(threading.Thread):
    def __init__(self, seed, steps, principals, acknowledged):
        super().__init__()
        self.seed, self.steps, self.principals, self.acknowledged = seed, steps, principals, acknowledged
        self.random = random.Random(seed)
        self.done = 0

    def name(self, kind):
        return "%s%d" % (kind, self.random.randrange(NAMES))

    def step(self):
        thing, group, policy, principal = self.name("t"), self.name("g"), self.name("p"), self.random.choice(self.principals)
        attributes = {"attributes": {"batch": self.name("b")}, "merge": True}
        self.random.choice([
            lambda: iot.create_thing(thingName=thing, thingTypeName="Type", attributePayload=attributes),
            lambda: iot.update_thing(thingName=thing, attributePayload=attributes),
            lambda: iot.delete_thing(thingName=thing),
            lambda: iot.create_policy(policyName=policy, policyDocument=POLICY),
            lambda: iot.create_policy_version(policyName=policy, policyDocument=POLICY, setAsDefault=True),
            lambda: iot.delete_policy(policyName=policy),
            lambda: iot.attach_policy(policyName=policy, target=principal),
            lambda: iot.detach_policy(policyName=policy, target=principal),
            lambda: iot.attach_policy(policyName=policy, target=ARN + "thinggroup/" + group),
            lambda: iot.attach_thing_principal(thingName=thing, principal=principal),
            lambda: iot.detach_thing_principal(thingName=thing, principal=principal),
            lambda: iot.create_thing_group(thingGroupName=group),
            lambda: iot.delete_thing_group(thingGroupName=group),
            lambda: iot.add_thing_to_thing_group(thingGroupName=group, thingName=thing),
            self.walk,
        ])()

    @staticmethod
    def walk():
        """A list while others write: in order, no name twice."""
        names = [t["thingName"] for t in pages(iot.list_things, "things")]
        if names != sorted(set(names)):
            problems.append("a list out of order or with a name twice: %s" % names)

    def run(self):
        try:
            for number in range(self.steps):
                try:
                    self.step()
                    self.done += 1
                except botocore.exceptions.ClientError as error:
                    if error.response["Error"]["Code"] not in EXPECTED:
                        problems.append(str(error))
                kept = "kept-%d-%d-%d" % (os.getpid(), self.seed, number)
                iot.create_thing(thingName=kept)
                self.acknowledged.write(kept + "\n")
                self.acknowledged.flush()
        except GONE:
            pass


def make_ready():
    """Twelve certificates and a type, unless an earlier run made them."""
    if certificates():
        return
    iot.create_thing_type(thingTypeName="Type", thingTypeProperties={"searchableAttributes": ["batch"]})
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        folder + "/key", "-subj", "/CN=c", "-out", folder + "/csr"], check=True, capture_output=True)
        with open(folder + "/csr", encoding="ascii") as file:
            csr = file.read()
    for _ in range(NAMES):
        iot.create_certificate_from_csr(certificateSigningRequest=csr, setAsActive=True)


def work(steps, path):
    make_ready()
    principals = certificates()
    with open(path, "w", encoding="ascii") as acknowledged:
        clients = [Client(seed, int(steps), principals, acknowledged) for seed in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    print("%d operations done" % sum(client.done for client in clients))


def agree(what, forth, back):
    if set(forth) != set(back):
        problems.append("%s: %s only forth, %s only back" % (what, set(forth) - set(back), set(back) - set(forth)))


def check(path):
    things = {t["thingName"]: t for t in pages(iot.list_things, "things")}
    groups = [g["groupName"] for g in pages(iot.list_thing_groups, "thingGroups")]
    policies = [p["policyName"] for p in pages(iot.list_policies, "policies")]
    principals = certificates()
    shared = [name for name in things if name.startswith("t")]
    agree("things and principals",
          [(t, p) for t in shared for p in iot.list_thing_principals(thingName=t)["principals"]],
          [(t, p) for p in principals for t in iot.list_principal_things(principal=p)["things"]])
    agree("policies and targets",
          [(p, t) for p in policies for t in pages(iot.list_targets_for_policy, "targets", policyName=p)],
          [(p["policyName"], t) for t in principals + [ARN + "thinggroup/" + g for g in groups]
           for p in pages(iot.list_attached_policies, "policies", target=t)])
    agree("groups and members",
          [(g, t) for g in groups for t in pages(iot.list_things_in_thing_group, "things", thingGroupName=g)],
          [(g["groupName"], t) for t in shared for g in iot.list_thing_groups_for_thing(thingName=t)["thingGroups"]])
    batches = {"b%d" % number for number in range(NAMES)}
    agree("things and the search index",
          [(t, things[t]["attributes"]["batch"]) for t in shared],
          [(t["thingName"], b) for b in batches
           for t in iot.search_index(queryString="attributes.batch:" + b)["things"]])
    with open(path, encoding="ascii") as file:
        lost = [name for name in file.read().split() if name not in things]
    if lost:
        problems.append("acknowledged and gone: %s" % lost)


{"work": work, "check": check}[sys.argv[1]](*sys.argv[2:])
for problem in problems:
    print(problem)
sys.exit(1 if problems else 0)
