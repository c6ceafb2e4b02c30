"""Bytes to rows: JSON, one value a line or a long list; CSV; what trainers print. Each yields (place, row)."""

import ast
import codecs
import contextlib
import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import IO, Any

from rlsignal.data.cells import number
from rlsignal.data.records import Note
from rlsignal.data.tables import NotRows, Table

CHUNK = 1 << 20
LARGEST = 1 << 30
"""Bytes that are held at once: a line, a value, a packed file. Rows are read one at a time, however many there are."""
FIRST = rb"(?m)^(?:\x1b\[[\d;]*m|\([^)\n]*\)|\[[^\]\n]*\]|\s)*"  # colours, Ray's prefix, a logger's prefix
STEP_LINE = re.compile(FIRST + rb"(?:step|global_step)\s*[:=]\s*(\d+)(?=\s*$|\s*-)")
PAIR = re.compile(r"(?<![\w/@.-])([\w/@.-]++)\s*[:=]\s*(?:np\.\w+\()?(-?(?:[\d.]+(?:e[+-]?\d+)?|nan|inf))\)?(?=\s|$|,)")
SCORES = re.compile(rb"\bscores?=\[([-\d., e+]+)\]")  # OpenRLHF's filtered groups
DICT_LINE = re.compile(rb"(?:(?:rollout|step|perf)\s+(\d+)\s*:\s*)?(\{'[^'\n]++': [^\n]*\})")
PREFIX = re.compile(r"^(?:\x1b\[[\d;]*m|\([^)\n]*\)|\s)*")
TELLS = (b"reward", b"score", b"zero_std", b"solve")
TENSORS = re.compile(rb"np\.\w+\(([^()]*+)\)|tensor\(([^(),]*+)[^()]*+\)")
DECODE = json.JSONDecoder().raw_decode


def _standard(line: bytes) -> Any:
    """A JSON value by the standard library, the quick way first."""
    text = line.decode()
    try:
        value, end = DECODE(text)
        rest = text[end:]
        if rest == "\n" or not rest.strip():
            return value
    except ValueError:
        pass
    return json.loads(text)  # leading blanks, or the error in words


EXACT: ContextVar[bool] = ContextVar("EXACT", default=False)
"""Whether every integer is wanted to its last digit; the fastest parser makes floats of those above 2^64."""


def _quickest() -> Callable[[bytes], Any]:
    """The fastest JSON parser at hand; what it refuses (NaN, lone surrogates), the standard library decides."""
    if EXACT.get():
        return _standard
    try:
        import orjson
    except ImportError:
        return _standard
    return orjson.loads


class TooLarge(ValueError):
    """More than memory should be asked for."""


def whole(file: IO[bytes], name: str, way_out: str) -> bytes:
    """All of a file that cannot be read in parts.

    Raises
    ------
    TooLarge : it cannot be held at once.
    """
    content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise TooLarge(f"{name} holds more than {LARGEST >> 20:,} MB that must be held at once. {way_out}")
    return content


def lines(file: IO[bytes], name: str) -> Iterator[bytes]:
    """The lines of a file; an error at one that is longer than memory should be asked for."""

    def checked(line: bytes) -> bytes:
        if len(line) > LARGEST:
            raise TooLarge(f"a line of {name} is longer than {LARGEST >> 20:,} MB. Write one row a line.")
        return line

    return map(checked, iter(partial(file.readline, LARGEST + 1), b""))


def is_blank(file: IO[bytes]) -> bool:
    """Whether nothing but blanks is left of a file."""
    return not any(chunk.strip() for chunk in iter(partial(file.read, CHUNK), b""))


def json_lines(file: IO[bytes], table: Table) -> Iterator[tuple[int, Any]]:
    """One JSON value a line, or one object over the whole file."""
    quick, numbered = _quickest(), enumerate(lines(file, table.name), 1)
    table.rounds = quick is not _standard
    place, first = next((place, line) for place, line in numbered if line.strip())
    try:
        head = _standard(first)
        with contextlib.suppress(ValueError):  # as all other lines, so that equal numbers stay equal
            head = quick(first)
        yield place, head
    except ValueError:
        rest = whole(file, table.name, "Write a JSON list, or one row a line.")
        if rest.strip() and not _parses(rest.partition(b"\n")[0]):
            yield 1, _document(first + rest, table)
            return
        raise _malformed(table, place, first) from None
    for place, line in numbered:
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
                table.notes.append(_cut(table, place))
                return
        yield place, value


