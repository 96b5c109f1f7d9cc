"""Threads, processes, asyncio and files, all in one call."""
import asyncio
import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor


def square(n):
    return n * n


def in_process(connection, n):
    connection.send(square(n))
    connection.close()


def by_pipe(numbers):
    # Lambda has no /dev/shm: pools don't work there, pipes do.
    jobs = []
    for n in numbers:
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(target=in_process, args=(theirs, n))
        process.start()
        jobs.append((process, ours))
    results = [pipe.recv() for _, pipe in jobs]
    for process, _ in jobs:
        process.join()
    return results


async def slow_square(n):
    await asyncio.sleep(0.01)
    return square(n)


async def gathered(numbers):
    return await asyncio.gather(*(slow_square(n) for n in numbers))


def in_database(numbers):
    path = "/tmp/numbers.db"
    database = sqlite3.connect(path)
    with database:
        database.execute("create table n (v integer)")
        database.executemany("insert into n values (?)", [(n,) for n in numbers])
    total = database.execute("select sum(v * v) from n").fetchone()[0]
    database.close()
    os.remove(path)
    return total


def lambda_handler(event, context):
    numbers = event["numbers"]
    with ThreadPoolExecutor(max_workers=4) as pool:
        threads = list(pool.map(square, numbers))
    script = "import json, sys; print(json.dumps([n * n for n in json.load(sys.stdin)]))"
    child = subprocess.run([sys.executable, "-c", script], input=json.dumps(numbers), capture_output=True, text=True, check=True)
    return {
        "threads": threads,
        "processes": by_pipe(numbers),
        "subprocess": json.loads(child.stdout),
        "asyncio": asyncio.run(gathered(numbers)),
        "sqlite": in_database(numbers),
    }
