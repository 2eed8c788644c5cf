"""Standing still, by a clock that only this process knows."""

from heygemd.spool.settle import Settler

OLD, NEW = ((("a.mp4", (1, 10, 0, 0, 8)),), (("a.mp4", (1, 11, 0, 0, 8)),))


def looks(settler, *steps):
    """What each (signature, now_s) brings."""
    return [settler.settled({"job": signature}, now_s) for signature, now_s in steps]


def test_a_change_starts_the_wait_again():
    settler = Settler(settle_s=10)

    assert looks(settler, (OLD, 0), (OLD, 5), (NEW, 9), (NEW, 14)) == [[], [], [], []]
    assert looks(settler, (NEW, 19)) == [["job"]]


def test_a_long_pause_between_two_looks_is_not_enough():
    assert looks(Settler(settle_s=10), (OLD, 0), (OLD, 100)) == [[], []]


def test_three_quick_looks_are_not_enough():
    assert looks(Settler(settle_s=10), (OLD, 0), (OLD, 1), (OLD, 2)) == [[], [], []]


def test_a_time_stamp_set_back_is_a_change_like_any_other():
    ancient = (("a.mp4", (1, 10, -(10**18), 0, 8)),)
    settler = Settler(settle_s=10)

    assert looks(settler, (OLD, 0), (OLD, 5), (ancient, 10), (ancient, 15), (OLD, 20)) == [[]] * 5


def test_a_folder_that_went_and_came_back_waits_again():
    settler = Settler(settle_s=10)
    looks(settler, (OLD, 0), (OLD, 5))
    settler.settled({}, 8)

    assert looks(settler, (OLD, 10), (OLD, 12)) == [[], []]


def test_no_wait_at_all_trusts_the_first_look():
    assert looks(Settler(settle_s=0), (OLD, 0)) == [["job"]]
