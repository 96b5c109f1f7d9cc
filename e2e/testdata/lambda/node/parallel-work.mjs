// Child processes, worker threads, promises and files, all in one call.
import { execFile, spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';

const run = promisify(execFile);

const worker = (numbers) => new Promise((resolve, reject) => {
  const source = 'const { parentPort, workerData } = require("worker_threads"); parentPort.postMessage(workerData.map((n) => n * n))';
  new Worker(source, { eval: true, workerData: numbers }).once('message', resolve).once('error', reject);
});

const spawned = (numbers) => new Promise((resolve, reject) => {
  const script = 'let s = ""; process.stdin.on("data", (d) => s += d).on("end", () => console.log(JSON.stringify(JSON.parse(s).map((n) => n * n))))';
  const child = spawn(process.execPath, ['-e', script]);
  let out = '';
  child.stdout.on('data', (d) => { out += d; });
  child.on('error', reject).on('close', (code) => (code === 0 ? resolve(JSON.parse(out)) : reject(new Error(`exit ${code}`))));
  child.stdin.end(JSON.stringify(numbers));
});

async function byFile(numbers) {
  const folder = await mkdtemp('/tmp/numbers-');
  await writeFile(`${folder}/n.txt`, numbers.join('\n'));
  const squares = [];
  for await (const line of createInterface({ input: createReadStream(`${folder}/n.txt`) })) squares.push(line ** 2);
  const files = await readdir(folder);
  await rm(folder, { recursive: true });
  return { files, squares };
}

export const handler = async ({ numbers }) => {
  const { stdout } = await run(process.execPath, ['-p', 'JSON.stringify(process.argv.slice(1).map((n) => n * n))', ...numbers.map(String)]);
  const [threads, children, files] = await Promise.all([worker(numbers), spawned(numbers), byFile(numbers)]);
  return { threads, children, exec: JSON.parse(stdout), ...files };
};
