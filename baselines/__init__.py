"""The two baselines of the benchmark, U2D-B+CC and U3D-BC+MW: networks, training, prediction, decoding."""
