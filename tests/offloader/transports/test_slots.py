"""Slots of shared memory that were lent are free again when nobody has them, or once what they held was read."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from tiercut.offloader.transports.memory import Slots, has_memory

pytestmark = pytest.mark.skipif(not has_memory(), reason="needs memory without a name, as Linux has")

MOST = 1 << 16


def test_room_that_is_not_used_is_free_again() -> None:
    with closing(Slots(MOST, count=1)) as slots:
        room = slots.lend([8, 8])
        assert room is not None
        assert slots.lend([8]) is None
        last = room[1].view(np.float32).reshape(1, 2)  # what a piece writes into is enough to keep it
        del room
        assert slots.lend([8]) is None
        del last
        assert slots.lend([8]) is not None


def test_only_what_is_all_of_a_slot_that_was_lent_is_sent_from_there() -> None:
    with closing(Slots(MOST, count=2)) as slots:
        room = slots.lend([8, 70, 8])
        assert room is not None
        for other in ([], room[1:], room[::-1], [room[0], np.zeros(70, np.uint8), room[2]], [np.zeros(8, np.uint8)]):
            assert slots.lent(other) is None
        slot = slots.lent([each.view(np.uint8) for each in room])
        assert slot is not None
        assert slots.lent(room) is None  # it is under way
        slots.not_sent(slot, room)
        assert slots.lent(room) == slot
        slots.not_sent(slot, room)
        del room, other
        assert slots.lend([8]) is not None
        taken = slots.take([8])
        assert taken is not None
        assert slots.lent(taken[1]) is None
