#!/usr/bin/python3
"""Walks AWS's own service model (iot 2015-05-28) against a running server, through boto3.

model.py: endpoint, keys and region come from the environment. Every operation that the server
implements is called with minimal, with maximal and, member by member at every depth, with illegal
input. boto3 reads the answers by the model; every error must be one that the operation declares (or
one of the general ones), and names the member that broke a constraint. An operation that is not walked
here must not be there. Prints what is wrong, or a summary.
"""
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import boto3
import botocore.config
import botocore.exceptions

URL = os.environ["HATCHERY_ENDPOINT"]
ACCOUNT = os.environ["HATCHERY_ACCOUNT"]
REGION = os.environ["AWS_DEFAULT_REGION"]
ARN = "arn:aws:iot:%s:%s:" % (REGION, ACCOUNT)
# What any operation may answer, declared or not: nobody, nothing allowed, not here.
GENERAL = {"AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException"}

config = botocore.config.Config(retries={"max_attempts": 0}, parameter_validation=False)
iot = boto3.client("iot", endpoint_url=URL, config=config)
model = iot.meta.service_model


def add_newer_operations():
    """Operations that Debian's model does not have yet, in the model's own form (API reference, iot 2015-05-28)."""
    def add(name, method, uri, members, required, output):
        shapes = {name + "Request": {"type": "structure", "required": required, "members": members},
                  name + "Response": {"type": "structure", "members": output}}
        description["shapes"].update(shapes)
        description["operations"][name] = {
            "name": name, "http": {"method": method, "requestUri": uri},
            "input": {"shape": name + "Request"}, "output": {"shape": name + "Response"},
            "errors": [{"shape": error} for error in (
                "InvalidRequestException", "ResourceNotFoundException", "ThrottlingException", "UnauthorizedException",
                "ServiceUnavailableException", "InternalFailureException")]}

    description = model._service_description
    description["shapes"].update({
        "ThingPrincipalType": {"type": "string", "enum": ["EXCLUSIVE_THING", "NON_EXCLUSIVE_THING"]},
        "ThingPrincipalObject": {"type": "structure", "required": ["principal"], "members": {
            "principal": {"shape": "Principal"}, "thingPrincipalType": {"shape": "ThingPrincipalType"}}},
        "PrincipalThingObject": {"type": "structure", "required": ["thingName"], "members": {
            "thingName": {"shape": "ThingName"}, "thingPrincipalType": {"shape": "ThingPrincipalType"}}},
        "ThingPrincipalObjects": {"type": "list", "member": {"shape": "ThingPrincipalObject"}},
        "PrincipalThingObjects": {"type": "list", "member": {"shape": "PrincipalThingObject"}}})
    page = {"nextToken": {"shape": "NextToken", "location": "querystring", "locationName": "nextToken"},
            "maxResults": {"shape": "RegistryMaxResults", "location": "querystring", "locationName": "maxResults"},
            "thingPrincipalType": {"shape": "ThingPrincipalType", "location": "querystring",
                                   "locationName": "thingPrincipalType"}}
    thing = {"thingName": {"shape": "ThingName", "location": "uri", "locationName": "thingName"}}
    principal = {"principal": {"shape": "Principal", "location": "header", "locationName": "x-amzn-principal"}}
    following = {"nextToken": {"shape": "NextToken"}}
    add("UpdateThingType", "PATCH", "/thing-types/{thingTypeName}",
        {"thingTypeName": {"shape": "ThingTypeName", "location": "uri", "locationName": "thingTypeName"},
         "thingTypeProperties": {"shape": "ThingTypeProperties"}}, ["thingTypeName"], {})
    add("ListThingPrincipalsV2", "GET", "/things/{thingName}/principals-v2", dict(page, **thing), ["thingName"],
        dict(following, thingPrincipalObjects={"shape": "ThingPrincipalObjects"}))
    add("ListPrincipalThingsV2", "GET", "/principals/things-v2", dict(page, **principal), ["principal"],
        dict(following, principalThingObjects={"shape": "PrincipalThingObjects"}))


if "UpdateThingType" not in model.operation_names:
    add_newer_operations()
problems = []
calls = 0

POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}'
TEMPLATE = json.dumps({
    "Parameters": {"SerialNumber": {"Type": "String"}, "AWS::IoT::Certificate::Id": {"Type": "String"}},
    "Resources": {"thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "SerialNumber"}}},
                  "certificate": {"Type": "AWS::IoT::Certificate",
                                  "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"},
                                                 "Status": "ACTIVE"}}}})
JITP = TEMPLATE.replace("SerialNumber", "AWS::IoT::Certificate::CommonName")
ROLE = "arn:aws:iam::123456789012:role/provisioning"
HEX = "ab" * 32
WHOLE = ""  # as a member's name: the body itself, where one member is all of it (the model's `payload`)
AUDIT = "HATCHERY_UNUSED_POLICY_CHECK"
YEAR_2000, YEAR_2100 = (datetime.datetime(year, 1, 1, tzinfo=datetime.timezone.utc) for year in (2000, 2100))
serial = 0


