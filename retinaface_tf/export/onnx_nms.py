"""Appends NMS to an ONNX graph: one NonMaxSuppression for the whole batch.

This is `GraphDetector.suppress` in ONNX's own operators. The converter would turn TensorFlow's NMS
into a loop over images, which OpenVINO does not load.
"""

from dataclasses import asdict
from string import Template
from typing import Any

from retinaface_tf.extras import import_extra
from retinaface_tf.serving.metadata import DefaultThresholds

# Outputs of the graph so far: boxes [B, K, 4], scores [B, K] and landmarks [B, K, 5, 2] of
# candidates, best first; boxes include their first and last pixel.
CANDIDATES = ("candidate_boxes", "candidate_scores", "candidate_landmarks")

# The header states the inputs and outputs of the whole file; inputs with a value are optional.
_DETECTOR = Template("""
retinaface (
    uint8[batch, height, width, 3] images,
    float[1] score_threshold = {$score_threshold},
    float[1] nms_iou = {$nms_iou}
) => (
    float[batch, $room, 4] boxes,
    float[batch, $room] scores,
    float[batch, $room, 5, 2] landmarks,
    int32[batch] num_detections
) <
    float zero = {0.0}, int64 one = {1}, int64 room = {$room}, int64[1] row_of_room = {$room},
    int64[1] axis_1 = {1}, int64[1] axis_2 = {2}, int64[2] axes_2_and_3 = {2, 3},
    float[4] past_last_pixel = {0.0, 0.0, 1.0, 1.0}, int64[2] image_and_candidate = {0, 2},
    int64[4] room_at_the_end = {0, 0, 0, $room}
> {
    whole_boxes = Add (candidate_boxes, past_last_pixel)
    scores_by_class = Unsqueeze (candidate_scores, axis_1)
    kept = NonMaxSuppression (whole_boxes, scores_by_class, room, nms_iou, score_threshold)

    # Scores stay in their places, 0 where suppressed; the best come first, and then the zeros.
    places = Gather <axis = 1> (kept, image_and_candidate)
    kept_scores = GatherND (candidate_scores, places)
    shape = Shape (candidate_scores)
    no_scores = Expand (zero, shape)
    sparse_scores = ScatterND (no_scores, places, kept_scores)
    padded_scores = Pad (sparse_scores, room_at_the_end)
    top_scores, padded_columns = TopK <axis = 1> (padded_scores, row_of_room)

    # A place of the padding becomes that of the last candidate, whose values are not shown.
    count = Gather (shape, one)
    last = Sub (count, one)
    columns = Min (padded_columns, last)
    rows = Unsqueeze (columns, axis_2)
    top_boxes = GatherND <batch_dims = 1> (candidate_boxes, rows)
    top_landmarks = GatherND <batch_dims = 1> (candidate_landmarks, rows)

    is_face = Greater (top_scores, score_threshold)
    is_face_of_boxes = Unsqueeze (is_face, axis_2)
    is_face_of_landmarks = Unsqueeze (is_face, axes_2_and_3)
    boxes = Where (is_face_of_boxes, top_boxes, zero)
    scores = Where (is_face, top_scores, zero)
    landmarks = Where (is_face_of_landmarks, top_landmarks, zero)
    ones = Cast <to = 6> (is_face)
    num_detections = ReduceSum <keepdims = 0> (ones, axis_1)
}
""")


def append_nms(graph: Any, thresholds: DefaultThresholds, max_detections: int) -> None:
    """Turns a graph of candidates into that of a detector, in place.

    Args:
        graph: onnx.GraphProto that computes CANDIDATES from `images` and `score_threshold`.
        thresholds: defaults of a call that gives none.
        max_detections: the number of rows in an answer.
    """
    parser = import_extra("onnx.parser", "onnx")
    text = _DETECTOR.substitute(asdict(thresholds), room=max_detections)
    detector = parser.parse_graph(text)
    for ours, theirs in ((detector.input, graph.input), (detector.output, graph.output)):
        del theirs[:]
        theirs.extend(ours)
    graph.node.extend(detector.node)
    graph.initializer.extend(detector.initializer)
    # Their axes have names from the converter; runtimes infer shapes by themselves.
    del graph.value_info[:]
