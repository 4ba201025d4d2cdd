"""Requests that the openssl command does not make: a broken self-signature, an RSA exponent of 1
whose signature still verifies (s^1 mod n = s), a control character in a name, a subjectAltName with
a NUL, and two extensionRequest attributes. DER by hand."""
import base64, hashlib, subprocess

def tlv(tag, *parts):
    content = b"".join(parts)
    n = len(content)
    size = bytes([n]) if n < 128 else (lambda o: bytes([0x80 | len(o)]) + o)(n.to_bytes((n.bit_length() + 7) // 8, "big"))
    return bytes([tag]) + size + content

def pem(name, der):
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[i:i + 64] for i in range(0, len(text), 64))
    open(name + ".pem", "w").write(f"-----BEGIN CERTIFICATE REQUEST-----\n{lines}\n-----END CERTIFICATE REQUEST-----\n")

def name(value, kind=0x0c):
    return tlv(0x30, tlv(0x31, tlv(0x30, bytes.fromhex("0603550403"), tlv(kind, value))))

good = open("csr_p256.der", "rb").read()
pem("csr_broken_signature", good[:-1] + bytes([good[-1] ^ 1]))
pem("csr_broken_subject", good.replace(b"Model 7", b"Model 8"))  # content changed after signing

# e = 1: the padded digest is its own signature.
modulus = int(subprocess.run(["openssl", "rsa", "-in", "key_pkcs1_rsa2048.pem", "-noout", "-modulus"],
                             capture_output=True, text=True, check=True).stdout.split("=")[1], 16)
integer = lambda v: tlv(2, v.to_bytes(v.bit_length() // 8 + 1, "big"))
rsa = bytes.fromhex("300d06092a864886f70d0101010500")
key = tlv(0x30, rsa, tlv(3, b"\0", tlv(0x30, integer(modulus), integer(1))))
info = tlv(0x30, integer(0), name(b"x"), key, tlv(0xa0))
digest_info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(info).digest()
signature = b"\0\1" + b"\xff" * (256 - 3 - len(digest_info)) + b"\0" + digest_info
pem("csr_rsa_exponent_one", tlv(0x30, info, bytes.fromhex("300d06092a864886f70d01010b0500"), tlv(3, b"\0", signature)))

def signed(file, subject, attributes=b""):
    spki = subprocess.run(["openssl", "pkey", "-in", "key_sec1_p256.pem", "-pubout", "-outform", "DER"],
                          capture_output=True, check=True).stdout
    body = tlv(0x30, integer(0), subject, spki, tlv(0xa0, attributes))
    sig = subprocess.run(["openssl", "dgst", "-sha256", "-sign", "key_sec1_p256.pem"], input=body,
                         capture_output=True, check=True).stdout
    pem(file, tlv(0x30, body, bytes.fromhex("300a06082a8648ce3d040302"), tlv(3, b"\0", sig)))

def extension_request(*extensions):
    return tlv(0x30, bytes.fromhex("06092a864886f70d01090e"), tlv(0x31, tlv(0x30, *extensions)))

def alt_names(content):
    return tlv(0x30, bytes.fromhex("0603551d11"), tlv(4, tlv(0x30, content)))

signed("csr_control_character", name(b"a\nb"))
signed("csr_nul_in_name", name(b"a\0b"))
signed("csr_bits_as_name", name(b"\0\x05", 0x03))
signed("csr_nul_in_dns_name", name(b"x"), extension_request(alt_names(tlv(0x82, b"good.example\0.evil"))))
signed("csr_two_extension_requests", name(b"x"), extension_request(alt_names(tlv(0x82, b"a"))) * 2)
signed("csr_extension_twice", name(b"x"), extension_request(alt_names(tlv(0x82, b"a")) * 2))
signed("csr_malformed_extensions", name(b"x"),
       tlv(0x30, bytes.fromhex("06092a864886f70d01090e"), tlv(0x31, tlv(0x30, b"\x05\x01"))))
