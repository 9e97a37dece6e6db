r"""Find where the policy's turn begins and ends in a text.

A trainer keeps special tokens in responses, so that `#### 7<|im_end|>` comes where `#### 7` was meant. A query often
went through a tokenizer: it begins with `<s>` or padding, was cut on its left, had its spaces cleaned up, or lost the
special tokens of the chat template. A \boxed{} of the prompt must not be taken for the response's.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

END_TOKENS: Mapping[str, tuple[str, ...]] = {
    "ChatML (Qwen, Yi, InternLM 2, Phi 4, SmolLM, Kimi)": ("<|im_end|>",),
    "GPT-NeoX and GPT-2 (OLMo, Falcon, the base models of Qwen and Yi)": ("<|endoftext|>",),
    "Llama 1 and 2, Mistral, InternLM, Zephyr": ("</s>",),
    "Llama 3": ("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"),
    "Llama 4": ("<|eot|>", "<|eom|>"),
    "Gemma": ("<end_of_turn>", "<eos>", "<turn|>"),
    "DeepSeek": ("<｜end▁of▁sentence｜>", "<|end▁of▁sentence|>", "<|end_of_sentence|>", "<|EOT|>"),
    "Phi 3": ("<|end|>",),
    "gpt-oss (harmony), whose <|end|> ends a message": ("<|return|>", "<|call|>"),
    "InternLM 1": ("<eoa>",),
    "Command R": ("<|END_OF_TURN_TOKEN|>", "<EOS_TOKEN>"),
    "OpenChat": ("<|end_of_turn|>",),
    "Seed-OSS": ("<seed:eos>",),
    "padding": ("<pad>", "<|pad|>", "<PAD>", "<|finetune_right_pad_id|>", "<｜▁pad▁｜>"),
}
"""What ends a turn, by family. Every token begins with `<`: a text without one is not searched."""

OTHERS_TURNS: tuple[str, ...] = (
    r"<\|im_start\|>\s*+(?:user|system|tool|developer)\b",  # not `think` and `answer`, which some policies write
    r"<\|start_header_id\|>\s*+(?:user|system|tool|ipython)\b",
    r"<\|header_start\|>\s*+(?:user|system|tool|ipython)\b",
    r"<start_of_turn>\s*+user\b",
    r"<\|turn>\s*+(?:user|system|tool)\b",
    r"<\|start\|>\s*+(?:user|system|developer|functions)\b",
    r"<\|(?:user|system|observation|User)\|>",
    "<｜User｜>",
    r"<\|(?:USER|SYSTEM)_TOKEN\|>",
)
"""What opens a turn of somebody else, which ends the one before: GLM has no other sign. Regular expressions."""

POLICYS_TURN = re.compile(
    r"<(?:\|(?:im_start\|>\s*+assistant\b|start_header_id\|>\s*+assistant\s*+<\|end_header_id\|>"
    r"|header_start\|>\s*+assistant\s*+<\|header_end\|>|turn>\s*+model\b|start\|>\s*+assistant\b"
    r"|(?:assistant|Assistant|CHATBOT_TOKEN)\|>)|start_of_turn>\s*+model\b|｜Assistant｜>)|\[/INST\]"
)
"""What opens the policy's turn."""

OTHERS_TURN = re.compile("<(?:" + "|".join(pattern[1:] for pattern in OTHERS_TURNS) + r")|\[INST\]")

SPECIAL = re.compile(
    r"<(?:\|[^\s<>|]{1,64}+\|?+>|[a-z_]{1,16}+\|>|｜[^\s<>｜]{1,64}+｜>|/?+s>|</?+SYS>>"
    r"|(?:pad|PAD|bos|eos|unk|eoa|eoh|sop|BOS_TOKEN|EOS_TOKEN|start_of_turn|end_of_turn|seed:[a-z]{3})>)"
    r"|\[(?:/?+INST|gMASK|PAD|BOS|EOS|UNK)\]"
)
"""Anything that looks like a special token, whatever it is for."""


_HARMONY_GOES_ON = r"(?!\s*+<\|start\|>\s*+assistant\b)"
_LITERALS = "|".join(
    re.escape(literal[1:]) + (_HARMONY_GOES_ON if literal == "<|end|>" else "")
    for literals in END_TOKENS.values()
    for literal in literals
)
_SECOND = "".join(sorted({token[1] for tokens in END_TOKENS.values() for token in tokens}))
_END = re.compile(  # `x < 5` is passed over at its second character
    f"<(?=[{_SECOND}])(?:" + "|".join((_LITERALS, *(pattern[1:] for pattern in OTHERS_TURNS))) + ")"
)
_MENTIONED_IN = {'"': '"', "'": "'", "`": "`", "{": "}"}
_STRIKES, _STRUCK = "<s>", "</s>"


