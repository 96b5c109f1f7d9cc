// What a handler can learn of itself.
import { setTimeout as wait } from 'node:timers/promises';

export const handler = async (event, context) => {
  const before = context.getRemainingTimeInMillis();
  await wait(50);
  const after = context.getRemainingTimeInMillis();
  console.log('Remaining time: ', after);
  console.log('Function name: ', context.functionName);
  const arn = context.invokedFunctionArn.split(':');
  return {
    name: context.functionName,
    version: context.functionVersion,
    memory: Number(context.memoryLimitInMB),
    request: context.awsRequestId.length > 10,
    counts_down: after > 0 && after < before && before <= 10_000 && before - after >= 45,
    arn_kind: arn[5],
    arn_name: arn[6],
    client: context.clientContext ?? null,
    user: context.identity?.cognitoIdentityId ?? null,
    log: context.logGroupName.length > 0 && context.logStreamName.length > 0,
    env: { STAGE: process.env.STAGE, AWS_LAMBDA_FUNCTION_NAME: process.env.AWS_LAMBDA_FUNCTION_NAME },
  };
};
