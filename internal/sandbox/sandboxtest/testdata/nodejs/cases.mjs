// Functions of the conformance suite: one for each case, the same as cases.py.
import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

let served = 0;
let kept = [];

export const echo = async (event) => event;

export const raw = async (event) =>
  event.body !== undefined ? Buffer.from(event.body) : Buffer.alloc(event.pairs * 2, Buffer.from([0x00, 0xff]));

export const env = async (event) => process.env[event] ?? null;

export const where = async () => ({
  cwd: process.cwd(), code: path.dirname(fileURLToPath(import.meta.url)), uid: process.getuid(), pid: process.pid, ppid: process.ppid,
});

export const fail = async (event) => {
  throw new RangeError('no ' + event);
};

export const unsendable = async () => {
  const cycle = {};
  cycle.cycle = cycle;
  return cycle;
};

export const quit = async (event) => process.exit(event);

export const crash = async () => process.abort();

export const log = async () => {
  console.log('first');
  console.error('second');
  console.log('third');
  return null;
};

export const raw_output = async () => {
  fs.writeSync(1, 'straight to one\n');
  fs.writeSync(2, 'straight to two\n');
  return null;
};

export const flood = async (event) => {
  const line = 'x'.repeat(1023);
  for (let i = 0; i < event.kib; i++) console.log(line);
  return event.kib;
};

export const raw_flood = async (event) => {
  const line = Buffer.from('x'.repeat(1023) + '\n');
  for (let i = 0; i < event.kib; i++) {
    for (let done = 0; done < line.length; ) {
      try {
        done += fs.writeSync(1, line, done);
      } catch (e) {
        if (e.code !== 'EAGAIN') throw e;
      }
    }
  }
  return event.kib;
};

export const count = async () => ++served;

export const nap = async (event) => {
  await new Promise((done) => setTimeout(done, event.ms));
  return event;
};

export const loop = async () => {
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGALRM']) process.on(name, () => {});
  console.log('looping');
  await new Promise((done) => setTimeout(done, 10));
  for (;;);
};

export const eat = async () => {
  for (;;) kept.push(Buffer.alloc(4 << 20, 1));
};

export const hold = async (event) => {
  kept = [Buffer.alloc(event.mib << 20, 1)];
  return kept[0].length;
};

// fork starts processes until it may not, and says how far it came.
export const fork = async (event) => {
  let children = 0;
  const one = () =>
    new Promise((done) => {
      const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 600000)'], { stdio: 'ignore' });
      child.on('error', (e) => done(e.code));
      child.on('spawn', () => done(''));
    });
  while (children < event.most) {
    const error = await one();
    if (error) return { children, error };
    children++;
  }
  return { children, error: '' };
};

export const fill = async (event) => {
  let written = 0;
  const f = fs.openSync('/tmp/fill', 'w');
  const block = Buffer.alloc(1 << 20, 1);
  try {
    while (written < event.most) written += fs.writeSync(f, block);
  } catch (e) {
    return { written: fs.fstatSync(f).size, error: e.code };
  }
  return { written, error: '' };
};

export const spin = async (event) => {
  const end = performance.now() + event.ms;
  while (performance.now() < end);
  return process.cpuUsage().user / 1e6;
};

export const stream = async function* (event) {
  for (let i = 0; i < event.chunks; i++) yield Buffer.alloc(event.size, 65 + (i % 26));
};

export const luck = async () => [Math.random(), randomUUID(), randomBytes(8).toString('hex')];
