"""Speed and memory of mitobench, measured on demand; each benchmark also runs once, tiny, as a test."""
