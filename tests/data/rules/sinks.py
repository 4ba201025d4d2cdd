#!/usr/bin/env python3
"""Where rules send to: an HTTP server and a mail server, their ports into $1, what they get into $2 (a JSON line each). A PUT
is an S3-compatible endpoint's: its signature has to be, byte for byte, what botocore's own signer makes. /later answers 503
until the file $3 is there, /never always."""
import asyncio, datetime, json, os, sys, threading, types
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.auth
from aiosmtpd.smtp import SMTP
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ports_file, got_file, open_file = sys.argv[1:4]
lock = threading.Lock()


def note(**what):
    with lock, open(got_file, "a", encoding="utf-8") as file:
        file.write(json.dumps(what) + "\n")


def signature_of(method, url, body, date):
    """What botocore would send as Authorization at the time `date`."""

    class Frozen(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return cls.strptime(date, "%Y%m%dT%H%M%SZ")

    botocore.auth.datetime = types.SimpleNamespace(datetime=Frozen)
    request = AWSRequest(method, url, data=body)
    botocore.auth.S3SigV4Auth(Credentials("AKIDRULES", "rules/secret+key"), "s3", "eu-west-3").add_auth(request)
    return dict(request.headers)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_PUT(self):
        body = self.body()
        url = "http://" + self.headers["Host"] + self.path
        with lock:
            expected = signature_of("PUT", url, body, self.headers["X-Amz-Date"])
        names = ("Authorization", "X-Amz-Content-SHA256", "X-Amz-Date")
        is_same = all(self.headers[name] == expected[name] for name in names)
        note(how="put", path=self.path, body=body.decode(), same=is_same)
        self.answer(200 if is_same else 403)

    def do_POST(self):
        body = self.body()
        if self.path == "/never" or (self.path == "/later" and not os.path.exists(open_file)):
            note(how="refused", path=self.path)
            return self.answer(503)
        note(how="post", path=self.path, body=body.decode(), device=self.headers.get("X-Device"))
        return self.answer(204)


class Mailbox:
    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.original_content)
        note(how="mail", to=envelope.rcpt_tos, sender=envelope.mail_from, subject=mail["Subject"],
             body=mail.get_payload(decode=True).decode())
        return "250 OK"


async def main():
    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    loop = asyncio.get_running_loop()
    mail = await loop.create_server(lambda: SMTP(Mailbox(), loop=loop), "127.0.0.1", 0)
    with open(ports_file, "w", encoding="utf-8") as file:
        file.write(f"{web.server_port} {mail.sockets[0].getsockname()[1]}\n")
    await loop.run_in_executor(None, sys.stdin.read)  # until whoever started it has gone


asyncio.run(main())
os._exit(0)
