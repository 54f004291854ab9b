"""Published weights give their published figures, on real images."""

import re

import pytest

# Of biubug6's PyTorch code with these weights on these 403 images.
KNOWN = {"Easy": 0.9320, "Medium": 0.9107, "Hard": 0.7641}


@pytest.mark.slow
def test_biubug6s_weights_have_their_ap_as_they_are_downloaded(shared, command, tmp_path):
    done = command(
        *("eval.py", "--cfg=configs/mobilenet025.yaml", "--protocol=original"),
        f"--weights={shared / 'data/weights/retinaface_mobilenet025.pth'}",
        f"--set=data.root={shared / 'data/widerface'}",
        f"--out={tmp_path}",
    )
    assert done.returncode == 0, done.stderr
    found = {name: float(ap) for name, ap in re.findall(r"(\w+) +Val AP : (.*)", done.stdout)}
    assert found == pytest.approx(KNOWN, abs=0.001)
