// Attacks of the conformance suite, as far as JavaScript goes without native
// code: the same as attacks.py, and the same answers.
import { spawnSync } from 'node:child_process';
import dgram from 'node:dgram';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import { fileURLToPath } from 'node:url';

const attempt = async (f) => {
  try {
    const got = await f();
    return got === undefined ? 'worked' : `worked: ${got}`;
  } catch (e) {
    return `refused: ${e.code ?? e.name}`;
  }
};

const read = (path) => {
  const f = fs.openSync(path, 'r');
  const n = fs.readSync(f, Buffer.alloc(4096));
  fs.closeSync(f);
  return `${n} bytes of ${path}`;
};

export const files = async (event) => {
  const got = {};
  for (const path of event.paths)
    for (const way of [path, '/proc/1/root' + path, '/proc/self/root' + path, '/proc/self/cwd/../../../../..' + path, '../../../../..' + path])
      got[way] = await attempt(() => read(way));
  return got;
};

const pids = () => fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name));

export const environments = async (event) => {
  const got = {};
  for (const pid of ['self', ...pids()]) {
    try {
      got[pid] = fs.readFileSync(`/proc/${pid}/environ`).includes(event.text) ? 'worked' : 'refused: not there';
    } catch {
      // can't be read
    }
  }
  got['process.env'] = Object.values(process.env).includes(event.text) ? 'worked' : 'refused: not there';
  return got;
};

