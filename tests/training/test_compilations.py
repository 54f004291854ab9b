import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "compile_steps.py"


@pytest.mark.slow
def test_xla_compiles_a_whole_step_once_for_each_number_of_faces(tmp_path, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", f"--xla_dump_to={tmp_path}")
    subprocess.run([sys.executable, SCRIPT], check=True)
    programs = [file.name for file in tmp_path.glob("*.before_optimizations.txt")]
    # Six steps, on batches padded to 16 and to 32 faces: no program but those of the whole step.
    assert len(programs) == 2
    assert all("_global_step_" in program for program in programs)