def turn_reader(own: Sequence[str] = ()) -> Callable[[str], str]:
    """Return a reader of the policy's turn: the text before the first end token, of the table or of `own`."""
    if not own:
        return first_turn
    one_of = re.compile("|".join(map(re.escape, own)))

    def read(response: str) -> str:
        found = one_of.search(response)
        return first_turn(response if found is None else response[: found.start()])

    return read


def first_turn(response: str) -> str:
    """Return the text before the first token that ends a turn; the response itself where there is none.

    What follows was not asked: padding, a tool's output, or a dialogue that the policy goes on with alone. A token that
    is only mentioned is text: directly between quotes, backticks or braces, and a `</s>` that closes the response's own
    `<s>`. Linear in the response.
    """
    if "<" not in response:
        return response
    struck, since = 0, None
    for token in _END.finditer(response):
        start, end = token.span()
        if start and _MENTIONED_IN.get(response[start - 1]) == response[end : end + 1]:
            continue
        if token[0] == _STRUCK:
            since = _after_bos(response) if since is None else since
            struck += response.count(_STRIKES, since, start)
            since = end
            if struck:
                struck -= 1
                continue
        return response[:start]
    return response


def _after_bos(response: str) -> int:
    """Return where a response begins behind the tokens that open a text."""
    place = len(response) - len(response.lstrip())
    while response.startswith(_STRIKES, place):
        place += len(_STRIKES)
    return place


Fold = Callable[[str], str]

LEAST_PART_CHARS = 16
"""Fewer characters of a prompt than these, white space apart, may stand at the beginning of a response by chance."""
_MOST_PLACES = 64
_SAID_CHARS = 48
_NOT_TEXT = "\ufffd\u2581\u200b\u200c\u200d\u2060\ufeff\u00ad"  # half a character, SentencePiece's space, no width
_STATEMENTS = (  # what says an answer, in each of the formats, with the beginning of the answer
    re.compile(r"\\(?:boxed|fbox)\s*+\{[^}]{0,400}+"),
    re.compile(r"#{4}\s*+\S{1,64}+"),
    re.compile(r'answer"\s*+:\s*+(?:"[^"]{0,400}+|[^\s,}\]"]{1,64}+)'),
    re.compile(
        r"(?:nswer|NSWER)(?:,?\s[^.\n:?=$\\]{1,100}?\s(?=is|are))?[*\s]{0,8}+(?:is|IS|are|[:：])[*:\s]{0,8}+\S{1,64}+"
    ),
    re.compile(r"答案\s*+[应该当就]{0,2}+[是为:：]\s*+[:：]?+\s*+\S{1,64}+"),
    re.compile(r"<answer>[^<]{0,400}+"),
)
_PUNCTUATION = '.,;:!?*$"'
_VISIBLE = re.compile(rf"[^\s{_NOT_TEXT}]")
_OPENING = re.compile(rf"(?:\s++|(?!(?:{OTHERS_TURN.pattern}))(?:{SPECIAL.pattern}))*+")
"""Padding, and what opens a text, but not what opens another's turn."""


@dataclass(frozen=True, slots=True)
class Response:
    """The policy's response, as far as a query tells; `prompt_found` is false where the response is a guess."""

    text: str
    prompt_found: bool = True


def response_in(query: str, prompt: str) -> Response:
    """Return the text behind the prompt in a query, whatever a tokenizer did to either. Linear in both.

    Special tokens, white space and the ways in which Unicode writes one character do not count. The prompt may be cut
    on its left, if at least LEAST_PART_CHARS of it are left, and a template may stand around it. Where it is not found
    for certain, the response is a guess in which no answer of the prompt can be read: what follows a place where it may
    end, or the last header of a policy's turn, and the last statement of an answer that the prompt makes too.
    """
    if query.startswith(prompt) and prompt:
        return Response(query[len(prompt) :])
    if not prompt:
        return Response(_behind_template(query))
    begins = query.find(prompt)
    if begins >= 0 and not _is_more(query[:begins]):  # `<s>` or padding stand before most of those that are no prefix
        return Response(query[begins + len(prompt) :])
    fold = _folding(query + prompt)
    looked_for, looked_in = fold(SPECIAL.sub("", prompt)), fold(SPECIAL.sub("", query))
    begins, ends, certain = _found(looked_for, looked_in)
    if ends is None:
        return Response(_without_statements(query, prompt, fold), prompt_found=False)
    place = _place(query, ends, fold)
    templated = OTHERS_TURN.search(query, 0, place) is not None
    if templated and SPECIAL.search(prompt) is None:  # the template's tokens are the query's alone
        place = _behind_header(query, place)
    else:
        place = _behind_tokens(query, place, SPECIAL.findall(prompt[_place(prompt, len(looked_for), fold) :]))
    return Response(query[place:], prompt_found=certain and (begins == 0 or templated))


