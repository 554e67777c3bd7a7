#!/usr/bin/env python3
"""tidy - the rules of docs/STYLE.md that no compiler, formatter or linter checks.

Use:  python3 scripts/tidy.py [ROOT]

Prints `file:line: [rule N] what is wrong; remedy` for each finding and ends with status 1 if there
is any. An allow-list stands beside its check, with a reason for each entry; an entry that no longer
names anything is a finding itself, so that the lists get shorter.
"""

import re
import sys
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

from tidy_source import C_SUFFIXES, CPP_SUFFIXES, CUDA_SUFFIXES, Source, Tree

LINE_LENGTH_MAX = 100
FILE_LINES_MAX = 1000
FUNCTION_LINES_MAX = 70
NESTING_MAX = 3


class Finding(NamedTuple):
    """One thing to change. `rule` is a number of docs/STYLE.md."""

    path: str
    line: int
    rule: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: [rule {self.rule}] {self.text}"


Findings = Iterator[Finding]

# ---------------------------------------------------------------------------------------------
# Size and layout

# Path -> why it may be longer or wider.
LONG_FILES: dict[str, str] = {}
WIDE_FILES: dict[str, str] = {
    "scripts/libtorch.sha256": "a checksum and a file name make one line of sha256sum's format",
    "tests/golden/make_chat.py": "templates as they were published, byte for byte",
}
WIDE_SUFFIXES = {".md", ".json"}  # tables, and values that cannot be broken
# Function name -> why it may be longer.
LONG_FUNCTIONS: dict[str, str] = {}


def is_layout_checked(source: Source) -> bool:
    """Files written by hand; data and fuzz corpora are as they are."""
    return source.is_c_family or source.is_script or source.is_cmake or source.suffix == ".md"


def check_line_length(tree: Tree) -> Findings:
    """Lines up to 100 columns."""
    for source in filter(is_layout_checked, tree.sources):
        if source.suffix in WIDE_SUFFIXES or source.path in WIDE_FILES:
            continue
        for number, line in enumerate(source.lines, 1):
            if len(line) > LINE_LENGTH_MAX:
                text = f"{len(line)} columns, limit {LINE_LENGTH_MAX}; break the line"
                yield Finding(source.path, number, 8, text)


def check_file_length(tree: Tree) -> Findings:
    """Files up to 1,000 lines."""
    for source in filter(is_layout_checked, tree.sources):
        count = source.text.count("\n")
        if count > FILE_LINES_MAX and source.path not in LONG_FILES and source.suffix != ".md":
            text = f"{count} lines, limit {FILE_LINES_MAX}; split the file by what it does"
            yield Finding(source.path, FILE_LINES_MAX + 1, 8, text)


def check_whitespace(tree: Tree) -> Findings:
    """No tabs, no trailing blanks, one newline at the end."""
    for source in filter(is_layout_checked, tree.sources):
        for number, line in enumerate(source.lines, 1):
            if line != line.rstrip():
                yield Finding(source.path, number, 8, "blanks at the end of the line; remove them")
            if "\t" in line:
                yield Finding(source.path, number, 8, "a tab; use spaces")
        if source.text and (not source.text.endswith("\n") or source.text.endswith("\n\n")):
            text = "the file must end with exactly one newline; add or remove"
            yield Finding(source.path, len(source.lines), 8, text)


def check_function_length(tree: Tree) -> Findings:
    """Functions up to 70 lines; clang-tidy sees C only, this sees C++ and CUDA too."""
    for source in tree.c_family():
        for function in source.functions:
            count = function.last_line - function.first_line + 1
            if count > FUNCTION_LINES_MAX and function.name not in LONG_FUNCTIONS:
                text = (
                    f"function '{function.name}' has {count} lines, limit {FUNCTION_LINES_MAX}; "
                    "take a step of it out into a function of its own"
                )
                yield Finding(source.path, function.first_line, 8, text)


# Function name -> why it may nest more deeply.
DEEP_FUNCTIONS: dict[str, str] = {}


