"""Training steps of configuration A in float32, on the CPU: random weights, every layer trains, batch 32.

Ours is the pipeline's own training as shipped: oneDNN on, `deterministic: true`. Plain Keras is the same network with a
classifier, trained by model.fit on arrays as people get it: TensorFlow leaves oneDNN off where the CPU has neither
AVX-512 VNNI nor better. Against that, ours mostly shows oneDNN on against off; so the same with oneDNN stands beside.
Neither is set to repeat its weights, nor is PyTorch. Images of random pixels; the median time of 12 steps after 3 of
warm-up, so that what else the machine does for a moment counts for little. What comes between epochs (validation,
keeping weights and state) does not count.
"""

from benchmarks import once, training
from benchmarks.networks import NETWORKS

UNIT = "images/s"
ROUNDS = 5
VARIANTS = training.variants(training.MAKERS, "float32")
NEEDS = {variant: "torch" for variant in VARIANTS if variant.startswith("PyTorch")}
AS_PEOPLE_GET_IT = {"ResNet50 at 128 px": 1.7, "ResNet18 at 80 px": 2.2, "EfficientNet-Lite0 at 128 px": 1.4}
TARGETS = [
    *(
        (f"ours, {name}", f"plain Keras, {name}", wanted, ("AVX2",), "oneDNN on against off")
        for name, wanted in AS_PEOPLE_GET_IT.items()
    ),
    *((f"ours, {name}", f"plain Keras with oneDNN, {name}", 1.05) for name in NETWORKS),
    *((f"ours, {name}", f"PyTorch, {name}", 1.0) for name in NETWORKS),
]

if __name__ == "__main__":
    once.main(VARIANTS)
