#!/usr/bin/env python3
"""The tutorial's rule over HTTP, in the form of AWS Lambda's Invoke; writes its port to $1. With a certificate and key in
$2 and $3 over TLS. Misbehaves where the serial number says so; an answer tells what it was sent."""
import hashlib, hmac, json, ssl, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

connections = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        global connections
        connections += 1
        super().setup()

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        event = json.loads(body)
        serial = event["parameters"]["SerialNumber"]
        signed = hmac.new(b"hush", self.headers.get("X-Hatchery-Timestamp", "").encode() + b"." + body, hashlib.sha256)
        status, headers = 200, {}
        answer = json.dumps({
            "allowProvisioning": serial.startswith("123456"),
            "reason": "unknown serial number",
            "parameterOverrides": {
                "Path": self.path,
                "Type": self.headers.get("X-Amz-Invocation-Type", ""),
                "Bearer": self.headers.get("Authorization", ""),
                "Signed": str(self.headers.get("X-Hatchery-Signature") == "sha256=" + signed.hexdigest()),
                "Connections": str(connections),
            },
        }).encode()
        if serial == "500":
            status = 500
        elif serial == "raise":
            headers["X-Amz-Function-Error"] = "Unhandled"
            answer = b'{"errorType":"KeyError","errorMessage":"boom"}'
        elif serial == "large":
            answer = b"x" * 100000
        elif serial == "garbage":
            answer = b"<html>"
        elif serial == "slow":
            time.sleep(1000)
        elif serial == "drip":  # a byte now and then keeps every timeout of a single read away
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(1000):
                self.wfile.write(b" ")
                time.sleep(0.05)
            return
        elif serial == "cut":
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
with open(sys.argv[1], "w") as file:
    print(server.server_address[1], file=file)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()  # until whoever started this is gone
