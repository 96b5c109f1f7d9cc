"""PNG images with nothing but zlib: decode, shrink, encode.

Pixels are rows of RGBA bytes. All colour types at 8 bits and palettes of 1 to 8
bits are read, not interlaced; RGBA is written.
"""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of each colour type
MAX_PIXELS = 16_000_000


class BadImage(ValueError):
    """The file isn't a PNG that we can read."""


def chunks(data):
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        if len(body) != length or zlib.crc32(kind + body) != struct.unpack_from(">I", data, at + 8 + length)[0]:
            raise BadImage(f"the {kind.decode('ascii', 'replace')} chunk is damaged")
        yield kind, body
        at += 12 + length


def paeth(left, up, corner):
    estimate = left + up - corner
    distances = abs(estimate - left), abs(estimate - up), abs(estimate - corner)
    return (left, up, corner)[distances.index(min(distances))]


def unfilter(raw, height, stride, step):
    """Yield the rows of a decompressed image, each freed of its filter."""
    above = bytearray(stride)
    for y in range(height):
        start = y * (stride + 1)
        kind, row = raw[start], bytearray(raw[start + 1 : start + 1 + stride])
        if kind == 1:
            for x in range(step, stride):
                row[x] = (row[x] + row[x - step]) & 255
        elif kind == 2:
            row = bytearray((a + b) & 255 for a, b in zip(row, above))
        elif kind == 3:
            for x in range(stride):
                row[x] = (row[x] + ((row[x - step] if x >= step else 0) + above[x] >> 1)) & 255
        elif kind == 4:
            for x in range(stride):
                left, corner = (row[x - step], above[x - step]) if x >= step else (0, 0)
                row[x] = (row[x] + paeth(left, above[x], corner)) & 255
        elif kind != 0:
            raise BadImage(f"there is no filter {kind}")
        yield row
        above = row


def samples(row, width, depth):
    """Return the samples of a row whose samples may be smaller than a byte."""
    if depth == 8:
        return row
    mask, per_byte = (1 << depth) - 1, 8 // depth
    return bytes((row[x // per_byte] >> (8 - depth * (x % per_byte + 1))) & mask for x in range(width))


def to_rgba(row, colour, palette, alpha):
    """Return a row as RGBA, whatever its colour type."""
    if colour == 6:
        return bytes(row)
    out = bytearray()
    if colour == 0:
        for grey in row:
            out += bytes((grey, grey, grey, 255))
    elif colour == 4:
        for grey, a in zip(row[::2], row[1::2]):
            out += bytes((grey, grey, grey, a))
    elif colour == 2:
        for rgb in zip(row[::3], row[1::3], row[2::3]):
            out += bytes((*rgb, 255))
    else:
        for index in row:
            out += palette[3 * index : 3 * index + 3] + alpha[index : index + 1]
    return bytes(out)


def decode(data):
    """Return (width, height, rows) of a PNG file."""
    if not data.startswith(SIGNATURE):
        raise BadImage("the file is not a PNG")
    header = palette = b""
    alpha, packed = b"\xff" * 256, bytearray()
    for kind, body in chunks(data):
        if kind == b"IHDR":
            header = body
        elif kind == b"PLTE":
            palette = body
        elif kind == b"tRNS":
            alpha = body + b"\xff" * (256 - len(body))
        elif kind == b"IDAT":
            packed += body
    if len(header) != 13:
        raise BadImage("the file has no header")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if not 0 < width * height <= MAX_PIXELS:
        raise BadImage(f"{width} by {height} pixels are too many")
    if colour not in CHANNELS or interlaced or not (depth == 8 or (colour == 3 and depth in (1, 2, 4))):
        raise BadImage("interlaced images and 16-bit colours are not supported")

    stride = (width * CHANNELS[colour] * depth + 7) // 8
    size = height * (stride + 1)
    try:
        raw = zlib.decompressobj().decompress(packed, size)
    except zlib.error as error:
        raise BadImage("the pixels are damaged") from error
    if len(raw) < size:
        raise BadImage("the file is cut off")
    step = max(1, CHANNELS[colour] * depth // 8)
    rows = [to_rgba(samples(row, width, depth), colour, palette, alpha) for row in unfilter(raw, height, stride, step)]
    return width, height, rows


def shrink(width, height, rows, new_width, new_height):
    """Box filter: each new pixel is the mean of those that it covers, weighted by their opacity."""
    out = []
    columns = [(x * width // new_width, max((x + 1) * width // new_width, x * width // new_width + 1)) for x in range(new_width)]
    for y in range(new_height):
        top = y * height // new_height
        band = rows[top : max((y + 1) * height // new_height, top + 1)]
        line = bytearray()
        for left, right in columns:
            boxes = [row[4 * left : 4 * right] for row in band]
            count = len(band) * (right - left)
            opacity = sum(sum(box[3::4]) for box in boxes)
            for channel in range(3):
                total = sum(c * a for box in boxes for c, a in zip(box[channel::4], box[3::4]))
                line.append((total + opacity // 2) // opacity if opacity else 0)
            line.append((opacity + count // 2) // count)
        out.append(bytes(line))
    return out


def encode(width, height, rows):
    """Return an RGBA image as a PNG file."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