def fresh(prefix="w"):
    """A name that nothing has yet."""
    global serial
    serial += 1
    return "%s%d" % (prefix, serial)


def openssl(folder, *arguments):
    subprocess.run(("openssl",) + arguments, check=True, capture_output=True, cwd=folder)


class World:
    """What the calls' arguments refer to; made anew where a call uses it up."""

    def __init__(self, folder):
        self.folder = folder
        self.type = self.make(iot.create_thing_type, "thingTypeName")
        self.group = self.make(iot.create_thing_group, "thingGroupName")
        self.billing = self.make(iot.create_billing_group, "billingGroupName")
        self.policy = self.make(iot.create_policy, "policyName", policyDocument=POLICY)
        self.template = self.make(iot.create_provisioning_template, "templateName",
                                  templateBody=TEMPLATE, provisioningRoleArn=ROLE)
        self.jitp = self.make(iot.create_provisioning_template, "templateName",
                              templateBody=JITP, provisioningRoleArn=ROLE, type="JITP")
        self.thing = self.make(iot.create_thing, "thingName")
        self.csr = self.text("csr", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                             "-nodes", "-keyout", "csr.key", "-subj", "/CN=walk")
        self.certificate = self.new_certificate()
        iot.update_account_audit_configuration(auditCheckConfigurations={AUDIT: {"enabled": True}})
        self.audit, self.finding = self.new_audit()
        self.rule = self.new_rule()
        self.code = iot.get_registration_code()["registrationCode"]
        self.ca = iot.register_ca_certificate(**self.new_ca(), tags=[{"Key": "k", "Value": "v"}])["certificateId"]

    @staticmethod
    def make(call, member, **others):
        name = fresh()
        call(**{member: name}, **others)
        return name

    def text(self, name, *arguments):
        openssl(self.folder, *arguments, "-out", name)
        with open(os.path.join(self.folder, name), encoding="ascii") as file:
            return file.read()

    def new_certificate(self, active=False):
        return iot.create_certificate_from_csr(certificateSigningRequest=self.csr, setAsActive=active)["certificateId"]

    def new_pem(self):
        return self.text("self.pem", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                         "-nodes", "-keyout", "self.key", "-subj", "/CN=" + fresh(), "-days", "9")

    def new_ca(self):
        ca = self.text("ca.pem", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                       "-keyout", "ca.key", "-subj", "/CN=CA " + fresh(), "-addext",
                       "basicConstraints=critical,CA:TRUE", "-days", "9")
        self.text("v.csr", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-keyout", "v.key", "-subj", "/CN=" + self.code)
        verification = self.text("v.pem", "x509", "-req", "-in", "v.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                                 "-CAcreateserial", "-days", "9")
        return {"caCertificate": ca, "verificationCertificate": verification}

    def new_leaf(self):
        ca = self.new_ca()
        iot.register_ca_certificate(**ca, setAsActive=True)
        self.text("leaf.csr", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-keyout", "leaf.key", "-subj", "/CN=" + fresh())
        return self.text("leaf.pem", "x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                         "-CAcreateserial", "-days", "9"), ca["caCertificate"]

    def pending(self):
        made = self.new_certificate()
        iot.transfer_certificate(certificateId=made, targetAwsAccount=ACCOUNT)
        return made

    @staticmethod
    def new_audit():
        """A finished audit and one of its findings: a policy that is attached to nothing."""
        task = iot.start_on_demand_audit_task(targetCheckNames=[AUDIT])["taskId"]
        end = time.monotonic() + 60
        while iot.describe_audit_task(taskId=task)["taskStatus"] == "IN_PROGRESS" and time.monotonic() < end:
            time.sleep(0.05)
        return task, iot.list_audit_findings(taskId=task)["findings"][0]["findingId"]

    @staticmethod
    def schedule(make=True):
        """A name for a scheduled audit, with a daily one behind it; an account has five at most."""
        for audit in iot.list_scheduled_audits()["scheduledAudits"]:
            iot.delete_scheduled_audit(scheduledAuditName=audit["scheduledAuditName"])
        name = fresh()
        if make:
            iot.create_scheduled_audit(scheduledAuditName=name, frequency="DAILY", targetCheckNames=[AUDIT])
        return name

    @staticmethod
    def suppression():
        subject = {"checkName": AUDIT, "resourceIdentifier": {"deviceCertificateId": os.urandom(32).hex()}}
        iot.create_audit_suppression(clientRequestToken=fresh(), suppressIndefinitely=True, **subject)
        return subject

    def new_rule(self):
        return self.make(iot.create_topic_rule, "ruleName",
                         topicRulePayload={"sql": "SELECT * FROM 'walk/+'", "actions": []})

    def version(self):
        name = self.make(iot.create_policy, "policyName", policyDocument=POLICY)
        iot.create_policy_version(policyName=name, policyDocument=POLICY)
        return name

    def job(self, **more):
        name = fresh("j")
        iot.create_job(jobId=name, targets=[ARN + "thing/" + self.thing], document="{}", **more)
        return name

    def canceled_job(self):
        name = self.job()
        iot.cancel_job(jobId=name, force=True)
        return name

    def template_version(self):
        name = self.make(iot.create_provisioning_template, "templateName", templateBody=TEMPLATE,
                         provisioningRoleArn=ROLE)
        iot.create_provisioning_template_version(templateName=name, templateBody=TEMPLATE)
        return name


# Arguments by operation: what is required, and everything else that makes sense together. A function
# gives arguments that a call uses up.
def arguments(w):
    cert = ARN + "cert/" + w.certificate
    attributes = {"attributes": {"a": "1", "b": "2"}}
    tags = [{"Key": "site", "Value": "north"}]
    group_properties = {"thingGroupDescription": "d", "attributePayload": dict(attributes, merge=False)}
    page, marker = {"maxResults": 250}, {"pageSize": 250, "ascendingOrder": True}
    hook = {"payloadVersion": "2020-04-01", "targetArn": "arn:aws:lambda:us-east-1:123456789012:function:f"}

    def rule(action, error_action):
        return {"topicRulePayload": {"sql": "SELECT * FROM 'walk/+' WHERE a > 1", "description": "d", "ruleDisabled": True,
                                     "awsIotSqlVersion": "2016-03-23", "actions": [action], "errorAction": error_action}}
    to_storage = {"s3": {"roleArn": ROLE, "bucketName": "b", "key": "${topic()}", "cannedAcl": "private"}}
    to_mailbox = {"sns": {"roleArn": ROLE, "targetArn": "arn:aws:sns:us-east-1:123456789012:t", "messageFormat": "RAW"}}
    to_server = {"http": {"url": "https://example.com/", "confirmationUrl": "https://example.com/",
                          "headers": [{"key": "X-Device", "value": "${clientid()}"}]}}
    to_topic = {"republish": {"roleArn": ROLE, "topic": "seen/${topic(2)}", "qos": 1}}
    rollout = {"maximumPerMinute": 100, "exponentialRate": {
        "baseRatePerMinute": 10, "incrementFactor": 1.5, "rateIncreaseCriteria": {"numberOfNotifiedThings": 50}}}
    abort = {"criteriaList": [{"failureType": "ALL", "action": "CANCEL", "thresholdPercentage": 50.5,
                               "minNumberOfExecutedThings": 10}]}
    retry = {"criteriaList": [{"failureType": "FAILED", "numberOfRetries": 2}]}
    job_settings = {"description": "dä", "presignedUrlConfig": {"roleArn": ROLE, "expiresInSec": 60},
                    "jobExecutionsRolloutConfig": rollout, "abortConfig": abort,
                    "timeoutConfig": {"inProgressTimeoutInMinutes": 5}, "jobExecutionsRetryConfig": retry}

    def leaf():
        pem, ca = w.new_leaf()
        return {"certificatePem": pem, "caCertificatePem": ca, "status": "ACTIVE"}
    return {
        "AcceptCertificateTransfer": (lambda: {"certificateId": w.pending()}, {"setAsActive": True}),
        "AddThingToBillingGroup": ({"billingGroupName": w.billing, "thingName": w.thing},
                                   {"billingGroupArn": ARN + "billinggroup/" + w.billing, "thingArn": ARN + "thing/" + w.thing}),
        "AddThingToThingGroup": ({"thingGroupName": w.group, "thingName": w.thing},
                                 {"thingGroupArn": ARN + "thinggroup/" + w.group, "thingArn": ARN + "thing/" + w.thing,
                                  "overrideDynamicGroups": True}),
        "AssociateTargetsWithJob": (
            lambda: {"jobId": w.job(targetSelection="CONTINUOUS"), "targets": [ARN + "thinggroup/" + w.group]},
            {"comment": "more", "namespaceId": "n"}),
        "AttachPolicy": ({"policyName": w.policy, "target": ARN + "thinggroup/" + w.group}, {}),
        "AttachPrincipalPolicy": ({"policyName": w.policy, "principal": cert}, {}),
        "AttachThingPrincipal": ({"thingName": w.thing, "principal": cert}, {}),
        "CancelCertificateTransfer": (lambda: {"certificateId": w.pending()}, {}),
        "CancelAuditTask": (lambda: {"taskId": iot.start_on_demand_audit_task(targetCheckNames=[AUDIT])["taskId"]}, {}),
        "CreateAuditSuppression": (
            lambda: {"checkName": AUDIT, "resourceIdentifier": {"deviceCertificateId": os.urandom(32).hex()},
                     "clientRequestToken": fresh(), "suppressIndefinitely": True}, {"description": "d"}),
        "CancelJob": (lambda: {"jobId": w.job()}, {"reasonCode": "NOT_NEEDED", "comment": "c", "force": True}),
        "CancelJobExecution": (lambda: {"jobId": w.job(), "thingName": w.thing},
                               {"force": True, "expectedVersion": 1, "statusDetails": {"a": "b"}}),
        "CreateBillingGroup": (lambda: {"billingGroupName": fresh()},
                               {"billingGroupProperties": {"billingGroupDescription": "d"}, "tags": tags}),
        "CreateCertificateFromCsr": ({"certificateSigningRequest": w.csr}, {"setAsActive": True}),
        "CreateJob": (lambda: {"jobId": fresh("j"), "targets": [ARN + "thing/" + w.thing], "document": "{}"},
                      dict(job_settings, targetSelection="CONTINUOUS", tags=tags, namespaceId="n",
                           schedulingConfig={"startTime": "2036-01-01 00:00", "endTime": "2036-01-02 00:00",
                                             "endBehavior": "CANCEL"})),
        "CreateKeysAndCertificate": ({}, {"setAsActive": True}),
        "CreatePolicy": (lambda: {"policyName": fresh(), "policyDocument": POLICY}, {"tags": tags}),
        "CreatePolicyVersion": (lambda: {"policyName": w.version(), "policyDocument": POLICY}, {"setAsDefault": True}),
        "CreateProvisioningClaim": ({"templateName": w.template}, {}),
        "CreateProvisioningTemplate": (
            lambda: {"templateName": fresh(), "templateBody": TEMPLATE, "provisioningRoleArn": ROLE},
            {"description": "d", "enabled": True, "preProvisioningHook": hook, "tags": tags,
             "type": "FLEET_PROVISIONING"}),
        "CreateProvisioningTemplateVersion": (
            lambda: {"templateName": w.template_version(), "templateBody": TEMPLATE}, {"setAsDefault": True}),
        "CreateScheduledAudit": (lambda: {"scheduledAuditName": w.schedule(make=False), "frequency": "MONTHLY",
                                          "dayOfMonth": "LAST", "targetCheckNames": [AUDIT]}, {"tags": tags}),
        "CreateThing": (lambda: {"thingName": fresh()},
                        {"thingTypeName": w.type, "attributePayload": attributes, "billingGroupName": w.billing}),
        "CreateThingGroup": (lambda: {"thingGroupName": fresh()},
                             {"parentGroupName": w.group, "thingGroupProperties": group_properties, "tags": tags}),
        "CreateThingType": (lambda: {"thingTypeName": fresh()},
                            {"thingTypeProperties": {"thingTypeDescription": "d", "searchableAttributes": ["a", "b", "c"]},
                             "tags": tags}),
        "CreateTopicRule": (lambda: {"ruleName": fresh(), "topicRulePayload": {"sql": "SELECT * FROM 'a'", "actions": []}},
                            dict(rule(to_storage, to_topic), tags="site=north")),
        "DeleteAccountAuditConfiguration": (None, {}),  # last, below
        "DeleteAuditSuppression": (lambda: w.suppression(), {}),
        "DeleteBillingGroup": (lambda: {"billingGroupName": w.make(iot.create_billing_group, "billingGroupName")},
                               {"expectedVersion": 1}),
        "DeleteCACertificate": (lambda: {"certificateId": iot.register_ca_certificate(**w.new_ca())["certificateId"]}, {}),
        "DeleteCertificate": (lambda: {"certificateId": w.new_certificate()}, {"forceDelete": True}),
        "DeleteJob": (lambda: {"jobId": w.canceled_job()}, {"force": True, "namespaceId": "n"}),
        "DeleteJobExecution": (lambda: {"jobId": w.canceled_job(), "thingName": w.thing, "executionNumber": 1},
                               {"force": True, "namespaceId": "n"}),
        "DeletePolicy": (lambda: {"policyName": w.make(iot.create_policy, "policyName", policyDocument=POLICY)}, {}),
        "DeletePolicyVersion": (lambda: {"policyName": w.version(), "policyVersionId": "2"}, {}),
        "DeleteProvisioningTemplate": (lambda: {"templateName": w.make(
            iot.create_provisioning_template, "templateName", templateBody=TEMPLATE, provisioningRoleArn=ROLE)}, {}),
        "DeleteProvisioningTemplateVersion": (lambda: {"templateName": w.template_version(), "versionId": 2}, {}),
        "DeleteRegistrationCode": (None, {}),  # last, below
        "DeleteScheduledAudit": (lambda: {"scheduledAuditName": w.schedule()}, {}),
        "DeleteThing": (lambda: {"thingName": w.make(iot.create_thing, "thingName")}, {"expectedVersion": 1}),
        "DeleteThingGroup": (lambda: {"thingGroupName": w.make(iot.create_thing_group, "thingGroupName")},
                             {"expectedVersion": 1}),
        # Five minutes after its deprecation; the errors are walked.
        "DeleteThingType": (None, {"thingTypeName": "nothing"}),
        "DeleteTopicRule": (lambda: {"ruleName": w.new_rule()}, {}),
        "DeprecateThingType": ({"thingTypeName": w.type}, {"undoDeprecate": True}),
        "DescribeAccountAuditConfiguration": ({}, {}),
        "DescribeAuditFinding": ({"findingId": w.finding}, {}),
        "DescribeAuditSuppression": (lambda: w.suppression(), {}),
        "DescribeAuditTask": ({"taskId": w.audit}, {}),
        "DescribeBillingGroup": ({"billingGroupName": w.billing}, {}),
        "DescribeCACertificate": ({"certificateId": w.ca}, {}),
        "DescribeCertificate": ({"certificateId": w.certificate}, {}),
        "DescribeEndpoint": ({}, {"endpointType": "iot:Data-ATS"}),
        "DescribeEventConfigurations": ({}, {}),
        "DescribeIndex": ({"indexName": "AWS_Things"}, {}),
        "DescribeJob": (lambda: {"jobId": w.job(**job_settings)}, {}),
        "DescribeJobExecution": (lambda: {"jobId": w.job(), "thingName": w.thing}, {"executionNumber": 1}),
        "DescribeProvisioningTemplate": ({"templateName": w.template}, {}),
        "DescribeProvisioningTemplateVersion": ({"templateName": w.template, "versionId": 1}, {}),
        "DescribeScheduledAudit": (lambda: {"scheduledAuditName": w.schedule()}, {}),
        "DescribeThing": ({"thingName": w.thing}, {}),
        "DescribeThingGroup": ({"thingGroupName": w.group}, {}),
        "DescribeThingRegistrationTask": (None, {"taskId": HEX[:36]}),  # of a file: integration/bulk.sh
        "DescribeThingType": ({"thingTypeName": w.type}, {}),
        "DetachPolicy": ({"policyName": w.policy, "target": ARN + "thinggroup/" + w.group}, {}),
        "DetachPrincipalPolicy": ({"policyName": w.policy, "principal": cert}, {}),
        "DetachThingPrincipal": ({"thingName": w.thing, "principal": cert}, {}),
        "DisableTopicRule": ({"ruleName": w.rule}, {}),
        "EnableTopicRule": ({"ruleName": w.rule}, {}),
        "GetEffectivePolicies": ({"principal": cert}, {"thingName": w.thing}),
        "GetIndexingConfiguration": ({}, {}),
        "GetJobDocument": (lambda: {"jobId": w.job()}, {}),
        "GetPolicy": ({"policyName": w.policy}, {}),
        "GetPolicyVersion": ({"policyName": w.policy, "policyVersionId": "1"}, {}),
        "GetRegistrationCode": ({}, {}),
        "GetTopicRule": ({"ruleName": w.rule}, {}),
        "ListAttachedPolicies": ({"target": cert}, {"recursive": True, "pageSize": 250}),
        "ListAuditFindings": ({"taskId": w.audit},
                              {"checkName": AUDIT, "maxResults": 250, "listSuppressedFindings": True,
                               "resourceIdentifier": {"policyVersionIdentifier": {"policyName": "p", "policyVersionId": "1"}}}),
        "ListAuditSuppressions": ({}, {"checkName": AUDIT, "maxResults": 250, "ascendingOrder": False}),
        "ListAuditTasks": ({"startTime": YEAR_2000, "endTime": YEAR_2100},
                           dict(page, taskType="ON_DEMAND_AUDIT_TASK", taskStatus="COMPLETED")),
        "ListBillingGroups": ({}, dict(page, namePrefixFilter="w")),
        "ListCACertificates": ({}, dict(marker)),
        "ListCertificates": ({}, dict(marker)),
        "ListCertificatesByCA": ({"caCertificateId": w.ca}, dict(marker)),
        "ListIndices": ({}, {"maxResults": 500}),
        "ListJobExecutionsForJob": (lambda: {"jobId": w.job()}, dict(page, status="QUEUED")),
        "ListJobExecutionsForThing": (lambda: {"thingName": w.thing}, dict(page, status="QUEUED", namespaceId="n",
                                                                           jobId=w.job())),
        "ListJobs": ({}, dict(page, status="IN_PROGRESS", targetSelection="SNAPSHOT", thingGroupName=w.group,
                              namespaceId="n")),
        "ListOutgoingCertificates": ({}, dict(marker)),
        "ListPolicies": ({}, dict(marker)),
        "ListPolicyPrincipals": ({"policyName": w.policy}, dict(marker)),
        "ListPolicyVersions": ({"policyName": w.policy}, {}),
        "ListPrincipalPolicies": ({"principal": cert}, dict(marker)),
        "ListPrincipalThings": ({"principal": cert}, dict(page)),
        "ListPrincipalThingsV2": ({"principal": cert}, dict(page, thingPrincipalType="EXCLUSIVE_THING")),
        "ListProvisioningTemplateVersions": ({"templateName": w.template}, dict(page)),
        "ListProvisioningTemplates": ({}, dict(page)),
        "ListScheduledAudits": ({}, dict(page)),
        "ListTagsForResource": ({"resourceArn": ARN + "thinggroup/" + w.group}, {}),
        "ListTargetsForPolicy": ({"policyName": w.policy}, {"pageSize": 250}),
        "ListThingGroups": ({}, dict(page, parentGroup=w.group, namePrefixFilter="w", recursive=True)),
        "ListThingGroupsForThing": ({"thingName": w.thing}, dict(page)),
        "ListThingPrincipals": ({"thingName": w.thing}, dict(page)),
        "ListThingPrincipalsV2": ({"thingName": w.thing}, dict(page, thingPrincipalType="NON_EXCLUSIVE_THING")),
        "ListThingRegistrationTaskReports": (None, dict(page, taskId=HEX[:36], reportType="ERRORS")),
        "ListThingRegistrationTasks": ({}, dict(page, status="Completed")),
        "ListThingTypes": ({}, dict(page, thingTypeName=w.type)),
        "ListThings": ({}, dict(page, attributeName="a", attributeValue="1", thingTypeName=w.type,
                                usePrefixAttributeValue=True)),
        "ListThingsInBillingGroup": ({"billingGroupName": w.billing}, dict(page)),
        "ListThingsInThingGroup": ({"thingGroupName": w.group}, dict(page, recursive=True)),
        "ListTopicRules": ({}, dict(page, topic="walk/+", ruleDisabled=False)),
        "RegisterCACertificate": (lambda: w.new_ca(),
                                  {"setAsActive": True, "allowAutoRegistration": True, "tags": tags,
                                   "registrationConfig": {"templateName": w.jitp, "roleArn": ROLE}}),
        "RegisterCertificate": (leaf, {}),
        "RegisterCertificateWithoutCA": (lambda: {"certificatePem": w.new_pem()}, {"status": "INACTIVE"}),
        "RegisterThing": (lambda: {"templateBody": TEMPLATE,
                                   "parameters": {"SerialNumber": fresh(), "AWS::IoT::Certificate::Id": w.new_certificate(active=True)}}, {}),
        "RejectCertificateTransfer": (lambda: {"certificateId": w.pending()}, {"rejectReason": "no"}),
        "RemoveThingFromBillingGroup": ({"billingGroupName": w.billing, "thingName": w.thing}, {}),
        "RemoveThingFromThingGroup": ({"thingGroupName": w.group, "thingName": w.thing}, {}),
        "ReplaceTopicRule": (lambda: {"ruleName": w.rule, "topicRulePayload": {"sql": "SELECT * FROM 'b'", "actions": []}},
                             rule(to_server, to_mailbox)),
        "SearchIndex": ({"queryString": "thingName:w*"},
                        {"indexName": "AWS_Things", "maxResults": 500, "queryVersion": "2017-09-30"}),
        "SetDefaultPolicyVersion": ({"policyName": w.policy, "policyVersionId": "1"}, {}),
        "StartOnDemandAuditTask": ({"targetCheckNames": [AUDIT]}, {}),
        "StartThingRegistrationTask": (None, {"templateBody": TEMPLATE, "inputFileBucket": "bucket", "inputFileKey": "file",
                                              "roleArn": ROLE}),
        "StopThingRegistrationTask": (None, {"taskId": HEX[:36]}),
        "TagResource": ({"resourceArn": ARN + "thinggroup/" + w.group, "tags": tags}, {}),
        "TestAuthorization": ({"authInfos": [{"actionType": "CONNECT", "resources": [ARN + "client/c"]}]},
                              {"principal": cert, "clientId": "c", "policyNamesToAdd": [w.policy],
                               "policyNamesToSkip": [w.policy]}),
        "TransferCertificate": (lambda: {"certificateId": w.new_certificate(), "targetAwsAccount": "999999999999"},
                                {"transferMessage": "m"}),
        "UntagResource": ({"resourceArn": ARN + "thinggroup/" + w.group, "tagKeys": ["site"]}, {}),
        "UpdateAccountAuditConfiguration": (
            {}, {"roleArn": ROLE, "auditCheckConfigurations": {AUDIT: {"enabled": True}},
                 "auditNotificationTargetConfigurations": {
                     "SNS": {"targetArn": "arn:aws:sns:us-east-1:123456789012:t", "roleArn": ROLE, "enabled": True}}}),
        "UpdateAuditSuppression": (lambda: w.suppression(), {"description": "e", "suppressIndefinitely": True}),
        "UpdateBillingGroup": (lambda: {"billingGroupName": w.make(iot.create_billing_group, "billingGroupName"),
                                        "billingGroupProperties": {}},
                               {"billingGroupProperties": {"billingGroupDescription": "e"}, "expectedVersion": 1}),
        "UpdateCACertificate": ({"certificateId": w.ca},
                                {"newStatus": "INACTIVE", "newAutoRegistrationStatus": "DISABLE",
                                 "registrationConfig": {"templateBody": JITP, "roleArn": ROLE},
                                 "removeAutoRegistration": False}),
        "UpdateCertificate": ({"certificateId": w.certificate, "newStatus": "INACTIVE"}, {}),
        "UpdateEventConfigurations": ({}, {"eventConfigurations": {"THING": {"Enabled": True}}}),
        "UpdateIndexingConfiguration": (
            {}, {"thingIndexingConfiguration": {"thingIndexingMode": "REGISTRY",
                                                "customFields": [{"name": "attributes.walk", "type": "String"}]},
                 "thingGroupIndexingConfiguration": {"thingGroupIndexingMode": "OFF"}}),
        "UpdateJob": (lambda: {"jobId": w.job()}, dict(job_settings, namespaceId="n")),
        "UpdateProvisioningTemplate": ({"templateName": w.template},
                                       {"description": "e", "enabled": True, "defaultVersionId": 1,
                                        "provisioningRoleArn": ROLE, "preProvisioningHook": hook}),
        "UpdateScheduledAudit": (lambda: {"scheduledAuditName": w.schedule()},
                                 {"frequency": "WEEKLY", "dayOfWeek": "SUN", "targetCheckNames": [AUDIT]}),
        "UpdateThing": (lambda: {"thingName": w.make(iot.create_thing, "thingName")},
                        {"thingTypeName": w.type, "attributePayload": dict(attributes, merge=True), "expectedVersion": 1,
                         "removeThingType": False}),
        "UpdateThingGroup": (lambda: {"thingGroupName": w.make(iot.create_thing_group, "thingGroupName"),
                                      "thingGroupProperties": {}},
                             {"thingGroupProperties": group_properties, "expectedVersion": 1}),
        "UpdateThingType": ({"thingTypeName": w.type},
                            {"thingTypeProperties": {"thingTypeDescription": "e", "searchableAttributes": ["a", "b"]}}),
        "UpdateThingGroupsForThing": ({"thingName": w.thing},
                                      {"thingGroupsToAdd": [w.group], "thingGroupsToRemove": [w.group],
                                       "overrideDynamicGroups": False}),
    }


forged = {}  # members of the body that botocore would not serialize, put in before it signs


def forge(params, **_):
    if forged:
        body = json.loads(params["body"] or "{}")
        body.update(forged)
        params["body"] = json.dumps(body.get(WHOLE, body)).encode()
        params["headers"]["Content-Type"] = "application/json"


iot.meta.events.register("before-call.iot", forge)


def attempt(operation, given, **body_members):
    """The answer and the error's name; whatever botocore cannot read counts as a problem."""
    global calls
    calls += 1
    forged.update(body_members)
    try:
        return iot._make_api_call(operation, given), None
    except botocore.exceptions.ClientError as error:
        return error.response, error.response["Error"]["Code"]
    finally:
        forged.clear()


def is_declared(operation, code):
    names = {shape.name for shape in model.operation_model(operation).error_shapes}
    return code in names or code in GENERAL


def check_answer(where, shape, value):
    """Every member that the answer has must be of the model; every one read has the model's type."""
    if shape.type_name == "structure":
        if not isinstance(value, dict):
            problems.append("%s: expected a structure, found %r" % (where, value))
            return
        for name, item in value.items():
            if name in shape.members:
                check_answer(where + "." + name, shape.members[name], item)
    elif shape.type_name == "list":
        for item in value:
            check_answer(where + "[]", shape.member, item)
    elif shape.type_name == "string":
        enum = getattr(shape, "enum", None)
        if enum and value not in enum:
            problems.append("%s: expected one of %s, found %r" % (where, enum, value))


def expect_success(operation, what, given):
    answer, error = attempt(operation, given)
    if error is not None:
        problems.append("%s with %s input: %s: %s" % (operation, what, error, answer["Error"].get("Message")))
        return
    if answer["ResponseMetadata"]["HTTPStatusCode"] != 200:
        problems.append("%s: status %d" % (operation, answer["ResponseMetadata"]["HTTPStatusCode"]))
    shape = model.operation_model(operation).output_shape
    if shape is not None:
        check_answer(operation, shape, answer)


# Java's character classes that the model's patterns use, for Python.
CLASSES = {r"\p{Graph}": "!-~", r"\p{L}\p{Z}\p{N}": r"\w ", r"\p{C}": r"\x00-\x1f", r"\p{Upper}": "A-Z",
           r"\p{Digit}": "0-9"}


def outside(meta):
    """A text of legal length that the pattern does not allow, if there is one."""
    pattern = meta.get("pattern", r"[\s\S]*")
    for java, python in CLASSES.items():
        pattern = pattern.replace(java, python)
    for text in ("a!b", "a\x01b"):
        text = text[0] * (meta.get("min", 0) - len(text)) + text
        if not re.fullmatch(pattern, text):
            return text[:meta.get("max", len(text))]
    return None


def illegal_values(shape, value, is_label=False):
    """(what, path, replacement): `value` with one constraint of the model broken, at any depth."""
    meta, kind = shape.metadata, shape.type_name
    if kind == "string":
        if "max" in meta:
            yield "too long", "", "a" * (meta["max"] + 1)
        if meta.get("min", 0) > 0 and not is_label:
            yield "too short", "", "a" * (meta["min"] - 1)
        if getattr(shape, "enum", None):
            yield "no member of the enumeration", "", "NO_SUCH_VALUE"
        elif outside(meta) is not None:
            yield "a character outside its pattern", "", outside(meta)
    elif kind in ("integer", "long"):
        if "min" in meta:
            yield "too small", "", meta["min"] - 1
        if "max" in meta:
            yield "too large", "", meta["max"] + 1
    elif kind == "structure" and value is not None:
        for name, member in shape.members.items():
            for what, path, replacement in illegal_values(member, value.get(name)):
                yield what, "/" + name + path, dict(value, **{name: replacement})
            wrong = "five" if member.type_name in ("integer", "long", "double") else 5
            yield "of another type", "/" + name, dict(value, **{name: wrong})
        for name in shape.required_members:
            yield "missing", "/" + name, {other: item for other, item in value.items() if other != name}
    elif kind == "list" and value:
        if "max" in meta:
            yield "too many", "", [value[0]] * (meta["max"] + 1)
        if meta.get("min", 0) > 0:
            yield "too few", "", value[:meta["min"] - 1]
        for what, path, replacement in illegal_values(shape.member, value[0]):
            yield what, "/0" + path, [replacement] + value[1:]
    elif kind == "map" and value:
        name, item = next(iter(value.items()))
        for what, _, replacement in illegal_values(shape.key, name):
            yield "key " + what, "", dict(value, **{replacement: item})
        for what, path, replacement in illegal_values(shape.value, item):
            yield what, "/" + name + path, dict(value, **{name: replacement})


def walk_illegal(operation, given):
    """Each member in turn breaks each of its constraints: refused, with an error the operation declares."""
    shape = model.operation_model(operation).input_shape
    if shape is None:
        return
    for member, member_shape in shape.members.items():
        location = member_shape.serialization.get("location")
        is_label = location == "uri"
        wire_name = member_shape.serialization.get("name", member)
        is_whole = shape.serialization.get("payload") == member
        names = [wire_name, member, "request body"] if is_whole else [wire_name, member]
        in_body = WHOLE if is_whole else wire_name
        tries = []
        for what, path, value in illegal_values(member_shape, given.get(member), is_label):
            if location is None:  # put in as it is: boto3 would not serialize all of these
                tries.append((what, path, given, {in_body: value}))
            else:
                tries.append((what, path, dict(given, **{member: value}), {}))
        if location is None:
            tries.append(("of another type", "", given,
                          {in_body: "five" if member_shape.type_name in ("integer", "long", "double") else 5}))
        for what, path, changed, body_members in tries:
            place = "%s: %s%s %s" % (operation, member, path, what)
            answer, error = attempt(operation, changed, **body_members)
            message = answer.get("Error", {}).get("Message", "")
            if error is None:
                problems.append("%s was accepted" % place)
            elif not is_declared(operation, error):
                problems.append("%s: %s is not declared (%s)" % (place, error, message))
            elif error.endswith("Failure") or error.startswith("Internal"):
                problems.append("%s: %s" % (place, error))
            elif not any(name in message for name in names + path.split("/") if len(name) > 2):
                problems.append("%s: the message does not name the member: %s" % (place, message))
        # botocore itself fills in a token that makes a call idempotent.
        is_filled_in = member in model.operation_model(operation).idempotent_members
        if member in shape.required_members and not is_label and not is_filled_in:
            rest = {name: value for name, value in given.items() if name != member}
            answer, error = attempt(operation, rest)
            if error is None:
                problems.append("%s: accepted without the required %s" % (operation, member))
            elif not is_declared(operation, error):
                problems.append("%s without %s: %s is not declared" % (operation, member, error))


def walk_missing(operation, given):
    """Whatever is named does not exist: an error that the operation declares, or a success."""
    shape = model.operation_model(operation).input_shape
    if shape is None:
        return
    nothing = {"certificateId": HEX, "caCertificateId": HEX, "policyVersionId": "99", "versionId": 99,
               "principal": ARN + "cert/" + HEX, "target": ARN + "cert/" + HEX, "resourceArn": ARN + "policy/nothing",
               "expectedVersion": 77}
    for member in shape.members:
        is_name = member.endswith("Name") and member not in ("attributeName", "indexName")
        if member not in nothing and not is_name:
            continue
        answer, error = attempt(operation, dict(given, **{member: nothing.get(member, "nothing-of-this-name")}))
        if error is not None and not is_declared(operation, error):
            problems.append("%s of a %s that does not exist: %s is not declared (%s)" % (
                operation, member, error, answer["Error"].get("Message")))


def main():
    with tempfile.TemporaryDirectory() as folder:
        table = arguments(World(folder))
        for operation, (minimal, more) in sorted(table.items()):
            if minimal is None:  # the errors alone
                walk_illegal(operation, more)
                walk_missing(operation, more)
                continue
            def least():
                return dict(minimal() if callable(minimal) else minimal)
            expect_success(operation, "minimal", least())
            if more:
                expect_success(operation, "maximal", dict(least(), **more))
            walk_illegal(operation, dict(least(), **more))
            walk_missing(operation, least())
        # What is not there names itself and is no success.
        for operation in sorted(set(model.operation_names) - set(table)):
            names = model.operation_model(operation)
            members = names.input_shape.members if names.input_shape else {}
            labels = {name: "x" * max(1, shape.metadata.get("min", 1)) if shape.type_name == "string" else 1
                      for name, shape in members.items()
                      if name in names.input_shape.required_members and shape.type_name in ("string", "long", "integer")}
            answer, error = attempt(operation, labels)
            message = answer.get("Error", {}).get("Message", "")
            if error != "NotImplementedException" or operation not in message.split():
                problems.append("%s is there and not walked, or not named: %s %s" % (operation, error, message))
        expect_success("DeleteRegistrationCode", "minimal", {})
        expect_success("DeleteAccountAuditConfiguration", "maximal", {"deleteScheduledAudits": True})
        for problem in problems:
            print(problem)
        print("%d operations, %d calls, %d problems" % (len(table), calls, len(problems)))
    sys.exit(1 if problems else 0)


main()
