// Markdown in, HTML out: POST a document.
import { toHtml } from './markdown.mjs';

const page = (title, body) => `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${title}</title></head>
<body>
${body}
</body>
</html>
`;

export const handler = async (event) => {
  if (event.requestContext.http.method !== 'POST') {
    return { statusCode: 405, headers: { allow: 'POST' }, body: { error: 'POST a Markdown document' } };
  }
  const source = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8').toString();
  const html = toHtml(source);
  const title = /<h1>(.*?)<\/h1>/.exec(html)?.[1].replace(/<[^>]*>/g, '') ?? 'Document';
  const whole = event.queryStringParameters?.page !== undefined;
  return {
    statusCode: 200,
    headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': "default-src 'none'; img-src https:" },
    body: whole ? page(title, html) : html,
  };
};
