"""Requests with keys that others can find: ROCA (CVE-2017-15361: p = k*M + 65537^a mod M), close primes,
small factors, small and even exponents, EC points that are none. Signed where the key can sign. Run in
this folder; the same keys every time."""
import hashlib
import random

from make_requests import integer, name, pem, rsa, tlv

random.seed(20171016)

def is_prime(n):
    if any(n % p == 0 for p in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)):
        return False
    d, s = n - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    for _ in range(24):
        x = pow(random.randrange(2, n - 1), d, n)
        if x in (1, n - 1):
            continue
        for _ in range(s - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True

def next_prime(n):
    n |= 1
    while not is_prime(n):
        n += 2
    return n

def request(file, n, e, phi=None):
    key = tlv(0x30, rsa, tlv(3, b"\0", tlv(0x30, integer(n), integer(e))))
    info = tlv(0x30, integer(0), name(b"x"), key, tlv(0xa0))
    digest = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(info).digest()
    padded = b"\0\1" + b"\xff" * (256 - 3 - len(digest)) + b"\0" + digest
    signature = padded
    if phi is not None:
        signature = pow(int.from_bytes(padded, "big"), pow(e, -1, phi), n).to_bytes(256, "big")
    pem(file, tlv(0x30, info, bytes.fromhex("300d06092a864886f70d01010b0500"), tlv(3, b"\0", signature)))

M, count, candidate = 1, 0, 2
while count < 126:
    if all(candidate % p for p in range(2, int(candidate ** 0.5) + 1)):
        M, count = M * candidate, count + 1
    candidate += 1

def roca_prime():
    while True:
        p = random.randrange((3 << 1022) // M, (1 << 1024) // M) * M + pow(65537, random.getrandbits(200), M)
        if p.bit_length() == 1024 and is_prime(p):
            return p

if __name__ == "__main__":
    p, q = roca_prime(), roca_prime()
    request("csr_rsa_roca", p * q, 65537, (p - 1) * (q - 1))
    p = next_prime(random.getrandbits(1024) | 3 << 1022)
    q = next_prime(p + (1 << 500))
    request("csr_rsa_close_primes", p * q, 65537, (p - 1) * (q - 1))
    p = next_prime(random.getrandbits(2043) | 3 << 2043)
    request("csr_rsa_small_factor", 7 * p, 65537, 6 * (p - 1))
    request("csr_rsa_even_modulus", 2 * next_prime(random.getrandbits(2047) | 1 << 2046), 65537)
    p = next_prime(random.getrandbits(1024) | 3 << 1022)
    q = next_prime(random.getrandbits(1024) | 3 << 1022)
    while (p - 1) % 3 == 0:
        p = next_prime(p + 2)
    while (q - 1) % 3 == 0:
        q = next_prime(q + 2)
    request("csr_rsa_exponent_three", p * q, 3, (p - 1) * (q - 1))
    request("csr_rsa_exponent_even", p * q, 65538)
    p256 = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
    for file, point in (("csr_point_not_on_curve", b"\4" + b"\1" * 64), ("csr_point_at_infinity", b"\0")):
        info = tlv(0x30, integer(0), name(b"x"), tlv(0x30, p256, tlv(3, b"\0" + point)), tlv(0xa0))
        signature = tlv(0x30, integer(1), integer(1))
        pem(file, tlv(0x30, info, bytes.fromhex("300a06082a8648ce3d040302"), tlv(3, b"\0", signature)))
