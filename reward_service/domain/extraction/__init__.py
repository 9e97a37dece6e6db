"""Extract the answer of a response, in the notations of models. Linear in the text, nothing is evaluated."""

from reward_service.domain.extraction.boxes import last_boxed
from reward_service.domain.extraction.formats import FORMATS, Extractor, extractor
from reward_service.domain.extraction.turns import Response, first_turn, response_in

__all__ = ["FORMATS", "Extractor", "Response", "extractor", "first_turn", "last_boxed", "response_in"]
