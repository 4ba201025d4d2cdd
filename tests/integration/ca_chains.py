"""First connects whose CA is found by chains, modes and subjects; see ca_chains.sh.

  ca_chains.py FOLDER ALPN-PORT
"""
import json
import os
import socket
import ssl
import subprocess
import sys

import boto3

folder, alpn_port = sys.argv[1], int(sys.argv[2])
host, port = os.environ["HATCHERY_MQTT_HOST"], int(os.environ["HATCHERY_MQTT_PORT"])
iot = boto3.client("iot", endpoint_url=os.environ["HATCHERY_ENDPOINT"])
ACCEPTED, CLOSED = bytes.fromhex("20020000"), b""
LIMIT = 60  # seconds that an answer may take


def path(name):
    return os.path.join(folder, name)


def text(name):
    with open(path(name), encoding="ascii") as file:
        return file.read()


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def key(name):
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path(name + ".key"))


def make_root(name, subject):
    key(name)
    openssl("req", "-x509", "-new", "-key", path(name + ".key"), "-days", "3650", "-subj", subject,
            "-addext", "basicConstraints=critical,CA:TRUE", "-out", path(name + ".pem"))


def sign(name, issuer, subject, serial, *options):
    """Without options a certificate of version 1, that is without extensions."""
    key(name)
    openssl("req", "-new", "-key", path(name + ".key"), "-subj", subject, "-out", path(name + ".csr"))
    openssl("x509", "-req", "-in", path(name + ".csr"), "-CA", path(issuer + ".pem"), "-CAkey", path(issuer + ".key"),
            "-set_serial", str(serial), "-days", "365", "-out", path(name + ".pem"), *options)


def register(name, mode, is_jitr=False):
    """Registers for JITP or JITR; a CA of mode DEFAULT needs a verification certificate."""
    more = {} if is_jitr else {"registrationConfig": {"templateName": "by-number"}}
    if mode == "DEFAULT":
        code = iot.get_registration_code()["registrationCode"]
        sign(name + "-verification", name, "/CN=" + code, 99)
        more["verificationCertificate"] = text(name + "-verification.pem")
    return iot.register_ca_certificate(
        caCertificate=text(name + ".pem"), certificateMode=mode, setAsActive=True, allowAutoRegistration=True,
        **more)["certificateId"]


