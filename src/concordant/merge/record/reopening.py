"""What stood when a question was asked, put back: it stands beside each other again, by one write."""

from __future__ import annotations

from concordant.merge.causality import ASKED, Register, VersionVector, image_name, place_name
from concordant.merge.registers import Change, Path

__all__ = ["stand_anew"]


def stand_anew(change: Change, place: Path, entries: Register) -> VersionVector:
    """Has a register hold entries, in this order, whatever it holds; each keeps its agent, its origin and its base.

    Replicas may know the dots of the entries as gone, and a write has one dot. So each becomes an image of this write:
    its dot is that of the write, for its place and number there.

    Returns:
        The images that are known now.
    """
    made: VersionVector = {}
    where, stamp = place_name(place), change.stamp
    stood = []
    for number, entry in enumerate(entries):
        name = image_name(stamp.replica, f"{where}{number:04}")
        made[name] = stamp.n
        own = entry.stamp
        stood.append(entry._replace(stamp=stamp._replace(replica=name, agent=own.agent, origin=own.origin, act=ASKED)))
    change.set(place, tuple(stood))
    return made
