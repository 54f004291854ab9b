import pytest


@pytest.mark.slow
def test_xla_compiles_a_whole_step_once_for_each_number_of_faces(command, tmp_path, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", f"--xla_dump_to={tmp_path}")
    done = command("tests/compile_steps.py")
    assert done.returncode == 0, done.stderr
    programs = [file.name for file in tmp_path.glob("*.before_optimizations.txt")]
    # Six steps, on batches padded to 16 and to 32 faces: no program but those of the whole step.
    assert len(programs) == 2
    assert all("_global_step_" in program for program in programs)
