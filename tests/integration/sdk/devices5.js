// Devices of MQTT 5 and 3.1.1 by clients that others wrote: AWS's SDK (its MQTT 5 client, and its identity client v2 over it)
// and the npm package mqtt.
//   devices5.js sdk CERT KEY CLIENT-ID TOPIC            subscribe, publish with properties, receive; then a denied topic
//   devices5.js claim CERT KEY TEMPLATE SERIAL          a certificate and a thing by IotIdentityClientV2 over MQTT 5
//   devices5.js npm VERSION CERT KEY CLIENT-ID TOPIC    the same as sdk by mqtt.js, VERSION 4 or 5
// Prints one JSON object. Server: HATCHERY_MQTT_HOST, HATCHERY_MQTT_PORT, HATCHERY_SERVER_CA.
const fs = require('fs');
const {once} = require('events');
const {iot, iotidentity, mqtt5} = require('aws-iot-device-sdk-v2');
const mqttjs = require('mqtt');

const host = process.env.HATCHERY_MQTT_HOST;
const port = Number(process.env.HATCHERY_MQTT_PORT);
const deadline = setTimeout(() => finish({error: 'timeout'}, 1), 60_000);

function finish(result, code) {
    clearTimeout(deadline);
    console.log(JSON.stringify(result));
    process.exit(code);
}

async function sdkClient(certificate, key, clientId) {
    const builder = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(host, certificate, key);
    builder.withCertificateAuthorityFromPath(undefined, process.env.HATCHERY_SERVER_CA);
    builder.withPort(port);
    builder.withConnectProperties({clientId, keepAliveIntervalSeconds: 60, sessionExpiryIntervalSeconds: 0});
    const client = new mqtt5.Mqtt5Client(builder.build());
    const failed = once(client, mqtt5.Mqtt5Client.CONNECTION_FAILURE).then(([event]) => Promise.reject(event.error));
    const connected = once(client, mqtt5.Mqtt5Client.CONNECTION_SUCCESS);
    client.start();
    const [success] = await Promise.race([connected, failed]);
    return {client, settings: success.settings};
}

async function sdk(certificate, key, clientId, topic) {
    const {client, settings} = await sdkClient(certificate, key, clientId);
    const received = once(client, mqtt5.Mqtt5Client.MESSAGE_RECEIVED);
    const suback = await client.subscribe({subscriptions: [{qos: mqtt5.QoS.AtLeastOnce, topicFilter: topic},
                                                           {qos: mqtt5.QoS.AtLeastOnce, topicFilter: 'denied/topic'}]});
    await client.publish({qos: mqtt5.QoS.AtLeastOnce, topicName: topic, payload: 'five', contentType: 'text/plain',
                          userProperties: [{name: 'line', value: '1'}]});
    const [event] = await received;
    const denied = await client.publish({qos: mqtt5.QoS.AtLeastOnce, topicName: 'denied/topic', payload: 'x'});
    client.stop();
    await once(client, mqtt5.Mqtt5Client.STOPPED);
    return {suback: suback.reasonCodes, payload: Buffer.from(event.message.payload).toString(),
            contentType: event.message.contentType, user: event.message.userProperties, denied: denied.reasonCode,
            topicAliases: settings.topicAliasMaximumToServer, maximumQos: settings.maximumQos};
}

async function claim(certificate, key, templateName, serial) {
    const {client} = await sdkClient(certificate, key, 'fleet-device');
    const identity = iotidentity.IotIdentityClientv2.newFromMqtt5(
        client, {maxRequestResponseSubscriptions: 6, maxStreamingSubscriptions: 2, operationTimeoutInSeconds: 30});
    const created = await identity.createKeysAndCertificate({});
    const parameters = {SerialNumber: serial};
    let result;
    try {
        const registered = await identity.registerThing(
            {templateName, certificateOwnershipToken: created.certificateOwnershipToken, parameters});
        result = {certificateId: created.certificateId, thingName: registered.thingName,
                  hasKey: created.privateKey.includes('PRIVATE KEY')};
    } catch (error) {
        result = {refused: error.modeledError?.statusCode ?? String(error)};
    }
    identity.close();
    client.stop();
    await once(client, mqtt5.Mqtt5Client.STOPPED);
    return result;
}

async function npm(version, certificate, key, clientId, topic) {
    const client = mqttjs.connect({protocol: 'mqtts', host, port, protocolVersion: Number(version), clientId,
                                   cert: fs.readFileSync(certificate), key: fs.readFileSync(key),
                                   ca: fs.readFileSync(process.env.HATCHERY_SERVER_CA), reconnectPeriod: 0});
    await once(client, 'connect');
    const received = once(client, 'message');
    const granted = await client.subscribeAsync(topic, {qos: 1});
    await client.publishAsync(topic, 'from mqtt.js', {qos: 1, properties: {messageExpiryInterval: 60}});
    const [, payload, packet] = await received;
    let denied = 'closed';
    if (version === '5') {
        denied = await client.publishAsync('denied/topic', 'x', {qos: 1}).then(() => 'accepted', (error) => error.code);
    } else {
        client.publish('denied/topic', 'x', {qos: 1});
        await once(client, 'close');
    }
    client.end(true);
    return {granted: granted[0].qos, payload: payload.toString(), denied,
            hasExpiry: packet.properties?.messageExpiryInterval > 0};
}

const [flow, ...rest] = process.argv.slice(2);
({sdk, claim, npm})[flow](...rest).then((result) => finish(result, 0), (error) => finish({error: String(error)}, 1));
