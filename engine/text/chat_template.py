# The Python half of the template engine: jinja2 set up as Hugging Face `transformers` sets it up for chat templates.
# It becomes a string literal of chat_template.cpp at build time. Errors leave as (kind, message), never as tracebacks.
import json
import re
from datetime import datetime

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError
from jinja2.utils import Namespace

# Ends in a space: whether the space survives shows whether the template trims its messages.
CONTINUE_MARK = "@@troupe-continues-here@@ "
REASONING_KEYS = ("reasoning_content", "thinking", "reasoning")
# 64: no template has a use for more, and Python's integers grow without end inside one C call that nothing can interrupt.
EXPONENT_MAX = 64
WHOLE_BITS_MAX = 4096
DICT_NAMES = frozenset(dir(dict))
LOOP_NAMES = frozenset(("first", "index", "index0", "last", "length", "nextitem", "previtem", "revindex", "revindex0"))
PADDING_METHODS = frozenset(("center", "expandtabs", "ljust", "rjust", "zfill"))


class RenderTimeout(BaseException):
    """Set asynchronously by the watchdog. A BaseException: no `except Exception` on the way may keep it."""


class RaisedByTemplate(jinja2.TemplateError):
    """What the template itself said through raise_exception."""


class InputError(Exception):
    pass


class OutputLimit(Exception):
    pass


class GenerationTag(Extension):
    """{% generation %} marks what the assistant wrote; rendering a prompt only needs its body."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_render"), [], [], body).set_lineno(line)

    def _render(self, caller):
        return caller()


class TemplateDict:
    """dict() and dict.fromkeys() without the type behind them."""

    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args):
        return dict.fromkeys(*args)


def check_name(name):
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a namespace attribute may not begin with an underscore: {name!r}")


class TemplateNamespace(Namespace):
    def __init__(*args, **kwargs):  # no named self: a template may write namespace(self=...)
        values = dict(*args[1:], **kwargs)
        for name in values:
            check_name(name)
        Namespace.__init__(args[0], values)

    def __setitem__(self, name, value):
        check_name(name)
        Namespace.__setitem__(self, name, value)


class Environment(ImmutableSandboxedEnvironment):
    # What can fill the memory inside one C call, where the watchdog cannot end it, is bounded here. `~` and repeated doubling go
    # through the interpreter step by step: the time limit ends those. Intercepted operators are not folded at compile time either.
    intercepted_binops = frozenset(("*", "**", "%"))
    output_limit = 0

    def check_width(self, *widths):
        if any(isinstance(width, int) and width > self.output_limit for width in widths):
            raise OutputLimit()

    def check_numbers(self, pattern):
        self.check_width(*(int(digits) for digits in re.findall(r"\d{1,18}", pattern)))

    def check_format(self, pattern):
        if re.search(r"\{[^{}]*\{", pattern):
            raise SecurityError("a width given by an argument is not allowed in a format")
        self.check_numbers(pattern)

    def format_string(self, pattern, *args, **kwargs):  # how str.format is called before jinja2 3.1.5
        self.check_format(pattern)
        return super().format_string(pattern, *args, **kwargs)

    def wrap_str_format(self, value):  # and since, also in distributions that took the change over
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None

        def checked(*args, **kwargs):
            self.check_format(value.__self__)
            return wrapped(*args, **kwargs)

        return checked

    def getattr(self, obj, attribute):
        # Most of what templates read are members of the conversation: as the sandbox finds them, without the failed look for an attribute before.
        if type(obj) is dict and attribute not in DICT_NAMES:
            try:
                return obj[attribute]
            except KeyError:
                return self.undefined(obj=obj, name=attribute)
        if type(obj) is LoopContext and attribute in LOOP_NAMES:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def call_binop(self, context, operator, left, right):
        both_whole = isinstance(left, int) and isinstance(right, int)
        if operator == "**":
            if isinstance(right, (int, float)) and abs(right) > EXPONENT_MAX:
                raise SecurityError(f"an exponent above {EXPONENT_MAX} is not allowed")
            if both_whole and left.bit_length() * right > WHOLE_BITS_MAX:
                raise SecurityError(f"a number of more than {WHOLE_BITS_MAX} bits is not allowed")
        if operator == "*":
            if both_whole and left.bit_length() + right.bit_length() > WHOLE_BITS_MAX:
                raise SecurityError(f"a number of more than {WHOLE_BITS_MAX} bits is not allowed")
            for value, count in ((left, right), (right, left)):
                if isinstance(value, (str, list, tuple)) and isinstance(count, int) and len(value) * count > self.output_limit:
                    raise OutputLimit()
        if operator == "%" and isinstance(left, str):
            if re.search(r"%[-+ #0]*(\*|\d*\.\*)", left):
                raise SecurityError("a width given by an argument is not allowed in a format")
            self.check_numbers(left)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context, __obj, *args, **kwargs):  # no named self: a template may pass any keyword
        if isinstance(getattr(__obj, "__self__", None), str) and getattr(__obj, "__name__", "") in PADDING_METHODS:
            __self.check_width(*args, *kwargs.values())
        return super(Environment, __self).call(__context, __obj, *args, **kwargs)


def bounded(environment, name):
    """The filter `name`, refusing widths beyond the output limit."""
    original = environment.filters[name]

    def checked(value, *args, **kwargs):
        environment.check_width(*args, *kwargs.values())
        return original(value, *args, **kwargs)

    return checked


def raise_exception(message):
    raise RaisedByTemplate(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def strftime_now(pattern):
    return datetime.now().strftime(pattern)


def make_environment(output_limit):
    environment = Environment(trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, loopcontrols])
    environment.output_limit = output_limit
    environment.filters["tojson"] = tojson
    environment.filters["center"] = bounded(environment, "center")
    environment.filters["indent"] = bounded(environment, "indent")
    environment.globals.update(
        raise_exception=raise_exception, strftime_now=strftime_now, dict=TemplateDict(), namespace=TemplateNamespace
    )
    return environment


def line_of(error):
    """The template's line that an exception came from: jinja2 puts frames of the template into the traceback."""
    line = getattr(error, "lineno", None)
    trace = None if line else error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def describe(error):
    if isinstance(error, RaisedByTemplate):
        return error.message or ""
    if isinstance(error, OutputLimit):
        return "the template wrote too much"
    line = line_of(error)
    text = getattr(error, "message", None) or str(error) or type(error).__name__
    return text if line is None else f"{text} (line {line})"


