#!/usr/bin/env python3
"""Writes test/text/data/templates/golden.jsonl: our templates rendered by transformers' own apply_chat_template.

Run by a maintainer, anywhere:  python3 -m venv /tmp/golden && /tmp/golden/bin/pip install transformers jinja2
                                /tmp/golden/bin/python scripts/golden/templates.py
Each line: template, input (the JSON text that our engine gets), output or error. Rewrite only on purpose: the test is the file.
"""

import itertools
import json
import pathlib

import jinja2
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "test/text/data/templates"
BUILTIN = ROOT / "configs/models/builtin/chat_template.jinja"


def call(name, arguments, identifier="abcdefghi"):
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


def says(role, content, **more):
    return {"role": role, "content": content, **more}


USER = says("user", "What is in ü.txt?")
THINKS = {"reasoning_content": "\nI should look.\n"}
READ = says("assistant", "", tool_calls=[call("read", {"path": "ü.txt", "lines": [1, -1], "z": None, "a": {"b": 1.50}})])
READ_THINKING = {**READ, **THINKS, "content": "Let me look."}
TWICE = says("assistant", "Both.", tool_calls=[call("read", {}), call("list", {"deep": True}, "jklmnopqr")], **THINKS)
RESULT = says("tool", 'Line "one" <b>&\'\nline two\n', tool_call_id="abcdefghi", name="read")
OTHER = says("tool", "", tool_call_id="jklmnopqr", name="list")

CONVERSATIONS = {
    "one": [USER],
    "system": [says("system", "  You are kind.\n"), USER],
    "turns": [says("system", "S"), USER, says("assistant", " It says hello. \n"), says("user", "Thanks\n\n"), says("assistant", "Bye", **THINKS)],
    "loop": [USER, READ_THINKING, RESULT],
    "two results": [says("system", "S"), USER, TWICE, RESULT, OTHER],
    "after the loop": [USER, READ_THINKING, RESULT, says("assistant", "Two lines.", **THINKS), says("user", "And 世界 🎭?")],
    "inline thoughts": [USER, says("assistant", "<think>\nhm\n</think>\n\nYes."), says("user", "<result>x</result>"), says("assistant", "<think>a</think>b")],
    "two users": [USER, USER],
    "assistant first": [says("assistant", "Hello"), USER],
    "late system": [USER, says("assistant", "ok"), says("system", "Now be brief.")],
    "odd role": [says("critic", "Hm"), USER],
    "short id": [USER, says("assistant", "", tool_calls=[call("f", {}, "x")])],
    "string arguments": [USER, says("assistant", "", tool_calls=[call("f", '{"a":1}')])],
}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "read",
            "description": 'Reads a "file" <b>&',
            "parameters": {
                "type": "object",
                "properties": {
                    "path": {"type": "string"},
                    "lines": {"type": "array", "items": {"type": "integer"}},
                    "mode": {"enum": ["ä", 'q"', None, 2]},
                    "inner": {"type": "object", "properties": {"x": {}}, "required": ["x"]},
                },
                "required": ["path"],
            },
        },
    },
    {"type": "function", "function": {"name": "list", "parameters": {"type": "object", "properties": {}}}},
]
EXTRA = {
    "tools_reasoning": [{}, {"enable_thinking": False}],
    "builtin": [{}, {"enable_thinking": False}],
    "headers_dates": [{"date_string": "26 Jul 2024"}],
    "language": [{}, {"limit": 2}],
}


def cases(name):
    extras = EXTRA.get(name, [{}])
    for title, tools in itertools.product(CONVERSATIONS, (None, TOOLS)):
        yield CONVERSATIONS[title], tools, {"add_generation_prompt": True, **extras[0]}
    for title, prompt, extra in itertools.product(("turns", "after the loop"), (True, False), extras):
        yield CONVERSATIONS[title], TOOLS[1:], {"add_generation_prompt": prompt, **extra}
    for title in ("turns", "assistant first", "inline thoughts"):
        messages = CONVERSATIONS[title] if title != "assistant first" else CONVERSATIONS["turns"][:3]
        for ending in (messages[-1]["content"], "Open  ", "\n", ""):
            final = {**messages[-1], "content": ending}
            yield [*messages[:-1], final], None, {"add_generation_prompt": False, "continue_final_message": True, **extras[0]}


def render(tokenizer, messages, tools, arguments):
    line = {"input": json.dumps({**tokenizer.special_tokens_map, "messages": messages, **({"tools": tools} if tools else {}), **arguments}, ensure_ascii=False)}
    try:
        line["output"] = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, **arguments)
    except jinja2.exceptions.TemplateSyntaxError:
        raise
    except (jinja2.exceptions.TemplateError, TypeError, ValueError) as error:
        line["error"] = "" if arguments.get("continue_final_message") else str(error)
    return line


def main():
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), bos_token="<s>", eos_token="</s>")
    templates = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.jinja"))}
    templates["builtin"] = BUILTIN.read_text()
    with open(FOLDER / "golden.jsonl", "w") as out:
        for name, source in templates.items():
            tokenizer.chat_template = source
            for case in cases(name):
                out.write(json.dumps({"template": name, **render(tokenizer, *case)}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