def check_nesting(tree: Tree) -> Findings:
    """Control statements nested up to three deep."""
    for source in tree.c_family():
        for function in source.functions:
            if function.nesting > NESTING_MAX and function.name not in DEEP_FUNCTIONS:
                text = (
                    f"'{function.name}' nests {function.nesting} deep, limit {NESTING_MAX}; "
                    "return early, or take the inner part out into a function of its own"
                )
                yield Finding(source.path, function.first_line, 8, text)


# ---------------------------------------------------------------------------------------------
# Banned calls


class Ban(NamedTuple):
    """Words that may be written only in their homes.

    `pattern` matches the word; a call is meant, and a parenthesis must follow, unless `is_prefix`.
    `homes` are files, or folders ending in a slash, each with its reason.
    """

    pattern: str
    rule: int
    remedy: str
    homes: dict[str, str] = {}
    is_prefix: bool = False


TESTS = {"tests/": "tests look at the thing itself and report through cmocka"}

BANS = [
    Ban("strcpy|strcat|stpcpy|strncpy|strncat", 18, "use base/strbuf.h, or memcpy with a length"),
    Ban("sprintf|vsprintf|gets", 18, "use snprintf, or strbuf_addf of base/strbuf.h"),
    Ban(
        "ato[ifl]|atoll|sscanf|strto(?:l|ll|ul|ull|imax|umax|d|f|ld)",
        33,
        "use base/number.h, which checks the range and the end",
        {
            "base/number.c": "the one place that parses numbers",
            "base/json_": "reads what its grammar has accepted, and its own output",
            "base/machine.c": "reads what the kernel wrote, only to show it",
            "base/thread_count.c": "reads what the kernel wrote",
            "tensor/tt_process.cpp": "one or two digits, counted before",
        },
    ),
    Ban("strtok|localtime|gmtime|asctime|ctime|basename", 30, "use the reentrant form"),
    Ban("strerror", 30, "use err_set_errno of base/error.h", TESTS),
    Ban("s?rand|s?random|[del]rand48", 31, "use a stream of base/rng.h"),
    Ban(
        "exit|_exit|_Exit|quick_exit|abort",
        13,
        "return an error code; only trainer/main.c ends the process",
        {
            "base/bus_fault.c": "the faulting instruction cannot go on",
            "base/interrupt.c": "the second signal stops at once",
            "base/invariant.c": "a broken invariant ends the process",
            "trainer/main.c": "maps error codes to exit statuses",
            **TESTS,
        },
    ),
    Ban(
        "printf|vprintf|puts|putchar|perror",
        13,
        "return text or an error; trainer/main.c prints",
        {"trainer/main.c": "prints the message of the error that reached it", **TESTS},
    ),
    Ban("assert", 14, "use ASSERT of base/invariant.h, which stays on in release", TESTS),
    Ban("setlocale|uselocale", 33, "numbers are written and parsed in the \"C\" locale; remove it"),
    Ban("system|popen|vfork", 33, "start a program with posix_spawn and an argument list"),
    Ban("alloca", 1, "use base/mem.h or an arena"),
    Ban(
        "malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|free|strn?dup|asprintf",
        18,
        "use base/mem.h",
        {
            "base/mem.c": "wraps them",
            "tensor/tt_process.cpp": "libtorch's tensors, which base/mem.h does not count",
            **TESTS,
        },
    ),
    Ban(
        "rename|renameat",
        36,
        "use base/file_atomic.h",
        {"base/file.c": "the layer that can be made to fail, below file_atomic.c", **TESTS},
    ),
    Ban(
        "getenv|secure_getenv|setenv|putenv|unsetenv",
        30,
        "pass the value in from trainer/, which reads the environment",
        {
            "base/progress.c": "TERM and COLUMNS, which describe the terminal",
            "base/thread_count.c": "OMP_NUM_THREADS, which OpenMP would read itself",
            "tensor/kernels/kernel_openmp.c": "OMP_WAIT_POLICY, which OpenMP reads when opened",
            "trainer/": "reads the environment for all",
            **TESTS,
        },
    ),
    Ban(
        "time|clock|clock_gettime|gettimeofday|nanosleep|usleep",
        30,
        "use base/clock.h",
        {"base/clock.c": "the one clock", **TESTS},
    ),
    Ban("sqlite3", 33, "use base/db.h", {"base/db": "its wrapper", **TESTS}, is_prefix=True),
    Ban("cJSON", 33, "use base/json.h", {"base/json": "its wrapper", **TESTS}, is_prefix=True),
    Ban("pcre2", 33, "use base/regex.h", {"base/regex.c": "its wrapper"}, is_prefix=True),
    Ban(
        "crypto_|sodium|randombytes",
        33,
        "use base/hash.h",
        {"base/hash.c": "its wrapper"},
        is_prefix=True,
    ),
]