def _is_more(text: str) -> bool:
    """Return whether a text is more than padding and opening tokens: words, or another's turn."""
    return bool(SPECIAL.sub("", text).strip()) or OTHERS_TURN.search(text) is not None


def _found(prompt: str, query: str) -> tuple[int, int | None, bool]:
    """Return where the prompt begins and ends in the query, both folded, and whether the end is certain."""
    if prompt and query.startswith(prompt):
        # A prompt that repeats itself, as `####`, may have lost a part on the left that the response begins with.
        repeats = any(prompt.startswith(prompt[shift:]) for shift in range(1, min(LEAST_PART_CHARS, len(prompt))))
        return 0, len(prompt), not repeats
    if len(prompt) < LEAST_PART_CHARS:
        return 0, None, False
    begins = query.find(prompt)
    if begins >= 0:
        return begins, begins + len(prompt), True
    # Cut on the left: a beginning of the query is an end of the prompt. Both end in the same few characters.
    tail = prompt[-LEAST_PART_CHARS:]
    ends: list[int] = []
    at = query.find(tail)
    for _ in range(_MOST_PLACES):
        if at < 0 or at + len(tail) > len(prompt):
            return 0, ends[-1] if ends else None, len(ends) == 1
        if prompt.endswith(query[: at + len(tail)]):
            ends.append(at + len(tail))
        at = query.find(tail, at + 1)
    return 0, None, False


def _folding(text: str) -> Fold:
    """Return a function that folds texts: without white space, by their compatible decomposition.

    Character by character, so that a text's length is the sum of its parts', and marks without number cost no sorting.
    """
    if text.isascii() or (unicodedata.is_normalized("NFKD", text) and not any(char in text for char in _NOT_TEXT)):
        return lambda part: "".join(part.split())
    table = {
        ord(char): "" if char.isspace() or char in _NOT_TEXT else "".join(unicodedata.normalize("NFKD", char).split())
        for char in set(text)
    }
    return lambda part: part.translate(table)


def _place(text: str, count: int, fold: Fold) -> int:
    """Return where in a text the first `count` of its folded characters end."""
    if not count:
        return 0
    begins, ends = 0, len(text)
    for token in SPECIAL.finditer(text):
        length = len(fold(text[begins : token.start()]))
        if length >= count:
            ends = token.start()
            break
        count -= length
        begins = token.end()
    while ends - begins > 1:  # halves: each is folded once more
        half = (begins + ends) // 2
        length = len(fold(text[begins:half]))
        if length >= count:
            ends = half
        else:
            count -= length
            begins = half
    return ends


def _behind_tokens(query: str, place: int, tokens: list[str]) -> int:
    """Return the place behind the tokens that the prompt ends with, some of which may be left out."""
    expected = iter(tokens)
    while (text := _VISIBLE.search(query, place)) is not None:
        token = SPECIAL.match(query, text.start())
        if token is None or token[0] not in expected:  # which goes on behind it
            break
        place = token.end()
    return place


def _behind_header(query: str, place: int) -> int:
    """Return the place behind the header of the policy's turn that follows the prompt or begins within it."""
    return next((header.end() for header in POLICYS_TURN.finditer(query) if header.end() >= place), place)


def _behind_template(query: str) -> str:
    """Return the last policy's turn of a query without a prompt that begins with a template."""
    return _behind_last_header(query) if OTHERS_TURN.match(query, _opening_ends(query)) else query


def _behind_last_header(query: str) -> str:
    place = 0
    for header in POLICYS_TURN.finditer(query):
        place = header.end()
    return query[place:]


def _opening_ends(query: str) -> int:
    opening = _OPENING.match(query)
    return 0 if opening is None else opening.end()


def _without_statements(query: str, prompt: str, fold: Fold) -> str:
    """Return the safest response of a query in which the prompt was not found: none of the prompt's answers."""
    text = _behind_last_header(query)
    place = _opening_ends(text)
    prompts, texts = _blanked(prompt), _blanked(text)
    for statement in _STATEMENTS:
        told = {_said(found[0], fold) for found in statement.finditer(prompts)}
        for found in statement.finditer(texts) if told else ():
            if _said(found[0], fold) in told:
                place = max(place, found.end())
    return text[place:]


def _blanked(text: str) -> str:
    return SPECIAL.sub(lambda token: " " * len(token[0]), text)


def _said(statement: str, fold: Fold) -> str:
    return fold(statement)[:_SAID_CHARS].rstrip(_PUNCTUATION)
