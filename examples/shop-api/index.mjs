// A small shop: several routes, methods and status codes in one function. Items
// are kept in memory, so they live as long as the sandbox does.
const items = new Map([
  [1, { id: 1, name: 'Lamp oil', cents: 450 }],
  [2, { id: 2, name: 'Wick', cents: 120 }],
]);
let lastId = 2;

const reply = (statusCode, body, headers = {}) => ({ statusCode, headers, body });
const problem = (statusCode, error) => reply(statusCode, { error });

/** invalid says what is wrong with an item that a client sent, or nothing. */
function invalid({ name, cents }) {
  if (typeof name !== 'string' || name.trim() === '') return 'name must be a text that is not empty';
  if (!Number.isSafeInteger(cents) || cents < 0) return 'cents must be a whole number, 0 or more';
  return null;
}

function list({ query }) {
  const wanted = (query.q ?? '').toLowerCase();
  const found = [...items.values()].filter((item) => item.name.toLowerCase().includes(wanted));
  return reply(200, { items: found, total: found.length });
}

function create({ body }) {
  const wrong = invalid(body);
  if (wrong) return problem(422, wrong);
  const name = body.name.trim();
  if ([...items.values()].some((item) => item.name === name)) return problem(409, `there is already an item named ${name}`);
  const item = { id: ++lastId, name, cents: body.cents };
  items.set(item.id, item);
  return reply(201, item, { location: `/items/${item.id}` });
}

function show({ id }) {
  const item = items.get(id);
  return item ? reply(200, item) : problem(404, `there is no item ${id}`);
}

function remove({ id }) {
  return items.delete(id) ? reply(204) : problem(404, `there is no item ${id}`);
}

const routes = [
  { path: /^\/items\/?$/, methods: { GET: list, POST: create } },
  { path: /^\/items\/(?<id>\d+)$/, methods: { GET: show, DELETE: remove } },
];

/** bodyOf reads a JSON object, or null. */
function bodyOf({ body = '', isBase64Encoded }) {
  try {
    const value = JSON.parse(Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8').toString());
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

export const handler = async (event) => {
  const path = event.rawPath.replace(/^\/shop(?=\/|$)/, ''); // the function's own route, see hearth.yaml
  const { method } = event.requestContext.http;
  const route = routes.find((candidate) => candidate.path.test(path));
  if (!route) return problem(404, `there is nothing at ${path}`);
  const action = route.methods[method];
  if (!action) return reply(405, { error: `${method} is not possible here` }, { allow: Object.keys(route.methods).join(', ') });

  const body = method === 'POST' ? bodyOf(event) : {};
  if (body === null) return problem(400, 'the body is not a JSON object');
  const id = Number(route.path.exec(path).groups?.id);
  return action({ id, body, query: event.queryStringParameters ?? {} });
};