def is_home(source: Source, homes: dict[str, str]) -> bool:
    """Whether a file is one of `homes`: a file, a folder with its slash, or a file name's start."""
    return any(source.path.startswith(home) for home in homes)


def check_banned_calls(tree: Tree) -> Findings:
    """Calls with a better replacement, and third-party libraries outside their wrappers."""
    for ban in BANS:
        # Not a member of something else (x.free, x->time): those are ours.
        tail = r"\w*" if ban.is_prefix else r"(?=\s*\()"
        pattern = re.compile(rf"(?<![\w.])(?<!->)(?:{ban.pattern}){tail}")
        for source in tree.c_family():
            if is_home(source, ban.homes):
                continue
            for match in pattern.finditer(source.code):
                text = f"'{match.group()}' is not used here; {ban.remedy}"
                yield Finding(source.path, source.line_at(match.start()), ban.rule, text)


STREAM_HOMES = {
    "base/invariant.c": "says which invariant broke before the process ends",
    "base/log.c": "the sink that library code is given",
    "base/progress.c": "draws the bar on standard error",
    "trainer/": "the program's face",
    **TESTS,
}


def check_standard_streams(tree: Tree) -> Findings:
    """Library code neither prints nor logs by itself."""
    for source in tree.c_family():
        if is_home(source, STREAM_HOMES):
            continue
        for match in re.finditer(r"\b(?:stdout|stderr|stdin)\b", source.code):
            text = f"'{match.group()}' in library code; return an error, or log through base/log.h"
            yield Finding(source.path, source.line_at(match.start()), 13, text)


# ---------------------------------------------------------------------------------------------
# Files, folders and includes

# Folder -> the folders whose headers it may include. CMake enforces the same for linking.
MAY_INCLUDE = {
    "base": {"base"},
    "tensor/kernels": {"base", "tensor/kernels"},
    "tensor": {"base", "tensor", "tensor/kernels"},
    "data": {"base", "data"},
    "policy": {"base", "data", "tensor", "tensor/kernels", "policy"},
    "reward": {"base", "data", "tensor", "policy", "reward"},
    "attribution": {"base", "data", "attribution"},
}
MAY_INCLUDE["trainer"] = set().union(*MAY_INCLUDE.values()) | {"trainer"}

# Headers that a build writes -> where from.
GENERATED_HEADERS = {"git_version.h": "cmake/git_version.cmake"}


def header_folder(include_name: str) -> str:
    return include_name.rpartition("/")[0]


def check_include_direction(tree: Tree) -> Findings:
    """Dependencies point one way."""
    for source in tree.c_family():
        allowed = MAY_INCLUDE.get(source.folder)
        if allowed is None:
            continue
        for include in source.includes:
            folder = header_folder(include.name)
            if include.is_quoted and folder and folder not in allowed:
                text = (
                    f"'{source.folder}' may not include '{include.name}'; it may use "
                    f"{', '.join(sorted(allowed))}: move the code up, or pass a callback down"
                )
                yield Finding(source.path, include.line, 3, text)


def check_include_form(tree: Tree) -> Findings:
    """Our headers are included with their folder, in quotes, and exist."""
    for source in tree.c_family():
        for include in source.includes:
            if not include.is_quoted:
                if include.name in tree.by_path:
                    text = f"<{include.name}> is our own; include it in quotes"
                    yield Finding(source.path, include.line, 7, text)
            elif include.name in GENERATED_HEADERS:
                continue
            elif "/" not in include.name:
                text = f'"{include.name}" has no folder; write "folder/{include.name}"'
                yield Finding(source.path, include.line, 7, text)
            elif include.name not in tree.by_path:
                text = f'"{include.name}" is not in the tree; correct the name'
                yield Finding(source.path, include.line, 7, text)


