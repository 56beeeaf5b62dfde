"""The pieces of the page that answers are shown in, as HTML."""

import base64
from html import escape

import cv2
import numpy as np

from skinlesion.commands.demo.answers import Answer
from skinlesion.core.ham10000 import DIAGNOSES

JPEG_QUALITY = 90
WAITING = '<p class="sl-waiting">The answer appears here as soon as there is an image.</p>'


def bars(answer: Answer) -> str:
    """The seven probabilities, most probable first."""
    order = np.argsort(-answer.probabilities, kind="stable")
    rows = "".join(bar(int(label), float(answer.probabilities[label])) for label in order)
    return f'<ul class="sl-bars" aria-label="probabilities">{rows}</ul>'


def bar(label: int, probability: float) -> str:
    one = DIAGNOSES[label]
    kind = "malignant" if one.malignant else "benign"
    return (
        f'<li data-code="{one.code}" data-probability="{probability:.6f}" class="sl-{kind}">'
        f'<span class="sl-name">{escape(capital(one.name))} <small>{kind}</small></span>'
        f'<span class="sl-number">{percent(probability)}</span>'
        f'<span class="sl-track"><span style="width:{probability:.2%}"></span></span></li>'
    )


def percent(probability: float) -> str:
    """As people read it: never 0% or 100% of what is only nearly so."""
    if probability < 0.001:
        return "&lt;0.1%"
    return "&gt;99.9%" if probability > 0.999 else f"{probability:.1%}"


def capital(name: str) -> str:
    return name[0].upper() + name[1:]


def note(answer: Answer, limit: float) -> str:
    """Whether the image looks like the training data; loud only where it does not."""
    figure = f"Distance {answer.distance:.1f}; 99 of 100 images of HAM10000 lie below {limit:.1f}."
    if answer.usual:
        return f'<p class="sl-usual">In colours, contrast and sharpness like the images of HAM10000. {figure}</p>'
    return (
        '<p class="sl-unlike" role="status"><strong>This image looks unlike the training data</strong> in colours, '
        f"contrast or sharpness: the probabilities below mean little. {figure}</p>"
    )


def figures(answer: Answer, overlaid: np.ndarray, label: int) -> str:
    """The image as the model saw it, and beside it what spoke for a class."""
    name = escape(DIAGNOSES[label].name)
    return (
        '<div class="sl-figures">'
        f"{figure(answer.picture, 'the image', 'What the model saw')}"
        f"{figure(overlaid, f'Grad-CAM for {name}', f'What spoke for {name}, in yellow')}</div>"
    )


def figure(image: np.ndarray, alt: str, caption: str) -> str:
    encoded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    address = f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"
    return f'<figure><img src="{address}" alt="{alt}"><figcaption>{caption}</figcaption></figure>'


def refusal(sentence: str) -> str:
    return f'<p class="sl-refusal" role="alert">{escape(sentence)}</p>'
