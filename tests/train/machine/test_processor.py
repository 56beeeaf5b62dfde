"""The kind of CPU follows from its flags; oneDNN is on before TensorFlow starts, unless the user has set it."""

import os
import platform
import subprocess
import sys

import pytest

from skinlesion.train.machine import devices, processor

LOADED = (
    "import skinlesion, os, sys; assert 'tensorflow' not in sys.modules; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
)


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        ("sse avx avx2", "AVX2"),
        ("avx2 avx512f avx512_vnni avx512_bf16x avx512_fp16", "AVX-512"),
        ("avx2 avx512f avx512_bf16", "AVX512-BF16"),
        ("avx2 avx512f amx_bf16", "AVX512-BF16"),
        ("", platform.machine()),
        (None, platform.machine()),
    ],
)
def test_the_kind_is_the_best_that_linux_lists_or_the_architecture(flags, kind, monkeypatch, tmp_path):
    monkeypatch.delenv(processor.VARIABLE, raising=False)
    if flags is not None:
        (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: fpu {flags} vme\nbugs\t: none\n")
    monkeypatch.setattr(processor, "Path", lambda _: tmp_path / "cpuinfo")
    assert processor.kind() == kind


@pytest.mark.parametrize(("kind", "precision"), [("AVX2", "float32"), ("AVX512-BF16", "mixed_bfloat16")])
@pytest.mark.parametrize(("given", "state"), [("0", "off"), ("1", "on")])
def test_the_variables_set_kind_and_onednn_and_precision_follows(kind, precision, given, state, monkeypatch):
    monkeypatch.setenv(processor.VARIABLE, kind)
    monkeypatch.setenv(processor.ONEDNN, given)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert processor.describe() == f"{kind}, oneDNN {state}"
    assert devices.choose_precision("auto", "cpu") == precision


@pytest.mark.parametrize(("given", "kept"), [(None, "1"), ("0", "0")])
def test_onednn_is_on_before_tensorflow_starts_unless_the_user_set_it(given, kept):
    environment = {name: value for name, value in os.environ.items() if name != processor.ONEDNN}
    environment |= {processor.ONEDNN: given} if given else {}
    done = subprocess.run([sys.executable, "-c", LOADED], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == kept
