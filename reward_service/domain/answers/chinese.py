"""Spell the Chinese words around numbers as the grammar's own: counters and units, and, or."""

import re
from collections.abc import Mapping
from types import MappingProxyType

_UNITS: Mapping[str, str] = MappingProxyType(
    {
        "毫米": "mm", "厘米": "cm", "分米": "dm", "千米": "km", "公里": "km", "米": "m",
        "平方毫米": "mm^2", "平方厘米": "cm^2", "平方分米": "dm^2", "平方米": "m^2", "平方千米": "km^2",
        "立方厘米": "cm^3", "立方分米": "dm^3", "立方米": "m^3", "毫升": "mL", "升": "L",
        "毫克": "mg", "千克": "kg", "公斤": "kg", "克": "g", "吨": "tonne",
        "小时": "h", "分钟": "min", "秒": "s", "天": "day", "日": "day", "周": "week", "星期": "week", "年": "year",
        "个月": "month", "月": "month", "元": "yuan", "美元": "dollar", "欧元": "euro", "日元": "yen", "度": "degree",
        "米/秒": "m/s", "千米/小时": "km/h", "千米/时": "km/h", "公里/小时": "km/h",
    }
)  # fmt: skip
_COUNTERS = "个人岁次种条块只本张棵枚页件名位台辆头朵支根把组排层道题颗粒袋箱瓶杯盒座间套队场幅匹艘架株筐艘"
_HAN = "\u4e00-\u9fff"
_AND, _OR = (re.compile(rf"(?<![{_HAN}])(?:{words})(?![{_HAN}])") for words in ("和|与|且|以及|并且", "或者?"))
_JOINING = re.compile(r"\\text\s*\{\s*(?:(和|与|且|以及|并且)|或者?)\s*\}")
_DATE = re.compile(r"(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日")
_COUNTED = re.compile(rf"(?<=[\d}}%)])\s*([{_HAN}]+(?:/[{_HAN}]+)?)(?=\s*(?:[,;.]|$))")
_CHANGING = re.compile(r"[万亿千百十半多倍余几成折]|以上|以下|以内|左右|大约|分之")
WORDS = re.compile(rf"[{_HAN}\s,.;:!?]*[{_HAN}][{_HAN}\s,.;:!?]*")


def in_latin(text: str) -> str:
    r"""Return the text with 5个苹果 as 5\text{ 个苹果}, 5米 as 5\text{ m}, and 或 as a word of the grammar."""
    text = _DATE.sub(r"\1-\2-\3", text)
    text = _JOINING.sub(lambda found: r"\text{ and }" if found[1] else r"\text{ or }", text)
    text = _AND.sub(r"\\text{ and }", _OR.sub(r"\\text{ or }", text))
    return _COUNTED.sub(_unit, text)


def _unit(found: re.Match[str]) -> str:
    words = found[1]
    if words in _UNITS:
        return rf"\text{{ {_UNITS[words]}}}"
    if words[0] in _COUNTERS and not _CHANGING.search(words):
        return rf"\text{{ {words}}}"
    return found[0]