INTERNAL_HEADER = re.compile(r"_internal\.hp?p?$")


def check_internal_headers(tree: Tree) -> Findings:
    """What only its own folder may see stays there."""
    for source in tree.c_family():
        for include in source.includes:
            folder = header_folder(include.name)
            if INTERNAL_HEADER.search(include.name) and folder != source.folder:
                if not source.is_test:
                    text = f"'{include.name}' belongs to '{folder}'; include its public header"
                    yield Finding(source.path, include.line, 7, text)


def check_file_names(tree: Tree) -> Findings:
    """snake_case, and unique: a stem has one folder, where its twins (.h, .c, .cu) lie together."""
    first_folder: dict[str, str] = {}
    for source in tree.sources:
        if not (source.is_c_family or source.is_script):
            continue
        if not re.fullmatch(r"[a-z][a-z0-9_]*", source.stem):
            yield Finding(source.path, 1, 7, f"'{source.name}' is not snake_case; rename the file")
        unique = source.name if source.is_script else source.stem
        folder = first_folder.setdefault(unique, source.folder)
        if folder != source.folder:
            text = f"'{unique}' exists in '{folder}' too; file names are unique in the tree"
            yield Finding(source.path, 1, 7, text)


TORCH_INCLUDE = re.compile(r"^(?:torch|ATen|c10|caffe2)/")
CUDA_INCLUDE = re.compile(r"^(?:cuda|cublas|nccl|cudnn)|/cuda/")


def check_language_islands(tree: Tree) -> Findings:
    """C++ and torch only in tensor/, CUDA only in tensor/, no torch in its kernels."""
    for source in tree.c_family():
        if source.suffix in CPP_SUFFIXES and not source.path.startswith("tensor/"):
            text = "C++ outside tensor/; write C11, or add an op to the shim"
            yield Finding(source.path, 1, 1, text)
        if source.suffix in CUDA_SUFFIXES and source.folder != "tensor/kernels":
            text = "CUDA outside tensor/kernels/; move the kernel there"
            yield Finding(source.path, 1, 24, text)
        yield from island_includes(source)


def island_includes(source: Source) -> Findings:
    """The torch and CUDA headers of one file that stand outside their island."""
    may_see_torch = source.folder == "tensor" and (
        source.suffix in CPP_SUFFIXES or INTERNAL_HEADER.search(source.name)
    )
    may_see_cuda = source.path.startswith(("tensor/", "tests/gpu/"))
    for include in source.includes:
        if TORCH_INCLUDE.match(include.name) and not may_see_torch:
            text = f"<{include.name}> outside the C++ of tensor/; use tensor/tt.h"
            yield Finding(source.path, include.line, 24, text)
        elif include.name == "torch/torch.h":
            text = "<torch/torch.h> costs 11 s and 1 GB a file; include the narrow headers"
            yield Finding(source.path, include.line, 24, text)
        elif CUDA_INCLUDE.search(include.name) and not may_see_cuda and not include.is_quoted:
            text = f"<{include.name}> outside tensor/; use tensor/tt.h"
            yield Finding(source.path, include.line, 24, text)


# Script -> who uses it, where nothing in the tree mentions it.
ENTRY_SCRIPTS: dict[str, str] = {
    ".ci/run": "called by the continuous integration",
}


def check_dead_files(tree: Tree) -> Findings:
    """Every source is built, every header included, every script mentioned."""
    built = set(re.findall(r"[\w./-]+", "\n".join(s.text for s in tree.sources if s.is_cmake)))
    built |= {word.rsplit("/", 1)[-1] for word in built}
    included = {include.name for source in tree.c_family() for include in source.includes}
    for source in tree.c_family():
        if source.suffix in (".h", ".hpp", ".cuh"):
            if source.path not in included:
                text = "nothing includes this header; remove it"
                yield Finding(source.path, 1, 7, text)
        elif built.isdisjoint(build_names(source)):
            text = "not in any CMakeLists.txt; add it to its folder's list, or remove it"
            yield Finding(source.path, 1, 7, text)
    yield from dead_scripts(tree)


