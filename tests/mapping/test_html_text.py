"""What a reader sees of a piece of HTML: each rule, and both implementations on the same odd texts."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mapping import compared_html, html_text
from mapping.comparators import compile_comparison
from mapping.compared_html import html_text as compared
from mapping.html_text import plain_text
from mapping.plan import MappingRejected, Repair, compile_plan
from tests.mapping.stored import parent_of
from tests.mapping.test_comparators import ODD, agree, map_of
from tests.mapping.test_plan import column, made


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>Patient <b>improved</b>.<br>Review in\n 4 weeks.</p>", "Patient improved.\nReview in 4 weeks."),
        ("<div>a</div><div><p>b</p></div>c", "a\nb\nc"),
        ("a<br><br/>b", "a\n\nb"),
        ("<p>&nbsp;</p><p>a&nbsp;b</p>", "a b"),
        ("<ul>\n <li>Exercises</li>\n <li><p>Ice</p></li><li></li><li>Rest\n</ul>", "- Exercises\n- Ice\n- Rest"),
        ("<table><tr><th>K<th>Na</tr><tr><td><p>4.1</p></td><td></td><td>x</td></tr></table>z", "K | Na\n4.1 | | x\nz"),
        ("<pre>K    4.1\n Na 140</pre>", "K    4.1\n Na 140"),
        ("WBC 7.1 &times; 10<sup>9</sup>/L, H<sub>2</sub>O", "WBC 7.1 × 10^9/L, H2O"),
        ("<s>Penicillin</s> <del>5 mg</del>", "[struck out: Penicillin] [struck out: 5 mg]"),
        ('<a href="https://a.example/?b=1&amp;c">here</a>', "here (https://a.example/?b=1&c)"),
        ('<a href="mailto:a@b.co">a@b.co</a> <a href="#x">up</a>', "a@b.co up"),
        ('<input type="checkbox" checked> smokes <input type=checkbox> drinks', "[x] smokes [ ] drinks"),
        ('<!-- x > --><style>p {a: "<b>"}</style><SCRIPT>1 < 2</SCRIPT ><?xml a?><!DOCTYPE html><p>a', "a"),
        ('<p class="MsoNormal" style=\'x: "y"\'>a<o:p></o:p></p>', "a"),
    ],
)
def test_what_is_on_the_page_is_in_the_text(source: str, text: str):
    assert plain_text(source)[0] == compared(source) == text


@pytest.mark.parametrize(
    "source",
    [
        "BP <120 and >60",
        "a < b",
        "<normal>",
        "if a<b and c>d",
        "R&D, AT&T; &unknown; &copy",
        "a\n  b",
        "<!-- no end",
        "<b",
        "<p x",
    ],
)
def test_what_is_not_certainly_markup_stays(source: str):
    assert plain_text(source)[0] == compared(source) == source


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<img src='data:image/png;base64,AAAA' alt=Burn>", "[image: Burn]"),
        ('<p>a<img src="/v1/documents/7/content" alt="left  knee"></p>', "a[image: left knee /v1/documents/7/content]"),
        ("<img>", "[image]"),
        (f"<video src='{'x' * 201}'></video>", "[video]"),
    ],
)
def test_what_is_embedded_is_named_and_told(source: str, text: str):
    assert plain_text(source) == (text, ["EMBEDDED_LEFT_OUT"])
    assert compared(source) == text
    assert made("{from: name, as: html}", source).repairs == [Repair("X", "EMBEDDED_LEFT_OUT")]


def test_a_text_of_html_has_the_limits_of_any_text():
    assert column("{from: name, as: html, max: 3}", "<p>&lt;b&gt;</p>") == "<b>"
    with pytest.raises(MappingRejected, match="TEXT_TOO_LONG"):
        column("{from: name, as: html, max: 3}", "<p>abcd</p>")
    assert column("{from: name, as: html, max: 3, too_long: truncate}", "<p>abcd</p>") == "abc"
    assert column("{from: name, as: html}", "<p> </p>") is None
    assert column("{from: name, as: html, default: none}", "<p></p>") == "none"


def test_both_know_the_same_elements():
    assert compared_html._OWN_LINE == html_text._BLOCKS
    assert compared_html._OWN_LINE | compared_html._IN_LINE | compared_html._THINGS.keys() == html_text._KNOWN


TAGS = (
    *("<p>", "</p>", "<br>", "<BR/>", "<li>", "</li>", "<ul>", "<pre>", "</pre>", "<td>", "</td>", "<tr>", "</tr>"),
    *("<table>", "</table>", "<a href='x'>", "<a href=", "</a>", "<img src=", "<img alt='q' src=data:x>", "<s>", "</s>"),
    *("<input type=checkbox checked>", "<input value=' v '>", "<sup>", "<style>", "</style>", "<script x>", "</script >"),
    *("<!--", "-->", "<!doctype", "<?xml", "<![", "]>", "<o:p>", '<foo x="', "<SPAN STYLE = 'a'>", "<div class=x/>", "<b and=1 c>"),
)  # fmt: skip
BITS = (
    *("<", "</", ">", "/", " ", "\n", "\t", "=", '"', "'", "&", ";", "a", "x", "é", "`", "- ", "|", "#", "checked", "\xa0", "\r\n"),
    *("mailto:x", "javascript:", "\x00", "&amp;", "&nbsp;", "&#10;", "&#1;", "&#12;", "&#13;", "&#xD800;", "&lt;", "&NewLine;"),
    *("&Tab;", "&notit;", "&#99999999;"),
)  # fmt: skip
HTML = st.lists(st.sampled_from((*TAGS, *BITS)) | ODD, max_size=14).map("".join)


@given(HTML)
@settings(max_examples=1500, deadline=None)
@example('</s><foo x="<pre>\t<td>&#1;</s>"\n</li><?xmlchecked')
def test_both_see_the_same_on_a_page(source: str):
    agree("thing", map_of("as: html, max: 20, too_long: truncate"), "1", {"name": source}, {})


@given(HTML)
@settings(max_examples=300, deadline=None)
def test_nothing_around_it_makes_a_word_get_lost(source: str):
    never_shown = source.replace("<!--", "").replace("<s", "").replace("<S", "")
    text = column("{from: name, as: html}", f"<p>first</p>{never_shown}</pre></table><p>last</p>")
    assert text.startswith("first")
    assert "last" in text


NAMED = "max: 9, default_by: {from: phone, values: {SMS: Text, ' e  mail ': Mail}}, default: Other"


@pytest.mark.parametrize(
    ("subject", "channel", "sent"),
    [
        ("Hi", "sms", "Hi"),
        (None, "SMS ", "Text"),
        (" ", "e mail", "Mail"),
        ("", "letter", "Other"),
        ("", None, "Other"),
    ],
)
def test_a_text_that_is_missing_is_named_by_another_field(subject: str | None, channel: str | None, sent: str):
    found = made(f"{{from: name, {NAMED}}}", subject, phone=channel)
    assert found.columns["X"] == sent
    assert found.repairs == ([] if sent == "Hi" else [Repair("X", "DEFAULT_USED")])


@given(
    st.none() | st.sampled_from(["", " ", "Hi", "x" * 9, "x" * 10]) | ODD,
    st.none() | st.sampled_from(["sms", "SMS", "E MAIL", " e mail"]) | ODD,
)
@settings(max_examples=300, deadline=None)
def test_both_agree_on_what_stands_for_a_missing_text(subject: Any, channel: Any):
    agree("thing", map_of(NAMED), "1", {"name": subject, "phone": channel}, {})
    agree("thing", map_of(NAMED.removesuffix(", default: Other")), "1", {"name": subject, "phone": channel}, {})


def test_a_name_that_is_another_records_is_a_mismatch():
    document = map_of(NAMED)
    comparison = compile_comparison(document, "thing")
    fields = {"name": None, "phone": "sms"}
    assert compile_plan(document, "thing").map("1", fields, {}, "r").columns["X"] == "Text"
    rules = {}
    for stored in ("Text", "Mail", None):
        row = {"VP_Id__c": "thing:1", "X": stored}
        rules[stored] = [found.rule for found in comparison.compare("1", fields, {}, row, parent_of)]
    assert rules == {"Text": [], "Mail": ["default_by"], None: ["default_by"]}
