// Handlers as AWS's documentation has them, and the forms of old ones.
let calls = 0;

export const handler = async (event, context) => {
    calls += 1;
    console.log('event for', event.parameters.SerialNumber);
    const wish = event.parameters.Wish ?? '';
    if (wish === 'raise') throw new RangeError('no such badge');
    if (wish === 'list') return [1];
    if (wish === 'missing') return {};
    if (wish === 'stdout') process.stdout.write('{"allowProvisioning":true}\n');
    if (wish === 'extra') return { allowProvisioning: false, parameterOverrides: null, reason: 'badge expired' };
    return {
        allowProvisioning: event.parameters.SerialNumber.startsWith('123456'),
        parameterOverrides: {
            Calls: String(calls),
            Function: context.functionName,
            HasTime: String(context.getRemainingTimeInMillis() > 0 && context.getRemainingTimeInMillis() <= 60000),
            Keys: Object.keys(event).sort().join(','),
            Id: String(context.awsRequestId.length),
        },
    };
};

export const byCallback = (event, context, callback) => {
    setTimeout(() => callback(null, { allowProvisioning: true }), 1);
};
export const byFailingCallback = (event, context, callback) => callback(new Error('not today'));
export const bySucceed = (event, context) => context.succeed({ allowProvisioning: true });
export const byReturn = () => ({ allowProvisioning: true });
