"""Runs clang's syntax check with -Werror=unused-result over every file of ours that uses coroutines.

GCC 12 does not warn when `co_await f();` drops a [[nodiscard]] result; clang 14 does.
Usage: check_unused.py COMPILE_COMMANDS JOBS
"""
import concurrent.futures
import json
import pathlib
import re
import shlex
import subprocess
import sys

KEEP = ("-I", "-D", "-isystem", "-std")


def clang_command(entry):
    words = shlex.split(entry["command"])
    flags = []
    for i, word in enumerate(words):
        if word == "-isystem":
            flags += [word, words[i + 1]]
        elif word.startswith(KEEP):
            flags.append(word)
    return ["clang++-14", "-fsyntax-only", "-Werror=unused-result", "-Wno-everything", "-Wunused-result",
            "-DASIO_HAS_CO_AWAIT=1", "-DASIO_HAS_STD_COROUTINE=1", *flags, entry["file"]]


def check(entry):
    done = subprocess.run(clang_command(entry), cwd=entry["directory"], capture_output=True, text=True)
    return entry["file"], done.returncode, done.stderr


def uses_coroutines(path):
    """Of a file, or of one that joins several of ours by #include."""
    text = pathlib.Path(path).read_text()
    return "co_await" in text or any(
        "co_await" in pathlib.Path(joined).read_text() for joined in re.findall(r'#include "(/.*\.cc)"', text))


def main():
    entries = [e for e in json.loads(pathlib.Path(sys.argv[1]).read_text()) if uses_coroutines(e["file"])]
    if not entries:
        sys.exit("no file with coroutines found: this check has lost what it checks")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(int(sys.argv[2])) as pool:
        for name, code, text in pool.map(check, entries):
            if code != 0:
                failed += 1
                print(f"{name}\n{text}", file=sys.stderr)
    print(f"{len(entries)} files, {failed} with dropped results")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
