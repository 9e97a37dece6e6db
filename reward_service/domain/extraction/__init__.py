"""The answer of a response, in the notations that models write it in. Linear in the text, and never an evaluation."""

from reward_service.domain.extraction.boxes import last_boxed
from reward_service.domain.extraction.formats import Extractor, extractor
from reward_service.domain.extraction.turns import Response, first_turn, response_in

__all__ = ["Extractor", "Response", "extractor", "first_turn", "last_boxed", "response_in"]
