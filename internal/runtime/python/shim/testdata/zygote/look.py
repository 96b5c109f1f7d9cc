import asyncio, os, random, socket
async def nothing():
    return "done"
def handler(event, context):
    status = dict(l.split(":\t", 1) for l in open("/proc/self/status").read().splitlines() if ":\t" in l)
    return {
        "pid": os.getpid(), "ids": os.getresuid() + os.getresgid(), "groups": os.getgroups(), "host": socket.gethostname(),
        "caps": [status[k] for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
        "nnp": status["NoNewPrivs"], "seccomp": status["Seccomp"], "fds": sorted(map(int, os.listdir("/proc/self/fd"))),
        "targets": [os.readlink("/proc/self/fd/%d" % i) for i in range(4)],
        "processes": [p for p in os.listdir("/proc") if p.isdigit()], "tmp": os.listdir("/tmp"),
        "tmp_size": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize, "env": dict(os.environ),
        "random": random.random(), "nofile": __import__("resource").getrlimit(7), "core": __import__("resource").getrlimit(4),
        "inodes": os.statvfs("/tmp").f_files, "group": os.getpgid(0), "loop": asyncio.get_event_loop().run_until_complete(nothing()),
        "modules": [m for m in __import__("sys").modules if m.startswith("rehearsal")],
        "loggers": [n for n in __import__("logging").root.manager.loggerDict if n.startswith("rehearsal")],
    }
