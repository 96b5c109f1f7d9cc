// What hostile code would try. Each attack returns what came of it.
'use strict'
const fs = require('fs')
const net = require('net')
const os = require('os')
const { spawn, spawnSync } = require('child_process')

function attempt (f) {
  try { return f() } catch (e) { return e.code || String(e) }
}

const read = (path) => fs.readFileSync(path, 'latin1').slice(0, 200)
const write = (path) => fs.writeFileSync(path, 'x')

const connect = (options) => new Promise((resolve) => {
  const s = net.connect(options, () => { s.destroy(); resolve('connected') })
  s.on('error', (e) => resolve(e.code))
})

const attacks = {
  host_files: (e) => Object.fromEntries(e.paths.map((p) => [p, attempt(() => read(p))])),
  listing: (e) => fs.readdirSync(e.path).sort(),
  processes: () => fs.readdirSync('/proc').filter((p) => /^\d+$/.test(p)),
  signals: (e) => ({ host: attempt(() => process.kill(e.pid, 0)) }),
  status: () => Object.fromEntries(read2('/proc/self/status').split('\n').map((l) => l.split(':\t'))
    .filter(([k]) => ['Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp'].includes(k))
    .map(([k, v]) => [k, v.trim()])),
  privileges: () => ({
    setuid: attempt(() => process.setuid(0)),
    setgid: attempt(() => process.setgid(0)),
    setgroups: attempt(() => process.setgroups([0]))
  }),
  loopback: (e) => connect({ port: e.port, host: '127.0.0.1' }),
  listen: (e) => new Promise((resolve) => {
    const s = net.createServer().listen('\0' + e.name, () => resolve('listening'))
    s.unref()
  }),
  sibling: (e) => connect('\0' + e.name),
  // Each line has a name, a colon and numbers.
  interfaces: () => read2('/proc/self/net/dev').split('\n').map((l) => l.split(':')).filter((l) => l.length > 1).map(([name]) => name.trim()),
  descriptors: () => Object.fromEntries(fs.readdirSync('/proc/self/fd')
    .map((fd) => [fd, attempt(() => fs.readlinkSync('/proc/self/fd/' + fd).split(':')[0])])
    .filter(([, target]) => target !== 'ENOENT')),
  environment: () => ({ given: fs.readFileSync('/proc/self/environ', 'latin1'), now: Object.keys(process.env).sort() }),
  own_code: () => ({
    write: attempt(() => write('/code/main.js')),
    create: attempt(() => write('/code/new.js')),
    unlink: attempt(() => fs.unlinkSync('/code/main.js')),
    chmod: attempt(() => fs.chmodSync('/code/main.js', 0o777)),
    shim: attempt(() => write('/hearth/x')),
    root: attempt(() => write('/x')),
    etc: attempt(() => write('/etc/passwd'))
  }),
  groups: () => {
    const [group, session] = read('/proc/self/stat').replace(/.*\) /, '').split(' ').slice(2)
    return { group: +group, session: +session }
  },
  kill_group: () => attempt(() => process.kill(0, 'SIGKILL') && 'sent'),
  empty_files: (e) => {
    let made = 0
    try {
      for (; made < 1 << 20; made++) fs.closeSync(fs.openSync(`${e.path}/${made}`, 'wx'))
    } catch (err) {
      return { made, error: err.code }
    }
    return { made, error: '' }
  },
  sysctl: () => Object.fromEntries(['/proc/sysrq-trigger', '/proc/sys/kernel/core_pattern'].map((p) => [p, attempt(() => write(p))])),
  fill: (e) => {
    const block = Buffer.alloc(1 << 20, 'x')
    let mib = 0
    const fd = fs.openSync(e.path, 'w')
    try {
      for (; mib < 4096; mib++) fs.writeSync(fd, block)
    } catch (err) {
      return { mib, error: err.code }
    } finally {
      fs.closeSync(fd)
      fs.unlinkSync(e.path)
    }
  },
  fork_bomb: async () => {
    const children = []
    const outcome = () => new Promise((resolve) => {
      const c = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { stdio: 'ignore' })
      c.on('error', (e) => resolve(e.code))
      c.on('spawn', () => { children.push(c); resolve('') })
    })
    let error = ''
    for (let i = 0; i < 200 && !error; i++) error = await outcome()
    for (const c of children) c.kill('SIGKILL')
    return { forks: children.length, error }
  },
  user: () => os.userInfo().username,
  program: () => spawnSync('/bin/sh', ['-c', 'echo hello']).stdout?.toString() ?? 'none',
  spin: () => { for (;;); }
}

function read2 (path) { return fs.readFileSync(path, 'latin1') }

exports.handler = async (event) => attacks[event.attack](event)
