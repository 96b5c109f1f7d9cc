"""What ordinary Python code does, to be run under the system call filter."""
import asyncio, ctypes, hashlib, http.client, http.server, json, mmap, multiprocessing, os, random, select
import shutil, signal, socket, sqlite3, subprocess, sys, tempfile, threading, time, uuid, zlib


def step(name):
    print(name, flush=True)


step("threads")
results = []
threads = [threading.Thread(target=lambda i=i: results.append(i)) for i in range(8)]
for t in threads: t.start()
for t in threads: t.join()
assert sorted(results) == list(range(8))

step("subprocess")
assert subprocess.run(["/bin/sh", "-c", "echo hi | tr a-z A-Z"], capture_output=True, text=True).stdout == "HI\n"
assert subprocess.run([sys.executable, "-I", "-S", "-c", "print(6*7)"], capture_output=True, text=True, close_fds=False).stdout == "42\n"
assert os.system("exit 3") >> 8 == 3
pid = os.fork()
if pid == 0: os._exit(5)
assert os.waitpid(pid, 0)[1] >> 8 == 5

step("asyncio")
async def main():
    p = await asyncio.create_subprocess_exec("/bin/echo", "async", stdout=asyncio.subprocess.PIPE)
    out, _ = await p.communicate()
    assert out == b"async\n"
    await asyncio.gather(*[asyncio.sleep(0.001) for _ in range(20)])
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(None, lambda: 7) == 7
    got = loop.create_future()
    async def serve(r, w):
        w.write(await r.readline()); await w.drain(); w.close()
    server = await asyncio.start_unix_server(serve, "a.sock")
    r, w = await asyncio.open_unix_connection("a.sock")
    w.write(b"ping\n")
    assert await r.readline() == b"ping\n"
    w.close(); server.close()
asyncio.run(main())

step("http over a unix socket and over loopback")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("content-length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *a): pass
    def address_string(self): return "-"
import socketserver
class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    def get_request(self):
        c, _ = super().get_request(); return c, ("-", 0)
s = UnixServer("h.sock", Handler)
threading.Thread(target=s.serve_forever, daemon=True).start()
c = http.client.HTTPConnection("localhost"); c.sock = socket.socket(socket.AF_UNIX); c.sock.connect("h.sock")
c.request("GET", "/"); assert c.getresponse().read() == b"ok"
s.shutdown()
for family in (socket.AF_INET, socket.AF_INET6):
    socket.socket(family, socket.SOCK_STREAM).close()
    socket.socket(family, socket.SOCK_DGRAM).close()
a, b = socket.socketpair(); a.sendall(b"x"); assert b.recv(1) == b"x"
try: socket.getaddrinfo("localhost", 80)
except socket.gaierror: pass

step("files")
with tempfile.TemporaryDirectory() as d:
    p = os.path.join(d, "f")
    with open(p, "wb") as f: f.write(b"a" * 100000); f.flush(); os.fsync(f.fileno())
    shutil.copy2(p, p + "2"); shutil.copytree(d, d + "-copy"); shutil.rmtree(d + "-copy")
    os.chmod(p, 0o600); os.utime(p, (1, 1)); os.link(p, p + "3"); os.symlink(p, p + "4"); os.rename(p + "2", p + "5")
    os.truncate(p, 10); os.mkfifo(p + "6"); assert len(list(os.scandir(d))) == 5
    with open(p, "r+b") as f, mmap.mmap(f.fileno(), 0) as m: m[0:1] = b"z"
    shutil.make_archive(p, "zip", "/usr/share/doc/bash" if os.path.isdir("/usr/share/doc/bash") else d)
    os.statvfs(d); shutil.disk_usage(d); os.access(d, os.W_OK); shutil.chown(p, os.getuid())
os.memfd_create("m") if hasattr(os, "memfd_create") else None

step("multiprocessing")
ctx = multiprocessing.get_context("fork")
q = ctx.SimpleQueue()
p = ctx.Process(target=lambda: q.put(9)); p.start(); assert q.get() == 9; p.join()
if os.path.isdir("/dev/shm"):
    lock = ctx.Lock()
    with lock: pass

step("signals, timers, polling")
hits = []
signal.signal(signal.SIGALRM, lambda *a: hits.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.01)
while not hits: signal.pause()
os.kill(os.getpid(), 0); signal.sigtimedwait([signal.SIGUSR1], 0); select.epoll().close(); select.poll().poll(0)
time.sleep(0.001); time.process_time(); time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else None

step("libraries")
assert zlib.decompress(zlib.compress(b"x" * 10000)) == b"x" * 10000
hashlib.sha256(b"x").hexdigest(); hashlib.scrypt(b"p", salt=b"s", n=16, r=1, p=1); uuid.uuid4(); uuid.uuid1(); random.random(); os.urandom(8); json.dumps({})
import ssl; ssl.create_default_context(); ssl.RAND_bytes(8)
db = sqlite3.connect("t.db"); db.execute("create table t(a)"); db.execute("insert into t values(1)"); db.commit(); db.close()
callback = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 3); assert callback() == 3
import concurrent.futures as cf
with cf.ThreadPoolExecutor(4) as ex: assert sum(ex.map(lambda x: x, range(10))) == 45
import resource, platform, getpass, locale; resource.getrlimit(resource.RLIMIT_NOFILE); platform.platform(); os.cpu_count(); os.sched_getaffinity(0); os.nice(0)

print("all done", flush=True)
