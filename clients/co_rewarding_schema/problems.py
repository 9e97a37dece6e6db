"""Define the kinds of problems that the service answers with (RFC 9457): name, HTTP status and meaning."""

from enum import StrEnum

PROBLEM_TYPE = "urn:co-rewarding:problem:"
"""A problem's `type` is this prefix and its kind."""


class ProblemKind(StrEnum):
    """A kind of problem: a stable name for programs, the status of the answer, and what has happened."""

    status: int
    meaning: str

    def __new__(cls, name: str, status: int, meaning: str) -> "ProblemKind":
        """Make a member, which is its name as text."""
        kind = str.__new__(cls, name)
        kind._value_ = name
        kind.status = status
        kind.meaning = meaning
        return kind

    CHUNKING = "chunking", 400, "a chunked body whose chunks are almost empty"
    CUT = "cut", 400, "a body that is shorter than announced"
    MALFORMED = "malformed", 400, "bytes that are no HTTP request"
    NOT_JSON = "not-json", 400, "a body that is no JSON in UTF-8"
    REFUSED = "refused", 400, "a request that the web framework refused"
    NO_KEY = "no-key", 401, "no API key"
    NO_SCOPE = "no-scope", 403, "an API key without the scope that the route needs"
    OTHER_RUN = "other-run", 403, "a run that is none of those that the API key is for"
    WRONG_KEY = "wrong-key", 403, "an API key that is not one of the service's"
    NO_SUCH_ROUTE = "no-such-route", 404, "a path that the service does not have"
    UNKNOWN_COHORT = "unknown-cohort", 404, "a cohort that never was, or is kept no longer"
    UNKNOWN_JOB = "unknown-job", 404, "a paraphrase job that never was, or is kept no longer"
    UNKNOWN_PAIR = "unknown-pair", 404, "a pair of which nothing was seen"
    UNKNOWN_RUN = "unknown-run", 404, "a run that was not made"
    UNKNOWN_TICKET = "unknown-ticket", 404, "a ticket that was never given, or is kept no longer"
    UNKNOWN_UPLOAD = "unknown-upload", 404, "an upload that never was, or has expired"
    WRONG_METHOD = "wrong-method", 405, "an HTTP method that the path does not take"
    SLOW = "slow", 408, "a head or body that comes too slowly"
    BALLOT_CONFLICT = "ballot-conflict", 409, "a rollout that was sent before with another answer"
    GROUP_FULL = "group-full", 409, "more rollouts than the group has"
    JOB_ENDED = "job-ended", 409, "a change to a job that has ended"
    KEY_REUSED = "key-reused", 409, "an Idempotency-Key that came with another body before"
    NO_PROMPT = "no-prompt", 409, "a teacher must answer the question, and its text (`prompt`) was not sent"
    NO_SUCH_ROLLOUT = "no-such-rollout", 409, "an index beyond the group"
    NOT_DONE = "not-done", 409, "results of a job that is still at work"
    NOT_YOURS = "not-yours", 409, "a teacher's ballot, which the service casts"
    OLD_STEP = "old-step", 409, "weights older than the newest ones"
    RUN_CHANGES = "run-changes", 409, "a run that was changed again and again meanwhile"
    SAME_NAME = "same-name", 409, "two files of one name in an upload"
    TWO_BALLOTS = "two-ballots", 409, "one rollout twice in a request, with different content"
    UNEVEN = "uneven", 409, "lists that must have the same length and have not"
    UPLOAD_BUSY = "upload-busy", 409, "a file that another request is writing"
    WRONG_OFFSET = "wrong-offset", 409, "a piece that does not begin where the file ends"
    NO_LENGTH = "no-length", 411, "a body without its length"
    TEXT_TOO_LONG = "text-too-long", 413, "a text beyond the service's limit"
    TOO_LARGE = "too-large", 413, "a body or upload beyond the service's limit"
    TOO_MANY = "too-many", 413, "more entries than a request may have"
    LONG_URL = "long-url", 414, "a URL beyond the limit"
    COMPRESSED = "compressed", 415, "a compressed body"
    NOT_OCTETS = "not-octets", 415, "a piece of a file that is not sent as application/octet-stream"
    UNKNOWN_MEDIA = "unknown-media", 415, "a media type that the route does not read"
    INVALID = "invalid", 422, "a field that is missing, unknown, or of a wrong type or value"
    INVALID_LABEL = "invalid-label", 422, "a label that the service cannot read"
    NO_EVIDENCE = "no-evidence", 422, "a rollout without the evidence by which the method weighs its ballot"
    NO_IDENTITY = "no-identity", 422, "a rollout of a part without index or key, which would vote twice when sent twice"
    NO_PEERS = "no-peers", 422, "a method by which other runs vote, in a run that names no peers"
    NO_QUESTION = "no-question", 422, "a rollout that names no question"
    QUESTIONS = "questions", 422, "a file of questions that cannot be read"
    SAME_ID = "same-id", 422, "two questions of one id in a job"
    UNKNOWN_METHOD = "unknown-method", 422, "a method that is not in the table"
    WEIGHTS = "weights", 422, "weights that cannot be taken"
    FULL = "full", 429, "too much waits; Retry-After says when to come again"
    OVER_QUOTA = "over-quota", 429, "a quota of the API key or the run is used up; Retry-After says when to come again"
    PIPELINED = "pipelined", 429, "too many requests at once on one connection"
    LARGE_HEADERS = "large-headers", 431, "a head beyond the limit"
    INTERNAL = "internal", 500, "a fault of the service, which is logged there"
    NO_DATASETS = "no-datasets", 501, "a data set, where the library that reads data sets is not installed"
    NO_PARAPHRASE_ROOT = "no-paraphrase-root", 501, "a file, where the service has no folder for such files"
    NO_WEIGHTS_ROOT = "no-weights-root", 501, "weights, where the service has no folder for weights"
    HUB = "hub", 502, "a data set that the hub does not give"
    UNAVAILABLE = "unavailable", 503, "something that the service needs is away; Retry-After says when to come again"
    NOT_IN_TIME = "not-in-time", 504, "the work was not finished while the request waited; it goes on"
    NO_ROOM = "no-room", 507, "a disk without room for an upload"
