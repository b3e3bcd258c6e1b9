"""Ways to share documents among agents, one file each."""

from concordant.bench.strategies.last_write_wins import LastWriteWins
from concordant.bench.strategies.locking import Locking
from concordant.bench.strategies.optimistic import Optimistic
from concordant.bench.strategies.ours import Concordant

__all__ = ["Concordant", "LastWriteWins", "Locking", "Optimistic"]
