// AWS's device SDK for JavaScript v2 (its native MQTT 3.1.1 client, TLS by s2n) as a device of Hatchery.
//   devices.js jitp CERT KEY CLIENT-ID TOPIC      first connect, subscribe, publish, receive the own message
//   devices.js jobs CERT KEY THING                 does every job there is, until one says {"last": true}; writes "idle" to
//                                                 stderr when there is none
//   devices.js claim CERT KEY TEMPLATE SERIAL [csr PEM-FILE KEY-FILE]   claim, register, reconnect as the new thing
// Prints one JSON object. Server: HATCHERY_MQTT_HOST, HATCHERY_MQTT_PORT, HATCHERY_SERVER_CA.
const fs = require('fs');
const {iot, iotidentity, iotjobs, mqtt} = require('aws-iot-device-sdk-v2');

const deadline = setTimeout(() => finish({error: 'timeout'}, 1), 60_000);

function finish(result, code) {
    clearTimeout(deadline);
    console.log(JSON.stringify(result));
    process.exit(code);
}

function connection(certificate, key, clientId) {
    const config = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder(certificate, key)
        .with_certificate_authority_from_path(undefined, process.env.HATCHERY_SERVER_CA)
        .with_clean_session(true)
        .with_client_id(clientId)
        .with_endpoint(process.env.HATCHERY_MQTT_HOST)
        .with_port(Number(process.env.HATCHERY_MQTT_PORT))
        .build();
    return new mqtt.MqttClient().new_connection(config);
}

async function telemetry(device, topic) {
    const received = new Promise((resolve) => {
        device.on('message', (at, payload) => resolve({at, text: Buffer.from(payload).toString()}));
    });
    await device.subscribe(topic, mqtt.QoS.AtLeastOnce);
    await device.publish(topic, '{"from":"sdk"}', mqtt.QoS.AtLeastOnce);
    return received;
}

async function jitp(certificate, key, clientId, topic) {
    const device = connection(fs.readFileSync(certificate, 'utf8'), fs.readFileSync(key, 'utf8'), clientId);
    await device.connect();
    const message = await telemetry(device, topic);
    await device.disconnect();
    return {message};
}

// Subscribes to accepted and rejected, waits for both, then publishes, as the SDK's identity samples do.
async function ask(subscribe, publish) {
    let answer;
    const answered = new Promise((resolve, reject) => {
        answer = (error, response) => (error ? reject(error) : resolve(response));
    });
    answered.catch(() => {}); // it may come before the PUBACK that is awaited first; `await answered` still throws it
    await subscribe(answer);
    await publish();
    return answered;
}

async function newCertificate(identity, csrFile) {
    const qos = mqtt.QoS.AtLeastOnce;
    if (csrFile) {
        return ask(async (answer) => {
            await identity.subscribeToCreateCertificateFromCsrAccepted({}, qos, answer);
            await identity.subscribeToCreateCertificateFromCsrRejected({}, qos, (e, r) => answer(e ?? r));
        }, () => identity.publishCreateCertificateFromCsr({certificateSigningRequest: fs.readFileSync(csrFile, 'utf8')}, qos));
    }
    return ask(async (answer) => {
        await identity.subscribeToCreateKeysAndCertificateAccepted({}, qos, answer);
        await identity.subscribeToCreateKeysAndCertificateRejected({}, qos, (e, r) => answer(e ?? r));
    }, () => identity.publishCreateKeysAndCertificate({}, qos));
}

async function claim(certificate, key, templateName, serial, mode, csrFile, keyFile) {
    const claimant = connection(fs.readFileSync(certificate, 'utf8'), fs.readFileSync(key, 'utf8'), 'fleet-device');
    await claimant.connect();
    const identity = new iotidentity.IotIdentityClient(claimant);
    const created = await newCertificate(identity, mode === 'csr' ? csrFile : undefined);
    const qos = mqtt.QoS.AtLeastOnce;
    let registered;
    try {
        registered = await ask(async (answer) => {
            await identity.subscribeToRegisterThingAccepted({templateName}, qos, answer);
            await identity.subscribeToRegisterThingRejected({templateName}, qos, (e, r) => answer(e ?? r));
        }, () => identity.publishRegisterThing({
            templateName,
            certificateOwnershipToken: created.certificateOwnershipToken,
            parameters: {SerialNumber: serial},
        }, qos));
    } catch (refusal) {
        return {refused: {statusCode: refusal.statusCode, errorCode: refusal.errorCode}};
    }
    await claimant.disconnect();
    const privateKey = mode === 'csr' ? fs.readFileSync(keyFile, 'utf8') : created.privateKey;
    const device = connection(created.certificatePem, privateKey, registered.thingName);
    await device.connect();
    const message = await telemetry(device, `AnyCompany/${registered.thingName}/telemetry`);
    await device.disconnect();
    return {certificateId: created.certificateId, thingName: registered.thingName,
            deviceConfiguration: registered.deviceConfiguration, message};
}

// The jobs client as AWS's sample uses it: told what is next, starts it, reports it.
async function jobs(certificate, key, thingName) {
    const device = connection(fs.readFileSync(certificate, 'utf8'), fs.readFileSync(key, 'utf8'), thingName);
    await device.connect();
    const client = new iotjobs.IotJobsClient(device);
    const qos = mqtt.QoS.AtLeastOnce;
    const done = [];
    let last, end;
    const ended = new Promise((resolve) => { end = resolve; });
    const start = () => client.publishStartNextPendingJobExecution({thingName, statusDetails: {by: 'sdk'}}, qos);
    await client.subscribeToUpdateJobExecutionAccepted({thingName, jobId: '+'}, qos, (error, answer) => {
        if (answer.clientToken === last) end();
        else start();
    });
    await client.subscribeToUpdateJobExecutionRejected({thingName, jobId: '+'}, qos, (e, r) => finish({rejected: r}, 1));
    await client.subscribeToStartNextPendingJobExecutionAccepted({thingName}, qos, async (error, answer) => {
        const execution = answer.execution;
        if (!execution || !execution.jobId) return console.error('idle');
        // Asked twice, the service answers twice with what is in progress.
        if (done.some((one) => one.jobId === execution.jobId)) return;
        done.push({jobId: execution.jobId, document: execution.jobDocument, status: execution.status});
        if (execution.jobDocument.last) last = execution.jobId;
        await client.publishUpdateJobExecution({thingName, jobId: execution.jobId, status: iotjobs.model.JobStatus.SUCCEEDED,
                                                expectedVersion: execution.versionNumber, clientToken: execution.jobId}, qos);
    });
    await client.subscribeToNextJobExecutionChangedEvents({thingName}, qos, (error, event) => {
        if (event.execution && event.execution.jobId) start();
    });
    await start();
    await ended;
    await device.disconnect();
    return {done};
}

const [flow, ...rest] = process.argv.slice(2);
({jitp, claim, jobs})[flow](...rest).then((result) => finish(result, 0), (error) => finish({error: String(error)}, 1));
