"""What is evidence of a broker's death, and what isn't (O1, O2)."""

from __future__ import annotations

from barnabas.core.controller.death_watch import ANSWERED, REFUSED, UNCLEAR, DeathWatch

HERE = ("broker-2", 9092)
ELSEWHERE = ("broker-2", 9093)


def known() -> DeathWatch:
    watch = DeathWatch()
    watch.looked(2, HERE, ANSWERED)
    return watch


def verdict(watch: DeathWatch, *found: str) -> int | None:
    """Feeds looks until one has a verdict, or no more are wanted."""
    for one in found:
        look, epoch = watch.looked(2, HERE, one)
        if epoch is not None or look is None:
            return epoch
    return None


def test_two_refusals_in_a_row_are_death() -> None:
    watch = known()
    look = watch.lost(2, 7, HERE)
    assert look is not None
    assert (look.broker_id, look.address, look.delay_ms) == (2, HERE, 0)
    following, epoch = watch.looked(2, HERE, REFUSED)
    assert epoch is None
    assert following is not None
    assert 0 < following.delay_ms <= 100
    assert watch.looked(2, HERE, REFUSED) == (None, 7)


def test_a_dying_process_may_answer_for_a_moment() -> None:
    watch = known()
    watch.lost(2, 7, HERE)
    assert verdict(watch, UNCLEAR, ANSWERED, REFUSED, REFUSED) == 7


def test_refusals_must_follow_one_another() -> None:
    watch = known()
    watch.lost(2, 7, HERE)
    assert verdict(watch, REFUSED, ANSWERED, REFUSED, UNCLEAR, REFUSED, ANSWERED, REFUSED) is None


def test_neither_time_outs_nor_answers_are_death() -> None:
    for found in (UNCLEAR, ANSWERED):
        watch = known()
        watch.lost(2, 7, HERE)
        assert verdict(watch, *[found] * 20) is None
        assert watch.lost(2, 7, HERE) is not None, "the next lost connection is looked into anew"


def test_an_address_that_never_answered_tells_nothing() -> None:
    watch = DeathWatch()
    assert watch.lost(2, 7, HERE) is None
    watch.looked(2, HERE, REFUSED)
    assert watch.lost(2, 7, HERE) is None
    watch.looked(2, HERE, ANSWERED)
    assert watch.lost(2, 7, ELSEWHERE) is None, "it moved: a proxy may stand there"


def test_a_heartbeat_ends_the_suspicion() -> None:
    watch = known()
    watch.lost(2, 7, HERE)
    watch.looked(2, HERE, REFUSED)
    watch.heard(2, 7)
    assert watch.looked(2, HERE, REFUSED) == (None, None)


def test_a_broker_that_flaps_is_left_to_its_session() -> None:
    watch = known()
    for _ in range(2):
        assert watch.lost(2, 7, HERE) is not None
        assert verdict(watch, REFUSED, REFUSED) == 7
        watch.heard(2, 7)  # it wasn't dead
    assert watch.lost(2, 7, HERE) is None


def test_one_that_comes_back_as_a_new_process_was_dead() -> None:
    watch = known()
    for epoch in (7, 20, 31, 45):
        assert watch.lost(2, epoch, HERE) is not None
        assert verdict(watch, REFUSED, REFUSED) == epoch
        watch.heard(2, epoch + 5)


def test_a_new_active_controller_begins_without_suspicions_but_knows_the_listeners() -> None:
    watch = known()
    watch.lost(2, 7, HERE)
    watch.activate()
    assert watch.looked(2, HERE, REFUSED) == (None, None)
    assert watch.is_known(2, HERE)
    assert watch.lost(2, 7, HERE) is not None
