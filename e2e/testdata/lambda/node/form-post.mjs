// Takes a form as a browser posts it, and answers with cookies and a page.
const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

export async function handler(event) {
  const body = event.isBase64Encoded ? Buffer.from(event.body, 'base64').toString() : event.body;
  const form = new URLSearchParams(body);
  const jar = Object.fromEntries((event.cookies ?? []).map((c) => c.split('=')));
  const visits = Number(jar.visits ?? 0) + 1;
  return {
    statusCode: 200,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    cookies: [`visits=${visits}; Path=/; HttpOnly`, 'seen=1; Max-Age=60'],
    body: `<h1>${process.env.GREETING}, ${escape(form.get('name'))}</h1><p>visit ${visits}</p>`,
  };
}
