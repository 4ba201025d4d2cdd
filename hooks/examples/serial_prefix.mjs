// A pre-provisioning hook as AWS's documentation has it: a serial number has to begin with 123456.
export const handler = async (event) => {
    const serial = event.parameters.SerialNumber;
    if (serial.startsWith('123456')) return { allowProvisioning: true };
    console.log('unknown serial number', serial);
    return { allowProvisioning: false, reason: 'unknown serial number' };
};
