"""Bytes to rows: JSON, one value a line or a long list; CSV; verl's metric lines. Each yields (place, row)."""

import codecs
import csv
import json
import re
from collections.abc import Callable, Iterator
from typing import IO, Any

from rlsignal.data.records import Note
from rlsignal.data.tables import Table

CHUNK = 1 << 20
VERL_LINE = re.compile(rb"(?m)^(?:\x1b\[[\d;]*m|\([^)\n]*\)|\s)*step:(\d+) - [\w/]+:")
VERL_PAIR = re.compile(r"(?:^| - )([\w/@.-]+):(?:np\.\w+\()?(-?(?:[\d.]+(?:e[+-]?\d+)?|nan|inf))\)?(?= - |\s*$)")
DECODE = json.JSONDecoder().raw_decode


def _standard(line: bytes) -> Any:
    """A JSON value by the standard library, by its quickest road."""
    text = line.decode()
    try:
        value, end = DECODE(text)
        rest = text[end:]
        if rest == "\n" or not rest.strip():
            return value
    except ValueError:
        pass
    return json.loads(text)  # leading blanks, or the error in words


def _quickest() -> Callable[[bytes], Any]:
    """The fastest JSON parser at hand; what it refuses (NaN, lone surrogates), the standard library decides."""
    try:
        import orjson
    except ImportError:
        return _standard
    return orjson.loads


def json_lines(file: IO[bytes], table: Table) -> Iterator[tuple[int, Any]]:
    """One JSON value a line, or one object over the whole file."""
    quick, lines = _quickest(), enumerate(file, 1)
    place, first = next((place, line) for place, line in lines if line.strip())
    try:
        yield place, _standard(first)
    except ValueError:
        rest = file.read()
        if rest.strip() and not _parses(rest.splitlines()[0]):
            yield 1, _document(first + rest, table)
            return
        raise _malformed(table, place, first) from None
    for place, line in lines:
        try:
            value = quick(line)
        except ValueError:
            if line.isspace():
                continue
            try:
                value = _standard(line)
            except ValueError:
                if line.endswith(b"\n"):
                    raise _malformed(table, place, line) from None
                table.notes.append(Note("truncated", "The last line is cut short and is left out.", table.at(place)))
                return
        yield place, value


def _parses(line: bytes) -> bool:
    try:
        return isinstance(_standard(line), dict)
    except ValueError:
        return False


def _malformed(table: Table, place: int, line: bytes) -> ValueError:
    try:
        _standard(line)
    except ValueError as error:
        why = str(error)
    return ValueError(f"{table.at(place)} is not JSON: {why}. Mend or remove the line.")


def _document(content: bytes, table: Table) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise ValueError(f"{table.name} is not JSON: {error}. If it is cut short, write it again.") from None


def json_list(file: IO[bytes], table: Table) -> Iterator[tuple[int, Any]]:
    """The items of a JSON list, one at a time, however long the list is."""
    to_text = codecs.getincrementaldecoder("utf-8")()
    text, at, place, ended, size = "", 0, 0, False, CHUNK
    expected = "["

    def bad(why: str) -> ValueError:
        return ValueError(f"{table.at(place + 1)} is not JSON: {why}. Mend the file, or write it again.")

    while True:
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
        error = None
        if at < len(text) and expected:
            if text[at] in expected:
                done, expected = text[at] == "]", "" if text[at] != "]" else "end"
                at += 1
                if done:
                    break
                continue
            raise bad(f"{expected[0]!r} expected, got {text[at]!r}")
        if at < len(text):
            if text[at] == "]" and place == 0:
                at += 1
                break
            try:
                value, end = DECODE(text, at)
                if end < len(text) or ended:
                    place, at, expected, size = place + 1, end, ",]", CHUNK
                    yield place, value
                    continue
            except ValueError as failed:
                error = failed
                stopped = getattr(failed, "pos", at)
                if not str(failed).startswith("Unterminated") and stopped < len(text) - 16:
                    raise bad(str(failed)) from None
        if ended:
            if error is not None or at >= len(text):
                table.notes.append(
                    Note("truncated", "The list is cut short; what is cut is left out.", table.at(place + 1))
                )
            return
        try:
            more = file.read(size)
            text, at, ended, size = text[at:] + to_text.decode(more, final=not more), 0, not more, 2 * size
        except UnicodeDecodeError as failed:
            raise bad(str(failed)) from None
    if text[at:].strip() or file.read().strip():
        raise ValueError(f"{table.name} goes on after its list ends. Write one list, or one object a line.")


def metric_lines(file: IO[bytes], table: Table) -> Iterator[tuple[int, Any]]:
    """verl's console: `step:12 - critic/score/mean:0.37 - actor/entropy:0.2`, among other lines."""
    others, first = 0, 0
    for place, line in enumerate(file, 1):
        found = VERL_LINE.match(line)
        if found:
            pairs = VERL_PAIR.findall(line[found.start(1) - 5 :].decode(errors="replace").rstrip())
            yield place, {name: float(value) for name, value in pairs if value.count(".") < 2}
        elif line.strip():
            others, first = others + 1, first or place
    if others:
        table.notes.append(
            Note("other lines", f"{others} lines hold no metrics and are left out.", table.at(first), others)
        )


def csv_table(file: IO[bytes], name: str, start: bytes) -> Table:
    table = Table(name, "line", iter(()))
    first = start.lstrip().partition(b"\n")[0].decode(errors="replace")
    lines = (line.decode() for line in file)
    rows = csv.reader(lines, delimiter=max(",\t;|", key=first.count), strict=True)

    def advance() -> list[str] | None:
        try:
            return next(rows, None)
        except UnicodeDecodeError as error:
            raise ValueError(f"{name} is not UTF-8 after line {rows.line_num}: {error}. Write it as UTF-8.") from None
        except csv.Error as error:
            raise ValueError(f"{table.at(rows.line_num)} is not CSV: {error}. Mend the line.") from None

    header: list[str] = []
    while not any(header):
        row = advance()
        if row is None:
            raise ValueError(f"{name} names no columns. Give it a header, such as prompt,reward.")
        header = row

    def items() -> Iterator[tuple[int, list[str]]]:
        width, repeated, first = len(header), 0, 0
        while (row := advance()) is not None:
            if row == header:
                repeated, first = repeated + 1, first or rows.line_num
            elif len(row) == width:
                yield rows.line_num, row
            elif row:
                place = rows.line_num
                if len(row) < width and advance() is None:
                    text = "The last line is cut short and is left out."
                    table.notes.append(Note("truncated", text, table.at(place)))
                    return
                raise ValueError(
                    f"{table.at(place)} has {len(row)} fields, and the header names {width}. Mend or remove the line."
                )
        if repeated:
            text = f"The header is repeated {repeated} times, where another run was appended."
            table.notes.append(Note("header", text, table.at(first), repeated))

    table.header, table.items = header, items()
    return table
