# benchmarks of this box