export const processes = async (event) => {
  const seen = [];
  for (const pid of pids()) {
    try {
      seen.push(fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
    } catch {
      // can't be read
    }
  }
  return { seen: seen.length, found: seen.some((line) => line.includes(event.text)) };
};

export const signals = async (event) => {
  const got = {};
  for (const pid of event.pids) {
    for (const name of event.kill ? ['SIGCONT', 'SIGKILL'] : ['SIGCONT']) got[`${name} ${pid}`] = await attempt(() => void process.kill(pid, name));
    got[`setpriority ${pid}`] = await attempt(() => os.setPriority(pid, 19));
  }
  // Not -1: what it hits would be this process and its children alone, and
  // nobody would be left to answer.
  return got;
};

export const tracing = async (event) => {
  const got = {};
  for (const pid of event.pids) {
    got[`mem ${pid}`] = await attempt(() => fs.closeSync(fs.openSync(`/proc/${pid}/mem`, 'r+')));
    got[`maps ${pid}`] = await attempt(() => read(`/proc/${pid}/maps`));
    got[`inspector ${pid}`] = await attempt(() => process._debugProcess(pid));
  }
  return got;
};

export const privileges = async () => {
  const got = {};
  const attempts = {
    setuid: () => process.setuid(0),
    seteuid: () => process.seteuid(0),
    setgid: () => process.setgid(0),
    setgroups: () => process.setgroups([0]),
    initgroups: () => process.initgroups(0, 0),
    chown: () => {
      fs.writeFileSync('/tmp/c', '');
      fs.chownSync('/tmp/c', 0, 0);
    },
    nice: () => os.setPriority(0, -5),
    oom_score_adj: () => fs.writeFileSync('/proc/self/oom_score_adj', '-1000'),
    uid_map: () => fs.writeFileSync('/proc/self/uid_map', '0 0 1'),
    'spawn as root': () => {
      const r = spawnSync(process.execPath, ['-e', 'console.log(process.getuid())'], { uid: 0, gid: 0 });
      if (r.error) throw r.error;
      if (String(r.stdout).trim() !== '0') throw new Error('not root');
    },
  };
  for (const [name, f] of Object.entries(attempts)) got[name] = await attempt(f);
  return got;
};

export const identity = async () => {
  const got = {};
  for (const line of fs.readFileSync('/proc/self/status', 'utf8').split('\n')) {
    const [name, ...value] = line.split(':');
    if (name) got[name] = value.join(':').trim();
  }
  return got;
};

const dial = (options) =>
  new Promise((done, fail) => {
    const s = net.connect(options);
    s.setTimeout(2000, () => s.destroy(Object.assign(new Error('time out'), { code: 'ETIMEDOUT' })));
    s.on('error', fail);
    s.on('connect', () => {
      s.destroy();
      done();
    });
  });

export const connect = async (event) => {
  const got = {};
  for (const [host, port] of event.addresses) got[`${host} ${port}`] = await attempt(() => dial({ host, port }));
  for (const name of event.abstract ?? []) got['@' + name] = await attempt(() => dial({ path: '\0' + name }));
  for (const path of event.unix ?? []) got[path] = await attempt(() => dial({ path }));
  for (const [host] of event.addresses) {
    got[`udp ${host}`] = await attempt(
      () =>
        new Promise((done, fail) => {
          const s = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
          s.on('error', fail);
          s.send('x', event.udp ?? 9, host, (e) => {
            s.close();
            e ? fail(e) : done();
          });
        }),
    );
  }
  return got;
};

let listening;

export const listen = async (event) => {
  listening = net.createServer(() => {});
  await new Promise((done, fail) => listening.on('error', fail).listen({ path: '\0' + event }, done));
  return true;
};

export const descriptors = async () => {
  const got = {};
  for (const fd of fs.readdirSync('/proc/self/fd')) {
    try {
      got[fd] = fs.readlinkSync('/proc/self/fd/' + fd);
    } catch {
      // that of the listing
    }
  }
  return got;
};

export const writes = async (event) => {
  const got = {};
  for (const path of event.files) {
    got['write ' + path] = await attempt(() => fs.closeSync(fs.openSync(path, fs.constants.O_WRONLY)));
    got['append ' + path] = await attempt(() => fs.closeSync(fs.openSync(path, fs.constants.O_WRONLY | fs.constants.O_APPEND)));
    got['chmod ' + path] = await attempt(() => fs.chmodSync(path, 0o777));
  }
  for (const folder of event.folders) {
    got['make in ' + folder] = await attempt(() => {
      fs.closeSync(fs.openSync(folder + '/hearth-attack', 'wx'));
      fs.unlinkSync(folder + '/hearth-attack');
    });
  }
  return got;
};

export const cgroups = async () => {
  const got = { list: await attempt(() => fs.readdirSync('/sys/fs/cgroup').length) };
  for (const name of ['cgroup.procs', 'memory/cgroup.procs', 'pids/cgroup.procs'])
    got['write ' + name] = await attempt(() => fs.closeSync(fs.openSync('/sys/fs/cgroup/' + name, fs.constants.O_WRONLY)));
  return got;
};

export const kernel = async () => {
  const got = {};
  for (const path of ['/proc/kallsyms', '/proc/kcore', '/dev/kmsg', '/dev/mem']) got[path] = await attempt(() => read(path));
  for (const path of ['/proc/sysrq-trigger', '/proc/sys/kernel/core_pattern'])
    got[path] = await attempt(() => fs.closeSync(fs.openSync(path, fs.constants.O_WRONLY)));
  return got;
};

export const close_wire = async () => {
  fs.closeSync(3);
  return true;
};

const writeAll = (bytes) => {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(3, bytes, done);
    } catch (e) {
      if (e.code !== 'EAGAIN') throw e;
    }
  }
};

export const garbage = async () => {
  writeAll(Buffer.alloc(512 << 10, Buffer.from([0xba, 0xad])));
  return true;
};

export const forge = async () => {
  const frame = Buffer.from([5, 0, 0, 0, 0, 0, 0x10, 0x92, 0, 0, 0, 2, 0, 0, 0, 0, 0x7b, 0x7d]);
  writeAll(frame);
  return true;
};

// Outside of any sandbox, to see that an attack can work.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { [process.argv[2]]: attack } = { files, environments, processes, signals, tracing, connect, descriptors, writes, cgroups, kernel };
  console.log(JSON.stringify(await attack(JSON.parse(process.argv[3]))));
}
