// Adds up the records of a Kinesis stream; one that is broken ends the call.
class BadRecord extends Error {
  name = 'BadRecord';
}

export const handler = async (event) => {
  const totals = {};
  for (const { kinesis } of event.Records) {
    let reading;
    try {
      reading = JSON.parse(Buffer.from(kinesis.data, 'base64').toString('utf8'));
    } catch (cause) {
      throw new BadRecord(`sequence ${kinesis.sequenceNumber}`, { cause });
    }
    totals[reading.sensor] = (totals[reading.sensor] ?? 0) + reading.value;
  }
  return totals;
};
