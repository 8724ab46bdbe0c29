"""``make bench``: every benchmark, one table each."""

from __future__ import annotations

from tests.benchmarks import bench_acknowledge, bench_automap, bench_command, bench_mapping, bench_runtime

if __name__ == "__main__":
    bench_mapping.main()
    bench_automap.main()
    bench_command.main()
    bench_runtime.main()
    bench_acknowledge.main()
