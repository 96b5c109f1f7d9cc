"""Replays the golden frames of internal/wire/golden on the shim's reader and writer."""

import glob
import json
import os
import threading
import unittest

import harness
import shim

GOLDEN = os.path.join(harness.HERE, "..", "..", "..", "wire", "golden")


def read_all(data):
    """What the shim makes of a stream of these bytes."""
    reader, writer = os.pipe()
    feeder = threading.Thread(target=_feed, args=(writer, data))
    feeder.start()
    wire = shim.Wire(reader)
    try:
        frame = wire.read()
        if frame is None:
            raise shim.ProtocolError("the stream ended within the frame")
        flags = data[1]
        return frame[0], flags, frame[1], shim.parse_head(frame[2]), frame[3]
    finally:
        os.close(reader)
        feeder.join()


def _feed(fd, data):
    try:
        with os.fdopen(fd, "wb") as f:
            f.write(data)
    except BrokenPipeError:
        pass


class Golden(unittest.TestCase):
    def test_every_frame(self):
        paths = sorted(glob.glob(os.path.join(GOLDEN, "*.json")))
        self.assertGreater(len(paths), 30)
        for path in paths:
            with self.subTest(os.path.basename(path)), open(path, encoding="utf-8") as f:
                self.replay(json.load(f))

    def replay(self, case):
        data = bytes.fromhex(case["hex"])
        if "invalid" in case:
            with self.assertRaises(shim.ProtocolError, msg=case["invalid"]):
                read_all(data)
            return
        want = case["frame"]
        kind, flags, stream, head, body = read_all(data)
        self.assertEqual((kind, flags, stream), (want["type"], want["flags"], want["stream"]))
        self.assertEqual(head, want["head"] or {})
        self.assertEqual(body.hex(), want["body_hex"])
        self.assertEqual(self.written(want), (kind, flags, stream, head, body))

    def written(self, frame):
        reader, writer = os.pipe()
        head = b"" if frame["head"] is None else json.dumps(frame["head"]).encode()
        feeder = threading.Thread(
            target=lambda: shim.Wire(writer).send(frame["type"], frame["flags"], frame["stream"], head, bytes.fromhex(frame["body_hex"])))
        feeder.start()
        with os.fdopen(reader, "rb") as f:
            header = f.read(16)
            kind, flags, _, stream, head_size, body_size = harness.HEADER.unpack(header)
            head, body = f.read(head_size), f.read(body_size)
        feeder.join()
        os.close(writer)
        return kind, flags, stream, shim.parse_head(head), body


if __name__ == "__main__":
    unittest.main()