def _cut(table: Table, place: int) -> Note:
    return Note("truncated", "The last line is cut short and is left out.", table.at(place))


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
        if len(text) - at > LARGEST:
            raise bad(f"it is longer than {LARGEST >> 20:,} MB")
        try:
            more = file.read(size)
            text, at, ended, size = text[at:] + to_text.decode(more), 0, not more, 2 * size
        except UnicodeDecodeError as failed:
            raise bad(str(failed)) from None
    if text[at:].strip() or to_text.getstate()[0] or not is_blank(file):
        raise ValueError(f"{table.name} goes on after its list ends. Write one list, or one object a line.")


def is_console(file: IO[bytes], name: str) -> bool:
    """Whether any line is what a trainer prints of a step; the whole file is looked through."""
    for line in lines(file, name):
        if STEP_LINE.match(line):
            return True
        found = _dictionary(line)
        if found and any(word in found[2] for word in TELLS):
            return True
    return False


def console(file: IO[bytes], table: Table) -> Iterator[tuple[int, Any]]:
    """What trainers print, among other lines: `step:12 - critic/score/mean:0.37 - ...` on one line or on several,
    `{'loss': 0.0, 'reward': 0.5}`, `rollout 3: {...}`.
    """
    others, first = 0, 0
    begun: tuple[int, dict[str, Any]] | None = None
    for place, line in enumerate(lines(file, table.name), 1):
        started = STEP_LINE.match(line)
        if started:
            if begun is not None:
                yield begun
            row: dict[str, Any] = {"step": float(started[1])}
            begun = place, row | _pairs(line[started.end(1) :])
            continue
        dictionary = _dictionary(line)
        if dictionary and any(word in dictionary[2] for word in TELLS):
            row = _literal(dictionary[2])
            if row:
                if dictionary[1]:
                    row.setdefault("step", float(dictionary[1]))
                yield place, row
                continue
        plain = PREFIX.sub("", line.decode(errors="replace")).strip()
        if begun is not None and "/" in plain and not PAIR.sub("", plain).strip(" \t,-"):
            for name, value in _pairs(plain.encode()).items():
                begun[1].setdefault(name, value)
        elif plain:
            others, first = others + 1, first or place
    if begun is not None:
        yield begun
    if others:
        table.notes.append(
            Note("other lines", f"{others} lines hold no metrics and are left out.", table.at(first), others)
        )


def score_lines(file: IO[bytes], table: Table) -> Iterator[tuple[int, Any]]:
    """Groups that a trainer filtered, a line each: `scores=[1.0, 0.0]`."""
    for place, line in enumerate(lines(file, table.name), 1):
        found = SCORES.search(line)
        if found:
            yield place, {"filtered_scores": [float(x) for x in found[1].split(b",") if x.strip()]}
    table.notes.append(Note("filtered", "These are groups that the trainer filtered out, and not all of its groups."))


def _dictionary(line: bytes) -> re.Match[bytes] | None:
    """A printed dict in a line; what follows the last brace is cut off, so that no search for one is in vain."""
    return DICT_LINE.search(line[: line.rfind(b"}") + 1])


def _pairs(line: bytes) -> dict[str, float]:
    found = PAIR.findall(line.decode(errors="replace"))
    return {name.strip("-"): float(value) for name, value in found if value.count(".") < 2 and value.strip(".-")}


def _literal(text: bytes) -> dict[str, Any]:
    """A printed dict of Python; empty where it is none."""
    plain = TENSORS.sub(rb"\1\2", text)
    plain = re.sub(rb": nan\b", b": None", plain)
    with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
        value = ast.literal_eval(plain.decode(errors="replace"))
        if isinstance(value, dict):
            return {str(key): _plain(x) for key, x in value.items()}
    return {}


def _plain(value: Any) -> Any:
    """Numbers that were printed as strings, as numbers."""
    return value if not isinstance(value, str) or (amount := number(value)) is None else amount


