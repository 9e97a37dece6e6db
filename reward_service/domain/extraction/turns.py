"""The tokens that part the turns of a dialogue, of the common families of models, and where a response's turn ends.

Trainers decode with special tokens kept, so that `#### 7<|im_end|>` comes where `#### 7` was meant.
"""

import re
from collections.abc import Callable, Mapping, Sequence

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

MAX_END_TOKENS = 16
MAX_END_TOKEN_CHARS = 64

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
    """How the policy's own turn is read: the text before the first token that ends it, of the table or of `own`."""
    if not own:
        return first_turn
    one_of = re.compile("|".join(map(re.escape, own)))

    def read(response: str) -> str:
        found = one_of.search(response)
        return first_turn(response if found is None else response[: found.start()])

    return read


def first_turn(response: str) -> str:
    """The text before the first token that ends a turn; the response itself where there is none.

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
    """Where a response begins behind the tokens that open a text."""
    place = len(response) - len(response.lstrip())
    while response.startswith(_STRIKES, place):
        place += len(_STRIKES)
    return place
