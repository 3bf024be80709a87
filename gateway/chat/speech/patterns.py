"""The marks that are not spoken, as patterns that are matched while the text is still coming.

Each is matched with `partial=True`: a match that more text could complete is waited for. So that the chunks that a text
comes in decide nothing, each names the character that ends it, and each is bounded, so that what is waited for is, too.
A NUL stands behind the last character of an answer.
"""

from collections.abc import Mapping

import regex

LONGEST = 600
"""Characters that are waited for at most."""
EMOJI = (
    r"\u20e3\u2190-\u21ff\u231a\u231b\u23e9-\u23fa\u2500-\u25ff\u2600-\u27bf\u2b00-\u2bff\ufe0e\ufe0f"
    r"\U0001f000-\U0001faff\U000e0020-\U000e007f"
)
"""Arrows, box drawings, shapes, dingbats, pictures, and what only chooses their look."""
_ADDRESS = r"(?:https?://|www\.)"
_HOST = r"(?P<host>[!#$%&+,\-./0-9:;=?@A-Z_a-z~\u00c0-\u024f]{1,400}+)."
_TASK = r"[-*+•‣◦][ \t]{1,8}\[[ x]\][ \t]{1,8}(?P<then>[^ \t])"
_BEGINNING = r"(?:h|ht|htt|https?:?|https?:/|w|ww|www)\Z"
SPECIAL = regex.compile(
    rf"[*_~`<\[\](【{{\\\n\r\0\u200d{EMOJI}]|(?<![^\W_])(?:{_ADDRESS}|{_BEGINNING}|!(?:\[|\Z))", regex.IGNORECASE
)
"""Where to look closer in the middle of a line."""
LETTER = regex.compile(r"[^\W_]")
DRAWN = regex.compile(rf"[\u200d{EMOJI}]")

_STAGE = (
    "smiles?|smiling|laugh(?:s|ing)?|sigh(?:s|ing)?|chuckl(?:es?|ing)|grins?|grinning|nod(?:s|ding)?|pauses?|winks?|giggles?|"
    "whispers?|whispering|shrugs?|gasps?|clears throat|gestures?|leans?|takes a breath|beat|"
    "lächelt|lacht|seufzt|schmunzelt|grinst|nickt|pause|zwinkert|räuspert|flüstert|kichert|zuckt|"
    "sonríe|ríe|suspira|pausa|sourit|rit|soupire|sorride|ride|sospira"
)
_SOURCE = "sources?|quellen?|see sources?|siehe quellen?|fuentes?|fonti?|fontes?|bron(?:nen)?|citations?|refs?"
_SOURCE += "|doc(?:ument)?s?"
_NUMBERED = r"\^?\d{1,3}(?:[ ]?[,;\u2013-][ ]?\^?\d{1,3}){0,10}"
_HIDDEN = "think(?:ing)?|thoughts?|reasoning|reflection|analysis|scratchpad|inner_monologue|tool_calls?|function_calls?"
_HIDDEN += "|tool_use|tool_response|tool_result|function_results?|invoke|function|script|style"
_SHOWN = "b|i|u|s|em|strong|br|p|div|span|a|ul|ol|li|h[1-6]|sub|sup|code|pre|table|thead|tbody|tr|td|th|hr|img|small"
_SHOWN += "|mark|del|ins|kbd|blockquote|details|summary|answer|response|final|output"


def _patterns(rows: Mapping[str, str]) -> dict[str, regex.Pattern[str]]:
    return {name: regex.compile(pattern, regex.IGNORECASE | regex.DOTALL) for name, pattern in rows.items()}


