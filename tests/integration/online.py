"""Stations that sign online and do not give up: requests by the JSON endpoint and by EST, from many threads.

online.py make COUNT PREFIX      csrs.json: COUNT requests for the serial numbers PREFIX000000 ...
online.py sign PORT CA CERT KEY  signs them all, each until it is answered with a certificate; a line of
                                 answers.jsonl for every answer, before the next request: {"serial", "pem"}
"""
import base64
import http.client
import json
import re
import ssl
import sys
import threading
import time


def make(count, prefix):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID
    requests = []
    for number in range(count):
        serial = "%s%06d" % (prefix, number)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device"),
                          x509.NameAttribute(NameOID.SERIAL_NUMBER, serial)])
        csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(
            ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        requests.append({"serial": serial, "pem": csr.public_bytes(serialization.Encoding.PEM).decode(),
                         "der": base64.b64encode(csr.public_bytes(serialization.Encoding.DER)).decode()})
    json.dump(requests, open("csrs.json", "w"))


class Station:
    """One keep-alive connection, opened again whenever the server was gone."""

    def __init__(self, port, context):
        self.port, self.context, self.connection = port, context, None

    def post(self, path, kind, body):
        while True:
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPSConnection("localhost", self.port, timeout=20, context=self.context)
                self.connection.request("POST", path, body, {"Content-Type": kind})
                answer = self.connection.getresponse()
                text = answer.read().decode()
                if answer.status in (200, 201):
                    return text
                if answer.status not in (429, 503):
                    sys.exit("refused: %d %s" % (answer.status, text))
            except (OSError, http.client.HTTPException):
                self.connection = None
            time.sleep(0.02)


def first_certificate(text):
    """The leaf's DER out of a certs-only message (RFC 7030 4.2.3) or of PEM."""
    if "BEGIN CERTIFICATE" in text:
        return base64.b64decode(re.search("-----BEGIN CERTIFICATE-----(.*?)-----END", text, re.S).group(1))
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs7
    return pkcs7.load_der_pkcs7_certificates(base64.b64decode(text))[0].public_bytes(serialization.Encoding.DER)


def sign(port, authority, certificate, key):
    context = ssl.create_default_context(cafile=authority)
    context.load_cert_chain(certificate, key)
    requests = json.load(open("csrs.json"))
    answers = open("answers.jsonl", "a")
    lock = threading.Lock()

    def work(mine):
        station = Station(port, context)
        for number, request in mine:
            if number % 2:
                text = station.post("/.well-known/est/simpleenroll", "application/pkcs10", request["der"])
            else:
                body = json.dumps({"certificateSigningRequest": request["pem"], "profile": "device"})
                text = json.loads(station.post("/v1/certificates", "application/json", body))["certificatePem"]
            line = json.dumps({"serial": request["serial"], "der": base64.b64encode(first_certificate(text)).decode()})
            with lock:
                answers.write(line + "\n")
                answers.flush()

    numbered = list(enumerate(requests))
    threads = [threading.Thread(target=work, args=(numbered[i::16],)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(int(sys.argv[2]), sys.argv[3])
    else:
        sign(int(sys.argv[2]), *sys.argv[3:6])
