exports.handler = (event, context) => {
  console.log('rehearsal', event, context.awsRequestId, context.getRemainingTimeInMillis());
  return { statusCode: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(event) };
};
