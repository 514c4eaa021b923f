"""Pure functions over arrays: what a network got right, and where it fails.

ablation        what a network loses without one unit
calibration     is it right as often as it is sure, and may it stay silent
comparison      how runs differ, by how much, and whether that is chance
confusion       which class was taken for which
contributions   which units decided between two classes
counterfactual  the smallest change that turns an answer
diagnosis       what came of a training: did it learn, did it overfit
health          is a layer well, and what ails it
history         what became of each example in the course of training
mistakes        the examples answered wrongly, the surest first
neighbors       what looks alike to the network
projection      many digits as points on a map
saliency        which pixels an answer hangs on, and a test of that
scores          precision, recall and F1 of each class
units           what excites each unit, and which are of no use
"""

from neuralscope.analysis.ablation import Ablation, ablate, predictions_without
from neuralscope.analysis.calibration import (
    N_BINS,
    Refusal,
    RefusalCurve,
    Reliability,
    refusal_curve,
    refuse_below,
    reliability,
)
from neuralscope.analysis.confusion import (
    Answers,
    Change,
    Confusion,
    compare_answers,
    confusion_counts,
    most_confused,
    read_answers,
)
from neuralscope.analysis.contributions import (
    Contributions,
    logit_contributions,
)
from neuralscope.analysis.counterfactual import (
    PixelChange,
    smallest_change,
)
from neuralscope.analysis.diagnosis import (
    Grade,
    Overfitting,
    Result,
    circumstances_of,
    find_overfitting,
    judge_accuracy,
    tell_baseline,
    tell_overfitting,
)
from neuralscope.analysis.health import Circumstances, Verdict, judge_layers, tell_health
from neuralscope.analysis.history import (
    Fates,
    Suspects,
    fates,
    suspicious_labels,
    tell_history,
)
from neuralscope.analysis.mistakes import (
    ORDERS,
    Judgement,
    Mistakes,
    choose_examples,
    judge,
    worst_mistakes,
)
from neuralscope.analysis.neighbors import (
    FeatureSpace,
    feature_space,
    features,
    nearest,
)
from neuralscope.analysis.projection import Projection, principal_plane, reach, sample
from neuralscope.analysis.saliency import (
    Removal,
    removal,
    saliency_map,
)
from neuralscope.analysis.scores import Average, ClassScores, score_classes
from neuralscope.analysis.units import (
    EXCITING,
    Idle,
    extreme_examples,
    idle_units,
    logits_from,
    order_by_preference,
    preferred_class,
    seen_through,
    unit_means,
)
from neuralscope.engine.health import MOSTLY, NEAR_END

__all__ = [
    "EXCITING",
    "MOSTLY",
    "NEAR_END",
    "N_BINS",
    "ORDERS",
    "Ablation",
    "Answers",
    "Average",
    "Change",
    "Circumstances",
    "ClassScores",
    "Confusion",
    "Contributions",
    "Fates",
    "FeatureSpace",
    "Grade",
    "Idle",
    "Judgement",
    "Mistakes",
    "Overfitting",
    "PixelChange",
    "Projection",
    "Refusal",
    "RefusalCurve",
    "Reliability",
    "Removal",
    "Result",
    "Suspects",
    "Verdict",
    "ablate",
    "choose_examples",
    "circumstances_of",
    "compare_answers",
    "confusion_counts",
    "extreme_examples",
    "fates",
    "feature_space",
    "features",
    "find_overfitting",
    "idle_units",
    "judge",
    "judge_accuracy",
    "judge_layers",
    "logit_contributions",
    "logits_from",
    "most_confused",
    "nearest",
    "order_by_preference",
    "predictions_without",
    "preferred_class",
    "principal_plane",
    "reach",
    "read_answers",
    "refusal_curve",
    "refuse_below",
    "reliability",
    "removal",
    "saliency_map",
    "sample",
    "score_classes",
    "seen_through",
    "smallest_change",
    "suspicious_labels",
    "tell_baseline",
    "tell_health",
    "tell_history",
    "tell_overfitting",
    "unit_means",
    "worst_mistakes",
]
