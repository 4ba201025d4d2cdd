#!/usr/bin/python3
"""Walks the control plane as a user of AWS IoT does, with the botocore that Debian's awscli brings.

control_plane.py URL FOLDER SCENARIO; the keys come from the environment. Says nothing when all is as
expected. botocore itself checks that the answers parse by AWS's model.
"""
import datetime
import json
import os
import subprocess
import sys

import awscli.clidriver  # makes its botocore importable
import botocore.config
import botocore.exceptions
import botocore.session

URL, FOLDER, SCENARIO = sys.argv[1:4]
ACCOUNT = "123456789012"
ARN = "arn:aws:iot:us-east-1:" + ACCOUNT + ":"
POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}]}'
TEMPLATE = json.dumps({
    "Parameters": {"AWS::IoT::Certificate::CommonName": {"Type": "String"},
                   "AWS::IoT::Certificate::Id": {"Type": "String"}},
    "Resources": {
        "thing": {"Type": "AWS::IoT::Thing",
                  "Properties": {"ThingName": {"Ref": "AWS::IoT::Certificate::CommonName"}}},
        "certificate": {"Type": "AWS::IoT::Certificate",
                        "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "ACTIVE"}},
    }}, indent=1) + "\n"


def client(service="iot", **options):
    config = botocore.config.Config(retries={"max_attempts": 1})
    return botocore.session.get_session().create_client(
        service, region_name="us-east-1", endpoint_url=URL, config=config, **options)


iot = client()


def equal(found, expected):
    if found != expected:
        raise AssertionError("expected %r, found %r" % (expected, found))


def refused(exception, http_status, call, message=None, **arguments):
    """The call fails with this exception and status; gives the whole answer back."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        equal((error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]),
              (exception, http_status))
        if message is not None:
            equal(error.response["Error"]["Message"], message)
        return error.response
    raise AssertionError("expected %s, found success" % exception)


def openssl(*arguments):
    subprocess.run(("openssl",) + arguments, check=True, capture_output=True, cwd=FOLDER)


def read(name):
    with open(FOLDER + "/" + name, encoding="ascii") as file:
        return file.read()


def make_ca(name, days="30"):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", days,
            "-subj", "/CN=" + name, "-addext", "basicConstraints=critical,CA:TRUE",
            "-keyout", name + ".key", "-out", name + ".pem")


def make_leaf(ca, name, subject):
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
            "-keyout", name + ".key", "-out", name + ".csr")
    openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial",
            "-days", "10", "-out", name + ".pem")


def is_recent(when):
    return abs((datetime.datetime.now(datetime.timezone.utc) - when).total_seconds()) < 300


def things():
    iot.create_thing_type(thingTypeName="Sensor")
    made = iot.create_thing(thingName="t1", thingTypeName="Sensor", attributePayload={"attributes": {"a": "1"}})
    equal(made["thingArn"], ARN + "thing/t1")
    again = iot.create_thing(thingName="t1", thingTypeName="Sensor", attributePayload={"attributes": {"a": "1"}})
    equal(again["thingId"], made["thingId"])
    error = refused("ResourceAlreadyExistsException", 409, iot.create_thing, thingName="t1")
    equal(error["resourceArn"], ARN + "thing/t1")
    refused("ResourceNotFoundException", 404, iot.create_thing, thingName="t2", thingTypeName="None")
    found = iot.describe_thing(thingName="t1")
    equal({key: found[key] for key in ("defaultClientId", "thingTypeName", "attributes", "version")},
          {"defaultClientId": "t1", "thingTypeName": "Sensor", "attributes": {"a": "1"}, "version": 1})
    iot.update_thing(thingName="t1", attributePayload={"attributes": {"b": "2", "a": ""}, "merge": True})
    found = iot.describe_thing(thingName="t1")
    equal((found["attributes"], found["version"]), ({"b": "2"}, 2))
    refused("VersionConflictException", 409, iot.update_thing, thingName="t1", expectedVersion=1,
            attributePayload={"attributes": {}})
    for number in range(7):
        iot.create_thing(thingName="p%d" % number)
    pages = list(iot.get_paginator("list_things").paginate(PaginationConfig={"PageSize": 3}))
    equal([[thing["thingName"] for thing in page["things"]] for page in pages],
          [["p0", "p1", "p2"], ["p3", "p4", "p5"], ["p6", "t1"]])
    equal([thing["thingName"] for thing in iot.list_things(attributeName="b", attributeValue="2")["things"]], ["t1"])
    equal([thing["thingName"] for thing in iot.list_things(thingTypeName="Sensor")["things"]], ["t1"])
    refused("InvalidRequestException", 400, iot.list_things, nextToken="x",
            message="expected a token of an earlier page (at nextToken)")
    iot.delete_thing(thingName="t1")
    iot.delete_thing(thingName="t1")
    refused("ResourceNotFoundException", 404, iot.describe_thing, thingName="t1")
    described = iot.describe_thing_type(thingTypeName="Sensor")
    equal(described["thingTypeArn"], ARN + "thingtype/Sensor")
    equal(is_recent(described["thingTypeMetadata"]["creationDate"]), True)
    refused("InvalidRequestException", 400, iot.delete_thing_type, thingTypeName="Sensor")
    iot.deprecate_thing_type(thingTypeName="Sensor")
    equal(iot.list_thing_types()["thingTypes"][0]["thingTypeMetadata"]["deprecated"], True)
    iot.deprecate_thing_type(thingTypeName="Sensor", undoDeprecate=True)
    equal(iot.list_thing_types(thingTypeName="Sensor")["thingTypes"][0]["thingTypeMetadata"]["deprecated"], False)


def groups():
    iot.create_thing_group(thingGroupName="Any")
    iot.create_thing_group(thingGroupName="Dev", parentGroupName="Any",
                           thingGroupProperties={"thingGroupDescription": "d",
                                                 "attributePayload": {"attributes": {"k": "v"}}})
    iot.create_thing_group(thingGroupName="Deep", parentGroupName="Dev")
    # CreateThingGroup declares no ResourceNotFoundException.
    refused("InvalidRequestException", 400, iot.create_thing_group, thingGroupName="x", parentGroupName="None",
            message="thing group None does not exist")
    found = iot.describe_thing_group(thingGroupName="Deep")
    equal(found["thingGroupMetadata"]["rootToParentThingGroups"],
          [{"groupName": "Any", "groupArn": ARN + "thinggroup/Any"},
           {"groupName": "Dev", "groupArn": ARN + "thinggroup/Dev"}])
    equal(iot.describe_thing_group(thingGroupName="Dev")["thingGroupProperties"],
          {"thingGroupDescription": "d", "attributePayload": {"attributes": {"k": "v"}}})

    def names(**arguments):
        return [group["groupName"] for group in iot.list_thing_groups(**arguments)["thingGroups"]]
    equal(names(), ["Any", "Deep", "Dev"])
    equal(names(parentGroup="Any"), ["Dev"])
    equal(names(parentGroup="Any", recursive=True), ["Deep", "Dev"])
    equal(names(namePrefixFilter="De", maxResults=1), ["Deep"])
    refused("ResourceNotFoundException", 404, iot.list_thing_groups, parentGroup="None")
    refused("InvalidRequestException", 400, iot.delete_thing_group, thingGroupName="Any")
    iot.create_thing(thingName="t1")
    iot.add_thing_to_thing_group(thingGroupName="Deep", thingName="t1")
    iot.add_thing_to_thing_group(thingGroupArn=ARN + "thinggroup/Deep", thingArn=ARN + "thing/t1")
    refused("InvalidRequestException", 400, iot.add_thing_to_thing_group, thingName="t1",
            message="expected thingGroupName or thingGroupArn (at /thingGroupName)")
    equal(iot.list_things_in_thing_group(thingGroupName="Deep")["things"], ["t1"])
    equal(iot.list_things_in_thing_group(thingGroupName="Any")["things"], [])
    equal(iot.list_things_in_thing_group(thingGroupName="Any", recursive=True)["things"], ["t1"])
    equal(iot.list_thing_groups_for_thing(thingName="t1")["thingGroups"],
          [{"groupName": "Deep", "groupArn": ARN + "thinggroup/Deep"}])
    iot.update_thing_groups_for_thing(thingName="t1", thingGroupsToAdd=["Any"], thingGroupsToRemove=["Deep"])
    equal(iot.list_things_in_thing_group(thingGroupName="Any")["things"], ["t1"])
    iot.remove_thing_from_thing_group(thingGroupName="Any", thingName="t1")
    iot.delete_thing_group(thingGroupName="Deep")

    iot.create_billing_group(billingGroupName="B", billingGroupProperties={"billingGroupDescription": "b"})
    iot.add_thing_to_billing_group(billingGroupName="B", thingName="t1")
    equal(iot.describe_thing(thingName="t1")["billingGroupName"], "B")
    equal(iot.list_things_in_billing_group(billingGroupName="B")["things"], ["t1"])
    equal(iot.describe_billing_group(billingGroupName="B")["billingGroupProperties"],
          {"billingGroupDescription": "b"})
    equal(iot.list_billing_groups(namePrefixFilter="B")["billingGroups"],
          [{"groupName": "B", "groupArn": ARN + "billinggroup/B"}])
    iot.remove_thing_from_billing_group(billingGroupName="B", thingName="t1")
    equal("billingGroupName" in iot.describe_thing(thingName="t1"), False)
    iot.delete_billing_group(billingGroupName="B")


def policies():
    made = iot.create_policy(policyName="P", policyDocument=POLICY)
    equal((made["policyArn"], made["policyVersionId"], made["policyDocument"]), (ARN + "policy/P", "1", POLICY))
    refused("ResourceAlreadyExistsException", 409, iot.create_policy, policyName="P", policyDocument=POLICY)
    refused("MalformedPolicyException", 400, iot.create_policy, policyName="Q", policyDocument="{}")
    equal(iot.create_policy_version(policyName="P", policyDocument=POLICY)["isDefaultVersion"], False)
    equal(iot.create_policy_version(policyName="P", policyDocument=POLICY, setAsDefault=True)["policyVersionId"], "3")
    equal(iot.get_policy(policyName="P")["defaultVersionId"], "3")
    equal(iot.get_policy_version(policyName="P", policyVersionId="2")["policyDocument"], POLICY)
    equal([(v["versionId"], v["isDefaultVersion"]) for v in iot.list_policy_versions(policyName="P")["policyVersions"]],
          [("1", False), ("2", False), ("3", True)])
    refused("DeleteConflictException", 409, iot.delete_policy_version, policyName="P", policyVersionId="3")
    iot.set_default_policy_version(policyName="P", policyVersionId="1")
    iot.delete_policy_version(policyName="P", policyVersionId="2")
    iot.delete_policy_version(policyName="P", policyVersionId="3")
    equal([policy["policyName"] for policy in iot.list_policies()["policies"]], ["P"])

    certificate = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.create_thing_group(thingGroupName="G")
    group = ARN + "thinggroup/G"
    for target in (certificate, certificate, group):
        iot.attach_policy(policyName="P", target=target)
    equal(iot.list_attached_policies(target=certificate)["policies"],
          [{"policyName": "P", "policyArn": ARN + "policy/P"}])
    equal(iot.list_targets_for_policy(policyName="P")["targets"], sorted([certificate, group]))
    equal(iot.list_policy_principals(policyName="P")["principals"], [certificate])
    equal(iot.list_principal_policies(principal=certificate)["policies"][0]["policyName"], "P")
    refused("DeleteConflictException", 409, iot.delete_policy, policyName="P")
    refused("ResourceNotFoundException", 404, iot.attach_policy, policyName="None", target=group)
    refused("InvalidRequestException", 400, iot.attach_policy, policyName="P", target="arn:aws:iam::1:role/x")
    iot.detach_policy(policyName="P", target=group)
    iot.detach_principal_policy(policyName="P", principal=certificate)
    iot.detach_policy(policyName="P", target=certificate)
    equal(iot.list_targets_for_policy(policyName="P")["targets"], [])
    iot.attach_principal_policy(policyName="P", principal=certificate)
    iot.detach_policy(policyName="P", target=certificate)
    iot.delete_policy(policyName="P")
    refused("ResourceNotFoundException", 404, iot.get_policy, policyName="P")


def certificates():
    made = iot.create_keys_and_certificate()
    with open(FOLDER + "/made.pem", "w", encoding="ascii") as file:
        file.write(made["certificatePem"])
    with open(FOLDER + "/made.key", "w", encoding="ascii") as file:
        file.write(made["keyPair"]["PrivateKey"])
    of_key = subprocess.run(["openssl", "pkey", "-in", "made.key", "-pubout"], cwd=FOLDER, check=True,
                            capture_output=True, text=True).stdout
    of_certificate = subprocess.run(["openssl", "x509", "-in", "made.pem", "-noout", "-pubkey"], cwd=FOLDER,
                                    check=True, capture_output=True, text=True).stdout
    equal(of_key, of_certificate)
    equal(made["keyPair"]["PublicKey"], of_key)
    subject = subprocess.run(["openssl", "x509", "-in", "made.pem", "-noout", "-subject"], cwd=FOLDER, check=True,
                             capture_output=True, text=True).stdout
    equal(subject, "subject=CN = AWS IoT Certificate\n")
    fingerprint = subprocess.run(["openssl", "x509", "-in", "made.pem", "-noout", "-fingerprint", "-sha256"],
                                 cwd=FOLDER, check=True, capture_output=True, text=True).stdout
    equal(made["certificateId"], fingerprint.split("=")[1].strip().replace(":", "").lower())
    equal(made["certificateArn"], ARN + "cert/" + made["certificateId"])

    def described(identifier):
        return iot.describe_certificate(certificateId=identifier)["certificateDescription"]
    found = described(made["certificateId"])
    equal((found["status"], found["ownedBy"], found["certificateMode"], found["certificatePem"]),
          ("INACTIVE", ACCOUNT, "DEFAULT", made["certificatePem"]))
    equal(is_recent(found["creationDate"]), True)
    iot.update_certificate(certificateId=made["certificateId"], newStatus="ACTIVE")
    refused("CertificateStateException", 406, iot.delete_certificate, certificateId=made["certificateId"])
    refused("InvalidRequestException", 400, iot.update_certificate, certificateId=made["certificateId"],
            newStatus="PENDING_TRANSFER")
    iot.create_thing(thingName="t1")
    iot.attach_thing_principal(thingName="t1", principal=made["certificateArn"])
    equal(iot.list_thing_principals(thingName="t1")["principals"], [made["certificateArn"]])
    equal(iot.list_principal_things(principal=made["certificateArn"])["things"], ["t1"])
    refused("InvalidRequestException", 400, iot.delete_thing, thingName="t1")
    iot.update_certificate(certificateId=made["certificateId"], newStatus="INACTIVE")
    refused("DeleteConflictException", 409, iot.delete_certificate, certificateId=made["certificateId"])
    iot.detach_thing_principal(thingName="t1", principal=made["certificateArn"])
    iot.delete_certificate(certificateId=made["certificateId"])
    refused("ResourceNotFoundException", 404, iot.describe_certificate, certificateId=made["certificateId"])

    make_ca("ca")
    make_leaf("ca", "device", "/CN=device-1")
    signed = iot.create_certificate_from_csr(certificateSigningRequest=read("device.csr"), setAsActive=True)
    equal(described(signed["certificateId"])["status"], "ACTIVE")
    refused("InvalidRequestException", 400, iot.create_certificate_from_csr, certificateSigningRequest="none")
    alone = iot.register_certificate_without_ca(certificatePem=read("device.pem"), status="ACTIVE")
    equal((described(alone["certificateId"])["certificateMode"], described(alone["certificateId"])["status"]),
          ("SNI_ONLY", "ACTIVE"))
    error = refused("ResourceAlreadyExistsException", 409, iot.register_certificate_without_ca,
                    certificatePem=read("device.pem"))
    equal(error["resourceId"], alone["certificateId"])
    equal(sorted(c["certificateId"] for c in iot.list_certificates()["certificates"]),
          sorted([signed["certificateId"], alone["certificateId"]]))
    make_leaf("ca", "other", "/CN=device-2")
    refused("CertificateStateException", 406, iot.register_certificate_without_ca, certificatePem=read("other.pem"),
            status="PENDING_ACTIVATION",
            message="Not allowed to register certificate with PENDING_ACTIVATION status")
    refused("CertificateValidationException", 400, iot.register_certificate, certificatePem=read("other.pem"),
            message="expected a certificate issued by a registered CA, found issuer 'CN=ca' (at /certificatePem)")
    refused("CertificateValidationException", 400, iot.register_certificate, certificatePem="none")


def cas():
    make_ca("ca")
    make_ca("stranger")
    code = iot.get_registration_code()["registrationCode"]
    equal(len(code), 64)
    equal(iot.get_registration_code()["registrationCode"], code)
    make_leaf("ca", "verification", "/CN=" + code)
    make_leaf("ca", "wrong-name", "/CN=something")
    make_leaf("stranger", "wrong-key", "/CN=" + code)
    make_leaf("ca", "device", "/CN=device-1")

    def register(verification="verification", ca="ca", **more):
        return iot.register_ca_certificate(caCertificate=read(ca + ".pem"),
                                           verificationCertificate=read(verification + ".pem"), **more)
    refused("RegistrationCodeValidationException", 400, register, verification="wrong-name")
    refused("CertificateValidationException", 400, register, verification="wrong-key")
    refused("CertificateValidationException", 400, register, ca="device",
            message="expected a CA certificate (basicConstraints CA:TRUE) (at /caCertificate)")
    refused("InvalidRequestException", 400, register, certificateMode="SNI_ONLY")
    refused("InvalidRequestException", 400, iot.register_ca_certificate, caCertificate=read("ca.pem"))
    refused("ResourceNotFoundException", 404, register, registrationConfig={"templateName": "None"})
    refused("InvalidRequestException", 400, register, registrationConfig={"templateBody": "{"})
    iot.create_provisioning_template(templateName="fleet", templateBody=TEMPLATE.replace("AWS::IoT::Certificate::C", "C"),
                                     provisioningRoleArn="arn:aws:iam::1:role/Provision")
    refused("InvalidRequestException", 400, register, registrationConfig={"templateName": "fleet"})
    iot.create_provisioning_template(templateName="jitp", templateBody=TEMPLATE, type="JITP", enabled=True,
                                     provisioningRoleArn="arn:aws:iam::1:role/Provision")
    made = register(setAsActive=True, allowAutoRegistration=True, registrationConfig={"templateName": "jitp"})
    equal(made["certificateArn"], ARN + "cacert/" + made["certificateId"])
    refused("ResourceAlreadyExistsException", 409, register)
    found = iot.describe_ca_certificate(certificateId=made["certificateId"])
    equal(found["registrationConfig"], {"templateName": "jitp"})
    description = found["certificateDescription"]
    equal((description["status"], description["autoRegistrationStatus"], description["certificatePem"]),
          ("ACTIVE", "ENABLE", read("ca.pem")))
    equal(iot.list_ca_certificates()["certificates"][0]["certificateId"], made["certificateId"])

    registered = iot.register_certificate(certificatePem=read("device.pem"))
    equal(iot.describe_certificate(certificateId=registered["certificateId"])["certificateDescription"]
          ["caCertificateId"], made["certificateId"])
    by_ca = iot.list_certificates_by_ca(caCertificateId=made["certificateId"])["certificates"]
    equal([(c["certificateId"], c["status"]) for c in by_ca], [(registered["certificateId"], "INACTIVE")])

    refused("CertificateStateException", 406, iot.delete_ca_certificate, certificateId=made["certificateId"])
    iot.update_ca_certificate(certificateId=made["certificateId"], newStatus="INACTIVE",
                              newAutoRegistrationStatus="DISABLE", removeAutoRegistration=True)
    found = iot.describe_ca_certificate(certificateId=made["certificateId"])
    equal((found["certificateDescription"]["status"], found["certificateDescription"]["autoRegistrationStatus"],
           "registrationConfig" in found), ("INACTIVE", "DISABLE", False))
    iot.delete_ca_certificate(certificateId=made["certificateId"])
    iot.register_ca_certificate(caCertificate=read("ca.pem"), certificateMode="SNI_ONLY")
    iot.delete_registration_code()
    equal(iot.get_registration_code()["registrationCode"] == code, False)


def templates():
    role = "arn:aws:iam::123456789012:role/Provision"
    hook = {"payloadVersion": "2020-04-01",
            "targetArn": "arn:aws:lambda:us-east-1:123456789012:function:FleetProvisioningHook"}
    body = TEMPLATE.replace("AWS::IoT::Certificate::CommonName", "SerialNumber")
    made = iot.create_provisioning_template(templateName="T", templateBody=body, enabled=True, description="d",
                                            provisioningRoleArn=role, preProvisioningHook=hook)
    equal((made["templateArn"], made["defaultVersionId"]), (ARN + "provisioningtemplate/T", 1))
    found = iot.describe_provisioning_template(templateName="T")
    equal((found["templateBody"], found["preProvisioningHook"], found["type"], found["enabled"], found["description"],
           found["provisioningRoleArn"]), (body, hook, "FLEET_PROVISIONING", True, "d", role))
    refused("ResourceAlreadyExistsException", 409, iot.create_provisioning_template, templateName="T",
            templateBody=body, provisioningRoleArn=role)
    error = refused("InvalidRequestException", 400, iot.create_provisioning_template, templateName="U",
                    templateBody='{"Resources": ', provisioningRoleArn=role)
    equal(error["Error"]["Message"].startswith("Invalid registration template."), True)
    refused("ResourceNotFoundException", 404, iot.describe_provisioning_template, templateName="U")
    version = iot.create_provisioning_template_version(templateName="T", templateBody=body + " ", setAsDefault=True)
    equal((version["versionId"], version["isDefaultVersion"]), (2, True))
    equal(iot.describe_provisioning_template_version(templateName="T", versionId=2)["templateBody"], body + " ")
    pages = list(iot.get_paginator("list_provisioning_template_versions").paginate(
        templateName="T", PaginationConfig={"PageSize": 1}))
    equal([[v["versionId"] for v in page["versions"]] for page in pages], [[1], [2]])
    iot.update_provisioning_template(templateName="T", defaultVersionId=1, enabled=False,
                                     removePreProvisioningHook=True)
    found = iot.describe_provisioning_template(templateName="T")
    equal((found["defaultVersionId"], found["enabled"], "preProvisioningHook" in found), (1, False, False))
    refused("DeleteConflictException", 409, iot.delete_provisioning_template, templateName="T")
    iot.delete_provisioning_template_version(templateName="T", versionId=2)
    equal([t["templateName"] for t in iot.list_provisioning_templates()["templates"]], ["T"])
    iot.delete_provisioning_template(templateName="T")
    equal(iot.list_provisioning_templates()["templates"], [])

    device = iot.create_keys_and_certificate(setAsActive=True)
    registered = iot.register_thing(templateBody=body.replace("AWS::IoT::Certificate::Id", "CertificateId"),
                                    parameters={"SerialNumber": "s-1", "CertificateId": device["certificateId"]})
    equal(registered["resourceArns"]["thing"], ARN + "thing/s-1")
    equal(iot.list_thing_principals(thingName="s-1")["principals"], [device["certificateArn"]])
    equal(iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"], "mqtt.example.com")
    refused("InvalidRequestException", 400, iot.describe_endpoint, endpointType="iot:Other")


def errors():
    wrong = client(aws_access_key_id="AKIDEXAMPLE000000000", aws_secret_access_key="wrong")
    refused("InvalidSignatureException", 403, wrong.list_things)
    unknown = client(aws_access_key_id="AKIDEXAMPLE999999999", aws_secret_access_key="wrong")
    refused("UnrecognizedClientException", 403, unknown.list_things)
    reader = client(aws_access_key_id="AKIDEXAMPLE000000001",
                    aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"])
    reader.list_things()
    iot.create_policy(policyName="P", policyDocument=POLICY)
    equal(reader.list_targets_for_policy(policyName="P")["targets"], [])  # a POST that only reads
    error = refused("AccessDeniedException", 403, reader.create_thing, thingName="t1")
    equal(error["Error"]["Message"], "User: arn:aws:iam::123456789012:user/AKIDEXAMPLE000000001 with role read-only "
          "is not authorized to perform: iot:CreateThing")
    equal(iot.list_things()["things"], [])
    error = refused("NotImplementedException", 501, iot.create_role_alias, roleAlias="r1",
                    roleArn="arn:aws:iam::123456789012:role/any-role",
                    message="CreateRoleAlias is not supported by this server")
    equal(len(error["ResponseMetadata"]["RequestId"]), 36)
    refused("NotImplementedException", 501, iot.list_security_profiles,
            message="ListSecurityProfiles is not supported by this server")
    refused("InvalidRequestException", 400, iot.list_things, maxResults=251,
            message="expected 1 to 250, found 251 (at maxResults)")
    refused("InvalidRequestException", 400, iot.create_thing, thingName="bad name")


def account():
    iot.create_thing_group(thingGroupName="G", tags=[{"Key": "site", "Value": "north"}])
    group = ARN + "thinggroup/G"
    iot.tag_resource(resourceArn=group, tags=[{"Key": "line", "Value": "1"}])
    equal(iot.list_tags_for_resource(resourceArn=group)["tags"],
          [{"Key": "line", "Value": "1"}, {"Key": "site", "Value": "north"}])
    iot.untag_resource(resourceArn=group, tagKeys=["site"])
    equal(iot.list_tags_for_resource(resourceArn=group)["tags"], [{"Key": "line", "Value": "1"}])
    refused("InvalidRequestException", 400, iot.tag_resource, resourceArn=ARN + "thing/t", tags=[])
    refused("ResourceNotFoundException", 404, iot.list_tags_for_resource, resourceArn=ARN + "thinggroup/none")
    equal(iot.update_thing_group(thingGroupName="G", expectedVersion=1,
                                 thingGroupProperties={"thingGroupDescription": "d"})["version"], 2)
    refused("VersionConflictException", 409, iot.update_thing_group, thingGroupName="G", expectedVersion=1,
            thingGroupProperties={})
    equal(iot.describe_thing_group(thingGroupName="G")["thingGroupProperties"], {"thingGroupDescription": "d"})
    equal(iot.describe_event_configurations()["eventConfigurations"]["THING"], {"Enabled": False})
    iot.update_event_configurations(eventConfigurations={"THING": {"Enabled": True}})
    found = iot.describe_event_configurations()
    equal(found["eventConfigurations"]["THING"], {"Enabled": True})
    equal(is_recent(found["creationDate"]), True)

    made = iot.create_keys_and_certificate()["certificateId"]
    iot.transfer_certificate(certificateId=made, targetAwsAccount=ACCOUNT, transferMessage="yours")
    equal([(c["certificateId"], c["transferredTo"], c["transferMessage"])
           for c in iot.list_outgoing_certificates()["outgoingCertificates"]], [(made, ACCOUNT, "yours")])
    equal(iot.describe_certificate(certificateId=made)["certificateDescription"]["status"], "PENDING_TRANSFER")
    iot.accept_certificate_transfer(certificateId=made, setAsActive=True)
    described = iot.describe_certificate(certificateId=made)["certificateDescription"]
    equal((described["status"], is_recent(described["transferData"]["acceptDate"])), ("ACTIVE", True))
    refused("TransferAlreadyCompletedException", 410, iot.cancel_certificate_transfer, certificateId=made)
    refused("CertificateStateException", 406, iot.transfer_certificate, certificateId=made, targetAwsAccount=ACCOUNT)
    other = iot.create_keys_and_certificate()
    iot.create_policy(policyName="P", policyDocument=POLICY)
    iot.attach_policy(policyName="P", target=other["certificateArn"])
    refused("TransferConflictException", 409, iot.transfer_certificate, certificateId=other["certificateId"],
            targetAwsAccount=ACCOUNT)


def search():
    iot.create_thing_type(thingTypeName="Sensor", thingTypeProperties={"searchableAttributes": ["color"]})
    iot.create_thing_group(thingGroupName="Hall")
    for number in range(5):
        iot.create_thing(thingName="s%d" % number, thingTypeName="Sensor",
                         attributePayload={"attributes": {"color": "Blue" if number % 2 else "red", "size": str(number)}})
    iot.add_thing_to_thing_group(thingGroupName="Hall", thingName="s1")

    def names(query, **more):
        return [thing["thingName"] for thing in iot.search_index(queryString=query, **more)["things"]]
    equal(names("attributes.color:blue"), ["s1", "s3"])
    equal(names("attributes.size:[2 TO 3] AND thingTypeName:Sensor"), ["s2", "s3"])
    equal(names("thingName:s* AND NOT attributes.color:red", maxResults=1), ["s1"])
    first = iot.search_index(queryString="thingName:s*", maxResults=3)
    second = iot.search_index(queryString="thingName:s*", nextToken=first["nextToken"])
    equal([t["thingName"] for t in first["things"] + second["things"]], ["s0", "s1", "s2", "s3", "s4"])
    equal("nextToken" in second, False)
    found = iot.search_index(queryString="thingGroupNames:hall")["things"]
    equal([(t["thingName"], t["thingTypeName"], t["thingGroupNames"], t["attributes"]["color"]) for t in found],
          [("s1", "Sensor", ["Hall"], "Blue")])
    refused("InvalidQueryException", 400, iot.search_index, queryString="(a")
    refused("ResourceNotFoundException", 404, iot.search_index, queryString="a", indexName="AWS_ThingGroups")
    equal(iot.describe_index(indexName="AWS_Things")["indexStatus"], "ACTIVE")
    iot.update_indexing_configuration(thingIndexingConfiguration={
        "thingIndexingMode": "REGISTRY", "customFields": [{"name": "attributes.size", "type": "Number"}]})
    equal([field["name"] for field in
           iot.get_indexing_configuration()["thingIndexingConfiguration"]["customFields"]],
          ["attributes.color", "attributes.size"])
    equal(names("attributes.size:4"), ["s4"])


def authorization():
    document = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": ARN + "client/${iot:Connection.Thing.ThingName}"},
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": ARN + "topic/a/*"}]})
    deny = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Action": "iot:Publish", "Resource": ARN + "topic/a/secret"}]})
    iot.create_policy(policyName="device", policyDocument=document)
    iot.create_policy(policyName="deny", policyDocument=deny)
    made = iot.create_keys_and_certificate(setAsActive=True)
    iot.attach_policy(policyName="device", target=made["certificateArn"])
    iot.create_thing(thingName="t1")
    iot.attach_thing_principal(thingName="t1", principal=made["certificateArn"])
    iot.create_thing_group(thingGroupName="G")
    iot.attach_policy(policyName="deny", target=ARN + "thinggroup/G")
    iot.add_thing_to_thing_group(thingGroupName="G", thingName="t1")

    def ask(action, resource, **more):
        result, = iot.test_authorization(principal=made["certificateArn"], authInfos=[
            {"actionType": action, "resources": [ARN + resource]}], **more)["authResults"]
        return result
    device = {"policyName": "device", "policyArn": ARN + "policy/device"}
    result = ask("PUBLISH", "topic/a/b", clientId="t1")
    equal((result["authDecision"], result["allowed"]["policies"]), ("ALLOWED", [device]))
    result = ask("CONNECT", "client/t1", clientId="t1")
    equal(result["authDecision"], "ALLOWED")
    result = ask("CONNECT", "client/t1", clientId="other")
    equal((result["authDecision"], result["missingContextValues"]),
          ("IMPLICIT_DENY", ["iot:Connection.Thing.ThingName"]))
    # The group's policies count when the client id is the thing's name.
    equal(ask("PUBLISH", "topic/a/secret")["authDecision"], "ALLOWED")
    result = ask("PUBLISH", "topic/a/secret", clientId="t1")
    equal((result["authDecision"], [p["policyName"] for p in result["denied"]["explicitDeny"]["policies"]]),
          ("EXPLICIT_DENY", ["deny"]))
    equal(ask("PUBLISH", "topic/a/secret", clientId="t1", policyNamesToSkip=["deny"])["authDecision"], "ALLOWED")
    equal(ask("PUBLISH", "topic/a/secret", policyNamesToAdd=["deny"])["authDecision"], "EXPLICIT_DENY")
    refused("ResourceNotFoundException", 404, iot.test_authorization, policyNamesToAdd=["none"],
            authInfos=[{"actionType": "CONNECT", "resources": [ARN + "client/c"]}])
    effective = iot.get_effective_policies(principal=made["certificateArn"], thingName="t1")["effectivePolicies"]
    equal([(p["policyName"], p["policyDocument"]) for p in effective], [("device", document), ("deny", deny)])

    role = "arn:aws:iam::123456789012:role/Provision"
    body = TEMPLATE.replace("AWS::IoT::Certificate::CommonName", "SerialNumber")
    iot.create_provisioning_template(templateName="T", templateBody=body, enabled=True, provisioningRoleArn=role)
    claim = iot.create_provisioning_claim(templateName="T")
    remaining = (claim["expiration"] - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
    equal(200 < remaining <= 300, True)
    equal("PRIVATE KEY" in claim["keyPair"]["PrivateKey"], True)
    equal(claim["certificateId"] in [c["certificateId"] for c in iot.list_certificates()["certificates"]], False)
    refused("ResourceNotFoundException", 404, iot.create_provisioning_claim, templateName="None")


getattr(sys.modules[__name__], SCENARIO)()
