"""Maps configs/, their one home, into the wheel as retinaface_tf.configs; the rest is declared."""

from setuptools import find_packages, setup

CONFIGS = "retinaface_tf.configs"

setup(
    packages=[*find_packages(include=["retinaface_tf*"]), CONFIGS],
    package_dir={CONFIGS: "configs"},
)
