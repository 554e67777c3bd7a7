"""tidy_source - the tree as tidy.py's checks see it: files, and C without comments and strings.

Use:  tree = Tree.load(root)
      for source in tree.c_family(): source.code, source.comments, source.functions ...
"""

import functools
import io
import os
import re
import tokenize
from pathlib import Path
from typing import Iterator, NamedTuple

# Folders that hold no source of ours: build output, runs, version control, caches.
SKIPPED_FOLDERS = {".git", "__pycache__", "build", "runs"}
C_SUFFIXES = {".c", ".h"}
CPP_SUFFIXES = {".cpp", ".hpp"}
CUDA_SUFFIXES = {".cu", ".cuh"}
SCRIPT_SUFFIXES = {".py", ".sh"}
CMAKE_NAMES = {"CMakeLists.txt"}

# Numbers come before characters because of C++ digit separators (1'000).
TOKEN = re.compile(
    r"""(?P<line>//[^\n]*)
      | (?P<block>/\*.*?(?:\*/|\Z))
      | (?P<raw>R"(?P<mark>[^\s()\\]{0,16})\(.*?\)(?P=mark)")
      | (?P<string>"(?:\\.|[^"\\\n])*")
      | (?P<number>\b\d(?:[\w.]|'\w)*)
      | (?P<char>'(?:\\.|[^'\\\n])*')""",
    re.VERBOSE | re.DOTALL,
)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
INCLUDE = re.compile(r'^[ \t]*(#)[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
CONTROL = re.compile(r"\b(?:if|else|for|while|do|switch)\b")
SCOPE_HEADER = re.compile(r"(?:inline\s+)?namespace\b|extern\s*$")


class Comment(NamedTuple):
    """One comment: the line it begins on, its text with delimiters, and its kind."""

    line: int
    text: str
    is_line_comment: bool


class Include(NamedTuple):
    """One #include directive."""

    line: int
    name: str
    is_quoted: bool


class Function(NamedTuple):
    """One function definition, from the first line of its signature to its closing brace."""

    name: str
    first_line: int
    last_line: int
    body: str  # signature and braces included, directives blanked

    @property
    def nesting(self) -> int:
        """How many control statements the most deeply nested one stands in, itself included.

        Braces of values, statement expressions and lambdas are not a level.
        """
        level = deepest = parentheses = begin = 0
        stack: list[tuple[bool, int]] = []  # whether the brace is a level; parentheses around it
        for match in re.finditer(r"[(){};]", self.body):
            mark = match.group()
            if mark in "()":
                parentheses += 1 if mark == "(" else -1
                continue
            if mark == "{":
                is_control = bool(CONTROL.search(self.body[begin : match.start()]))
                stack.append((is_control, parentheses))
                parentheses = 0
                level += is_control
                deepest = max(deepest, level)
            elif mark == "}" and stack:
                was_control, parentheses = stack.pop()
                level -= was_control
            elif parentheses > 0:
                continue  # a semicolon of for (;;)
            begin = match.end()
        return deepest


class Declaration(NamedTuple):
    """One statement at file level that is not a function definition, without its initialiser."""

    line: int
    text: str


def blanked(text: str) -> str:
    """`text` with every character but the line ends replaced by a space."""
    return re.sub(r"[^\n]", " ", text)


class Source:
    """One text file. `path` is relative to the root, with slashes."""

    def __init__(self, path: str, text: str):
        self.path = path
        self.text = text
        self.name = path.rsplit("/", 1)[-1]
        self.stem, dot, suffix = self.name.partition(".")
        self.suffix = dot + suffix
        self.folder = path.rpartition("/")[0]

    def __repr__(self) -> str:
        return f"Source({self.path!r})"

    @property
    def is_c_family(self) -> bool:
        return self.suffix in C_SUFFIXES | CPP_SUFFIXES | CUDA_SUFFIXES

    @property
    def is_script(self) -> bool:
        return self.suffix in SCRIPT_SUFFIXES

    @property
    def is_cmake(self) -> bool:
        return self.name in CMAKE_NAMES or self.suffix == ".cmake"

    @property
    def is_test(self) -> bool:
        return self.path.startswith("tests/")

    @functools.cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    def line_at(self, position: int) -> int:
        """The 1-based line of a position in `text` or `code`."""
        return self.text.count("\n", 0, position) + 1

    @functools.cached_property
    def code(self) -> str:
        """C text with comments, strings and characters blanked; positions and lines are kept."""

        def blank(match: re.Match) -> str:
            return match.group() if match.lastgroup == "number" else blanked(match.group())

        return TOKEN.sub(blank, self.text)

    @functools.cached_property
    def comments(self) -> list[Comment]:
        if self.is_c_family:
            return list(self._c_comments())
        if self.suffix == ".py":
            return list(self._python_comments())
        return [
            Comment(number, match.group(), True)
            for number, line in enumerate(self.lines, 1)
            if (match := re.search(r"(?:^|\s)#.*", line))
        ]

    def _c_comments(self) -> Iterator[Comment]:
        for match in TOKEN.finditer(self.text):
            if match.lastgroup in ("line", "block"):
                is_line_comment = match.lastgroup == "line"
                yield Comment(self.line_at(match.start()), match.group(), is_line_comment)

    def _python_comments(self) -> Iterator[Comment]:
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield Comment(token.start[0], token.string, True)

    @functools.cached_property
    def includes(self) -> list[Include]:
        return [
            Include(self.line_at(match.start()), match.group(3), match.group(2) == '"')
            for match in INCLUDE.finditer(self.text)
            if self.code[match.start(1)] == "#"  # not inside a comment
        ]

    @functools.cached_property
    def functions(self) -> list[Function]:
        return [item for item in self._file_level() if isinstance(item, Function)]

    @functools.cached_property
    def declarations(self) -> list[Declaration]:
        return [item for item in self._file_level() if isinstance(item, Declaration)]

    def _file_level(self) -> Iterator[Function | Declaration]:
        """Function definitions and declarations, found by following the braces.

        Braces of namespaces and extern "C" do not count as a level; what is inside any other
        brace belongs to the statement that opened it.
        """
        code = DIRECTIVE.sub(lambda match: blanked(match.group()), self.code)
        stack: list[tuple[str, int]] = []  # kind of each open brace, and where its header began
        begin = 0
        for match in re.finditer(r"[{};]", code):
            header = code[begin : match.start()]
            start = begin + len(header) - len(header.lstrip())
            at_file_level = all(kind == "scope" for kind, _ in stack)
            if match.group() == "{":
                kind = _brace_kind(header.strip(), stack)
                if kind == "initialiser" and at_file_level:
                    yield Declaration(self.line_at(start), header.strip().rstrip("= \n"))
                stack.append((kind, start))
            elif match.group() == "}":
                kind, opened = stack.pop() if stack else ("stray", start)
                if kind == "function":
                    yield self._function(code, opened, match.start())
            elif header.strip() and at_file_level:
                yield Declaration(self.line_at(start), header.strip().split("=")[0].strip())
            begin = match.end()

    def _function(self, code: str, start: int, end: int) -> Function:
        body = code[start:end]
        name = re.search(r"(\w+)\s*\(", body)
        return Function(
            name.group(1) if name else "?", self.line_at(start), self.line_at(end), body
        )


def _brace_kind(header: str, stack: list[tuple[str, int]]) -> str:
    """What an opening brace begins, from the text before it and the braces around it."""
    if any(kind not in ("scope", "type") for kind, _ in stack):
        return "inner"
    if SCOPE_HEADER.match(header):
        return "scope"
    if header.endswith("="):
        return "initialiser"
    return "function" if "(" in header else "type"


class Tree:
    """All text files of a folder, by path."""

    def __init__(self, sources: list[Source]):
        self.sources = sorted(sources, key=lambda source: source.path)
        self.by_path = {source.path: source for source in self.sources}

    @classmethod
    def load(cls, root: Path) -> "Tree":
        """Reads every file below `root` that is text, outside SKIPPED_FOLDERS."""
        sources = []
        for folder, subfolders, names in os.walk(root):
            subfolders[:] = [name for name in subfolders if name not in SKIPPED_FOLDERS]
            for name in names:
                path = Path(folder, name)
                text = _read_text(path)
                if text is not None:
                    sources.append(Source(path.relative_to(root).as_posix(), text))
        return cls(sources)

    @classmethod
    def of(cls, files: dict[str, str]) -> "Tree":
        """A tree from texts by path, for tests."""
        return cls([Source(path, text) for path, text in files.items()])

    def c_family(self) -> list[Source]:
        return [source for source in self.sources if source.is_c_family]

    def has(self, path: str) -> bool:
        """Whether a file or a folder of that path exists."""
        return path in self.by_path or any(
            name.startswith(path.rstrip("/") + "/") for name in self.by_path
        )


def _read_text(path: Path) -> str | None:
    """The file's text, or None for what is not UTF-8 text (golden data, fuzz corpora, links)."""
    if not path.is_file():
        return None
    data = path.read_bytes()
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
