// A claim by the npm package mqtt: CreateKeysAndCertificate and RegisterThing, subscribed first as AWS's guide wants it.
//   claim_npm.js VERSION CERT KEY TEMPLATE SERIAL    VERSION 4 or 5; prints one JSON object
const fs = require('fs');
const {once} = require('events');
const mqtt = require('mqtt');

const [version, cert, key, template, serial] = process.argv.slice(2);
const deadline = setTimeout(() => { console.log('{"error":"timeout"}'); process.exit(1); }, 60_000);

async function ask(client, topic, request) {
    await client.subscribeAsync([`${topic}/accepted`, `${topic}/rejected`], {qos: 1});
    const answered = once(client, 'message');
    await client.publishAsync(topic, JSON.stringify(request), {qos: 1});
    const [answerTopic, payload] = await answered;
    const answer = JSON.parse(payload);
    if (answerTopic.endsWith('/rejected')) throw new Error(`${answer.statusCode}`);
    return answer;
}

async function claim() {
    const client = mqtt.connect({protocol: 'mqtts', host: process.env.HATCHERY_MQTT_HOST,
                                 port: Number(process.env.HATCHERY_MQTT_PORT), protocolVersion: Number(version),
                                 clientId: 'fleet-device', clean: true, cert: fs.readFileSync(cert), key: fs.readFileSync(key),
                                 ca: fs.readFileSync(process.env.HATCHERY_SERVER_CA), reconnectPeriod: 0});
    await once(client, 'connect');
    const created = await ask(client, '$aws/certificates/create/json', {});
    const registered = await ask(client, `$aws/provisioning-templates/${template}/provision/json`,
                                 {certificateOwnershipToken: created.certificateOwnershipToken,
                                  parameters: {SerialNumber: serial}});
    await client.endAsync();
    return {thingName: registered.thingName, hasKey: created.privateKey.includes('PRIVATE KEY')};
}

claim().then((result) => { clearTimeout(deadline); console.log(JSON.stringify(result)); process.exit(0); },
             (error) => { clearTimeout(deadline); console.log(JSON.stringify({refused: error.message})); process.exit(0); });