def build_names(source: Source) -> set[str]:
    """How a CMake list may name a source: its file name, or for a test its module."""
    names = {source.name}
    if source.is_test:
        names |= {source.stem, re.sub(r"^(?:test|fuzz)_", "", source.stem)}
    return names


def dead_scripts(tree: Tree) -> Findings:
    """Scripts that no document, script or build list mentions."""
    for source in filter(lambda item: item.is_script, tree.sources):
        # A Python module is imported by its stem.
        name = source.stem if source.suffix == ".py" else source.name
        needle = re.compile(rf"(?<![\w.]){re.escape(name)}\b")
        users = (other for other in tree.sources if other is not source)
        if not any(needle.search(other.text) for other in users):
            if source.path not in ENTRY_SCRIPTS:
                text = "nothing mentions this script; say in README.md or a script who uses it"
                yield Finding(source.path, 1, 7, text)


# ---------------------------------------------------------------------------------------------
# Language

TYPEDEF_STRUCTS = {
    "tt_tensor": "stands in every formula",
    "tt_scope": "stands in every formula",
}
TYPEDEF = re.compile(r"\btypedef\s+(struct|union|enum)\b[^;{]*(?:\{[^}]*\}[^;]*)?\b(\w+)\s*;")
OWN_T_TYPE = re.compile(r"\btypedef\b[^;{}]*\b(\w+_t)\s*;|\b(?:struct|union|enum)\s+(\w+_t)\s*\{")


def check_type_names(tree: Tree) -> Findings:
    """No typedef'd structs, and no names in _t, which POSIX keeps for itself."""
    for source in tree.c_family():
        for match in TYPEDEF.finditer(source.code):
            kind, name = match.groups()
            if name not in TYPEDEF_STRUCTS:
                text = f"typedef of {kind} '{name}'; write '{kind} {name}' wherever it is used"
                yield Finding(source.path, source.line_at(match.start()), 6, text)
        for match in OWN_T_TYPE.finditer(source.code):
            name = match.group(1) or match.group(2)
            text = f"type '{name}' of our own ends in _t; drop the ending"
            yield Finding(source.path, source.line_at(match.start()), 6, text)


def check_goto(tree: Tree) -> Findings:
    """`goto` only to `done`, and not over scoped variables."""
    for source in tree.c_family():
        for function in source.functions:
            gotos = re.findall(r"\bgoto\s+(\w+)", function.body)
            if gotos and "SCOPED(" in function.body:
                text = f"'{function.name}' has a goto and scoped variables; return instead"
                yield Finding(source.path, function.first_line, 17, text)
            for label in gotos:
                if label != "done":
                    text = f"'{function.name}' jumps to '{label}'; jump forward to 'done', or not"
                    yield Finding(source.path, function.first_line, 17, text)


# Path -> why this file has variables that change and outlive a call.
MUTABLE_GLOBALS = {
    "base/bus_fault.c": "a signal handler is given no context",
    "base/db_memory.c": "SQLite takes its allocator once per process",
    "base/file.c": "a test hook that fails the n-th operation, as in mem.c",
    "base/interrupt.c": "a signal handler is given no context",
    "base/json.c": "cJSON's own globals: its allocator is set once, its parser is locked",
    "base/mem.c": "a census and a test hook; cJSON and SQLite pass no context to an allocator",
    "tensor/kernels/kernel_openmp.c": "libgomp is one for the process, and opened once",
    "tensor/tt_process.cpp": "what libtorch itself keeps once per process",
    "tensor/tt_trace.cpp": "the trace level, read from the environment once",
    "tests/": "a test program is a process of its own, and large buffers do not fit its stack",
}


