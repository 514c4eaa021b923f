"""No text that is not ours reaches the screen as Markdown: every one goes through `words.plain`.

Streamlit reads the words of nearly every element as Markdown, so the name of a run, a class or a
file could show pictures, links and formulas. The calls that draw are found with `ast`, and
each text must be seen to be *ours*: written in the source, a number in a format of numbers, or what
`words.plain` has made of it. The search follows names to what they were assigned, parameters to
their callers, and functions to what they return. What it cannot follow is not ours. (It looks
neither at what is handed on with `**` nor at the cells of tables.)
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLACES = ("neuralscope/ui", "pages")

# What draws, and which of its arguments Streamlit reads as Markdown; `help` always.
WORDS = {
    **dict.fromkeys(("caption", "error", "header", "info", "markdown"), ("body",)),
    **dict.fromkeys(("subheader", "success", "warning"), ("body",)),
    **dict.fromkeys(("button", "checkbox", "download_button", "expander"), ("label",)),
    **dict.fromkeys(("file_uploader", "number_input", "popover", "selectbox"), ("label",)),
    **dict.fromkeys(("multiselect", "slider", "text_area", "text_input", "toggle"), ("label",)),
    **dict.fromkeys(("link_button", "badge", "status"), ("label",)),
    **dict.fromkeys(("pills", "radio", "segmented_control", "select_slider"), ("label", "options")),
    "image": ("image", "width", "caption"),
    "metric": ("label", "value", "delta"),
    "page_link": ("page", "label"),
    "progress": ("value", "text"),
    "tabs": ("tabs",),
    "toast": ("body",),
}
WORDS_OF_STREAMLIT = {"title": ("body",), "write": ("body",), "spinner": ("text",)}
"""Those that other objects have too, of another meaning: only `st.title(...)` is one of these."""

NOT_MARKDOWN = {"image", "page", "width"}
"""Arguments that stand before those that are read."""

ESCAPING = {"plain"}
NUMBERS = {"float", "int", "len", "max", "min", "range", "round", "sum", "tolist"}
NUMBERS |= {"duration", "percent", "percentage", "short_percent"}
"""Functions that return numbers, or say them."""

NUMERIC = {"bool", "float", "int", "int | None", "float | None", "tuple[int, int]"}
"""Types of which no value is a text."""

OUR_WORDS = {
    # What examples and classes are called; a person's own data are 'pictures' and 'classes'.
    *("class_noun", "classes", "noun", "thing", "things"),
    # From tables in the source.
    *("activation.help", "form.description", "form.label"),
    *("setting.allowed", "setting.help", "setting.label", "SETTINGS[field].allowed"),
    # Options, which the pages and `RunConfig` check.
    *("activation", "layer", "split", "stops"),
    # Made by us, for an imported run too.
    "run.run_id",
}
"""Names, attributes and expressions with words of ours that the search does not see."""

Scope = ast.AST
"""A module, class, function or comprehension, in which a name has a value."""


class Code:
    """Modules, and where in them each name gets its value."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.trees = {path: ast.parse(source) for path, source in sources.items()}
        self._path: dict[ast.AST, str] = {}
        self._scope: dict[ast.AST, Scope] = {}
        self._values: dict[tuple[Scope, str], list[ast.expr]] = defaultdict(list)
        self._functions: dict[str, list[ast.FunctionDef]] = defaultdict(list)
        self._calls: dict[str, list[ast.Call]] = defaultdict(list)
        self._modules: dict[tuple[str, str], str] = {}
        self._classes: dict[str, ast.ClassDef] = {}
        self._is_ours: dict[ast.AST, bool] = {}
        for path, tree in self.trees.items():
            self._read(tree, tree, path)

    def _read(self, node: ast.AST, scope: Scope, path: str) -> None:
        self._path[node], self._scope[node] = path, scope
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind(scope, target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._bind(scope, target, value)
            case ast.AugAssign(target=target, value=value):
                self._bind(scope, target, value)
            case ast.NamedExpr(target=target, value=value):
                self._bind(scope, target, value)
            case ast.For(target=target, iter=value):
                self._bind_each(scope, target, value)
            case ast.ImportFrom(module=str() as module, names=names):
                for name in names:
                    file = f"{module}.{name.name}".replace(".", "/") + ".py"
                    if file not in self.trees:  # not a module, but something of one
                        file = f"{module}".replace(".", "/") + ".py"
                    self._modules[path, name.asname or name.name] = file
            case ast.FunctionDef(name=name):
                self._functions[name].append(node)
            case ast.ClassDef(name=name):
                self._classes[name] = node
            case ast.Call():
                self._calls[called(node)].append(node)
                options = argument(node, "options", ("label", "options"))
                function = argument(node, "format_func", ())
                if isinstance(function, ast.Lambda) and options is not None:
                    self._bind(function, ast.Name(function.args.args[0].arg), options)
        comprehensions = ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp
        if isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef | comprehensions):
            scope = node
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.comprehension):
                self._bind_each(scope, child.target, child.iter)
            self._read(child, scope, path)

    def _bind(self, scope: Scope, target: ast.expr, value: ast.expr) -> None:
        """Note what a target of an assignment or a loop is given."""
        match target:
            case ast.Name(id=name):
                self._values[scope, name].append(value)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                values = value.elts if isinstance(value, ast.Tuple) else [value] * len(targets)
                for part, given in zip(targets, values, strict=False):
                    self._bind(scope, part, given)
            case ast.Subscript(value=ast.Name(id=name)):  # an entry of a dictionary
                self._values[scope, name].append(value)
            case ast.Starred(value=part):
                self._bind(scope, part, value)

    def _bind_each(self, scope: Scope, target: ast.expr, items: ast.expr) -> None:
        """Note what the target of a loop is given in its turns."""
        match items:
            case ast.Tuple(elts=values) | ast.List(elts=values):
                for value in values:
                    self._bind(scope, target, value)
            case ast.Call(func=ast.Name(id="enumerate"), args=[values, *_]):
                self._bind(scope, target, ast.Tuple([ast.Constant(0), values]))
            case ast.Call(func=ast.Name(id="zip"), args=values):
                self._bind(scope, target, ast.Tuple(values))
            case _:
                self._bind(scope, target, items)

    # What is ours

    def is_ours(self, node: ast.AST) -> bool:
        """Return whether a text, or each text in a collection, is seen to be ours."""
        if node not in self._is_ours:
            self._is_ours[node] = True  # until shown otherwise, where a search comes back to it
            before = len(self._is_ours)
            if not self._judge(node):
                # What was found meanwhile may rest on that.
                for other in list(self._is_ours)[before:]:
                    del self._is_ours[other]
                self._is_ours[node] = False
        return self._is_ours[node]

    def _judge(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in OUR_WORDS:
            return True
        match node:
            case ast.Constant() | ast.Compare() | ast.UnaryOp():
                return True
            case ast.FormattedValue(value=value, format_spec=spec):
                return self.is_ours(value) or (spec is not None and is_number_format(spec))
            case ast.JoinedStr(values=parts) | ast.BoolOp(values=parts):
                return self._are_ours(parts)
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
                return self._are_ours(parts)
            case ast.Dict(keys=keys, values=values):
                return self._are_ours([*filter(None, keys), *values])
            case ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Pow()):
                return True  # numbers
            case ast.BinOp(left=left, right=right):
                return self._are_ours([left, right])
            case ast.IfExp(body=this, orelse=other):
                return self._are_ours([this, other])
            case ast.NamedExpr(value=value) | ast.Starred(value=value):
                return self.is_ours(value)
            case ast.Subscript(value=value):
                return self.is_ours(value)
            case ast.GeneratorExp(elt=part) | ast.ListComp(elt=part) | ast.SetComp(elt=part):
                return self.is_ours(part)
            case ast.DictComp(key=key, value=value):
                return self._are_ours([key, value])
            case ast.Lambda(body=body):
                return self.is_ours(body)
            case ast.Name(id=name):
                return self._is_name_ours(name, self._scope[node])
            case ast.Attribute(attr=name):
                return self._is_attribute_ours(node, name)
            case ast.Call():
                return self._is_call_ours(node)
        return False

    def _are_ours(self, nodes: Iterable[ast.AST]) -> bool:
        return all(self.is_ours(node) for node in nodes)

    def _is_name_ours(self, name: str, scope: Scope) -> bool:
        while True:
            if isinstance(scope, ast.FunctionDef) and name in parameters(scope):
                return self._is_parameter_ours(scope, name)
            if not isinstance(scope, ast.ClassDef) and (values := self._values[scope, name]):
                return self._are_ours(values)
            if isinstance(scope, ast.Module):
                return self._is_global_ours(name, self._path[scope])
            scope = self._scope[scope]

    def _is_global_ours(self, name: str, path: str) -> bool:
        """Judge a function, or a constant that is imported from wherever it is defined."""
        if functions := self._functions_named(name, path):
            return all(self._returns_ours(function) for function in functions)
        values = [
            value
            for (scope, bound), given in list(self._values.items())
            if bound == name and isinstance(scope, ast.Module)
            for value in given
        ]
        return bool(values) and self._are_ours(values)

    def _is_attribute_ours(self, node: ast.Attribute, name: str) -> bool:
        if name in OUR_WORDS:
            return True
        if name in {"get", "__getitem__"}:  # of a dictionary, as a function
            return self.is_ours(node.value)
        if name.isupper():
            return self._is_global_ours(name, self._path[node])
        members = [
            (owner, member)
            for owner in self._owners(node.value)
            for member in owner.body
            if name == getattr(member, "name", None) or name == getattr(target(member), "id", None)
        ]
        return bool(members) and all(self._is_member_ours(*member) for member in members)

    def _owners(self, node: ast.expr) -> list[ast.ClassDef]:
        """Return the classes that the value of a name may be of: all, where nothing tells."""
        if isinstance(node, ast.Name):
            scope = self._scope[node]
            while not isinstance(scope, ast.Module):
                if isinstance(scope, ast.FunctionDef):
                    for each in arguments(scope):
                        if each.arg == node.id and each.annotation is not None:
                            words = {ast.unparse(part) for part in ast.walk(each.annotation)}
                            return [self._classes[word] for word in words & set(self._classes)]
                scope = self._scope[scope]
        return list(self._classes.values())

    def _is_member_ours(self, owner: ast.ClassDef, member: ast.stmt) -> bool:
        """Judge a property by what it returns; a field by its type, or by what it is made with."""
        if isinstance(member, ast.FunctionDef):
            return self._returns_ours(member)
        if not isinstance(member, ast.AnnAssign):
            return False
        if ast.unparse(member.annotation) in NUMERIC:
            return True
        fields = [name.id for each in owner.body if isinstance(name := target(each), ast.Name)]
        given = [argument(call, member.target.id, fields) for call in self._calls[owner.name]]
        values = [value or member.value for value in given]
        return bool(values) and all(value is not None and self.is_ours(value) for value in values)

    def _is_call_ours(self, call: ast.Call) -> bool:
        name, given = called(call), [*call.args, *(each.value for each in call.keywords)]
        if name in ESCAPING or name in NUMBERS:
            return True
        if name in {"dict", "filter", "list", "next", "reversed", "sorted", "str"}:
            return self._are_ours(given)
        if isinstance(call.func, ast.Attribute):
            of = call.func.value
            if name in {"capitalize", "lower", "strip", "get", "items", "keys", "values"}:
                return self.is_ours(of)
            if name in {"format", "join", "removesuffix", "replace"}:
                return self._are_ours([of, *given])
            path = self._modules.get((self._path[call], ast.unparse(of)), "")
        else:
            path = self._path[call]
        functions = self._functions_named(name, path)
        return bool(functions) and all(self._returns_ours(each) for each in functions)

    def _functions_named(self, name: str, path: str) -> list[ast.FunctionDef]:
        """Return the function in this module; or else all of that name, one of which it must be."""
        functions = self._functions[name]
        return [each for each in functions if self._path[each] == path] or functions

    def _returns_ours(self, function: ast.FunctionDef) -> bool:
        if function.returns is not None and ast.unparse(function.returns) in NUMERIC:
            return True
        returned = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Return | ast.Yield) and node.value is not None
            if self._scope[node] is function
        ]
        return bool(returned) and self._are_ours(returned)

    def _is_parameter_ours(self, function: ast.FunctionDef, name: str) -> bool:
        """Judge a parameter by what each caller gives it, and by its default."""
        annotation = next(each.annotation for each in arguments(function) if each.arg == name)
        if annotation is not None and ast.unparse(annotation) in NUMERIC:
            return True
        path = self._path[function]
        calls = [
            call
            for call in self._calls[function.name]
            if not isinstance(call.func, ast.Name)
            or path in (self._path[call], self._modules.get((self._path[call], function.name)))
        ]
        given = [argument(call, name, parameters(function)) for call in calls]
        named = {
            **dict(
                zip(reversed(function.args.args), reversed(function.args.defaults), strict=False)
            ),
            **dict(zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)),
        }
        default = next((value for each, value in named.items() if each.arg == name), None)
        values = [value or default for value in given]
        return bool(values) and all(value is not None and self.is_ours(value) for value in values)

    # What is drawn

    def complaints(self, path: str) -> list[str]:
        """Return what of the texts drawn in a module is not ours, a line each."""
        found = []
        for call in (node for node in ast.walk(self.trees[path]) if isinstance(node, ast.Call)):
            for text in texts(call):
                if not self.is_ours(text):
                    found.append((call.lineno, f"{called(call)} draws {ast.unparse(text)}"))
        return [f"{path}:{line}: {complaint}" for line, complaint in sorted(found)]


