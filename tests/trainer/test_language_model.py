"""A language model is taught a task: its own tokenizer, its own precision, and the brace that ends a response."""

from collections.abc import Callable
from pathlib import Path

import pytest

for needed in ("torch", "transformers"):
    pytest.importorskip(needed, reason=f"a language model needs {needed}: pip install 'co-rewarding[local]'")

import torch  # noqa: E402
from co_rewarding_trainer.experiment.suite import read_suite  # noqa: E402
from co_rewarding_trainer.loop import LoopConfig, evaluate  # noqa: E402
from co_rewarding_trainer.policy import END, Policy, UnfitModelError, load_base, load_policy  # noqa: E402
from co_rewarding_trainer.sampling import response_logprobs, sample  # noqa: E402
from co_rewarding_trainer.task import boxed_answer, draw_problems  # noqa: E402
from co_rewarding_trainer.training_runs import ForeignStartError, TrainingPlace, train_run  # noqa: E402
from co_rewarding_trainer.warm_start import NoBaseError, WarmStartConfig, checkpoint, teach  # noqa: E402
from co_rewarding_trainer.word_problems import WORD_PROBLEMS  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast  # noqa: E402

PROMPTS = [problem.prompt("original") for problem in draw_problems(WORD_PROBLEMS, 6, "prompts")]


def small_model(folder: Path, without: str = "") -> str:
    """A chat model of two layers in bfloat16, whose tokenizer has merged bytes as that of SmolLM2 has."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = [letter for letter in pre_tokenizers.ByteLevel.alphabet() if letter != without]
    texts = [told for told in PROMPTS if without not in told or not without]
    tokenizer.train_from_iterator(
        [*texts, "" if without else "8+5=13 13-2=11 \\boxed{11}"],
        trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer.get_vocab()),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=2,
        )
    ).to(torch.bfloat16).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.set_num_threads(1)
    return small_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def taught(base: str) -> Policy:
    return teach(WarmStartConfig(task="word-problems", base=base, steps=2))


def test_a_base_computes_in_the_precision_that_it_is_stored_in_and_learns_in_float32(base: str) -> None:
    policy = load_base(base)
    assert policy.stored_dtype == torch.bfloat16
    assert {weight.dtype for weight in policy.model.parameters()} == {torch.float32}
    prompts = policy.tokenizer(PROMPTS[:1], return_tensors="pt")["input_ids"]
    with policy.computing():
        assert policy.model(prompts).logits.dtype == torch.bfloat16


def test_the_brace_of_the_box_ends_a_response(base: str) -> None:
    policy = load_base(base)
    assert policy.tokenizer.convert_ids_to_tokens(policy.end_id) == END
    assert policy.tokenizer.decode([policy.end_id]) == "}"
    assert policy.pad_id == 2


def test_sampled_logprobs_are_those_of_the_model_reading_its_response(taught: Policy) -> None:
    rollouts = sample(taught, PROMPTS, 4, 1.0, torch.Generator().manual_seed(0), 12)
    with torch.no_grad():
        read_BT = response_logprobs(taught, rollouts.tokens_BL, rollouts.mask_BT.shape[1])
    difference_BT = (read_BT - rollouts.logprobs_BT).abs() * rollouts.mask_BT
    assert difference_BT.max() < 0.1, "bfloat16 has 8 bits, and the cache adds in another order"
    assert difference_BT.sum() / rollouts.mask_BT.sum() < 0.02


def test_a_taught_model_is_stored_as_it_came_and_loads_again(taught: Policy, tmp_path: Path) -> None:
    taught.save(tmp_path)
    assert {tensor.dtype for tensor in load_file(tmp_path / "model.safetensors").values()} == {torch.bfloat16}
    assert {weight.dtype for weight in taught.model.parameters()} == {torch.float32}, "the training goes on"
    again = load_policy(tmp_path)
    assert (again.stored_dtype, again.end_id, again.pad_id) == (torch.bfloat16, taught.end_id, taught.pad_id)


def test_teaching_makes_the_worked_response_likelier(base: str) -> None:
    losses: list[float] = []
    for steps in (1, 30):
        policy = teach(WarmStartConfig(task="word-problems", base=base, steps=steps))
        told = PROMPTS[0]
        text = "8+5=13 13-2=11 \\boxed{11}"
        tokens_BL = policy.tokenizer([told + text], return_tensors="pt")["input_ids"]
        length = len(policy.tokenizer(text, add_special_tokens=False)["input_ids"])
        with torch.no_grad():
            losses.append(-response_logprobs(policy, tokens_BL, length).mean().item())
    assert losses[1] < losses[0] - 0.05


def test_a_response_ends_with_its_box(taught: Policy) -> None:
    rollouts = sample(taught, PROMPTS, 8, 1.0, torch.Generator().manual_seed(1), 48)
    ended = [text for text in rollouts.texts if text.endswith("}")]
    assert all(text.count("}") == 1 for text in ended)
    assert all("<|" not in text for text in ended), "special tokens and padding are not part of a text"
    assert [boxed_answer(text) for text in ("8+5=13 \\boxed{13}", "3-5=-2 \\boxed{-2}")] == ["13", "-2"]


def test_it_is_evaluated_on_problems_held_out(taught: Policy) -> None:
    assert 0 <= evaluate(taught, LoopConfig(task="word-problems", evaluation_problems=4)) <= 1


def test_a_base_that_cannot_be_a_policy_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UnfitModelError, match=r"nothing/here is no folder of a language model"):
        load_base("nothing/here")
    with pytest.raises(UnfitModelError, match=r"has no token for '}'"):
        load_base(small_model(tmp_path / "braceless", without="}"))


def test_the_task_needs_a_base(tmp_path: Path) -> None:
    with pytest.raises(NoBaseError, match=r"word-problems is taught to a language model"):
        checkpoint(WarmStartConfig(task="word-problems"), tmp_path / "kept")
    assert not list(tmp_path.iterdir())


def test_a_policy_of_another_task_is_not_trained_on_word_problems() -> None:
    place = TrainingPlace("http://127.0.0.1:9", None, checkpoint(WarmStartConfig(), Path()), None)
    with pytest.raises(ForeignStartError, match=r"no policy of the task word-problems"):
        train_run("run", "format", place, LoopConfig(task="word-problems"), lambda *_: None, lambda *_: None)


@pytest.mark.parametrize("named", [lambda folder: str(folder), lambda folder: folder.name])
def test_a_suite_names_a_base_by_its_folder_or_at_the_hub(tmp_path: Path, named: Callable[[Path], str]) -> None:
    (tmp_path / "base").mkdir()
    suite = tmp_path / "suite.toml"
    written = 'task = "word-problems"\nmethods = ["majority-voting"]\nlearning_rates = [1e-5]\nseeds = [0]\n'
    suite.write_text(f"{written}[starts.small]\nbase = '{named(tmp_path / 'base')}'\n[starts.far]\nbase = 'who/what'\n")
    starts = read_suite(str(suite)).starts
    assert starts["small"].base == str(tmp_path / "base")
    assert starts["far"].base == "who/what"
