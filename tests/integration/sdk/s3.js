// An S3-compatible storage that others wrote (s3rver), with one bucket: s3.js FOLDER BUCKET; prints its port.
const S3rver = require("s3rver");
const [folder, bucket] = process.argv.slice(2);
new S3rver({ address: "127.0.0.1", port: 0, silent: true, directory: folder, configureBuckets: [{ name: bucket }] })
    .run()
    .then(({ port }) => console.log(port));
