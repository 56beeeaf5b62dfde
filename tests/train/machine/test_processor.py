"""The CPU's kind by its flags, and oneDNN on before TensorFlow is loaded, unless the user has said otherwise."""

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
    ],
)
def test_the_kind_is_the_best_that_linux_lists(flags, kind, monkeypatch, tmp_path):
    monkeypatch.delenv(processor.VARIABLE, raising=False)
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: fpu {flags} vme\nbugs\t: none\n")
    monkeypatch.setattr(processor, "Path", lambda _: tmp_path / "cpuinfo")
    assert processor.kind() == kind


def test_where_the_system_lists_no_flags_the_kind_is_the_architecture(monkeypatch, tmp_path):
    monkeypatch.delenv(processor.VARIABLE, raising=False)
    monkeypatch.setattr(processor, "Path", lambda _: tmp_path / "none")
    assert processor.kind() == platform.machine()


@pytest.mark.parametrize(("kind", "precision"), [("AVX2", "float32"), ("AVX512-BF16", "mixed_bfloat16")])
def test_the_variable_names_another_kind_and_precision_auto_follows_it(kind, precision, monkeypatch):
    monkeypatch.setenv(processor.VARIABLE, kind)
    assert processor.describe().startswith(f"{kind}, oneDNN ")
    assert devices.choose_precision("auto", "cpu") == precision


@pytest.mark.parametrize(("given", "kept"), [(None, "1"), ("0", "0"), ("1", "1")])
def test_onednn_is_on_before_tensorflow_is_loaded_and_left_alone_where_the_user_set_it(given, kept):
    environment = {name: value for name, value in os.environ.items() if name != processor.ONEDNN}
    if given is not None:
        environment[processor.ONEDNN] = given
    done = subprocess.run([sys.executable, "-c", LOADED], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == kept


@pytest.mark.parametrize(("given", "on"), [("0", False), ("1", True)])
def test_what_is_said_of_onednn_follows_the_variable(given, on, monkeypatch):
    monkeypatch.setenv(processor.ONEDNN, given)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert processor.onednn() is on
