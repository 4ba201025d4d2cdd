"""Requests with keys that others can find: ROCA (CVE-2017-15361: p = k*M + 65537^a mod M), close primes,
small factors, small and even exponents, one of Debian's of 2008 (CVE-2008-0166, as boulder publishes it in
its tests), two that share a prime, EC points that are none. Signed where the key can sign. Run in this
folder; the same keys every time."""
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

DEBIAN_2008 = (
    ("f3508098dc7be50795f95a58e7564f3b47adfd936aee8c71415af2e1e7756367d529ecf4c44d7706c99bf16144733e045b49"
     "d1f697cea6ea01fb41928d0f626a397f973a459150d3ec71d915dd0d3d5f03599babec1b9b9cef16bb3b4ec8a712fe9df0df"
     "2352b02ee447f63adafd95397867ac728e8c5dbbe9be045791e17939"),
    ("e1a1637136fc530a12950a54f7a3c14146586c7371c18433462c18825492ec02a4eee3e74e38ccdfac0dbe6ade624eac67c5"
     "983b610b14e51bd1a3edf76bf82af767426cf0156ee2d895c05866b19219876a10d0ee89c87a9f6eaa25595f4b11e5273eaa"
     "d6d468a87eec0ab94228b99eb051bc5593ee337153aba07dd41bc075"))

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
    p, q = (int(factor, 16) for factor in DEBIAN_2008)
    request("csr_rsa_debian_2008", p * q, 65537, (p - 1) * (q - 1))
    p = next_prime(random.getrandbits(1024) | 3 << 1022)
    for i in (1, 2):
        q = next_prime(random.getrandbits(1024) | 3 << 1022)
        request(f"csr_rsa_shared_prime_{i}", p * q, 65537, (p - 1) * (q - 1))
    p256 = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
    for file, point in (("csr_point_not_on_curve", b"\4" + b"\1" * 64), ("csr_point_at_infinity", b"\0")):
        info = tlv(0x30, integer(0), name(b"x"), tlv(0x30, p256, tlv(3, b"\0" + point)), tlv(0xa0))
        signature = tlv(0x30, integer(1), integer(1))
        pem(file, tlv(0x30, info, bytes.fromhex("300a06082a8648ce3d040302"), tlv(3, b"\0", signature)))
