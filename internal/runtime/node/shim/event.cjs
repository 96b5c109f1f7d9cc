// The event that a handler gets: JSON as it is, or an HTTP request in payload
// format 2.0 of AWS Lambda's function URLs.
'use strict';

const buffer = require('node:buffer');
const { jsonParse, now, textOf } = require('./primordials.cjs');

const TEXT = /^(?:text\/[^;]*|application\/(?:json|javascript|xml|x-www-form-urlencoded)|[^;]*\+(?:json|xml))\s*(?:;|$)/i;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const isUtf8 = buffer.isUtf8 ?? ((bytes) => {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
});

/** jsonEvent reads the event of a plain invocation; no body is null. */
function jsonEvent(body) {
  return body.length === 0 ? null : jsonParse(textOf(body, 'utf8'));
}

/** clock writes a time as the common log format does, in UTC. */
function clock(date) {
  const two = (n) => String(n).padStart(2, '0');
  return `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}:` +
    `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}

/** joined makes an object of pairs, the values of equal names joined by a comma, cookies as cookies are. */
function joined(pairs, cookie = ',') {
  const values = new Map();
  for (const [name, value] of pairs) {
    values.set(name, values.has(name) ? `${values.get(name)}${name === 'cookie' ? cookie : ','}${value}` : value);
  }
  return Object.fromEntries(values);
}

function* headerPairs(headers) {
  for (const name of Object.keys(headers ?? {})) for (const value of headers[name]) yield [name.toLowerCase(), value];
}

/** httpEvent makes the event of an HTTP request. */
function httpEvent(http, body, { apiId, requestId }) {
  const headers = joined(headerPairs(http.headers), '; ');
  const at = new Date(now());
  const routeKey = http.route || '$default';
  const event = { version: '2.0', routeKey, rawPath: http.path, rawQueryString: http.raw_query ?? '' };
  if (headers.cookie) event.cookies = headers.cookie.split(/;\s*/).filter(Boolean);
  event.headers = headers;
  if (http.raw_query) event.queryStringParameters = joined(new URLSearchParams(http.raw_query));
  event.requestContext = {
    accountId: 'anonymous',
    apiId,
    domainName: http.host ?? '',
    domainPrefix: (http.host ?? '').split(/[.:]/, 1)[0],
    http: {
      method: http.method,
      path: http.path,
      protocol: http.protocol,
      sourceIp: http.source_ip,
      userAgent: headers['user-agent'] ?? '',
    },
    requestId,
    routeKey,
    stage: '$default',
    time: clock(at),
    timeEpoch: at.getTime(),
  };
  const text = TEXT.test(headers['content-type'] ?? '') && isUtf8(body);
  if (body.length > 0) event.body = textOf(body, text ? 'utf8' : 'base64');
  event.isBase64Encoded = body.length > 0 && !text;
  return event;
}

module.exports = { httpEvent, jsonEvent };
