"""A pre-provisioning hook as AWS's documentation has it: a serial number has to begin with 123456."""


def handler(event, context):
    serial = event["parameters"]["SerialNumber"]
    if not serial.startswith("123456"):
        print("unknown serial number", serial)
        return {"allowProvisioning": False, "reason": "unknown serial number"}
    return {"allowProvisioning": True}
