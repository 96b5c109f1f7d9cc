// What ordinary JavaScript does, to be run under the system call filter.
import assert from "node:assert";
import child from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { once } from "node:events";
import v8 from "node:v8";
import { Worker } from "node:worker_threads";
import zlib from "node:zlib";

const step = (name) => console.log(name);
const exec = promisify(child.exec);

step("child processes");
assert.equal((await exec("echo hi | tr a-z A-Z")).stdout, "HI\n");
assert.equal(child.spawnSync(process.execPath, ["-p", "6*7"]).stdout.toString(), "42\n");
fs.writeFileSync("child.cjs", "process.send('hello'); process.disconnect()");
const forked = child.fork("child.cjs");
assert.equal((await once(forked, "message"))[0], "hello");
await once(forked, "exit");

step("worker threads");
const worker = new Worker("require('node:worker_threads').parentPort.postMessage(6 * 7)", { eval: true });
assert.equal((await once(worker, "message"))[0], 42);
await once(worker, "exit");

step("compression and cryptography");
assert.equal((await promisify(zlib.gunzip)(await promisify(zlib.gzip)("x".repeat(100000)))).length, 100000);
assert.equal(zlib.brotliDecompressSync(zlib.brotliCompressSync("abc")).toString(), "abc");
await promisify(crypto.scrypt)("p", "s", 32);
await promisify(crypto.pbkdf2)("p", "s", 1000, 32, "sha256");
crypto.randomUUID();
crypto.createHmac("sha256", "k").update("x").digest("hex");
await promisify(crypto.generateKeyPair)("ec", { namedCurve: "P-256" });

step("http over a unix socket");
const server = http.createServer((req, res) => res.end("ok")).listen("h.sock");
await once(server, "listening");
const body = await new Promise((resolve, reject) => http.get({ socketPath: "h.sock", path: "/" }, (res) => res.on("data", (d) => resolve(String(d)))).on("error", reject));
assert.equal(body, "ok");
server.closeAllConnections();
server.close();
const tcp = net.createServer().listen(0, "127.0.0.1");
await Promise.race([once(tcp, "listening"), once(tcp, "error")]);
tcp.close();

step("files");
const dir = fs.mkdtempSync("./d-");
const f = path.join(dir, "f");
await fs.promises.writeFile(f, "a".repeat(100000), { flush: true });
await fs.promises.copyFile(f, f + "2");
fs.copyFileSync(f, f + "3", fs.constants.COPYFILE_FICLONE);
fs.cpSync(dir, dir + "-copy", { recursive: true });
fs.utimesSync(f, 1, 1);
fs.chmodSync(f, 0o600);
fs.symlinkSync("f", f + "4");
assert.equal((await fs.promises.readdir(dir)).length, 4);
assert.throws(() => fs.watch(dir), { code: "ENOSYS" }); // it would tell what others do with shared files
const changed = new Promise((resolve) => fs.watchFile(f, { interval: 5 }, resolve));
const poke = setInterval(() => fs.appendFileSync(f, "x"), 20); // the first look may come after the first change
await changed;
clearInterval(poke);
fs.unwatchFile(f);
for await (const chunk of fs.createReadStream(f)) assert.ok(chunk.length);
fs.statfsSync(dir);
fs.rmSync(dir, { recursive: true });

step("the machine");
os.cpus(); os.loadavg(); os.totalmem(); os.userInfo(); os.uptime(); os.getPriority();
assert.throws(() => os.networkInterfaces()); // needs netlink, which is forbidden
process.memoryUsage(); process.resourceUsage(); process.hrtime.bigint(); process.umask();
v8.getHeapStatistics();
process.title = "renamed";

step("the engine");
const hot = (n) => { let s = 0; for (let i = 0; i < n; i++) s += Math.sqrt(i) | 0; return s; };
assert.ok(hot(5e6) > 0);
const wasm = await WebAssembly.instantiate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 6, 1, 4, 0, 65, 42, 11]));
assert.equal(wasm.instance.exports.f(), 42);
const shared = new Int32Array(new SharedArrayBuffer(4));
assert.equal(Atomics.wait(shared, 0, 0, 5), "timed-out");
let garbage = []; for (let i = 0; i < 50; i++) garbage.push(Buffer.alloc(1 << 20, 1)); garbage = null;
structuredClone({ a: new Map() });
await new Promise((r) => setTimeout(r, 5));
await fetch("data:text/plain,hello").then(async (r) => assert.equal(await r.text(), "hello"));
process.once("SIGUSR2", () => {});
process.kill(process.pid, "SIGUSR2");

console.log("all done");
