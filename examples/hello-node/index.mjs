// Says hello, over HTTP (?name=Ada) or invoked with {"name": "Ada"}.
export const handler = async (event, context) => {
  const { name = 'world' } = event?.queryStringParameters ?? event ?? {};
  return { message: `Hello, ${name}!`, from: context.functionName };
};
