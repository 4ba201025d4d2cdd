// Random packets by mqtt-packet (the parser and writer of mqtt.js), 3.1.1 and 5: our parser must read each, cut at every
// byte, and write it again byte by byte as it was; and what mqtt-packet refuses of their mutations must not crash ours.
//   packets.js PROGRAM COUNT SEED
const {spawnSync} = require('child_process');
const mqtt = require('mqtt-packet');

const [program, count, seed] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
let state = seed >>> 0;
const random = (most) => {  // xorshift: the same packets for the same seed
    state ^= state << 13; state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5; state >>>= 0;
    return state % most;
};
const pick = (list) => list[random(list.length)];
const text = (most) => Array.from({length: 1 + random(most)}, () => pick([...'abcXYZ0189-_.ä€😀'])).join('');
const topic = () => Array.from({length: 1 + random(5)}, () => text(6)).join('/');
const filter = () => pick([topic(), topic() + '/#', '+/' + topic(), '#', '$share/g/' + topic()]);
const bytes = (most) => Buffer.from(Array.from({length: random(most)}, () => random(256)));
const id = () => 1 + random(65535);
const maybe = (object) => Object.fromEntries(Object.entries(object).filter(() => random(2)));
const user = () => ({[text(4)]: text(9)});

function message(v5) {
    return v5 ? {properties: maybe({payloadFormatIndicator: random(2) === 1, messageExpiryInterval: random(99999), responseTopic: topic(),
                                    correlationData: bytes(20), userProperties: user(), contentType: text(9)})} : {};
}
const makers = {
    connect: (v5) => ({clientId: text(20), clean: random(2) === 1, keepalive: random(65536), protocolId: 'MQTT', protocolVersion: v5 ? 5 : 4,
                       ...(v5 ? {properties: maybe({sessionExpiryInterval: random(9999), receiveMaximum: id(), maximumPacketSize: id(),
                                                    topicAliasMaximum: random(99), userProperties: user()})} : {}),
                       ...(random(2) ? {will: {topic: topic(), payload: bytes(40), qos: random(2), retain: random(2) === 1,
                                               ...(v5 ? {properties: maybe({willDelayInterval: random(99), contentType: text(5)})} : {})}} : {})}),
    connack: (v5) => v5 ? {sessionPresent: false, reasonCode: 0, properties: maybe({assignedClientIdentifier: text(9), serverKeepAlive: random(999),
                                                                                  topicAliasMaximum: 7, reasonString: text(9)})}
                        : {sessionPresent: random(2) === 1, returnCode: random(6)},
    publish: (v5) => {
        const qos = random(3);
        return {topic: topic(), payload: bytes(300), qos, dup: qos > 0 && random(2) === 1, retain: random(2) === 1,
                ...(qos ? {messageId: id()} : {}), ...message(v5)};
    },
    subscribe: (v5) => ({messageId: id(), subscriptions: Array.from({length: 1 + random(4)}, () => ({
        topic: filter(), qos: random(3), ...(v5 ? {nl: random(2) === 1, rap: random(2) === 1, rh: random(3)} : {})})),
                         ...(v5 ? {properties: maybe({subscriptionIdentifier: 1 + random(268435455), userProperties: user()})} : {})}),
    suback: (v5) => ({messageId: id(), granted: Array.from({length: 1 + random(4)}, () => pick(v5 ? [0, 1, 135, 151] : [0, 1, 2, 128])),
                      ...(v5 ? {properties: maybe({reasonString: text(9)})} : {})}),
    unsubscribe: (v5) => ({messageId: id(), unsubscriptions: Array.from({length: 1 + random(4)}, filter),
                           ...(v5 ? {properties: maybe({userProperties: user()})} : {})}),
    puback: () => ({messageId: id()}),
};

const packets = Array.from({length: count}, () => {
    const version = pick([4, 5]);
    const cmd = pick(Object.keys(makers));
    return {version, cmd, buffer: mqtt.generate({cmd, ...makers[cmd](version === 5)}, {protocolVersion: version})};
});
const mutated = packets.map(({version, buffer}) => {
    const changed = Buffer.from(buffer);
    changed[random(changed.length)] = random(256);
    return {version, buffer: changed};
});
const input = [...packets, ...mutated].map(({version, buffer}) => `${version} ${buffer.toString('hex')}\n`).join('');
const ran = spawnSync(program, {input, maxBuffer: 1 << 30});
if (ran.status !== 0) throw new Error(`${program} ended with ${ran.status ?? ran.signal}`);
const answers = ran.stdout.toString().split('\n');
let wrong = 0;
packets.forEach(({version, cmd, buffer}, i) => {
    // A PUBACK without a reason may be written in two ways, both of them right.
    const expected = cmd === 'puback' ? buffer.subarray(0, 4).toString('hex').replace(/^40../, '4002') : buffer.toString('hex');
    if (answers[i] === expected || wrong++ > 9) return;
    console.log(`version ${version} ${cmd}\n  sent ${expected}\n  got  ${answers[i]}`);
});
if (answers.length !== 2 * count + 1) throw new Error('an answer is missing');
const accepted = answers.slice(count, 2 * count).filter((answer) => !answer.startsWith('error')).length;
console.log(`${count} packets, ${wrong} differ; of as many with a changed byte ${accepted} are still accepted`);
process.exit(wrong === 0 ? 0 : 1);
