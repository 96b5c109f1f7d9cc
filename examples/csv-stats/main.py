"""Statistics of every column of a CSV file that is sent as the request's body."""

import base64
import csv
import io
import statistics
from collections import Counter


def number(text):
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def numeric(values):
    return {
        "type": "number",
        "min": min(values),
        "max": max(values),
        "mean": round(statistics.fmean(values), 6),
        "median": statistics.median(values),
        "stdev": round(statistics.stdev(values), 6) if len(values) > 1 else 0.0,
    }


def textual(values):
    counts = Counter(values)
    return {"type": "text", "distinct": len(counts), "most_common": [list(pair) for pair in counts.most_common(3)]}


def column(cells):
    present = [cell.strip() for cell in cells if cell and cell.strip()]
    numbers = [n for n in map(number, present) if n is not None]
    kind = numeric(numbers) if present and len(numbers) == len(present) else textual(present)
    return {"count": len(present), "missing": len(cells) - len(present), **kind}


def body_of(event):
    body = event.get("body", "")
    return base64.b64decode(body).decode("utf-8-sig") if event.get("isBase64Encoded") else body.lstrip("\ufeff")


def reply(status, value):
    return {"statusCode": status, "body": value}


def handler(event, context):
    try:
        text = body_of(event)
    except UnicodeDecodeError:
        return reply(415, {"error": "the file is not UTF-8"})
    if not text.strip():
        return reply(400, {"error": "send a CSV file with a header line as the body"})
    dialect = csv.excel_tab if "\t" in text.splitlines()[0] else csv.excel
    rows = list(csv.DictReader(io.StringIO(text), restkey="(extra)", restval="", dialect=dialect))
    names = [name for name in (rows[0] if rows else {}) if name != "(extra)"]
    print(f"{len(rows)} rows, {len(names)} columns")
    return {"rows": len(rows), "columns": {name: column([row[name] for row in rows]) for name in names}}
