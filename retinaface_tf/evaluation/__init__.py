"""WIDER FACE's protocol: run a detector over the images, read and write predictions, score them."""