def connect(name, client_id, server_name=None, protocols=(), to=port):
    """What comes back for CONNECT and DISCONNECT until the server closes; without a client id for the handshake alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # SNI is the test's to choose
    context.load_verify_locations(os.environ["HATCHERY_SERVER_CA"])
    context.load_cert_chain(path(name + ".pem"), path(name + ".key"))
    if protocols:
        context.set_alpn_protocols(list(protocols))
    answer = b""
    with socket.create_connection((host, to), LIMIT) as tcp, context.wrap_socket(tcp, server_hostname=server_name) as tls:
        if client_id is None:
            return CLOSED
        body = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(client_id).to_bytes(2, "big") + client_id.encode()
        try:
            tls.sendall(b"\x10" + bytes([len(body)]) + body + b"\xe0\x00")
            while more := tls.recv(100):
                answer += more
        except (ConnectionError, ssl.SSLError):  # closed with something of ours still unread
            pass
    return answer


def expect(found, expected, what):
    if found != expected:
        sys.exit(f"{what}: expected {expected!r}, found {found!r}")


def certificates():
    return len(iot.list_certificates()["certificates"])


iot.create_policy(policyName="device", policyDocument=json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}))
serial_number, certificate_id = "AWS::IoT::Certificate::SerialNumber", "AWS::IoT::Certificate::Id"
iot.create_provisioning_template(
    templateName="by-number", type="JITP", enabled=True, provisioningRoleArn="arn:aws:iam::123456789012:role/any",
    templateBody=json.dumps({
        "Parameters": {serial_number: {"Type": "String"}, certificate_id: {"Type": "String"}},
        "Resources": {
            "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": serial_number}}},
            "certificate": {"Type": "AWS::IoT::Certificate",
                            "Properties": {"CertificateId": {"Ref": certificate_id}, "Status": "ACTIVE"}},
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "device"}}}}))

print("-- JITR: a handshake registers nothing, CONNECT does and is closed without CONNACK, until an operator activates")
make_root("jitr", "/O=AnyCompany/CN=JITR")
register("jitr", "DEFAULT", is_jitr=True)
sign("waiting", "jitr", "/CN=device", 4800)
connect("waiting", None)
connect("waiting", None)  # of two handshakes the server has seen the first one's end
expect(certificates(), 0, "certificates after a handshake alone")
for attempt in ("first", "second"):
    expect(connect("waiting", "4800"), CLOSED, attempt + " connect of a device that nobody has activated")
    found = iot.list_certificates()["certificates"]
    expect([one["status"] for one in found], ["PENDING_ACTIVATION"], f"status after the {attempt} connect")
iot.attach_policy(policyName="device", target=found[0]["certificateArn"])
iot.update_certificate(certificateId=found[0]["certificateId"], newStatus="ACTIVE")
expect(connect("waiting", "4800"), ACCEPTED, "connect of an activated device")
iot.update_certificate(certificateId=found[0]["certificateId"], newStatus="INACTIVE")
expect(connect("waiting", "4800"), CLOSED, "connect of a deactivated device")
iot.detach_policy(policyName="device", target=found[0]["certificateArn"])
iot.delete_certificate(certificateId=found[0]["certificateId"])

print("-- an intermediate below a registered root: its devices are refused, with or without their chain")
make_root("root", "/O=AnyCompany/CN=Root")
register("root", "DEFAULT")
with open(path("extensions"), "w", encoding="ascii") as file:
    file.write("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
sign("middle", "root", "/O=AnyCompany/CN=Intermediate", 7, "-extfile", path("extensions"))
sign("alone", "middle", "/CN=device", 4801)
sign("chained", "middle", "/CN=device", 4802)
with open(path("chained.pem"), "a", encoding="ascii") as file:
    file.write(text("middle.pem") + text("root.pem"))
for name, client_id in (("alone", "4801"), ("chained", "4802")):
    expect(connect(name, client_id), CLOSED, name + ", its issuer is not registered")
expect(certificates(), 0, "certificates of devices whose issuer is not registered")

print("-- once the intermediate is registered they are in, with or without their chain")
middle = register("middle", "DEFAULT")
for name, client_id in (("alone", "4801"), ("chained", "4802")):
    expect(connect(name, client_id), ACCEPTED, name + ", its issuer is registered")
expect(len(iot.list_certificates_by_ca(caCertificateId=middle)["certificates"]), 2, "devices of the intermediate")

print("-- the port for ALPN takes devices that name it, and no others")
for protocols, expected in ((["x-amzn-mqtt-ca"], ACCEPTED), (["h2", "x-amzn-mqtt-ca"], ACCEPTED), ([], CLOSED), (["mqtt"], CLOSED)):
    expect(connect("alone", "4801", protocols=protocols, to=alpn_port), expected, f"ALPN {protocols}")

print("-- a CA of mode SNI_ONLY: no verification certificate, and the right server name")
make_root("sni", "/O=AnyCompany/CN=SNI")
try:
    iot.register_ca_certificate(caCertificate=text("sni.pem"), certificateMode="SNI_ONLY",
                                verificationCertificate=text("root-verification.pem"))
    sys.exit("SNI_ONLY with a verification certificate was registered")
except iot.exceptions.InvalidRequestException:
    pass
register("sni", "SNI_ONLY")
sign("named", "sni", "/CN=device", 4803)
before = certificates()
for server_name in (None, "elsewhere.example"):
    expect(connect("named", "4803", server_name), CLOSED, f"first connect, server name {server_name}")
expect(certificates(), before, "certificates after a connect with another server name")
expect(connect("named", "4803", host), ACCEPTED, "first connect with the server's name")
expect(connect("named", "4803"), CLOSED, "later connect without a server name")
mode = iot.describe_certificate(certificateId=iot.list_thing_principals(thingName="4803")["principals"][0].split("/")[1])
expect(mode["certificateDescription"]["certificateMode"], "SNI_ONLY", "inherited mode")

print("-- ten CAs of one subject work side by side; the eleventh is refused")
for number in range(1, 12):
    make_root(f"same{number}", "/O=AnyCompany/CN=Same")
first = [register(f"same{number}", "DEFAULT") for number in range(1, 11)][0]
try:
    register("same11", "DEFAULT")
    sys.exit("an eleventh CA of one subject was registered")
except iot.exceptions.LimitExceededException as refused:
    expect(refused.response["ResponseMetadata"]["HTTPStatusCode"], 410, "status of the eleventh")
iot.update_ca_certificate(certificateId=first, newStatus="INACTIVE")
iot.delete_ca_certificate(certificateId=first)
register("same11", "DEFAULT")  # there is room again
for number in (2, 11):
    sign(f"of{number}", f"same{number}", "/CN=device", 4900 + number)
    expect(connect(f"of{number}", str(4900 + number)), ACCEPTED, f"a device of CA {number} of one subject")
