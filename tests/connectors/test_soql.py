import re
from urllib.parse import parse_qs

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.salesforce import soql


@given(st.text())
def test_a_quoted_text_cannot_end_early(text: str):
    inner = soql.quoted(text)[1:-1]
    assert re.search(r"(?<!\\)(?:\\\\)*'", inner) is None
    assert not re.search(r"(?<!\\)(?:\\\\)*\\$", inner)
    assert "\n" not in inner


def test_quotes_and_backslashes_are_escaped():
    assert soql.quoted("O'Hara\\\n") == r"'O\'Hara\\\n'"


@given(st.text())
def test_any_text_arrives_as_it_was(text: str):
    address = str(httpx.URL(f"http://org.example/query?q={soql.encoded(text)}&more=1"))
    assert parse_qs(address.partition("?")[2], keep_blank_values=True) == {"q": [text], "more": ["1"]}


@pytest.mark.parametrize("bad", ["", "a b", "Id FROM Contact", "1a", "a.", "a--", "é"])
def test_what_is_no_name_is_refused(bad: str):
    with pytest.raises(ValueError, match="not the name"):
        soql.name(bad)


@given(st.lists(st.text(max_size=30), max_size=60), st.integers(200, 900))
def test_lists_are_cut_to_the_limit_and_lose_nothing(values: list[str], most: int):
    queries = list(soql.in_lists("SELECT Id FROM Contact", "VP_Id__c", values, most))
    found = [text for query in queries for text in re.findall(r"'(?:[^'\\]|\\.)*'", query)]
    assert found == [soql.quoted(value) for value in dict.fromkeys(values)]
    for query in queries:
        assert len(soql.encoded(query)) <= most or query.count("',") == 0
