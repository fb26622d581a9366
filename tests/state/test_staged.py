"""Staged writes against a plain model: a list of dicts, the newest on top."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from state.staged import Layer, Staged, group_of

GROUPS = (b"", b"g", b"h")
KEYS = st.tuples(st.sampled_from(GROUPS), st.sampled_from([b"1", b"2", b"3"])).map(
    lambda pair: pair[0] + b"\0" + pair[1] if pair[0] else pair[1]
)


class StagedModel(RuleBasedStateMachine):
    """Chunk layers come with rising ends; layers without one come between them."""

    def __init__(self) -> None:
        super().__init__()
        self.staged = Staged()
        self.model: list[tuple[Layer, dict[bytes, bytes | None]]] = []
        self.end = 0

    @rule(offset=st.booleans(), step=st.integers(1, 5))
    def open_a_layer(self, offset: bool, step: int) -> None:
        self.end += step
        self.model.append((self.staged.layer(self.end if offset else None), {}))

    @precondition(lambda self: self.model)
    @rule(key=KEYS, value=st.one_of(st.none(), st.binary(max_size=2)))
    def put_into_the_newest(self, key: bytes, value: bytes | None) -> None:
        layer, writes = self.model[-1]
        self.staged.put(layer, key, value)
        writes[key] = value

    @rule(upto=st.integers(0, 80))
    def make_finished_chunks_durable(self, upto: int) -> None:
        due = self.staged.due(upto)
        assert due == [layer for layer, _ in self.model if layer.end is not None and layer.end < upto]
        for layer in due:
            self.staged.supersede(layer)
            place = next(place for place, (known, _) in enumerate(self.model) if known is layer)
            _, written = self.model.pop(place)
            for _, older in self.model[:place]:
                for key in written:
                    older.pop(key, None)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def abandon_any(self, data: st.DataObject) -> None:
        layer, _ = data.draw(st.sampled_from(self.model))
        self.staged.abandon(layer)
        self.model = [pair for pair in self.model if pair[0] is not layer]

    @invariant()
    def reads_are_those_of_the_model(self) -> None:
        on_top: dict[bytes, bytes | None] = {}
        for _, writes in self.model:
            on_top |= writes
        for group in GROUPS:
            for number in (b"1", b"2", b"3"):
                key = group + b"\0" + number if group else number
                found = self.staged.get(key)
                assert (found is not None) == (key in on_top)
                assert found is None or found[1] == on_top[key]
            if group:
                assert dict(self.staged.group(group)) == {k: v for k, v in on_top.items() if group_of(k) == group}
        assert len(self.staged) == len(self.model)

    @precondition(lambda self: self.model)
    @rule()
    def make_the_oldest_durable(self) -> None:
        layer, _ = self.model.pop(0)
        self.staged.remove(layer)

    @invariant()
    def a_layer_conflicts_when_an_older_one_has_a_key_of_it(self) -> None:
        for place, (layer, writes) in enumerate(self.model):
            assert layer.writes == writes
            older = [key for _, earlier in self.model[:place] for key in earlier]
            assert self.staged.conflicts(layer) == bool(writes.keys() & set(older))


TestStaged = StagedModel.TestCase


@given(st.binary(max_size=10), st.binary(max_size=10).filter(lambda rest: b"\0" not in rest))
def test_the_group_of_a_key_ends_at_its_last_nul(group: bytes, rest: bytes) -> None:
    assert group_of(group + b"\0" + rest) == group
    assert group_of(rest) == b""
