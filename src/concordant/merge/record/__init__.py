"""The record: the state of one document, and the pure functions on it (apply, join, view, bytes)."""

from concordant.merge.record.apply import Applied, Earlier, Places, Write, apply, begin
from concordant.merge.record.changes import dump_changes, follow, journalled, later_leaf, load_changes, packed
from concordant.merge.record.check import MOST_WRITES, check_record
from concordant.merge.record.codec import CodecError, dump_by_portions, dump_record, load_record
from concordant.merge.record.join import join
from concordant.merge.record.past import Past, PastCommit, past_of
from concordant.merge.record.record import Record
from concordant.merge.record.undo import undone
from concordant.merge.record.view import View, by_path, holds_back, view

__all__ = [
    "MOST_WRITES",
    "Applied",
    "CodecError",
    "Earlier",
    "Past",
    "PastCommit",
    "Places",
    "Record",
    "View",
    "Write",
    "apply",
    "begin",
    "by_path",
    "check_record",
    "dump_by_portions",
    "dump_changes",
    "dump_record",
    "follow",
    "holds_back",
    "join",
    "journalled",
    "later_leaf",
    "load_changes",
    "load_record",
    "packed",
    "past_of",
    "undone",
    "view",
]
