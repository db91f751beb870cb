"""The evaluation on the challenge platform: the program of its image, and the folder that the image is built from."""