LINE: Mapping[str, Mapping[str, regex.Pattern[str]]] = {
    characters: _patterns(rows)
    for characters, rows in {
        "`": {"fence": r"(?P<run>`{3,16})[^`]"},
        "~": {"fence": r"(?P<run>~{3,16})[^~]"},
        "#": {"heading": r"#{1,6}[ \t]{1,8}(?P<then>[^ \t])"},
        ">": {"quote": r">[ \t]{0,8}(?P<then>[^ \t])"},
        "-*_=:": {
            "rule": r"([-*_=])(?:[ \t]{0,3}\1){2,80}[ \t]{0,8}[\n\0]",
            "ruled": r":?-{1,40}:?[ \t]{0,8}\|[ \t:|-]{0,200}[\n\0]",
            "task": _TASK,
            "bullet": r"[-*][ \t]{1,8}(?P<then>[^ \t])",
        },
        "+•‣◦": {"task": _TASK, "bullet": r"[+•‣◦][ \t]{1,8}(?P<then>[^ \t])"},
        "0123456789": {"number": r"(?P<number>\d{1,3})[.)][ \t]{1,8}(?P<then>[^ \t])"},
        "|": {"row": r"\|(?P<row>[^\n\0]{0,500}+)."},
        "!": {"image": r"!(?P<then>\[)"},
        "[": {"defined": r"\[[^\]\n\0]{1,40}\]:[ \t]"},
        "ft": {"tool": r"(?:to=)?functions\.[\w.-]{1,64}:?\d{0,3}[ ]{0,2}(?P<then>[({])"},
    }.items()
}
"""By a line's first character, in order."""

INLINE: Mapping[str, Mapping[str, regex.Pattern[str]]] = {
    character: _patterns(rows)
    for character, rows in {
        "*": {"aside": rf"\*(?:{_STAGE})(?:[ ,][^*\n\0]{{0,40}})?\*", "run": r"(?P<run>\*{1,32}+)(?P<then>.)"},
        "_": {"run": r"(?P<run>_{1,32}+)(?P<then>.)"},
        "~": {"run": r"(?P<run>~{1,32}+)(?P<then>.)"},
        "`": {"run": r"(?P<run>`{1,32}+)(?P<then>.)"},
        "<": {
            "left out": r"<\|[^\n<>]{0,40}\|>",
            "comment": r"<!--",
            "hidden": rf"<(?P<name>{_HIDDEN})(?:[\s=][^<>\n\0]{{0,120}})?>",
            "tag": rf"</?(?:{_SHOWN}|{_HIDDEN})(?:\s[^<>\n\0]{{0,200}})?/?>",
            "address": r"<(?P<then>https?://)",
        },
        "[": {
            "tool": r"\[TOOL_CALLS\]\s{0,4}(?P<then>[\[{])",
            "cited": rf"\[{_NUMBERED}\](?:\([^()\s\0]{{0,300}}\)|(?P<then>[^(]))",
            "left out": rf"\[(?:{_SOURCE})[ :#.\d][^\]\n\0]{{0,120}}\]|\[(?:{_STAGE})(?:[ ,][^\]\n\0]{{0,40}})?\]",
            "json": r"(?P<then>\[)\s{0,8}\{\s{0,8}\"",
            "opened": r"\[",
        },
        "]": {
            "linked": r"\]\((?:[^()\n\0]|\([^()\n\0]{0,60}\)){0,300}\)",
            "referred": r"\]\[[^\]\n\0]{0,40}\]",
            "opened": r"\]",
        },
        "(": {
            "left out": rf"\((?:{_SOURCE})[ :][^()\n\0]{{0,120}}\)|\((?:{_STAGE})(?:[ ,][^()\n\0]{{0,40}})?\)",
        },
        "【": {"left out": r"【[^】\n\0]{0,80}】"},
        "{": {"json": r"(?P<then>\{)\s{0,8}\"[\w -]{1,40}\"\s{0,4}:"},
        "!": {"image": r"!(?P<then>\[)"},
        "\\": {"escaped": r"\\(?P<then>[!-/:-@\[-`{-~])"},
        "h": {"address": rf"https?://{_HOST}"},
        "w": {"address": rf"www\.{_HOST}"},
    }.items()
}
"""By the special character, in order."""
