"""The answer behind `####`, as the solutions of GSM8K end."""

from reward_service.domain.extraction.content import MAX_ANSWER_CHARS, answer_in, bare

_MARK = "####"
_CLOSING = "# \t\r"  # a heading may be closed with the marks that opened it


def last_hashed(response: str) -> str | None:
    """What follows the last `####` of the last line that has one with something behind it; None where there is none.

    Bold marks, a closing period and math delimiters go; what is longer than MAX_ANSWER_CHARS is no answer. Linear in
    the response, from its end: every line is looked at once.
    """
    end = len(response)
    while (mark := response.rfind(_MARK, 0, end)) >= 0:
        begins = response.rfind("\n", 0, mark) + 1
        ends = response.find("\n", mark, end)
        line = response[begins : end if ends < 0 else ends].rstrip(_CLOSING)
        _, found, content = line.rpartition(_MARK)
        if found and content.strip():
            return None if len(content) > MAX_ANSWER_CHARS else answer_in(bare(content))
        end = max(0, begins - 1)
    return None
