// Works through an SQS batch and reports the messages that failed.
import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';

const checksum = (text) => createHash('md5').update(text).digest('hex');

async function work(record) {
  await wait(5);
  if (checksum(record.body) !== record.md5OfBody) throw new RangeError(`checksum of ${record.messageId} differs`);
  const order = JSON.parse(record.body);
  if (!(order.quantity > 0)) throw new RangeError('quantity must be positive');
  console.log('order', order.id, record.messageAttributes.kind?.stringValue ?? 'plain');
}

export const handler = async (event) => {
  const results = await Promise.allSettled(event.Records.map(work));
  const batchItemFailures = [];
  results.forEach((result, i) => {
    if (result.status === 'rejected') {
      console.error('failed:', event.Records[i].messageId, result.reason);
      batchItemFailures.push({ itemIdentifier: event.Records[i].messageId });
    }
  });
  return { batchItemFailures };
};
