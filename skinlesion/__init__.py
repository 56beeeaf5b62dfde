"""A reproducible pipeline for HAM10000: its stages are in stages/, its commands in skinlesion/commands/."""

import os

# Before TensorFlow is loaded. It turns oneDNN on by itself only where the CPU has AVX-512 VNNI; on others, most laptops
# among them, training takes twice as long without. TF_ENABLE_ONEDNN_OPTS=0 turns it off.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
