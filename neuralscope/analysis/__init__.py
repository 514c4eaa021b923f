"""Pure functions over arrays: what a network got right, and where it fails.

confusion   which class was taken for which
mistakes    the examples answered wrongly, the surest first
"""

from neuralscope.analysis.confusion import confusion_counts
from neuralscope.analysis.mistakes import Mistakes, worst_mistakes

__all__ = ["Mistakes", "confusion_counts", "worst_mistakes"]
