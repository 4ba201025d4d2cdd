#!/usr/bin/env bash
# hatchery sign --batch over COUNT CSRs on all cores, into a file each and into a bundle, beside signing in process in the same run; and its memory at a
# tenth of the count.
#   bench/batch.sh BUILD-DIR [COUNT, 100000 unless given]
source "$(dirname "$0")/../tests/integration/lib.sh" "$1"
count=${2:-100000}
cd "$work"
"$bin/hatchery" init "$data" > /dev/null
"$bin/hatchery" init "$data-2" > /dev/null # each signs every request anew
say "making $count CSRs and a tenth of that"
python3 - "$count" << 'PYTHON'
import multiprocessing, os, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
def make(folder, numbers):
    for number in numbers:
        serial = "%s-%06d" % (folder, number)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Model 7"), x509.NameAttribute(NameOID.SERIAL_NUMBER, serial)])
        csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        open("%s/%s.csr" % (folder, serial), "wb").write(csr.public_bytes(serialization.Encoding.PEM))
cores = os.cpu_count()
for folder, count in (("tenth", int(sys.argv[1]) // 10), ("whole", int(sys.argv[1]))):
    os.mkdir(folder)
    workers = [multiprocessing.Process(target=make, args=(folder, range(core, count, cores))) for core in range(cores)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()
PYTHON
cores=$(nproc)
in_process() {
    "$bin/bench_sign" --benchmark_filter="^issue/p256/real_time/threads:$cores\$" --benchmark_min_time=3 \
        --benchmark_format=json 2> /dev/null | jq '.benchmarks[0].items_per_second'
}
before=$(in_process)
python3 - "$bin/hatchery" "$data" "$count" << 'PYTHON'
import os, resource, subprocess, sys, time
hatchery, data, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
def sign(name, number, out, directory):
    start = time.time()
    child = subprocess.Popen([hatchery, "sign", "--data", directory, "--profile", "device", "--batch", name] + out,
                             stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    took = time.time() - start
    assert status == 0, status
    print("%s %s: %d certificates in %.1f s: %.0f/s of wall clock, %.1f us CPU each, %d MiB at most" % (
        name, out[0], number, took, number / took, (usage.ru_utime + usage.ru_stime) * 1e6 / number, usage.ru_maxrss // 1024))
for name, number in (("tenth", count // 10), ("whole", count)):
    sign(name, number, ["--out-dir", "out-" + name], data)
    sign(name, number, ["--bundle", name + ".jsonl"], data + "-2")
PYTHON
after=$(in_process)
say "in process on $cores threads: $before/s before, $after/s after"