def csv_table(file: IO[bytes], name: str, start: bytes) -> Table:
    """A table with a header; the delimiter is whichever of comma, tab, semicolon and bar its first line has most of."""
    table = Table(name, "line", iter(()))
    first = start.lstrip().partition(b"\n")[0].decode(errors="replace")
    cut = False  # whether the file ends inside a character

    def decoded(line: bytes) -> str:
        nonlocal cut
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            if error.reason != "unexpected end of data":
                raise
            cut = True
            return line[: error.start].decode()

    text = map(decoded, lines(file, name))
    if named := re.fullmatch(r'"?sep=(.)"?\s*', first):  # as Excel writes it
        delimiter = named[1]
        next(text)
    else:
        delimiter = max(",\t;|", key=first.count)
    table.comma = delimiter == ";"
    rows = csv.reader(text, delimiter=delimiter, strict=True)

    def advance() -> list[str] | None:
        try:
            return next(rows, None)
        except UnicodeDecodeError as error:
            raise ValueError(f"{name} is not UTF-8 after line {rows.line_num}: {error}. Write it as UTF-8.") from None
        except csv.Error as error:
            raise ValueError(f"{table.at(rows.line_num)} is not CSV: {error}. Mend the line.") from None

    header: list[str] = []
    while not any(header) or header[0].startswith("#"):
        row = advance()
        if row is None:
            raise ValueError(f"{name} names no columns. Give it a header, such as prompt,reward.")
        header = row
    if drawn := delimiter == "|" and not header[0] and not header[-1]:  # a table of Markdown
        header = [cell.strip() for cell in header[1:-1]]
    if len(header) > 1 and all(number(x) is not None for x in header):
        raise NotRows(
            f"{name} begins with numbers and no header. Give its columns names, such as prompt,sample_1,sample_2."
        )
    if len(header) < 2:
        raise NotRows(
            f"{name} is neither a table nor the output of a trainer: no step and no metrics are printed in it. Give it "
            "columns, such as prompt,reward."
        )

    def items() -> Iterator[tuple[int, list[str]]]:
        width, repeated, first = len(header), 0, 0
        while (row := advance()) is not None:
            if cut:
                table.notes.append(_cut(table, rows.line_num))
                return
            if drawn:
                row = [cell.strip() for cell in row[1:-1]]
                if not any(cell.strip(":- ") for cell in row):
                    continue
            if row == header:
                repeated, first = repeated + 1, first or rows.line_num
            elif len(row) == width:
                yield rows.line_num, row
            elif any(row):
                place = rows.line_num
                if len(row) < width and advance() is None:
                    table.notes.append(_cut(table, place))
                    return
                raise ValueError(
                    f"{table.at(place)} has {len(row)} fields, and the header names {width}. Mend or remove the line."
                )
        with contextlib.suppress(OSError, ValueError):  # a compressed file has no way to its end
            file.seek(-1, io.SEEK_END)
            table.unended = rows.line_num if file.read(1) not in b"\r\n" else 0
        if repeated:
            text = f"The header is repeated {repeated} times, where another run was appended."
            table.notes.append(Note("header", text, table.at(first), repeated))

    table.header, table.items = header, items()
    return table


def chart(table: Table, wanted: str | None) -> Table:
    """A W&B chart, whose columns are "run - metric" with __MIN and __MAX: the rows of one run."""
    names = [str(x) for x in table.header or ()]
    series = {
        i: name.rpartition(" - ")
        for i, name in enumerate(names)
        if " - " in name and not name.endswith(("__MIN", "__MAX"))
    }
    runs = list(dict.fromkeys(run for run, _, _ in series.values()))
    if not runs or bytes(names[0], "utf-8").lower().strip() not in (
        b"step",
        b"_step",
        b"global_step",
        b"relative time (process)",
        b"train/global_step",
    ):
        return table
    rows = list(table.items)
    there = [
        run for run in runs if any(row[i].strip() for i, (of, _, _) in series.items() if of == run for _, row in rows)
    ]
    if wanted is not None and wanted in runs:
        there = [wanted]
    if len(there) > 1:
        raise ValueError(
            f"{table.name} holds {len(there)} runs, which are as many logs. Name one: "
            f"{' or '.join(f'filter={run!r}' for run in there[:6])}."
        )
    chosen = there[0] if there else runs[0]
    others = [run for run in runs if run != chosen]
    columns = [(0, "step")] + [(i, metric) for i, (run, _, metric) in series.items() if run == chosen]
    table.header = [name for _, name in columns]
    table.items = (
        (place, [row[i] for i, _ in columns]) for place, row in rows if any(row[i].strip() for i, _ in columns[1:])
    )
    table.notes.append(Note("run", f"W&B chart of run {chosen!r}."))
    if others:
        text = f"{len(others)} other runs of the chart are left out" + ("." if wanted else ", which have no rows.")
        table.notes.append(Note("runs", text, others[0], len(others)))
    table.of = "W&B chart"
    return table
