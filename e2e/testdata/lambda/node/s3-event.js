'use strict';
// Lists the objects of an S3 notification, in the callback style.
const fs = require('fs');
const os = require('os');
const path = require('path');

console.log('Loading function');

exports.handler = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = false;
  const objects = event.Records.map(({ eventName, s3 }) => {
    const key = decodeURIComponent(s3.object.key.replace(/\+/g, ' '));
    console.log(`Received ${eventName} for s3://${s3.bucket.name}/${key}`);
    return { uri: `s3://${s3.bucket.name}/${key}`, size: s3.object.size, extension: path.extname(key) };
  });
  const file = path.join(os.tmpdir(), 'manifest.json');
  fs.writeFile(file, JSON.stringify(objects), (err) => {
    if (err) return callback(err);
    fs.readFile(file, 'utf8', (err, text) => {
      if (err) return callback(err);
      fs.unlink(file, () => callback(null, { manifest: path.dirname(file), objects: JSON.parse(text) }));
    });
  });
};
