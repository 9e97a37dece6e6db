"""How near two texts are, by a model of sentence-transformers small enough to be made here."""

import asyncio
import importlib.util
from pathlib import Path

import pytest

from reward_service.errors import SettingsError
from reward_service.paraphrasing.model_rewriter import EmbeddingSimilarity

INSTALLED = importlib.util.find_spec("sentence_transformers") is not None


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A folder with a BERT of random weights whose tokens are words; sentence-transformers takes the mean of them."""
    from transformers import BertConfig, BertModel, BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "tom", "has", "apples", "pens", "how", "many", "?"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertModel(BertConfig(vocab_size=len(words), **size)).save_pretrained(tmp_path)
    return str(tmp_path)


@pytest.mark.skipif(not INSTALLED, reason="sentence-transformers is not installed")
def test_a_text_is_as_near_to_itself_as_can_be_and_nearer_than_another(model):
    similarity = EmbeddingSimilarity(model)

    async def nearness(*pair: str) -> float:
        return await similarity.of(*pair)

    same = asyncio.run(nearness("Tom has apples", "tom has apples"))
    other = asyncio.run(nearness("Tom has apples", "How many pens ?"))
    assert same == pytest.approx(1.0, abs=1e-5)
    assert -1 <= other < 0.999


@pytest.mark.skipif(not INSTALLED, reason="sentence-transformers is not installed")
def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="no embedding model can be loaded"):
        EmbeddingSimilarity(str(tmp_path / "nowhere" / "at all"))


@pytest.mark.skipif(INSTALLED, reason="sentence-transformers is installed")
def test_without_the_package_the_message_says_what_to_install():
    with pytest.raises(SettingsError, match="pip install sentence-transformers"):
        EmbeddingSimilarity("any")