def called(call: ast.Call) -> str:
    """Return the last part of what is called."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def target(statement: ast.AST) -> ast.expr | None:
    return statement.target if isinstance(statement, ast.AnnAssign) else None


def arguments(function: ast.FunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def parameters(function: ast.FunctionDef) -> list[str]:
    """Return the names of what is given to a function, in order."""
    return [each.arg for each in arguments(function) if each.arg != "self"]


def argument(call: ast.Call, name: str, names: Iterable[str]) -> ast.expr | None:
    """Return what a call gives to one of the parameters of these names; None if nothing."""
    by_name = dict(zip(names, call.args, strict=False))
    by_name |= {each.arg: each.value for each in call.keywords if each.arg}
    return by_name.get(name)


def is_number_format(spec: ast.AST) -> bool:
    """Return whether a format is one of numbers, such as ',' or '.2f', and an error of texts."""
    text = "".join(str(part.value) for part in ast.walk(spec) if isinstance(part, ast.Constant))
    return text.endswith((",", "d", "e", "f", "g", "%"))


def texts(call: ast.Call) -> Iterator[ast.expr]:
    """Yield what Streamlit would read as Markdown, of a call that draws."""
    match call.func:
        case ast.Attribute(value=ast.Name(id="st"), attr=name) if name in WORDS_OF_STREAMLIT:
            names = WORDS_OF_STREAMLIT[name]
        case ast.Attribute(attr=name):
            names = WORDS.get(name, ())
        case _:
            return
    given = {name: argument(call, name, names) for name in (*names, "help", "format_func")}
    if given["format_func"] is not None:
        given["options"] = None  # drawn by what that makes of them
    match given["format_func"]:
        case ast.Attribute(value=ast.Name(id="str") | ast.Constant()):  # a method of texts
            given["options"] = argument(call, "options", names)
            given["format_func"] = None
    if "options" not in names:
        given["format_func"] = None  # of a menu, which reads no Markdown
    for name, text in given.items():
        if text is not None and name not in NOT_MARKDOWN:
            yield text


def sources(*places: str) -> dict[str, str]:
    files = [file for place in places for file in (ROOT / place).rglob("*.py")]
    return {
        file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8")
        for file in sorted(files)
        if "cli" not in file.parts
    }


CODE = Code(sources("neuralscope", "pages"))


@pytest.mark.parametrize("path", sources(*PLACES))
def test_every_text_drawn_is_ours_or_plain(path: str) -> None:
    assert CODE.complaints(path) == []


# The search itself: it must find what it is there to find


def complaints(source: str) -> list[str]:
    return Code({"page.py": source}).complaints("page.py")


@pytest.mark.parametrize(
    "source",
    [
        "st.error(problem)",
        "st.error(str(error), icon=':material/error:')",
        "st.warning(run.message)",
        "st.caption(f'Run {run.name}')",
        "st.caption(f'Run {run.name!r}')",
        "st.caption(f'Run {run.name:>20}')",
        "st.markdown('Run ' + run.name)",
        "st.markdown('Run %s' % run.name)",
        "st.markdown(', '.join(names))",
        "st.title(run.name)",
        "column.metric('Answer', names[0])",
        "column.metric('Answer', '1', delta=run.name)",
        "st.button('Delete', help=f'Deletes {run.name}')",
        "st.image(picture, caption=name)",
        "st.pills('Class', names)",
        "st.segmented_control('Class', options=numbers, format_func=names.get)",
        "st.radio('Class', numbers, format_func=lambda number: names[number])",
        "st.tabs(names)",
        # Nowhere to hide.
        "text = run.name\nst.error(text)",
        "text = 'ours' if x else run.name\nst.error(text)",
        "text = 'ours'\ntext += run.name\nst.error(text)",
        "for text in ('ours', run.name): st.error(text)",
        "for n, name in enumerate(names): st.error(name)",
        "if text := run.name: st.error(text)",
        "def tell(run): return run.name\nst.error(tell(run))",
        "def tell(text): st.error(text)\ntell('ours')\ntell(run.name)",
        "def tell(text=run.name): st.error(text)\ntell()",
        "def tell(text): st.error(text)",
        "def one(): return two() + name\ndef two(): return one()\nst.error(two())\nst.error(one())",
        "class Said:\n text: str\nst.error(Said(run.name).text)",
    ],
)
def test_text_that_is_not_ours_is_found(source: str) -> None:
    assert complaints(source)


@pytest.mark.parametrize(
    "source",
    [
        "st.error('ours', icon=icon)",
        "st.error(plain(error))",
        "st.error(words.plain(problem) + ' Try again.')",
        "st.caption(f'{n:,} of {share:.1f} %, **{words.plain(run.name)}**')",
        "st.markdown(', '.join(f'**{plain(name)}**' for name in names))",
        "WORDS = {'a': 'first'}\nst.caption(WORDS[key])",
        "st.segmented_control('Class', numbers, format_func=lambda number: f'{number:,}')",
        "st.segmented_control('Over', ['epoch', 'step'], format_func=str.capitalize)",
        "st.selectbox('Class', names)",  # a menu shows its options as they are
        "for n, name in enumerate(names): st.error(f'{n}')",
        "def tell(run): return plain(run.name)\nst.error(tell(run))",
        "def tell(text): st.error(text)\ntell('ours')\ntell(text=plain(run.name))",
        "class Said:\n text: str\nst.error(Said(plain(run.name)).text)",
        "class Said:\n epoch: int\ndef tell(said: Said): st.error(f'{said.epoch}')",
        "run_query.title(run)",
    ],
)
def test_text_that_is_ours_passes(source: str) -> None:
    assert complaints(source) == []
