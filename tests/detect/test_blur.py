import numpy as np

from retinaface_tf.detect.blur import BLUR_MARGIN, blur_faces
from retinaface_tf.detections import Detections


def test_a_blurred_face_has_lost_its_detail_and_nothing_else_has_changed(frame, face):
    picture = blur_faces(frame.pixels, face)
    inside = picture[42:58, 42:58].astype(float)
    assert frame.pixels[42:58, 42:58].std() > 60
    assert inside.std() < 30
    reach = int(np.ceil(20 * BLUR_MARGIN))
    window = slice(40 - reach, 60 + reach)
    rest = picture.copy()
    rest[window, window] = frame.pixels[window, window]
    np.testing.assert_array_equal(rest, frame.pixels)


def test_a_face_outside_of_the_image_blurs_nothing(frame, face):
    outside = Detections(np.array([[120, 0, 130, 9]], np.float32), face.scores, face.landmarks)
    np.testing.assert_array_equal(blur_faces(frame.pixels, outside), frame.pixels)
