// Fails if src/api/schema.d.ts isn't what openapi.json makes.
import { readFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';

const at = (path) => new URL(`../src/api/${path}`, import.meta.url);
const body = (text) => text.slice(text.indexOf('export interface paths'));
const fresh = astToString(await openapiTS(at('openapi.json')));
if (body(fresh).trim() !== body(readFileSync(at('schema.d.ts'), 'utf8')).trim()) {
  console.error('web/src/api/schema.d.ts is stale: run make docs');
  process.exit(1);
}