def is_mutable_variable(text: str) -> bool:
    """Whether a declaration at file level, cut before its value, defines what may change."""
    if re.match(r"(?:typedef|extern|using|namespace|template)\b", text):
        return False
    if re.fullmatch(r"(?:struct|union|enum|class)(?:\s+class)?\s+\w+", text):
        return False
    if "(" in text or not re.match(r"[\w\s*]+(?:\[[^\]]*\]\s*)*$", text):
        return False
    if len(re.findall(r"\w+", text.split("[")[0])) < 2:
        return False
    declarator = text.rsplit("*", 1)[-1] if "*" in text else text
    return not re.search(r"\b(?:const|constexpr)\b", declarator)


def check_mutable_globals(tree: Tree) -> Findings:
    """State travels in structs, not in variables at file level."""
    for source in tree.c_family():
        if is_home(source, MUTABLE_GLOBALS):
            continue
        for declaration in source.declarations:
            if is_mutable_variable(declaration.text):
                what = " ".join(declaration.text.split())
                text = f"'{what}' is a mutable global; pass it in a struct, or make it const"
                yield Finding(source.path, declaration.line, 30, text)


# ---------------------------------------------------------------------------------------------
# Comments and documentation


def check_header_comment(tree: Tree) -> Findings:
    """The first line says what the file is for; a test's name says it already."""
    for source in tree.sources:
        expected = expected_header(source)
        if expected is None:
            continue
        first = source.lines[1 if source.lines[0].startswith("#!") else 0 :][:1]
        if not first or not re.match(expected, first[0]):
            text = f"no header comment; begin with '{expected_example(source)}'"
            yield Finding(source.path, 1, 26, text)


def expected_header(source: Source) -> str | None:
    """A pattern for the first line of a file, or None where none is asked for."""
    name = re.escape(source.name)
    if source.is_c_family and not (source.is_test and source.name.startswith("test_")):
        return rf"/\* {name} - see {re.escape(source.stem)}[.\w]*\.|/\* {name} - \S"
    if source.suffix == ".sh":
        return rf"# {name} - \w"
    if source.suffix == ".py":
        return r'"""\w'
    return None


def expected_example(source: Source) -> str:
    """What the first line should look like."""
    if source.suffix == ".py":
        return '"""Purpose.'
    return f"{'#' if source.suffix == '.sh' else '/*'} {source.name} - purpose"


def check_todo(tree: Tree) -> Findings:
    """A task left behind names its issue."""
    for source in tree.sources:
        if not (source.is_c_family or source.is_script or source.is_cmake):
            continue
        for comment in source.comments:
            for match in re.finditer(r"\b(?:TODO|FIXME|XXX|HACK)\b(?!\(#\d+\):)", comment.text):
                line = comment.line + comment.text.count("\n", 0, match.start())
                text = f"bare {match.group()}; write 'TODO(#123):' with its issue, or do it"
                yield Finding(source.path, line, 27, text)


def check_line_comments(tree: Tree) -> Findings:
    """Comments are written /* so */, but for the ends of namespaces, which clang-format writes."""
    for source in tree.c_family():
        for comment in source.comments:
            if comment.is_line_comment and not comment.text.startswith("// namespace"):
                yield Finding(source.path, comment.line, 26, "a // comment; write /* ... */")


def check_nolint(tree: Tree) -> Findings:
    """A silenced linter is told which check, and the reader why."""
    for source in tree.c_family():
        for comment in source.comments:
            for match in re.finditer(r"NOLINT(?:NEXTLINE|BEGIN|END)?\b(.*)", comment.text):
                if not match.group().startswith("NOLINTEND"):
                    if not re.match(r"\([\w.,* -]+\): \w", match.group(1)):
                        text = "NOLINT without check or reason; write 'NOLINT(check): reason'"
                        yield Finding(source.path, comment.line, 2, text)


def check_test_names(tree: Tree) -> Findings:
    """test_<what>__<expected>."""
    for source in tree.c_family():
        if not source.is_test:
            continue
        for function in source.functions:
            if function.name.startswith("test_") and "void **state" in function.body:
                if not re.fullmatch(r"test_[a-z0-9_]*[a-z0-9]__[a-z0-9_]+", function.name):
                    text = f"test '{function.name}'; name tests test_<what>__<expected>"
                    yield Finding(source.path, function.first_line, 37, text)


