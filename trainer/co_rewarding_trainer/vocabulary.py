"""The words of the tiny task as a Hugging Face tokenizer: one token a word, one for each half of the box."""

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from co_rewarding_trainer.task import WORDINGS

PAD = "<pad>"
UNKNOWN = "<unk>"
BOX = "\\boxed{"
# The brace that closes the box is the end token: a response that never ends holds no complete box and casts no vote.
END = "}"

TOLD = tuple(word for wording in WORDINGS for word in (wording.opening, *wording.operators, *wording.digits))
# Every token of the task, in the order of their ids; a word that two wordings share is one token.
WORDS = tuple(dict.fromkeys((PAD, UNKNOWN, END, BOX, "=", *TOLD)))
PAD_ID = WORDS.index(PAD)
END_ID = WORDS.index(END)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer whose decoding is the text again: `8 0 2 \\boxed{2}`, with no spaces inside the box."""
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\\boxed\{|\}"), "isolated"), pre_tokenizers.WhitespaceSplit()]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.WordPiece(cleanup=False),
            decoders.Fuse(),
            decoders.Replace(f"{BOX} ", BOX),
            decoders.Replace(f" {END}", END),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=END,
        clean_up_tokenization_spaces=False,
    )
