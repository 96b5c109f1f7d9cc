// Receives GitHub's webhooks: checks that the delivery is really signed with our
// secret, then answers with one line about what happened.
import { createHmac, timingSafeEqual } from 'node:crypto';

const secret = process.env.WEBHOOK_SECRET;

/** signed tells whether `signature` is the HMAC of the raw body; it takes equally long either way. */
function signed(body, signature = '') {
  const expected = Buffer.from(`sha256=${createHmac('sha256', secret).update(body).digest('hex')}`);
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

const plural = (n, noun) => `${n} ${noun}${n === 1 ? '' : 's'}`;

const describe = {
  ping: ({ zen }) => `GitHub says: ${zen}`,
  push: ({ pusher, commits, ref, repository }) =>
    `${pusher.name} pushed ${plural(commits.length, 'commit')} to ${ref.replace('refs/heads/', '')} of ${repository.full_name}`,
  issues: ({ action, issue, sender }) => `${sender.login} ${action} issue #${issue.number}: ${issue.title}`,
  pull_request: ({ action, pull_request, sender }) => `${sender.login} ${action} #${pull_request.number}: ${pull_request.title}`,
};

const reply = (statusCode, value) => ({ statusCode, body: value });

export const handler = async (event) => {
  if (!secret) return reply(500, { error: 'WEBHOOK_SECRET is not set' });
  if (event.requestContext.http.method !== 'POST') return reply(405, { error: 'GitHub sends POST' });

  const body = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
  if (!signed(body, event.headers['x-hub-signature-256'])) {
    console.warn('refused a delivery with a bad signature from', event.requestContext.http.sourceIp);
    return reply(401, { error: 'the signature does not match' });
  }

  const kind = event.headers['x-github-event'];
  const text = describe[kind]?.(JSON.parse(body)) ?? `nothing to do for ${kind}`;
  console.log(`delivery ${event.headers['x-github-delivery']}: ${text}`);
  return reply(200, { event: kind, text });
};