# Path -> why it may speak of pages that do not exist.
LINK_HOMES = {"tests/tidy/": "examples for the check"}
DOC_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MENTION = re.compile(r"(?<![\w/.-])(?:docs/[\w./-]*\.md|scripts/[\w./-]*\.(?:sh|py))\b")


def check_links(tree: Tree) -> Findings:
    """Links between documents, and the pages and scripts that files refer to, exist."""
    for source in tree.sources:
        if is_home(source, LINK_HOMES):
            continue
        if source.suffix == ".md":
            yield from broken_links(tree, source)
        if source.is_c_family or source.is_script or source.is_cmake or source.suffix == ".md":
            for match in MENTION.finditer(source.text):
                if not tree.has(match.group()):
                    line = source.line_at(match.start())
                    text = f"'{match.group()}' does not exist; write it, or correct the name"
                    yield Finding(source.path, line, 26, text)


def heading_anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as code hosts make them."""
    headings = re.findall(r"^#+ +(.+?)\s*$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(tree: Tree, source: Source) -> Findings:
    """The links of one document that lead to no file, folder or heading."""
    for match in DOC_LINK.finditer(source.text):
        target, _, anchor = match.group(1).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = resolved(source.folder, target) if target else source.path
        document = tree.by_path.get(path)
        is_missing = bool(path) and not tree.has(path)
        if document and anchor and document.suffix == ".md":
            is_missing = anchor not in heading_anchors(document.text)
        if is_missing:
            text = f"link to '{match.group(1)}' leads nowhere; correct it"
            yield Finding(source.path, source.line_at(match.start()), 26, text)


def resolved(folder: str, target: str) -> str:
    """A link's target, relative to the root; '' is the root itself."""
    parts: list[str] = [part for part in folder.split("/") if part]
    for part in target.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


MACHINE_TRACES = re.compile(
    r"(?<![\w.$}~])/(?:work|root|home/\w+|Users/\w+)/"
    r"|\b(?:py[p]i\.org|python[h]osted\.org|deb[.]debian[.]org)\b"
)
# Path -> why it may say so.
TRACE_HOMES = {
    "scripts/tidy.py": "the pattern itself",
    "tests/tidy/": "examples for the pattern",
    "tests/fuzz/corpus/": "inputs found by a machine",
}


def check_machine_traces(tree: Tree) -> Findings:
    """The project names no one's machine and no package index."""
    for source in tree.sources:
        if is_home(source, TRACE_HOMES):
            continue
        for match in MACHINE_TRACES.finditer(source.text):
            text = f"'{match.group()}' belongs to one machine; use a relative path or a variable"
            yield Finding(source.path, source.line_at(match.start()), 40, text)


# ---------------------------------------------------------------------------------------------


def check_allow_lists(tree: Tree) -> Findings:
    """Entries of the allow-lists above that name nothing any more."""
    lists = [LONG_FILES, WIDE_FILES, STREAM_HOMES, MUTABLE_GLOBALS, ENTRY_SCRIPTS]
    lists += [LINK_HOMES, TRACE_HOMES, *(ban.homes for ban in BANS)]
    stale = {path for paths in lists for path in paths if not names_something(tree, path)}
    for path in sorted(stale):
        text = f"an allow-list names '{path}', which does not exist; remove the entry"
        yield Finding("scripts/tidy.py", 1, 8, text)


def names_something(tree: Tree, prefix: str) -> bool:
    return any(source.path.startswith(prefix) for source in tree.sources)


CHECKS: list[Callable[[Tree], Findings]] = [
    value for name, value in list(globals().items()) if name.startswith("check_")
]


def findings_of(tree: Tree) -> list[Finding]:
    """Everything that every check has to say, in file order."""
    return sorted({finding for check in CHECKS for finding in check(tree)})


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    tree = Tree.load(root)
    findings = findings_of(tree)
    for finding in findings:
        print(finding)
    print(f"tidy: {len(tree.sources)} files, {len(CHECKS)} checks, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
