exports.handler = async (event) => ({ allowProvisioning: event.parameters.SerialNumber === '1' });
