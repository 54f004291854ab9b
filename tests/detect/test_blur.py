import numpy as np
from retinaface_tf.detect.alignment import ARCFACE112, similarity
from retinaface_tf.detect.pictures import BLUR_MARGIN, align, blur, crop, draw


def test_a_box_and_five_points_are_drawn_on_a_copy(frame, face):
    before = frame.pixels.copy()
    picture = draw(frame.pixels, [face])
    assert picture[40, 50].tolist() == picture[50, 60].tolist() == [0, 200, 0]
    assert picture[58, 46].tolist() == [230, 0, 0]
    np.testing.assert_array_equal(frame.pixels, before)


def test_a_blurred_face_has_lost_its_detail_and_nothing_else_has_changed(frame, face):
    picture = blur(frame.pixels, [face])
    inside = picture[42:58, 42:58].astype(float)
    assert frame.pixels[42:58, 42:58].std() > 60
    assert inside.std() < 30
    reach = int(np.ceil(20 * BLUR_MARGIN))
    window = slice(40 - reach, 60 + reach)
    rest = picture.copy()
    rest[window, window] = frame.pixels[window, window]
    np.testing.assert_array_equal(rest, frame.pixels)


def test_a_crop_has_its_margin_as_far_as_the_image_goes(frame, face):
    np.testing.assert_array_equal(crop(frame.pixels, face, 0.5), frame.pixels[30:70, 30:70])
    at_the_border = face._replace(box=np.array([-10.0, 90, 10, 130]))
    np.testing.assert_array_equal(crop(frame.pixels, at_the_border, 0), frame.pixels[90:, :10])
    assert crop(frame.pixels, face._replace(box=np.array([120.0, 0, 130, 9])), 0) is None
    assert blur(frame.pixels, [face._replace(box=np.array([120.0, 0, 130, 9]))]).shape


def test_an_aligned_face_has_its_landmarks_where_the_template_has_them():
    template = np.array(ARCFACE112.points)
    landmarks = (template / 2 + 20).round()
    image = np.zeros((100, 100, 3), np.uint8)
    for x, y in landmarks.astype(int):
        image[y, x] = 255
    picture = align(image, similarity(landmarks, template), ARCFACE112)
    assert picture.shape == (112, 112, 3)
    for x, y in template.round().astype(int):
        around = picture[y - 4 : y + 5, x - 4 : x + 5]
        assert around.max() > 100
        around[:] = 0
    assert not picture.any(), "and nothing is elsewhere"