def add_reasoning_names(message):
    found = next((message[key] for key in REASONING_KEYS if message.get(key) is not None), None)
    return message if found is None else {"thinking": found, **message, "reasoning_content": found}


def read_input(text):
    try:
        variables = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the template's input is not JSON: {error}") from None
    if not isinstance(variables, dict):
        raise InputError("the template's input is not a JSON object")
    messages = variables.setdefault("messages", [])
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise InputError("messages is not a list of objects")
    variables["messages"] = [add_reasoning_names(message) for message in messages]
    for name, value in (("tools", None), ("documents", None), ("add_generation_prompt", False)):
        variables.setdefault(name, value)  # defined, though none: templates tell the two apart
    return variables


def mark_final_message(messages):
    """Marks the end of the last message's text in place and returns that text."""
    content = messages[-1].get("content") if messages else None
    if not isinstance(content, str):
        raise InputError("the final message has no text to continue")
    messages[-1]["content"] = content + CONTINUE_MARK
    return content


def cut_at_mark(rendered, content):
    at = rendered.rfind(CONTINUE_MARK.strip())
    if at < 0 or content.strip() not in rendered:
        raise InputError("the template drops the final message, so it cannot be continued")
    kept = rendered[:at]
    return kept if rendered.startswith(CONTINUE_MARK, at) else kept.rstrip()


def encode(text):
    try:
        return text.encode()
    except UnicodeEncodeError:  # surrogates that came in as \ud83d escapes: join pairs, replace lone ones
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def write(template, variables, limit):
    chunks, size = [], 0
    for chunk in template.generate(variables):
        size += len(chunk)  # characters: at most the bytes; the exact check is at the end
        if size > limit:
            raise OutputLimit()
        chunks.append(chunk)
    return "".join(chunks)


class Engine:
    def __init__(self, output_limit):
        self.environment = make_environment(output_limit)
        self.limit = output_limit
        self.templates = {}

    def add(self, name, source):
        try:
            self.templates[name] = self.environment.from_string(source)
        except Exception as error:
            return "template_failed", describe(error)
        return "", str(len(self.templates))

    def render(self, name, text):
        template = self.templates.get(name)
        if template is None:
            return "not_found", f"no template is named {name!r}"
        try:
            variables = read_input(text)
            content = mark_final_message(variables["messages"]) if variables.pop("continue_final_message", False) else None
            rendered = write(template, variables, self.limit)
            text = rendered if content is None else cut_at_mark(rendered, content)
            output = text if text.isascii() else encode(text)  # whoever takes it reads ASCII where it lies
            if len(output) > self.limit:
                raise OutputLimit()
            return "", output
        except InputError as error:
            return "invalid_request", str(error)
        except Exception as error:
            return "template_failed", describe(error)
