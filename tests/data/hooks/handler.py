"""A handler as AWS's documentation has it, with the odd things that real ones do."""
import json
import os
import subprocess
import sys

calls = 0


def handler(event, context):
    global calls
    calls += 1
    print("event for", event["parameters"]["SerialNumber"])
    wish = event["parameters"].get("Wish", "")
    if wish == "raise":
        raise ValueError("no such badge")
    if wish == "list":
        return [1]
    if wish == "unserialisable":
        return {"allowProvisioning": True, "when": object()}
    if wish == "missing":
        return {}
    if wish == "stdin":
        subprocess.run(["cat"], check=True)  # would take the next request from a naive shim
    if wish == "stdout":
        os.write(1, b'{"allowProvisioning":true}\n')
    if wish == "exit":
        sys.exit(4)
    if wish == "extra":
        return {"allowProvisioning": False, "parameterOverrides": None, "reason": "badge expired"}
    return {
        "allowProvisioning": event["parameters"]["SerialNumber"].startswith("123456"),
        "parameterOverrides": {
            "Calls": str(calls),
            "Function": context.function_name,
            "HasTime": str(0 < context.get_remaining_time_in_millis() <= 60000),
            "Keys": ",".join(sorted(event)),
            "Id": str(len(context.aws_request_id)),
            "Sibling": sibling(),
        },
    }


def sibling():
    from handler_sibling import NAME

    return NAME
