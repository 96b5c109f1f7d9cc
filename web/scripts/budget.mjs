// Fails if the dashboard has grown heavy: what the first screen needs, and each chunk that comes later,
// in KB as gzip leaves them.
import { readFileSync, statSync } from 'node:fs';

const limits = { first: 280, later: 220 };
const firstScreen = 'src/screens/overview/OverviewScreen.tsx';

const dist = new URL('../dist/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('manifest.json', dist), 'utf8'));
const size = (file) => statSync(new URL(`${file}.gz`, dist)).size / 1000;

/** The files that a chunk needs before it runs. */
function closure(key, files = new Set()) {
  const chunk = manifest[key];
  if (!chunk || files.has(chunk.file)) return files;
  files.add(chunk.file);
  for (const css of chunk.css ?? []) files.add(css);
  for (const next of chunk.imports ?? []) closure(next, files);
  return files;
}

const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
const first = closure(firstScreen, closure(entry));
const total = [...first].reduce((sum, file) => sum + size(file), 0);
const problems = [];
if (!manifest[firstScreen]) problems.push(`there is no ${firstScreen}`);
if (total > limits.first)
  problems.push(`the first screen needs ${total.toFixed(1)} KB, over the budget of ${limits.first}`);
for (const { file } of Object.values(manifest))
  if (!first.has(file) && size(file) > limits.later)
    problems.push(`${file} has ${size(file).toFixed(1)} KB, over the budget of ${limits.later} for a chunk`);
console.log(`first screen ${total.toFixed(1)} of ${limits.first} KB`);
if (problems.length) {
  console.error(problems.join('\n'));
  process.exit(1);
}
