"""Write the request for paraphrases."""

from collections.abc import Mapping, Sequence
from typing import Any

from co_rewarding_client.arguments import check_listed, check_mapping
from co_rewarding_client.encoding import HttpRequest, encoded
from co_rewarding_client.errors import invalid
from co_rewarding_client.model import Question


def paraphrases_request(
    run: str,
    questions: Sequence[Question | str],
    ground_truths: Mapping[str, str] | None,
    recipe: Mapping[str, Any] | None,
    wait_s: float,
) -> HttpRequest:
    """POST /v1/paraphrases. Raises InvalidRequest for a question that is not told as its bare text."""
    check_listed("questions", questions, Question, str)
    check_mapping("ground_truths", ground_truths, "texts by question_id")
    check_mapping("recipe", recipe, "the fields of POST /v1/paraphrases")
    ground_truths, recipe = ground_truths or {}, recipe or {}
    items: list[dict[str, Any]] = []
    for at, each in enumerate(questions):
        question = Question(question_id=str(at), question=each) if isinstance(each, str) else each
        if question.question is None:
            raise invalid(f"questions[{at}] is told as a prompt or messages; what is rewritten is the bare question")
        truth = ground_truths.get(question.question_id)
        item = {"question_id": question.question_id, "question": question.question, "ground_truth": truth}
        items.append({name: value for name, value in item.items() if value is not None})
    body = encoded({**recipe, "run": run, "questions": items, "wait_s": wait_s})
    return HttpRequest("POST", "/v1/paraphrases", {"content-type": "application/json"}, body, wait_s)
