"""Training steps of configuration A in bfloat16, on a CPU that computes it natively; else as in training_float32.

Ours and plain Keras are in mixed_bfloat16, PyTorch under autocast to bfloat16. TensorFlow turns oneDNN on by itself on
such a CPU.
"""

from benchmarks import once, training
from benchmarks.networks import NETWORKS

UNIT = "images/s"
ROUNDS = 5
KINDS = ("AVX512-BF16",)
VARIANTS = training.variants(("ours", "plain Keras", "PyTorch"), "mixed_bfloat16")
NEEDS = {variant: "torch" for variant in VARIANTS if variant.startswith("PyTorch")}
TARGETS = [
    (f"ours, {name}", f"{maker}, {name}", wanted)
    for name in NETWORKS
    for maker, wanted in (("plain Keras", 1.3), ("PyTorch", 0.95))
]

if __name__ == "__main__":
    once.main(VARIANTS)
