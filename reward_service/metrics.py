"""List the metrics of the service: counters, gauges, pages and dashboards take their names from here."""

from enum import Enum, StrEnum, unique


class Kind(StrEnum):
    """What a metric is to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@unique
class Metric(Enum):
    """A metric: its kind, what Prometheus tells of it, and the names of its labels."""

    REQUESTS = Kind.COUNTER, "Requests answered, by route and status.", "route", "status"
    REQUEST_SECONDS = Kind.HISTOGRAM, "Time to answer, waiting included.", "route"
    CONNECTIONS_CLOSED = Kind.COUNTER, "Connections that were refused or given up, by reason.", "reason"
    QUOTA_REFUSALS = (
        Kind.COUNTER, "Requests refused for a quota, by the name of the key that asked, and the quota.",
        "key", "quota",
    )  # fmt: skip
    ROLLOUTS = Kind.COUNTER, "Rollouts accepted, by route.", "route"
    PROMPTS_NOT_FOUND = Kind.COUNTER, "Rollouts at /get_reward in whose query the prompt was not found."

    COHORTS_SETTLED = Kind.COUNTER, "Cohorts settled, by how they ended.", "state"
    SETTLE_SECONDS = Kind.HISTOGRAM, "From a job's queueing (a cohort's last ballot) to its settlement."
    COHORTS_EXPIRED = Kind.COUNTER, "Cohorts whose deadline passed before their quorum."
    JOBS_CLAIMED = Kind.COUNTER, "Jobs taken over from a worker that died or was slow."
    JOB_FAILURES = Kind.COUNTER, "Jobs that raised and will be tried again."
    COMPARISONS_UNDECIDED = Kind.COUNTER, "Pairs of answers that were left undecided, in settled cohorts."
    JUDGEMENTS = (
        Kind.COUNTER, "Pairs of answers put to the symbolic judge, by verdict and reason.", "verdict", "reason",
    )  # fmt: skip
    JUDGE_KILLS = Kind.COUNTER, "Children of the symbolic judge that were killed over their limit."
    JUDGE_CPU_SECONDS = Kind.COUNTER, "CPU time that the symbolic judge took."

    ROLLOUTS_REWARDED = Kind.COUNTER, "Rollouts with a reward, by run.", "run"
    ABSTENTIONS = Kind.COUNTER, "Rollouts without a reward, by run and reason.", "run", "reason"
    LABELS = (
        Kind.COUNTER, "Labels elected, by run and whether the ground truth, where known, is the same.", "run", "truth",
    )  # fmt: skip
    LABEL_VOTES = Kind.COUNTER, "Votes for the labels that were elected.", "run"
    LABEL_BALLOTS = Kind.COUNTER, "Ballots of their electorates: votes over ballots is the mean vote share.", "run"
    GROUPS = Kind.COUNTER, "Groups settled: the rollouts of one view of a question, by run.", "run"
    GROUP_ROLLOUTS = Kind.COUNTER, "Rollouts of the groups that were settled.", "run"
    GROUP_ANSWERED = Kind.COUNTER, "Those of them that held an answer.", "run"
    DISTINCT_ANSWERS = Kind.COUNTER, "Different answers in groups: by groups, the mean of a group.", "run"
    LABEL_AGREEMENT = (
        Kind.COUNTER, "Sum, over labels, of the share of the view's own rollouts that gave the label.", "run",
    )  # fmt: skip
    LABELS_ELECTED = Kind.COUNTER, "Labels that ballots elected.", "run"
    VIEW_PAIRS = (
        Kind.COUNTER, "Questions both of whose views were labelled together, by whether the labels are the same.",
        "run", "same",
    )  # fmt: skip
    PAIRS = (
        Kind.COUNTER, "Pairs that came into quarantine (accused) or left it (acquitted), by run.", "run", "verdict",
    )  # fmt: skip

    STORE_UP = Kind.GAUGE, "1 if Redis answers, else 0."
    STORE_CPU_SECONDS = Kind.COUNTER, "CPU time that Redis has used."
    STORE_BYTES = Kind.GAUGE, "Memory that Redis holds."
    STORE_UPTIME_SECONDS = Kind.GAUGE, "For how long Redis has been running."
    WORKERS = Kind.GAUGE, "Worker processes seen lately."
    WORKERS_LOST = Kind.COUNTER, "Worker processes that were seen no more, and had not said that they stop."
    WAITING = (
        Kind.GAUGE, "Cohorts that are open, jobs that are queued, what waits for a teacher or peers.", "run", "what",
    )  # fmt: skip
    PEER_GROUPS_AWAITED = Kind.GAUGE, "Groups of a peer's ballots that the run waits for.", "run", "peer"
    PEER_ABSENT = (
        Kind.GAUGE, "1 for a peer that the run does not wait for until it sends rollouts again.", "run", "peer",
    )  # fmt: skip
    COHORTS = Kind.GAUGE, "Cohorts by state; ended ones count while their run is in use.", "run", "state"
    OLDEST_JOB_SECONDS = Kind.GAUGE, "Age of the job that waits longest to be settled.", "run"
    TOP_ANSWER_SHARE = (
        Kind.GAUGE, "Share of the most frequent answer among all answers of the latest step.", "run",
    )  # fmt: skip

    TEACHER_VERSION = Kind.GAUGE, "Step of the newest weights in the teacher's average.", "run"
    TEACHER_LAG_STEPS = (
        Kind.GAUGE, "Steps between the teacher and the newest weights that were announced.", "run",
    )  # fmt: skip
    TEACHER_LABELS = Kind.GAUGE, "Labels that are asked for, and those that a teacher is making.", "run", "what"
    TEACHERS = (
        Kind.GAUGE, "Teacher processes seen in the last 10 s, by what they wait for.", "run", "waiting_for",
    )  # fmt: skip
    TEACHERS_LOST = (
        Kind.COUNTER, "Teacher processes that were seen no more, and had not said that they stop.", "run",
    )  # fmt: skip

    PARAPHRASERS = Kind.GAUGE, "Paraphraser processes that work on jobs."
    PARAPHRASE_JOBS = Kind.GAUGE, "Jobs that are unfinished, by state.", "state"
    PARAPHRASE_QUESTIONS = Kind.GAUGE, "Questions that wait, and those in hand.", "what"
    PARAPHRASE_OLDEST_JOB_SECONDS = Kind.GAUGE, "Age of the oldest running job."
    PARAPHRASES = Kind.COUNTER, "Questions by what became of them.", "fate"
    PARAPHRASE_CANDIDATES = Kind.COUNTER, "Candidates by prompt.", "prompt", "verdict"
    PARAPHRASE_REJECTIONS = Kind.COUNTER, "Candidates by the check that rejects.", "check"

    PROCESSES = Kind.GAUGE, "Living processes, by role.", "role"
    PROCESS_RESTARTS = Kind.COUNTER, "Processes started in place of one that died, by role.", "role"
    PROCESS_START_TIME_SECONDS = Kind.GAUGE, "When a process of the role was started last, in Unix time.", "role"
    PROCESS_CPU_SECONDS = Kind.COUNTER, "CPU time of all processes.", "role"
    PROCESS_RESIDENT_BYTES = Kind.GAUGE, "Their resident memory.", "role"

    def __init__(self, kind: Kind, help: str, *labels: str) -> None:  # noqa: A002 - Prometheus's own word
        """Name the metric after the member."""
        self.kind = kind
        self.help = help
        self.labels = labels

    @property
    def family(self) -> str:
        """The name of its family, as prometheus_client takes it."""
        return f"co_rewarding_{self.name.lower()}"

    @property
    def series(self) -> str:
        """The name by which Prometheus is asked; of a histogram, that of its buckets."""
        return f"{self.family}{_SUFFIXES[self.kind]}"


_SUFFIXES = {Kind.COUNTER: "_total", Kind.GAUGE: "", Kind.HISTOGRAM: "_bucket"}
