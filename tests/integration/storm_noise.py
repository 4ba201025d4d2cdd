"""Those that a storm brings along and that must not get in: strangers, each with a certificate of its own from an unknown CA, and
connections that end in the middle of the handshake. Each tries until the server has heard it; see storm.sh.

  storm_noise.py COUNT HOST PORT POWER-FILE    so many of both; says "ready" before it waits for the file
"""
import datetime
import os
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

count, host, port, power_file = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
LIMIT = 240  # seconds to be heard, over two restarts of the server
CONNECT = b"\x10\x13\x00\x04MQTT\x04\x02\x00\x3c\x00\x07GOOD666"
now = datetime.datetime.now(datetime.timezone.utc)
ca_key = ec.generate_private_key(ec.SECP256R1())
issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Other CA")])


def stranger(number, folder):
    """A context with a certificate like a device's, signed by nobody that the server knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "AnyCompany"),
                         x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Dev"),
                         x509.NameAttribute(NameOID.DN_QUALIFIER, "AnyType"),
                         x509.NameAttribute(NameOID.SERIAL_NUMBER, f"GOOD666{number}"),
                         x509.NameAttribute(NameOID.COMMON_NAME, "HW-100")])
    certificate = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(days=1)).sign(ca_key, hashes.SHA256()))
    path = os.path.join(folder, str(number))
    with open(path, "wb") as file:
        file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption()))
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(path)
    return context


outcomes, lock = {"refused": 0, "dropped": 0, "let in": 0}, threading.Lock()


def until_heard(attempt):
    """Runs `attempt`, which gives its outcome or fails because the server is not there."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        try:
            outcome = attempt()
        except OSError:  # away, or killed meanwhile
            time.sleep(0.1)
            continue
        with lock:
            outcomes[outcome] += 1
        return


def knock(context):
    with socket.create_connection((host, port), LIMIT) as tcp, context.wrap_socket(tcp) as tls:
        try:
            tls.sendall(CONNECT)
            return "let in" if tls.recv(4) else "refused"
        except OSError:
            return "refused"


def hang_up():
    """Says hello, hears the server's answer, and is gone: with a reset, as when the power fails."""
    to_server = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = context.wrap_bio(ssl.MemoryBIO(), to_server)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    with socket.create_connection((host, port), LIMIT) as tcp:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        tcp.sendall(to_server.read())
        if not tcp.recv(1):
            raise ConnectionError("closed before its hello")
        return "dropped"


with tempfile.TemporaryDirectory() as folder:
    contexts = [stranger(number, folder) for number in range(count)]
print("ready", flush=True)
while not os.path.exists(power_file):
    time.sleep(0.01)
attempts = [lambda context=context: knock(context) for context in contexts] + [hang_up] * count
threads = [threading.Thread(target=until_heard, args=(attempt,)) for attempt in attempts]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(outcomes, flush=True)
sys.exit(outcomes != {"refused": count, "dropped": count, "let in": 0})
