// A small REST API behind API Gateway's HTTP API (payload format 2.0).
const items = new Map([['1', { id: '1', title: 'Learn JavaScript' }]]);

class HttpError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const routes = {
  'GET /items': (event) => [200, [...items.values()].slice(0, Number(event.queryStringParameters?.limit ?? 100))],
  'GET /items/:id': (event, { id }) => {
    if (!items.has(id)) throw new HttpError(404, `item ${id} not found`);
    return [200, items.get(id)];
  },
  'POST /items': (event) => {
    const text = event.isBase64Encoded ? Buffer.from(event.body, 'base64').toString('utf8') : event.body;
    const item = { ...JSON.parse(text), id: String(items.size + 1) };
    items.set(item.id, item);
    return [201, item];
  },
  'DELETE /items/:id': (event, { id }) => [204, items.delete(id) && undefined],
};

function match(method, path) {
  for (const [route, run] of Object.entries(routes)) {
    const [m, template] = route.split(' ');
    const pattern = new RegExp(`^${template.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`);
    const found = m === method && pattern.exec(path);
    if (found) return { run, params: found.groups ?? {} };
  }
  throw new HttpError(404, `no route for ${method} ${path}`);
}

export const handler = async (event, context) => {
  const { method } = event.requestContext.http;
  console.info('%s %s request=%s', method, event.rawPath, context.awsRequestId);
  const reply = (statusCode, payload) => ({
    statusCode,
    headers: { 'Content-Type': 'application/json', 'X-Items': items.size },
    body: payload === undefined ? undefined : JSON.stringify(payload),
  });
  try {
    const { run, params } = match(method, event.rawPath);
    return reply(...run(event, params));
  } catch (err) {
    if (err instanceof HttpError) return reply(err.status, { message: err.message });
    throw err;
  }
};
